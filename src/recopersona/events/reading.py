"""Reading a log in our own words: from a frame or from files, whatever its columns are called."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from recopersona.data.columns import as_pandas, like, require_columns
from recopersona.data.event import EVENT_COLUMNS
from recopersona.data.gate import EventGate, require_gate
from recopersona.errors import ColumnError, DataError, ParameterError, hint, nearest
from recopersona.events.admission import admitted_places
from recopersona.events.clocks import parse_texts, to_utc
from recopersona.events.distinct import Distinct
from recopersona.events.files import Beside, LogFiles, find_files, what_lies_beside
from recopersona.events.read_report import ReadReport
from recopersona.events.schemas import (
    ID_COLUMNS,
    OURS,
    Schema,
    fitting_schema,
    nearest_schema,
    schema_named,
)
from recopersona.events.schemas.records import read_cells, texts


def read_events(
    source: Any,
    *,
    schema: str | Schema = "auto",
    columns: Mapping[str, str] | None = None,
    time_zone: str | None = None,
    chunk_rows: int | None = None,
    gate: EventGate | None = None,
    report: bool = False,
) -> Any:
    """Read a log and call its columns and events by our names.

    Nothing is dropped here, but what a gate refuses, and nothing repaired: that is what `clean`
    does, and counts. Columns that are not ours keep their names; of nested logs only ours come out.
    Datetimes and text become UTC timestamps; numbers stay, and a text that is no time stays as it
    is written.

    An event that names several items becomes a row for each, whose ``event_id`` ends in the item's
    place (``…/0``), so that an event delivered twice still has the same ids. An event that names
    none is a row without an ``item_id``. A kind of event that is not ours keeps its name. Where
    nobody is signed in, ``user_id`` is missing and ``anonymous_id`` says which device it was.

    Parameters
    ----------
    source : dataframe, or path or glob to ``.csv``, ``.jsonl``, ``.ndjson`` or ``.parquet``
        Several files are read by name, one after the other; ``.gz`` is unpacked. In CSV files a
        column of ids becomes integers only if every id is written like one: ``007`` stays text.
        Records come as JSON objects, as parquet's structs and lists, or as JSON text in cells.
        Parquet needs the extra ``arrow``.
    schema : str or Schema
        ``"auto"`` recognizes ``"recopersona"`` (our own words), ``"ga4"`` and ``"ua"`` (Google
        Analytics in BigQuery), ``"segment"`` and ``"segment-tables"`` (RudderStack is the same),
        ``"snowplow"``, ``"ratings"``, ``"movielens"``, ``"retailrocket"``, ``"online-retail"``,
        ``"rees46"``, ``"rees46-sessions"``, ``"trivago"`` and ``"completejourney"``.
    columns : mapping, optional
        Our column to yours, for any other log, or in place of the schema's. Without it and without
        a schema, a file ``columns.json`` beside the (first) log file is taken: such a mapping, or
        an object of ``schema``, ``columns`` and ``time_zone``.
    time_zone : str, optional
        Where the clock hung that wrote times without a zone, such as ``"Europe/Berlin"``; by
        default UTC, or what the schema knows.
    chunk_rows : int, optional
        Read by so many rows of the log at a time and return an iterator of frames. A column has the
        same type in all of them: CSV and JSON files are read once before, to decide it.
    gate : EventGate, optional
        Such as a `ConsentLedger`: events that may not be stored (its purpose ``"storage"``) are
        left out, and counted by it and in the report. Of an event whose time cannot be read, the
        present state alone counts. A line too broken to say whose it is stands in the report.
    report : bool
        Set broken rows aside (lines that are no JSON, too long, cut off within quotes, …) and
        return a report of them too. Otherwise the first broken row raises.

    Returns
    -------
    events, or iterator of events; with ``report``, a pair with the `ReadReport`
        Frames of the caller's kind; pandas for files. The caller's frame is not changed.

    Raises
    ------
    ColumnError
        If a column is missing, or no schema fits.
    DataError
        If a file is not there, of no known kind, or broken; if it would clearly not fit into memory
        and no ``chunk_rows`` are given; or if the gate is none.
    ParameterError
        If the schema or the time zone is not known, or ``columns`` names what is not ours.
    MissingExtraError
        For Parquet without pyarrow.

    Examples
    --------
    >>> log = pd.DataFrame({"who": ["anna"], "sku": ["tea"], "at": ["2026-07-01 12:00"]})
    >>> read_events(log, columns={"user_id": "who", "item_id": "sku", "timestamp": "at"},
    ...             time_zone="Europe/Berlin")
      user_id item_id                 timestamp
    0    anna     tea 2026-07-01 10:00:00+00:00
    >>> read_events(log)
    Traceback (most recent call last):
    recopersona.errors.ColumnError: no schema fits the columns who, sku, at: they look most like
    'recopersona', which needs 'user_id'; name yours, such as columns={'user_id': 'who'}.

    An event of Google Analytics 4 holds its items:

    >>> shop = pd.DataFrame({
    ...     "event_name": ["purchase"], "event_timestamp": [1_782_900_000_000_000],
    ...     "user_pseudo_id": ["174.12"],
    ...     "items": [[{"item_id": "tea", "price": 3.5, "quantity": 2}, {"item_id": "salt"}]],
    ... })
    >>> read_events(shop)[["anonymous_id", "item_id", "event", "quantity", "timestamp"]]
      anonymous_id item_id     event  quantity                 timestamp
    0       174.12     tea  purchase       2.0 2026-07-01 10:00:00+00:00
    1       174.12    salt  purchase       NaN 2026-07-01 10:00:00+00:00
    """
    _check_arguments(columns, chunk_rows)
    if gate is not None:
        require_gate(gate)
    told = ReadReport()
    how = _How(schema, columns, time_zone, chunk_rows, told, gate, strict=not report)
    is_path = isinstance(source, (str, Path))
    frames = _from_files(source, how) if is_path else _from_frame(source, how)
    events = frames if chunk_rows is not None else next(frames)
    return (events, told) if report else events


@dataclass(frozen=True)
class _How:
    """How to read: what `read_events` was told."""

    schema: str | Schema
    columns: Mapping[str, str] | None
    time_zone: str | None
    n_rows: int | None
    report: ReadReport
    gate: EventGate | None
    strict: bool


def _check_arguments(columns: Any, chunk_rows: Any) -> None:
    if columns is not None and not isinstance(columns, Mapping):
        raise ParameterError(
            f"columns must map our names to yours, such as {{'item_id': 'sku'}}, got {columns!r}."
        )
    is_count = isinstance(chunk_rows, (int, np.integer)) and not isinstance(chunk_rows, bool)
    if chunk_rows is not None and not (is_count and chunk_rows >= 1):
        raise ParameterError(f"chunk_rows must be an integer of at least 1, got {chunk_rows!r}.")


def _from_frame(source: Any, how: _How) -> Iterator[Any]:
    frame = as_pandas(source)
    reader = _Reader(_names(frame), how)

    def pieces() -> Iterator[Any]:
        n_rows = how.n_rows or max(len(frame), 1)
        for start in range(0, max(len(frame), 1), n_rows):
            piece = frame if how.n_rows is None else frame.iloc[start : start + n_rows]
            how.report.rows_in += len(piece)
            yield like(reader.events(piece, start), source)

    return pieces()


def _from_files(source: str | Path, how: _How) -> Iterator[pd.DataFrame]:
    paths = find_files(source)
    is_told = how.columns is not None or not _is_auto(how.schema)
    beside = Beside() if is_told else what_lies_beside(paths[0])
    files = LogFiles(paths, how.n_rows, how.report, how.strict)
    if not is_told:
        how = replace(how, schema=beside.schema, columns=beside.columns)
    reader = _Reader(files.names, replace(how, time_zone=how.time_zone or beside.time_zone))

    def pieces() -> Iterator[pd.DataFrame]:
        done = 0
        for frame in files.frames(reader.ids):
            yield reader.events(frame, done).reset_index(drop=True)
            done += len(frame)

    return pieces()


class _Reader:
    """What to do with a log of some columns, decided once, before its first row."""

    def __init__(self, names: list[str], how: _How) -> None:
        zone = None if how.time_zone is None else _known_zone(how.time_zone)
        self.schema = _choose(names, how.schema, how.columns)
        self.zone = zone or self.schema.time_zone
        self.report, self.gate, self.strict = how.report, how.gate, how.strict

    @property
    def ids(self) -> set[str]:
        """Their columns of ids."""
        return {self.schema.columns.get(name, name) for name in ID_COLUMNS}

    def events(self, frame: pd.DataFrame, first_row: int) -> pd.DataFrame:
        """Say a piece of the log in our words; `first_row` is its place in the log."""
        schema = self.schema
        require_columns(frame, frame.columns[frame.columns.duplicated()])
        events = (
            _renamed(frame, schema.columns)
            if schema.rows is None
            else self._unnested(frame, first_row)
        )
        better: dict[str, Any] = {}
        if schema.events and "event" in events:
            better["event"] = Distinct.of(events["event"]).map(schema.kind_of)
        for name in ("timestamp", "received"):
            if name in events:
                better[name] = _utc(events[name], self.zone, schema.time_format)
        if schema.derive is not None:
            better |= schema.derive(events)
        aligned = {name: column.set_axis(events.index) for name, column in better.items()}
        events = self._admitted(events.assign(**aligned))
        self.report.count_events(events)
        return events

    def _admitted(self, events: pd.DataFrame) -> pd.DataFrame:
        """Leave out what may not be stored."""
        if self.gate is None:
            return events
        places = admitted_places(events, self.gate, "storage")
        self.report.refused += len(events) - len(places)
        return events if len(places) == len(events) else events.iloc[places]

    def _unnested(self, frame: pd.DataFrame, first_row: int) -> pd.DataFrame:
        """Make rows of events and items of a nested log, and read the caller's own columns."""
        if self.schema.rows is None:
            return frame
        log = self._with_records(frame, first_row)
        rows = self.schema.rows(log)
        own = {
            ours: log[theirs].take(rows.index.to_numpy())
            for ours, theirs in self.schema.columns.items()
        }
        return rows.reset_index(drop=True).assign(
            **{ours: column.reset_index(drop=True) for ours, column in own.items()}
        )

    def _with_records(self, frame: pd.DataFrame, first_row: int) -> pd.DataFrame:
        """Read the cells that hold records, and set rows aside where one holds something else."""
        names = _names(frame)
        log = frame.set_axis(names, axis=1).reset_index(drop=True)
        broken = np.zeros(len(log), dtype=np.bool_)
        shown: dict[int, str] = {}
        read: dict[str, pd.Series] = {}
        for nested, kind in self.schema.nested.items():
            for name in _matching(nested, names):
                cells, wrong = read_cells(log[name], kind)
                for row in np.flatnonzero(wrong & ~broken).tolist():
                    shown[row] = f"{name}: {log[name].iloc[row]}"
                broken |= wrong
                known = read.get(nested, cells)
                read[nested] = known.where(known.map(bool), cells)
        log = log.assign(**read)
        if broken.any():
            self._set_aside(shown, first_row)
        return log[~broken].reset_index(drop=True)

    def _set_aside(self, shown: dict[int, str], first_row: int) -> None:
        if self.strict:
            row, text = min(shown.items())
            raise DataError(
                f"row {first_row + row} of the log must hold records, got {text[:200]}; "
                "read_events(..., report=True) sets such rows aside and counts them."
            )
        for row, text in sorted(shown.items()):
            self.report.set_aside("broken_cell", text, first_row + row)


def _names(frame: pd.DataFrame) -> list[str]:
    return [str(name) for name in frame.columns]


def _matching(nested: str, names: list[str]) -> list[str]:
    if not nested.endswith("*"):
        return [nested] if nested in names else []
    return sorted(name for name in names if name.startswith(nested[:-1]))


def _known_zone(name: str) -> str:
    try:
        return ZoneInfo(name).key
    except (KeyError, ValueError, TypeError, OSError):
        raise ParameterError(
            f"time_zone must be a name such as 'Europe/Berlin' or 'UTC', got {name!r}."
        ) from None


def _choose(names: list[str], schema: str | Schema, columns: Mapping[str, str] | None) -> Schema:
    if columns is not None:
        base = OURS if _is_auto(schema) else schema_named(schema)
        chosen = _with_columns(base, columns, names)
    elif _is_auto(schema):
        return fitting_schema(names) or _refuse(names)
    else:
        chosen = schema_named(schema)
    missing = chosen.lacks(names)
    if missing:
        raise ColumnError(_lacking(chosen, missing[0], names))
    return chosen


def _is_auto(schema: str | Schema) -> bool:
    return isinstance(schema, str) and schema == "auto"


def _with_columns(schema: Schema, columns: Mapping[str, str], names: list[str]) -> Schema:
    """Return a schema that reads the caller's columns in place of its own."""
    for ours, theirs in columns.items():
        if ours not in EVENT_COLUMNS:
            raise ParameterError(
                f"columns maps our names to yours, and {ours!r} is not one of ours"
                f"{hint(ours, EVENT_COLUMNS, 'ours are')}"
            )
        if theirs not in names:
            raise ColumnError(
                f"columns reads {ours!r} from {theirs!r}, which the log lacks"
                f"{hint(theirs, names, 'its columns are')}"
            )
    mapping = {**schema.columns, **columns}
    own_names = {theirs: ours for ours, theirs in schema.columns.items()}
    needs = (mapping.get(own_names.get(theirs, theirs), theirs) for theirs in schema.needs)
    return replace(schema, columns=mapping, needs=tuple(needs))


def _refuse(names: list[str]) -> Schema:
    likely = nearest_schema(names)
    missing = likely.lacks(names)[0]
    ours = {theirs: ours for ours, theirs in likely.columns.items()}.get(missing, missing)
    near = nearest(missing, names)
    guess = "" if near is None else f"; did you mean {near!r}"
    raise ColumnError(
        f"no schema fits the columns {', '.join(names) or '(none)'}: they look most like "
        f"{likely.name!r}, which needs {missing!r}{guess}; {_way_out(likely, ours, near, names)}."
    )


def _way_out(likely: Schema, ours: str, near: str | None, names: list[str]) -> str:
    """Say what to type: of a nested log, no column of ours can stand for one of theirs."""
    if ours not in EVENT_COLUMNS:
        return f"export it too, or name yours, such as columns={{'item_id': {_any(names)!r}}}"
    which = "" if likely is OURS else f"schema={likely.name!r}, "
    return f"name yours, such as {which}columns={{{ours!r}: {near or _any(names)!r}}}"


def _any(names: list[str]) -> str:
    return next(iter(names), "…")


def _lacking(schema: Schema, missing: str, names: list[str]) -> str:
    fitting = fitting_schema(names)
    likely = fitting or nearest_schema(names)
    if likely.share(names) > schema.share(names):
        fix = f"; the log looks {'' if fitting else 'most '}like {likely.name!r}."
    else:
        fix = hint(missing, names, "its columns are")
    return f"schema {schema.name!r} needs a column {missing!r}, which the log lacks{fix}"


def _renamed(frame: pd.DataFrame, columns: Mapping[str, str]) -> pd.DataFrame:
    ours_of: dict[str, list[str]] = {}
    for ours, theirs in columns.items():
        ours_of.setdefault(theirs, []).append(ours)
    for ours, theirs in columns.items():
        if theirs in frame and theirs != ours and ours in frame and ours not in ours_of:
            raise ColumnError(
                f"{ours!r} is read from {theirs!r}, but there is a column {ours!r} too; drop one."
            )
    named = {ours: frame[name] for name in frame.columns for ours in ours_of.get(str(name), [name])}
    return pd.DataFrame(named, index=frame.index)


def _utc(column: pd.Series, zone: str, time_format: str | None) -> pd.Series:
    """Return times in UTC; a column of numbers, and what cannot be read, as it came."""
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        return to_utc(column, zone)
    if not (column.dtype == object or pd.api.types.is_string_dtype(column.dtype)):
        return column
    times = parse_texts(_as_text(column), zone, time_format).set_axis(column.index)
    unread = times.isna() & column.notna()
    if not unread.any():
        return times
    written: pd.Series = times.dt.strftime("%Y-%m-%dT%H:%M:%S.%fZ").astype(object)
    return written.mask(unread, column)


def _as_text(column: pd.Series) -> pd.Series:
    try:
        return column.astype(str)
    except ValueError:  # half a character, or a number of thousands of digits
        return texts(column.tolist())
