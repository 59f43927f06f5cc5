"""How long a page was open and how far it was read: in one unit, and within reason."""

from __future__ import annotations

import numpy as np

from recopersona.data.types import Array, Mask
from recopersona.events.examination import Examination
from recopersona.events.numbers import readable_numbers

FEWEST = 20
"""A column's unit is told from so many values or more."""

LONGEST_MS = 24 * 3_600_000.0


def examine_page_measures(log: Examination) -> None:
    """Bring ``dwell_ms`` to milliseconds and ``scroll_pct`` to percent; blank what cannot be.

    Where half of all stays would be shorter than 0.3 s, they were in seconds. Where no page was
    read further than 1 %, and parts of it count, they were in shares of 1. Single rows of another
    unit cannot be told from short stays, and stay.
    """
    for name, unit, factor, largest in (
        ("dwell_ms", "dwell_unit", 1_000.0, LONGEST_MS),
        ("scroll_pct", "scroll_unit", 100.0, 100.0),
    ):
        if name in log:
            _examine(log, name, unit, factor, largest)


def _examine(log: Examination, name: str, unit: str, factor: float, largest: float) -> None:
    column = log.frame[name]
    numbers = readable_numbers(column)
    filled = column.notna().to_numpy(dtype=np.bool_)
    told = numbers[np.isfinite(numbers) & (numbers >= 0)]
    repaired = numbers
    if len(told) >= FEWEST and _in_other_unit[name](told):
        repaired = numbers * factor
        log.repaired(unit, np.isfinite(numbers) & (numbers > 0))
    bad: Mask = filled & ~((repaired >= 0) & (repaired <= largest))
    if bad.any():
        log.repaired(f"{name.split('_')[0]}_range", bad)
        repaired = np.where(bad, np.nan, repaired)
    log.numbers[name] = repaired
    if repaired is not numbers or column.dtype.kind not in "iuf":
        log.replace(name, repaired)


def _are_seconds(dwell: Array) -> bool:
    stays = dwell[dwell > 0]
    return len(stays) >= FEWEST and 1 <= np.median(stays) < 300 and dwell.max() <= 86_400


def _are_shares(scroll: Array) -> bool:
    return 0.5 < scroll.max() <= 1 and bool(((scroll > 0) & (scroll < 1)).any())


_in_other_unit = {"dwell_ms": _are_seconds, "scroll_pct": _are_shares}
