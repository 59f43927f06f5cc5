"""Axes with round ticks: numbers, powers of ten and calendar time, each as places in percent."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, floor, log10
from typing import Any

import numpy as np
import pandas as pd

from recopersona.data.types import Array
from recopersona.report.numerals import MONTHS, Format, formatted, text_of, tick_writer

_MINUTE, _HOUR, _DAY = 60_000, 3_600_000, 86_400_000
_MOST_TICKS = 7
_CALENDAR = [
    *((f"{n}min", n * _MINUTE) for n in (1, 5, 15, 30)),
    *((f"{n}h", n * _HOUR) for n in (1, 3, 6, 12)),
    *((f"{n}D", n * _DAY) for n in (1, 2, 7, 14)),
    *((f"{n}MS", n * 30 * _DAY) for n in (1, 3, 6)),
    *((f"{n}YS", n * 365 * _DAY) for n in (1, 2, 5, 10, 20, 50, 100)),
]


@dataclass(frozen=True)
class Axis:
    """A range with marked places.

    Parameters
    ----------
    low, high : float
        The ends, ``low < high``.
    ticks : tuple of (float, str)
        What is marked, from low to high, and how it is written.
    log : bool
        Whether equal steps are equal ratios.

    Examples
    --------
    >>> Axis(0.0, 50.0, ((0.0, "0"), (50.0, "50"))).place(10)
    20.0
    """

    low: float
    high: float
    ticks: tuple[tuple[float, str], ...]
    log: bool = False

    def place(self, value: float) -> float:
        """Return where a value stands, in percent of the way from low to high."""
        low, high = self.low, self.high
        if self.log:
            low, high, value = log10(low), log10(high), log10(value)
        return round(100 * (value - low) / (high - low), 3)


def number_axis(
    values: Array, *, ticks: int = 5, from_zero: bool = False, how: Format | None = None
) -> Axis:
    """Return an axis for numbers, ending on round ones.

    Zero is on it when asked for, or when the values stand so close to it that it costs no more
    than half of the room.

    Parameters
    ----------
    values : float64 (n,)
        NaN is passed over.
    ticks : int
        About how many steps.

    Examples
    --------
    >>> [text for _, text in number_axis(np.array([0.031, 0.194])).ticks]
    ['0.00', '0.05', '0.10', '0.15', '0.20']
    >>> [text for _, text in number_axis(np.array([-1200.0, 800.0])).ticks]
    ['−1,500', '−1,000', '−500', '0', '500', '1,000']
    """
    low, high = _span(values)
    if from_zero or 0 < low < high - low:
        low = min(low, 0.0)
    if from_zero or 0 < -high < high - low:
        high = max(high, 0.0)
    step = _round_step((high - low) / ticks)
    first, last = floor(low / step + 1e-9), ceil(high / step - 1e-9)
    write = tick_writer(step)
    marks = [place * step for place in range(first, last + 1)]
    return Axis(
        marks[0],
        marks[-1],
        tuple((mark, write(mark) if how is None else formatted(mark, how)) for mark in marks),
    )


def tight_axis(values: Array) -> Axis:
    """Return an axis for numbers that ends where the numbers end.

    Parameters
    ----------
    values : float64 (n,)
        Finite, at least one.

    Examples
    --------
    >>> axis = tight_axis(np.array([1.0, 20.0]))
    >>> axis.low, axis.high, [text for _, text in axis.ticks]
    (1.0, 20.0, ['5', '10', '15', '20'])
    """
    low, high = float(values.min()), float(values.max())
    wide = number_axis(values)
    if low == high:
        return Axis(wide.low, wide.high, ((low, text_of(low)),))
    return Axis(low, high, tuple(tick for tick in wide.ticks if low <= tick[0] <= high))


def log_axis(low: float, high: float) -> Axis:
    """Return an axis of powers of ten from one number above zero to another.

    Examples
    --------
    >>> [text for _, text in log_axis(1, 4000).ticks]
    ['1', '10', '100', '1,000']
    >>> [text for _, text in log_axis(1, 30).ticks]
    ['1', '2', '5', '10', '20']
    """
    high = max(high, 2 * low)
    powers = range(floor(log10(low)), ceil(log10(high)) + 1)
    digits = (1, 2, 5) if high < 100 * low else (1,)
    write = tick_writer(1)
    marks = [float(digit * 10**power) for power in powers for digit in digits]
    return Axis(
        low, high, tuple((mark, write(mark)) for mark in marks if low <= mark <= high), log=True
    )


def time_axis(moments: Array) -> Axis:
    """Return an axis of calendar time.

    Parameters
    ----------
    moments : int64 (n,)
        Milliseconds since 1970 UTC, at least one.

    Examples
    --------
    >>> year = pd.to_datetime(["2010-12-01", "2011-12-09"]).as_unit("ms").asi8
    >>> [text for _, text in time_axis(year).ticks]
    ['Jan 2011', 'Apr', 'Jul', 'Oct']
    >>> week = pd.to_datetime(["2026-02-26", "2026-03-03"]).as_unit("ms").asi8
    >>> [text for _, text in time_axis(week).ticks]
    ['26 Feb 2026', '27 Feb', '28 Feb', '1 Mar', '2 Mar', '3 Mar']
    """
    low, high = int(moments.min()), int(moments.max())
    if low == high:
        only = (float(low), text_of(pd.Timestamp(low, unit="ms")))
        return Axis(low - _HOUR, high + _HOUR, (only,))
    marks, freq = _calendar_marks(low, high)
    ticks = (
        (float(moment), _calendar_text(mark, freq, first=place == 0))
        for place, (mark, moment) in enumerate(zip(marks, marks.asi8, strict=True))
    )
    return Axis(float(low), float(high), tuple(ticks))


def _span(values: Array) -> tuple[float, float]:
    """Return the least and the greatest value, moved apart where they are the same."""
    finite = values[np.isfinite(values)]
    if not finite.size:
        return 0.0, 1.0
    low, high = float(finite.min()), float(finite.max())
    if high - low > 1e-9 * max(abs(low), abs(high)):
        return low, high
    room = abs(low) / 10 or 1.0
    return low - room, high + room


def _round_step(rough: float) -> float:
    power = floor(log10(rough))
    size: float = 10.0**power
    digit = next(digit for digit in (1, 2, 2.5, 5, 10) if rough <= digit * size * (1 + 1e-9))
    # A power of ten below 1 has no exact float: dividing by its inverse gives the nearest one.
    return digit * size if power >= 0 else digit / 10.0**-power


def _calendar_marks(low: int, high: int) -> tuple[pd.DatetimeIndex, str]:
    start, end = (pd.Timestamp(moment, unit="ms").as_unit("ms") for moment in (low, high))
    for freq, length in _CALENDAR:
        if (high - low) / length > 2 * _MOST_TICKS:
            continue
        marks = pd.date_range(_calendar_start(start, freq), end, freq=freq, unit="ms")
        marks = marks[marks >= start]
        if len(marks) <= _MOST_TICKS:
            break
    return marks, freq


def _calendar_start(start: pd.Timestamp, freq: str) -> pd.Timestamp:
    """Return a moment before the start from which steps fall on round dates."""
    if freq.endswith(("min", "h")):
        return start.normalize()
    if freq.endswith("D"):
        weeks = int(freq[:-1]) >= 7
        return start.normalize() - pd.Timedelta(days=start.weekday() if weeks else 0)
    every = int(freq[:-2]) if freq.endswith("YS") else 1
    return pd.Timestamp(start.year // every * every or 1, 1, 1).as_unit("ms")


def _calendar_text(mark: Any, freq: str, first: bool) -> str:
    month = MONTHS[mark.month - 1]
    if freq.endswith("YS"):
        return str(mark.year)
    if freq.endswith("MS"):
        return f"{month} {mark.year}" if first or mark.month == 1 else month
    if freq.endswith("D") or mark == mark.normalize():
        return f"{mark.day} {month} {mark.year}" if first else f"{mark.day} {month}"
    return f"{mark:%H:%M}"
