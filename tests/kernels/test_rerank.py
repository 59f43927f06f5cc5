"""Lists chosen one by one agree with their naive twins."""

import numpy as np
import pytest

from recopersona.kernels.rerank import pick_dpp, pick_mmr
from tests.naive import rerank as naive

CLOSE = 1e-5  # cosines are float32, and a small ridge leaves their rounding large


def cases(n_cases, seed):
    """Draw candidates: some the same, some like nothing, more or fewer than dimensions."""
    rng = np.random.default_rng(seed)
    for _ in range(n_cases):
        n, width = int(rng.integers(1, 14)), int(rng.integers(1, 6))
        vectors = rng.normal(size=(n, width)) + rng.choice([0.0, 1.0])
        vectors /= np.linalg.norm(vectors, axis=1)[:, None]
        if rng.random() < 0.4:
            vectors[rng.integers(n, size=n // 2)] = vectors[rng.integers(n, size=n // 2)]
        vectors[rng.random(n) < 0.1] = 0
        worth = np.sort(rng.random(n))[::-1]
        yield worth.copy(), vectors.astype(np.float32), int(rng.integers(1, n + 3)), rng


def run(pick, worth, vectors, n, *scalars):
    chosen, gains = np.empty(min(n, len(worth)), np.int32), np.empty(len(worth))
    pick(chosen, gains, worth, vectors, *scalars)
    return chosen.tolist(), gains


def agree(found, twin):
    """Compare gains; where two are as good as equal, either may have come first."""
    (chosen, gains), (expected, their_gains) = found, twin
    assert sorted(set(chosen)) == sorted(chosen)
    np.testing.assert_allclose(gains[chosen], np.array(their_gains)[expected], atol=CLOSE)
    if chosen == expected:
        np.testing.assert_allclose(gains, their_gains, atol=CLOSE)
    return chosen == expected


def test_mmr_agrees_with_its_twin():
    same = []
    for worth, vectors, n, rng in cases(300, seed=1):
        penalty = float(rng.choice([0.0, 0.3, 1.0]))
        found = run(pick_mmr, worth, vectors, n, penalty)
        same.append(agree(found, naive.mmr(worth, vectors.astype(float), penalty, n)))
    assert np.mean(same) > 0.98


@pytest.mark.parametrize(("ridge", "power"), [(0.02, 1), (0.4, 1), (0.4, 3), (0.9, 6)])
def test_dpp_agrees_with_the_log_determinant(ridge, power):
    same = []
    for worth, vectors, n, rng in cases(300, seed=2):
        penalty, window = float(rng.choice([0.0, 0.3, 1.0])), int(rng.integers(1, 6))
        window = n if rng.random() < 0.5 else window
        found = run(pick_dpp, worth, vectors, n, penalty, ridge, power, window)
        twin = naive.dpp(worth, vectors.astype(float), penalty, ridge, power, window, n)
        same.append(agree(found, twin))
    assert np.mean(same) > 0.98
