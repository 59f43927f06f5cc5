"""What is only equal or not: categories, ids and text, of items and of a request.

A column of categories holds codes; so do the ids of items, whose codes are their indices. A value
is looked up among a column's categories whenever it is asked for: updates put new columns in place
of old ones, and a value that was in no row may be there tomorrow.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from recopersona.data.feature_table import CategoryColumn, TextColumn
from recopersona.data.ids import UNKNOWN, IdMap
from recopersona.data.types import Array, Indices, Mask
from recopersona.rules.conditions.asked import Asked, Tables
from recopersona.rules.conditions.operands import ColumnOf, Evaluated, Needs, Numeric, Rows, at
from recopersona.rules.conditions.request_values import Given


class Label(Evaluated):
    """Something that is only equal or not, per item or one for all."""

    @abstractmethod
    def labels(self, rows: Rows, asked: Asked) -> Any:
        """Return the values as Python knows them, None where unknown: (n_rows,), or one for all."""


class FixedLabel(Label):
    """Text, or a number, that was written."""

    def __init__(self, value: Any) -> None:
        super().__init__(Needs())
        self.value = value

    def labels(self, rows: Rows, asked: Asked) -> Any:
        return self.value


class GivenLabel(Label):
    """A value of the request."""

    def __init__(self, given: Given) -> None:
        super().__init__(Needs.of_given(given))
        self.given = given

    def labels(self, rows: Rows, asked: Asked) -> Any:
        return self.given.value(asked)


class NumberAsLabel(Label):
    """A number beside a category: some shops number their brands."""

    def __init__(self, number: Numeric) -> None:
        super().__init__(number.needs)
        self.number = number

    def labels(self, rows: Rows, asked: Asked) -> Any:
        values = self.number.values(rows, asked)
        if not isinstance(values, np.ndarray):
            return values if values == values else None
        labels: Array = values.astype(object)
        labels[np.isnan(values)] = None
        return labels


class TextOf(Label):
    """A column of free text."""

    def __init__(self, column: ColumnOf) -> None:
        super().__init__(Needs.of_column(column.name))
        self.column: Callable[[], TextColumn] = column

    def labels(self, rows: Rows, asked: Asked) -> Array:
        return at(self.column().values, rows)


class Coded(Label):
    """Categories by their codes."""

    @abstractmethod
    def coded(self, rows: Rows) -> tuple[Indices, IdMap]:
        """Return int32 codes (n_rows,), -1 where unknown, and the values by code.

        Both at once: an update on another thread may put a new column in between.
        """

    def labels(self, rows: Rows, asked: Asked) -> Array:
        codes, categories = self.coded(rows)
        known: Any = [*categories.ids.tolist(), None]  # the last is where unknown ones look
        labels: Array = np.fromiter(known, object, count=len(known))[codes]
        return labels


class CategoryOf(Coded):
    """A column of categories."""

    def __init__(self, column: ColumnOf) -> None:
        super().__init__(Needs.of_column(column.name))
        self.column: Callable[[], CategoryColumn] = column

    def coded(self, rows: Rows) -> tuple[Indices, IdMap]:
        column = self.column()
        return at(column.values, rows), column.categories


class ItemId(Coded):
    """The items' ids."""

    def __init__(self, tables: Tables) -> None:
        super().__init__(Needs(per_item=True))
        self.ids = tables.items.ids

    def coded(self, rows: Rows) -> tuple[Indices, IdMap]:
        every = np.arange(len(self.ids), dtype=np.int32) if isinstance(rows, slice) else rows
        return every, self.ids


# -- which codes are among some ----------------------------------------------------------------

ABSENT = -2
"""The code of a value that a column does not have."""

_FEW = 4  # so many comparisons are quicker than a look-up each


def members(codes: Indices, wanted: Indices, n_codes: int) -> Mask:
    """Tell which codes are among those wanted, which are distinct and not negative."""
    if len(wanted) <= _FEW:
        mask = np.zeros(len(codes), np.bool_)
        for code in wanted:
            mask |= codes == code
        return mask
    if n_codes <= _FEW * len(codes):
        table = np.zeros(n_codes + 1, np.bool_)  # the last is where unknown ones look
        table[wanted] = True
        return table.take(codes)
    ordered = np.sort(wanted)
    found: Mask = ordered.take(ordered.searchsorted(codes), mode="clip") == codes
    return found


def codes_of(values: Sequence[Any], categories: IdMap) -> Indices:
    """Return the codes of those values that there are, each once."""
    found = {categories.index(value) for value in values}
    found.discard(UNKNOWN)
    return np.fromiter(found, np.int32, count=len(found))


def code_or_absent(value: Any, categories: IdMap) -> int:
    """Return a value's code: -1 where it is unknown, `ABSENT` where there is none."""
    if value is None:
        return UNKNOWN
    code = categories.index(value)
    return ABSENT if code == UNKNOWN else code


class Translation:
    """Turns the codes of one map into those of another: `ABSENT` for values that it lacks."""

    def __init__(self) -> None:
        self.kept: tuple[IdMap, IdMap, int, int, Indices] | None = None

    def __call__(self, codes: Indices, own: IdMap, other: IdMap) -> Indices:
        return codes if own is other else self._numbers(own, other).take(codes)

    def _numbers(self, own: IdMap, other: IdMap) -> Indices:
        kept = self.kept
        if kept is not None and kept[:2] == (own, other) and kept[2:4] == (len(own), len(other)):
            return kept[4]
        sizes = len(own), len(other)
        values: list[Any] = [*own.ids.tolist(), None]  # the last is where unknown ones look
        numbers = np.array([code_or_absent(value, other) for value in values], np.int32)
        self.kept = (own, other, *sizes, numbers)
        return numbers
