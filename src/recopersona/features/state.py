"""All that features know, kept in a handful of arrays that the kernel reads and writes."""

from __future__ import annotations

from collections.abc import Mapping
from threading import Lock
from typing import Any

import numpy as np

from recopersona.base.recommender import require_array
from recopersona.data.types import Array
from recopersona.errors import DataError
from recopersona.features.program import Program
from recopersona.kernels.signals import (
    ANSWERS,
    FACTS,
    FIXED_PAGE_SIZES,
    FIXED_TABLES,
    follow,
    move_index,
    split_cells,
)

_FEWEST_PLACES = 1 << 10
_AT_ONCE = 1 << 16  # events or questions per call: what both need of memory stays small

Columns = Mapping[str, Array]
"""Events or questions in columns: ``times``, ``parts`` and more, see `State.follow`."""


class State:
    """The pages of all keys, and the hash table that finds them.

    Memory: 8 bytes a number and a key's share of the hash table, 32 to 64 bytes. A key has one
    number per tally and one for its time.
    """

    def __init__(self, program: Program, gap: int, arrays: dict[str, Array] | None = None) -> None:
        self.program, self.gap = program, gap
        self.list_prices = np.empty(0)
        self.arrays = _blank() if arrays is None else arrays
        for name, array in self.arrays.items():
            if not array.flags.writeable:  # mapped from a file
                self.arrays[name] = array.copy()
        self._facts = np.empty(len(FACTS))
        self._nothing_asked = np.empty((len(program), 0)), np.empty((len(ANSWERS), 0))
        # Who reads while somebody else's event makes the arrays move would read past their end.
        self._lock = Lock()

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_lock"}

    def __setstate__(self, held: dict[str, Any]) -> None:
        vars(self).update(held, _lock=Lock())

    def follow(self, events: Columns, rows: Columns, visible: Array) -> tuple[Array, Array]:
        """Take in events and answer questions, both in order of time.

        Parameters
        ----------
        events : mapping
            ``times`` int64 (n,), ``kinds`` int8 (n,), ``parts`` int32 (n, n_parts), ``numbers``
            float64 (n, 6).
        rows : mapping
            ``times`` int64 (m,), ``parts`` int32 (m, n_parts), ``prices`` float64 (m,).
        visible : int64 (m,)
            How many of the events come before each question.

        Returns
        -------
        tallies float64 (n_tallies, m), answers float64 (n_answers, m)
        """
        n_events, n_rows = len(events["times"]), len(rows["times"])
        tallies, answers = self._nothing_asked
        if n_rows:
            tallies = np.empty((len(self.program), n_rows))
            answers = np.empty((len(ANSWERS), n_rows))
        with self._lock:
            self._make_room(n_events)
            held = self.arrays
            follow(
                held["index"], held["values"], held["used"], self._facts, tallies, answers,
                events["times"], events["kinds"], events["parts"], events["numbers"],
                rows["times"], visible, rows["parts"], rows["prices"],
                *self.program.arrays, self.list_prices, self.gap, n_events, n_rows,
            )  # fmt: skip
        return tallies, answers

    def check(self) -> None:
        """Refuse arrays from a file that the kernel must not see."""
        held: Any = self.arrays
        if not isinstance(held, dict) or set(held) != {"index", "values", "used"}:
            raise DataError("the state of features holds other arrays than it needs.")
        require_array(held["index"], np.int64, (None, 2), "index")
        require_array(held["values"], np.float64, (None,), "values")
        require_array(held["used"], np.int64, (2,), "used")
        n_places, n_values = len(held["index"]), int(held["used"][1])
        sizes = np.array([*FIXED_PAGE_SIZES, *(np.diff(self.program.bounds) + 1)])
        cells = held["index"][:, 1]
        pages, tables = split_cells(cells[cells != 0])
        good = (
            n_places >= _FEWEST_PLACES
            and n_places & (n_places - 1) == 0
            and len(pages) == held["used"][0] < n_places
            and ((tables >= 0) & (tables < len(sizes))).all()
            and 0 <= n_values <= len(held["values"])
        )
        if not good or not ((pages >= 0) & (pages + sizes[tables] <= n_values)).all():
            raise DataError("the state of features holds values that none has.")

    def _make_room(self, n_events: int) -> None:
        """See to it that events find free places and pages."""
        held, (n_places, n_values) = self.arrays, self.arrays["used"].tolist()
        n_keys = n_places + n_events * (self.program.n_tables + FIXED_TABLES)
        if 2 * n_keys > len(held["index"]):
            fresh = np.zeros((1 << int(2 * n_keys).bit_length(), 2), np.int64)
            move_index(fresh, held["index"], len(held["index"]))
            held["index"] = fresh
        n_needed = n_values + n_events * self.program.largest_step
        if n_needed > len(held["values"]):
            # Zeros: what lay in memory before, of whomever, must not get into a file.
            values = np.zeros(n_needed + n_needed // 2)
            values[:n_values] = held["values"][:n_values]
            held["values"] = values


def _blank() -> dict[str, Array]:
    return {
        "index": np.zeros((_FEWEST_PLACES, 2), np.int64),
        "values": np.empty(0),
        "used": np.zeros(2, np.int64),
    }


def steps(visible: Array, n_events: int) -> list[tuple[slice, slice]]:
    """Cut a long pass into short ones: slices of events and of the questions answered with them.

    visible  (n_rows,) int64, ascending

    Examples
    --------
    >>> steps(np.array([1, 1, 3]), 4)
    [(slice(0, 4, None), slice(0, 3, None))]
    """
    cuts, event, row, n_rows = [], 0, 0, len(visible)
    while event < n_events or row < n_rows:
        row_end = min(row + _AT_ONCE, n_rows)
        last = n_events if row_end == n_rows else int(visible[row_end - 1])
        event_end = min(last, event + _AT_ONCE)
        if event_end < last:
            row_end = min(row_end, int(np.searchsorted(visible, event_end, side="right")))
        cuts.append((slice(event, event_end), slice(row, row_end)))
        event, row = event_end, row_end
    return cuts
