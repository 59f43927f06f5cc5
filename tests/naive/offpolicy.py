"""Off-policy estimators with loops and dicts, one row at a time."""

from __future__ import annotations

import math
from collections import Counter


def own_frequencies(rows):
    """Of (action, position) rows: how often each action was chosen in its position."""
    both, alone = Counter(rows), Counter(position for _, position in rows)
    return {(action, position): n / alone[position] for (action, position), n in both.items()}


def weights(rows, target):
    """Of (action, position, propensity) rows."""
    return [target.get((action, position), 0.0) / p for action, position, p in rows]


def unlogged(rows, target):
    """The target's probability of what the log never shows there, averaged over rows."""
    seen = {(action, position) for action, position, _ in rows}
    total = 0.0
    for _, position, _ in rows:
        for (action, there), chance in target.items():
            if there == position and (action, there) not in seen:
                total += chance
    return total / len(rows)


def effective(w):
    return sum(w) ** 2 / sum(x * x for x in w)


def ips(r, w):
    return sum(a * b for a, b in zip(w, r, strict=True)) / len(r)


def snips(r, w):
    return sum(a * b for a, b in zip(w, r, strict=True)) / sum(w)


def dm(v):
    return sum(v) / len(v)


def dr(r, w, q, v):
    return sum(_dr_rows(r, w, q, v)) / len(r)


def sndr(r, w, q, v):
    left = sum(wi * (ri - qi) for wi, ri, qi in zip(w, r, q, strict=True))
    return sum(v) / len(v) + left / sum(w)


def switched(w, threshold):
    return [x if x <= threshold else 0.0 for x in w]


def shrunk(w, shrinkage):
    return [shrinkage * x / (x * x + shrinkage) for x in w]


def tuned(r, w, q, v, settings, weigh):
    """The estimate with the least variance + squared bias + variance of the bias."""
    full = _dr_rows(r, w, q, v)
    best, value = _variance(full), sum(full) / len(full)
    for setting in settings:
        rows = _dr_rows(r, weigh(w, setting), q, v)
        taken = [a - b for a, b in zip(rows, full, strict=True)]
        error = _variance(rows) + (sum(taken) / len(taken)) ** 2 + _variance(taken)
        if error < best:
            best, value = error, sum(rows) / len(rows)
    return value


def _dr_rows(r, w, q, v):
    return [vi + wi * (ri - qi) for ri, wi, qi, vi in zip(r, w, q, v, strict=True)]


def _variance(rows):
    """Of the mean."""
    mean = sum(rows) / len(rows)
    return sum((x - mean) ** 2 for x in rows) / len(rows) / (len(rows) - 1)


def shrunken_means(rows, positions, actions):
    """Expectations by (action, position) from (action, position, reward) rows."""
    rewards = [r for _, _, r in rows]
    n = len(rows)
    mean = sum(rewards) / n
    left = [r - mean for r in rewards]
    noise = sum(x * x for x in left) / n
    tails = sum(x**4 for x in left) / n / noise**2 - 3
    found = {(a, p): mean for a in actions for p in positions}
    for key in (lambda a, p: a, lambda a, p: p, lambda a, p: (a, p)):
        groups = {}
        for (a, p, _), x in zip(rows, left, strict=True):
            groups.setdefault(key(a, p), []).append(x)
        effects = _effects(groups, n, noise, tails)
        left = [x - effects[key(a, p)] for (a, p, _), x in zip(rows, left, strict=True)]
        for a, p in found:
            found[a, p] += effects.get(key(a, p), 0.0)
    return found


def _effects(groups, n, noise, tails):
    beyond = math.sqrt(2 * math.log(3))
    luck = beyond * noise * math.sqrt(sum(2 + max(tails, 0) / len(g) for g in groups.values()))
    spread = sum(sum(g) ** 2 / len(g) for g in groups.values())
    spread -= noise * sum(1 - len(g) / n for g in groups.values())
    if len(groups) < 2 or spread <= luck:
        return dict.fromkeys(groups, 0.0)
    between = spread / (n - sum(len(g) ** 2 for g in groups.values()) / n)
    return {
        name: sum(g) / len(g) * len(g) * between / (len(g) * between + noise)
        for name, g in groups.items()
    }
