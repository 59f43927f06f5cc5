"""The slow, readable twins of lists chosen one by one: every gain anew, from its definition."""

from __future__ import annotations

import math

import numpy as np


def greedy(gain, n_candidates, n):
    """Return the places chosen, their gains, and the gains of all others at the end."""
    chosen, gains = [], {}
    for _ in range(min(n, n_candidates)):
        rest = [place for place in range(n_candidates) if place not in chosen]
        best = max(rest, key=lambda place: (gain(place, chosen), -place))
        gains[best] = gain(best, chosen)
        chosen.append(best)
    for place in range(n_candidates):
        if place not in chosen:
            gains[place] = gain(place, chosen)
    return chosen, [gains[place] for place in range(n_candidates)]


def mmr(worth, vectors, penalty, n):
    """Worth, less the likeness to the nearest one chosen."""

    def gain(place, chosen):
        likeness = [float(np.dot(vectors[place], vectors[other])) for other in chosen]
        return worth[place] - penalty * max([0.0, *likeness])

    return greedy(gain, len(worth), n)


def log_volume(vectors, ridge, power):
    """Return the log-determinant of the kernel of some items."""
    if not len(vectors):
        return 0.0
    cosines = np.array(vectors) @ np.array(vectors).T
    kernel = (1 - ridge) * ((1 + cosines) / 2) ** power
    np.fill_diagonal(kernel, 1.0)
    sign, logarithm = np.linalg.slogdet(kernel)
    return float(logarithm) if sign > 0 else -math.inf


def dpp(worth, vectors, penalty, ridge, power, window, n):
    """Worth, and the logarithm of what a candidate adds to the volume of the latest chosen."""

    def gain(place, chosen):
        lately = [vectors[other] for other in chosen[-window:]]
        together = log_volume([*lately, vectors[place]], ridge, power)
        return worth[place] + penalty * (together - log_volume(lately, ridge, power))

    return greedy(gain, len(worth), n)
