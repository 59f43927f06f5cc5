"""How large rules may grow, in whatever form they come: every reader and writer holds to this."""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import Any

from recopersona.rules.nodes import (
    And,
    Arithmetic,
    Between,
    Call,
    Compare,
    Expression,
    Has,
    In,
    IsUnknown,
    Negative,
    Not,
    Or,
    StartsWith,
)

MOST_BYTES = 64 * 1024
"""Of text, in UTF-8."""

MOST_JSON_BYTES = 16 * MOST_BYTES
"""Of JSON, which says the same at several times the length."""

MOST_DEPTH = 32
"""Of expressions: a field alone is 1 deep, ``item.stock > 0`` is 2 deep."""

MOST_RULES = 256
"""In one set."""

MOST_OPERATIONS = 4_000
"""Comparisons, sums and the like in one set, so that no text takes long to read."""

MOST_COUNT = 2**31 - 1
"""Of items and slots, and the highest priority (the lowest is its opposite)."""

TOO_DEEP = f"an expression may be nested {MOST_DEPTH} deep, got more; split it into several rules."
TOO_MANY = f"a set may have {MOST_OPERATIONS:,} operations, got more; split it into several sets."
TOO_MANY_RULES = f"a set has at most {MOST_RULES} rules, got more; make several sets."
TOO_LONG = f"a set may be {MOST_BYTES:,} bytes long, got more; split it into several sets."


def excess_of(*expressions: Expression) -> str | None:
    """Say in what the expressions of a set are too large, if they are.

    No recursion here, so that any expression can be asked about; and one whose parts are shared,
    such as ``e = e + e`` thirty times over, is left as soon as it would not fit a text.

    Examples
    --------
    >>> from recopersona.rules.nodes import Field
    >>> excess_of(Not(Field("item", "adult"))) is None
    True
    """
    seen, operations = 0, 0
    level = [whole for whole in expressions if type(whole) in _PARTS]
    for _ in range(MOST_DEPTH):
        if not level:
            return None
        below: list[Expression] = []
        for whole in level:
            parts = parts_of(whole)
            operations += len(parts) if type(whole) is Call else type(whole) not in _JOINS
            seen += len(parts)
            if seen > MOST_BYTES:
                return TOO_LONG
            below += [part for part in parts if type(part) in _PARTS]
        if operations > MOST_OPERATIONS:
            return TOO_MANY
        level = below
    return TOO_DEEP


def parts_of(expression: Expression) -> tuple[Expression, ...]:
    """Return the expressions that an expression is directly made of, in the order of the text.

    Examples
    --------
    >>> from recopersona.rules.nodes import Field, Number
    >>> parts_of(Compare(">", Field("item", "stock"), Number(0)))
    (Field(of='item', name='stock'), Number(value=0))
    """
    parts = _PARTS.get(type(expression))
    return () if parts is None else parts(expression)


def _members_too(test: Any) -> tuple[Expression, ...]:
    members = test.members
    return (test.value, *(members if isinstance(members, tuple) else (members,)))


_PARTS: dict[type, Callable[[Any], tuple[Expression, ...]]] = (
    dict.fromkeys((And, Or, Call), attrgetter("args"))
    | dict.fromkeys((Compare, Arithmetic), attrgetter("left", "right"))
    | dict.fromkeys((Not, Negative, IsUnknown, StartsWith), lambda whole: (whole.value,))
    | dict.fromkeys((In, Has), _members_too)
    | {Between: attrgetter("value", "low", "high")}
)
_JOINS = frozenset({And, Or})
