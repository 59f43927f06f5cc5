"""What a gate costs: one event, one page, a whole log, with and without a ledger before them.

    python benchmarks/_gate_cost.py [--quick]

A ledger holds a consent of each of 100,000 subjects, of some two. Two models of one kind are fitted
on the same log, one of them behind the ledger; then both take the same events one at a time and
answer the same visitors, turn by turn in blocks, so that whatever else the machine does falls on
both. Figures are medians of blocks; a ratio is with the gate over without. A log of ten million
rows is asked about as a whole, read into a dataset with and without, and asked about again by
``fit``.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
from collections.abc import Callable
from importlib.metadata import version
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np
import pandas as pd

import recopersona as rp
from recopersona.base.recommender import as_dataset

SUBJECTS, ITEMS = 100_000, 2_000
BLOCK = 500
START = 1_750_000_000_000
DAY = 86_400_000


def main() -> None:
    """Measure, print, and end with one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true")
    quick = parser.parse_args().quick
    random = np.random.default_rng(1)
    ledger = filled_ledger(random)
    print(ledger)
    figures = one_by_one(ledger, random, blocks=10 if quick else 40)
    figures |= whole_log(ledger, random, n=1_000_000 if quick else 10_000_000)
    figures |= {
        "subjects": SUBJECTS,
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "recopersona": version("recopersona"),
        "quick": quick,
    }
    print(json.dumps(figures))


def filled_ledger(random: np.random.Generator) -> rp.ConsentLedger:
    """Return a ledger in which all agreed once, a tenth withdrew, and half of those came back."""
    users = np.array([f"u-{number}" for number in range(SUBJECTS)])
    withdrawn = random.choice(users, SUBJECTS // 10, replace=False)
    back = withdrawn[: len(withdrawn) // 2]
    said = [(users, "granted", 0), (withdrawn, "denied", 10), (back, "granted", 20)]
    ledger = rp.ConsentLedger(unknown="denied")
    for subjects, state, days in said:
        moment = pd.Timestamp(START - 100 * DAY + days * DAY, unit="ms")
        ledger.extend(
            pd.DataFrame(
                {"user_id": subjects, "purpose": "personalization", "state": state,
                 "timestamp": moment}
            )
        )  # fmt: skip
    return ledger


def events_of(random: np.random.Generator, n: int) -> pd.DataFrame:
    """Return a log of visitors who are all known to the ledger."""
    names = np.array([f"u-{number}" for number in range(SUBJECTS)], dtype=object)
    return pd.DataFrame(
        {
            "user_id": pd.Categorical.from_codes(random.integers(0, SUBJECTS, n), names),
            "item_id": random.zipf(1.3, n) % ITEMS,
            "timestamp": pd.to_datetime(
                START + np.sort(random.integers(0, 30 * DAY, n)), unit="ms"
            ),
        }
    )


# -- one event, one page -----------------------------------------------------------------------


def one_by_one(
    ledger: rp.ConsentLedger, random: np.random.Generator, blocks: int
) -> dict[str, Any]:
    """Time single events and single pages, block by block with the gate and without."""
    log = events_of(random, 200_000)
    figures: dict[str, Any] = {}
    for name, make in MODELS.items():
        gated, free = make().fit(log, gate=ledger), make().fit(ledger.kept(log))
        agreed = [user for user in free.users_.ids.tolist()[:5_000] if ledger.allows(user, PURPOSE)]
        visitors = [agreed[row] for row in random.integers(0, len(agreed), BLOCK).tolist()]
        later = START + 31 * DAY
        events = [rp.Event(user, row % ITEMS, "view", later) for row, user in enumerate(visitors)]
        for verb, gate_us, free_us in (
            ("event", *in_turn(blocks, events, gated.partial_fit, free.partial_fit)),
            ("page", *in_turn(blocks // 2, visitors, gated.recommend, free.recommend)),
        ):
            figures[f"{name}_{verb}_us"] = round(gate_us, 2)
            figures[f"{name}_{verb}_free_us"] = round(free_us, 2)
            figures[f"{name}_{verb}_ratio"] = round(gate_us / free_us, 3)
            print(f"{name:14} {verb:6} {free_us:8.1f} us without, {gate_us:8.1f} us with")
    who = {"user_id": "u-17", "anonymous_id": None}
    asked, _ = in_turn(blocks, [who] * BLOCK, lambda one: ledger.lets(one, PURPOSE, START), id)
    figures["ask_us"] = round(asked, 2)
    print(f"asking about one event: {asked:.2f} us")
    return figures


PURPOSE = "personalization"
MODELS: dict[str, Callable[[], Any]] = {
    "popularity": lambda: rp.Popularity(),
    "factorization": lambda: rp.Factorization(factors=32, epochs=1, random_state=1),
}


def in_turn(blocks: int, values: list[Any], *verbs: Callable[[Any], Any]) -> tuple[float, float]:
    """Return the median microseconds of a call of each of two verbs, asked block by block."""
    took: list[list[float]] = [[], []]
    for number in range(2 * blocks):
        which = (number + number // 2) % 2  # the one that starts takes turns, too
        start = perf_counter()
        for value in values:
            verbs[which](value)
        took[which].append((perf_counter() - start) / len(values) * 1e6)
    return median(took[0]), median(took[1])


# -- a whole log -------------------------------------------------------------------------------


def whole_log(ledger: rp.ConsentLedger, random: np.random.Generator, n: int) -> dict[str, Any]:
    """Time a whole log: asked about, read, and asked about again before a fit."""
    log = events_of(random, n)
    ask_s, kept = timed(lambda: ledger.kept(log))
    free_s, _ = timed(lambda: rp.Dataset.from_frames(log))
    gated_s, shop = timed(lambda: rp.Dataset.from_frames(log, gate=ledger))
    again_s, _ = timed(lambda: as_dataset(shop))
    print(f"{n:,} rows, {len(kept):,} admitted: asking {ask_s:.2f} s; reading {free_s:.2f} s")
    print(f"without and {gated_s:.2f} s with; asking again before a fit {again_s:.2f} s")
    return {
        "rows": n,
        "rows_admitted": len(kept),
        "ask_rows_per_s": round(n / ask_s),
        "read_s": round(gated_s, 2),
        "read_free_s": round(free_s, 2),
        "read_ratio": round(gated_s / free_s, 3),
        "ask_again_s": round(again_s, 2),
    }


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """Return the better of two runs in seconds, and what came of it."""
    took = []
    for _ in range(2):
        start = perf_counter()
        found = work()
        took.append(perf_counter() - start)
    return min(took), found


if __name__ == "__main__":
    main()
