"""How long ALS takes to reach what implicit reaches in 10 passes, on the same objective."""

from __future__ import annotations

import statistics
import time
from typing import Any

import numpy as np
from scipy import sparse
from threadpoolctl import threadpool_limits

import recopersona as rp

ALPHA, REG = 10.0, 0.01
PEER_ITERATIONS = 10
MAX_ITERATIONS = 15


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
    from implicit.als import AlternatingLeastSquares

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


def figures(matrix: sparse.csr_array, quick: bool) -> dict[str, Any]:
    factors, repeats = (64, 5) if quick else (128, 7)
    confidence = sparse.csr_array(matrix)
    confidence.data = np.float32(ALPHA) * confidence.data
    shop = rp.Dataset.from_matrix(matrix)
    _, peer = fit_peer(confidence, factors)
    target = objective(peer.user_factors, peer.item_factors, confidence)
    iterations, reached = passes_needed(shop, confidence, factors, target)
    pairs = [
        (fit_ours(shop, factors, iterations)[0], fit_peer(confidence, factors)[0])
        for _ in range(repeats)
    ]
    ratio = statistics.median(theirs / ours for ours, theirs in pairs)
    ours, theirs = (statistics.median(times) for times in zip(*pairs, strict=True))
    print(f"ALS, {factors} factors: {ours:.2f} s for {iterations} passes to {reached:,.0f}")
    print(f"implicit: {theirs:.2f} s for {PEER_ITERATIONS} to {target:,.0f}; ratio {ratio:.1f}")
    return {
        "als_ratio": ratio,
        "als_s": ours,
        "als_peer_s": theirs,
        "als_iterations": iterations,
        "als_objective_ours": reached,
        "als_objective_peer": target,
        "als_factors": factors,
    }
