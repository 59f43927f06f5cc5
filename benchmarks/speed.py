"""How fast models learn, against the fastest peer, alternating in one process on the same data.

    python benchmarks/speed.py [DATA_DIR] [--quick]

DATA_DIR holds `train.npz` (users x items); without one a synthetic shop is used. ALS is given as
many passes as it needs to reach, on the same objective, what implicit reaches in 10.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np
from scipy import sparse
from threadpoolctl import threadpool_limits

import recopersona as rp

try:
    from implicit.als import AlternatingLeastSquares
except ImportError:
    sys.exit('the peer is missing: pip install "recopersona[bench]"')

ALPHA, REG = 10.0, 0.01
PEER_ITERATIONS = 10
MAX_ITERATIONS = 15


def matrix_of(folder: str | None) -> sparse.csr_array:
    if folder is None:
        return rp.synthetic_shop(5_000, 2_000).matrix()
    return sparse.csr_array(sparse.load_npz(Path(folder) / "train.npz"))


def objective(users, items, confidence) -> float:
    """The loss both minimize: weighted squares over all pairs, and the regularization."""
    users, items = users.astype(np.float64), items.astype(np.float64)
    everywhere = ((users.T @ users) * (items.T @ items)).sum()
    rows = np.repeat(np.arange(len(users)), np.diff(confidence.indptr))
    scores = np.concatenate(
        [
            np.einsum("ij,ij->i", users[rows[a : a + 65_536]], items[columns])
            for a in range(0, len(rows), 65_536)
            for columns in [confidence.indices[a : a + 65_536]]
        ]
    )
    observed = (confidence.data * (1 - scores) ** 2 - scores**2).sum()
    return float(everywhere + observed + REG * ((users**2).sum() + (items**2).sum()))


def fit_ours(shop, factors, iterations):
    model = rp.ALS(
        factors=factors, alpha=ALPHA, reg=REG, unobserved_weight=1.0, reg_exponent=0.0,
        iterations=iterations,
    )  # fmt: skip
    start = time.perf_counter()
    model.fit(shop)
    return time.perf_counter() - start, model


def fit_peer(confidence, factors):
    model = AlternatingLeastSquares(
        factors=factors, regularization=REG, alpha=1.0, iterations=PEER_ITERATIONS,
        random_state=0, num_threads=2, use_gpu=False,
    )  # fmt: skip
    with threadpool_limits(1):
        start = time.perf_counter()
        model.fit(sparse.csr_matrix(confidence), show_progress=False)
        return time.perf_counter() - start, model


def passes_needed(shop, confidence, factors, target) -> tuple[int, float]:
    for iterations in range(1, MAX_ITERATIONS + 1):
        _, model = fit_ours(shop, factors, iterations)
        reached = objective(model.user_factors_, model.item_factors_, confidence)
        if reached <= target:
            break
    return iterations, reached


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", nargs="?")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    factors, repeats = (64, 5) if options.quick else (128, 7)
    matrix = matrix_of(options.data)
    confidence = sparse.csr_array(matrix)
    confidence.data = np.float32(ALPHA) * confidence.data
    shop = rp.Dataset.from_matrix(matrix)
    rp.warmup()
    _, peer = fit_peer(confidence, factors)
    target = objective(peer.user_factors, peer.item_factors, confidence)
    iterations, reached = passes_needed(shop, confidence, factors, target)
    pairs = [
        (fit_ours(shop, factors, iterations)[0], fit_peer(confidence, factors)[0])
        for _ in range(repeats)
    ]
    figures = {
        "als_ratio": statistics.median(theirs / ours for ours, theirs in pairs),
        "als_s": statistics.median(ours for ours, _ in pairs),
        "als_peer_s": statistics.median(theirs for _, theirs in pairs),
        "als_iterations": iterations,
        "als_objective_ours": reached,
        "als_objective_peer": target,
        "factors": factors,
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "implicit": version("implicit"),
        "numba": version("numba"),
    }
    for name, value in figures.items():
        print(f"{name:20} {value:.6g}" if isinstance(value, float) else f"{name:20} {value}")
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
