"""How far a segment may leave its parent: learned from users who are left out one by one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import sparse

from recopersona.data.ids import UNKNOWN
from recopersona.data.types import Array, Indices
from recopersona.models.item_levels import ItemLevels
from recopersona.models.segment_counts import segments, summed

_ENTRIES = 200_000  # pairs of user and item on which strengths are judged
_COUNTED = 2_000_000  # pairs that are counted for it
_CUSTOMERS = 2.0 ** np.arange(-2, 15)
"""Strengths that are tried, in customers' worth of what the parent says."""
_SURELY = 2.0
"""Standard errors, over users, by which one more attribute must gain."""


Chances = tuple[Array, ...]
"""Per level of the catalogue, float64 (n_entries,): how likely each pair's group was within the
group above it, before its user came."""


class Smoothing(NamedTuple):
    """What was learned.

    order      places of the attributes, coarse to fine
    strengths  (2 ** n_attributes, n_levels) float64, in customers' worth: bit j of a row says that
               the j-th attribute of the order is known; the columns are of the catalogue's levels
    gains      (n_attributes,) float64, nats gained by each when it joined the chain
    """

    order: list[int]
    strengths: Array
    gains: Array


class LeaveOneOut:
    """The likelihood of what users chose, each judged by all the others.

    matrix    users x items
    levels    of the catalogue
    customer  what a user's weights add up to on average
    """

    def __init__(self, matrix: sparse.csr_array, levels: ItemLevels, customer: float) -> None:
        self.customer = customer
        # A customer's worth is the same for few users as for many: every step-th is enough.
        self.step = max(1, -(-matrix.nnz // _COUNTED))
        matrix = matrix[:: self.step]
        users = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
        kept = users % max(1, -(-matrix.nnz // _ENTRIES)) == 0
        self.users = users[kept]
        items, weights = matrix.indices[kept], matrix.data[kept].astype(np.float64)
        self.weights = weights / max(float(weights.sum()) / max(len(weights), 1), 1e-300)
        self.groups = [group[items] for group in levels.groups]
        self.matrices = [_summed_columns(matrix, group) for group in levels.groups]
        self.own = [
            _looked_up(grouped, self.users, group)
            for grouped, group in zip(self.matrices, self.groups, strict=True)
        ]
        self.total = np.asarray(matrix.sum(axis=1), np.float64).reshape(-1)[self.users]
        self.everybody = self._everybody(levels)

    def _everybody(self, levels: ItemLevels) -> Chances:
        """Chances without a segment: a customer's worth is spread evenly over the items."""
        n_items = len(levels.groups[-1])
        popularity = np.asarray(self.matrices[-1].sum(axis=0), np.float64).reshape(-1)
        above = popularity.sum() - self.total + self.customer
        chances = []
        for group, chosen, own in zip(levels.groups, self.groups, self.own, strict=True):
            counts = np.bincount(group, popularity)[chosen] - own
            even = self.customer * np.bincount(group)[chosen] / n_items
            mass = np.maximum(counts, 0) + even
            chances.append(np.minimum(mass / above, 1.0))
            above = mass
        return tuple(chances)

    def refined(
        self, codes: Indices, parent: Chances, strengths: Array
    ) -> tuple[float, list[float], Chances]:
        """Judge one more segment: return the nats gained, a strength per level, the new chances.

        codes      (n_users, n_attributes) int32, -1 where unknown
        parent     of each pair
        strengths  what to choose from
        """
        found, segment = segments(codes[:: self.step])
        place = segment[self.users]
        inside = place != UNKNOWN
        if not inside.any():
            return 0.0, [np.inf] * len(parent), parent
        place, weights = place[inside], self.weights[inside]
        totals = np.asarray(
            summed(segment, len(found), self.matrices[-1]).sum(axis=1), np.float64
        ).reshape(-1)
        above = np.maximum(totals[place] - self.total[inside], 0)
        gains, chosen, refined = 0.0, [], []
        for level, before in enumerate(parent):
            counted = summed(segment, len(found), self.matrices[level])
            theirs = _looked_up(counted, place, self.groups[level][inside])
            counts = np.maximum(theirs - self.own[level][inside], 0)
            gain, strength, chance = self._best(counts, above, before[inside], weights, strengths)
            after = before.copy()
            after[inside] = chance
            gains += gain
            chosen.append(strength)
            refined.append(after)
            above = counts
        return gains, chosen, tuple(refined)

    def standard_error(self, chances: Chances, parent: Chances) -> float:
        """Return how far the nats that a level gained may be off, were other users drawn."""
        ratio = np.sum([np.log(a / b) for a, b in zip(chances, parent, strict=True)], axis=0)
        gains = np.bincount(self.users, self.weights * ratio)
        counted = gains[np.bincount(self.users) > 0]
        return float(np.sqrt(len(counted)) * counted.std()) if len(counted) else 0.0

    def _best(
        self, counts: Array, above: Array, parent: Array, weights: Array, strengths: Array
    ) -> tuple[float, float, Array]:
        """Return the likeliest of some strengths: its gain, itself, and the chances with it."""
        gain = _Gain.of(counts, above, parent, weights)
        priors = strengths * self.customer
        best = gain.summit(priors)
        if len(priors) > 1 and gain.at(float(priors[best])) <= 0:
            return 0.0, np.inf, parent
        prior = float(priors[best])
        return gain.at(prior), float(strengths[best]), (counts + prior * parent) / (above + prior)


class _Gain(NamedTuple):
    """The nats gained with a prior: few pairs have counts, and many share the count above."""

    ratio: Array
    of_ratio: Array
    rest: float
    above: Array
    of_above: Array

    @classmethod
    def of(cls, counts: Array, above: Array, parent: Array, weights: Array) -> _Gain:
        some = counts > 0
        distinct, place = np.unique(above, return_inverse=True)
        return cls(
            counts[some] / parent[some], weights[some], float(weights[~some].sum()),
            distinct, np.bincount(place.reshape(-1), weights),
        )  # fmt: skip

    def at(self, prior: float) -> float:
        """Sum up the logarithms of how much likelier each pair is."""
        gained = self.of_ratio @ np.log(self.ratio + prior) + self.rest * np.log(prior)
        return float(gained - self.of_above @ np.log(self.above + prior))

    def summit(self, priors: Array) -> int:
        """Return the place of the best prior, as good as a walk in ever smaller steps finds it."""
        step = 4
        found = {place: self.at(float(priors[place])) for place in range(0, len(priors), step)}
        best = max(found, key=lambda place: (found[place], -place))
        while step > 1:
            step //= 2
            for place in (best - step, best + step):
                if 0 <= place < len(priors) and place not in found:
                    found[place] = self.at(float(priors[place]))
            best = max(found, key=lambda place: (found[place], -place))
        return best


def learn_smoothing(
    judge: LeaveOneOut,
    codes: Indices,
    order: Sequence[int] | None,
    depth: int,
    strength: float | None,
) -> Smoothing:
    """Choose attributes and their order, unless given, and how far each level may go.

    judge     of the users' choices
    codes     (n_users, n_attributes) int32, -1 where unknown
    order     places of attributes, coarse to fine, where it is given
    depth     at most so many are chosen, each time one that foresees most
    strength  in customers' worth, where it is given
    """
    tried = _CUSTOMERS if strength is None else np.array([strength])
    chosen: list[int] = []
    gains: list[float] = []
    chances = judge.everybody
    left = list(range(codes.shape[1])) if order is None else list(order)
    limit = min(depth, len(left)) if order is None else len(left)
    while len(chosen) < limit:
        judged = [
            _Step(place, *judge.refined(codes[:, [*chosen, place]], chances, tried))
            for place in (left if order is None else left[:1])
        ]
        step = (
            judged[0] if order is not None else _coarsest_of_the_best(judge, judged, codes, chances)
        )
        if step is None:
            break
        chosen.append(step.place)
        gains.append(step.gain)
        left.remove(step.place)
        chances = step.chances
    return Smoothing(chosen, _strengths(judge, codes[:, chosen], tried), np.array(gains))


class _Step(NamedTuple):
    """One more attribute in the chain, and what it would gain."""

    place: int
    gain: float
    strengths: list[float]
    chances: Chances


def _coarsest_of_the_best(
    judge: LeaveOneOut, judged: Sequence[_Step], codes: Indices, chances: Chances
) -> _Step | None:
    """Choose the fewest segments among what gains as much as the best, give or take its error.

    A coarse attribute leaves room for finer ones after it. None where the best gains nothing for
    sure.
    """
    best = max(judged, key=lambda step: step.gain)
    error = judge.standard_error(best.chances, chances)
    if best.gain <= _SURELY * error:
        return None
    as_good = [
        step
        for step in judged
        if step.gain >= best.gain - error
        and step.gain > _SURELY * judge.standard_error(step.chances, chances)
    ]
    return min(as_good, key=lambda step: (len(np.unique(codes[:, step.place])), -step.gain))


def _strengths(judge: LeaveOneOut, codes: Indices, tried: Array) -> Array:
    """Learn how far every combination of known attributes may leave the one without its last."""
    n_attributes = codes.shape[1]
    found = np.full((1 << n_attributes, len(judge.everybody)), np.inf)
    chances = {0: judge.everybody}
    for mask in range(1, 1 << n_attributes):
        places = [place for place in range(n_attributes) if mask >> place & 1]
        parent = chances[mask & ~(1 << places[-1])]
        _, found[mask], chances[mask] = judge.refined(codes[:, places], parent, tried)
    return found


def _summed_columns(matrix: sparse.csr_array, groups: Indices) -> sparse.csr_array:
    """Add up the columns of each group."""
    n_items, n_groups = len(groups), int(groups.max(initial=-1)) + 1
    if n_groups == n_items:
        return matrix
    ones = np.ones(n_items, np.float32)
    belongs = sparse.coo_array((ones, (np.arange(n_items), groups)), shape=(n_items, n_groups))
    grouped: sparse.csr_array = (matrix @ belongs.tocsr()).tocsr()
    grouped.sort_indices()
    return grouped


def _looked_up(counted: sparse.csr_array, rows: Array, columns: Array) -> Array:
    """Return single entries of a matrix with sorted indices, float64."""
    n_columns = counted.shape[1]
    held = np.repeat(np.arange(counted.shape[0], dtype=np.int64), np.diff(counted.indptr))
    keys = held * n_columns + counted.indices
    wanted = rows.astype(np.int64) * n_columns + columns
    place = np.minimum(np.searchsorted(keys, wanted), max(len(keys) - 1, 0))
    if not len(keys):
        return np.zeros(len(wanted))
    return np.where(keys[place] == wanted, counted.data[place], 0.0).astype(np.float64)
