"""Who is who after so many links: trees of identifiers, and what came of every link."""

from __future__ import annotations

import copy
from typing import Self

import numpy as np

from recopersona.data.growing import with_room
from recopersona.data.types import Array
from recopersona.events.identity.links import Links
from recopersona.events.identity.order import Order
from recopersona.kernels.identity import (
    AGE,
    BITS,
    COUNTS,
    FULL,
    LANES,
    LENT,
    MARKS,
    PARENT,
    SELF,
    SHARED,
    find_roots,
    give_ages,
    join_profiles,
    seat_newcomers,
)

_NO_ROWS = np.zeros(1, np.uint8)
_NOTHING = np.zeros(0, np.int64)
_NO_ONE = np.zeros((0, 1), np.int32)


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
    nodes : int32 (n_nodes, 2 + 2 * n_words)
        What `recopersona.kernels.identity` reads and writes: see `parent`, `age`, `marks`; then,
        at a root, how many identifiers of each limited kind its profile holds, 16 bits a kind.
    kinds : list of int
        The code of the kind that each lane of counts stands for.
    met : int
        How many identifiers were given an age.
    """

    def __init__(self, limits: Array, by_row: bool) -> None:
        self.limits, self.by_row = limits, by_row
        self.met = 0
        self.nodes = np.zeros((0, 2 * (COUNTS + 1)), np.int32)
        self.kinds: list[int] = []  # by lane
        self._lane = np.full(len(limits), -1, np.int32)
        self._read_limits()

    def __len__(self) -> int:
        return len(self.nodes)

    @property
    def parent(self) -> Array:
        """The way to the oldest identifier of a profile, int32 (n,); -1 for one never met."""
        return self.nodes[:, PARENT]

    @property
    def age(self) -> Array:
        """The order in which identifiers were first met, int32 (n,); 0 for one never met."""
        ages: Array = self.nodes[:, AGE] >> MARKS
        return ages

    @property
    def marks(self) -> Array:
        """`SHARED` and `LENT` of `recopersona.kernels.identity`, int32 (n,)."""
        marks: Array = self.nodes[:, AGE] & (SHARED | LENT)
        return marks

    @property
    def _counts(self) -> Array:
        """The words of counts where they lie."""
        return self.nodes.view(np.int64)

    def is_shared(self, node: int) -> bool:
        """Tell whether an identifier is ambiguous."""
        return bool(self.nodes[node, AGE] & SHARED)

    def has_lent(self, node: int) -> bool:
        """Tell whether a profile of several identifiers is, or was, named after one."""
        return bool(self.nodes[node, AGE] & LENT)

    def root_of(self, node: int) -> int:
        """Return the oldest identifier of a profile."""
        while self.nodes[node, PARENT] not in (-1, node):
            node = int(self.nodes[node, PARENT])
        return node

    def copy(self) -> Self:
        """Return a state that can go on without changing this one."""
        twin = copy.copy(self)
        twin.nodes, twin._lane = self.nodes.copy(), self._lane.copy()
        twin.kinds = list(self.kinds)
        return twin

    def grow(self, kinds: Array) -> None:
        """Make room for identifiers of some kinds, each a profile of its own."""
        if not len(kinds):
            return
        self._add_lanes(kinds)
        before = len(self)
        self.nodes = with_room(self.nodes, before + len(kinds))
        seat_newcomers(self.nodes[before:], self._counts[before:], kinds, self._lane)

    def take_ages(self, other: State) -> None:
        """Make identifiers that nobody met yet as old as another state knows them."""
        known = min(len(self), len(other))
        self.nodes[:known, AGE] = other.age[:known] << MARKS
        self.met = other.met

    def roots(self) -> Array:
        """Return the root of every identifier, int32 (n,), its own for one never met."""
        roots = np.empty(len(self), np.int32)
        find_roots(roots, self.nodes)
        return roots

    def join(self, order: Order, proves: bool = True) -> tuple[Array, Array]:
        """Take links in their order; return what came of each, and the merges.

        proves  whether one that is refused shows that an identifier is of two people

        Returns uint8 (n,) and int32 (n_merges, 3): link, kept and absorbed root.
        """
        if len(order.met):
            self.met = give_ages(self.nodes, order.met, self.met)
        outcome, merged, _ = self._take(order.links, _NO_ONE, _NOTHING, proves)
        return outcome, merged

    def whose(self, codes: Array) -> tuple[Array, Array]:
        """Say whose rows are by all links so far.

        codes  int32 (n, n_kinds), the identifiers of each row by priority, -1 where there is none

        Returns int32 (n,), the root of the profile or the ambiguous identifier or -1; and uint8
        (n,), `NOBODY`, `SOMEBODY` or `ANYBODY`.
        """
        return self.whose_in_time(Links.empty(), codes, np.zeros(len(codes), np.int64))

    def whose_in_time(self, links: Links, codes: Array, known: Array) -> tuple[Array, Array]:
        """Say whose rows are, each by the first so many of links that are in order; and go on.

        codes  int32 (n, n_kinds)
        known  int64 (n,), ascending
        """
        return self._take(links, codes, known)[2]

    def _take(
        self, links: Links, codes: Array, known: Array, proves: bool = True
    ) -> tuple[Array, Array, tuple[Array, Array]]:
        ones = self._ones if proves else np.zeros_like(self._ones)
        rows, cut = links.row_, _NO_ROWS
        if self.by_row and len(links):
            rows = rows - rows.min()
            cut = np.zeros(int(rows.max()) + 1, np.uint8)
        outcome = np.empty(len(links), np.uint8)
        merged = np.empty((min(len(links), len(self)), 3), np.int32)
        whose, standing = np.empty(len(codes), np.int32), np.empty(len(codes), np.uint8)
        n, self.met = join_profiles(
            outcome, merged, whose, standing, self.nodes, self._counts, cut,
            links.higher_, links.lower_, rows, self._room, ones, self._priority,
            self.by_row, codes, known, self.met,
        )  # fmt: skip
        return outcome, merged[:n], (whose, standing)

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
        more = 2 * (COUNTS + words) - self.nodes.shape[1]
        if more > 0:
            self.nodes = np.hstack((self.nodes, np.zeros((len(self), more), np.int32)))
        self._read_limits()

    def _read_limits(self) -> None:
        limits = [int(self.limits[kind]) for kind in self.kinds]
        lanes = np.zeros((self.nodes.shape[1] // 2 - COUNTS, LANES), np.uint64)
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
