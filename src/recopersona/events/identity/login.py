"""The first request after a login: what the device did, and what the person is known for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from recopersona.base.acquainted import Acquainted
from recopersona.data.event import event_code
from recopersona.data.ids import UNKNOWN
from recopersona.data.query import Query
from recopersona.data.times import MISSING_TIME, moment_ms
from recopersona.data.types import Array, Id
from recopersona.errors import DataError, ParameterError, shown
from recopersona.events.called import kind_of
from recopersona.events.identity.asking import Asking
from recopersona.events.identity.resolving import Resolving
from recopersona.kernels.identity import SHARED

LONGEST_SESSION = 20
"""Items of a session that is put together at a login."""

_INTEREST = np.array(
    [event_code(kind) for kind in ("click", "view", "wishlist", "cart", "checkout", "purchase")]
)


class LoggingIn(Resolving, Asking):
    """The part of an `IdentityGraph` that asks models about somebody who has just logged in."""

    def query(self, ids: Any, session: Sequence[Id] = (), past: Any = None, **more: Any) -> Query:
        """Ask about a visitor by all identifiers that the request shows.

        ``user_id`` becomes the name of the profile, as `resolve` gives it. With ``past``, what the
        device did before the login goes before the given session, so that the first page after it
        knows of both: the latest items that the model has of this person under another name. Such
        names are those of profiles that were merged since the model was fitted, and that of a
        device which no link has joined to the person yet, if a link may. Nothing is taken from a
        shared device, or from one of somebody else.

        Parameters
        ----------
        ids : mapping from kind to value, or id
            Such as ``{"user_id": "u-17", "anonymous_id": "c-9"}``; anything else is a ``user_id``.
        session : sequence of item ids
            The items of the current visit, oldest first; what the model has heard of them already
            is not taken twice.
        past : model or pipeline, optional
            Fitted. Who is known to it under several names is asked about under the one of which it
            knows the most items.
        **more
            Anything else that `Query` takes. Of the past, nothing after ``now`` is taken.

        Returns
        -------
        Query
            With at most 20 items in the session, the last ones, if ``past`` is given.

        Raises
        ------
        DataError
            If a kind is unknown, or ``past`` is no fitted model.
        ParameterError
            If ``user_id`` is given apart from ``ids``.

        Notes
        -----
        Time: some 50 µs; after a replay of links the first request makes a list of all members.

        Examples
        --------
        >>> from recopersona.events.identity.graph import IdentityGraph
        >>> graph = IdentityGraph().update({"user_id": "u-17", "cookie": "c-9"})
        >>> asked = graph.query({"cookie": "c-9"}, session=["tea"], context={"page": "cart"})
        >>> asked.user_id, asked.session, asked.context
        ('user_id:u-17', ('tea',), {'page': 'cart'})
        """
        if "user_id" in more:
            raise ParameterError("query: user_id belongs into ids, as {'user_id': 'u-17', ...}.")
        model = checked_past(past)
        with self._lock:
            self._begin()
            names = self._names_in(ids if isinstance(ids, Mapping) else {"user_id": ids})
            whose = self._whose_first(names)
            if model is None:
                return Query(user_id=whose, session=session, **more)
            own = () if whose is None else (whose, *self._also_called(whose))
            others = self._joinable(names, whose)
        user = known_under(model, own)
        before = lately(model, [one for one in (*own, *others) if one != user], more.get("now"))
        return Query(user_id=user, session=joined(before, session), **more)

    def _names_in(self, ids: Mapping[str, Any]) -> list[str]:
        """Return the names of identifiers, the highest priority first."""
        for kind in ids:
            self._kinds.code(kind)
        given = [kind for kind in self._judges if ids.get(kind) is not None]
        judged = (self._judges[kind](ids[kind]) for kind in given)
        return [name for name in judged if isinstance(name, str)]

    def _whose_first(self, names: list[str]) -> str | None:
        """Return the name of the profile of the first identifier that proves anybody."""
        proof = [name for name in names if not self._is_shared(name)]
        return self._called(proof[0] if proof else names[0]) if names else None

    def _called(self, name: str) -> str:
        """Return the name of the profile of an identifier."""
        node = np.array([[self.register_.names_.index(name)]], np.int32)
        if node[0, 0] == UNKNOWN:
            return name
        state, _ = self._now()
        return str(self._names(state, *state.whose(node))[0])

    def _is_shared(self, name: str) -> bool:
        node = self.register_.names_.index(name)
        return node != UNKNOWN and bool(self._now()[0].marks[node] & SHARED)

    def _also_called(self, profile: str) -> list[str]:
        return [name for name in self.names_of(profile) if name != profile]

    def _joinable(self, names: list[str], whose: str | None) -> list[str]:
        """Return the names of other profiles that a link of these identifiers may still join."""
        found: list[str] = []
        if whose is None:
            return found
        together = self._kinds_of(whose)
        for name in names:
            profile = self._called(name)
            if self._is_shared(name) or profile == whose or profile in found:
                continue
            joint = together + self._kinds_of(profile)
            if self._within_limits(joint):
                together = joint
                found += [profile, *self._also_called(profile)]
        return found

    def _kinds_of(self, profile: str) -> Counter[int]:
        """Count the identifiers of a profile by kind."""
        if self.register_.names_.index(profile) == UNKNOWN:
            return Counter([self._kinds.codes[kind_of(profile)]])
        return Counter(self.register_.kind_[self._member_nodes(profile)].tolist())

    def _within_limits(self, counts: Counter[int]) -> bool:
        limits = self._kinds.limits
        return all(not limits[kind] or n <= limits[kind] for kind, n in counts.items())


def known_under(past: Acquainted, names: Sequence[str]) -> str | None:
    """Return under which of a person's names a model knows most; the first if under none."""
    known = [name for name in names if past.users_.index(name) != UNKNOWN]
    name = max(known, key=lambda name: _n_items(past, name), default=None)
    return next(iter(names), None) if name is None else name


def _n_items(past: Acquainted, name: str) -> int:
    return len(past.past_.seen(past.users_.index(name)))


def lately(past: Acquainted, names: Iterable[str], now: Any) -> list[Id]:
    """Return what was looked at under some names up to now, oldest first, at most the last 20."""
    users = [past.users_.index(name) for name in dict.fromkeys(names)]
    found = [_recent(past, user, now) for user in users if user != UNKNOWN]
    if not found:
        return []
    items, times = (np.concatenate(column) for column in zip(*found, strict=True))
    last = np.argsort(times, kind="stable")[-LONGEST_SESSION:]
    return list(past.items_.ids[items[last]].tolist())


def _recent(past: Acquainted, user: int, now: Any) -> tuple[Array, Array]:
    items, kinds, times = past.past_.recent(user)
    counts = np.isin(kinds, _INTEREST)
    if now is not None:
        counts &= (times <= moment_ms(now)) | (times == MISSING_TIME)
    return items[counts], times[counts]


def joined(before: Sequence[Id], session: Sequence[Id]) -> tuple[Id, ...]:
    """Put a session behind what came before it; what is in both, at the seam, is taken once.

    Examples
    --------
    >>> joined(["tea", "salt", "rice"], ["salt", "rice", "pan"])
    ('tea', 'salt', 'rice', 'pan')
    """
    before, session = tuple(before), tuple(session)
    seam = min(len(before), len(session))
    while seam and before[-seam:] != session[:seam]:
        seam -= 1
    return (before + session[seam:])[-LONGEST_SESSION:]


def checked_past(past: Any) -> Acquainted | None:
    """Return a fitted model, or None."""
    if past is not None and not isinstance(past, Acquainted):
        raise DataError(f"query: past must be a fitted model or pipeline, got {shown(past)}.")
    if past is not None:
        past._check_fitted()
    return past
