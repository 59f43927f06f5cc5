"""Sessions of events as they come: late ones put in order, the same numbers as for a whole log."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from datetime import timedelta, tzinfo
from heapq import heappop, heappush
from time import time_ns
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from recopersona.base.holdings import as_json
from recopersona.base.parameters import check, whole
from recopersona.base.several import listed
from recopersona.data.columns import as_pandas, like, require_columns
from recopersona.data.event import Event
from recopersona.data.gate import EventGate, require_gate
from recopersona.data.ids import is_missing
from recopersona.data.intake import CLOCK_TOLERANCE_MS, is_events
from recopersona.data.times import as_text, duration_ms, from_ms, integer_to_ms, moment_ms
from recopersona.data.types import Array, Id
from recopersona.errors import DataError, ParameterError, hint, shown
from recopersona.events.admission import admitted_places
from recopersona.events.page_behaviour import amounts_of, interactions_of
from recopersona.events.session_rules import SessionRules, local_day, local_days
from recopersona.events.sessions import (
    NO_CAMPAIGNS,
    NO_DAYS,
    campaigns_of,
    event_times,
    in_order,
    numbers_by_visitor,
)
from recopersona.events.visitors import Visitors, canonical
from recopersona.kernels.sessions import number_cut_sessions

_BEGINNING = -(2**62)
Visitor = tuple[Any, ...]
Campaign = tuple[Any, ...]


class Session(NamedTuple):
    """One session that is over.

    Parameters
    ----------
    session_id : int
    user_id, anonymous_id : id, optional
        Whose it was: one of them.
    start, end : int
        Of its first and its last event, in milliseconds since 1970 UTC.
    n_events : int
    entry_item, exit_item : id
        Of its first and its last event.
    bounce : bool
        Whether it has one event or none beside impressions and returns.
    purchases : int
    value : float
        Price by quantity of what was bought, less what was returned.

    Examples
    --------
    >>> stream = StreamSessionizer()
    >>> _ = stream.add(Event("anna", "tea", timestamp=1_700_000_000))
    >>> (session,) = stream.flush().sessions
    >>> session.session_id, session.user_id, session.entry_item, session.bounce
    (0, 'anna', 'tea', True)
    """

    session_id: int
    user_id: Id | None
    anonymous_id: Id | None
    start: int
    end: int
    n_events: int
    entry_item: Id | None
    exit_item: Id | None
    bounce: bool
    purchases: int
    value: float


class Released(NamedTuple):
    """What one call of a `StreamSessionizer` lets go.

    Parameters
    ----------
    events : list of Event, or dataframe
        Events that have their place, in order of time, with their ``session_id``.
    sessions : list of Session
        Those that nothing can be added to any more.
    late : list of Event, or dataframe
        Events that came after the watermark had passed them: refused, without a session.

    Examples
    --------
    >>> stream = StreamSessionizer(watermark="1min")
    >>> released = stream.add(Event("anna", "tea", timestamp=1_700_000_000 + n) for n in (90, 0))
    >>> len(released.events), len(released.late)
    (0, 1)
    """

    events: Any
    sessions: list[Session]
    late: Any


class _Open:
    """A session that may go on."""

    __slots__ = (
        *("campaign", "day", "entry", "exit", "interactions", "last", "n_events"),
        *("number", "purchases", "start", "value", "visitor"),
    )

    def __init__(self, visitor: Visitor, start: int, day: int, campaign: Campaign | None) -> None:
        self.visitor, self.start, self.day, self.campaign = visitor, start, day, campaign
        self.number, self.last = -1, start
        self.entry: Id | None = None
        self.exit: Id | None = None
        self.n_events, self.interactions, self.purchases, self.value = 0, 0, 0, 0.0

    @classmethod
    def of(cls, values: Iterable[Any]) -> _Open:
        """Build one from its values in the order of `_KEPT`, as JSON gives them back."""
        kept = dict(zip(_KEPT, values, strict=True))
        campaign = None if kept["campaign"] is None else tuple(kept["campaign"])
        held = cls(tuple(kept["visitor"]), _whole(kept["start"]), _whole(kept["day"]), campaign)
        for name in ("number", "last", "n_events", "interactions", "purchases"):
            setattr(held, name, _whole(kept[name]))
        held.entry, held.exit, held.value = kept["entry"], kept["exit"], float(kept["value"])
        _ = held.visitor[0], held.visitor[1]
        hash((held.visitor, held.campaign))
        return held

    def closed(self) -> Session:
        return Session(
            self.number, self.visitor[0], self.visitor[1], self.start, self.last, self.n_events,
            self.entry, self.exit, self.interactions <= 1, self.purchases, self.value,
        )  # fmt: skip


class StreamSessionizer:
    """Number sessions of events as they come, as `recopersona.sessionize` numbers a whole log.

    Events wait until no earlier one is expected any more: until the latest moment seen, less the
    ``watermark``, has passed them. Then they leave in order of time with their ``session_id``.
    What comes later than that is refused, counted and handed back as ``late``. A repeat of an
    event that still waits is dropped and counted: by its ``event_id``, and where it has none, by
    everything it says but ``received``. Without late events, events and numbers are those of
    `sessionize` on the log without repeats, bit for bit, however shuffled they came and however
    they were added.

    Parameters
    ----------
    gap, max_length, midnight, campaign, per_device
        As in `recopersona.sessionize`. Of an `Event`, a campaign and a device are fields of it.
    watermark : duration, optional
        How much later than the latest event an earlier one may come; None for not at all.
    max_visitors : int, at least 1
        Open sessions held at most. Beyond it, those idle for longest are ended, and counted as
        ``evicted``.
    max_waiting : int, at least 1
        Events that wait at most. Beyond it, the watermark moves on early; events that it leaves
        are counted as ``hurried``.
    gate : EventGate, optional
        Such as a `ConsentLedger`: an event that may not be stored (its purpose ``"storage"``) when
        it comes is dropped as if it had never come; it does not even tell the time. The gate is in
        no `state`; one that was kept behind a gate goes on behind one only.

    Attributes
    ----------
    counts : dict
        Events ``taken``, ``released``, ``late``, ``duplicates``, ``hurried`` and ``refused`` by the
        gate, and visitors ``evicted``, since the beginning.
    watermark_ms : int or None
        The moment up to which all is settled.

    Raises
    ------
    ParameterError
        If a parameter is out of its bounds.

    Notes
    -----
    Memory: about 700 bytes per open session and 500 per waiting event beside the event itself;
    ``700 max_visitors + 500 max_waiting`` at most. A visitor's session is open until the watermark
    passes its last event by the gap. An event takes about ten microseconds; a frame goes through
    the kernel of `sessionize`. Whether bounds are reached within one frame or event by event may
    differ; nothing else depends on how events are added.

    An event more than a day ahead of this machine's clock is refused with an error, for it would
    make everything after it late. Nothing of a call that raises is taken in.

    Examples
    --------
    >>> stream = StreamSessionizer(watermark="5min")
    >>> start = 1_700_000_000
    >>> stream.add(Event("anna", "tea", timestamp=start + 60)).events
    []
    >>> stream.add(Event("anna", "salt", timestamp=start)).events  # late, but not too late
    []
    >>> [(event.item_id, event.session_id) for event in stream.flush().events]
    [('salt', 0), ('tea', 0)]
    """

    def __init__(
        self,
        gap: str | timedelta = "30min",
        watermark: str | timedelta | None = "5min",
        *,
        max_length: str | timedelta | None = None,
        midnight: str | tzinfo | None = None,
        campaign: str | Iterable[str] | None = None,
        per_device: bool | str | Iterable[str] = False,
        max_visitors: int = 1_000_000,
        max_waiting: int = 1_000_000,
        gate: EventGate | None = None,
    ) -> None:
        check(max_visitors, whole(at_least=1), "StreamSessionizer", "max_visitors")
        check(max_waiting, whole(at_least=1), "StreamSessionizer", "max_waiting")
        if gate is not None:
            require_gate(gate)
        self._gate = gate
        self._rules = SessionRules.of(gap, max_length, midnight, campaign, per_device)
        self._lateness = 0 if watermark is None else duration_ms(watermark, "watermark")
        self._max_visitors, self._max_waiting = max_visitors, max_waiting
        self._settled = _BEGINNING  # what lies before it is late
        self._latest = _BEGINNING
        self._next = 0
        self._open: OrderedDict[Visitor, _Open] = OrderedDict()  # idle for longest first
        self._moments: list[int] = []  # a heap
        self._waiting: dict[int, list[_Row]] = {}
        self._n_waiting = 0
        self._keys: set[Any] = set()
        self._held: _Held | None = None
        self.counts = dict.fromkeys(_COUNTS, 0)

    @property
    def watermark_ms(self) -> int | None:
        """The moment up to which all is settled, in milliseconds, or None before any event."""
        return None if self._settled == _BEGINNING else self._settled

    def add(self, events: Any) -> Released:
        """Take in events and let go those that have their place.

        Parameters
        ----------
        events : Event, iterable of Event, or dataframe
            In any order. A stream that holds events takes no frame and the other way round, until
            it is flushed.

        Returns
        -------
        Released
            Its events are of the kind that was added.

        Raises
        ------
        ColumnError, DataError
            If an event has neither user nor anonymous id, no time, or one of tomorrow.
        """
        if not is_events(events):
            return self._add_frame(events)
        if self._held is not None:
            raise DataError("this stream holds rows of a frame; add a frame, or flush it first.")
        rows = [self._row(event) for event in ([events] if type(events) is Event else events)]
        out = _Out([], [], [])
        for row in rows:
            if self._lets(row):
                self._take(row, out)
        return self._released(out)

    def flush(self) -> Released:
        """Let go everything: all events that wait, and all sessions as they stand.

        Returns
        -------
        Released
        """
        self._settled = max(self._settled, self._latest + 1)
        if self._held is not None:
            released = self._release_frame(self._held.frame.iloc[:0])
            self._held = None
            released.sessions.extend(self._end_all())
            return released
        out = _Out([], [], [])
        self._release(out)
        released = self._released(out)
        released.sessions.extend(self._end_all())
        return released

    def held_of(
        self, user_ids: Iterable[Id] = (), *, anonymous_ids: Iterable[Id] = ()
    ) -> dict[str, Any]:
        """Return everything that is held of some visitors, ready for JSON.

        Parameters
        ----------
        user_ids, anonymous_ids : iterables of ids
            Of either kind; an event belongs to whomever it names.

        Returns
        -------
        dict
            ``sessions`` that may go on, and ``waiting`` events; empty where nothing is held.

        Examples
        --------
        >>> stream = StreamSessionizer()
        >>> _ = stream.add(Event("anna", "tea", timestamp=1_700_000_000))
        >>> stream.held_of(["anna"])["waiting"][0]["item_id"], stream.held_of(["ben"])
        ('tea', {})
        >>> stream.forget(["anna"]), len(stream.flush().events)
        (1, 0)
        """
        theirs = _Named.of(user_ids, anonymous_ids)
        sessions = [
            {**held.closed()._asdict(), "start": as_text(held.start), "end": as_text(held.last)}
            for visitor, held in self._open.items()
            if theirs.names(*visitor[:2])
        ]
        waiting = [
            {name: value for name, value in row[4]._asdict().items() if not _is_nothing(value)}
            | {"timestamp": as_text(row[0])}
            for rows in self._waiting.values()
            for row in rows
            if theirs.names(row[4].user_id, row[4].anonymous_id)
        ]
        if self._held is not None:
            named = theirs.rows(self._held.frame)
            times = self._held.times[named].tolist()
            rows = self._held.frame[named].to_dict("records")
            waiting += [
                {str(name): value for name, value in row.items() if not is_missing(value)}
                | {"timestamp": as_text(time)}
                for row, time in zip(rows, times, strict=True)
            ]
        told = {"sessions": sessions, "waiting": waiting}
        return {name: as_json(held) for name, held in told.items() if held}

    def forget(self, user_ids: Iterable[Id] = (), *, anonymous_ids: Iterable[Id] = ()) -> int:
        """Drop the sessions and waiting events of some visitors; return how many were held.

        The numbers that their sessions had are not given again.
        """
        theirs = _Named.of(user_ids, anonymous_ids)
        gone = [visitor for visitor in self._open if theirs.names(*visitor[:2])]
        for visitor in gone:
            del self._open[visitor]
        n_before = self._n_waiting + (0 if self._held is None else len(self._held.times))
        kept = {
            time: [row for row in rows if not theirs.names(row[4].user_id, row[4].anonymous_id)]
            for time, rows in self._waiting.items()
        }
        self._waiting = {time: rows for time, rows in kept.items() if rows}
        self._moments = sorted(self._waiting)
        self._keys = {row[3] for rows in self._waiting.values() for row in rows}
        self._n_waiting = sum(map(len, self._waiting.values()))
        if self._held is not None:
            self._held = self._held.where(~theirs.rows(self._held.frame))
        n_after = self._n_waiting + (0 if self._held is None else len(self._held.times))
        return len(gone) + n_before - n_after

    def state(self) -> dict[str, Any]:
        """Return all that the stream remembers, for `restore`: plain values, ready for JSON.

        Ids must be such values themselves. Keep it with the position in the source, so that no
        event is lost or taken twice.

        Raises
        ------
        DataError
            If rows of a frame wait: only events can be kept.
        """
        if self._held is not None and len(self._held.times):
            raise DataError("rows of a frame wait, which no state can hold; flush the stream.")
        return {
            "rules": self._told(),
            "gated": self._gate is not None,
            "next": self._next,
            "settled": self._settled,
            "latest": self._latest,
            "counts": dict(self.counts),
            "open": [[getattr(held, name) for name in _KEPT] for held in self._open.values()],
            "waiting": [
                [time, list(row[4]._replace(timestamp=time))]
                for time in sorted(self._waiting)
                for row in self._waiting[time]
            ],
        }

    def restore(self, state: dict[str, Any]) -> StreamSessionizer:
        """Go on from what `state` returned; what this stream remembered is forgotten.

        Returns
        -------
        StreamSessionizer
            This one.

        Raises
        ------
        DataError
            If it is no state, or one of a stream with other rules or behind a gate.
        """
        try:
            if list(state["rules"]) != self._told():
                raise DataError(
                    f"this state was kept under other rules, {state['rules']}; this stream has "
                    f"{self._told()}."
                )
            if state.get("gated") and self._gate is None:
                raise DataError(
                    "this state was kept behind a gate, and this stream has none; "
                    "write StreamSessionizer(gate=...)."
                )
            opened = [_Open.of(values) for values in state["open"]]
            rows = [
                (_whole(time), *self._row(Event(*fields), _whole(time))[1:])
                for time, fields in state["waiting"]
            ]
            numbers = [_whole(state[name]) for name in ("next", "settled", "latest")]
            counts = {name: _whole(state["counts"][name]) for name in _COUNTS}
        except (LookupError, TypeError, ValueError, OverflowError) as problem:
            if isinstance(problem, DataError):
                raise
            raise DataError(f"this is no state of a StreamSessionizer: {problem!r}.") from None
        self._next, self._settled, self._latest = numbers
        self.counts, self._held = counts, None
        self._open = OrderedDict((held.visitor, held) for held in opened)
        self._moments, self._waiting, self._keys = [], {}, {row[3] for row in rows}
        for row in rows:
            if row[0] not in self._waiting:
                heappush(self._moments, row[0])
            self._waiting.setdefault(row[0], []).append(row)
        self._n_waiting = len(rows)
        return self

    def _told(self) -> list[Any]:
        """The rules as plain values, to tell one stream's from another's."""
        rules = self._rules
        zone = None if rules.zone is None else str(rules.zone)
        lengths = [rules.gap, rules.max_length, self._lateness]
        return [*lengths, zone, list(rules.campaign), list(rules.device)]

    # -- one event after another --------------------------------------------------------------

    def _row(self, event: Any, known: int | None = None) -> _Row:
        """Check one event; nothing is taken in before all of a call are checked."""
        if type(event) is not Event:
            raise DataError(
                f"events must be a dataframe or rp.Event records, got {type(event).__name__}."
            )
        time = _moment(event.timestamp) if known is None else known
        user: Any = event.user_id
        stranger: Any = None
        if type(user) is not str and type(user) is not int and is_missing(user):
            user, stranger = None, event.anonymous_id
            if is_missing(stranger):
                raise DataError("an event needs a user_id or an anonymous_id to sessionize by.")
        rules = self._rules
        visitor: Visitor = (user, stranger)
        if rules.device:
            visitor += _fields(event, rules.device, "per_device")
        campaign: Campaign | None = None
        if rules.campaign:
            campaign = _fields(event, rules.campaign, "campaign")
            if campaign.count(None) == len(campaign):
                campaign = None
        key: Any = event.event_id
        try:
            if type(key) is not str and type(key) is not int and is_missing(key):
                key = _said(event, time)
            hash((visitor, campaign, key))
        except (TypeError, ValueError):
            raise DataError(
                f"an event holds a value that cannot be hashed: {shown(event)}."
            ) from None
        if type(event.event) is str and event.event in _TRADE:
            _check_amounts(event)
        return time, visitor, campaign, key, event

    def _lets(self, row: _Row) -> bool:
        """Ask the gate whether an event may be stored."""
        if self._gate is None:
            return True
        event = row[4]
        who = {"user_id": event.user_id, "anonymous_id": event.anonymous_id}
        if self._gate.lets(who, "storage", row[0]):
            return True
        self.counts["refused"] += 1
        return False

    def _take(self, row: _Row, out: _Out) -> None:
        time = row[0]
        counts = self.counts
        counts["taken"] += 1
        if time < self._settled:
            counts["late"] += 1
            out.late.append(row[4])
            return
        if row[3] in self._keys:
            counts["duplicates"] += 1
        else:
            self._keys.add(row[3])
            self._n_waiting += 1
            together = self._waiting.get(time)
            if together is None:
                self._waiting[time] = [row]
                heappush(self._moments, time)
            else:
                together.append(row)
        if time > self._latest:  # a repeat tells the time too
            self._latest = time
            self._settled = max(self._settled, time - self._lateness)
            self._release(out)
        while self._n_waiting > self._max_waiting:
            self._settled = self._moments[0] + 1
            counts["hurried"] += len(self._waiting[self._moments[0]])
            self._release(out)

    def _release(self, out: _Out) -> None:
        settled, moments = self._settled, self._moments
        while moments and moments[0] < settled:
            time = heappop(moments)
            self._settle(time, self._waiting.pop(time), out)
        self._end_idle(settled, out.ended)

    def _settle(self, time: int, rows: list[_Row], out: _Out) -> None:
        """Give the events of one moment their sessions."""
        rules, sessions = self._rules, self._open
        day = 0 if rules.zone is None else local_day(time, rules.zone)
        if len(rows) > 1 and rules.campaign:
            rows.sort(key=_by_campaign)
        begun: list[_Open] = []
        placed: list[tuple[Event, _Open]] = []
        for _, visitor, campaign, key, event in rows:
            self._keys.discard(key)
            held = sessions.get(visitor)
            if (
                held is None
                or time - held.last > rules.gap
                or time - held.start > rules.max_length
                or held.day != day
                or (campaign is not None and campaign != held.campaign)
            ):
                if held is not None:
                    out.ended.append(held)
                held = _Open(visitor, time, day, campaign)
                held.entry = event.item_id
                begun.append(held)
                sessions[visitor] = held
            sessions.move_to_end(visitor)
            held.last = time
            held.exit = event.item_id
            held.n_events += 1
            kind = event.event if type(event.event) is str else None
            if kind not in _NO_INTERACTION:
                held.interactions += 1
                if kind == "purchase":
                    held.purchases += 1
                    held.value += _amount(event)
            elif kind == "return":
                held.value -= _amount(event)
            placed.append((event, held))
        if len(begun) > 1:
            begun.sort(key=_by_visitor)
        for held in begun:
            held.number = self._next
            self._next += 1
        for event, held in placed:
            out.events.append(event._replace(session_id=held.number))
        self._n_waiting -= len(rows)
        if len(sessions) > self._max_visitors:
            self._end_idle(time, out.ended)
            self._evict(out.ended)

    def _end_idle(self, time: int, ended: list[_Open]) -> None:
        """End the sessions that no event at a moment or after it can belong to."""
        sessions, since = self._open, time - self._rules.gap
        while sessions:
            visitor = next(iter(sessions))
            if sessions[visitor].last >= since:
                break
            ended.append(sessions.popitem(last=False)[1])

    def _evict(self, ended: list[_Open]) -> None:
        while len(self._open) > self._max_visitors:
            self.counts["evicted"] += 1
            ended.append(self._open.popitem(last=False)[1])

    def _end_all(self) -> list[Session]:
        left = [held.closed() for held in self._open.values()]
        self._open.clear()
        return left

    def _released(self, out: _Out) -> Released:
        self.counts["released"] += len(out.events)
        return Released(out.events, [held.closed() for held in out.ended], out.late)

    # -- a frame at a time --------------------------------------------------------------------

    def _add_frame(self, events: Any) -> Released:
        frame = as_pandas(events)
        _require_whole(frame, self._rules)
        if self._waiting:
            raise DataError("this stream holds rp.Event records; add such, or flush it first.")
        frame = self._admitted(frame)
        times = event_times(frame)
        if len(times):
            _refuse_tomorrow(int(times.max()))
        before = np.maximum.accumulate(np.append(self._latest, times))
        settled = np.maximum(before[:-1] - self._lateness, self._settled)
        late = times < settled
        held = self._held or _Held(frame.iloc[:0], times[:0], events)
        rows = _Held(
            pd.concat([held.frame, frame[~late]], ignore_index=True)
            if len(held.frame)
            else frame[~late].reset_index(drop=True),
            np.append(held.times, times[~late]),
            events,
        )
        since = np.append(np.full(len(held.times), _BEGINNING), settled[~late])
        repeated = _repeated(rows, since)
        self.counts["taken"] += len(frame)
        self.counts["late"] += int(late.sum())
        self.counts["duplicates"] += int(repeated.sum())
        self._held = rows.where(~repeated)
        self._latest = int(before[-1])
        self._settled = max(self._settled, self._latest - self._lateness)
        waiting = np.sort(self._held.times[self._held.times >= self._settled])
        if len(waiting) > self._max_waiting:
            self._settled = int(waiting[len(waiting) - self._max_waiting - 1]) + 1
            self.counts["hurried"] += int((waiting < self._settled).sum())
        return self._release_frame(frame[late])

    def _admitted(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Leave out the rows of a frame that may not be stored."""
        if self._gate is None:
            return frame
        places = admitted_places(frame, self._gate, "storage")
        self.counts["refused"] += len(frame) - len(places)
        return frame.iloc[places]

    def _release_frame(self, late: pd.DataFrame) -> Released:
        held = self._held
        assert held is not None  # noqa: S101
        due = held.times < self._settled
        order = np.argsort(held.times[due], kind="stable")
        rows = held.where(np.flatnonzero(due)[order])
        self._held = held.where(~due)
        ended: list[_Open] = []
        session = self._settle_frame(rows, ended) if len(rows.times) else rows.times
        self._end_idle(self._settled, ended)
        self._evict(ended)
        self.counts["released"] += len(session)
        events = rows.frame.assign(session_id=session)
        sessions = [one.closed() for one in ended]
        return Released(like(events, held.source), sessions, like(late, held.source))

    def _settle_frame(self, rows: _Held, ended: list[_Open]) -> Array:
        """Number the sessions of rows in time order, going on with those that are open."""
        rules, frame = self._rules, rows.frame
        visitors = Visitors.of(frame, rules.device)
        codes, parts = campaigns_of(frame, rules.campaign) if rules.campaign else (NO_CAMPAIGNS, [])
        order, times = in_order(rows.times, parts)
        order = np.arange(len(times)) if order is None else order
        who, campaigns = visitors.codes[order], codes[order] if parts else codes
        days = NO_DAYS if rules.zone is None else local_days(times, rules.zone)
        people = _people_of(frame.iloc[order], who, rules)
        names = _campaigns_by_code(frame.iloc[order], campaigns, rules)
        state = self._state_of(people, visitors.span, names)
        session, first_row = np.empty(len(times), np.int64), np.empty(len(times), np.int64)
        first = self._next
        self._next = number_cut_sessions(
            session, first_row, state, who, times, days, campaigns,
            rules.gap, rules.max_length, first,
        )  # fmt: skip
        first_row = first_row[: self._next - first]
        place = numbers_by_visitor(visitors, times[first_row], order[first_row])
        if place is not None:
            new = session >= first
            session[new] = first + place[session[new] - first]
        self._sum_up(
            _Sums.of(frame.iloc[order], session, times), who, days, campaigns, people, names, ended
        )
        as_given = np.empty_like(session)
        as_given[order] = session
        return as_given

    def _state_of(self, people: dict[int, Visitor], span: int, names: dict[int, Campaign]) -> Array:
        """The kernel's state, int64 (span, 5), of those whose session is open."""
        state = np.full((span, 5), -1, dtype=np.int64)
        codes = {campaign: code for code, campaign in names.items()}
        for code, visitor in people.items():
            held = self._open.get(visitor)
            if held is not None:
                campaign = -1 if held.campaign is None else codes.get(held.campaign, -2)
                state[code] = held.last, held.number, held.start, held.day, campaign
        return state

    def _sum_up(
        self, sums: _Sums, who: Array, days: Array, campaigns: Array,
        people: dict[int, Visitor], names: dict[int, Campaign], ended: list[_Open],
    ) -> None:  # fmt: skip
        """Bring the open sessions up to date, in order of their numbers."""
        touched: dict[Visitor, int] = {}
        for place, number in enumerate(sums.number):
            row = sums.first[place]
            visitor = people[int(who[row])]
            held = self._open.get(visitor)
            if held is None or held.number != number:
                if held is not None:
                    ended.append(held)
                day = int(days[row]) if len(days) else 0
                campaign = names.get(int(campaigns[row])) if len(campaigns) else None
                held = _Open(visitor, sums.start[place], day, campaign)
                held.number, held.entry = number, sums.entry[place]
                self._open[visitor] = held
            held.last, held.exit = sums.end[place], sums.exit[place]
            held.n_events += sums.n_events[place]
            held.interactions += sums.interactions[place]
            held.purchases += sums.purchases[place]
            held.value += sums.value[place]
            touched[visitor] = held.last
        for visitor in sorted(touched, key=touched.__getitem__):
            self._open.move_to_end(visitor)


_COUNTS = ("taken", "released", "late", "duplicates", "hurried", "refused", "evicted")
_KEPT = (
    *("visitor", "start", "day", "campaign", "number", "last", "entry", "exit"),
    *("n_events", "interactions", "purchases", "value"),
)
_TRADE = frozenset({"purchase", "return"})
_NO_INTERACTION = ("impression", "return")
_Row = tuple[int, Visitor, Campaign | None, Any, Event]


class _Out(NamedTuple):
    events: list[Event]
    ended: list[_Open]
    late: list[Event]


class _Named(NamedTuple):
    """Visitors by their ids of either kind."""

    users: frozenset[Id]
    anonymous: frozenset[Id]

    @classmethod
    def of(cls, user_ids: Iterable[Id], anonymous_ids: Iterable[Id]) -> _Named:
        users, anonymous = listed(user_ids, "user_ids"), listed(anonymous_ids, "anonymous_ids")
        return cls(frozenset(users), frozenset(anonymous))

    def names(self, user: Any, stranger: Any) -> bool:
        return user in self.users or stranger in self.anonymous

    def rows(self, frame: pd.DataFrame) -> Array:
        """Tell which rows of a frame are theirs, bool (n,)."""
        found = np.zeros(len(frame), np.bool_)
        for name, ids in (("user_id", self.users), ("anonymous_id", self.anonymous)):
            if name in frame.columns and ids:
                found |= frame[name].isin(list(ids)).to_numpy(np.bool_)
        return found


class _Held(NamedTuple):
    """Rows of frames that wait.

    frame   of n rows
    times   int64 (n,)
    source  the frame that was added last, whose kind answers have
    """

    frame: pd.DataFrame
    times: Array
    source: Any

    def where(self, rows: Array) -> _Held:
        return _Held(self.frame.iloc[rows].reset_index(drop=True), self.times[rows], self.source)


class _Sums(NamedTuple):
    """What rows in time order say of their sessions, a list each in order of the numbers."""

    number: list[int]
    first: list[int]
    start: list[int]
    end: list[int]
    n_events: list[int]
    entry: list[Any]
    exit: list[Any]
    interactions: list[int]
    purchases: list[int]
    value: list[float]

    @classmethod
    def of(cls, frame: pd.DataFrame, session: Array, times: Array) -> _Sums:
        number, first, place = np.unique(session, return_index=True, return_inverse=True)
        last = np.empty_like(first)
        last[place] = np.arange(len(place))  # the last write stays
        items = frame["item_id"] if "item_id" in frame.columns else None
        bought, amount = amounts_of(frame)

        def summed(column: Array) -> Any:
            return np.bincount(place, weights=column, minlength=len(number))

        return cls(
            number.tolist(), first.tolist(), times[first].tolist(), times[last].tolist(),
            np.bincount(place, minlength=len(number)).tolist(),
            [None] * len(first) if items is None else items.iloc[first].tolist(),
            [None] * len(first) if items is None else items.iloc[last].tolist(),
            summed(interactions_of(frame)).astype(np.int64).tolist(),
            summed(bought).astype(np.int64).tolist(), summed(amount).tolist(),
        )  # fmt: skip


def _whole(number: Any) -> int:
    """Return a whole number of a state; the kernels hold 64 bits of it."""
    if abs(int(number)) > -_BEGINNING:
        raise ValueError(f"{shown(number)} is beyond any clock or count")
    return int(number)


def _moment(timestamp: Any) -> int:
    if type(timestamp) is int:
        time = integer_to_ms(timestamp)
        if time is None:
            raise DataError(f"timestamp {timestamp} fits no unit between the years 1980 and 2200.")
    elif is_missing(timestamp):
        raise DataError("an event needs a timestamp to sessionize by.")
    elif isinstance(timestamp, np.integer):
        return _moment(int(timestamp))
    else:
        time = moment_ms(timestamp, "timestamp")
    _refuse_tomorrow(time)
    return time


def _refuse_tomorrow(time: int) -> None:
    now = time_ns() // 1_000_000
    if time > now + CLOCK_TOLERANCE_MS:
        raise DataError(
            f"an event of {from_ms(np.array([time]))[0]} lies more than a day ahead; "
            "it would make all that come after it late."
        )


def _fields(event: Event, names: tuple[str, ...], parameter: str) -> tuple[Any, ...]:
    unknown = [name for name in names if name not in Event._fields]
    if unknown:
        raise ParameterError(
            f"{parameter}: an Event has no field {unknown[0]!r}; add frames, which may have it"
            f"{hint(unknown[0], Event._fields)}"
        )
    values = tuple(getattr(event, name) for name in names)
    return tuple(None if value is None or is_missing(value) else value for value in values)


def _said(event: Event, time: int) -> tuple[Any, ...]:
    """Return all that an event says but when it came; no value is None, however it was written."""
    said = event._replace(timestamp=time, received=None, event_id=None)
    return tuple([None if _is_nothing(value) else value for value in said])


def _amount(event: Event) -> float:
    price: Any = event.price
    quantity: Any = event.quantity
    if _is_nothing(price):
        return 0.0
    return float(price) * (1.0 if _is_nothing(quantity) else float(quantity))


def _is_nothing(value: Any) -> bool:
    return value is None or value is pd.NA or bool(value != value)


def _check_amounts(event: Event) -> None:
    """Refuse what is no amount when it comes, not when the event leaves."""
    try:
        _amount(event)
    except (TypeError, ValueError, OverflowError):
        raise DataError(
            "price and quantity of an event must be numbers, got "
            f"{shown(event.price)} and {shown(event.quantity)}."
        ) from None


def _by_campaign(row: _Row) -> tuple[Any, ...]:
    return () if row[2] is None else tuple(map(canonical, row[2]))


def _by_visitor(held: _Open) -> tuple[Any, ...]:
    """Users before strangers, each by `canonical`."""
    return (held.visitor[0] is None, *map(canonical, held.visitor))


def _require_whole(frame: pd.DataFrame, rules: SessionRules) -> None:
    """Check that every row of a frame has what a session needs, before any is taken in."""
    require_columns(frame, ["timestamp"])
    Visitors.of(frame, rules.device)
    campaigns_of(frame, rules.campaign)


def _repeated(rows: _Held, since: Array) -> Array:
    """Tell which rows repeat one that was still waiting when they came; bool (n,).

    since  int64 (n,), the watermark when each row came
    """
    frame, n = rows.frame, len(rows.times)
    repeated = np.zeros(n, dtype=np.bool_)
    content = frame.drop(columns=[name for name in ("received",) if name in frame.columns])
    content = content.assign(timestamp=rows.times)
    groups: list[tuple[Array, Any]] = []
    named = np.zeros(n, dtype=np.bool_)
    if "event_id" in frame.columns:
        named = frame["event_id"].notna().to_numpy(dtype=np.bool_)
        groups.append((named, frame[["event_id"]]))
    groups.append((~named, content))
    for mask, columns in groups:
        try:
            suspects = np.flatnonzero(mask)[columns[mask].duplicated(keep=False).to_numpy()]
            codes = columns.iloc[suspects].groupby(list(columns.columns), dropna=False).ngroup()
        except (TypeError, NotImplementedError):
            raise DataError("an event holds a value that cannot be hashed.") from None
        kept: dict[Any, int] = {}
        for row, code in zip(suspects.tolist(), codes.tolist(), strict=True):
            if kept.get(code, _BEGINNING) >= since[row] and code in kept:
                repeated[row] = True
            else:
                kept[code] = int(rows.times[row])
    return repeated


def _people_of(frame: pd.DataFrame, who: Array, rules: SessionRules) -> dict[int, Visitor]:
    """Return the visitor of each code, as an event by itself names them."""
    codes, first = np.unique(who, return_index=True)
    rows = frame.iloc[first]
    users = _plain(rows["user_id"])
    strangers = _plain(rows["anonymous_id"]) if "anonymous_id" in rows.columns else users
    devices = [_plain(rows[name]) for name in rules.device]
    return {
        code: (user, stranger if user is None else None, *device)
        for code, user, stranger, *device in zip(
            codes.tolist(), users, strangers, *devices, strict=True
        )
    }


def _campaigns_by_code(
    frame: pd.DataFrame, campaigns: Array, rules: SessionRules
) -> dict[int, Campaign]:
    if not len(campaigns):
        return {}
    codes, first = np.unique(campaigns, return_index=True)
    rows = frame.iloc[first]
    values = zip(*(_plain(rows[name]) for name in rules.campaign), strict=True)
    return {code: value for code, value in zip(codes.tolist(), values, strict=True) if code >= 0}


def _plain(column: pd.Series) -> list[Any]:
    return [None if is_missing(value) else value for value in column.tolist()]
