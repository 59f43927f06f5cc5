"""What visitors have on their minds: topics and items that they saw too much of lately."""

from __future__ import annotations

import numpy as np

from recopersona.data.types import Array, Indices, Mask, Values
from recopersona.kernels.visitors import remember
from recopersona.simulation.eyes import OF_FAMILY
from recopersona.simulation.past import CLICK, PURCHASE, VIEW, Past
from recopersona.simulation.truth import DAY, FAMILY, N_FAMILIES, N_TOPICS, START

TOPIC_HALF_LIFE, ITEM_HALF_LIFE = 2 * DAY, 10 * DAY
SAW, CLICKED, BOUGHT = (0.12, 0.25), (0.3, 1.5), (0.0, 3.0)
"""What is added to the topic and to the item that she saw, clicked (besides) and bought."""
KEPT = 128
"""How many items a visitor has on her mind at most."""

_ADDED = np.array([SAW, CLICKED, BOUGHT]).T


class Minds:
    """The state of every visitor: it depends on what she was shown, and on what she did."""

    def __init__(self, n_visitors: int) -> None:
        self.bored = np.zeros((n_visitors, N_TOPICS))
        self.kept = np.full((n_visitors, KEPT), -1, np.int32)
        self.amounts = np.zeros((n_visitors, KEPT))
        self.since = np.full(n_visitors, START, np.int64)

    @classmethod
    def after(cls, past: Past, topic: Array, n_visitors: int) -> Minds:
        """Return what visitors have on their minds when the present begins."""
        minds = cls(n_visitors)
        of_topic, of_item = np.zeros(4), np.zeros(4)
        of_topic[[VIEW, CLICK]] = SAW[0] + CLICKED[0]
        of_item[[VIEW, CLICK]], of_item[PURCHASE] = SAW[1] + CLICKED[1], BOUGHT[1]
        age = START - past.time
        tired = of_topic[past.kind] * 2.0 ** (-age / TOPIC_HALF_LIFE)
        np.add.at(minds.bored, (past.user, topic[past.item]), tired)
        amount = of_item[past.kind] * 2.0 ** (-age / ITEM_HALF_LIFE)
        pair, place = np.unique(past.user * len(topic) + past.item, return_inverse=True)
        amount = np.bincount(place, amount, minlength=len(pair)).astype(np.float64)
        user, item = np.divmod(pair, len(topic))
        order = np.lexsort((-amount, user))
        user, item, amount = user[order], item[order], amount[order]
        rank = np.arange(len(user)) - np.searchsorted(user, user)
        most = rank < KEPT
        minds.kept[user[most], rank[most]] = item[most]
        minds.amounts[user[most], rank[most]] = amount[most]
        return minds

    def copy(self) -> Minds:
        """Return the same state, which goes its own way."""
        other = Minds(0)
        for name, value in vars(self).items():
            setattr(other, name, value.copy())
        return other

    def grow(self, n_visitors: int) -> None:
        """Let in newcomers, who have nothing on their minds."""
        missing = n_visitors - len(self.since)
        if missing > 0:
            fresh = Minds(missing)
            for name, value in vars(self).items():
                setattr(self, name, np.concatenate([value, getattr(fresh, name)]))

    def pass_time(self, user: int, now: int) -> None:
        """Let a visitor forget."""
        passed = max(now - int(self.since[user]), 0)
        if passed:
            self.bored[user] *= 2.0 ** (-passed / TOPIC_HALF_LIFE)
            self.amounts[user] *= 2.0 ** (-passed / ITEM_HALF_LIFE)
            self.since[user] = now

    def boredom(self, user: int) -> Values:
        """Return how tired of each topic a visitor is, its family included."""
        own = self.bored[user]
        of_family = np.bincount(FAMILY, own, minlength=N_FAMILIES)[FAMILY]
        tired: Values = (1 - OF_FAMILY) * own + OF_FAMILY * of_family
        return tired

    def weariness(self, user: int, n_items: int) -> Values:
        """Return how tired of each item a visitor is, float64 (n_items,)."""
        weary = np.zeros(n_items)
        kept = self.kept[user]
        known = kept >= 0
        weary[kept[known]] = self.amounts[user][known]
        return weary

    def live(self, user: int, items: Indices, topics: Array, did: tuple[Mask, Mask, Mask]) -> None:
        """Add what a visitor saw, clicked and bought."""
        tired, weary = _ADDED @ np.stack(did)
        np.add.at(self.bored[user], topics, tired)
        remember(self.kept[user], self.amounts[user], items, weary)
