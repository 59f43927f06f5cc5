"""What a graph tells of profiles: who belongs to one, what was merged, what was refused."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from recopersona.data.ids import UNKNOWN
from recopersona.data.types import Array
from recopersona.errors import DataError
from recopersona.events.called import SHARED_NAME, called, parted
from recopersona.events.identifiers import bare
from recopersona.events.identity.knowing import Knowing
from recopersona.events.identity.links import Links
from recopersona.events.identity.logs import merges_frame, profiles_frame, refusals_frame
from recopersona.events.identity.state import Course, State
from recopersona.kernels.identity import AGE, ANYBODY, LENT, SHARED


class Asking(Knowing):
    """The part of an `IdentityGraph` that tells what it knows."""

    def profile_of(self, **identifiers: Any) -> str | None:
        """Return the name of the profile that a row of some identifiers belongs to.

        The identifier of the highest priority decides, unless it is blocked or ambiguous. If only
        ambiguous ones are known, it is the anonymous profile of the highest of them; if the one
        that decides was never met, it is None.

        Examples
        --------
        >>> from recopersona.events.identity.graph import IdentityGraph
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
        >>> from recopersona.events.identity.graph import IdentityGraph
        >>> graph = IdentityGraph().update({"user_id": "anna", "cookie": "c1"})
        >>> graph.members("user_id:anna")
        [('user_id', 'anna'), ('cookie', 'c1')]
        """
        with self._lock:
            names = self.register_.names_.ids if self.__sklearn_is_fitted__() else ()
            return [parted(names[node]) for node in self._member_nodes(profile)]

    def together(self, kind: str, values: Sequence[Any]) -> list[tuple[str, ...]]:
        """Return the names of all identifiers of the profile of each of many values of a kind.

        A value is an identifier, or the name of a profile, as in a log that went through `resolve`;
        of a stranger there is none. One call for many values takes about a microsecond each.

        Examples
        --------
        >>> from recopersona.events.identity.graph import IdentityGraph
        >>> graph = IdentityGraph().update({"user_id": "anna", "cookie": "c1"})
        >>> graph.together("user_id", ["anna", "ben", "cookie:c1"])
        [('user_id:anna', 'cookie:c1'), (), ('user_id:anna', 'cookie:c1')]
        """
        with self._lock:
            if not (self.__sklearn_is_fitted__() and len(self.register_)):
                return [()] * len(values)
            state, _ = self._now()
            nodes, alone = self._whose_values(kind, values, state)
            roots = _roots_of(state)
            lists = _by_root(self.register_.names_.ids, state, roots, roots[nodes[nodes >= 0]])
            names = self.register_.names_.ids
            return [
                () if node < 0 else (names[node],) if by_itself else lists[root]
                for node, by_itself, root in zip(
                    nodes.tolist(), alone.tolist(), roots[nodes].tolist(), strict=True
                )
            ]

    def _whose_values(self, kind: str, values: Sequence[Any], state: State) -> tuple[Array, Array]:
        """Return an identifier of each value's profile, -1 for strangers; and if it is alone."""
        texts = [bare(value) if isinstance(value, str) else "" for value in values]
        asked = [text if ":" in text else "" for text in texts]
        nodes = self.register_.names_.indices(np.array(asked, dtype=object))
        shared, lent = (state.marks & SHARED) != 0, (state.marks & LENT) != 0
        alone = (shared & ~lent)[nodes] & (nodes >= 0)
        for place, text in enumerate(asked):
            if nodes[place] < 0 and text.endswith(SHARED_NAME):
                nodes[place], alone[place] = self._named(text)
        rest = np.flatnonzero(nodes < 0)
        if len(rest) and kind in self._kinds.names:
            column = pd.Series([values[place] for place in rest.tolist()], dtype=object)
            codes = self.register_.find(
                pd.DataFrame({kind: column}), self._judges, register=False
            ).codes
            whose, standing = state.whose(np.where(codes < len(self.register_), codes, UNKNOWN))
            nodes[rest], alone[rest] = whose, standing == ANYBODY
        return nodes, alone

    def known_as(self, kind: str, value: Any) -> str | None:
        """Return the name by which an identifier is kept, of an e-mail with its keyed hash.

        None of what is no identifier; nobody has to be known for it.

        Examples
        --------
        >>> from recopersona.events.identity.graph import IdentityGraph
        >>> IdentityGraph().known_as("user_id", 17.0)
        'user_id:17'
        """
        with self._lock:
            self._begin()
            judge = self._judges.get(kind)
            name = None if judge is None or value is None else judge(value)
            return name if isinstance(name, str) else None

    def names_of(self, subject: str) -> list[str]:
        """Return every text by which somebody may be known: for whoever forgets or exports.

        The name of the profile, those of the profiles that it absorbed, and the bare values of
        ``user_id`` and ``anonymous_id``. An unknown subject has its own name only.

        Examples
        --------
        >>> from recopersona.events.identity.graph import IdentityGraph
        >>> graph = IdentityGraph().update({"user_id": "anna", "cookie": "c1"})
        >>> graph.names_of("cookie:c1")
        ['user_id:anna', 'cookie:c1', 'anna']
        """
        with self._lock:
            try:
                members = self.members(subject)
            except DataError:
                return [subject]
            names = [called(kind, value) for kind, value in members]
            bare = [value for kind, value in members if kind in ("user_id", "anonymous_id")]
            return list(dict.fromkeys([*names, *bare, subject]))

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


def _by_root(names: Array, state: State, roots: Array, asked: Array) -> dict[int, tuple[str, ...]]:
    """Return the names of the identifiers of some profiles by root, the oldest first."""
    wanted = np.zeros(len(state), np.bool_)
    wanted[asked] = True
    members = np.flatnonzero(wanted[roots] & ((state.marks & SHARED) == 0))
    order = members[np.lexsort((state.nodes[members, AGE], roots[members]))]
    first = np.flatnonzero(np.diff(roots[order], prepend=-1))
    ends = np.append(first, len(order))[1:].tolist()
    found = names[order].tolist()
    lists: dict[int, tuple[str, ...]] = dict.fromkeys(np.flatnonzero(wanted).tolist(), ())
    for root, start, end in zip(roots[order[first]].tolist(), first.tolist(), ends, strict=True):
        lists[root] = tuple(found[start:end])
    return lists


def _roots_of(state: State) -> Array:
    """Return the root of every identifier, int32 (n,), its own for one never met."""
    nodes = np.arange(len(state), dtype=np.int32)
    roots = np.where(state.parent < 0, nodes, state.parent)
    while True:
        above = roots[roots]
        if (above == roots).all():
            return roots
        roots = above
