"""Anything in any column is repaired, set aside or refused in one of our own sentences."""

import contextlib
import datetime as dt
import os
import random
import time
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest

import recopersona as rp
from recopersona.data.event import EVENT_COLUMNS
from recopersona.errors import RecopersonaError

SECONDS = float(os.environ.get("RECOPERSONA_FUZZ_SECONDS", "2"))

ANYTHING = [
    None, np.nan, "", " ", "null", "a\0b", "x" * 2_000, "é" * 600, 10**30, -(10**30), 10**5_000,
    1.5, 2.0**60, np.inf, -np.inf, 1e12, -0.0, True, b"x", (1, 2), "2106-01-01", "1970-01-01", 0,
    2**32, 1_700_000_000, 1.7e12, "1e400", Decimal("1e400"), Decimal("NaN"), Fraction(1, 3),
    dt.date(2020, 1, 1), dt.datetime(2020, 1, 1, tzinfo=dt.UTC), pd.Timestamp("2026-01-01"),
    pd.NaT, pd.NA, "purchase", "view", "wink", "EUR", "\ud800", "\ufeffa", 1 + 2j, np.float32(3),
    np.int8(4), [1], {"a": 1}, pd.Timedelta("1s"), "9" * 30, "٣",
]  # fmt: skip
PLAIN = {"timestamp": "2026-01-05", "received": "2026-01-05", "event": "view"}
COLUMNS = [*EVENT_COLUMNS[2:], "sent", "user_agent"]
OPTIONS = {
    "hash_ids": "a key of sixteen bytes", "currency": "EUR", "item_pattern": ".*", "bots": None,
    "anonymous": False,
}  # fmt: skip


def any_log(chance):
    columns = ["user_id", "item_id", *chance.sample(COLUMNS, chance.randint(0, 8))]
    rows = range(chance.randint(0, 6))
    log = {}
    for name in columns:
        cells = [
            chance.choice(ANYTHING) if chance.random() < 0.5 else PLAIN.get(name, "a1")
            for _ in rows
        ]
        with contextlib.suppress(ValueError, OverflowError):  # half a character in an Arrow column
            log[name] = pd.Series(cells, dtype=chance.choice([None, object]))
    return pd.DataFrame(log)


@pytest.mark.parametrize("seed", range(2))
def test_anything_is_cleaned_or_refused(seed):
    chance, end, cleaned = random.Random(seed), time.monotonic() + SECONDS / 2, 0  # noqa: S311
    while time.monotonic() < end:
        log = any_log(chance)
        options = {name: value for name, value in OPTIONS.items() if chance.random() < 0.3}
        with contextlib.suppress(RecopersonaError):
            events, report = rp.clean(log, report=True, **options)
            assert len(events) + len(report.quarantined_rows) == len(log)
            cleaned += 1
        with contextlib.suppress(RecopersonaError):
            rp.event_hash(log)
    assert cleaned > 3
