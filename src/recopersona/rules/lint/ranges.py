"""Which values a condition leaves to each thing it speaks of, and whether it leaves any.

A condition is spread out into boxes: in each, every subject (a field, or whatever else stands on
one side of a comparison with a constant) has a set of values, and the condition holds where one of
the boxes does. A condition none of whose boxes can be filled is never true. This is sound, not
complete: what it cannot see through counts as possible.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field, replace
from math import inf
from typing import Any, TypeAlias

from recopersona.rules.constants import constant
from recopersona.rules.nodes import (
    MIRRORED,
    And,
    Between,
    Compare,
    Expression,
    Has,
    In,
    IsUnknown,
    Not,
    Or,
    StartsWith,
)

MOST_BOXES = 256
"""Beyond that many, a condition counts as possible."""

End: TypeAlias = tuple[float, int]
"""A value and whether just before it (-1), at it (0) or just behind it (1): ends are included."""

Interval: TypeAlias = tuple[End, End]

EVERYWHERE: Interval = ((-inf, 0), (inf, 0))


@dataclass(frozen=True, slots=True)
class Values:
    """A set of values of one subject; ``unknown`` is one more of them.

    intervals  of numbers (moments and durations too), apart and ascending; None where the subject
               has no order
    members    the values there are, or with ``others`` the values there are not; None for numbers
    """

    intervals: tuple[Interval, ...] | None = None
    members: frozenset[Any] | None = None
    others: bool = False
    unknown: bool = False

    def __bool__(self) -> bool:
        """Whether any value is left."""
        if self.unknown or self.others:
            return True
        return bool(self.intervals) or bool(self.members)

    def __and__(self, other: Values) -> Values:
        """Return what two sets have in common."""
        unknown = self.unknown and other.unknown
        if self.is_all or other.is_all:
            return replace(other if self.is_all else self, unknown=unknown)
        if self.intervals is not None or other.intervals is not None:
            return Values(_common(_as_intervals(self), _as_intervals(other)), unknown=unknown)
        ours, theirs = self.members or frozenset(), other.members or frozenset()
        if self.others and other.others:
            return Values(members=ours | theirs, others=True, unknown=unknown)
        if self.others or other.others:
            given, refused = (theirs, ours) if self.others else (ours, theirs)
            return Values(members=given - refused, unknown=unknown)
        return Values(members=ours & theirs, unknown=unknown)

    @property
    def is_all(self) -> bool:
        """Whether it holds every known value."""
        return self.others and not self.members

    def known(self) -> Values:
        """Return the set without the unknown."""
        return replace(self, unknown=False)

    def opposite(self) -> Values:
        """Return all known values that are not in the set."""
        if self.intervals is not None:
            return Values(_complement(self.intervals))
        return Values(members=self.members, others=not self.others)


ALL = Values(members=frozenset(), others=True)
NONE = Values(members=frozenset())
UNKNOWN = Values(members=frozenset(), unknown=True)
TRUE, FALSE = Values(members=frozenset({True})), Values(members=frozenset({False}))


def within(op: str, value: float) -> Values:
    """Return the numbers that compare to one in a way."""
    below, above = ((-inf, 0), (value, -1)), ((value, 1), (inf, 0))
    at = ((value, 0), (value, 0))
    return Values(
        {
            "=": (at,),
            "!=": (below, above),
            "<": (below,),
            "<=": (((-inf, 0), (value, 0)),),
            ">": (above,),
            ">=": (((value, 0), (inf, 0)),),
        }[op]
    )


def between(low: float, high: float) -> Values:
    """Return the numbers of a range, both ends included."""
    return Values((((low, 0), (high, 0)),) if low <= high else ())


def one_of(values: Iterable[Any]) -> Values:
    """Return a set of some values."""
    return Values(members=frozenset(values))


def _common(ours: tuple[Interval, ...], theirs: tuple[Interval, ...]) -> tuple[Interval, ...]:
    pairs = ((max(a[0], b[0]), min(a[1], b[1])) for a in ours for b in theirs)
    return tuple((low, high) for low, high in pairs if low <= high)


def _complement(intervals: tuple[Interval, ...]) -> tuple[Interval, ...]:
    found, start = [], EVERYWHERE[0]
    for low, high in intervals:
        if start < low:
            found.append((start, (low[0], low[1] - 1)))
        start = (high[0], high[1] + 1)
    if start <= EVERYWHERE[1]:
        found.append((start, EVERYWHERE[1]))
    return tuple(found)


def _as_intervals(values: Values) -> tuple[Interval, ...]:
    """Read a set of numbers that was written as values: categories may be numbers too."""
    if values.intervals is not None:
        return values.intervals
    points = sorted(m for m in values.members or () if isinstance(m, (int, float)))
    listed: tuple[Interval, ...] = tuple(((p, 0), (p, 0)) for p in points)
    return _complement(listed) if values.others else listed


# -- conditions --------------------------------------------------------------------------------

Box: TypeAlias = dict[Hashable, Values]
Domain: TypeAlias = Callable[[Hashable], "Values | None"]
"""What values a subject can have at all; None where nothing is known of it."""


def anything(_: Hashable) -> Values | None:
    """Know nothing of any subject."""
    return None


@dataclass(frozen=True, eq=False)
class Reading:
    """How conditions are read; every question is thought through once.

    timezone  of dates without one
    domain    what is known of subjects
    """

    timezone: str = "UTC"
    domain: Domain = anything
    # Nodes are found by their identity, which is quick; they are kept so that it stays theirs.
    _boxes: dict[tuple[int, bool, bool], tuple[Expression, list[Box] | None]] = field(
        default_factory=dict, repr=False
    )
    _implied: dict[tuple[int, int], bool] = field(default_factory=dict, repr=False)

    def boxes(
        self, node: Expression, wanted: bool = True, or_unknown: bool = False
    ) -> list[Box] | None:
        """Return where a condition is ``wanted`` (or unknown); None where that are too many."""
        key = (id(node), wanted, or_unknown)
        kept = self._boxes.get(key)
        if kept is None:
            kept = self._boxes[key] = node, self._spread(node, wanted, or_unknown)
        return kept[1]

    def possible(self, node: Expression, wanted: bool = True, or_unknown: bool = False) -> bool:
        """Tell whether a condition can be ``wanted`` (or unknown), as far as one can see."""
        return self.boxes(node, wanted, or_unknown) != []

    def decided(self, node: Expression) -> bool:
        """Tell whether a condition is never or always true, of what is known."""
        return not (self.possible(node) and self.possible(node, wanted=False))

    def implies(self, node: Expression, other: Expression) -> bool:
        """Tell whether another condition is surely true wherever one is."""
        key = id(node), id(other)
        if key not in self._implied:
            apart = [self.boxes(node), self.boxes(other, wanted=False, or_unknown=True)]
            self._implied[key] = node == other or all_of(apart) == []
        return self._implied[key]

    def _spread(self, node: Expression, wanted: bool, or_unknown: bool) -> list[Box] | None:
        if isinstance(node, Not):
            return self._spread(node.value, not wanted, or_unknown)
        if isinstance(node, (And, Or)):
            parts = [self._spread(part, wanted, or_unknown) for part in node.args]
            return all_of(parts) if isinstance(node, And) == wanted else _any_of(parts)
        return self._atom(node, wanted, or_unknown)

    def _atom(self, node: Expression, wanted: bool, or_unknown: bool) -> list[Box] | None:
        if isinstance(node, IsUnknown):
            return self._box(node.value, UNKNOWN if wanted else ALL)
        value = self._decided(node)
        if value is not None:
            return [{}] if value == wanted else []
        if isinstance(node, Has):
            return self._members_of_a_set(node, wanted, or_unknown)
        subject, true = self._true_set(node)
        values = true if wanted else true.opposite()
        return self._box(subject, replace(values, unknown=or_unknown))

    def _decided(self, node: Expression) -> bool | None:
        """Return what a test of constants gives, None where it depends on anything."""
        match node:
            case In(value=value, members=tuple() as members):
                sought, *listed = self._constants(value, *members)
                return None if sought is None or None in listed else sought in listed
            case Between(value=value, low=low, high=high):
                at, least, most = self._constants(value, low, high)
                return None if at is None or least is None or most is None else least <= at <= most
            case StartsWith(value=value, start=start):
                (text,) = self._constants(value)
                return text.startswith(start) if isinstance(text, str) else None
        decided = constant(node, self.timezone)
        return decided if isinstance(decided, bool) else None

    def _constants(self, *nodes: Expression) -> list[Any]:
        return [constant(node, self.timezone) for node in nodes]

    def _box(self, subject: Hashable, values: Values) -> list[Box]:
        known = self.domain(subject)
        if known is not None:
            values = values & known
        return [{subject: values}] if values else []

    def _true_set(self, node: Expression) -> tuple[Hashable, Values]:
        """Return what a test speaks of, and where it is true; the test itself if all else fails."""
        match node:
            case Compare(op=op, left=left, right=right):
                return self._compared(op, left, right) or (node, TRUE)
            case Between(value=value, low=low, high=high):
                least, most = self._constants(low, high)
                if least is not None and most is not None:
                    return value, between(least, most)
            case In(value=value, members=tuple() as members):
                listed = self._constants(*members)
                if all(member is not None for member in listed):
                    return value, one_of(listed)
            case StartsWith(value=value, start=start):
                known = self.domain(value)
                if known is not None and not known.others and known.members is not None:
                    return value, one_of(m for m in known.members if str(m).startswith(start))
        return node, TRUE

    def _compared(
        self, op: str, left: Expression, right: Expression
    ) -> tuple[Hashable, Values] | None:
        first, second = self._constants(left, right)
        if second is None and first is not None:
            op, left, second = MIRRORED[op], right, first
        elif second is None:
            # Of two things that are no constants, what is known is how they stand to each other.
            return ((left, right), within(op, 0.0)) if left != right else None
        if op in ("=", "!="):
            values = one_of([second])
            return left, values if op == "=" else values.opposite()
        return left, within(op, second)

    def _members_of_a_set(self, node: Has, wanted: bool, or_unknown: bool) -> list[Box] | None:
        """Read a test of a set: each value in it is a subject of its own, true or false."""
        members = node.members if isinstance(node.members, tuple) else ()
        values = self._constants(*members)
        if not values or any(value is None for value in values):
            return self._box(node, replace(TRUE if wanted else FALSE, unknown=or_unknown))
        held = wanted if node.how != "none" else not wanted
        here = replace(TRUE if held else FALSE, unknown=or_unknown)
        parts: list[list[Box] | None] = [self._box((node.value, value), here) for value in values]
        every = (node.how == "all") == held
        return all_of(parts) if every else _any_of(parts)


def all_of(parts: list[list[Box] | None]) -> list[Box] | None:
    """Return the boxes of conditions that all hold."""
    seen = sorted((part for part in parts if part is not None), key=len)
    found: list[Box] = [{}]
    whole = len(seen) == len(parts)
    for part in seen:
        if len(found) * len(part) > MOST_BOXES:  # what cannot be seen through rules nothing out
            whole = False
            continue
        joined = (_joined(ours, theirs) for ours in found for theirs in part)
        found = [box for box in joined if box is not None]
        if not found:
            return []
    return found if whole else None


def _any_of(parts: list[list[Box] | None]) -> list[Box] | None:
    """Return the boxes of conditions of which one holds."""
    found: list[Box] = []
    for part in parts:
        if part is None:
            return None
        found.extend(part)
    return found if len(found) <= MOST_BOXES else None


def _joined(ours: Box, theirs: Box) -> Box | None:
    """Return the box that is in both, or None where nothing is."""
    box = dict(ours)
    for subject, values in theirs.items():
        if subject in box:
            values = box[subject] & values
            if not values:
                return None
        box[subject] = values
    return box
