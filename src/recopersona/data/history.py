"""What each user has done: seen items with their weight, and the recent events in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from itertools import chain
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from scipy import sparse

from recopersona.data.event import ALL_EVENTS, EVENT_TYPES, event_bits, event_code
from recopersona.data.interactions import Interactions
from recopersona.data.runs import EventRuns, PairRuns, by_user_and_time, spread, starts_of, summed
from recopersona.data.times import MISSING_TIME
from recopersona.data.types import Array, Floats, Indices
from recopersona.errors import DataError, ParameterError

DEFAULT_LIMIT = 200
"""How many recent events of each kind a history keeps per user."""

_FOLD_AFTER = 100_000  # events added one by one before they are folded into the arrays


class RecentEvents(NamedTuple):
    """A user's recent events, oldest first: items, event codes, milliseconds."""

    items: Indices
    events: Array
    timestamps: Array


class History:
    """The past of every user, updated online.

    Two things are kept. For every (user, item) pair ever seen: which kinds of event there were,
    as a bit mask, and the pair's weight; this is exact and never forgets. And of every user the
    last ``limit`` events of each kind, all in one order, for questions about time and for the
    session so far: however much somebody looks at, it pushes out nothing that she bought.

    Memory: 10 bytes a pair, 13 bytes a recent event (at most ``limit`` a user and kind) and 16
    bytes a user; about 350 bytes for each of the latest events added one by one, which are folded
    into the arrays now and then.

    Parameters
    ----------
    log : Interactions
        Every event, in any order of time.
    weight : float32 (n,), optional
        What each event adds to its pair, by default the log's own weight.
    limit : int
        Recent events kept per user and kind.

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
        self._state = _State(_Past(log, log.weight if weight is None else weight, limit))

    def copy(self) -> History:
        """Return a history that can be updated alone; what was fitted is shared."""
        self._fold()
        return self._made(self._state.past, self.limit)

    def seen(self, user: int, kinds: Iterable[str] | None = None) -> Indices:
        """Return the items a user has events with, ascending; ``kinds`` names those that count."""
        return self.seen_with(user, ALL_EVENTS if kinds is None else event_bits(kinds))

    def seen_with(self, user: int, bits: int) -> Indices:
        """Return the items a user has events with, of the kinds whose bits are set, ascending."""
        items, kinds, _ = self._row(user)
        if bits == ALL_EVENTS:
            return items
        chosen: Indices = items[(kinds & bits) != 0]
        return chosen

    def seen_by(self, users: Indices, bits: int) -> tuple[Array, Indices]:
        """Return what many users have seen, as `seen_with` does, in one array.

        Parameters
        ----------
        users : int32 (n,), negative where unknown
        bits : int

        Returns
        -------
        bounds : int64 (n + 1,)
            User u's items are ``items[bounds[u]:bounds[u + 1]]``.
        items : int32
        """
        state = self._state
        old, (items, kinds, _) = state.past.pairs.bounds, state.past.pairs.columns
        known = (users >= 0) & (users < len(old) - 1)
        safe = np.where(known, users, 0)
        first, last = old[safe], old[np.minimum(safe + 1, len(old) - 1)]
        sizes = np.where(known, last - first, 0)
        place = spread(first, sizes)
        items = items[place]
        if bits != ALL_EVENTS:
            chosen = (kinds[place] & bits) != 0
            owner = np.repeat(np.arange(len(users)), sizes)
            items, sizes = items[chosen], np.bincount(owner[chosen], minlength=len(users))
        added = state.pairs
        fresh = [row for row, user in enumerate(users.tolist()) if user in added] if added else []
        if not fresh:
            return starts_of(sizes), items
        bounds = starts_of(sizes)
        rows = np.split(items, bounds[1:-1])
        for row in fresh:
            rows[row] = self.seen_with(int(users[row]), bits)
        return starts_of(np.array([len(row) for row in rows])), np.concatenate(rows)

    def pairs_of(self, user: int) -> tuple[Indices, Array, Floats]:
        """Return a user's items, ascending, the kinds of events with each as bits, the weights."""
        return self._row(user)

    def taste(self, user: int) -> tuple[Indices, Floats]:
        """Return a user's items of positive weight, ascending, and the weights."""
        items, _, weights = self._row(user)
        counts = weights > 0
        return items[counts], weights[counts]

    def recent(self, user: int) -> RecentEvents:
        """Return a user's last events of every kind, oldest first: `limit` of each, or fewer."""
        state = self._state
        past = state.past.events.run(user)
        added = _in_order(state.recent.get(user))
        if not added:
            return RecentEvents(*past)
        latest = _as_columns(added)
        joined = [np.concatenate(pair) for pair in zip(past, latest, strict=True)]
        codes = joined[1]
        kept = np.ones(len(codes), np.bool_)
        for code in np.flatnonzero(np.bincount(codes) > self.limit):
            kept[np.flatnonzero(codes == code)[: -self.limit]] = False
        return RecentEvents(*(column[kept] for column in joined))

    def recent_of(self, user: int, event: str) -> tuple[Indices, Array]:
        """Return the items and times of a user's last events of one kind, oldest first."""
        state, code = self._state, event_code(event)
        items, codes, times = state.past.events.run(user)
        chosen = codes == code
        items, times = items[chosen], times[chosen]
        added = _in_order(state.recent.get(user), code)
        if not added:
            return items, times
        more, _, later = _as_columns(added)
        return (
            np.concatenate([items, more])[-self.limit :],
            np.concatenate([times, later])[-self.limit :],
        )

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
            the last ``limit`` events of this kind; other kinds do not matter.
        at_least : int
            How often per item. More than once is answered from those events, too.

        Raises
        ------
        ParameterError
            If only one of ``within`` and ``now`` is given.
        """
        if (within is None) != (now is None):
            raise ParameterError("did needs within and now together, or neither.")
        if within is None and at_least <= 1:
            return self.seen(user, [event])
        items, times = self.recent_of(user, event)
        if within is not None and now is not None:
            items = items[(times > now - within) & (times <= now)]
        return repeated(items, at_least)

    def add(
        self, user: int, item: int, event: str, weight: float, timestamp: int = MISSING_TIME
    ) -> None:
        """Add one event in constant time."""
        self.add_code(user, item, event_code(event), weight, timestamp)

    def add_code(
        self, user: int, item: int, code: int, weight: float, timestamp: int = MISSING_TIME
    ) -> None:
        """Add one event of a kind given by its code."""
        state = self._state
        pairs = state.pairs.get(user)
        if pairs is None:
            pairs = state.pairs[user] = {}
            state.recent[user] = {}
        before = pairs.get(item)
        if before is None:
            pairs[item] = (1 << code, weight)
        else:
            pairs[item] = (before[0] | 1 << code, before[1] + weight)
        recent = state.recent[user]
        if code not in recent:
            recent[code] = deque(maxlen=self.limit)
        recent[code].append((state.n_added, item, code, timestamp))
        state.n_added += 1
        if state.n_added >= _FOLD_AFTER:
            self._fold()

    def extend(self, log: Interactions, weight: Floats | None = None) -> None:
        """Add many events at once, in order of time and after all that came before."""
        self._fold()
        past = self._state.past
        pairs = past.pairs.added(*_pair_columns(log, log.weight if weight is None else weight))
        users, *columns = _event_columns(log)
        order = by_user_and_time(users, columns[-1])
        events = past.events.followed_by(users[order], [column[order] for column in columns])
        self._state = _State(_Past.of(pairs, events.last(self.limit)))

    def forget(self, users: Iterable[int]) -> None:
        """Drop everything known of some users."""
        self._fold()
        gone, past = list(users), self._state.past
        self._state = _State(_Past.of(past.pairs.without(gone), past.events.without(gone)))

    def totals(self, items: Indices) -> Array:
        """Return what some items weigh together over all users, float64 (n,).

        Summed in the order of users, so that it is what it is whoever was forgotten meanwhile.
        """
        self._fold()
        held, _, weights = self._state.past.pairs.columns
        place = np.full(max(held.max(initial=-1), items.max(initial=-1)) + 1, -1, np.int32)
        place[items] = np.arange(len(items), dtype=np.int32)
        rows = place[held]
        counts = rows >= 0
        return np.bincount(rows[counts], weights[counts], minlength=len(items))

    def matrix(self, n_users: int, n_items: int) -> sparse.csr_array:
        """Return what the first so many users did, users x items: float32, no stored zeros."""
        self._fold()
        pairs = self._state.past.pairs.of_users(np.arange(n_users, dtype=np.int32))
        items, _, weights = pairs.columns
        matrix = sparse.csr_array((weights, items, pairs.bounds), shape=(n_users, n_items))
        matrix.eliminate_zeros()
        return matrix

    def renumbered(self, users: Indices) -> History:
        """Return a history of some users alone, numbered in their order here.

        users  (n,) int32, each once
        """
        self._fold()
        past = self._state.past
        return self._made(
            _Past.of(past.pairs.of_users(users), past.events.of_users(users)), self.limit
        )

    def last_times(self, n_users: int) -> Array:
        """Return when each user did something last, int64 (n_users,); `MISSING_TIME` for never."""
        self._fold()
        events = self._state.past.events
        latest = np.full(n_users, MISSING_TIME, np.int64)
        sizes = np.diff(events.bounds)[:n_users]
        np.maximum.at(
            latest, np.repeat(np.arange(len(sizes)), sizes), events.columns[2][: sizes.sum()]
        )
        return latest

    def fits(self, n_users: int, n_items: int) -> bool:
        """Tell whether every user and item is within so many."""
        self._fold()
        past = self._state.past
        return all(
            len(runs.bounds) - 1 <= n_users and runs.columns[0].max(initial=-1) < n_items
            for runs in (past.pairs, past.events)
        )

    def arrays(self) -> dict[str, Array]:
        """Return everything held, as arrays that `from_arrays` takes back."""
        self._fold()
        past = self._state.past
        pairs = dict(zip(_PAIR_NAMES, (past.pairs.bounds, *past.pairs.columns), strict=True))
        events = dict(zip(_EVENT_NAMES, (past.events.bounds, *past.events.columns), strict=True))
        return pairs | events

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Any], limit: Any) -> History:
        """Rebuild a history from its arrays, which stay as they are, in memory or on disk.

        Raises
        ------
        DataError
            If they do not describe a history.
        """
        if not isinstance(limit, int) or limit < 1:
            raise DataError(f"a history's limit must be an integer of at least 1, got {limit!r}.")
        pairs = PairRuns.checked([arrays.get(name) for name in _PAIR_NAMES], _PAIR_TYPES)
        events = EventRuns.checked([arrays.get(name) for name in _EVENT_NAMES], _EVENT_TYPES)
        codes, (items, _, weights) = events.columns[1], pairs.columns
        good = (
            ((codes >= 0) & (codes < len(EVENT_TYPES))).all()
            and (np.isfinite(weights) & (weights >= 0)).all()
            and _ascending_in_runs(pairs.bounds, items)
            and events.last(limit) is events
        )
        if not good:
            raise DataError("the arrays of a history hold values that no history has.")
        return cls._made(_Past.of(pairs, events), limit)

    @classmethod
    def _made(cls, past: _Past, limit: int) -> History:
        history = cls.__new__(cls)
        history.limit, history._state = limit, _State(past)
        return history

    def _row(self, user: int) -> tuple[Indices, Array, Floats]:
        state = self._state
        items, bits, weights = state.past.pairs.run(user)
        added = list(state.pairs.get(user, {}).items())
        if not added:
            return items, bits, weights
        merged = dict(
            zip(items.tolist(), zip(bits.tolist(), weights.tolist(), strict=True), strict=True)
        )
        for item, (more_bits, more_weight) in added:
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
        state = self._state
        if not state.n_added:
            return
        users = sorted(state.pairs)
        pairs = [(user, item, *row) for user in users for item, row in state.pairs[user].items()]
        events = [(user, *event[1:]) for user in users for event in _in_order(state.recent[user])]
        user_of_pair, *pair_columns = _as_rows(pairs, (np.int32, *_PAIR_TYPES))
        user_of_event, *event_columns = _as_rows(events, (np.int32, *_EVENT_TYPES))
        folded = state.past.events.followed_by(user_of_event, event_columns)
        self._state = _State(
            _Past.of(state.past.pairs.added(user_of_pair, *pair_columns), folded.last(self.limit))
        )


_PAIR_TYPES = (np.int32, np.uint16, np.float32)  # item, kinds as bits, weight
_EVENT_TYPES = (np.int32, np.int8, np.int64)  # item, kind, time
_PAIR_NAMES = ("pair_bounds", "pair_items", "pair_bits", "pair_weights")
_EVENT_NAMES = ("event_bounds", "event_items", "event_codes", "event_times")


_Added: TypeAlias = tuple[int, int, int, int]


class _State:
    """The arrays, and what was added to them one by one: read together, replaced together.

    A reader on another thread takes one state and copies from it what it walks.
    """

    def __init__(self, past: _Past) -> None:
        self.past = past
        self.n_added = 0
        self.pairs: dict[int, dict[int, tuple[int, float]]] = {}
        # Of users, of kinds: the place in the order, item, kind, time.
        self.recent: dict[int, dict[int, deque[_Added]]] = {}


class _Past:
    """The part that copies share, put in order when first asked for."""

    def __init__(self, log: Interactions, weight: Floats, limit: int) -> None:
        self._log, self._weight, self._limit = log, weight, limit

    @classmethod
    def of(cls, pairs: PairRuns, events: EventRuns) -> _Past:
        past = cls.__new__(cls)
        past.pairs, past.events = pairs, events
        return past

    @cached_property
    def pairs(self) -> PairRuns:
        users, items, bits, weights = _pair_columns(self._log, self._weight)
        return PairRuns.of(*summed(users, items, bits, weights))

    @cached_property
    def events(self) -> EventRuns:
        users, *columns = _event_columns(self._log)
        order = by_user_and_time(users, columns[-1])
        sizes = np.bincount(users)
        return EventRuns(starts_of(sizes), [column[order] for column in columns]).last(self._limit)


def repeated(items: Indices, times: int) -> Indices:
    """Return the items that there are so many times at least, ascending."""
    distinct, counts = np.unique(items, return_counts=True)
    often: Indices = distinct[counts >= times]
    return often


def _in_order(recent: Mapping[int, deque[_Added]] | None, code: int | None = None) -> list[_Added]:
    """Return what was added one by one, of one kind or of all; a copy, as others may add to it."""
    if not recent:
        return []
    if code is not None:
        return list(recent.get(code, ()))
    kinds = [list(kind) for kind in list(recent.values())]
    return kinds[0] if len(kinds) == 1 else sorted(chain.from_iterable(kinds))


def _as_columns(added: list[_Added]) -> list[Array]:
    """Return the items, kinds and times of what was added."""
    _, *columns = zip(*added, strict=True)
    return [np.array(column, kind) for column, kind in zip(columns, _EVENT_TYPES, strict=True)]


def _pair_columns(log: Interactions, weight: Floats) -> tuple[Indices, Indices, Array, Floats]:
    return log.users, log.items, np.uint16(1) << log.event.astype(np.uint16), weight


def _event_columns(log: Interactions) -> tuple[Indices, Indices, Array, Array]:
    times = log.timestamp
    if times is None:
        times = np.full(len(log), MISSING_TIME, np.int64)
    return log.users, log.items, log.event, times


def _ascending_in_runs(bounds: Array, items: Indices) -> bool:
    rises = np.diff(items) > 0
    starts = bounds[1:-1]
    rises[starts[(starts > 0) & (starts < len(items))] - 1] = True
    return bool(rises.all())


def _as_rows(rows: Sequence[tuple[float, ...]], types: tuple[type, ...]) -> tuple[Array, ...]:
    columns = zip(*rows, strict=True)
    return tuple(np.array(column, kind) for column, kind in zip(columns, types, strict=True))
