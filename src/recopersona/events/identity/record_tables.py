"""One table of records, or two to link across, and the answer about each of their rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from recopersona.data.types import Array
from recopersona.errors import ColumnError, DataError, hint, shown
from recopersona.events.identity.record_fields import Records, joined, records_of

SOURCES = ("a", "b")

ROW = "row"
"""The column of what records are called of which no ids are given."""


@dataclass(frozen=True, eq=False)
class Tables:
    """The records of one or two tables, one behind the other.

    records  all of them
    ids      what the caller calls them, object (n,)
    called   "record", or "row" where ids are rows
    sizes    how many rows each table has
    """

    records: Records
    ids: pd.Series
    called: str
    sizes: tuple[int, int]

    @classmethod
    def of(
        cls,
        first: pd.DataFrame,
        second: pd.DataFrame | None,
        record: str | None,
        columns: Mapping[str, str],
        ignored: Iterable[str],
    ) -> Tables:
        """Read the tables.

        Raises
        ------
        DataError
            If no column can be used, or ids are missing or there twice.
        """
        ignored = list(ignored)
        frames = [first] if second is None else [first, second]
        ids = [_ids_of(frame, record) for frame in frames]
        apart = [frame if record is None else frame.drop(columns=record) for frame in frames]
        read = [
            records_of(frame, columns, [name for name in ignored if name in frame.columns])
            for frame in apart
        ]
        missing = [name for name in ignored if not any(name in frame for frame in frames)]
        if missing:
            raise ColumnError(
                f"the records have no column {missing[0]!r}"
                f"{hint(str(missing[0]), map(str, first.columns))}"
            )
        records = read[0] if second is None else joined(read[0], read[1])
        return cls(
            records,
            pd.concat(ids, ignore_index=True),
            ROW if record is None else "record",
            (len(first), 0 if second is None else len(second)),
        )

    def answer(self, groups: Array, probability: Array | None = None) -> pd.DataFrame:
        """Return a row for every record: its id, its group by number, and how probable that is."""
        linked = pd.DataFrame({self.called: self.ids, "cluster": pd.factorize(groups)[0]})
        linked["cluster"] = linked["cluster"].astype(np.int64)
        if self.sizes[1]:
            linked.insert(0, "source", np.repeat(SOURCES, self.sizes))
        if probability is not None:
            linked["probability"] = probability
        return linked


def _ids_of(frame: pd.DataFrame, record: str | None) -> pd.Series:
    if not len(frame):
        raise DataError("there is no record to link; give a table with rows.")
    if record is None:
        return pd.Series(range(len(frame)))
    if record not in frame.columns:
        raise ColumnError(
            f"the records have no column {record!r}{hint(record, map(str, frame.columns))}"
        )
    ids = frame[record].reset_index(drop=True)
    if ids.isna().any():
        raise DataError(f"the record in row {int(np.argmax(ids.isna()))} has no {record!r}.")
    try:
        twice = ids.duplicated()
    except TypeError:
        raise DataError(f"{record} must hold strings or integers.") from None
    if twice.any():
        raise DataError(
            f"{shown(ids.tolist()[int(np.argmax(twice))])} is the {record!r} of more than one "
            "record; leave record= out to call them by their rows."
        )
    return ids
