"""The slow, readable twin of adding up neighbours."""

from __future__ import annotations

import math


def add_neighbors(n_items, neighbors, liked):
    """Return every item's score: -inf where nothing that was liked is alike.

    neighbors  per item, a list of (item, likeness)
    liked      pairs (item, weight)
    """
    scores = {}
    for item, weight in liked:
        for other, likeness in neighbors[item]:
            scores[other] = scores.get(other, 0.0) + weight * likeness
    return [scores.get(item, -math.inf) for item in range(n_items)]
