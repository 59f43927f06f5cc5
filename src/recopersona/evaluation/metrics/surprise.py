"""How little what a list holds could be expected."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from recopersona.data.types import Array, Indices, Mask, Values


def novelty(lists: Indices, holders: Array, n_users: int) -> Values:
    r"""Return how surprising a list's items are: their mean self-information, in bits.

    .. math:: \frac{1}{|L|} \sum_{i \in L} -\log_2 \frac{\max(h_i, 1)}{n_{users}}

    where :math:`h_i` training users have item :math:`i`. An item that nobody has counts like one
    that a single user has, which is the largest value there is; an empty list gets 0.

    Parameters
    ----------
    lists : int32 (n_lists, k)
        Item indices, -1 beyond a list's end.
    holders : int64 (n_items,)
        How many training users have each item.
    n_users : int, at least 1
        Training users.

    Returns
    -------
    float64 (n_lists,), 0 to log2(n_users)

    References
    ----------
    Zhou et al. (2010), "Solving the apparent diversity-accuracy dilemma of recommender systems"
    (surprisal); Vargas & Castells (2011), "Rank and relevance in novelty and diversity metrics for
    recommender systems" (inverse user frequency).

    Examples
    --------
    Of 4 users, all have the first item (0 bits), one has the second (2 bits), none the third:

    >>> novelty(np.array([[0, 1], [2, -1]], np.int32), np.array([4, 1, 0]), 4)
    array([1., 2.])
    """
    information = np.append(-np.log2(np.maximum(holders, 1) / n_users), 0.0)
    average: Values = information[lists].sum(axis=1) / np.maximum((lists >= 0).sum(axis=1), 1)
    return average + 0.0  # an item that everybody has is worth 0, not -0


def serendipity(hits: Mask, expected: Mask) -> Values:
    r"""Return the share of the places asked for that hold what was wanted and not to be expected.

    .. math:: \frac{1}{k} \sum_{r=1}^{k} rel_r \cdot [L_r \notin PM_u]

    where :math:`PM_u`, the list of a primitive model, holds what anybody would have shown: the
    :math:`k` most popular items that the user does not have, and what she has.

    Parameters
    ----------
    hits : bool (n_users, k)
    expected : bool (n_users, k)
        As `expected_places` tells.

    Returns
    -------
    float64 (n_users,), 0 to 1, at most precision

    References
    ----------
    Ge, Delgado-Battenfeld & Jannach (2010), "Beyond accuracy: evaluating recommender systems by
    coverage and serendipity", section 3.2.

    Examples
    --------
    Two hits, one of them on an item that everybody has:

    >>> serendipity(np.array([[True, True, False]]), np.array([[True, False, False]])).round(3)
    array([0.333])
    """
    share: Values = (hits & ~expected).mean(axis=1)
    return share


def expected_places(lists: Indices, ranks: Array, pasts: sparse.csr_array, k: int) -> Mask:
    """Tell the places that hold one of the most popular items the user lacks, or one she has.

    Parameters
    ----------
    lists : int32 (n_users, width)
        Item indices, -1 beyond a list's end.
    ranks : int64 (n_items,)
        Each item's place by popularity, from 0.
    pasts : csr (n_users, n_items)
        Not 0 where training saw the user with the item.
    k : int
        How many of the most popular.

    Returns
    -------
    bool (n_users, width)

    Examples
    --------
    She has the most popular item, 0; of the others, 1 is the most popular one.

    >>> pasts = sparse.csr_array([[1, 0, 0]])
    >>> expected_places(np.array([[1, 2, 0]]), np.array([0, 1, 2]), pasts, k=1)
    array([[ True, False,  True]])
    """
    n_items = len(ranks)
    bounds = pasts.indptr
    owners = np.repeat(np.arange(len(lists), dtype=np.int64), np.diff(bounds))
    had = np.sort(owners * n_items + ranks[pasts.indices])
    place = np.append(ranks, n_items)[lists] + np.arange(len(lists))[:, None] * n_items
    above = had.searchsorted(place) - bounds[:-1, None]  # of her own items, those more popular
    own = np.zeros(lists.shape, np.bool_)
    if len(had):
        own = had[np.minimum(had.searchsorted(place), len(had) - 1)] == place
    found: Mask = (lists >= 0) & (own | (np.append(ranks, n_items)[lists] - above < k))
    return found
