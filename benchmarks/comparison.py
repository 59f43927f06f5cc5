"""Is `compare` right about luck, and how long does its test take?

    python benchmarks/comparison.py [--quick]

Needs no data: noise is planted. Every simulated user wants one to five items; a model shows one of
them at a place of its list of ten with a chance of the user's own. Two models of one chance are
equals: whatever differs is luck, and should be found different in 5 of 100 comparisons. A model
whose chances are 3 % higher has an NDCG@10 that is 3 % higher; how often it is found is put beside
the power that a comparison states, for several numbers of users. A part of the users may get the
same list from both models, as happens with models of one kind; the power knows of it.

The same is then done with real calls of `compare`: split, fit, ask, measure, test.

The test is timed on 100,000 users and 10,000 draws, against ranx and SciPy, which draw as well.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
import pandas as pd

import recopersona as rp
from recopersona.evaluation.peak import peak_memory
from recopersona.evaluation.power import Spread
from recopersona.evaluation.randomization import randomization_p
from recopersona.kernels.metrics import discounted_gain

LEVEL, EFFECT, K = 0.05, 0.03, 10
SIMULATIONS, QUICK_SIMULATIONS = 1_000, 1_000
DRAWS = 1_999
BATCH = 50
USERS = ((1_000, 0.0), (4_000, 0.0), (16_000, 0.0), (4_000, 0.8))
QUICK_USERS = ((1_000, 0.0), (4_000, 0.8))
CALLS, QUICK_CALLS = 300, 20
CALL_USERS, CALL_ITEMS = 300, 40
TIMED_USERS, TIMED_DRAWS = 100_000, 10_000


class Guess(rp.Recommender):
    """Ranks by a taste that all models know alike, and by noise of its own."""

    seed: int = rp.param(default=0)

    def _fit(self, dataset: rp.Dataset) -> None:
        shape = len(dataset.users), len(dataset.items)
        taste = np.random.default_rng(0).gumbel(size=shape)
        noise = np.random.default_rng([1, self.seed]).gumbel(size=shape)
        self.scores_ = (taste + noise).astype(np.float32)

    def score_items(self, query: rp.Query, items: Any = None) -> np.ndarray:
        """Return one user's scores."""
        return self.scores_[self.user_of(query)]


def gains(random: np.random.Generator, n: int, users: int, alike: float, effect: float) -> Any:
    """Return the NDCG@10 of two models, each float64 (n, users); the second is better."""
    wanted = random.integers(1, 6, size=(n, users))
    chance = random.beta(1, 8, size=(n, users, 1))
    luck, other_luck = random.random((2, n, users, K), dtype=np.float32)
    same = random.random((n, users, 1)) < alike
    # As many places as there are wanted items may hold one: no list has more hits than there are.
    first = random.integers(K, size=(n, users, 1))
    open_places = (np.arange(K) - first) % K < wanted[..., None]
    other_luck = np.where(same, luck, other_luck)
    found = []
    for drawn, factor in ((luck, 1.0), (other_luck, 1 + effect)):
        hits = open_places & (drawn < factor * chance)
        found.append(discounted_gain(hits.reshape(-1, K), wanted.ravel()).reshape(n, users))
    return found


def simulated(n: int, users: int, alike: float) -> dict[str, float]:
    """Return how often equals are called different, how often a better model, and what is told."""
    random = np.random.default_rng(users)
    called: dict[str, list[Any]] = {"equal": [], "better": [], "told": [], "true": []}
    for number in range(0, n, BATCH):
        for what, effect in (("equal", 0.0), ("better", EFFECT)):
            base, other = gains(random, BATCH, users, alike, effect)
            differences = other - base
            called[what].append(randomization_p(differences, DRAWS, number) <= LEVEL)
            if what == "better":
                spread = Spread.of(differences, np.ones_like(differences))
                called["told"].append(spread.power(EFFECT * base.mean(axis=1), LEVEL))
                called["true"].append(differences.mean(axis=1) / base.mean(axis=1))
    return {what: float(np.mean(values)) for what, values in called.items()}


def called_by_compare(n: int) -> dict[str, float]:
    """Return how often real comparisons of equals call them different."""
    random = np.random.default_rng(5)
    rows = [(user, item) for user in range(CALL_USERS)
            for item in random.choice(CALL_ITEMS, 6, replace=False)]  # fmt: skip
    events = pd.DataFrame(rows, columns=["user_id", "item_id"])
    split = rp.split_last(rp.Dataset.from_frames(events), 2)
    start, different, told = time.perf_counter(), [], []
    for number in range(n):
        models = {"one": Guess(seed=2 * number), "other": Guess(seed=2 * number + 1)}
        found = rp.compare(models, split, metrics="ndcg", n_boot=20, n_draws=999,
                           random_state=number, progress=False)  # fmt: skip
        different.append(found.differences["different"].item())
        told.append(found.power(EFFECT).item())
    seconds = time.perf_counter() - start
    return {"n": n, "called_different": float(np.mean(different)), "power_told": float(
        np.mean(told)), "ms_per_compare": round(1e3 * seconds / n, 1)}  # fmt: skip


def timed(quick: bool) -> dict[str, Any]:
    """Return seconds and memory of the test, and of peers on the same numbers."""
    draws = TIMED_DRAWS // 10 if quick else TIMED_DRAWS
    random = np.random.default_rng(0)
    base, other = random.beta(1, 4, size=(2, TIMED_USERS))
    differences = np.tile(other - base, (10, 1))
    randomization_p(differences[:, :100], 10, 0)
    figures: dict[str, Any] = {"users": TIMED_USERS, "draws": draws}
    for pairs in (1, 10):
        with peak_memory() as peak:
            start = time.perf_counter()
            p = randomization_p(differences[:pairs], draws, 0)
            figures[f"s_{pairs}_pairs"] = round(time.perf_counter() - start, 3)
        figures[f"mb_{pairs}_pairs"] = round(peak.mb, 1)
    figures["p"] = float(p[0])
    peers = {"ranx": by_ranx, "scipy": by_scipy}
    for name, peer in peers.items():
        try:
            seconds, p_peer = peer(base, other, draws)
        except ImportError:
            figures[name] = "absent"
            continue
        figures[name] = {"s": round(seconds, 3), "p": round(p_peer, 4),
                         "ratio": round(seconds / figures["s_1_pairs"], 1)}  # fmt: skip
    return figures


def by_ranx(base: np.ndarray, other: np.ndarray, draws: int) -> tuple[float, float]:
    """Time ranx, compiled beforehand."""
    from ranx.statistical_tests import fisher_randomization_test

    fisher_randomization_test(base[:10], other[:10], 10)
    start = time.perf_counter()
    p, _ = fisher_randomization_test(base, other, draws)
    return time.perf_counter() - start, float(p)


def by_scipy(base: np.ndarray, other: np.ndarray, draws: int) -> tuple[float, float]:
    """Time SciPy on a tenth of the draws, in batches that fit into memory; ten times as long."""
    from scipy.stats import permutation_test

    def mean(values: np.ndarray, axis: int) -> Any:
        return np.mean(values, axis=axis)

    start = time.perf_counter()
    found = permutation_test(
        (other - base,), mean, permutation_type="samples", vectorized=True, batch=100,
        n_resamples=draws // 10, rng=np.random.default_rng(0),
    )  # fmt: skip
    return 10 * (time.perf_counter() - start), float(found.pvalue)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", nargs="?", help="not needed: noise is planted")
    parser.add_argument("--quick", action="store_true")
    quick = parser.parse_args().quick
    start = time.perf_counter()
    n = QUICK_SIMULATIONS if quick else SIMULATIONS
    rows = {}
    for users, alike in QUICK_USERS if quick else USERS:
        found = simulated(n, users, alike)
        rows[f"{users} users, {alike:.0%} alike"] = found
        print(f"{users:6,} users, {alike:4.0%} get the same list: equals called different "
              f"{found['equal']:6.1%}; {EFFECT:.0%} better (measured {found['true']:+.1%}) found "
              f"{found['better']:6.1%}, power told {found['told']:6.1%}", flush=True)  # fmt: skip
    calls = called_by_compare(QUICK_CALLS if quick else CALLS)
    print(f"{calls['n']:,} calls of compare on {CALL_USERS} users: equals called different "
          f"{calls['called_different']:.1%}, {calls['ms_per_compare']} ms each",
          flush=True)  # fmt: skip
    times = timed(quick)
    print(f"test of {TIMED_USERS:,} users, {times['draws']:,} draws: {times}")
    line = {
        "simulations": n,
        "called_different_pct": {row: round(100 * one["equal"], 1) for row, one in rows.items()},
        "found_pct": {row: round(100 * one["better"], 1) for row, one in rows.items()},
        "power_told_pct": {row: round(100 * one["told"], 1) for row, one in rows.items()},
        "worst_called_different_pct": round(100 * max(one["equal"] for one in rows.values()), 1),
        "worst_power_error_points": round(
            100 * max(abs(one["better"] - one["told"]) for one in rows.values()), 1
        ),
        "compare_calls": calls,
        "test": times,
        "seconds": round(time.perf_counter() - start, 1),
        "cores": os.cpu_count(), "python": platform.python_version(),
        "versions": {name: found for name in ("recopersona", "numpy", "scipy", "numba", "ranx")
                     if (found := version_of(name))},
    }  # fmt: skip
    print(json.dumps(line))


def version_of(name: str) -> str | None:
    """Return a library's version, None where it is absent."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


if __name__ == "__main__":
    main()
