"""Factors: weighted least squares for one row at a time, and every row judged by one vector."""

from __future__ import annotations

import numba
import numpy as np

from recopersona.kernels.compiling import f32, i32, i64, kernel, read, written


@numba.njit(nogil=True, fastmath={"reassoc", "contract", "nsz"})
def _dot(a, b):
    """Sum of products; reassociation lets it use wide registers."""
    total = np.float32(0)
    for place in range(len(a)):
        total += a[place] * b[place]
    return total


@numba.njit(nogil=True, fastmath={"contract"})
def _apply(out, vector, gram, reg, rows, extra):
    """Write (gram + reg I + sum of extra_j row_j row_j') vector into out."""
    for place in range(len(out)):
        out[place] = reg * vector[place]
    for other in range(len(vector)):
        weight = vector[other]
        for place in range(len(out)):
            out[place] += weight * gram[other, place]
    for entry in range(len(extra)):
        weight = extra[entry] * _dot(rows[entry], vector)
        for place in range(len(out)):
            out[place] += weight * rows[entry, place]


@kernel(
    written(f32, 2), read(f32, 2), read(f32, 2), read(i64), read(i32), read(f32), read(f32),
    f32, i64, i64, i64,
)  # fmt: skip
def solve_rows(
    solved, fixed, gram, bounds, columns, confidence, reg, unobserved_weight, steps, start, end
):
    r"""Improve rows of factors by conjugate gradients from where they stand.

    .. math:: (G + \lambda_u I + \sum_i (c_{ui} - \alpha_0) y_i y_i^T) x_u = \sum_i c_{ui} y_i

    solved             (n_rows, f) float32, written: rows start to end
    fixed              (n_columns, f) float32: the y
    gram               (f, f) float32: G, the unobserved weight times fixed' fixed
    bounds             (n_rows + 1,) int64, where each row's entries start
    columns            (n_entries,) int32
    confidence         (n_entries,) float32: the c
    reg                (n_rows,) float32: the lambda
    unobserved_weight  float32: alpha_0
    steps              int64, at most; fewer where the residual is already small
    start, end         int64
    """
    f = solved.shape[1]
    residual = np.empty(f, np.float32)
    direction = np.empty(f, np.float32)
    image = np.empty(f, np.float32)
    for row in range(start, end):
        low, high = bounds[row], bounds[row + 1]
        x = solved[row]
        if low == high:
            x[:] = 0
            continue
        rows = np.empty((high - low, f), np.float32)
        extra = np.empty(high - low, np.float32)
        residual[:] = 0
        for entry in range(high - low):
            weight = confidence[low + entry]
            extra[entry] = weight - unobserved_weight
            for place in range(f):
                rows[entry, place] = fixed[columns[low + entry], place]
                residual[place] += weight * rows[entry, place]
        size = _dot(residual, residual)
        _apply(image, x, gram, reg[row], rows, extra)
        for place in range(f):
            residual[place] -= image[place]
            direction[place] = residual[place]
        error = _dot(residual, residual)
        for _ in range(steps):
            if error <= np.float32(1e-12) * size:
                break
            _apply(image, direction, gram, reg[row], rows, extra)
            step = error / _dot(direction, image)
            for place in range(f):
                x[place] += step * direction[place]
                residual[place] -= step * image[place]
            smaller = _dot(residual, residual)
            for place in range(f):
                direction[place] = residual[place] + smaller / error * direction[place]
            error = smaller


@kernel(written(f32), read(f32, 2), read(f32))
def multiply_rows(products, rows, vector):
    """Write the inner product of every row with a vector.

    products  (n_rows,) float32, written
    rows      (n_rows, f) float32
    vector    (f,) float32
    """
    for row in range(len(rows)):
        products[row] = _dot(rows[row], vector)
