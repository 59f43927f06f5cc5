"""Sets of items that meet in orders beyond chance, grown from pairs."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import sparse
from scipy.special import xlogy

from recopersona.data.types import Array

_TRIED = 8  # partners tried for each set


class Found(NamedTuple):
    """A set of items that belong together; ``items`` ascend."""

    items: tuple[int, ...]
    support: int
    lift: float


def grown(
    orders: sparse.csr_array, size: int, support: int, shrink: float, least: float, most: int
) -> list[Found]:
    """Find pairs beyond chance, and grow the best of them.

    orders   orders x items of ones
    size     of the largest sets
    support  orders that hold a set
    shrink   orders' worth of chance
    least    log-likelihood ratio
    most     pairs to keep
    """
    grower = _Grower(orders, support, shrink, least)
    pairs = grower.pairs(most)
    found = {pair.items: pair for pair in pairs}
    front = pairs
    for _ in range(2, size):
        larger = {one.items: one for one in map(grower.larger, front) if one is not None}
        front = [one for items, one in larger.items() if items not in found]
        found.update(larger)
    return list(found.values())


class _Grower:
    """Counts sets in orders, and judges them."""

    def __init__(self, orders: sparse.csr_array, support: int, shrink: float, least: float) -> None:
        self.n_orders = orders.shape[0]
        self.support, self.shrink, self.least = support, shrink, least
        counts = np.asarray(orders.sum(axis=0)).reshape(-1).astype(np.int64)
        self.frequent = np.flatnonzero(counts >= support)
        self.counts = counts[self.frequent]
        by_item = orders.tocsc()[:, self.frequent]
        by_item.sort_indices()
        self.by_item = by_item
        met = (by_item.T.astype(np.float64) @ by_item.astype(np.float64)).tocsr()
        met.sort_indices()
        self.met = met
        left = np.repeat(np.arange(len(self.counts)), np.diff(met.indptr))
        expected = self.counts[left] * self.counts[met.indices] / max(self.n_orders, 1)
        lift = (met.data + shrink) / (expected + shrink)
        self.lift = np.where(met.data >= support, lift, 0.0)
        self._held: dict[tuple[int, ...], Array] = {}

    def pairs(self, most: int) -> list[Found]:
        """Return the best pairs."""
        upper = sparse.triu(self.met, k=1).tocoo()
        left, right = upper.coords
        together = upper.data
        kept = together >= self.support
        left, right, together = left[kept], right[kept], together[kept]
        expected = self.counts[left] * self.counts[right] / max(self.n_orders, 1)
        lift = (together + self.shrink) / (expected + self.shrink)
        ratio = log_likelihood_ratio(together, self.counts[left], self.counts[right], self.n_orders)
        good = np.flatnonzero((lift > 1 + 1e-6) & (ratio >= self.least) & (together > expected))
        worth = together[good] * np.log(lift[good])
        best = good[np.lexsort((right[good], left[good], -worth))][:most]
        return [
            self._named((int(left[row]), int(right[row])), int(together[row]), float(lift[row]))
            for row in best
        ]

    def larger(self, found: Found) -> Found | None:
        """Return the best set with one item more, or None."""
        places = tuple(np.searchsorted(self.frequent, found.items).tolist())
        partners = self._partners(places)
        tried = [self._joined(places, partner) for partner in partners]
        good = [one for one in tried if one is not None]
        return max(good, key=lambda one: one.support * np.log(one.lift), default=None)

    def _partners(self, places: tuple[int, ...]) -> list[int]:
        """Return the items that meet every item of a set often, best first."""
        common, least = self._met(places[0])
        for place in places[1:]:
            partners, lift = self._met(place)
            common, ours, theirs = np.intersect1d(
                common, partners, assume_unique=True, return_indices=True
            )
            least = np.minimum(least[ours], lift[theirs])
        near = np.flatnonzero((least > 1) & ~np.isin(common, places))
        best: list[int] = common[near[np.argsort(-least[near], kind="stable")][:_TRIED]].tolist()
        return best

    def _met(self, place: int) -> tuple[Array, Array]:
        """Return the items that an item meets, ascending, and their lifts."""
        row = slice(self.met.indptr[place], self.met.indptr[place + 1])
        return self.met.indices[row], self.lift[row]

    def _joined(self, places: tuple[int, ...], partner: int) -> Found | None:
        items = tuple(sorted((*places, partner)))
        together = self._count(items)
        if together < self.support:
            return None
        lifts = []
        for place in items:
            rest = self._count(tuple(one for one in items if one != place))
            expected = rest * self.counts[place] / self.n_orders
            lifts.append((together + self.shrink) / (expected + self.shrink))
        rest = self._count(places)
        ratio = log_likelihood_ratio(
            np.array([together]), np.array([rest]), self.counts[[partner]], self.n_orders
        )
        beyond = min(lifts) > 1 + 1e-6 and ratio[0] >= self.least
        return self._named(items, together, float(min(lifts))) if beyond else None

    def _count(self, places: tuple[int, ...]) -> int:
        """Return how many orders hold a set."""
        if len(places) > 2:
            return len(self._orders(places))
        first, last = places[0], places[-1]
        row = slice(self.met.indptr[first], self.met.indptr[first + 1])
        place = np.searchsorted(
            self.met.indices[row], last
        )  # of one item: how often it meets itself
        met = self.met.indices[row][place : place + 1] == last
        return int(self.met.data[row][place]) if met.any() else 0

    def _orders(self, places: tuple[int, ...]) -> Array:
        """Return the orders that hold a set, ascending."""
        if len(places) == 1:
            column = slice(*self.by_item.indptr[[places[0], places[0] + 1]])
            single: Array = self.by_item.indices[column]
            return single
        held = self._held.get(places)
        if held is None:
            held = np.intersect1d(
                self._orders(places[:-1]), self._orders(places[-1:]), assume_unique=True
            )
            self._held[places] = held
        return held

    def _named(self, places: tuple[int, ...], together: int, lift: float) -> Found:
        return Found(tuple(self.frequent[list(places)].tolist()), together, lift)


def log_likelihood_ratio(together: Array, left: Array, right: Array, total: int) -> Array:
    r"""Return how surprising it is that two things meet so often, or so seldom.

    .. math:: G^2 = 2 \sum_{cells} n \ln \frac{n}{expected}

    of the table of two by two.

    together, left, right  (n,) orders that hold both, the one, the other
    total                  orders

    Examples
    --------
    >>> together, left, right = np.array([20, 4]), np.array([20, 20]), np.array([20, 20])
    >>> log_likelihood_ratio(together, left, right, 100).round(1)
    array([100.1,   0. ])
    """
    cells = np.stack([together, left - together, right - together,
                      total - left - right + together]).astype(np.float64)  # fmt: skip
    sums = np.stack([left, total - left, right, total - right]).astype(np.float64)
    inside = xlogy(cells, cells).sum(axis=0) - xlogy(sums, sums).sum(axis=0)
    ratio: Array = 2 * (inside + xlogy(float(total), float(total)))
    return np.maximum(ratio, 0.0)
