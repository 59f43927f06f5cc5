"""``HAS``, and ``IN`` a set of the item: what is in the set of every item."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from recopersona.data.feature_table import SetColumn
from recopersona.data.ids import UNKNOWN, IdMap
from recopersona.data.types import Array, Indices, Mask
from recopersona.kernels.sets import mark_sets, mark_some_sets
from recopersona.rules.conditions.asked import Asked
from recopersona.rules.conditions.labels import Coded, Label, Translation, code_or_absent
from recopersona.rules.conditions.logic import Condition
from recopersona.rules.conditions.members import CodesOf, Listing, Members
from recopersona.rules.conditions.operands import ColumnOf, Evaluated, Needs, Rows


class SetOf(Evaluated):
    """A column of sets; an item without any member is unknown."""

    def __init__(self, column: ColumnOf) -> None:
        super().__init__(Needs.of_column(column.name))
        self.column: Callable[[], SetColumn] = column

    def marks(self, rows: Rows, column: SetColumn, marks_of: Array) -> Array:
        """Return the marks of each set's members together, 0 where unknown."""
        n = len(column) if isinstance(rows, slice) else len(rows)
        marks = np.empty(n, np.uint8)
        if isinstance(rows, slice):
            mark_sets(marks, column.starts, column.codes, marks_of, n)
        else:
            mark_some_sets(
                marks,
                np.ascontiguousarray(rows, np.int32),
                column.starts,
                column.codes,
                marks_of,
                n,
            )
        return marks

    def known(self, rows: Rows, column: SetColumn) -> Mask:
        """Tell which sets have any member."""
        starts = column.starts
        if isinstance(rows, slice):
            known: Mask = starts[1:] > starts[:-1]
            return known
        return np.greater(starts[rows + 1], starts[rows])

    def runs(self, rows: Rows, column: SetColumn) -> tuple[Array, Indices]:
        """Return the place in ``rows`` and the code of every member."""
        starts = column.starts
        chosen = np.arange(len(column)) if isinstance(rows, slice) else rows
        first, sizes = starts[chosen], starts[chosen + 1] - starts[chosen]
        places = np.repeat(first - (np.cumsum(sizes) - sizes), sizes) + np.arange(sizes.sum())
        return np.repeat(np.arange(len(chosen)), sizes), column.codes[places]


class _OfSets(Condition):
    """What is told of every item by the marks of its set's members.

    A set of no member is unknown: it has the mark 0.
    """

    def __init__(self, sets: SetOf, listed: Members) -> None:
        super().__init__(Needs.all_of((sets, listed)))
        self.sets, self.listed, self.codes_of = sets, listed, CodesOf(listed)

    def true(self, rows: Rows, asked: Asked) -> Mask:
        listing, column = self.listed.listing(asked), self.sets.column()
        n = len(column) if isinstance(rows, slice) else len(rows)
        return np.zeros(n, np.bool_) if listing is None else self._true(rows, column, listing)

    def false(self, rows: Rows, asked: Asked) -> Mask:
        listing, column = self.listed.listing(asked), self.sets.column()
        n = len(column) if isinstance(rows, slice) else len(rows)
        return np.zeros(n, np.bool_) if listing is None else self._false(rows, column, listing)

    def _true(self, rows: Rows, column: SetColumn, listing: Listing) -> Mask:
        raise NotImplementedError

    def _false(self, rows: Rows, column: SetColumn, listing: Listing) -> Mask:
        raise NotImplementedError


_IN, _OUT = 1, 2
"""The marks of members that are in a list, and of those that are not."""


class _Marked(_OfSets):
    """Sets of which it matters whether members are in the list."""

    def _marks(self, rows: Rows, column: SetColumn, listing: Listing) -> Array:
        marks_of = np.full(len(column.categories) + 1, _OUT, np.uint8)
        marks_of[self.codes_of(listing, column.categories)] = _IN
        return self.sets.marks(rows, column, marks_of)


class HasAny(_Marked):
    """Sets of items with any member of a list."""

    def _true(self, rows: Rows, column: SetColumn, listing: Listing) -> Mask:
        found: Mask = (self._marks(rows, column, listing) & _IN) != 0
        return found

    def _false(self, rows: Rows, column: SetColumn, listing: Listing) -> Mask:
        if listing.open:
            return np.zeros(len(column) if isinstance(rows, slice) else len(rows), np.bool_)
        found: Mask = self._marks(rows, column, listing) == _OUT
        return found


class Within(_Marked):
    """Sets of items of which every member is in a list: ``user.tags HAS ALL item.tags``."""

    def _true(self, rows: Rows, column: SetColumn, listing: Listing) -> Mask:
        found: Mask = self._marks(rows, column, listing) == _IN
        return found

    def _false(self, rows: Rows, column: SetColumn, listing: Listing) -> Mask:
        found: Mask = (self._marks(rows, column, listing) & _OUT) != 0
        return found


class HasAll(_OfSets):
    """Sets of items with all members of a list."""

    def _true(self, rows: Rows, column: SetColumn, listing: Listing) -> Mask:
        if listing.open:
            return np.zeros(len(column) if isinstance(rows, slice) else len(rows), np.bool_)
        return self._complete(rows, column, listing)

    def _false(self, rows: Rows, column: SetColumn, listing: Listing) -> Mask:
        complete = self._complete(rows, column, listing)
        known = self.sets.known(rows, column)
        return np.logical_and(known, ~complete, out=known)

    def _complete(self, rows: Rows, column: SetColumn, listing: Listing) -> Mask:
        """Tell which sets are known and have all known members of the list."""
        complete = self.sets.known(rows, column)
        wanted = self.codes_of(listing, column.categories)
        if len(wanted) < len(set(listing.values)):  # one of them is in no set at all
            complete[:] = False
            return complete
        for first in range(0, len(wanted), _BITS):
            some = wanted[first : first + _BITS]
            bits = np.left_shift(1, np.arange(len(some))).astype(np.uint8)
            marks_of = np.zeros(len(column.categories) + 1, np.uint8)
            marks_of[some] = bits
            complete &= self.sets.marks(rows, column, marks_of) == bits.sum()
        return complete


_BITS = 8  # of a mark: so many members are looked for at a time


class GivenHas(Condition):
    """What a list of the request has of another."""

    def __init__(self, value: Members, how: str, listed: Members) -> None:
        super().__init__(Needs.all_of((value, listed)))
        self.value, self.how, self.listed = value, how, listed

    def true(self, rows: Rows, asked: Asked) -> bool:
        return self._holds(asked) is True

    def false(self, rows: Rows, asked: Asked) -> bool:
        return self._holds(asked) is False

    def _holds(self, asked: Asked) -> bool | None:
        value, listing = self.value.listing(asked), self.listed.listing(asked)
        if value is None or listing is None:
            return None
        held = set(value.values)
        if self.how == "ALL":
            all_there = held.issuperset(listing.values)
            return None if all_there and listing.open else all_there
        disjoint = held.isdisjoint(listing.values)
        if disjoint and listing.open:
            return None
        return disjoint if self.how == "NONE" else not disjoint


# -- row against row ---------------------------------------------------------------------------


class _OfTwo(Condition):
    """What holds where both of something are known."""

    def true(self, rows: Rows, asked: Asked) -> Mask:
        known, holds = self._told(rows, asked)
        return np.logical_and(known, holds, out=known)

    def false(self, rows: Rows, asked: Asked) -> Mask:
        known, holds = self._told(rows, asked)
        return np.logical_and(known, ~holds, out=known)

    def _told(self, rows: Rows, asked: Asked) -> tuple[Mask, Mask]:
        """Return where both are known, and where it holds if they are."""
        raise NotImplementedError


class InItsSet(_OfTwo):
    """A value of an item in a set of the same item."""

    def __init__(self, label: Label, sets: SetOf) -> None:
        super().__init__(Needs.all_of((label, sets)))
        self.label, self.sets, self.translated = label, sets, Translation()

    def _told(self, rows: Rows, asked: Asked) -> tuple[Mask, Mask]:
        column = self.sets.column()
        places, held = self.sets.runs(rows, column)
        codes = self._codes(rows, asked, column.categories)
        found = np.zeros(len(codes), np.bool_)
        found[places[held == codes[places]]] = True
        return self.sets.known(rows, column) & (codes != UNKNOWN), found

    def _codes(self, rows: Rows, asked: Asked, categories: IdMap) -> Indices:
        """Return the values' codes among the sets' members: -1 unknown, -2 in no set."""
        if isinstance(self.label, Coded):
            return self.translated(*self.label.coded(rows), categories)
        values = self.label.labels(rows, asked).tolist()
        return np.array([code_or_absent(value, categories) for value in values], np.int32)


class SetsCompared(_OfTwo):
    """Two sets of the same item: the one has any, all or none of the other."""

    def __init__(self, sets: SetOf, how: str, others: SetOf) -> None:
        super().__init__(Needs.all_of((sets, others)))
        self.sets, self.how, self.others = sets, how, others
        self.translated = Translation()

    def _told(self, rows: Rows, asked: Asked) -> tuple[Mask, Mask]:
        column, other = self.sets.column(), self.others.column()
        known = self.sets.known(rows, column) & self.others.known(rows, other)
        place, codes = self.sets.runs(rows, column)
        other_place, others = self.others.runs(rows, other)
        others = self.translated(others, other.categories, column.categories)
        # A row and a code in one number.
        n_codes = len(column.categories) + 1
        held = np.isin(other_place * n_codes + others, place * n_codes + codes) & (others >= 0)
        if self.how == "ALL":
            return known, np.bincount(other_place[~held], minlength=len(known)) == 0
        shared = np.bincount(other_place[held], minlength=len(known)) > 0
        return known, ~shared if self.how == "NONE" else shared
