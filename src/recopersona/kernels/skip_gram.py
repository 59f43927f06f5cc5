"""Skip-gram with negative samples: items that are clicked near each other get near vectors."""

from __future__ import annotations

import numba
import numpy as np

from recopersona.kernels.compiling import f32, i32, i64, inlined, kernel, read, written
from recopersona.kernels.prefetch import fetch_ahead

_WORD = 0xFFFFFFFF  # numbers are mixed in 32 bits, so that no product leaves 64
_MULTIPLIER = 0x45D9F3B
_STRIDE = 0x1E3779B9
_UNIT = np.float32(2.0**-32)


@inlined
def _mixed(number):
    """Spread the bits of a number over 32: near numbers give far ones."""
    mixed = number & _WORD
    mixed = (((mixed >> 16) ^ mixed) * _MULTIPLIER) & _WORD
    mixed = (((mixed >> 16) ^ mixed) * _MULTIPLIER) & _WORD
    return (mixed >> 16) ^ mixed


@inlined
def _next(state):
    """Return the number after one, in a row of random ones."""
    return _mixed(state + _STRIDE)


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
def _step(inputs, outputs, pull, near, item, label, rate):
    """Move an item's output towards a near item's input, or away; gather what moves the input."""
    score = min(max(_product(inputs, near, outputs, item), np.float32(-30)), np.float32(30))
    step = rate * (label - np.float32(1) / (np.float32(1) + np.exp(-score)))
    for place in range(inputs.shape[1]):
        pull[place] += step * outputs[item, place]
    for place in range(inputs.shape[1]):
        outputs[item, place] += step * inputs[near, place]


@inlined
def _learn_pair(inputs, outputs, pull, near, item, shares, aliases, negatives, rate, state):
    """Let an item that was clicked near another be foreseen by it, and drawn ones not."""
    for place in range(len(pull)):
        pull[place] = 0
    # Negatives are drawn before anything moves, so that the memory can be asked for them.
    first = state
    for _ in range(negatives):
        state = _next(state)
        slot = (state * len(shares)) >> 32
        fetch_ahead(outputs, slot)
    _step(inputs, outputs, pull, near, item, np.float32(1), rate)
    state = first
    for _ in range(negatives):
        state = _next(state)
        slot = (state * len(shares)) >> 32
        drawn = slot if _UNIT * np.float32(_mixed(state)) < shares[slot] else aliases[slot]
        if drawn != item:
            _step(inputs, outputs, pull, near, drawn, np.float32(0), rate)
    for place in range(len(pull)):
        inputs[near, place] += pull[place]
    return state


@kernel(
    written(f32, 2),
    written(f32, 2),
    read(i32),
    read(i64),
    read(i64),
    read(f32),
    read(f32),
    read(i32),
    i64,
    i64,
    f32,
    f32,
    i64,
    i64,
    i64,
)
def learn_visits(
    inputs, outputs, clicks, bounds, order, kept, shares, aliases, window, negatives,
    first_rate, last_rate, key, first, last,
):  # fmt: skip
    """Go over visits; every click is foreseen by the clicks around it.

    How far around is drawn for each click, up to ``window``, so that nearer ones count more.

    inputs, outputs  (n_items, f) float32, written
    clicks   (n_clicks,) int32
    bounds   (n_visits + 1,) int64: visit v is ``clicks[bounds[v]:bounds[v + 1]]``
    order    (n,) int64: the visits in the order they are taken
    kept     (n_items,) float32: the chance that a click counts at all
    shares, aliases  (n_items,) float32 and int32: a table of Walker's, to draw negatives from
    window, negatives  int64
    first_rate, last_rate  float32: the rate falls from one to the other
    key      int64: of the random numbers
    first, last  int64: which of the visits in order
    """
    pull = np.empty(inputs.shape[1], np.float32)
    for turn in range(first, last):
        visit = order[turn]
        rate = first_rate + (last_rate - first_rate) * np.float32(turn - first) / np.float32(
            last - first
        )
        for click in range(bounds[visit], bounds[visit + 1]):
            item = clicks[click]
            state = _mixed(key ^ _mixed(np.int64(click)))
            if not _UNIT * np.float32(state) < kept[item]:
                continue
            state = _next(state)
            reach = 1 + ((state * window) >> 32)
            for near in range(
                max(click - reach, bounds[visit]), min(click + reach + 1, bounds[visit + 1])
            ):
                if near != click and clicks[near] != item:
                    state = _learn_pair(
                        inputs, outputs, pull, clicks[near], item, shares, aliases, negatives,
                        rate, state,
                    )  # fmt: skip


@kernel(
    written(f32, 2),
    written(f32, 2),
    read(i32),
    read(f32),
    read(i32),
    i64,
    f32,
    i64,
    i64,
    i64,
)
def learn_click(inputs, outputs, visit, shares, aliases, negatives, rate, key, item, n_near):
    """Let a new click and the clicks before it in its visit foresee each other.

    inputs, outputs, shares, aliases, negatives, rate, key: as in `learn_visits`
    visit    (n,) int32: the clicks before, latest first
    item     int64: what was clicked
    n_near   int64: how many of them count
    """
    pull = np.empty(inputs.shape[1], np.float32)
    state = _mixed(key)
    for place in range(n_near):
        near = visit[place]
        if near != item:
            state = _learn_pair(
                inputs, outputs, pull, near, item, shares, aliases, negatives, rate, state
            )
            state = _learn_pair(
                inputs, outputs, pull, item, near, shares, aliases, negatives, rate, state
            )
