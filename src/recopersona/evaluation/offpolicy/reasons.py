"""Why a row of a log cannot be used: what may be wrong with it, of which the first counts."""

from __future__ import annotations

import numpy as np

from recopersona.data.types import Array, Mask, Values

_CERTAIN = 1 + 1e-9  # a probability of 1 that was added up from parts

Reasons = list[tuple[str, Mask]]
"""Each reason, and for which rows it holds."""


def of_probabilities(name: str, values: Values, *, may_be_0: bool) -> Reasons:
    """Return what may be wrong with a column of probabilities."""
    too_low = values < 0 if may_be_0 else values <= 0
    return [
        (f"no {name}", np.isnan(values)),
        (f"{name} below 0" if may_be_0 else f"{name} of 0 or less", too_low),
        (f"{name} above 1", values > _CERTAIN),
    ]


def of_rewards(rewards: Values, reward_range: tuple[float, float] | None) -> Reasons:
    """Return what may be wrong with rewards."""
    found = [("no reward", np.isnan(rewards)), ("reward infinite", np.isinf(rewards))]
    if reward_range is not None:
        low, high = reward_range
        found.append((f"reward outside {low:g} to {high:g}", (rewards < low) | (rewards > high)))
    return found


def first_reasons(reasons: Reasons, starts: Array | None = None) -> tuple[Mask, dict[str, int]]:
    """Tell what cannot be used, and how many the first reason for each took.

    starts  int (n,), where the rows of each list begin: it is wrong as soon as one row is; by
            default each row is by itself
    """
    wrong, counts = np.zeros(len(reasons[0][1] if starts is None else starts), bool), {}
    for reason, rows in reasons:
        fresh = (rows if starts is None else np.logical_or.reduceat(rows, starts)) & ~wrong
        if fresh.any():
            counts[reason] = int(fresh.sum())
            wrong |= fresh
    return wrong, counts


def told(counts: dict[str, int]) -> str:
    """Say how many were dropped for each reason.

    Examples
    --------
    >>> told({"rows": 3, "used": 0, "no reward": 2, "propensity above 1": 1})
    '2 with no reward, 1 with propensity above 1'
    """
    dropped = {name: n for name, n in counts.items() if name not in ("rows", "lists", "used")}
    return ", ".join(f"{n:,} with {reason}" for reason, n in dropped.items())
