"""Predict each rating, then learn from it: how near the predictions are, and how fast it goes.

    python benchmarks/prequential.py [DATA_DIR] [--quick]

DATA_DIR holds `ratings.parquet` (user_id, item_id, rating, timestamp); without one, ratings are
made up. The order is by timestamp, then by file; predictions are cut to the scale of the ratings.
Ours has its default settings; river's BiasedMF those of its documentation.
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

try:
    from river import optim, reco
except ImportError:
    reco = None

QUICK = 20_000


def ratings_of(folder: str | None) -> pd.DataFrame:
    if folder is None:
        return made_up()
    import pyarrow.parquet as parquet

    frame = parquet.read_table(Path(folder) / "ratings.parquet").to_pandas()
    return frame.sort_values("timestamp", kind="stable").reset_index(drop=True)


def made_up() -> pd.DataFrame:
    """Users come one after another; each rates what a few traits and some noise say."""
    random = np.random.default_rng(0)
    n, n_users, n_items, traits = 60_000, 600, 800, 4
    users = np.sort(random.integers(n_users, size=n))
    items = (n_items * random.random(n) ** 2).astype(np.int64)
    taste, kind = random.normal(size=(n_users, traits)), random.normal(size=(n_items, traits))
    own, its = random.normal(0, 0.4, n_users), random.normal(0, 0.5, n_items)
    rating = 3.5 + own[users] + its[items] + 0.3 * (taste[users] * kind[items]).sum(axis=1)
    rating = np.clip(np.rint(rating + random.normal(0, 0.8, n)), 1, 5)
    return pd.DataFrame({"user_id": users, "item_id": items, "rating": rating})


def ours(ratings: pd.DataFrame) -> tuple[np.ndarray, float]:
    events = ratings[["user_id", "item_id"]].assign(weight=ratings["rating"].astype(np.float32))
    model = rp.Factorization(loss="squared")
    start = time.perf_counter()
    predicted = model.predict_then_learn(events)
    return predicted, time.perf_counter() - start


def peers(ratings: pd.DataFrame) -> tuple[np.ndarray, float]:
    model = reco.BiasedMF(
        n_factors=10,
        bias_optimizer=optim.SGD(0.025),
        latent_optimizer=optim.SGD(0.05),
        weight_initializer=optim.initializers.Zeros(),
        latent_initializer=optim.initializers.Normal(mu=0.0, sigma=0.1, seed=73),
        l2_bias=0.0,
        l2_latent=0.0,
    )
    rows = list(
        zip(*(ratings[name].tolist() for name in ("user_id", "item_id", "rating")), strict=True)
    )
    predicted = np.empty(len(rows), np.float32)
    start = time.perf_counter()
    for place, (user, item, rating) in enumerate(rows):
        predicted[place] = model.predict_one(user, item)
        model.learn_one(user, item, rating)
    return predicted, time.perf_counter() - start


def errors(predicted: np.ndarray, ratings: pd.Series) -> tuple[float, float]:
    off = np.clip(predicted, ratings.min(), ratings.max()) - ratings.to_numpy()
    return float(np.sqrt(np.mean(off**2))), float(np.mean(np.abs(off)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", nargs="?")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    ratings = ratings_of(options.data)
    if options.quick:
        ratings = ratings.head(QUICK)
    repeats = 3 if options.quick else 5
    rp.warmup()
    print(f"{len(ratings):,} ratings ...", flush=True)
    runs = [(ours(ratings), peers(ratings) if reco else None) for _ in range(repeats)]
    rmse, mae = errors(runs[0][0][0], ratings["rating"])
    figures = {
        "rmse": rmse,
        "mae": mae,
        "events_per_s": statistics.median(len(ratings) / mine[1] for mine, _ in runs),
    }
    if reco:
        figures["peer_rmse"], figures["peer_mae"] = errors(runs[0][1][0], ratings["rating"])
        figures["peer_events_per_s"] = statistics.median(
            len(ratings) / theirs[1] for _, theirs in runs
        )
        figures["ratio"] = statistics.median(theirs[1] / mine[1] for mine, theirs in runs)
        figures["river"] = version("river")
    else:
        figures["peer"] = 'absent: pip install "recopersona[bench]"'
    figures |= {
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "numba": version("numba"),
    }
    for name, value in figures.items():
        print(f"{name:20} {value:.6g}" if isinstance(value, float) else f"{name:20} {value}")
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
