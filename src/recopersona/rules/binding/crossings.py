"""When the answer to a condition about time changes by time passing alone.

``item.age <= 30d`` changes for an item thirty days after it was made, and at no other moment. So
the answers of a whole catalogue stay as they are until the next such moment, and then only those
items have to be asked again that crossed one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from recopersona.data.feature_table import FeatureTable
from recopersona.data.times import MISSING_TIME
from recopersona.data.types import Array, Indices
from recopersona.rules.calendar import duration_of, moment_of
from recopersona.rules.nodes import (
    CREATED,
    And,
    Arithmetic,
    Between,
    Compare,
    Duration,
    Expression,
    Field,
    IsUnknown,
    Moment,
    Negative,
    Not,
    Or,
)
from recopersona.rules.parts import all_in


@dataclass(frozen=True, slots=True, eq=False)
class Crossing:
    """Moments at which one comparison may change: a sum of an item's times, and an offset.

    columns  names of columns of times, and how often each counts (-1: it is subtracted)
    offset   milliseconds; a fraction more may be meant
    """

    columns: tuple[tuple[str, int], ...]
    offset: int

    def times(self, items: FeatureTable, rows: slice | Indices) -> tuple[Array, Array]:
        """Return the moments, and which items have one: where all the columns are known."""
        columns: list[Any] = [items.column(name) for name, _ in self.columns]
        values = [column.values[rows] for column in columns]
        total = np.full(len(values[0]), self.offset)
        known = np.ones(len(total), np.bool_)
        for one, (_, weight) in zip(values, self.columns, strict=True):
            total += weight * one
            known &= one != MISSING_TIME
        return total, known


def crossings_of(
    condition: Expression, items: FeatureTable, timezone: str
) -> tuple[Crossing, ...] | None:
    """Return where a condition may change as time passes, or None where that cannot be told.

    It can be told of comparisons of moments, ages and durations that are added and subtracted.
    """
    if isinstance(condition, (And, Or)):
        found = [crossings_of(part, items, timezone) for part in condition.args]
        if any(part is None for part in found):
            return None
        return tuple(one for part in found if part is not None for one in part)
    if isinstance(condition, Not):
        return crossings_of(condition.value, items, timezone)
    if not _reads_now(condition):
        return ()
    if isinstance(condition, Compare):
        return _of_pairs([(condition.left, condition.right)], items, timezone)
    if isinstance(condition, Between):
        ends = [(condition.value, condition.low), (condition.value, condition.high)]
        return _of_pairs(ends, items, timezone)
    if isinstance(condition, IsUnknown):  # time passes, but nothing becomes unknown by it
        return None if _linear(condition.value, items, timezone) is None else ()
    return None


def _reads_now(condition: Expression) -> bool:
    """Tell whether a condition speaks of the moment or of an age."""
    return any(
        isinstance(part, Field) and (part.of, part.name) in (("ctx", "now"), ("item", "age"))
        for part in all_in(condition)
    )


def _of_pairs(
    pairs: Sequence[tuple[Expression, Expression]], items: FeatureTable, timezone: str
) -> tuple[Crossing, ...] | None:
    crossings = []
    for left, right in pairs:
        difference = _linear(Arithmetic("-", left, right), items, timezone)
        if difference is None or abs(difference.now) > 1:
            return None
        columns = {name: weight for name, weight in difference.columns.items() if weight}
        if difference.now and columns:
            # now * d + columns + offset = 0, with d = 1 or -1
            turned = [(name, -difference.now * weight) for name, weight in columns.items()]
            offset = int(-difference.now * difference.offset // 1)
            crossings.append(Crossing(tuple(turned), offset))
        elif difference.now:
            return None  # a moment for all items alike: nothing to sort
    return tuple(crossings)


@dataclass(frozen=True, slots=True, eq=False)
class _Linear:
    """``now`` so many times, columns so many times each, and some milliseconds."""

    now: int
    columns: dict[str, int]
    offset: float


def _linear(value: Expression, items: FeatureTable, timezone: str) -> _Linear | None:
    if isinstance(value, Moment):
        return _Linear(0, {}, moment_of(value, timezone))
    if isinstance(value, Duration):
        return _Linear(0, {}, duration_of(value))
    if isinstance(value, Field):
        return _field(value, items)
    if isinstance(value, Negative):
        return _sum(_Linear(0, {}, 0), _linear(value.value, items, timezone), -1)
    if isinstance(value, Arithmetic) and value.op in ("+", "-"):
        left = _linear(value.left, items, timezone)
        right = _linear(value.right, items, timezone)
        return _sum(left, right, 1 if value.op == "+" else -1)
    return None


def _field(field: Field, items: FeatureTable) -> _Linear | None:
    if field.of == "ctx" and field.name == "now":
        return _Linear(1, {}, 0)
    if field.of == "item" and field.name == "age":
        return _Linear(1, {CREATED: -1}, 0)
    if field.of == "item" and field.name in items and items.columns[field.name].kind == "time":
        return _Linear(0, {field.name: 1}, 0)
    return None


def _sum(left: _Linear | None, right: _Linear | None, sign: int) -> _Linear | None:
    if left is None or right is None:
        return None
    columns = dict(left.columns)
    for name, weight in right.columns.items():
        columns[name] = columns.get(name, 0) + sign * weight
    return _Linear(left.now + sign * right.now, columns, left.offset + sign * right.offset)


class Calendar:
    """All moments at which some items' answers may change, in order.

    Memory: 12 bytes per item and comparison.

    times  (n,) int64, ascending
    rows   (n,) int32, the item of each
    """

    def __init__(self, times: Array, rows: Indices) -> None:
        self.times, self.rows = times, rows

    @classmethod
    def of(cls, crossings: Sequence[Crossing], items: FeatureTable, rows: Indices) -> Calendar:
        """Put the moments of some items in order."""
        times, owners = moments(crossings, items, rows)
        order = np.argsort(times)
        return cls(times[order], owners[order])

    def with_more(self, times: Array, rows: Indices) -> Calendar:
        """Return a calendar with more moments; the old ones of the same items stay."""
        order = np.argsort(times)
        places = np.searchsorted(self.times, times[order])
        return Calendar(
            np.insert(self.times, places, times[order]), np.insert(self.rows, places, rows[order])
        )

    def between(self, one: int, other: int) -> Indices:
        """Return the items, at least, whose answers at two moments differ."""
        first, last = min(one, other), max(one, other)
        start, end = np.searchsorted(self.times, [first, last + 1])
        return self.rows[start:end]


def moments(
    crossings: Sequence[Crossing], items: FeatureTable, rows: Indices
) -> tuple[Array, Indices]:
    """Return all moments at which some items cross, in any order, and whose each is."""
    times, owners = [np.empty(0, np.int64)], [np.empty(0, np.int32)]
    for crossing in crossings:
        at, known = crossing.times(items, rows)
        times.append(at[known])
        owners.append(rows[known])
    return np.concatenate(times), np.concatenate(owners)


def quiet_around(now: int, times: Sequence[Array]) -> tuple[int, int]:
    """Return from when to when nothing crosses, ``now`` within.

    times  arrays of moments, each ascending
    """
    first, last = -FOREVER, FOREVER
    for some in times:
        place = int(np.searchsorted(some, now))  # those before are crossed
        if place > 0:
            first = max(first, int(some[place - 1]) + 1)
        if place < len(some):
            last = min(last, int(some[place]) - 1)
    # The very moment of a crossing is a time of its own: "<" and "<=" differ there.
    return (first, last) if first <= now <= last else (now, now)


FOREVER = 2**62
