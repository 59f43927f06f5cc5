"""The kind of every expression: what it is compared as, and what a request's values are read as."""

from __future__ import annotations

from recopersona.rules.conditions.asked import Tables
from recopersona.rules.nodes import (
    Arithmetic,
    Call,
    Duration,
    Expression,
    Field,
    Moment,
    Negative,
    Number,
    Param,
    Percent,
    Text,
)

ANY = "any"
"""What has no kind of its own: it takes that of what it stands beside."""

NUMERIC = ("number", "duration", "time")
"""Kinds that are counted and ordered; durations and times in milliseconds."""

_NUMBER, _DURATION, _TIME = NUMERIC
RESULTS: dict[tuple[str, str, str], str] = {
    ("+", _NUMBER, _NUMBER): _NUMBER,
    ("+", _DURATION, _DURATION): _DURATION,
    ("+", _TIME, _DURATION): _TIME,
    ("+", _DURATION, _TIME): _TIME,
    ("-", _NUMBER, _NUMBER): _NUMBER,
    ("-", _DURATION, _DURATION): _DURATION,
    ("-", _TIME, _TIME): _DURATION,
    ("-", _TIME, _DURATION): _TIME,
    ("*", _NUMBER, _NUMBER): _NUMBER,
    ("*", _DURATION, _NUMBER): _DURATION,
    ("*", _NUMBER, _DURATION): _DURATION,
    ("/", _NUMBER, _NUMBER): _NUMBER,
    ("/", _DURATION, _DURATION): _NUMBER,
    ("/", _DURATION, _NUMBER): _DURATION,
}
"""What an operation gives, by its sign and the kinds of both sides."""


def kind_of(node: Expression, tables: Tables) -> str:
    """Return the kind of an expression that fits the tables, or `ANY`."""
    if isinstance(node, (Number, Percent)):
        return _NUMBER
    if isinstance(node, Field):
        return _kind_of_field(node, tables)
    if isinstance(node, Arithmetic):
        return kinds_within(node, ANY, tables)[2]
    if isinstance(node, Negative):
        return kind_of(node.value, tables)
    if isinstance(node, Call):
        same_as_args = node.name in ("min", "max", "abs")
        return (
            common_kind(*(kind_of(arg, tables) for arg in node.args)) if same_as_args else _NUMBER
        )
    return _PLAIN.get(type(node), "flag")  # what is left are conditions


_PLAIN: dict[type, str] = {Text: "text", Moment: _TIME, Duration: _DURATION, Param: ANY}


def _kind_of_field(node: Field, tables: Tables) -> str:
    if node.of == "ctx":
        return _TIME if node.name == "now" else ANY
    if node.name == "id":
        return "id"
    if node.of != "user" and node.name == "age":
        return _DURATION
    table = tables.users if node.of == "user" else tables.items
    column = table.columns.get(node.name)
    return ANY if column is None else column.kind


def common_kind(*kinds: str) -> str:
    """Return the kind that things side by side have: that of the first which has one."""
    return next((kind for kind in kinds if kind != ANY), ANY)


def kinds_within(node: Arithmetic, wanted: str, tables: Tables) -> tuple[str, str, str]:
    """Return the kinds of both sides of an operation and of its result, which may be wanted.

    Where several would do, numbers are meant before durations, and durations before times.
    """
    known = kind_of(node.left, tables), kind_of(node.right, tables), wanted
    fitting = [
        (left, right, result)
        for (op, left, right), result in RESULTS.items()
        if op == node.op
        and all(k in (ANY, f) for k, f in zip(known, (left, right, result), strict=True))
    ]
    if not fitting:
        return known
    if wanted == ANY and len({result for *_, result in fitting}) > 1:
        return known
    return fitting[0]
