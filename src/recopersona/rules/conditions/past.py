"""``DID purchase WITHIN 90d``: what this visitor did with each item, as far as one can tell."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from recopersona.data.feature_table import FeatureTable
from recopersona.data.history import History, repeated
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

    Where the recent events of this kind cannot tell, because older ones may have been dropped or
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
        event, times, since = self.node.event, self.node.times, MISSING_TIME
        if self.within is None and times <= 1:
            return _Told(past.seen(user, [event]), _NONE)
        if self.within is not None:
            if now is None:
                return _Told(_NONE, past.seen(user, [event]))
            since = max(now - self.within, since)
        items, when = past.recent_of(user, event)
        counts = np.ones(len(items), np.bool_)
        if self.within is not None:  # what has no time is never within
            counts = (when > since) & (when <= now)
        done = repeated(items[counts], times)
        if len(items) >= past.limit and (since == MISSING_TIME or _later(when[0], since)):
            perhaps = past.seen(user, [event])  # some may have been dropped to make room
        elif self.within is not None and (untimed := when == MISSING_TIME).any():
            perhaps = repeated(items[counts | untimed], times)
        else:
            return _Told(done, _NONE)
        return _Told(done, np.setdiff1d(perhaps, done, assume_unique=True))


def perhaps_done(deed: Did, asked: Asked) -> Indices:
    """Return the items with which it is unknown whether it was done; none if nobody asked yet."""
    told: _Told = asked.kept.get(deed, _NOTHING)
    return told.perhaps


def _later(time: int, since: int) -> bool:
    """Tell whether something happened after a moment, or may have."""
    return bool(time == MISSING_TIME or time > since)
