"""The slow, readable twins of choosing by aspects: every candidate asked anew for every place."""

from __future__ import annotations

from math import log, prod


def gather(rows, sets):
    """Return the distinct known members of some sets, in their order."""
    return [
        list(dict.fromkeys(code for code in (sets[row] if row < len(sets) else ()) if code >= 0))
        for row in rows
    ]


def covering(worth, chances, wanted, aspects):
    """Return what a candidate adds to those chosen, for `choose`."""

    def adds(row, chosen):
        return worth[row] + chances[row] * sum(
            wanted[a] * prod(1 - chances[other] for other in chosen if a in aspects[other])
            for a in aspects[row]
        )

    return adds


def calibrating(worth, wanted, held, aspects):
    """Return what a candidate adds to those chosen: the difference of two sums of logarithms."""

    def told(rows):
        mass = list(held)
        for row in rows:
            for a in aspects[row]:
                mass[a] += 1 / len(aspects[row])
        return sum(p * log(m) for p, m in zip(wanted, mass, strict=True) if p > 0)

    def adds(row, chosen):
        return worth[row] + told([*chosen, row]) - told(chosen)

    return adds


def choose(adds, n_candidates, n):
    """Return who is chosen in which order, and what each added; of equals the first."""
    chosen, gains = [], [0.0] * n_candidates
    for _ in range(min(n, n_candidates)):
        left = [row for row in range(n_candidates) if row not in chosen]
        best = max(left, key=lambda row: (adds(row, chosen), -row))
        gains[best] = adds(best, chosen)
        chosen.append(best)
    for row in range(n_candidates):
        if row not in chosen:
            gains[row] = adds(row, chosen)
    return chosen, gains


def divergence(wanted, shown, smoothing):
    """Return the divergence of a list from what is wanted; ``shown`` is each item's aspects."""
    mass = [smoothing * p for p in wanted]
    for aspects in shown:
        for a in aspects:
            mass[a] += 1 / len(aspects)
    total = sum(mass)
    return sum(p * log(p * total / m) for p, m in zip(wanted, mass, strict=True) if p > 0)
