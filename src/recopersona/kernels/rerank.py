"""Choose a varied list one by one: each next item for its worth and for what it adds.

A chosen item is compared with all candidates at once: vectors are turned into columns first, so
that a wide register holds one dimension of many candidates, and each sum is in the same order
wherever a candidate stands. Similarities to items that were not chosen are never computed.
"""

from __future__ import annotations

import numpy as np

from recopersona.kernels.compiling import f32, f64, i32, inner, kernel, read, written


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
