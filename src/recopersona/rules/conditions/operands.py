"""Numbers, moments and durations of items and of a request: float64, NaN where unknown.

Moments and durations are milliseconds: as float64 they are exact for 285,000 years around 1970.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, cast

import numpy as np

from recopersona.data.feature_table import Column, NumberColumn, TimeColumn
from recopersona.data.times import MISSING_TIME
from recopersona.data.types import Array, Indices
from recopersona.rules.conditions.asked import Asked, Tables
from recopersona.rules.conditions.request_values import Given
from recopersona.rules.nodes import CREATED

Rows: TypeAlias = "slice | Indices"
"""``slice(None)`` for the whole catalogue, or the indices of some items, int32."""


@dataclass(frozen=True, slots=True)
class Needs:
    """What something must know to be evaluated.

    per_item  whether items differ in it
    request   whether it depends on who asks: user, context, seed item, parameters, DID
    now       whether it depends on the moment
    reads     the item columns it reads
    given     the values of the request it reads
    """

    per_item: bool = False
    request: bool = False
    now: bool = False
    reads: frozenset[str] = frozenset()
    given: tuple[Given, ...] = ()

    @classmethod
    def all_of(cls, parts: Sequence[Evaluated]) -> Needs:
        """Return what several parts need together."""
        needs = [part.needs for part in parts]
        return cls(
            any(one.per_item for one in needs),
            any(one.request for one in needs),
            any(one.now for one in needs),
            frozenset().union(*(one.reads for one in needs)),
            tuple(dict.fromkeys(given for one in needs for given in one.given)),
        )

    @classmethod
    def of_column(cls, *names: str) -> Needs:
        """Return what an item column needs: itself."""
        return cls(per_item=True, reads=frozenset(names))

    @classmethod
    def of_given(cls, given: Given) -> Needs:
        """Return what a value of the request needs."""
        now = given.name == "ctx.now" or given.name == "seed.age"
        return cls(request=given.name != "ctx.now", now=now, given=(given,))


class Evaluated:
    """Anything compiled.

    of_catalogue  whether the item columns alone decide it
    of_request    whether no item matters; then there is one answer for all
    reads         the item columns it reads
    uses_now      whether it depends on the moment
    """

    def __init__(self, needs: Needs) -> None:
        self.needs = needs
        self.of_catalogue = not needs.request and not needs.now
        self.of_request = not needs.per_item
        self.reads = needs.reads
        self.uses_now = needs.now

    def missing(self, asked: Asked) -> tuple[str, ...]:
        """Name the values of the request that it reads and that are unknown: ``user.age``."""
        return tuple(given.name for given in self.needs.given if given.value(asked) is None)


class ColumnOf:
    """One column of the items as it is now: updates put a new one in its place."""

    def __init__(self, tables: Tables, name: str) -> None:
        self.items, self.name = tables.items, name
        self.items.column(name)  # says so now if there is none

    def __call__(self) -> Any:
        column: Column = self.items.columns[self.name]
        return column if len(column) == len(self.items.ids) else self.items.column(self.name)


def at(values: Array, rows: Rows) -> Array:
    """Return the values of some rows; of all, the array itself, which is not to be written into."""
    # Taking is quicker than indexing with int32.
    return values if isinstance(rows, slice) else values.take(rows)


class Numeric(Evaluated, ABC):
    """A number, a duration or a moment, per item or one for all."""

    @abstractmethod
    def values(self, rows: Rows, asked: Asked) -> Any:
        """Return float64 (n_rows,), or one float for all; NaN where unknown."""


class Fixed(Numeric):
    """A number that was written."""

    def __init__(self, value: float) -> None:
        super().__init__(Needs())
        self.value = value

    def values(self, rows: Rows, asked: Asked) -> float:
        return self.value


class GivenNumber(Numeric):
    """A number of the request."""

    def __init__(self, given: Given) -> None:
        super().__init__(Needs.of_given(given))
        self.given = given

    def values(self, rows: Rows, asked: Asked) -> float:
        value = self.given.value(asked)
        return math.nan if value is None else cast("float", value)


class NumberOf(Numeric):
    """A column of numbers."""

    def __init__(self, column: ColumnOf) -> None:
        super().__init__(Needs.of_column(column.name))
        self.column: Callable[[], NumberColumn] = column

    def values(self, rows: Rows, asked: Asked) -> Array:
        return at(self.column().values, rows)


class TimeOf(Numeric):
    """A column of moments."""

    def __init__(self, column: ColumnOf) -> None:
        super().__init__(Needs.of_column(column.name))
        self.column: Callable[[], TimeColumn] = column

    def ms(self, rows: Rows) -> Array:
        """Return int64 milliseconds, `MISSING_TIME` where unknown."""
        return at(self.column().values, rows)

    def values(self, rows: Rows, asked: Asked) -> Array:
        ms = self.ms(rows)
        values = ms.astype(np.float64)
        values[ms == MISSING_TIME] = np.nan
        return values


class Since(Numeric):
    """The time between a moment of the column and one of the request: ``item.age``."""

    def __init__(self, until: Numeric, start: TimeOf) -> None:
        super().__init__(Needs.all_of((until, start)))
        self.until, self.start = until, start

    def values(self, rows: Rows, asked: Asked) -> Array:
        values = self.start.values(rows, asked)
        difference: Array = np.subtract(self.until.values(rows, asked), values, out=values)
        return difference


def age(tables: Tables, now: Numeric) -> Since:
    """Return ``item.age``: the time since an item was made."""
    return Since(now, TimeOf(ColumnOf(tables, CREATED)))


class Computed(Numeric):
    """A function of numbers. What is no finite number any more, or divided by zero, is unknown."""

    def __init__(self, function: Callable[..., Any], args: Sequence[Numeric]) -> None:
        super().__init__(Needs.all_of(args))
        self.function, self.args = function, tuple(args)

    def values(self, rows: Rows, asked: Asked) -> Any:
        args = [_of_numpy(arg.values(rows, asked)) for arg in self.args]
        with np.errstate(all="ignore"):
            result = self.function(*args)
        if isinstance(result, np.ndarray):
            result[~np.isfinite(result)] = np.nan
            return result
        return float(result) if np.isfinite(result) else math.nan


def _of_numpy(values: Any) -> Any:
    """Return one number as numpy has it, which divides by zero without a word."""
    return values if isinstance(values, np.ndarray) else np.float64(values)


class Chosen(Numeric):
    """The least or greatest of some numbers, or a number without its sign; unknown if one is."""

    def __init__(self, function: Callable[..., Any], args: Sequence[Numeric]) -> None:
        super().__init__(Needs.all_of(args))
        self.function, self.args = function, tuple(args)

    def values(self, rows: Rows, asked: Asked) -> Any:
        first, *others = (_of_numpy(arg.values(rows, asked)) for arg in self.args)
        result = self.function(first) if not others else first
        for other in others:
            result = self.function(result, other)
        return result if isinstance(result, np.ndarray) else result.item()


def ramp(x: Any, low: Any, high: Any) -> Any:
    """Rise from 0 at ``low`` to 1 at ``high``."""
    share = (x - low) / (high - low)
    return np.where(np.isfinite(share), np.clip(share, 0.0, 1.0), np.nan)[()]


def decay(x: Any, half: Any) -> Any:
    """Halve with every ``half``."""
    halvings = x / half
    return np.where(np.isfinite(halvings), 0.5**halvings, np.nan)[()]


COMPUTED: dict[str, Callable[..., Any]] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.divide,
    "ramp": ramp,
    "decay": decay,
    "log1p": np.log1p,
}
CHOSEN: dict[str, Callable[..., Any]] = {
    "min": np.minimum,
    "max": np.maximum,
    "abs": np.abs,
    "-": np.negative,
}
