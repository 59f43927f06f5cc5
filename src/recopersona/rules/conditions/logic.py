"""Conditions of three values, and how AND, OR and NOT join them.

A condition is asked two questions, of which a rule needs one: where is it surely true, and where
surely false? What is neither is unknown. NOT swaps the questions, so that no third value has to be
carried along.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from recopersona.data.feature_table import FlagColumn
from recopersona.data.types import Mask
from recopersona.rules.conditions.asked import Asked, Tables
from recopersona.rules.conditions.labels import Label
from recopersona.rules.conditions.operands import ColumnOf, Evaluated, Needs, Rows, at
from recopersona.rules.conditions.request_values import Given


class Condition(Evaluated, ABC):
    """A condition over the items of a shop: true, false, or unknown.

    A condition of the request (``of_request``) answers with one bool; any other with a new array,
    bool (n_rows,), which the caller may write into.

    of_catalogue  whether the item columns alone decide it
    of_request    whether no item matters
    reads         the item columns it reads
    uses_now      whether it depends on the moment
    """

    @abstractmethod
    def true(self, rows: Rows, asked: Asked) -> Mask | bool:
        """Tell where it is surely true."""

    @abstractmethod
    def false(self, rows: Rows, asked: Asked) -> Mask | bool:
        """Tell where it is surely false."""


class Always(Condition):
    """``TRUE`` or ``FALSE``."""

    def __init__(self, value: bool) -> None:
        super().__init__(Needs())
        self.value = value

    def true(self, rows: Rows, asked: Asked) -> bool:
        return self.value

    def false(self, rows: Rows, asked: Asked) -> bool:
        return not self.value


class GivenFlag(Condition):
    """True or false, as the request says."""

    def __init__(self, given: Given) -> None:
        super().__init__(Needs.of_given(given))
        self.given = given

    def true(self, rows: Rows, asked: Asked) -> bool:
        return self.given.value(asked) is True

    def false(self, rows: Rows, asked: Asked) -> bool:
        return self.given.value(asked) is False


class FlagOf(Condition):
    """A column of true and false."""

    def __init__(self, column: ColumnOf) -> None:
        super().__init__(Needs.of_column(column.name))
        self.column: Callable[[], FlagColumn] = column

    def true(self, rows: Rows, asked: Asked) -> Mask:
        return np.equal(at(self.column().values, rows), 1)

    def false(self, rows: Rows, asked: Asked) -> Mask:
        return np.equal(at(self.column().values, rows), 0)


class Opposite(Condition):
    """NOT: what is unknown stays unknown."""

    def __init__(self, condition: Condition) -> None:
        super().__init__(condition.needs)
        self.condition = condition

    def true(self, rows: Rows, asked: Asked) -> Mask | bool:
        return self.condition.false(rows, asked)

    def false(self, rows: Rows, asked: Asked) -> Mask | bool:
        return self.condition.true(rows, asked)


class _Joined(Condition):
    """Several conditions; those of the request are asked first, and may decide it alone."""

    def __init__(self, parts: Sequence[Condition], tables: Tables) -> None:
        super().__init__(Needs.all_of(parts))
        self.items = tables.items
        self.of_all = [part for part in parts if part.of_request]
        self.of_each = [part for part in parts if not part.of_request]

    def _everywhere(self, answers: str, rows: Rows, asked: Asked) -> Mask | bool:
        """Tell where all parts answer yes."""
        for part in self.of_all:
            if not getattr(part, answers)(rows, asked):
                return False if self.of_request else everywhere(False, rows, self.items)
        mask: Mask | None = None
        for part in self.of_each:
            found = getattr(part, answers)(rows, asked)
            mask = found if mask is None else np.logical_and(mask, found, out=mask)
        return True if mask is None else mask

    def _anywhere(self, answers: str, rows: Rows, asked: Asked) -> Mask | bool:
        """Tell where any part answers yes."""
        for part in self.of_all:
            if getattr(part, answers)(rows, asked):
                return True if self.of_request else everywhere(True, rows, self.items)
        mask: Mask | None = None
        for part in self.of_each:
            found = getattr(part, answers)(rows, asked)
            mask = found if mask is None else np.logical_or(mask, found, out=mask)
        return False if mask is None else mask


class All(_Joined):
    """AND."""

    def true(self, rows: Rows, asked: Asked) -> Mask | bool:
        return self._everywhere("true", rows, asked)

    def false(self, rows: Rows, asked: Asked) -> Mask | bool:
        return self._anywhere("false", rows, asked)


class AnyOf(_Joined):
    """OR."""

    def true(self, rows: Rows, asked: Asked) -> Mask | bool:
        return self._anywhere("true", rows, asked)

    def false(self, rows: Rows, asked: Asked) -> Mask | bool:
        return self._everywhere("false", rows, asked)


class SameTruth(Condition):
    """``=`` between two conditions: both true, or both false."""

    def __init__(self, left: Condition, right: Condition) -> None:
        super().__init__(Needs.all_of((left, right)))
        self.left, self.right = left, right

    def true(self, rows: Rows, asked: Asked) -> Mask | bool:
        left, right = self.left, self.right
        both = left.true(rows, asked) & right.true(rows, asked)
        return both | (left.false(rows, asked) & right.false(rows, asked))

    def false(self, rows: Rows, asked: Asked) -> Mask | bool:
        left, right = self.left, self.right
        first = left.true(rows, asked) & right.false(rows, asked)
        return first | (left.false(rows, asked) & right.true(rows, asked))


class Known(Condition):
    """Whether something is known; that itself always is. ``IS UNKNOWN`` is its opposite."""

    def __init__(self, needs: Needs, known: Callable[[Rows, Asked], Any]) -> None:
        super().__init__(needs)
        self.known = known

    def true(self, rows: Rows, asked: Asked) -> Mask | bool:
        known: Mask | bool = self.known(rows, asked)
        return known

    def false(self, rows: Rows, asked: Asked) -> Mask | bool:
        known = self.known(rows, asked)
        return not known if self.of_request else np.logical_not(known)


class FlagAsLabel(Label):
    """True or false beside a list."""

    def __init__(self, condition: Condition) -> None:
        super().__init__(condition.needs)
        self.condition = condition

    def labels(self, rows: Rows, asked: Asked) -> Any:
        true, false = self.condition.true(rows, asked), self.condition.false(rows, asked)
        if self.of_request:
            return True if true else False if false else None
        labels = np.full(np.shape(true), None)
        labels[true], labels[false] = True, False
        return labels


def everywhere(value: bool, rows: Rows, items: Any) -> Mask:
    """Return one answer for every row."""
    return np.full(len(items.ids) if isinstance(rows, slice) else len(rows), value)
