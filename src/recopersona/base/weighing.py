"""What events weigh beside those that were there at the fit."""

from __future__ import annotations

import numpy as np

from recopersona.data.event import RETURN
from recopersona.data.interactions import Interactions
from recopersona.data.times import MISSING_TIME
from recopersona.data.types import Floats


def counted_weight(rows: Interactions, half_life: int | None, decayed_to: int | None) -> Floats:
    """Return what new events weigh beside those fitted, whose weights decayed up to a moment.

    A return is an event but never an interaction. What comes a half-life after the moment weighs
    twice; beyond 2**30 it no longer grows, and a new ``fit`` is long due.
    """
    weight = np.where(rows.event == RETURN, np.float32(0), rows.weight)
    if half_life is None or decayed_to is None or rows.timestamp is None:
        return weight
    later = np.where(rows.timestamp == MISSING_TIME, 0.0, (rows.timestamp - decayed_to) / half_life)
    return (weight * np.exp2(np.minimum(later, 30.0))).astype(np.float32)
