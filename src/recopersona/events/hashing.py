"""One number per event, the same on every machine: what tells a repeat from a new event."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd

from recopersona.data.columns import as_pandas, require_columns
from recopersona.data.event import EVENT_COLUMNS, EVENT_TYPES, Event
from recopersona.data.ids import is_missing
from recopersona.data.intake import is_events
from recopersona.data.times import MISSING_TIME, integer_to_ms
from recopersona.data.types import Array
from recopersona.errors import DataError
from recopersona.events.clocks import read_clock
from recopersona.events.identifiers import NO_IDS, Hashed, column_salt, mixed, value_hash, words_of
from recopersona.kernels.hashing import add_column

CONTENT_COLUMNS = tuple(name for name in EVENT_COLUMNS if name not in ("event_id", "received"))
"""What makes an event the event it is: all but its name and when we heard of it."""

_ALL = 2**64 - 1
_SALTS = {name: column_salt(name) for name in EVENT_COLUMNS}


def event_hash(events: Any) -> Any:
    r"""Return one 64-bit number per event, equal for repeats of it, on every machine and version.

    An event that has an ``event_id`` is named by it alone. Any other is named by all its columns
    of `EVENT_COLUMNS` but ``received``, in any order; what is missing counts for nothing, and an
    event of no kind is a ``view``:

    .. math:: h = \sum_{c} m(v(x_c) \oplus v(\text{name of } c)) \bmod 2^{64}

    where :math:`m` is SplitMix64's mixer, :math:`v` of a text is :math:`m` of the FNV-1a hash of
    its UTF-8 bytes and :math:`v` of a whole number is :math:`m(x \oplus w)`, with :math:`w` the
    ASCII bytes of ``whole`` read as a big-endian number; of another number the same with its bits
    as a double, and ``broken``. Times are whole microseconds since 1970 UTC, however they are
    written. ``7`` and ``7.0`` are one value, ``"7"`` is another.

    Parameters
    ----------
    events : dataframe, `Event`, or iterable of `Event`
        As they are: what `clean` would repair makes another number.

    Returns
    -------
    uint64 column of the caller's kind; an int for one `Event`; uint64 (n,) for several

    Raises
    ------
    ColumnError
        If ``item_id`` is missing.
    DataError
        If it is no dataframe, or a time cannot be read.

    Notes
    -----
    Among n different events two share a number with a probability of about n² / 2⁶⁵: one in
    370,000 for ten million. `clean` compares such rows value by value.

    Examples
    --------
    >>> log = pd.DataFrame({"item_id": ["tea", "tea"], "user_id": ["anna", "ben"]})
    >>> event_hash(log).tolist()
    [6775369855210200093, 12299021253315879116]
    >>> event_hash(Event("ben", "tea"))
    12299021253315879116
    """
    if isinstance(events, Event):
        return _hash_of_one(events)
    if is_events(events):
        return np.fromiter(map(_hash_of_one, _checked(events)), dtype=np.uint64)
    frame = as_pandas(events)
    require_columns(frame[:0], ["item_id"])
    require_columns(frame, frame.columns[frame.columns.duplicated()])
    hashes = _hashes_of(frame)
    if isinstance(events, pd.DataFrame):
        return pd.Series(hashes, index=events.index, name="event_hash")
    native = nw.from_native(events)
    return nw.new_series("event_hash", hashes, backend=native.implementation).to_native()


def _checked(events: Iterable[Any]) -> Iterator[Event]:
    for event in events:
        if not isinstance(event, Event):
            raise DataError(
                f"events must be a dataframe or rp.Event records, got {type(event).__name__}."
            )
        yield event


def _hashes_of(frame: pd.DataFrame) -> Array:
    hashes = np.zeros(len(frame), dtype=np.uint64)
    for name in CONTENT_COLUMNS:
        if name in frame.columns:
            values = _times(frame) if name == "timestamp" else hashed(frame[name])
            if name == "event" and values.missing.any():
                values.put(np.flatnonzero(values.missing), Hashed.of(_views(values.missing.sum())))
            add_column(hashes, values.hashes, values.missing, _SALTS[name])
    if "event" not in frame.columns and len(frame):
        hashes += np.uint64(_of_column("event", "view"))
    if "event_id" in frame.columns:
        names = hashed(frame["event_id"])
        named = ~names.nothing()
        hashes[named] = named_hashes(names)[named]
    return hashes


def named_hashes(ids: Hashed) -> Array:
    """Return the hashes of events that have an id."""
    hashes = np.zeros(len(ids.hashes), dtype=np.uint64)
    add_column(hashes, ids.hashes, ids.missing, _SALTS["event_id"])
    return hashes


def add_values(hashes: Array, name: str, values: Hashed) -> None:
    """Add a column to the hashes of the contents of rows."""
    add_column(hashes, values.hashes, values.missing, _SALTS[name])


def hashed(column: pd.Series) -> Hashed:
    """Hash a column of anything, also of lists and dicts."""
    try:
        return Hashed.of(column)
    except DataError:
        return Hashed.of(column.map(words_of, na_action="ignore").astype("str"))


def _views(n: int) -> pd.Series:
    return pd.Series(["view"]).repeat(n)


def _times(frame: pd.DataFrame) -> Hashed:
    clock = read_clock(frame["timestamp"])
    bad = clock.unreadable | clock.impossible
    if bad.any():
        row = int(np.argmax(bad))
        raise DataError(
            f"timestamp must hold times, got {_shown(frame['timestamp'].iloc[row])} in row {row}; "
            "rp.clean(events) sets such rows aside."
        )
    times = Hashed.of(pd.Series(clock.microseconds))
    times.missing = (clock.microseconds == MISSING_TIME).astype(np.uint8)
    return times


def _shown(value: Any) -> str:
    return repr(value) if isinstance(value, str) else words_of(value)


def _hash_of_one(event: Event) -> int:
    name = event.event_id
    if not (_is_missing(name) or (type(name) is str and name in NO_IDS)):
        return _of_column("event_id", name)
    kind = "view" if _is_missing(event.event) else event.event
    total = _KINDS.get(str(kind)) or _of_column("event", kind)
    for column, value in zip(Event._fields, event, strict=True):
        if value is not None and column not in _APART and not _is_missing(value):
            total += _of_column(column, _microseconds(value) if column == "timestamp" else value)
    return total & _ALL


def _is_missing(value: Any) -> bool:
    return type(value) is not str and type(value) is not int and is_missing(value)


def _of_column(name: str, value: Any) -> int:
    return mixed(value_hash(value) ^ _PLAIN_SALTS[name])


_APART = frozenset({"event", "event_id", "received"})
_PLAIN_SALTS = {name: int(salt) for name, salt in _SALTS.items()}
_KINDS = {kind: _of_column("event", kind) for kind in EVENT_TYPES}


def _microseconds(value: Any) -> int:
    if type(value) is int and integer_to_ms(value) is not None:
        digits = len(str(value))
        if digits in (12, 13):
            return value * 1_000
        if digits in (15, 16):
            return value
    return int(_one_time(value))


def _one_time(value: Any) -> int:
    clock = read_clock(pd.Series([value], dtype=object if isinstance(value, str) else None))
    if clock.unreadable[0] or clock.impossible[0]:
        raise DataError(f"an event's timestamp must be a time, got {_shown(value)}.")
    return int(clock.microseconds[0])
