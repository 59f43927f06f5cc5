"""How well a list keeps the proportions of a person's interests."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from recopersona.data.types import Indices, Values
from recopersona.evaluation.metrics.variety import membership

_SHARE_OF_TASTE = 0.01  # Steck's alpha: without it a kind that a list lacks would cost infinity


def calibration(lists: Indices, pasts: sparse.csr_array, labels: sparse.csr_array) -> Values:
    r"""Return how far a list's mix of kinds is from that of the user's past; 0 is the same mix.

    .. math:: KL(p \| \tilde q) = \sum_g p(g|u) \ln \frac{p(g|u)}{\tilde q(g|u)}, \qquad
              \tilde q = (1 - \alpha) q + \alpha p, \quad \alpha = 0.01

    where :math:`p` is the mean over the items of the past, :math:`q` over those of the list; an
    item of several kinds belongs to each in equal parts. Items of unknown kind are left out.

    Parameters
    ----------
    lists : int32 (n_users, k)
        Item indices, -1 beyond a list's end.
    pasts : csr (n_users, n_items)
        Not 0 where training saw the user with the item.
    labels : csr (n_items, n_kinds)
        1 where an item is of a kind.

    Returns
    -------
    float64 (n_users,), 0 to ln(100), lower is better; NaN where list or past has no known kind

    References
    ----------
    Steck (2018), "Calibrated recommendations", section 3.1.

    Examples
    --------
    Half of the past is tea and half is oil; the first list keeps that, the second is tea
    alone: ln(.5 / .995) / 2 + ln(.5 / .005) / 2.

    >>> kinds = sparse.csr_array([[1, 0], [1, 0], [0, 1]])
    >>> pasts = sparse.csr_array([[1, 0, 1], [0, 1, 1]])
    >>> calibration(np.array([[1, 2], [0, 1]]), pasts, kinds).round(3)
    array([0.   , 1.959])
    """
    parts = _rows_to_one(labels.astype(np.float64))
    owned = pasts.astype(np.float64)
    owned.data = np.ones_like(owned.data)
    taste = _rows_to_one(owned @ parts)
    shown = _rows_to_one(membership(lists, labels.shape[0]) @ parts)
    here = taste.copy()
    here.data = np.ones_like(here.data)
    mixed = (1 - _SHARE_OF_TASTE) * shown.multiply(here).tocsr() + _SHARE_OF_TASTE * taste
    mixed.sort_indices()  # now it has an entry exactly where taste has one
    rows = np.repeat(np.arange(taste.shape[0]), np.diff(taste.indptr))
    each = taste.data * np.log(taste.data / mixed.data)
    distance = np.bincount(rows, each, minlength=taste.shape[0])
    known = (np.diff(taste.indptr) > 0) & (np.diff(shown.indptr) > 0)
    # Rounding may leave a trifle below 0 where both mixes are the same.
    return np.where(known, np.maximum(distance, 0.0), np.nan)


def _rows_to_one(matrix: sparse.csr_array) -> sparse.csr_array:
    """Divide each row by its sum; rows of zeros stay so."""
    matrix.eliminate_zeros()
    matrix.sort_indices()
    sums = np.asarray(matrix.sum(axis=1)).ravel()
    matrix.data = matrix.data / np.repeat(sums, np.diff(matrix.indptr))
    return matrix
