"""Who comes when: the sessions of a day, page by page."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from recopersona.data.types import Array
from recopersona.simulation.truth import DAY, HOUR, START, Truth

PAGES = ("home", "product", "cart")
PAGES_PER_SESSION = 3.0
_BY_HOUR = np.array(
    [2, 1, 1, 1, 1, 2, 4, 6, 7, 8, 9, 10, 11, 10, 9, 9, 10, 11, 13, 15, 16, 14, 9, 5], dtype=float
)


class Calls(NamedTuple):
    """The pages of one day that visitors call for, in order of time, each column (n_calls,).

    user, step, intent   int64: who, how many pages into her session, and its topic
    page, device         int64 codes, of `PAGES` and `DEVICES`
    time                 int64 milliseconds
    """

    user: Array
    step: Array
    intent: Array
    page: Array
    device: Array
    time: Array


def calls_of_day(truth: Truth, day: int, requests_per_day: float) -> Calls:
    """Draw a day: newcomers come on the day they join, the others by how active they are."""
    truth.upto(day + 1)
    rng = truth.rng("day", day)
    begin = START + DAY * day
    people, n_before = truth.people, truth.n_visitors + truth.new_visitors * day
    n = max(1, rng.poisson(requests_per_day / PAGES_PER_SESSION))
    # Those of later days, whom another life of the world may have drawn, make no difference.
    active = people.activity[:n_before]
    user = rng.choice(n_before, n, p=active / active.sum())
    hour = rng.choice(24, n, p=_BY_HOUR / _BY_HOUR.sum())
    time = begin + HOUR * hour + rng.integers(HOUR, size=n)
    joined = np.arange(n_before, n_before + truth.new_visitors)
    user, time = np.append(user, joined), np.append(time, people.joined[joined])
    usual = rng.random(len(user)) < 0.8
    device = np.where(usual, people.device[user], 1 - people.device[user])
    length = rng.geometric(1 / PAGES_PER_SESSION, len(user))
    session = np.repeat(np.arange(len(user)), length)
    step = np.arange(len(session)) - np.repeat(np.cumsum(length) - length, length)
    pause = rng.integers(20_000, 180_000, len(session)) * (step > 0)
    passed = np.cumsum(pause)
    passed -= np.repeat(passed[np.cumsum(length) - length], length)
    # The first page is home; later ones are of an item, the cart, or home again.
    page = np.where(step > 0, rng.choice([0, 1, 2], len(session), p=[0.25, 0.6, 0.15]), 0)
    intent = truth.intent(rng.random(len(user)), user, time)
    at = np.minimum(time[session] + passed, begin + DAY - 1)
    order = np.lexsort((step, session, at))
    columns = (user[session], step, intent[session], page, device[session], at)
    return Calls(*(column[order] for column in columns))
