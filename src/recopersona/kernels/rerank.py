"""Choose a varied list one by one: each next item for its worth and for what it adds.

A chosen item is compared with all candidates at once: vectors are turned into columns first, so
that a wide register holds one dimension of many candidates, and each sum is in the same order
wherever a candidate stands. Similarities to items that were not chosen are never computed.
"""

from __future__ import annotations

import numpy as np

from recopersona.kernels.compiling import f32, f64, i32, i64, inner, kernel, read, written


@inner
def _as_columns(vectors):
    """Return the transposed, contiguous."""
    n, width = vectors.shape
    columns = np.empty((width, n), np.float32)
    for row in range(n):
        for column in range(width):
            columns[column, row] = vectors[row, column]
    return columns


@inner
def _compare(likeness, columns, vectors, chosen):
    """Write the inner product of every candidate with a chosen one."""
    likeness[:] = 0
    for column in range(len(columns)):
        value = vectors[chosen, column]
        if value != 0:
            line = columns[column]
            for place in range(len(likeness)):
                likeness[place] += value * line[place]


@inner
def _best(gains):
    """Return the place of the highest; of equal ones the first."""
    best = 0
    for place in range(1, len(gains)):
        if gains[place] > gains[best]:
            best = place
    return best


@kernel(written(i32), written(f64), read(f64), read(f32, 2), f64)
def pick_mmr(chosen, gains, worth, vectors, penalty):
    """Choose some one by one: by their worth, less their likeness to the nearest one chosen.

    chosen   (n_chosen,) int32, written: places, best first; at most n
    gains    (n,) float64, written: what each chosen one added when it was, and all others at the
             end; of equal ones the first place comes first
    worth    (n,) float64, finite
    vectors  (n, d) float32, of length 1, or zeros, which are like nothing
    penalty  at least 0: of a likeness of 1; of one below 0 there is none
    """
    n = len(worth)
    columns, likeness = _as_columns(vectors), np.zeros(n, np.float32)
    nearest, left = np.zeros(n, np.float32), worth.copy()
    for step in range(min(len(chosen), n)):
        place = _best(left)
        chosen[step] = place
        gains[place] = left[place]
        _compare(likeness, columns, vectors, place)
        for other in range(n):
            nearest[other] = max(nearest[other], likeness[other])
            left[other] = worth[other] - penalty * nearest[other]
        for earlier in range(step + 1):
            left[chosen[earlier]] = -np.inf
    for place in range(n):
        if left[place] > -np.inf:
            gains[place] = left[place]


@inner
def _forget_first(shares, factor, carried, size):
    """Drop the first of the items that a Cholesky factor stands for; write what it explained.

    The factor without its first row is a triangle and a column: rotations fold the column into
    the triangle, and every candidate's row along with it.
    """
    carried[:] = shares[0]
    own = factor[1:size, 0].copy()
    for step in range(size - 1):
        long = np.hypot(factor[step + 1, step + 1], own[step])
        cosine, sine = factor[step + 1, step + 1] / long, own[step] / long
        for row in range(step, size - 1):
            value = factor[row + 1, step + 1]
            factor[row, step] = cosine * value + sine * own[row]
            own[row] = cosine * own[row] - sine * value
        line, after = shares[step], shares[step + 1]
        for place in range(len(carried)):
            value = after[place]
            line[place] = cosine * value + sine * carried[place]
            carried[place] = cosine * carried[place] - sine * value


@inner
def _liken(line, likeness, power, most):
    """Write the kernel of every candidate with the one chosen, as if each were another."""
    for place in range(len(line)):
        line[place] = 0.5 + 0.5 * likeness[place]
    # By squares and products: a power of 5 takes as many as one of 4, and one more.
    value = line.copy()
    line[:] = most
    while power > 0:
        if power % 2 == 1:
            for place in range(len(line)):
                line[place] *= value[place]
        power //= 2
        for place in range(len(line)):
            value[place] *= value[place]


@kernel(written(i32), written(f64), read(f64), read(f32, 2), f64, f64, i64, i64)
def pick_dpp(chosen, gains, worth, vectors, penalty, ridge, power, window):
    r"""Choose some one by one: by their worth, and the log of what those before do not explain.

    The kernel of two different items is (1 - ridge) ((1 + cosine) / 2)^power, of an item with
    itself 1. Its Cholesky factor grows by a row a choice, so that a choice costs each candidate one
    inner product and one number per item it is compared with (Chen, Zhang & Zhou 2018, algorithms
    1 and 2).

    chosen   (n_chosen,) int32, written: places, best first; at most n
    gains    (n,) float64, written: what each chosen one added when it was, and all others at the
             end; of equal ones the first place comes first
    worth    (n,) float64, finite, not rising
    vectors  (n, d) float32, of length 1, or zeros, which are like nothing
    penalty  at least 0: of an unexplained share of 1 / e
    ridge    above 0, at most 1: the share of an item that nothing explains
    power    at least 0: the higher, the less it matters how far apart unlike items are
    window   at least 1: with how many of the latest chosen ones candidates are compared
    """
    n = len(worth)
    n_chosen = min(len(chosen), n)
    depth = max(1, min(window, n_chosen))
    columns, likeness = _as_columns(vectors), np.zeros(n, np.float32)
    shares, unexplained = np.empty((depth, n)), np.ones(n)
    factor, carried = np.zeros((depth, depth)), np.empty(n)
    left = worth.copy()
    size = 0
    for step in range(n_chosen):
        place = _best_refreshed(left, worth, unexplained, penalty)
        chosen[step] = place
        gains[place] = left[place]
        if size == depth:
            _forget_first(shares, factor, carried, size)
            size -= 1
            for other in range(n):
                unexplained[other] += carried[other] * carried[other]
                left[other] = worth[other]
        _compare(likeness, columns, vectors, place)
        line = shares[size]
        _liken(line, likeness, power, 1 - ridge)
        for earlier in range(size):
            share = shares[earlier, place]
            factor[size, earlier] = share
            before = shares[earlier]
            for other in range(n):
                line[other] -= share * before[other]
        root = np.sqrt(unexplained[place])
        factor[size, size] = root
        for other in range(n):
            line[other] /= root
            unexplained[other] = max(ridge, unexplained[other] - line[other] * line[other])
        size += 1
        for earlier in range(step + 1):
            left[chosen[earlier]] = -np.inf
    for place in range(n):
        if left[place] > -np.inf:
            gains[place] = worth[place] + penalty * np.log(unexplained[place])


@inner
def _best_refreshed(left, worth, unexplained, penalty):
    """Return the place of the highest gain, of equal ones the first; look only where it may be.

    What is left was a gain once, or the worth, and gains fall. So it is a bound: a logarithm is
    only taken where it exceeds the best so far.
    """
    best, highest = 0, -np.inf
    for place in range(len(left)):
        if left[place] > highest:
            left[place] = worth[place] + penalty * np.log(unexplained[place])
            if left[place] > highest:
                best, highest = place, left[place]
    return best
