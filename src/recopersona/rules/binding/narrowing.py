"""Conditions that only items can meet with which the visitor did something before.

Whoever has bought thirty of a million items need not ask a million of them whether she bought it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from recopersona.data.types import Indices
from recopersona.rules.conditions.asked import Asked
from recopersona.rules.nodes import And, Did, Expression, Not, Or

Few: TypeAlias = Callable[[Asked], Indices]
"""Items of a request, int32, ascending, each once."""

NOBODY = np.empty(0, np.int32)


def may_be_true(condition: Expression) -> Few | None:
    """Return the only items for which a condition may be true or unknown; None for any."""
    if isinstance(condition, Did):
        return _seen_with(condition.event)
    if isinstance(condition, Not):
        return may_be_false(condition.value)
    if isinstance(condition, And):
        return next((few for few in map(may_be_true, condition.args) if few is not None), None)
    if isinstance(condition, Or):
        return _together([may_be_true(part) for part in condition.args])
    return None


def may_be_false(condition: Expression) -> Few | None:
    """Return the only items for which a condition may be false or unknown; None for any."""
    if isinstance(condition, Not):
        return may_be_true(condition.value)
    if isinstance(condition, Or):
        return next((few for few in map(may_be_false, condition.args) if few is not None), None)
    if isinstance(condition, And):
        return _together([may_be_false(part) for part in condition.args])
    return None


def _seen_with(event: str) -> Few:
    """What was done at least once, ever: nothing else can have been done often, or lately."""

    def seen(asked: Asked) -> Indices:
        if asked.past is None or asked.user < 0:
            return NOBODY
        return asked.past.seen(asked.user, [event])

    return seen


def _together(parts: list[Few | None]) -> Few | None:
    few = [part for part in parts if part is not None]
    if len(few) < len(parts):
        return None

    def union(asked: Asked) -> Indices:
        found: Indices = np.unique(np.concatenate([part(asked) for part in few]))
        return found

    return union
