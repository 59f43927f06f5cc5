"""Rankings chosen one by one by what one column of the catalogue says of each item."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from recopersona.base.forgetting import Gone
from recopersona.base.parameters import param, real, whole
from recopersona.base.searching import real_range
from recopersona.data.dataset import Dataset
from recopersona.data.interactions import Interactions
from recopersona.data.query import Query
from recopersona.data.ranking import Ranking
from recopersona.data.types import Indices, Values
from recopersona.errors import DataError
from recopersona.rerank.aspects import COLUMN_NAME, Aspects, Members
from recopersona.rerank.greedy import with_rest
from recopersona.rerank.item_records import Recording
from recopersona.rerank.scaling import scaled


class ByAspect(Recording):
    """A re-ranker that weighs aspects by what the visitor is drawn to, and chooses one by one.

    A subclass writes ``_choose``.

    Parameters
    ----------
    attribute : str
        The column whose values are the aspects: categories, sets of them, or yes and no.
    weight : float, from 0 to 1
        Of the aspects: with 0 the order stays.
    prior : float, at least 0
        How many items of a visitor's own the shop's opinion is worth; see `Aspects`.
    top : int, at least 1
        How many places are chosen one by one. All others follow in the order of what each would
        add then.

    Attributes
    ----------
    aspects_ : Aspects
        ``aspects_.counts_`` says how many items have no value.
    records_ : ItemRecords
        How much items were interacted with.
    """

    attribute: str = param(COLUMN_NAME, default="category")
    weight: float = param(real(at_least=0, at_most=1), default=0.3, search=real_range(0, 1))
    prior: float = param(real(at_least=0), default=5.0)
    top: int = param(whole(at_least=1), default=50)

    def _choose(
        self,
        chosen: Indices,
        gains: Values,
        relevance: Values,
        wanted: Values,
        members: Members,
    ) -> None:
        """Choose candidates one by one.

        chosen     int32 (n_chosen,), written: their places in the order of choice
        gains      float64 (n,), written: what each candidate added when it was chosen, and those
                   left over at the end
        relevance  float64 (n,), scaled
        wanted     float64 (n_aspects,), how much she is drawn to each
        members    the candidates' aspects
        """
        raise NotImplementedError(f"{type(self).__name__} must write _choose.")

    def _fit(self, dataset: Dataset) -> None:
        super()._fit(dataset)
        self.aspects_ = Aspects(attribute=self.attribute, prior=self.prior).fit(
            self.item_features_, self.records_.weights_
        )

    def wanted_by(self, query: Query) -> dict[Any, float]:
        """Return how much the visitor is drawn to each value of the column, the most first."""
        self._check_fitted()
        wanted = self._wanted(query)
        order = np.argsort(-wanted, kind="stable")
        names = self.aspects_.names(self.item_features_)
        return {names[aspect]: float(wanted[aspect]) for aspect in order if wanted[aspect] > 0}

    def _wanted(self, query: Query) -> Values:
        return self.aspects_.wanted_by(*self.taste_of(query), self.item_features_)

    def _rerank(self, query: Query, ranking: Ranking) -> Ranking:
        relevance = scaled(ranking.scores)
        first = np.lexsort((ranking.items, -relevance))  # of equals, the lower item
        members = self.aspects_.of(ranking.items[first], self.item_features_)
        chosen, gains = np.empty(min(self.top, len(ranking)), np.int32), np.empty(len(ranking))
        self._choose(chosen, gains, relevance[first], self._wanted(query), members)
        order = with_rest(chosen, gains)
        scores = np.empty(len(ranking), np.float32)
        scores[first[order]] = np.minimum.accumulate(gains[order])  # they fall, but for rounding
        return ranking._taken(first[order], scores)

    def _learn(self, rows: Interactions) -> None:
        super()._learn(rows)
        self.aspects_.learn(rows, self.item_features_)

    def _unlearn(self, gone: Gone) -> Iterable[str]:
        left = list(super()._unlearn(gone))
        self.aspects_.weigh(self.item_features_, self.records_.weights_)
        return left

    def _items_described(self, rows: Indices, names: set[str]) -> None:
        super()._items_described(rows, names)
        if self.attribute in names:
            self.aspects_.weigh(self.item_features_, self.records_.weights_)

    def _check_learned(self) -> None:
        super()._check_learned()
        held: Any = vars(self).get("aspects_")
        if not isinstance(held, Aspects):
            raise DataError(f"{type(self).__name__}: aspects_ must be Aspects.")
        self.aspects_.require(self.item_features_)
