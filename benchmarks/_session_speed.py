"""How fast visits are answered: beside a plain VSTAN, and over an index of ten million clicks.

    python benchmarks/_session_speed.py DATA_DIR [--quick]

DATA_DIR holds `train.parquet` (item lists) and `test.parquet` (prefixes). Ours is the public
`recommend`, one request at a time; the peer is VSTAN in plain Python with dictionaries and sets, as
session-rec has it. Both answer the same prefixes, alternating in one process.
"""

from __future__ import annotations

import argparse
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

N = 20
CLICKS, QUICK_CLICKS = 10_000_000, 1_000_000
ITEMS_PER_CLICK, USERS_PER_CLICK = 0.1, 0.04
NOON = 1_700_000_000_000


class PlainVSTAN:
    """VSTAN over dictionaries and sets; the latest visit stands last."""

    k, sample, position_decay, distance_decay, score_decay = 500, 1_000, 7.24, 3.62, 3.62

    def __init__(self, visits: list[list[int]]) -> None:
        self.visits, self.sets = visits, [set(visit) for visit in visits]
        self.having: dict[int, set[int]] = {}
        for number, visit in enumerate(visits):
            for item in visit:
                self.having.setdefault(item, set()).add(number)
        self.rarity = {i: math.log(len(visits) / len(have)) for i, have in self.having.items()}

    def recommend(self, visit: list[int]) -> list[int]:
        steps = {item: len(visit) - 1 - place for place, item in enumerate(visit)}
        weights = {item: math.exp(-step / self.position_decay) for item, step in steps.items()}
        norm = math.sqrt(sum(weight * weight for weight in weights.values()))
        sharing = set().union(*(self.having.get(item, ()) for item in steps))
        alike = []
        for number in sorted(sharing, reverse=True)[: self.sample]:
            theirs = self.sets[number]
            shared = sum(weights[item] for item in weights.keys() & theirs)
            alike.append((shared / norm / math.sqrt(len(theirs)), number))
        alike.sort(key=lambda pair: -pair[0])
        scores: dict[int, float] = {}
        for likeness, number in alike[: self.k]:
            clicks = self.visits[number]
            last = {item: place for place, item in enumerate(clicks)}
            shared_at = max(last[item] for item in steps if item in last)
            voice = math.exp(-min(steps[item] for item in steps if item in last) / self.score_decay)
            for item, place in last.items():
                heard = voice * math.exp(-abs(place - shared_at) / self.distance_decay)
                scores[item] = scores.get(item, 0.0) + likeness * heard * (1 + self.rarity[item])
        return sorted(scores, key=lambda item: -scores[item])[:N]


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
        ours.append(milliseconds(lambda query=query: model.recommend(query, n=N)))
        theirs.append(milliseconds(lambda visit=visit: peer.recommend(visit)))
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
    answers = [
        milliseconds(lambda visit=visit: model.recommend(rp.Query(session=visit), n=N))
        for visit in asked
    ]
    appends, seen = [], 0
    for visit, number in zip(asked, range(10**9), strict=False):
        for item in visit:
            event = rp.Event(f"visitor {number}", item, "view", NOON + 2 * 10**10 + len(appends))
            appends.append(milliseconds(lambda event=event: model.partial_fit(event)))
        code = np.array([model.items_.index(visit[0])], np.int32)
        latest = index.nearest(code, np.ones(1), 1, 1, 0, 0, 0.0).visits
        seen += (
            index.clicks_of(int(latest[0])).tolist() == model._known_items(visit)[-100:].tolist()
        )
    return {
        "clicks": n,
        "items": len(model.items_),
        "scale_fit_s": fit_s,
        "index_build_s": build_s,
        "index_bytes_per_click": index_bytes / n,
        **percentiles("scale_answer", answers),
        "append_us_p50": 1e3 * np.percentile(appends, 50),
        "append_us_p99": 1e3 * np.percentile(appends, 99),
        "appends_visible": seen / len(asked),
    }


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
