"""Rows that are sums of the embeddings of their features, and features that learn from rows."""

from __future__ import annotations

import numba
import numpy as np

from recopersona.kernels.compiling import f32, i32, i64, kernel, read, written


@numba.njit(nogil=True, error_model="numpy", forceinline=True)
def _add_up(total, low, high, features, shares, embeddings):
    """Sum a row's embeddings in double precision: a common feature has a million rows."""
    total[:] = 0
    for entry in range(low, high):
        share, feature = np.float64(shares[entry]), features[entry]
        for place in range(embeddings.shape[1]):
            total[place] += share * embeddings[feature, place]


@kernel(
    written(f32, 2), read(i64), read(i32), read(f32), read(f32, 2), i64, i64,
)  # fmt: skip
def sum_embeddings(sums, bounds, features, shares, embeddings, start, end):
    """Write the sum of the embeddings of each row's features, each times its share.

    sums        (n_rows, f) float32, written: rows start to end
    bounds      (n_rows + 1,) int64, where each row's entries begin
    features    (n_entries,) int32
    shares      (n_entries,) float32
    embeddings  (n_features, f) float32
    start, end  int64
    """
    total = np.empty(embeddings.shape[1], np.float64)
    for row in range(start, end):
        _add_up(total, bounds[row], bounds[row + 1], features, shares, embeddings)
        for place in range(len(total)):
            sums[row, place] = total[place]


@kernel(
    written(f32, 2), written(f32), read(i64), read(i32), read(f32), read(i32), read(f32),
    read(f32, 2), read(f32),
)  # fmt: skip
def teach_embeddings(
    embeddings, evidence, bounds, features, shares, rows, weights, targets, reg
):  # fmt: skip
    r"""Let some rows, one after the other, pull the embeddings of their features towards them.

    Each is a step of ridge regression by the diagonal of its system, which grows with what is
    known:

    .. math:: S_f \leftarrow S_f + w a_f^2, \qquad
              E_f \leftarrow E_f + \frac{w a_f (y - \sum_g a_g E_g)}{\lambda_f + S_f}

    and all of a row's steps are cut alike where together they would go beyond its target.

    embeddings  (n_features, f) float32, written
    evidence    (n_features,) float32, written: the S
    bounds      (n_rows + 1,) int64, where each row's entries begin
    features    (n_entries,) int32
    shares      (n_entries,) float32: the a
    rows        (n,) int32, who teaches
    weights     (n,) float32: the w, how much news each brings; 0 for none
    targets     (n, f) float32: the y
    reg         (n_features,) float32, above 0: the lambda
    """
    total = np.empty(embeddings.shape[1], np.float64)
    for place in range(len(rows)):
        weight = np.float64(weights[place])
        if not weight > 0:
            continue
        low, high = bounds[rows[place]], bounds[rows[place] + 1]
        _add_up(total, low, high, features, shares, embeddings)
        for column in range(len(total)):
            total[column] = targets[place, column] - total[column]
        reach = 0.0
        for entry in range(low, high):
            share, feature = np.float64(shares[entry]), features[entry]
            evidence[feature] += weight * share * share
            reach += weight * share * share / (reg[feature] + evidence[feature])
        cut = 1.0 / max(1.0, reach)
        for entry in range(low, high):
            feature = features[entry]
            step = cut * weight * shares[entry] / (reg[feature] + evidence[feature])
            for column in range(len(total)):
                embeddings[feature, column] += step * total[column]
