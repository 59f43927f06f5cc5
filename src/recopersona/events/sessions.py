"""Sessions: what a visitor did without a long pause."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta, tzinfo
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd

from recopersona.data.columns import as_pandas, require_columns
from recopersona.data.times import MISSING_TIME, to_ms
from recopersona.data.types import Array, Indices
from recopersona.errors import DataError
from recopersona.events.distinct import Distinct
from recopersona.events.session_rules import SessionRules, local_days
from recopersona.events.visitors import Visitors, canonical_ranks
from recopersona.kernels.blocks import cut, run_blocks
from recopersona.kernels.ordering import order_of
from recopersona.kernels.sessions import (
    is_ascending,
    number_cut_sessions,
    number_sessions,
    renumber,
)

_ROWS_PER_BLOCK = 1 << 20
NO_DAYS, NO_CAMPAIGNS = np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int32)


def sessionize(
    events: Any,
    gap: str | timedelta = "30min",
    *,
    max_length: str | timedelta | None = None,
    midnight: str | tzinfo | None = None,
    campaign: str | Iterable[str] | None = None,
    per_device: bool | str | Iterable[str] = False,
) -> Any:
    """Add a ``session_id``: a new session starts where a visitor pauses for longer than the gap.

    A visitor is a ``user_id``; where that is missing, an ``anonymous_id``, which is someone else
    than any user. Sessions are numbered from 0 by the moment of their first event; those that
    start in the same millisecond, by visitor: users before strangers, numbers by size before text
    by code point, then by device. So the numbers do not depend on the order of the rows, and
    `recopersona.StreamSessionizer` gives the same.

    Parameters
    ----------
    events : dataframe
        Pandas, polars or Arrow, with ``user_id`` and ``timestamp``, in any order. It is never
        changed.
    gap : duration
        Such as ``"30min"``. A pause of exactly the gap does not end a session.
    max_length : duration, optional
        An event later than this after a session's first one starts another. By default a session
        may last for ever.
    midnight : time zone, optional
        Such as ``"Europe/Berlin"``: a session ends with the local day, as in Google's Universal
        Analytics; clocks that are put forward or back are seen to.
    campaign : column or list of columns, optional
        A campaign that is given, and is not the one the session began with, starts another
        session, as in Universal Analytics. Rows in which every column is missing have none; a
        session that began with none ends at the first campaign. Where one visitor has several in
        the same millisecond, they come in the order of their values.
    per_device : bool, column or list of columns
        Whether what one visitor does on two devices is two sessions; True means the column
        ``device``. A missing device is a device of its own.

    Returns
    -------
    events
        The same rows in the same order, of the caller's kind, with ``session_id`` (int64). A
        ``session_id`` that was there is replaced; to keep it, rename it before.

    Raises
    ------
    ColumnError
        If ``user_id``, ``timestamp`` or a column that is named is missing.
    DataError
        If a row has neither user nor anonymous id, or no time that can be read.
    ParameterError
        If a duration, the time zone or a list of columns is none.

    Notes
    -----
    One pass over rows in time order; rows in any other are sorted by time first, by their digits.
    Time grows with the rows, memory too: 20 bytes per event and 16 per visitor beside the frame,
    and 48 more per event where rows are not in time order. Integer ids that are close together
    stand for themselves; others are hashed.

    Examples
    --------
    >>> log = pd.DataFrame({
    ...     "user_id": ["anna", "ben", "anna", "anna"],
    ...     "item_id": ["tea", "tea", "salt", "tea"],
    ...     "timestamp": pd.to_datetime(["2026-01-31 10:00", "2026-01-31 10:10",
    ...                                  "2026-01-31 10:30", "2026-01-31 11:01"]),
    ... })
    >>> sessionize(log)["session_id"].tolist()
    [0, 1, 0, 2]
    >>> sessionize(log, max_length="20min")["session_id"].tolist()
    [0, 1, 2, 3]
    """
    rules = SessionRules.of(gap, max_length, midnight, campaign, per_device)
    frame = _needed(events, rules)
    times, unit = _ticks(frame) if rules.only_gap else (event_times(frame), 1)
    session = _session_numbers(frame, times, unit, rules)
    if isinstance(events, pd.DataFrame):
        return events.assign(session_id=pd.Series(session, index=events.index, copy=False))
    native = nw.from_native(events)
    eager = native.collect() if isinstance(native, nw.LazyFrame) else native
    column = nw.new_series("session_id", session, backend=eager.implementation)
    return eager.with_columns(column).to_native()


def event_times(frame: pd.DataFrame) -> Array:
    """Return int64 (n,) milliseconds of events that all have a time."""
    if "timestamp" not in frame.columns:
        require_columns(frame, ["timestamp"])
    times = to_ms(frame["timestamp"])
    _refuse_missing(times, frame)
    return times


def _ticks(frame: pd.DataFrame) -> tuple[Array, int]:
    """Return int64 (n,) times as they lie in the frame, and how many ticks are a millisecond."""
    column = frame["timestamp"] if list(frame.columns).count("timestamp") == 1 else None
    if column is None or not pd.api.types.is_datetime64_any_dtype(column.dtype):
        return event_times(frame), 1
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        column = column.dt.tz_convert("UTC").dt.tz_localize(None)
    unit = _TICKS_PER_MS.get(str(column.dtype))
    if unit is None:
        return event_times(frame), 1
    ticks = np.ascontiguousarray(column.to_numpy()).view(np.int64)
    _refuse_missing(ticks, frame)  # no time is the same number in every unit
    return ticks, unit


_TICKS_PER_MS = {"datetime64[ms]": 1, "datetime64[us]": 1_000, "datetime64[ns]": 1_000_000}


def _refuse_missing(times: Array, frame: pd.DataFrame) -> None:
    if times.min(initial=0) == MISSING_TIME:
        require_columns(frame, ["timestamp"])
        missing = int((times == MISSING_TIME).sum())
        raise DataError(
            f"{missing} of {len(times)} events have no timestamp to sessionize by; "
            "rp.clean(events) sets such rows aside."
        )


def campaigns_of(frame: pd.DataFrame, columns: tuple[str, ...]) -> tuple[Indices, list[Distinct]]:
    """Return int32 (n,) codes, -1 where a row has no campaign, and the columns taken apart."""
    absent = [name for name in columns if name not in frame.columns]
    require_columns(frame, absent)
    parts = [Distinct.of(frame[name]) for name in columns]
    codes = np.zeros(len(frame), dtype=np.int64)
    none = np.ones(len(frame), dtype=np.bool_)
    for part in parts:
        codes, _ = pd.factorize(codes * (len(part.values) + 1) + part.codes + 1)
        none &= part.codes < 0
    codes[none] = -1
    return codes.astype(np.int32), parts


def in_order(times: Array, campaigns: list[Distinct]) -> tuple[Array | None, Array]:
    """Return the order of rows by time and campaign, None where they stand in it, and the times."""
    if campaigns:
        rows = np.arange(len(times))
        ranks = [canonical_ranks(part, rows) for part in campaigns]
        order = np.lexsort((*reversed(ranks), times))
        return order, times[order]
    stretches = cut(len(times), _ROWS_PER_BLOCK)
    if all(run_blocks(lambda start, end: is_ascending(times, start, end), stretches)):
        return None, times
    return order_of(times)


def numbers_by_visitor(visitors: Visitors, starts: Array, first_row: Array) -> Array | None:
    """Return the place of each new session by its start and its visitor, None where it has it.

    starts     int64 (n_sessions,), ascending
    first_row  (n_sessions,), the row of the frame that starts each
    """
    same = starts[1:] == starts[:-1]
    if not same.any():
        return None
    tied = np.flatnonzero(np.append(same, False) | np.append(False, same))
    keys = visitors.keys(first_row[tied])
    order = np.lexsort((*reversed(keys), starts[tied]))  # the sort keeps equals as they come
    place = np.arange(len(starts))
    place[tied[order]] = tied
    return place


def _session_numbers(frame: pd.DataFrame, times: Array, unit: int, rules: SessionRules) -> Array:
    """Number the sessions of rows in any order; int64 (n,).

    times  int64 (n,), in ticks of which a unit is a millisecond
    """
    visitors = Visitors.of(frame, rules.device)
    codes, parts = campaigns_of(frame, rules.campaign) if rules.campaign else (NO_CAMPAIGNS, [])
    order, in_time = in_order(times, parts)
    who = visitors.codes if order is None else visitors.codes[order]
    session, first_row = np.empty(len(times), np.int64), np.empty(len(times), np.int64)
    if rules.only_gap:
        state = np.full((visitors.span, 2), -1, dtype=np.int64)
        count = number_sessions(session, first_row, state, who, in_time, rules.gap, unit)
    else:
        state = np.full((visitors.span, 5), -1, dtype=np.int64)
        days = NO_DAYS if rules.zone is None else local_days(in_time, rules.zone)
        campaigns = codes if order is None or not len(codes) else codes[order]
        count = number_cut_sessions(
            session, first_row, state, who, in_time, days, campaigns,
            rules.gap, rules.max_length, 0,
        )  # fmt: skip
    first_row = first_row[:count]
    starts = in_time[first_row] // unit
    place = numbers_by_visitor(visitors, starts, first_row if order is None else order[first_row])
    if place is not None:
        blocks = cut(len(session), _ROWS_PER_BLOCK)
        run_blocks(lambda start, end: renumber(session, place, start, end), blocks)
    if order is None:
        return session
    as_given = np.empty_like(session)
    as_given[order] = session
    return as_given


def _needed(events: Any, rules: SessionRules) -> pd.DataFrame:
    """Leave unconverted what sessions do not need; a frame that lacks something stays whole."""
    if isinstance(events, pd.DataFrame):
        return events
    try:
        native = nw.from_native(events)
        names = native.collect_schema().names()
    except (TypeError, nw.exceptions.DuplicateError):
        return as_pandas(events)
    if not {"user_id", "timestamp"} <= set(names):
        return as_pandas(events)
    needed = {"user_id", "anonymous_id", "timestamp", *rules.campaign, *rules.device}
    few = native.select(*[name for name in names if name in needed])
    eager = few.collect() if isinstance(few, nw.LazyFrame) else few
    texts = _texts_in_arrow(eager["user_id"])
    if texts is None:
        return as_pandas(eager.to_native())
    return as_pandas(eager.drop("user_id").to_native()).assign(user_id=texts)


def _texts_in_arrow(column: Any) -> pd.Series | None:
    """Return a column of texts as Arrow holds it, without an object per row; None for any other."""
    if column.dtype != nw.String:
        return None
    try:
        texts = column.to_arrow()
        return pd.Series(pd.array(texts, dtype=pd.StringDtype("pyarrow", na_value=np.nan)))
    except ImportError:
        return None
