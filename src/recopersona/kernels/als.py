"""Factors: weighted least squares for one row at a time, and every row judged by one vector."""

from __future__ import annotations

import numba
import numpy as np

from recopersona.kernels.compiling import f32, i32, i64, kernel, read, written
from recopersona.kernels.prefetch import fetch_ahead

_AHEAD = 6  # entries between asking for a row and copying it
_MOST_ROWS = 4_096  # gathered at once: an item that everybody has would fill the memory


@numba.njit(nogil=True, fastmath={"reassoc", "contract", "nsz"})
def _dot(a, b):
    """Sum of products; reassociation lets it use wide registers.

    A loop that sums must not write as well. For one that does, the compiler makes a wide and a
    narrow version and chooses by how far the arrays lie apart: their sums differ in the last bit.
    """
    total = np.float32(0)
    for place in range(len(a)):
        total += a[place] * b[place]
    return total


@numba.njit(nogil=True, fastmath={"reassoc", "contract", "nsz"})
def _gather(rows, residual, fixed, columns, confidence, unobserved_weight, scale, z):
    """Copy a row's scaled columns, and turn ``-z`` into the residual at z."""
    for entry in range(len(columns)):
        if entry + _AHEAD < len(columns):
            fetch_ahead(fixed, columns[entry + _AHEAD])
        source, row = fixed[columns[entry]], rows[entry]
        for place in range(len(z)):
            row[place] = scale[place] * source[place]
        product = _dot(row, z)
        weight = confidence[entry] - (confidence[entry] - unobserved_weight) * product
        for place in range(len(z)):
            residual[place] += weight * row[place]


@numba.njit(nogil=True, fastmath={"reassoc", "contract", "nsz"})
def _scale_rows(rows, fixed, columns, scale):
    """Copy a row's scaled columns."""
    for entry in range(len(columns)):
        if entry + _AHEAD < len(columns):
            fetch_ahead(fixed, columns[entry + _AHEAD])
        source, row = fixed[columns[entry]], rows[entry]
        for place in range(len(scale)):
            row[place] = scale[place] * source[place]


@numba.njit(nogil=True, fastmath={"reassoc", "contract", "nsz"})
def _add_images(image, rows, confidence, unobserved_weight, direction):
    """Add what a row's scaled columns make of a direction."""
    for entry in range(len(confidence)):
        row = rows[entry]
        weight = (confidence[entry] - unobserved_weight) * _dot(row, direction)
        for place in range(len(direction)):
            image[place] += weight * row[place]


@kernel(
    written(f32, 2), read(f32, 2), read(f32), read(i64), read(i32), read(f32), read(f32),
    f32, f32, i64, i64, i64,
)  # fmt: skip
def solve_rows(
    solved, fixed, spectrum, bounds, columns, confidence, reg,
    unobserved_weight, relaxation, steps, start, end,
):  # fmt: skip
    r"""Improve rows of factors by conjugate gradients from where they stand.

    .. math:: (D_u + \sum_i (c_{ui} - \alpha_0) y_i y_i^T) x_u = \sum_i c_{ui} y_i,
              \qquad D_u = diag(spectrum) + \lambda_u I

    Scaled by the root of its diagonal part, the system is the identity and one term per entry: a
    few steps go a long way, and as many as entries are exact. The row then moves ``relaxation``
    times the way to the solution; between 0 and 2 every row's loss falls.

    solved             (n_rows, f) float32, written: rows start to end
    fixed              (n_columns, f) float32: the y, in the basis where their Gram is diagonal
    spectrum           (f,) float32, above 0: that diagonal, times the unobserved weight
    bounds             (n_rows + 1,) int64, where each row's entries start
    columns            (n_entries,) int32
    confidence         (n_entries,) float32: the c
    reg                (n_rows,) float32: the lambda
    unobserved_weight  float32: alpha_0
    relaxation         float32
    steps              int64, at most; fewer where the residual is already small
    start, end         int64
    """
    f = solved.shape[1]
    longest = 1
    for row in range(start, end):
        longest = max(longest, bounds[row + 1] - bounds[row])
    rows = np.empty((min(longest, _MOST_ROWS), f), np.float32)
    scale, z = np.empty(f, np.float32), np.empty(f, np.float32)
    residual, direction = np.empty(f, np.float32), np.empty(f, np.float32)
    image = np.empty(f, np.float32)
    for row in range(start, end):
        low, high = bounds[row], bounds[row + 1]
        x = solved[row]
        if low == high:
            x[:] = 0
            continue
        for place in range(f):
            root = np.sqrt(spectrum[place] + reg[row])
            scale[place] = np.float32(1) / root
            z[place] = root * x[place]
            residual[place] = -z[place]
        for chunk in range(low, high, len(rows)):
            last = min(chunk + len(rows), high)
            _gather(
                rows, residual, fixed, columns[chunk:last], confidence[chunk:last],
                unobserved_weight, scale, z,
            )  # fmt: skip
        error = _dot(residual, residual)
        enough = np.float32(1e-12) * max(error, _dot(z, z))
        direction[:] = residual
        for _ in range(steps):
            if error <= enough:
                break
            image[:] = direction
            for chunk in range(low, high, len(rows)):
                last = min(chunk + len(rows), high)
                if high - low > len(rows):  # the buffer holds another chunk
                    _scale_rows(rows, fixed, columns[chunk:last], scale)
                _add_images(image, rows, confidence[chunk:last], unobserved_weight, direction)
            step = error / _dot(direction, image)
            for place in range(f):
                z[place] += step * direction[place]
                residual[place] -= step * image[place]
            smaller = _dot(residual, residual)
            for place in range(f):
                direction[place] = residual[place] + smaller / error * direction[place]
            error = smaller
        for place in range(f):
            x[place] += relaxation * (scale[place] * z[place] - x[place])


@kernel(written(f32), read(f32, 2), read(f32))
def multiply_rows(products, rows, vector):
    """Write the inner product of every row with a vector.

    products  (n_rows,) float32, written
    rows      (n_rows, f) float32
    vector    (f,) float32
    """
    for row in range(len(rows)):
        products[row] = _dot(rows[row], vector)
