"""What goes because it is old: rows of logs, links, decisions, records."""

from __future__ import annotations

from typing import Any

import numpy as np

from recopersona.base.artifact import alone_with, load, remove_leftovers, save
from recopersona.data.times import MISSING_TIME
from recopersona.operations.holders import (
    ConsentHolder,
    Holder,
    IdentityHolder,
    LiveHolder,
    LogHolder,
    SavedHolder,
)


class Aged:
    """What a holder let go: how much, how much of it says no time, and whether to fit anew."""

    def __init__(self, removed: int, timeless: int = 0, learned_older: bool = False) -> None:
        self.removed, self.timeless, self.learned_older = removed, timeless, learned_older


def let_go(holder: Holder, before: int) -> Aged:
    """Let a holder drop what happened before a moment, in milliseconds."""
    if isinstance(holder, LogHolder):
        told = holder.file.remove_older(before)
        return Aged(told.rows, told.timeless)
    if isinstance(holder, SavedHolder):
        return _saved(holder, before)
    if isinstance(holder, LiveHolder):
        return _dropped(holder.held, before)
    if isinstance(holder, IdentityHolder):
        return _dropped(holder.graph, before)
    if isinstance(holder, ConsentHolder):
        return _dropped(holder.ledger, before)
    raise TypeError(type(holder).__name__)


def _saved(holder: SavedHolder, before: int) -> Aged:
    with alone_with(holder.folder):
        model = load(holder.folder, functions=holder.functions)
        told = _dropped(model, before)
        if told.removed:
            save(model, holder.folder)
        remove_leftovers(holder.folder)
    return told


def _dropped(held: Any, before: int) -> Aged:
    """Ask for what can be dropped by its age; what was learned of older events is only told."""
    drop = getattr(held, "forget_before", None)
    n_removed = int(drop(before)) if callable(drop) else 0
    return Aged(n_removed, learned_older=oldest_event(held) < before)


def oldest_event(held: Any) -> int:
    """Return when the oldest event happened that a model remembers, in milliseconds."""
    past = getattr(held, "past_", None)
    times = past.arrays()["event_times"] if past is not None else np.empty(0, np.int64)
    known = times[times != MISSING_TIME]
    return int(known.min()) if len(known) else 2**62
