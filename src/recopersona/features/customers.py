"""What is known of every customer at a moment: recency, frequency and monetary value."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, NamedTuple

import narwhals as nw
import numpy as np
import pandas as pd

from recopersona.data.columns import factorized, like, numbers, require_columns
from recopersona.data.event import PURCHASE, RETURN
from recopersona.data.ids import IdMap
from recopersona.data.intake import EventColumns, frame_of_events, is_events, read_columns
from recopersona.data.interactions import Interactions
from recopersona.data.returns import kept_quantity
from recopersona.data.times import MISSING_TIME, duration_ms, from_ms, moment_ms
from recopersona.data.types import Array, Indices, Mask
from recopersona.errors import DataError, ParameterError
from recopersona.features.codes import require_single

DAY_MS = 86_400_000

_READ = (
    *("user_id", "item_id", "timestamp", "event", "quantity", "price", "currency"),
    *("order_id", "session_id"),
)


def rfm(events: Any, as_of: Any = None, period: str | timedelta = "1d") -> Any:
    r"""Tell of every user what was known of him at a moment: one row each, nothing of the future.

    Purchases within one ``period`` (periods start at midnight UTC) count as one purchase for
    ``frequency`` and the durations, because models of repeat buying take two orders of one evening
    for one occasion. Durations are whole periods, in days: a user who bought in the last period
    before ``as_of`` has ``recency_days`` 0, and always

    .. math:: recency + span = tenure

    Returns are taken off: what was wholly sent back before ``as_of`` was never bought, of what was
    sent back in part the rest counts. The value of a purchase is its price times the quantity kept
    (1 where the log has no quantity); a purchase without a price adds no value.

    Parameters
    ----------
    events : dataframe, or iterable of `Event`
        With ``timestamp``; ``price``, ``quantity``, ``order_id`` and ``session_id`` are used where
        they exist. It is never changed.
    as_of : moment, optional
        Only events before it are looked at; by default all are.
    period : duration
        What counts as one occasion to buy, such as ``"1d"`` or ``"7d"``.

    Returns
    -------
    frame of the caller's kind
        Users in the order of their first row, with

        * ``user_id``;
        * ``first_seen``, ``last_seen``, ``known_days``, ``idle_days``: the first and the latest
          event of any kind, and how long before ``as_of`` each was;
        * ``sessions``: distinct session ids (only where the log has any);
        * ``first_purchase``, ``last_purchase``: no time where nothing was bought and kept;
        * ``orders``: distinct order ids, or moments of purchase where a row has none;
        * ``frequency``: periods with a purchase, beyond the first;
        * ``recency_days``, ``span_days``, ``tenure_days``: from the last purchase to ``as_of``,
          from the first purchase to the last, from the first to ``as_of``: NaN without a purchase;
        * ``total_value``, ``monetary``: the value of all orders and of the average one (only where
          the log has prices).

    Raises
    ------
    ColumnError, DataError, ParameterError
        If there is no time or no event, if prices are negative or in several currencies, or for
        whatever else cannot be used as it came.

    Notes
    -----
    Time: a few passes over the events and one hash of each id. Memory: about 100 bytes an event.

    Examples
    --------
    >>> log = pd.DataFrame({
    ...     "user_id": ["anna", "anna", "ben", "anna"],
    ...     "item_id": ["tea", "salt", "tea", "tea"],
    ...     "event": ["purchase", "purchase", "view", "purchase"],
    ...     "price": [4.0, 1.0, 4.0, 5.0],
    ...     "timestamp": pd.to_datetime(["2026-01-01 10:00", "2026-01-01 10:00",
    ...                                  "2026-01-02 09:00", "2026-01-11 12:00"]),
    ... })
    >>> customers = rfm(log, as_of="2026-01-21")
    >>> customers[["user_id", "orders", "frequency", "recency_days", "tenure_days", "monetary"]]
      user_id  orders  frequency  recency_days  tenure_days  monetary
    0    anna       2          1           9.0         19.0       5.0
    1     ben       0          0           NaN          NaN       NaN
    """
    period_ms = duration_ms(period, "period")
    frame = frame_of_events(_only_needed(events))
    require_columns(frame, ["timestamp"])
    require_single(frame, _READ, "events")
    log = _before(frame, read_columns(frame), as_of)
    calendar = _Calendar(log.as_of, period_ms)
    n_users = len(log.users)
    first, last = _span(log.user, log.time, n_users)
    table = {
        "user_id": pd.Series(log.users.ids),
        "first_seen": pd.Series(from_ms(first)),
        "last_seen": pd.Series(from_ms(last)),
        "known_days": calendar.days_since(first),
        "idle_days": calendar.days_since(last),
    }
    if "session_id" in frame.columns:
        table["sessions"] = _distinct_per_user(log.user, log.codes(frame, "session_id"), n_users)
    table |= _purchases(frame, log, calendar)
    result = pd.DataFrame(table)
    return result if is_events(events) else like(result, events)


def described(customers: Any, as_of: Any, period: str | timedelta, owner: str) -> pd.DataFrame:
    """Return customers as `rfm` describes them; a frame that it made comes back as it is."""
    frame = frame_of_events(customers)
    if not set(_OF_RFM) <= set(frame.columns):
        made: pd.DataFrame = rfm(frame, as_of, period)
        return made
    if as_of is not None:
        raise ParameterError(
            f"{owner}: a frame made by rp.rfm has its moment already; leave as_of out, "
            "or pass the events."
        )
    return frame


_OF_RFM = ("user_id", "orders", "frequency", "recency_days", "span_days", "tenure_days")


class _Log(NamedTuple):
    """The events before a moment.

    rows   int64 (n,), their places in the frame
    user   int32 (n,)
    time   int64 (n,) milliseconds UTC
    """

    columns: EventColumns
    rows: Array
    users: IdMap
    user: Indices
    time: Array
    as_of: int

    def codes(self, frame: pd.DataFrame, name: str) -> Array:
        """Number a column's values, -1 where one is missing: int64 (n,)."""
        return factorized(frame[name].iloc[self.rows], name)[0]


class _Calendar(NamedTuple):
    """Moments in whole periods before another."""

    as_of: int
    period: int

    def place(self, moments: Array) -> Array:
        """Return the number of the period in which a moment lies."""
        return moments // self.period

    def days(self, periods: Array) -> Array:
        """Return periods in days."""
        days: Array = periods * (self.period / DAY_MS)
        return days

    def days_since(self, moments: Array) -> Array:
        """Return how long before the last moment that counts others lie; NaN for no time."""
        known = moments != MISSING_TIME
        passed = (self.as_of - 1) // self.period - self.place(moments)
        return np.where(known, self.days(np.where(known, passed, 0)), np.nan)


def _before(frame: pd.DataFrame, columns: EventColumns, as_of: Any) -> _Log:
    times = columns.timestamp
    assert times is not None  # noqa: S101 - the column was required
    if as_of is None:
        if not len(times):
            raise DataError("rfm needs at least one event, got none.")
        moment = int(times.max()) + 1
    else:
        moment = moment_ms(as_of, "as_of")
    rows = np.flatnonzero(times < moment)
    if len(rows) == len(frame):
        users, user = IdMap.from_values(columns.user_id)
        return _Log(columns, rows, users, user, times, moment)
    users, user = IdMap.from_values(columns.user_id.iloc[rows])
    return _Log(columns, rows, users, user, times[rows], moment)


def _purchases(frame: pd.DataFrame, log: _Log, calendar: _Calendar) -> dict[str, Any]:
    """Return the columns about what was bought and kept."""
    n_users = len(log.users)
    trades, quantity = _kept(log)
    user, time, rows = log.user[trades], log.time[trades], log.rows[trades]
    first, last = _span(user, time, n_users)
    orders = _distinct_per_user(user, _order_codes(frame, time, rows), n_users)
    occasions = _distinct_per_user(user, calendar.place(time), n_users)
    recency, tenure = calendar.days_since(last), calendar.days_since(first)
    table: dict[str, Any] = {
        "first_purchase": pd.Series(from_ms(first)),
        "last_purchase": pd.Series(from_ms(last)),
        "orders": orders,
        "frequency": np.maximum(occasions - 1, 0),
        "recency_days": recency,
        "span_days": tenure - recency,
        "tenure_days": tenure,
    }
    if "price" in frame.columns:
        with np.errstate(over="ignore"):  # what is too large is refused
            value = np.bincount(user, quantity * _prices(frame, rows), minlength=n_users)
        if not np.isfinite(value).all():
            raise DataError(
                "prices and quantities add up to more than a number can hold; "
                "rp.clean(events) sets impossible ones aside."
            )
        table["total_value"] = value
        table["monetary"] = np.where(orders > 0, value / np.maximum(orders, 1), np.nan)
    return table


def _kept(log: _Log) -> tuple[Array, Array]:
    """Return which events are purchases of which something was kept, and how much of each."""
    kind = log.columns.event[log.rows]
    trades = np.flatnonzero((kind == PURCHASE) | (kind == RETURN))
    quantity = np.ones(len(trades))
    if log.columns.quantity is not None:
        quantity = log.columns.quantity[log.rows[trades]].astype(np.float64)
    if (kind[trades] == RETURN).any():
        items = factorized(log.columns.item_id.iloc[log.rows[trades]], "item_id")[0]
        quantity = kept_quantity(
            Interactions(
                log.user[trades], items.astype(np.int32), kind[trades],
                np.ones(len(trades), np.float32), log.time[trades],
                quantity=quantity.astype(np.float32),
            )
        )  # fmt: skip
    return trades[quantity > 0], quantity[quantity > 0]


def _order_codes(frame: pd.DataFrame, time: Array, rows: Array) -> Array:
    """Number orders: by their ids, by the moment where a row has none."""
    if "order_id" not in frame.columns:
        return time
    codes = factorized(frame["order_id"].iloc[rows], "order_id")[0]
    nameless = codes < 0
    if nameless.any():
        moments, _ = pd.factorize(time[nameless])
        codes = codes.copy()
        codes[nameless] = moments + int(codes.max(initial=-1)) + 1
    return codes


def _prices(frame: pd.DataFrame, rows: Array) -> Array:
    """Return the prices of some rows, 0 where there is none: float64 (n,)."""
    if "currency" in frame.columns:
        currencies = list(factorized(frame["currency"].iloc[rows], "currency")[1])
        if len(currencies) > 1:
            raise DataError(
                f"rfm adds up prices, got {len(currencies)} currencies "
                f"({', '.join(map(str, currencies[:3]))}); convert them to one first."
            )
    price: Array = np.nan_to_num(
        numbers(frame["price"].iloc[rows], "price"), nan=0.0, posinf=np.inf
    )
    bad = ~((price >= 0) & (price < np.inf))
    if bad.any():
        raise DataError(
            f"price must be a finite number of at least 0, got {price[np.argmax(bad)]:g} "
            f"({int(bad.sum())} such purchases); rp.clean(events) sets such rows aside."
        )
    return price


def _span(user: Array, time: Array, n_users: int) -> tuple[Array, Array]:
    """Return every user's first and last moment, `MISSING_TIME` where there is none."""
    first = np.full(n_users, np.iinfo(np.int64).max)
    last = np.full(n_users, MISSING_TIME)
    np.minimum.at(first, user, time)
    np.maximum.at(last, user, time)
    first[last == MISSING_TIME] = MISSING_TIME
    return first, last


def _distinct_per_user(user: Array, codes: Array, n_users: int) -> Array:
    """Count the distinct codes of every user, those below 0 not at all: int64 (n_users,)."""
    known: Mask = codes >= 0
    if not known.all():
        user, codes = user[known], codes[known]
    narrow = codes - codes.min(initial=0)
    width = int(narrow.max(initial=0)) + 1
    if width * max(n_users, 1) >= 2**63:  # moments in milliseconds, and many users
        narrow, distinct = pd.factorize(narrow)
        width = len(distinct)
    pairs = pd.unique(user.astype(np.int64) * width + narrow)
    return np.bincount(pairs // width, minlength=n_users).astype(np.int64)


def _only_needed(events: Any) -> Any:
    """Leave unconverted what is not read; what is no frame stays as it is."""
    if isinstance(events, pd.DataFrame) or is_events(events):
        return events
    try:
        native = nw.from_native(events)
        names = native.collect_schema().names()
    except (TypeError, nw.exceptions.DuplicateError):
        return events
    wanted = [name for name in names if name in _READ]
    return native.select(*wanted).to_native() if {"user_id", "item_id"} <= set(wanted) else events
