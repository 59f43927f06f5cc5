"""Answers that depend on the catalogue and on the moment, kept while time passes."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from recopersona.data.feature_table import FeatureTable
from recopersona.data.types import Array, Indices
from recopersona.rules.binding.bitmaps import ALL, Question, as_mask, put, roomier
from recopersona.rules.binding.crossings import Calendar, Crossing, moments, quiet_around
from recopersona.rules.conditions.asked import Asked


class _Book:
    """A calendar, and the items that changed since it was written.

    n_items   how many it knows; later ones are new
    changed   items to ask again, one array for each change
    moved     those of them whose moments may be others now
    """

    def __init__(self, calendar: Calendar, n_items: int) -> None:
        self.calendar, self.n_items = calendar, n_items
        self.changed: list[Indices] = []
        self.moved: list[Indices] = []


@dataclass(frozen=True, slots=True, eq=False)
class Still:
    """Answers that hold from one moment to another; never changed, but replaced.

    number    no other has this one
    now       a moment within, None where time is unknown
    bits      packed answers, uint8 (at least ceil(n_items / 8),)
    count     how many are yes
    book      what they were made by, and how many of its changes are in
    """

    now: int | None
    start: int
    end: int
    bits: Array
    count: int
    n_items: int
    book: _Book
    absorbed: int
    number: int = field(default_factory=itertools.count().__next__)


class TimedBitmap:
    """A catalogue's answers to one question about time.

    They are kept for one stretch of time in which nothing changes. Asked about another moment,
    only items that crossed a threshold in between are asked again, and those that are new or have
    changed. So it is quick where time moves little from request to request, forth or back.

    Memory: one bit per item, and 12 bytes per item and comparison with time.

    Readers on several threads may follow each other in any order: what each gets is complete.

    Parameters
    ----------
    question : Question
    crossings : sequence of Crossing, or None
        Where answers change as time passes; None where that is not known: then they are kept for
        one moment only.
    items : FeatureTable
    """

    def __init__(
        self, question: Question, crossings: tuple[Crossing, ...] | None, items: FeatureTable
    ) -> None:
        self._question, self._crossings, self._items = question, crossings, items
        self._times = {name for one in crossings or () for name, _ in one.columns}
        self._book = self._fresh_book()
        self._still: Still | None = None

    def at(self, now: int | None) -> Still:
        """Return the answers at a moment."""
        still, book = self._still, self._book
        if still is not None and still.book is not book:
            still = None
        if (
            still is not None
            and still.n_items == len(self._items)
            and still.absorbed == len(book.changed)
            and (now == still.now or (now is not None and still.start <= now <= still.end))
        ):
            return still
        self._still = still = self._made(now, still, book)
        return still

    def items_changed(self, rows: Indices, names: set[str]) -> None:
        """Note that some items have to be asked again."""
        if self._question.reads.isdisjoint(names):
            return
        if self._crossings is None or len(self._book.changed) > _UNASKED:
            self._book = self._fresh_book()
            return
        if not self._times.isdisjoint(names):
            self._book.moved.append(rows)
        self._book.changed.append(rows)

    def _made(self, now: int | None, before: Still | None, book: _Book) -> Still:
        n_items, absorbed = len(self._items), len(book.changed)
        if now is None or self._crossings is None:
            return self._asked_of_all(now, n_items, (1, 0), book, absorbed)
        loose = _together([*book.moved, np.arange(book.n_items, n_items, dtype=np.int32)])
        times, rows = moments(self._crossings, self._items, loose)
        quiet = quiet_around(now, [book.calendar.times, np.sort(times)])
        again = None
        if before is not None and before.now is not None:
            crossed = book.calendar.between(before.now, now)
            again = _together([crossed, loose, *book.changed[before.absorbed : absorbed]])
        if absorbed > _MANY or len(loose) > max(_MANY, n_items >> 8):
            book, absorbed = self._with_more(book, times, rows), 0
            self._book = book
        if before is not None and again is not None and len(again) <= n_items >> 3:
            return self._asked_of_some(now, before, again, n_items, quiet, book, absorbed)
        return self._asked_of_all(now, n_items, quiet, book, absorbed)

    def _with_more(self, book: _Book, times: Array, rows: Indices) -> _Book:
        """Write the items that changed into the calendar."""
        calendar = book.calendar.with_more(times, rows) if len(times) else book.calendar
        n_comparisons = len(self._crossings or ())
        if len(calendar.times) > 2 * n_comparisons * len(self._items) + _MANY:
            return self._fresh_book()  # most of its entries are out of date
        return _Book(calendar, len(self._items))

    def _fresh_book(self) -> _Book:
        n_items = len(self._items)
        everything = np.arange(n_items, dtype=np.int32)
        return _Book(Calendar.of(self._crossings or (), self._items, everything), n_items)

    def _asked_of_all(
        self, now: int | None, n_items: int, quiet: tuple[int, int], book: _Book, absorbed: int
    ) -> Still:
        mask = as_mask(self._question.answer(ALL, Asked(now=now)), n_items)
        count = int(np.count_nonzero(mask))
        return Still(now, *quiet, np.packbits(mask), count, n_items, book, absorbed)

    def _asked_of_some(
        self,
        now: int,
        before: Still,
        rows: Indices,
        n_items: int,
        quiet: tuple[int, int],
        book: _Book,
        absorbed: int,
    ) -> Still:
        bits, count = before.bits, before.count
        if len(rows):
            bits = roomier(before.bits, n_items)
            bits = bits.copy() if bits is before.bits else bits
            answers = as_mask(self._question.answer(rows, Asked(now=now)), len(rows))
            count += put(bits, rows, answers) or 0
        return Still(now, *quiet, bits, count, n_items, book, absorbed)


def _together(arrays: Sequence[Indices]) -> Indices:
    """Return all of some items, each once."""
    some = [rows for rows in arrays if len(rows)]
    if not some:
        return np.empty(0, np.int32)
    found: Indices = np.unique(np.concatenate(some))
    return found


_MANY = 256
"""Changes that are looked through at every turn before they are written into the calendar."""

_UNASKED = 20_000
"""Changes that are remembered while nobody asks; with more, all are asked anew."""
