"""Comparisons, one class for each pair of things that are compared in their own way."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from recopersona.data.ids import UNKNOWN, IdMap
from recopersona.data.times import MISSING_TIME
from recopersona.data.types import Array, Mask
from recopersona.rules.conditions.asked import Asked
from recopersona.rules.conditions.labels import Coded, Label, Translation
from recopersona.rules.conditions.logic import Condition
from recopersona.rules.conditions.operands import Needs, Numeric, Rows, Since, TimeOf
from recopersona.rules.nodes import MIRRORED


def _differ(left: Any, right: Any) -> Any:
    """Tell where two known numbers differ: NaN differs from all, but is neither less nor more."""
    return (left < right) | (left > right)


_HOLDS: Mapping[str, Callable[[Any, Any], Any]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "=": operator.eq,
    "!=": _differ,
}
OPPOSITE = {"<": ">=", "<=": ">", ">": "<=", ">=": "<", "=": "!="}
"""What is true of two known numbers where a comparison is false."""


class NumbersCompared(Condition):
    """``< <= > >= =`` between numbers; NaN, which stands for unknown, is neither."""

    def __init__(self, op: str, left: Numeric, right: Numeric) -> None:
        super().__init__(Needs.all_of((left, right)))
        self.left, self.right = left, right
        self.holds, self.fails = _HOLDS[op], _HOLDS[OPPOSITE[op]]

    def true(self, rows: Rows, asked: Asked) -> Mask | bool:
        found: Mask | bool = self.holds(
            self.left.values(rows, asked), self.right.values(rows, asked)
        )
        return found

    def false(self, rows: Rows, asked: Asked) -> Mask | bool:
        found: Mask | bool = self.fails(
            self.left.values(rows, asked), self.right.values(rows, asked)
        )
        return found


class MomentCompared(Condition):
    """A column of moments and a moment of the request, compared as whole milliseconds."""

    def __init__(self, op: str, column: TimeOf, moment: Numeric) -> None:
        super().__init__(Needs.all_of((column, moment)))
        self.op, self.column, self.moment = op, column, moment

    def true(self, rows: Rows, asked: Asked) -> Mask:
        return _moments(self.op, self.column.ms(rows), self.moment.values(rows, asked))

    def false(self, rows: Rows, asked: Asked) -> Mask:
        return _moments(OPPOSITE[self.op], self.column.ms(rows), self.moment.values(rows, asked))


class AgeCompared(Condition):
    """How long ago a moment of a column is, and a duration of the request."""

    def __init__(self, op: str, since: Since, duration: Numeric) -> None:
        super().__init__(Needs.all_of((since, duration)))
        self.op, self.since, self.duration = op, since, duration

    def true(self, rows: Rows, asked: Asked) -> Mask:
        return self._compared(self.op, rows, asked)

    def false(self, rows: Rows, asked: Asked) -> Mask:
        return self._compared(OPPOSITE[self.op], rows, asked)

    def _compared(self, op: str, rows: Rows, asked: Asked) -> Mask:
        until, length = self.since.until.values(rows, asked), self.duration.values(rows, asked)
        if not float(until).is_integer():  # unknown, or between two milliseconds
            found: Mask = _HOLDS[op](self.since.values(rows, asked), length)
            return found
        # Less than 30 days old is what was made after the moment 30 days ago. An age is a whole
        # number of milliseconds: what is between two of them is compared with the one or the other.
        if math.isfinite(length) and op not in ("=", "!="):
            length = math.ceil(length) if op in ("<", ">=") else math.floor(length)
        return _moments(MIRRORED[op], self.since.start.ms(rows), _minus(int(until), length))


def _minus(moment: int, length: float) -> float:
    return moment - int(length) if float(length).is_integer() else moment - length


def _moments(op: str, ms: Array, bound: float) -> Mask:
    """Compare int64 milliseconds with one number of any size and kind."""
    if bound != bound:
        return np.zeros(len(ms), np.bool_)
    if not math.isfinite(bound):
        bound = math.copysign(2.0**63, bound)
    if op == "=" or op == "!=":
        known: Mask = ms != MISSING_TIME
        if bound != math.floor(bound):
            return known if op == "!=" else np.zeros(len(ms), np.bool_)
        same: Mask = ms == int(bound)
        return np.logical_and(known, same if op == "=" else ~same, out=known)
    whole = math.ceil(bound) if op in ("<", ">=") else math.floor(bound)
    found: Mask = _HOLDS[op](ms, min(max(whole, MISSING_TIME + 1), -MISSING_TIME - 1))
    # What is missing is the least number there is.
    return found if op[0] == ">" else np.logical_and(found, ms != MISSING_TIME, out=found)


# -- what is only equal or not -----------------------------------------------------------------


class CodeIs(Condition):
    """A column of categories equal to one value."""

    def __init__(self, coded: Coded, value: Label) -> None:
        super().__init__(Needs.all_of((coded, value)))
        self.coded, self.value = coded, value

    def true(self, rows: Rows, asked: Asked) -> Mask:
        value = self.value.labels(rows, asked)
        codes, categories = self.coded.coded(rows)
        code = UNKNOWN if value is None else categories.index(value)
        mask: Mask = np.zeros(len(codes), np.bool_) if code == UNKNOWN else codes == code
        return mask

    def false(self, rows: Rows, asked: Asked) -> Mask:
        value = self.value.labels(rows, asked)
        codes, categories = self.coded.coded(rows)
        if value is None:
            return np.zeros(len(codes), np.bool_)
        known: Mask = codes >= 0
        code = categories.index(value)
        return known if code == UNKNOWN else np.logical_and(known, codes != code, out=known)


class CodesEqual(Condition):
    """Two columns of categories, each with codes of its own."""

    def __init__(self, left: Coded, right: Coded) -> None:
        super().__init__(Needs.all_of((left, right)))
        self.left, self.right, self.translated = left, right, Translation()

    def true(self, rows: Rows, asked: Asked) -> Mask:
        left, right = self._codes(rows)
        mask: Mask = (left == right) & (left >= 0)
        return mask

    def false(self, rows: Rows, asked: Asked) -> Mask:
        left, right = self._codes(rows)
        mask: Mask = (left != right) & (left >= 0) & (right != UNKNOWN)
        return mask

    def _codes(self, rows: Rows) -> tuple[Array, Array]:
        left, own = self.left.coded(rows)
        right, other = self.right.coded(rows)
        return left, self.translated(right, other, own)


class LabelsEqual(Condition):
    """Anything else that is equal or not: values as Python compares them."""

    def __init__(self, left: Label, right: Label) -> None:
        super().__init__(Needs.all_of((left, right)))
        self.left, self.right = left, right

    def true(self, rows: Rows, asked: Asked) -> Mask | bool:
        left, right = self.left.labels(rows, asked), self.right.labels(rows, asked)
        if self.of_request:
            return same_label(left, right) is True
        mask: Mask = (left == right) & are_known(left) & are_known(right)
        return mask

    def false(self, rows: Rows, asked: Asked) -> Mask | bool:
        left, right = self.left.labels(rows, asked), self.right.labels(rows, asked)
        if self.of_request:
            return same_label(left, right) is False
        mask: Mask = (left != right) & are_known(left) & are_known(right)
        return mask


def same_label(left: Any, right: Any) -> bool | None:
    """Compare two values of a request; None where one is unknown, or a flag is beside another."""
    if left is None or right is None or isinstance(left, bool) != isinstance(right, bool):
        return None
    return bool(left == right)


def are_known(labels: Any) -> Any:
    """Tell which of some values there are, or whether one is."""
    if not isinstance(labels, np.ndarray):
        return labels is not None
    return labels != _NOTHING


_NOTHING: Any = None  # beside an array, "is not" would speak of the array


class StartingWith(Condition):
    """Text that starts with some other; what is no text does not."""

    def __init__(self, label: Label, start: str) -> None:
        super().__init__(label.needs)
        self.label, self.start = label, start
        self.kept: tuple[IdMap, Array, Mask] | None = None

    def true(self, rows: Rows, asked: Asked) -> Mask | bool:
        return self._answer(True, rows, asked)

    def false(self, rows: Rows, asked: Asked) -> Mask | bool:
        return self._answer(False, rows, asked)

    def _answer(self, wanted: bool, rows: Rows, asked: Asked) -> Mask | bool:
        if isinstance(self.label, Coded):
            codes, categories = self.label.coded(rows)
            found: Mask = self._of_codes(categories).take(codes)
            return found if wanted else np.logical_and(codes >= 0, ~found)
        labels = self.label.labels(rows, asked)
        if isinstance(labels, np.ndarray):
            told = [one is not None and self._fits(one) is wanted for one in labels.tolist()]
            return np.array(told, np.bool_)
        return labels is not None and self._fits(labels) is wanted

    def _fits(self, value: Any) -> bool:
        return isinstance(value, str) and value.startswith(self.start)

    def _of_codes(self, categories: IdMap) -> Mask:
        """Return which values start so, by code, and False for the code -1 at the end."""
        ids, known, kept = categories.ids, [], self.kept
        if kept is not None and kept[1] is ids:
            return kept[2]
        if kept is not None and kept[0] is categories:  # a map only grows
            known = kept[2][:-1].tolist()
        fits = np.array([*known, *map(self._fits, ids[len(known) :].tolist()), False], np.bool_)
        self.kept = categories, ids, fits
        return fits
