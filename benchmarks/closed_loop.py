"""The whole loop: five ways to serve a shop whose visitors' tastes nobody is told.

    python benchmarks/closed_loop.py [--quick] [--plot PATH] [--seeds 0,1,2] [--requests 30000]

A made-up world (`recopersona.simulation`): 5,000 visitors with 90 days of past, 3,000 items, ten
new items and twenty new visitors a day, tastes that drift and jump, fashions that come and go, and
whoever sees the same again and again gets bored with it. 30,000 pages of ten items are asked for in
a month; what is shown decides what can be clicked, and learned. The same visitors come to all:

- `popularity`: what most people want, up to date by the minute;
- `nightly_als`: a matrix factorization fitted anew every night on everything so far;
- `pipeline_no_bandit`: candidates of two models, merged, learning online and fitted anew every
  night; what a visitor was just shown rests (`Fatigue`);
- `pipeline`: the same with a bandit that learns how much variety a page takes;
- `oracle`: who knows the truth and fills each place with its best.

Figures are clicks and revenue as shares of the oracle's with the same seed, and under `expected`
the clicks that the pages shown bring on average, by the truth: the same with less chance in it.
Intervals are of the mean over seeds (Student's t, 95 %), and the margin is paired. All settings
were chosen in worlds of other seeds than those reported. At the end, unless `--quick`, whole pages
of a shop of 100,000 items are timed (`_page_time.py`).
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from concurrent.futures import ProcessPoolExecutor
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import _page_time
import numpy as np
import pandas as pd
from _loop_shops import SHOPS
from scipy import stats

from recopersona.simulation.world import World

SEEDS, REQUESTS = (0, 1, 2, 3, 4), 30_000
QUICK_REQUESTS = 1_500
AT_ONCE = 2
WINDOWS = 15


def live(name: str, seed: int, n_requests: int) -> dict[str, Any]:
    """Let a shop serve a world; return what came of every request."""
    world = World(random_state=seed)
    shop = SHOPS[name](world, seed)
    clicks, revenue, expected = np.zeros((3, n_requests))
    begun = time.perf_counter()
    for visit in world.visits(n_requests):
        page = shop.page(visit)
        expected[visit.number] = world.value(visit, page)
        reaction = world.react(visit, page)
        clicks[visit.number], revenue[visit.number] = len(reaction.clicked), reaction.revenue
        shop.learn(visit, page, reaction)
    return {
        "name": name,
        "seed": seed,
        "clicks": clicks,
        "revenue": revenue,
        "expected": expected,
        "answer_ms": 1_000 * shop.answer_s / n_requests,
        "learn_ms": 1_000 * shop.learn_s / n_requests,
        "fit_s": shop.fit_s,
        "seconds": time.perf_counter() - begun + shop.fit_s,
    }


def lived(seeds: list[int], n_requests: int) -> dict[tuple[str, int], dict[str, Any]]:
    """Live all shops in all worlds, some at a time."""
    found = {}
    with ProcessPoolExecutor(AT_ONCE, mp_context=get_context("spawn")) as pool:
        waiting = [pool.submit(live, name, seed, n_requests) for seed in seeds for name in SHOPS]
        for one in waiting:
            life = one.result()
            found[life["name"], life["seed"]] = life
            print(
                f"seed {life['seed']} {life['name']:<20} {life['clicks'].mean():.4f} clicks, "
                f"{life['revenue'].mean():.3f} revenue a request; fit {life['fit_s']:.1f} s, "
                f"answer {life['answer_ms']:.2f} ms, learn {life['learn_ms']:.2f} ms; "
                f"{life['seconds']:.0f} s",
                flush=True,
            )
    return found


def interval(values: np.ndarray) -> list[float] | None:
    """Return the 95 % interval of a mean over seeds; None of a single one."""
    if len(values) < 2:
        return None
    half = stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
    return [round(float(values.mean() - half), 4), round(float(values.mean() + half), 4)]


def shares(lives: dict[tuple[str, int], dict[str, Any]], seeds: list[int], what: str) -> Any:
    """Return, per shop, its share of the oracle's in every world."""
    return {
        name: np.array([
            lives[name, seed][what].sum() / max(lives["oracle", seed][what].sum(), 1e-9)
            for seed in seeds
        ])
        for name in SHOPS
    }  # fmt: skip


def over_time(lives: dict[tuple[str, int], dict[str, Any]], seeds: list[int]) -> pd.DataFrame:
    """Return the share of the oracle's clicks in each window of time, a column per shop."""
    columns = {}
    for name in SHOPS:
        told = sum(lives[name, seed]["clicks"] for seed in seeds)
        columns[name] = [part.sum() for part in np.array_split(told, WINDOWS)]
    table = pd.DataFrame(columns)
    return table.div(table["oracle"], axis=0)


def draw(table: pd.DataFrame, n_requests: int, path: str) -> None:
    """Save the plot over time."""
    from recopersona.report.charts import line_chart

    middle = (np.arange(WINDOWS) + 0.5) * n_requests / WINDOWS
    chart = line_chart(
        middle,
        {name: table[name].to_numpy() for name in table if name != "oracle"},
        title="Clicks as a share of the oracle's",
        unit="by requests served",
        number_format=".0%",
    )
    Path(path).write_text(str(chart), encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--plot")
    parser.add_argument("--seeds")
    parser.add_argument("--requests", type=int)
    given = parser.parse_args()
    seeds = [0] if given.quick else list(SEEDS)
    if given.seeds:
        seeds = [int(one) for one in given.seeds.split(",")]
    n_requests = given.requests or (QUICK_REQUESTS if given.quick else REQUESTS)
    begun = time.perf_counter()
    lives = lived(seeds, n_requests)
    clicks, revenue, expected = (
        shares(lives, seeds, what) for what in ("clicks", "revenue", "expected")
    )
    table = pd.DataFrame({
        "clicks": {name: values.mean() for name, values in clicks.items()},
        "interval": {name: interval(values) for name, values in clicks.items()},
        "revenue": {name: values.mean() for name, values in revenue.items()},
        "expected": {name: values.mean() for name, values in expected.items()},
    })  # fmt: skip
    print("shares of the oracle\n" + table.to_string(float_format="{:.4f}".format))
    timeline = over_time(lives, seeds)
    print("over time\n" + timeline.round(3).to_string())
    if given.plot:
        draw(timeline, n_requests, given.plot)
    margin = clicks["pipeline"] - clicks["nightly_als"]
    gained = clicks["pipeline"] - clicks["pipeline_no_bandit"]
    others = {name: values.mean() for name, values in clicks.items() if name != "oracle"}
    line = {
        "share_of_oracle": {name: round(float(one.mean()), 4) for name, one in clicks.items()},
        "best": max(others, key=others.__getitem__),
        "intervals": {name: interval(values) for name, values in clicks.items()},
        "revenue_share_of_oracle": {
            name: round(float(values.mean()), 4) for name, values in revenue.items()
        },
        "revenue_intervals": {name: interval(values) for name, values in revenue.items()},
        "expected_share_of_oracle": {
            name: round(float(values.mean()), 4) for name, values in expected.items()
        },
        "expected_margin_over_nightly_als": round(
            float((expected["pipeline"] - expected["nightly_als"]).mean()), 4
        ),
        "expected_margin_interval": interval(expected["pipeline"] - expected["nightly_als"]),
        "expected_bandit_gain": round(
            float((expected["pipeline"] - expected["pipeline_no_bandit"]).mean()), 4
        ),
        "expected_bandit_gain_interval": interval(
            expected["pipeline"] - expected["pipeline_no_bandit"]
        ),
        "margin_over_nightly_als": round(float(margin.mean()), 4),
        "margin_interval": interval(margin),
        "bandit_gain": round(float(gained.mean()), 4),
        "bandit_gain_interval": interval(gained),
        "clicks_per_request": {
            name: round(float(np.mean([lives[name, seed]["clicks"].mean() for seed in seeds])), 4)
            for name in SHOPS
        },
        "answer_ms": _mean(lives, seeds, "answer_ms"),
        "learn_ms": _mean(lives, seeds, "learn_ms"),
        "fit_s": _mean(lives, seeds, "fit_s"),
        "seeds": seeds,
        "requests": n_requests,
        "chosen_on": "worlds of other seeds (100 and above)",
        "loop_seconds": round(time.perf_counter() - begun, 1),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "versions": {one: version(one) for one in ("recopersona", "numpy", "scipy", "numba")},
    }
    if not given.quick:
        line |= _page_time.measured(quick=False)
    print(json.dumps(line))


def _mean(lives: dict[tuple[str, int], dict[str, Any]], seeds: list[int], what: str) -> Any:
    return {
        name: round(float(np.mean([lives[name, seed][what] for seed in seeds])), 3)
        for name in SHOPS
    }


if __name__ == "__main__":
    main()
