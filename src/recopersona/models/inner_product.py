"""What models of factors have in common: a score is the inner product of two vectors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from recopersona.base.lists import Best, Excluded, UserQueries
from recopersona.base.online import OnlineRecommender
from recopersona.base.recommender import NO_OPINION
from recopersona.data.query import Query
from recopersona.data.types import Floats, Indices, Mask
from recopersona.kernels.als import multiply_rows
from recopersona.models.item_index import ItemIndex

_FEW = 4  # fewer queries are cheaper one by one than as a matrix product
_WORTH_AN_INDEX = 4_096  # items; fewer are scored in less time than a search is begun
_SHORT = 1_000  # a longer list leaves too little out
_SHARE = 8
_QUERIES_PER_SEARCH = 1_024


class InnerProduct(OnlineRecommender):
    r"""Score an item by the inner product of its factors and the visitor's vector.

    .. math:: s_{ui} = \langle x_u, y_i \rangle + b_i

    A subclass calls ``_keep_items(factors)`` when it has learned them and writes
    ``_vector(query)``; where items have biases, it writes ``_item_biases()``, too. A subclass that
    changes rows of the item factors afterwards calls ``_items_changed(items)``; one that stores
    users' vectors writes ``_user_vectors()``.

    Notes
    -----
    From 4,096 items on, ``fit`` and ``load`` make an `ItemIndex` of the item factors, a cache that
    is in no file, and the best items are found without scoring all. A short list out of many items
    is what it is for: above 1,000 items, or an eighth of the catalogue, all are scored. Answers are
    the same within the rounding of float32, and equal bit for bit between one question and many.

    Memory: ``(factors + 18) * n_items`` bytes for the index, factors rounded up to a multiple of
    32; a batch takes ``4 * factors + 8 * n`` bytes for each of 1,024 users a thread, and 1.5 MB.
    """

    def _keep_items(self, factors: Floats) -> None:
        """Keep the item factors, float32 (n_items, factors), and their lengths."""
        self._index: ItemIndex | None = None
        self.item_factors_ = factors
        self.item_lengths_: Floats = np.linalg.norm(factors, axis=1)

    def _vector(self, query: Query) -> Floats:
        """Return the visitor's vector, float32 (factors,); all 0 where nothing is known of her."""
        raise NotImplementedError(f"{type(self).__name__} must write _vector(self, query).")

    def _item_biases(self) -> Floats | None:
        """Return what is added to every item's score, float32 (n_items,), or None for nothing."""
        return None

    def _user_vectors(self) -> Floats | None:
        """Return what ``_vector`` answers for users who say nothing else, (n_users, factors)."""
        return None

    def _items_changed(self, items: Indices | list[int]) -> None:
        """Say that rows of the item factors, their lengths or biases are new or have changed.

        To be called when they are written. It takes constant time each: the index looks at them
        aside, until one item of sixteen has changed and it is made anew.
        """
        index: ItemIndex | None = vars(self).get("_index")
        if index is None:
            outdated = len(self.item_factors_) >= _WORTH_AN_INDEX
        else:
            outdated = not index.mark(items)
        if outdated:
            self._prepare()

    def _is_indexed(self) -> bool:
        return vars(self).get("_index") is not None

    def score_items(self, query: Query, items: Indices | None = None) -> Floats:
        """Return every item's inner product with the visitor's factors, float32 (n_items,)."""
        vector = self._vector(query)
        scores = np.full(len(self.item_factors_), NO_OPINION)
        if vector.any():
            multiply_rows(scores, self.item_factors_, vector)
            self._add_biases(scores)
            scores[~self._has_factors()] = NO_OPINION
        return scores

    def _best_of(self, queries: Sequence[Query], excluded: Excluded, n: int, blocked: Mask) -> Best:
        index = self._index_for(n)
        if index is None:
            return super()._best_of(queries, excluded, n, blocked)
        return index.search(
            self._vectors(queries), n, self.item_factors_, self._item_biases(),
            self.item_lengths_, excluded, blocked,
        )  # fmt: skip

    def _block_size(self, n: int) -> int:
        return super()._block_size(n) if self._index_for(n) is None else _QUERIES_PER_SEARCH

    def _prepare(self) -> None:
        self._index = None
        if len(self.item_factors_) >= _WORTH_AN_INDEX:
            known, biases = self._has_factors(), self._item_biases()
            self._index = ItemIndex(self.item_factors_, biases, known)

    def _unfit(self) -> None:
        self.__dict__.pop("_index", None)
        super()._unfit()

    def _index_for(self, n: int) -> ItemIndex | None:
        """Return the index where it is of use: there is one, and few are wanted of many."""
        index: ItemIndex | None = vars(self).get("_index")
        if index is None or n > min(_SHORT, len(self.items_) // _SHARE):
            return None
        # Factors that were exchanged without a word are not what was indexed.
        fits = len(self.item_factors_) >= index.n_items
        return index if fits and self.item_factors_.shape[1] == index.n_factors else None

    def _vectors(self, queries: Sequence[Query]) -> Floats:
        """Return a vector for each query, float32 (n_queries, factors)."""
        stored = self._user_vectors()
        if stored is None or not isinstance(queries, UserQueries):
            return np.stack([self._vector(query) for query in queries])
        held = (queries.users >= 0) & (queries.users < len(stored))
        vectors: Floats = stored[np.where(held, queries.users, 0)]
        held &= vectors.any(axis=1)  # else it may be known by her past
        for row in np.flatnonzero(~held).tolist():
            vectors[row] = self._vector(queries[row])
        return vectors

    def _score_queries(self, queries: Sequence[Query]) -> Floats:
        if len(queries) < _FEW:
            return super()._score_queries(queries)
        vectors = self._vectors(queries)
        scores = np.full((len(queries), len(self.items_)), NO_OPINION)
        known = scores[:, : len(self.item_factors_)]
        np.matmul(vectors, self.item_factors_.T, out=known)
        self._add_biases(known)
        unknown = ~self._has_factors()
        if unknown.any():
            known[:, unknown] = NO_OPINION
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
