"""From events at the border (a frame, one `Event`, or many) to checked columns."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

import numpy as np
import pandas as pd

from recopersona.data.columns import as_pandas, factorized, numbers, require_columns
from recopersona.data.event import EVENT_COLUMNS, EVENT_TYPES, VIEW, Event, event_code
from recopersona.data.ids import is_missing
from recopersona.data.times import MISSING_TIME, from_ms, integer_to_ms, to_ms
from recopersona.data.types import Array, Floats, Id
from recopersona.errors import DataError

CLOCK_TOLERANCE_MS = 24 * 3_600_000
"""How far ahead of our clock an event may lie: a day covers every time zone mistaken for UTC."""


@dataclass(frozen=True, eq=False)
class EventColumns:
    """An events frame in checked columns, ids still the shop's own.

    user_id, item_id  Series (n,), none missing
    event             int8 (n,) codes
    weight            float32 (n,), finite and at least 0
    timestamp         int64 (n,) milliseconds UTC, or None
    session_id        Series (n,) or None
    quantity          float32 (n,) or None
    """

    user_id: pd.Series
    item_id: pd.Series
    event: Array
    weight: Floats
    timestamp: Array | None
    session_id: pd.Series | None
    quantity: Floats | None


def read_columns(events: Any, now: int | None = None) -> EventColumns:
    """Check events and take them apart.

    Parameters
    ----------
    events : dataframe, `Event`, or iterable of `Event`
    now : int, optional
        Milliseconds; what lies more than a day after it cannot have happened yet. By default the
        machine's clock.

    Raises
    ------
    ColumnError, DataError
        For whatever cannot be used as it came; `recopersona.clean` sets such rows aside instead.
    """
    frame = frame_of_events(events)
    require_columns(frame, ["user_id", "item_id"])
    for name in ("user_id", "item_id"):
        missing = int(frame[name].isna().sum())
        if missing:
            raise DataError(
                f"{missing} of {len(frame)} events have no {name}; "
                "rp.clean(events) sets such rows aside and counts them."
            )
    return EventColumns(
        user_id=frame["user_id"],
        item_id=frame["item_id"],
        event=_event_column(frame),
        weight=_weight_column(frame),
        timestamp=_time_column(frame, _clock() if now is None else now),
        session_id=frame["session_id"] if "session_id" in frame.columns else None,
        quantity=_quantity_column(frame),
    )


def read_one(event: Event, now: int | None = None) -> tuple[Id, Id, int, int]:
    """Check one event: what `read_columns` makes of a frame of it, without making the frame.

    Parameters
    ----------
    event : Event
    now : int, optional
        As in `read_columns`.

    Returns
    -------
    user_id, item_id, code of the kind, milliseconds UTC (`MISSING_TIME` where there is no time)

    Raises
    ------
    ColumnError, DataError
        As `read_columns`.

    Examples
    --------
    >>> read_one(Event("anna", "tea", "view", 1_700_000_000))
    ('anna', 'tea', 2, 1700000000000)
    """
    user_id, item_id = _one_id(event.user_id, "user_id"), _one_id(event.item_id, "item_id")
    code = event_code(event.event)
    quantity = event.quantity
    if not (quantity is None or (type(quantity) in _PLAIN_NUMBERS and 0 < quantity < 2**53)):
        _quantity_column(pd.DataFrame({"quantity": [quantity]}))
    return user_id, item_id, code, _one_time(event.timestamp, _clock() if now is None else now)


def time_of(event: Event) -> int:
    """Return when an event happened, as `read_one` reads it: milliseconds, or `MISSING_TIME`."""
    return _one_time(event.timestamp, _clock())


def is_events(value: Any) -> bool:
    """Tell whether a value is one `Event` or an iterable of them, and not a frame."""
    if isinstance(value, (Event, list, tuple)):
        return True
    alone = (str, bytes, Mapping, pd.Series)
    return (
        isinstance(value, Iterable)
        and not isinstance(value, alone)
        and not hasattr(value, "columns")
    )


_PLAIN_NUMBERS = (int, float)


def _clock() -> int:
    return time.time_ns() // 1_000_000


def _one_id(identifier: Any, name: str) -> Id:
    if type(identifier) is str or type(identifier) is int:
        return identifier
    if isinstance(identifier, np.integer):
        return int(identifier)
    try:
        hash(identifier)
    except TypeError:
        kind = type(identifier).__name__
        raise DataError(
            f"an event's {name} must be a string or an integer, got a {kind}."
        ) from None
    if is_missing(identifier):
        raise DataError(f"an event needs a {name}, got {identifier!r}.")
    plain = identifier.item() if isinstance(identifier, np.generic) else identifier
    # A frame makes whole floats integers too: gaps had turned them into floats.
    whole = isinstance(plain, float) and plain.is_integer() and abs(plain) < 2**63
    return int(plain) if whole else plain


def _one_time(timestamp: Any, now: int) -> int:
    if timestamp is None:
        return MISSING_TIME
    if isinstance(timestamp, (int, np.integer)) and not isinstance(timestamp, bool):
        milliseconds = integer_to_ms(int(timestamp))
        if milliseconds is not None and milliseconds <= now + CLOCK_TOLERANCE_MS:
            return milliseconds
    if is_missing(timestamp):
        return MISSING_TIME
    times = _time_column(pd.DataFrame({"timestamp": [timestamp]}), now)
    return MISSING_TIME if times is None else int(times[0])


def frame_of_events(events: Any) -> pd.DataFrame:
    """Return events of any form as a pandas frame; columns of which no record says a thing go."""
    if isinstance(events, Event):
        events = [events]
    if is_events(events):
        rows = list(events)
        wrong = next((row for row in rows if not isinstance(row, Event)), None)
        if wrong is not None:
            raise DataError(
                f"events must be a dataframe or rp.Event records, got {type(wrong).__name__}."
            )
        frame = pd.DataFrame(rows, columns=list(Event._fields))
        return frame.drop(columns=[name for name in _OPTIONAL if frame[name].isna().all()])
    return as_pandas(events)


_OPTIONAL = [name for name, default in Event._field_defaults.items() if default is None]


def _event_column(frame: pd.DataFrame) -> Array:
    if "event" not in frame.columns:
        _refuse_misspelt(frame, "event")
        return np.full(len(frame), VIEW, dtype=np.int8)
    codes, names = factorized(frame["event"], "event")
    if (codes < 0).any():
        raise DataError(
            f"{int((codes < 0).sum())} events have no kind in the column 'event'; "
            "rp.clean(events) sets such rows aside and counts them."
        )
    table = np.fromiter(map(event_code, names), dtype=np.int8, count=len(names))
    return table[codes]


def _weight_column(frame: pd.DataFrame) -> Floats:
    if "weight" not in frame.columns:
        return np.ones(len(frame), dtype=np.float32)
    weight = numbers(frame["weight"], "weight")
    bad = ~((weight >= 0) & (weight < np.finfo(np.float32).max))
    if bad.any():
        row = int(np.argmax(bad))
        raise DataError(
            f"weight must be a finite number of at least 0, got {weight[row]} in row {row} "
            f"({int(bad.sum())} such rows)."
        )
    return weight.astype(np.float32)


def _time_column(frame: pd.DataFrame, now: int) -> Array | None:
    if "timestamp" not in frame.columns:
        _refuse_misspelt(frame, "timestamp")
        return None
    require_columns(frame, ["timestamp"])
    timestamp = to_ms(frame["timestamp"])
    missing = int((timestamp == MISSING_TIME).sum())
    if missing:
        raise DataError(
            f"{missing} of {len(frame)} events have no timestamp; "
            "rp.clean(events) sets such rows aside, or drop the column."
        )
    future = timestamp > now + CLOCK_TOLERANCE_MS
    if future.any():
        row = int(np.argmax(future))
        raise DataError(
            f"{int(future.sum())} events lie in the future (row {row}: "
            f"{from_ms(timestamp[row : row + 1])[0]}); rp.clean(events) sets such rows aside."
        )
    return timestamp


def _quantity_column(frame: pd.DataFrame) -> Floats | None:
    if "quantity" not in frame.columns:
        return None
    quantity = np.nan_to_num(
        numbers(frame["quantity"], "quantity"), nan=1.0, posinf=np.inf, neginf=-np.inf
    )
    if (quantity > _LARGEST_QUANTITY).any():
        row = int(np.argmax(quantity > _LARGEST_QUANTITY))
        raise DataError(
            f"quantity must be finite, got {quantity[row]:g} in row {row}; "
            "rp.clean(events) sets such rows aside."
        )
    if (quantity <= 0).any():
        row = int(np.argmax(quantity <= 0))
        raise DataError(
            f"quantity must be above 0, got {quantity[row]:g} in row {row}; "
            "rp.clean(events) turns negative purchases into returns."
        )
    known: Floats = quantity.astype(np.float32)
    return known


_LARGEST_QUANTITY = float(np.finfo(np.float32).max)


def _refuse_misspelt(frame: pd.DataFrame, name: str) -> None:
    """An optional column that is nearly there is a mistake, not an absence."""
    near = next((str(column) for column in frame.columns if _is_spelling(str(column), name)), None)
    if near is not None:
        raise DataError(
            f"events have no column {name!r}; did you mean {near!r}? Rename or drop it."
        )


def _is_spelling(written: str, name: str) -> bool:
    if written in _NO_MISTAKES:
        return False
    bare = _SEPARATORS.sub("", written).casefold()
    return bare == name or SequenceMatcher(None, bare, name).ratio() >= _ALIKE


_NO_MISTAKES = {*EVENT_COLUMNS, *EVENT_TYPES}
_SEPARATORS = re.compile(r"[\W_]+")
_ALIKE = 0.85  # "timestmp" and "events" are mistakes, "event_id" and "times" are other columns
