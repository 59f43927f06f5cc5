"""Weightings the slow way: one entry at a time."""

from __future__ import annotations

import numpy as np


def weighted(x, weighting):
    """Reweight a dense matrix whose rows speak about its columns."""
    taken, length = (x > 0).sum(axis=1), x.sum(axis=0)
    out = np.zeros(x.shape)
    for row, column in zip(*np.nonzero(x), strict=True):
        value = float(x[row, column])
        rarity = np.log1p(x.shape[1] / taken[row])
        room = 1.2 * (1 - 0.75 + 0.75 * length[column] / length.mean())
        out[row, column] = {
            "none": value,
            "binary": 1.0,
            "tfidf": np.sqrt(value) * rarity,
            "bm25": rarity * value * 2.2 / (value + room),
        }[weighting]
    return out
