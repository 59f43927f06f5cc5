"""All parts of an expression, from the outside in."""

from __future__ import annotations

from collections.abc import Iterator

from recopersona.rules import limits
from recopersona.rules.nodes import Expression


def parts_of(node: Expression) -> Iterator[Expression]:
    """Yield an expression and everything in it."""
    yield node
    for part in limits.parts_of(node):
        yield from parts_of(part)
