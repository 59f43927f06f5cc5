"""Cleaning a log: every row is accepted, repaired and counted, or set aside with its reason."""

from __future__ import annotations

import logging
import re
import time
from typing import Any, Literal, overload

import numpy as np
import pandas as pd

from recopersona.data.columns import as_pandas, like, require_columns
from recopersona.data.event import EVENT_CODES, EVENT_COLUMNS, EVENT_TYPES, PURCHASE, RETURN, VIEW
from recopersona.data.ids import are_whole
from recopersona.data.intake import CLOCK_TOLERANCE_MS
from recopersona.data.times import from_ms, moment_ms
from recopersona.data.types import Array, Mask
from recopersona.errors import ParameterError
from recopersona.events.cleaning_report import REASONS, REPAIRS, CleaningReport
from recopersona.events.clocks import read_clock
from recopersona.events.distinct import Distinct
from recopersona.events.event_names import our_name
from recopersona.events.numbers import readable_numbers
from recopersona.events.schemas import ID_COLUMNS

logger = logging.getLogger(__name__)

NO_ID = frozenset({"", "null", "NULL", "None", "nan", "NaN", "undefined", "<NA>"})
"""What programs write where they have no id: one visitor of that name would be thousands."""

_FIRST_MS = 315_532_800_000  # 1980: before it lie only clocks that were never set
_LARGEST = {"quantity": 1e9, "price": 1e10, "weight": 1e12}
_MOVES_GOODS = np.isin(EVENT_TYPES, ["cart", "remove", "checkout", "purchase", "return"])


@overload
def clean(
    events: Any, *, report: Literal[False] = ..., now: Any = ..., item_pattern: str | None = ...
) -> Any: ...
@overload
def clean(
    events: Any, *, report: Literal[True], now: Any = ..., item_pattern: str | None = ...
) -> tuple[Any, CleaningReport]: ...


def clean(
    events: Any, *, report: bool = False, now: Any = None, item_pattern: str | None = None
) -> Any:
    r"""Repair what can be repaired, set aside what cannot, and count both.

    Everything optional is checked where the column exists: ``event``, ``timestamp``, ``quantity``,
    ``price``, ``weight``. Times come out as UTC timestamps to the millisecond. A row repeats an
    earlier one if it has the same ``event_id``; without one, if all event columns but
    ``received`` are equal. A log with neither ids of events nor times cannot tell a repeat from a
    copy, and keeps both.

    Parameters
    ----------
    events : dataframe
        Pandas, polars or Arrow; it is never changed.
    report : bool
        Whether to return the report too.
    now : moment, optional
        Events more than a day after it are set aside; by default the machine's clock.
    item_pattern : str, optional
        A regular expression that the whole of every item's id must match, such as ``r"\d{5}.*"``
        for a log in which postage and bank charges have codes of letters.

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
        If the pattern is no regular expression.

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
      repaired     id_spaces     1  spaces around an id taken off
      repaired     event_name    1  another spelling or a synonym of a kind of event
      repaired     cancellation  1  a negative quantity became a return of a positive one
      quarantined  missing_user  1  no user_id, or a word such as 'null' in its place
    """
    pattern = _compiled(item_pattern)
    latest = (time.time_ns() // 1_000_000 if now is None else moment_ms(now)) + CLOCK_TOLERANCE_MS
    frame = as_pandas(events)
    require_columns(frame, ["user_id", "item_id"])
    require_columns(frame, [name for name in ("event", "timestamp") if name in frame.columns])
    require_columns(frame, frame.columns[frame.columns.duplicated()])
    examined = _Examination(frame)
    _examine_ids(examined, pattern)
    _examine_kinds(examined)
    _examine_times(examined, latest)
    _examine_quantities(examined)
    _examine_prices_and_weights(examined)
    _examine_repeats(examined)
    cleaned, counts = like(examined.accepted(), events), examined.report(events)
    logger.info("%r", counts)
    return (cleaned, counts) if report else cleaned


class _Examination:
    """A log under examination: what each row was quarantined for, and what was repaired.

    reason   int8 (n,), the place of the reason in `REASONS`, -1 while the row is accepted
    columns  the columns that were repaired, (n,) each; the others are the frame's own
    kinds    int8 (n,), the code of each row's event
    """

    def __init__(self, frame: pd.DataFrame) -> None:
        self.frame = frame
        self.reason = np.full(len(frame), -1, dtype=np.int8)
        self.columns: dict[str, pd.Series] = {}
        self.repairs: dict[str, Mask] = {}
        self.kinds = np.full(len(frame), VIEW, dtype=np.int8)

    def __contains__(self, name: str) -> bool:
        return name in self.frame.columns

    def column(self, name: str) -> pd.Series:
        """Return a column as repaired so far."""
        return self.columns.get(name, self.frame[name])

    def replace(self, name: str, values: Any) -> None:
        self.columns[name] = pd.Series(values).set_axis(self.frame.index)

    def rewrite_kinds(self) -> None:
        self.replace("event", pd.Series(EVENT_TYPES).take(self.kinds).array)

    def quarantine(self, reason: str, rows: Mask) -> None:
        self.reason[rows & (self.reason < 0)] = list(REASONS).index(reason)

    def repaired(self, repair: str, rows: Mask) -> None:
        self.repairs[repair] = self.repairs.get(repair, False) | rows

    def accepted(self) -> pd.DataFrame:
        kept = self.reason < 0
        events = self.frame[kept].assign(**{n: c[kept] for n, c in self.columns.items()})
        return events.assign(**{n: _without_gaps(events[n]) for n in ("user_id", "item_id")})

    def report(self, original: Any) -> CleaningReport:
        kept = self.reason < 0
        reasons = np.array(list(REASONS))
        counts = np.bincount(self.reason[~kept], minlength=len(reasons))
        repaired = {code: int((self.repairs[code] & kept).sum()) for code in self.repairs}
        rows = self.frame[~kept].assign(reason=reasons[self.reason[~kept]])
        return CleaningReport(
            rows_in=len(kept),
            rows_out=int(kept.sum()),
            repaired={code: repaired[code] for code in REPAIRS if repaired.get(code)},
            quarantined={str(code): int(n) for code, n in zip(reasons, counts, strict=True) if n},
            quarantined_rows=like(rows, original),
        )


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


def _examine_ids(log: _Examination, pattern: re.Pattern[str] | None) -> None:
    for name, reason in (("user_id", "missing_user"), ("item_id", "missing_item")):
        ids = Distinct.of(log.frame[name])
        log.quarantine(reason, (ids.codes < 0) | ids.tell(_is_no_id))
        if name == "item_id" and pattern is not None:
            log.quarantine(
                "not_an_item", ~ids.tell(lambda id_: pattern.fullmatch(str(id_).strip()))
            )
    for name in ID_COLUMNS:
        if name in log and not pd.api.types.is_numeric_dtype(log.frame[name].dtype):
            _strip_spaces(log, name, Distinct.of(log.frame[name]))


def _strip_spaces(log: _Examination, name: str, ids: Distinct) -> None:
    spacious = ids.tell(lambda value: _strip(value) != value)
    if spacious.any():
        log.repaired("id_spaces", spacious)
        log.replace(name, ids.map(_strip))


def _strip(value: Any) -> Any:
    return value.strip() if isinstance(value, str) else value


def _is_no_id(value: Any) -> bool:
    return isinstance(value, str) and value.strip() in NO_ID


def _examine_kinds(log: _Examination) -> None:
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


def _examine_times(log: _Examination, latest: int) -> None:
    if "timestamp" not in log:
        return
    clock = read_clock(log.frame["timestamp"])
    times = clock.milliseconds
    log.quarantine("missing_timestamp", clock.missing)
    log.quarantine("unreadable_timestamp", clock.unreadable)
    log.quarantine("timestamp_out_of_range", clock.impossible | (times < _FIRST_MS))
    log.quarantine("future_timestamp", times > latest)
    log.repaired("time_unit", clock.other_unit)
    log.replace("timestamp", from_ms(times))


def _examine_quantities(log: _Examination) -> None:
    if "quantity" not in log:
        return
    quantity, missing = _examine_numbers(log, "quantity")
    trade = (log.kinds == PURCHASE) | (log.kinds == RETURN)
    moves_goods = _MOVES_GOODS[log.kinds]
    log.quarantine("zero_quantity", moves_goods & (quantity == 0))
    log.quarantine("negative_quantity", ~trade & (quantity < 0))
    accepted = log.reason < 0
    cancelled = accepted & trade & (quantity < 0)
    uncounted = accepted & trade & missing
    blank = accepted & ~moves_goods & (quantity == 0)
    log.repaired("cancellation", cancelled)
    log.repaired("missing_quantity", uncounted)
    log.repaired("blank_quantity", blank)
    if (cancelled & (log.kinds == PURCHASE)).any():
        log.kinds[cancelled] = RETURN
        log.rewrite_kinds()
    if (cancelled | uncounted | blank).any():
        repaired = np.where(uncounted, 1.0, np.where(blank, np.nan, np.abs(quantity)))
        log.replace("quantity", _as_before(repaired, log.frame["quantity"]))


def _examine_prices_and_weights(log: _Examination) -> None:
    for name in ("price", "weight"):
        if name in log:
            numbers, missing = _examine_numbers(log, name)
            log.quarantine(f"negative_{name}", numbers < 0)
            if name == "weight":
                log.quarantine("missing_weight", missing)


def _examine_numbers(log: _Examination, name: str) -> tuple[Array, Mask]:
    """Return a column as float64, NaN where missing or unreadable; and where it is missing."""
    column = log.frame[name]
    numbers = readable_numbers(column)
    missing = column.isna().to_numpy(dtype=np.bool_)
    if not pd.api.types.is_numeric_dtype(column.dtype):
        texts = Distinct.of(column.astype(object).astype(str))
        missing = missing | texts.tell(lambda text: not text.strip())
        log.replace(name, numbers)
    log.quarantine(f"unreadable_{name}", ~missing & ~np.isfinite(numbers))
    log.quarantine(f"absurd_{name}", np.abs(numbers) > _LARGEST[name])
    return numbers, missing


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


def _examine_repeats(log: _Examination) -> None:
    """Quarantine copies of rows that are accepted so far."""
    rows = np.flatnonzero(log.reason < 0)
    named = np.zeros(len(rows), dtype=np.bool_)
    copies = np.zeros(len(log.reason), dtype=np.bool_)
    if "event_id" in log:
        ids = Distinct.of(log.column("event_id").iloc[rows])
        named = ids.tell(lambda event_id: not _is_no_id(event_id))
        copies[rows[named]] = pd.Series(ids.codes[named]).duplicated().to_numpy()
    if "timestamp" in log:
        copies[rows[~named]] = _repeated(log, rows[~named])
    log.quarantine("duplicate", copies)


def _repeated(log: _Examination, rows: Array) -> Mask:
    """Tell the rows whose event columns all equal those of an earlier one."""
    names = [name for name in EVENT_COLUMNS if name in log and name not in ("event_id", "received")]
    columns = {name: _comparable(log, name, rows) for name in names}
    return pd.DataFrame(columns).duplicated().to_numpy()


def _comparable(log: _Examination, name: str, rows: Array) -> Array:
    column = log.column(name).iloc[rows]
    raw = log.frame[name]
    if name == "timestamp" and pd.api.types.is_datetime64_any_dtype(raw.dtype):
        column = raw.iloc[rows]  # two events within a millisecond are two
    try:
        return pd.factorize(column)[0]
    except TypeError:  # lists, dicts
        return pd.factorize(column.map(repr))[0]


def _without_gaps(ids: pd.Series) -> pd.Series:
    """Whole numbers that a gap had turned into floats are integers again."""
    if pd.api.types.is_float_dtype(ids.dtype) and are_whole(ids.to_numpy(dtype=np.float64)):
        return ids.astype(np.int64)
    return ids
