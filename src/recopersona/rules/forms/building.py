"""Nodes from loose parts: what Python's operators and the JSON reader both build with.

Each function takes nodes or plain values and returns one canonical node, or says what is wrong.
"""

from __future__ import annotations

from typing import Any

from recopersona.data.event import EVENT_CODES
from recopersona.errors import RuleError, did_you_mean, hint, shown
from recopersona.rules.forms.plain_values import (
    duration,
    listed,
    literal,
    name_from,
    whole,
    whole_text,
)
from recopersona.rules.nodes import (
    FUNCTIONS,
    NAMESPACES,
    ORDERS,
    Arithmetic,
    Between,
    Call,
    Compare,
    Did,
    Expression,
    Field,
    Has,
    In,
    Members,
    Node,
    Param,
    StartsWith,
)
from recopersona.rules.parts import all_in


def value_of(given: Any, ordered: bool = False) -> Expression:
    """Return a node as it is, and a plain value as its literal."""
    return given if isinstance(given, Node) else literal(given, ordered)  # type: ignore[return-value]


def compare(op: str, left: Any, right: Any) -> Compare:
    """``left op right``; beside an order, text is a duration, a share or a date."""
    ordered = op in ORDERS
    return Compare(op, value_of(left, ordered), value_of(right, ordered))


def between(value: Any, low: Any, high: Any) -> Between:
    """``value BETWEEN low AND high``."""
    return Between(value_of(value, True), value_of(low, True), value_of(high, True))


def arithmetic(op: str, left: Any, right: Any) -> Arithmetic:
    """``left + right`` and its like."""
    return Arithmetic(op, value_of(left, True), value_of(right, True))


def call(name: Any, args: list[Any]) -> Call:
    """``ramp(x, a, b)`` and its like."""
    if not isinstance(name, str) or name not in FUNCTIONS:
        raise RuleError(f"unknown function {shown(name)}{hint(name, FUNCTIONS)}")
    least, most = FUNCTIONS[name]
    if not least <= len(args) <= most:
        wanted = str(least) if least == most else f"{least} to {most}"
        raise RuleError(f"{name} takes {wanted} values, got {len(args)}.")
    return Call(name, tuple(value_of(arg, True) for arg in args))


def members_of(given: Any) -> Members:
    """Return what ``IN`` and ``HAS`` look in: values, or the name of a list."""
    if isinstance(given, (Param, Field)):
        return given
    if isinstance(given, Node):
        raise RuleError("expected a list, a parameter or a field that holds a set.")
    return tuple(value_of(one) for one in listed(given))


def is_in(value: Any, members: Any) -> In:
    """``value IN (a, b)``."""
    return In(value_of(value), members_of(members))


def has(value: Any, how: str, members: Any) -> Has:
    """``value HAS ANY (a, b)``."""
    return Has(value_of(value), how, members_of(members))


def starts_with(value: Any, start: Any) -> StartsWith:
    """``value STARTS WITH "text"``."""
    return StartsWith(value_of(value), whole_text(start))


def did(event: Any, times: Any = 1, within: Any = None) -> Did:
    """``DID purchase AT LEAST 2 TIMES WITHIN 90d``."""
    kind = name_from(event, "a kind of event, such as 'purchase',").lower()
    if kind not in EVENT_CODES:
        raise RuleError(f"unknown event {shown(event)}{hint(kind, EVENT_CODES)}")
    times = whole(times, 1)
    if within is None:
        return Did(kind, times)
    length = duration(within)
    if length.amount <= 0:
        raise RuleError(f"expected a length of time above nothing, got {shown(within)}.")
    return Did(kind, times, length)


def field(of: str, name: Any) -> Field:
    """``item.price``; a name may be any text."""
    return Field(of, name_from(name, "the name of a column"))


def field_of(path: Any) -> Field:
    """Read ``"item.price"``: all behind the first dot is the name."""
    of, dot, name = path.partition(".") if isinstance(path, str) else ("", "", "")
    if not dot or of not in NAMESPACES:
        near = did_you_mean(of, NAMESPACES) if of else ""
        raise RuleError(
            f"expected a field such as 'item.price' (of {', '.join(NAMESPACES)}), "
            f"got {shown(path)}{near}."
        )
    return field(of, name)


def param(name: Any) -> Param:
    """``$floor``."""
    return Param(name_from(name, "the name of a parameter"))


def of_request(condition: Expression) -> Expression:
    """Return a condition that can be decided once per request; refuse one that asks for an item."""
    for node in all_in(condition):
        if isinstance(node, Did) or (isinstance(node, Field) and node.of == "item"):
            asked = "did(...)" if isinstance(node, Did) else f"item.{node.name}"
            raise RuleError(
                f"this is decided once per request, where no item is known yet, got {asked}; "
                "ask for user, ctx, seed or a parameter, and for the item in where."
            )
    return condition
