"""Who shares how much with whom: products of all pairs of rows, dense or sparse."""

from __future__ import annotations

import numpy as np

from recopersona.kernels.compiling import f32, i32, i64, kernel, read, written


@kernel(
    written(f32, 2), read(i64), read(i32), read(f32), read(i64), read(i32), read(f32), i64, i64
)  # fmt: skip
def add_products(
    gram, row_bounds, row_columns, row_weights, bounds, rows, weights, start, end
):  # fmt: skip
    """Add up the products of all pairs of rows, from the diagonal to the right.

    gram         (n, n) float32, written: rows start to end
    row_bounds   (n + 1,) int64, where each row's entries start
    row_columns  (n_entries,) int32
    row_weights  (n_entries,) float32
    bounds       (n_columns + 1,) int64, where each column's entries start
    rows         (n_entries,) int32, ascending in each column
    weights      (n_entries,) float32
    start, end   int64
    """
    for row in range(start, end):
        sums = gram[row]
        for place in range(row_bounds[row], row_bounds[row + 1]):
            column, weight = row_columns[place], row_weights[place]
            for entry in range(bounds[column + 1] - 1, bounds[column] - 1, -1):
                if rows[entry] < row:
                    break
                sums[rows[entry]] += weight * weights[entry]


@kernel(written(i64), written(i64), read(i64), read(i32), read(i64), read(i32), i64, i64)
def count_products(counts, last, row_bounds, row_columns, bounds, rows, start, end):
    """Count the rows that share a column with each row: itself and those that come later.

    counts       (n,) int64, written: rows start to end
    last         (n,) int64, written: scratch, -1 at first
    row_bounds   (n + 1,) int64, where each row's entries start
    row_columns  (n_entries,) int32
    bounds       (n_columns + 1,) int64, where each column's entries start
    rows         (n_entries,) int32, ascending in each column
    start, end   int64
    """
    for row in range(start, end):
        count = 0
        for entry in range(row_bounds[row], row_bounds[row + 1]):
            column = row_columns[entry]
            for other_entry in range(bounds[column + 1] - 1, bounds[column] - 1, -1):
                other = rows[other_entry]
                if other < row:
                    break
                if last[other] != row:
                    last[other] = row
                    count += 1
        counts[row] = count


@kernel(
    written(i32), written(f32), written(f32), written(i64),
    read(i64), read(i64), read(i32), read(f32), read(i64), read(i32), read(f32), i64, i64,
)  # fmt: skip
def fill_products(
    others, products, sums, last,
    gram_bounds, row_bounds, row_columns, row_weights, bounds, rows, weights, start, end,
):  # fmt: skip
    """Write the products of each row with itself and all later ones that share a column with it.

    others       (n_products,) int32, written: the part of rows start to end, in no order
    products     (n_products,) float32, written: likewise
    sums         (n,) float32, written: scratch, zero at first and at the end
    last         (n,) int64, written: scratch, -1 at first
    gram_bounds  (n + 1,) int64, where each row's products start: the sums of `count_products`
    row_bounds   (n + 1,) int64, where each row's entries start
    row_columns  (n_entries,) int32
    row_weights  (n_entries,) float32
    bounds       (n_columns + 1,) int64, where each column's entries start
    rows         (n_entries,) int32, ascending in each column
    weights      (n_entries,) float32
    start, end   int64
    """
    for row in range(start, end):
        size = gram_bounds[row]
        for entry in range(row_bounds[row], row_bounds[row + 1]):
            column, weight = row_columns[entry], row_weights[entry]
            for other_entry in range(bounds[column + 1] - 1, bounds[column] - 1, -1):
                other = rows[other_entry]
                if other < row:
                    break
                if last[other] != row:
                    last[other] = row
                    others[size] = other
                    size += 1
                sums[other] += weight * weights[other_entry]
        for place in range(gram_bounds[row], size):
            products[place] = sums[others[place]]
            sums[others[place]] = 0


@kernel(written(f32, 2), read(i64), read(i32), read(f32), read(f32, 2))
def add_dense_rows(scores, bounds, liked, weights, matrix):
    """Add up weighted rows of a dense matrix; a sum of exactly 0 is no score, but -inf.

    scores   (n_rows, n_items) float32, written; columns beyond the matrix become -inf
    bounds   (n_rows + 1,) int64, where each row's liked items start
    liked    (n_liked,) int32
    weights  (n_liked,) float32
    matrix   (n, n) float32
    """
    n = len(matrix)
    for row in range(len(scores)):
        scores[row, n:] = -np.inf
        sums = scores[row, :n]
        sums[:] = 0
        place, end = bounds[row], bounds[row + 1]
        # Four rows at a time: the sums are read and written a quarter as often.
        while place + 4 <= end:
            a, b = matrix[liked[place]], matrix[liked[place + 1]]
            c, d = matrix[liked[place + 2]], matrix[liked[place + 3]]
            in_a, in_b = weights[place], weights[place + 1]
            in_c, in_d = weights[place + 2], weights[place + 3]
            for item in range(n):
                pair = in_a * a[item] + in_b * b[item]
                sums[item] += pair + (in_c * c[item] + in_d * d[item])
            place += 4
        while place < end:
            a, in_a = matrix[liked[place]], weights[place]
            for item in range(n):
                sums[item] += in_a * a[item]
            place += 1
        for item in range(n):
            if sums[item] == 0:
                sums[item] = -np.inf
