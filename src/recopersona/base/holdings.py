"""Everything held of one person, as JSON has it: the answer to who asks what we know of her."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd

from recopersona.data.decision import Decision
from recopersona.data.event import EVENT_TYPES
from recopersona.data.feature_table import FeatureTable, TimeColumn
from recopersona.data.history import History
from recopersona.data.ids import IdMap
from recopersona.data.times import as_text


def as_json(value: Any) -> Any:
    """Return a value as JSON has it: times in ISO 8601, UTC; NaN is None, bytes are hexadecimal.

    What JSON has no form for becomes text; a set becomes a sorted list.

    Examples
    --------
    >>> as_json({1: np.float32(0.5), "sizes": ("s", "m"), "nothing": np.array([np.nan])})
    {'1': 0.5, 'sizes': ['s', 'm'], 'nothing': [None]}
    >>> as_json(pd.Timestamp("2026-07-01 12:00", tz="Europe/Berlin"))
    '2026-07-01T10:00:00+00:00'
    """
    if isinstance(value, (np.ndarray, np.generic)):
        value = value.tolist()
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): as_json(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [as_json(part) for part in value]
    if isinstance(value, (set, frozenset)):
        return sorted(map(as_json, value), key=str)
    return _other(value)


def _other(value: Any) -> Any:
    if value is pd.NaT or value is pd.NA:
        return None
    if isinstance(value, datetime):
        moment = pd.Timestamp(value)
        utc = moment.tz_localize("UTC") if moment.tz is None else moment.tz_convert("UTC")
        return utc.isoformat()
    if isinstance(value, (date, time)):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, (bytes, bytearray)):
        return value.hex()
    return float(value) if isinstance(value, Decimal) else str(value)


def past_of(past: History, user: int, items: IdMap) -> dict[str, Any]:
    """Return what a user has done: every item with the kinds of events, and the recent events."""
    ids = items.ids
    seen, bits, weights = past.pairs_of(user)
    pairs = zip(ids[seen].tolist(), bits.tolist(), weights.tolist(), strict=True)
    recent = past.recent(user)
    events = zip(ids[recent.items].tolist(), *(c.tolist() for c in recent[1:]), strict=True)
    return {
        "past": [
            {"item_id": as_json(item), "events": _kinds(said), "weight": as_json(weight)}
            for item, said, weight in pairs
        ],
        "recent": [
            {"item_id": as_json(item), "event": EVENT_TYPES[code], "timestamp": as_text(at)}
            for item, code, at in events
        ],
    }


def attributes_held(table: FeatureTable, row: int) -> dict[str, Any]:
    """Return what a table knows of one row; times in ISO 8601."""
    if row >= len(table):
        return {}
    return {
        name: as_text(value) if isinstance(table.column(name), TimeColumn) else as_json(value)
        for name, value in table.row(row).items()
    }


def decision_held(decision: Decision) -> dict[str, Any]:
    """Return a decision as JSON has it: all that it records."""
    told = {**vars(decision), "now": as_text(decision.now)}
    if decision.draw is not None:
        told["draw"] = vars(decision.draw)
    held: dict[str, Any] = as_json(told)
    return held


def _kinds(bits: int) -> list[str]:
    return [kind for code, kind in enumerate(EVENT_TYPES) if bits >> code & 1]
