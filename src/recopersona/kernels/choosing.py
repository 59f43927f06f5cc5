"""Describe the candidates of a visit, and judge them with a small network."""

from __future__ import annotations

import math

from recopersona.kernels.compiling import f32, i32, i64, inner, kernel, read, written

VISIT_FEATURES = (
    "clicked last",
    "clicked two clicks ago",
    "clicked three clicks ago",
    "clicked before that",
    "clicked several times",
    "clicked twice in a row",
    "popularity",
    "popularity of late",
    "length of the visit",
    "variety of the visit",
)
"""What `describe` says of a candidate, by column."""

_LEAST_SHARE = 1e-4


@inner
def _place_of(ascending, n, value):
    """Return where a value is among n ascending ones, or would be."""
    low, high = 0, n
    while low < high:
        middle = (low + high) // 2
        if ascending[middle] < value:
            low = middle + 1
        else:
            high = middle
    return low


@kernel(written(f32, 2), read(i32), read(i32, 2), read(f32, 2), read(i64), i64)
def describe_opinions(features, candidates, items, scores, counts, n):
    """Write what each model thinks of each candidate, from column 0: the logarithm of its share.

    features    (n, f) float32, written
    candidates  (n,) int32, ascending
    items       (n_models, pool) int32: each model's best, all of them candidates
    scores      (n_models, pool) float32
    counts      (n_models,) int64: how many of them there are
    n           int64, the number of candidates
    """
    least = math.log(_LEAST_SHARE)
    for model in range(len(counts)):
        total = 0.0
        for place in range(counts[model]):
            total += max(scores[model, place], 0.0)
        for row in range(n):
            features[row, model] = least
        for place in range(counts[model] if total > 0 else 0):
            row = _place_of(candidates, n, items[model, place])
            share = max(scores[model, place], 0.0) / total
            features[row, model] = math.log(share + _LEAST_SHARE)


@kernel(written(f32, 2), read(i32), read(i32), read(f32), read(f32), f32, i64, i64)
def describe_visit(features, candidates, visit, popular, lately, unit, first, n):
    """Write what the visit and the crowd say of each candidate: see `VISIT_FEATURES`.

    features    (n, f) float32, written
    candidates  (n,) int32, ascending
    visit       (n_clicks,) int32, oldest first; items beyond the tables are welcome
    popular     (n_items,) float32: clicks so far
    lately      (n_items,) float32: the same, the latest counting most
    unit        float32, above 0: what the latest click counts in ``lately``
    first       int64, the column to begin with
    n           int64, the number of candidates
    """
    n_clicks = len(visit)
    in_a_row = n_clicks > 1 and visit[n_clicks - 1] == visit[n_clicks - 2]
    variety = 0
    for click in range(n_clicks):
        variety += 1
        for earlier in range(max(0, click - 50), click):
            if visit[earlier] == visit[click]:
                variety -= 1
                break
    for row in range(n):
        item = candidates[row]
        line = features[row]
        for column in range(first, first + 10):
            line[column] = 0
        if item < len(popular):
            line[first + 6] = math.log1p(popular[item])
        if item < len(lately):
            line[first + 7] = math.log1p(lately[item] / unit)
        line[first + 8] = math.log(max(n_clicks, 1))
        line[first + 9] = variety / max(n_clicks, 1)
    for click in range(n_clicks - 1, -1, -1):
        row = _place_of(candidates, n, visit[click])
        if row == n or candidates[row] != visit[click]:
            continue
        line = features[row]
        if line[first] + line[first + 1] + line[first + 2] + line[first + 3] == 0:
            line[first + min(n_clicks - 1 - click, 3)] = 1
            if click == n_clicks - 1 and in_a_row:
                line[first + 5] = 1
        line[first + 4] += 1
    for row in range(n):
        features[row, first + 4] = math.log(max(features[row, first + 4], 1))


@kernel(
    *(written(f32), read(f32, 2), read(f32), read(f32), read(f32, 2)),
    *(read(f32), read(f32), read(f32), i64, i64),
)
def judge(utilities, features, mean, scale, inner_weights, biases, outer_weights, linear, f, h):
    r"""Judge candidates: :math:`u = z \cdot b + \max(0, z W + c) \cdot v`, z standardized.

    utilities      (n,) float32, written
    features       (n, f) float32
    mean, scale    (f,) float32
    inner_weights  (f, h) float32, W
    biases         (h,) float32, c
    outer_weights  (h,) float32, v
    linear         (f,) float32, b
    f, h           int64
    """
    for row in range(len(utilities)):
        total = 0.0
        for column in range(f):
            z = (features[row, column] - mean[column]) / scale[column]
            total += z * linear[column]
        for unit in range(h):
            inside = biases[unit]
            for column in range(f):
                z = (features[row, column] - mean[column]) / scale[column]
                inside += z * inner_weights[column, unit]
            if inside > 0:
                total += inside * outer_weights[unit]
        utilities[row] = total
