"""How early a list brings what was wanted."""

from __future__ import annotations

import numpy as np

from recopersona.data.types import Array, Mask, Values
from recopersona.errors import DataError
from recopersona.kernels.blocks import cut, run_blocks
from recopersona.kernels.metrics import areas_under_curves, discounted_gain

_USERS_AT_ONCE = 256


def ndcg(hits: Mask, n_relevant: Array) -> Values:
    r"""Return the discounted gain over that of a perfect list (normalized discounted gain).

    .. math:: \sum_{r=1}^{k} \frac{rel_r}{\log_2(r + 1)} \Big/
              \sum_{r=1}^{\min(k, |test|)} \frac{1}{\log_2(r + 1)}

    Parameters
    ----------
    hits : bool (n_users, k)
    n_relevant : int64 (n_users,), at least 1

    Returns
    -------
    float64 (n_users,), 0 to 1

    References
    ----------
    Järvelin & Kekäläinen (2002), "Cumulated gain-based evaluation of IR techniques";
    with the discount of trec_eval, measure ``ndcg_cut``.

    Examples
    --------
    One relevant item, at the second place: 1 / log2(3).

    >>> ndcg(np.array([[False, True, False]]), np.array([1])).round(3)
    array([0.631])
    """
    return discounted_gain(hits, n_relevant)


def average_precision(hits: Mask, n_relevant: Array) -> Values:
    r"""Return the precision at each hit, summed, over the number of relevant items.

    .. math:: \frac{1}{|test|} \sum_{r=1}^{k} rel_r \cdot \frac{1}{r} \sum_{s=1}^{r} rel_s

    Parameters
    ----------
    hits : bool (n_users, k)
    n_relevant : int64 (n_users,), at least 1

    Returns
    -------
    float64 (n_users,), 0 to 1; the mean over users is MAP

    References
    ----------
    trec_eval, measure ``map_cut``.

    Examples
    --------
    Hits at places 1 and 3 of 4 relevant items: (1/1 + 2/3) / 4.

    >>> average_precision(np.array([[True, False, True]]), np.array([4])).round(3)
    array([0.417])
    """
    average: Values = _summed_precision(hits) / n_relevant
    return average


def average_precision_capped(hits: Mask, n_relevant: Array) -> Values:
    r"""Return the precision at each hit, summed, over the most hits that the list can have.

    .. math:: \frac{1}{\min(k, |test|)} \sum_{r=1}^{k} rel_r \cdot \frac{1}{r} \sum_{s=1}^{r} rel_s

    Parameters
    ----------
    hits : bool (n_users, k)
    n_relevant : int64 (n_users,), at least 1

    Returns
    -------
    float64 (n_users,), 0 to 1

    References
    ----------
    McFee et al. (2012), "The Million Song Dataset Challenge".

    Examples
    --------
    Hits at places 1 and 3 of 4 relevant items, of which 3 fit: (1/1 + 2/3) / 3.

    >>> average_precision_capped(np.array([[True, False, True]]), np.array([4])).round(3)
    array([0.556])
    """
    average: Values = _summed_precision(hits) / np.minimum(n_relevant, hits.shape[1])
    return average


def reciprocal_rank(hits: Mask, n_relevant: Array) -> Values:  # noqa: ARG001 - as above
    r"""Return one over the place of the first hit, 0 where there is none.

    .. math:: \max_{r \le k} \frac{rel_r}{r}

    Parameters
    ----------
    hits : bool (n_users, k)
    n_relevant : int64 (n_users,)
        Not used.

    Returns
    -------
    float64 (n_users,), 0 to 1; the mean over users is MRR

    References
    ----------
    Voorhees (1999), "The TREC-8 Question Answering Track Report"; trec_eval, measure
    ``recip_rank``.

    Examples
    --------
    >>> reciprocal_rank(np.array([[False, True, True], [False, False, False]]), np.array([2, 1]))
    array([0.5, 0. ])
    """
    first: Values = np.where(hits.any(axis=1), 1.0 / (hits.argmax(axis=1) + 1), 0.0)
    return first


def list_auc(hits: Mask, held: Mask) -> Values:
    r"""Return the share of (hit, miss) pairs of a list that stand in the right order.

    .. math:: \frac{1}{H M} \sum_{r < s} rel_r \, (1 - rel_s)

    with :math:`H` hits and :math:`M` misses among the items listed. It says nothing of what the
    list left out, so it is no estimate of `auc`.

    Parameters
    ----------
    hits : bool (n_users, k)
    held : bool (n_users, k)
        Places that hold an item.

    Returns
    -------
    float64 (n_users,), 0 to 1; NaN for lists of hits alone or misses alone

    References
    ----------
    Herlocker et al. (2004), "Evaluating collaborative filtering recommender systems", section
    4.3.4: the area under the curve, taken over a list.

    Examples
    --------
    One hit, between two misses: it stands before one of them.

    >>> list_auc(np.array([[False, True, False]]), np.ones((1, 3), bool))
    array([0.5])
    """
    misses = held & ~hits
    in_order = (np.cumsum(hits, axis=1) * misses).sum(axis=1)
    pairs = hits.sum(axis=1) * misses.sum(axis=1)
    share: Values = in_order / np.where(pairs, pairs, np.nan)
    return share


def auc(
    scores: Array,
    bounds: Array,
    relevant: Array,
    left_out_bounds: Array | None = None,
    left_out: Array | None = None,
) -> Values:
    r"""Return how often a relevant item scores above another one; exact, over all items.

    .. math:: \frac{1}{|test| \, N} \sum_{i \in test} \sum_{j \notin test}
              [s_i > s_j] + \tfrac{1}{2} [s_i = s_j]

    over the :math:`N` items that are neither relevant nor left out. A relevant item that the
    catalogue lacks, or that is left out, stands below all others.

    Parameters
    ----------
    scores : float (n_users, n_items)
        Of every item; -inf for what a model would never show.
    bounds : int64 (n_users + 1,)
        Where each user's relevant items start.
    relevant : int32 (n_relevant,)
        Each once per user, -1 for items that the catalogue lacks.
    left_out_bounds, left_out : as these two, optional
        Items that are not ranked, such as those a user has seen.

    Returns
    -------
    float64 (n_users,), 0 to 1, .5 where all scores are the same; NaN where nothing is relevant or
    nothing else is ranked

    Raises
    ------
    DataError
        If a score is NaN, or an index is not one of the items.

    References
    ----------
    Rendle et al. (2009), "BPR", section 4.1.1; with a tie as a half, as the statistic of Mann &
    Whitney (1947) has it.

    Examples
    --------
    Item 2 is relevant; it scores above item 0, like item 1 and below item 3:

    >>> auc(np.array([[0.1, 0.5, 0.5, 0.9]]), np.array([0, 1]), np.array([2]))
    array([0.5])
    """
    scores = np.ascontiguousarray(scores, np.float64)
    n_users, n_items = scores.shape
    wanted = as_rows(bounds, relevant, n_users, n_items)
    none = np.zeros(n_users + 1, np.int64), np.empty(0, np.int32)
    unranked = none if left_out is None else as_rows(left_out_bounds, left_out, n_users, n_items)
    if np.isnan(scores).any():
        raise DataError("auc needs a score of every item, got NaN; -inf is for what is not shown.")
    values = np.empty(n_users)

    def measure(start: int, end: int) -> None:
        marks, sorted_scores = np.zeros(n_items, np.int8), np.empty(n_items)
        areas_under_curves(values, marks, sorted_scores, scores, *wanted, *unranked, start, end)

    run_blocks(measure, cut(n_users, _USERS_AT_ONCE))
    return values


def as_rows(bounds: Array | None, items: Array, n_users: int, n_items: int) -> tuple[Array, Array]:
    """Check indices of items user by user, and return them as kernels read them."""
    if bounds is None or len(bounds) != n_users + 1 or bounds[0] or bounds[-1] != len(items):
        raise DataError(
            f"bounds must say where the items of each of {n_users} users start and end."
        )
    if len(items) and (items.max() >= n_items or items.min() < -1):
        raise DataError(f"items must be indices below {n_items}, or -1, got {int(items.max())}.")
    return np.ascontiguousarray(bounds, np.int64), np.ascontiguousarray(items, np.int32)


def _summed_precision(hits: Mask) -> Values:
    places = np.arange(1, hits.shape[1] + 1)
    summed: Values = (np.cumsum(hits, axis=1) / places * hits).sum(axis=1)
    return summed
