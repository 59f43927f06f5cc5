"""What people said of their data, put on record: by themselves, and by signals of all makes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from recopersona.errors import DataError, ParameterError, shown
from recopersona.events.called import KINDS
from recopersona.events.consent.bulk import Batch, read_batch
from recopersona.events.consent.keeping import Keeping, said_at
from recopersona.events.consent.lines import batch_lines, record_line
from recopersona.events.consent.signals import category_states, google_states, us_states
from recopersona.events.consent.subjects import names_of
from recopersona.events.consent.tcf import decode_tcf


class Hearing(Keeping):
    """The part of a `ConsentLedger` that takes statements."""

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
        self._write(names_of(subject, kind), said_at(at), granted, denied, source)

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
        >>> import pandas as pd
        >>> from recopersona.events.consent.ledger import ConsentLedger
        >>> ledger = ConsentLedger(unknown="denied")
        >>> ledger.extend(pd.DataFrame({
        ...     "user_id": ["anna", "ben", None], "purpose": ["all", "adds", "ads"],
        ...     "state": "granted", "timestamp": "2026-03-01",
        ... }))
        Counter({'no subject': 1, 'unknown purpose': 1})
        """
        every_kind = dict.fromkeys((*KINDS, *self.entries_.kinds_, *kinds))
        with self._writing():
            is_erased = self._is_erased if self.entries_.tombstones_ else None
            batch = read_batch(consents, self._purposes.bits, every_kind, is_erased)
            self._extend(batch)
        return batch.refused

    # -- signals -------------------------------------------------------------------------------

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
        >>> from recopersona.events.consent.ledger import ConsentLedger
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
        >>> from recopersona.events.consent.ledger import ConsentLedger
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
        >>> from recopersona.events.consent.ledger import ConsentLedger
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
        >>> from recopersona.events.consent.ledger import ConsentLedger
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
        >>> from recopersona.events.consent.ledger import ConsentLedger
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

    # -- within --------------------------------------------------------------------------------

    def _record_states(
        self, subject: Any, states: Mapping[str, str], at: Any, source: str, kind: str
    ) -> None:
        words: dict[str, list[str]] = {"granted": [], "denied": []}
        for purpose, state in states.items():
            words[state].append(purpose)
        granted, denied = (
            self._purposes.bits_of(listed) if listed else 0 for listed in words.values()
        )
        names, moment = names_of(subject, kind), said_at(at)
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
