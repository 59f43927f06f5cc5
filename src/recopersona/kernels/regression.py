"""Predict each row by a few others: small systems cut out of one large Gram matrix."""

from __future__ import annotations

import numba
import numpy as np

from recopersona.kernels.compiling import f32, flag, i32, i64, inner, kernel, read, written


@numba.njit(nogil=True, fastmath={"reassoc", "contract", "nsz"})
def _dot(a, b):
    """Sum of products; reassociation lets it use wide registers."""
    total = np.float32(0)
    for place in range(len(a)):
        total += a[place] * b[place]
    return total


@kernel(
    written(f32), read(i64), read(i32), read(f32), read(i64), read(i32), read(f32),
    f32, i64, i64,
)  # fmt: skip
def solve_ridges(
    weights, gram_bounds, others, products, bounds, chosen, penalties, tolerance, start, end
):  # fmt: skip
    r"""Solve each row's ridge regression on a few chosen others by conjugate gradients.

    .. math:: (G_{SS} + diag(penalties_S)) \, b = G_{Sj}

    scaled so that the diagonal is 1, until the residual's length is ``tolerance`` times the right
    side's, or after twice as many steps as there are unknowns.

    weights      (n_chosen,) float32, written: the part of rows start to end
    gram_bounds  (n + 1,) int64, where each row of the Gram matrix G starts
    others       (n_products,) int32: of each row, itself and those that come later
    products     (n_products,) float32
    bounds       (n + 1,) int64, where each row's chosen others start
    chosen       (n_chosen,) int32, never the row itself
    penalties    (n,) float32, above 0
    tolerance    float32
    start, end   int64
    """
    size = _longest(bounds, start, end)
    place_of = np.full(len(bounds) - 1, -1, np.int32)
    room = np.empty((size + 1, size + 1), np.float32)
    scale, residual = np.empty(size, np.float32), np.empty(size, np.float32)
    direction, image = np.empty(size, np.float32), np.empty(size, np.float32)
    for row in range(start, end):
        k = bounds[row + 1] - bounds[row]
        if not k:
            continue
        own = chosen[bounds[row] : bounds[row + 1]]
        b = weights[bounds[row] : bounds[row + 1]]
        _gather(room, place_of, gram_bounds, others, products, own, row)
        for i in range(k):
            room[i, i] += penalties[own[i]]
        _unit_diagonal(room, scale, k)
        _descend(b, room, scale, room[k], residual, direction, image, tolerance, k)


@kernel(
    written(f32), read(i64), read(i32), read(f32), read(i64), read(i32), read(f32),
    f32, f32, f32, i64, i64,
)  # fmt: skip
def solve_transitions(
    weights, gram_bounds, others, products, bounds, chosen, wanted, reg, ceiling, tolerance,
    start, end,
):  # fmt: skip
    r"""Solve each row's ridge regression on a few chosen rows, among which it may be itself.

    .. math:: \min_b \tfrac12 b^T (G_{SS} + reg \, I) \, b - c_S^T b
              \quad \text{with} \quad b_j \le ceiling

    by conjugate gradients, as in `solve_ridges`. Where the weight of the row itself is too large,
    it is set to the ceiling and the others follow.

    weights      (n_chosen,) float32, written: the part of rows start to end
    gram_bounds  (n + 1,) int64, where each row of the Gram matrix G starts
    others       (n_products,) int32: of each row, itself and those that come later
    products     (n_products,) float32
    bounds       (n + 1,) int64, where each row's chosen others start
    chosen       (n_chosen,) int32, each once
    wanted       (n_chosen,) float32: the right sides c
    reg          float32, above 0
    ceiling      float32
    tolerance    float32
    start, end   int64
    """
    size = _longest(bounds, start, end)
    place_of = np.full(len(bounds) - 1, -1, np.int32)
    room = np.empty((size + 1, size + 1), np.float32)
    scale, residual = np.empty(size, np.float32), np.empty(size, np.float32)
    direction, image = np.empty(size, np.float32), np.empty(size, np.float32)
    unit, push = np.zeros(size, np.float32), np.empty(size, np.float32)
    for row in range(start, end):
        k = bounds[row + 1] - bounds[row]
        if not k:
            continue
        own = chosen[bounds[row] : bounds[row + 1]]
        b = weights[bounds[row] : bounds[row + 1]]
        right = wanted[bounds[row] : bounds[row + 1]]
        _gather(room, place_of, gram_bounds, others, products, own, row)
        itself = -1
        for i in range(k):
            room[i, i] += reg
            if own[i] == row:
                itself = i
        _unit_diagonal(room, scale, k)
        _descend(b, room, scale, right, residual, direction, image, tolerance, k)
        if itself < 0 or b[itself] <= ceiling:
            continue
        # The others change as if the weight of the row itself were pushed down to the ceiling.
        unit[itself] = 1
        _descend(push[:k], room, scale, unit, residual, direction, image, tolerance, k)
        unit[itself] = 0
        excess = (b[itself] - ceiling) / push[itself]
        for i in range(k):
            b[i] -= excess * push[i]
        b[itself] = ceiling


@kernel(
    written(f32), read(i64), read(i32), read(f32), read(i64), read(i32),
    f32, f32, flag, i64, f32, i64, i64,
)  # fmt: skip
def descend_nets(
    weights, gram_bounds, others, products, bounds, chosen,
    l1, l2, positive, sweeps, tolerance, start, end,
):  # fmt: skip
    r"""Solve each row's elastic net on a few chosen others by coordinate descent.

    .. math:: \min_b \tfrac12 b^T G_{SS} b - G_{Sj}^T b + l_1 |b|_1 + \tfrac{l_2}2 |b|_2^2

    weights      (n_chosen,) float32, written: the part of rows start to end
    gram_bounds  (n + 1,) int64, where each row of the Gram matrix G starts
    others       (n_products,) int32: of each row, itself and those that come later
    products     (n_products,) float32
    bounds       (n + 1,) int64, where each row's chosen others start
    chosen       (n_chosen,) int32, never the row itself
    l1, l2       float32
    positive     bool: whether weights must not be below 0
    sweeps       int64: over all coordinates, at most
    tolerance    float32: a sweep that changes no weight by more than this much of the largest
                 is the last
    start, end   int64
    """
    size = _longest(bounds, start, end)
    place_of = np.full(len(bounds) - 1, -1, np.int32)
    room = np.empty((size + 1, size + 1), np.float32)
    for row in range(start, end):
        k = bounds[row + 1] - bounds[row]
        if not k:
            continue
        own = chosen[bounds[row] : bounds[row + 1]]
        b = weights[bounds[row] : bounds[row + 1]]
        b[:] = 0
        rest = room[k]
        _gather(room, place_of, gram_bounds, others, products, own, row)
        for _ in range(sweeps):
            largest, change = np.float32(0), np.float32(0)
            for i in range(k):
                pull = rest[i] + room[i, i] * b[i]
                if pull > l1:
                    new = (pull - l1) / (room[i, i] + l2)
                elif pull < -l1 and not positive:
                    new = (pull + l1) / (room[i, i] + l2)
                else:
                    new = np.float32(0)
                step = new - b[i]
                if step != 0:
                    line = room[i][:k]
                    for j in range(k):
                        rest[j] -= step * line[j]
                    b[i] = new
                largest = max(largest, abs(new))
                change = max(change, abs(step))
            if change <= tolerance * largest:
                break


@inner
def _longest(bounds, start, end):
    longest = np.int64(0)
    for row in range(start, end):
        longest = max(longest, bounds[row + 1] - bounds[row])
    return longest


@inner
def _gather(room, place_of, gram_bounds, others, products, own, row):
    """Cut the chosen rows and columns out of the Gram matrix, and those of ``row`` as the last."""
    k = len(own)
    place_of[row] = k
    for i in range(k):
        place_of[own[i]] = i
    for i in range(k + 1):
        room[i, : k + 1] = 0
    for i in range(k + 1):
        item = own[i] if i < k else row
        for entry in range(gram_bounds[item], gram_bounds[item + 1]):
            j = place_of[others[entry]]
            if j >= 0:
                room[i, j] = room[j, i] = products[entry]
    place_of[row] = -1
    for i in range(k):
        place_of[own[i]] = -1


@inner
def _unit_diagonal(system, scale, k):
    """Scale the first k rows and columns of a system so that its diagonal is 1."""
    for i in range(k):
        scale[i] = np.float32(1) / np.sqrt(system[i, i])
    for i in range(k):
        line = system[i][:k]
        for j in range(k):
            line[j] *= scale[i] * scale[j]
        line[i] = 1


@inner
def _descend(b, system, scale, wanted, residual, direction, image, tolerance, k):
    """Solve a system of k rows that `_unit_diagonal` has scaled, by conjugate gradients."""
    r, p, q = residual[:k], direction[:k], image[:k]
    for i in range(k):
        b[i] = 0
        r[i] = p[i] = wanted[i] * scale[i]
    error = _dot(r, r)
    enough = tolerance * tolerance * error
    for _ in range(2 * k):  # k would do but for rounding
        if not error > enough:
            break
        for i in range(k):
            q[i] = _dot(system[i][:k], p)
        step = error / _dot(p, q)
        for i in range(k):
            b[i] += step * p[i]
            r[i] -= step * q[i]
        smaller = _dot(r, r)
        for i in range(k):
            p[i] = r[i] + smaller / error * p[i]
        error = smaller
    for i in range(k):
        b[i] *= scale[i]
