"""The slow, readable twin of the linear models of visits: their closed form on dense matrices."""

from __future__ import annotations

import math

import numpy as np


def rows(visits, n_items, kind, alpha, delta_pos, weights):
    """Return inputs, targets and a weight for each row."""
    inputs, targets, counts = [], [], []
    share = {"slis": 1.0, "slit": 0.0}.get(kind, alpha)
    for visit, weight in zip(visits, weights, strict=True):
        if len(visit) < 2:
            continue
        if share > 0:
            whole = np.zeros(n_items)
            whole[visit] = 1
            inputs.append(whole / whole.sum())
            targets.append(whole / whole.sum())
            counts.append(share * weight)
        for cut in range(1, len(visit) if share < 1 else 0):
            past, future = np.zeros(n_items), np.zeros(n_items)
            for distance, item in enumerate(reversed(visit[:cut])):
                past[item] += _faded(distance, delta_pos)
            for distance, item in enumerate(visit[cut:]):
                future[item] += _faded(distance, delta_pos)
            inputs.append(past / past.sum())
            targets.append(future / future.sum())
            counts.append((1 - share) * weight)
    shape = (len(inputs), n_items)
    return np.reshape(inputs, shape), np.reshape(targets, shape), np.array(counts)


def _faded(distance, delta_pos):
    reach = int(-math.log(1e-3) * delta_pos) + 1
    return math.exp(-distance / delta_pos) if distance < min(reach, 50) else 0.0


def weights(inputs, targets, counts, reg, xi):
    """Solve for all weights by one inverse, and push those of items for themselves down to xi."""
    inverse = np.linalg.inv(inputs.T @ (counts[:, None] * inputs) + reg * np.eye(inputs.shape[1]))
    solved = inverse @ inputs.T @ (counts[:, None] * targets)
    for item in range(len(solved)):
        if solved[item, item] > xi:
            step = (solved[item, item] - xi) / inverse[item, item]
            solved[:, item] -= step * inverse[:, item]
    return solved


def loss(b, item, inputs, targets, counts, reg):
    """What the weights of one item are to make small."""
    rest = targets[:, item] - inputs @ b
    return (counts * rest**2).sum() + reg * (b**2).sum()
