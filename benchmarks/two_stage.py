"""Two stages against one: does a learned ranker make a better page of the models' candidates?

    python benchmarks/two_stage.py [DATA_DIR] [--quick]

DATA_DIR holds an event log: `events.parquet` that `rp.read_events` recognizes, or one with a
`columns.json` beside it (ours: theirs), or `ratings.parquet` (user_id, item_id, timestamp), with it
perhaps `items.parquet` and `users.parquet`; without DATA_DIR, a synthetic shop is used.

The latest fifth of the events is the test. Where the log has purchases beside other kinds, a
purchase is what is to be foretold, and what was bought before is not shown again; else any event
is, and nothing seen is shown again. Everybody who has such events in the test is asked for live:
at up to five of their moments, drawn with a fixed seed, with the visit so far, when all models have
learned, by `partial_fit` in order of time, everything up to then and nothing after. Relevant is
what she takes from then on; a user counts with the mean over her moments.

Single stages are the very models that the two-stage pipeline has its candidates of. The best of
them is chosen by NDCG@10 in the same way on the latest fifth of the training part, by models of
the rest. The ranker learns from the training part alone. The interval is of the difference of the
means, users drawn again. `rank_ms_p99` is the ranker alone, features included, for 500 candidates.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

import recopersona as rp
from recopersona.evaluation.bootstrap import Resampling
from recopersona.pipeline.fusion import fuse

N, TEST, MOMENTS = 10, 0.2, 5
BOOTSTRAPS = 2_000
TWO_STAGE, FUSED = "two stages", "fused, no ranker"
MOST_FOR_EASE = 6_000  # items: a square matrix of them must fit
QUICK_USERS = 300
VISIT_MS = 30 * 60_000
DISCOUNTS = 1 / np.log2(np.arange(2, N + 2))


class Log(NamedTuple):
    """Events in order of time, and what is to be foretold of them."""

    name: str
    events: pd.DataFrame
    tables: dict[str, Any]
    target: list[str] | None
    seen: str | list[str]

    def dataset(self, events: pd.DataFrame) -> rp.Dataset:
        return rp.Dataset.from_frames(events, **self.tables, event_weights=WEIGHTS)


WEIGHTS = {"view": 1, "click": 1, "wishlist": 2, "cart": 3, "purchase": 5}


class Request(NamedTuple):
    """Who is asked for, when, after how many events of the log, and what she takes from then on."""

    query: rp.Query
    after: int
    relevant: frozenset[Any]


# -- data ------------------------------------------------------------------------------------


def load(folder: str | None, quick: bool) -> Log:
    tables: dict[str, Any] = {}
    if folder is None:
        made = rp.synthetic_shop(400 if quick else 2_000, 150 if quick else 500)
        name, events = "synthetic", made.events
        tables = {"items": made.catalogue, "users": made.customers}
    else:
        path = Path(folder)
        name = path.resolve().name
        if (path / "ratings.parquet").exists():
            events = pd.read_parquet(path / "ratings.parquet")[["user_id", "item_id", "timestamp"]]
            for what in ("items", "users"):
                if (path / f"{what}.parquet").exists():
                    tables[what] = pd.read_parquet(path / f"{what}.parquet")
        else:
            named = path / "columns.json"
            columns = json.loads(named.read_text()) if named.exists() else None
            told = {"schema": "auto"} if columns is None else {"columns": columns}
            events = rp.read_events(path / "events.parquet", **told)
        events = rp.clean(events)
    events = events.sort_values("timestamp", kind="stable", ignore_index=True)
    if "event" not in events:
        events["event"] = "view"
    if quick:
        late = events.iloc[int((1 - TEST) * len(events)) :]["user_id"].unique()
        some = np.random.default_rng(0).permutation(late)[:QUICK_USERS]
        events = events[events["user_id"].isin(some)].reset_index(drop=True)
        name = f"some of {name}"
    kinds = set(events["event"]) - {"return"}
    buying = "purchase" in kinds and len(kinds) > 1
    return Log(name, events, tables, ["purchase"] if buying else None,
               ["purchase"] if buying else "drop")  # fmt: skip


def requests(log: Log, start: int) -> list[Request]:
    """Ask for everybody who takes something in the events from a row on, at some of the times."""
    events = log.events
    counts = (
        events["event"].ne("return") if log.target is None else events["event"].isin(log.target)
    )
    late = events.iloc[start:]
    taken = late[counts.iloc[start:]]
    moments = taken[["user_id", "timestamp"]].drop_duplicates().sample(frac=1, random_state=0)
    some = moments.groupby("user_id", sort=False).head(MOMENTS)
    times = milliseconds(events["timestamp"])
    of_user = {user: rows.to_numpy() for user, rows in
               pd.Series(np.arange(len(events))).groupby(events["user_id"].to_numpy())}  # fmt: skip
    items, kinds = events["item_id"].to_numpy(object), events["event"].to_numpy(object)
    wanted = counts.to_numpy()
    asked = []
    for user, moment in some.itertuples(index=False):
        rows = of_user[user]
        at, now = times[rows], int(milliseconds(pd.Series([moment]))[0])
        before, after = rows[at < now], rows[at >= now]
        seen = kinds[before] != "return" if log.seen == "drop" else np.isin(kinds[before], log.seen)
        relevant = frozenset(items[after[wanted[after]]]) - frozenset(items[before[seen]])
        if relevant:
            query = rp.Query(user, session=visit(items[before], at[at < now], now), now=moment)
            first_after = int(np.searchsorted(times, now, side="left"))
            asked.append(Request(query, first_after, relevant))
    return sorted(asked, key=lambda one: one.after)


def milliseconds(times: pd.Series) -> np.ndarray:
    return pd.DatetimeIndex(times).as_unit("ms").asi8


def visit(items: np.ndarray, times: np.ndarray, now: int) -> list[Any]:
    gaps = np.diff(np.append(times[-20:], now))
    over = np.flatnonzero(gaps > VISIT_MS)
    return items[-20:][over[-1] + 1 if len(over) else 0 :].tolist()


# -- models ----------------------------------------------------------------------------------


def candidates(log: Log) -> list[tuple[str, rp.Recommender]]:
    n_items = log.events["item_id"].nunique()
    models: list[tuple[str, rp.Recommender]] = [
        ("ALS", rp.ALS(factors=64)),
        ("ItemKNN", rp.ItemKNN()),
        ("SessionKNN", rp.SessionKNN()),
        ("SequentialRules", rp.SequentialRules()),
        ("Popularity", rp.Popularity(half_life="14d")),
        ("Trending", rp.Trending()),
    ]
    if n_items <= MOST_FOR_EASE:
        models.append(("EASE", rp.EASE()))
    if log.target is not None:
        models.append(("Revisit", rp.Revisit()))
    return models


def two_stage(log: Log) -> rp.Pipeline:
    ranker = rp.BoostedRanker(target=log.target, seen=log.seen)
    return rp.Pipeline(candidates=candidates(log), ranker=ranker)


# -- living through --------------------------------------------------------------------------


def together(asked: list[Request]) -> Iterator[list[Request]]:
    """Cut requests into groups of which all come after the same events."""
    group: list[Request] = []
    for one in asked:
        if group and one.after != group[0].after:
            yield group
            group = []
        group.append(one)
    if group:
        yield group


def live(home: rp.Pipeline, log: Log, start: int, asked: list[Request]) -> dict[str, np.ndarray]:
    """Return NDCG@10 of every model, and of the pipeline, one value per user."""
    found: dict[str, list[float]] = {}
    done = start
    for group in together(asked):
        due = log.events.iloc[done : group[0].after]
        if len(due):
            home.partial_fit(due)
        done = group[0].after
        queries = [one.query for one in group]
        lists = {
            name: model.rank_many(queries, N, seen=log.seen)
            for name, model in home.candidates_.items()
        }
        lists[FUSED] = fused(home, queries, log.seen)
        if home.ranker_ is not None:
            lists[TWO_STAGE] = home.rank_many(queries, N, seen=log.seen)
        for name, rankings in lists.items():
            found.setdefault(name, []).extend(
                gain(ranking.item_ids, one.relevant)
                for ranking, one in zip(rankings, group, strict=True)
            )
    users = [one.query.user_id for one in asked]
    return {name: pd.Series(values).groupby(users).mean().to_numpy()
            for name, values in found.items()}  # fmt: skip


def fused(home: rp.Pipeline, queries: list[rp.Query], seen: Any) -> list[rp.Ranking]:
    names = tuple(home.candidates_)
    lists = [model.rank_many(queries, home.pool, seen=seen) for model in home.candidates_.values()]
    own = [[one.take(np.array(one.source) == 0) for one in rankings] for rankings in lists]
    return [fuse(several, names, [1.0] * len(names), home.items_).top(N)
            for several in zip(*own, strict=True)]  # fmt: skip


def gain(items: list[Any], relevant: frozenset[Any]) -> float:
    hits = np.array([item in relevant for item in items], np.float64)
    return float((hits * DISCOUNTS[: len(hits)]).sum() / DISCOUNTS[: min(N, len(relevant))].sum())


def rank_ms(home: rp.Pipeline, asked: list[Request], seen: Any) -> dict[str, float]:
    """Return the ranker's milliseconds for up to 500 candidates, and how many there were.

    By the clock on the wall, and under `cpu` what this thread was at work.
    """
    times, at_work, sizes = [], [], []
    for one in asked[:: max(1, len(asked) // 100)]:
        pool = fused_pool(home, one.query, seen)
        home.ranker_(one.query, pool)
        for _ in range(5):
            start, began = time.perf_counter(), time.thread_time()
            home.ranker_(one.query, pool)
            times.append(1_000 * (time.perf_counter() - start))
            at_work.append(1_000 * (time.thread_time() - began))
        sizes.append(len(pool))
    return {
        "rank_ms_p99": round(float(np.quantile(times, 0.99)), 3),
        "rank_ms_p50": round(float(np.median(times)), 3),
        "rank_cpu_ms_p99": round(float(np.quantile(at_work, 0.99)), 3),
        "rank_candidates": int(np.median(sizes)),
        "rank_columns": len(home.ranker_.columns_.names_),
    }


def fused_pool(home: rp.Pipeline, query: rp.Query, seen: Any) -> rp.Ranking:
    names = tuple(home.candidates_)
    lists = [model.recommend(query, 500, seen=seen) for model in home.candidates_.values()]
    return fuse(lists, names, [1.0] * len(names), home.items_).top(500)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?")
    parser.add_argument("--quick", action="store_true")
    given = parser.parse_args()
    begun = time.perf_counter()
    log = load(given.folder, given.quick)
    n = len(log.events)
    first_test = int((1 - TEST) * n)
    first_validation = int((1 - TEST) * first_test)
    known = log.events.iloc[:first_test]
    what = "any event" if log.target is None else "/".join(log.target)
    print(f"{log.name}: {n:,} events, {log.events['user_id'].nunique():,} users, "
          f"{log.events['item_id'].nunique():,} items; to be foretold: {what}")  # fmt: skip

    past = log._replace(events=known)
    asked = requests(past, first_validation)
    plain = rp.Pipeline(candidates=candidates(log))
    plain.fit(log.dataset(known.iloc[:first_validation]))
    lived = live(plain, past, first_validation, asked)
    validation = {name: float(values.mean()) for name, values in lived.items()}
    single = {name: value for name, value in validation.items() if name != FUSED}
    best = max(single, key=single.__getitem__)
    print(f"validation: {len(asked)} requests, best single stage {best}", flush=True)

    start = time.perf_counter()
    home = two_stage(log).fit(log.dataset(known))
    fit_s = time.perf_counter() - start
    print(
        f"fitted in {fit_s:.1f} s; lessons: {home.ranker_.counts_} {home.ranker_.untaught_}",
        flush=True,
    )
    asked = requests(log, first_test)
    values = live(home, log, first_test, asked)
    table = pd.DataFrame({
        "validation": pd.Series(validation),
        "test": pd.Series({name: column.mean() for name, column in values.items()}),
    })  # fmt: skip
    print(f"test: {len(asked)} requests\n" + table.round(4).to_string())
    print(home.ranker_.importances.head(15).round(3).to_string())
    difference = values[TWO_STAGE] - values[best]
    found = Resampling(n_boot=BOOTSTRAPS).of(difference[:, None], np.arange(len(difference)))
    interval = found.low.item(), found.high.item()
    speed = rank_ms(home, asked, log.seen)
    print(f"two stages - {best}: {difference.mean():+.4f}, between {interval[0]:+.4f} and "
          f"{interval[1]:+.4f}; ranker p99 {speed['rank_ms_p99']:.2f} ms")  # fmt: skip
    line = {
        "data": log.name,
        "foretold": what,
        "ndcg10_single": round(float(values[best].mean()), 4),
        "ndcg10_two_stage": round(float(values[TWO_STAGE].mean()), 4),
        "lift": round(float(difference.mean()), 4),
        "ci": [round(float(one), 4) for one in interval],
        "best": best,
        "chosen_on": "NDCG@10 on the latest fifth of the training part, lived through",
        "ndcg10": {name: round(float(column.mean()), 4) for name, column in values.items()},
        "validation": {name: round(value, 4) for name, value in validation.items()},
        "requests": len(asked),
        "users": len(difference),
        "lessons": home.ranker_.counts_,
        **speed,
        "fit_s": round(fit_s, 1),
        "seconds": round(time.perf_counter() - begun, 1),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "versions": {one: version(one) for one in ("recopersona", "numpy", "scipy", "numba")},
    }
    print(json.dumps(line))


if __name__ == "__main__":
    main()
