"""What models of factors have in common: a score is the inner product of two vectors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from recopersona.base.online import OnlineRecommender
from recopersona.base.recommender import NO_OPINION
from recopersona.data.query import Query
from recopersona.data.types import Floats, Indices, Mask
from recopersona.kernels.als import multiply_rows

_FEW = 4  # fewer queries are cheaper one by one than as a matrix product


class InnerProduct(OnlineRecommender):
    r"""Score an item by the inner product of its factors and the visitor's vector.

    .. math:: s_{ui} = \langle x_u, y_i \rangle + b_i

    A subclass calls ``_keep_items(factors)`` when it has learned them and writes
    ``_vector(query)``; where items have biases, it writes ``_item_biases()``, too.
    """

    def _keep_items(self, factors: Floats) -> None:
        """Keep the item factors, float32 (n_items, factors), and their lengths."""
        self.item_factors_ = factors
        self.item_lengths_: Floats = np.linalg.norm(factors, axis=1)

    def _vector(self, query: Query) -> Floats:
        """Return the visitor's vector, float32 (factors,); all 0 where nothing is known of her."""
        raise NotImplementedError(f"{type(self).__name__} must write _vector(self, query).")

    def _item_biases(self) -> Floats | None:
        """Return what is added to every item's score, float32 (n_items,), or None for nothing."""
        return None

    def _items_changed(self, items: Indices | list[int]) -> None:
        """Say that rows of the item factors, their lengths or biases are new or have changed."""

    def score_items(self, query: Query, items: Indices | None = None) -> Floats:
        """Return every item's inner product with the visitor's factors, float32 (n_items,)."""
        vector = self._vector(query)
        scores = np.full(len(self.item_factors_), NO_OPINION)
        if vector.any():
            multiply_rows(scores, self.item_factors_, vector)
            self._add_biases(scores)
            scores[~self._has_factors()] = NO_OPINION
        return scores

    def _score_queries(self, queries: Sequence[Query]) -> Floats:
        if len(queries) < _FEW:
            return super()._score_queries(queries)
        vectors = np.stack([self._vector(query) for query in queries])
        scores = np.full((len(queries), len(self.items_)), NO_OPINION)
        known = scores[:, : len(self.item_factors_)]
        np.matmul(vectors, self.item_factors_.T, out=known)
        self._add_biases(known)
        known[:, ~self._has_factors()] = NO_OPINION
        scores[~vectors.any(axis=1)] = NO_OPINION
        return scores

    def _add_biases(self, scores: Floats) -> None:
        biases = self._item_biases()
        if biases is not None:
            scores += biases

    def _has_factors(self) -> Mask:
        """Items nobody has had anything to do with have none."""
        known: Mask = self.item_lengths_ > 0
        return known

    def _similar(self, item: int) -> Floats:
        cosine = np.full(len(self.item_factors_), NO_OPINION)
        if item < len(cosine) and self.item_lengths_[item] > 0:
            multiply_rows(cosine, self.item_factors_, self.item_factors_[item])
            known = self._has_factors()
            cosine[known] /= self.item_lengths_[known] * self.item_lengths_[item]
            cosine[~known] = NO_OPINION
        return cosine
