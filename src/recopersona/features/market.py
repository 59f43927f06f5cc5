"""How an item is doing: popularity and its change, conversion, age; and the moment itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from recopersona.base.parameters import Bound, duration, mapping, one_of, optional, param, real
from recopersona.data.event import EVENT_TYPES
from recopersona.data.times import duration_ms
from recopersona.data.types import Array
from recopersona.features.feature import DAY_MS, WORD, WORDS, Feature, Seen, ratio, shrunk
from recopersona.features.tally import Tally
from recopersona.features.taste import EVENT_WEIGHTS


@lru_cache
def _days(duration: str | timedelta) -> float:
    return duration_ms(duration) / DAY_MS


class ItemPopularity(Feature):
    r"""How much the candidate is wanted, and whether more or less than usual.

    .. math::
        popularity = \ln(1 + T_{long}), \qquad
        velocity = \ln \frac{T_{short} / short + 1 / long}{T_{long} / long + 1 / long}

    Parameters
    ----------
    short, long : duration
        Half-lives of the two tallies.
    event_weights : mapping from event type to weight, optional
        By default click and view 1, wishlist 3, cart 4, purchase 10.

    Examples
    --------
    >>> list(ItemPopularity().columns())
    ['popularity', 'velocity']
    """

    short: str | timedelta = param(duration(), default="1d")
    long: str | timedelta = param(duration(), default="30d")
    event_weights: Mapping[str, float] | None = param(
        optional(mapping("from event type to weight")), default=None
    )

    def tallies(self) -> Mapping[str, Tally]:
        kinds = EVENT_WEIGHTS if self.event_weights is None else self.event_weights
        return {
            name: Tally("item", fact="weight", kinds=kinds, half_life=half_life)
            for name, half_life in (("short", self.short), ("long", self.long))
        }

    def columns(self) -> Mapping[str, str]:
        return {
            "popularity": f"ln(1 + T), half-life {self.long}",
            "velocity": f"ln of the rate lately (half-life {self.short}) "
            f"over the usual rate (half-life {self.long})",
        }

    def compute(self, seen: Seen) -> Sequence[Array]:
        short, long = _days(self.short), _days(self.long)
        lately, usually = np.maximum(seen["short"], 0) / short, np.maximum(seen["long"], 0) / long
        return [np.log1p(usually * long), np.log((lately + 1 / long) / (usually + 1 / long))]


class Conversion(Feature):
    r"""How often one kind of event follows another, drawn towards the shop's own rate.

    .. math:: \frac{to_k + prior \cdot g}{from_k + prior}, \qquad g = \frac{to}{from}

    Parameters
    ----------
    of : str
        ``"item"``, ``"user"`` or a category of items.
    before, after : event type
        Such as view and purchase, or impression and click.
    prior : float, at least 0
        Events of the kind ``before`` with which everything begins.
    half_life : duration

    Examples
    --------
    >>> list(Conversion(before="impression", after="click").columns())
    ['impression_to_click_item']
    """

    of: str = param(WORD, default="item")
    before: str = param(one_of(*EVENT_TYPES), default="view")
    after: str = param(one_of(*EVENT_TYPES), default="purchase")
    prior: float = param(real(at_least=0), default=20.0)
    half_life: str | timedelta = param(duration(), default="30d")

    def tallies(self) -> Mapping[str, Tally]:
        return {
            f"{name} {where}": Tally(*key, kinds=[kind], half_life=self.half_life)
            for name, kind in (("before", self.before), ("after", self.after))
            for where, key in (("here", (self.of,)), ("shop", ()))
        }

    def columns(self) -> Mapping[str, str]:
        return {
            f"{self.before}_to_{self.after}_{self.of}": f"({self.after}s of the {self.of} + "
            f"{self.prior:g} x shop's rate) / ({self.before}s of the {self.of} + {self.prior:g})"
        }

    def compute(self, seen: Seen) -> Sequence[Array]:
        usual = ratio(seen["after shop"], seen["before shop"])
        return [shrunk(seen["after here"], seen["before here"], usual, self.prior)]


class ItemAge(Feature):
    """How new the candidate is, and how long nobody has touched it.

    Examples
    --------
    >>> list(ItemAge().columns())
    ['item_age', 'item_idle']
    """

    def tallies(self) -> Mapping[str, Tally]:
        return {
            "first": Tally("item", fact="time", keep="smallest"),
            "latest": Tally("item", fact="time", keep="largest"),
        }

    def columns(self) -> Mapping[str, str]:
        return {
            "item_age": "days since the item's created_at, else since its first event",
            "item_idle": "days since the item's latest event",
        }

    def compute(self, seen: Seen) -> Sequence[Array]:
        created = seen.attribute("created_at") / DAY_MS
        since = np.where(np.isnan(created), seen["first"], created)
        return [seen.today - since, seen.today - seen["latest"]]


def _is_zone(name: object) -> bool:
    try:
        return isinstance(name, str) and bool(ZoneInfo(name))
    except (KeyError, ValueError, OSError):
        return False


_ZONE = Bound("a time zone such as 'Europe/Berlin'", _is_zone)


class Context(Feature):
    """The moment and the page: hour, weekday and season as cycles, and whatever is said of it.

    Parameters
    ----------
    numbers : sequence of str
        Columns of the rows, or keys of a request's context, that are numbers: stock pressure,
        traffic, temperature.
    categories : mapping from name to values, optional
        Columns or keys that are words: a column of 0 and 1 for each value.
    time_zone : str
        Where hours and days are counted.

    Examples
    --------
    >>> context = Context(numbers=["temperature"], categories={"device": ["mobile", "desktop"]})
    >>> list(context.columns())[6:]
    ['temperature', 'device_mobile', 'device_desktop']
    """

    numbers: Sequence[str] = param(WORDS, default=())
    categories: Mapping[str, Sequence[Any]] | None = param(
        optional(mapping("from a column to its values")), default=None
    )
    time_zone: str = param(_ZONE, default="UTC")

    def columns(self) -> Mapping[str, str]:
        cycles = {
            f"{name}_{wave}": f"{wave} of the {words} ({self.time_zone})"
            for name, words in _CYCLES.items()
            for wave in ("sin", "cos")
        }
        said = {name: f"{name} as the question says" for name in self.numbers}
        words = {
            f"{name}_{value}": f"1 where {name} is {value!r}"
            for name, values in (self.categories or {}).items()
            for value in values
        }
        return cycles | said | words

    def context(self) -> Sequence[str]:
        return (*self.numbers, *(self.categories or {}))

    def compute(self, seen: Seen) -> Sequence[Array | float]:
        # One request asks at one moment: its waves are computed once.
        now = seen.now[:1] if len(seen) and (seen.now == seen.now[0]).all() else seen.now
        waves = _waves(_local(now, self.time_zone))
        return [
            *waves,
            *(seen.number(name) for name in self.numbers),
            *(
                seen.equals(name, value)
                for name, values in (self.categories or {}).items()
                for value in values
            ),
        ]


_CYCLES = {"hour": "time of day", "weekday": "time of week", "season": "time of year"}
_FIRST_MONDAY = 4  # days from 1970-01-01, a Thursday
_YEAR_DAYS = 365.2425
_CALENDAR_MS = (-62_135_424_000_000.0, 253_402_128_000_000.0)  # the years 1 to 9999, less two days


def _local(now: Array, time_zone: str) -> Array:
    """Return wall-clock time in days since 1970-01-01 00:00 of a time zone, float64."""
    if time_zone == "UTC":
        return now / DAY_MS
    within = np.clip(now, *_CALENDAR_MS)  # time zones end where calendars do
    moments = pd.DatetimeIndex(within.astype("datetime64[ms]")).tz_localize("UTC")
    wall = moments.tz_convert(time_zone).tz_localize(None)
    return wall.as_unit("ms").asi8 / DAY_MS


def _waves(days: Array) -> list[Array]:
    turns = (days % 1.0, (days - _FIRST_MONDAY) / 7.0, days / _YEAR_DAYS)
    angles = [2.0 * np.pi * turn for turn in turns]
    return [wave(angle) for angle in angles for wave in (np.sin, np.cos)]
