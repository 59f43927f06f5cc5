"""What models of visits have in common that have a vector for every item, and one for a visit."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from recopersona.base.lists import Excluded
from recopersona.base.recommender import Recommender, require_array
from recopersona.data.query import Query
from recopersona.data.types import Floats, Indices
from recopersona.errors import DataError
from recopersona.kernels.als import multiply_rows
from recopersona.models.inner_product import InnerProduct
from recopersona.models.session import Opinions, SessionRecommender

POOL = 500
"""Of a large catalogue, so many items nearest to a visit are spoken of."""

_NONE: Indices = np.empty(0, np.int32)


class VisitVectors(SessionRecommender, InnerProduct):
    """A model of visits that begins with inner products of the visit's vector and the items'.

    A subclass calls ``_keep_items(factors)`` when it has learned them and ``_items_changed(items)``
    when rows changed, as in `InnerProduct`, and writes

    ``visit_vector(visit) -> float32 (factors,)``
        The vector of clicks, int32, oldest first; all 0 where nothing is known of them.

    and may write ``_judged(visit, nearest)``, to make scores of inner products.

    Notes
    -----
    From 4,096 items on, the 500 items nearest to the visit have a score, found by an `ItemIndex`;
    in a smaller catalogue all have.
    """

    def visit_vector(self, visit: Indices) -> Floats:
        """Return the vector of some clicks, oldest first; all 0 where nothing is known of them.

        visit  (n,) int32, item indices
        """
        raise NotImplementedError(f"{type(self).__name__} must write visit_vector(self, visit).")

    def _judged(self, visit: Indices, vector: Floats, nearest: Opinions) -> Opinions:
        """Turn inner products into scores."""
        return nearest

    def _opinions(self, visit: Indices, now: int | None) -> Opinions:
        vector = self.visit_vector(visit)
        if not vector.any():
            return Opinions(_NONE, np.empty(0, np.float32))
        return self._judged(visit, vector, self._nearest(vector))

    def _nearest(self, vector: Floats) -> Opinions:
        """Return the inner products of the items nearest to a vector."""
        factors = self.item_factors_
        index = self._index_for(POOL)
        if index is None:
            products = np.empty(len(factors), np.float32)
            multiply_rows(products, factors, vector)
            known = np.flatnonzero(self._has_factors()).astype(np.int32)
            return Opinions(known, products[known])
        nobody = Excluded(np.zeros(2, np.int64), _NONE)
        best = index.search(
            vector[None, :], POOL, factors, None, self.item_lengths_, nobody,
            np.zeros(len(factors), np.bool_),
        )  # fmt: skip
        found = int(best.counts[0])
        return Opinions(best.items[0, :found], best.scores[0, :found])

    def _known(self, visit: Indices) -> Indices:
        """Return the clicks on items that have a vector."""
        known = visit[visit < len(self.item_factors_)]
        return known[self.item_lengths_[known] > 0]

    # Of the two it comes from, scores and lists are as models of visits make them, and what is
    # like an item is as inner products have it.

    def _score_queries(self, queries: Sequence[Query]) -> Floats:
        return Recommender._score_queries(self, queries)

    def _block_size(self, n: int) -> int:
        return Recommender._block_size(self, n)

    def _similar(self, item: int) -> Floats:
        return InnerProduct._similar(self, item)

    def _check_learned(self) -> None:
        super()._check_learned()
        owner, factors = type(self).__name__, self.item_factors_
        require_array(factors, np.float32, (None, None), "item_factors_")
        require_array(self.item_lengths_, np.float32, (len(factors),), "item_lengths_")
        if len(factors) > len(self.items_):
            raise DataError(f"{owner}: item_factors_ are of more items than there are.")
        if not np.isfinite(factors).all():
            raise DataError(f"{owner}: item_factors_ must be finite numbers.")
