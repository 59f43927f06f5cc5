"""Rows in runs, one run per user: the arrays that a history is made of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import sparse

from recopersona.data.types import Array, Floats, Indices
from recopersona.errors import DataError


class Runs:
    """Columns of rows in runs, one run per user: user u's rows are ``bounds[u]:bounds[u + 1]``."""

    def __init__(self, bounds: Array, columns: Sequence[Array]) -> None:
        self.bounds, self.columns = bounds, tuple(columns)

    @classmethod
    def checked(cls, arrays: list[Any], types: Sequence[type]) -> Any:
        """Make runs of arrays that came from a file: bounds, then columns that start with items."""
        for array, dtype in zip(arrays, (np.int64, *types), strict=True):
            if not isinstance(array, np.ndarray) or array.dtype != dtype or array.ndim != 1:
                raise DataError(
                    f"a history needs its arrays of {np.dtype(dtype)} in one dimension."
                )
        bounds, *columns = arrays
        whole = len(bounds) and bounds[0] == 0 and (bounds[1:] >= bounds[:-1]).all()
        if not whole or {len(column) for column in columns} != {int(bounds[-1])}:
            raise DataError("the bounds of a history do not fit its columns.")
        if columns[0].min(initial=0) < 0:
            raise DataError("a history's items must not be negative.")
        return cls(bounds, columns)

    def run(self, user: int) -> tuple[Array, ...]:
        known = 0 <= user < len(self.bounds) - 1
        rows = slice(self.bounds[user], self.bounds[user + 1]) if known else slice(0, 0)
        return tuple(column[rows] for column in self.columns)

    def without(self, users: list[int]) -> Any:
        """Return the runs with those of some users emptied."""
        sizes = np.diff(self.bounds)
        keep = np.ones(len(self.columns[0]), dtype=np.bool_)
        for user in users:
            if 0 <= user < len(sizes):
                keep[self.bounds[user] : self.bounds[user + 1]] = False
                sizes[user] = 0
        return type(self)(starts_of(sizes), [column[keep] for column in self.columns])

    def of_users(self, users: Indices) -> Any:
        """Return the runs of some users, in the order given."""
        n_users = max(len(self.bounds) - 1, int(users.max(initial=-1)) + 1)
        everyone = _lengthened(self.bounds, n_users)
        starts, sizes = everyone[users], np.diff(everyone)[users]
        bounds = starts_of(sizes)
        rows = np.arange(bounds[-1]) + np.repeat(starts - bounds[:-1], sizes)
        return type(self)(bounds, [column[rows] for column in self.columns])

    def followed_by(self, users: Indices, columns: Sequence[Array]) -> Any:
        """Return the runs with rows, sorted by user, at the end of their users' runs."""
        sizes = np.bincount(users, minlength=len(self.bounds) - 1)
        ends = _lengthened(self.bounds, len(sizes))[1:]
        joined = _inserted(self.columns, ends[users], columns)
        return type(self)(np.concatenate([[0], ends + np.cumsum(sizes)]), joined)


class EventRuns(Runs):
    """Runs of (item, kind, time), in the order in which things happened."""

    def last(self, limit: int) -> EventRuns:
        """Return the runs with at most so many rows of each kind, the latest."""
        sizes = np.diff(self.bounds)
        long = np.flatnonzero(sizes > limit)  # nobody else can have too many of a kind
        if not len(long):
            return self
        kept = np.ones(len(self.columns[0]), np.bool_)
        for code in np.flatnonzero(np.bincount(self.columns[1]) > limit):
            rows = np.flatnonzero(self.columns[1] == code)
            first = np.searchsorted(rows, self.bounds[long])
            extra = np.searchsorted(rows, self.bounds[long + 1]) - first - limit
            np.maximum(extra, 0, out=extra)
            kept[rows[spread(first, extra)]] = False
            sizes[long] -= extra
        if kept.all():
            return self
        return EventRuns(starts_of(sizes), [column[kept] for column in self.columns])


class PairRuns(Runs):
    """Runs of (item, kinds, weight), items ascending, each once."""

    def added(self, users: Indices, items: Indices, bits: Array, weights: Floats) -> PairRuns:
        """Return the pairs with more, in any order; repeats add up."""
        keys, bits, weights = summed(users, items, bits, weights)
        if not len(self.columns[0]):
            return PairRuns.of(keys, bits, weights)
        sizes = np.diff(self.bounds)
        old_items, old_bits, old_weights = self.columns
        old_keys = _keys(np.repeat(np.arange(len(sizes)), sizes), old_items)
        place = np.searchsorted(old_keys, keys)
        known = old_keys[np.minimum(place, len(old_keys) - 1)] == keys
        old_bits, old_weights = old_bits.copy(), old_weights.copy()
        old_bits[place[known]] |= bits[known]
        old_weights[place[known]] += weights[known]
        new, where = ~known, place[~known]
        old_columns = old_keys, old_bits, old_weights
        return PairRuns.of(*_inserted(old_columns, where, [keys[new], bits[new], weights[new]]))

    @classmethod
    def of(cls, keys: Array, bits: Array, weights: Floats) -> PairRuns:
        """Make runs of distinct ascending keys."""
        users = keys >> 32
        items = (keys & 0xFFFFFFFF).astype(np.int32)
        return cls(starts_of(np.bincount(users)), (items, bits, weights))


def _keys(users: Array, items: Indices) -> Array:
    """Number (user, item) pairs so that they sort by user, then item."""
    return users.astype(np.int64) << 32 | items


def summed(
    users: Indices, items: Indices, bits: Array, weights: Floats
) -> tuple[Array, Array, Floats]:
    """Sort rows by user and item, and add up the repeats."""
    order = _counted_out(items)
    order = order[_counted_out(users[order])]
    keys, bits, weights = _keys(users[order], items[order]), bits[order], weights[order]
    starts = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]])[: len(keys)])
    if len(starts) < len(keys):
        bits = np.bitwise_or.reduceat(bits, starts)
        weights = np.add.reduceat(weights, starts)
    return keys[starts], bits, weights


def spread(first: Array, sizes: Array) -> Array:
    """Return the places of runs that start here and there, one run after the other."""
    before = np.cumsum(sizes) - sizes
    places: Array = np.repeat(first - before, sizes) + np.arange(sizes.sum())
    return places


def by_user_and_time(users: Indices, times: Array) -> Array:
    """Return the order by user, then time, then row."""
    if (times[1:] >= times[:-1]).all():
        return _counted_out(users)
    order = np.argsort(times, kind="stable")
    return order[_counted_out(users[order])]


def _counted_out(numbers: Indices) -> Array:
    """Return the order that sorts small whole numbers, rows of equal ones as they came.

    Turning a matrix by its rows into one by its columns is a counting sort: linear in time.
    """
    n = len(numbers)
    ones, shape = np.ones(n, np.int8), (int(numbers.max(initial=0)) + 1, n)
    matrix = sparse.csc_array((ones, numbers, np.arange(n + 1)), shape=shape)
    order: Array = matrix.tocsr().indices
    return order


def _inserted(olds: Sequence[Array], where: Array, news: Sequence[Array]) -> list[Array]:
    """Return columns with new rows before the old rows of some places, which ascend."""
    is_new = np.zeros(len(olds[0]) + len(where), np.bool_)
    is_new[where + np.arange(len(where))] = True
    is_old = ~is_new
    joined = [np.empty(len(is_new), old.dtype) for old in olds]
    for column, old, new in zip(joined, olds, news, strict=True):
        column[is_old], column[is_new] = old, new
    return joined


def starts_of(sizes: Array) -> Array:
    """Return where runs of some sizes start, and where the last ends."""
    return np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)


def _lengthened(bounds: Array, n_users: int) -> Array:
    """Give bounds to users up to a number: those who are new have empty runs at the end."""
    return np.append(bounds, np.full(n_users + 1 - len(bounds), bounds[-1]))
