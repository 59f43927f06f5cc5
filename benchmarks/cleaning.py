"""What cleaning finds in real logs, and how many rows a second it looks at.

    python benchmarks/cleaning.py [DATA_DIR] [--quick]

DATA_DIR holds folders with a log each, such as `online-retail/events.parquet`. Where a log has
sessions of its own, those that `sessionize` finds by pauses of 30 minutes are compared with them.
Without data, only the made-up log is cleaned: its rows are clean but for repeats, so that the time
is that of looking. Beside it stands what `drop_duplicates` of pandas needs for the repeats alone.
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

ROWS, QUICK = 10_000_000, 500_000
NOW = "2030-01-01"
LOGS = {
    "online-retail": "events.parquet",
    "trivago": "actions.parquet",
    "rees46": "events.parquet",
    "retailrocket-multibehavior": "events.parquet",
}


def made_up(n: int, kind: str) -> pd.DataFrame:
    random = np.random.default_rng(0)
    n_users, n_items = n // 20, 50_000
    users = random.integers(n_users, size=n)
    items = (random.pareto(1.1, n) * 50).astype(np.int64) % n_items
    chance = random.random(n)
    log = pd.DataFrame({
        "user_id": users, "item_id": items,
        "event": np.array(["view", "cart", "purchase"])[np.searchsorted([0.9, 0.97], chance)],
        "timestamp": pd.to_datetime(
            1_700_000_000_000 + np.sort(random.integers(0, 30 * 86_400_000, n)), unit="ms", utc=True
        ),
        "price": np.round(1 + (items % 977) / 7, 2), "quantity": np.ones(n),
    })  # fmt: skip
    if kind != "numbers":
        names = pd.Series([f"user-{user:08x}" for user in range(n_users)], dtype="str")
        skus = pd.Series([f"sku-{item:06d}" for item in range(n_items)], dtype="str")
        log = log.assign(user_id=names.take(users).array, item_id=skus.take(items).array)
    log = pd.concat([log, log.head(n // 200)], ignore_index=True)
    if kind == "event ids":
        ids = np.concatenate([np.arange(n), np.arange(n // 200)])
        log["event_id"] = pd.Series([f"{row:032x}" for row in ids.tolist()], dtype="str")
    return log


def seconds(do, repeats: int) -> float:
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        do()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def report_of(name: str, path: Path) -> dict:
    log = rp.read_events(path)
    events, report = rp.clean(log, report=True, now=NOW)
    print(f"\n{name}: {report}", flush=True)
    own = sessions_told(events) if "session_id" in events else {}
    if own:
        print("  sessions by pauses of 30 minutes against the log's own: " + ", ".join(
            f"{what} {share:.3f}" for what, share in own.items()
        ))  # fmt: skip
    return {
        "sessions": own,
        "rows_in": report.rows_in,
        "rows_out": report.rows_out,
        "repaired": dict(report.repaired),
        "quarantined": dict(report.quarantined),
        "rows_per_s": len(log) / seconds(lambda: rp.clean(log, now=NOW), 3),
    }


def sessions_told(events: pd.DataFrame) -> dict:
    """Compare sessions found by pauses with a log's own, and the places where both are cut."""
    events = events.sort_values(["user_id", "timestamp"], kind="stable", ignore_index=True)
    own = pd.factorize(events["session_id"])[0]
    found = rp.sessionize(events)["session_id"].to_numpy()
    pairs = pd.DataFrame({"own": own, "found": found})
    alone = pairs.groupby("own")["found"].nunique() == 1
    whole = pairs.groupby("found")["own"].nunique() == 1
    equal = alone & whole[pairs.groupby("own")["found"].first()].to_numpy()
    same_user = events["user_id"].iloc[1:].to_numpy() == events["user_id"].iloc[:-1].to_numpy()
    ours, theirs = (np.diff(cut) != 0 for cut in (found, own))
    both = (ours & theirs & same_user).sum()
    return {
        "equal": float(equal.mean()),
        "precision": float(both / max((ours & same_user).sum(), 1)),
        "recall": float(both / max((theirs & same_user).sum(), 1)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", nargs="?")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    rp.warmup()
    figures: dict = {"logs": {}}
    for name, file in LOGS.items() if options.data else ():
        path = Path(options.data) / name / file
        figures["logs"][name] = report_of(name, path) if path.is_file() else "absent"
    n, repeats = (QUICK, 3) if options.quick else (ROWS, 3)
    print(f"\n{n:,} made-up rows")
    for kind in ("numbers", "texts", "event ids"):
        log = made_up(n, kind)
        names = ["event_id"] if kind == "event ids" else list(log.columns)
        ours = seconds(lambda log=log: rp.clean(log, now=NOW), repeats)
        pandas = seconds(lambda log=log, names=names: log.drop_duplicates(names), repeats)
        key = kind.replace(" ", "_")
        figures[f"rows_per_s_{key}"] = len(log) / ours
        figures[f"time_of_drop_duplicates_{key}"] = ours / pandas
        print(f"{kind:10} {len(log) / ours:12,.0f} rows/s, {ours / pandas:.2f} × drop_duplicates")
    part = made_up(n, "texts")
    parts = [part[start : start + 1_000_000] for start in range(0, len(part), 1_000_000)]
    whole = seconds(lambda: list(rp.Cleaner(now=NOW).clean_all(parts)), 1)
    hidden = seconds(lambda: rp.clean(part, now=NOW, hash_ids="a key for measuring only"), 1)
    figures |= {
        "rows": n,
        "rows_per_s_in_parts": len(part) / whole,
        "rows_per_s_hidden_ids": len(part) / hidden,
        "event_hash_rows_per_s": len(part) / seconds(lambda: rp.event_hash(part), repeats),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "pandas": version("pandas"),
        "numba": version("numba"),
    }
    for name, value in figures.items():
        if isinstance(value, (int, float)):
            print(f"{name:34} {value:,.6g}")
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
