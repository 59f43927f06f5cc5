"""Going through what rules are made of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from recopersona.rules.limits import parts_of
from recopersona.rules.nodes import Expression, Rule


def expressions_of(rule: Rule) -> list[Expression]:
    """Return the expressions of a rule: its condition, factor, key and ``WHEN``."""
    found = (getattr(rule, name, None) for name in ("where", "by", "per", "when"))
    return [expression for expression in found if expression is not None]


def walk(expressions: Iterable[Expression]) -> Iterator[Expression]:
    """Go through expressions and all they are made of, in the order they are written.

    Examples
    --------
    >>> from recopersona.rules.nodes import Field, Not
    >>> [type(node).__name__ for node in walk([Not(Field("item", "adult"))])]
    ['Not', 'Field']
    """
    waiting = [*reversed(list(expressions))]
    while waiting:
        expression = waiting.pop()
        yield expression
        waiting.extend(reversed(parts_of(expression)))
