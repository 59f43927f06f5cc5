"""Recommenders made of others: one set of users and items, and one past for all."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar, Self

from sklearn.base import clone

from recopersona.base.forgetting import Gone
from recopersona.base.nested import Nested, are_parts
from recopersona.base.online import OnlineRecommender
from recopersona.base.parameters import Bound
from recopersona.base.recommender import Recommender
from recopersona.base.telling import tell_growth, tell_outcome, untell_outcome
from recopersona.data.dataset import Dataset
from recopersona.data.decision import Decision
from recopersona.data.gate import EventGate
from recopersona.data.history import History
from recopersona.data.ids import IdMap
from recopersona.data.interactions import Interactions
from recopersona.data.types import Indices
from recopersona.errors import DataError

MODELS = Bound(
    "a list of models or (name, model) pairs, at least one",
    lambda value: are_parts(value, Recommender),
)
"""What the parameter that holds the parts must be."""


class Composite(Nested, OnlineRecommender):
    """A recommender with a list of models as one of its parameters.

    A subclass names that parameter in ``_parts_parameter`` and fits the models by
    ``_fit_models(dataset)``, which keeps them by name in an attribute: the parameter's name and
    ``_``. The models given stay unfitted; their clones are fitted.
    """

    _parts_kind = Recommender
    _taught_by_all: ClassVar[tuple[str, ...] | None] = ()

    def update_items(self, frame: Any) -> Self:
        """Take in new or changed rows of the catalogue."""
        super().update_items(frame)
        for model in self._models.values():
            model.update_items(frame)
        return self

    def update_users(self, frame: Any) -> Self:
        """Take in new or changed rows of the customers."""
        frame = self._admitted(frame)
        super().update_users(frame)
        for model in self._models.values():
            model.update_users(frame)
        return self

    @property
    def _models(self) -> dict[str, Recommender]:
        """The fitted models by name."""
        fitted: dict[str, Recommender] = getattr(self, f"{self._parts_parameter}_")
        return fitted

    def _fit_models(self, dataset: Dataset) -> None:
        fitted = {name: clone(model).fit(dataset) for name, model in self._named()}
        setattr(self, f"{self._parts_parameter}_", fitted)
        self._adopt(self.users_, self.items_, self.past_)

    def _adopt(self, users: IdMap, items: IdMap, past: History) -> None:
        """One set of ids and one past for all parts, whatever this one is part of."""
        super()._adopt(users, items, past)
        for model in self._models.values():
            model._adopt(users, items, past)

    def _stand_behind(self, gate: EventGate | None) -> None:
        super()._stand_behind(gate)
        for model in vars(self).get(f"{self._parts_parameter}_", {}).values():
            model._stand_behind(gate)

    def _learn(self, rows: Interactions) -> None:
        for model in self._models.values():
            if isinstance(model, OnlineRecommender):
                model._learn(rows)

    def _learn_outcome(self, decision: Decision) -> None:
        tell_outcome(self._models.values(), decision)

    def _unlearn_outcome(self, decision: Decision) -> list[str]:
        return untell_outcome(self._models, decision)

    def _outcome_grew(self, before: Decision, after: Decision) -> None:
        tell_growth(self._models.values(), before, after)

    def _forget_users(self, users: Indices) -> None:
        super()._forget_users(users)
        for model in self._models.values():
            model._forget_users(users)

    def _unlearn(self, gone: Gone) -> Iterable[str]:
        """Let every part take back what it was taught, and name what it cannot."""
        yield from super()._unlearn(gone)
        for name, model in self._models.items():
            yield from (f"{name}.{part}" for part in model._take_back(gone))

    def _held_of(self, user: int) -> dict[str, Any]:
        held = super()._held_of(user)
        parts = {name: model._held_of(user) for name, model in self._models.items()}
        theirs = {name: rows for name, rows in parts.items() if rows}
        return {**held, "parts": theirs} if theirs else held

    def _check_learned(self) -> None:
        super()._check_learned()
        held: Any = self._models
        if not isinstance(held, dict) or not held:
            raise DataError(f"{type(self).__name__}: there are no models in it.")
        for model in held.values():
            shared = (model.users_, model.items_, model.past_)
            if shared != (self.users_, self.items_, self.past_):
                raise DataError(f"{type(self).__name__}: a model has users and items of its own.")
