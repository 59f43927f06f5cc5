"""What is clicked next in a visit: how often the models know, and how long they think about it.

    python benchmarks/sessions.py [DATA_DIR] [--quick] [--models A,B] [--lists OUT.parquet]

DATA_DIR holds `train.parquet` (a list of `items` for each visit, in order of time) and
`test.parquet` (`prefix`: the visit so far, `target`: the item clicked next); without one, visits
are made up. Every model has its default settings, or those that its paper publishes, and ranks all
items for every prefix; items of the visit are not left out. HR@20 is the share of prefixes whose
target is among the first 20, MRR@20 the mean of 1 / its rank, 0 beyond 20.

`best` has the highest MRR@20 on the validation part: the last tenth of train, asked about each
click that has two or more before it, with models that have learned from the rest. The figures
beside it are those of the same model, fitted anew on all of train, on test.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import clone

import recopersona as rp

N = 20
VALIDATION = 0.1
MOST_VALIDATED = 5_000
TIMED = 1_000
QUICK_VISITS, QUICK_PREFIXES = 5_000, 800
Visits = list[list[Any]]


BLENDED = (
    "SessionKNN", "SessionKNN_stan", "SequentialRules", "Markov", "SessionLinear", "SessionFactors",
)  # fmt: skip


def contenders() -> dict[str, rp.Recommender]:
    """The models by name: their class, and the preset where it is not the default."""
    models = {
        "Popularity": rp.Popularity(),
        "ItemKNN": rp.ItemKNN(),
        "Markov": rp.Markov(),
        "SequentialRules": rp.SequentialRules(),
        "SessionLinear": rp.SessionLinear(),
        "Item2Vec": rp.Item2Vec(),
        "SessionFactors": rp.SessionFactors(),
        "SessionKNN": rp.SessionKNN(),
    }
    for preset in ("sknn", "vsknn", "stan", "vstan"):
        models[f"SessionKNN_{preset}"] = rp.SessionKNN.preset(preset)
    models["SessionBlend"] = rp.SessionBlend(models=[(name, models[name]) for name in BLENDED])
    return models


def shop_of(visits: Visits) -> rp.Dataset:
    """Each visit is a user's of its own; there are no times, so the order of rows is the order."""
    sizes = [len(visit) for visit in visits]
    items = np.concatenate([np.asarray(visit) for visit in visits])
    users = np.repeat(np.arange(len(visits)), sizes)
    return rp.Dataset.from_frames(pd.DataFrame({"user_id": users, "item_id": items}))


def prefixes_of(visits: Visits, most: int) -> tuple[Visits, list[Any]]:
    """Every click with two or more before it, or an even choice of them."""
    asked = [(visit, end) for visit in visits for end in range(2, len(visit))]
    step = max(1, -(-len(asked) // most))
    return [visit[:end] for visit, end in asked[::step]], [
        visit[end] for visit, end in asked[::step]
    ]


def lists_of(model: rp.Recommender, prefixes: Visits) -> np.ndarray:
    """The best N items of every prefix, ids as objects, None where a list is short."""
    lists = np.full((len(prefixes), N), None, object)
    queries = [rp.Query(session=prefix) for prefix in prefixes]
    for row, ranking in enumerate(model.rank_many(queries, N)):
        ids = ranking.item_ids
        lists[row, : len(ids)] = ids
    return lists


def quality(lists: np.ndarray, targets: list[Any]) -> dict[str, float]:
    hit = lists == np.array(targets, object)[:, None]
    found = hit.any(axis=1)
    reciprocal = np.where(found, 1 / (hit.argmax(axis=1) + 1), 0)
    return {"hr20": float(found.mean()), "mrr20": float(reciprocal.mean())}


def answer_times(model: rp.Recommender, prefixes: Visits) -> dict[str, float]:
    """How long one answer takes in process, in milliseconds, the Query included."""
    some = prefixes[:: max(1, len(prefixes) // TIMED)]
    model.recommend(rp.Query(session=some[0]), N)
    times = []
    for prefix in some:
        start = time.perf_counter()
        model.recommend(rp.Query(session=prefix), N)
        times.append(1e3 * (time.perf_counter() - start))
    p50, p90, p99 = np.percentile(times, [50, 90, 99])
    return {"p50_ms": p50, "p90_ms": p90, "p99_ms": p99}


def read(folder: str | None, quick: bool) -> tuple[Visits, Visits, list[Any]]:
    if folder is None:
        visits = made_up(4_000 if quick else 20_000)
        cut = int(0.95 * len(visits))
        return visits[:cut], *prefixes_of(visits[cut:], 10**9)
    import pyarrow.parquet as parquet

    train = parquet.read_table(Path(folder) / "train.parquet")["items"].to_pylist()
    test = parquet.read_table(Path(folder) / "test.parquet")
    prefixes, targets = test["prefix"].to_pylist(), test["target"].to_pylist()
    if quick:
        step = max(1, len(prefixes) // QUICK_PREFIXES)
        train, prefixes, targets = train[-QUICK_VISITS:], prefixes[::step], targets[::step]
    return train, prefixes, targets


def made_up(n: int) -> Visits:
    """Visitors walk among near items and now and then return to one they saw."""
    random = np.random.default_rng(0)
    n_items, visits = 2_000, []
    for _ in range(n):
        visit = [int(n_items * random.random() ** 2)]
        while random.random() < 0.8 and len(visit) < 50:
            if random.random() < 0.2:
                visit.append(visit[random.integers(len(visit))])
            else:
                visit.append((visit[-1] + int(random.geometric(0.3))) % n_items)
        visits.append(visit)
    return [visit for visit in visits if len(visit) > 1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", nargs="?")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--models", help="names, comma-separated; all unless given")
    parser.add_argument("--lists", help="where to write the lists of the best: row, item, rank")
    options = parser.parse_args()
    models = contenders()
    if options.models:
        models = {name: models[name] for name in options.models.split(",")}
    train, prefixes, targets = read(options.data, options.quick)
    cut = int((1 - VALIDATION) * len(train))
    early, everything = shop_of(train[:cut]), shop_of(train)
    late = prefixes_of(train[cut:], MOST_VALIDATED // 5 if options.quick else MOST_VALIDATED)
    for model in fitted(models, shop_of(made_up(100))).values():  # compiles what they need
        model.recommend(rp.Query(session=[0, 1]), N)
    print(f"{len(train):,} visits, {len(everything.items):,} items, {len(prefixes):,} prefixes")
    print(
        f"{'':18} {'HR@20':>7} {'MRR@20':>7}  {'validation':>15}  {'p50, p90 ms':>13} {'fit s':>7}"
    )
    validation = {
        name: quality(lists_of(model, late[0]), late[1])
        for name, model in fitted(models, early).items()
    }
    figures, lists = {}, {}
    with timed_fits() as seconds:
        models = fitted(models, everything)
    for name, model in models.items():
        lists[name] = lists_of(model, prefixes)
        figures[name] = quality(lists[name], targets) | answer_times(model, prefixes)
        figures[name]["fit_s"] = seconds[repr(model)]
        print(line(name, figures[name], validation[name]), flush=True)
    best = max(validation, key=lambda name: validation[name]["mrr20"])
    if options.lists:
        write_lists(lists[best], options.lists)
    print(json.dumps({
        "models": figures,
        "validation": validation,
        "best": best,
        "best_hr20": figures[best]["hr20"],
        "best_mrr20": figures[best]["mrr20"],
        "chosen_on": f"MRR@{N} on the last {VALIDATION:.0%} of the visits of train",
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "numba": version("numba"),
    }))  # fmt: skip


def fitted(models: dict[str, rp.Recommender], shop: rp.Dataset) -> dict[str, rp.Recommender]:
    """Fit clones; of what the blend holds its own parts are taken, which learned from the same."""
    blend = clone(models["SessionBlend"]).fit(shop) if "SessionBlend" in models else None
    parts = {} if blend is None else {**blend.models_, "SessionBlend": blend}
    return {name: parts.get(name) or clone(model).fit(shop) for name, model in models.items()}


@contextmanager
def timed_fits() -> Iterator[dict[str, float]]:
    """Note what every fit takes in seconds, parts' fits too, by the model's repr: the latest."""
    seconds, fit = {}, rp.Recommender.fit

    def timed(model: rp.Recommender, *given: Any) -> rp.Recommender:
        start = time.perf_counter()
        fit(model, *given)
        seconds[repr(model)] = time.perf_counter() - start
        return model

    rp.Recommender.fit = timed
    try:
        yield seconds
    finally:
        rp.Recommender.fit = fit


def line(name: str, test: dict[str, float], validation: dict[str, float]) -> str:
    shares = [part[key] for part in (test, validation) for key in ("hr20", "mrr20")]
    times = f"{test['p50_ms']:6.2f} {test['p90_ms']:6.2f} {test['fit_s']:7.1f}"
    return (
        f"{name:18} {shares[0]:7.4f} {shares[1]:7.4f}  {shares[2]:7.4f} {shares[3]:7.4f}  {times}"
    )


def write_lists(lists: np.ndarray, path: str) -> None:
    rows, places = np.nonzero(lists != None)  # noqa: E711 - elementwise
    frame = pd.DataFrame({"row": rows, "item": lists[rows, places].tolist(), "rank": places + 1})
    frame.to_parquet(path, index=False)


if __name__ == "__main__":
    main()
