"""Compare ranked lists with what was really chosen."""

from __future__ import annotations

import numpy as np

from recopersona.kernels.compiling import flag, i32, i64, kernel, read, written


@kernel(written(flag, 2), read(i32, 2), read(i64), read(i32))
def mark_hits(hits, lists, bounds, relevant):
    """Mark the places of each list that hold a relevant item.

    hits      (n_users, k) bool, written
    lists     (n_users, k) int32, -1 beyond a list's end
    bounds    (n_users + 1,) int64, where each user's relevant items start
    relevant  (n_relevant,) int32, ascending within each user
    """
    for user in range(lists.shape[0]):
        low, high = bounds[user], bounds[user + 1]
        chosen = relevant[low:high]
        for place in range(lists.shape[1]):
            item = lists[user, place]
            found = np.searchsorted(chosen, item)
            hits[user, place] = item >= 0 and found < high - low and chosen[found] == item


def discounted_gain(hits, n_relevant):
    r"""Return each user's NDCG at the lists' length: gain over the best possible gain.

    .. math:: \sum_{r: hit} \frac{1}{\log_2(r + 1)} \Big/ \sum_{r=1}^{\min(k, |test|)} \frac{1}{\log_2(r + 1)}

    hits        (n_users, k) bool
    n_relevant  (n_users,) int64, at least 1

    Returns float64 (n_users,).
    """
    k = hits.shape[1]
    discounts = 1.0 / np.log2(np.arange(2, k + 2))
    best = np.concatenate([[0.0], np.cumsum(discounts)])
    return hits @ discounts / best[np.minimum(n_relevant, k)]
