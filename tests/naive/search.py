"""The slow, readable twins of the search among item factors."""

from __future__ import annotations

import math

import numpy as np


def score(vector, row, bias):
    """Return an inner product summed in the order of the factors, and the bias added."""
    total = np.float32(0)
    for a, b in zip(vector, row, strict=True):
        total += a * b
    return np.float32(total + bias)


def best(vectors, factors, biases, known, excluded, blocked, n):
    """Return each vector's best (item, score) pairs by scoring everything: ties by item."""
    lists = []
    for vector, leave_out in zip(vectors, excluded, strict=True):
        found = []
        for item, row in enumerate(factors):
            judged = float(score(vector, row, biases[item]))
            allowed = known[item] and not blocked[item] and item not in leave_out
            if any(vector) and allowed and math.isfinite(judged):
                found.append((item, judged))
        lists.append(sorted(found, key=lambda pair: (-pair[1], pair[0]))[:n])
    return lists


def length(row):
    """Return the length of a row of any size of numbers."""
    return math.hypot(*map(float, row))


def encode(row):
    """Return codes, scale, and the length of what rounding took away."""
    scale = np.float32(max(abs(float(value)) for value in row) / 127)
    if scale == 0:
        return [0] * len(row), 0.0, length(row)
    codes = [max(-127, min(127, round(float(value) / float(scale)))) for value in row]
    left = [float(value) - code * float(scale) for value, code in zip(row, codes, strict=True)]
    return codes, float(scale), length(left)
