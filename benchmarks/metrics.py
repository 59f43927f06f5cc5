"""Lists measured: the same values as ranx, and how much sooner.

    python benchmarks/metrics.py [--quick]

Lists of 100 items for 100,000 users, drawn with a fixed seed: a tenth of them shorter, up to 20
items wanted by each. Six metrics at four cut-offs, in one process, alternating, medians:

- `ready`: each side has its own objects, ours a `Judged`, theirs a `Qrels` and a `Run`, and
  everything is compiled (`ratio_peer`, on one thread; `ratio_peer_threads` on all);
- `bare`: theirs are the typed lists that its kernels read: those alone, one thread;
- `frames`: from the same two frames of text ids and scores to the figures.

ranx works on all cores by numba's `parallel` unless told otherwise; both are told here. Its writing
of every user's values into the `Run` is off. `equal_to_peer` is the share of all values, of every
user, metric and cut-off, that differ by 1e-12 or less; `largest_difference` says by how much.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import numpy as np
import pandas as pd

import recopersona as rp
from recopersona.evaluation.lists import judge_frames
from recopersona.evaluation.metrics import measure
from recopersona.kernels.blocks import thread_count

METRICS = ("ndcg", "map", "mrr", "recall", "precision", "hit_rate")
CUT_OFFS = (5, 10, 20, 100)
LENGTH, N_ITEMS, MOST_WANTED = 100, 50_000, 20
LABELS = [f"{name}@{k}" for name in METRICS for k in CUT_OFFS]


def drawn(n_users: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return lists and what was wanted; about half of what was wanted is listed."""
    rng = np.random.default_rng(7)
    users = np.array([f"u{number}" for number in range(n_users)], dtype=object)
    items = np.array([f"i{number}" for number in range(N_ITEMS)], dtype=object)
    # A list spans less than the whole catalogue, so that it holds no item twice.
    start, step = (
        rng.integers(N_ITEMS, size=n_users),
        1 + rng.integers(N_ITEMS // LENGTH - 1, size=n_users),
    )
    listed = (start[:, None] + step[:, None] * np.arange(LENGTH)) % N_ITEMS
    lengths = np.where(rng.random(n_users) < 0.1, rng.integers(1, LENGTH, n_users), LENGTH)
    held = np.arange(LENGTH) < lengths[:, None]
    scores = np.sort(rng.random((n_users, LENGTH)))[:, ::-1]
    lists = pd.DataFrame({
        "user_id": users[np.repeat(np.arange(n_users), lengths)],
        "item_id": items[listed[held]],
        "score": scores[held],
    })  # fmt: skip
    n_wanted = rng.integers(1, MOST_WANTED + 1, n_users)
    owner = np.repeat(np.arange(n_users), n_wanted)
    found = listed[owner, rng.integers(LENGTH, size=len(owner))]
    wanted = np.where(rng.random(len(owner)) < 0.5, found, rng.integers(N_ITEMS, size=len(owner)))
    pairs = np.unique(owner * N_ITEMS + wanted)
    truth = pd.DataFrame(
        {"user_id": users[pairs // N_ITEMS], "item_id": items[pairs % N_ITEMS], "weight": 1}
    )
    for frame in (lists, truth):
        for name in ("user_id", "item_id"):
            frame[name] = frame[name].astype(object)
    return lists, truth


def timed(do: Callable[[], Any]) -> float:
    started = time.perf_counter()
    do()
    return time.perf_counter() - started


def alternating(
    ours: Callable[[], Any], theirs: Callable[[], Any], times: int
) -> tuple[float, float]:
    """Return the median seconds of each, both once beforehand."""
    ours(), theirs()
    pairs = [(timed(ours), timed(theirs)) for _ in range(times)]
    return statistics.median(a for a, _ in pairs), statistics.median(b for _, b in pairs)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("data_dir", nargs="?", help="not used: lists are drawn")
    parser.add_argument("--quick", action="store_true", help="fewer users, under a minute")
    args = parser.parse_args()
    try:
        import ranx
    except ImportError:
        sys.exit('benchmarks/metrics.py needs an extra: pip install "recopersona[bench]"')

    n_users, times, cores = (5_000 if args.quick else 100_000), 5, thread_count()
    rp.warmup()
    lists, truth = drawn(200)

    def theirs_built() -> tuple[Any, Any]:
        qrels = ranx.Qrels.from_df(truth, "user_id", "item_id", "weight")
        run = ranx.Run.from_df(lists, "user_id", "item_id", "score")
        return qrels, run

    def peer(qrels: Any, run: Any, threads: int, **more: Any) -> Any:
        return ranx.evaluate(qrels, run, LABELS, threads=threads, save_results_in_run=False, **more)

    peer(*theirs_built(), cores)  # it compiles
    lists, truth = drawn(n_users)
    print(f"{n_users:,} users, {len(lists):,} rows of lists, {len(truth):,} of truth")
    built_s = time.perf_counter()
    qrels, run = theirs_built()
    built_s = time.perf_counter() - built_s
    print(f"ranx built its objects in {built_s:.1f} s")
    judged, user_ids, _ = judge_frames(lists, truth, max(CUT_OFFS))

    rows: dict[str, tuple[float, float]] = {}

    def ours_on(threads: int) -> Callable[[], Any]:
        def measured() -> Any:
            with rp.limit_threads(threads):
                return measure(judged, LABELS, 10).means

        return measured

    for name, threads in (("ready, 1 thread", 1), (f"ready, {cores} threads", cores)):
        rows[name] = alternating(
            ours_on(threads), lambda threads=threads: peer(qrels, run, threads), times
        )
    bare = qrels.to_typed_list(), run.to_typed_list()
    rows["bare, 1 thread"] = alternating(ours_on(1), lambda: peer(*bare, 1), times)

    # Their objects take long to build: fewer users, so that every repetition can be afforded.
    some = user_ids[: max(n_users // 10, 1_000)]
    all_lists, all_truth = lists, truth
    lists, truth = (frame[frame["user_id"].isin(some)] for frame in (lists, truth))

    def from_frames() -> Any:
        with rp.limit_threads(1):
            return rp.score_lists(lists, truth, metrics=LABELS).mean()

    rows["frames, 1 thread"] = alternating(from_frames, lambda: peer(*theirs_built(), 1), 5)
    lists, truth = all_lists, all_truth
    whole_s = statistics.median(timed(from_frames) for _ in range(3))

    ours = measure(judged, LABELS, 10)
    theirs = peer(qrels, run, 1, return_mean=False)
    place = pd.Index(list(qrels.keys())).get_indexer(pd.Index(user_ids))
    apart = np.stack([np.abs(ours.per_user[label] - theirs[label][place]) for label in LABELS])

    print(f"\n{'':24}{'ours':>10}{'ranx':>10}{'ratio':>9}")
    for name, (mine, other) in rows.items():
        print(f"{name:24}{1_000 * mine:8.1f} ms{1_000 * other:7.0f} ms{other / mine:8.1f}x")
    print(f"{'all frames to figures':24}{whole_s:8.2f} s {built_s:7.1f} s (building alone)")
    for label in LABELS:
        print(f"{label:14}{ours.means[label]:.6f}  {theirs[label].mean():.6f}")

    ratio = {name: other / mine for name, (mine, other) in rows.items()}
    figures = {
        "ratio_peer": ratio["ready, 1 thread"],
        "ratio_peer_threads": ratio[f"ready, {cores} threads"],
        "ratio_peer_bare": ratio["bare, 1 thread"],
        "ratio_peer_frames": ratio["frames, 1 thread"],
        "equal_to_peer": float((apart <= 1e-12).mean()),
        "largest_difference": float(apart.max()),
        "ours_ms": {name: 1_000 * mine for name, (mine, _) in rows.items()},
        "peer_ms": {name: 1_000 * other for name, (_, other) in rows.items()},
        "frames_to_figures_s": whole_s,
        "peer_building_s": built_s,
        "users": n_users,
        "users_from_frames": len(some),
        "list_rows": len(lists),
        "metrics": len(LABELS),
        "repeats": times,
        "cores": cores,
        "versions": {name: version(name) for name in ("ranx", "numba", "numpy", "pandas")},
        "python": platform.python_version(),
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
