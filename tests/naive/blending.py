"""The readable twins of comparable scores and of the gain of blended lists."""

from __future__ import annotations

import numpy as np


def standardized(scores):
    rows = []
    for row in scores.astype(np.float64):
        known = row[np.isfinite(row)]
        if not len(known) or known.std() == 0:
            rows.append(np.zeros(len(row)))
            continue
        filled = np.where(np.isfinite(row), row, known.min())
        rows.append((filled - known.mean()) / known.std())
    return np.array(rows)


def gain(bounds, parts, relevant, weights, wanted, n):
    values = []
    for user in range(len(bounds) - 1):
        rows = slice(bounds[user], bounds[user + 1])
        order = np.argsort(-(parts[rows].astype(np.float64) @ weights), kind="stable")[:n]
        discounts = 1 / np.log2(np.arange(2, n + 2))
        reached = (relevant[rows][order] * discounts[: len(order)]).sum()
        values.append(reached / discounts[: min(n, wanted[user])].sum())
    return np.array(values)
