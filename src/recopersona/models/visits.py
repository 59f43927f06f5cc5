"""Visits: who clicked what in one go, taken from a log, and followed as events come."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from recopersona.base.holdings import as_json
from recopersona.base.part import Part
from recopersona.base.recommender import require_array
from recopersona.data.dataset import Dataset
from recopersona.data.event import EVENT_TYPES, RETURN
from recopersona.data.growing import with_room
from recopersona.data.ids import IdMap
from recopersona.data.interactions import Interactions
from recopersona.data.times import MISSING_TIME, as_text
from recopersona.data.types import Array, Indices, Mask
from recopersona.errors import DataError
from recopersona.kernels.ordering import order_of
from recopersona.kernels.trails import follow

TRAIL = 16
"""How many of the latest clicks of a visit are at hand when the next one comes."""

_NO_TIMES: Array = np.empty(0, np.int64)
_NO_VISITS: Indices = np.empty(0, np.int32)


class Visits(NamedTuple):
    """Every visit, the one that ended first in front; its clicks oldest first.

    bounds  (n_visits + 1,) int64: visit v's clicks are ``items[bounds[v]:bounds[v + 1]]``
    items   (n_clicks,) int32
    users   (n_visits,) int32
    ends    (n_visits,) int64: the last click in milliseconds, `MISSING_TIME` where there is no time
    """

    bounds: Array
    items: Indices
    users: Indices
    ends: Array

    def __len__(self) -> int:
        return len(self.users)

    def take(self, visits: Array) -> Visits:
        """Return some visits, in the order given."""
        sizes = np.diff(self.bounds)[visits]
        bounds = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        rows = np.arange(bounds[-1]) + np.repeat(self.bounds[visits] - bounds[:-1], sizes)
        return Visits(bounds, self.items[rows], self.users[visits], self.ends[visits])


def visits_of(dataset: Dataset, gap: int) -> Visits:
    """Cut a dataset's interactions into visits.

    By its sessions where it has any, apart for each user; else by pauses of more than ``gap``
    milliseconds; without times, all that a user did is one visit, in the order of the rows. What
    weighs nothing is no click, and neither is another kind of event with the item that was just
    clicked: a view, a cart and a purchase in a row are one click.

    Examples
    --------
    >>> import pandas as pd
    >>> events = pd.DataFrame({
    ...     "user_id": ["anna", "ben", "anna", "anna"], "item_id": ["tea", "tea", "salt", "honey"],
    ...     "timestamp": pd.to_datetime(["2026-01-01 10:00", "2026-01-01 10:01",
    ...                                  "2026-01-01 10:02", "2026-01-01 12:00"])})
    >>> visits = visits_of(Dataset.from_frames(events), gap=1_800_000)
    >>> visits.bounds.tolist(), visits.items.tolist(), visits.users.tolist()
    ([0, 1, 3, 4], [0, 0, 1, 2], [1, 0, 0])
    """
    return visits_in(dataset.interactions.take(dataset.interactions.weight > 0), gap)


def visits_in(rows: Interactions, gap: int) -> Visits:
    """Cut events into visits, all of which are clicks, or another kind of event with the last."""
    cuts = _Cuts.of(rows, gap)
    items, codes = rows.items[cuts.order], rows.event[cuts.order]
    click = cuts.new | changes(items) | ~changes(codes)
    sizes = np.add.reduceat(click, cuts.starts) if len(rows) else cuts.starts
    visits = Visits(
        np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
        items[click],
        rows.users[cuts.order[cuts.starts]],
        cuts.ends,
    )
    return visits.take(cuts.by_end)


def visit_of_rows(dataset: Dataset, gap: int) -> Array:
    """Return which visit of `visits_of` each row of the log belongs to, -1 where it weighs nothing.

    Examples
    --------
    >>> import pandas as pd
    >>> events = pd.DataFrame({"user_id": [1, 2, 1], "item_id": ["tea", "tea", "rye"]})
    >>> visit_of_rows(Dataset.from_frames(events), gap=1_800_000)
    array([1, 0, 1])
    """
    weighs = dataset.interactions.weight > 0
    cuts = _Cuts.of(dataset.interactions.take(weighs), gap)
    rank = np.empty(len(cuts.by_end), np.int64)
    rank[cuts.by_end] = np.arange(len(rank))
    numbers = np.full(len(dataset.log), -1, np.int64)
    rows = dataset.interaction_rows[weighs]
    numbers[rows[cuts.order]] = rank[np.cumsum(cuts.new) - 1]
    return numbers


def visit_numbers(rows: Interactions, gap: int) -> Array:
    """Number the visits of some rows, int64 (n,): by user, session and time, from 0.

    Examples
    --------
    >>> rows = Interactions(np.array([1, 0, 1]), np.zeros(3), np.zeros(3), np.ones(3))
    >>> visit_numbers(rows, gap=1_800_000)
    array([1, 0, 1])
    """
    cuts = _Cuts.of(rows, gap)
    numbers = np.empty(len(rows), np.int64)
    numbers[cuts.order] = np.cumsum(cuts.new) - 1
    return numbers


class _Cuts(NamedTuple):
    """Where visits begin and end, among rows in order of user and time.

    order   (n,) int32, the rows in that order
    new     (n,) bool, where a visit begins
    starts  (n_visits,) int64, the same as places
    ends    (n_visits,) int64, when each visit ended
    by_end  (n_visits,) int32, the visits in order of their ends
    """

    order: Indices
    new: Mask
    starts: Array
    ends: Array
    by_end: Indices

    @classmethod
    def of(cls, rows: Interactions, gap: int) -> _Cuts:
        order = _by_visit(rows)
        times = None if rows.timestamp is None else rows.timestamp[order]
        new = changes(rows.users[order])
        if rows.session is not None:
            new |= changes(rows.session[order])
        elif times is not None:
            known = (times[1:] != MISSING_TIME) & (times[:-1] != MISSING_TIME)
            new[1:] |= known & (times[1:] - times[:-1] > gap)
        starts = np.flatnonzero(new)
        lasts = np.append(starts[1:], len(new)) - 1 if len(starts) else starts
        ends = np.full(len(starts), MISSING_TIME) if times is None else times[lasts]
        # Of those that end together, the one whose last row is further down the log ended later.
        by_end = order_of(order[lasts].astype(np.int64))[0]
        if times is not None:
            by_end = by_end[order_of(ends[by_end])[0]]
        return cls(order, new, starts, ends, by_end)


class Clicks(NamedTuple):
    """Events as a session model learns from them, in their order.

    users, items  (n,) int32
    times         (n,) int64 milliseconds, `MISSING_TIME` where there is none
    before        (n, TRAIL) int32: the clicks of the visit before each, latest first
    counts        (n,) int32: how many of them; 0 where a visit begins, -1 for what is no click
    """

    users: Indices
    items: Indices
    times: Array
    before: Indices
    counts: Indices


class Trails(Part):
    """The latest clicks of every user's visit, latest first, and when it was last.

    Memory: ``4 * TRAIL + 13`` bytes a user.

    Attributes
    ----------
    items_ : int32 (n_users, TRAIL)
    lengths_ : int32 (n_users,)
        The clicks of the visit, 0 where there is none.
    times_ : int64 (n_users,)
        When the last click was, `MISSING_TIME` where nobody knows.
    codes_ : int8 (n_users,)
        The kind of the last click, -1 where nobody knows.
    """

    @classmethod
    def of(cls, visits: Visits, n_users: int, rows: Interactions) -> Trails:
        """Start from the last visit of every user; ``rows`` are the events it was cut from."""
        trails = cls()
        last = np.full(n_users, -1, np.int64)
        last[visits.users] = np.arange(len(visits))  # in order: the later visit stays
        users = np.flatnonzero(last >= 0)
        ends, sizes = visits.bounds[last[users] + 1], np.diff(visits.bounds)[last[users]]
        trails.items_ = np.zeros((n_users, TRAIL), np.int32)
        for place in range(TRAIL):
            there = sizes > place
            trails.items_[users[there], place] = visits.items[ends[there] - 1 - place]
        trails.lengths_ = np.zeros(n_users, np.int32)
        trails.lengths_[users] = sizes
        trails.times_ = np.full(n_users, MISSING_TIME, np.int64)
        trails.times_[users] = visits.ends[last[users]]
        trails.codes_ = np.full(n_users, -1, np.int8)
        rows = rows.take(rows.weight > 0)
        if rows.timestamp is not None:
            rows = rows.take(order_of(rows.timestamp)[0])
        trails.codes_[rows.users] = rows.event  # in order: the latest stays
        return trails

    def follow(self, rows: Interactions, n_users: int, gap: int) -> Clicks:
        """Take events as they came, and return each with what came before it in its visit."""
        self._grow(n_users)
        n = len(rows)
        before, counts = np.zeros((n, TRAIL), np.int32), np.empty(n, np.int32)
        visits = _NO_VISITS if rows.session is None else rows.session
        sessions = _NO_VISITS if rows.session is None else np.full(n_users, -1, np.int32)
        times = _NO_TIMES if rows.timestamp is None else rows.timestamp
        follow(
            before, counts, self.items_, self.lengths_, self.times_, self.codes_, sessions,
            rows.users, rows.items, rows.event, rows.weight, times, visits, gap, RETURN,
        )  # fmt: skip
        if rows.timestamp is None:
            times = np.full(n, MISSING_TIME, np.int64)
        return Clicks(rows.users, rows.items, times, before, counts)

    def forget(self, users: Indices) -> None:
        """Blank the trails of some users."""
        self._grow(len(self.lengths_))
        known = users[users < len(self.lengths_)]
        self.items_[known], self.lengths_[known] = 0, 0
        self.times_[known], self.codes_[known] = MISSING_TIME, -1

    def held_of(self, user: int, ids: IdMap) -> dict[str, Any]:
        """Return the latest clicks of a user's visit, latest first, and when and what was last."""
        if user >= len(self.lengths_) or not self.lengths_[user]:
            return {}
        clicks = self.items_[user, : min(int(self.lengths_[user]), TRAIL)]
        code = int(self.codes_[user])
        return {
            "clicks": as_json(ids.ids[clicks]),
            "length": int(self.lengths_[user]),
            "last": as_text(int(self.times_[user])),
            "last_event": None if code < 0 else EVENT_TYPES[code],
        }

    def require(self, n_users: int, n_items: int, owner: str) -> None:
        """Refuse trails from a file that do not fit users and items."""
        require_array(self.items_, np.int32, (None, TRAIL), "trails_.items_")
        n = len(self.items_)
        require_array(self.lengths_, np.int32, (n,), "trails_.lengths_")
        require_array(self.times_, np.int64, (n,), "trails_.times_")
        require_array(self.codes_, np.int8, (n,), "trails_.codes_")
        within = self.items_.min(initial=0) >= 0 and self.items_.max(initial=0) < max(n_items, 1)
        if n > n_users or not within or self.lengths_.min(initial=0) < 0:
            raise DataError(f"{owner}: the trails of its users do not fit users and items.")

    def _grow(self, n_users: int) -> None:
        before = len(self.lengths_)
        for name in ("items_", "lengths_", "times_", "codes_"):
            setattr(self, name, with_room(getattr(self, name), n_users))
        self.times_[before:] = MISSING_TIME


def _by_visit(rows: Interactions) -> Indices:
    """Return the order by user, then session, then time, then row."""
    order: Indices = np.arange(len(rows), dtype=np.int32)
    for column in (rows.timestamp, rows.session, rows.users):
        if column is not None:
            order = order[order_of(column[order].astype(np.int64))[0]]
    return order


def changes(values: Array) -> Mask:
    """Tell where a value is another than the one before; the first always is."""
    changed = np.ones(len(values), np.bool_)
    changed[1:] = values[1:] != values[:-1]
    return changed
