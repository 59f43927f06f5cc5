"""Made-up rows of lessons, whose right answer is known."""

import numpy as np

from recopersona.rankers.lessons import Rows


def made_rows(n_requests=400, size=10, seed=0, gaps=0.05):
    """Two columns act together, one is far from normal, one counts against, one says nothing."""
    random = np.random.default_rng(seed)
    n = n_requests * size
    matrix = random.normal(size=(n, 5)).astype(np.float32)
    logits = 1.5 * matrix[:, 0] * np.sign(matrix[:, 1]) + matrix[:, 2] - matrix[:, 3] - 2
    matrix[:, 2] = np.exp(3 * matrix[:, 2])
    matrix[random.random(matrix.shape) < gaps] = np.nan
    labels = (random.random(n) < 1 / (1 + np.exp(-logits))).astype(np.float32)
    return Rows(
        matrix, ("with", "sign", "wealth", "price", "noise"), labels, np.ones(n, np.float32),
        np.arange(0, n + 1, size), None,
    ), logits  # fmt: skip


def shown_rows(n_pages=3_000, size=6, seed=0, steep=0.7):
    """Pages in the order of an old ranker, which knew a part of what visitors wish for.

    Returns rows with clicks as labels, the logits of the wishes, and the looks by place.
    """
    random = np.random.default_rng(seed)
    features = random.normal(size=(n_pages, size, 4)).astype(np.float32)
    old = features[..., 0] + 0.5 * features[..., 1] + 0.5 * random.normal(size=(n_pages, size))
    order = np.argsort(-old, axis=1)
    features = np.take_along_axis(features, order[..., None], axis=1).reshape(-1, 4)
    logits = 1.2 * features[:, 0] - features[:, 1] + features[:, 2] - 1
    looks = 1 / np.arange(1, size + 1) ** steep
    positions = np.tile(np.arange(1, size + 1, dtype=np.int32), n_pages)
    chance = looks[positions - 1] / (1 + np.exp(-logits))
    clicks = (random.random(len(chance)) < chance).astype(np.float32)
    rows = Rows(
        features, ("a", "b", "c", "d"), clicks, np.ones(len(clicks), np.float32),
        np.arange(0, len(clicks) + 1, size), positions,
    )  # fmt: skip
    return rows, logits, looks
