"""The ledger of consents: who allowed what, when, and which events may therefore be used."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from os import PathLike
from typing import Any, Self

import numpy as np
import pandas as pd

from recopersona.base.own_lock import OwnLock
from recopersona.base.parameters import check_parameters, one_of, param, seed
from recopersona.base.part import Part
from recopersona.data.columns import as_pandas
from recopersona.data.gate import PURPOSES, EventGate
from recopersona.data.times import from_ms, integer_to_ms, moment_ms
from recopersona.data.types import Array, Id, Mask
from recopersona.errors import DataError, ParameterError, shown
from recopersona.events.consent.bulk import Batch, read_batch
from recopersona.events.consent.entries import AT, DENIED, GRANTED, SOURCE, WHO, Entries
from recopersona.events.consent.journal import Journal
from recopersona.events.consent.lines import (
    Line,
    batch_lines,
    lines_of,
    record_line,
    tombstone_line,
    with_lines,
)
from recopersona.events.consent.profiles import (
    Profiles,
    all_stand_for,
    called,
    require_profiles,
    stands_for,
)
from recopersona.events.consent.purposes import Purposes, own_purposes
from recopersona.events.consent.signals import category_states, google_states, us_states
from recopersona.events.consent.subjects import (
    USUAL_KINDS,
    identifiers_of,
    kind_of,
    many_subjects,
    names_of,
)
from recopersona.events.consent.tcf import decode_tcf
from recopersona.events.consent.timelines import STATES
from recopersona.events.consent.tombstones import ALWAYS, NEVER, fresh_salt, hashed
from recopersona.events.consent.verdicts import REASONS, Rows, verdict_on, verdicts_on


class ConsentLedger(Part, EventGate):
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
        require_profiles(identity)
        self.of_profiles_ = identity is not None
        self._identity = identity
        self._prepare()

    def _prepare(self) -> None:
        self._purposes = Purposes(self.purposes)
        self._lock, self._counting = OwnLock(), OwnLock()
        self._journal: Journal | None = None
        self._identity_is_lost = self.of_profiles_ and self._identity is None

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
        return self._identity

    @identity.setter
    def identity(self, identity: Profiles | None) -> None:
        require_profiles(identity)
        self._identity, self._identity_is_lost = identity, False
        self.of_profiles_ = identity is not None

    # -- recording ----------------------------------------------------------------------------

    def record(
        self,
        subject: Any,
        purpose: str | Iterable[str],
        state: str,
        at: Any,
        source: str | None = None,
        kind: str = "user_id",
    ) -> None:
        """Put one statement on record; it is never changed or removed, except by erasure.

        Parameters
        ----------
        subject : id, pair or mapping
            An id of a kind, ``("device_id", "d-1")``, or ``{"user_id": "anna", "anonymous_id":
            "c-7"}``, which records it of each.
        purpose : str or iterable of str
            One or several, or ``"all"``.
        state : {"granted", "denied"}
            A withdrawal is ``"denied"``.
        at : datetime, str or int
            When it was said; an integer is since 1970 UTC, its size tells the unit.
        source : str, optional
            Where it was said, such as ``"banner v3"``.
        kind : str
            Of what kind a bare id is.

        Raises
        ------
        ParameterError
            If there is no such purpose or state.
        DataError
            If the subject or the moment cannot be used, or the subject was erased; `welcome_back`
            says how somebody returns.
        """
        if state not in ("granted", "denied"):
            raise ParameterError(
                f"state must be 'granted' or 'denied' (so is a withdrawal), got {shown(state)}."
            )
        bits = self._purposes.bits_of(purpose)
        granted, denied = (bits, 0) if state == "granted" else (0, bits)
        self._write(names_of(subject, kind), _moment(at), granted, denied, source)

    def extend(self, consents: Any, kinds: Iterable[str] = ()) -> Counter[str]:
        """Put a table of statements on record; return how many rows were refused, by reason.

        Parameters
        ----------
        consents : dataframe
            Whose they are say columns such as ``user_id``, ``anonymous_id``, ``device_id`` and
            ``loyalty_card``, or ``subject`` beside ``kind``; what was said
            ``purpose`` and ``state``, or ``tc_string``; when, ``timestamp``; where, ``source``.
        kinds : iterable of str
            More columns of identifiers.

        Returns
        -------
        Counter
            Also added to ``counts``. The reasons are ``no subject``, ``raw personal value`` (an
            e-mail or a phone number, and no keyed hash of it), ``unknown purpose``, ``unknown
            state``, ``malformed TC string``, ``no time`` and ``erased``.

        Raises
        ------
        ColumnError
            If a column is missing.

        Examples
        --------
        >>> ledger = ConsentLedger(unknown="denied")
        >>> ledger.extend(pd.DataFrame({
        ...     "user_id": ["anna", "ben", None], "purpose": ["all", "adds", "ads"],
        ...     "state": "granted", "timestamp": "2026-03-01",
        ... }))
        Counter({'no subject': 1, 'unknown purpose': 1})
        """
        every_kind = dict.fromkeys((*USUAL_KINDS, *self.entries_.kinds_, *kinds))
        with self._writing():
            is_erased = self._is_erased if self.entries_.tombstones_ else None
            batch = read_batch(consents, self._purposes.bits, every_kind, is_erased)
            self._extend(batch)
        return batch.refused

    def record_tcf(
        self, subject: Any, text: str, at: Any = None, vendor: int | None = None,
        kind: str = "user_id",
    ) -> None:  # fmt: skip
        """Put on record what a TC string says, see `TcfConsent.states`.

        Parameters
        ----------
        subject, kind
            As in `record`.
        text : str
        at : datetime, str or int, optional
            When it was said; by default when the string was last updated, which is a day.
        vendor : int, optional
            Your number in the Global Vendor List, if you have one.

        Raises
        ------
        DataError
            If the string cannot be read.

        Examples
        --------
        >>> ledger = ConsentLedger(unknown="denied")
        >>> ledger.record_tcf("anna", "COtybn4PA_zT4KjACBENAPCIAEBAAECAAIAAAAAAAAAA")
        >>> ledger.state_at("anna", "analytics"), ledger.state_at("anna", "sale_or_share")
        ('denied', 'unknown')
        """
        said = decode_tcf(text)
        self._record_states(
            subject, said.states(vendor), said.last_updated if at is None else at, "TCF", kind
        )

    def record_google(
        self, subject: Any, signals: Mapping[str, Any], at: Any, kind: str = "user_id"
    ) -> None:
        """Put on record what Google's consent mode, or a GA4 export, says.

        ``signals`` are such as ``{"analytics_storage": "granted"}``; values are granted and denied,
        or Yes and No. ``analytics_storage`` is analytics, ``personalization_storage`` is
        personalization. Ads are granted by all three of ``ad_storage``, ``ad_user_data`` and
        ``ad_personalization``, and denied by any. Storage is denied by ``functionality_storage`` or
        ``security_storage``; it is granted by the former or, in its absence, by
        ``analytics_storage``: GA4 exports no other. What was not asked is not recorded.

        Raises
        ------
        DataError
            If there is no such signal or value.

        Examples
        --------
        >>> ledger = ConsentLedger(unknown="denied")
        >>> ledger.record_google("anna", {"analytics_storage": "Yes"}, "2026-03-01")
        >>> ledger.state_at("anna", "analytics"), ledger.state_at("anna", "ads")
        ('granted', 'unknown')
        """
        self._record_states(subject, google_states(signals), at, "Google consent mode", kind)

    def record_gpc(self, subject: Any, at: Any, kind: str = "user_id") -> None:
        """Put on record that a browser sent Global Privacy Control (``Sec-GPC: 1``).

        Examples
        --------
        >>> ledger = ConsentLedger(unknown="granted")
        >>> ledger.record_gpc("anna", "2026-03-01")
        >>> ledger.allows("anna", "sale_or_share"), ledger.allows("anna", "analytics")
        (False, True)
        """
        self._record_states(subject, {"sale_or_share": "denied"}, at, "GPC", kind)

    def record_us_opt_out(
        self, subject: Any, signals: Mapping[str, Any], at: Any, kind: str = "user_id"
    ) -> None:
        """Put on record the decoded fields of a GPP string's US section.

        ``SaleOptOut`` and ``SharingOptOut`` (1 opted out, 2 did not, 0 not asked) and ``Gpc`` are
        ``sale_or_share``, ``TargetedAdvertisingOptOut`` is ads.

        Raises
        ------
        DataError
            If there is no such field or value.

        Examples
        --------
        >>> ledger = ConsentLedger(unknown="granted")
        >>> ledger.record_us_opt_out("anna", {"SaleOptOut": 1}, "2026-03-01")
        >>> ledger.state_at("anna", "sale_or_share")
        'denied'
        """
        self._record_states(subject, us_states(signals), at, "GPP", kind)

    def record_categories(
        self, subject: Any, preferences: Mapping[str, bool], at: Any,
        purposes: Mapping[str, Any], kind: str = "user_id",
    ) -> None:  # fmt: skip
        """Put on record Segment's ``context.consent.categoryPreferences``.

        Parameters
        ----------
        subject, at, kind
            As in `record`.
        preferences : mapping from category to bool
            An empty one says nothing.
        purposes : mapping from category to purpose, or to several
            A purpose of several categories is granted where all that were asked are. Categories
            that are not in it are counted.

        Raises
        ------
        DataError, ParameterError
            If a preference is neither True nor False, or there is no such purpose.

        Examples
        --------
        >>> ledger = ConsentLedger(unknown="denied")
        >>> meaning = {"Functional": ["storage", "personalization"], "Advertising": "ads"}
        >>> said = {"Functional": True, "Advertising": False, "Weather": True}
        >>> ledger.record_categories("anna", said, "2026-03-01", meaning)
        >>> ledger.state_at("anna", "personalization"), ledger.counts
        ('granted', Counter({'record: unmapped category': 1}))
        """
        states, unmapped = category_states(preferences, purposes)
        self._record_states(subject, states, at, "Segment", kind)
        if unmapped:
            self._count("record: unmapped category", len(unmapped))

    # -- asking -------------------------------------------------------------------------------

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
        moment = None if at is None else _moment(at)
        places = map(entries.place, self._names_of_one(subject, kind))
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
        profiles = self._profiles()
        members = None if profiles is None else partial(all_stand_for, profiles)
        of_rows = Rows.of(
            frame, self.entries_, self._kinds(), bit, members, partial(called, profiles)
        )
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
        bit, entries, profiles = self._purposes.bit_of(purpose), self.entries_, self._profiles()
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
                names = called(profiles, kind, value)
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
                rows = entries.records_of(self._names_of_one(subject, kind))
            return self._frame_of(entries, rows)

    # -- erasure ------------------------------------------------------------------------------

    def forget(self, user_ids: Any, kind: str = "user_id") -> int:
        """Remove all records of some people, and refuse their events from now on.

        What is left of each identifier is a hash keyed with a salt; the ledger holds no identifier
        of theirs any more. With an identity, all identifiers of their profiles go.

        Parameters
        ----------
        user_ids : id, or iterable of ids, pairs or mappings
        kind : str
            Of what kind bare ids are.

        Returns
        -------
        int
            How many identifiers had records.

        Examples
        --------
        >>> ledger = ConsentLedger(unknown="granted")
        >>> ledger.record("anna", "all", "granted", "2026-03-01")
        >>> ledger.forget(["anna"])
        1
        >>> ledger.is_erased("anna"), ledger.allows("anna", "storage")
        (True, False)
        >>> ledger.admits({"user_id": "anna"}, "storage"), ledger.counts
        (False, Counter({'storage: erased': 1}))
        """
        names = self._names_of_many(user_ids, kind)
        if not names:
            return 0
        with self._writing():
            before = self.entries_
            after = self._without(names)
            if self._journal is not None:
                self._journal.replace(lines_of(after, self._purposes))
            self.entries_ = after
        return sum(before.place(name) >= 0 for name in names)

    def is_erased(self, subject: Any, kind: str = "user_id") -> bool:
        """Tell whether any identifier of a subject was erased, and nobody welcomed it back."""
        tombstones = self.entries_.tombstones_
        return bool(tombstones) and any(
            tombstones.until(name) == ALWAYS
            for one, value in identifiers_of(subject, kind)
            for name in called(self._identity, one, value)
        )

    def welcome_back(self, subject: Any, at: Any, kind: str = "user_id") -> None:
        """Let somebody who was erased be on record again, who asks for it.

        Nothing else lifts a tombstone: a late event or an old banner must not. Events from before
        stay refused, as erased.

        Parameters
        ----------
        subject, kind
            As in `record`.
        at : datetime, str or int
            From when on.

        Examples
        --------
        >>> ledger = ConsentLedger(unknown="denied")
        >>> _ = ledger.forget("anna")
        >>> ledger.welcome_back("anna", "2026-06-01")
        >>> ledger.record("anna", "all", "granted", "2026-06-01")
        >>> ledger.allows("anna", "storage")
        True
        """
        names, moment = names_of(subject, kind), _moment(at)
        with self._writing():
            self._publish(
                [
                    tombstone_line(salt, [found], [kind_of(name)], moment)
                    for name in names
                    for salt, hashes in self.entries_.tombstones_.until_.items()
                    if (found := hashed(name, salt)) in hashes
                ]
            )

    def held_of(self, user_ids: Any, kind: str = "user_id") -> dict[str, Any]:
        """Return everything held of some people, ready for JSON; nothing is ``{}``.

        Tombstones are not in it: they name nobody, and answer only `is_erased`.

        Examples
        --------
        >>> ledger = ConsentLedger(unknown="denied")
        >>> ledger.record("anna", "ads", "denied", "2026-03-01", source="banner")
        >>> for record in ledger.held_of(["anna"])["records"]:
        ...     print(record)
        {'kind': 'user_id', 'subject': 'anna', 'purpose': 'ads', 'state': 'denied',
         'timestamp': '2026-03-01T00:00:00+00:00', 'source': 'banner'}
        """
        names = self._names_of_many(user_ids, kind)
        with self._lock:
            frame = self._frame_of(self.entries_, self.entries_.records_of(names))
        if frame.empty:
            return {}
        frame["timestamp"] = [time.isoformat() for time in frame["timestamp"]]
        frame["source"] = frame["source"].astype(object).where(frame["source"].notna(), None)
        return {"records": frame.to_dict("records")}

    # -- the journal --------------------------------------------------------------------------

    def journal(self, path: str | PathLike[str]) -> Self:
        """Keep every record in a file from now on, and begin with what is in it.

        Each record is on disk before `record` returns. Several processes may keep one journal:
        whoever records reads first what the others wrote; `refresh` reads it without recording. A
        line that a crash cut short, and whatever else cannot be read, is counted
        (``"journal: unreadable line"``); so are records of somebody erased, which an old copy may
        hold (``"journal: record of somebody erased"``), and a journal that lost lines
        (``"journal: shorter than before"``). Erasure writes the file anew.

        Parameters
        ----------
        path : path
            A file of JSON lines, made where there is none; ``path.lock`` lies beside it. A link is
            the file that it means.

        Returns
        -------
        self

        Raises
        ------
        DataError
            If the ledger has records of its own, and the file has some, too.
        ParameterError
            If it is no path.
        ArtifactError
            If the file cannot be used; later, if it is gone or emptied.

        Examples
        --------
        >>> import tempfile, pathlib
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = pathlib.Path(folder, "consent.jsonl")
        ...     ledger = ConsentLedger(unknown="denied").journal(path)
        ...     ledger.record("anna", "ads", "denied", "2026-03-01")
        ...     ConsentLedger(unknown="denied").journal(path).state_at("anna", "ads")
        'denied'
        """
        journal = Journal(path)
        with self._lock, journal.alone():
            own = lines_of(self.entries_, self._purposes)
            news = journal.news()
            if news.lines and own:
                raise DataError(
                    "this ledger has records of its own, and so has the journal; open it with a "
                    "new ConsentLedger(unknown=...).journal(path)."
                )
            self._journal = journal
            self._apply(news.lines, self.entries_)
            if own:
                journal.append(own)
                journal.pass_over()
        return self

    def refresh(self) -> Self:
        """Read what other processes wrote into the journal since.

        Raises
        ------
        DataError
            If there is no journal.
        """
        with self._lock:
            if self._journal is None:
                raise DataError("this ledger has no journal to read; call ledger.journal(path).")
            self._catch_up()
        return self

    # -- writing ------------------------------------------------------------------------------

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Be the only one who writes, in this process and in all that keep the journal."""
        with self._lock:
            if self._journal is None:
                yield
                return
            with self._journal.alone():
                self._catch_up()
                yield

    def _catch_up(self) -> None:
        assert self._journal is not None  # noqa: S101
        news = self._journal.news()
        if news.shorter:
            self._count("journal: shorter than before", 1)
        self._apply(news.lines, Entries() if news.anew else self.entries_)

    def _publish(self, lines: list[Line]) -> None:
        """Have lines count: on disk first, where there is a journal; for whoever is `_writing`."""
        if self._journal is None:
            self._apply(lines, self.entries_)
        elif lines:
            self._journal.append(lines)
            self._catch_up()

    def _apply(self, lines: Sequence[Any], entries: Entries) -> None:
        self.entries_, odd = with_lines(entries, lines, self._purposes)
        for what, n in odd.items():
            self._count(what, n)

    def _record_states(
        self, subject: Any, states: Mapping[str, str], at: Any, source: str, kind: str
    ) -> None:
        words: dict[str, list[str]] = {"granted": [], "denied": []}
        for purpose, state in states.items():
            words[state].append(purpose)
        granted, denied = (
            self._purposes.bits_of(listed) if listed else 0 for listed in words.values()
        )
        names, moment = names_of(subject, kind), _moment(at)
        if granted or denied:
            self._write(names, moment, granted, denied, source)

    def _write(
        self, names: list[str], at: int, granted: int, denied: int, source: str | None
    ) -> None:
        if not (source is None or isinstance(source, str)):
            raise DataError(f"source must be text, got {shown(source)}.")
        with self._writing():
            if any(self._is_erased(name) for name in names):
                raise DataError(
                    "this subject was erased, and is on record no more; if it is back and asks "
                    "for it, call ledger.welcome_back(subject, at) first."
                )
            self._publish(
                [record_line(name, at, granted, denied, source, self._purposes) for name in names]
            )

    def _extend(self, batch: Batch) -> None:
        if self._journal is None:
            self.entries_.extend(*batch[:-1])
        else:
            self._publish(batch_lines(batch, self._purposes))
        for why, n in batch.refused.items():
            self._count(f"record: {why}", n)

    def _without(self, names: list[str]) -> Entries:
        """Return the entries without some identifiers, and with their tombstones."""
        tombstones = self.entries_.tombstones_
        salt = next(iter(tombstones.until_), None) or fresh_salt(self.random_state)
        return self.entries_.without(names, tombstones.with_names(salt, names))

    # -- whose it is --------------------------------------------------------------------------

    def _stands_for(self, kind: str, value: Any) -> tuple[str, ...]:
        """Return the names of all identifiers that one stands for, itself first."""
        return stands_for(self._profiles(), kind, value)

    def _profiles(self) -> Profiles | None:
        if self._identity_is_lost:
            raise DataError(
                "this ledger was saved without its identity, and cannot tell who is who; set "
                "ledger.identity = graph, or to None if it shall do without."
            )
        return self._identity

    def _kinds(self) -> Iterable[str]:
        """Return the columns that may say whose a row is."""
        entries = self.entries_
        known: tuple[str, ...] = ("user_id", "anonymous_id")
        if self._identity is not None:
            known = (*USUAL_KINDS, *(getattr(self._identity, "kinds", None) or ()))
        return dict.fromkeys((*known, *entries.kinds_, *entries.tombstones_.kinds_))

    def _names_of_one(self, subject: Any, kind: str) -> list[str]:
        pairs = identifiers_of(subject, kind)
        return [name for pair in pairs for name in self._stands_for(*pair)]

    def _names_of_many(self, subjects: Any, kind: str) -> list[str]:
        names: dict[str, None] = {}
        for subject in many_subjects(subjects, kind):
            names.update(dict.fromkeys(self._names_of_one(subject, kind)))
        return list(names)

    def _is_erased(self, name: str) -> bool:
        tombstones = self.entries_.tombstones_
        return bool(tombstones) and tombstones.until(name) == ALWAYS

    # -- words and numbers --------------------------------------------------------------------

    def _count(self, what: str, n: int) -> None:
        with self._counting:
            self.counts[what] += n

    def _frame_of(self, entries: Entries, rows: Array) -> pd.DataFrame:
        """Return records as a frame, a row for every purpose of each."""
        log = entries.log_[rows]
        names = entries.names_
        sources = [*entries.sources_, None]
        found: list[tuple[Any, ...]] = []
        for row in log.tolist():
            kind, _, value = names[row[WHO]].partition(":")
            for purpose, bit in self._purposes.bits.items():
                if (row[GRANTED] | row[DENIED]) & bit:
                    state = "denied" if row[DENIED] & bit else "granted"
                    found.append((kind, value, purpose, state, row[AT], sources[row[SOURCE]]))
        columns = ["kind", "subject", "purpose", *_LATER]
        try:
            frame = pd.DataFrame(found, columns=columns)
        except UnicodeEncodeError:  # half a character, which Arrow does not hold
            frame = pd.DataFrame(found, columns=columns, dtype=object)
        times = from_ms(frame["timestamp"].to_numpy(np.int64))
        return frame.assign(timestamp=times, source=frame["source"].astype(object))


_LATER = ("state", "timestamp", "source")


def _moment(at: Any) -> int:
    """Return a moment in milliseconds; an integer's size tells its unit, as that of an event."""
    if isinstance(at, (int, np.integer)) and not isinstance(at, bool):
        known = integer_to_ms(int(at))
        if known is not None:
            return known
    return moment_ms(at, "at")
