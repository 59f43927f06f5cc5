"""A shop so small that every list, its probability and its clicks can be written down."""

from functools import cache
from itertools import permutations

import numpy as np
import pandas as pd

ITEMS, PLACES = 4, 3
LISTS = list(permutations(range(ITEMS), PLACES))
LIKED = np.array([0.6, 0.3, 0.1, 0.4])
EXAMINED = np.array([1.0, 0.6, 0.3])


class Chooser:
    """Fills place after place; what is taken is not drawn again, and a place has its own taste."""

    def __init__(self, seed):
        self.tastes = np.random.default_rng(seed).dirichlet(np.full(ITEMS, 2.0), PLACES)

    def choices(self, above):
        """The probability of every item at the place below some."""
        left = self.tastes[len(above)].copy()
        left[list(above)] = 0
        return left / left.sum()

    def conditional(self, shown):
        return np.array([self.choices(shown[:k])[item] for k, item in enumerate(shown)])

    def chance(self, shown):
        return self.conditional(shown).prod()

    @cache  # noqa: B019
    def alone(self, item, place):
        return sum(self.chance(shown) for shown in LISTS if shown[place] == item)


def independent(shown):
    """Clicks of each place: its examination times its item's appeal."""
    return EXAMINED * LIKED[list(shown)]


def cascade(shown):
    """Clicks of each place: who clicked above has left."""
    liked = LIKED[list(shown)]
    return liked * np.cumprod(np.append(1, 1 - liked[:-1]))


def whole(shown):
    """Clicks of each place: the better the next one, the less is this one clicked."""
    liked = LIKED[list(shown)]
    return liked * (1 - np.append(liked[1:], 0))


READERS = {"independent": independent, "cascade": cascade, "whole": whole}


def truth(policy, reader):
    return sum(policy.chance(shown) * reader(shown).sum() for shown in LISTS)


def matrices(logging, target):
    """Every list once: its probability in the log, its weights and its weights alone."""
    chances = np.array([logging.chance(shown) for shown in LISTS])
    weights = np.array([target.conditional(one) / logging.conditional(one) for one in LISTS])
    alone = np.array([
        [target.alone(item, k) / logging.alone(item, k) for k, item in enumerate(shown)]
        for shown in LISTS
    ])  # fmt: skip
    return chances, weights, alone


def drawn_log(logging, target, reader, n, rng):
    """A log of n lists as a frame, a row per place."""
    chances = np.array([logging.chance(shown) for shown in LISTS])
    which = rng.choice(len(LISTS), size=n, p=chances / chances.sum())

    def column(of_list):
        return np.array([of_list(shown) for shown in LISTS])[which].ravel()

    def alone_of(policy):
        return lambda shown: [policy.alone(item, k) for k, item in enumerate(shown)]

    return pd.DataFrame({
        "decision_id": np.repeat(np.arange(n), PLACES),
        "position": np.tile(np.arange(1, PLACES + 1), n),
        "item_id": column(list),
        "propensity": column(logging.conditional),
        "target": column(target.conditional),
        "p_alone": column(alone_of(logging)),
        "q_alone": column(alone_of(target)),
        "reward": (rng.random(n * PLACES) < column(reader)).astype(float),
    })  # fmt: skip
