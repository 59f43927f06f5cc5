"""Writing events to parquet, whole or as they come."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import narwhals as nw
import pandas as pd

from recopersona.data.columns import as_pandas
from recopersona.data.gate import EventGate, require_gate
from recopersona.errors import DataError, MissingExtraError, ParameterError
from recopersona.events.admission import admitted_places
from recopersona.events.files.replacing import appearing_when_complete

_ROWS_OF_A_GROUP = 1_000_000
_NUMBERS = ("quantity", "price", "dwell_ms", "scroll_pct", "position", "weight")
_TIMES = ("timestamp", "received")


def write_events(
    events: Any, path: str | Path, *, gate: EventGate | None = None, purpose: str | None = None
) -> int:
    """Write events to a parquet file, whole or piece by piece.

    The file appears when it is complete: whoever is interrupted leaves what was there before, and
    whoever reads meanwhile reads that.

    Parameters
    ----------
    events : dataframe, or iterable of dataframes
        Pandas, polars or Arrow, or pieces of one log, such as ``read_events(..., chunk_rows=...)``
        gives them. The types of the first piece hold for all.
    path : path
        Must end in ``.parquet``, so that `read_events` knows it.
    gate : EventGate, optional
        Such as a `ConsentLedger`: rows that it refuses are not written, and it counts them.
    purpose : str, optional
        What the file is for, with a gate: by default ``"storage"``; a shop that hands it to a
        partner says ``"sale_or_share"``.

    Returns
    -------
    int
        How many rows were written.

    Raises
    ------
    DataError
        If it is no dataframe, a column holds values of several types, pieces do not fit each other,
        there is no piece at all, the gate is none, or the file cannot be written.
    ParameterError
        If a purpose is named and there is no gate to ask about it.
    MissingExtraError
        Without pyarrow, which the extra ``arrow`` brings.

    Notes
    -----
    Memory is that of one piece. A column that is empty in the first piece becomes text, and ours
    become what they are elsewhere: amounts or UTC times.

    Examples
    --------
    >>> import tempfile
    >>> from recopersona.events.reading import read_events
    >>> log = pd.DataFrame({"user_id": ["anna", "ben"], "item_id": ["tea", "salt"]})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_events(log, f"{folder}/log.parquet")
    ...     read_events(f"{folder}/log.parquet")
    2
      user_id item_id
    0    anna     tea
    1     ben    salt
    """
    if find_spec("pyarrow") is None:
        raise MissingExtraError("writing parquet", "arrow")
    if gate is not None:
        require_gate(gate)
    if purpose is not None and gate is None:
        raise ParameterError(
            f"write_events: nobody is asked about the purpose {purpose!r}; write gate=LEDGER too."
        )
    if not isinstance(path, (str, Path)):
        raise DataError(f"write_events needs a path, got a {type(path).__name__}.")
    target = Path(path).expanduser()
    if target.suffix.lower() != ".parquet":
        raise DataError(f"write_events writes Parquet, got {target.name!r}; name it '….parquet'.")
    pieces = [events] if _is_frame(events) else events
    if isinstance(pieces, (str, bytes)) or not isinstance(pieces, Iterable):
        as_pandas(events)  # says what a dataframe is
    with appearing_when_complete(target) as unfinished:
        return _written(iter(pieces), unfinished, _Door(gate, purpose or "storage"))


class _Door(NamedTuple):
    """Where rows go out: who is asked, and what for."""

    gate: EventGate | None
    purpose: str

    def passed(self, table: Any) -> Any:
        """Return an Arrow table of the rows that may go out; the types of its columns stay."""
        if self.gate is None:
            return table
        return table.take(admitted_places(as_pandas(table), self.gate, self.purpose))


def _is_frame(value: Any) -> bool:
    if isinstance(value, pd.DataFrame):
        return True
    try:
        nw.from_native(value)
    except TypeError:
        return False
    return True


def _written(pieces: Iterator[Any], unfinished: Path, door: _Door) -> int:
    from pyarrow import parquet

    first = next(pieces, None)
    if first is None:
        raise DataError("there is nothing to write: no dataframe came.")
    table = door.passed(_table(first, 0))
    n_rows = len(table)
    with parquet.ParquetWriter(unfinished, table.schema) as writer:
        writer.write_table(table, row_group_size=_ROWS_OF_A_GROUP)
        for number, piece in enumerate(pieces, start=1):
            more = door.passed(_like_the_first(_table(piece, number), table.schema, number))
            writer.write_table(more, row_group_size=_ROWS_OF_A_GROUP)
            n_rows += len(more)
    return n_rows


def _table(piece: Any, number: int) -> Any:
    import pyarrow as pa

    frame = piece if isinstance(piece, pa.Table) else _from(piece)
    columns = {}
    for name, column in zip(frame.column_names, frame.columns, strict=True):
        if name in columns:
            raise DataError(f"piece {number} has more than one column named {name!r}; keep one.")
        columns[name] = column.cast(_type_of_nothing(name)) if column.type == pa.null() else column
    return pa.table(columns)


def _from(piece: Any) -> Any:
    """Turn a frame into an Arrow table, column by column."""
    import pyarrow as pa

    if not isinstance(piece, pd.DataFrame):
        native = nw.from_native(piece) if _is_frame(piece) else nw.from_native(as_pandas(piece))
        eager = native.collect() if isinstance(native, nw.LazyFrame) else native
        return eager.to_arrow()
    arrays, names = [], []
    for place, name in enumerate(map(str, piece.columns)):
        try:
            arrays.append(_array(piece.iloc[:, place]))
        except (pa.ArrowException, TypeError, ValueError, OverflowError) as problem:
            raise DataError(
                f"the column {name!r} must hold values of one type, got: {problem}."
            ) from None
        names.append(name)
    return pa.Table.from_arrays(arrays, names=names)


def _array(column: pd.Series) -> Any:
    import pyarrow as pa

    if not isinstance(column.dtype, pd.DatetimeTZDtype):
        return pa.array(column, from_pandas=True)
    # Before 26, pyarrow reads times with a zone in a way that pandas warns of.
    in_utc = pa.array(column.dt.tz_convert(None), from_pandas=True)
    return in_utc.cast(pa.timestamp(in_utc.type.unit, pa.lib.tzinfo_to_string(column.dtype.tz)))


def _type_of_nothing(name: str) -> Any:
    import pyarrow as pa

    if name in _NUMBERS:
        return pa.float64()
    return pa.timestamp("us", "UTC") if name in _TIMES else pa.string()


def _like_the_first(table: Any, schema: Any, number: int) -> Any:
    import pyarrow as pa

    if table.column_names != schema.names:
        other = set(table.column_names) ^ set(schema.names)
        told = ", ".join(map(repr, sorted(other))) or "in another order"
        raise DataError(f"piece {number} has other columns than the first: {told}.")
    columns = []
    for name, column in zip(schema.names, table.columns, strict=True):
        wanted = schema.field(name).type
        try:
            columns.append(column.cast(wanted))
        except pa.ArrowException:
            raise DataError(
                f"piece {number} holds {column.type} in the column {name!r}, the first {wanted}; "
                "make them one type."
            ) from None
    return pa.Table.from_arrays(columns, schema=schema)
