"""All parts of an expression, from the outside in."""

from __future__ import annotations

from collections.abc import Iterator

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


def children_of(node: Expression) -> tuple[Expression, ...]:
    """Return the expressions directly inside one, in the order they are written."""
    match node:
        case And(args=args) | Or(args=args) | Call(args=args):
            return args
        case Compare(left=left, right=right) | Arithmetic(left=left, right=right):
            return left, right
        case Between(value=value, low=low, high=high):
            return value, low, high
        case In(value=value, members=members) | Has(value=value, members=members):
            return (value, *members) if isinstance(members, tuple) else (value, members)
        case Not(value=value) | Negative(value=value) | IsUnknown(value=value):
            return (value,)
        case StartsWith(value=value):
            return (value,)
        case _:
            return ()


def parts_of(node: Expression) -> Iterator[Expression]:
    """Yield an expression and everything in it."""
    yield node
    for child in children_of(node):
        yield from parts_of(child)
