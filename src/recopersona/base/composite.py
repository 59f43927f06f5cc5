"""Recommenders made of others: parts by name, parameters reached through them, one past for all."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar, Self

from sklearn.base import clone

from recopersona.base.online import OnlineRecommender
from recopersona.base.parameters import Bound
from recopersona.base.recommender import Recommender
from recopersona.data.dataset import Dataset
from recopersona.data.decision import Decision
from recopersona.data.history import History
from recopersona.data.ids import IdMap
from recopersona.data.interactions import Interactions
from recopersona.data.types import Indices
from recopersona.errors import DataError, ParameterError, hint


def _are_models(value: Any) -> bool:
    return bool(value) and all(isinstance(model, Recommender) for _, model in _pairs(value))


MODELS = Bound("a list of models or (name, model) pairs, at least one", _are_models)
"""What the parameter that holds the parts must be."""


class Composite(OnlineRecommender):
    """A recommender with a list of models as one of its parameters.

    A subclass names that parameter in ``_models_parameter`` and fits the models by
    ``_fit_models(dataset)``, which keeps them by name in an attribute: the parameter's name and
    ``_``. The models given stay unfitted; their clones are fitted.
    """

    _models_parameter: ClassVar[str]

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters; with ``deep``, also the models' as ``name__parameter``."""
        params: dict[str, Any] = super().get_params(deep=False)
        if deep and _are_models(getattr(self, self._models_parameter)):
            for name, model in self._named():
                params[name] = model
                params.update(
                    {f"{name}__{key}": value for key, value in model.get_params().items()}
                )
        return params

    def set_params(self, **params: Any) -> Self:
        """Set parameters, a model by its name, or a model's own as ``name__parameter``."""
        own = super().get_params(deep=False)
        # What is whole comes before what is inside it, in whatever order it was typed.
        for key in sorted(params, key=lambda key: (key not in own, "__" in key)):
            given = getattr(self, self._models_parameter)
            models = dict(self._named()) if _are_models(given) else {}
            name, _, inner = key.partition("__")
            if key in own:
                setattr(self, key, params[key])
            elif name in models and inner:
                models[name].set_params(**{inner: params[key]})
            elif name in models:
                setattr(self, self._models_parameter, list({**models, name: params[key]}.items()))
            else:
                raise ParameterError(
                    f"{type(self).__name__} has no parameter {key!r}{hint(key, [*own, *models])}"
                )
        return self

    def update_items(self, frame: Any) -> Self:
        """Take in new or changed rows of the catalogue."""
        super().update_items(frame)
        for model in self._models.values():
            model.update_items(frame)
        return self

    def update_users(self, frame: Any) -> Self:
        """Take in new or changed rows of the customers."""
        super().update_users(frame)
        for model in self._models.values():
            model.update_users(frame)
        return self

    @property
    def _models(self) -> dict[str, Recommender]:
        """The fitted models by name."""
        fitted: dict[str, Recommender] = getattr(self, f"{self._models_parameter}_")
        return fitted

    def _named(self) -> list[tuple[str, Recommender]]:
        return named(
            getattr(self, self._models_parameter), type(self).__name__, self._get_param_names()
        )

    def _fit_models(self, dataset: Dataset) -> None:
        fitted = {name: clone(model).fit(dataset) for name, model in self._named()}
        setattr(self, f"{self._models_parameter}_", fitted)
        self._adopt(self.users_, self.items_, self.past_)

    def _adopt(self, users: IdMap, items: IdMap, past: History) -> None:
        """One set of ids and one past for all parts, whatever this one is part of."""
        super()._adopt(users, items, past)
        for model in self._models.values():
            model._adopt(users, items, past)

    def _learn(self, rows: Interactions) -> None:
        for model in self._models.values():
            if isinstance(model, OnlineRecommender):
                model._learn(rows)

    def _learn_outcome(self, decision: Decision) -> None:
        """Tell every model that writes ``_learn_outcome(decision)``."""
        for model in self._models.values():
            learn = getattr(model, "_learn_outcome", None)
            if learn is not None:
                learn(decision)

    def _forget_users(self, users: Indices) -> None:
        for model in self._models.values():
            model._forget_users(users)

    def _check_learned(self) -> None:
        super()._check_learned()
        held: Any = self._models
        if not isinstance(held, dict) or not held:
            raise DataError(f"{type(self).__name__}: there are no models in it.")
        for model in held.values():
            shared = (model.users_, model.items_, model.past_)
            if shared != (self.users_, self.items_, self.past_):
                raise DataError(f"{type(self).__name__}: a model has users and items of its own.")


def named(
    models: Sequence[Any], owner: str, reserved: Sequence[str] = ()
) -> list[tuple[str, Recommender]]:
    """Return (name, model) pairs; unnamed models are called like their class, numbered if need be.

    Parameters
    ----------
    models : sequence of models or (name, model) pairs
    owner : str
        Whose parts they are, for the errors.
    reserved : sequence of str
        Names of the owner's own parameters, which no model may have.

    Raises
    ------
    ParameterError
        If a name is taken, reserved, or no plain word.

    Examples
    --------
    >>> from recopersona.models.popularity import Popularity
    >>> models = [Popularity(), Popularity(), ("week", Popularity())]
    >>> [name for name, _ in named(models, "Pipeline")]
    ['popularity', 'popularity2', 'week']
    """
    pairs: list[tuple[str, Recommender]] = []
    taken: set[str] = set()
    for given, model in _pairs(models):
        name = given or type(model).__name__.lower()
        if given is not None and (name in taken or "__" in name or not re.fullmatch(r"\w+", name)):
            raise ParameterError(
                f"{owner}: {name!r} cannot name a model; use distinct plain words."
            )
        if name in reserved:
            raise ParameterError(f"{owner}: {name!r} is a parameter of its own; name the model.")
        base, number = name, 2
        while name in taken:
            name, number = f"{base}{number}", number + 1
        taken.add(name)
        pairs.append((name, model))
    return pairs


def _pairs(models: Sequence[Any]) -> Iterator[tuple[str | None, Any]]:
    """Walk (name, model) pairs, None where no name was given."""
    for entry in models:
        given = isinstance(entry, tuple) and len(entry) == 2 and isinstance(entry[0], str)
        yield entry if given else (None, entry)
