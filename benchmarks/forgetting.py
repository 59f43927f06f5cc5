"""How long does it take to forget, and to tell what is held of, one user and a thousand?

    python benchmarks/forgetting.py [DATA_DIR] [--quick]

DATA_DIR holds `ratings.parquet` (user_id, item_id, perhaps timestamp), with it perhaps
`users.parquet`; without it a synthetic shop is used. Where there are no times, they are drawn.
Every model forgets five users one after the other (the slowest counts), then a thousand at once,
and says what of them is stale. Sums are compared with those of the log without them.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import recopersona as rp
from recopersona.datasets.synthetic import synthetic_shop

QUICK_USERS = 500
SPAN_S = 300 * 86_400


def models() -> dict[str, Any]:
    """Return the models by name."""
    return {
        "Popularity": rp.Popularity(),
        "Popularity(half_life)": rp.Popularity(half_life="30d"),
        "Trending": rp.Trending(),
        "SegmentPopularity": rp.SegmentPopularity(),
        "ItemKNN": rp.ItemKNN(),
        "UserKNN": rp.UserKNN(),
        "ALS": rp.ALS(iterations=2),
        "Factorization": rp.Factorization(epochs=2),
        "SessionKNN": rp.SessionKNN(),
        "SequentialRules": rp.SequentialRules(max_rules=None),
        "Pipeline": rp.Pipeline(
            candidates=[rp.ALS(iterations=2), rp.ItemKNN(), rp.Popularity(half_life="7d")],
            reranker=rp.BanditReranker(),
        ),
    }


def shop_in(folder: Path | None, quick: bool) -> rp.Dataset:
    """Read a log, or make one up."""
    if folder is None:
        return synthetic_shop(QUICK_USERS if quick else 6_000, 2_000, random_state=0)
    events = pd.read_parquet(folder / "ratings.parquet")
    users = folder / "users.parquet"
    customers = pd.read_parquet(users) if users.exists() else None
    if "timestamp" not in events:
        seconds = np.random.default_rng(0).integers(0, SPAN_S, len(events))
        drawn = pd.Timestamp("2025-01-01") + pd.to_timedelta(seconds, unit="s")
        events = events.assign(timestamp=drawn)
    if quick:
        some = events["user_id"].drop_duplicates().head(QUICK_USERS)
        events = events[events["user_id"].isin(some)]
    kept = [name for name in ("user_id", "item_id", "timestamp") if name in events]
    return rp.Dataset.from_frames(events[kept].sort_values("timestamp"), users=customers)


def measured(model: Any, shop: rp.Dataset) -> dict[str, Any]:
    """Fit a model, ask it what it holds, and let it forget."""
    users = shop.users.ids[np.unique(shop.log.users)].tolist()
    few, many = users[5:10], users[10 : 10 + min(1_000, len(users) // 3)]
    model.fit(shop)
    model.held_of(users[:1])
    held_s = _seconds(lambda: model.held_of(users[1:2]))
    model.forget(users[:1])  # whatever is compiled or made once
    one_s = max(_seconds(lambda user=user: model.forget([user])) for user in few)
    many_s = _seconds(lambda: model.forget(many))
    gone = shop.users.indices([users[0], *few, *many])
    left = shop.interactions.take(~np.isin(shop.interactions.users, gone))
    due = np.bincount(left.items, left.weight, minlength=len(shop.items)).astype(np.float32)
    return {
        "held_ms": 1e3 * held_s,
        "one_ms": 1e3 * one_s,
        "many_ms": 1e3 * many_s,
        "n_many": len(many),
        "fallback_equal": bool((model.fallback_ == due).all()),
        "stale": [] if model.stale_ is None else list(model.stale_.parts),
    }


def main() -> None:
    """Measure every model, and print a table and one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", nargs="?", type=Path)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    shop = shop_in(options.data, options.quick)
    print(shop)
    found = {}
    for name, model in models().items():
        found[name] = told = measured(model, shop)
        print(
            f"{name:22} held {told['held_ms']:6.1f} ms   one {told['one_ms']:7.1f} ms   "
            f"{told['n_many']:,} {told['many_ms']:7.1f} ms   stale: {', '.join(told['stale'])}",
            flush=True,
        )
    print(json.dumps({
        "models": found,
        "slowest_one_ms": max(told["one_ms"] for told in found.values()),
        "slowest_many_ms": max(told["many_ms"] for told in found.values()),
        "fallback_equal": all(told["fallback_equal"] for told in found.values()),
        "n_events": len(shop.log), "cores": os.cpu_count(), "python": platform.python_version(),
        "numpy": np.__version__,
    }))  # fmt: skip


def _seconds(call: Any) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
