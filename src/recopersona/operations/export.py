"""What is told to a person of her data: JSON, in a stable order, times in UTC."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd


def as_told(value: Any) -> Any:
    """Return a value as JSON has it; a time in ISO 8601, UTC; NaN is None, bytes are hexadecimal.

    Examples
    --------
    >>> as_told({"at": pd.Timestamp("2026-07-01 12:00", tz="Europe/Berlin"), 7: (1, float("nan"))})
    {'at': '2026-07-01T10:00:00+00:00', '7': [1, None]}
    """
    if isinstance(value, (np.ndarray, np.generic)):
        value = value.tolist()
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): as_told(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [as_told(part) for part in value]
    if isinstance(value, (set, frozenset)):
        return sorted(map(as_told, value), key=str)
    return _other(value)


def _other(value: Any) -> Any:
    if value is pd.NaT or value is pd.NA:
        return None
    if isinstance(value, datetime):
        zoned = pd.Timestamp(value)
        return (
            zoned.tz_localize("UTC") if zoned.tz is None else zoned.tz_convert("UTC")
        ).isoformat()
    if isinstance(value, (date, time)):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, (bytes, bytearray)):
        return value.hex()
    return float(value) if isinstance(value, Decimal) else str(value)
