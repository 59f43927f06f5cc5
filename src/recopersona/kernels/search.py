"""Find the items with the largest inner products without computing them all, and exactly.

Each item's product with a vector lies within a bound that costs less than the product: the length
of the item, the product of its rounded factors, or the product as BLAS summed it. An item whose
bound does not reach the worst item of the list cannot enter it. The others are all judged by one
function, `_dot`: which bound let an item pass changes neither its score nor its place.

Lists are kept best first, ties by item, -1 and -inf beyond what was found.
"""

from __future__ import annotations

import math

import numba
import numpy as np

from recopersona.kernels.compiling import (
    f32,
    f64,
    flag,
    i8,
    i16,
    i32,
    i64,
    inner,
    kernel,
    read,
    written,
)

LANES = 32
"""Rounded factors are padded with zeros to a multiple of this, so that no loop has a tail."""

_CHUNK = 64  # rows whose bounds are tested together

BLOCK = 512
"""Items are looked at in blocks; a whole block falls away when its longest item is too short."""


@numba.njit(nogil=True, fastmath={"reassoc", "contract", "nsz"})
def _dot(a, b):
    """Sum of products; reassociation lets it use wide registers."""
    total = np.float32(0)
    for place in range(len(a)):
        total += a[place] * b[place]
    return total


@inner
def _code_product(codes, row, weights):
    """Sum of products in 32 bits; wider, it would be many times slower."""
    total = np.int32(0)
    for place in range(len(weights)):
        total = np.int32(total + np.int32(codes[row, place]) * np.int32(weights[place]))
    return total


@inner
def _holds(ascending, value):
    """Tell whether a value is among ascending ones."""
    low, high = 0, len(ascending)
    while low < high:
        middle = (low + high) // 2
        if ascending[middle] < value:
            low = middle + 1
        else:
            high = middle
    return low < len(ascending) and ascending[low] == value


@inner
def _reaching(values, least):
    """Count the values that are not below another, which no branch on each is needed for."""
    count = np.int32(0)
    for place in range(len(values)):
        count += np.int32(not (values[place] < least))  # so that what is no number counts
    return count


@inner
def _any_reaches(products, scales, errors, weight_scale, on_error, least):
    """Tell whether a bound of some encoded rows is not below another number, in float32."""
    count = np.int32(0)
    for place in range(len(products)):
        bound = np.float32(products[place]) * (weight_scale * scales[place])
        count += np.int32(not (bound + on_error * errors[place] < least))
    return count > 0


@inner
def _offer(top_items, top_scores, size, item, row, vector, biases, excluded, blocked):
    """Judge an item exactly; put it in its place if it belongs in the list; return the size."""
    score = _dot(vector, row)
    if len(biases):
        score += biases[item]
    n = len(top_items)
    if not -np.inf < score < np.inf or blocked[item]:
        return size
    if size == n and (
        score < top_scores[n - 1] or (score == top_scores[n - 1] and item > top_items[n - 1])
    ):
        return size
    if _holds(excluded, item):
        return size
    place = min(size, n - 1)
    while place > 0 and (
        top_scores[place - 1] < score
        or (top_scores[place - 1] == score and top_items[place - 1] > item)
    ):
        top_items[place], top_scores[place] = top_items[place - 1], top_scores[place - 1]
        place -= 1
    top_items[place], top_scores[place] = item, score
    return min(size + 1, n)


@kernel(written(f64), read(f32, 2), i64)
def measure_rows(lengths, factors, start):
    """Write the lengths of some rows, summed in float64 so that none overflows or vanishes.

    lengths  (n_rows,) float64, written
    factors  (n_items, f) float32
    start    int64, the first of the rows
    """
    for row in range(len(lengths)):
        total = 0.0
        source = factors[start + row]
        for place in range(len(source)):
            total += np.float64(source[place]) * np.float64(source[place])
        lengths[row] = math.sqrt(total)


@kernel(written(i8, 2), written(f32), written(f32), read(f32, 2), read(i32))
def encode_rows(codes, scales, errors, factors, order):
    """Round rows of factors to eight bits, and say how far that moved each.

    codes    (n_rows, f or more) int8, written: row r times its scale is about ``factors[order[r]]``
    scales   (n_rows,) float32, written
    errors   (n_rows,) float32, written: at least the length of the difference
    factors  (n_items, f) float32, finite
    order    (n_rows,) int32, the items to encode
    """
    f = factors.shape[1]
    for row in range(len(order)):
        source, target = factors[order[row]], codes[row]
        largest = np.float32(0)
        for place in range(f):
            largest = max(largest, abs(source[place]))
        scale = np.float32(np.float64(largest) / 127.0)
        total = 0.0
        target[:] = 0
        for place in range(f):
            code = 0.0
            if scale > 0:
                code = min(127.0, max(-127.0, np.rint(np.float64(source[place]) / scale)))
            target[place] = np.int8(code)
            difference = np.float64(source[place]) - code * np.float64(scale)
            total += difference * difference
        scales[row] = scale
        errors[row] = np.float32(math.sqrt(total) * (1 + 1e-6) + 1e-44)


@kernel(
    written(i32), written(f32), read(i32), read(f32), read(f32, 2), read(f32), read(i32), read(flag)
)
def offer_items(top_items, top_scores, candidates, vector, factors, biases, excluded, blocked):
    """Judge some items exactly and put the best into an empty list.

    top_items   (n,) int32, written
    top_scores  (n,) float32, written
    candidates  (n_candidates,) int32
    vector      (f,) float32
    factors     (n_items, f) float32
    biases      (n_items,) float32, or empty where there are none
    excluded    (n_excluded,) int32, ascending
    blocked     (n_items,) bool
    """
    size = 0
    for item in candidates:
        size = _offer(
            top_items, top_scores, size, item, factors[item], vector, biases, excluded, blocked
        )


@kernel(
    written(i32), written(f32), read(f32), read(i16), read(i8, 2), read(f32), read(f32), read(f32),
    read(i32), read(f32), read(f32), read(f32, 2), read(f32), read(flag), read(i32), read(flag),
    f64, f64, f64, f64, f64,
)  # fmt: skip
def scan_codes(
    top_items, top_scores, vector, weights, codes, scales, errors, lengths, order,
    block_lengths, block_biases, factors, biases, stale, excluded, blocked,
    weight_scale, vector_length, on_error, on_length, slack,
):  # fmt: skip
    """Add the best of all encoded items to one vector's list.

    An item's product is at most ``weight_scale * scale * <weights, codes> + on_error * error +
    on_length * length + slack``.

    top_items      (n,) int32, written: what it holds stays unless there is better
    top_scores     (n,) float32, written
    vector         (f,) float32
    weights        (f or more,) int16: times ``weight_scale``, about the vector
    codes          (n_encoded, f or more) int8
    scales         (n_encoded,) float32
    errors         (n_encoded,) float32
    lengths        (n_encoded,) float32, not below the lengths of the items
    order          (n_encoded,) int32, which item each row is
    block_lengths  (n_blocks,) float32, the longest of each `BLOCK` rows
    block_biases   (n_blocks,) float32, their largest bias
    factors        (n_items, f) float32
    biases         (n_items,) float32, or empty where there are none
    stale          (n_items or more,) bool: encoded items that have changed since, left out here
    excluded       (n_excluded,) int32, ascending
    blocked        (n_items,) bool
    weight_scale, vector_length, on_error, on_length, slack   float64
    """
    n = len(top_items)
    size = 0
    while size < n and top_items[size] >= 0:
        size += 1
    worst = np.float64(top_scores[n - 1])
    biased = len(biases) > 0
    products = np.empty(BLOCK, np.int32)
    for block in range(len(block_lengths)):
        longest = np.float64(block_lengths[block])
        if vector_length * longest + on_length * longest + block_biases[block] + slack < worst:
            continue
        first, last = block * BLOCK, min(len(order), (block + 1) * BLOCK)
        for row in range(first, last):
            products[row - first] = _code_product(codes, row, weights)
        # What float32 rounds away, or loses of the smallest numbers.
        rounded = 2e-6 * vector_length * longest + 1e-35
        for start in range(first, last, _CHUNK):
            end = min(start + _CHUNK, last)
            least = worst - (on_length * longest + slack + block_biases[block] + rounded)
            if not _any_reaches(
                products[start - first : end - first], scales[start:end], errors[start:end],
                np.float32(weight_scale), np.float32(on_error),
                np.float32(least - 1e-6 * abs(least)),
            ):  # fmt: skip
                continue
            for row in range(start, end):
                bound = products[row - first] * (weight_scale * np.float64(scales[row])) + (
                    on_error * np.float64(errors[row]) + on_length * np.float64(lengths[row])
                    + slack
                )  # fmt: skip
                item = order[row]
                if biased:
                    bound += biases[item]
                if bound < worst or stale[item]:
                    continue
                size = _offer(
                    top_items, top_scores, size, item, factors[item], vector, biases, excluded,
                    blocked,
                )  # fmt: skip
                worst = np.float64(top_scores[n - 1])


@kernel(
    written(i32, 2), written(f32, 2), read(f32, 2), read(i32), read(i32), read(f32, 2), read(f64),
    read(f32, 2), read(f32), read(flag), read(i64), read(i32), read(flag), f64, f64,
)  # fmt: skip
def scan_products(
    top_items, top_scores, products, rows, candidates, vectors, vector_lengths,
    factors, biases, stale, bounds, excluded, blocked, on_length, slack,
):  # fmt: skip
    """Add the best of a block of items to many lists, given the block's products.

    A product is wrong by at most ``on_length * vector_length + slack``, and by as much again as
    float32 rounds the worst score of the list.

    top_items       (n_users, n) int32, written: what they hold stays unless there is better
    top_scores      (n_users, n) float32, written
    products        (n_rows, n_candidates) float32, biases added
    rows            (n_rows,) int32, whose products they are
    candidates      (n_candidates,) int32
    vectors         (n_users, f) float32
    vector_lengths  (n_users,) float64
    factors         (n_candidates, f) float32, theirs
    biases          (n_items,) float32, or empty where there are none
    stale           (n_items or more,) bool: items left out here
    bounds          (n_users + 1,) int64, where each user's excluded items start
    excluded        (n_excluded,) int32, ascending for each user
    blocked         (n_items,) bool
    on_length, slack   float64
    """
    n, n_candidates = top_items.shape[1], len(candidates)
    for row in range(len(rows)):
        user = rows[row]
        items, scores, line = top_items[user], top_scores[user], products[row]
        size = 0
        while size < n and items[size] >= 0:
            size += 1
        margin = on_length * vector_lengths[user] + slack
        worst = np.float64(scores[n - 1])
        least = np.float32(worst - margin - abs(worst) * 1e-6)
        for start in range(0, n_candidates, LANES):
            end = min(start + LANES, n_candidates)
            if not _reaching(line[start:end], least):
                continue
            for place in range(start, end):
                item = candidates[place]
                if line[place] < least or stale[item]:
                    continue
                size = _offer(
                    items, scores, size, item, factors[place], vectors[user], biases,
                    excluded[bounds[user] : bounds[user + 1]], blocked,
                )  # fmt: skip
                worst = np.float64(scores[n - 1])
                least = np.float32(worst - margin - abs(worst) * 1e-6)
