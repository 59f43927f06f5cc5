"""What models of visits have in common that have a vector for every item, and one for a visit."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from recopersona.base.lists import Excluded
from recopersona.base.recommender import NO_OPINION, Recommender, require_array
from recopersona.data.query import Query
from recopersona.data.types import Array, Floats, Indices
from recopersona.errors import DataError
from recopersona.kernels.als import multiply_rows
from recopersona.kernels.blocks import cut, run_blocks
from recopersona.kernels.next_item import mix_visits
from recopersona.models.inner_product import InnerProduct
from recopersona.models.session import Opinions, SessionRecommender

POOL = 500
"""Of a large catalogue, so many items nearest to a visit are spoken of."""

_LARGE = 4_096  # items; of fewer all have a score
_WORTH_AN_INDEX = 65_536  # items; so many products of fewer are done before a search for POOL is

_NONE: Indices = np.empty(0, np.int32)
_VISITS_PER_BLOCK = 4_096
_NOTHING = 1e-6  # a smaller inner product is shared by none


def mixed(
    factors: Floats, lengths: Floats, weights: Floats, bounds: Array, items: Indices
) -> Floats:
    """Return a vector of length 1 for each of many visits, float32 (n_visits, f).

    Of each visit the latest clicks on items with a vector count, as many as there are weights; one
    without any has a vector of zeros.

    factors  (n_items, f) float32
    lengths  (n_items,) float32: 0 for items without a vector
    weights  (n_kinds, window) float32: logarithms of what clicks count, as in `mix_visits`
    bounds   (n_visits + 1,) int64: visit v is ``items[bounds[v]:bounds[v + 1]]``, oldest first
    items    (n_clicks,) int32, -1 for unknown ones
    """
    known = (items >= 0) & (items < len(factors))
    known[known] = lengths[items[known]] > 0
    bounds = np.concatenate([[0], np.cumsum(known)])[bounds]
    return _mixed(factors, weights, bounds, items[known])[0]


def _mixed(
    factors: Floats, weights: Floats, bounds: Array, clicks: Indices
) -> tuple[Floats, Floats, Floats]:
    """Do so for clicks that all have a vector; return lengths before, and clicks' shares, too."""
    ends = bounds[1:]
    starts = np.maximum(bounds[:-1], ends - weights.shape[1])
    n = len(ends)
    vectors, lengths = np.zeros((n, factors.shape[1]), np.float32), np.empty(n, np.float32)
    shares = np.zeros(len(clicks), np.float32)
    run_blocks(
        lambda a, b: mix_visits(
            vectors, lengths, shares, factors, clicks, starts, ends, starts, weights, 1.0, 0, a, b
        ),
        cut(n, _VISITS_PER_BLOCK),
    )
    return vectors, lengths, shares


class VisitVectors(SessionRecommender, InnerProduct):
    """A model of visits that begins with inner products of the visit's vector and the items'.

    The visit's vector is the mean of its latest clicks', weighted by their distance from the end,
    and stretched to length 1. A subclass calls ``_keep_items(factors)`` when it has learned them,
    and ``_items_changed(items)`` when rows changed, as in `InnerProduct`; it calls
    ``_keep_weights(weights)`` and may write ``_judged(visit, vector, nearest)``, to make scores of
    inner products.

    Attributes
    ----------
    item_factors_ : float32 (n_items, factors)
        Of length 1; 0 for items of which nothing is known.
    weights_ : float32 (n_kinds, window)
        What clicks count, as logarithms, by the kind of visit and their distance from the end.

    Notes
    -----
    From 4,096 items on, the 500 items nearest to the visit have a score, from 65,536 on found by an
    `ItemIndex`; in a smaller catalogue all have.
    """

    _n_kinds = 1

    def _keep_weights(self, weights: Floats) -> None:
        """Keep what clicks count."""
        self.weights_ = weights

    def visit_vectors(self, bounds: Array, items: Indices) -> Floats:
        """Return a vector of length 1 for each of many visits; all 0 where nothing is known.

        bounds  (n_visits + 1,) int64: visit v is ``items[bounds[v]:bounds[v + 1]]``, oldest first
        items   (n_clicks,) int32, item indices
        """
        return mixed(self.item_factors_, self.item_lengths_, self.weights_, bounds, items)

    def _judged(self, visit: Indices, vector: Floats, nearest: Opinions) -> Opinions:
        """Turn inner products into scores."""
        return nearest

    def _opinions(self, visit: Indices, now: int | None) -> Opinions:
        vector = self.visit_vectors(np.array([0, len(visit)]), visit)[0]
        if not vector.any():
            return Opinions(_NONE, np.empty(0, np.float32))
        return self._judged(visit, vector, self._closest(vector))

    def _closest(self, vector: Floats) -> Opinions:
        """Return the inner products of the items nearest to a vector."""
        factors = self.item_factors_
        index = self._index_for(POOL)
        if index is None:
            products = np.full(len(factors), NO_OPINION)
            multiply_rows(products, factors, vector)
            items = np.flatnonzero(self._has_factors()).astype(np.int32)
            if len(items) >= _LARGE:
                items = items[np.argpartition(-products[items], POOL)[:POOL]]
            return Opinions(items, products[items])
        nobody = Excluded(np.zeros(2, np.int64), _NONE)
        best = index.search(
            vector[None, :], POOL, factors, None, self.item_lengths_, nobody,
            np.zeros(len(factors), np.bool_),
        )  # fmt: skip
        found = int(best.counts[0])
        return Opinions(best.items[0, :found], best.scores[0, :found])

    def _reasons(
        self, visit: Indices, item: int, now: int | None
    ) -> list[tuple[str, int | None, float]]:
        """Share a score among the clicks by their parts of the inner product.

        What a score has beyond that of the inner product alone is the bonus of a click before.
        """
        items, scores = self._opinions(visit, now)
        score, clicks = float(scores[items == item].sum()), self._known(visit)
        _, lengths, shares = _mixed(
            self.item_factors_, self.weights_, np.array([0, len(clicks)]), clicks
        )
        parts = shares / lengths[0] * (self.item_factors_[clicks] @ self.item_factors_[item])
        product = float(parts.sum())
        if abs(product) < _NOTHING:
            return super()._reasons(visit, item, now)
        plain = self._plain(product)
        rows: list[tuple[str, int | None, float]] = [
            ("near a click", int(click), plain * float(part) / product)
            for click, part in zip(clicks, parts, strict=True)
        ]
        if item in clicks:
            rows.append(("clicked before", item, score - plain))
        return rows

    def _plain(self, product: float) -> float:
        """Return the score of an inner product alone."""
        return product

    def _prepare(self) -> None:
        self._index = None
        if len(self.item_factors_) >= _WORTH_AN_INDEX:
            super()._prepare()

    def _items_changed(self, items: Indices | list[int]) -> None:
        if len(self.item_factors_) >= _WORTH_AN_INDEX:
            super()._items_changed(items)

    def _known(self, visit: Indices) -> Indices:
        """Return the clicks that make the visit's vector."""
        known = visit[visit < len(self.item_factors_)]
        return known[self.item_lengths_[known] > 0][-self.weights_.shape[1] :]

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
        require_array(self.weights_, np.float32, (self._n_kinds, None), "weights_")
        last = self.weights_[:, :1]  # older clicks may count nothing, whose logarithm is -inf
        if not last.size or not np.isfinite(last).all() or not (self.weights_ < np.inf).all():
            raise DataError(f"{owner}: weights_ must be numbers, at least one for each kind.")
        if len(factors) > len(self.items_):
            raise DataError(f"{owner}: item_factors_ are of more items than there are.")
        if not np.isfinite(factors).all():
            raise DataError(f"{owner}: item_factors_ must be finite numbers.")
