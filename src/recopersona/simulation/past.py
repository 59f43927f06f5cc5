"""What visitors left behind before the present begins."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from recopersona.data.types import Array, Indices, Mask
from recopersona.simulation.calendar import PAGES
from recopersona.simulation.clicks import PositionBased
from recopersona.simulation.eyes import Eyes
from recopersona.simulation.truth import DAY, N_TOPICS, PAST_DAYS, START, Truth

KINDS = ("view", "click", "cart", "purchase")
VIEW, CLICK, CART, PURCHASE = range(4)
FINDS = 64
"""How many items a visitor looks through who looks for something herself."""
PLACES = 10
POPULAR_SHARE = 0.6
"""Of the places of a page of the past, what showed what was popular."""
_PERIOD = 5 * DAY


class Past(NamedTuple):
    """Events in order of time, each column (n_events,); kinds are places in `KINDS`."""

    user: Array
    item: Array
    time: Array
    kind: Array


def draw_past(truth: Truth, clicks: PositionBased, requests_per_day: float) -> Past:
    """Let visitors live through the past, by the same truth as in the present.

    Each visit begins with what she looks for herself: among `FINDS` items, drawn by how well known
    they are, she views one or a few that suit her. Then she is shown a page of `PLACES`: six in ten
    places show what is popular, drawn by how well known and how good it is, the others something
    that suits her among those finds. Only from one visit to the next does nothing tire her.
    """
    rng = truth.rng("past")
    parts = []
    for begin in range(START - PAST_DAYS * DAY, START, _PERIOD):
        there = truth.people.activity * (truth.people.joined < begin + _PERIOD)
        there = there[: truth.n_visitors]  # newcomers of the present may have been drawn already
        n = rng.poisson(requests_per_day * _PERIOD / DAY)
        user = rng.choice(len(there), n, p=there / there.sum())
        time = begin + rng.integers(_PERIOD, size=len(user))
        joined = truth.people.joined[user] <= time
        parts += _live(rng, truth, clicks, user[joined], time[joined])
    user, item, time, kind = (np.concatenate(column) for column in zip(*parts, strict=True))
    rows = np.flatnonzero(time < START)
    rows = rows[np.argsort(time[rows], kind="stable")]
    return Past(user[rows], item[rows], time[rows], kind[rows])


def _live(
    rng: np.random.Generator, truth: Truth, clicks: PositionBased, user: Array, time: Array
) -> list[Past]:
    n, goods = len(user), truth.goods
    page, device = rng.integers(len(PAGES), size=n), truth.people.device[user]
    intent = truth.intent(rng.random(n), user, time)
    eyes = Eyes.of(truth, user, page, device, intent, time, np.zeros((n, N_TOPICS)))
    on_sale = np.searchsorted(goods.launched, time, side="right")
    finds = truth.find(rng.random((n, FINDS)), on_sale[:, None])
    suits = np.cumsum(eyes.attraction(finds, np.zeros(finds.shape)), axis=1)

    def suiting(n_each: int) -> Indices:
        goal = rng.random((n, n_each)) * suits[:, -1:]
        place = (suits[:, None, :] <= goal[:, :, None]).sum(axis=2)
        picked: Indices = np.take_along_axis(finds, np.minimum(place, FINDS - 1), axis=1)
        return picked

    popular = np.cumsum(goods.reach * np.exp(goods.quality))
    goal = rng.random((n, PLACES)) * popular[on_sale - 1][:, None]
    shown = np.searchsorted(popular, goal, side="right").astype(np.int32)
    shown = np.where(rng.random(shown.shape) < POPULAR_SHARE, shown, suiting(PLACES))
    chances = eyes.chances(shown, np.zeros(shown.shape))
    chances[_repeated(shown)] = 0
    clicked = clicks.draw(chances, rng.integers(2**62, size=n))
    views = suiting(3)
    asked = np.arange(3) < 1 + rng.poisson(0.4, n)[:, None]
    asked &= ~_repeated(views)
    parts = [
        _events(user, views, time, asked, VIEW),
        _events(user, shown, time + 60_000, clicked, CLICK),
    ]
    looked = Past(*(np.concatenate(column) for column in zip(*parts, strict=True)))
    bought = rng.random(len(looked.user)) < truth.buying(looked.user, looked.item)
    user, item, time, kind = (column[bought] for column in looked)
    parts.append(Past(user, item, time + 60_000, np.full_like(kind, CART)))
    parts.append(Past(user, item, time + 120_000, np.full_like(kind, PURCHASE)))
    return parts


def _events(user: Array, items: Indices, time: Array, did: Mask, kind: int) -> Past:
    row, place = np.nonzero(did)
    when = time[row] + 5_000 * (place + 1)
    return Past(user[row], items[row, place].astype(np.int64), when, np.full(len(row), kind))


def _repeated(items: Indices) -> Mask:
    """Tell which items stand in a row for the second time."""
    same = items[:, :, None] == items[:, None, :]
    again: Mask = np.tril(same, -1).any(axis=2)
    return again
