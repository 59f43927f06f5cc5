"""Merge ranked lists by reciprocal rank: who is named where, and all in order, in one go."""

from __future__ import annotations

import numpy as np

from recopersona.kernels.compiling import f32, i8, i32, i64, inner, kernel, read, written


@inner
def _row_of(table, items, n, item):
    """Return the row that an item has, or gets as the next one."""
    mask = len(table) - 1
    mixed = np.int64(item) * 0x2C1B3C6D
    place = (mixed ^ (mixed >> 15)) & mask
    while table[place] >= 0 and items[table[place]] != item:
        place = (place + 1) & mask
    if table[place] < 0:
        table[place] = n
        items[n] = item
    return table[place]


@inner
def _before(items, scores, one, other):
    if scores[one] != scores[other]:
        return scores[one] > scores[other]
    return items[one] < items[other]


@inner
def _sorted_rows(items, scores, n):
    """Return the rows, best first, ties by item: runs of twice the length each round."""
    order, spare = np.arange(n, dtype=np.int64), np.empty(n, np.int64)
    length = 1
    while length < n:
        for start in range(0, n, 2 * length):
            middle, end = min(start + length, n), min(start + 2 * length, n)
            left, right = start, middle
            for place in range(start, end):
                if right >= end or (
                    left < middle and not _before(items, scores, order[right], order[left])
                ):
                    spare[place] = order[left]
                    left += 1
                else:
                    spare[place] = order[right]
                    right += 1
        order, spare = spare, order
        length *= 2
    return order


@kernel(
    written(i32), written(f32), written(i8), written(f32, 2), written(f32, 2), written(f32, 2),
    read(i32), read(f32), read(i64), read(f32), f32, i64,
)  # fmt: skip
def merge_lists(
    items, scores, source, parts, said, ranks, listed, says, bounds, weights, smooth, first
):
    """Merge lists by the sum of weight / (smooth + rank); return how many items there are.

    items    (n_listed,) int32, written as far as there are items: best first, ties by item
    scores   (n_listed,) float32, written alike: the sums
    source   (n_listed,) int8, written alike: the list with the largest share, of equal ones the
             first
    parts, said, ranks  (n_listed, n_lists) float32, written alike: shares of the lists, what they
             say, and the rank there; NaN where a list does not name the item
    listed   (n_listed,) int32, items of one list after the other, at least 0
    says     (n_listed,) float32, what the list says of each
    bounds   (n_lists + 1,) int64, where lists start
    weights  (n_lists,) float32
    smooth   float32
    first    int64, the rank of each list's first item
    """
    n_lists = len(weights)
    size = 16
    while size < 2 * len(listed):
        size *= 2
    table = np.full(size, -1, np.int32)
    known = np.empty(len(listed), np.int32)
    rank_of = np.full((len(listed), n_lists), np.nan, np.float32)
    said_of = np.full((len(listed), n_lists), np.nan, np.float32)
    n = 0
    for column in range(n_lists):
        for place in range(bounds[column], bounds[column + 1]):
            row = _row_of(table, known, n, listed[place])
            n = max(n, row + 1)
            rank_of[row, column] = place - bounds[column] + first
            said_of[row, column] = says[place]
    total = np.zeros(n, np.float32)
    for row in range(n):
        for column in range(n_lists):
            if rank_of[row, column] == rank_of[row, column]:
                total[row] += weights[column] / (smooth + rank_of[row, column])
    order = _sorted_rows(known, total, n)
    for place in range(n):
        row = order[place]
        items[place], scores[place] = known[row], total[row]
        most, best = np.float32(-1), 0
        for column in range(n_lists):
            rank = rank_of[row, column]
            share = weights[column] / (smooth + rank)
            ranks[place, column], said[place, column] = rank, said_of[row, column]
            parts[place, column] = share
            if share > most:
                most, best = share, column
        source[place] = best
    return n
