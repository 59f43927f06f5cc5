"""``DID purchase WITHIN 90d``: what this visitor did with each item, as far as one can tell."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from recopersona.data.event import event_code
from recopersona.data.feature_table import FeatureTable
from recopersona.data.history import History
from recopersona.data.times import MISSING_TIME
from recopersona.data.types import Indices, Mask
from recopersona.rules.calendar import duration_of
from recopersona.rules.conditions.asked import Asked, Tables
from recopersona.rules.conditions.labels import members
from recopersona.rules.conditions.logic import Condition
from recopersona.rules.conditions.operands import Needs, Rows
from recopersona.rules.nodes import Did


class _Told(NamedTuple):
    """What a history tells: the items with which it was done, and with which it may have been."""

    done: Indices
    perhaps: Indices


_NONE = np.empty(0, np.int32)
_NOTHING = _Told(_NONE, _NONE)


class HasDone(Condition):
    """Whether this visitor did something with an item; nobody known did nothing.

    Where the recent events of a history cannot tell, because older ones may have been dropped or
    have no time, it is unknown for the items with which it was done at some time.
    """

    def __init__(self, node: Did, tables: Tables) -> None:
        super().__init__(Needs(per_item=True, request=True, now=node.within is not None))
        self.items: FeatureTable = tables.items
        self.node = node
        self.within = None if node.within is None else math.ceil(duration_of(node.within))

    def true(self, rows: Rows, asked: Asked) -> Mask:
        return self._among(self._told(asked).done, rows)

    def false(self, rows: Rows, asked: Asked) -> Mask:
        told = self._told(asked)
        either = np.concatenate((told.done, told.perhaps)) if len(told.perhaps) else told.done
        mask = self._among(either, rows)
        return np.logical_not(mask, out=mask)

    def _among(self, found: Indices, rows: Rows) -> Mask:
        if not isinstance(rows, slice):
            return members(rows, found, len(self.items.ids))
        mask = np.zeros(len(self.items.ids), np.bool_)
        mask[found[found < len(mask)]] = True
        return mask

    def _told(self, asked: Asked) -> _Told:
        if self.node in asked.kept:
            told: _Told = asked.kept[self.node]
            return told
        told = asked.kept[self.node] = self._ask(asked.past, asked.user, asked.now)
        return told

    def _ask(self, past: History | None, user: int, now: int | None) -> _Told:
        if past is None or user < 0:
            return _NOTHING
        event, times, within = self.node.event, self.node.times, self.within
        if within is None and times <= 1:
            return _Told(past.did(user, event), _NONE)
        if within is None:
            done = past.did(user, event, at_least=times)
        elif now is None:
            return _Told(_NONE, past.did(user, event))
        else:
            within = min(within, now - MISSING_TIME - 1)  # what has no time is never within
            done = past.did(user, event, within=within, now=now, at_least=times)
        perhaps = self._perhaps(past, user, now)
        if not len(perhaps):  # as nearly always: and a difference of sets takes its time
            return _Told(done, _NONE)
        return _Told(done, np.setdiff1d(perhaps, done, assume_unique=True))

    def _perhaps(self, past: History, user: int, now: int | None) -> Indices:
        """Return the items of which the recent events cannot tell, and maybe some of the others."""
        recent = past.recent(user)
        if len(recent.items) >= past.limit and self._may_be_cut(recent.timestamps[0], now):
            return past.did(user, self.node.event)
        if self.within is None or now is None:
            return _NONE
        counts = recent.events == event_code(self.node.event)
        untimed = counts & (recent.timestamps == MISSING_TIME)
        if not untimed.any():
            return _NONE
        in_time = (recent.timestamps > now - self.within) & (recent.timestamps <= now)
        items, times = np.unique(recent.items[untimed | (counts & in_time)], return_counts=True)
        often: Indices = items[times >= self.node.times]
        return often

    def _may_be_cut(self, oldest: int, now: int | None) -> bool:
        """Tell whether events that count may have been dropped to make room for later ones."""
        if self.within is None or now is None or oldest == MISSING_TIME:
            return True
        return bool(oldest > now - self.within)
