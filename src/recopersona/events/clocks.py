"""Times row by row: which can be read, in which unit, and what is wrong with the others.

`recopersona.data.times` reads a column as a whole and refuses it at the first bad value. A raw log
is read here with one verdict for every row.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from recopersona.data.times import (
    LONGEST_TIME,
    MISSING_TIME,
    ONE_READING,
    scale_to_ms,
    to_ms,
    units_by_size,
)
from recopersona.data.types import Array, Mask
from recopersona.events.identifiers import words_of
from recopersona.events.numbers import readable_numbers

_UNITS = ("s", "ms", "us", "ns")
_HAS_ZONE = r"(?:[Zz]|UTC|GMT|[T ]\d\d[\d:.,]*\s*[+-]\d\d:?(?:\d\d)?)\s*$"


@dataclass(frozen=True, eq=False)
class Clock:
    """What a column of times says, row by row.

    milliseconds  int64 (n,) since 1970 UTC, `MISSING_TIME` where there is none
    microseconds  int64 (n,) the same, as exactly as it is written
    missing       bool (n,), nothing is written
    unreadable    bool (n,), what is written is no time
    impossible    bool (n,), a number that fits no unit between the years 1980 and 2200
    other_unit    bool (n,), a number in another unit than most
    """

    milliseconds: Array
    microseconds: Array
    missing: Mask
    unreadable: Mask
    impossible: Mask
    other_unit: Mask


def read_clock(column: pd.Series) -> Clock:
    """Read datetimes, ISO text, or numbers in s, ms, us or ns since 1970, also mixed.

    Naive times are UTC.

    Examples
    --------
    >>> clock = read_clock(pd.Series(["2026-01-31", "1700000000", "soon", None, "7"]))
    >>> clock.milliseconds[:2].tolist()
    [1769817600000, 1700000000000]
    >>> clock.unreadable.tolist()
    [False, False, True, False, False]
    >>> clock.missing.tolist(), clock.impossible.tolist()
    ([False, False, False, True, False], [False, False, False, False, True])
    """
    if isinstance(column.dtype, pd.CategoricalDtype):
        column = column.astype(column.cat.categories.dtype)
    missing = column.isna().to_numpy(dtype=np.bool_, copy=True)
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        nowhere = np.zeros(len(column), dtype=np.bool_)
        return Clock(to_ms(column), _datetimes_to_us(column), missing, nowhere, nowhere, nowhere)
    numbers = _numbers(column)
    units = units_by_size(numbers.astype(np.float64))
    milliseconds, microseconds = _of_each_unit(numbers, units)
    wordy = ~missing & (units < 0) & _may_be_text(column)
    if wordy.any():
        texts = _as_texts(column[wordy])
        missing[wordy] = texts.str.strip().eq("").to_numpy()
        times = parse_texts(texts)
        milliseconds[wordy], microseconds[wordy] = to_ms(times), _datetimes_to_us(times)
    wrong = (milliseconds == MISSING_TIME) & ~missing
    is_number = np.isfinite(numbers.astype(np.float64))
    return Clock(
        milliseconds, microseconds, missing, wrong & ~is_number, wrong & is_number, _odd_ones(units)
    )


def parse_texts(texts: pd.Series, zone: str = "UTC", time_format: str | None = None) -> pd.Series:
    """Parse text as UTC times, NaT where it is no time; what names no zone is wall-clock time.

    Where clocks are set back, an hour happens twice: the first of the two is meant. A time that
    clocks skip in spring becomes the next that exists.

    Parameters
    ----------
    texts : str Series (n,)
    zone : str
        The time zone of texts that name none.
    time_format : str, optional
        A second form beside ISO 8601, such as ``"%m/%d/%Y %H:%M"``.

    Examples
    --------
    >>> texts = pd.Series(["2010-07-01 12:00", "2010-07-01T12:00Z", "noon"])
    >>> parse_texts(texts, "Europe/London").dt.hour.tolist()
    [11.0, 12.0, nan]
    """
    texts = texts.str.slice(0, LONGEST_TIME)
    zoned = texts.str.contains(_HAS_ZONE, na=False).to_numpy(dtype=np.bool_)
    times = pd.Series(pd.NaT, index=range(len(texts)), dtype="datetime64[us, UTC]")
    if zoned.any():
        times[zoned] = _parse(texts[zoned], time_format).array
    if not zoned.all():
        times[~zoned] = to_utc(_parse(texts[~zoned], time_format).dt.tz_localize(None), zone).array
    return times


def to_utc(times: pd.Series, zone: str = "UTC") -> pd.Series:
    """Turn datetimes into UTC; naive ones are wall-clock times of a zone, see `parse_texts`."""
    if isinstance(times.dtype, pd.ArrowDtype):
        times = pd.Series(pd.DatetimeIndex(times), index=times.index)
    if times.dt.tz is None:
        first_pass = np.ones(len(times), dtype=np.bool_)
        times = times.dt.tz_localize(zone, ambiguous=first_pass, nonexistent="shift_forward")
    in_utc: pd.Series = times.dt.tz_convert("UTC")
    return in_utc


def _as_texts(column: pd.Series) -> pd.Series:
    try:
        return column.astype(str)
    except ValueError:  # half a character, or a number of thousands of digits
        words = [str(value) if _is_moment(value) else words_of(value) for value in column]
        return pd.Series(words, index=column.index, dtype=str)


def _is_moment(value: Any) -> bool:
    return isinstance(value, (dt.date, np.datetime64))


def _may_be_text(column: pd.Series) -> bool:
    return column.dtype == object or pd.api.types.is_string_dtype(column.dtype)


def _numbers(column: pd.Series) -> Array:
    """Return the numbers of a column: int64 if they all are integers, else float64 with NaN."""
    if pd.api.types.is_integer_dtype(column.dtype):
        return column.to_numpy(dtype=np.int64, na_value=0)
    if pd.api.types.is_bool_dtype(column.dtype):
        return np.full(len(column), np.nan)
    return readable_numbers(column)


def _of_each_unit(numbers: Array, units: Array) -> tuple[Array, Array]:
    """Return milliseconds and microseconds."""
    milliseconds = np.full(len(numbers), MISSING_TIME, dtype=np.int64)
    microseconds = milliseconds.copy()
    for code, unit in enumerate(_UNITS):
        rows: Any = units == code
        if rows.all():
            rows = slice(None)
        milliseconds[rows] = scale_to_ms(numbers[rows], unit)
        microseconds[rows] = _scale_to_us(numbers[rows], unit)
    return milliseconds, microseconds


def _scale_to_us(numbers: Array, unit: str) -> Array:
    if unit == "ns":
        return np.floor_divide(numbers, 1_000).astype(np.int64)
    scaled = numbers * {"s": 1_000_000, "ms": 1_000, "us": 1}[unit]
    return scaled if scaled.dtype == np.int64 else np.rint(scaled).astype(np.int64)


def _datetimes_to_us(column: pd.Series) -> Array:
    """Return microseconds; what lies beyond their reach is no time of an event anyway."""
    if getattr(column.dtype, "tz", None) is not None:
        column = column.dt.tz_convert("UTC").dt.tz_localize(None)
    return column.to_numpy(dtype="datetime64[us]").astype(np.int64)


def _odd_ones(units: Array) -> Mask:
    counts = np.bincount(units[units >= 0], minlength=len(_UNITS))
    odd: Mask = (units >= 0) & (units != counts.argmax())
    return odd


def _parse(texts: pd.Series, time_format: str | None) -> pd.Series:
    """Parse ISO text, then the given form, then any form that can only be read one way."""
    times = _parse_as(texts, "ISO8601")
    left = times.isna().to_numpy()
    if time_format is not None and left.any():
        times[left] = _parse_as(texts[left], time_format).array
    left = times.isna().to_numpy() & texts.str.contains(ONE_READING, na=False).to_numpy()
    if left.any():
        times[left] = _parse_as(texts[left], "mixed").array
    return times


def _parse_as(texts: pd.Series, time_format: str) -> pd.Series:
    times = pd.to_datetime(texts, utc=True, format=time_format, errors="coerce")
    return times.dt.as_unit("us")
