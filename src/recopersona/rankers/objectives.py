"""What a ranker makes small: how surprising labels are, row by row and list by list."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from recopersona.data.types import Array, Floats, Indices


@dataclass(frozen=True)
class CrossEntropy:
    r"""How surprising the labels are, by rows and by lists.

    .. math:: L = -(1 - \lambda) \sum_i w_i \left( y_i \ln p_i + (1 - y_i) \ln (1 - p_i) \right)
              - \lambda \sum_i w_i y_i \ln \frac{e^{u_i}}{\sum_j (y_j + (1 - y_j) w_j) e^{u_j}}

    with :math:`p = \sigma(u)` and j over the list of i. The weight of what was not taken
    stands for rows left out when sampling, so it belongs below the fraction, too; what was taken
    is there once.

    Parameters
    ----------
    labels, weights : float32 (n_rows,)
    listwise : float
        Lambda.
    """

    labels: Floats
    weights: Floats
    listwise: float

    @property
    def learned(self) -> tuple[Floats, ...]:
        """Nothing is learned beside the network."""
        return ()

    def __call__(
        self, utilities: Floats, rows: Array, bounds: Array
    ) -> tuple[float, Floats, list[Floats]]:
        """Return the loss, its slope by each utility, and nothing else: see `Objective`."""
        labels, weights = self.labels[rows], self.weights[rows]
        loss, slopes = 0.0, np.zeros_like(utilities)
        if self.listwise < 1:
            surprise = np.logaddexp(0, utilities) - labels * utilities
            loss += (1 - self.listwise) * float(weights @ surprise)
            slopes += np.float32(1 - self.listwise) * weights * (sigmoid(utilities) - labels)
        if self.listwise > 0:
            surprise, of_lists = _by_lists(utilities, labels, weights, bounds)
            loss += self.listwise * surprise
            slopes += np.float32(self.listwise) * of_lists
        return loss, slopes, []


def sigmoid(utilities: Floats) -> Floats:
    """Return the probability of a logit; no logit is too large."""
    found: Floats = 0.5 * (1 + np.tanh(0.5 * utilities))
    return found


def _by_lists(
    utilities: Floats, labels: Floats, weights: Floats, bounds: Array
) -> tuple[float, Floats]:
    starts, sizes = bounds[:-1], np.diff(bounds)
    target = labels * weights
    total = np.add.reduceat(target, starts)
    shifted = utilities - np.repeat(np.maximum.reduceat(utilities, starts), sizes)
    share = (labels + (1 - labels) * weights) * np.exp(shifted)
    below = np.maximum(np.add.reduceat(share, starts), _TINY)
    share *= np.repeat(total / below, sizes)
    surprise = total @ np.log(below) - target @ shifted
    return float(surprise), share - target


@dataclass(frozen=True)
class SeenClicks:
    r"""How surprising clicks are, where a click takes a look and a wish.

    .. math:: P(click) = \theta_k \, \sigma(u + e_i)

    Parameters
    ----------
    clicks : float32 (n_rows,)
    groups : int64 (n_rows,)
        The group k of places that each row was shown in.
    items : int32 (n_rows,) or None
        Whose level e is added.
    places : float32 (n_groups,)
        What the looks are made of, see `look_of`; learned in place.
    levels : float32 (n_items,)
        e, learned in place.
    """

    clicks: Floats
    groups: Array
    items: Indices | None
    places: Floats
    levels: Floats

    @classmethod
    def of(cls, clicks: Floats, groups: Array, items: Indices | None) -> SeenClicks:
        """Begin with looks of one half, and items alike."""
        n_items = 0 if items is None else int(items.max(initial=-1)) + 1
        n_groups = int(groups.max(initial=-1)) + 1
        places, levels = np.zeros(n_groups, np.float32), np.zeros(n_items, np.float32)
        return cls(clicks, groups, items, places, levels)

    @property
    def learned(self) -> tuple[Floats, ...]:
        """What is learned beside the network."""
        return (self.places, self.levels)

    def of_items(self, rows: Any) -> Floats:
        """Return the levels of the items of rows, 0 where items are not named."""
        return np.zeros(1, np.float32) if self.items is None else self.levels[self.items[rows]]

    def __call__(
        self, utilities: Floats, rows: Array, bounds: Array
    ) -> tuple[float, Floats, list[Floats]]:
        """Return the loss and its slopes: see `Objective`."""
        clicks, groups = self.clicks[rows], self.groups[rows]
        wish, look = sigmoid(utilities + self.of_items(rows)), look_of(self.places)[groups]
        unclicked = 1 - look * wish
        likely = np.where(clicks > 0, look * wish, unclicked)
        loss = -float(np.log(np.maximum(likely, _TINY)).sum(dtype=np.float64))
        excess = (1 - clicks) * look * wish / np.maximum(unclicked, _TINY) - clicks
        by_wish, by_look = (1 - wish) * excess, _HASTE * (1 - look) * excess
        own = [np.bincount(groups, by_look, len(self.places)).astype(np.float32)]
        levels = self.levels
        if self.items is not None:
            levels = np.bincount(self.items[rows], by_wish, len(levels)).astype(np.float32)
        return loss, by_wish, [*own, levels]


def look_of(places: Floats) -> Floats:
    """Return how likely places are looked at; they are to move faster than the network does."""
    return sigmoid(_HASTE * places)


_HASTE, _TINY = np.float32(2), np.float32(1e-6)
