"""Rows of a raw log at the gate: their times are read first, in whatever form they came."""

from __future__ import annotations

import pandas as pd

from recopersona.data.gate import EventGate
from recopersona.data.times import from_ms
from recopersona.data.types import Array
from recopersona.events.clocks import read_clock


def admitted_places(events: pd.DataFrame, gate: EventGate, purpose: str) -> Array:
    """Return which rows may be used, ascending; the gate counts them.

    A time that cannot be read is none: of such a row the present state alone counts.
    """
    seen = events.reset_index(drop=True)
    if "timestamp" in seen.columns:
        seen = seen.assign(timestamp=from_ms(read_clock(seen["timestamp"]).milliseconds))
    kept: Array = gate.kept(seen, purpose).index.to_numpy()
    return kept
