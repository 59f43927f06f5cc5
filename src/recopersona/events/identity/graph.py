"""Who is who: identifiers of one person brought together, link by link, within limits."""

from __future__ import annotations

from typing import Any, Self

from recopersona.base.own_lock import OwnLock
from recopersona.base.parameters import one_of, param
from recopersona.errors import ParameterError
from recopersona.events.identity.attributes import Joining
from recopersona.events.identity.erasing import Erasing
from recopersona.events.identity.graph_key import GraphKey
from recopersona.events.identity.kinds import written_out
from recopersona.events.identity.learning import Learning
from recopersona.events.identity.login import LoggingIn
from recopersona.events.identity.presets import Presets

_FIXED = ("kinds", "priority", "blocked", "region")


class IdentityGraph(Learning, LoggingIn, Joining, Erasing, Presets):
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
        phone anonymous_id device_id cookie household_id ramp_id``, and the ``linked_person`` of
        `from_splink`. Kinds named in other parameters come in addition.
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
        Rows, links, identifiers, profiles and merges, and refusals by reason. ``late`` links count
        before one that is known, or have its time and event id; each batch with such links is one
        of ``replays``.

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
    in order. Memory: 25 bytes per link, 12 per merge, and per identifier 18 bytes, 8 more for
    every four limited kinds beyond four, and its text in a dictionary (150-250 bytes); half as much
    again while arrays grow.

    References
    ----------
    Tarjan, van Leeuwen (1984), "Worst-case analysis of set union algorithms", section 2.

    Examples
    --------
    >>> import pandas as pd
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
