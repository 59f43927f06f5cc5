"""Time in one unit: milliseconds since 1970-01-01 UTC, as int64; durations in milliseconds.

Frames bring time in many shapes: naive or zoned datetimes, text, and integers that may be seconds,
milliseconds, microseconds or nanoseconds. Everything is turned into one unit here, at the border,
and a mixture of units is refused instead of guessed at.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd

from recopersona.data.types import Array
from recopersona.errors import DataError, ParameterError, shown

MISSING_TIME = np.iinfo(np.int64).min
"""Stands for "no time" in an int64 array of milliseconds."""

_MS_PER_UNIT = {
    "ms": 1,
    "s": 1_000,
    "m": 60_000,
    "min": 60_000,
    "h": 3_600_000,
    "d": 86_400_000,
    "w": 7 * 86_400_000,
    "mo": 30 * 86_400_000,
    "y": 365 * 86_400_000,
}
_WORDS = {
    "second": "s", "sec": "s", "minute": "min", "min": "min", "hour": "h",
    "day": "d", "week": "w", "month": "mo", "year": "y",
}  # fmt: skip
_UNIT_OF = (
    {unit: unit for unit in _MS_PER_UNIT}
    | _WORDS
    | {f"{word}s": unit for word, unit in _WORDS.items()}
)
_NUMBER = r"\d+(?:\.\d+)?"
_DURATION = re.compile(rf"\s*({_NUMBER})\s*([a-z]+)\s*", re.IGNORECASE)

ONE_READING = r"^\s*\d{4}|\d.*[A-Za-z]{3}.*\d{4}|[A-Za-z]{3}.*\d.*\d{4}"
"""Text that can be read one way: 2011/12/09 and 9 Dec 2011 can; 09/12/2011 and 10:30 cannot."""

LONGEST_TIME = 100
"""Characters of a text to look for a time in: of 10 kB, the pattern above could take minutes."""

_HAS_ONE_READING = re.compile(ONE_READING)

# An integer timestamp between 1980 and 2200 tells its unit by its size: the ranges do not overlap.
_FIRST_SECOND, _LAST_SECOND = 315_532_800, 7_258_118_400
_TICKS_PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_NUMBERS = ("integer", "floating", "mixed-integer-float")  # what pandas calls a column of objects


def duration_ms(value: object, name: str = "duration") -> int:
    """Return a duration in milliseconds.

    Parameters
    ----------
    value : str or timedelta
        A number and a unit (``ms s min h d w mo y``, or in words such as ``"2 weeks"``; a month is
        30 days, a year 365), or a ``timedelta``. Must be longer than nothing.
    name : str
        What the duration is called in an error.

    Raises
    ------
    ParameterError
        If it is not a duration, or not above zero.

    Examples
    --------
    >>> duration_ms("30min"), duration_ms("1.5h"), duration_ms(timedelta(days=1))
    (1800000, 5400000, 86400000)
    """
    if isinstance(value, timedelta):
        milliseconds = value / timedelta(milliseconds=1)
    elif isinstance(value, str) and (found := _DURATION.fullmatch(value)):
        unit = _UNIT_OF.get(found[2].lower())
        if unit is None:
            known = " ".join(_MS_PER_UNIT)
            raise ParameterError(
                f"{name}: unknown unit {found[2]!r} in {value!r}; use one of {known}."
            )
        milliseconds = float(found[1]) * _MS_PER_UNIT[unit]
    else:
        raise ParameterError(
            f"{name} must be a duration such as '30min' or '7d' or a timedelta, "
            f"got {value!r}{_with_a_unit(value)}."
        )
    if not 1 <= milliseconds < 2**62:
        raise ParameterError(f"{name} must be longer than nothing, got {value!r}.")
    return int(milliseconds)


def _with_a_unit(value: object) -> str:
    """What to type in place of a bare number."""
    number = str(value).strip()
    return f"; try '{number}d'" if re.fullmatch(_NUMBER, number) and float(number) > 0 else ""


def moment_ms(value: Any, name: str = "now") -> int:
    """Return one moment in milliseconds since 1970 UTC; naive moments are UTC.

    Parameters
    ----------
    value : datetime, Timestamp, datetime64, str or int
        An integer is already in milliseconds.
    name : str
        What the moment is called in an error.

    Examples
    --------
    >>> moment_ms("1970-01-02"), moment_ms("1970-01-01T01:00:00+01:00"), moment_ms(5)
    (86400000, 0, 5)
    """
    if isinstance(value, (int, np.integer)) and not isinstance(value, bool):
        if abs(int(value)) >= 2**62:
            raise DataError(f"{name} must be milliseconds since 1970, got {shown(value)}.")
        return int(value)
    is_short = not isinstance(value, str) or len(value) <= LONGEST_TIME  # else reading takes long
    if isinstance(value, (datetime, np.datetime64, str)) and is_short:
        try:
            moment = pd.Timestamp(value)
        except ValueError as problem:
            said = str(problem)[:LONGEST_TIME]
            raise DataError(f"{name} must be a moment, got {shown(value)}: {said}.") from None
        if not pd.isna(moment):
            utc = moment if moment.tzinfo is None else moment.tz_convert("UTC").tz_localize(None)
            return int(utc.to_datetime64().astype("datetime64[ms]").astype(np.int64))
    raise DataError(f"{name} must be a moment such as '2026-01-31', got {shown(value)}.")


def to_ms(values: Any, unit: str = "auto", name: str = "timestamp") -> Array:
    """Turn a column of times into int64 milliseconds since 1970 UTC.

    Parameters
    ----------
    values : Series or array
        Datetimes (naive ones are UTC), text in ISO form, or numbers since 1970.
    unit : {"auto", "s", "ms", "us", "ns"}
        The unit of numbers. ``"auto"`` tells it by their size, which is unambiguous between the
        years 1980 and 2200.
    name : str
        What the column is called in an error.

    Returns
    -------
    int64 (n,), with `MISSING_TIME` where there was no time.

    Raises
    ------
    DataError
        If a text is not a time, if the size of a number fits no unit, or if the column mixes
        units. `recopersona.clean` repairs a mixture and counts what it repaired.

    Examples
    --------
    >>> to_ms(np.array([1_700_000_000, 1_700_000_060])).tolist()
    [1700000000000, 1700000060000]
    >>> to_ms(pd.Series(["2026-01-01T00:00:00+01:00"])).tolist() == [moment_ms("2025-12-31T23:00")]
    True
    """
    column = values if isinstance(values, pd.Series) else pd.Series(values)
    if column.dtype == object and pd.api.types.infer_dtype(column, skipna=True) in _NUMBERS:
        column = _plain_numbers(column)
    if pd.api.types.is_numeric_dtype(column.dtype) and column.dtype.kind not in "bc":
        return _numbers_to_ms(column, unit, name)
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        return _datetimes_to_ms(column)
    if pd.api.types.is_string_dtype(column.dtype) or column.dtype == object:
        return _texts_to_ms(column, name)
    raise DataError(f"{name} must hold times, got a column of {column.dtype}.")


def units_by_size(numbers: Array) -> Array:
    """Tell each number's unit by its size: an index into ``s ms us ns``, or -1 where none fits.

    numbers  (n,) float64, NaN fits none
    """
    units = np.full(len(numbers), -1, dtype=np.int8)
    for code, ticks in enumerate(_TICKS_PER_SECOND.values()):
        fits = (numbers >= _FIRST_SECOND * float(ticks)) & (numbers <= _LAST_SECOND * float(ticks))
        units[fits] = code
    return units


def integer_to_ms(number: int) -> int | None:
    """Convert one integer whose size tells its unit, as `to_ms` does; None where no unit fits.

    Examples
    --------
    >>> integer_to_ms(1_700_000_000), integer_to_ms(1_700_000_000_001_999), integer_to_ms(7)
    (1700000000000, 1700000000001, None)
    """
    for ticks in _TICKS_PER_SECOND.values():
        if _FIRST_SECOND * ticks <= number <= _LAST_SECOND * ticks:
            return number * 1_000 // ticks
    return None


def scale_to_ms(numbers: Array, unit: str) -> Array:
    """Convert numbers of one unit into int64 milliseconds, exactly for integers."""
    if unit == "ms" or unit == "s":
        factor = 1 if unit == "ms" else 1_000
        scaled = numbers * factor
        return scaled if scaled.dtype == np.int64 else np.rint(scaled).astype(np.int64)
    divisor = 1_000 if unit == "us" else 1_000_000
    return np.floor_divide(numbers, divisor).astype(np.int64)


def from_ms(milliseconds: Array) -> pd.DatetimeIndex:
    """Return UTC timestamps; `MISSING_TIME` becomes NaT.

    Examples
    --------
    >>> str(from_ms(np.array([0]))[0])
    '1970-01-01 00:00:00+00:00'
    """
    # MISSING_TIME and NaT are the same bits, so no masking is needed.
    return pd.DatetimeIndex(np.asarray(milliseconds).view("datetime64[ms]")).tz_localize("UTC")


def as_text(milliseconds: int | None) -> str | None:
    """Write a moment as ISO 8601 in UTC; None for None and `MISSING_TIME`.

    Examples
    --------
    >>> as_text(0), as_text(1_500), as_text(None)
    ('1970-01-01T00:00:00Z', '1970-01-01T00:00:01.500Z', None)
    """
    if milliseconds is None or milliseconds == MISSING_TIME:
        return None
    return f"{str(np.datetime64(milliseconds, 'ms')).removesuffix('.000')}Z"


def _plain_numbers(column: pd.Series) -> pd.Series:
    try:
        return column.astype("Int64")
    except (OverflowError, TypeError, ValueError):  # fractions, or beyond any unit
        return column.astype("Float64")


def _numbers_to_ms(column: pd.Series, unit: str, name: str) -> Array:
    present = column.notna().to_numpy()
    known = column[present]
    if pd.api.types.is_integer_dtype(column.dtype):
        numbers = known.to_numpy(dtype=np.int64)
    else:
        numbers = known.to_numpy(dtype=np.float64)
    if unit == "auto":
        unit = _the_one_unit(numbers, name)
    elif unit not in _TICKS_PER_SECOND:
        raise ParameterError(f"unit must be auto, s, ms, us or ns, got {unit!r}.")
    milliseconds = np.full(len(column), MISSING_TIME, dtype=np.int64)
    milliseconds[present] = scale_to_ms(numbers, unit)
    return milliseconds


def _the_one_unit(numbers: Array, name: str) -> str:
    if not len(numbers):
        return "ms"
    names = list(_TICKS_PER_SECOND)
    ends = units_by_size(np.array([numbers.min(), numbers.max()], dtype=np.float64))
    if ends[0] == ends[1] >= 0:  # so have all between: each unit's numbers are one stretch
        return names[int(ends[0])]
    codes = units_by_size(numbers.astype(np.float64))
    if (codes < 0).any():
        example = numbers[np.argmax(codes < 0)]
        raise DataError(
            f"{name} {example} fits no unit between the years 1980 and 2200; "
            "give datetimes, or integers in s, ms, us or ns since 1970."
        )
    if (codes != codes[0]).any():
        mixed = " and ".join(names[code] for code in np.unique(codes))
        raise DataError(
            f"{name} mixes units ({mixed}); rp.clean(events) repairs that and counts it."
        )
    return names[int(codes[0])]


def _datetimes_to_ms(column: pd.Series) -> Array:
    if getattr(column.dtype, "tz", None) is not None:
        column = column.dt.tz_convert("UTC").dt.tz_localize(None)
    return column.to_numpy(dtype="datetime64[ms]").astype(np.int64)


def _texts_to_ms(column: pd.Series, name: str) -> Array:
    if pd.api.types.infer_dtype(column, skipna=True).startswith("mixed"):
        _refuse_numbers(column, name)
    try:
        parsed = pd.to_datetime(column, utc=True, format="ISO8601")
    except (ValueError, TypeError, OverflowError):
        # One slow, exact pass over the odd ones: an error must name the first bad value.
        one_reading = column.map(_has_one_reading).to_numpy(dtype=np.bool_)
        parsed = pd.to_datetime(
            column.where(one_reading), utc=True, format="mixed", errors="coerce"
        )
        bad = (parsed.isna() & column.notna()).to_numpy()
        if bad.any():
            row = int(np.argmax(bad))
            raise DataError(
                f"{name} must hold times, got {shown(column.iloc[row])} in row {row}; "
                "write them like 2026-01-31T12:00:00."
            ) from None
    return _datetimes_to_ms(pd.Series(parsed))


def _has_one_reading(value: Any) -> bool:
    try:
        text = str(value)[: LONGEST_TIME + 1]
    except ValueError:  # a list with a number of thousands of digits
        return False
    return len(text) <= LONGEST_TIME and _is_whole(text) and bool(_HAS_ONE_READING.search(text))


def _is_whole(text: str) -> bool:
    """Tell whether a text has no half of a character, which no parser takes."""
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _refuse_numbers(column: pd.Series, name: str) -> None:
    numeric = column.map(lambda value: isinstance(value, Real)) & column.notna()
    if numeric.any():
        row = int(np.argmax(numeric.to_numpy(dtype=np.bool_)))
        raise DataError(
            f"{name} must hold times of one kind, got the number {shown(column.iloc[row])} in "
            f"row {row} among others; rp.clean(events) repairs that and counts it."
        )
