r"""Ranks among a draw of items: quick, published often, and not what they sound like.

A relevant item is ranked against :math:`m` items drawn at random instead of all. What comes out is
not an estimate of the metric over all items, and it may order models otherwise; with few items
drawn every such metric becomes the area under the curve. Therefore each is called ``sampled_...``,
none can be asked of `measure`, and they are here to compare with published figures.

Krichene & Rendle (2020), "On sampled metrics for item recommendation".
"""

from __future__ import annotations

from typing import Any

import numpy as np

from recopersona.base.parameters import check, generator, seed, whole
from recopersona.data.types import Array, Values
from recopersona.errors import DataError
from recopersona.evaluation.metrics.ordering import as_rows


def sampled_ranks(
    scores: Array,
    bounds: Array,
    relevant: Array,
    *,
    n_sampled: int = 100,
    random_state: Any = 0,
) -> Values:
    r"""Return each relevant item's rank among itself and items drawn from the others.

    .. math:: 1 + \sum_{j \in S} [s_j > s_i] + \tfrac{1}{2} [s_j = s_i]

    Parameters
    ----------
    scores : float (n_users, n_items)
        -inf for what is not ranked, such as seen items; such are not drawn.
    bounds : int64 (n_users + 1,)
        Where each user's relevant items start.
    relevant : int32 (n_relevant,)
        Each once per user; -1, for an item that the catalogue lacks, comes last.
    n_sampled : int, at least 1
        Items drawn for each relevant one, with replacement.
    random_state : int, RandomState or None

    Returns
    -------
    float64 (n_relevant,), 1 to n_sampled + 1

    Raises
    ------
    DataError
        If a score is NaN, or a user has no other item to draw.

    References
    ----------
    Krichene & Rendle (2020), section 3.

    Examples
    --------
    The best of all items is first among any:

    >>> scores = np.array([[0.1, 0.9, 0.3]])
    >>> sampled_ranks(scores, np.array([0, 1]), np.array([1]), n_sampled=20)
    array([1.])
    """
    check(n_sampled, whole(at_least=1), "sampled_ranks", "n_sampled")
    check(random_state, seed(), "sampled_ranks", "random_state")
    scores = np.asarray(scores, np.float64)
    bounds, relevant = as_rows(bounds, relevant, *scores.shape)
    if np.isnan(scores).any():
        raise DataError("sampled_ranks needs a score of every item, got NaN.")
    random = generator(random_state)
    ranks = np.empty(len(relevant))
    for user, line in enumerate(scores):
        chosen = relevant[bounds[user] : bounds[user + 1]]
        if not len(chosen):
            continue
        others = line.copy()
        others[chosen[chosen >= 0]] = -np.inf
        others = others[others > -np.inf]
        if not len(others):
            raise DataError(f"user {user} has no item to draw besides the relevant ones.")
        drawn = others[random.integers(len(others), size=(len(chosen), n_sampled))]
        own = np.where(chosen >= 0, line[chosen], -np.inf)[:, None]
        above = (drawn > own).sum(axis=1) + 0.5 * (drawn == own).sum(axis=1)
        ranks[bounds[user] : bounds[user + 1]] = 1 + above
    return ranks


def sampled_hit_rate(ranks: Array, k: int) -> float:
    """Return the share of relevant items among the first ``k`` of their draw; 0 to 1.

    Also called HR@k of leave-one-out. He et al. (2017), "Neural collaborative filtering", 4.1.

    Examples
    --------
    >>> sampled_hit_rate(np.array([1, 4, 12, 30]), 10)
    0.5
    """
    return _mean(ranks, ranks <= k)


def sampled_ndcg(ranks: Array, k: int) -> float:
    r"""Return the mean of :math:`1 / \log_2(1 + rank)` where the rank is at most k; 0 to 1.

    Each relevant item is a list of its own. He et al. (2017), "Neural collaborative filtering",
    section 4.1.

    Examples
    --------
    >>> sampled_ndcg(np.array([1, 3, 12]), 10)
    0.5
    """
    return _mean(ranks, np.where(ranks <= k, 1 / np.log2(1 + ranks), 0.0))


def sampled_mrr(ranks: Array) -> float:
    """Return the mean of one over the rank; 0 to 1. Krichene & Rendle (2020), section 2.

    Examples
    --------
    >>> sampled_mrr(np.array([1, 4]))
    0.625
    """
    return _mean(ranks, 1 / ranks)


def _mean(ranks: Array, values: Array) -> float:
    if not len(ranks):
        raise DataError("a sampled metric needs at least one rank, got none.")
    return float(values.mean())
