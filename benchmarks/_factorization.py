"""How fast gradient descent learns factors: in passes against implicit, online against river.

    python benchmarks/_factorization.py [DATA_DIR] [--quick]

DATA_DIR holds `train.npz` (users x items); without one a synthetic shop is used. Both sides of the
first comparison get the same factors and passes, two threads, and turns of a few passes each that
alternate; Recall@20 is measured on a tenth of the interactions, held out. Online, events have
integer ids and 64 factors.
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
from scipy import sparse

import recopersona as rp

try:
    from implicit.cpu.bpr import BayesianPersonalizedRanking
except ImportError:
    BayesianPersonalizedRanking = None
try:
    from river import optim, reco
except ImportError:
    reco = None

FACTORS = 64
THREADS = 2
ABSENT = 'absent: pip install "recopersona[bench]"'


def figures(train: sparse.csr_array, quick: bool) -> dict:
    """Measure everything; peers that are not installed are named as absent."""
    return passes(train, quick) | online(train, quick) | one_event(train)


def passes(train: sparse.csr_array, quick: bool) -> dict:
    """Turns of BPR that alternate; the same number of passes for both in the end."""
    turns, each = (5, 4) if quick else (5, 20)
    kept, held = parted(train)
    shop = rp.Dataset.from_matrix(kept)
    peer = None
    if BayesianPersonalizedRanking is not None:
        peer = BayesianPersonalizedRanking(
            factors=FACTORS, iterations=1, num_threads=THREADS, verify_negative_samples=True,
            random_state=0,
        )  # fmt: skip
        matrix = sparse.csr_matrix(kept)
        matrix = sparse.csr_matrix((matrix.data, matrix.indices.astype(np.int32), matrix.indptr))
    rp.Factorization(factors=FACTORS, epochs=1).fit(shop)  # compiles what is not yet compiled
    ours, theirs = [], []
    for turn in range(turns):
        # Ours cannot be told to go on, so it starts anew; the start costs it, not the peer.
        with rp.limit_threads(THREADS):
            model = rp.Factorization(factors=FACTORS, epochs=each)
            start = time.perf_counter()
            model.fit(shop)
            ours.append(time.perf_counter() - start)
        if peer is not None:
            peer.iterations = each
            start = time.perf_counter()
            peer.fit(matrix, show_progress=False)
            theirs.append(time.perf_counter() - start)
        print(
            f"  turn {turn + 1}: {each} passes in {ours[-1]:.2f} s",
            *(f"and {s:.2f} s" for s in theirs[-1:]),
        )
    with rp.limit_threads(THREADS):
        model = rp.Factorization(factors=FACTORS, epochs=turns * each).fit(shop)
    found = {
        "bpr_samples_per_s": each * kept.nnz / statistics.median(ours),
        "bpr_recall20": recall(
            model.user_factors_, model.item_factors_, model.item_biases_, kept, held
        ),
        "bpr_passes": turns * each,
    }  # fmt: skip
    if peer is None:
        return found | {"bpr_peer": ABSENT}
    peers = recall(peer.user_factors, peer.item_factors, 0.0, kept, held)
    return found | {
        "bpr_ratio": statistics.median(t / o for o, t in zip(ours, theirs, strict=True)),
        "bpr_peer_samples_per_s": each * kept.nnz / statistics.median(theirs),
        "bpr_peer_recall20": peers,
        "bpr_recall_ratio": found["bpr_recall20"] / peers if peers else float("inf"),
        "implicit": version("implicit"),
    }


def parted(train: sparse.csr_array) -> tuple[sparse.csr_array, sparse.csr_array]:
    rows = sparse.coo_array(train)
    held = np.random.default_rng(0).random(rows.nnz) < 0.1
    return tuple(
        sparse.csr_array(
            (rows.data[part].astype(np.float32), tuple(axis[part] for axis in rows.coords)),
            shape=train.shape,
        )
        for part in (~held, held)
    )


def recall(users, items, biases, kept, held, k=20, most=5_000) -> float:
    """Recall@20 of the first few thousand users with anything held out, seen items left out."""
    asked = np.flatnonzero((np.diff(held.indptr) > 0) & (np.diff(kept.indptr) > 0))[:most]
    shares = []
    for start in range(0, len(asked), 500):
        block = asked[start : start + 500]
        scores = users[block] @ items.T + biases
        for row, user in enumerate(block):
            scores[row, kept.indices[kept.indptr[user] : kept.indptr[user + 1]]] = -np.inf
        best = np.argpartition(-scores, k, axis=1)[:, :k]
        for row, user in enumerate(block):
            wanted = held.indices[held.indptr[user] : held.indptr[user + 1]]
            shares.append(np.isin(wanted, best[row]).mean())
    return float(np.mean(shares))


def stream(train: sparse.csr_array, n: int) -> pd.DataFrame:
    """Events of the data's own users and items in a random order, with made-up ratings."""
    random = np.random.default_rng(1)
    rows = sparse.coo_array(train)
    taken = random.permutation(np.resize(np.arange(rows.nnz), n))
    return pd.DataFrame({
        "user_id": rows.coords[0][taken].astype(np.int64),
        "item_id": rows.coords[1][taken].astype(np.int64),
        "weight": random.integers(1, 6, n).astype(np.float64),
    })  # fmt: skip


def online(train: sparse.csr_array, quick: bool) -> dict:
    """One frame of events against the peer's loop over some of them."""
    n, n_peer = 1_000_000, 20_000 if quick else 100_000
    events = stream(train, n)
    few = list(zip(*(events[name].head(n_peer).tolist() for name in events), strict=True))
    ours, theirs = [], []
    for _ in range(5):
        model = rp.Factorization(loss="squared", factors=FACTORS, epochs=1).fit(events.head(1_000))
        start = time.perf_counter()
        model.partial_fit(events)
        ours.append(n / (time.perf_counter() - start))
        if reco is not None:
            peer = reco.BiasedMF(
                n_factors=FACTORS, bias_optimizer=optim.SGD(0.025),
                latent_optimizer=optim.SGD(0.05),
            )  # fmt: skip
            start = time.perf_counter()
            for user, item, rating in few:
                peer.learn_one(user, item, rating)
            theirs.append(n_peer / (time.perf_counter() - start))
        print(f"  online: {ours[-1]:,.0f} events/s", *(f"and {s:,.0f}" for s in theirs[-1:]))
    found = {"online_events_per_s": statistics.median(ours)}
    if reco is None:
        return found | {"online_peer": ABSENT}
    return found | {
        "online_ratio": statistics.median(o / t for o, t in zip(ours, theirs, strict=True)),
        "online_peer_events_per_s": statistics.median(theirs),
        "river": version("river"),
    }


def one_event(train: sparse.csr_array) -> dict:
    """How long a single `Event` takes, one in fifty of a user or an item nobody knew."""
    events = stream(train, 31_000)
    model = rp.Factorization(loss="squared", factors=FACTORS, epochs=1).fit(events.head(10_000))
    rows = zip(
        events["user_id"][10_000:].tolist(), events["item_id"][10_000:].tolist(), strict=True
    )
    told = [
        rp.Event(-place if place % 50 == 0 else user, -place if place % 50 == 25 else item)
        for place, (user, item) in enumerate(rows)
    ]
    for event in told[:1_000]:
        model.partial_fit(event)
    took = np.empty(len(told) - 1_000)
    for place, event in enumerate(told[1_000:]):
        start = time.perf_counter_ns()
        model.partial_fit(event)
        took[place] = time.perf_counter_ns() - start
    return {
        "online_p50_us": float(np.percentile(took, 50) / 1_000),
        "online_p99_us": float(np.percentile(took, 99) / 1_000),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", nargs="?")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    if options.data is None:
        train = rp.synthetic_shop(5_000, 2_000).matrix()
    else:
        train = sparse.csr_array(sparse.load_npz(Path(options.data) / "train.npz"))
    rp.warmup()
    found = figures(train, options.quick)
    found |= {
        "factors": FACTORS,
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "numba": version("numba"),
    }
    for name, value in found.items():
        print(f"{name:26} {value:.6g}" if isinstance(value, float) else f"{name:26} {value}")
    print(json.dumps(found))


if __name__ == "__main__":
    main()
