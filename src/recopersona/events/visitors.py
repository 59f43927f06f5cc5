"""Who did it: visitors as small codes, and an order of theirs that no row order changes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd

from recopersona.data.columns import require_columns
from recopersona.data.types import Array, Indices
from recopersona.errors import DataError
from recopersona.events.distinct import Distinct
from recopersona.kernels.blocks import cut, run_blocks
from recopersona.kernels.coding import codes_of, codes_of_texts

_INTEGERS = (np.int64, np.int32, np.int16, np.int8, np.uint32, np.uint16, np.uint8)
_ROWS_PER_BLOCK = 1 << 20
_DENSE = 4  # codes per row up to which integers stand for themselves


@dataclass(frozen=True, eq=False)
class Visitors:
    """Whose event each row is.

    codes  int32 (n,), at least 0
    span   one more than the highest code; not every code below it need occur
    keys   for rows, (m,) each: numbers that order their visitors as `canonical` does, the most
           significant first
    """

    codes: Indices
    keys: Callable[[Array], list[Array]]
    span: int

    @classmethod
    def of(cls, frame: pd.DataFrame, devices: Iterable[str] = ()) -> Visitors:
        """Tell visitors apart: a ``user_id``, else an ``anonymous_id``, and perhaps a device.

        Raises
        ------
        ColumnError
            If ``user_id`` or a column of the device is missing.
        DataError
            If a row has neither user nor anonymous id, or an id cannot be hashed.
        """
        devices = tuple(devices)
        if not {"user_id", "anonymous_id"} <= set(frame.columns):
            require_columns(frame, ["user_id"])
        who = _people(frame)
        for name in devices:
            if name not in frame.columns:
                require_columns(frame, [name])
            who = _both(who, _values(frame[name]))
        return who


def canonical(value: Any) -> tuple[int, Any]:
    """Order values of any kind: none first, then numbers, then text, then the rest as written.

    Examples
    --------
    >>> sorted(["b", 10, None, "a", 9], key=canonical)
    [None, 9, 10, 'a', 'b']
    """
    if type(value) is str:
        return 2, value
    if isinstance(value, (Real, np.bool_)):
        return (1, value) if value == value else (0, 0)  # NaN is none
    if value is None or value is pd.NaT or value is pd.NA:
        return 0, 0
    return (2, str(value)) if isinstance(value, str) else (3, f"{type(value).__name__} {value!r}")


def canonical_ranks(distinct: Distinct, rows: Array) -> Array:
    """Return numbers that order rows as their values are ordered; only theirs are compared."""
    codes = distinct.codes[rows]
    used = np.unique(codes)
    values = [None if code < 0 else distinct.values[code] for code in used.tolist()]
    order = sorted(range(len(used)), key=lambda place: canonical(values[place]))
    ranks = np.empty(len(used), dtype=np.int64)
    ranks[order] = np.arange(len(used))
    found: Array = ranks[np.searchsorted(used, codes)]
    return found


def _people(frame: pd.DataFrame) -> Visitors:
    column = frame["user_id"]
    if isinstance(column.dtype, np.dtype) and column.dtype in _INTEGERS:
        return _integers(column.to_numpy())
    if (texts := _arrow_texts(column)) is not None:
        return _texts(column, *texts)
    users = Distinct.of(column)
    codes, strangers = users.codes, None
    if "anonymous_id" in frame.columns and (codes < 0).any():
        strangers = Distinct.of(frame["anonymous_id"])
        shifted = np.where(strangers.codes < 0, -1, strangers.codes + len(users.values))
        codes = np.where(codes < 0, shifted, codes)
    nobody = int((codes < 0).sum())
    if nobody:
        raise DataError(
            f"{nobody} of {len(frame)} events have no user_id to sessionize by; "
            "rp.clean(events) sets such rows aside."
        )

    def keys(rows: Array) -> list[Array]:
        by_user = canonical_ranks(users, rows)
        if strangers is None:
            return [by_user]
        unknown = users.codes[rows] < 0
        by_stranger = np.where(unknown, canonical_ranks(strangers, rows), 0)
        return [unknown.astype(np.int64), by_user, by_stranger]

    n_visitors = len(users.values) + (0 if strangers is None else len(strangers.values))
    return Visitors(codes.astype(np.int32), keys, n_visitors)


def _integers(ids: Array) -> Visitors:
    blocks = cut(len(ids), _ROWS_PER_BLOCK)
    ends = run_blocks(lambda start, end: (ids[start:end].min(), ids[start:end].max()), blocks)
    low = int(min((low for low, _ in ends), default=0))
    span = int(max((high for _, high in ends), default=0)) - low + 1

    def keys(rows: Array) -> list[Array]:
        return [ids[rows].astype(np.int64)]

    if span > max(_DENSE * len(ids), 1_000) or span > 2**31:
        hashed, distinct = codes_of(np.ascontiguousarray(ids, dtype=np.int64))
        return Visitors(hashed, keys, len(distinct))
    codes = np.empty(len(ids), dtype=np.int32)

    def code(start: int, end: int) -> None:
        part = ids[start:end]
        np.subtract(part, low, out=codes[start:end], dtype=np.int64, casting="unsafe")

    run_blocks(code, blocks)
    return Visitors(codes, keys, span)


def _arrow_texts(column: pd.Series) -> tuple[Array, Array] | None:
    """Where each text of a column that Arrow holds starts, and their bytes; None for any other."""
    if not isinstance(column.dtype, pd.StringDtype) or column.dtype.storage != "pyarrow":
        return None
    import pyarrow as pa  # it is there, since it holds the column

    held = pa.array(column.array)
    texts = held.combine_chunks() if isinstance(held, pa.ChunkedArray) else held
    if texts.null_count or not len(texts):
        return None
    _, bounds, data = texts.cast(pa.large_string()).buffers()
    at = np.frombuffer(bounds, dtype=np.int64)[texts.offset : texts.offset + len(texts) + 1]
    return at, np.frombuffer(data, dtype=np.uint8) if data else np.empty(0, dtype=np.uint8)


def _texts(column: pd.Series, bounds: Array, data: Array) -> Visitors:
    def keys(rows: Array) -> list[Array]:
        tied = Distinct.of(column.iloc[rows])
        return [canonical_ranks(tied, np.arange(len(rows)))]

    codes, n_visitors = codes_of_texts(bounds, data)
    return Visitors(codes, keys, n_visitors)


def _values(column: pd.Series) -> Visitors:
    """Take a missing value for a value of its own."""
    distinct = Distinct.of(column)
    codes = np.where(distinct.codes < 0, len(distinct.values), distinct.codes)
    return Visitors(
        codes.astype(np.int32),
        lambda rows: [canonical_ranks(distinct, rows)],
        len(distinct.values) + 1,
    )


def _both(one: Visitors, other: Visitors) -> Visitors:
    """Tell apart who differs in one or the other."""
    codes, distinct = codes_of(one.codes * np.int64(other.span) + other.codes)
    return Visitors(codes, lambda rows: one.keys(rows) + other.keys(rows), len(distinct))
