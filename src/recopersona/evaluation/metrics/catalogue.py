"""What all lists together show of the catalogue, and how popular that is."""

from __future__ import annotations

import numpy as np

from recopersona.data.types import Array, Indices, Mask, Values


def coverage(lists: Indices, n_items: int) -> float:
    r"""Return the share of the catalogue that is shown to anybody.

    .. math:: \frac{1}{n_{items}} \Big| \bigcup_u L_u \Big|

    Parameters
    ----------
    lists : int32 (n_lists, k)
        Item indices, -1 beyond a list's end.
    n_items : int, at least 1
        Size of the catalogue.

    Returns
    -------
    float, 0 to 1

    References
    ----------
    Ge, Delgado-Battenfeld & Jannach (2010), "Beyond accuracy: evaluating recommender systems by
    coverage and serendipity" (catalogue coverage).

    Examples
    --------
    >>> coverage(np.array([[0, 1], [1, -1]], np.int32), 8)
    0.25
    """
    shown = np.zeros(n_items, dtype=np.bool_)
    shown[lists[lists >= 0]] = True
    return float(shown.mean())


def gini(lists: Indices, n_items: int) -> float:
    r"""Return how unequally the places of all lists are spread over the catalogue.

    .. math:: G = \frac{\sum_{j=1}^{n} (2j - n - 1) \, c_j}{n \sum_j c_j}, \qquad
              c_1 \le \dots \le c_n

    where :math:`c_j` is how often an item is shown; items never shown count with 0.

    Parameters
    ----------
    lists : int32 (n_lists, k)
        Item indices, -1 beyond a list's end.
    n_items : int, at least 1
        Size of the catalogue.

    Returns
    -------
    float, 0 (every item equally often) to 1 - 1/n (one item alone); NaN where nothing is shown

    References
    ----------
    Fleder & Hosanagar (2009), "Blockbuster culture's next rise or fall", section 3; Shani &
    Gunawardana (2011), "Evaluating recommendation systems", section 8.3.3.2.

    Examples
    --------
    Two items share all places, two others have none: (-3·0 - 1·0 + 1·2 + 3·2) / (4·4).

    >>> gini(np.array([[0, 1], [1, 0]]), 4)
    0.5
    """
    return gini_of(np.bincount(lists[lists >= 0], minlength=n_items))


def gini_of(amounts: Array) -> float:
    """Return the Gini coefficient of amounts of at least 0; NaN where all are 0."""
    n, total = len(amounts), amounts.sum()
    if total <= 0:
        return float("nan")
    ranks = 2 * np.arange(1, n + 1) - n - 1
    return float((ranks * np.sort(amounts)).sum() / (n * total))


def average_popularity(lists: Indices, holders: Array) -> Values:
    r"""Return how popular a list's items are: their mean number of training users (ARP).

    .. math:: \frac{1}{|L|} \sum_{i \in L} h_i

    Parameters
    ----------
    lists : int32 (n_lists, k)
        Item indices, -1 beyond a list's end.
    holders : int64 (n_items,)
        How many training users have each item.

    Returns
    -------
    float64 (n_lists,), 0 to the number of training users; NaN for empty lists

    References
    ----------
    Yin et al. (2012), "Challenging the long tail recommendation", section 5.1.

    Examples
    --------
    >>> average_popularity(np.array([[0, 1], [2, -1]]), np.array([40, 10, 3]))
    array([25.,  3.])
    """
    return _mean_over_lists(holders, lists)


def long_tail_share(lists: Indices, tail: Mask) -> Values:
    r"""Return the share of a list's items that belong to the long tail (APLT).

    .. math:: \frac{|L \cap \Gamma|}{|L|}

    Parameters
    ----------
    lists : int32 (n_lists, k)
        Item indices, -1 beyond a list's end.
    tail : bool (n_items,)
        As `long_tail` tells.

    Returns
    -------
    float64 (n_lists,), 0 to 1; NaN for empty lists

    References
    ----------
    Abdollahpouri, Burke & Mobasher (2019), "Managing popularity bias in recommender systems with
    personalized re-ranking", section 4.3.

    Examples
    --------
    >>> long_tail_share(np.array([[0, 2], [2, -1]]), np.array([False, False, True]))
    array([0.5, 1. ])
    """
    return _mean_over_lists(tail, lists)


def long_tail(holders: Array, head: float = 0.8) -> Mask:
    """Tell the items outside of the head: the fewest that hold a share of all (user, item) pairs.

    Parameters
    ----------
    holders : int64 (n_items,)
        How many training users have each item.
    head : float, 0 to 1

    Returns
    -------
    bool (n_items,)

    Examples
    --------
    >>> long_tail(np.array([1, 6, 0, 3]))
    array([ True, False,  True, False])
    """
    order = np.argsort(-holders, kind="stable")
    before = np.cumsum(holders[order]) - holders[order]
    tail = np.empty(len(holders), np.bool_)
    tail[order] = before >= head * holders.sum()
    return tail


def _mean_over_lists(of_items: Array, lists: Indices) -> Values:
    sizes = (lists >= 0).sum(axis=1)
    padded = np.append(of_items.astype(np.float64), 0.0)
    average: Values = padded[lists].sum(axis=1) / np.where(sizes, sizes, np.nan)
    return average
