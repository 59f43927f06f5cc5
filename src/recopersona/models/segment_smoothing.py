"""How far a segment may leave its parent: learned from users who are left out one by one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import sparse

from recopersona.data.ids import UNKNOWN
from recopersona.data.types import Array, Indices
from recopersona.models.segment_counts import segments, summed

_ENTRIES = 200_000  # pairs of user and item on which strengths are judged
_CUSTOMERS = 2.0 ** np.arange(-2, 15)
"""Strengths that are tried, in customers' worth of what the parent says."""
_SURELY = 2.0
"""Standard errors, over users, by which one more attribute must gain."""


class Chances(NamedTuple):
    """How likely each pair's item was before its user came: its group's chance, and its own there.

    group, item  float64 (n_entries,)
    """

    group: Array
    item: Array


class Smoothing(NamedTuple):
    """What was learned.

    order      places of the attributes, coarse to fine
    strengths  (2 ** n_attributes, 2) float64, in customers' worth: bit j of a row says that the
               j-th attribute of the order is known; the columns are of groups and of items
    gains      (n_attributes,) float64, nats gained by each when it joined the chain
    """

    order: list[int]
    strengths: Array
    gains: Array


class LeaveOneOut:
    """The likelihood of what users chose, each judged by all the others.

    matrix    users x items
    groups    (n_items,) the group of each item
    customer  what a user's weights add up to on average
    """

    def __init__(self, matrix: sparse.csr_array, groups: Indices, customer: float) -> None:
        self.matrix, self.customer = matrix, customer
        n_users, n_items = matrix.shape
        n_groups = int(groups.max(initial=0)) + 1
        ones = np.ones(n_items, np.float32)
        grouping = sparse.coo_array((ones, (np.arange(n_items), groups)), shape=(n_items, n_groups))
        self.by_group = (matrix @ grouping.tocsr()).tocsr()
        self.by_group.sort_indices()
        self.has_groups = n_groups > 1
        step = -(-matrix.nnz // _ENTRIES)  # every step-th user, whatever their order means
        sizes = np.diff(matrix.indptr)
        judged = np.arange(n_users) % max(1, step) == 0
        users = np.repeat(np.arange(n_users), sizes)
        kept = judged[users]
        self.users, self.items = users[kept], matrix.indices[kept]
        self.weights = matrix.data[kept].astype(np.float64)
        self.relative = self.weights / max(self.weights.mean(), 1e-300)
        self.groups = groups[self.items]
        totals = np.asarray(matrix.sum(axis=1), np.float64).reshape(-1)
        self.totals = totals[self.users]
        self.group_weights = _looked_up(self.by_group, self.users, self.groups)
        self.everybody = self._everybody(groups, n_items, n_groups)

    def _everybody(self, groups: Indices, n_items: int, n_groups: int) -> Chances:
        matrix, prior = self.matrix, self.customer
        popularity = np.asarray(matrix.sum(axis=0), np.float64).reshape(-1)
        of_groups = np.bincount(groups, popularity, minlength=n_groups)
        sizes = np.bincount(groups, minlength=n_groups) / n_items
        others = popularity.sum() - self.totals + prior
        item = np.maximum(popularity[self.items] - self.weights, 0) + prior / n_items
        group = np.maximum(of_groups[self.groups] - self.group_weights, 0)
        group = group + prior * sizes[self.groups]
        return Chances(group / others, np.minimum(item / group, 1.0))

    def refined(
        self, codes: Indices, parent: Chances, strengths: Array
    ) -> tuple[float, tuple[float, float], Chances]:
        """Judge one more level: return the nats gained, the two strengths, and the new chances.

        codes      (n_users, n_attributes) int32, -1 where unknown
        parent     of each pair
        strengths  what to choose from
        """
        found, segment = segments(codes)
        place = segment[self.users]
        inside = place != UNKNOWN
        safe = np.where(inside, place, 0)
        if not len(found) or not inside.any():
            return 0.0, (np.inf, np.inf), parent
        of_items = summed(segment, len(found), self.matrix)
        of_groups = summed(segment, len(found), self.by_group)
        totals = np.asarray(of_items.sum(axis=1), np.float64).reshape(-1)
        total = np.maximum(totals[safe] - self.totals, 0)
        n_group = np.maximum(_looked_up(of_groups, safe, self.groups) - self.group_weights, 0)
        n_item = np.maximum(_looked_up(of_items, safe, self.items) - self.weights, 0)
        weights = np.where(inside, self.relative, 0.0)
        gain, of_group, group = 0.0, np.inf, parent.group
        if self.has_groups:
            gain, of_group, group = self._best(n_group, total, parent.group, weights, strengths)
        within = n_group if self.has_groups else total
        more, of_item, item = self._best(n_item, within, parent.item, weights, strengths)
        return (
            gain + more,
            (of_group, of_item),
            Chances(np.where(inside, group, parent.group), np.where(inside, item, parent.item)),
        )

    def standard_error(self, chances: Chances, parent: Chances) -> float:
        """Return how far the nats that a level gained may be off, were other users drawn."""
        ratio = chances.group / parent.group * (chances.item / parent.item)
        gains = np.bincount(self.users, self.relative * np.log(ratio))
        counted = gains[np.bincount(self.users) > 0]
        return float(np.sqrt(len(counted)) * counted.std())

    def _best(
        self, counts: Array, total: Array, parent: Array, weights: Array, strengths: Array
    ) -> tuple[float, float, Array]:
        """Return the likeliest of some strengths: its gain, itself, and the chances with it."""
        best = (0.0, np.inf, parent) if len(strengths) > 1 else (-np.inf, np.inf, parent)
        for strength in strengths.tolist():
            prior = strength * self.customer
            chance = (counts + prior * parent) / (total + prior)
            gain = float(weights @ np.log(chance / parent))
            if gain > best[0]:
                best = gain, strength, chance
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
    depth     at most so many are chosen, each time the one that foresees most
    strength  in customers' worth, where it is given
    """
    tried = _CUSTOMERS if strength is None else np.array([strength])
    chosen: list[int] = []
    gains: list[float] = []
    chances = judge.everybody
    left = list(range(codes.shape[1])) if order is None else list(order)
    limit = min(depth, len(left)) if order is None else len(left)
    while len(chosen) < limit:
        candidates = left if order is None else left[:1]
        judged = [
            (*judge.refined(codes[:, [*chosen, place]], chances, tried), place)
            for place in candidates
        ]
        gain, _, refined, place = max(judged, key=lambda one: (one[0], -one[-1]))
        if order is None and gain <= _SURELY * judge.standard_error(refined, chances):
            break
        chosen.append(place)
        gains.append(gain)
        left.remove(place)
        chances = refined
    return Smoothing(chosen, _strengths(judge, codes[:, chosen], tried), np.array(gains))


def _strengths(judge: LeaveOneOut, codes: Indices, tried: Array) -> Array:
    """Learn how far every combination of known attributes may leave the one without its last."""
    n_attributes = codes.shape[1]
    found = np.full((1 << n_attributes, 2), np.inf)
    chances = {0: judge.everybody}
    for mask in range(1, 1 << n_attributes):
        places = [place for place in range(n_attributes) if mask >> place & 1]
        parent = chances[mask & ~(1 << places[-1])]
        _, found[mask], chances[mask] = judge.refined(codes[:, places], parent, tried)
    return found


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
