"""Groups of records of one person, made of pairs that match with some probability."""

from __future__ import annotations

import heapq
from itertools import pairwise

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from recopersona.data.types import Array

_LARGEST_ASSIGNMENT = 1_000
_TOLERANCE = 1e-9


def connected(n: int, first: Array, second: Array) -> Array:
    """Number the records, int64 (n,), alike where pairs connect them: by the first of each."""
    ones = np.ones(len(first), np.int8)
    parts = connected_components(coo_array((ones, (first, second)), shape=(n, n)), directed=False)
    return _by_first(parts[1])


def _by_first(groups: Array) -> Array:
    """Name each group by its first record."""
    _, first, code = np.unique(groups, return_index=True, return_inverse=True)
    named: Array = first[code]
    return named


def averaged(n: int, first: Array, second: Array, probability: Array, least: float) -> Array:
    """Join groups as long as their pairs match with a mean probability of at least ``least``.

    The likeliest two groups are joined first; a pair that is not given has a probability of 0. So
    one doubtful pair does not chain two people together, as connected components would.

    Returns
    -------
    int64 (n,), the first record of each one's group
    """
    parts = connected(n, first, second)
    sizes = np.bincount(parts, minlength=n)
    groups = np.arange(n)
    two = (sizes[parts[first]] == 2) & (probability >= least)
    groups[second[two]] = first[two]
    more = sizes[parts[first]] > 2
    pairs = zip(
        first[more].tolist(), second[more].tolist(), probability[more].tolist(), strict=True
    )
    for one, other in _joins(list(pairs), least):
        groups[one] = other
    return _roots(groups)


def _joins(pairs: list[tuple[int, int, float]], least: float) -> list[tuple[int, int]]:
    """Return which group went into which, one after the other."""
    near: dict[int, dict[int, float]] = {}  # summed probability of the pairs of two groups
    for one, other, chance in pairs:
        near.setdefault(one, {})[other] = chance
        near.setdefault(other, {})[one] = chance
    size = dict.fromkeys(near, 1)
    heap = [(-chance, one, other) for one, other, chance in pairs if chance >= least]
    heapq.heapify(heap)
    joins = []
    while heap:
        chance, one, other = heapq.heappop(heap)
        if one not in near or other not in near[one]:
            continue
        if abs(near[one][other] / (size[one] * size[other]) + chance) > _TOLERANCE:
            continue  # the groups have grown since
        _absorb(near, size, one, other)
        joins.append((other, one))
        for third, total in near[one].items():
            mean = total / (size[one] * size[third])
            if mean >= least:
                heapq.heappush(heap, (-mean, min(one, third), max(one, third)))
    return joins


def _absorb(near: dict[int, dict[int, float]], size: dict[int, int], one: int, other: int) -> None:
    """Move all that is near one group to another."""
    mine = near[one]
    del mine[other]
    for third, total in near.pop(other).items():
        if third == one:
            continue
        mine[third] = near[third][one] = mine.get(third, 0.0) + total
        del near[third][other]
    size[one] += size.pop(other)


def _roots(groups: Array) -> Array:
    while True:
        further = groups[groups]
        if (further == groups).all():
            return _by_first(groups)
        groups = further


def assigned(first: Array, second: Array, probability: Array, least: float) -> Array:
    """Return which pairs to keep, bool (n_pairs,), so that every record has at most one.

    Among records connected by pairs of at least ``least`` the sum of probabilities is the largest
    possible; in more than a thousand of them the likeliest pair comes first.
    """
    kept = np.zeros(len(first), np.bool_)
    able = np.flatnonzero(probability >= least)
    if not len(able):
        return kept
    n = int(max(first.max(), second.max())) + 1
    parts = connected(n, first[able], second[able])[first[able]]
    order = np.argsort(parts, kind="stable")
    bounds = np.flatnonzero(np.r_[True, np.diff(parts[order]) > 0, True])
    for start, end in pairwise(bounds.tolist()):
        rows = able[order[start:end]]
        if len(rows) > 1:
            rows = rows[_one_to_one(first[rows], second[rows], probability[rows])]
        kept[rows] = True
    return kept


def _one_to_one(first: Array, second: Array, probability: Array) -> Array:
    left, row = np.unique(first, return_inverse=True)
    right, column = np.unique(second, return_inverse=True)
    if max(len(left), len(right)) > _LARGEST_ASSIGNMENT:
        return _likeliest_first(row, column, probability)
    value = np.zeros((len(left), len(right)))
    value[row, column] = probability
    chosen = np.zeros(value.shape, np.bool_)
    chosen[linear_sum_assignment(value, maximize=True)] = True
    return np.flatnonzero(chosen[row, column])


def _likeliest_first(row: Array, column: Array, probability: Array) -> Array:
    rows, columns, chosen = set(), set(), []
    for pair in np.argsort(-probability, kind="stable").tolist():
        if row[pair] not in rows and column[pair] not in columns:
            rows.add(row[pair])
            columns.add(column[pair])
            chosen.append(pair)
    return np.array(chosen, dtype=np.int64)
