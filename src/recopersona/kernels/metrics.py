"""Compare ranked lists with what was really chosen."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from recopersona.kernels.compiling import flag, i32, i64, kernel, read, written


@kernel(written(flag, 2), read(i32, 2), read(i64), read(i32))
def mark_hits(
    hits: NDArray[np.bool_], lists: NDArray[np.int32], bounds: NDArray[Any], relevant: NDArray[Any]
) -> None:
    """Mark the places of each list that hold a relevant item.

    hits      (n_users, k) bool, written
    lists     (n_users, k) int32, -1 beyond a list's end
    bounds    (n_users + 1,) int64, where each user's relevant items start
    relevant  (n_relevant,) int32, ascending within each user; -1 for items no list can hold
    """
    for user in range(lists.shape[0]):
        chosen = relevant[bounds[user] : bounds[user + 1]]
        for place in range(lists.shape[1]):
            item = lists[user, place]
            found = np.searchsorted(chosen, item)
            hits[user, place] = item >= 0 and found < len(chosen) and chosen[found] == item


def discounted_gain(hits: NDArray[np.bool_], n_relevant: NDArray[Any]) -> NDArray[np.float64]:
    r"""Return each user's NDCG at the lists' length: gain over the best possible gain.

    .. math:: \sum_{r: hit} \frac{1}{\log_2(r + 1)} \Big/
              \sum_{r=1}^{\min(k, |test|)} \frac{1}{\log_2(r + 1)}

    hits        (n_users, k) bool
    n_relevant  (n_users,) int64, at least 1

    Returns float64 (n_users,).
    """
    k = hits.shape[1]
    discounts = 1.0 / np.log2(np.arange(2, k + 2))
    best = np.cumsum(discounts)
    # Both sums run in the order of the places, so that a perfect list gets exactly 1.
    gain = np.cumsum(hits * discounts, axis=1)[:, -1]
    share: NDArray[np.float64] = gain / best[np.minimum(n_relevant, k) - 1]
    return share
