"""What visitors left behind before the present begins."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from recopersona.data.types import Array, Values
from recopersona.simulation.clicks import PositionBased
from recopersona.simulation.truth import DAY, PAST_DAYS, START, Goods, People, Truth

BASE = -4.5
"""What the average item is worth to the average visitor, in logits."""
BUYS = -2.2
"""How likely who clicked is to buy."""
_PERIODS = 6
_BLOCK = 250
_PLACES = 10


class Past(NamedTuple):
    """Events in order of time, each column (n_events,); kinds are places in `KINDS`."""

    user: Array
    item: Array
    time: Array
    kind: Array


KINDS = ("view", "click", "cart", "purchase")
VIEW, CLICK, CART, PURCHASE = range(4)


def draw_past(truth: Truth, clicks: PositionBased, requests_per_day: float) -> Past:
    """Let visitors live through the past.

    Three times in five they look for something themselves, and find what they like, the better
    known of it more often; else they are shown a page, six tenths of it what is popular, the rest
    of the kind that they like.
    """
    rng = truth.rng("past")
    goods, people = truth.goods, truth.people
    length = PAST_DAYS * DAY // _PERIODS
    parts = []
    for period in range(_PERIODS):
        begin = START - PAST_DAYS * DAY + period * length
        active = people.activity * (people.joined < begin + length)
        n = int(requests_per_day * length / DAY)
        user = np.sort(rng.choice(len(people), n, p=active / active.sum()))
        time = begin + rng.integers(length, size=n)
        parts += _period(rng, truth, clicks, user, time, begin + length // 2)
    user, item, time, kind = (np.concatenate(column) for column in zip(*parts, strict=True))
    there = (goods.launched[item] <= time) & (people.joined[user] <= time) & (time < START)
    rows = np.flatnonzero(there)
    rows = rows[np.argsort(time[rows], kind="stable")]
    return Past(user[rows], item[rows], time[rows], kind[rows])


def _period(
    rng: np.random.Generator, truth: Truth, clicks: PositionBased, user: Array, time: Array,
    middle: int,
) -> list[tuple[Array, Array, Array, Array]]:  # fmt: skip
    goods = truth.goods
    popular = np.cumsum(goods.reach * np.exp(goods.quality + truth.trend(middle)[goods.topic]))
    found = []
    for first in range(0, len(truth.people), _BLOCK):
        rows = np.arange(first, min(first + _BLOCK, len(truth.people)))
        low, high = np.searchsorted(user, [first, first + _BLOCK])
        found.append(
            _block(rng, truth, clicks, rows, user[low:high], time[low:high], middle, popular)
        )
    n_kinds = len(found[0])
    merged = [
        tuple(np.concatenate([block[kind][column] for block in found]) for column in range(4))
        for kind in range(n_kinds)
    ]
    return merged  # type: ignore[return-value]


def _block(
    rng: np.random.Generator, truth: Truth, clicks: PositionBased, rows: Array, user: Array,
    time: Array, middle: int, popular: Values,
) -> list[tuple[Array, Array, Array, Array]]:  # fmt: skip
    goods = truth.goods
    worth = worths(truth, rows, middle)
    line = np.cumsum(goods.reach**0.5 * np.exp(worth), axis=1)
    line /= line[:, -1:]
    line += np.arange(len(rows))[:, None]  # laid end to end: one ascending array to search
    flat, who = line.ravel(), user - rows[0]

    def own(n: int) -> Array:
        goal = rng.random((len(user), n)) + who[:, None]
        place = np.searchsorted(flat, goal, side="right") - who[:, None] * line.shape[1]
        item: Array = np.clip(place, 0, line.shape[1] - 1)
        return item

    searched = 1 + rng.poisson(0.9, len(user))
    views = own(3)
    asked = np.arange(3) < searched[:, None]
    of_page = rng.random((len(user), _PLACES)) < 0.6
    goal = rng.random(of_page.shape) * popular[-1]
    shown = np.where(of_page, np.searchsorted(popular, goal, side="right"), own(_PLACES))
    chances = 1 / (1 + np.exp(-worth[who[:, None], shown]))
    clicked = rng.random(shown.shape) < chances * clicks.seen(chances)
    parts = []
    for picked, mask, kind in ((views, asked, VIEW), (shown, clicked, CLICK)):
        line_, place = np.nonzero(mask)
        parts.append(
            (
                user[line_], picked[line_, place], time[line_] + 20_000 * place,
                np.full(len(line_), kind),
            )
        )  # fmt: skip
    at, item, when, _ = (np.concatenate(column) for column in zip(*parts, strict=True))
    bought = rng.random(len(at)) < buying(goods, truth.people, at, item)
    at, item, when = at[bought], item[bought], when[bought]
    parts.append((at, item, when + 60_000, np.full(len(at), CART)))
    parts.append((at, item, when + 120_000, np.full(len(at), PURCHASE)))
    return parts


def worths(truth: Truth, rows: Array, now: int) -> Values:
    """Return what items are worth to visitors at a moment, (n_rows, n_items), in logits.

    Neither boredom nor what is new comes in here.
    """
    goods, people = truth.goods, truth.people
    likes, manner = people.tastes(rows, now)
    likes = likes + truth.trend(now)
    worth: Values = manner @ goods.style.T + (BASE + goods.quality)
    worth += (1 - goods.share) * likes[:, goods.topic] + goods.share * likes[:, goods.second]
    worth -= people.thrift[rows, None] * goods.dearness
    return worth


def buying(goods: Goods, people: People, user: Array, item: Array) -> Values:
    """Return the chance that who clicked buys."""
    logit = BUYS + goods.worth[item] - people.thrift[user] * goods.dearness[item]
    chance: Values = 1 / (1 + np.exp(-logit))
    return chance
