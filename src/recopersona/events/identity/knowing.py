"""What a graph knows: every link that came, and the profiles that follow from them."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

import numpy as np

from recopersona.base.parameters import are_counts, check_parameters
from recopersona.base.part import Part
from recopersona.data.ids import UNKNOWN
from recopersona.data.times import MISSING_TIME
from recopersona.data.types import Array
from recopersona.errors import DataError, ParameterError, shown
from recopersona.events.called import SHARED_NAME
from recopersona.events.identity.arrivals import REASONS, Judge, judge_of
from recopersona.events.identity.graph_key import GraphKey
from recopersona.events.identity.kinds import Kinds
from recopersona.events.identity.links import ALONE, Links, ProbableLinks, Unfit
from recopersona.events.identity.membership import Membership
from recopersona.events.identity.order import Order, event_key, in_order
from recopersona.events.identity.register import Register, with_none
from recopersona.events.identity.state import Course, State
from recopersona.kernels.identity import AGE, ANYBODY, NOBODY

_TALLY = ("rows", "rows of nobody", "late", "replays")
_MOST_ROWS = 2**31


class Knowing(Part):
    """The part of an `IdentityGraph` that keeps links, and the state that follows from them."""

    if TYPE_CHECKING:
        limits: Any
        priority: Any
        kinds: Any
        blocked: Any
        key: GraphKey | None
        region: str | None
        policy: str
        on_refusal: str
        _lock: AbstractContextManager[Any]

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
        if not are_counts(self.tally_) or not set(_TALLY) <= set(self.tally_):
            raise DataError("tally must hold counts by name.")
        if not isinstance(self.key_mark_, str):
            raise DataError("the mark of a key must be text.")
        for links in (self.links_, self.probable_):
            _require_codes(links.higher_, 0, len(register), "higher")
            _require_codes(links.lower_, ALONE, len(register), "lower")
            _require_codes(links.event_, UNKNOWN, len(register.events_), "event")
            _require_codes(links.row_, 0, min(self.tally_["rows"], _MOST_ROWS), "row")
        chances = self.probable_.probability_
        if not ((chances >= 0) & (chances <= 1)).all():
            raise DataError("probability must lie from 0 to 1.")
        _require_codes(self.unfit_.reason_, 0, len(REASONS), "reason")
        _require_codes(self.unfit_.kind_, 0, len(kinds.names), "kind")
        _require_codes(self.unfit_.value_, UNKNOWN, len(register.texts_), "value")
        _require_codes(self.unfit_.node_, UNKNOWN, len(register), "node")
        _require_codes(self.unfit_.event_, UNKNOWN, len(register.events_), "event")

    # -- the state -------------------------------------------------------------------------

    def _moment_of_last(self) -> tuple[int, tuple[int, Any]]:
        """Return the time of the last link, and what orders its event among those of that time."""
        if not len(self.links_):
            return MISSING_TIME, (0, 0)
        code = int(self.links_.event_[-1])
        return int(self.links_.time_[-1]), event_key(self.register_.events_.ids, code)

    def _replay(self) -> None:
        """Take all links from the first to the last."""
        order = self._order(self.links_)
        self.links_ = order.links
        self._known: State = self._nobody()
        self._course: Course = Course()
        self._course.append(*self._met().join(order))
        self._last: tuple[int, tuple[int, Any]] = self._moment_of_last()
        self._overlay: tuple[State, Course] | None = None
        self._membership: Membership | None = None

    def _now(self) -> tuple[State, list[tuple[Links, Course]]]:
        """Return the state after all links, and what came of them, tier by tier."""
        state = self._met()
        if not len(self.probable_):
            return state, [(self.links_, self._course)]
        if self._overlay is None:
            state = state.copy()
            order = self._order(self.probable_)
            self.probable_ = order.links
            course = Course()
            course.append(*state.join(order, proves=False))
            self._overlay = state, course
            self._membership = None
        state, course = self._overlay
        return state, [(self.links_, self._course), (self.probable_, course)]

    def _met(self) -> State:
        """Return the state after all deterministic links, with room for every identifier."""
        if len(self._known) < len(self.register_):
            self._known.grow(self.register_.kind_[len(self._known) :])
        return self._known

    def _nobody(self) -> State:
        """Return the state before the first link, with room for every identifier."""
        state = State(self._kinds.limits, self.on_refusal == "row")
        state.grow(self.register_.kind_)
        return state

    def _order(self, links: Links) -> Order:
        """Put links in the order in which they count."""
        return in_order(links, self.register_.event_ranks, self.register_.node_ranks)

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

    # -- who is who ------------------------------------------------------------------------

    def _everybody(self) -> tuple[Array, Array]:
        """Return the identifier that each answers to, and what it is called."""
        state, _ = self._now()
        nodes = np.arange(len(state), dtype=np.int32).reshape(-1, 1)
        whose, standing = state.whose(nodes)
        return whose, self._names(state, whose, standing)

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

    def _shared_name(self, state: State, node: int) -> str:
        name = str(self.register_.names_.ids[node])
        return name + SHARED_NAME if state.has_lent(node) else name

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


def _require_codes(codes: Array, low: int, end: int, name: str) -> None:
    if len(codes) and not low <= int(codes.min()) <= int(codes.max()) < end:
        raise DataError(f"{name} must lie from {low} to {end - 1}.")
