"""How fast features are: for a training set, for a request, for one event; and that none leaks.

    python benchmarks/features.py [DATA_DIR] [--quick]

DATA_DIR holds an event log that `rp.read_events` recognizes, or one with a ``columns.json`` beside
it; without it, a synthetic log is made. More than twenty features are computed for 1M (user, item,
time) rows, each as of just before its time; a request asks for those of 500 candidates; one event
updates them.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd

import recopersona as rp

PROBES = 2_000
CANDIDATES = 500
QUARTER_MS = 90 * 86_400_000


def features() -> rp.Features:
    """Return features of every kind that a log without prices can tell: 23 columns."""
    return rp.Features([
        rp.Affinity(), rp.RFM(), rp.CartAbandonment(), rp.Repurchase(), rp.SessionSignals(),
        rp.ItemPopularity(), rp.Conversion(), rp.ItemAge(),
    ])  # fmt: skip


def synthetic_log(n: int) -> pd.DataFrame:
    """Return a log of visits: few items are popular, users come back."""
    rng = np.random.default_rng(7)
    start = 1_750_000_000_000
    return pd.DataFrame({
        "user_id": rng.integers(0, max(n // 20, 10), n),
        "item_id": rng.zipf(1.2, n) % max(n // 50, 50),
        "event": rng.choice(["view", "cart", "purchase"], n, p=[0.85, 0.1, 0.05]),
        "timestamp": pd.to_datetime(start + np.sort(rng.integers(0, QUARTER_MS, n)), unit="ms"),
        "price": rng.lognormal(3, 1, n).round(2),
    })  # fmt: skip


def read_log(folder: str | None, n: int) -> pd.DataFrame:
    if folder is None:
        return synthetic_log(n)
    logs = [path for path in sorted(Path(folder).iterdir()) if path.stem in ("events", "actions")]
    if not logs:
        logs = sorted(
            p for p in Path(folder).iterdir() if p.suffix in (".parquet", ".csv", ".jsonl")
        )
    events = rp.clean(rp.read_events(logs[0]))
    return events.sort_values("timestamp", kind="stable", ignore_index=True)


def rows_of(events: pd.DataFrame, n: int) -> pd.DataFrame:
    """Return n (user, item, time) rows: users at times of theirs, items at random."""
    rng = np.random.default_rng(11)
    rows = events[["user_id", "timestamp"]].iloc[np.sort(rng.integers(0, len(events), n))]
    item_ids = events["item_id"].to_numpy()[rng.integers(0, len(events), n)]
    return rows.assign(item_id=item_ids).reset_index(drop=True)


def milliseconds(times: list[float], share: float) -> float:
    return float(np.percentile(times, 100 * share)) * 1_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", nargs="?")
    parser.add_argument("--quick", action="store_true")
    asked = parser.parse_args()
    n_rows = 100_000 if asked.quick else 1_000_000
    events = read_log(asked.data, n_rows)
    rows = rows_of(events, n_rows)
    rp.warmup()

    seconds, fitted = [], features()
    for _ in range(2 if asked.quick else 5):
        began = time.perf_counter()
        table = fitted.fit_transform(events, rows=rows)
        seconds.append(time.perf_counter() - began)
    assert table.shape[1] >= 20
    took = statistics.median(seconds)

    user_ids, item_ids = events["user_id"].unique(), events["item_id"].unique()
    rng = np.random.default_rng(3)
    users = [user_ids[place] for place in rng.integers(0, len(user_ids), PROBES)]
    candidates = [item_ids[rng.integers(0, len(item_ids), CANDIDATES)].tolist() for _ in users]
    now, requests, updates = fitted.end_, [], []
    for probe, (user, asked_for) in enumerate(zip(users, candidates, strict=True)):
        query = rp.Query(user, now=now + 1_000 * probe)
        began = time.perf_counter()
        fitted.for_query(query, asked_for)
        requests.append(time.perf_counter() - began)
    for probe, (user, asked_for) in enumerate(zip(users, candidates, strict=True)):
        event = rp.Event(user, asked_for[0], "view", now + 1_000 * probe, price=9.5)
        began = time.perf_counter()
        fitted.update(event)
        updates.append(time.perf_counter() - began)

    sample = events.iloc[: min(len(events), 20_000)]
    leak_free = True
    try:
        rp.testing.check_leak_free(features(), sample, cuts=3)
    except AssertionError as leak:
        print(leak)
        leak_free = False

    figures = {
        "rows_per_s": len(rows) / took,
        "seconds": took,
        "events": len(events),
        "rows": len(rows),
        "columns": table.shape[1],
        "request_ms_p50": milliseconds(requests, 0.5),
        "request_ms_p99": milliseconds(requests, 0.99),
        "update_us_p50": milliseconds(updates, 0.5) * 1_000,
        "update_us_p99": milliseconds(updates, 0.99) * 1_000,
        "leak_free": leak_free,
    }
    print(f"{table.shape[1]} columns for {len(rows):,} rows from {len(events):,} events", end="")
    print(f", fit included: {took:.2f} s")
    for name, unit in (("request", "ms"), ("update", "us")):
        median, late = (figures[f"{name}_{unit}_p{share}"] for share in (50, 99))
        print(f"one {name}: median {median:.2f} {unit}, p99 {late:.2f} {unit}")
    print(f"leak-free: {leak_free}")
    machine = {"cores": os.cpu_count(), "python": platform.python_version()}
    versions = {name: version(name) for name in ("numba", "numpy", "pandas")}
    print(json.dumps({**figures, **machine, **versions}))


if __name__ == "__main__":
    main()
