"""Number the sessions of a log: ours against pandas, polars and DuckDB, and how time grows.

    python benchmarks/sessionize.py [--quick]

Every library gets the log as its own kind of frame and gives back one session number per event, as
a frame; peers may number as they like and, DuckDB, leave rows in any order. Of each peer, several
ways were written; the fastest counts. All sessions are checked to be the same.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import json
import math
import multiprocessing
import os
import platform
import statistics
import time
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import numpy as np
import pandas as pd

import recopersona as rp

try:
    import polars as pl
except ImportError:
    pl = None
try:
    import duckdb
except ImportError:
    duckdb = None

EVENTS, QUICK_EVENTS, REPEATS = 5_000_000, 300_000, 5
SIZES = (1_000_000, 3_000_000, 10_000_000, 30_000_000, 50_000_000)
QUICK_SIZES = (300_000, 1_000_000, 3_000_000)
PER_VISITOR, PER_VISIT = 10, 6
GAP, GAP_MS = "30min", 30 * 60_000
DAYS = 30


def log_of(n: int, ids: str = "integers", ordered: bool = True) -> pd.DataFrame:
    """Visits at random moments of a month, a minute or so from event to event."""
    random = np.random.default_rng(0)
    n_visitors, n_visits = n // PER_VISITOR, n // PER_VISIT
    visit = np.sort(random.integers(n_visits, size=n, dtype=np.int32))
    who = (n_visitors * random.random(n_visits, dtype=np.float32) ** 1.5).astype(np.int64)
    start = random.integers(DAYS * 86_400_000, size=n_visits)
    within = np.cumsum(random.exponential(60_000.0, n).astype(np.int64))
    first = np.searchsorted(visit, visit)
    times = 1_764_547_200_000 + start[visit] + within - within[first]
    order = np.argsort(times, kind="stable") if ordered else random.permutation(n)
    users = who[visit[order]]
    frame = pd.DataFrame({"user_id": users, "timestamp": times[order].view("datetime64[ms]")})
    frame["timestamp"] = frame["timestamp"].astype("datetime64[us]")  # pandas' own unit
    if ids == "texts":
        names = pd.Series([f"user-{number:08x}" for number in range(n_visitors)], dtype="str")
        frame["user_id"] = names.take(users).array
    return frame


# -- ours and the peers, each of a frame of its own kind --------------------------------------


def ours(frame: Any) -> Any:
    return rp.sessionize(frame, gap=GAP)


def pandas_groupby(frame: pd.DataFrame) -> pd.DataFrame:
    """As one reads it everywhere: sort, the difference within the group, a running sum."""
    by_user = frame.sort_values(["user_id", "timestamp"])
    pause = by_user.groupby("user_id", sort=False)["timestamp"].diff()
    new = pause.isna() | (pause > pd.Timedelta(GAP))
    return frame.assign(session_id=new.cumsum())


def pandas_shift(frame: pd.DataFrame) -> pd.DataFrame:
    """Without a group: a session also starts where the user differs from the row above."""
    by_user = frame.sort_values(["user_id", "timestamp"])
    new = (by_user["user_id"] != by_user["user_id"].shift()) | (
        by_user["timestamp"].diff() > pd.Timedelta(GAP)
    )
    return frame.assign(session_id=new.cumsum())


def pandas_numpy(frame: pd.DataFrame) -> pd.DataFrame:
    """The most that pandas and numpy give: codes, one stable sort, no alignment of indexes."""
    users = pd.factorize(frame["user_id"])[0]
    times = frame["timestamp"].to_numpy().view(np.int64)
    if not (times[1:] >= times[:-1]).all():
        order = np.argsort(times, kind="stable")
        order = order[np.argsort(users[order], kind="stable")]
    else:
        order = np.argsort(users, kind="stable")
    users, times = users[order], times[order]
    new = np.empty(len(users), dtype=np.bool_)
    new[:1] = True
    new[1:] = (users[1:] != users[:-1]) | (np.diff(times) > GAP_MS * 1_000)
    session = np.empty(len(users), dtype=np.int64)
    session[order] = np.cumsum(new)
    return frame.assign(session_id=session)


def polars_over(frame: Any) -> Any:
    pause = pl.col("timestamp") - pl.col("timestamp").shift(1)
    return (
        frame.lazy()
        .with_row_index()
        .sort("timestamp")
        .with_columns(
            session_id=(pause > pl.duration(milliseconds=GAP_MS))
            .fill_null(value=True)
            .cum_sum()
            .over("user_id")
        )
        .with_columns(session_id=pl.struct("user_id", "session_id"))
        .sort("index")
        .drop("index")
        .collect()
    )


def polars_over_sorted(frame: Any) -> Any:
    """For a log in time order; a session is a user and a number of theirs."""
    pause = pl.col("timestamp") - pl.col("timestamp").shift(1)
    number = (pause > pl.duration(milliseconds=GAP_MS)).fill_null(value=True).cum_sum()
    return (
        frame.lazy()
        .with_columns(session_id=number.over("user_id"))
        .with_columns(session_id=pl.struct("user_id", "session_id"))
        .collect()
    )


def polars_sort(frame: Any) -> Any:
    """Without a group: sorted by user and time, and back."""
    new = (pl.col("user_id") != pl.col("user_id").shift(1)) | (
        pl.col("timestamp") - pl.col("timestamp").shift(1) > pl.duration(milliseconds=GAP_MS)
    )
    return (
        frame.lazy()
        .with_row_index()
        .sort("user_id", "timestamp")
        .with_columns(session_id=new.fill_null(value=True).cum_sum())
        .sort("index")
        .drop("index")
        .collect()
    )


def polars_streaming(frame: Any) -> Any:
    new = (pl.col("user_id") != pl.col("user_id").shift(1)) | (
        pl.col("timestamp") - pl.col("timestamp").shift(1) > pl.duration(milliseconds=GAP_MS)
    )
    return (
        frame.lazy()
        .with_row_index()
        .sort("user_id", "timestamp")
        .with_columns(session_id=new.fill_null(value=True).cum_sum())
        .sort("index")
        .drop("index")
        .collect(engine="streaming")
    )


def duckdb_windows(frame: Any) -> Any:
    """A running sum over all users."""
    return _duckdb(
        frame,
        """
        SELECT row, user_id, sum(new) OVER (ORDER BY user_id, timestamp, row
                                   ROWS UNBOUNDED PRECEDING)::BIGINT AS session_id
        FROM (SELECT *, coalesce(timestamp - lag(timestamp) OVER (PARTITION BY user_id
                                 ORDER BY timestamp, row) > INTERVAL 30 MINUTE, true)::INT AS new
              FROM (SELECT *, row_number() OVER () AS row FROM log))
        """,
    )


def duckdb_partitions(frame: Any) -> Any:
    """A running sum per user; a session is a user and a number of theirs."""
    return _duckdb(
        frame,
        """
        SELECT row, user_id, sum(new) OVER (PARTITION BY user_id ORDER BY timestamp, row
                                   ROWS UNBOUNDED PRECEDING)::BIGINT AS session_id
        FROM (SELECT *, coalesce(timestamp - lag(timestamp) OVER (PARTITION BY user_id
                                 ORDER BY timestamp, row) > INTERVAL 30 MINUTE, true)::INT AS new
              FROM (SELECT *, row_number() OVER () AS row FROM log))
        """,
    )


def _duckdb(log: Any, query: str) -> Any:
    with duckdb.connect() as connection:
        connection.register("log", log)
        return connection.sql(query).to_arrow_table()


PEERS: dict[str, list[Callable[[Any], Any]]] = {
    "pandas": [pandas_groupby, pandas_shift, pandas_numpy],
    "polars": [polars_over, polars_over_sorted, polars_sort, polars_streaming] if pl else [],
    "duckdb": [duckdb_windows, duckdb_partitions] if duckdb else [],
}


def frames_of(log: pd.DataFrame) -> dict[str, Any]:
    """The log as each library has it."""
    frames: dict[str, Any] = {"pandas": log}
    if pl:
        frames["polars"] = pl.from_pandas(log)
    if duckdb:
        import pyarrow as pa

        frames["duckdb"] = pa.Table.from_pandas(log, preserve_index=False)
    return frames


# -- the same sessions ------------------------------------------------------------------------


def first_rows(answer: Any) -> np.ndarray:
    """Name every row's session by its first row, however an answer numbers sessions."""
    if pl and isinstance(answer, pl.DataFrame) and answer.schema["session_id"] == pl.Struct:
        answer = answer.with_columns(pl.col("session_id").struct.field("session_id"))
    if hasattr(answer, "to_pandas"):
        answer = answer.to_pandas()
    if "row" in answer:
        answer = answer.sort_values("row", ignore_index=True)
    users, sessions = (pd.factorize(answer[name])[0] for name in ("user_id", "session_id"))
    codes = pd.factorize(users * len(users) + sessions)[0]
    return np.unique(codes, return_index=True)[1][codes]


# -- time -------------------------------------------------------------------------------------


def seconds(work: Callable[[Any], Any], frame: Any) -> float:
    gc.collect()
    start = time.perf_counter()
    answer = work(frame)
    taken = time.perf_counter() - start
    del answer
    return taken


def compared(n: int, ids: str, ordered: bool, repeats: int) -> dict[str, Any]:
    """Ours and the best way of each peer, in turn."""
    log = log_of(n, ids, ordered)
    frames = frames_of(log)
    truth = first_rows(ours(log))
    best, equal = {}, True
    for peer, ways in PEERS.items():
        for way in ways:
            if way is polars_over_sorted and not ordered:
                continue
            answer = way(frames[peer])
            equal &= np.array_equal(first_rows(answer), truth)
            del answer
            best.setdefault(peer, []).append((seconds(way, frames[peer]), way))
    best = {peer: min(tried, key=lambda one: one[0])[1] for peer, tried in best.items()}
    if pl:
        equal &= np.array_equal(first_rows(ours(frames["polars"])), truth)
    runs: dict[str, list[float]] = {}
    for _ in range(repeats):
        runs.setdefault("ours", []).append(seconds(ours, log))
        for peer, way in best.items():
            runs.setdefault(peer, []).append(seconds(way, frames[peer]))
        if pl:
            runs.setdefault("ours_of_polars", []).append(seconds(ours, frames["polars"]))
    taken = {name: statistics.median(times) for name, times in runs.items()}
    ratios = {
        f"ratio_{peer}": statistics.median(
            theirs / mine for theirs, mine in zip(runs[peer], runs["ours"], strict=True)
        )
        for peer in best
    }
    words = f"{n:,} events, ids are {ids}, {'in time order' if ordered else 'in any order'}"
    print(f"{words}: " + "  ".join(f"{name} {value:.3f} s" for name, value in taken.items()))
    print("    " + "  ".join(f"{name} {value:.1f}" for name, value in ratios.items()), flush=True)
    return {
        "equal": bool(equal), "seconds": taken, **ratios,
        "ways": {peer: way.__name__ for peer, way in best.items()},
    }  # fmt: skip


def growth(sizes: tuple[int, ...], connection: Any) -> None:
    """Tell the seconds of each size; a process of its own, which begins with the largest."""
    rp.warmup()
    ours(log_of(10_000))
    taken = {}
    for n in reversed(sizes):
        log = log_of(n)
        # Other work, and memory that the machine has yet to find, make a run slower, never faster.
        taken[n] = min(seconds(ours, log) for _ in range(REPEATS))
        del log
        _give_back()
    connection.send(taken)


def _give_back() -> None:
    gc.collect()
    if platform.system() == "Linux":
        ctypes.CDLL(None).malloc_trim(0)


def slope(sizes: tuple[int, ...]) -> tuple[float, dict[int, float]]:
    context = multiprocessing.get_context("spawn")
    mine, theirs = context.Pipe(duplex=False)
    process = context.Process(target=growth, args=(sizes, theirs))
    process.start()
    theirs.close()
    taken = mine.recv()
    process.join()
    for n, value in sorted(taken.items()):
        print(f"{n:12,} events  {value:8.3f} s", flush=True)
    found = np.polyfit([math.log(n) for n in taken], [math.log(s) for s in taken.values()], 1)[0]
    return float(found), dict(sorted(taken.items()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    quick = parser.parse_args().quick
    rp.warmup()
    n, sizes = (QUICK_EVENTS, QUICK_SIZES) if quick else (EVENTS, SIZES)
    repeats = 5
    found, taken = slope(sizes)
    main_case = compared(n, "integers", True, repeats)
    unsorted = compared(n, "integers", False, repeats)
    texts = compared(n, "texts", True, repeats)
    figures = {
        **{name: value for name, value in main_case.items() if name.startswith("ratio_")},
        "equal": all(case["equal"] for case in (main_case, unsorted, texts)),
        "slope": found,
        "seconds": main_case["seconds"],
        "ways": main_case["ways"],
        "unsorted": unsorted,
        "texts": texts,
        "growth_s": {str(size): value for size, value in taken.items()},
        "events": n,
        "absent": [
            f'{name}: pip install "recopersona[bench]"' for name, ways in PEERS.items() if not ways
        ],
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        **{
            name: version(name)
            for name in ("numpy", "numba", "pandas", *(peer for peer in PEERS if PEERS[peer]))
        },
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
