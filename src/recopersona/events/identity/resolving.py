"""Events resolved to profiles: whose each row is, by what is known now, or was known then."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Self

import narwhals as nw
import numpy as np
import pandas as pd

from recopersona.base.parameters import check, one_of
from recopersona.data.columns import as_pandas, require_columns
from recopersona.data.event import Event
from recopersona.data.ids import UNKNOWN
from recopersona.data.intake import frame_of_events, is_events
from recopersona.data.times import MISSING_TIME, duration_ms, moment_ms, to_ms
from recopersona.data.types import Array, Indices
from recopersona.errors import DataError, ParameterError
from recopersona.events.identity.kinds import Kinds
from recopersona.events.identity.knowing import Knowing
from recopersona.events.identity.links import Links
from recopersona.events.identity.register import Register
from recopersona.events.identity.state import State
from recopersona.kernels.identity import ANYBODY, NOBODY, SOMEBODY
from recopersona.kernels.ordering import order_of
from recopersona.kernels.resolving import NEVER, follow_people

BACK_DATING = ("profile", "first_touch", "last_touch", "none")
"""Which profile a row gets that happened before its identifiers were linked."""

_SINCE_EVER = MISSING_TIME


@dataclass(eq=False)
class Answer:
    """Whose rows are.

    whose     int32 (n,), the root of the profile, the ambiguous identifier, or -1
    standing  uint8 (n,), `NOBODY`, `SOMEBODY` or `ANYBODY`
    """

    whose: Indices
    standing: Array

    def put(self, rows: Any, other: Answer) -> None:
        """Put other answers in some rows."""
        self.whose[rows], self.standing[rows] = other.whose, other.standing


@dataclass(frozen=True, eq=False)
class Asked:
    """The identifiers of rows, by number.

    kinds      the codes of the kinds there are, by priority
    codes      int32 (n, n_kinds), -1 where there is none; who is unknown to the graph has numbers
               behind all others
    strangers  the names of these
    times      int64 (n,) milliseconds, or none at all where nobody asked for them
    """

    kinds: list[int]
    codes: Indices
    strangers: list[str]
    times: Array


class Resolving(Knowing):
    """The part of an `IdentityGraph` that says whose rows are."""

    def resolve(
        self, events: Any, back_dating: str = "profile", look_back: str | timedelta | None = None
    ) -> Any:
        """Put the names of profiles into ``user_id``.

        A row is of the profile of its identifier of the highest priority that proves anybody. Rows
        with ambiguous identifiers alone are of an anonymous profile of the highest of these, rows
        without any of nobody: their ``user_id`` is missing. An identifier that the graph never met
        is called by its own name.

        Parameters
        ----------
        events : dataframe, `Event`, or iterable of `Event`
            With at least one column that is a kind of identifier. It is never changed.
        back_dating : {"profile", "first_touch", "last_touch", "none"}
            Which profile an earlier row gets. ``"profile"``: the one that its identifier has now.
            ``"first_touch"``, ``"last_touch"``: a row without a person of its own gets the first
            or last person whom a link names together with one of its identifiers, the highest
            first, even if that link was refused; a person is an identifier of the kind of the
            highest priority of which a profile may hold one. ``"none"``: the profile by what was
            known when it happened, as in `resolve_as_of`.
        look_back : duration, optional
            Bounds back-dating: a row gets a profile by what was known so long after it, and a
            person only if it was linked to her by then. Needs ``timestamp``. Probable links do not
            count for what was known then.

        Returns
        -------
        events
            Of the caller's kind, with ``user_id`` as text and every other column as it was; a list
            for several `Event`. What became of the rows is in ``counts_``, by words that begin
            with ``resolved:``.

        Raises
        ------
        ColumnError
            If no column is an identifier, or one is there twice.
        DataError
            If it is no dataframe, or a time that is needed is missing or cannot be read.
        ParameterError
            If an argument is out of its bounds, or no kind is limited to one where persons matter.

        Notes
        -----
        Time: after reading the identifiers (about 0.1 µs a row and column, more for distinct
        ones), some 0.1 µs a row.

        Examples
        --------
        >>> from recopersona.events.identity.graph import IdentityGraph
        >>> log = pd.DataFrame({"user_id": [None, "anna"], "cookie": ["c1", "c1"]})
        >>> IdentityGraph().update(log).resolve(log)["user_id"].tolist()
        ['user_id:anna', 'user_id:anna']
        """
        check(back_dating, one_of(*BACK_DATING), "resolve", "back_dating")
        window = None if look_back is None else duration_ms(look_back, "look_back")
        if back_dating == "none":
            if window is not None:
                raise ParameterError("resolve: look_back bounds back-dating, and there is none.")
            return self.resolve_as_of(events)
        with self._lock:
            self._begin()
            asked = self._asked(events, times=window is not None)
            if back_dating == "profile":
                answer = self._by_profile(asked, window)
            else:
                answer = self._by_touch(asked, back_dating == "first_touch", window)
            return self._named_as(events, asked, answer)

    def resolve_as_of(self, events: Any, at: Any = None) -> Any:
        """Put the names of profiles into ``user_id``, by what was known when rows happened.

        What happened later never changes a row: neither its profile nor that profile's name. So a
        model may be trained on it, and asked about visitors who have not logged in yet.

        Parameters
        ----------
        events : dataframe, `Event`, or iterable of `Event`
            Without ``at``, with a ``timestamp`` in every row. It is never changed.
        at : moment, optional
            One moment for all rows (integers are milliseconds). Without it each row is resolved by
            the links up to its own time, which includes those of its own millisecond; probable
            links are left out then, as they are judged after all others.

        Returns
        -------
        events
            As by `resolve`.

        Raises
        ------
        ColumnError, DataError
            As by `resolve`; if a row has no time and there is no ``at``.

        Notes
        -----
        Time: one walk over all links and rows in order of time, some 0.3 µs each.

        Examples
        --------
        >>> from recopersona.events.identity.graph import IdentityGraph
        >>> log = pd.DataFrame({"user_id": [None, "anna"], "cookie": ["c1", "c1"],
        ...                     "timestamp": pd.to_datetime(["2026-05-01", "2026-05-02"])})
        >>> graph = IdentityGraph().update(log)
        >>> graph.resolve_as_of(log)["user_id"].tolist()
        ['cookie:c1', 'cookie:c1']
        >>> graph.resolve_as_of(log[:1], at="2026-05-03")["user_id"].tolist()
        ['cookie:c1']
        """
        if at is not None:
            return self.as_of(at).resolve(events)
        with self._lock:
            self._begin()
            asked = self._asked(events, times=True)
            return self._named_as(events, asked, self._then(asked, asked.times))

    def as_of(self, at: Any) -> Self:
        """Return the graph as it was at a moment: it knows the links up to then and nothing else.

        Parameters
        ----------
        at : moment
            Integers are milliseconds. What was linked in that millisecond is known.

        Examples
        --------
        >>> from recopersona.events.identity.graph import IdentityGraph
        >>> graph = IdentityGraph().update(pd.DataFrame(
        ...     {"user_id": ["anna", "ben"], "cookie": ["c1", "c2"],
        ...      "timestamp": pd.to_datetime(["2026-05-01", "2026-05-02"])}))
        >>> graph.as_of("2026-05-01").profiles()["profile"].unique().tolist()
        ['user_id:anna']
        """
        moment = moment_ms(at, "at")
        then = type(self)(**self.get_params(deep=False))
        with self._lock:
            if not self.__sklearn_is_fitted__():
                return then
            then._begin()
            then.register_ = copy.copy(self.register_)
            for name in ("links_", "probable_", "unfit_"):
                table = getattr(self, name)
                setattr(then, name, table.take(table.time_ <= moment))
            # Rows to come are numbered behind all that came.
            then.tally_ |= {"rows": self.tally_["rows"]}
        then._keep_used()
        then._replay()
        return then

    # -- reading what is asked about ---------------------------------------------------------

    def _asked(self, events: Any, times: bool) -> Asked:
        frame = _narrowed(events, [*self.register_.kinds_, "timestamp"])
        found = self.register_.find(frame, self._judges, register=False)
        kinds = [code for code, kind in enumerate(self.register_.kinds_) if kind in frame.columns]
        moments = _moments_of(frame) if times else np.empty(0, np.int64)
        return Asked(kinds, found.codes, found.names, moments)

    # -- answering ---------------------------------------------------------------------------

    def _by_profile(self, asked: Asked, window: int | None) -> Answer:
        """Answer by what is known now, or was known so long after each row."""
        state = _with_room(self._now()[0], len(asked.strangers))
        if window is None:
            return Answer(*state.whose(asked.codes))
        then = asked.times + window
        answer = self._then(asked, then)
        since = np.append(self._people_since(), np.full(len(asked.strangers) + 1, NEVER))
        person = (answer.standing == SOMEBODY) & (since[answer.whose] <= then)
        answer.whose[person] = state.roots()[answer.whose[person]]
        return answer

    def _by_touch(self, asked: Asked, first: bool, window: int | None) -> Answer:
        """Answer for rows without a person by the first or last one of their identifiers."""
        kind = self._person_kind()
        if kind is None:
            raise ParameterError(
                "resolve: no kind is limited to one a profile, so nobody is a person; "
                "give IdentityGraph(limits={'user_id': 1})."
            )
        touch = _Touch.of(self.links_, self.register_, kind, first)
        person = touch.of_rows(asked, kind, window)
        answer = self._by_profile(asked, window)
        rows = np.flatnonzero(person >= 0)
        answer.put(rows, Answer(*self._now()[0].whose(person[rows].reshape(-1, 1))))
        return answer

    def _then(self, asked: Asked, moments: Array) -> Answer:
        """Answer by what was known at the moment of each row: one walk over links and rows."""
        links = self.links_
        turns, times = order_of(moments)
        known = np.searchsorted(links.time_, times, side="right")
        state = _with_room(self._nobody(), len(asked.strangers))
        state.take_ages(self._met())
        found = Answer(*state.whose_in_time(links, asked.codes[turns], known))
        answer = Answer(np.empty_like(found.whose), np.empty_like(found.standing))
        answer.put(turns, found)
        return answer

    def _people_since(self) -> Array:
        """Return since when the profile that each identifier names holds a person, int64."""
        since = np.full(len(self.register_), NEVER, np.int64)
        kind = self._person_kind()
        if kind is not None:
            since[self.register_.kind_ == kind] = _SINCE_EVER
        link, kept, absorbed = (np.ascontiguousarray(part) for part in self._course.merged.T)
        follow_people(since, kept, absorbed, self.links_.time_[link])
        return since

    def _person_kind(self) -> int | None:
        """Return the kind of which a profile holds one: whoever has one is a person."""
        rules = Kinds.of(self.limits, self.priority, self.kinds, self.blocked, "limits")
        single = np.flatnonzero(rules.limits == 1)
        return int(single[0]) if len(single) else None

    # -- naming ------------------------------------------------------------------------------

    def _named_as(self, events: Any, asked: Asked, answer: Answer) -> Any:
        """Return events with the names of answers in ``user_id``, and count them."""
        names, places = self._distinct_names(asked, answer)
        self._count(answer, len(self.register_))
        if isinstance(events, Event) or is_events(events):
            named = [names[place] if place >= 0 else None for place in places.tolist()]
            if isinstance(events, Event):
                return events._replace(user_id=named[0])
            return [event._replace(user_id=name) for event, name in zip(events, named, strict=True)]
        if isinstance(events, pd.DataFrame):
            column = _as_text(names).take(places, allow_fill=True)
            return events.assign(user_id=pd.Series(column, index=events.index))
        frame = _collected(events)
        column = nw.new_series("user_id", [*names, None], nw.String, backend=frame.implementation)
        return frame.with_columns(column[places % (len(names) + 1)]).to_native()

    def _count(self, answer: Answer, n_known: int) -> None:
        counted = {
            "rows": len(answer.whose),
            "of nobody": int((answer.standing == NOBODY).sum()),
            "of shared identifiers": int((answer.standing == ANYBODY).sum()),
            "of strangers": int((answer.whose >= n_known).sum()),
        }
        for word, n in counted.items():
            self.tally_[f"resolved: {word}"] = self.tally_.get(f"resolved: {word}", 0) + n

    def _distinct_names(self, asked: Asked, answer: Answer) -> tuple[list[str], Indices]:
        """Return every name there is once, and which one each row has, -1 for none."""
        n_known = len(self.register_)
        n = n_known + len(asked.strangers)
        keys = answer.whose + np.where(answer.standing == ANYBODY, n, 0)
        used = np.zeros(2 * n + 1, np.bool_)  # -1 marks the last
        used[keys] = True
        used[-1] = False
        place = np.cumsum(used, dtype=np.int32) - 1
        place[-1] = UNKNOWN
        distinct = np.flatnonzero(used)
        whose, shared = distinct % max(n, 1), distinct >= n
        met = whose < n_known
        names = np.empty(len(distinct), object)
        standing = np.where(shared, ANYBODY, SOMEBODY)
        names[met] = self._names(self._now()[0], whose[met], standing[met])
        names[~met] = [asked.strangers[one - n_known] for one in whose[~met]]
        return names.tolist(), place[keys]


@dataclass(frozen=True, eq=False)
class _Touch:
    """The person of each identifier, of those that links name together with it.

    person  int32 (n_ids,), -1 for none
    since   int64 (n_ids,): when the first link to that person came
    """

    person: Indices
    since: Array

    @classmethod
    def of(cls, links: Links, register: Register, kind: int, first: bool) -> _Touch:
        """Find the first person of each identifier, or the last."""
        person = np.full(len(register), UNKNOWN, np.int32)
        since = np.full(len(register), NEVER, np.int64)
        kinds = np.append(register.kind_, np.int16(UNKNOWN))  # alone reads the last
        for people, others in ((links.higher_, links.lower_), (links.lower_, links.higher_)):
            rows = np.flatnonzero((kinds[people] == kind) & (others >= 0))
            people, others, times = people[rows], others[rows], links.time_[rows]
            turn = slice(None, None, -1 if first else 1)  # what is written last stays
            person[others[turn]] = people[turn]
            chosen = person[others] == people
            since[others[chosen][::-1]] = times[chosen][::-1]
        return cls(person, since)

    def of_rows(self, asked: Asked, kind: int, window: int | None) -> Indices:
        """Return the person of each row that has none of its own, -1 where there is none."""
        person = np.append(self.person, np.full(len(asked.strangers) + 1, np.int32(UNKNOWN)))
        since = np.append(self.since, np.full(len(asked.strangers) + 1, NEVER))
        found = np.full(len(asked.codes), UNKNOWN, np.int32)
        device = found.copy()
        open_rows = np.ones(len(found), np.bool_)
        if kind in asked.kinds:
            open_rows = asked.codes[:, asked.kinds.index(kind)] < 0
        for place in range(asked.codes.shape[1]):
            one = asked.codes[:, place]
            fresh = open_rows & (found < 0) & (person[one] >= 0)
            found[fresh], device[fresh] = person[one[fresh]], one[fresh]
        if window is not None:
            found[since[device] > asked.times + window] = UNKNOWN
        return found


def _with_room(state: State, n: int) -> State:
    """Return a state with room for some strangers behind everybody."""
    if not n:
        return state
    state = state.copy()
    state.grow(np.zeros(n, np.int16))  # whatever kind they are of: nothing links them
    return state


def _narrowed(events: Any, names: list[str]) -> pd.DataFrame:
    """Return events as a pandas frame, of another frame only the columns that are asked for."""
    if isinstance(events, Event) or is_events(events):
        return frame_of_events(events)
    if isinstance(events, pd.DataFrame):
        return events
    frame = _collected(events)
    wanted = [name for name in frame.columns if name in names]
    return as_pandas((frame.select(wanted) if wanted else frame.head(0)).to_native())


def _collected(events: Any) -> Any:
    """Return a frame as narwhals knows it, in memory."""
    try:
        frame = nw.from_native(events)
    except TypeError:
        as_pandas(events)  # it says what was expected
        raise
    return frame.collect() if isinstance(frame, nw.LazyFrame) else frame


def _moments_of(frame: pd.DataFrame) -> Array:
    """Return when rows happened."""
    require_columns(frame[:0], ["timestamp"])
    moments = to_ms(frame["timestamp"])
    missing = int((moments == MISSING_TIME).sum())
    if missing:
        raise DataError(
            f"{missing} of {len(frame)} events have no timestamp, so nobody knows what was known "
            "then; rp.clean(events) sets such rows aside, or say at=."
        )
    return moments


def _as_text(values: list[str]) -> Any:
    try:
        return pd.array(values, dtype="str")
    except UnicodeEncodeError:  # half a character, which Arrow does not hold
        return pd.array(values, dtype=object)
