"""How long the whole pipeline takes for one page: 100,000 items, eight rules, ranker and bandit.

A chapter of `closed_loop.py`; alone: `python benchmarks/_page_time.py [--quick]`.

A made-up shop of 100,000 items and 20,000 customers, in 40 tastes. The pipeline is the one of the
guide: collaborative, session, content and popular candidates, 100 of each; the eight everyday rules
of `rules.py`; a `BoostedRanker` that learned from the log; a `BanditReranker` that draws how much
freshness, diversity and serendipity a page gets. Every request is another visitor or another visit,
so that no answer can be remembered; 200 requests before them make sure that everything is compiled.
Between two requests in ten, a click comes in, by `partial_fit` and `feedback`, outside the clock.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from typing import Any

import numpy as np
import pandas as pd
from rules import EIGHT

import recopersona as rp

N_ITEMS, N_USERS, N_TASTES, DAYS = 100_000, 20_000, 40, 60
SLOTS, POOL = 20, 100
NOW = pd.Timestamp("2026-07-02T10:00Z")


def shop(n_items: int = N_ITEMS, n_users: int = N_USERS, seed: int = 0) -> rp.Dataset:
    """Make up a shop in which everybody likes two tastes, and some items are liked by many."""
    rng = np.random.default_rng(seed)
    taste = rng.integers(N_TASTES, size=n_items)
    created = NOW - pd.to_timedelta(rng.exponential(200, n_items) * 24, unit="h")
    catalogue = pd.DataFrame({
        "item_id": np.arange(n_items),
        "category": pd.Series(taste // 4).map("category {}".format),
        "brand": pd.Series(taste * 10 + rng.integers(10, size=n_items)).map("brand {}".format),
        "price": rng.lognormal(3, 0.7, n_items).round(2),
        "stock": rng.poisson(4, n_items),
        "discount": np.where(rng.random(n_items) < 0.1, 0.2, 0.0),
        "sponsored": rng.random(n_items) < 0.01,
        "adult": rng.random(n_items) < 0.02,
        "created_at": created,
    })  # fmt: skip
    low = rng.lognormal(1.5, 0.4, n_users)
    customers = pd.DataFrame({
        "user_id": np.arange(n_users),
        "age": rng.integers(15, 80, n_users),
        "price_lo": low.round(2),
        "price_hi": (low * rng.uniform(8, 40, n_users)).round(2),
    })  # fmt: skip
    members = [np.flatnonzero(taste == one) for one in range(N_TASTES)]
    likes = rng.integers(N_TASTES, size=(n_users, 2))
    visits = rng.integers(1, 12, n_users)
    who = np.repeat(np.arange(n_users), visits)
    start = rng.uniform(0, DAYS * 86_400, len(who))
    clicks = rng.integers(1, 6, len(who))
    user = np.repeat(who, clicks)
    liked = np.repeat(likes[who, rng.integers(2, size=len(who))], clicks)
    rank = (rng.random(len(user)) ** 3 * (n_items // N_TASTES - 200)).astype(np.int64)
    item = np.array([members[one][place] for one, place in zip(liked, rank, strict=True)])
    ends = np.cumsum(clicks)
    within = np.arange(len(user)) - np.repeat(ends - clicks, clicks)
    at = NOW - pd.to_timedelta(np.repeat(start, clicks) - 60 * within, unit="s")
    events = pd.DataFrame({
        "user_id": user,
        "item_id": item,
        "event": np.where(rng.random(len(user)) < 0.06, "purchase", "view"),
        "timestamp": at,
    })  # fmt: skip
    return rp.Dataset.from_frames(
        events[at < NOW], items=catalogue, users=customers,
        event_weights={"view": 1, "purchase": 5},
    )  # fmt: skip


def pipeline() -> rp.Pipeline:
    return rp.Pipeline(
        candidates=[
            rp.ALS(factors=32, iterations=6),
            rp.SessionKNN(),
            rp.ContentKNN(),
            rp.Popularity(half_life="7d"),
        ],
        rules=EIGHT,
        ranker=rp.BoostedRanker(requests=1_000, seen=["purchase"]),
        reranker=rp.BanditReranker(),
        pool=POOL,
    )


def queries(made: rp.Dataset, n: int, seed: int = 1) -> list[rp.Query]:
    """Ask for many visitors: most known, some strangers; most on the way through a visit."""
    rng = np.random.default_rng(seed)
    users = rng.permutation(N_USERS)[:n]
    log = made.log
    asked = []
    for number, user in enumerate(users.tolist()):
        last = log.items[rng.integers(len(log))]
        own = log.items[log.users == made.users.index(user)][-2:]
        session = made.items.ids[np.append(own, last)[-rng.integers(1, 4) :]].tolist()
        asked.append(
            rp.Query(
                None if number % 10 == 9 else user,
                session=() if number % 4 == 3 else session,
                context={"page": "home", "device": "mobile" if number % 2 else "desktop"},
                now=NOW,
                decision_id=f"page {number}",
            )
        )
    return asked


def measured(quick: bool) -> dict[str, Any]:
    """Fit, ask, and return the milliseconds of a page."""
    begun = time.perf_counter()
    made = shop()
    home = pipeline().fit(made)
    fit_s = time.perf_counter() - begun
    asked = queries(made, 500 if quick else 2_200)
    for query in asked[:200]:
        home.recommend(query, SLOTS, seen=["purchase"])
    times, at_work, short = [], [], 0
    for number, query in enumerate(asked[200:]):
        start, began = time.perf_counter(), time.thread_time()
        page = home.recommend(query, SLOTS, seen=["purchase"])
        times.append(1_000 * (time.perf_counter() - start))
        at_work.append(1_000 * (time.thread_time() - began))
        short += len(page) < SLOTS
        if number % 10 < 2:
            home.feedback(query.decision_id, clicked=page.item_ids[:1])
            home.partial_fit(rp.Event(query.user_id or "a stranger", page[0], "click", NOW))
    return {
        "pipeline_p99_ms": _round(np.quantile(times, 0.99)),
        "pipeline_p50_ms": _round(np.median(times)),
        "pipeline_cpu_p99_ms": _round(np.quantile(at_work, 0.99)),
        "pipeline_requests": len(times),
        "pipeline_items": N_ITEMS,
        "pipeline_candidates": POOL * 4,
        "pipeline_short_pages": short,
        "pipeline_fit_s": _round(fit_s),
    }


def _round(value: float) -> float:
    return round(float(value), 3)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    found = measured(parser.parse_args().quick)
    print(json.dumps(found | {"cores": os.cpu_count()}))


if __name__ == "__main__":
    main()
