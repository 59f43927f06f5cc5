"""Records removed, tombstones left, and everything told that is held of somebody."""

from __future__ import annotations

from typing import Any

from recopersona.base.holdings import as_json
from recopersona.events.called import kind_of
from recopersona.events.consent.entries import Entries
from recopersona.events.consent.keeping import Keeping, said_at
from recopersona.events.consent.lines import lines_of, tombstone_line
from recopersona.events.consent.records import records_frame
from recopersona.events.consent.subjects import identifiers_of, names_of
from recopersona.events.consent.tombstones import ALWAYS, fresh_salt, hashed


class Erasing(Keeping):
    """The part of a `ConsentLedger` that forgets."""

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
        >>> from recopersona.events.consent.ledger import ConsentLedger
        >>> ledger = ConsentLedger(unknown="granted")
        >>> ledger.record("anna", "all", "granted", "2026-03-01")
        >>> ledger.forget(["anna"])
        1
        >>> ledger.is_erased("anna"), ledger.allows("anna", "storage")
        (True, False)
        >>> ledger.admits({"user_id": "anna"}, "storage"), ledger.counts
        (False, Counter({'storage: erased': 1}))
        """
        names = self._whose.names_of_many(user_ids, kind)
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
            for name in self._whose.called(one, value)
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
        >>> from recopersona.events.consent.ledger import ConsentLedger
        >>> ledger = ConsentLedger(unknown="denied")
        >>> _ = ledger.forget("anna")
        >>> ledger.welcome_back("anna", "2026-06-01")
        >>> ledger.record("anna", "all", "granted", "2026-06-01")
        >>> ledger.allows("anna", "storage")
        True
        """
        names, moment = names_of(subject, kind), said_at(at)
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
        >>> from recopersona.events.consent.ledger import ConsentLedger
        >>> ledger = ConsentLedger(unknown="denied")
        >>> ledger.record("anna", "ads", "denied", "2026-03-01", source="banner")
        >>> for record in ledger.held_of(["anna"])["records"]:
        ...     print(record)
        {'kind': 'user_id', 'subject': 'anna', 'purpose': 'ads', 'state': 'denied',
         'timestamp': '2026-03-01T00:00:00+00:00', 'source': 'banner'}
        """
        names = self._whose.names_of_many(user_ids, kind)
        with self._lock:
            frame = records_frame(self.entries_, self.entries_.records_of(names), self._purposes)
        return {} if frame.empty else {"records": as_json(frame.to_dict("records"))}

    def _without(self, names: list[str]) -> Entries:
        """Return the entries without some identifiers, and with their tombstones."""
        tombstones = self.entries_.tombstones_
        salt = next(iter(tombstones.until_), None) or fresh_salt(self.random_state)
        return self.entries_.without(names, tombstones.with_names(salt, names))
