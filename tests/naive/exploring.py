"""The slow, readable twin of places filled by chance: every list there could be."""

from __future__ import annotations


def lists(liking, doubt, rate, weight, n):
    """Return the probabilities of each list of ``n``, place by place, by list.

    liking, doubt  of candidates, best first; doubt is 0 for those that are not new
    """
    found = {(): ()}
    for _ in range(min(n, len(liking))):
        longer = {}
        for taken, chances in found.items():
            left = [row for row in range(len(liking)) if row not in taken]
            new = [row for row in left if doubt[row] > 0]
            for row in left:
                chance = (1 - rate if new else 1.0) * (row == left[0])
                if row in new:
                    chance += rate * _drawn(row, new, liking, doubt, weight)
                if chance > 0:
                    longer[(*taken, row)] = (*chances, chance)
        found = longer
    return found


def _drawn(row, new, liking, doubt, weight):
    liked, doubted = (sum(values[other] for other in new) for values in (liking, doubt))
    by_doubt = doubt[row] / doubted
    return (1 - weight) * liking[row] / liked + weight * by_doubt if liked > 0 else by_doubt
