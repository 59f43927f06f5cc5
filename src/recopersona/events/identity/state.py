"""Who is who after so many links: trees of identifiers, and what came of every link."""

from __future__ import annotations

import copy
from typing import Any, Self

import numpy as np

from recopersona.data.growing import with_room
from recopersona.data.types import Array
from recopersona.events.identity.links import Links
from recopersona.events.identity.order import Order
from recopersona.kernels.identity import (
    BITS,
    FULL,
    LANES,
    SELF,
    answer_in_time,
    answer_now,
    join_profiles,
)

_NO_ROWS = np.zeros(1, np.uint8)


class State:
    """Profiles as they are after some links, in order.

    Parameters
    ----------
    limits : int32 (n_kinds,)
        How many identifiers of each kind a profile may hold; 0 for any number.
    by_row : bool
        Whether a refusal ends its row.

    Attributes
    ----------
    parent : int32 (n_nodes,)
        The way to the oldest identifier of a profile; -1 for one that no link names.
    counts : uint64 (n_nodes, n_words)
        At a root, how many identifiers of each limited kind its profile holds, 16 bits a kind.
    marks : uint8 (n_nodes,)
        `SHARED` and `LENT` of `recopersona.kernels.identity`.
    age : int64 (n_nodes,)
        The order in which identifiers were first met.
    kinds : list of int
        The code of the kind that each lane of counts stands for.
    moments : int
        How many different times and event ids were met.
    """

    def __init__(self, limits: Array, by_row: bool) -> None:
        self.limits, self.by_row = limits, by_row
        self.moments = 0
        self.parent = np.empty(0, np.int32)
        self.counts = np.zeros((0, 0), np.uint64)
        self.marks, self.age = np.empty(0, np.uint8), np.empty(0, np.int64)
        self._lane = np.full(len(limits), -1, np.int64)
        self.kinds: list[int] = []  # by lane
        self._read_limits()

    def __len__(self) -> int:
        return len(self.parent)

    def copy(self) -> Self:
        """Return a state that can go on without changing this one."""
        twin = copy.copy(self)
        for name in ("parent", "counts", "marks", "age", "_lane"):
            setattr(twin, name, getattr(self, name).copy())
        twin.kinds = list(self.kinds)
        return twin

    def grow(self, kinds: Array) -> None:
        """Make room for identifiers of some kinds, each a profile of its own."""
        if not len(kinds):
            return
        self._add_lanes(kinds)
        before, n = len(self), len(self) + len(kinds)
        self.parent, self.counts = with_room(self.parent, n), with_room(self.counts, n)
        self.marks, self.age = with_room(self.marks, n), with_room(self.age, n)
        self.parent[before:] = -1
        lanes = self._lane[kinds]
        limited = np.flatnonzero(lanes >= 0)
        lanes = lanes[limited]
        ones = np.uint64(1) << (BITS * (lanes % LANES)).astype(np.uint64)
        self.counts[before + limited, lanes // LANES] = ones

    def join(self, links: Links, order: Order) -> tuple[Array, Array]:
        """Take links that are in order; return what came of each, and the merges.

        Returns uint8 (n,) and int32 (n_merges, 3): link, kept and absorbed root.
        """
        outcome = np.empty(len(links), np.uint8)
        merged = np.empty((min(len(links), len(self)), 3), np.int32)
        n = join_profiles(outcome, merged, *self._arguments(links, order))
        self.moments += order.moments
        return outcome, merged[:n]

    def whose(self, codes: Array) -> tuple[Array, Array]:
        """Say whose rows are by all links so far.

        codes  int32 (n, n_kinds), the identifiers of each row by priority, -1 where there is none

        Returns int32 (n,), the root of the profile or the ambiguous identifier or -1; and uint8
        (n,), `NOBODY`, `SOMEBODY` or `ANYBODY`.
        """
        whose, standing = np.empty(len(codes), np.int32), np.empty(len(codes), np.uint8)
        answer_now(whose, standing, self.parent, self.marks, codes)
        return whose, standing

    def whose_in_time(
        self, links: Links, order: Order, codes: Array, known: Array
    ) -> tuple[Array, Array]:
        """Say whose rows are, each by the first so many of links that are in order; and go on.

        codes  int32 (n, n_kinds)
        known  int64 (n,), ascending
        """
        whose, standing = np.empty(len(codes), np.int32), np.empty(len(codes), np.uint8)
        answer_in_time(whose, standing, *self._arguments(links, order), codes, known)
        return whose, standing

    def _arguments(self, links: Links, order: Order) -> tuple[Any, ...]:
        rows, cut = links.row_, _NO_ROWS
        if self.by_row and len(links):
            rows = rows - rows.min()
            cut = np.zeros(int(rows.max()) + 1, np.uint8)
        return (
            self.parent, self.counts, self.marks, self.age, cut,
            links.higher_, links.lower_, rows, order.seen_higher, order.seen_lower,
            self._room, self._ones, self._priority, self.by_row,
        )  # fmt: skip

    def _add_lanes(self, kinds: Array) -> None:
        """Give a lane to every limited kind that comes for the first time."""
        come = np.unique(kinds)
        fresh = come[(self.limits[come] > 0) & (self._lane[come] < 0)]
        if not len(fresh):
            return
        for kind in fresh.tolist():
            self._lane[kind] = len(self.kinds)
            self.kinds.append(kind)
        words = -(-len(self.kinds) // LANES)
        if words > self.counts.shape[1]:
            counts = np.zeros((len(self), words), np.uint64)
            counts[:, : self.counts.shape[1]] = self.counts
            self.counts = counts
        self._read_limits()

    def _read_limits(self) -> None:
        limits = [int(self.limits[kind]) for kind in self.kinds]
        lanes = np.zeros((self.counts.shape[1], LANES), np.uint64)
        lanes.reshape(-1)[: len(limits)] = limits
        shifts = (BITS * np.arange(LANES)).astype(np.uint64)
        self._room = FULL | np.bitwise_or.reduce(lanes << shifts, axis=1, dtype=np.uint64)
        self._ones = np.array([limit == 1 for limit in limits], np.uint8)
        self._priority = np.argsort(np.array(self.kinds, np.int64)).astype(np.int32)


class Course:
    """What came of links, in their order.

    outcome  uint8 (n_links,)
    merged   int32 (n_merges, 3): link, kept and absorbed root
    """

    def __init__(self) -> None:
        self.outcome = np.empty(0, np.uint8)
        self.merged = np.empty((0, 3), np.int32)

    def append(self, outcome: Array, merged: Array) -> None:
        """Go on with what came of later links."""
        n, m = len(self.outcome), len(self.merged)
        self.outcome = with_room(self.outcome, n + len(outcome))
        self.outcome[n:] = outcome
        if len(merged):
            self.merged = with_room(self.merged, m + len(merged))
            self.merged[m:] = merged
            self.merged[m:, 0] += n

    def refused(self) -> Array:
        """Return the links that were refused."""
        return np.flatnonzero(self.outcome >= SELF)
