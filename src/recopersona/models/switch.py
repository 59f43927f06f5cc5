"""Another model for another visitor: by a column, by a function, or by what is known of her."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Self

import numpy as np

from recopersona.base.composite import Composite
from recopersona.base.described import Described
from recopersona.base.parameters import Bound, optional, param
from recopersona.base.recommender import NO_OPINION, Recommender
from recopersona.data.dataset import Dataset
from recopersona.data.ids import is_missing
from recopersona.data.query import Query
from recopersona.data.ranking import Ranking
from recopersona.data.types import Floats, Id, Indices, Mask
from recopersona.errors import DataError, ParameterError, hint

VISITOR = "visitor"
"""The value of ``by`` that asks how much is known of a visitor."""

KNOWLEDGE = ("stranger", "visit", "known")
"""What is known of a visitor: nothing, some clicks of this visit, a past."""

DEFAULT = "default"


def _are_cases(value: Any) -> bool:
    return (
        isinstance(value, Mapping)
        and bool(value)
        and all(isinstance(name, str) and name for name in value)
        and all(isinstance(model, Recommender) for model in value.values())
    )


_CASES = Bound("a mapping from value to model, at least one", _are_cases)
_ASPECT = Bound(
    f"a column of the users or of the context, {VISITOR!r}, or a function of the query",
    lambda value: callable(value) or (isinstance(value, str) and bool(value)),
)
_MODEL = Bound("a model", lambda value: isinstance(value, Recommender))


class Switch(Described, Composite):
    """Let one of several models answer, by who asks.

    Every row names the model it came from as its source, and ``ranking.effects`` say why it was
    that one. Where the value has no model, and no ``default`` is given, everybody's favourites
    answer: ``fallback: popularity``.

    Parameters
    ----------
    by : str or function
        A column of the users or a name in the query's ``context``, which goes before; or
        ``"visitor"``, whose values are ``"known"`` (she has a past), ``"visit"`` (she has none,
        but clicks, a seed item or a history came with the question) and ``"stranger"``; or a
        function of the query that returns a value. A file only names a function, and `load` takes
        it again, so it must be one that has a name.
    models : mapping from value to model
        Values are text, numbers as they are written. Parameters of a part are reached as
        ``mobile__k``. The models given stay unfitted; their clones are fitted.
    default : model, optional
        Answers whoever has another value, or none.

    Attributes
    ----------
    models_ : dict from value to fitted model, the default's value being ``"default"``

    Examples
    --------
    >>> import pandas as pd
    >>> from recopersona.models.neighbors import ItemKNN
    >>> from recopersona.models.popularity import Popularity
    >>> events = pd.DataFrame(
    ...     {"user_id": [1, 1, 2, 2, 3], "item_id": ["tea", "honey", "tea", "honey", "tea"]}
    ... )
    >>> model = Switch(by="visitor", models={"stranger": Popularity()}, default=ItemKNN())
    >>> model.fit(events).recommend(3, n=1).to_frame()
      item_id  rank  score   source
    0   honey     1    1.0  ItemKNN
    >>> ranking = model.recommend(Query(), n=1)
    >>> ranking.item_ids, ranking.sources, ranking.effects
    (['tea'], ['Popularity'], ("visitor 'stranger' is answered by Popularity",))
    """

    _parts_parameter: ClassVar[str] = "models"

    by: str | Callable[[Query], Any] = param(_ASPECT, default=VISITOR)
    models: Mapping[str, Any] | None = param(_CASES, default=None)
    default: Any = param(optional(_MODEL), default=None)

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters; with ``deep``, also the parts' as ``value__parameter``."""
        params = {name: getattr(self, name) for name in self._get_param_names()}
        if deep and _are_cases(self.models):
            for name, part in self._named():
                params[name] = part
                params.update({f"{name}__{key}": value for key, value in part.get_params().items()})
        return params

    def set_params(self, **params: Any) -> Self:
        """Set parameters, a part by its value, or a part's own as ``value__parameter``."""
        own = self._get_param_names()
        # What is whole comes before what is inside it, in whatever order it was typed.
        for key in sorted(params, key=lambda key: (key not in own, "__" in key)):
            parts = dict(self._named()) if _are_cases(self.models) else {}
            name, _, inner = key.partition("__")
            if key in own:
                setattr(self, key, params[key])
            elif name in parts and inner:
                parts[name].set_params(**{inner: params[key]})
            elif name in parts:
                self.models = {**(self.models or {}), name: params[key]}
            else:
                known = hint(key, [*own, *parts])
                raise ParameterError(f"Switch has no parameter {key!r}{known}")
        return self

    def _named(self) -> list[tuple[str, Any]]:
        reserved = (*self._get_param_names(), DEFAULT)
        cases = self.models or {}
        for name in cases:
            if name in reserved or "__" in name:
                raise ParameterError(
                    f"Switch: {name!r} cannot be a value; it names a parameter or has '__' in it."
                )
        rest = [] if self.default is None else [(DEFAULT, self.default)]
        return [*cases.items(), *rest]

    def _fit(self, dataset: Dataset) -> None:
        self._fit_models(dataset)

    # -- who answers -------------------------------------------------------------------------

    def segment_of(self, query: Query) -> str:
        """Return the value by which a question is answered; empty where it has none."""
        if callable(self.by):
            value = self.by(query)
        elif self.by == VISITOR:
            value = self._knowledge(query)
        else:
            value = self.attributes_of(query).get(self.by)
        whole = isinstance(value, (float, np.floating)) and value.is_integer()
        return "" if is_missing(value) else str(int(value) if whole else value)

    def _knowledge(self, query: Query) -> str:
        if len(self.past_.seen(self.user_of(query))):
            return "known"
        clicks = (*query.session, *query.page_items, *(query.history or ()))
        return "visit" if len(self._known_items(clicks)) else "stranger"

    def _answering(self, query: Query) -> str:
        """Return the name of the model that answers; empty where none does."""
        value = self.segment_of(query)
        if value in self.models_ and value != DEFAULT:
            return value
        return DEFAULT if DEFAULT in self.models_ else ""

    def score_items(self, query: Query, items: Indices | None = None) -> Floats:
        """Return every item's score by the model that answers, float32 (n_items,)."""
        name = self._answering(query)
        if not name:
            return np.full(len(self.items_), NO_OPINION)
        scores: Floats = self.models_[name].score_items(query, items)
        return scores

    def _similar(self, item: int) -> Floats:
        name = DEFAULT if DEFAULT in self.models_ else next(iter(self.models_))
        likeness: Floats = self.models_[name]._similar(item)
        return likeness

    def _explain(self, query: Query, item: int) -> list[tuple[str, Id | None, float]]:
        name = self._answering(query)
        return self.models_[name]._explain(query, item) if name else []

    def _rank(
        self,
        queries: Sequence[Query],
        n: int,
        seen: int,
        eligible: Mask | None = None,
        fill: bool = True,
    ) -> list[Ranking]:
        answering = [self._answering(query) for query in queries]
        rankings: list[Any] = [None] * len(queries)
        for name in dict.fromkeys(answering):
            rows = [row for row, one in enumerate(answering) if one == name]
            asked = [queries[row] for row in rows]
            if name:
                # It fills its list itself: its rules, if it has any, know with what.
                model = self.models_[name]
                model.fallback_ = self.fallback_
                found = model._rank(asked, n, seen, eligible, fill)
            else:
                found = [self._favourites(query, n, seen, eligible, fill) for query in asked]
            for row, ranking in zip(rows, found, strict=True):
                rankings[row] = self._told(queries[row], ranking, name)
        return rankings

    def _favourites(
        self, query: Query, n: int, seen: int, eligible: Mask | None, fill: bool
    ) -> Ranking:
        nothing = Ranking.of([], [], self.items_, type(self).__name__)
        blocked = np.zeros(len(self.items_), np.bool_) if eligible is None else ~eligible
        return self._filled(nothing, self._excluded(query, seen), n, blocked) if fill else nothing

    def _told(self, query: Query, ranking: Ranking, name: str) -> Ranking:
        unknown = self._unknowns(query)
        told = set(unknown)
        inner = [effect for effect in ranking.effects if effect not in told]
        return replace(ranking, effects=(*unknown, self._reason(query, name), *inner))

    def _allowed(self, query: Query) -> Mask | None:
        name = self._answering(query)
        return self.models_[name]._allowed(query) if name else None

    def _reason(self, query: Query, name: str) -> str:
        aspect = getattr(self.by, "__name__", "the function") if callable(self.by) else self.by
        value = self.segment_of(query)
        told = f"{aspect} {value!r}" if value else f"no {aspect}"
        if not name:
            return f"{told} has no model"
        kind = type(self.models_[name]).__name__
        return f"{told} is answered by {kind}{', the default' if name == DEFAULT else ''}"

    def _check_learned(self) -> None:
        super()._check_learned()
        if not all(isinstance(name, str) for name in self.models_):
            raise DataError("Switch: the models must be named by text.")
