"""Whose the rows of a log are, and when they happened, whatever the log calls it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from recopersona.data.event import EVENT_COLUMNS
from recopersona.data.times import MISSING_TIME
from recopersona.data.types import Array, Mask
from recopersona.errors import ColumnError, DataError, hint
from recopersona.events.called import KINDS
from recopersona.events.clocks import read_clock
from recopersona.events.distinct import Distinct
from recopersona.events.identifiers import is_no_id, text_of
from recopersona.events.reading import read_events
from recopersona.events.schemas import Schema, fitting_schema, schema_named
from recopersona.operations.needles import plain_text
from recopersona.operations.person import USER, Person

_ROW = "row of the log"  # no column of anybody's is called so


@dataclass(frozen=True)
class LogWords:
    """What a log calls its columns.

    schema   how it is read into our words; None for a table that is no log of events
    columns  our words, or kinds of identifiers, to its own columns
    """

    schema: Schema | None
    columns: Mapping[str, str]

    @classmethod
    def of(cls, names: list[str], schema: str | Schema, columns: Mapping[str, str]) -> LogWords:
        """Find out what a log of some columns is.

        Raises
        ------
        ColumnError
            If a column that was named is not there.
        ParameterError
            If there is no schema of that name.
        """
        for ours, theirs in columns.items():
            if theirs not in names:
                raise ColumnError(
                    f"columns reads {ours!r} from {theirs!r}, which the log lacks"
                    f"{hint(theirs, names, 'its columns are')}"
                )
        is_told = not (isinstance(schema, str) and schema == "auto")
        chosen = schema_named(schema) if is_told else fitting_schema(names)
        return cls(chosen, columns)

    def read(self, frame: pd.DataFrame, *, times: bool = True) -> Said:
        """Read what a piece of the log says of people and, if they are wanted, of times."""
        raw = frame.set_axis([str(name) for name in frame.columns], axis=1)
        events = self._events(raw) if times or not self._is_plain else self._people(raw)
        rows = events.pop(_ROW).to_numpy(dtype=np.int64)
        for kind in (*KINDS, *self.columns):
            theirs = self.columns.get(kind, kind)
            if theirs in raw.columns and (kind in self.columns or kind not in events.columns):
                events[kind] = raw[theirs].take(rows).set_axis(events.index)
        return Said(events, rows, len(frame))

    @property
    def _is_plain(self) -> bool:
        """Whether who somebody is stands in a column as it is: then nothing else need be read."""
        schema = self.schema
        return schema is None or (schema.rows is None and schema.derive is None)

    def _people(self, raw: pd.DataFrame) -> pd.DataFrame:
        own = {} if self.schema is None else self.schema.columns
        columns = {_ROW: pd.Series(np.arange(len(raw)), index=raw.index)}
        for kind in KINDS:
            if (theirs := self.columns.get(kind, own.get(kind, kind))) in raw.columns:
                columns[kind] = raw[theirs]
        return pd.DataFrame(columns)

    def _events(self, raw: pd.DataFrame) -> pd.DataFrame:
        numbered = raw.assign(**{_ROW: np.arange(len(raw))})
        if self.schema is None or not len(raw):
            return numbered
        ours = {name: own for name, own in self.columns.items() if name in EVENT_COLUMNS}
        schema = replace(self.schema, columns={**self.schema.columns, **ours, _ROW: _ROW})
        # What cannot be unfolded is nobody's here, and looked through as it is written.
        events, _ = read_events(numbered, schema=schema, report=True)
        read: pd.DataFrame = events
        return read.copy()


@dataclass(frozen=True)
class Said:
    """What some rows of a log say: events in our words, and of which row each was made.

    rows    int64 (n_events,)
    n_rows  how many rows there were
    """

    events: pd.DataFrame
    rows: Array
    n_rows: int

    @property
    def kinds(self) -> list[str]:
        """The columns that say who somebody is."""
        return [name for name in self.events.columns if name in KINDS]

    @property
    def unread(self) -> Mask:
        """Tell the rows that no event was made of: a cell is broken."""
        return ~self._of_rows(np.ones(len(self.rows), np.bool_))

    def of(self, person: Person) -> tuple[Mask, Mask]:
        """Tell the rows that are hers, and those of somebody else that name her, too.

        A row with the user id of somebody else is that user's, whatever device it came from.
        """
        named = np.zeros(len(self.rows), np.bool_)
        for kind in person.kinds:
            if kind in self.events.columns:
                named |= _tell(self.events[kind], lambda value, k=kind: person.is_named(k, value))
        others = np.zeros(len(self.rows), np.bool_)
        if USER in self.events.columns:
            others = _tell(self.events[USER], lambda value: _is_other(value, person))
        hers = self._of_rows(named & ~others)
        return hers, self._of_rows(named & others) & ~hers

    def names_in(self, rows: Mask, person: Person) -> frozenset[str]:
        """Return what some rows name of her."""
        events = self.events[rows[self.rows]]
        return frozenset(
            plain_text(value)
            for kind in person.kinds
            if kind in events.columns
            for value in events[kind].dropna().unique().tolist()
            if person.is_named(kind, value)
        )

    @property
    def times(self) -> Array:
        """When each row happened at the latest, in milliseconds; `MISSING_TIME` where unknown."""
        latest = np.full(self.n_rows, MISSING_TIME, np.int64)
        if "timestamp" in self.events.columns and len(self.rows):
            clock = read_clock(self.events["timestamp"]).milliseconds
            np.maximum.at(latest, self.rows, clock)
        return latest

    def _of_rows(self, events: Mask) -> Mask:
        told = np.zeros(self.n_rows, np.bool_)
        told[self.rows[events]] = True
        return told


def _is_other(value: Any, person: Person) -> bool:
    return not is_no_id(value) and not person.is_named(USER, value)


def _tell(column: pd.Series, predicate: Any) -> Mask:
    """Ask of every distinct value; a list among ids is nobody's, and must not stop anybody."""
    try:
        return Distinct.of(column).tell(predicate)
    except DataError:
        written = column.astype(object)
        return Distinct.of(written.map(text_of).where(written.notna(), None)).tell(predicate)
