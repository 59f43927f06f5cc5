"""``HAS``, and ``IN`` a set of the item: what is in the set of every item."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from recopersona.data.feature_table import SetColumn
from recopersona.data.ids import UNKNOWN, IdMap
from recopersona.data.types import Array, Indices, Mask
from recopersona.kernels.sets import mark_sets, mark_some_sets
from recopersona.rules.asked import Asked
from recopersona.rules.labels import Coded, Label, codes_of, translated
from recopersona.rules.logic import Condition
from recopersona.rules.members import Listing, Members
from recopersona.rules.operands import ColumnOf, Evaluated, Needs, Rows


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

    def known(self, rows: Rows) -> Mask:
        """Tell which sets have any member."""
        return self.known_in(rows, self.column())

    def known_in(self, rows: Rows, column: SetColumn) -> Mask:
        """Tell which sets of a column have any member."""
        starts = column.starts
        if isinstance(rows, slice):
            known: Mask = starts[1:] > starts[:-1]
            return known
        return np.greater(starts[rows + 1], starts[rows])

    def runs(self, rows: Rows) -> tuple[Array, Indices, IdMap]:
        """Return the place in ``rows`` and the code of every member, and the values by code."""
        column = self.column()
        starts = column.starts
        chosen = np.arange(len(column)) if isinstance(rows, slice) else rows
        first, sizes = starts[chosen], starts[chosen + 1] - starts[chosen]
        places = np.repeat(first - (np.cumsum(sizes) - sizes), sizes) + np.arange(sizes.sum())
        return np.repeat(np.arange(len(chosen)), sizes), column.codes[places], column.categories


class _OfSets(Condition):
    """What is told of every item by the marks of its set's members.

    A set of no member is unknown: it has the mark 0.
    """

    def __init__(self, sets: SetOf, listed: Members) -> None:
        super().__init__(Needs.all_of((sets, listed)))
        self.sets, self.listed = sets, listed

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
        marks_of[codes_of(listing.values, column.categories)] = _IN
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
        known = self.sets.known_in(rows, column)
        return np.logical_and(known, ~complete, out=known)

    def _complete(self, rows: Rows, column: SetColumn, listing: Listing) -> Mask:
        """Tell which sets are known and have all known members of the list."""
        complete = self.sets.known_in(rows, column)
        wanted = codes_of(listing.values, column.categories)
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


class InItsSet(Condition):
    """A value of an item in a set of the same item."""

    def __init__(self, label: Label, sets: SetOf) -> None:
        super().__init__(Needs.all_of((label, sets)))
        self.label, self.sets = label, sets

    def true(self, rows: Rows, asked: Asked) -> Mask:
        return self._found(rows, asked)[0]

    def false(self, rows: Rows, asked: Asked) -> Mask:
        found, codes = self._found(rows, asked)
        return ~found & (codes != UNKNOWN) & self.sets.known(rows)

    def _found(self, rows: Rows, asked: Asked) -> tuple[Mask, Indices]:
        places, members, categories = self.sets.runs(rows)
        codes = self._codes(rows, asked, categories)
        found = np.zeros(len(codes), np.bool_)
        found[places[members == codes[places]]] = True
        return found, codes

    def _codes(self, rows: Rows, asked: Asked, categories: IdMap) -> Indices:
        """Return the values' codes among the sets' members: -1 unknown, -2 in no set."""
        if isinstance(self.label, Coded):
            return translated(*self.label.coded(rows), categories)
        values = self.label.labels(rows, asked).tolist()
        codes = [UNKNOWN if v is None else _code_or(categories.index(v)) for v in values]
        return np.array(codes, np.int32)


def _code_or(code: int) -> int:
    return -2 if code == UNKNOWN else code


class SetsCompared(Condition):
    """Two sets of the same item: the one has any, all or none of the other."""

    def __init__(self, sets: SetOf, how: str, others: SetOf) -> None:
        super().__init__(Needs.all_of((sets, others)))
        self.sets, self.how, self.others = sets, how, others

    def true(self, rows: Rows, asked: Asked) -> Mask:
        return self._known(rows) & self._holds(rows)

    def false(self, rows: Rows, asked: Asked) -> Mask:
        return self._known(rows) & ~self._holds(rows)

    def _known(self, rows: Rows) -> Mask:
        return self.sets.known(rows) & self.others.known(rows)

    def _holds(self, rows: Rows) -> Mask:
        place, codes, categories = self.sets.runs(rows)
        other_place, others, other_categories = self.others.runs(rows)
        others = translated(others, other_categories, categories)
        n_codes = len(categories) + 1
        held = np.isin(
            other_place * n_codes + others, place * n_codes + codes
        ) & (others >= 0)  # fmt: skip
        n = len(self.sets.known(rows))
        if self.how == "ALL":
            return np.bincount(other_place[~held], minlength=n) == 0
        shared: Mask = np.bincount(other_place[held], minlength=n) > 0
        return ~shared if self.how == "NONE" else shared
