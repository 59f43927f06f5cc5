"""How soon a search is good enough, and what it loses when it is killed.

    python benchmarks/tuning.py [DATA_DIR] [--quick] [--seconds S | --trials N] [--seed SEED]

DATA_DIR holds `ratings.parquet` (user_id, item_id; other columns are not read), such as MovieLens
100K; without one, a synthetic shop is used. Every rating is an interaction.

- Long enough: `tune(ALS(), ...)` within S seconds, the fit of the best on all of the training data
  included, and a search ten times as long. With one seed, the longer search begins with the trials
  of the shorter one, so it goes on from them. A random quarter of each user's pairs is held out
  first and never seen (`test`); parameters are judged by a quarter of what is left (`validation`).
  `validation_gap` and `test_gap` say which share of the longer search's NDCG@10 the shorter one
  lacks; below 0 it has more. With `--trials`, budgets are trials: the same on a busy machine.
- Killed: a search on disk is killed by SIGKILL in the midst of a trial and taken up again.
  `killed_equal` says whether its trials are those of a search that was not.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pandas as pd

import recopersona as rp

SHARE = 0.25
SECONDS, QUICK_SECONDS, TIMES = 100, 3, 10
KILLED_TRIALS, KILLED_AFTER = 40, 15
COMPARED = ["state", "ndcg@10", "factors", "reg", "passes"]


def load(folder: str | None, quick: bool) -> tuple[str, rp.Dataset]:
    if folder is None:
        return "synthetic", rp.synthetic_shop(300 if quick else 1_000, 400)
    path = Path(folder)
    ratings = pd.read_parquet(path / "ratings.parquet", columns=["user_id", "item_id"])
    if quick:
        users = np.random.default_rng(0).permutation(ratings["user_id"].unique())[:400]
        ratings = ratings[ratings["user_id"].isin(users)]
    return path.resolve().name, rp.Dataset.from_frames(ratings)


def quarter(dataset: rp.Dataset) -> rp.Split:
    return rp.split_at_random(dataset, SHARE, random_state=1)


def search(train: rp.Dataset, seed: int, **asked: Any) -> rp.Tuned:
    return rp.tune(rp.ALS(), train, split=quarter, random_state=seed, **asked)


def tested(model: rp.Recommender, split: rp.Split) -> float:
    """Measure a fitted model on what no search has seen."""
    return float(rp.evaluate(_Fitted(model=model), split, metrics="ndcg")["ndcg@10"].iloc[0])


class _Fitted(rp.Recommender):
    """A model that is fitted already, for `evaluate`, which fits what it is given."""

    model: Any = rp.param(default=None)

    def __sklearn_clone__(self) -> _Fitted:
        return self

    def fit(self, *_: Any, **__: Any) -> Any:
        return self.model


# -- long enough -----------------------------------------------------------------------------


def long_enough(split: rp.Split, seed: int, budget: dict[str, Any], folder: Path) -> dict[str, Any]:
    line: dict[str, Any] = {}
    for name, times in (("short", 1), ("long", TIMES)):
        start = time.perf_counter()
        found = search(
            split.train, seed, storage=folder / "study.db",
            **{what: times * amount for what, amount in budget.items()},
        )  # fmt: skip
        line |= {
            f"seconds_{name}": round(time.perf_counter() - start, 1),
            f"trials_{name}": found.counts["trials"],
            f"validation_{name}": round(found.score, 5),
            f"test_{name}": round(tested(found.model, split), 5),
            f"params_{name}": found.params,
        }
        print(f"\n{name}: {line[f'seconds_{name}']} s here, test {line[f'test_{name}']:.4f}")
        print(found.report())
    # What was already done is read from the disk, and was not waited for again.
    line["seconds_long"] = round(line["seconds_long"] + line["seconds_short"], 1)
    line["test_default"] = round(tested(rp.ALS().fit(split.train), split), 5)
    for part in ("validation", "test"):
        gap = 1 - line[f"{part}_short"] / line[f"{part}_long"]
        line[f"{part}_gap"] = round(gap, 5)
    return line


# -- killed ----------------------------------------------------------------------------------


def killed(given: argparse.Namespace, train: rp.Dataset, folder: Path) -> dict[str, Any]:
    path = folder / "killed.db"
    folders = [] if given.data is None else [given.data]
    child = subprocess.Popen([
        sys.executable, __file__, *folders, "--child", str(path), "--seed", str(given.seed),
        *(["--quick"] if given.quick else []),
    ])  # fmt: skip
    while child.poll() is None and not (
        n_trials(path) >= KILLED_AFTER and n_trials(path, running=True)
    ):
        time.sleep(0.005)
    assert child.poll() is None, "the search was over before it was killed"
    child.send_signal(signal.SIGKILL)
    child.wait()
    there = n_trials(path)
    resumed = search(train, given.seed, trials=KILLED_TRIALS, storage=path)
    whole = search(train, given.seed, trials=KILLED_TRIALS)
    return {
        "killed_after": there,
        "killed_running": resumed.counts["interrupted"],
        "killed_equal": resumed.trials[COMPARED].equals(whole.trials[COMPARED]),
        "killed_best_equal": resumed.params == whole.params,
    }


def n_trials(path: Path, running: bool = False) -> int:
    """Return how many trials of a study on disk are over, or are running, without touching it."""
    if not path.exists():
        return 0
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        try:
            asked = "SELECT COUNT(*) FROM trials WHERE (state = 'RUNNING') = ?"
            return int(connection.execute(asked, [running]).fetchone()[0])
        except sqlite3.OperationalError:  # its tables are being made
            return 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("data", nargs="?", help="folder with ratings.parquet")
    parser.add_argument("--quick", action="store_true", help="within a minute, on less data")
    budgets = parser.add_mutually_exclusive_group()
    budgets.add_argument("--seconds", type=float, help="of the shorter search")
    budgets.add_argument("--trials", type=int, help="of the shorter search, in place of seconds")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--child", help=argparse.SUPPRESS)
    given = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    name, shop = load(given.data, given.quick)
    split = rp.split_at_random(shop, SHARE, random_state=0)
    if given.child:
        search(split.train, given.seed, trials=KILLED_TRIALS, storage=given.child)
        return
    rp.ALS(factors=8, iterations=1).fit(split.train).score(split.test)  # compiled beforehand
    seconds = given.seconds or (QUICK_SECONDS if given.quick else SECONDS)
    budget = {"trials": given.trials} if given.trials else {"seconds": seconds}
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        line = {
            "data": name,
            "seed": given.seed,
            "budget": budget,
            **long_enough(split, given.seed, budget, Path(folder)),
            **killed(given, split.train, Path(folder)),
            "seconds": round(time.perf_counter() - start, 1),
            "cores": os.cpu_count(), "python": platform.python_version(),
            "versions": {one: version(one) for one in ("recopersona", "numpy", "optuna")},
        }  # fmt: skip
    print()
    print(json.dumps(line))


if __name__ == "__main__":
    main()
