"""Who liked this also liked that: neighbourhoods of items."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from recopersona.base.online import OnlineRecommender
from recopersona.base.parameters import one_of, param, real, whole
from recopersona.base.recommender import NO_OPINION, require_array
from recopersona.data.dataset import Dataset
from recopersona.data.interactions import Interactions
from recopersona.data.query import Query
from recopersona.data.types import Array, Floats, Id, Indices
from recopersona.errors import DataError
from recopersona.kernels.blocks import cut_evenly, run_blocks
from recopersona.kernels.neighbors import add_neighbors
from recopersona.kernels.topn import select_top_products

_BLOCKS = 64
_BM25_K1, _BM25_B = 1.2, 0.75  # Robertson & Zaragoza (2009), section 3


class ItemKNN(OnlineRecommender):
    r"""Score an item by its likeness to what the visitor chose.

    .. math:: s_{uj} = \sum_{i \in u} w_{ui} \, sim(i, j), \qquad
              sim(i, j) = \frac{\langle x_i, x_j \rangle}{\|x_i\| \|x_j\| + shrink}

    where :math:`x_i` holds the users of item i, weighted, and only the ``k`` items most like each
    are kept.

    Parameters
    ----------
    k : int, at least 1
        Neighbours kept per item.
    weighting : "cosine", "tfidf" or "bm25"
        How the entries of :math:`x_i` are weighted before the cosine is taken: as they are; by
        the rarity of the user's attention; or by Okapi BM25, which also saturates repeats.
    shrink : float, at least 0
        Draws the likeness of items with few users towards nothing.

    Attributes
    ----------
    bounds_ : int64 (n_items + 1,)
    neighbors_ : int32 (n_entries,)
        Item i's neighbours, best first, are entries ``bounds_[i]`` to ``bounds_[i + 1]``.
    likeness_ : float32 (n_entries,)

    Notes
    -----
    New events count at once for the taste of who caused them; likeness is learned anew by ``fit``.

    Memory: 8 bytes for each of at most ``n_items * k`` neighbours. Time: one multiplication for
    each pair of items that share a user, per user.

    References
    ----------
    Deshpande & Karypis (2004), "Item-based top-N recommendation algorithms", section 4.

    Examples
    --------
    >>> import pandas as pd
    >>> events = pd.DataFrame(
    ...     {"user_id": [1, 1, 2, 2, 3], "item_id": ["tea", "honey", "tea", "honey", "tea"]}
    ... )
    >>> model = ItemKNN(k=5, weighting="cosine").fit(events)
    >>> model.recommend(3, n=1).to_frame()
      item_id  rank     score   source
    0   honey     1  0.816497  ItemKNN
    """

    k: int = param(whole(at_least=1), default=100)
    weighting: str = param(one_of("cosine", "tfidf", "bm25"), default="tfidf")
    shrink: float = param(real(at_least=0), default=0.0)

    def _fit(self, dataset: Dataset) -> None:
        by_item = sparse.csr_array(weighted(dataset.matrix(), self.weighting).T)
        by_item.sort_indices()
        self.bounds_, self.neighbors_, self.likeness_ = nearest_items(by_item, self.k, self.shrink)

    def score_items(self, query: Query, items: Indices | None = None) -> Floats:
        """Return every item's summed likeness to the visitor's taste, float32 (n_items,)."""
        scores = np.empty(len(self.bounds_) - 1, dtype=np.float32)
        liked, weights = self.taste_of(query)
        known = liked < len(scores)
        add_neighbors(
            scores, self.bounds_, self.neighbors_, self.likeness_, liked[known], weights[known]
        )
        return scores

    def _learn(self, rows: Interactions) -> None:
        """What is new is already in the past that tastes are read from."""

    def _check_learned(self) -> None:
        super()._check_learned()
        bounds, neighbors = self.bounds_, self.neighbors_
        require_array(bounds, np.int64, (self.n_fitted_items_ + 1,), "bounds_")
        require_array(neighbors, np.int32, (None,), "neighbors_")
        require_array(self.likeness_, np.float32, neighbors.shape, "likeness_")
        rising = (bounds[1:] >= bounds[:-1]).all()
        whole = bounds[0] == 0 and bounds[-1] == len(neighbors) and rising
        within = not len(neighbors) or 0 <= neighbors.min() <= neighbors.max() < len(bounds) - 1
        if not (whole and within):
            raise DataError("ItemKNN: neighbors_ point outside the catalogue.")

    def _similar(self, item: int) -> Floats:
        scores = np.full(len(self.bounds_) - 1, NO_OPINION)
        if item < len(scores):
            row = self._row(item)
            scores[self.neighbors_[row]] = self.likeness_[row]
        return scores

    def _explain(self, query: Query, item: int) -> list[tuple[str, Id | None, float]]:
        rows: list[tuple[str, Id | None, float]] = []
        for liked, weight in zip(*self.taste_of(query), strict=True):
            row = self._row(int(liked)) if liked < len(self.bounds_) - 1 else slice(0, 0)
            shared = self.likeness_[row][self.neighbors_[row] == item]
            if len(shared):
                rows.append(("similar item", self.items_.ids[liked], float(weight * shared[0])))
        return rows

    def _row(self, item: int) -> slice:
        return slice(self.bounds_[item], self.bounds_[item + 1])


def weighted(matrix: sparse.csr_array, weighting: str) -> sparse.csr_array:
    """Reweight users x items.

    Parameters
    ----------
    matrix : csr_array (n_users, n_items)
    weighting : "cosine" (unchanged), "tfidf" or "bm25"

    Returns
    -------
    float32 csr_array with the same entries.
    """
    if weighting == "cosine":
        return matrix
    per_user = np.diff(matrix.indptr)
    users = np.repeat(np.arange(matrix.shape[0]), per_user)
    # A user is to an item what a word is to a document: who takes everything tells little.
    rarity = np.log1p(matrix.shape[1] / np.maximum(per_user, 1))
    if weighting == "tfidf":
        values = np.sqrt(matrix.data) * rarity[users]
    else:
        length = np.bincount(matrix.indices, matrix.data, minlength=matrix.shape[1])
        relative = length / length.mean()
        room = _BM25_K1 * (1 - _BM25_B + _BM25_B * relative)[matrix.indices]
        values = rarity[users] * matrix.data * (_BM25_K1 + 1) / (matrix.data + room)
    return sparse.csr_array(
        (values.astype(np.float32), matrix.indices, matrix.indptr), shape=matrix.shape
    )


def nearest_items(
    by_item: sparse.csr_array, k: int, shrink: float = 0.0
) -> tuple[Array, Indices, Floats]:
    """Return each item's ``k`` most similar others as bounds, neighbours and likeness.

    Parameters
    ----------
    by_item : csr_array (n_items, n_users)
    k : int, at least 1
    shrink : float, at least 0

    Returns
    -------
    int64 (n_items + 1,), int32 (n_entries,), float32 (n_entries,)
    """
    n_items = by_item.shape[0]
    k = min(k, max(1, n_items - 1))
    by_user = sparse.csr_array(by_item.T)
    # Squares of old, decayed weights are too small for float32.
    norms = np.sqrt(by_item.astype(np.float64).power(2).sum(axis=1)).astype(np.float32)
    rows = _parts(by_item)
    columns = _parts(by_user)

    def block(start: int, end: int) -> tuple[Indices, Floats, Array]:
        neighbors, values = (
            np.empty((end - start, k), np.int32),
            np.empty((end - start, k), np.float32),
        )
        counts = np.empty(end - start, np.int64)
        sums, touched = np.zeros(n_items, np.float32), np.empty(n_items, np.int32)
        select_top_products(
            neighbors, values, counts, sums, touched, *rows, *columns, norms, shrink, start
        )
        return neighbors[neighbors >= 0], values[neighbors >= 0], counts

    blocks = run_blocks(block, cut_evenly(rows[0], _BLOCKS))
    neighbors, values, counts = (np.concatenate(parts) for parts in zip(*blocks, strict=True))
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64), neighbors, values


def _parts(matrix: sparse.csr_array) -> tuple[Array, Indices, Floats]:
    return matrix.indptr.astype(np.int64), matrix.indices.astype(np.int32), matrix.data
