"""Vectors by which a visit lies near its next item: visits mixed, items compared and moved.

A sample is a visit so far and the item that came next. Its clicks are ``clicks[starts[s]:ends[s]]``
and it owns ``ends[s] - starts[s] + 1`` slots from ``places[s]`` on: one for each click, in order,
and the last for the item that came next.

Visits differ in kind: by how many clicks they have, and by what they come back to. What clicks
count, and what it means that an item was clicked before, is learned for each kind.
"""

from __future__ import annotations

import numba
import numpy as np

from recopersona.kernels.compiling import f32, f64, i32, i64, inlined, kernel, read, written

_WORD = 0xFFFFFFFF  # numbers are mixed in 32 bits, so that no product leaves 64
_MULTIPLIER = 0x45D9F3B
_STRIDE = 0x1E3779B9
_SHORTEST = np.float32(1e-6)  # no vector is divided by less

LENGTHS, RETURNS = 6, 5
N_KINDS = LENGTHS * RETURNS
"""Kinds of visits: by 1, 2, ... 6 and more clicks, and by five ways of coming back."""

DISTANCES, TIMES = 12, 4
"""How far from the end an item was clicked last, and how often, is told apart up to these."""


@inlined
def _mixed(number):
    """Spread the bits of a number over 32: near numbers give far ones."""
    mixed = number & _WORD
    mixed = (((mixed >> 16) ^ mixed) * _MULTIPLIER) & _WORD
    mixed = (((mixed >> 16) ^ mixed) * _MULTIPLIER) & _WORD
    return (mixed >> 16) ^ mixed


@numba.njit(
    nogil=True, error_model="numpy", forceinline=True, fastmath={"reassoc", "contract", "nsz"}
)
def _product(left, row, right, other):
    """Return the inner product of two rows; whole arrays, for a view would count references."""
    total = np.float32(0)
    for place in range(left.shape[1]):
        total += left[row, place] * right[other, place]
    return total


@inlined
def _drop(rows, row, kept, key, sample):
    """Blank some places of a row and lift the others; by the same key and sample, the same."""
    if kept >= 1:
        return
    limit = np.int64(kept * np.float32(256))
    lift = np.float32(256) / max(np.float32(limit), np.float32(1))
    seed = _mixed(key ^ _mixed(np.int64(sample)))
    for first in range(0, rows.shape[1], 4):
        seed = _mixed(seed + _STRIDE)
        for place in range(first, min(first + 4, rows.shape[1])):
            stays = (seed >> (8 * (place - first))) & 255 < limit
            rows[row, place] *= lift if stays else np.float32(0)


@inlined
def _kind(clicks, start, end):
    """Return the kind of a visit: its clicks, and whether the last comes back to an earlier one.

    The five ways: nothing comes back; the last is the same as the one before; as the one before
    that; as one further back; or earlier ones come back, and the last is new.
    """
    back = 0
    last = clicks[end - 1]
    if end - start >= 2 and clicks[end - 2] == last:
        back = 1
    elif end - start >= 3 and clicks[end - 3] == last:
        back = 2
    else:
        for click in range(start, end - 1):
            if clicks[click] == last:
                back = 3
        if back == 0:
            for click in range(start, end - 1):
                for earlier in range(start, click):
                    if clicks[earlier] == clicks[click]:
                        back = 4
    return (min(end - start, LENGTHS) - 1) * RETURNS + back


@kernel(
    written(f32, 2),
    written(f32),
    written(f32),
    read(f32, 2),
    read(i32),
    read(i64),
    read(i64),
    read(i64),
    read(f32, 2),
    f32,
    i64,
    i64,
    i64,
)
def mix_visits(
    vectors, lengths, shares, factors, clicks, starts, ends, places, weights, kept, key, first, last
):
    """Mix the clicks of samples into vectors of length 1.

    vectors  (n, f) float32, written
    lengths  (n,) float32, written: what they were divided by
    shares   (n_slots,) float32, written: each click's share of its sample's vector
    factors  (n_items, f) float32
    clicks   (n_clicks,) int32
    starts, ends, places  (n,) int64: see above
    weights  (n_kinds, window) float32: logarithms of what clicks count, by the kind of the visit
             and their distance from the end; one row is for all kinds
    kept     float32: the share of places that are not dropped, 1 for all
    key      int64: of the random numbers
    first, last  int64: the samples to do
    """
    n_factors, window = factors.shape[1], weights.shape[1]
    for sample in range(first, last):
        start, end, place = starts[sample], ends[sample], places[sample]
        for column in range(n_factors):
            vectors[sample, column] = 0
        lengths[sample] = _SHORTEST
        if start == end:
            continue
        kind = _kind(clicks, start, end) if len(weights) > 1 else 0
        largest = np.float32(-np.inf)
        for click in range(start, end):
            largest = max(largest, weights[kind, min(end - 1 - click, window - 1)])
        total = np.float32(0)
        for click in range(start, end):
            share = np.exp(weights[kind, min(end - 1 - click, window - 1)] - largest)
            shares[place + click - start] = share
            total += share
        for click in range(start, end):
            share = shares[place + click - start] / total
            shares[place + click - start] = share
            item = clicks[click]
            for column in range(n_factors):
                vectors[sample, column] += share * factors[item, column]
        _drop(vectors, sample, kept, key, sample)
        length = max(np.sqrt(_product(vectors, sample, vectors, sample)), _SHORTEST)
        lengths[sample] = length
        for column in range(n_factors):
            vectors[sample, column] /= length


@inlined
def _gather_own(own, away, times, slots, clicks, start, end, place, target):
    """List a visit's distinct items, the latest first, and the target; return how many, and where.

    Of each: how far from the end it was clicked last (-1: not at all), how often, and its slot.
    """
    n_own = 0
    for click in range(end - 1, start - 1, -1):
        known = -1
        for other in range(n_own):
            if own[other] == clicks[click]:
                known = other
                break
        if known >= 0:
            times[known] += 1
            continue
        own[n_own], away[n_own], times[n_own] = clicks[click], end - 1 - click, 1
        slots[n_own] = place + click - start
        n_own += 1
    for other in range(n_own):
        if own[other] == target:
            return n_own, other
    own[n_own], away[n_own], times[n_own] = target, -1, 0
    slots[n_own] = place + end - start
    return n_own + 1, n_own


@inlined
def _case(away, times):
    """Return which bonus an item has that was clicked before."""
    return min(away, DISTANCES - 1) * TIMES + min(times, TIMES) - 1


@inlined
def _pull_back(pull, shares, kind, shift, pulls, whose, factors, clicks, start, end, place):
    """Hand the pull on a visit's vector to its clicks, and to the weights of their distances.

    A softmax's weights move by how far each click's pull is above the mean; that is 0 here, for the
    pull stands at right angles to the visit's vector, which is the clicks' mean.
    """
    for click in range(start, end):
        slot = place + click - start
        whose[slot] = clicks[click]
        along = _product(pull, 0, factors, clicks[click])
        shift[kind, min(end - 1 - click, shift.shape[1] - 1)] += shares[slot] * along
        for column in range(pull.shape[1]):
            pulls[slot, column] += shares[slot] * pull[0, column]


@kernel(
    written(f32, 2),
    written(i32),
    written(f32, 2),
    written(f32, 2),
    written(f32),
    written(f64, 2),
    written(f64, 2),
    written(f64),
    read(f32, 2),
    read(f32),
    read(f32),
    read(f32, 2),
    read(f32, 2),
    read(i32),
    read(i64),
    read(i64),
    read(i64),
    read(i32),
    read(i32),
    read(f32, 2),
    f32,
    f32,
    i64,
    i64,
    i64,
)
def compare(
    pulls, whose, others, odds, factor, shift, lift, losses,
    vectors, lengths, shares, factors, rivals, clicks, starts, ends, places, targets, columns,
    repeats, scale, kept, key, first, last,
):  # fmt: skip
    """Compare each sample's next item with its clicks and the others; say how all should move.

    Scores are ``scale * cosine``, those of items of the visit with a bonus on top; the loss is that
    of a softmax over the sample's own items and the others, which count as many as they stand for.

    pulls    (n_slots, f) float32, added to: the gradient at the item of each slot
    whose    (n_slots,) int32, written: the item of each slot
    others   (n, f + 1) float32: odds times rivals, summed; own items' are taken out
    odds     (n, n_others) float32: exp(score - scale) of the others; own items' are blanked
    factor   (n,) float32, written: what turns odds into gradients of scores
    shift    (N_KINDS, window) float64, added to: the gradient at the weights of distances
    lift     (N_KINDS, DISTANCES * TIMES) float64, added to: the gradient at the bonuses
    losses   (n,) float64, written
    vectors, lengths, shares, factors, clicks, starts, ends, places, kept, key: as in `mix_visits`
    rivals   (n_others, f + 1) float32: the others' factors as they were compared, and 1
    targets  (n,) int32: the item that came next
    columns  (n_items,) int32: which of the others an item is, or -1
    repeats  (N_KINDS, DISTANCES * TIMES) float32: the bonus of items clicked before, by the kind of
             the visit, how far from the end, and how often
    scale    float32
    first, last  int64: the samples to do
    """
    n_factors, window = factors.shape[1], shift.shape[1]
    own, away = np.empty(window + 1, np.int32), np.empty(window + 1, np.int64)
    times, slots = np.empty(window + 1, np.int64), np.empty(window + 1, np.int64)
    scores, cosines = np.empty(window + 1, np.float32), np.empty(window + 1, np.float32)
    pull = np.empty((1, n_factors), np.float32)
    for sample in range(first, last):
        start, end, place = starts[sample], ends[sample], places[sample]
        kind = _kind(clicks, start, end)
        n_own, target = _gather_own(
            own, away, times, slots, clicks, start, end, place, targets[sample]
        )
        for one in range(n_own):
            column = columns[own[one]]
            if column >= 0:  # it is compared as the visit's own
                twice = odds[sample, column]
                odds[sample, column] = 0
                others[sample, n_factors] -= twice
                for place_ in range(n_factors):
                    others[sample, place_] -= twice * rivals[column, place_]
        total = max(others[sample, n_factors], np.float32(0))
        for one in range(n_own):
            cosines[one] = _product(vectors, sample, factors, own[one])
            scores[one] = scale * (cosines[one] - np.float32(1))
            if away[one] >= 0:
                scores[one] += repeats[kind, _case(away[one], times[one])]
            total += np.exp(scores[one])
        losses[sample] = np.log(total) - scores[target]
        factor[sample] = scale / total
        for place_ in range(n_factors):
            pull[0, place_] = others[sample, place_] / total
        for one in range(n_own):
            chance = np.exp(scores[one]) / total
            gradient = chance - np.float32(1) if one == target else chance
            if away[one] >= 0:
                lift[kind, _case(away[one], times[one])] += gradient
            whose[slots[one]] = own[one]
            for place_ in range(n_factors):
                pull[0, place_] += gradient * factors[own[one], place_]
                pulls[slots[one], place_] += scale * gradient * vectors[sample, place_]
        if away[target] >= 0:
            whose[place + end - start] = targets[sample]  # a slot without a pull
        along = _product(pull, 0, vectors, sample)
        reach = scale / lengths[sample]
        for place_ in range(n_factors):
            pull[0, place_] = reach * (pull[0, place_] - along * vectors[sample, place_])
        _drop(pull, 0, kept, key, sample)
        _pull_back(pull, shares, kind, shift, pulls, whose, factors, clicks, start, end, place)


@kernel(
    written(f32, 2),
    written(f32),
    read(i32),
    read(i64),
    read(i64),
    read(f32, 2),
    f32,
    i64,
    i64,
)
def move_items(factors, sums, items, bounds, rows, pulls, rate, first, last):
    """Take a step of Adagrad with some items, on the sphere of vectors of length 1.

    factors  (n_items, f) float32, written
    sums     (n_items,) float32, written: squared lengths of an item's gradients so far
    items    (n,) int32, each once
    bounds   (n + 1,) int64: where the rows of each item start
    rows     (bounds[n],) int64: which pulls are each item's, added up in this order
    pulls    (n_pulls, f) float32: gradients
    rate     float32
    first, last  int64: the items to do
    """
    n_factors = factors.shape[1]
    pull = np.empty((1, n_factors), np.float32)
    for one in range(first, last):
        item = items[one]
        for place in range(n_factors):
            pull[0, place] = 0
        for entry in range(bounds[one], bounds[one + 1]):
            for place in range(n_factors):
                pull[0, place] += pulls[rows[entry], place]
        along = _product(pull, 0, factors, item)
        for place in range(n_factors):  # what would change the length falls away
            pull[0, place] -= along * factors[item, place]
        sums[item] += _product(pull, 0, pull, 0)
        step = rate / np.sqrt(np.float32(1) + sums[item])
        for place in range(n_factors):
            factors[item, place] -= step * pull[0, place]
        length = max(np.sqrt(_product(factors, item, factors, item)), _SHORTEST)
        for place in range(n_factors):
            factors[item, place] /= length


@kernel(written(i32), written(f32), written(i64), read(f32, 2), read(i32), i64)
def offer_own(own, bonuses, found, repeats, clicks, n_clicks):
    """List a visit's distinct items, the latest first, and the bonus of each.

    own      (n,) int32, written
    bonuses  (n,) float32, written
    found    (1,) int64, written: how many there are
    repeats  (N_KINDS, DISTANCES * TIMES) float32
    clicks   (n,) int32, oldest first
    n_clicks  int64
    """
    found[0] = 0
    if n_clicks == 0:
        return
    away, times = np.empty(n_clicks + 1, np.int64), np.empty(n_clicks + 1, np.int64)
    slots = np.empty(n_clicks + 1, np.int64)
    kind = _kind(clicks, 0, n_clicks)
    n_own, _ = _gather_own(own, away, times, slots, clicks, 0, n_clicks, 0, clicks[n_clicks - 1])
    for one in range(n_own):
        bonuses[one] = repeats[kind, _case(away[one], times[one])]
    found[0] = n_own


@kernel(written(f32, 2), f32, i64, i64, i64)
def drop(rows, kept, key, first, last):
    """Blank some places of rows and lift the others; again with the same key, the same places.

    rows  (n, f) float32, written
    kept  float32: the share of places that are not blanked, 1 for all
    key   int64: of the random numbers
    first, last  int64: the rows to do
    """
    for row in range(first, last):
        _drop(rows, row, kept, key, row)
