"""How large rules may grow, in whatever form they come: every reader and writer holds to this."""

from __future__ import annotations

from recopersona.rules.nodes import And, Call, Expression, Or
from recopersona.rules.parts import has_parts, parts_of

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
    >>> from recopersona.rules.nodes import Field, Not
    >>> excess_of(Not(Field("item", "adult"))) is None
    True
    """
    seen, operations = 0, 0
    level = [whole for whole in expressions if has_parts(whole)]
    for _ in range(MOST_DEPTH):
        if not level:
            return None
        below: list[Expression] = []
        for whole in level:
            parts = parts_of(whole)
            operations += len(parts) if type(whole) is Call else not isinstance(whole, (And, Or))
            seen += len(parts)
            if seen > MOST_BYTES:
                return TOO_LONG
            below += [part for part in parts if has_parts(part)]
        if operations > MOST_OPERATIONS:
            return TOO_MANY
        level = below
    return TOO_DEEP
