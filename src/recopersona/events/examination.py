"""A log under examination: verdicts and repairs, row by row."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from recopersona.data.columns import like
from recopersona.data.event import EVENT_TYPES, VIEW
from recopersona.data.ids import are_whole
from recopersona.data.types import Array, Mask
from recopersona.events.cleaning_report import REASONS, REPAIRS, CleaningReport
from recopersona.events.identifiers import Hashed

_PLACES = {reason: place for place, reason in enumerate(REASONS)}


class Examination:
    """What each row is quarantined for, and what was repaired.

    frame         the log as it came
    reason        int8 (n,), the place of the reason in `REASONS`, -1 while the row is accepted
    columns       the columns that were repaired, (n,) each; the others are the frame's own
    ids           the columns of ids as hashes
    numbers       the columns of numbers as float64 (n,), NaN where missing, as repaired so far
    kinds         int8 (n,), the code of each row's event
    milliseconds  int64 (n,), the times as repaired so far; None where the log has none
    microseconds  int64 (n,), the times as they were written
    aside         columns that rows set aside show in place of the frame's own
    """

    def __init__(self, frame: pd.DataFrame) -> None:
        self.frame = frame
        self.reason = np.full(len(frame), -1, dtype=np.int8)
        self.columns: dict[str, pd.Series] = {}
        self.ids: dict[str, Hashed] = {}
        self.numbers: dict[str, Array] = {}
        self.repairs: dict[str, Mask] = {}
        self.kinds = np.full(len(frame), VIEW, dtype=np.int8)
        self.milliseconds: Array | None = None
        self.microseconds: Array | None = None
        self.aside: dict[str, pd.Series] = {}

    def __contains__(self, name: str) -> bool:
        return name in self.frame.columns or name in self.columns

    def column(self, name: str) -> pd.Series:
        """Return a column as repaired so far."""
        return self.columns[name] if name in self.columns else self.frame[name]

    def replace(self, name: str, values: Any) -> None:
        self.columns[name] = pd.Series(values).set_axis(self.frame.index)

    def rewrite_kinds(self) -> None:
        self.replace("event", pd.Series(EVENT_TYPES).take(self.kinds).array)

    def quarantine(self, reason: str, rows: Mask) -> None:
        if rows.any():
            self.reason[rows & (self.reason < 0)] = _PLACES[reason]

    def repaired(self, repair: str, rows: Mask) -> None:
        if rows.any():
            self.repairs[repair] = self.repairs.get(repair, False) | rows

    def accepted_rows(self) -> Array:
        return np.flatnonzero(self.reason < 0)

    @cached_property
    def verdict(self) -> Mask:
        """Tell the rows that stay; to be asked when every examination is done."""
        return self.reason < 0

    def accepted(self) -> pd.DataFrame:
        kept = self.verdict
        whole = bool(kept.all())
        events = self.frame if whole else self.frame[kept]
        events = events.assign(**{n: c if whole else c[kept] for n, c in self.columns.items()})
        return events.assign(**{n: without_gaps(events[n]) for n in ("user_id", "item_id")})

    def report(self, original: Any) -> CleaningReport:
        kept = self.verdict
        reasons = np.array(list(REASONS))
        counts = np.bincount(self.reason[~kept], minlength=len(reasons))
        repaired = {code: int((self.repairs[code] & kept).sum()) for code in self.repairs}
        aside = {name: column[~kept] for name, column in self.aside.items()}
        rows = self.frame[~kept].assign(**aside, reason=reasons[self.reason[~kept]])
        return CleaningReport(
            rows_in=len(kept),
            rows_out=int(kept.sum()),
            repaired={code: repaired[code] for code in REPAIRS if repaired.get(code)},
            quarantined={str(code): int(n) for code, n in zip(reasons, counts, strict=True) if n},
            quarantined_rows=like(rows, original),
        )


def without_gaps(ids: pd.Series) -> pd.Series:
    """Whole numbers that a gap had turned into floats are integers again."""
    if pd.api.types.is_float_dtype(ids.dtype) and are_whole(ids.to_numpy(dtype=np.float64)):
        return ids.astype(np.int64)
    return ids
