"""Pick the best few of many scores."""

from __future__ import annotations

import numpy as np

from recopersona.kernels.compiling import f32, flag, i32, i64, inner, kernel, read, written

_LANES = 32


@inner
def _sift_down(items, scores, root, size):
    """Restore the heap below ``root``: the worst on top, of two equal scores the later item."""
    while True:
        worst = root
        for child in (2 * root + 1, 2 * root + 2):
            if child < size and (
                scores[child] < scores[worst]
                or (scores[child] == scores[worst] and items[child] > items[worst])
            ):
                worst = child
        if worst == root:
            return
        items[root], items[worst] = items[worst], items[root]
        scores[root], scores[worst] = scores[worst], scores[root]
        root = worst


@inner
def _sort_best_first(items, scores, size):
    """Sort the first few places, in any order before: best first, ties by item."""
    for root in range(size // 2 - 1, -1, -1):
        _sift_down(items, scores, root, size)
    for last in range(size - 1, 0, -1):
        items[0], items[last] = items[last], items[0]
        scores[0], scores[last] = scores[last], scores[0]
        _sift_down(items, scores, 0, last)


@kernel(
    written(i32, 2),
    written(f32, 2),
    written(i64),
    read(f32, 2),
    read(i64),
    read(i32),
    read(flag),
)
def select_top(top_items, top_scores, counts, scores, bounds, excluded, blocked):
    """Put each row's best items in order, best first, ties by item.

    top_items   (n_rows, n) int32, written; -1 beyond the row's count
    top_scores  (n_rows, n) float32, written; -inf beyond the row's count
    counts      (n_rows,) int64, written: how many were found
    scores      (n_rows, n_items) float32; what is not finite is never picked
    bounds      (n_rows + 1,) int64, where each row's excluded items start
    excluded    (n_excluded,) int32, ascending in each row
    blocked     (n_items,) bool, for all rows
    """
    n_rows, n = top_items.shape
    n_items = scores.shape[1]
    for row in range(n_rows):
        left_out = excluded[bounds[row] : bounds[row + 1]]
        line, items, best = scores[row], top_items[row], top_scores[row]
        items[:] = -1
        best[:] = -np.inf
        size = 0
        for start in range(0, n_items, _LANES):
            end = min(start + _LANES, n_items)
            if not _above(line[start:end], best[0]):
                continue
            for item in range(start, end):
                score = line[item]
                # The list fills from the back, so that best[0] stays -inf until it is full.
                if best[0] < score < np.inf and not blocked[item] and not _holds(left_out, item):
                    size = _enter(items, best, size, item, score)
        counts[row] = size
        if size < n:
            _shift_to_front(items, best, n - size)
        _sort_best_first(items, best, size)


@kernel(written(i32), written(f32), read(i32), read(f32), read(i32), read(flag))
def select_listed(top_items, top_scores, items, scores, excluded, blocked):
    """Put the best of some items in order, best first, ties by item; return how many there are.

    top_items   (n,) int32, written; -1 beyond the count
    top_scores  (n,) float32, written; -inf beyond the count
    items       (n_listed,) int32, each once
    scores      (n_listed,) float32; what is not finite is never picked
    excluded    (n_excluded,) int32, ascending
    blocked     (n_items,) bool
    """
    n = len(top_items)
    top_items[:] = -1
    top_scores[:] = -np.inf
    size = 0
    for place in range(len(scores) if n else 0):
        item, score = items[place], scores[place]
        least = top_scores[0]
        better = least < score or (size == n and least == score and item < top_items[0])
        if not better or not score < np.inf or blocked[item] or _holds(excluded, item):
            continue
        size = _enter(top_items, top_scores, size, item, score)
    if size < n:
        _shift_to_front(top_items, top_scores, n - size)
    _sort_best_first(top_items, top_scores, size)
    return size


@inner
def _above(values, least):
    """Count the values above another, without a branch on each: most often there are none."""
    count = np.int32(0)
    for place in range(len(values)):
        count += np.int32(not (values[place] <= least))
    return count


@inner
def _holds(ascending, value):
    """Tell whether a value is among ascending ones."""
    low, high = 0, len(ascending)
    while low < high:
        middle = (low + high) // 2
        if ascending[middle] < value:
            low = middle + 1
        else:
            high = middle
    return low < len(ascending) and ascending[low] == value


@inner
def _enter(items, scores, size, item, score):
    """Add to a list that fills from the back and is a heap when it is full; return its size."""
    n = len(items)
    if size == n:
        items[0], scores[0] = item, score
        _sift_down(items, scores, 0, n)
        return n
    size += 1
    items[n - size], scores[n - size] = item, score
    if size == n:
        for root in range(n // 2 - 1, -1, -1):
            _sift_down(items, scores, root, n)
    return size


@inner
def _shift_to_front(items, scores, gap):
    """Close the gap at the front of a heap that never filled."""
    n = len(items)
    for place in range(gap, n):
        items[place - gap] = items[place]
        scores[place - gap] = scores[place]
    for place in range(n - gap, n):
        items[place] = -1
        scores[place] = -np.inf
