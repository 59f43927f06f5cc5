"""Places filled by chance: each tosses its own coin, and what it draws is as likely as it says."""

from __future__ import annotations

import numpy as np

from recopersona.kernels.compiling import f64, flag, i32, inner, kernel, read, written


@kernel(
    written(i32),
    written(f64),
    written(flag),
    read(f64),
    read(f64),
    read(f64),
    read(f64),
    f64,
    f64,
)
def explore_places(chosen, propensities, explored, liking, doubt, coins, draws, rate, weight):
    """Fill places one by one with the first of those left, or by chance with a new one of them.

    chosen        (n_places,) int32, written: candidates, at most n
    propensities  (n_places,) float64, written: how likely each was, given those before it
    explored      (n_places,) bool, written: whether chance put another one there than the first
    liking        (n,) float64, at least 0: how relevant each candidate is, best first
    doubt         (n,) float64: how little is known of those that are new, 0 for all others
    coins, draws  (n_places,) float64, from 0 to 1
    rate          float64, how likely a coin falls for a new one
    weight        float64, from 0 to 1: how much of the draw is by doubt
    """
    is_open = np.ones(len(liking), np.bool_)
    first = 0
    for place in range(min(len(chosen), len(liking))):
        while not is_open[first]:
            first += 1
        liked, doubted = _totals(liking, doubt, is_open)
        picked = first
        if doubted > 0 and coins[place] < rate:
            left = draws[place]
            for row in range(len(liking)):
                chance = _chance(liking, doubt, is_open, liked, doubted, weight, row)
                if chance > 0:
                    picked = row  # the last one, where rounding leaves something over
                    left -= chance
                    if left < 0:
                        break
        chance = _chance(liking, doubt, is_open, liked, doubted, weight, picked)
        share = rate if doubted > 0 else 0.0
        propensities[place] = share * chance + (1 - share if picked == first else 0.0)
        explored[place] = picked != first
        chosen[place] = picked
        is_open[picked] = False


@inner
def _totals(liking, doubt, is_open):
    liked, doubted = 0.0, 0.0
    for row in range(len(liking)):
        if is_open[row] and doubt[row] > 0:
            liked += liking[row]
            doubted += doubt[row]
    return liked, doubted


@inner
def _chance(liking, doubt, is_open, liked, doubted, weight, row):
    """Return how likely a candidate is drawn of those that are new and left."""
    if not (is_open[row] and doubt[row] > 0):
        return 0.0
    if not liked > 0:
        return doubt[row] / doubted
    return (1 - weight) * liking[row] / liked + weight * doubt[row] / doubted
