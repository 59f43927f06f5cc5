"""The slow, readable twin of skip-gram with negative samples, in double precision."""

from __future__ import annotations

import numpy as np

from tests.naive.next_item import STRIDE, mixed


def draw(state, shares, aliases):
    """Draw an item from Walker's table; return it, and the random number it came from."""
    state = mixed(state + STRIDE)
    slot = state * len(shares) >> 32
    kept = np.float32(2.0**-32) * np.float32(mixed(state)) < shares[slot]
    return (slot if kept else int(aliases[slot])), state


def learn_pair(inputs, outputs, near, item, shares, aliases, negatives, rate, state):
    """Move an item's output towards a near one's input, and those of drawn items away."""
    pull = np.zeros(inputs.shape[1])
    labelled = [(item, 1.0)]
    for _ in range(negatives):
        drawn, state = draw(state, shares, aliases)
        if drawn != item:
            labelled.append((drawn, 0.0))
    for other, label in labelled:
        step = rate * (label - 1 / (1 + np.exp(-inputs[near] @ outputs[other])))
        pull += step * outputs[other]
        outputs[other] += step * inputs[near]
    inputs[near] += pull
    return state


def learn_visits(
    inputs, outputs, visits, order, kept, shares, aliases, window, negatives, first_rate,
    last_rate, key,
):  # fmt: skip
    """Go over visits; every click is foreseen by those at most so far away as is drawn for it."""
    starts = np.cumsum([0, *map(len, visits)])
    for turn, visit in enumerate(order):
        rate = first_rate + (last_rate - first_rate) * turn / len(order)
        clicks = visits[visit]
        for place, item in enumerate(clicks):
            state = mixed(key ^ mixed(int(starts[visit]) + place))
            if not np.float32(2.0**-32) * np.float32(state) < kept[item]:
                continue
            state = mixed(state + STRIDE)
            reach = 1 + (state * window >> 32)
            for near in range(max(0, place - reach), min(len(clicks), place + reach + 1)):
                if near != place and clicks[near] != item:
                    state = learn_pair(
                        inputs, outputs, clicks[near], item, shares, aliases, negatives, rate, state
                    )


def learn_click(inputs, outputs, before, item, shares, aliases, negatives, rate, key):
    """Let a new click and those before it foresee each other."""
    state = mixed(key)
    for near in before:
        if near != item:
            for pair in ((near, item), (item, near)):
                state = learn_pair(inputs, outputs, *pair, shares, aliases, negatives, rate, state)
