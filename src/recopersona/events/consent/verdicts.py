"""Which rows of a table may be used, and why the others may not."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from recopersona.data.columns import require_columns
from recopersona.data.times import MISSING_TIME
from recopersona.data.types import Array, Mask
from recopersona.errors import ColumnError, hint
from recopersona.events.clocks import read_clock
from recopersona.events.consent.entries import Entries
from recopersona.events.consent.timelines import DENIED, UNKNOWN
from recopersona.events.consent.tombstones import ALWAYS, NEVER
from recopersona.events.distinct import Distinct

REASONS = ("admitted", "erased", "nobody", "denied", "unknown", "withdrawn since")
"""Verdicts; of several reasons the first counts."""

_ERASED, _NOBODY, _DENIED, _UNKNOWN, _WITHDRAWN = range(1, len(REASONS))

Called = Callable[[str, Any], tuple[str, ...]]
"""From a kind and a value to the names that the value is itself."""

Members = Callable[[str, list[Any]], list[tuple[str, ...]]]
"""From a kind and values to the names of all identifiers that each value stands for."""


def verdict_on(then: int, now: int, nobody: bool, erased: bool, unknown_allows: bool) -> int:
    """Return the verdict on one event, a place in `REASONS`."""
    if erased:
        return _ERASED
    if then == DENIED:
        return _DENIED
    if then == UNKNOWN and not unknown_allows:
        return _NOBODY if nobody else _UNKNOWN
    return _WITHDRAWN if now == DENIED else 0


class Rows(NamedTuple):
    """What the ledger knows of rows; all (n,).

    then    int8, the state when each happened
    now     int8, the state after all that is known
    nobody  bool, it has no identifier
    erased  bool, it is of somebody erased
    """

    then: Array
    now: Array
    nobody: Mask
    erased: Mask

    @classmethod
    def of(
        cls, frame: pd.DataFrame, entries: Entries, kinds: Iterable[str], bit: int,
        members: Members | None, called: Called,
    ) -> Rows:  # fmt: skip
        """Ask the entries about every row of a table.

        members  who else stands for an identifier; None where each stands for itself
        called   the names that an identifier is itself
        """
        n = len(frame)
        rows = cls(
            np.zeros(n, np.int8), np.zeros(n, np.int8), np.ones(n, np.bool_), np.zeros(n, np.bool_)
        )
        at = np.full(n, MISSING_TIME, np.int64)
        if "timestamp" in frame.columns:
            require_columns(frame[:0], ["timestamp"])
            at = np.ascontiguousarray(read_clock(frame["timestamp"]).milliseconds)
        columns = [kind for kind in kinds if kind in frame.columns]
        require_columns(frame[:0], columns)
        if n and not columns:
            raise ColumnError(
                "events need a column that says whose they are, such as 'user_id'"
                f"{hint('user_id', map(str, frame.columns), 'theirs are')}"
            )
        for kind in columns:
            rows._ask(_Column.of(kind, frame[kind], entries, members, called), entries, at, bit)
        return rows

    def _ask(self, column: _Column, entries: Entries, at: Array, bit: int) -> None:
        self.nobody[column.named[column.codes]] = False
        if column.until is not None:
            until = column.until[column.codes]
            self.erased[(until == ALWAYS) | ((at < until) & (at != MISSING_TIME))] = True
        self._raise_states(column.subjects, column.codes, None, entries, at, bit)
        rows: Array | None = None
        for place, subjects in enumerate(column.others):
            # Few values stand for several; what stands for more is among them.
            within = column.codes if rows is None else column.codes[rows]
            more = np.flatnonzero(column.n_others[within] > place)
            rows = more if rows is None else rows[more]
            self._raise_states(subjects, column.codes[rows], rows, entries, at[rows], bit)

    def _raise_states(
        self, subjects: Array, codes: Array, rows: Array | None, entries: Entries, at: Array,
        bit: int,
    ) -> None:  # fmt: skip
        if (subjects < 0).all():
            return
        if rows is None:
            entries.fill(self.then, self.now, subjects[codes], at, bit)
            return
        then, now = self.then[rows], self.now[rows]
        entries.fill(then, now, subjects[codes], at, bit)
        self.then[rows], self.now[rows] = then, now


def verdicts_on(rows: Rows, unknown_allows: bool) -> Array:
    """Return the verdict on every row, as `verdict_on` does; int8 (n,)."""
    verdicts = np.zeros(len(rows.then), np.int8)
    verdicts[rows.now == DENIED] = _WITHDRAWN
    if not unknown_allows:
        verdicts[rows.then == UNKNOWN] = _UNKNOWN
        verdicts[(rows.then == UNKNOWN) & rows.nobody] = _NOBODY
    verdicts[rows.then == DENIED] = _DENIED
    verdicts[rows.erased] = _ERASED
    return verdicts


class _Column(NamedTuple):
    """A column of identifiers; arrays are of its distinct values, and of none at the end.

    codes     int64 (n_rows,), -1 where a row has none
    named     bool (n_values + 1,), it is an identifier
    subjects  int64 (n_values + 1,), its place among the ledger's subjects, -1 for none
    others    the same of more identifiers that it stands for, one after the other
    n_others  int64 (n_values + 1,), how many of those it has
    until     int64 (n_values + 1,), until when its events are refused; None where nobody's are
    """

    codes: Array
    named: Mask
    subjects: Array
    others: list[Array]
    n_others: Array
    until: Array | None

    @classmethod
    def of(
        cls, kind: str, column: pd.Series, entries: Entries, members: Members | None,
        called: Called,
    ) -> _Column:  # fmt: skip
        distinct = Distinct.of(column)
        values = distinct.values
        if members is None:
            lists = [entries.places_of(kind, value) for value in values]
        else:
            lists = [_places(entries, names) for names in members(kind, values)]
        named = np.array([*(listed is not None for listed in lists), False], np.bool_)
        subjects = np.array([*(listed[0] if listed else -1 for listed in lists), -1], np.int64)
        more = [listed[1:] if listed else () for listed in lists]
        n_others = np.array([*map(len, more), 0], np.int64)
        others = [
            np.array([*(listed[n] if n < len(listed) else -1 for listed in more), -1], np.int64)
            for n in range(int(n_others.max()))
        ]
        until = None
        if entries.tombstones_:
            until = _ends(entries, partial(called, kind), values, named, subjects)
        return cls(distinct.codes, named, subjects, others, n_others, until)


def _places(entries: Entries, names: tuple[str, ...]) -> tuple[int, ...] | None:
    """Return the places of names, the first one's and those that are known; None for no names."""
    if not names:
        return None
    first = entries.place(names[0])
    others = {entries.place(name) for name in names[1:]}
    return (first, *sorted(others - {first, -1}))


def _ends(
    entries: Entries, called: Callable[[Any], tuple[str, ...]], values: list[Any], named: Mask,
    subjects: Array,
) -> Array:  # fmt: skip
    """Return until when each value's events are refused; int64 (n_values + 1,)."""
    tombstones = entries.tombstones_
    until = np.full(len(named), NEVER, np.int64)
    asked = named if tombstones.lifted else named & (subjects < 0)  # who is on record is not erased
    for place in np.flatnonzero(asked).tolist():
        until[place] = max(map(tombstones.until, called(values[place])))
    return until
