"""All that a ledger holds at one time, as one object: whoever reads has the old one or the new."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from recopersona.base.part import Part
from recopersona.base.recommender import require_array
from recopersona.data.growing import with_room
from recopersona.data.types import Array
from recopersona.errors import DataError
from recopersona.events.called import kind_of, parted
from recopersona.events.consent.subjects import own_names
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
        Columns `WHO` (a place in ``names_``), `AT` (ms), `GRANTED`, `DENIED`, and `SOURCE` (a
        place in ``sources_``, or -1).
    names_ : list of str
        The names of identifiers.
    sources_ : list of str
    kinds_ : list of str
        Kinds of identifiers that have records.
    tombstones_ : Tombstones
    """

    def __init__(self) -> None:
        self.log_ = np.empty((0, 5), np.int64)  # first: a file then names all who are in its log
        self.names_: list[str] = []
        self.sources_: list[str] = []
        self.kinds_: list[str] = []
        self.tombstones_ = Tombstones()
        self._prepare()

    def _prepare(self) -> None:
        self._source_places = {source: place for place, source in enumerate(self.sources_)}
        self._places: dict[str, dict[str, int]] = {}
        for place, name in enumerate(self.names_):
            kind, text = parted(name)
            self._places.setdefault(kind, {})[text] = place
        self._settle()

    def _settle(self) -> None:
        """Put all records into arrays."""
        log = self.log_
        base = Timelines.of(
            log[:, WHO], log[:, AT], log[:, GRANTED], log[:, DENIED], len(self.names_)
        )
        fresh: dict[int, Line] = {}
        self._timelines = base, fresh  # two in one, so that readers get both of one time
        self._n_settled = len(log)

    def _check_learned(self) -> None:
        log = self.log_
        require_array(log, np.int64, (None, 5), "log of consents")
        tombstones: Any = self.tombstones_
        if not isinstance(tombstones, Tombstones):
            raise DataError("consents need tombstones.")
        words: list[Any] = [*self.names_, *self.sources_, *self.kinds_]
        if not all(isinstance(word, str) for word in words):
            raise DataError("names, sources and kinds of identifiers are text.")
        if len(set(self.names_)) < len(self.names_):
            raise DataError("names of identifiers are distinct.")
        good = (log[:, WHO] >= 0) & (log[:, WHO] < len(self.names_))
        good &= (log[:, SOURCE] >= -1) & (log[:, SOURCE] < len(self.sources_))
        good &= (log[:, GRANTED] >= 0) & (log[:, DENIED] >= 0)
        if not good.all():
            raise DataError("a record of consent is of somebody who is not in the file.")

    # -- growing ------------------------------------------------------------------------------

    def add(self, name: str, at: int, granted: int, denied: int, source: str | None) -> None:
        """Take in one record."""
        who = self._place_for(name)
        n = len(self.log_)
        log = with_room(self.log_, n + 1)
        log[n] = who, at, granted, denied, self._source(source)
        self.log_ = log
        base, fresh = self._timelines
        line = fresh[who] if who in fresh else base.line(who)
        fresh[who] = line.added(at, granted, denied)
        if n + 1 - self._n_settled > max(_FEW, self._n_settled // 4):
            self._settle()

    def extend(
        self, names: Sequence[str], who: Array, at: Array, granted: Array, denied: Array,
        sources: Sequence[str | None], source: Array,
    ) -> None:  # fmt: skip
        """Take in many records: ``who`` and ``source`` are places in ``names`` and ``sources``."""
        places = np.array([*map(self._place_for, names)], np.int64)
        of_source = np.array([*map(self._source, sources), -1], np.int64)
        n = len(self.log_)
        log = with_room(self.log_, n + len(who))
        for column, values in enumerate((places[who], at, granted, denied, of_source[source])):
            log[n:, column] = values
        self.log_ = log
        self._settle()

    def with_tombstones(self, tombstones: Tombstones) -> Entries:
        """Return the same records beside other tombstones."""
        twin = Entries.__new__(Entries)
        for name, value in vars(self).items():
            setattr(twin, name, value)
        twin.tombstones_ = tombstones
        return twin

    def without(self, names: Iterable[str], tombstones: Tombstones) -> Entries:
        """Return entries that never held some identifiers, but their tombstones."""
        gone = {place for place in map(self.place, names) if place >= 0}
        if not gone:
            return self.with_tombstones(tombstones)
        stays = np.ones(len(self.names_), np.bool_)
        stays[list(gone)] = False
        log = self.log_[stays[self.log_[:, WHO]]]
        log[:, WHO] = (np.cumsum(stays) - 1)[log[:, WHO]]
        used = pd.unique(log[log[:, SOURCE] >= 0, SOURCE])  # in the order of their first record
        moved = np.full(len(self.sources_) + 1, -1)  # -1 reads the last
        moved[used] = np.arange(len(used))
        log[:, SOURCE] = moved[log[:, SOURCE]]
        rest = Entries()
        rest.names_ = [name for name, kept in zip(self.names_, stays.tolist(), strict=True) if kept]
        rest.sources_ = [self.sources_[place] for place in used.tolist()]
        rest.kinds_ = sorted({kind_of(name) for name in rest.names_})
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

    def _place_for(self, name: str) -> int:
        """Return the place of a name, giving it the next one if it is new."""
        kind, text = parted(name)
        places = self._places.get(kind)
        if places is None:
            places = self._places[kind] = {}
            self.kinds_ = sorted({*self.kinds_, kind})
        place = places.get(text)
        if place is None:
            place = len(self.names_)
            self.names_.append(name)
            places[text] = place
        return place

    # -- asking -------------------------------------------------------------------------------

    def place(self, name: str) -> int:
        """Return the place of a name, -1 where nothing is recorded of it."""
        kind, text = parted(name)
        places = self._places.get(kind)
        return -1 if places is None else places.get(text, -1)

    def places_of(self, kind: str, value: Any) -> tuple[int, ...] | None:
        """Return the places of a value's own names; None where the value stands for no id."""
        known = self._places.get(kind)
        if type(value) is str and known is not None and ":" not in value:
            place = known.get(value)  # what is known is tidy
            if place is not None:
                return (place,)
        names = own_names(kind, value)
        return tuple(map(self.place, names)) if names else None

    def states(self, place: int, bit: int, at: int | None) -> tuple[int, int]:
        """Return the states of a place at a moment and after all records."""
        base, fresh = self._timelines
        line = fresh.get(place)
        return base.states(place, bit, at) if line is None else line.states(bit, at)

    def fill(self, then: Array, now: Array, who: Array, at: Array, bit: int) -> None:
        """Raise rows' states to those of their identifiers, where they are more restrictive.

        then, now  int8 (n,), written
        who        int64 (n,), places in ``names_``, -1 for none
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
                lines = Timelines.of_lines([fresh[one] for one in changed])
                lines.fill(then, now, recent, at, bit)
                who = np.where(recent >= 0, -1, who)
        base.fill(then, now, who, at, bit)

    def records_of(self, names: Iterable[str]) -> Array:
        """Return the places in the log of some identifiers' records, in order."""
        who = [place for place in map(self.place, names) if place >= 0]
        return np.flatnonzero(np.isin(self.log_[:, WHO], who))
