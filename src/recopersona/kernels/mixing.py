"""Order the same candidates by several mixtures of objectives at once, variety among them.

Mixtures choose much the same items. What an item's likeness to all others is, is computed when some
mixture first chooses it, and looked up by all others.
"""

from __future__ import annotations

import numpy as np

from recopersona.kernels.compiling import f32, f64, i32, inner, kernel, read, written


@inner
def _as_columns(vectors):
    """Return the transposed, contiguous: a wide register holds one dimension of many candidates."""
    n, width = vectors.shape
    columns = np.empty((width, n), np.float32)
    for row in range(n):
        for column in range(width):
            columns[column, row] = vectors[row, column]
    return columns


@inner
def _compare(likeness, columns, vector):
    """Write how alike every candidate is to one: of opposites, not at all."""
    likeness[:] = 0
    for column in range(len(columns)):
        value = vector[column]
        if value != 0:
            line = columns[column]
            for place in range(len(likeness)):
                likeness[place] += value * line[place]
    for place in range(len(likeness)):
        likeness[place] = max(likeness[place], np.float32(0))


@inner
def _best(gains):
    """Return the place of the highest; of equal ones the first."""
    best = 0
    for place in range(1, len(gains)):
        if gains[place] > gains[best]:
            best = place
    return best


@kernel(written(i32, 2), written(f64, 2), read(f64, 2), read(f64), read(f32, 2))
def pick_mixtures(chosen, gains, worth, variety, vectors):
    """Choose some for each mixture: by worth, and by how unlike they are to those chosen before.

    chosen   (n_mixtures, n_chosen) int32, written: places, best first; -1 where there is none left
    gains    (n_mixtures, n) float64, written: what each chosen one added when it was, and all
             others at the end; of equal ones the first place comes first
    worth    (n_mixtures, n) float64, finite
    variety  (n_mixtures,) float64, at least 0: what it is worth to be unlike all before
    vectors  (n, d) float32, of length 1, or zeros, which are like nothing
    """
    n_mixtures, n = gains.shape
    n_chosen = min(chosen.shape[1], n)
    columns = _as_columns(vectors)
    kept = np.full(n, -1, np.int32)
    likeness = np.empty((min(n, n_mixtures * n_chosen), n), np.float32)
    n_kept = 0
    nearest = np.empty(n, np.float32)
    for mixture in range(n_mixtures):
        weight, line, left = variety[mixture], worth[mixture], gains[mixture]
        chosen[mixture] = -1
        nearest[:] = 0
        for place in range(n):
            left[place] = line[place] + weight
        for step in range(n_chosen):
            place = _best(left)
            chosen[mixture, step] = place
            if weight > 0:
                if kept[place] < 0:
                    kept[place] = n_kept
                    _compare(likeness[n_kept], columns, vectors[place])
                    n_kept += 1
                near = likeness[kept[place]]
                for other in range(n):
                    nearest[other] = max(nearest[other], near[other])
                    left[other] = line[other] + weight * (1 - nearest[other])
                for earlier in range(step + 1):
                    left[chosen[mixture, earlier]] = -np.inf
            else:
                left[place] = -np.inf
        _settle(left, line, chosen[mixture, :n_chosen], weight, likeness, kept)


@inner
def _settle(left, line, chosen, weight, likeness, kept):
    """Write back what each chosen one added when it was: less likeness only to those before it."""
    for step in range(len(chosen)):
        place = chosen[step]
        near = np.float32(0)
        if weight > 0:
            for earlier in range(step):
                near = max(near, likeness[kept[chosen[earlier]], place])
        left[place] = line[place] + weight * (1 - near)
