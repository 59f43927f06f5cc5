"""The slow, readable twin of how vectors learn the next item, in double precision."""

from __future__ import annotations

import numpy as np

WORD = 2**32
STRIDE = 0x1E3779B9


def mixed(number):
    for _ in range(2):
        number %= WORD
        number = ((number >> 16) ^ number) * 0x45D9F3B
    number %= WORD
    return (number >> 16) ^ number


def mask(n, kept, key, sample):
    """What a vector is multiplied by where places of it are dropped."""
    if kept >= 1:
        return np.ones(n)
    limit, seed, factors = int(kept * 256), mixed(key ^ mixed(sample)), []
    for place in range(n):
        if place % 4 == 0:
            seed = mixed(seed + STRIDE)
        stays = (seed >> 8 * (place % 4)) % 256 < limit
        factors.append(256 / limit if stays else 0.0)
    return np.array(factors)


def kind(visit):
    """The kind of a visit: by its clicks up to 6, and by what it comes back to."""
    *before, last = visit
    if last in before:
        back = min(before[::-1].index(last) + 1, 3)
    else:
        back = 4 if len(set(before)) < len(before) else 0
    return (min(len(visit), 6) - 1) * 5 + back


def shares(weights, visit):
    """What each click counts, oldest first."""
    n, row = len(visit), weights[kind(visit)]
    odds = np.exp([row[min(n - 1 - click, len(row) - 1)] for click in range(n)])
    return odds / odds.sum()


def visit_vector(factors, visit, weights, dropped=1.0):
    vector = (shares(weights, visit) @ factors[visit]) * dropped
    return vector / np.linalg.norm(vector)


def bonus(repeats, visit, item):
    """The bonus of an item of the visit, by how far from the end and how often it was clicked."""
    if item not in visit:
        return 0.0
    away, times = visit[::-1].index(item), visit.count(item)
    return repeats[kind(visit), 4 * min(away, 11) + min(times, 4) - 1]


def loss(factors, weights, repeats, scale, samples, rivals, kept=1.0, key=0):
    """The summed loss of (visit, next item) pairs beside rivals {item: ln of how many it is}."""
    n_factors, total = factors.shape[1], 0.0
    against = {
        item: factors[item] * mask(n_factors, kept, key + 1, row) for row, item in enumerate(rivals)
    }
    for sample, (visit, target) in enumerate(samples):
        vector = visit_vector(factors, visit, weights, mask(n_factors, kept, key, sample))
        scores = {
            item: scale * (vector @ other - 1) + rivals[item] for item, other in against.items()
        }
        for item in {*visit, target}:  # what is the visit's own is compared as such, alone
            scores[item] = scale * (vector @ factors[item] - 1) + bonus(repeats, visit, item)
        total += np.log(np.sum(np.exp(list(scores.values())))) - scores[target]
    return total


def slope(function, table, places=None, step=1e-5):
    """The gradient of a function at a table, place by place, or at some."""
    gradient = np.zeros(table.shape)
    for place in np.ndindex(table.shape) if places is None else places:
        ends = []
        for side in (step, -step):
            moved = table.copy()
            moved[place] += side
            ends.append(function(moved))
        gradient[place] = (ends[0] - ends[1]) / (2 * step)
    return gradient


def moved(factors, sums, gradient, rate):
    """A step of Adagrad for every item with a gradient, on the sphere."""
    factors, sums = factors.copy(), sums.copy()
    for item in np.flatnonzero(np.abs(gradient).sum(axis=1)):
        along = gradient[item] - (gradient[item] @ factors[item]) * factors[item]
        sums[item] += along @ along
        factors[item] -= rate / np.sqrt(1 + sums[item]) * along
        factors[item] /= np.linalg.norm(factors[item])
    return factors, sums
