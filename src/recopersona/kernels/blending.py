"""Make the scores of different models comparable, and judge lists by a weighted sum of them."""

from __future__ import annotations

import numpy as np

from recopersona.kernels.compiling import f32, f64, flag, i64, kernel, read, written


@kernel(written(f32, 2))
def standardize_rows(scores):
    """Turn each row's scores into standard deviations from their mean.

    What is not finite becomes the row's lowest score; a row without differences becomes 0.

    scores  (n_rows, n_items) float32, written
    """
    n_rows, n_items = scores.shape
    for row in range(n_rows):
        count, total, lowest = 0, 0.0, np.inf
        for item in range(n_items):
            score = np.float64(scores[row, item])
            if np.isfinite(score):
                count += 1
                total += score
                lowest = min(lowest, score)
        mean = total / count if count else 0.0
        spread = 0.0
        for item in range(n_items):
            score = np.float64(scores[row, item])
            if np.isfinite(score):
                spread += (score - mean) ** 2
        deviation = np.sqrt(spread / count) if count else 0.0
        # Differences that float32 cannot tell from rounding are none.
        scale = 1.0 / deviation if deviation > 1e-6 * abs(mean) and deviation > 0 else 0.0
        for item in range(n_items):
            known = np.isfinite(scores[row, item])
            filled = np.float64(scores[row, item]) if known else lowest
            scores[row, item] = np.float32((filled - mean) * scale) if count else np.float32(0)


@kernel(written(f64), read(i64), read(f32, 2), read(flag), read(f64), read(i64), i64)
def blended_gain(gain, bounds, parts, relevant, weights, wanted, n):
    """Return each user's NDCG@n when candidates are ordered by a weighted sum of their parts.

    gain      (n_users,) float64, written
    bounds    (n_users + 1,) int64, where each user's candidates start
    parts     (n_candidates, n_models) float32
    relevant  (n_candidates,) bool
    weights   (n_models,) float64
    wanted    (n_users,) int64, at least 1: relevant items, whether candidates or not
    n         int64
    """
    n_models = parts.shape[1]
    for user in range(len(bounds) - 1):
        low, high = bounds[user], bounds[user + 1]
        scores = np.zeros(high - low, np.float64)
        for place in range(high - low):
            for model in range(n_models):
                scores[place] += weights[model] * parts[low + place, model]
        found = 0.0
        for place in range(high - low):
            if not relevant[low + place]:
                continue
            rank = 0
            for other in range(high - low):
                ahead = scores[other] > scores[place]
                if ahead or (scores[other] == scores[place] and other < place):
                    rank += 1
            if rank < n:
                found += 1 / np.log2(rank + 2.0)
        best = 0.0
        for rank in range(min(n, wanted[user])):
            best += 1 / np.log2(rank + 2.0)
        gain[user] = found / best
