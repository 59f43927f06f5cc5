"""Values as Python and JSON have them, turned into the nodes that the text would give.

Text cannot be ordered, so where something is compared by ``<``, added or multiplied, ``"30d"`` is a
duration, ``"20%"`` a share and ``"2026-07-01"`` a date; everywhere else text is text.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import islice
from numbers import Integral, Real
from typing import Any, NoReturn, TypeVar

import numpy as np
import pandas as pd

from recopersona.errors import RuleError, shown
from recopersona.rules.limits import MOST_BYTES, MOST_COUNT, TOO_LONG
from recopersona.rules.nodes import (
    UNITS,
    Duration,
    Expression,
    Flag,
    Moment,
    Number,
    Percent,
    Text,
    negative,
)
from recopersona.rules.text.literals import is_moment, moment_from, number_from

_Read = TypeVar("_Read")


def literal(value: Any, ordered: bool = False) -> Expression:
    """Return the node of a plain value: a number, text, a flag, a date, a length of time.

    Parameters
    ----------
    value : bool, int, float, str, date, datetime, timedelta, or their like in numpy and pandas
    ordered : bool
        Whether it stands where text cannot: beside ``<``, in a sum, in a function.

    Raises
    ------
    RuleError
        If no rule can hold it, such as NaN.

    Examples
    --------
    >>> literal(3), literal("30d"), literal("30d", ordered=True)
    (Number(value=3), Text(value='30d'), Duration(amount=30, unit='d'))
    """
    if isinstance(value, (bool, np.bool_)):
        return Flag(bool(value))
    if isinstance(value, str):
        return _ordered_text(str(value)) if ordered else Text(whole_text(value))
    if isinstance(value, (timedelta, np.timedelta64)):
        return _length(value)
    if isinstance(value, (date, np.datetime64)):
        return moment(value)
    if isinstance(value, (Real, Decimal)):
        return Number(finite(value))
    if value is None or value is pd.NA:
        _refuse_missing()
    raise RuleError(
        f"expected a number, text, True or False, a date or a length of time, got {shown(value)}."
    )


def _refuse_missing() -> NoReturn:
    raise RuleError("nothing equals a missing value; ask x.is_unknown(), or as text x IS UNKNOWN.")


def _ordered_text(value: str) -> Expression:
    if is_moment(value):
        return moment(value)
    if value[:1] in _DIGITS:
        found = _from_text(number_from, value)
        if not isinstance(found, Number):
            return found
        raise RuleError(f"expected a number, got the text {shown(value)}; write it without quotes.")
    raise RuleError(
        "text cannot be ordered: expected a number, a duration such as '30d' or a date such as "
        f"'2026-07-01', got {shown(value)}."
    )


_DIGITS = frozenset("0123456789")


def _from_text(read: Callable[[str, str, int], _Read], value: str) -> _Read:
    """Read a value as text has it; its place is that in the value, and of no use."""
    try:
        found = read(whole_text(value), value, 0)
    except RuleError as problem:
        raise RuleError(problem.problem) from None
    return type(found)(*_said(found))


def _said(node: Any) -> tuple[Any, ...]:
    """What a literal says, without its place."""
    return (node.amount, node.unit) if isinstance(node, Duration) else (node.value,)


def finite(value: Any) -> float:
    """Return a number; whole ones keep all their digits. Refuse NaN and the infinite."""
    try:
        number = float(value)
    except (OverflowError, TypeError, ValueError):
        number = math.inf
    if math.isnan(number):
        _refuse_missing()
    if math.isinf(number):
        raise RuleError(f"expected a finite number, got {shown(value)}.")
    return int(value) if isinstance(value, Integral) else number


def whole(value: Any, least: int = 0, most: int = MOST_COUNT) -> int:
    """Return a whole number within bounds."""
    known = isinstance(value, (Integral, float)) and not isinstance(value, (bool, np.timedelta64))
    if not known or not least <= value <= most or value != int(value):
        raise RuleError(f"expected a whole number from {least:,} to {most:,}, got {shown(value)}.")
    return int(value)


def whole_text(value: Any) -> str:
    """Return text that can be written to a file; refuse anything else."""
    if not isinstance(value, str):
        raise RuleError(f"expected text, got {shown(value)}.")
    if not value.isascii() and any("\ud800" <= character <= "\udfff" for character in value):
        raise RuleError(f"text holds half a character: {shown(value)}.")
    return str(value)


def name_from(value: Any, what: str) -> str:
    """Return the name of something: text that is not empty."""
    if not isinstance(value, str) or not value:
        raise RuleError(f"expected {what} as text, got {shown(value)}.")
    return whole_text(value)


# -- shares, lengths of time, dates --------------------------------------------------------------


def percent(value: Any) -> Percent:
    """Read a share: ``"20%"``."""
    if isinstance(value, str) and value[:1] in _DIGITS and value[-1:] == "%":
        found = _from_text(number_from, value)
        if isinstance(found, Percent):
            return found
    raise RuleError(f"expected a share such as '20%', got {shown(value)}.")


def duration(value: Any) -> Duration:
    """Read a length of time, not below zero: ``"90d"`` or a ``timedelta``."""
    found: object = None
    if isinstance(value, str) and value[:1] in _DIGITS and not is_moment(value):
        found = _from_text(number_from, value)
    elif isinstance(value, (timedelta, np.timedelta64)):
        found = _length(value)
    if not isinstance(found, Duration):
        raise RuleError(f"expected a length of time such as '90d', got {shown(value)}.")
    return found


def _length(value: Any) -> Expression:
    """Return a timedelta in the largest of days, hours, minutes, seconds that holds it whole."""
    if not isinstance(value, timedelta):
        value = _of_numpy(pd.Timedelta, value)
        if pd.isna(value):
            _refuse_missing()
    if value < timedelta(0):
        return negative(_length(-value))
    seconds = value.days * UNITS["d"] + value.seconds
    if value.microseconds or getattr(value, "nanoseconds", 0):
        return Duration(value.total_seconds(), "s")
    unit = next(unit for unit in "dhms" if seconds % UNITS[unit] == 0)
    return Duration(seconds // UNITS[unit], unit)


def _of_numpy(kind: Callable[[Any], Any], value: Any) -> Any:
    try:
        return kind(value)
    except (ValueError, OverflowError):
        raise RuleError(f"expected a time that a calendar has, got {shown(value)}.") from None


def moment(value: Any) -> Moment:
    """Read a day or a moment: ``"2026-07-01"``, ``"2026-07-01T18:00+02:00"``, a date, a datetime.

    Examples
    --------
    >>> moment(date(2026, 7, 1)).value, moment(pd.Timestamp("2026-07-01 18:00", tz="UTC")).value
    ('2026-07-01', '2026-07-01T18:00Z')
    """
    if isinstance(value, np.datetime64):
        value = _of_numpy(pd.Timestamp, value)
    if value is pd.NaT:
        _refuse_missing()
    if isinstance(value, datetime):
        return _from_text(moment_from, _written(value))
    if isinstance(value, date):
        return _from_text(moment_from, value.isoformat())
    if isinstance(value, str) and value[:1] in _DIGITS:
        return _from_text(moment_from, str(value))
    raise RuleError(f"expected a date such as '2026-07-01', got {shown(value)}.")


def _written(value: datetime) -> str:
    """Write a moment without seconds, where it has none, and with ``Z`` for UTC."""
    if getattr(value, "nanosecond", 0):
        raise RuleError(f"dates in rules are exact to the microsecond, got {value}.")
    written = value.isoformat()
    local, zone = written[:19], written[19:]
    if local.endswith(":00") and not zone.startswith("."):
        local = local[:-3]
    return local + zone.replace("+00:00", "Z")


def listed(values: Any) -> list[Any]:
    """Return many values as a list; the members of a set in one order, whatever their hashes."""
    many = isinstance(values, Iterable) and not isinstance(values, (str, bytes, dict))
    if not many or getattr(values, "ndim", 1) != 1:
        raise RuleError(f"expected a list such as ['tea', 'salt'], got {shown(values)}.")
    found = list(islice(values, MOST_BYTES + 1))  # `range(10**12)` is a list as well
    if len(found) > MOST_BYTES:
        raise RuleError(TOO_LONG)
    if not found:
        raise RuleError("expected a list of at least one value, got an empty one.")
    return sorted(found, key=repr) if isinstance(values, (set, frozenset)) else found
