"""The events that features were made of, in columns that grow."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from recopersona.base.part import Part
from recopersona.base.recommender import require_array
from recopersona.data.event import EVENT_TYPES
from recopersona.data.types import Array
from recopersona.errors import DataError
from recopersona.features.codes import in_time
from recopersona.kernels.signals import EVENT_NUMBERS

_TYPES: Mapping[str, type[np.generic]] = {
    "times": np.int64,
    "kinds": np.int8,
    "parts": np.int32,
    "numbers": np.float64,
    "named": np.int8,
}


class EventLog(Part):
    """Every event as the kernel reads it, in the order they came in.

    ``named`` is 1 where an event itself says the category that its parts hold.

    Memory: 74 bytes an event, and 4 for each part of a key beyond four; up to half as much again
    after growing.

    Attributes
    ----------
    columns_ : dict of arrays, longer than what is in use
    n_ : int
        Events in use.
    in_order_ : bool
        Whether none came after a later one.
    """

    def start(self, columns: Mapping[str, Array]) -> None:
        """Begin with some events."""
        self.columns_ = {name: columns[name] for name in _TYPES}
        self.n_, self.in_order_ = len(columns["times"]), True

    def __len__(self) -> int:
        return self.n_

    def add(self, columns: Mapping[str, Array]) -> None:
        """Append events, which may have happened before others that are held."""
        times = columns["times"]
        n = self.n_ + len(times)
        if n > len(self.columns_["times"]) or not self.columns_["times"].flags.writeable:
            self._grow(n)
        for name, column in self.columns_.items():
            column[self.n_ : n] = columns[name]
        if self.n_ and times[0] < self.columns_["times"][self.n_ - 1]:
            self.in_order_ = False
        self.n_ = n

    def sort(self) -> dict[str, Array]:
        """Put all events in order of time, and return them as arrays that can be written to."""
        if not self.in_order_ or not self.columns_["parts"].flags.writeable:
            self.columns_ = {name: column.copy() for name, column in self.in_time().items()}
            self.in_order_ = True
        return self.in_time()

    def in_time(self) -> dict[str, Array]:
        """Return all events in order of time."""
        held = {name: column[: self.n_] for name, column in self.columns_.items()}
        return held if self.in_order_ else in_time(held)

    def drop(self, rows: Array) -> None:
        """Forget some events, given as a mask."""
        self.columns_ = {
            name: np.ascontiguousarray(column[: self.n_][~rows])
            for name, column in self.columns_.items()
        }
        self.n_ = len(self.columns_["times"])

    def check(self, n_parts: int) -> None:
        """Refuse columns from a file that the kernel must not see."""
        held: Any = self.columns_
        if not isinstance(held, dict) or set(held) != set(_TYPES):
            raise DataError("a log of events holds other columns than it needs.")
        widths: Mapping[str, tuple[int, ...]] = {
            "parts": (n_parts,),
            "numbers": (len(EVENT_NUMBERS),),
        }
        for name, dtype in _TYPES.items():
            require_array(held[name], dtype, (None, *widths.get(name, ())), name)
        if type(self.in_order_) is not bool:
            raise DataError("a log of events must say whether it is in order.")
        same_length = len({len(column) for column in held.values()}) == 1
        if not same_length or type(self.n_) is not int or not 0 <= self.n_ <= len(held["times"]):
            raise DataError("the columns of a log of events differ in length.")
        kinds = held["kinds"][: self.n_]
        if len(kinds) and not (kinds.min() >= 0 and kinds.max() < len(EVENT_TYPES)):
            raise DataError("a log of events holds kinds that there are not.")

    def _grow(self, n: int) -> None:
        for name, column in self.columns_.items():
            grown = np.zeros((n + n // 2, *column.shape[1:]), column.dtype)
            grown[: self.n_] = column[: self.n_]
            self.columns_[name] = grown
