"""With what eyes a visitor looks at a moment, and what she then sees in items."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recopersona.data.types import Array, Indices, Values
from recopersona.kernels.visitors import attract, best_page, tire
from recopersona.simulation.calendar import PAGES
from recopersona.simulation.truth import BASE, DAY, DEVICES, FAMILY, Goods, Truth

NEW_FOR = 7 * DAY
"""After so long an item's being new counts half."""
OF_FAMILY = 0.35
"""How alike two topics of a family are."""
VARIETY = {"home": 1.3, "product": 0.5, "cart": 0.9, "mobile": 1.25, "desktop": 0.75}
"""How much more than usual sameness tires: by page, times by device."""
CURIOSITY = {"home": 1.3, "product": 0.5, "cart": 0.8, "mobile": 0.8, "desktop": 1.25}
"""How much more than usual what is new attracts: by page, times by device."""

INTENT = 1.5
"""What a session's topic is worth in it beside her usual taste, in logits."""
_FOCUS = np.array([0.3, 1.0, 0.5])
"""How much of that there is on each of `PAGES`."""

_BY_PAGE, _BY_DEVICE = (
    tuple(np.array([table[name] for name in names]) for table in (VARIETY, CURIOSITY))
    for names in (PAGES, DEVICES)
)


@dataclass(frozen=True, eq=False)
class Eyes:
    """What looks at a page depends on, a row per page: see the kernels `attract` and `tire`."""

    goods: Goods
    likes: Values
    manner: Values
    bored: Values
    thrift: Values
    hunger: Values
    fatigue: Values
    now: Array

    @classmethod
    def of(
        cls, truth: Truth, user: Array, page: Array, device: Array, intent: Array, now: Array,
        bored: Values,
    ) -> Eyes:  # fmt: skip
        """Return the eyes of visitors who call for pages at moments; ``bored`` per topic."""
        people = truth.people
        likes, manner = people.tastes(user, now)
        likes += truth.trend(now)
        likes += BASE
        likes[np.arange(len(likes)), intent] += INTENT * _FOCUS[page]
        variety = _BY_PAGE[0][page] * _BY_DEVICE[0][device] * people.variety[user]
        curiosity = _BY_PAGE[1][page] * _BY_DEVICE[1][device] * people.curiosity[user]
        return cls(
            truth.goods, likes, manner, bored, people.thrift[user], truth.freshness * curiosity,
            truth.sameness * variety, now,
        )  # fmt: skip

    def attraction(self, items: Indices, weary: Values) -> Values:
        """Return the chances of a click of items by themselves, float64 like the items."""
        goods = self.goods
        out = np.empty(items.shape)
        attract(
            out, items, goods.topic, goods.second, goods.share, goods.quality, goods.style,
            goods.dearness, goods.launched, self.likes, self.manner, self.bored, weary,
            self.thrift, self.hunger, self.now, float(NEW_FOR),
        )  # fmt: skip
        return out

    def chances(self, items: Indices, weary: Values) -> Values:
        """Return the chances of a click of items below one another on a page."""
        attraction = self.attraction(items, weary)
        chances = np.empty_like(attraction)
        tire(chances, attraction, self.goods.topic[items], FAMILY, self.fatigue, OF_FAMILY)
        return chances

    def best(self, attraction: Values, n: int) -> Indices:
        """Return the best page of the first one's, where items by themselves attract so."""
        page = np.empty(n, np.int32)
        best_page(page, attraction, self.goods.topic, FAMILY, float(self.fatigue[0]), OF_FAMILY)
        return page
