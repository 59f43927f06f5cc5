"""What each user has done: seen items with their weight, and the recent events in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np

from recopersona.data.event import event_bits, event_code
from recopersona.data.interactions import Interactions
from recopersona.data.times import MISSING_TIME
from recopersona.data.types import Array, Floats, Indices

DEFAULT_LIMIT = 200
"""How many recent events a history keeps per user."""

_FOLD_AFTER = 100_000  # events added one by one before they are folded into the arrays


class RecentEvents(NamedTuple):
    """A user's recent events, oldest first: items, event codes, milliseconds."""

    items: Indices
    events: Array
    timestamps: Array


class History:
    """The past of every user, updated online.

    Two things are kept. For every (user, item) pair ever seen: which kinds of event there were,
    as a bit mask, and the pair's weight; this is exact and never forgets. And the last ``limit``
    events of every user in order, for questions about time and for the session so far.

    Memory: 10 bytes a pair and 13 bytes a recent event, 8 + 8 bytes a user; about 300 bytes for
    each of the latest events added one by one, which are folded into the arrays now and then.

    Parameters
    ----------
    log : Interactions
        Every event, in any order of time.
    weight : float32 (n,), optional
        What each event adds to its pair, by default the log's own weight.
    limit : int
        Recent events kept per user.

    Examples
    --------
    >>> rows = np.zeros(2, np.int32), np.array([4, 2], np.int32), np.array([2, 8], np.int8)
    >>> history = History(Interactions(*rows, np.array([1, 5], np.float32)))
    >>> history.seen(0).tolist(), history.seen(0, ["purchase"]).tolist()
    ([2, 4], [2])
    >>> history.add(0, 9, "view", 1.0)
    >>> history.seen(0).tolist(), history.seen(7).tolist()
    ([2, 4, 9], [])
    """

    def __init__(
        self, log: Interactions, weight: Floats | None = None, limit: int = DEFAULT_LIMIT
    ) -> None:
        self.limit = limit
        self._past = _Past(_pair_rows(log, weight), _event_rows(log), limit)
        self._start_adding()

    def _start_adding(self) -> None:
        self._n_added = 0
        self._pairs: dict[int, dict[int, tuple[int, float]]] = {}
        self._recent: dict[int, deque[tuple[int, int, int]]] = {}

    def copy(self) -> History:
        """Return a history that can be updated alone; what was fitted is shared."""
        self._fold()
        twin = History.__new__(History)
        twin.limit, twin._past = self.limit, self._past
        twin._start_adding()
        return twin

    def seen(self, user: int, kinds: Iterable[str] | None = None) -> Indices:
        """Return the items a user has events with, ascending; ``kinds`` names those that count."""
        items, bits, _ = self._row(user)
        if kinds is None:
            return items
        chosen: Indices = items[(bits & event_bits(kinds)) != 0]
        return chosen

    def taste(self, user: int) -> tuple[Indices, Floats]:
        """Return a user's items of positive weight, ascending, and the weights."""
        items, _, weights = self._row(user)
        counts = weights > 0
        return items[counts], weights[counts]

    def recent(self, user: int) -> RecentEvents:
        """Return a user's last events, oldest first."""
        past = self._past.recent(user)
        if user not in self._recent:
            return past
        items, events, timestamps = zip(*self._recent[user], strict=True)
        added = RecentEvents(
            np.array(items, np.int32), np.array(events, np.int8), np.array(timestamps, np.int64)
        )
        joined = (np.concatenate(pair)[-self.limit :] for pair in zip(past, added, strict=True))
        return RecentEvents(*joined)

    def did(
        self,
        user: int,
        event: str,
        *,
        within: int | None = None,
        now: int | None = None,
        at_least: int = 1,
    ) -> Indices:
        """Return the items with which a user did something lately, ascending.

        Parameters
        ----------
        user : int
        event : str
            One of `EVENT_TYPES`.
        within, now : int, milliseconds
            Only events after ``now - within`` and up to ``now``; both or neither. Answered from
            the recent events.
        at_least : int
            How often per item. More than once is answered from the recent events.
        """
        if within is None and at_least <= 1:
            return self.seen(user, [event])
        recent = self.recent(user)
        counts = recent.events == event_code(event)
        if within is not None and now is not None:
            counts &= (recent.timestamps > now - within) & (recent.timestamps <= now)
        items, times = np.unique(recent.items[counts], return_counts=True)
        often: Indices = items[times >= at_least]
        return often

    def add(
        self, user: int, item: int, event: str, weight: float, timestamp: int = MISSING_TIME
    ) -> None:
        """Add one event in constant time."""
        code = event_code(event)
        pairs = self._pairs.setdefault(user, {})
        bits, before = pairs.get(item, (0, 0.0))
        pairs[item] = (bits | 1 << code, before + weight)
        if user not in self._recent:
            self._recent[user] = deque(maxlen=self.limit)
        self._recent[user].append((item, code, timestamp))
        self._n_added += 1
        if self._n_added >= _FOLD_AFTER:
            self._fold()

    def extend(self, log: Interactions, weight: Floats | None = None) -> None:
        """Add many events at once, after all that came before."""
        self._fold()
        self._past = self._past.joined(_pair_rows(log, weight), _event_rows(log))

    def forget(self, users: Iterable[int]) -> None:
        """Drop everything known of some users."""
        self._fold()
        self._past = self._past.without(list(users))

    def arrays(self) -> dict[str, Array]:
        """Return everything held, as arrays that `from_arrays` takes back."""
        self._fold()
        return self._past.arrays()

    @classmethod
    def from_arrays(cls, arrays: dict[str, Array], limit: int) -> History:
        """Rebuild a history from its arrays."""
        history = cls.__new__(cls)
        history.limit = limit
        history._past = _Past(
            tuple(arrays[f"pair_{name}"] for name in ("users", "items", "bits", "weights")),
            tuple(arrays[f"event_{name}"] for name in ("users", "items", "codes", "times")),
            limit,
        )
        history._start_adding()
        return history

    def _row(self, user: int) -> tuple[Indices, Array, Floats]:
        items, bits, weights = self._past.row(user)
        added = self._pairs.get(user)
        if not added:
            return items, bits, weights
        merged = dict(
            zip(items.tolist(), zip(bits.tolist(), weights.tolist(), strict=True), strict=True)
        )
        for item, (more_bits, more_weight) in added.items():
            before_bits, before_weight = merged.get(item, (0, 0.0))
            merged[item] = (before_bits | more_bits, before_weight + more_weight)
        order = sorted(merged)
        return (
            np.array(order, np.int32),
            np.array([merged[item][0] for item in order], np.uint16),
            np.array([merged[item][1] for item in order], np.float32),
        )

    def _fold(self) -> None:
        """Move what was added one by one into the arrays."""
        if not self._n_added:
            return
        pairs = [
            (user, item, bits, weight)
            for user, row in self._pairs.items()
            for item, (bits, weight) in row.items()
        ]
        events = [(user, *event) for user, row in self._recent.items() for event in row]
        self._past = self._past.joined(_as_rows(pairs, _PAIR_TYPES), _as_rows(events, _EVENT_TYPES))
        self._start_adding()


Rows = tuple[Array, ...]
_PAIR_TYPES = (np.int32, np.int32, np.uint16, np.float32)  # user, item, kinds as bits, weight
_EVENT_TYPES = (np.int32, np.int32, np.int8, np.int64)  # user, item, kind, time


class _Past:
    """The part that copies share: rows, put in order when first asked for.

    pair_rows   users, items, bits, weights; repeats of a pair add up
    event_rows  users, items, codes, times; the later of two equal times came later
    """

    def __init__(self, pair_rows: Rows, event_rows: Rows, limit: int) -> None:
        self._pair_rows, self._event_rows, self._limit = pair_rows, event_rows, limit

    def row(self, user: int) -> tuple[Indices, Array, Floats]:
        bounds, (_, items, bits, weights) = self._pairs
        span = _span(bounds, user)
        return items[span], bits[span], weights[span]

    def recent(self, user: int) -> RecentEvents:
        bounds, (_, items, codes, times) = self._events
        span = _span(bounds, user)
        return RecentEvents(items[span], codes[span], times[span])

    def joined(self, pair_rows: Rows, event_rows: Rows) -> _Past:
        return _Past(
            _concatenated(self._pairs[1], pair_rows),
            _concatenated(self._events[1], event_rows),
            self._limit,
        )

    def without(self, users: list[int]) -> _Past:
        pair_rows, event_rows = (
            tuple(column[~np.isin(rows[0], users)] for column in rows)
            for rows in (self._pairs[1], self._events[1])
        )
        return _Past(pair_rows, event_rows, self._limit)

    def arrays(self) -> dict[str, Array]:
        pairs = zip(("users", "items", "bits", "weights"), self._pairs[1], strict=True)
        events = zip(("users", "items", "codes", "times"), self._events[1], strict=True)
        return {
            **{f"pair_{name}": column for name, column in pairs},
            **{f"event_{name}": column for name, column in events},
        }

    @cached_property
    def _pairs(self) -> tuple[Array, Rows]:
        users, items, bits, weights = self._pair_rows
        order = np.argsort(users.astype(np.int64) << 32 | items, kind="stable")
        users, items = users[order], items[order]
        first = np.ones(len(order), dtype=np.bool_)
        first[1:] = (users[1:] != users[:-1]) | (items[1:] != items[:-1])
        starts = np.flatnonzero(first)
        bits, weights = bits[order], weights[order]
        if len(starts) < len(order):
            bits = np.bitwise_or.reduceat(bits, starts)
            weights = np.add.reduceat(weights, starts)
        rows = users[starts], items[starts], bits, weights
        self._pair_rows = rows
        return _bounds(rows[0]), rows

    @cached_property
    def _events(self) -> tuple[Array, Rows]:
        users, items, codes, times = self._event_rows
        order = np.lexsort((times, users))
        bounds = _bounds(users[order])
        newest_first = bounds[1:][users[order]] - np.arange(len(order))
        order = order[newest_first <= self._limit]
        rows = users[order], items[order], codes[order], times[order]
        self._event_rows = rows
        return _bounds(rows[0]), rows


def _pair_rows(log: Interactions, weight: Floats | None) -> Rows:
    bits = np.uint16(1) << log.event.astype(np.uint16)
    return log.users, log.items, bits, log.weight if weight is None else weight


def _event_rows(log: Interactions) -> Rows:
    times = log.timestamp
    if times is None:
        times = np.full(len(log), MISSING_TIME, np.int64)
    return log.users, log.items, log.event, times


def _as_rows(rows: Sequence[tuple[float, ...]], types: tuple[type, ...]) -> Rows:
    columns = zip(*rows, strict=True)
    return tuple(np.array(column, kind) for column, kind in zip(columns, types, strict=True))


def _concatenated(first: Rows, second: Rows) -> Rows:
    return tuple(np.concatenate(pair) for pair in zip(first, second, strict=True))


def _bounds(users: Indices) -> Array:
    """Return where each user's run starts and ends in rows sorted by user, up to the last user."""
    return np.concatenate([[0], np.cumsum(np.bincount(users))]).astype(np.int64)


def _span(bounds: Array, user: int) -> slice:
    return slice(bounds[user], bounds[user + 1]) if 0 <= user < len(bounds) - 1 else slice(0, 0)
