"""Links between identifiers: every one that ever came, in columns, in the order of their time."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np

from recopersona.base.part import Part
from recopersona.base.recommender import require_array
from recopersona.data.growing import with_room
from recopersona.data.types import Array, Mask
from recopersona.errors import DataError
from recopersona.kernels.identity import take_links

_MANY = 4096  # from here on columns are no longer near

ALONE = -1
"""In place of the lower identifier: the higher one came alone."""


class Table(Part):
    """Rows in columns that grow at their end.

    A subclass names its columns and their types.
    """

    _columns: ClassVar[dict[str, type[np.generic]]] = {}

    @classmethod
    def of(cls, **columns: Array) -> Self:
        """Build a table from arrays of one length."""
        table = cls()
        for name, kind in cls._columns.items():
            setattr(table, f"{name}_", np.ascontiguousarray(columns[name], dtype=kind))
        return table

    @classmethod
    def empty(cls) -> Self:
        """Build a table without rows."""
        return cls.of(**{name: np.empty(0, kind) for name, kind in cls._columns.items()})

    def __len__(self) -> int:
        return len(vars(self)[f"{next(iter(self._columns))}_"])

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {len(self):,}>"

    def append(self, other: Table) -> None:
        """Put the rows of another behind these."""
        n = len(self)
        for name in self._columns:
            room = with_room(getattr(self, f"{name}_"), n + len(other))
            room[n:] = getattr(other, f"{name}_")
            setattr(self, f"{name}_", room)

    def append_row(self, *values: Any) -> None:
        """Put one row behind these, its values in the order of the columns."""
        n = len(self)
        for name, value in zip(self._columns, values, strict=True):
            room = with_room(getattr(self, f"{name}_"), n + 1)
            room[n] = value
            setattr(self, f"{name}_", room)

    def take(self, rows: Array | Mask) -> Self:
        """Return some rows, in the order asked for."""
        return self.of(**{name: getattr(self, f"{name}_")[rows] for name in self._columns})

    def _check_learned(self) -> None:
        for name, kind in self._columns.items():
            require_array(getattr(self, f"{name}_", None), kind, (None,), name)
        if len({len(getattr(self, f"{name}_")) for name in self._columns}) > 1:
            raise DataError(f"the columns of a {type(self).__name__} must be of one length.")


class Links(Table):
    """Links of two identifiers each, or of one alone.

    higher_  int32 (n,), the identifier of the higher priority
    lower_   int32 (n,), the other, or `ALONE`
    time_    int64 (n,), milliseconds UTC, `MISSING_TIME` for since ever
    event_   int32 (n,), the event's id by its number, -1 without
    row_     int32 (n,), the row that it came in, of all rows that ever came
    """

    _columns: ClassVar[dict[str, type[np.generic]]] = {
        "higher": np.int32, "lower": np.int32, "time": np.int64, "event": np.int32,
        "row": np.int32,
    }  # fmt: skip
    higher_: Array
    lower_: Array
    time_: Array
    event_: Array
    row_: Array

    def take(self, rows: Array | Mask) -> Self:
        """Return some rows, in the order asked for."""
        if type(self) is not Links or len(rows) < _MANY:
            return super().take(rows)
        rows = np.flatnonzero(rows) if rows.dtype == np.bool_ else rows
        taken = [np.empty(len(rows), kind) for kind in self._columns.values()]
        packed = np.empty((len(self), 6), np.int32)
        take_links(
            *taken, packed, packed.view(np.int64), rows.astype(np.int32), self.higher_,
            self.lower_, self.time_, self.event_, self.row_,
        )  # fmt: skip
        return self.of(**dict(zip(self._columns, taken, strict=True)))


class ProbableLinks(Links):
    """Links that somebody computed: they count after every other, the more probable first.

    probability_  float32 (n,)
    """

    _columns: ClassVar[dict[str, type[np.generic]]] = {**Links._columns, "probability": np.float32}
    probability_: Array


class Unfit(Table):
    """Values that are no identifiers, with the best identifier of their rows.

    kind_    int16 (n,)
    value_   int32 (n,), the text that stands for it, by its number; -1 where it must not be shown
    node_    int32 (n,), the row's identifier of the highest priority, -1 without
    time_    int64 (n,)
    event_   int32 (n,)
    reason_  int8 (n,)
    """

    _columns: ClassVar[dict[str, type[np.generic]]] = {
        "kind": np.int16, "value": np.int32, "node": np.int32, "time": np.int64,
        "event": np.int32, "reason": np.int8,
    }  # fmt: skip
    kind_: Array
    value_: Array
    node_: Array
    time_: Array
    event_: Array
    reason_: Array
