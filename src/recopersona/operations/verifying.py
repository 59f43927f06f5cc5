"""What is left of a person after an erasure: every holder is asked, every file is searched."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from recopersona.operations.holders import Holder, LogHolder
from recopersona.operations.needles import stands_out
from recopersona.operations.person import Person
from recopersona.operations.traces import find_traces


def left_of(person: Person, holders: Sequence[Holder], searched: Iterable[Path]) -> list[str]:
    """Say where something is left; identifiers that others have, too, may stay.

    Identifiers that do not stand out among bytes are looked for in the columns of logs, and what
    models hold is asked of each.
    """
    stays = shared_by(holders)
    found = [
        f"{holder.name}: still holds something" for holder in holders
        if not isinstance(holder, LogHolder) and holder.held_of(person)
    ]  # fmt: skip
    hers = [text for text in person.needles.texts if text not in stays]
    paths = [path for holder in holders for path in holder.paths()]
    if paths or (searched := list(searched)):
        traces = find_traces([*paths, *searched], hers)
        found += [f"{trace.path}: {trace.where}" for trace in traces]
    if not all(map(stands_out, hers)):
        logs = (holder for holder in holders if isinstance(holder, LogHolder))
        found += [f"{log.name}: {n} rows" for log in logs if (n := len(log.held_of(person)))]
    return found


def shared_by(holders: Iterable[Holder]) -> frozenset[str]:
    """Return the identifiers that rows of others name, too."""
    logs = (holder for holder in holders if isinstance(holder, LogHolder))
    return frozenset(name for log in logs for name in log.removed.names)
