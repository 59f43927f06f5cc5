"""Which kinds of values go together: what can be equal, ordered, reckoned with, counted by."""

from __future__ import annotations

from itertools import product

from recopersona.rules.conditions import kinds
from recopersona.rules.conditions.kinds import ANY, NUMERIC
from recopersona.rules.nodes import FUNCTIONS

AMOUNT = "amount"
"""The kind of what is reckoned from `ANY`: a number, a duration or a time."""

_AMOUNTS = frozenset({*NUMERIC, AMOUNT})

LISTED = frozenset({"category", "text", "number", "id"})
"""The kinds that a list or a set may hold."""

NO_GROUPS = {
    "set": "an item would be in several groups",
    "text": "hardly two items share one",
    "time": "hardly two items share one",
    "duration": "hardly two items share one",
}
"""The kinds by which items cannot be counted, and why."""

TAKES: dict[str, tuple[str, ...]] = {
    "ramp": ("number", "duration", "time"),
    "decay": ("number", "duration"),
    "min": ("number", "duration", "time"),
    "max": ("number", "duration", "time"),
    "abs": ("number", "duration"),
    "log1p": ("number",),
}
"""The kinds that each function takes, one of them in all its places."""
assert TAKES.keys() == FUNCTIONS.keys()  # noqa: S101

_EQUAL: dict[str, frozenset[str]] = {
    "number": frozenset({"number", "category", "id"}),
    "category": frozenset({"category", "text", "number", "id"}),
    "text": frozenset({"text", "category", "id"}),
    "id": frozenset({"id", "category", "text", "number"}),
    "flag": frozenset({"flag"}),
    "time": frozenset({"time"}),
    "duration": frozenset({"duration"}),
    "set": frozenset(),
}


def can_be_equal(left: str, right: str) -> bool:
    """Tell whether values of two kinds can be compared by ``=``."""
    if left == ANY or right == ANY:
        return "set" not in (left, right)
    if left == AMOUNT or right == AMOUNT:
        return left in _AMOUNTS and right in _AMOUNTS
    return right in _EQUAL[left]


def can_be_ordered(left: str, right: str) -> bool:
    """Tell whether values of two kinds can be compared by ``<``."""
    if left == ANY or right == ANY:
        return left in (ANY, *_AMOUNTS) and right in (ANY, *_AMOUNTS)
    if left == AMOUNT or right == AMOUNT:
        return left in _AMOUNTS and right in _AMOUNTS
    return left == right and left in NUMERIC


def _results() -> dict[tuple[str, str, str], str]:
    """Add to the operations of known kinds those of which a side may turn out to be several."""
    results, open_ones = dict(kinds.RESULTS), (ANY, AMOUNT)
    for op, left, right in product("+-*/", (*NUMERIC, *open_ones), (*NUMERIC, *open_ones)):
        if left in open_ones or right in open_ones:
            possible = {
                result
                for (other, first, second), result in kinds.RESULTS.items()
                if other == op and left in (first, *open_ones) and right in (second, *open_ones)
            }
            if possible:
                results[op, left, right] = possible.pop() if len(possible) == 1 else AMOUNT
    return results


RESULTS = _results()
"""What an operation gives, by its sign and the kinds of both sides; what is missing makes none."""
