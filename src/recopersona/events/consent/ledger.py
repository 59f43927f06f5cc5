"""The ledger of consents: who allowed what, when, and which events may therefore be used."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from recopersona.base.own_lock import OwnLock
from recopersona.base.parameters import check_parameters, one_of, param, seed
from recopersona.data.columns import as_pandas
from recopersona.data.gate import PURPOSES, EventGate
from recopersona.data.types import Id, Mask
from recopersona.errors import DataError, ParameterError
from recopersona.events.called import KINDS
from recopersona.events.consent.entries import Entries
from recopersona.events.consent.erasing import Erasing
from recopersona.events.consent.hearing import Hearing
from recopersona.events.consent.journal import Journal
from recopersona.events.consent.keeping import said_at
from recopersona.events.consent.profiles import Profiles, stands_for
from recopersona.events.consent.purposes import Purposes, own_purposes
from recopersona.events.consent.records import records_frame
from recopersona.events.consent.timelines import STATES
from recopersona.events.consent.tombstones import ALWAYS, NEVER
from recopersona.events.consent.verdicts import REASONS, Rows, verdict_on, verdicts_on
from recopersona.events.consent.whose import Whose


class ConsentLedger(Hearing, Erasing, EventGate):
    """Who allowed what and when: every consent on record, and the gate that asks them.

    An event may be used if its subject's state for the purpose allowed it **when it happened**, and
    allows it **now**, after all that the ledger has heard. The state at a moment is what was said
    last, at or before it; of what was said at one moment, the more restrictive holds. So records
    may come in any order. Where an event has several identifiers, or its person several, denied by
    one is denied; else granted by one is granted; else the state is unknown.

    Parameters
    ----------
    unknown : {"denied", "granted"}
        What holds where nothing was said; there is no default, for it is a question of law.
        ``"denied"`` uses only what was consented to (opt-in, as in Europe); ``"granted"`` uses
        whatever nobody objected to (opt-out, as in most of the United States).
    identity : IdentityGraph, optional
        Who is who: with it, a profile's name or any of its identifiers stands for all of them. It
        is not saved with the ledger.
    purposes : iterable of str
        Purposes of your own beside `PURPOSES`, such as ``"third_party"``.
    random_state : None, int or RandomState
        Of the salt of tombstones, for tests; None asks the system for a real one.

    Attributes
    ----------
    counts : Counter
        What came by, by purpose and answer; what was refused by its reason, too: ``denied``,
        ``unknown``, ``withdrawn since``, ``erased``, ``nobody`` (no identifier at all). And what
        was refused as a record, such as ``"record: malformed TC string"``.

    Raises
    ------
    ParameterError
        If ``unknown`` is not said, a purpose is no word, or ``identity`` knows nobody.

    Notes
    -----
    Asking about one event takes a few microseconds, about a million less than a second. Any number
    of threads may ask while one records.

    Examples
    --------
    >>> ledger = ConsentLedger(unknown="denied")
    >>> ledger.record("anna", "personalization", "granted", "2026-03-01", source="banner")
    >>> ledger.record("anna", "personalization", "denied", "2026-05-01", source="settings")
    >>> ledger.state_at("anna", "personalization", "2026-04-01")
    'granted'
    >>> ledger.allows("anna", "personalization"), ledger.allows("ben", "personalization")
    (False, False)
    >>> ledger
    ConsentLedger(unknown='denied'): 2 records of 1 identifier, 0 erased
    """

    unknown: str = param(one_of("denied", "granted"), default="")
    purposes: tuple[str, ...] = param(default=())
    random_state: Any = param(seed(), default=None)

    def __init__(
        self,
        unknown: str | None = None,
        identity: Profiles | None = None,
        purposes: Iterable[str] = (),
        random_state: Any = None,
    ) -> None:
        if unknown is None:
            raise ParameterError(
                "ConsentLedger: say what holds where nothing was said: unknown='denied' uses only "
                "what was consented to, unknown='granted' whatever nobody objected to."
            )
        self.unknown = unknown
        self.purposes = own_purposes(purposes)
        self.random_state = random_state
        check_parameters(self)
        self.entries_ = Entries()
        self.all_purposes_ = [*PURPOSES, *self.purposes]
        self.of_profiles_ = identity is not None
        self._whose = Whose(identity)
        self._prepare()

    def _prepare(self) -> None:
        self._purposes = Purposes(self.purposes)
        self._lock, self._counting = OwnLock(), OwnLock()
        self._journal: Journal | None = None
        if self.of_profiles_ and self.identity is None:
            self._whose = Whose(None, is_lost=True)

    def _check_learned(self) -> None:
        held: Any = self.entries_, self.of_profiles_
        if not isinstance(held[0], Entries) or not isinstance(held[1], bool):
            raise DataError("a saved ledger needs its entries.")
        expected = [*PURPOSES, *self.purposes]
        if self.all_purposes_ != expected:
            raise DataError(f"a saved ledger's purposes must be {expected}.")

    @classmethod
    def _get_param_names(cls) -> list[str]:
        # Who is who is known to whoever runs the shop, and is no part of the ledger.
        return ["purposes", "random_state", "unknown"]

    def __repr__(self) -> str:
        entries = self.entries_
        n = len(entries.names_)
        return (
            f"ConsentLedger(unknown={self.unknown!r}): {len(entries.log_):,} records of {n:,} "
            f"identifier{'' if n == 1 else 's'}, {len(entries.tombstones_):,} erased"
        )

    @property
    def identity(self) -> Profiles | None:
        """Who is who; set it again after loading a ledger that had one, or set it to None."""
        return self._whose.identity

    @identity.setter
    def identity(self, identity: Profiles | None) -> None:
        self._whose = Whose(identity)
        self.of_profiles_ = identity is not None

    # -- asking --------------------------------------------------------------------------------

    def state_at(self, subject: Any, purpose: str, at: Any = None, kind: str = "user_id") -> str:
        """Return ``"granted"``, ``"denied"`` or ``"unknown"``, whatever the policy.

        Parameters
        ----------
        subject, kind
            As in `record`.
        purpose : str
        at : datetime, str or int, optional
            By default after all that is on record.
        """
        bit, entries = self._purposes.bit_of(purpose), self.entries_
        moment = None if at is None else said_at(at)
        places = map(entries.place, self._whose.names_of(subject, kind))
        states = [entries.states(place, bit, moment)[0] for place in places]
        return STATES[max(states, default=0)]

    def allows(self, subject: Any, purpose: str, at: Any = None, kind: str = "user_id") -> bool:
        """Tell whether the state of a subject allows a purpose; of whoever was erased, never.

        Parameters
        ----------
        subject, kind
            As in `record`.
        purpose : str
        at : datetime, str or int, optional
            By default after all that is on record.
        """
        if self.is_erased(subject, kind):
            return False
        state = self.state_at(subject, purpose, at, kind)
        return (self.unknown if state == "unknown" else state) == "granted"

    def admitted(self, rows: pd.DataFrame, purpose: str) -> Mask:
        """Tell the rows that may be used, see `EventGate.admitted`.

        Whose a row is say ``user_id``, ``anonymous_id`` and every other column that is named like a
        kind of identifiers that the ledger, or its identity, knows. A time that is missing or
        cannot be read leaves the present state alone.

        Raises
        ------
        ParameterError
            If there is no such purpose.
        ColumnError
            If no column says whose the rows are.
        DataError
            If ids cannot be hashed.
        """
        bit, frame = self._purposes.bit_of(purpose), as_pandas(rows)
        whose = self._whose
        members = None if whose.profiles() is None else whose.all_stand_for
        of_rows = Rows.of(frame, self.entries_, self._kinds(), bit, members, whose.called)
        verdicts = verdicts_on(of_rows, self.unknown == "granted")
        counted = np.bincount(verdicts, minlength=len(REASONS)).tolist()
        for reason, n in zip(REASONS[1:], counted[1:], strict=True):
            if n:
                self._count(f"{purpose}: {reason}", n)
        mask: Mask = verdicts == 0
        return mask

    def admits(self, who: Mapping[str, Id | None], purpose: str, at: int | None = None) -> bool:
        """Tell whether somebody may be known, or one event of theirs be used.

        Raises
        ------
        ParameterError
            If there is no such purpose.
        """
        bit, entries, profiles = (
            self._purposes.bit_of(purpose),
            self.entries_,
            self._whose.profiles(),
        )
        then = now = 0
        nobody, until = True, NEVER
        for kind, value in who.items():
            if profiles is None:
                places = entries.places_of(kind, value)
            else:
                places = tuple(map(entries.place, stands_for(profiles, kind, value))) or None
            if places is None:
                continue
            nobody = False
            for place in places:
                before, after = entries.states(place, bit, at)
                then, now = max(then, before), max(now, after)
            if entries.tombstones_:
                names = self._whose.called(kind, value)
                until = max(until, *map(entries.tombstones_.until, names))
        erased = until == ALWAYS or (at is not None and at < until)
        verdict = verdict_on(then, now, nobody, erased, self.unknown == "granted")
        if verdict:
            self._count(f"{purpose}: {REASONS[verdict]}", 1)
        return not verdict

    def records(self, subject: Any = None, kind: str = "user_id") -> pd.DataFrame:
        """Return what is on record, in the order in which it came: one row per purpose.

        Parameters
        ----------
        subject : optional
            As in `record`; by default everybody.
        kind : str

        Returns
        -------
        DataFrame
            ``kind``, ``subject``, ``purpose``, ``state``, ``timestamp``, ``source``.
        """
        with self._lock:
            entries = self.entries_
            if subject is None:
                rows = np.arange(len(entries.log_))
            else:
                rows = entries.records_of(self._whose.names_of(subject, kind))
            return records_frame(entries, rows, self._purposes)

    def _kinds(self) -> Iterable[str]:
        """Return the columns that may say whose a row is."""
        entries = self.entries_
        known: tuple[str, ...] = ("user_id", "anonymous_id")
        if self.identity is not None:
            known = (*KINDS, *(getattr(self.identity, "kinds", None) or ()))
        return dict.fromkeys((*known, *entries.kinds_, *entries.tombstones_.kinds_))
