"""The slow, readable twins of picking the best few."""

from __future__ import annotations

import math


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


def select_listed(items, scores, excluded, blocked, n):
    """Return the best (item, score) pairs of some items: best first, ties by item."""
    pairs = [
        (item, score)
        for item, score in zip(items, scores, strict=True)
        if score > -math.inf and item not in excluded and not blocked[item]
    ]
    return sorted(pairs, key=lambda pair: (-pair[1], pair[0]))[:n]
