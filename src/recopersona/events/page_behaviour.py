"""What visitors did on a page and in a session: how long, how far down, and by which door."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd

from recopersona.base.parameters import check, one_of
from recopersona.data.columns import as_pandas, like, numbers, require_columns
from recopersona.data.times import duration_ms, from_ms
from recopersona.data.types import Array, Mask
from recopersona.errors import ColumnError, DataError
from recopersona.events.distinct import Distinct
from recopersona.events.sessions import event_times
from recopersona.kernels.ordering import order_of


def dwell(
    events: Any,
    cap: str | timedelta | None = "30min",
    *,
    last: str = "missing",
    page: str = "item_id",
) -> Any:
    """Add ``dwell_ms``: the time to the next event of the session, at most the cap.

    Nobody knows how long a visitor stayed with the last event of a session: no event came after
    it. So it is missing, and not 0, unless ``last="median"`` puts the median of its page there.

    Parameters
    ----------
    events : dataframe
        With ``session_id`` and ``timestamp``, in any order; it is never changed. Events of one
        moment follow each other as the rows do. A ``dwell_ms`` that was measured is kept; only
        gaps are filled.
    cap : duration, optional
        Longer stays count as this long: the visitor was away. None for no cap.
    last : {"missing", "median"}
        What stands at the last event of a session: nothing, or the median over all other visits
        of the same page; nothing where there was none.
    page : column
        What a page is, for its median.

    Returns
    -------
    events
        The same rows in the same order, of the caller's kind, with ``dwell_ms`` (float64).

    Raises
    ------
    ColumnError
        If a column that is needed is missing.
    DataError
        If an event has no time.
    ParameterError
        If a parameter is out of its bounds.

    Examples
    --------
    >>> log = pd.DataFrame({
    ...     "session_id": [0, 0, 1, 1], "item_id": ["tea", "salt", "salt", "tea"],
    ...     "timestamp": pd.to_datetime(["2026-01-31 10:00", "2026-01-31 10:01",
    ...                                  "2026-01-31 12:00", "2026-01-31 12:02"]),
    ... })
    >>> dwell(log)["dwell_ms"].tolist()
    [60000.0, nan, 120000.0, nan]
    >>> dwell(log, last="median", cap="90s")["dwell_ms"].tolist()
    [60000.0, 90000.0, 90000.0, 60000.0]
    """
    longest = np.inf if cap is None else float(duration_ms(cap, "cap"))
    check(last, one_of("missing", "median"), "dwell", "last")
    frame = as_pandas(events)
    _require_sessions(frame)
    times = event_times(frame)
    codes = _session_codes(frame)
    order = _by_session(codes, times)
    stay = np.full(len(frame), np.nan)
    follows = codes[order][1:] == codes[order][:-1]
    pauses = np.minimum(np.diff(times[order]), longest)
    stay[order[:-1][follows]] = pauses[follows]
    if last == "median":
        require_columns(frame, [page])
        medians = pd.Series(stay).groupby(Distinct.of(frame[page]).codes).transform("median")
        of_page = frame[page].notna().to_numpy()
        stay = np.where(np.isnan(stay) & of_page, medians.to_numpy(), stay)
    if "dwell_ms" in frame.columns:
        measured = numbers(frame["dwell_ms"], "dwell_ms")
        stay = np.where(np.isnan(measured), stay, measured)
    return like(frame.assign(dwell_ms=stay), events)


def scroll_depth(events: Any, scroll: str = "scroll", *, page: str = "item_id") -> Any:
    """Fold scroll events into the views they belong to: the deepest ``scroll_pct`` of each.

    A scroll belongs to the latest view, page view or click of the same page by the same visitor,
    in the same session where the log has sessions, at the same moment or before. Scrolls that
    belong to none stay, as rows: `recopersona.clean` sets them aside and counts them. Call this
    before it, since ``scroll`` is no kind of event that anything else knows.

    Parameters
    ----------
    events : dataframe
        With ``user_id``, ``event``, ``timestamp`` and ``scroll_pct``; it is never changed.
    scroll : str
        What the log calls such an event.
    page : column
        What a page is.

    Returns
    -------
    events
        Of the caller's kind, rows in their order, without the scrolls that were folded.

    Raises
    ------
    ColumnError
        If a column that is needed is missing.
    DataError
        If an event has no time, or a ``scroll_pct`` is no number.

    Examples
    --------
    >>> log = pd.DataFrame({
    ...     "user_id": "anna", "item_id": ["tea", "tea", "tea", "salt"],
    ...     "event": ["view", "scroll", "scroll", "view"],
    ...     "scroll_pct": [None, 25, 75, None], "timestamp": [1_700_000_000 + n for n in range(4)],
    ... })
    >>> scroll_depth(log)[["item_id", "event", "scroll_pct"]]
      item_id event  scroll_pct
    0     tea  view        75.0
    3    salt  view         NaN
    """
    frame = as_pandas(events)
    require_columns(frame, ["user_id", page, "event", "timestamp"])
    if "scroll_pct" not in frame.columns:
        require_columns(frame, ["scroll_pct"])
    times = event_times(frame)
    depth = numbers(frame["scroll_pct"], "scroll_pct").copy()
    kinds = Distinct.of(frame["event"])
    is_scroll = kinds.tell(lambda kind: kind == scroll)
    is_view = kinds.tell(lambda kind: kind in _VIEWS)
    names = [name for name in ("user_id", "anonymous_id", "session_id", page) if name in frame]
    key = np.zeros(len(frame), dtype=np.int64)
    for name in names:
        codes = Distinct.of(frame[name])
        key, _ = pd.factorize(key * (len(codes.values) + 1) + codes.codes + 1)
    # At one moment the view comes first, whatever the order of the rows.
    order = np.lexsort((is_scroll, times, key))
    place = np.maximum.accumulate(np.where(is_view[order], np.arange(len(order)), -1))
    view = order[place]  # -1 names a row too, but of no view
    belongs = is_scroll[order] & (place >= 0) & (key[view] == key[order])
    np.fmax.at(depth, view[belongs], depth[order[belongs]])
    folded = np.zeros(len(frame), dtype=np.bool_)
    folded[order[belongs]] = True
    return like(frame.assign(scroll_pct=depth)[~folded], events)


def session_table(events: Any, *, page: str = "item_id") -> Any:
    """Sum up every session in a row.

    Parameters
    ----------
    events : dataframe
        With ``session_id``, unique over all visitors as `recopersona.sessionize` makes it, and
        ``timestamp``, in any order. Without ``event``, every row is a view.
    page : column
        What ``entry``, ``exit`` and ``n_items`` are about.

    Returns
    -------
    dataframe
        Of the caller's kind, by start, then as the rows came:

        =============  =========================================================================
        session_id     as in the events
        user_id        the first one that is known; ``anonymous_id`` likewise; where there are such
        start, end     of its first and its last event
        duration_ms    from one to the other: 0 for a single event, since more is not known
        n_events       all of them
        n_items        different pages
        entry, exit    the page of its first and its last event
        bounce         whether it has one event or none beside impressions and returns
        purchases      events of that kind
        value          price by quantity of what was bought less what was returned, missing prices
                       left out; missing in a log without prices
        =============  =========================================================================

    Raises
    ------
    ColumnError
        If a column that is needed is missing.
    DataError
        If an event has no session or no time, or an amount is no number.

    Examples
    --------
    >>> log = pd.DataFrame({
    ...     "user_id": ["anna", "anna", "ben"], "item_id": ["tea", "salt", "tea"],
    ...     "event": ["view", "purchase", "view"], "price": [None, 2.5, None],
    ...     "timestamp": [1_700_000_000, 1_700_000_060, 1_700_000_010], "session_id": [0, 0, 1],
    ... })
    >>> table = session_table(log)
    >>> table[["session_id", "user_id", "duration_ms", "n_events", "entry", "exit"]]
       session_id user_id  duration_ms  n_events entry  exit
    0           0    anna        60000         2   tea  salt
    1           1     ben            0         1   tea   tea
    >>> table[["n_items", "bounce", "purchases", "value"]]
       n_items  bounce  purchases  value
    0        2   False          1    2.5
    1        1    True          0    0.0
    """
    frame = as_pandas(events)
    _require_sessions(frame)
    require_columns(frame, [page])
    times = event_times(frame)
    codes = _session_codes(frame)
    n = int(codes.max(initial=-1)) + 1
    order, in_time = order_of(times)
    codes = codes[order]
    frame = frame.iloc[order]
    first, last = np.empty(n, dtype=np.int64), np.empty(n, dtype=np.int64)
    last[codes] = np.arange(len(codes))  # of many writes, the last stays
    first[codes[::-1]] = np.arange(len(codes))[::-1]
    by_start = order_of(first)[0]
    first, last = first[by_start], last[by_start]

    def summed(column: Array) -> Any:
        return np.bincount(codes, weights=column, minlength=n)[by_start]

    bought, amount = amounts_of(frame)
    columns: dict[str, Any] = {"session_id": _taken(frame["session_id"], first)}
    for name in ("user_id", "anonymous_id"):
        if name in frame.columns:
            known = np.flatnonzero(frame[name].notna())
            where = np.full(n, -1)
            where[codes[known[::-1]]] = known[::-1]
            columns[name] = _taken(frame[name], where[by_start])
    pages = Distinct.of(frame[page])
    different = pd.unique(codes * np.int64(len(pages.values) + 1) + pages.codes + 1)
    different = different[different % (len(pages.values) + 1) > 0]
    n_items = np.bincount(different // (len(pages.values) + 1), minlength=n)[by_start]
    columns |= {
        "start": from_ms(in_time[first]),
        "end": from_ms(in_time[last]),
        "duration_ms": in_time[last] - in_time[first],
        "n_events": np.bincount(codes, minlength=n)[by_start],
        "n_items": n_items,
        "entry": _taken(frame[page], first),
        "exit": _taken(frame[page], last),
        "bounce": summed(interactions_of(frame)) <= 1,
        "purchases": summed(bought).astype(np.int64),
        "value": summed(amount) if "price" in frame.columns else np.full(n, np.nan),
    }
    return like(pd.DataFrame(columns), events)


def amounts_of(frame: pd.DataFrame) -> tuple[Mask, Array]:
    """Return which rows are purchases, bool (n,), and what each adds to sales, float64 (n,)."""
    bought, returned = _of_kind(frame, "purchase"), _of_kind(frame, "return")
    price = np.nan_to_num(numbers(frame["price"], "price")) if "price" in frame.columns else 0.0
    quantity = np.ones(len(frame))
    if "quantity" in frame.columns:
        quantity = np.nan_to_num(numbers(frame["quantity"], "quantity"), nan=1.0)
    return bought, price * quantity * (bought * 1.0 - returned * 1.0)


def interactions_of(frame: pd.DataFrame) -> Mask:
    """Return which rows are something a visitor did: all but impressions and returns; (n,)."""
    mask: Mask = ~(_of_kind(frame, "impression") | _of_kind(frame, "return"))
    return mask


_VIEWS = ("view", "page_view", "click")


def _of_kind(frame: pd.DataFrame, kind: str) -> Mask:
    if "event" not in frame.columns:
        return np.zeros(len(frame), dtype=np.bool_)
    mask: Mask = (frame["event"] == kind).fillna(value=False).to_numpy(dtype=np.bool_)
    return mask


def _require_sessions(frame: pd.DataFrame) -> None:
    if "session_id" not in frame.columns:
        raise ColumnError("events need a column 'session_id'; make it with rp.sessionize(events).")
    require_columns(frame, ["session_id", "timestamp"])


def _session_codes(frame: pd.DataFrame) -> Array:
    sessions = Distinct.of(frame["session_id"])
    missing = int((sessions.codes < 0).sum())
    if missing:
        raise DataError(
            f"{missing} of {len(frame)} events have no session_id; rp.sessionize(events) gives all."
        )
    return sessions.codes


def _by_session(codes: Array, times: Array) -> Array:
    """Return the order of rows by session and time; those of one moment as they come."""
    order, _ = order_of(times)
    found: Array = order[order_of(codes[order])[0]]
    return found


def _taken(column: pd.Series, rows: Array) -> pd.Series:
    """Rows of a column, and nothing where the row is -1."""
    if (rows < 0).any():
        in_range = column.reset_index(drop=True).reindex(np.where(rows < 0, len(column), rows))
        return in_range.reset_index(drop=True)
    return column.iloc[rows].reset_index(drop=True)
