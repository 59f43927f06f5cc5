"""Rules written as JSON: literals in their explicit form, so that they read back as the same."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from recopersona.rules.nodes import (
    And,
    Arithmetic,
    Between,
    Call,
    Compare,
    Did,
    Duration,
    During,
    Expression,
    Field,
    Flag,
    Has,
    In,
    IsUnknown,
    Members,
    Moment,
    Negative,
    Node,
    Not,
    Number,
    Or,
    Param,
    Percent,
    Rule,
    StartsWith,
    Text,
)
from recopersona.rules.text.printing import print_expression


def write_set(rules: tuple[Rule, ...], timezone: str) -> str:
    """Write a set as JSON text, a line per rule."""
    lines = ",\n".join(
        f"  {json.dumps(rule_value(rule), ensure_ascii=False, allow_nan=False)}" for rule in rules
    )
    return f'{{"timezone": {json.dumps(timezone)}, "rules": [\n{lines}\n]}}'


def rule_value(rule: Rule) -> dict[str, Any]:
    """Return one rule as the values that JSON has."""
    written: dict[str, Any] = {} if rule.name is None else {"rule": rule.name}
    written["action"] = type(rule).__name__.lower()
    for key in ("amount", "per", "window", "where", "by", "slots"):
        part = getattr(rule, key, None)
        if part is not None:
            written.update(_part(key, part))
    if rule.when is not None:
        written["when"] = expression_value(rule.when)
    if rule.during is not None:
        written["during"] = _days(rule.during)
    if rule.unknown is not None:
        written["unknown"] = rule.unknown
    if rule.priority:
        written["priority"] = rule.priority
    return {**written, "strict": True} if rule.strict else written


def _part(key: str, part: Any) -> dict[str, Any]:
    if key == "amount":
        return {"n": print_expression(part) if isinstance(part, Percent) else part}
    if key == "per":
        return {"per": f"{part.of}.{part.name}"}
    if key == "window":
        return {"top" if part.kind == "top" else "consecutive": part.size}
    if key == "slots":
        return {"at": list(part)}
    return {key: expression_value(part)}


def _days(during: During) -> list[str | None]:
    return [None if day is None else day.value for day in (during.start, during.end)]


def expression_value(node: Node) -> Any:
    """Return an expression as the values that JSON has, literals in their explicit form."""
    return _WRITERS[type(node)](node)


def _op(op: str, *args: Node) -> dict[str, Any]:
    return {"op": op, "args": [expression_value(arg) for arg in args]}


def _with_members(op: str, value: Expression, members: Members) -> dict[str, Any]:
    if isinstance(members, Node):
        return _op(op, value, members)
    return {"op": op, "args": [expression_value(value), [expression_value(m) for m in members]]}


def _event_value(node: Did) -> dict[str, Any]:
    written: dict[str, Any] = {"did": node.event}
    if node.times != 1:
        written["times"] = node.times
    if node.within is not None:
        written["within"] = print_expression(node.within)
    return written


def _plain(number: float) -> int | float:
    whole = isinstance(number, int) or (number.is_integer() and abs(number) < _EXACT)
    return int(number) if whole else number


_EXACT = 2.0**53


_WRITERS: dict[type, Callable[[Any], Any]] = {
    Number: lambda node: {"num": _plain(node.value)},
    Percent: lambda node: {"percent": _plain(node.value)},
    Text: lambda node: {"text": node.value},
    Flag: lambda node: {"flag": node.value},
    Moment: lambda node: {"date": node.value},
    Duration: lambda node: {"duration": print_expression(node)},
    Field: lambda node: {"field": f"{node.of}.{node.name}"},
    Param: lambda node: {"param": node.name},
    Arithmetic: lambda node: _op(node.op, node.left, node.right),
    Compare: lambda node: _op(node.op, node.left, node.right),
    Negative: lambda node: _op("-", node.value),
    Call: lambda node: {"call": node.name, "args": [expression_value(a) for a in node.args]},
    In: lambda node: _with_members("in", node.value, node.members),
    Has: lambda node: _with_members(f"has {node.how}", node.value, node.members),
    Between: lambda node: _op("between", node.value, node.low, node.high),
    StartsWith: lambda node: {
        "op": "starts with",
        "args": [expression_value(node.value), {"text": node.start}],
    },
    IsUnknown: lambda node: _op("is unknown", node.value),
    Did: _event_value,
    And: lambda node: _op("and", *node.args),
    Or: lambda node: _op("or", *node.args),
    Not: lambda node: _op("not", node.value),
}
