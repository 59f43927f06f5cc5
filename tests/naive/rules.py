"""The slow, readable twins of the rules between clicks of a visit."""

from __future__ import annotations

import math
from collections import defaultdict

FALLS = {
    "div": lambda d, steps: 1 / d,
    "linear": lambda d, steps: 1 - (d - 1) / steps,
    "log": lambda d, steps: 1 / math.log10(d + 1.7),
    "quadratic": lambda d, steps: 1 / d**2,
    "same": lambda d, steps: 1.0,
}


def rules(visits, steps, weighting="div", backward=0.0):
    """Return {item: {other: weight}} of all pairs of clicks up to some steps apart."""
    found = defaultdict(lambda: defaultdict(float))
    for visit in visits:
        for later, item in enumerate(visit):
            for earlier in range(max(0, later - steps), later):
                weight = FALLS[weighting](later - earlier, steps)
                found[visit[earlier]][item] += weight
                if backward:
                    found[item][visit[earlier]] += backward * weight
    return {item: dict(others) for item, others in found.items()}


def scores(found, visit, decay, shrink, reminder):
    """Return {item: score} for the clicks of a visit, oldest first."""
    said = defaultdict(float)
    for distance, click in enumerate(reversed(visit[-50:])):
        count = decay**distance
        own = found.get(click, {})
        for other, weight in own.items():
            if count:
                said[other] += count * weight / (shrink + sum(own.values()))
        if count * reminder:
            said[click] += count * reminder
    return dict(said)
