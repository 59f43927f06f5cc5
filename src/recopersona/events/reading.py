"""Reading a log in our own words: from a frame or from files, whatever its columns are called."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd

from recopersona.data.columns import as_pandas, like, require_columns
from recopersona.data.event import EVENT_COLUMNS
from recopersona.errors import ColumnError, ParameterError, hint, nearest
from recopersona.events.clocks import parse_texts, to_utc
from recopersona.events.distinct import Distinct
from recopersona.events.files import as_numbers, columns_beside, find_files, kind_of, read_files
from recopersona.events.schemas import (
    ID_COLUMNS,
    OURS,
    Schema,
    fitting_schema,
    nearest_schema,
    schema_named,
)


def read_events(
    source: Any,
    *,
    schema: str | Schema = "auto",
    columns: Mapping[str, str] | None = None,
    time_zone: str | None = None,
) -> Any:
    """Read a log and call its columns and events by our names.

    Nothing is dropped and nothing repaired here: that is what `clean` does, and counts. Columns
    that are not ours keep their names. Datetimes and text become UTC timestamps; numbers stay,
    and a text that is no time stays as it is written.

    Parameters
    ----------
    source : dataframe, or path or glob to ``.csv``, ``.jsonl``, ``.ndjson`` or ``.parquet``
        Several files are read by name, one after the other. In CSV files a column of ids becomes
        integers only if every id is written like one: ``007`` stays text. Parquet needs the extra
        ``arrow``.
    schema : str or Schema
        ``"auto"`` recognizes ``"recopersona"`` (our own words), ``"ratings"``, ``"movielens"``,
        ``"retailrocket"`` and ``"online-retail"``.
    columns : mapping, optional
        Our column to yours, for any other log, or in place of the schema's. Without it and without
        a schema, a file ``columns.json`` beside the (first) log file is taken.
    time_zone : str, optional
        Where the clock hung that wrote times without a zone, such as ``"Europe/Berlin"``; by
        default UTC, or what the schema knows.

    Returns
    -------
    events
        A frame of the caller's kind; pandas for files. The caller's frame is not changed.

    Raises
    ------
    ColumnError
        If a column is missing, or no schema fits.
    DataError
        If a file is not there, of no known kind, or broken.
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
    """
    zone = None if time_zone is None else _known_zone(time_zone)
    _check_mapping(columns)
    if not isinstance(source, (str, Path)):
        frame = as_pandas(source)
        return like(_in_our_words(frame, _choose(frame, schema, columns), zone), source)
    files = find_files(source)
    if columns is None and _is_auto(schema):
        columns = columns_beside(files[0])
    frame = read_files(files)
    chosen = _choose(frame, schema, columns)
    return _in_our_words(frame, chosen, zone, as_text=kind_of(files[0]) == ".csv")


def _check_mapping(columns: Any) -> None:
    if columns is not None and not isinstance(columns, Mapping):
        raise ParameterError(
            f"columns must map our names to yours, such as {{'item_id': 'sku'}}, got {columns!r}."
        )


def _known_zone(name: str) -> str:
    try:
        return ZoneInfo(name).key
    except (KeyError, ValueError, TypeError, OSError):
        raise ParameterError(
            f"time_zone must be a name such as 'Europe/Berlin' or 'UTC', got {name!r}."
        ) from None


def _choose(frame: pd.DataFrame, schema: str | Schema, columns: Mapping[str, str] | None) -> Schema:
    names = [str(name) for name in frame.columns]
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
    example = near or next(iter(names), "…")
    raise ColumnError(
        f"no schema fits the columns {', '.join(names) or '(none)'}: they look most like "
        f"{likely.name!r}, which needs {missing!r}{guess}; name yours, such as "
        f"columns={{{ours!r}: {example!r}}}."
    )


def _lacking(schema: Schema, missing: str, names: list[str]) -> str:
    fitting = fitting_schema(names)
    if fitting is not None and fitting is not schema:
        fix = f"; the log looks like {fitting.name!r}."
    else:
        fix = hint(missing, names, "its columns are")
    return f"schema {schema.name!r} needs a column {missing!r}, which the log lacks{fix}"


def _in_our_words(
    frame: pd.DataFrame, schema: Schema, zone: str | None, as_text: bool = False
) -> pd.DataFrame:
    events = _renamed(frame, schema.columns)
    if as_text:
        events = as_numbers(events, ID_COLUMNS)
    better: dict[str, Any] = {}
    if schema.events and "event" in events:
        kinds = Distinct.of(events["event"])
        better["event"] = kinds.map(lambda kind: schema.events.get(kind, kind))
    if "timestamp" in events:
        better["timestamp"] = _utc(
            events["timestamp"], zone or schema.time_zone, schema.time_format
        )
    if schema.derive is not None:
        better |= schema.derive(events)
    return events.assign(**{name: column.set_axis(events.index) for name, column in better.items()})


def _renamed(frame: pd.DataFrame, columns: Mapping[str, str]) -> pd.DataFrame:
    require_columns(frame, frame.columns[frame.columns.duplicated()])
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
    times = parse_texts(column.astype(str), zone, time_format).set_axis(column.index)
    unread = times.isna() & column.notna()
    if not unread.any():
        return times
    written: pd.Series = times.dt.strftime("%Y-%m-%dT%H:%M:%S.%fZ").astype(object)
    return written.mask(unread, column)
