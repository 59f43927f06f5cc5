"""Sessions: what a visitor did without a long pause."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd

from recopersona.data.columns import as_pandas, require_columns
from recopersona.data.times import MISSING_TIME, duration_ms, to_ms
from recopersona.data.types import Array, Indices
from recopersona.errors import DataError
from recopersona.events.distinct import Distinct
from recopersona.kernels.sessions import number_sessions


def sessionize(events: Any, gap: str | timedelta = "30min") -> Any:
    """Add a ``session_id``: a new session starts where a visitor pauses for longer than the gap.

    A visitor is a ``user_id``; where that is missing, an ``anonymous_id``, which is someone else
    than any user. Sessions are numbered from 0 by their first event in time; events of the same
    moment follow each other in the order of the rows.

    Parameters
    ----------
    events : dataframe
        Pandas, polars or Arrow, with ``user_id`` and ``timestamp``, in any order. It is never
        changed.
    gap : duration
        Such as ``"30min"``. A pause of exactly the gap does not end a session.

    Returns
    -------
    events
        The same rows in the same order, of the caller's kind, with ``session_id`` (int64). A
        ``session_id`` that was there is replaced; to keep it, rename it before.

    Raises
    ------
    ColumnError
        If ``user_id`` or ``timestamp`` is missing.
    DataError
        If a row has neither user nor anonymous id, or no time that can be read.
    ParameterError
        If the gap is no duration.

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
    """
    gap_ms = duration_ms(gap, "gap")
    frame = as_pandas(_only_needed(events))
    require_columns(frame, ["timestamp"])
    session = _session_numbers(_visitors(frame), _times(frame), gap_ms)
    if isinstance(events, pd.DataFrame):
        return events.assign(session_id=session)
    native = nw.from_native(events)
    eager = native.collect() if isinstance(native, nw.LazyFrame) else native
    column = nw.new_series("session_id", session, backend=eager.implementation)
    return eager.with_columns(column).to_native()


def _session_numbers(visitors: Indices, times: Array, gap: int) -> Array:
    """Number the sessions of rows in any order.

    visitors  int32 (n,)
    times     int64 (n,)

    Returns int64 (n,).
    """
    n_visitors = int(visitors.max(initial=-1)) + 1
    last_time = np.empty(n_visitors, dtype=np.int64)
    last_session = np.full(n_visitors, -1, dtype=np.int64)
    session = np.empty(len(times), dtype=np.int64)
    if (times[1:] >= times[:-1]).all():
        number_sessions(session, last_time, last_session, visitors, times, gap)
        return session
    order = np.argsort(times, kind="stable")
    in_time = np.empty_like(session)
    number_sessions(in_time, last_time, last_session, visitors[order], times[order], gap)
    session[order] = in_time
    return session


def _only_needed(events: Any) -> Any:
    """Leave unconverted what sessions do not need; a frame that lacks something stays whole."""
    try:
        native = nw.from_native(events)
    except TypeError:
        return events
    names = native.collect_schema().names()
    if isinstance(events, pd.DataFrame) or not {"user_id", "timestamp"} <= set(names):
        return events
    wanted = [name for name in ("user_id", "anonymous_id", "timestamp") if name in names]
    return native.select(*wanted).to_native()


def _visitors(frame: pd.DataFrame) -> Indices:
    """Return int32 (n,): users by first appearance, then anonymous visitors."""
    if not {"user_id", "anonymous_id"} <= set(frame.columns):
        require_columns(frame, ["user_id"])
    users = Distinct.of(frame["user_id"])
    codes = users.codes
    if "anonymous_id" in frame.columns:
        strangers = Distinct.of(frame["anonymous_id"])
        shifted = np.where(strangers.codes < 0, -1, strangers.codes + len(users.values))
        codes = np.where(codes < 0, shifted, codes)
    nobody = int((codes < 0).sum())
    if nobody:
        raise DataError(
            f"{nobody} of {len(frame)} events have no user_id to sessionize by; "
            "rp.clean(events) sets such rows aside."
        )
    return codes.astype(np.int32)


def _times(frame: pd.DataFrame) -> Array:
    times = to_ms(frame["timestamp"])
    missing = int((times == MISSING_TIME).sum())
    if missing:
        raise DataError(
            f"{missing} of {len(times)} events have no timestamp to sessionize by; "
            "rp.clean(events) sets such rows aside."
        )
    return times
