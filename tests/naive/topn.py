"""The slow, readable twins of picking the best few."""

from __future__ import annotations

import math

import numpy as np


def select_top(scores, excluded, blocked, n):
    """Return each row's best (item, score) pairs: best first, ties by item."""
    return [
        sorted(
            (
                (item, score)
                for item, score in enumerate(row)
                if score > -math.inf and item not in leave_out and not blocked[item]
            ),
            key=lambda pair: (-pair[1], pair[0]),
        )[:n]
        for row, leave_out in zip(scores, excluded, strict=True)
    ]


def most_alike(by_item, k, shrink):
    """Return each item's ``k`` most similar others as (item, likeness) pairs, ties by item."""
    norms = [math.sqrt(sum(weight * weight for weight in row)) for row in by_item]
    found = []
    for item, row in enumerate(by_item):
        alike = []
        for other, its_row in enumerate(by_item):
            product = sum(a * b for a, b in zip(row, its_row, strict=True))
            if other != item and product > 0:
                norm = float(np.float32(norms[item])) * float(np.float32(norms[other]))
                alike.append((other, float(np.float32(product / (norm + shrink)))))
        found.append(sorted(alike, key=lambda pair: (-pair[1], pair[0]))[:k])
    return found
