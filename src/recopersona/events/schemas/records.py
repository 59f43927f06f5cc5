"""Records in cells: read where they are JSON text, and laid out as one row per event and item."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import pandas as pd

from recopersona.data.types import Array, Mask
from recopersona.events.numbers import readable_numbers

Record = dict[str, Any]

NO_VALUE = frozenset({"", "(not set)", "(none)", "null", "NULL", "undefined"})
"""What Google and others write where they have nothing to write."""


def json_of(text: str | bytes) -> Any:
    """Parse JSON in UTF-8; half a character (a lone surrogate) is none.

    Raises
    ------
    ValueError, RecursionError
        If it is no JSON, or nested without end.
    """
    # Given bytes, `json.loads` guesses at other encodings and lets halves of characters pass.
    text = text.removeprefix(_MARK).decode("utf-8") if isinstance(text, bytes) else text
    bare = text.strip(_SPACES)
    value, end = _decode(bare)  # a third faster than `json.loads`, which does the same
    if end < len(bare):
        raise json.JSONDecodeError("Extra data", bare, end)
    if "\\u" in text:
        json.dumps(value, ensure_ascii=False).encode()
    return value


_MARK = b"\xef\xbb\xbf"
_SPACES = " \t\n\r"
_decode = json.JSONDecoder().raw_decode


def read_cells(column: pd.Series, kind: type) -> tuple[pd.Series, Mask]:
    """Read a column of records (``dict``) or of lists of them, objects or JSON text.

    Returns
    -------
    cells : object Series (n,)
        An empty one where there is none.
    broken : bool (n,)
        Where there is something else.

    Examples
    --------
    >>> cells, broken = read_cells(pd.Series(['[{"id": "tea"}]', None, "[1]"]), list)
    >>> cells.tolist(), broken.tolist()
    ([[{'id': 'tea'}], [], []], [False, False, True])
    """
    values: list[Any] = column.tolist()
    read = [_cell(cell, kind) for cell in values]
    cells = pd.Series([kind() if cell is None else cell for cell in read], dtype=object)
    return cells, np.array([cell is None for cell in read], dtype=np.bool_)


def _cell(cell: Any, kind: type) -> Any:
    """Return a cell as a record or a list of records, None where it is neither."""
    if isinstance(cell, str):
        if not cell.strip():
            return kind()
        try:
            cell = json_of(cell)
        except (ValueError, RecursionError):
            return None
    if isinstance(cell, np.ndarray | tuple):
        cell = list(cell)
    if isinstance(cell, kind):
        records: Any = [] if kind is dict else cell
        return cell if all(isinstance(record, dict) for record in records) else None
    is_missing = cell is None or cell is pd.NA or cell is pd.NaT or cell != cell
    return kind() if is_missing else None


def plain(frame: pd.DataFrame, name: str) -> list[Any]:
    """Return a column as Python's own objects, None where it or a value is missing."""
    if name not in frame.columns:
        return [None] * len(frame)
    column = frame[name].astype(object)
    values: list[Any] = column.where(column.notna(), None).tolist()
    return values


def inside(record: Any, *path: str) -> Any:
    """Return what lies at a path into records, None where there is nothing.

    Examples
    --------
    >>> inside({"device": {"category": "mobile"}}, "device", "category"), inside(None, "device")
    ('mobile', None)
    """
    for key in path:
        if not isinstance(record, dict):
            return None
        record = record.get(key)
    return record


def records_in(value: Any) -> list[Record]:
    """Return the records of a list that lies within a record; what is no record is no item."""
    if isinstance(value, np.ndarray | tuple):
        value = list(value)
    return [record for record in value if isinstance(record, dict)] if type(value) is list else []


def first(record: Record, *keys: str) -> Any:
    """Return the first value of some keys that says anything."""
    for key in keys:
        value = record.get(key)
        if has_value(value):
            return value
    return None


def has_value(value: Any) -> bool:
    """Tell whether a value says anything."""
    return value is not None and not (isinstance(value, str) and value.strip() in NO_VALUE)


def text_of(value: Any) -> str | None:
    """Return a value as text, None where it says nothing or is no single value.

    Whole numbers that a gap elsewhere had made floats are written as whole numbers.

    Examples
    --------
    >>> [text_of(value) for value in ("tea", 7, 7.0, "(not set)", ["tea"], float("nan"))]
    ['tea', '7', '7', None, None, None]
    """
    if isinstance(value, str):
        return value if has_value(value) else None
    if isinstance(value, float):
        if value != value:
            return None
        return str(int(value)) if value.is_integer() and abs(value) < 2**63 else str(value)
    if value is None or isinstance(value, dict | list | tuple | np.ndarray):
        return None
    try:
        return str(value)
    except ValueError:  # Python writes no number of thousands of digits
        return None


def texts(values: Iterable[Any]) -> pd.Series:
    """Return values as a column of text, see `text_of`; half a character becomes a ``?``."""
    written = [text_of(value) for value in values]
    try:
        return pd.Series(written, dtype="str")
    except UnicodeEncodeError:
        whole = [None if text is None else _in_whole_characters(text) for text in written]
        return pd.Series(whole, dtype="str")


def _in_whole_characters(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8")


def amounts(values: Sequence[Any], scale: float = 1.0) -> pd.Series:
    """Return values as numbers; where one cannot be read, it stays as it is for `clean` to count.

    Examples
    --------
    >>> amounts(["1990000", 500000, None], scale=1e-6).tolist()
    [1.99, 0.5, nan]
    >>> amounts(["free", 2]).tolist()
    ['free', 2.0]
    """
    written = [value if has_value(value) else None for value in values]
    numbers = readable_numbers(pd.Series(written, dtype=object))
    scaled = pd.Series(np.round(numbers * scale, 9) if scale != 1.0 else numbers)
    unread = np.isnan(numbers) & np.array([value is not None for value in written], dtype=np.bool_)
    if not unread.any():
        return scaled
    return scaled.astype(object).where(~unread, pd.Series(list(map(_shown, written)), dtype=object))


def _shown(value: Any) -> Any:
    return value if value is None or isinstance(value, str) else str(value)


_UNIX_US = {"s": 1e6, "ms": 1e3, "us": 1.0}
_LAST_US = 9.2e18


def moments(values: Sequence[Any], unit: str) -> pd.Series:
    """Return numbers since 1970 of a known unit as UTC times; others stay as they are.

    Examples
    --------
    >>> str(moments(["1600000000000000"], "us")[0])
    '2020-09-13 12:26:40+00:00'
    >>> moments(["soon", 0], "us").tolist()
    ['soon', '1970-01-01T00:00:00.000000Z']
    """
    numbers = readable_numbers(pd.Series(list(values), dtype=object)) * _UNIX_US[unit]
    fit = np.isfinite(numbers) & (np.abs(numbers) < _LAST_US)
    stamps = np.where(fit, numbers, 0).astype(np.int64).astype("datetime64[us]")
    times = pd.Series(stamps).dt.tz_localize("UTC")
    missing = np.array([not has_value(value) or value != value for value in values], dtype=np.bool_)
    if (fit | missing).all():
        return times.mask(missing)
    written: pd.Series = times.dt.strftime("%Y-%m-%dT%H:%M:%S.%fZ").astype(object)
    return written.where(fit, pd.Series(list(map(_shown, values)), dtype=object))


def digest(*values: Any) -> str:
    """Return a name for some values that is the same on every machine: 16 hexadecimal digits.

    Ids made of a visitor's id do not spell it, so that they may outlive its erasure.

    Examples
    --------
    >>> digest("1234.5678", 1) == digest("1234.5678", "1") == digest("1234.5678", 1.0)
    True
    """
    written = "\x1f".join([text_of(value) or "" for value in values])
    return hashlib.blake2b(written.encode("utf-8", "replace"), digest_size=8).hexdigest()


@dataclass(frozen=True, eq=False)
class Lines:
    """One row per event and item; an event without items is a row without an item.

    events  int64 (rows,), of which event each row is
    items   the item of each row, {} where there is none
    lines   int64 (rows,), the place of the item in its event, from 0
    """

    events: Array
    items: list[Record]
    lines: Array

    @classmethod
    def of(cls, items: Sequence[Sequence[Record]]) -> Lines:
        """Lay out the items of every event.

        Examples
        --------
        >>> lines = Lines.of([[{"id": "tea"}, {"id": "salt"}], []])
        >>> lines.events.tolist(), lines.items
        ([0, 0, 1], [{'id': 'tea'}, {'id': 'salt'}, {}])
        """
        nothing: list[Record] = [{}]
        counts = np.array([len(own) or 1 for own in items], dtype=np.int64)
        starts = np.cumsum(counts) - counts
        return cls(
            np.repeat(np.arange(len(counts)), counts),
            list(chain.from_iterable(own or nothing for own in items)),
            np.arange(counts.sum()) - np.repeat(starts, counts),
        )

    def of_event(self, column: pd.Series) -> pd.Series:
        """Give every row what is known of its event."""
        return column.take(self.events).reset_index(drop=True)

    def of_item(self, *keys: str) -> list[Any]:
        """Return what is known of every row's item: the first of some keys that says anything."""
        if len(keys) == 1:
            return [item.get(keys[0]) for item in self.items]
        return [first(item, *keys) for item in self.items]

    def ids(self, event_ids: Sequence[str | None]) -> pd.Series:
        """Name every row: by its event, with the place of the item where there are several.

        An event that comes a second time has the same names.

        Examples
        --------
        >>> Lines.of([[{"id": "tea"}, {"id": "salt"}], []]).ids(["a", "b"]).tolist()
        ['a/0', 'a/1', 'b']
        """
        several = np.bincount(self.events, minlength=len(event_ids))[self.events] > 1
        names = [event_ids[event] for event in self.events.tolist()]
        marked = zip(names, self.lines.tolist(), several.tolist(), strict=True)
        return texts(
            f"{name}/{line}" if many and name is not None else name for name, line, many in marked
        )
