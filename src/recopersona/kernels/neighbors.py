"""Neighbourhoods: find the most alike, and add up what they say."""

from __future__ import annotations

import numpy as np

from recopersona.kernels.compiling import f32, f64, i32, i64, inner, kernel, read, written


@kernel(written(f32, 2), read(i64), read(i32), read(f32), read(i64), read(i32), read(f32))
def add_neighbors(scores, bounds, neighbors, values, liked_bounds, liked, weights):
    """Score items by the weighted likeness of liked items; -inf where nothing is alike.

    scores        (n_rows, n_items) float32, written; columns beyond the neighbours' stay -inf
    bounds        (n_known + 1,) int64, where each item's neighbours start
    neighbors     (n_entries,) int32
    values        (n_entries,) float32
    liked_bounds  (n_rows + 1,) int64, where each row's liked items start
    liked         (n_liked,) int32
    weights       (n_liked,) float32
    """
    for row in range(len(scores)):
        sums = scores[row]
        sums[:] = -np.inf
        for place in range(liked_bounds[row], liked_bounds[row + 1]):
            weight = weights[place]
            for entry in range(bounds[liked[place]], bounds[liked[place] + 1]):
                item = neighbors[entry]
                said = weight * values[entry]
                sums[item] = said if sums[item] == -np.inf else sums[item] + said


@inner
def _add_line(sums, line, weight):
    """Add what nearly all items are told: NaN where nothing is."""
    for item in range(len(line)):
        said, before = weight * line[item], sums[item]
        after = said if before == -np.inf else before + said
        sums[item] = after if said == said else before


@kernel(
    written(f32, 2), read(f32, 2), read(i32), read(i64), read(i32), read(f32), read(i64),
    read(i32), read(f32),
)  # fmt: skip
def add_postings(scores, lines, line_of, bounds, neighbors, values, liked_bounds, liked, weights):
    """Do as `add_neighbors`, with lists that name most items as lines over all of them.

    scores        (n_rows, n_items) float32, written; columns beyond the neighbours' stay -inf
    lines         (n_lines, n_listed) float32, NaN for items that are not named
    line_of       (n_known,) int32, the line of each list, -1 for those that have none
    bounds        (n_known + 1,) int64, where each list starts
    neighbors     (n_entries,) int32
    values        (n_entries,) float32
    liked_bounds  (n_rows + 1,) int64, where each row's liked lists start
    liked         (n_liked,) int32
    weights       (n_liked,) float32
    """
    for row in range(len(scores)):
        sums = scores[row]
        sums[:] = -np.inf
        for place in range(liked_bounds[row], liked_bounds[row + 1]):
            weight, line = weights[place], line_of[liked[place]]
            if line >= 0:
                _add_line(sums, lines[line], weight)
                continue
            for entry in range(bounds[liked[place]], bounds[liked[place] + 1]):
                item = neighbors[entry]
                said = weight * values[entry]
                sums[item] = said if sums[item] == -np.inf else sums[item] + said


@kernel(
    written(i32, 2), written(f32, 2), written(i64), written(f32), written(i32),
    read(i64), read(i32), read(f32), read(f64), read(f64), read(i32),
    read(i64), read(i32), read(f32), read(f64), read(f64), f64, f64,
)  # fmt: skip
def select_most_alike(
    neighbors, values, counts, sums, touched,
    row_bounds, row_columns, row_weights, left, own, itself,
    bounds, others, weights, right, theirs, overlap, shrink,
):  # fmt: skip
    r"""Find what is most like each row by a sparse product, one row at a time.

    .. math:: sim(r, o) = \frac{p_{ro}}
              {left_r \, right_o + own_r + theirs_o - overlap \cdot p_{ro} + shrink}

    with p the product over columns; the part of the denominator without ``shrink`` is at least
    ``overlap * p``. Pairs whose product is not above 0 are no neighbours.

    neighbors    (n_rows, k) int32, written: best first, -1 beyond the row's count
    values       (n_rows, k) float32, written
    counts       (n_rows,) int64, written
    sums         (n_others,) float32, written: scratch, zero at first and at the end
    touched      (n_others,) int32, written: scratch
    row_bounds   (n_rows + 1,) int64, where each row's entries start
    row_columns  (n_entries,) int32
    row_weights  (n_entries,) float32
    left, own    (n_rows,) float64
    itself       (n_rows,) int32: which of the others a row is, and never like; -1 for none
    bounds       (n_columns + 1,) int64, where each column's entries start
    others       (n_entries,) int32
    weights      (n_entries,) float32
    right        (n_others,) float64
    theirs       (n_others,) float64
    overlap      float64
    shrink       float64
    """
    for row in range(len(neighbors)):
        n_touched = 0
        for place in range(row_bounds[row], row_bounds[row + 1]):
            column, weight = row_columns[place], row_weights[place]
            for entry in range(bounds[column], bounds[column + 1]):
                other = others[entry]
                product = weight * weights[entry]
                if not product > 0:  # of two old, decayed weights, nothing may be left
                    continue
                if sums[other] == 0:
                    touched[n_touched] = other
                    n_touched += 1
                sums[other] += product
        for place in range(n_touched):
            other = touched[place]
            product = np.float64(sums[other])
            norm = left[row] * right[other] + own[row] + theirs[other] - overlap * product
            norm = max(norm, overlap * product) + shrink
            sums[other] = 0 if other == itself[row] else product / norm
        counts[row] = _keep_best(neighbors[row], values[row], sums, touched, n_touched)


@inner
def _keep_best(items, best, scores, touched, n_touched):
    """Move the best of the touched scores into two rows, best first; scores become zero."""
    k = len(items)
    items[:] = -1
    best[:] = 0
    size = 0
    for place in range(n_touched):
        item = touched[place]
        score = scores[item]
        scores[item] = 0
        if not score > 0:
            continue
        if size < k:
            items[size], best[size] = item, score
            size += 1
            if size == k:
                for root in range(k // 2 - 1, -1, -1):
                    _sift_down(items, best, root, k)
        elif score > best[0] or (score == best[0] and item < items[0]):
            items[0], best[0] = item, score
            _sift_down(items, best, 0, k)
    for root in range(size // 2 - 1, -1, -1):
        _sift_down(items, best, root, size)
    for last in range(size - 1, 0, -1):
        items[0], items[last] = items[last], items[0]
        best[0], best[last] = best[last], best[0]
        _sift_down(items, best, 0, last)
    return size


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
