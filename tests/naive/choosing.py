"""The slow, readable twins of describing candidates and judging them."""

from __future__ import annotations

import math


def describe_opinions(candidates, pools):
    """Return each candidate's log share in each model's pool of (item, score) pairs."""
    rows = []
    for candidate in candidates:
        row = []
        for pool in pools:
            total = sum(max(score, 0) for _, score in pool)
            mine = sum(max(score, 0) for item, score in pool if item == candidate)
            row.append(math.log((mine / total if total > 0 else 0) + 1e-4))
        rows.append(row)
    return rows


def describe_visit(candidates, visit, popular, lately, unit):
    """Return what the visit and the crowd say of each candidate."""
    rows = []
    for candidate in candidates:
        ago = [place for place, item in enumerate(reversed(visit)) if item == candidate]
        rows.append(
            [
                *(float(bool(ago) and min(ago[0], 3) == place) for place in range(4)),
                math.log(max(len(ago), 1)),
                float(visit[-2:] == [candidate, candidate]),
                math.log1p(popular[candidate]) if candidate < len(popular) else 0.0,
                math.log1p(lately[candidate] / unit) if candidate < len(lately) else 0.0,
                math.log(len(visit)),
                len(set(visit)) / len(visit),
            ]
        )
    return rows


def judge(rows, mean, scale, inner, biases, outer, linear):
    """Return the utility of each row."""
    utilities = []
    for row in rows:
        z = [(x - m) / s for x, m, s in zip(row, mean, scale, strict=True)]
        total = sum(a * b for a, b in zip(z, linear, strict=True))
        for unit, weight in enumerate(outer):
            inside = biases[unit] + sum(a * line[unit] for a, line in zip(z, inner, strict=True))
            total += max(inside, 0) * weight
        utilities.append(total)
    return utilities
