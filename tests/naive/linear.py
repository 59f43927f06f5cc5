"""The slow, readable twins of the linear models, in double precision on dense matrices."""

from __future__ import annotations

import itertools

import numpy as np


def ease(x, reg):
    """Predict each item from all others by a regression of its own."""
    n_items = x.shape[1]
    weights = np.zeros((n_items, n_items))
    for item in range(n_items):
        others = [other for other in range(n_items) if other != item]
        weights[others, item] = ridge(x, others, item, reg)
    return weights


def ridge(x, chosen, item, reg):
    """Solve one item's regression on some others."""
    columns = x[:, chosen].astype(np.float64)
    system = columns.T @ columns + reg * np.eye(len(chosen))
    return np.linalg.solve(system, columns.T @ x[:, item])


def telling(x, item, k, ridge_weight):
    """Return the items that alone explain most of one: ties by how few have them, then by index."""
    squares = (x.astype(np.float64) ** 2).sum(axis=0)
    shared = x.T.astype(np.float64) @ x[:, item]
    order = np.argsort((x > 0).sum(axis=0), kind="stable").tolist()
    told = {
        other: np.float32(shared[other] / np.sqrt(squares[other] + ridge_weight))
        for other in order
        if other != item and shared[other] > 0
    }
    return sorted(told, key=lambda other: (-told[other], order.index(other)))[:k]


def net_loss(x, chosen, item, b, alpha, l1_ratio):
    """The objective of an elastic net, as scikit-learn writes it."""
    rest = x[:, item] - x[:, chosen].astype(np.float64) @ b
    penalty = l1_ratio * np.abs(b).sum() + (1 - l1_ratio) / 2 * (b**2).sum()
    return (rest**2).sum() / (2 * len(x)) + alpha * penalty


def elastic_net(x, chosen, item, alpha, l1_ratio, positive):
    """Try every set of signs; the best solution that has the signs it was made for wins."""
    columns = x[:, chosen].astype(np.float64)
    n, best = len(x), (np.inf, np.zeros(len(chosen)))
    for signs in itertools.product((0, 1) if positive else (0, 1, -1), repeat=len(chosen)):
        signs = np.array(signs)
        used = np.flatnonzero(signs)
        b = np.zeros(len(chosen))
        if len(used):
            system = columns[:, used].T @ columns[:, used] + alpha * (1 - l1_ratio) * n * np.eye(
                len(used)
            )
            wanted = columns[:, used].T @ x[:, item] - alpha * l1_ratio * n * signs[used]
            b[used] = np.linalg.lstsq(system, wanted)[0]
        if (np.sign(b[used]) == signs[used]).all():
            best = min(best, (net_loss(x, chosen, item, b, alpha, l1_ratio), b), key=lambda t: t[0])
    return best[1]


def random_walk(x, alpha, beta, k, normalize):
    """Return where walks of two steps from each item end, item by item."""
    held = x > 0
    with np.errstate(invalid="ignore", divide="ignore"):
        to_items = np.where(held, (x / x.sum(axis=1, keepdims=True)) ** alpha, 0)
        to_users = np.where(held, (x / x.sum(axis=0)) ** alpha, 0).T
    walks = to_users @ to_items / np.maximum(held.sum(axis=0), 1) ** beta
    np.fill_diagonal(walks, 0)
    walks = best_of_rows(walks, k)
    if not normalize:
        return best_of_rows(walks.T, k).T
    sums = walks.sum(axis=1, keepdims=True)
    walks = np.divide(walks, sums, where=sums > 0, out=np.zeros_like(walks))
    return best_of_rows(walks.T, k).T


def best_of_rows(matrix, k):
    """Keep the ``k`` largest of each row, ties by column."""
    kept = np.zeros_like(matrix)
    for row, values in enumerate(matrix):
        best = np.argsort(-values, kind="stable")[:k]
        kept[row, best] = values[best]
    return kept
