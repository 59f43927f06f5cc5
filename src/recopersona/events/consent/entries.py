"""All that a ledger holds at one time, as one object: whoever reads has the old one or the new."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from recopersona.base.part import Part
from recopersona.base.recommender import require_array
from recopersona.data.growing import with_room
from recopersona.data.ids import UNKNOWN as NOBODY
from recopersona.data.ids import IdMap
from recopersona.data.types import Array
from recopersona.errors import DataError
from recopersona.events.consent.subjects import kind_of
from recopersona.events.consent.timelines import UNKNOWN as NOTHING_SAID
from recopersona.events.consent.timelines import Line, Timelines
from recopersona.events.consent.tombstones import Tombstones

WHO, AT, GRANTED, DENIED, SOURCE = range(5)
"""The columns of the log; what is granted and denied are bits, one per purpose."""

_FEW = 1_024


class Entries(Part):
    """The records in the order in which they came, and what follows from them.

    Records only come to it. Erasure makes another one without them, so that a reader who is on
    the way sees all of somebody or nothing.

    Attributes
    ----------
    log_ : int64 (n_records, 5)
        Columns `WHO` (a place in ``subjects_``), `AT` (ms), `GRANTED`, `DENIED`, and `SOURCE` (a
        place in ``sources_``, or -1).
    subjects_ : IdMap
        The names of identifiers.
    sources_ : list of str
    kinds_ : list of str
        Kinds of identifiers that have records.
    tombstones_ : Tombstones
    """

    def __init__(self) -> None:
        self.log_ = np.empty((0, 5), np.int64)  # first: a file never names who is not in it
        self.subjects_ = IdMap()
        self.sources_: list[str] = []
        self.kinds_: list[str] = []
        self.tombstones_ = Tombstones()
        self._prepare()

    def _prepare(self) -> None:
        log = self.log_
        base = Timelines.of(
            log[:, WHO], log[:, AT], log[:, GRANTED], log[:, DENIED], len(self.subjects_)
        )
        fresh: dict[int, Line] = {}
        self._timelines = base, fresh  # two in one, so that readers get both of one time
        self._n_settled = len(log)
        self._source_places = {source: place for place, source in enumerate(self.sources_)}

    def _check_learned(self) -> None:
        log = self.log_
        require_array(log, np.int64, (None, 5), "log of consents")
        held: Any = self.subjects_, self.tombstones_
        if not isinstance(held[0], IdMap) or not isinstance(held[1], Tombstones):
            raise DataError("consents need subjects and tombstones.")
        if not all(isinstance(one, str) for one in (*self.sources_, *self.kinds_)):
            raise DataError("sources and kinds of identifiers are text.")
        good = (log[:, WHO] >= 0) & (log[:, WHO] < len(self.subjects_))
        good &= (log[:, SOURCE] >= -1) & (log[:, SOURCE] < len(self.sources_))
        good &= (log[:, GRANTED] >= 0) & (log[:, DENIED] >= 0)
        if not good.all():
            raise DataError("a record of consent is of somebody who is not in the file.")

    # -- growing ------------------------------------------------------------------------------

    def add(self, name: str, at: int, granted: int, denied: int, source: str | None) -> None:
        """Take in one record."""
        who = self.subjects_.append(name)
        n = len(self.log_)
        log = with_room(self.log_, n + 1)
        log[n] = who, at, granted, denied, self._source(source)
        self.log_ = log
        self._know_kinds([kind_of(name)])
        base, fresh = self._timelines
        line = fresh[who] if who in fresh else base.line(who)
        fresh[who] = line.added(at, granted, denied)
        if n + 1 - self._n_settled > max(_FEW, self._n_settled // 4):
            self._prepare()

    def extend(
        self, names: Sequence[str], who: Array, at: Array, granted: Array, denied: Array,
        sources: Sequence[str | None], source: Array,
    ) -> None:  # fmt: skip
        """Take in many records: ``who`` and ``source`` are places in ``names`` and ``sources``."""
        places = np.array(self.subjects_.extend(list(names)), np.int64) if names else who
        of_source = np.array([*map(self._source, sources), -1], np.int64)
        rows = np.column_stack([places[who], at, granted, denied, of_source[source]])
        n = len(self.log_)
        log = with_room(self.log_, n + len(rows))
        log[n:] = rows
        self.log_ = log
        self._know_kinds(map(kind_of, names))
        self._prepare()

    def with_tombstones(self, tombstones: Tombstones) -> Entries:
        """Return the same records beside other tombstones."""
        twin = Entries.__new__(Entries)
        for name, value in vars(self).items():
            setattr(twin, name, value)
        twin.tombstones_ = tombstones
        return twin

    def without(self, names: Iterable[str], tombstones: Tombstones) -> Entries:
        """Return entries that never held some identifiers, but their tombstones."""
        gone = {found for found in map(self.subjects_.index, names) if found != NOBODY}
        if not gone:
            return self.with_tombstones(tombstones)
        stays = np.ones(len(self.subjects_), np.bool_)
        stays[list(gone)] = False
        log = self.log_[stays[self.log_[:, WHO]]]
        log[:, WHO] = (np.cumsum(stays) - 1)[log[:, WHO]]
        used = np.unique(log[log[:, SOURCE] >= 0, SOURCE])
        moved = np.full(len(self.sources_) + 1, -1)  # -1 reads the last
        moved[used] = np.arange(len(used))
        log[:, SOURCE] = moved[log[:, SOURCE]]
        rest = Entries()
        rest.subjects_ = IdMap(self.subjects_.ids[stays].tolist())
        rest.sources_ = [self.sources_[place] for place in used.tolist()]
        rest.kinds_ = sorted({kind_of(name) for name in rest.subjects_.ids.tolist()})
        rest.log_, rest.tombstones_ = log, tombstones
        rest._prepare()
        return rest

    def _source(self, source: str | None) -> int:
        if source is None:
            return -1
        if source not in self._source_places:
            self._source_places[source] = len(self.sources_)
            self.sources_.append(source)
        return self._source_places[source]

    def _know_kinds(self, kinds: Iterable[str]) -> None:
        new = set(kinds).difference(self.kinds_)
        if new:
            self.kinds_ = sorted([*self.kinds_, *new])

    # -- asking -------------------------------------------------------------------------------

    @property
    def n_identifiers(self) -> int:
        """How many identifiers have records."""
        return len(self.subjects_)

    def state(self, name: str, bit: int, at: int | None = None) -> int:
        """Return one identifier's state at a moment, or after all records."""
        who = self.subjects_.index(name)
        if who == NOBODY:
            return NOTHING_SAID
        base, fresh = self._timelines
        line = fresh.get(who)
        return base.state(who, bit, at) if line is None else line.state(bit, at)

    def fill(self, then: Array, now: Array, who: Array, at: Array, bit: int) -> None:
        """Raise rows' states to those of their identifiers, where they are more restrictive.

        then, now  int8 (n,), written
        who        int64 (n,), places in ``subjects_``, -1 for none
        at         int64 (n,)
        """
        base, fresh = self._timelines
        if fresh:
            seen = np.zeros(int(who.max(initial=-1)) + 2, np.bool_)
            seen[who] = True  # -1 marks the last
            changed = [one for one in np.flatnonzero(seen[:-1]).tolist() if one in fresh]
            if changed:
                places = np.full(len(seen), -1, np.int64)
                places[changed] = np.arange(len(changed))
                recent = places[who]
                recent[who < 0] = -1
                lines = Timelines.of_lines([fresh[one] for one in changed])
                lines.fill(then, now, recent, at, bit)
                who = np.where(recent >= 0, -1, who)
        base.fill(then, now, who, at, bit)

    def records_of(self, names: Iterable[str]) -> Array:
        """Return the places in the log of some identifiers' records, in order."""
        who = [found for found in map(self.subjects_.index, names) if found != NOBODY]
        return np.flatnonzero(np.isin(self.log_[:, WHO], who))
