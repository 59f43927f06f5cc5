"""Visitors that are programs: told by their name, their pace, their rhythm and their reach."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from recopersona.base.parameters import Bound, check, optional, real, whole
from recopersona.data.event import EVENT_TYPES
from recopersona.data.types import Array, Mask
from recopersona.errors import ParameterError
from recopersona.events.distinct import Distinct
from recopersona.events.examination import Examination
from recopersona.kernels.bots import group_rows, measure_visitors
from recopersona.kernels.hashing import number_hashes

_MINUTE, _HOUR = 60_000, 3_600_000
_SHORTEST_PAUSE = 5_000
_BROWSES = np.isin(EVENT_TYPES, ["click", "view", "page_view", "search"])
_WANTS = np.isin(EVENT_TYPES, ["wishlist", "cart", "checkout", "purchase", "return"])

AGENT_COLUMNS = ("user_agent", "useragent", "userAgent", "context_user_agent")
AGENTS = (
    "bot", "crawler", "crawl", "spider", "slurp", "scraper", "headless", "headlesschrome",
    "phantomjs", "selenium", "puppeteer", "playwright", "python-requests", "python-urllib",
    "aiohttp", "httpx", "scrapy", "curl", "wget", "libwww-perl", "go-http-client",
    "facebookexternalhit", "mediapartners-google", "lighthouse", "pingdom", "uptimerobot",
)  # fmt: skip
_COUNT = optional(whole(at_least=1))


@dataclass(frozen=True, kw_only=True)
class Bots:
    """What makes a visitor a program; None switches a rule off.

    Only what is done one at a time counts: ``click``, ``view``, ``page_view`` and ``search``, and
    only in a log that has kinds of events and times. A visitor who breaks a rule is set aside with
    all events, for the first rule in this order; an ``agent`` sets aside its own rows only.

    Parameters
    ----------
    agents : tuple of str
        ``bot_agent``: words in a column ``user_agent``, ``useragent``, ``userAgent`` or
        ``context_user_agent``, whole or at the end of a word (``Googlebot``), whatever their case.
    per_minute, minutes : int or None, int
        ``bot_rate``: on average so many events a minute for so many minutes.
    per_hour : int or None
        ``bot_rate`` too: so many events within an hour.
    regular, regular_share : int or None, float
        ``bot_regular``: so many pauses, of at least 5 s (and 5 times the precision of the clock)
        and at most an hour, of which this share lies within 10 % of the median pause; and a tenth
        as many different items on one day, which no page has that refreshes itself.
    items_a_day : int or None
        ``bot_catalogue``: so many different items within one day (UTC), and nothing wished for,
        put in a cart or bought in the whole log. Off in a log where nobody does.
    hours_a_day, busy_days : int or None, int
        ``bot_around_the_clock``: on so many days, events in so many of its hours.

    Raises
    ------
    ParameterError
        If a threshold is out of bounds.

    Notes
    -----
    The defaults are beyond what people do, not what programs can: they set aside the crude ones.
    Time: a pass over the log, and a sort of the events of visitors with enough of them.

    Examples
    --------
    >>> log = pd.DataFrame({
    ...     "user_id": ["anna"] + ["crawler"] * 400,
    ...     "item_id": range(401), "event": "view",
    ...     "timestamp": 1_700_000_000 + np.arange(401) // 2,
    ... })
    >>> from recopersona.events.cleaning import clean
    >>> clean(log, report=True)[1].quarantined
    {'bot_rate': 400}
    >>> clean(log, report=True, bots=Bots(per_minute=200))[1].quarantined
    {}
    """

    agents: tuple[str, ...] = AGENTS
    per_minute: int | None = 60
    minutes: int = 5
    per_hour: int | None = 1_200
    regular: int | None = 200
    regular_share: float = 0.95
    items_a_day: int | None = 1_000
    hours_a_day: int | None = 23
    busy_days: int = 3

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            if field.name != "agents":
                check(getattr(self, field.name), _BOUNDS[field.name], "Bots", field.name)
        words: Any = self.agents
        if isinstance(words, str) or not all(isinstance(word, str) and word for word in words):
            raise ParameterError(f"Bots: agents must be words such as ('bot',), got {words!r}.")

    @property
    def fewest(self) -> int | None:
        """The number of events below which nobody can break a rule; None if all are off."""
        needed = [
            self.per_minute and self.per_minute * self.minutes,
            self.per_hour,
            self.regular and self.regular + 1,
            self.items_a_day,
            self.hours_a_day and self.hours_a_day * self.busy_days,
        ]
        return min((n for n in needed if n is not None), default=None)


_BOUNDS: Mapping[str, Bound] = {
    "per_minute": _COUNT,
    "minutes": whole(at_least=1),
    "per_hour": _COUNT,
    "regular": _COUNT,
    "regular_share": real(above=0, at_most=1),
    "items_a_day": _COUNT,
    "hours_a_day": optional(whole(at_least=1, at_most=24)),
    "busy_days": whole(at_least=1),
}

USUAL = Bots()
"""What `clean` takes for a program unless told otherwise."""


def examine_bots(log: Examination, bots: Bots) -> None:
    """Quarantine what programs left among the rows that are accepted so far."""
    for name in AGENT_COLUMNS:
        if name in log.frame and bots.agents:
            log.quarantine("bot_agent", _of_agents(log.frame[name], bots.agents))
    if bots.fewest is None or "event" not in log or log.milliseconds is None:
        return
    users = log.ids["user_id"].hashes
    accepted = log.reason < 0
    rows = np.flatnonzero(accepted & _BROWSES[log.kinds])
    rows, order, bounds = _heavy_visitors(rows, users, log.milliseconds, bots.fewest)
    if len(bounds) < 2:
        return
    of_visitor = users[rows[order[bounds[:-1]]]]
    rows = rows[order]
    for reason, guilty in _verdicts(log, bots, rows, bounds, of_visitor):
        if guilty.any():
            log.quarantine(reason, accepted & np.isin(users, of_visitor[guilty]))


def _of_agents(column: pd.Series, words: tuple[str, ...]) -> Mask:
    any_word = "|".join(re.escape(word) for word in words)
    pattern = re.compile(rf"(?:{any_word})(?![a-z])", re.IGNORECASE)
    return Distinct.of(column).tell(
        lambda agent: isinstance(agent, str) and pattern.search(_PHONES.sub("", agent))
    )


_PHONES = re.compile(r"\bcubot\b", re.IGNORECASE)  # a maker of telephones


def _heavy_visitors(
    rows: Array, users: Array, times: Array, fewest: int
) -> tuple[Array, Array, Array]:
    """Return the rows of visitors with enough events; their order; where each visitor starts.

    In that order the rows of a visitor stand together, ascending in time.
    """
    hashes = np.ascontiguousarray(users[rows])
    codes, firsts = (np.empty(len(rows), dtype=np.int32) for _ in range(2))
    slots = np.zeros(1 << len(rows).bit_length(), dtype=np.int32)
    n = number_hashes(codes, firsts, slots, hashes)
    enough = np.bincount(codes, minlength=n) >= fewest
    kept = enough[codes]
    rows, codes = rows[kept], (np.cumsum(enough, dtype=np.int32) - 1)[codes[kept]]
    in_time = times[rows]
    if (in_time[1:] < in_time[:-1]).any():
        sorted_ = np.argsort(in_time, kind="stable")
        rows, codes = rows[sorted_], codes[sorted_]
    bounds = np.concatenate([[0], np.cumsum(np.bincount(codes, minlength=int(enough.sum())))])
    order = np.empty(len(rows), dtype=np.int64)
    group_rows(order, bounds[:-1].copy(), codes)
    return rows, order, bounds


def _verdicts(
    log: Examination, bots: Bots, rows: Array, bounds: Array, of_visitor: Array
) -> list[tuple[str, Mask]]:
    assert log.milliseconds is not None  # noqa: S101  # asked before
    times = np.ascontiguousarray(log.milliseconds[rows])
    shortest = max(_SHORTEST_PAUSE, 5 * _precision(log.milliseconds[log.reason < 0]))
    n = len(bounds) - 1
    short, long, pauses, busy, items = (np.empty(n, dtype=np.int64) for _ in range(5))
    share = np.empty(n)
    measure_visitors(
        short, long, pauses, share, busy, items, bounds, times,
        np.ascontiguousarray(log.ids["item_id"].hashes[rows]),
        bots.minutes * _MINUTE, _HOUR, shortest, _HOUR, bots.hours_a_day or 24,
    )  # fmt: skip
    never = np.zeros(n, dtype=np.bool_)
    rate = never.copy()
    if bots.per_minute is not None:
        rate |= short >= bots.per_minute * bots.minutes
    if bots.per_hour is not None:
        rate |= long >= bots.per_hour
    regular, catalogue, around = never, never, never
    if bots.regular is not None:
        regular = (pauses >= bots.regular) & (share >= bots.regular_share)
        regular &= 10 * items >= bots.regular
    wanting = (log.reason < 0) & _WANTS[log.kinds]
    if bots.items_a_day is not None and wanting.any():
        catalogue = items >= bots.items_a_day
        if catalogue.any():
            catalogue &= ~np.isin(of_visitor, log.ids["user_id"].hashes[wanting])
    if bots.hours_a_day is not None:
        around = busy >= bots.busy_days
    return [
        ("bot_rate", rate),
        ("bot_regular", regular),
        ("bot_catalogue", catalogue),
        ("bot_around_the_clock", around),
    ]


def _precision(times: Array) -> int:
    """Return how exact a clock is, in milliseconds: a minute, a second, or less."""
    return next((unit for unit in (_MINUTE, 1_000) if not (times % unit).any()), 1)


def checked_bots(bots: Any) -> Bots | None:
    """Return the rules, or say what is wrong with them."""
    if bots is None or isinstance(bots, Bots):
        return bots
    raise ParameterError(f"bots must be rp.Bots(...) or None, got {bots!r}.")
