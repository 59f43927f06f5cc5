"""How fast visits are answered: beside a plain VSTAN, and over an index of ten million clicks.

    python benchmarks/_session_speed.py DATA_DIR [--quick]

DATA_DIR holds `train.parquet` (item lists) and `test.parquet` (prefixes). Ours is the public
`recommend`, one request at a time; the peer is VSTAN in plain Python with dictionaries and sets, as
session-rec has it. Both answer the same prefixes, alternating in one process. Every request and
every append is timed three times (appends go to three copies of the model), and the least counts:
what else the machine does is not the model's.
"""

from __future__ import annotations

import argparse
import copy
import json
import math
import os
import platform
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import recopersona as rp

N, REPEATS = 20, 3
CLICKS, QUICK_CLICKS = 10_000_000, 1_000_000
ITEMS_PER_CLICK, USERS_PER_CLICK = 0.1, 0.04
NOON = 1_700_000_000_000


class PlainVSTAN:
    """VSTAN in plain Python, by the steps that session-rec takes; the latest visit stands last.

    Visits are lists, candidates a set of all that share an item, each compared by a set of its
    own; the answer is a score for every item of the catalogue.
    """

    k, sample, position_decay, distance_decay, score_decay = 500, 1_000, 7.24, 3.62, 3.62

    def __init__(self, visits: list[list[int]]) -> None:
        self.visits = visits
        self.having: dict[int, set[int]] = {}
        for number, visit in enumerate(visits):
            for item in visit:
                self.having.setdefault(item, set()).add(number)
        self.rarity = {i: math.log(len(visits) / len(have)) for i, have in self.having.items()}
        self.catalogue = np.array(list(self.having))

    def recommend(self, visit: list[int]) -> list[int]:
        scores = self.scores(visit, self.nearest(visit))
        known = np.isin(self.catalogue, list(scores))
        values = np.zeros(len(self.catalogue))
        values[known] = [scores[item] for item in self.catalogue[known]]
        return pd.Series(values, self.catalogue).nlargest(N).index.tolist()

    def nearest(self, visit: list[int]) -> list[tuple[int, float]]:
        candidates = set().union(*(self.having.get(item, set()) for item in visit))
        latest = sorted(candidates, reverse=True)[: self.sample]
        weights = {}
        for place, item in enumerate(visit):
            weights[item] = math.exp((place + 1 - len(visit)) / self.position_decay)
        alike = []
        for number in latest:
            theirs = set(self.visits[number])
            own = shared = 0.0
            for item, weight in weights.items():
                own += weight * weight
                if item in theirs:
                    shared += weight
            alike.append((number, shared / math.sqrt(own) / math.sqrt(len(theirs))))
        return sorted(alike, key=lambda pair: pair[1], reverse=True)[: self.k]

    def scores(self, visit: list[int], near: list[tuple[int, float]]) -> dict[int, float]:
        own, scores = set(visit), dict[int, float]()
        for number, likeness in near:
            last, shared_at = {}, 0
            for place, item in enumerate(self.visits[number]):
                last[item] = place
                if item in own:
                    shared_at = place
            latest = max(place for place, item in enumerate(visit) if item in last)
            voice = math.exp((latest + 1 - len(visit)) / self.score_decay)
            for item, place in last.items():
                heard = voice * math.exp(-abs(place - shared_at) / self.distance_decay)
                score = likeness * heard * (1 + self.rarity[item])
                scores[item] = scores.get(item, 0.0) + score
        return scores


def figures(train: list[Any], prefixes: list[Any], quick: bool) -> dict[str, Any]:
    """Return every figure of speed."""
    return {**beside_a_peer(train, prefixes, quick), **at_scale(train, quick)}


def beside_a_peer(train: list[Any], prefixes: list[Any], quick: bool) -> dict[str, Any]:
    """Answer the same prefixes by turns."""
    visits = [list(map(int, visit)) for visit in train]
    rows = np.repeat(np.arange(len(visits)), [len(visit) for visit in visits])
    log = pd.DataFrame({"user_id": rows, "item_id": np.concatenate(visits)})
    start = time.perf_counter()
    model = rp.SessionKNN().fit(log)
    fit_s = time.perf_counter() - start
    peer = PlainVSTAN(visits)
    random = np.random.default_rng(1)
    asked = random.choice(len(prefixes), min(len(prefixes), 500 if quick else 3_000), replace=False)
    ours, theirs = [], []
    for number in asked.tolist():
        visit = list(map(int, prefixes[number]))
        query = rp.Query(session=visit)
        times = [
            (
                milliseconds(lambda query=query: model.recommend(query, n=N)),
                milliseconds(lambda visit=visit: peer.recommend(visit)),
            )
            for _ in range(REPEATS)
        ]
        ours.append(min(our for our, _ in times))
        theirs.append(min(their for _, their in times))
    return {
        "fit_s": fit_s,
        **percentiles("answer", ours),
        **percentiles("plain_vstan", theirs),
        "p90_ratio": np.percentile(theirs, 90) / np.percentile(ours, 90),
    }


def at_scale(train: list[Any], quick: bool) -> dict[str, Any]:
    """Index many clicks in visits as long as real ones; answer and append, one at a time."""
    n = QUICK_CLICKS if quick else CLICKS
    random = np.random.default_rng(0)
    lengths = np.array([len(visit) for visit in train])
    shop, asked = synthetic(n, lengths, random)
    start = time.perf_counter()
    model = rp.SessionKNN().fit(shop)
    fit_s = time.perf_counter() - start
    index = model.index_
    index_bytes = sum(value.nbytes for value in vars(index).values() if hasattr(value, "nbytes"))
    start = time.perf_counter()
    rebuilt = type(index).of(visits_in(index), len(model.users_), len(model.items_), 100)
    build_s = time.perf_counter() - start
    del rebuilt
    queries = [rp.Query(session=visit) for visit in asked]
    answers = [
        [milliseconds(lambda query=query: model.recommend(query, n=N)) for query in queries]
        for _ in range(REPEATS)
    ]
    appends, visible = [], 0
    for _ in range(REPEATS):
        times, visible = appended(copy.deepcopy(model), asked)
        appends.append(times)
    answers, appends = np.min(answers, axis=0), 1e3 * np.min(appends, axis=0)
    return {
        "clicks": n,
        "items": len(model.items_),
        "scale_fit_s": fit_s,
        "index_build_s": build_s,
        "index_bytes_per_click": index_bytes / n,
        **percentiles("scale_answer", answers),
        "append_us_p50": np.percentile(appends, 50),
        "append_us_p99": np.percentile(appends, 99),
        "append_us_most": appends.max(),
        "appends_visible": visible / len(asked),
    }


def appended(model: Any, asked: list[list[int]]) -> tuple[list[float], int]:
    """Append the clicks of new visitors; return milliseconds, and how many are found at once."""
    times, visible = [], 0
    for number, visit in enumerate(asked):
        for item in visit:
            event = rp.Event(f"visitor {number}", item, "view", NOON + 2 * 10**10 + len(times))
            times.append(milliseconds(lambda event=event: model.partial_fit(event)))
        clicks = model._known_items(visit)
        nearest = model.index_.nearest(clicks[:1], np.ones(1), 1, 1, 0, 0, 0.0).visits
        visible += model.index_.clicks_of(int(nearest[0])).tolist() == clicks[-100:].tolist()
    return times, visible


def synthetic(n: int, lengths: Any, random: Any) -> tuple[rp.Dataset, list[list[int]]]:
    """Visits among items that lie close together; few items are in many visits, many in few."""
    n_items, n_users = int(n * ITEMS_PER_CLICK), int(n * USERS_PER_CLICK)
    sizes = random.choice(lengths, int(1.1 * n / lengths.mean()))
    sizes = sizes[: np.searchsorted(np.cumsum(sizes), n)]
    visit = np.repeat(np.arange(len(sizes)), sizes)
    begun = (n_items * random.random(len(sizes)) ** 2.5).astype(np.int64)
    steps = (random.geometric(0.4, len(visit)) - 1) * random.choice([-1, 1], len(visit))
    items = np.clip(begun[visit] + steps, 0, n_items - 1)
    log = rp.Interactions(
        users=random.integers(0, n_users, len(sizes))[visit], items=items,
        event=np.full(len(visit), rp.EVENT_TYPES.index("view")),
        weight=np.ones(len(visit)), timestamp=NOON + np.arange(len(visit)) * 1_000, session=visit,
    )  # fmt: skip
    users, catalogue = rp.IdMap(range(n_users)), rp.IdMap(range(n_items))
    shop = rp.Dataset(log, users, catalogue, rp.FeatureTable(users), rp.FeatureTable(catalogue))
    starts = np.concatenate([[0], np.cumsum(sizes)])
    shown = random.choice(len(sizes), 2_000, replace=False)
    asked = [items[starts[v] : starts[v] + random.integers(1, sizes[v])].tolist() for v in shown]
    return shop, asked


def visits_in(index: Any) -> Any:
    """Take the visits out of an index that nothing was appended to."""
    from recopersona.models.visits import Visits

    bounds = np.append(index.starts_, len(index.clicks_))
    return Visits(bounds, index.clicks_, index.owners_, index.ends_)


def milliseconds(call: Any) -> float:
    start = time.perf_counter()
    call()
    return 1e3 * (time.perf_counter() - start)


def percentiles(name: str, values: list[float]) -> dict[str, float]:
    return {f"{name}_ms_p{p}": float(np.percentile(values, p)) for p in (50, 90, 99)}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    train = pd.read_parquet(options.data / "train.parquet")["items"].tolist()
    prefixes = pd.read_parquet(options.data / "test.parquet")["prefix"].tolist()
    found = figures(train, prefixes, options.quick)
    for name, value in found.items():
        print(f"{name:28} {value:12.4g}")
    print(json.dumps({
        name: float(value) for name, value in found.items()
    } | {"cores": os.cpu_count(), "python": platform.python_version()}))  # fmt: skip


if __name__ == "__main__":
    main()
