"""How different the items of one list are from each other."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

from recopersona.data.types import Indices, Values


def diversity(lists: Indices, vectors: Any) -> Values:
    r"""Return the mean distance of two items of a list (intra-list diversity).

    .. math:: \frac{1}{n (n - 1)} \sum_{i \ne j \in L}
              \Big(1 - \frac{\langle v_i, v_j \rangle}{|v_i| \, |v_j|}\Big)

    Items without a vector, or with one of zeros, are left out. Of categories, as 0 and 1, two items
    are 1 apart where they differ and 0 where they do not.

    Parameters
    ----------
    lists : int32 (n_lists, k)
        Item indices, -1 beyond a list's end.
    vectors : array or csr (n_items, n_dimensions)
        What is known of each item.

    Returns
    -------
    float64 (n_lists,), 0 to 2 (to 1 where no vector has a number below 0); NaN for lists with
    fewer than two known items

    References
    ----------
    Smyth & McClave (2001), "Similarity vs. diversity"; Ziegler et al. (2005), "Improving
    recommendation lists through topic diversification", section 3.3.

    Examples
    --------
    Two teas and an oil: of three pairs, two differ.

    >>> kinds = np.array([[1, 0], [1, 0], [0, 1]])
    >>> diversity(np.array([[0, 1, 2], [0, 1, -1], [2, -1, -1]]), kinds).round(3)
    array([0.667, 0.   ,   nan])
    """
    unit = sparse.csr_array(vectors, dtype=np.float64)
    lengths = np.sqrt(np.asarray(unit.multiply(unit).sum(axis=1)).ravel())
    known = lengths > 0
    unit = sparse.diags_array(1.0 / np.where(known, lengths, 1.0)).tocsr() @ unit
    held = membership(np.where(lists >= 0, np.where(known[lists], lists, -1), -1), len(lengths))
    n = np.diff(held.indptr)
    # The cosines of all pairs add up to the squared length of the sum, less n times a cosine of 1.
    summed = held @ unit
    alike = np.asarray(summed.multiply(summed).sum(axis=1)).ravel() - n
    pairs = np.where(n > 1, n * (n - 1), np.nan)
    return np.maximum(1.0 - alike / pairs, 0.0)


def membership(lists: Indices, n_items: int) -> sparse.csr_array:
    """Return lists as ones, csr (n_lists, n_items)."""
    held = lists >= 0
    bounds = np.append(0, np.cumsum(held.sum(axis=1)))
    ones = np.ones(bounds[-1])
    return sparse.csr_array((ones, lists[held], bounds), (len(lists), n_items))
