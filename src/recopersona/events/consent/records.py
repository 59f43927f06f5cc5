"""Records as a table, a row for every purpose of each."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from recopersona.data.times import from_ms
from recopersona.data.types import Array
from recopersona.events.called import parted
from recopersona.events.consent.entries import AT, DENIED, GRANTED, SOURCE, WHO, Entries
from recopersona.events.consent.purposes import Purposes

_COLUMNS = ["kind", "subject", "purpose", "state", "timestamp", "source"]


def records_frame(entries: Entries, rows: Array, purposes: Purposes) -> pd.DataFrame:
    """Return records as a frame, a row for every purpose of each."""
    log = entries.log_[rows]
    names = entries.names_
    sources = [*entries.sources_, None]
    found: list[tuple[Any, ...]] = []
    for row in log.tolist():
        kind, value = parted(names[row[WHO]])
        for purpose, bit in purposes.bits.items():
            if (row[GRANTED] | row[DENIED]) & bit:
                state = "denied" if row[DENIED] & bit else "granted"
                found.append((kind, value, purpose, state, row[AT], sources[row[SOURCE]]))
    try:
        frame = pd.DataFrame(found, columns=_COLUMNS)
    except UnicodeEncodeError:  # half a character, which Arrow does not hold
        frame = pd.DataFrame(found, columns=_COLUMNS, dtype=object)
    times = from_ms(frame["timestamp"].to_numpy(np.int64))
    return frame.assign(timestamp=times, source=frame["source"].astype(object))
