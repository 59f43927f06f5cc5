"""Moments and schedules: what dates mean in the time zone of a shop.

A day starts at its first moment there, also where clocks change and it is 23 or 25 hours long. A
local time that does not exist (clocks go forward) is read as if they had not been changed yet; of
one that exists twice (clocks go back) the first is meant.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

from recopersona.rules.nodes import UNITS, Duration, During, Moment

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)


def moment_of(moment: Moment, timezone: str) -> int:
    """Return a moment in milliseconds since 1970 UTC.

    Examples
    --------
    >>> moment_of(Moment("1970-01-02"), "UTC"), moment_of(Moment("1970-01-01T02:00+01:00"), "UTC")
    (86400000, 3600000)
    >>> moment_of(Moment("1970-01-01T01:00"), "Europe/Berlin")
    0
    """
    return _to_ms(_read(moment, timezone))


def duration_of(duration: Duration) -> float:
    """Return a duration in milliseconds, whole where it is a whole number of them.

    Examples
    --------
    >>> duration_of(Duration(90, "d")), duration_of(Duration(1.5, "s"))
    (7776000000, 1500)
    """
    milliseconds = duration.amount * (1_000 * UNITS[duration.unit])
    return int(milliseconds) if milliseconds == milliseconds // 1 else milliseconds


@dataclass(frozen=True, slots=True)
class Schedule:
    """When a rule is on: from ``start``, up to and without ``end``, in milliseconds UTC.

    Examples
    --------
    >>> july = Schedule.of(During(Moment("2026-07-01"), Moment("2026-07-31")), "Europe/Berlin")
    >>> last_night = moment_of(Moment("2026-07-31T23:59:59"), "Europe/Berlin")
    >>> july.on(last_night), july.on(last_night + 1_000), july.on(None)
    (True, False, False)
    """

    start: int | None
    end: int | None

    @classmethod
    def of(cls, during: During, timezone: str) -> Schedule:
        """Read a schedule in a time zone.

        A last day is included: it ends where the next one starts. An end with a time is where
        the schedule ends, so that one campaign may start at the moment at which another ends.
        """
        start = None if during.start is None else moment_of(during.start, timezone)
        return cls(start, None if during.end is None else _end_of(during.end, timezone))

    def on(self, now: int | None) -> bool:
        """Tell whether the schedule is on; without any time it is not."""
        if now is None:
            return False
        started = self.start is None or now >= self.start
        return started and (self.end is None or now < self.end)


def ends_before(end: Moment, start: Moment, timezone: str) -> bool:
    """Tell whether a schedule would be over before it starts.

    Examples
    --------
    >>> ends_before(Moment("2026-07-01"), Moment("2026-07-01T18:00"), "UTC")
    False
    """
    first, last = moment_of(start, timezone), _end_of(end, timezone)
    if last is None:
        return False
    return last <= first if _is_day(end) else last < first


def has_zone(moment: Moment) -> bool:
    """Tell whether a moment says its own offset from UTC.

    Examples
    --------
    >>> [has_zone(Moment(f"2026-07-01{rest}")) for rest in ("", "T18:00", "T18:00-02:00")]
    [False, False, True]
    """
    clock = moment.value.partition("T")[2]
    return any(sign in clock for sign in "Z+-")


def _is_day(moment: Moment) -> bool:
    return len(moment.value) == len("2026-07-01")


def _end_of(moment: Moment, timezone: str) -> int | None:
    last = _read(moment, timezone)
    if not _is_day(moment):
        return _to_ms(last)
    try:
        return _to_ms(last + timedelta(days=1))  # by the calendar: midnight to midnight
    except OverflowError:  # the last day that the calendar knows
        return None


def _read(moment: Moment, timezone: str) -> datetime:
    read = datetime.fromisoformat(moment.value)
    return read if read.tzinfo is not None else read.replace(tzinfo=_zone_of(timezone))


def _to_ms(moment: datetime) -> int:
    return (moment - _EPOCH) // _MS


def _zone_of(timezone: str) -> tzinfo:
    return UTC if timezone == "UTC" else ZoneInfo(timezone)  # the one is known without any data
