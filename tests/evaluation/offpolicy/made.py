"""Logs that a test can make, of a shop whose truth it knows."""

from __future__ import annotations

import numpy as np
import pandas as pd

COLUMNS = {"action": "item_id", "reward": "click", "propensity": "p", "position": "position"}


def made(n=4_000, seed=0, n_items=6, skew=0.0, rate=0.2):
    """Return a log, the target's table, and the target's true value."""
    random = np.random.default_rng(seed)
    items = np.array([f"item {number}" for number in range(n_items)])
    taste = rate * np.exp(np.random.default_rng(5).normal(0, 0.5, (2, n_items)))
    logging = np.exp(skew * np.linspace(0, 1, n_items))
    logging /= logging.sum()
    wanted = np.exp(np.linspace(0, 1.5, n_items))
    wanted /= wanted.sum()
    position = random.integers(2, size=n)
    chosen = random.choice(n_items, size=n, p=logging)
    click = (random.random(n) < taste[position, chosen]).astype(int)
    log = pd.DataFrame({"item_id": items[chosen], "position": position + 1, "click": click,
                        "p": logging[chosen]})  # fmt: skip
    table = pd.DataFrame({"item_id": items, "probability": wanted})
    return log, table, float((taste @ wanted).mean())
