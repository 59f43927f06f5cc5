"""The slow, readable twins of finding neighbours and adding up what they say."""

from __future__ import annotations

import math

import numpy as np


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


def likeness(product, of_row, of_other, similarity, asymmetry, shrink):
    """Return a likeness from the product of two vectors and their sums of squares."""
    a, b = asymmetry, 1 - asymmetry
    if similarity == "cosine":
        norm = of_row**a * of_other**b
    elif similarity == "dice":
        norm = a * of_row + b * of_other
    else:  # what either has, not counting twice what both have
        norm = max(2 * a * of_row + 2 * b * of_other - product, product)
    return product / (norm + shrink)


def most_alike(rows, others, itself, k, similarity, asymmetry=0.5, shrink=0.0):
    """Return the ``k`` others most like each row as (other, likeness), ties by other."""
    found = []
    for row, own in zip(rows, itself, strict=True):
        alike = []
        for other, its_row in enumerate(others):
            product = sum(a * b for a, b in zip(row, its_row, strict=True))
            if other != own and product > 0:
                squares = (sum(w * w for w in row), sum(w * w for w in its_row))
                value = likeness(product, *squares, similarity, asymmetry, shrink)
                alike.append((other, float(np.float32(value))))
        found.append(sorted(alike, key=lambda pair: (-pair[1], pair[0]))[:k])
    return found
