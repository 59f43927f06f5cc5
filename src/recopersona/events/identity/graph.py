"""Who is who: identifiers of one person brought together, link by link, within limits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Self

import numpy as np
import pandas as pd

from recopersona.base.own_lock import OwnLock
from recopersona.base.parameters import are_counts, check_parameters, one_of, param
from recopersona.data.columns import as_pandas, numbers
from recopersona.data.event import Event
from recopersona.data.ids import UNKNOWN
from recopersona.data.intake import frame_of_events, is_events
from recopersona.data.times import MISSING_TIME, integer_to_ms, moment_ms, to_ms
from recopersona.data.types import Array
from recopersona.errors import DataError, ParameterError, shown
from recopersona.events.identity.arrivals import MISSING, Judge, Verdict, judge_of
from recopersona.events.identity.attributes import Joining
from recopersona.events.identity.graph_key import GraphKey
from recopersona.events.identity.kinds import PERSON, Kinds, parted, written_out
from recopersona.events.identity.links import ALONE, Links, ProbableLinks, Unfit
from recopersona.events.identity.login import LoggingIn
from recopersona.events.identity.logs import merges_frame, profiles_frame, refusals_frame
from recopersona.events.identity.membership import Membership
from recopersona.events.identity.order import Order, in_order
from recopersona.events.identity.presets import Presets
from recopersona.events.identity.register import Found, Register, one_column, with_none
from recopersona.events.identity.state import Course, State
from recopersona.kernels.identity import AGE, ANYBODY, NOBODY, SHARED, link_rows

PAIR = ("kind_a", "value_a", "kind_b", "value_b")
"""The columns of a table of links whose kinds stand in it."""

_TALLY = ("rows", "rows of nobody", "late", "replays")
_FIXED = ("kinds", "priority", "blocked", "region")

SHARED_NAME = " (shared)"
"""Behind the name of an ambiguous identifier that a person's profile is called by already."""


class IdentityGraph(LoggingIn, Joining, Presets):
    r"""Bring the identifiers of one person together, and never two persons.

    An identifier is a kind and a value, such as a ``user_id`` or a ``cookie``; a profile is a set
    of identifiers: one person, as far as we know. Every row links its identifier of the highest
    priority with each other one in it. A link makes one profile of two if the joint one stays
    within its limits:

    .. math:: |P_k| + |Q_k| \le limit_k \quad \text{for every limited kind } k

    else it is refused, and stands in `refusals` with its reason. If a limit of 1 refused it, there
    are two known people, and the lower identifier becomes *ambiguous*: it proves nobody any more,
    joins nothing, and who shows nothing else has an anonymous profile of that identifier's name.
    Mixing two people is worse than missing a link.

    A profile is named ``"kind:value"`` after its oldest identifier, and keeps that name when it
    takes up younger ones. Links count in the order of time, event id and the identifiers
    themselves, whatever the order in which they come: links that come late are put in their place,
    and all are taken again. Those without a time count as older than all others.

    Parameters
    ----------
    limits : mapping from kind to int from 1 to 32767, or None, optional
        How many identifiers of a kind one profile may hold; None for any number. What is not
        named may come once (``user_id``), any number of times (``linked_person``) or five times
        (every other kind).
    priority : list of kinds, optional
        What proves most, the highest first; by default ``user_id``, then ``email``. All other
        kinds follow in alphabetical order, and ``linked_person`` at the end.
    kinds : list of kinds, optional
        The columns that are identifiers; by default ``user_id customer_id loyalty_card email
        phone anonymous_id device_id cookie household_id ramp_id``. Kinds named in other
        parameters come in addition, and ``linked_person``, which `from_splink` makes.
    blocked : mapping from kind to list, optional
        Values that are no identifiers: texts, integers, and patterns that a whole value must fit,
        compiled or written ``"^...$"``. For every kind, nothing but zeros and dashes, ``-1``,
        ``null anonymous undefined none nan n/a unknown`` and empty texts are none in any case.
    key : bytes or str, at least 16 bytes, optional
        The secret by which ``email phone name address`` are hashed, in canonical form, before
        anything keeps or shows them; needed once such a kind comes. It is never saved:
        ``set_params(key=...)`` gives it again after `recopersona.load`.
    region : str, optional
        Where phone numbers without ``+`` are at home, such as ``"DE"``.
    policy : {"limits", "closure"}
        ``"closure"`` brings together whatever links connect, whatever the limits.
    on_refusal : {"link", "row"}
        Whether each link of a row stands for itself, or a refused one ends its row.

    Attributes
    ----------
    counts_ : Counter
        Rows, links, identifiers, profiles and merges, and refusals by reason. ``late`` links came
        at or before the latest time known; each batch with such links is one of ``replays``.

    Raises
    ------
    ParameterError
        At the first `update`, if a parameter is out of its bounds; at once, if the key is short.

    Notes
    -----
    Values are texts, and numbers their digits: ``7``, ``7.0`` and ``"7"`` are one identifier.
    Truth values, fractions, lists and whatever else is neither text nor a whole number are none.

    What words leave open is decided with care. Of two reasons for a refusal the first one counts:
    ambiguous, then the limit of the kind of the highest priority; an identifier becomes ambiguous
    if any limit of 1 is broken. Event ids that are numbers come before those that are texts, and
    none before both. An ambiguous identifier after which a person's profile is named already is
    itself called ``"kind:value (shared)"``, so that no name ever stands for two.

    Time: :math:`O(n \log n)` for n links that come late, amortized :math:`O(\alpha(n))` per link
    in order. Memory: 25 bytes per link, 12 per merge, and per identifier 15 bytes, 8 more for
    every four limited kinds that came, and its text in a dictionary (150-250 bytes); half as much
    again while arrays grow.

    References
    ----------
    Tarjan, van Leeuwen (1984), "Worst-case analysis of set union algorithms", section 2.

    Examples
    --------
    >>> log = pd.DataFrame({
    ...     "user_id": ["anna", "ben", None],
    ...     "cookie": ["c1", "c2", "c2"],
    ...     "device_id": ["tablet", "tablet", "phone"],
    ...     "timestamp": ["2026-05-01", "2026-05-02", "2026-05-03"],
    ... })
    >>> graph = IdentityGraph().update(log)
    >>> graph.profiles()[["profile", "value", "ambiguous"]]
                profile   value  ambiguous
    0      user_id:anna    anna      False
    1      user_id:anna      c1      False
    2  device_id:tablet  tablet       True
    3       user_id:ben     ben      False
    4       user_id:ben      c2      False
    5       user_id:ben   phone      False
    >>> graph.refusals()[["value_a", "value_b", "reason"]]
      value_a value_b               reason
    0     ben  tablet  limit of user_id: 1
    >>> graph.profile_of(device_id="phone"), graph.profile_of(device_id="tablet")
    ('user_id:ben', 'device_id:tablet')
    """

    limits: Any = param(default=None)
    priority: Any = param(default=None)
    kinds: Any = param(default=None)
    blocked: Any = param(default=None)
    key: Any = param(default=None)
    region: str | None = param(default=None)
    policy: str = param(one_of("limits", "closure"), default="limits")
    on_refusal: str = param(one_of("link", "row"), default="link")

    def __post_init__(self) -> None:
        self._lock = OwnLock()
        self._settle()

    def set_params(self, **params: Any) -> Self:
        """Change parameters; whoever was met already is judged again by new limits.

        Raises
        ------
        ParameterError
            If ``kinds``, ``priority`` or ``blocked`` change after links came, or the key does.
        """
        with self._lock:
            before = self.get_params(deep=False)
            super().set_params(**params)
            try:
                self._settle()
                if self.__sklearn_is_fitted__():
                    self._require_same({name: before[name] for name in _FIXED})
                    self._remember_key()
                    self._read_parameters()
                    self._replay()
            except ParameterError:
                super().set_params(**before)
                raise
        return self

    def _settle(self) -> None:
        """Put patterns into words and the key out of sight."""
        self.blocked = written_out(self.blocked)
        if self.key is not None:
            self.key = GraphKey.of(self.key)

    def _require_same(self, before: dict[str, Any]) -> None:
        for name, value in before.items():
            if getattr(self, name) != value:
                raise ParameterError(
                    f"IdentityGraph: {name} cannot change after links came; make a new graph and "
                    "give it all of them."
                )

    def _begin(self) -> None:
        """Read the parameters, once."""
        if self.__sklearn_is_fitted__():
            return
        self._read_parameters()
        self._remember_key()
        self.register_: Register = Register.of(self._kinds.names)
        self.links_: Links = Links.empty()
        self.probable_: ProbableLinks = ProbableLinks.empty()
        self.unfit_: Unfit = Unfit.empty()
        self.tally_: dict[str, int] = dict.fromkeys(_TALLY, 0)
        self._replay()

    def _replay(self) -> None:
        """Take all links from the first to the last."""
        order = self._order(self.links_)
        self.links_ = self.links_.take(order.rows)
        self._known: State = self._nobody()
        self._course: Course = Course()
        self._course.append(*self._met().join(self.links_, order))
        self._last: int = int(self.links_.time_[-1]) if len(self.links_) else MISSING_TIME
        self._overlay: tuple[State, Course] | None = None
        self._membership: Membership | None = None

    # -- learning ---------------------------------------------------------------------------

    def update(self, events: Any, *, probability: str | None = None) -> Self:
        """Take links: every row links the identifiers in it.

        Parameters
        ----------
        events : dataframe, `Event`, iterable of `Event`, or mapping from kind to value
            A frame's columns that are kinds hold identifiers; ``timestamp`` and ``event_id`` say
            when, and in which order. A frame with the columns ``kind_a value_a kind_b value_b``
            holds one link a row.
        probability : str, optional
            The column of a frame that says how probable each link is, from 0 to 1: such links
            count after all others, the most probable first. In a frame of `from_splink`, which
            has ``linked_person``, it is the column ``probability`` without being named.

        Returns
        -------
        the graph

        Raises
        ------
        ColumnError
            If no column is an identifier.
        DataError
            If it is no dataframe, or times or probabilities cannot be read.
        ParameterError
            If a parameter is out of its bounds, or a personal kind comes and there is no key.
        """
        with self._lock:
            self._begin()
            if isinstance(events, Event):
                who = {"user_id": events.user_id, "anonymous_id": events.anonymous_id}
                self._update_one(who, events.timestamp, events.event_id)
            elif isinstance(events, Mapping):
                self._update_one(events, events.get("timestamp"), events.get("event_id"))
            elif is_events(events):
                records = list(events)
                if records:
                    self._update_many(frame_of_events(records), probability)
            else:
                self._update_many(as_pandas(events), probability)
        return self

    def _update_many(self, frame: pd.DataFrame, probability: str | None) -> None:
        times = _times_of(frame)
        if probability is None and {PERSON, "probability"} <= set(frame.columns):
            probability = "probability"
        chances = None if probability is None else _probabilities(frame, probability)
        pairs = set(PAIR) <= set(frame.columns)
        found = self._pairs_of(frame) if pairs else self._find(frame, register=True)
        events = self.register_.events(frame)
        self._note_unfit(found, times, events)
        first_row = self.tally_["rows"]
        self.tally_["rows"] += len(frame)
        self.tally_["rows of nobody"] += int((found.codes < 0).all(axis=1).sum())
        n = int((found.codes >= 0).sum())
        higher, lower, row = (np.empty(n, np.int32) for _ in range(3))
        n = link_rows(higher, lower, row, found.codes)
        row = row[:n]
        columns = {
            "higher": higher[:n], "lower": lower[:n], "time": times[row], "event": events[row],
            "row": row + np.int32(first_row),
        }  # fmt: skip
        if chances is None:
            self._learn(Links.of(**columns))
        else:
            self.probable_.append(ProbableLinks.of(**columns, probability=chances[row]))
            self._overlay = None

    def _update_one(self, who: Mapping[str, Any], timestamp: Any, event_id: Any) -> None:
        time, event = _one_time(timestamp), self.register_.event(event_id)
        nodes: list[int] = []
        unfit: list[tuple[int, Verdict]] = []
        for kind, value in who.items():
            judge = None if value is None else self._judges.get(kind)
            if judge is None:
                continue
            verdict = judge(value)
            if isinstance(verdict, str):
                nodes.append(self.register_.node(verdict, self._kinds.codes[kind]))
            elif verdict.reason != MISSING:
                unfit.append((self._kinds.codes[kind], verdict))
        row = self.tally_["rows"]
        self.tally_["rows"] = row + 1
        nodes.sort(key=self.register_.kind_.__getitem__)
        if not nodes:
            self.tally_["rows of nobody"] += 1
        for code, verdict in unfit:
            text = self.register_.text(verdict.shown)
            node = nodes[0] if nodes else UNKNOWN
            self.unfit_.append_row(code, text, node, time, event, verdict.reason)
        others = nodes[1:] or [ALONE] * len(nodes)
        n = len(others)
        links = Links.of(
            higher=np.array(nodes[:1] * n, np.int32), lower=np.array(others, np.int32),
            time=np.full(n, time), event=np.full(n, event), row=np.full(n, row),
        )  # fmt: skip
        self._learn(links)

    def _learn(self, links: Links) -> None:
        """Take links that came now: go on where they follow all others, else start again."""
        if not len(links):
            return
        late = int((links.time_ <= self._last).sum()) if len(self.links_) else 0
        if late:
            self.tally_["late"] += late
            self.tally_["replays"] += 1
            self.links_.append(links)
            self._replay()
            return
        order = self._order(links, self._known.moments)
        links = links.take(order.rows)
        self.links_.append(links)
        self._course.append(*self._met().join(links, order))
        self._last = int(links.time_[-1])
        self._overlay = None

    # -- asking -----------------------------------------------------------------------------

    def profile_of(self, **identifiers: Any) -> str | None:
        """Return the name of the profile that a row of some identifiers belongs to.

        The identifier of the highest priority decides, unless it is blocked or ambiguous. If only
        ambiguous ones are known, it is the anonymous profile of the highest of them; if the one
        that decides was never met, it is None.

        Examples
        --------
        >>> graph = IdentityGraph().update({"user_id": "anna", "cookie": "c1"})
        >>> graph.profile_of(cookie="c1"), graph.profile_of(cookie="c2")
        ('user_id:anna', None)
        """
        with self._lock:
            if not self.__sklearn_is_fitted__():
                return None
            codes = []
            for kind, judge in self._judges.items():
                value = identifiers.get(kind)
                name = None if value is None else judge(value)
                if isinstance(name, str):
                    codes.append(self.register_.names_.index(name))
            for kind in identifiers:
                self._kinds.code(kind)
            state, _ = self._now()
            shared = [node for node in codes if node >= 0 and state.is_shared(node)]
            for node in codes:
                if node < 0:
                    return None
                if not state.is_shared(node):
                    return str(self.register_.names_.ids[state.root_of(node)])
            return self._shared_name(state, shared[0]) if shared else None

    def members(self, profile: str) -> list[tuple[str, str]]:
        """Return the identifiers of a profile as pairs of kind and value, the oldest first.

        A profile is asked for by its name, or by that of any identifier in it. Ambiguous
        identifiers are members of their own profiles only.

        Raises
        ------
        DataError
            If there is no such profile.

        Examples
        --------
        >>> graph = IdentityGraph().update({"user_id": "anna", "cookie": "c1"})
        >>> graph.members("user_id:anna")
        [('user_id', 'anna'), ('cookie', 'c1')]
        """
        with self._lock:
            names = self.register_.names_.ids if self.__sklearn_is_fitted__() else ()
            return [parted(names[node]) for node in self._member_nodes(profile)]

    def profiles(self) -> pd.DataFrame:
        """Return all identifiers by profile: ``profile kind value first_seen ambiguous``.

        Profiles come by their age, and so do the identifiers in them.
        """
        with self._lock:
            self._begin()
            state, taken = self._now()
            whose, names = self._everybody()
            return profiles_frame(self.register_, state, whose, names, _first_seen(state, taken))

    def merges(self) -> pd.DataFrame:
        """Return every merge of two profiles, in the order in which links count.

        Columns: ``time event_id kept absorbed kind_a value_a kind_b value_b``; the names that two
        profiles had, and the link that made them one.
        """
        with self._lock:
            self._begin()
            return merges_frame(self.register_, self._now()[1])

    def refusals(self) -> pd.DataFrame:
        """Return every refused link, and every value that is no identifier, with its reason.

        Columns: ``time event_id kind_a value_a kind_b value_b reason``. Links come in the order in
        which they count, a repeated one each time; values that are no identifiers follow by their
        time, as a, with the identifier that they stood beside as b.
        """
        with self._lock:
            self._begin()
            state, taken = self._now()
            return refusals_frame(self.register_, taken, state, self.unfit_)

    @property
    def counts_(self) -> Counter[str]:
        """What came and what became of it: rows, links, identifiers, profiles, merges, refusals.

        Refusals are counted by their reason, such as ``"refused: limit of user_id: 1"``.
        """
        counts: Counter[str] = Counter()
        if not self.__sklearn_is_fitted__():
            return counts
        with self._lock:
            state, taken = self._now()
            counts.update(self.tally_)
            reasons = self.refusals()["reason"].value_counts()
            counts.update({f"refused: {reason}": int(n) for reason, n in reasons.items()})
            counts["links"] = sum(int((links.lower_ >= 0).sum()) for links, _ in taken)
            counts["merges"] = sum(len(course.merged) for _, course in taken)
            counts["identifiers"] = int((state.parent >= 0).sum())
            counts["ambiguous"] = int((state.marks & SHARED != 0).sum())
            counts["profiles"] = len(np.unique(self._everybody()[0][state.parent >= 0]))
        return counts

    def names_of(self, subject: str) -> list[str]:
        """Return every text by which somebody may be known: for whoever forgets or exports.

        The name of the profile, those of the profiles that it absorbed, and the bare values of
        ``user_id`` and ``anonymous_id``. An unknown subject has its own name only.
        """
        with self._lock:
            try:
                members = self.members(subject)
            except DataError:
                return [subject]
            names = [f"{kind}:{value}" for kind, value in members]
            bare = [value for kind, value in members if kind in ("user_id", "anonymous_id")]
            return list(dict.fromkeys([*names, *bare, subject]))

    # -- erasing ----------------------------------------------------------------------------

    def forget(self, subjects: Iterable[Any]) -> int:
        """Remove identifiers, every link and every line of the logs that names them.

        What is left equals a graph that never saw those links; an identifier that only they named
        is gone with them.

        Parameters
        ----------
        subjects : iterable of str, or of pairs of kind and value
            A text is the name of a profile, or of any identifier in it, and removes all its
            members; a pair removes one identifier. Unknown ones are no error.

        Returns
        -------
        int, how many identifiers were removed
        """
        with self._lock:
            gone = np.array(sorted(self._nodes_of(subjects)), np.int64)
            if not len(gone):
                return 0
            is_gone = np.zeros(len(self.register_) + 1, np.bool_)  # the last is read for none
            is_gone[gone] = True
            self.links_, self.probable_ = (
                table.take(~(is_gone[table.higher_] | is_gone[table.lower_]))
                for table in (self.links_, self.probable_)
            )
            self.unfit_ = self.unfit_.take(~is_gone[self.unfit_.node_])
            before = len(self.register_)
            self._keep_used()
            self._replay()
            return before - len(self.register_)

    def forget_before(self, moment: Any) -> int:
        """Remove what was told before a moment; links that hold since ever stay.

        What is left equals a graph that never saw those rows. Who was known by them alone falls
        apart into what later links say.

        Parameters
        ----------
        moment : datetime, str or int

        Returns
        -------
        int, how many links and values that are no identifiers were removed

        Examples
        --------
        >>> graph = IdentityGraph()
        >>> graph = graph.update({"user_id": "anna", "cookie": "c1", "timestamp": 1_700_000_000})
        >>> graph = graph.update({"user_id": "anna", "cookie": "c2", "timestamp": 1_800_000_000})
        >>> graph.forget_before("2025-01-01"), graph.members("user_id:anna")
        (1, [('user_id', 'anna'), ('cookie', 'c2')])
        """
        first = moment_ms(moment, "moment")
        with self._lock:
            if not self.__sklearn_is_fitted__():
                return 0
            tables = self.links_, self.probable_, self.unfit_
            young = [(table.time_ >= first) | (table.time_ == MISSING_TIME) for table in tables]
            n_old = sum(int((~mask).sum()) for mask in young)
            if n_old:
                self.links_ = self.links_.take(young[0])
                self.probable_ = self.probable_.take(young[1])
                self.unfit_ = self.unfit_.take(young[2])
                self._keep_used()
                self._replay()
            return n_old

    def held_of(self, subjects: Iterable[Any]) -> dict[str, Any]:
        """Return everything held of some subjects as JSON has it, by profile; {} if nothing."""
        with self._lock:
            held: dict[str, Any] = {}
            nodes = self._nodes_of(subjects)
            if not nodes:
                return held
            _, names = self._everybody()
            profiles, merges, refusals = self.profiles(), self.merges(), self.refusals()
            for name in dict.fromkeys(str(names[node]) for node in sorted(nodes)):
                mine = {node for node in nodes if names[node] == name}
                texts = {self.register_.names_.ids[node] for node in mine}
                held[name] = {
                    "identifiers": _records(profiles[_name_column(profiles, "").isin(texts)]),
                    "merges": _records(merges[_names_either(merges, texts)]),
                    "refusals": _records(refusals[_names_either(refusals, texts)]),
                    "links": sum(_n_naming(table, mine) for table in (self.links_, self.probable_)),
                }
            return held

    # -- what others read -------------------------------------------------------------------

    def _identifiers_of(self, frame: pd.DataFrame) -> Found:
        """Return the identifiers of a frame's rows, without registering anybody.

        Codes from ``len(graph.register_)`` on are places among the strangers, in ``names``.
        """
        self._begin()
        return self._find(frame, register=False)

    def _now(self) -> tuple[State, list[tuple[Links, Course]]]:
        """Return the state after all links, and what came of them, tier by tier."""
        state = self._met()
        if not len(self.probable_):
            return state, [(self.links_, self._course)]
        if self._overlay is None:
            state = state.copy()
            order = self._order(self.probable_, state.moments)
            self.probable_ = self.probable_.take(order.rows)
            course = Course()
            course.append(*state.join(self.probable_, order))
            self._overlay = state, course
            self._membership = None
        state, course = self._overlay
        return state, [(self.links_, self._course), (self.probable_, course)]

    def _nobody(self) -> State:
        """Return the state before the first link, with room for every identifier."""
        state = State(self._kinds.limits, self.on_refusal == "row")
        state.grow(self.register_.kind_)
        return state

    def _order(self, links: Links, first: int = 0) -> Order:
        """Put links in the order in which they count."""
        return in_order(links, self.register_.event_ranks, self.register_.node_ranks, first)

    def _names(self, state: State, whose: Array, standing: Array) -> Array:
        """Return the names of profiles: object (n,), None for `NOBODY`.

        whose, standing  as `State.whose` returns them
        """
        ids = self.register_.names_.ids
        names = with_none(ids)[whose]
        for place in np.flatnonzero(standing == ANYBODY):
            names[place] = self._shared_name(state, int(whose[place]))
        names[standing == NOBODY] = None
        return names

    # -- within -----------------------------------------------------------------------------

    def _read_parameters(self) -> None:
        check_parameters(self)
        self._kinds = Kinds.of(self.limits, self.priority, self.kinds, self.blocked, self.policy)
        self._judges: dict[str, Judge] = {
            kind: judge_of(kind, self._kinds, self.key, self.region) for kind in self._kinds.names
        }

    def _remember_key(self) -> None:
        """Keep what tells the key from others, and refuse another."""
        mark = "" if self.key is None else self.key.mark()
        held = getattr(self, "key_mark_", "")
        if mark and held and mark != held:
            raise ParameterError(
                "IdentityGraph: personal identifiers were hashed by another key; give the one "
                "that the graph was made with."
            )
        self.key_mark_: str = mark or held

    def _prepare(self) -> None:
        """Make again what a file does not hold."""
        self._read_parameters()
        self._replay()

    def _check_learned(self) -> None:
        kinds = Kinds.of(self.limits, self.priority, self.kinds, self.blocked, self.policy)
        register: Any = self.register_
        if not isinstance(register, Register) or register.kinds_ != list(kinds.names):
            raise DataError("the kinds of a graph must be those of its parameters.")
        for name, kind in (("links_", Links), ("probable_", ProbableLinks), ("unfit_", Unfit)):
            if type(getattr(self, name)) is not kind:
                raise DataError(f"{name} must be a table of {kind.__name__}.")
        if not are_counts(self.tally_) or set(self.tally_) != set(_TALLY):
            raise DataError("tally must hold counts by name.")
        if not isinstance(self.key_mark_, str):
            raise DataError("the mark of a key must be text.")
        for links in (self.links_, self.probable_):
            _require_codes(links.higher_, 0, len(register), "higher")
            _require_codes(links.lower_, ALONE, len(register), "lower")
            _require_codes(links.event_, UNKNOWN, len(register.events_), "event")
        _require_codes(self.unfit_.kind_, 0, len(kinds.names), "kind")
        _require_codes(self.unfit_.value_, UNKNOWN, len(register.texts_), "value")
        _require_codes(self.unfit_.node_, UNKNOWN, len(register), "node")
        _require_codes(self.unfit_.event_, UNKNOWN, len(register.events_), "event")

    def _met(self) -> State:
        """Return the state after all deterministic links, with room for every identifier."""
        if len(self._known) < len(self.register_):
            self._known.grow(self.register_.kind_[len(self._known) :])
        return self._known

    def _find(self, frame: pd.DataFrame, register: bool) -> Found:
        return self.register_.find(frame, self._judges, register)

    def _pairs_of(self, frame: pd.DataFrame) -> Found:
        """Find the links of a table that says the kinds of both ends of each."""
        n = len(frame)
        codes = np.full((n, 2), UNKNOWN, np.int32)
        unfit = []
        for place, (kind, value) in enumerate((PAIR[:2], PAIR[2:])):
            words, values = one_column(frame, kind), one_column(frame, value)
            for word in words.dropna().unique():
                code = self._kinds.code(word)
                rows = np.flatnonzero((words == word).to_numpy(np.bool_))
                found = self.register_.find(
                    pd.DataFrame({word: values.iloc[rows].array}), self._judges, register=True
                )
                codes[rows, place] = found.codes[:, 0]
                unfit += [
                    (code, {int(rows[row]): verdict for row, verdict in odd.items()})
                    for _, odd in found.unfit
                ]
        ranks = self.register_.node_ranks(codes.reshape(-1)).reshape(n, 2)
        swapped = (codes >= 0).all(axis=1) & (ranks[:, 0] > ranks[:, 1])
        codes[swapped] = codes[swapped][:, ::-1]
        return Found(codes, [], unfit)

    def _note_unfit(self, found: Found, times: Array, events: Array) -> None:
        for kind, odd in found.unfit:
            rows = np.fromiter(odd, np.int64, count=len(odd))
            verdicts = list(odd.values())
            present = found.codes[rows] >= 0
            best = np.where(present.any(axis=1), present.argmax(axis=1), 0)
            self.unfit_.append(
                Unfit.of(
                    kind=np.full(len(rows), kind),
                    value=np.array([self.register_.text(v.shown) for v in verdicts], np.int32),
                    node=found.codes[rows, best], time=times[rows], event=events[rows],
                    reason=np.array([verdict.reason for verdict in verdicts], np.int8),
                )
            )  # fmt: skip

    def _everybody(self) -> tuple[Array, Array]:
        """Return the identifier that each answers to, and what it is called."""
        state, _ = self._now()
        nodes = np.arange(len(state), dtype=np.int32).reshape(-1, 1)
        whose, standing = state.whose(nodes)
        return whose, self._names(state, whose, standing)

    def _shared_name(self, state: State, node: int) -> str:
        name = str(self.register_.names_.ids[node])
        return name + SHARED_NAME if state.has_lent(node) else name

    def _member_nodes(self, profile: str) -> list[int]:
        """Return the identifiers of a profile, the oldest first."""
        node, is_shared = self._named(profile)
        if node < 0:
            raise DataError(f"no profile {shown(profile)}; graph.profiles() lists them.")
        state, taken = self._now()
        if is_shared:
            return [node]
        if self._membership is None or self._membership.is_old():
            self._membership = Membership(state, [course for _, course in taken])
        found = self._membership.of(state.root_of(node), [course for _, course in taken])
        known = [one for one in found if not state.is_shared(one)]
        return sorted(known, key=lambda one: int(state.nodes[one, AGE]))

    def _named(self, profile: Any) -> tuple[int, bool]:
        """Return the identifier of a name, and whether it stands for itself alone."""
        if not isinstance(profile, str) or not self.__sklearn_is_fitted__():
            return UNKNOWN, False
        state, _ = self._now()
        node = self.register_.names_.index(profile)
        if node >= 0:
            return node, state.is_shared(node) and not state.has_lent(node)
        node = self.register_.names_.index(profile.removesuffix(SHARED_NAME))
        if node >= 0 and self._shared_name(state, node) == profile:
            return node, True
        return UNKNOWN, False

    def _nodes_of(self, subjects: Iterable[Any]) -> set[int]:
        """Return the identifiers of names and of pairs of kind and value."""
        if isinstance(subjects, (str, bytes)) or not isinstance(subjects, Iterable):
            raise DataError(f"expected a list of subjects, got {shown(subjects)}.")
        nodes: set[int] = set()
        for subject in subjects:
            if isinstance(subject, tuple) and len(subject) == 2 and self.__sklearn_is_fitted__():
                kind, value = subject
                judge = self._judges.get(kind)
                name = f"{kind}:{value}"
                if judge is not None and name not in self.register_.names_:
                    judged = judge(value)
                    name = judged if isinstance(judged, str) else ""
                nodes.add(self.register_.names_.index(name))
            elif self._named(subject)[0] >= 0:
                nodes.update(self._member_nodes(subject))
        nodes.discard(UNKNOWN)
        return nodes

    def _keep_used(self) -> None:
        """Drop identifiers, events and texts that nothing names any more, and number the rest."""
        tables: tuple[Links, ...] = (self.links_, self.probable_)
        used = [getattr(table, name) for table in tables for name in ("higher_", "lower_")]
        events = [table.event_ for table in (*tables, self.unfit_)]
        nodes, event_codes, texts = self.register_.only(
            np.concatenate([*used, self.unfit_.node_]), np.concatenate(events), self.unfit_.value_
        )
        for table in tables:
            table.higher_, table.lower_ = nodes[table.higher_], nodes[table.lower_]
        self.unfit_.node_, self.unfit_.value_ = nodes[self.unfit_.node_], texts[self.unfit_.value_]
        for held in (*tables, self.unfit_):
            held.event_ = event_codes[held.event_]


def _n_naming(links: Links, nodes: set[int]) -> int:
    mine = list(nodes)
    return int((np.isin(links.higher_, mine) | np.isin(links.lower_, mine)).sum())


def _times_of(frame: pd.DataFrame) -> Array:
    if "timestamp" not in frame.columns:
        return np.full(len(frame), MISSING_TIME, np.int64)
    return to_ms(one_column(frame, "timestamp"))


def _one_time(timestamp: Any) -> int:
    if timestamp is None:
        return MISSING_TIME
    if type(timestamp) is int and (found := integer_to_ms(timestamp)) is not None:
        return found
    return int(to_ms(pd.Series([timestamp]))[0])


def _probabilities(frame: pd.DataFrame, name: str) -> Array:
    chances = numbers(one_column(frame, name), name)
    bad = ~((chances >= 0) & (chances <= 1))
    if bad.any():
        row = int(np.argmax(bad))
        raise DataError(f"{name} must hold probabilities, got {chances[row]} in row {row}.")
    return chances.astype(np.float32)


def _first_seen(state: State, taken: list[tuple[Links, Course]]) -> Array:
    """Return when each identifier was first met, `MISSING_TIME` for since ever."""
    first = np.full(len(state) + 1, np.iinfo(np.int64).max)
    for links, _ in reversed(taken):
        for nodes in (links.higher_, links.lower_):
            if len(nodes):
                own = np.full(len(first), np.iinfo(np.int64).max)
                own[nodes[::-1]] = links.time_[::-1]
                np.minimum(first, own, out=first)
    return first[:-1]


def _require_codes(codes: Array, low: int, end: int, name: str) -> None:
    if len(codes) and not low <= int(codes.min()) <= int(codes.max()) < end:
        raise DataError(f"{name} must lie from {low} to {end - 1}.")


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return rows as JSON has them: times in ISO form, None where there is nothing."""
    rows = frame.astype(object).where(frame.notna(), None).to_dict("records")
    return [{str(name): _plain(value) for name, value in row.items()} for row in rows]


def _plain(value: Any) -> Any:
    if isinstance(value, pd.Timestamp):
        return value.isoformat()
    return value.item() if isinstance(value, np.generic) else value


def _name_column(frame: pd.DataFrame, end: str) -> pd.Series:
    return frame[f"kind{end}"].astype(object) + ":" + frame[f"value{end}"].astype(object)


def _names_either(frame: pd.DataFrame, names: set[str]) -> pd.Series:
    return _name_column(frame, "_a").isin(names) | _name_column(frame, "_b").isin(names)
