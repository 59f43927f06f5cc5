"""Where a short walk over the graph of users and items ends."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from recopersona.base.parameters import check, param, real, switch, whole
from recopersona.base.searching import real_range, whole_range
from recopersona.data.dataset import Dataset
from recopersona.data.types import Array, Floats, Indices
from recopersona.kernels.lanes import SparseRows, transposed
from recopersona.models.item_to_item import SparseItemToItem
from recopersona.models.likeness import (
    Norms,
    capped,
    most_alike,
    with_unit_rows,
)


class RP3Beta(SparseItemToItem):
    r"""Score an item by a walk of three steps from the visitor, corrected for popularity.

    .. math:: s_{uj} = \sum_{i \in u} w_{ui} B_{ij}, \qquad
              B_{ij} = \frac{1}{d_j^\beta} \sum_v P_{iv}^\alpha P_{vj}^\alpha

    where :math:`P_{iv}` is the share of user v in the weights of item i, :math:`P_{vj}` the share
    of item j in the weights of user v, and :math:`d_j` the number of j's users. Only the ``k``
    largest :math:`B_{ij}` of each i are kept, and of those the ``k`` largest of each j.

    Parameters
    ----------
    k : int, at least 1
        Items kept for each item that a walk starts from, and then for each where it ends.
    alpha : float, at least 0
        Below 1, unlikely steps become likelier.
    beta : float, at least 0
        How much popular items are held back; 0 is the walk alone, known as P3alpha.
    normalize : bool
        Whether each item's weights add up to 1 before the best are kept for where walks end, so
        that every item of the visitor has the same say.
    max_user_items : int, at least 1
        See `ItemKNN`.

    Attributes
    ----------
    bounds_ : int64 (n_items + 1,)
    neighbors_ : int32 (n_entries,)
        Where walks from item i end, ascending, are entries ``bounds_[i]`` to ``bounds_[i + 1]``.
    weights_ : float32 (n_entries,)
    n_left_out_ : int
        Pairs of user and item that ``max_user_items`` left out.

    Notes
    -----
    New events count at once for the taste of who caused them; the graph is walked anew by ``fit``.

    Memory: 8 bytes for each of at most ``n_items * k`` weights. Time: one multiplication for each
    pair of items that share a user, per user; at most ``max_user_items**2`` a user.

    References
    ----------
    Paudel et al. (2017), "Updatable, accurate, diverse, and scalable recommendations for
    interactive applications", section 3; Cooper et al. (2014), "Random walks in recommender
    systems: exact computation and simulations", section 3.

    Examples
    --------
    >>> import pandas as pd
    >>> events = pd.DataFrame(
    ...     {"user_id": [1, 1, 2, 2, 3], "item_id": ["tea", "honey", "tea", "honey", "tea"]}
    ... )
    >>> RP3Beta(k=5).fit(events).recommend(3, n=1).item_ids
    ['honey']
    """

    k: int = param(whole(at_least=1), default=100, search=whole_range(20, 1_000, log=True))
    alpha: float = param(real(at_least=0), default=0.6, search=real_range(0.2, 2))
    beta: float = param(real(at_least=0), default=0.2, search=real_range(0, 1))
    normalize: bool = param(switch(), default=True)
    max_user_items: int = param(whole(at_least=1), default=5_000)

    def _fit(self, dataset: Dataset) -> None:
        by_user, self.n_left_out_ = capped(dataset.matrix(), self.max_user_items)
        by_item = transposed(by_user)
        n_users = np.diff(by_item.indptr)
        zeros, ones = np.zeros(len(n_users)), np.ones(len(n_users))
        norms = Norms(ones, np.maximum(n_users, 1.0) ** self.beta, zeros, zeros, 0.0)
        bounds, found, weights = most_alike(
            _shares(by_item, self.alpha), _shares(by_user, self.alpha), norms, self.k
        )
        if self.normalize:
            weights = with_unit_rows(bounds, weights)
        self._keep(*_best_of_columns(bounds, found, weights, self.k))

    def _check_learned(self) -> None:
        super()._check_learned()
        check(self.n_left_out_, whole(0), type(self).__name__, "n_left_out_")


def _shares(matrix: sparse.csr_array, alpha: float) -> sparse.csr_array:
    """Return each entry's share of its row, to a power."""
    sizes = np.diff(matrix.indptr)
    rows = np.repeat(np.arange(len(sizes)), sizes)
    values = matrix.data.astype(np.float64)
    sums: Array = np.bincount(rows, values, minlength=len(sizes))
    shares = ((values / sums[rows]) ** alpha).astype(np.float32)
    return sparse.csr_array((shares, matrix.indices, matrix.indptr), shape=matrix.shape)


def _best_of_columns(
    bounds: Array, columns: Indices, weights: Floats, k: int
) -> tuple[Array, Indices, Floats]:
    """Keep the ``k`` largest weights of each column, ties by row; rows come back sorted."""
    n = len(bounds) - 1
    by_column = transposed(sparse.csr_array((weights, columns, bounds), shape=(n, n)))
    sizes = np.diff(by_column.indptr)
    for column in np.flatnonzero(sizes > k).tolist():
        values = by_column.data[by_column.indptr[column] : by_column.indptr[column + 1]]
        values[np.argsort(-values, kind="stable")[k:]] = 0
    by_column.eliminate_zeros()
    return SparseRows.of(transposed(by_column))
