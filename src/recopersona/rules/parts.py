"""What rules and expressions are made of."""

from __future__ import annotations

from collections.abc import Callable, Iterator
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
    Rule,
    StartsWith,
)


def expressions_of(rule: Rule) -> list[Expression]:
    """Return the expressions of a rule: its condition, factor, key and ``WHEN``."""
    found = (getattr(rule, name, None) for name in ("where", "by", "per", "when"))
    return [expression for expression in found if expression is not None]


def all_in(*expressions: Expression) -> Iterator[Expression]:
    """Yield expressions and everything in them, from the outside in."""
    for expression in expressions:
        yield expression
        yield from all_in(*parts_of(expression))


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


def has_parts(expression: Expression) -> bool:
    """Tell whether an expression is made of others."""
    return type(expression) in _PARTS


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
