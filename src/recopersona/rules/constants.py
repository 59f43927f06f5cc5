"""What an expression is worth where it reads nothing: ``20% * 3`` is 0.6 for every item."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, TypeAlias

from recopersona.rules.calendar import duration_of, moment_of
from recopersona.rules.nodes import (
    Arithmetic,
    Compare,
    Duration,
    Expression,
    Flag,
    Moment,
    Negative,
    Number,
    Percent,
    Text,
)

Constant: TypeAlias = "bool | float | str"
"""A flag, a number (moments and durations in milliseconds), or text."""

_COMPARED: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_RECKONED: dict[str, Callable[[Any, Any], float]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
}


def constant(node: Expression, timezone: str = "UTC") -> Constant | None:
    """Return the value of a checked expression that reads nothing, or None where it does.

    Examples
    --------
    >>> constant(Arithmetic("*", Percent(20), Number(3.0)))
    0.6000000000000001
    >>> constant(Duration(1, "d")), constant(Compare(">", Number(1), Number(2)))
    (86400000, False)
    """
    match node:
        case Number(value=number):
            return number
        case Percent(value=hundredths):
            return hundredths / 100
        case Text(value=text):
            return text
        case Flag(value=flag):
            return flag
        case Moment():
            return moment_of(node, timezone)
        case Duration():
            return duration_of(node)
        case Negative(value=value):
            known = constant(value, timezone)
            return None if known is None or isinstance(known, str) else -known
        case Arithmetic(op=op, left=left, right=right):
            return _both(_RECKONED[op], left, right, timezone)
        case Compare(op=op, left=left, right=right):
            return _both(_COMPARED[op], left, right, timezone)
        case _:
            return None


def _both(
    of: Callable[[Any, Any], Constant], left: Expression, right: Expression, timezone: str
) -> Constant | None:
    first = constant(left, timezone)
    second = None if first is None else constant(right, timezone)
    if second is None:
        return None
    try:
        return of(first, second)
    except (ZeroDivisionError, OverflowError):  # unknown, for every item
        return None
