"""Add up the neighbours of what somebody liked."""

from __future__ import annotations

import numpy as np

from recopersona.kernels.compiling import f32, i32, i64, kernel, read, written


@kernel(written(f32), read(i64), read(i32), read(f32), read(i32), read(f32))
def add_neighbors(scores, bounds, neighbors, values, items, weights):
    """Score items by the weighted likeness of liked items; -inf where nothing is alike.

    scores     (n_items,) float32, written
    bounds     (n_items + 1,) int64, where each item's neighbours start
    neighbors  (n_entries,) int32
    values     (n_entries,) float32
    items      (n_liked,) int32
    weights    (n_liked,) float32
    """
    scores[:] = -np.inf
    for liked in range(len(items)):
        for place in range(bounds[items[liked]], bounds[items[liked] + 1]):
            item = neighbors[place]
            if scores[item] == -np.inf:
                scores[item] = 0
            scores[item] += weights[liked] * values[place]
