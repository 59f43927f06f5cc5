"""Cleaning a log: every row is accepted, repaired and counted, or set aside with its reason."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from recopersona.data.columns import as_pandas, like, require_columns
from recopersona.data.event import EVENT_CODES, EVENT_TYPES, PURCHASE, RETURN, VIEW
from recopersona.data.intake import CLOCK_TOLERANCE_MS
from recopersona.data.times import MISSING_TIME, from_ms, moment_ms
from recopersona.data.types import Array, Mask
from recopersona.errors import DataError, ParameterError
from recopersona.events.bots import USUAL, Bots, checked_bots, examine_bots
from recopersona.events.cleaning_report import CleaningReport
from recopersona.events.clocks import read_clock
from recopersona.events.distinct import Distinct
from recopersona.events.event_names import our_name
from recopersona.events.examination import Examination, without_gaps
from recopersona.events.identifiers import INEXACT, Hashed, bare, text_of, tidied, with_values
from recopersona.events.money import (
    checked_rates,
    convert_currencies,
    hook_prices,
    repair_price_units,
)
from recopersona.events.numbers import readable_numbers
from recopersona.events.page_measures import examine_page_measures
from recopersona.events.pseudonyms import personal_columns, pseudonyms
from recopersona.events.repeats import Memory, examine_repeats
from recopersona.events.schemas import ID_COLUMNS
from recopersona.events.secret import Secret
from recopersona.events.skew import moments, repaired_times
from recopersona.kernels.hashing import CONTROL, LONG

logger = logging.getLogger(__name__)

ANONYMOUS = "anonymous:"
"""What the user_id of a visitor begins with who is known by an anonymous_id only."""

_FIRST_MS = 315_532_800_000  # 1980: before it lie only clocks that were never set
_LARGEST = {"quantity": 1e9, "price": 1e10, "weight": 1e12}
_MOVES_GOODS = np.isin(EVENT_TYPES, ["cart", "remove", "checkout", "purchase", "return"])


def clean(
    events: Any,
    *,
    report: bool = False,
    now: Any = None,
    item_pattern: str | None = None,
    anonymous: bool = True,
    bots: Bots | None = USUAL,
    prices: Callable[[Any], Any] | None = None,
    currency: str | None = None,
    rates: Mapping[str, float] | None = None,
    hash_ids: bytes | str | None = None,
    hash_columns: Iterable[str] | None = None,
) -> Any:
    r"""Repair what can be repaired, set aside what cannot, and count both.

    Everything optional is checked where the column exists. Times come out as UTC timestamps to the
    millisecond. A row repeats an earlier one if it has the same ``event_id``; without one, if all
    event columns but ``received`` are equal; the first stays. A row with the ``event_id`` of an
    earlier one that says something else is a ``conflicting_id``: to let the last stay, give the
    log backwards, ``clean(log[::-1])``; an update of an order that has an id of its own is another
    event. A log with neither ids of events nor times cannot tell a repeat from a copy, and keeps
    both.

    Parameters
    ----------
    events : dataframe, or iterator of dataframes
        Pandas, polars or Arrow; it is never changed. Of an iterator the parts come back one by
        one, cleaned by one `Cleaner`, which also has the report.
    report : bool
        Whether to return the report too.
    now : moment, optional
        Events more than a day after it are set aside; by default the machine's clock.
    item_pattern : str, optional
        A regular expression that the whole of every item's id must match, such as ``r"\d{5}.*"``
        for a log in which postage and bank charges have codes of letters.
    anonymous : bool
        Whether a row without a ``user_id`` but with an ``anonymous_id`` stays, as the user
        ``"anonymous:" + anonymous_id``. The prefix keeps the two kinds of id apart: a visitor who
        later signs in is another user. Where other ids are numbers, all become text in a frame of
        polars or Arrow. Otherwise such rows are set aside as ``missing_user``.
    bots : Bots or None
        What makes a visitor a program; None lets all stay.
    prices : callable, optional
        From the log, as a pandas frame of all rows, repaired so far, to its prices: what they are
        net of, per piece, or in which unit, only you know.
    currency : str, optional
        The currency to bring prices to. Prices in none are taken to be in it.
    rates : mapping, optional
        Of every other currency, what one of it is worth in `currency`. A price in any further one
        is blanked. Rates that change from day to day are a matter for `prices`.
    hash_ids : bytes or str, optional
        A key of at least 16 bytes: ids of people are replaced by keyed hashes, as `rp.hash_ids`
        does, also in the rows set aside.
    hash_columns : iterable of str, optional
        What is hashed; by default ``user_id`` and ``anonymous_id``.

    Returns
    -------
    events, or (events, `CleaningReport`)
        Of the caller's kind, rows in the order they came.

    Raises
    ------
    ColumnError
        If ``user_id`` or ``item_id`` is missing.
    DataError
        If it is no dataframe, or a column that is needed holds no value at all.
    ParameterError
        If the pattern is no regular expression, the key is short, or another parameter is not
        what it must be.

    Notes
    -----
    Prices, stays and reading depths are judged against each other: a price by its item's usual
    one (`price_unit`), the unit of ``dwell_ms`` and ``scroll_pct`` by the whole column. A clock is
    judged by ``received``: an event from after its receipt happened when it was received; a device
    of whose events ten or more come with one and the same delay, of more than five minutes, is off
    by it; with a column ``sent`` (by the device's clock), every event is off by received − sent.
    An event that comes in late stays as it is.

    Memory: about 100 bytes per row beside the frame and its copy. Time: 0.3-0.5 µs per row.

    Examples
    --------
    >>> log = pd.DataFrame({
    ...     "user_id": ["anna", "anna", None, "ben"],
    ...     "item_id": ["tea", " tea ", "salt", "salt"],
    ...     "event": ["Add to cart", "purchase", "view", "purchase"],
    ...     "quantity": [1, 2, 0, -1],
    ... })
    >>> events, report = clean(log, report=True)
    >>> events
      user_id item_id     event  quantity
    0    anna     tea      cart         1
    1    anna     tea  purchase         2
    3     ben    salt    return         1
    >>> report
    CleaningReport: 4 rows in, 3 out, 1 quarantined
      repaired     id_spaces     1  spaces or control characters around an id taken off
      repaired     event_name    1  another spelling or a synonym of a kind of event
      repaired     cancellation  1  a negative quantity or price became a return of a positive one
      quarantined  missing_user  1  no user_id, or a word such as 'null' in its place
    """
    parts = isinstance(events, Iterator)
    cleaner = Cleaner(
        now=now, item_pattern=item_pattern, anonymous=anonymous, bots=bots, prices=prices,
        currency=currency, rates=rates, hash_ids=hash_ids, hash_columns=hash_columns,
        remember=parts,
    )  # fmt: skip
    if not parts:
        return cleaner.clean(events, report=report)
    if report:
        raise ParameterError(
            "a log in parts has its report when all are read; use cleaner = rp.Cleaner(...), "
            "cleaner.clean_all(parts) and cleaner.report."
        )
    return cleaner.clean_all(events)


class Cleaner:
    """`clean` for a log that comes in parts: a row that repeats one of an earlier part is known.

    Parameters
    ----------
    now, item_pattern, anonymous, bots, prices, currency, rates, hash_ids, hash_columns
        As of `clean`. What is told by comparison (bots, clocks, units of times, prices, stays) is
        told within each part: a program whose events lie in many parts is found only where it
        breaks a rule within one. Parts of a day or more are good ones.
    remember : bool
        Whether rows of earlier parts are remembered.

    Notes
    -----
    Two 64-bit numbers are kept per row let in, 32 to 64 bytes: see `event_hash`. Across parts,
    rows are compared by these alone, so that among n events one is taken for a repeat with a
    probability of about n² / 2⁶⁵: one in 37 for a billion.

    Examples
    --------
    >>> log = pd.DataFrame({
    ...     "user_id": ["anna", "ben"], "item_id": "tea", "timestamp": ["2026-01-30", "2026-01-31"],
    ... })
    >>> cleaner = Cleaner(now="2026-02-01")
    >>> [len(part) for part in cleaner.clean_all([log, log])]
    [2, 0]
    >>> cleaner.report
    CleaningReport: 4 rows in, 2 out, 2 quarantined
      quarantined  duplicate  2  repeats an earlier row
    """

    def __init__(
        self,
        *,
        now: Any = None,
        item_pattern: str | None = None,
        anonymous: bool = True,
        bots: Bots | None = USUAL,
        prices: Callable[[Any], Any] | None = None,
        currency: str | None = None,
        rates: Mapping[str, float] | None = None,
        hash_ids: bytes | str | None = None,
        hash_columns: Iterable[str] | None = None,
        remember: bool = True,
    ) -> None:
        self._pattern = _compiled(item_pattern)
        self._now = None if now is None else moment_ms(now)
        self._anonymous = anonymous
        self._bots = checked_bots(bots)
        self._currency, self._rates, self._prices = checked_rates(currency, rates, prices)
        self._key = None if hash_ids is None else Secret.of(hash_ids, "hash_ids")
        if isinstance(hash_columns, Iterable) and not isinstance(hash_columns, str):
            hash_columns = tuple(hash_columns)
        self._hash_columns = hash_columns
        if hash_columns is not None and hash_ids is None:
            raise ParameterError("hash_columns need a key; write hash_ids=KEY.")
        self._memory = Memory() if remember else None
        self._report = CleaningReport(0, 0, {}, {}, None)

    @property
    def report(self) -> CleaningReport:
        """The counts of all parts so far."""
        return self._report

    def __repr__(self) -> str:
        return f"Cleaner({self._report.rows_in:,} rows in, {self._report.rows_out:,} out)"

    def clean_all(self, parts: Iterable[Any]) -> Iterator[Any]:
        """Clean parts one after the other, each when it is asked for.

        Examples
        --------
        >>> parts = Cleaner().clean_all([pd.DataFrame({"user_id": ["anna"], "item_id": [" tea"]})])
        >>> next(parts)["item_id"].tolist()
        ['tea']
        """
        for part in parts:
            yield self.clean(part)

    def clean(self, events: Any, *, report: bool = False) -> Any:
        """Clean the next part; with ``report=True`` return its own report, too.

        Examples
        --------
        >>> Cleaner().clean(pd.DataFrame({"user_id": ["anna"], "item_id": [" tea"]}))
          user_id item_id
        0    anna     tea
        """
        frame = self._checked(as_pandas(events))
        log = Examination(frame)
        _examine_ids(log)
        if self._key is not None:
            _hide_ids(log, self._key, self._hash_columns)
        if self._anonymous:
            _name_the_anonymous(log)
        log.quarantine("missing_user", log.ids["user_id"].nothing())
        _examine_items(log, self._pattern)
        _examine_kinds(log)
        _examine_times(log, self._latest())
        if self._prices is not None:
            hook_prices(log, self._prices)
        _examine_amounts(log)
        if self._currency is not None:
            convert_currencies(log, self._currency, self._rates)
        repair_price_units(log)
        examine_page_measures(log)
        examine_repeats(log, self._memory)
        if self._bots is not None:
            examine_bots(log, self._bots)
        cleaned, counts = like(log.accepted(), events), log.report(events)
        self._report = self._report.plus(counts)
        logger.info("%r", counts)
        return (cleaned, counts) if report else cleaned

    def _latest(self) -> int:
        now = time.time_ns() // 1_000_000 if self._now is None else self._now
        return now + CLOCK_TOLERANCE_MS

    def _checked(self, frame: pd.DataFrame) -> pd.DataFrame:
        nameless = self._anonymous and "anonymous_id" in frame.columns
        require_columns(frame, ["item_id"] if nameless else ["user_id", "item_id"])
        require_columns(frame, [name for name in ("event", "timestamp") if name in frame.columns])
        require_columns(frame[:0], frame.columns[frame.columns.duplicated()])
        if "user_id" in frame.columns:
            return frame
        return pd.concat([pd.Series(None, frame.index, object, "user_id"), frame], axis=1)


def _compiled(item_pattern: str | None) -> re.Pattern[str] | None:
    try:
        pattern = None if item_pattern is None else re.compile(item_pattern)
        if pattern is not None:
            pattern.fullmatch("")  # a pattern of bytes matches no text
        return pattern
    except (re.error, TypeError) as problem:
        raise ParameterError(
            f"item_pattern must be a regular expression, got {item_pattern!r}: {problem}."
        ) from None


def _examine_ids(log: Examination) -> None:
    spacious = np.zeros(len(log.reason), dtype=np.bool_)
    for name in ID_COLUMNS:
        if name not in log:
            continue
        ids = log.ids[name] = Hashed.of(log.frame[name])
        column, changed = tidied(log.frame[name], ids)
        if changed.any():
            spacious |= changed
            log.replace(name, column)
    log.repaired("id_spaces", spacious)


def _hide_ids(log: Examination, key: Secret, columns: Iterable[str] | None) -> None:
    for name in personal_columns(log.frame, columns):
        hidden = pseudonyms(log.column(name), key)
        log.replace(name, hidden)
        log.aside[name] = hidden


def _name_the_anonymous(log: Examination) -> None:
    """Give visitors a user_id who have an anonymous_id only."""
    if "anonymous_id" not in log.ids:
        return
    strangers = log.ids["anonymous_id"]
    known = ~(strangers.nothing() | strangers.have(LONG | CONTROL))
    rows = np.flatnonzero(log.ids["user_id"].nothing() & known)
    if not len(rows):
        return
    written = Distinct.of(without_gaps(log.column("anonymous_id").iloc[rows]))
    names = written.map(lambda name: ANONYMOUS + text_of(name)).array
    users = log.column("user_id")
    if not pd.api.types.is_string_dtype(users.dtype) or users.dtype == object:
        whole = pd.api.types.is_float_dtype(users.dtype)
        users = (_whole_or_missing(users) if whole else users).astype(object)
    log.replace("user_id", with_values(users, rows, np.asarray(names, dtype=object)))
    log.ids["user_id"].put(rows, Hashed.of(pd.Series(names)))
    named = np.zeros(len(log.reason), dtype=np.bool_)
    named[rows] = True
    log.repaired("anonymous_user", named)


def _whole_or_missing(ids: pd.Series) -> pd.Series:
    """Turn whole floats into integers that can be missing, where all are whole."""
    try:
        return ids.astype("Int64")
    except (TypeError, ValueError):
        return ids


def _examine_items(log: Examination, pattern: re.Pattern[str] | None) -> None:
    log.quarantine("missing_item", log.ids["item_id"].nothing())
    for reason, flag in (
        ("absurd_id", LONG), ("unprintable_id", CONTROL), ("inexact_id", INEXACT)
    ):  # fmt: skip
        for ids in log.ids.values():
            log.quarantine(reason, ids.have(flag) & (ids.missing == 0))
    if pattern is not None:
        items = Distinct.of(log.column("item_id"))
        log.quarantine(
            "not_an_item", ~items.tell(lambda id_: pattern.fullmatch(text_of(bare(id_))))
        )


def _examine_kinds(log: Examination) -> None:
    if "event" not in log:
        return
    kinds = Distinct.of(log.frame["event"])
    blank = kinds.tell(lambda name: isinstance(name, str) and not name.strip())
    unknown = kinds.tell(lambda name: our_name(name) is None)
    log.quarantine("missing_event", (kinds.codes < 0) | blank)
    log.quarantine("unknown_event", unknown)
    codes = [EVENT_CODES.get(our_name(name) or "", VIEW) for name in kinds.values]
    log.kinds = np.array([*codes, VIEW], dtype=np.int8)[kinds.codes]
    renamed = kinds.tell(lambda name: our_name(name) != name)
    if renamed.any():
        log.repaired("event_name", renamed)
        log.rewrite_kinds()


def _examine_times(log: Examination, latest: int) -> None:
    if "timestamp" not in log:
        return
    clock = read_clock(log.frame["timestamp"])
    times = clock.milliseconds
    log.microseconds = clock.microseconds
    log.quarantine("missing_timestamp", clock.missing)
    log.quarantine("unreadable_timestamp", clock.unreadable)
    log.quarantine("timestamp_out_of_range", clock.impossible | (times < _FIRST_MS))
    if "received" in log:
        times = _by_the_receiver(log, times, latest)
    log.quarantine("future_timestamp", times > latest)
    log.repaired("time_unit", clock.other_unit)
    log.milliseconds = times
    log.replace("timestamp", from_ms(times))


def _by_the_receiver(log: Examination, times: Array, latest: int) -> Array:
    """Set clocks of devices right by when their events were received."""
    arrivals = [
        _believable(moments(log.frame[name]), latest) if name in log else None
        for name in ("received", "sent")
    ]
    device = "anonymous_id" if "anonymous_id" in log.ids else "user_id"
    received, sent = arrivals
    assert received is not None  # noqa: S101  # asked before
    better = repaired_times(times, received, sent, log.ids[device], log.reason < 0)
    log.repaired("clock_skew", better != times)
    return better


def _believable(times: Array, latest: int) -> Array:
    """A receiver's clock may have been off as well: then it says nothing."""
    return np.where((times < _FIRST_MS) | (times > latest), MISSING_TIME, times)


def _examine_amounts(log: Examination) -> None:
    quantity = price = missing = None
    if "quantity" in log:
        quantity, missing = _examine_numbers(log, "quantity")
        trade = (log.kinds == PURCHASE) | (log.kinds == RETURN)
        moves_goods = _MOVES_GOODS[log.kinds]
        log.quarantine("zero_quantity", moves_goods & (quantity == 0))
        log.quarantine("negative_quantity", ~trade & (quantity < 0))
    if "price" in log:
        price, _ = _examine_numbers(log, "price")
        trade = (log.kinds == PURCHASE) | (log.kinds == RETURN)
        log.quarantine("negative_price", ~trade & (price < 0))
    if "weight" in log:
        weight, weightless = _examine_numbers(log, "weight")
        log.quarantine("negative_weight", weight < 0)
        log.quarantine("missing_weight", weightless)
        log.numbers["weight"] = weight
    _undo_what_is_negative(log, quantity, price)
    if quantity is not None and missing is not None:
        _fill_quantities(log, quantity, missing)
    if price is not None:
        _settle(log, "price", np.abs(price), price < 0)


def _undo_what_is_negative(log: Examination, quantity: Array | None, price: Array | None) -> None:
    """A purchase of a negative quantity, or at a negative price, is a return."""
    negative = np.zeros(len(log.reason), dtype=np.bool_)
    for amount in (quantity, price):
        if amount is not None:
            negative |= amount < 0
    cancelled = (log.reason < 0) & negative
    log.repaired("cancellation", cancelled)
    if (cancelled & (log.kinds == PURCHASE)).any():
        log.kinds = np.where(cancelled, np.int8(RETURN), log.kinds)
        log.rewrite_kinds()


def _fill_quantities(log: Examination, quantity: Array, missing: Mask) -> None:
    accepted = log.reason < 0
    trade = (log.kinds == PURCHASE) | (log.kinds == RETURN)
    uncounted = accepted & trade & missing
    blank = accepted & ~_MOVES_GOODS[log.kinds] & (quantity == 0)
    log.repaired("missing_quantity", uncounted)
    log.repaired("blank_quantity", blank)
    better = np.where(uncounted, 1.0, np.where(blank, np.nan, np.abs(quantity)))
    _settle(log, "quantity", better, uncounted | blank | (quantity < 0))


def _settle(log: Examination, name: str, numbers: Array, changed: Mask) -> None:
    log.numbers[name] = numbers
    if changed.any():
        log.replace(name, _as_before(numbers, log.column(name)))


def _examine_numbers(log: Examination, name: str) -> tuple[Array, Mask]:
    """Return a column as float64, NaN where missing or unreadable; and where it is missing."""
    column = log.column(name)
    numbers = readable_numbers(column)
    missing = column.isna().to_numpy(dtype=np.bool_)
    if not pd.api.types.is_numeric_dtype(column.dtype):
        missing = missing | _blank(column)
        log.replace(name, numbers)
    log.quarantine(f"unreadable_{name}", ~missing & ~np.isfinite(numbers))
    log.quarantine(f"absurd_{name}", np.abs(numbers) > _LARGEST[name])
    return numbers, missing


def _blank(column: pd.Series) -> Mask:
    """Tell where a text says nothing."""
    try:
        return Distinct.of(column).tell(lambda text: isinstance(text, str) and not text.strip())
    except DataError:  # lists, dicts
        return column.map(lambda text: isinstance(text, str) and not text.strip()).to_numpy(
            dtype=np.bool_
        )


def _as_before(numbers: Array, column: pd.Series) -> pd.Series:
    """Integers stay integers where they can hold the gaps."""
    repaired = pd.Series(numbers)
    whole = pd.api.types.is_integer_dtype(column.dtype)
    holds_gaps = getattr(column.dtype, "na_value", None) is pd.NA
    return (
        repaired.astype(column.dtype)
        if whole and (holds_gaps or repaired.notna().all())
        else repaired
    )
