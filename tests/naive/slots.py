"""The slow, readable twin of slot filling: try every page there is, keep the best.

A page is better that meets what matters more: pins in the order given, then caps, then quotas (each
breaks as little as may be: first the worst window, then all windows together), then better pinned
candidates, then the worth of the slots.
"""

from __future__ import annotations

import itertools
import math


def worth(scores):
    """Return scores in the candidates' order, never rising, the lowest 0."""
    lowest = min(scores)
    return [low - lowest for low in itertools.accumulate(scores, min)]


def value(page, worths):
    """Return what a page is worth: sum over slots of worth / log2(1 + slot), slots from 1."""
    return sum(worths[row] / math.log2(2 + slot) for slot, row in enumerate(page))


def windows(page, size, sliding):
    size = min(size, len(page))
    starts = range(len(page) - size + 1) if sliding else [0]
    return [page[start : start + size] for start in starts]


def above(page, cap):
    """Return by how much a page exceeds a cap: in the worst case, and in all windows."""
    groups, most, size, sliding = cap
    excess = [
        max(0, [groups[row] for row in window].count(group) - most)
        for window in windows(page, size, sliding)
        for group in {groups[row] for row in window} - {-1}
    ]
    return max(excess, default=0), sum(excess)


def below(page, quota):
    """Return by how much a page falls short of a quota: in the worst window, and in all."""
    matches, least, size, sliding = quota
    short = [
        max(0, least - sum(matches[row] for row in window))
        for window in windows(page, size, sliding)
    ]
    return max(short), sum(short)


def missed(page, pins):
    """Return for each pin, a slot from 0 and who matches, whether its slot lacks a match."""
    return [int(slot >= len(page) or not matches[page[slot]]) for slot, matches in pins]


def broken(page, pins, caps, quotas):
    """Return what a page breaks, in the order in which it matters; only zeros if nothing.

    pins    (slot from 0, matches) pairs
    caps    (groups, most, size, sliding)
    quotas  (matches, least, size, sliding)
    """
    return (
        missed(page, pins),
        [above(page, cap) for cap in caps],
        [below(page, quota) for quota in quotas],
    )


def fill_slots(scores, pins, caps, quotas, n):
    """Return the best page, what it breaks, and its value."""
    best, worths = None, worth(scores)
    for page in itertools.permutations(range(len(scores)), min(n, len(scores))):
        if best is not None and missed(page, pins) > best[0][0][0]:
            continue
        breaks = broken(page, pins, caps, quotas)
        if best is not None and breaks > best[0][0]:
            continue
        pinned = [page[slot] for slot, matches in pins if slot < len(page) and matches[page[slot]]]
        key = (breaks, pinned, -value(page, worths))
        if best is None or key < best[0]:
            best = key, page
    (breaks, _, lost), page = best
    return page, breaks, -lost
