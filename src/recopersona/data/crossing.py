"""From the numbers of one map of ids to those of another, without looking up every id anew."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from recopersona.data.ids import UNKNOWN, IdMap
from recopersona.data.types import Indices


class Crossing:
    """Reads indices of one `IdMap` as indices of another, and remembers what it has looked up.

    Two parts that hold copies of the same map number alike what both knew from the start, but may
    have met what came since in another order, or not at all.

    Examples
    --------
    >>> ours, theirs = IdMap(["tea", "honey", "salt"]), IdMap(["salt", "tea"])
    >>> crossing = Crossing()
    >>> crossing.indices(np.array([2, 0, 1], np.int32), ours, theirs)
    array([ 0,  1, -1], dtype=int32)
    """

    def __init__(self) -> None:
        self._known: _Known | None = None

    def indices(self, items: Indices, source: IdMap, target: IdMap) -> Indices:
        """Return the target's indices of some of the source's, -1 where it lacks them.

        Parameters
        ----------
        items : int32 (n,)
            Indices into ``source``.
        source, target : IdMap
            The same two as last time, or everything is looked up again.
        """
        known = self._known
        if known is None or not known.is_of(source, target):
            known = self._known = _Known.of(source, target, known)
        found: Indices = known.table[items]
        return found


class _Known(NamedTuple):
    """What every id of the source, as it was, is in the target, as it was."""

    table: Indices
    source: IdMap
    target: IdMap
    eras: tuple[object, object]
    size: int

    def is_of(self, source: IdMap, target: IdMap) -> bool:
        """Tell whether these are the maps, and nothing came or was forgotten since."""
        sizes = len(self.table), self.size
        return self.grew_to(source, target) and sizes == (len(source), len(target))

    def grew_to(self, source: IdMap, target: IdMap) -> bool:
        """Tell whether these are the maps, and nothing was forgotten since."""
        same = source is self.source and target is self.target
        return same and source.era is self.eras[0] and target.era is self.eras[1]

    @classmethod
    def of(cls, source: IdMap, target: IdMap, before: _Known | None) -> _Known:
        """Look up what is new, and what was not to be found before."""
        size, ids = len(target), source.ids
        table = np.full(len(ids), UNKNOWN, np.int32)
        if before is not None and before.grew_to(source, target):
            table[: len(before.table)] = before.table
        missing = np.flatnonzero(table == UNKNOWN)
        table[missing] = target.indices(ids[missing])
        return cls(table, source, target, (source.era, target.era), size)
