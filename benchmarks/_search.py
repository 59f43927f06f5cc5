"""The best 20 of many items: for all users at once, and for one of a million items.

    python benchmarks/_search.py [DATA_DIR] [--quick]

DATA_DIR holds `train.npz` (users x items); without one a synthetic shop is used. Both sides search
the same factors, through the calls a user makes, alternating in one process; their answers must be
the same up to ties.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
import time
from functools import partial
from importlib.metadata import version
from pathlib import Path

import numpy as np
from scipy import sparse
from threadpoolctl import threadpool_limits

import recopersona as rp
from recopersona.models.inner_product import InnerProduct

try:
    from implicit.cpu.matrix_factorization_base import MatrixFactorizationBase
except ImportError:
    sys.exit('the peer is missing: pip install "recopersona[bench]"')

N = 20
REPEATS = 5
ASKED = 25  # users of one request each


class Given(InnerProduct):
    """Factors that were given: what is measured is the search."""

    user_factors: object = rp.param(default=None)
    item_factors: object = rp.param(default=None)

    def _fit(self, dataset):
        self.user_factors_ = self.user_factors
        self._keep_items(self.item_factors)

    def _vector(self, query):
        return self.user_factors_[self.user_of(query)]

    def _user_vectors(self):
        return self.user_factors_


class Peer(MatrixFactorizationBase):
    """implicit's own search over given factors."""

    def fit(self, *args, **kwargs):
        raise NotImplementedError

    def save(self, *args):
        raise NotImplementedError


def peer_of(users, items):
    peer = Peer(num_threads=2)
    peer.user_factors, peer.item_factors = users, items
    return peer


def same(ours, our_scores, theirs, their_scores) -> bool:
    """Equal scores place by place; other items only where scores are equal within rounding."""
    close = np.allclose(our_scores, their_scores, rtol=1e-5, atol=1e-6)
    apart = ours != theirs
    tied = np.zeros_like(apart)
    gap = np.abs(np.diff(their_scores, axis=1)) <= 1e-5 * np.abs(their_scores[:, 1:])
    tied[:, 1:] |= gap
    tied[:, :-1] |= gap
    tied[:, -1] = True  # the next item, which the list no longer shows, may be its equal
    return bool(close and (~apart | tied).all())


def seconds(call):
    start = time.perf_counter()
    answer = call()
    return time.perf_counter() - start, answer


def all_users(train, users, items):
    """Return our and the peer's seconds for the best 20 of every user, seen items left out."""
    model = Given(user_factors=users, item_factors=items).fit(rp.Dataset.from_matrix(train))
    peer, seen = peer_of(users, items), sparse.csr_matrix(train)
    ids = np.flatnonzero(np.diff(train.indptr) + N <= train.shape[1])
    seen = seen[ids]

    def ask_peer():
        with threadpool_limits(1, "blas"):  # as implicit asks for: its own threads do the work
            return peer.recommend(ids, seen, N=N, filter_already_liked_items=True)

    frame, (theirs, their_scores) = model.recommend_many(ids, n=N), ask_peer()
    ours, scores = (frame[name].to_numpy().reshape(-1, N) for name in ("item_id", "score"))
    assert same(ours, scores, theirs, their_scores), "the answers for all users differ"
    pairs = []
    for _ in range(REPEATS):
        mine, _ = seconds(lambda: model.recommend_many(ids, n=N))
        peers, _ = seconds(ask_peer)
        pairs.append((mine, peers))
        print(f"all users: {mine:.3f} s, peer {peers:.3f} s", flush=True)
    return pairs


def one_user(users, items, name):
    """Return our and the peer's seconds for single requests, after a warm-up."""
    pairs = sparse.csr_array(
        (np.ones(len(users), np.float32), (np.arange(len(users)), np.arange(len(users)))),
        shape=(len(users), len(items)),
    )
    model = Given(user_factors=users, item_factors=items).fit(rp.Dataset.from_matrix(pairs))
    peer, seen = peer_of(users, items), sparse.csr_matrix(pairs)
    times = []
    for turn in range(-2, len(users)):  # the first two only warm up
        user = max(turn, 0)
        row = seen[[user]]
        mine, ranking = seconds(partial(model.recommend, user, n=N))
        with threadpool_limits(1, "blas"):
            peers, (theirs, their_scores) = seconds(partial(peer.recommend, user, row, N=N))
        same_answers = same(
            ranking.items[None], ranking.scores[None], theirs[None], their_scores[None]
        )
        assert same_answers, f"the answers for one user differ ({name})"
        if turn >= 0:
            times.append((mine, peers))
    return times


def summary(name, pairs, unit, scale):
    ours, peers = (statistics.median(side) for side in zip(*pairs, strict=True))
    return {
        f"{name}_{unit}": ours * scale,
        f"{name}_peer_{unit}": peers * scale,
        f"{name}_ratio": statistics.median(theirs / mine for mine, theirs in pairs),
    }


def figures(train: sparse.csr_array, quick: bool) -> dict:
    """Measure both searches; ``train`` is users x items."""
    factors, n_items = (64, 200_000) if quick else (128, 1_000_000)
    print(f"ALS of {factors} factors on {train.shape} for factors with learned lengths", flush=True)
    learned = rp.ALS(
        factors=factors, alpha=10.0, reg=0.01, unobserved_weight=1.0, reg_exponent=0.0,
        iterations=5 if quick else 10,
    ).fit(rp.Dataset.from_matrix(train))  # fmt: skip
    users, items = learned.user_factors_, learned.item_factors_
    results = summary("topn_all", all_users(train, users, items), "s", 1)
    random = np.random.default_rng(0)
    isotropic = random.standard_normal((n_items, factors), dtype=np.float32)
    strangers = random.standard_normal((ASKED, factors), dtype=np.float32)
    results |= summary("topn_one", one_user(strangers, isotropic, "isotropic"), "ms", 1e3)
    print(f"one of {n_items:,} isotropic items: {results['topn_one_ms']:.3f} ms", flush=True)
    del isotropic
    resampled = items[random.integers(0, len(items), n_items)]
    active = np.flatnonzero(np.diff(train.indptr))
    some = users[random.choice(active, min(ASKED, len(active)), replace=False)]
    results |= summary("topn_one_learned", one_user(some, resampled, "learned"), "ms", 1e3)
    print(f"one of {n_items:,} learned items: {results['topn_one_learned_ms']:.3f} ms", flush=True)
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", nargs="?")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    if options.data is None:
        train = rp.synthetic_shop(5_000, 6_000).matrix()
    else:
        train = sparse.csr_array(sparse.load_npz(Path(options.data) / "train.npz"))
    rp.warmup()
    results = figures(train, options.quick) | {
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "implicit": version("implicit"),
        "numba": version("numba"),
        "numpy": np.__version__,
    }
    for name, value in results.items():
        print(f"{name:24} {value:.6g}" if isinstance(value, float) else f"{name:24} {value}")
    print(json.dumps(results))


if __name__ == "__main__":
    main()
