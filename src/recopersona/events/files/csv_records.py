"""Records of comma-separated values, each with the lines that it was written in."""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterator
from typing import NamedTuple


class CsvRecord(NamedTuple):
    """One record: its cells, None where a quote is not closed; its lines as they came."""

    cells: list[str] | None
    lines: list[str]


def csv_records(lines: Iterator[str]) -> Iterator[CsvRecord]:
    """Read lines record by record; a record in quotes may be several lines, a broken one is one.

    Examples
    --------
    >>> records = list(csv_records(iter(['tea,"hot', 'or cold"', 'salt,"open'])))
    >>> [record.cells for record in records], len(records[0].lines)
    ([['tea', 'hotor cold'], None], 2)
    """
    feed = _Feed(lines)
    cells = csv.reader(feed, strict=True)
    while True:
        feed.taken = []
        try:
            record: list[str] | None = next(cells)
        except StopIteration:
            return
        except csv.Error:
            feed.give_back_all_but_the_first()
            cells = csv.reader(feed, strict=True)
            record = _alone(feed.taken[0])
        yield CsvRecord(record, feed.taken)


def _alone(line: str) -> list[str] | None:
    """Read a line with odd quotes as leniently as pandas, None where a quote is not closed."""
    feed = _Feed(iter([line]))
    try:
        record = next(csv.reader(feed))
    except csv.Error:
        return None
    return None if feed.has_ended else record


class _Feed:
    """Lines, of which those that were taken can be given back."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = lines
        self._returned: deque[str] = deque()
        self.taken: list[str] = []
        self.has_ended = False

    def __iter__(self) -> _Feed:
        return self

    def __next__(self) -> str:
        try:
            line = self._returned.popleft() if self._returned else next(self._lines)
        except StopIteration:
            self.has_ended = True
            raise
        self.taken.append(line)
        return line

    def give_back_all_but_the_first(self) -> None:
        self._returned.extendleft(reversed(self.taken[1:]))
        del self.taken[1:]
