"""Answers that the catalogue alone decides: one bit per item and question, kept up to date."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from recopersona.data.types import Array, Indices, Mask
from recopersona.rules.conditions.asked import Asked

ALL = slice(None)

Answer: TypeAlias = Callable[[Any, Asked], Any]
"""A question to items: ``answer(rows, asked)`` is a mask, or one bool for all."""


@dataclass(frozen=True, slots=True, eq=False)
class Question:
    """Something to ask of items, and the columns that the answer is read from."""

    answer: Answer
    reads: frozenset[str]


class Bitmaps:
    """The answers of a whole catalogue to some questions, packed, and how many are yes.

    Memory: one bit per item and question, ``n_items * n_questions / 8`` bytes, and up to half as
    much again while the catalogue grows, since room is made for more than one new item at a time.

    An update writes single bytes in place: who reads meanwhile sees an item as it was or as it is.

    Parameters
    ----------
    questions : sequence of Question
        What they ask must not depend on a request.
    n_items : int

    Attributes
    ----------
    counts : tuple of int
        Per question, how many items say yes.

    Examples
    --------
    >>> stock = np.array([3, 0, 5])
    >>> bitmaps = Bitmaps([Question(lambda rows, asked: stock[rows] > 0, frozenset(["stock"]))], 3)
    >>> bitmaps.all_of([0]), bitmaps.counts
    (array([ True, False,  True]), (2,))
    >>> stock[1] = 9
    >>> bitmaps.items_changed(np.array([1], np.int32), {"stock"}), bitmaps.counts
    (1, (3,))
    """

    def __init__(self, questions: Sequence[Question], n_items: int) -> None:
        self._questions = tuple(questions)
        self._bits = np.zeros((len(self._questions), bytes_for(n_items)), np.uint8)
        self.n_items = n_items
        self.counts: tuple[int, ...] = ()
        nobody, counts = Asked(), []
        for line, question in zip(self._bits, self._questions, strict=True):
            mask = as_mask(question.answer(ALL, nobody), n_items)
            line[:] = np.packbits(mask)
            counts.append(int(np.count_nonzero(mask)))
        self.counts = tuple(counts)

    def all_of(self, places: Sequence[int], more: Sequence[Array] = ()) -> Mask:
        """Return the items to which all of some questions are answered with yes, bool (n_items,).

        places  numbers of questions
        more    other packed answers, uint8 (at least ceil(n_items / 8),)
        """
        size = bytes_for(self.n_items)
        lines = [self._bits[place, :size] for place in places]
        lines += [line[:size] for line in more]
        if not lines:
            return np.ones(self.n_items, np.bool_)
        both = lines[0]
        if len(lines) > 1:
            both = lines[0] & lines[1]
            for line in lines[2:]:
                both &= line
        return unpacked(both, self.n_items)

    def items_changed(self, rows: Indices, names: set[str]) -> int:
        """Ask some items again, where a column of these names is read.

        Returns
        -------
        The questions to which some answer changed, as bits of one number.
        """
        changed = 0
        known = rows if len(rows) == 1 and rows[0] < self.n_items else rows[rows < self.n_items]
        nobody = Asked()
        counts = None
        for place, question in enumerate(self._questions):
            if question.reads.isdisjoint(names) or not len(known):
                continue
            answers = as_mask(question.answer(known, nobody), len(known))
            more = put(self._bits[place], known, answers)
            if more is not None:
                counts = list(self.counts) if counts is None else counts
                counts[place] += more
                changed |= 1 << place
        if counts is not None:
            self.counts = tuple(counts)
        return changed

    def grow(self, n_items: int) -> None:
        """Ask new items, those behind the ones known so far."""
        fresh = np.arange(self.n_items, n_items, dtype=np.int32)
        self._bits = roomier(self._bits, n_items)
        nobody, counts = Asked(), list(self.counts)
        for place, question in enumerate(self._questions):
            answers = as_mask(question.answer(fresh, nobody), len(fresh))
            counts[place] += put(self._bits[place], fresh, answers) or 0
        self.counts, self.n_items = tuple(counts), n_items


def bytes_for(n_items: int) -> int:
    """How many bytes hold one bit per item."""
    return (n_items + 7) >> 3


def as_mask(answer: Any, n: int) -> Mask:
    """Return an answer as a mask, where one was given for all."""
    return answer if isinstance(answer, np.ndarray) else np.full(n, bool(answer), np.bool_)


def unpacked(line: Array, n_items: int) -> Mask:
    """Return packed answers as a mask of their own, bool (n_items,)."""
    return np.unpackbits(line, count=n_items).view(np.bool_)


def roomier(bits: Array, n_items: int) -> Array:
    """Return packed answers with room for so many items, and for half as many again if it grew."""
    needed, room = bytes_for(n_items), bits.shape[-1]
    if needed <= room:
        return bits
    grown = np.zeros((*bits.shape[:-1], max(needed, room + (room >> 1) + 8)), np.uint8)
    grown[..., :room] = bits
    return grown


def put(line: Array, rows: Indices, answers: Mask) -> int | None:
    """Write the answers of some items; return how many more are yes, None if nothing changed."""
    if len(rows) == 1:  # by far the most common: one item changed
        row = int(rows[0])
        byte, bit, yes = int(line[row >> 3]), 128 >> (row & 7), bool(answers[0])
        if bool(byte & bit) == yes:
            return None
        line[row >> 3] = byte ^ bit
        return 1 if yes else -1
    before = (line[rows >> 3] << (rows & 7) & 128) != 0
    flipped, at = np.unique(rows[before != answers], return_index=True)
    if not len(flipped):
        return None
    np.bitwise_xor.at(line, flipped >> 3, (128 >> (flipped & 7)).astype(np.uint8))
    yes = answers[before != answers][at]
    return 2 * int(np.count_nonzero(yes)) - len(yes)
