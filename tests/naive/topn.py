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
