"""Rows that repeat an earlier one: found by their hashes, and then compared value by value."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from recopersona.data.event import EVENT_TYPES
from recopersona.data.types import Array, Mask
from recopersona.events.examination import Examination
from recopersona.events.hashing import CONTENT_COLUMNS, add_values, hashed, named_hashes
from recopersona.events.identifiers import Hashed, value_hash, words_of
from recopersona.kernels.hashing import number_hashes, remember_hashes

_SIEVE_BITS = 22


class Memory:
    """The hashes of all events that were let in so far, and of what was in them.

    Two numbers per event, in a table that is at most half full: 32 to 64 bytes per event.
    """

    def __init__(self) -> None:
        self.keys = np.zeros(1 << 10, dtype=np.uint64)
        self.contents = np.zeros(1 << 10, dtype=np.uint64)
        self.held = 0

    def __len__(self) -> int:
        return self.held

    def meet(self, hashes: Array, bodies: Array) -> Array:
        """Return 0 for what is new, 1 for what is known, 2 for the known with another body."""
        self._make_room(len(hashes))
        found = np.empty(len(hashes), dtype=np.uint8)
        self.held += remember_hashes(found, self.keys, self.contents, hashes, bodies)
        return found

    def _make_room(self, n: int) -> None:
        if 2 * (self.held + n) <= len(self.keys):
            return
        there = self.keys != 0
        keys, contents = self.keys[there], self.contents[there]
        slots = 1 << int(2 * (self.held + n)).bit_length()
        self.keys, self.contents = (np.zeros(slots, dtype=np.uint64) for _ in range(2))
        found = np.empty(len(keys), dtype=np.uint8)
        remember_hashes(found, self.keys, self.contents, keys, contents)


def examine_repeats(log: Examination, memory: Memory | None = None) -> None:
    """Quarantine repeats of rows that are accepted so far, here or in an earlier part of the log.

    Of the rows of one event the first stays. One that has its ``event_id`` and says something else
    is told from a mere repeat.
    """
    rows = log.accepted_rows()
    named = np.zeros(len(rows), dtype=np.bool_)
    if "event_id" in log.ids:
        named = ~log.ids["event_id"].nothing()[rows]
    if not named.all() and log.microseconds is None:
        rows, named = rows[named], named[named]  # the others cannot be told apart
    if not len(rows):
        return
    bodies = None if memory is None and named.all() else _bodies(log)
    hashes = _names(log, rows, named, bodies)
    copies, others = _copies(log, rows, hashes, named)
    log.quarantine("conflicting_id", others)
    log.quarantine("duplicate", copies)
    if memory is not None and bodies is not None:
        _compare_with(memory, log, rows, hashes, bodies)


def _compare_with(
    memory: Memory, log: Examination, rows: Array, hashes: Array, bodies: Array
) -> None:
    new = log.reason[rows] < 0
    rows, hashes = rows[new], hashes[new]
    found = memory.meet(hashes, bodies[rows])
    for reason, verdict in (("duplicate", 1), ("conflicting_id", 2)):
        mask = np.zeros(len(log.reason), dtype=np.bool_)
        mask[rows[found == verdict]] = True
        log.quarantine(reason, mask)


def _names(log: Examination, rows: Array, named: Mask, bodies: Array | None) -> Array:
    """Return what names each row: the hash of its id, else that of its contents."""
    if bodies is None:
        return named_hashes(log.ids["event_id"])[rows]
    if not named.any():
        return bodies[rows]
    return np.where(named, named_hashes(log.ids["event_id"])[rows], bodies[rows])


def _bodies(log: Examination) -> Array:
    """Return the hash of each row's contents."""
    totals = np.zeros(len(log.reason), dtype=np.uint64)
    for name in CONTENT_COLUMNS:
        if name in log or name == "event":
            add_values(totals, name, _hashed(log, name))
    return totals


def _hashed(log: Examination, name: str) -> Hashed:
    if name == "event":
        table = np.array([value_hash(kind) for kind in EVENT_TYPES], dtype=np.uint64)
        nothing = np.zeros(len(log.kinds), dtype=np.uint8)
        return Hashed(table[log.kinds], nothing, nothing)
    if name in log.ids:
        return log.ids[name]
    if name == "timestamp":
        return Hashed.of(pd.Series(log.microseconds))
    if name in log.numbers:
        return Hashed.of(pd.Series(log.numbers[name]))
    return hashed(log.column(name))


def _copies(log: Examination, rows: Array, hashes: Array, named: Mask) -> tuple[Mask, Mask]:
    """Tell the rows that repeat an earlier one, and those that only have its id."""
    copies, others = (np.zeros(len(log.reason), dtype=np.bool_) for _ in range(2))
    places, first = _later_ones(hashes)
    if not len(places):
        return copies, others
    later, earlier, by_id = rows[places], rows[first], named[places]
    alike = by_id == named[first]
    for name in CONTENT_COLUMNS:
        if name in log:
            alike &= _equal(_compared(log, name), later, earlier)
    if by_id.any():
        same_id = _equal(log.column("event_id"), later, earlier)
        same_id &= named[first]
        others[later[by_id & same_id & ~alike]] = True
        alike &= same_id | ~by_id
    copies[later[alike]] = True
    strange = later[~alike & ~others[later]]
    if len(strange):  # two events share a hash: once in the life of many logs
        _look_again(log, rows[np.isin(hashes, hashes[np.isin(rows, strange)])], copies, others)
    return copies, others


def _later_ones(hashes: Array) -> tuple[Array, Array]:
    """Return the places of hashes that were there before, and the first place of each."""
    ordered = np.sort(hashes)
    twice = np.unique(ordered[1:][ordered[1:] == ordered[:-1]])
    shift = np.uint64(64 - _SIEVE_BITS)
    sieve = np.zeros(1 << _SIEVE_BITS, dtype=np.bool_)  # lets few pass but those that repeat
    sieve[twice >> shift] = True
    places = np.flatnonzero(sieve[hashes >> shift])
    places = places[np.isin(hashes[places], twice)]
    suspects = np.ascontiguousarray(hashes[places])
    codes, firsts = (np.empty(len(places), dtype=np.int32) for _ in range(2))
    number_hashes(codes, firsts, np.zeros(1 << len(places).bit_length(), np.int32), suspects)
    first = places[firsts[codes]]
    later = first != places
    return places[later], first[later]


def _compared(log: Examination, name: str) -> Any:
    if name == "timestamp":
        return pd.Series(log.microseconds)
    return pd.Series(log.numbers[name]) if name in log.numbers else log.column(name)


def _equal(column: pd.Series, left: Array, right: Array) -> Mask:
    """Tell where a column says the same in two rows; nothing is the same as nothing."""
    a, b = column.take(left).array, column.take(right).array
    gap_a, gap_b = pd.isna(a), pd.isna(b)
    if column.dtype == object:
        pairs = zip(a, b, strict=True)
        same = np.fromiter((_are_equal(x, y) for x, y in pairs), np.bool_, count=len(a))
    else:
        same = np.asarray(pd.Series(a == b).fillna(False), dtype=np.bool_)
    equal: Mask = np.where(gap_a | gap_b, gap_a & gap_b, same)
    return equal


def _are_equal(one: Any, other: Any) -> bool:
    try:
        return bool(one == other)
    except (TypeError, ValueError):
        return words_of(one) == words_of(other)


def _look_again(log: Examination, rows: Array, copies: Mask, others: Mask) -> None:
    """Compare whole rows, for those whose hashes say too little."""
    whole = pd.DataFrame(
        {
            name: pd.factorize(_compared(log, name).take(rows).map(words_of))[0]
            for name in CONTENT_COLUMNS
            if name in log
        }
    )
    names = pd.Series("", index=range(len(rows)))
    if "event_id" in log.ids:
        has_name = ~log.ids["event_id"].nothing()[rows]
        names[has_name] = log.column("event_id").take(rows).map(words_of).array[has_name]
    named = names.ne("").to_numpy()
    repeats_name = names.duplicated().to_numpy() & named
    first_of = names.map({name: row for row, name in reversed(list(enumerate(names)))}).to_numpy()
    same_body = (whole.to_numpy() == whole.to_numpy()[first_of]).all(axis=1)
    unnamed_copy = np.zeros(len(rows), dtype=np.bool_)
    unnamed_copy[~named] = whole[~named].duplicated().to_numpy()
    copies[rows] = np.where(named, repeats_name & same_body, unnamed_copy)
    others[rows] = repeats_name & ~same_body
