"""Compare ranked lists with what was really chosen."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from recopersona.kernels.compiling import (
    f64,
    flag,
    i8,
    i32,
    i64,
    inlined,
    inner,
    kernel,
    read,
    written,
)


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


RECALL, RECALL_CAPPED, PRECISION, NDCG, AP, AP_CAPPED, RR, HIT, LIST_AUC, GAIN, SHARE, GAIN_NDCG = (
    range(12)
)
"""What `judge_lists` writes; the last three are of the gains that a column names."""


@kernel(
    written(f64, 2),
    written(i32),
    read(i32, 2),
    read(i64),
    read(i32),
    read(f64, 2),
    read(f64, 2),
    read(f64),
    read(f64),
    read(i64),
    read(i64),
    read(i64),
    read(i64),
    i64,
    i64,
)
def judge_lists(
    values,
    slots,
    lists,
    bounds,
    relevant,
    gains,
    best_gains,
    discounts,
    summed_discounts,
    ends,
    column_bounds,
    codes,
    kinds,
    start,
    end,
):
    """Walk each list once and write every measure of its hits at every cut-off.

    values         (n_columns, n_users) float64, written: one measure at one cut-off per column
    slots          (n_items,) int32, scratch: where a relevant item stands; -1 when first given
    lists          (n_users, width) int32, -1 beyond a list's end
    bounds         (n_users + 1,) int64, where each user's relevant items start
    relevant       (n_relevant,) int32, each once per user; -1 for items no list can hold
    gains          (n_kinds, n_relevant) float64, what a hit is worth, in some currencies
    best_gains     (n_kinds, n_relevant) float64, the same, each user's in descending order
    discounts, summed_discounts  (longest,) float64, 1 / log2(place + 1), and their running sums
    ends           (n_cuts,) int64, ascending: how many places count; more than the width are misses
    column_bounds  (n_cuts + 1,) int64, which columns belong to each cut-off
    codes, kinds   (n_columns,) int64, which measure, and of which gains
    start, end     which users

    A user with nothing relevant has no recall; one whose gains are all 0 no share of them: NaN.
    """
    n_kinds = len(gains)
    summed, discounted = np.zeros(n_kinds), np.zeros(n_kinds)
    for user in range(start, end):
        first, last = bounds[user], bounds[user + 1]
        n_relevant = last - first
        for row in range(first, last):
            if relevant[row] >= 0:
                slots[relevant[row]] = row
        summed[:] = 0.0
        discounted[:] = 0.0
        hits, misses, in_order, place = 0, 0, 0, 0
        gain, precisions, first_hit = 0.0, 0.0, 0.0
        for cut in range(len(column_bounds) - 1):
            cut_off = ends[cut]
            while place < min(cut_off, lists.shape[1]):
                item = lists[user, place]
                place += 1
                if item < 0:
                    continue
                row = slots[item]
                # A slot that another user left points outside of this one's rows.
                if row < first or row >= last:
                    misses += 1
                    in_order += hits
                    continue
                hits += 1
                gain += discounts[place - 1]
                precisions += hits / place
                if hits == 1:
                    first_hit = 1.0 / place
                for kind in range(n_kinds):
                    summed[kind] += gains[kind, row]
                    discounted[kind] += gains[kind, row] * discounts[place - 1]
            reachable = min(cut_off, n_relevant)
            for column in range(column_bounds[cut], column_bounds[cut + 1]):
                code, kind = codes[column], kinds[column]
                if code == RECALL:
                    value = _ratio(hits, n_relevant)
                elif code == RECALL_CAPPED:
                    value = _ratio(hits, reachable)
                elif code == PRECISION:
                    value = _ratio(hits, cut_off)
                elif code == NDCG:
                    value = gain / summed_discounts[reachable - 1] if reachable else np.nan
                elif code == AP:
                    value = _ratio(precisions, n_relevant)
                elif code == AP_CAPPED:
                    value = _ratio(precisions, reachable)
                elif code == RR:
                    value = first_hit
                elif code == HIT:
                    value = 1.0 if hits else 0.0
                elif code == LIST_AUC:
                    value = _ratio(in_order, hits * misses)
                elif code == GAIN:
                    value = summed[kind]
                elif code == SHARE:
                    value = min(_ratio(summed[kind], _sum(best_gains[kind, first:last])), 1.0)
                else:
                    best = best_gains[kind, first : first + reachable]
                    value = _ratio(discounted[kind], _discounted_sum(best, discounts))
                values[column, user] = value


@kernel(
    written(f64),
    written(i8),
    written(f64),
    read(f64, 2),
    read(i64),
    read(i32),
    read(i64),
    read(i32),
    i64,
    i64,
)
def areas_under_curves(
    values, marks, wanted, scores, bounds, relevant, left_out_bounds, left_out, start, end
):
    """Count how often a relevant item scores above another; a tie is half.

    values    (n_users,) float64, written; NaN where there is nothing to compare
    marks     (n_items,) int8, scratch, zeros when given and when done
    wanted    (n_items,) float64, scratch
    scores    (n_users, n_items) float64, no NaN
    bounds    (n_users + 1,) int64, where each user's relevant items start
    relevant  (n_relevant,) int32, each once per user; -1 for items below all others
    left_out_bounds, left_out  the same of items that are not ranked
    start, end  which users
    """
    for user in range(start, end):
        line = scores[user]
        unranked = left_out[left_out_bounds[user] : left_out_bounds[user + 1]]
        chosen = relevant[bounds[user] : bounds[user + 1]]
        for item in unranked:
            if item >= 0:
                marks[item] = 1
        size = 0
        for item in chosen:
            if item >= 0 and marks[item] == 0:
                marks[item] = 1
                wanted[size] = line[item]
                size += 1
        best = np.sort(wanted[:size])
        wins, others = 0.0, 0.0
        for item in range(len(line)):
            if marks[item] == 0:
                others += 1.0
                below = np.searchsorted(best, line[item])
                equal = np.searchsorted(best, line[item], side="right") - below
                wins += (size - below - equal) + 0.5 * equal
        for item in unranked:
            if item >= 0:
                marks[item] = 0
        for item in chosen:
            if item >= 0:
                marks[item] = 0
        values[user] = _ratio(wins, others * len(chosen))


@inlined
def _ratio(part, whole):
    return part / whole if whole > 0 else np.nan


@inner
def _sum(values):
    total = 0.0
    for place in range(len(values)):
        total += values[place]
    return total


@inner
def _discounted_sum(values, discounts):
    total = 0.0
    for place in range(len(values)):
        total += values[place] * discounts[place]
    return total
