"""What is true of a shop's items and of those who visit it, and nobody is told."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Self

import numpy as np
import pandas as pd

from recopersona.data.times import from_ms, moment_ms
from recopersona.data.types import Array, Indices, Values
from recopersona.simulation.chance import chance_key

START = moment_ms("2026-07-01")
"""When the present begins."""
HOUR = 3_600_000
DAY = 24 * HOUR
MONTH = 30 * DAY
PAST_DAYS = 90

BASE = -5.0
"""What the average item is worth to the average visitor, in logits."""
BUYS = -2.6
"""What a purchase is, of who clicked."""

KIND, OWN = 1.15, 0.6
"""How much kinds of visitors differ in what they see in families of topics, and again in topics;
and visitors of a kind in topics."""
PACE, JUMP, TURN = 0.2, 0.3, 0.8
"""Radians a month that a visitor's taste turns on average; the chance of each of four sudden turns
in 180 days, and how far one goes. All times ``drift``."""
QUALITY, STYLE, WORTH, REACH, DEAR = 0.7, 0.7, 0.7, 0.6, 0.4
"""How much items differ in each: standard deviations, in logits but for log reach and price."""

N_FAMILIES, N_TOPICS, N_AXES, N_KINDS = 12, 48, 6, 8
FAMILY = np.repeat(np.arange(N_FAMILIES), N_TOPICS // N_FAMILIES).astype(np.int32)
"""Of each topic."""

DEVICES = ("mobile", "desktop")
_CATEGORIES = np.array([
    "tea", "coffee", "sweets", "pantry", "kitchen", "ceramics", "textiles", "candles", "bath",
    "paper", "garden", "toys",
])  # fmt: skip
_USUAL_PRICES = np.array([9, 13, 6, 8, 34, 22, 28, 16, 11, 7, 18, 24], dtype=float)
_BRANDS = np.array([
    "Alder", "Bramble", "Cove", "Dune", "Ember", "Fjord", "Grove", "Heron", "Iris", "Juniper",
    "Kestrel", "Larch", "Moss", "Nettle", "Otter", "Pebble", "Quill", "Rowan", "Sage", "Thistle",
])  # fmt: skip
_JUMPS = 4


class _Rows:
    """Columns of equal length that grow."""

    def __len__(self) -> int:
        return len(getattr(self, fields(self)[0].name))  # type: ignore[arg-type]

    def _and(self, more: Self) -> Self:
        names = [field.name for field in fields(self)]  # type: ignore[arg-type]
        return type(self)(
            **{name: np.concatenate([getattr(self, name), getattr(more, name)]) for name in names}
        )


@dataclass(frozen=True)
class Goods(_Rows):
    """Items, each column (n_items,).

    topic, second, share  int32, int32, float64: what an item is about, what else, and how much
    quality, style        float64, and (n_items, n_axes): what no column of the catalogue tells
    worth                 float64, whether who has looked also buys
    reach                 float64, how much it was advertised in the past
    category, brand       int64 codes, as the catalogue has them
    price, margin, dearness  float64
    launched              int64, milliseconds
    """

    topic: Array
    second: Array
    share: Values
    quality: Values
    style: Values
    worth: Values
    reach: Values
    category: Array
    brand: Array
    price: Values
    margin: Values
    dearness: Values
    launched: Array

    def frame(self, first: int, last: int) -> pd.DataFrame:
        """Return rows of the catalogue: what everybody may know."""
        rows = slice(first, last)
        return pd.DataFrame(
            {
                "item_id": [f"i-{number:05d}" for number in range(first, last)],
                "category": _CATEGORIES[self.category[rows]],
                "brand": _BRANDS[self.brand[rows]],
                "price": self.price[rows],
                "margin": self.margin[rows],
                "created_at": from_ms(self.launched[rows]),
            }
        )


@dataclass(frozen=True)
class People(_Rows):
    """Visitors, each column (n_visitors,) or with a row per visitor.

    likes, later          (n, n_topics): what she sees in topics at the start, and turns to
    manner, manner_later  (n, n_axes)
    pace                  how fast she turns, radians a month
    jumps, turns          (n, n_jumps): when she turns at once, and how far
    thrift, variety, curiosity  what she sees in low prices, and how much more than others she
                          tires of sameness and is after what is new
    activity              how often she comes
    device                int64 code, her usual one
    joined                int64, milliseconds
    """

    likes: Values
    later: Values
    manner: Values
    manner_later: Values
    pace: Values
    jumps: Array
    turns: Values
    thrift: Values
    variety: Values
    curiosity: Values
    activity: Values
    device: Array
    joined: Array

    def angle(self, rows: Array | int, now: Array | int) -> Values:
        """Return how far visitors have turned from what they liked at the start."""
        now = np.asarray(now)
        angle = self.pace[rows] * (now - START) / MONTH
        # Nobody had jumped yet at the start: a jump before it is undone in the time before it.
        jumped = (self.jumps[rows] <= now[..., None]).astype(int) - (self.jumps[rows] <= START)
        angle += (self.turns[rows] * jumped).sum(axis=-1)
        return np.asarray(angle)

    def tastes(self, rows: Array | int, now: Array | int) -> tuple[Values, Values]:
        """Return what visitors see in topics and in styles at a moment."""
        angle = self.angle(rows, now)[..., None]
        stay, turn = np.cos(angle), np.sin(angle)
        likes: Values = stay * self.likes[rows] + turn * self.later[rows]
        manner: Values = stay * self.manner[rows] + turn * self.manner_later[rows]
        return likes, manner


class Truth:
    """Items and visitors up to any day; days that have been drawn never change."""

    def __init__(
        self, n_visitors: int, n_items: int, *, drift: float, fashion: float, sameness: float,
        freshness: float, new_items: int, new_visitors: int, random_state: int,
    ) -> None:  # fmt: skip
        self.drift, self.fashion = drift, fashion
        self.sameness, self.freshness = sameness, freshness
        self.new_items, self.new_visitors = new_items, new_visitors
        self.random_state, self.days = random_state, 0
        self.n_visitors, self.n_items = n_visitors, n_items
        rng = self.rng("shop")
        self.brands_of = rng.integers(len(_BRANDS), size=(N_TOPICS, 3))
        self.kinds = rng.normal(0, KIND, (N_KINDS, N_FAMILIES))[:, FAMILY]
        self.kinds += rng.normal(0, KIND, (N_KINDS, N_TOPICS))
        self.period = rng.uniform(20, 60, N_TOPICS) * DAY
        self.phase = rng.uniform(0, 2 * np.pi, N_TOPICS)
        young = rng.random(n_items) < 0.2
        ages = np.where(young, rng.uniform(0, PAST_DAYS, n_items), rng.uniform(90, 730, n_items))
        ages[0] = 730  # there was always something to sell, and somebody to buy it
        launched = np.sort(START - 1 - (ages * DAY).astype(np.int64))
        self.goods = self._draw_goods(rng, launched)
        self._known = np.cumsum(np.sqrt(self.goods.reach))
        ages = np.where(rng.random(n_visitors) < 0.3, rng.uniform(0, PAST_DAYS, n_visitors), 730)
        ages[0] = 730
        joined = np.sort(START - 1 - (ages * DAY).astype(np.int64))
        self.people = self._draw_people(rng, joined)

    def rng(self, *purpose: object) -> np.random.Generator:
        """Return a generator of its own for a purpose."""
        return np.random.default_rng(chance_key(self.random_state, *purpose))

    def upto(self, day: int) -> None:
        """Draw the items and visitors of all days before a day."""
        for new in range(self.days, day):
            rng = self.rng("newcomers", new)
            times = START + DAY * new + np.sort(rng.integers(DAY, size=self.new_items))
            self.goods = self.goods._and(self._draw_goods(rng, times))
            self._known = np.cumsum(np.sqrt(self.goods.reach))
            times = START + DAY * new + np.sort(rng.integers(DAY, size=self.new_visitors))
            self.people = self.people._and(self._draw_people(rng, times))
        self.days = max(self.days, day)

    def trend(self, now: Array | int) -> Values:
        """Return how much topics are in fashion at moments, float64 (..., n_topics)."""
        when = np.asarray(now)[..., None] - START
        wave: Values = np.sin(2 * np.pi * when / self.period + self.phase)
        return self.fashion * wave

    def intent(self, drawn: Values, user: Array, now: Array) -> Array:
        """Return the topic that each session is about, drawn by how much visitors like topics."""
        likes = self.people.tastes(user, now)[0] + self.trend(now)
        upto = np.cumsum(np.exp(likes), axis=1)
        topic: Array = (upto <= drawn[:, None] * upto[:, -1:]).sum(axis=1)
        return np.minimum(topic, N_TOPICS - 1)

    def find(self, drawn: Values, on_sale: Array | int) -> Indices:
        """Return items of the first so many, drawn by the root of how well known they are."""
        known = self._known[np.asarray(on_sale) - 1]
        place = np.searchsorted(self._known, drawn * known, side="right")
        found: Indices = place.astype(np.int32)
        return found

    def buying(self, user: Array | int, items: Array) -> Values:
        """Return the chance that who clicked buys."""
        logit = self.goods.worth[items] + BUYS
        logit -= self.people.thrift[user] * self.goods.dearness[items]
        chance: Values = 1 / (1 + np.exp(-logit))
        return chance

    def _draw_goods(self, rng: np.random.Generator, launched: Array) -> Goods:
        n = len(launched)
        topic = rng.integers(N_TOPICS, size=n)
        typical = self.brands_of[topic, rng.integers(3, size=n)]
        category = np.where(rng.random(n) < 0.8, FAMILY[topic], rng.integers(N_FAMILIES, size=n))
        dearness = rng.normal(0, DEAR, n)
        price = np.round(_USUAL_PRICES[category] * np.exp(dearness), 2)
        return Goods(
            topic=topic.astype(np.int32),
            second=rng.integers(N_TOPICS, size=n).astype(np.int32),
            share=rng.uniform(0, 0.4, n),
            quality=rng.normal(0, QUALITY, n),
            style=rng.normal(0, STYLE / np.sqrt(N_AXES), (n, N_AXES)),
            worth=rng.normal(0, WORTH, n),
            reach=np.exp(rng.normal(0, REACH, n)),
            category=category,
            brand=np.where(rng.random(n) < 0.6, typical, rng.integers(len(_BRANDS), size=n)),
            price=price,
            margin=np.round(price * rng.uniform(0.1, 0.5, n), 2),
            dearness=dearness,
            launched=launched,
        )

    def _draw_people(self, rng: np.random.Generator, joined: Array) -> People:
        n = len(joined)
        kind, next_kind = rng.integers(N_KINDS, size=(2, n))
        return People(
            likes=self.kinds[kind] + rng.normal(0, OWN, (n, N_TOPICS)),
            later=self.kinds[next_kind] + rng.normal(0, OWN, (n, N_TOPICS)),
            manner=rng.normal(0, 1, (n, N_AXES)),
            manner_later=rng.normal(0, 1, (n, N_AXES)),
            pace=self.drift * rng.exponential(PACE, n),
            jumps=START + (rng.uniform(-PAST_DAYS, PAST_DAYS, (n, _JUMPS)) * DAY).astype(np.int64),
            turns=self.drift * np.where(rng.random((n, _JUMPS)) < JUMP, TURN, 0.0),
            thrift=rng.gamma(2.0, 0.4, n),
            variety=np.exp(rng.normal(0, 0.35, n)),
            curiosity=np.exp(rng.normal(0, 0.35, n)),
            activity=np.exp(rng.normal(0, 1.0, n)),
            device=(rng.random(n) < 0.4).astype(np.int64),
            joined=joined,
        )
