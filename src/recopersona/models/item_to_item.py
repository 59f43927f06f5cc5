"""What item-to-item models have in common: a score is what the visitor chose, times weights."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from recopersona.base.online import OnlineRecommender
from recopersona.base.recommender import NO_OPINION, require_array
from recopersona.data.interactions import Interactions
from recopersona.data.query import Query
from recopersona.data.types import Array, Floats, Id, Indices
from recopersona.errors import DataError
from recopersona.kernels.neighbors import add_neighbors


class ItemToItem(OnlineRecommender):
    r"""Score an item by the weights from what the visitor chose.

    .. math:: s_{uj} = \sum_{i \in u} w_{ui} B_{ij}

    A subclass learns B and writes three methods:

    ``_add_rows(scores, bounds, liked, weights)``
        Write a row of scores per taste; tastes stand one after another, and name items that were
        there at the fit.
    ``_weights_from(item)``
        Return a row of B, with `NO_OPINION` where there is no weight.
    ``_weights_to(liked, item)``
        Return the weights of an item from several, 0 where there is none.
    """

    def _add_rows(self, scores: Floats, bounds: Array, liked: Indices, weights: Floats) -> None:
        raise NotImplementedError(f"{type(self).__name__} must write _add_rows.")

    def _weights_from(self, item: int) -> Floats:
        raise NotImplementedError(f"{type(self).__name__} must write _weights_from(self, item).")

    def _weights_to(self, liked: Indices, item: int) -> Floats:
        raise NotImplementedError(f"{type(self).__name__} must write _weights_to.")

    def score_items(self, query: Query, items: Indices | None = None) -> Floats:
        """Return every item's summed weight from the visitor's taste, float32 (n_items,)."""
        scores: Floats = self._score_queries([query])[0]
        return scores

    def _score_queries(self, queries: Sequence[Query]) -> Floats:
        scores = np.full((len(queries), len(self.items_)), NO_OPINION)
        if len(queries):
            self._add_rows(scores, *self._tastes(queries))
        return scores

    def _tastes(self, queries: Sequence[Query]) -> tuple[Array, Indices, Floats]:
        """Return where each query's liked items start, the items, and their weights."""
        tastes = [self._known(*self.taste_of(query)) for query in queries]
        bounds = np.concatenate([[0], np.cumsum([len(liked) for liked, _ in tastes])])
        liked = np.concatenate([liked for liked, _ in tastes]).astype(np.int32)
        weights = np.concatenate([weights for _, weights in tastes]).astype(np.float32)
        return bounds.astype(np.int64), liked, weights

    def _known(self, liked: Indices, weights: Floats) -> tuple[Indices, Floats]:
        """Leave out items that came after the fit: they have no weights yet."""
        known = liked < self.n_fitted_items_
        return liked[known], weights[known]

    def _learn(self, rows: Interactions) -> None:
        """What is new is already in the past that tastes are read from."""

    def _similar(self, item: int) -> Floats:
        if item >= self.n_fitted_items_:
            return np.full(self.n_fitted_items_, NO_OPINION)
        return self._weights_from(item)

    def _explain(self, query: Query, item: int) -> list[tuple[str, Id | None, float]]:
        liked, weights = self._known(*self.taste_of(query))
        if item >= self.n_fitted_items_ or not len(liked):
            return []
        shares = weights * self._weights_to(liked, item)
        return [
            ("liked item", self.items_.ids[index], float(share))
            for index, share in zip(liked, shares, strict=True)
            if share
        ]


class SparseItemToItem(ItemToItem):
    """Keeps the weights that are not 0, row by row.

    A subclass calls ``_keep(bounds, neighbors, weights)`` when it has learned them.

    Attributes
    ----------
    bounds_ : int64 (n_items + 1,)
    neighbors_ : int32 (n_entries,)
        The items to which item i has a weight are entries ``bounds_[i]`` to ``bounds_[i + 1]``.
    weights_ : float32 (n_entries,)
    """

    _taught_by_all = ("bounds_", "neighbors_", "weights_")

    def _keep(self, bounds: Array, neighbors: Indices, weights: Floats) -> None:
        self.bounds_, self.neighbors_, self.weights_ = bounds, neighbors, weights

    def _add_rows(self, scores: Floats, bounds: Array, liked: Indices, weights: Floats) -> None:
        add_neighbors(scores, self.bounds_, self.neighbors_, self.weights_, bounds, liked, weights)

    def _weights_from(self, item: int) -> Floats:
        scores = np.full(self.n_fitted_items_, NO_OPINION)
        row = self._row(item)
        scores[self.neighbors_[row]] = self.weights_[row]
        return scores

    def _weights_to(self, liked: Indices, item: int) -> Floats:
        found = np.zeros(len(liked), np.float32)
        for place, index in enumerate(liked.tolist()):
            row = self._row(index)
            found[place] = self.weights_[row][self.neighbors_[row] == item].sum()
        return found

    def _row(self, item: int) -> slice:
        return slice(self.bounds_[item], self.bounds_[item + 1])

    def _check_learned(self) -> None:
        super()._check_learned()
        require_runs(self.bounds_, self.n_fitted_items_, "bounds_")
        entries = int(self.bounds_[-1])
        require_places(self.neighbors_, entries, self.n_fitted_items_, "neighbors_")
        require_array(self.weights_, np.float32, (entries,), "weights_")


def require_runs(bounds: Array, n_runs: int, name: str) -> None:
    """Check where runs start, as it came from a file.

    Raises
    ------
    DataError
        If they are not ``n_runs + 1`` rising int64 that start at 0.
    """
    require_array(bounds, np.int64, (n_runs + 1,), name)
    if bounds[0] != 0 or (bounds[1:] < bounds[:-1]).any():
        raise DataError(f"{name} must start at 0 and rise.")


def require_places(places: Indices, n_entries: int, n_places: int, name: str) -> None:
    """Check int32 indices from a file: as many as there should be, all within ``n_places``."""
    require_array(places, np.int32, (n_entries,), name)
    if n_entries and not 0 <= places.min() <= places.max() < n_places:
        raise DataError(f"{name} must lie between 0 and {n_places - 1}.")
