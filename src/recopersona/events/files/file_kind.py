"""What a kind of log file can do: be read in pieces whose columns have one type throughout."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import ClassVar, Generic, TypeVar

import pandas as pd

from recopersona.events.read_report import ReadReport

Raw = TypeVar("Raw")

Traits = dict[str, set[str]]
"""What was seen of every column, in words of the kind of file; of two pieces it is the union."""


class FileKind(ABC, Generic[Raw]):
    """One kind of log file; an object serves one reading of some files.

    Of a strict one, the first broken row raises; of others, broken rows go to the report.

    A column has one type in all pieces, however long they are: what is seen of its values in all of
    them (`survey`) decides, not what one piece holds.
    """

    absent: ClassVar[str] = "missing"
    """The trait of a column that a piece lacks."""

    def __init__(self, strict: bool) -> None:
        self.strict = strict

    @abstractmethod
    def pieces(self, file: Path, n_rows: int | None, report: ReadReport) -> Iterator[Raw]:
        """Read a file by pieces of so many rows, or as one.

        The report counts them, and takes those that are broken.
        """

    @abstractmethod
    def traits(self, raw: Raw) -> Traits:
        """Say what a piece shows of its columns; every column is named."""

    @abstractmethod
    def frame(self, raws: list[Raw], traits: Traits, ids: Collection[str]) -> pd.DataFrame:
        """Make a frame of pieces; the columns named in `ids` hold ids, never amounts."""

    @abstractmethod
    def bytes_in_memory(self, file: Path) -> float:
        """Return about how much memory the rows of a file take at least."""

    def survey(self, files: Iterable[Path], n_rows: int) -> Traits:
        """Read all files once, for their traits."""
        found: Traits = {}
        for file in files:
            for raw in self.pieces(file, n_rows, ReadReport()):
                self.merge(found, self.traits(raw))
        return found

    def merge(self, found: Traits, more: Traits) -> None:
        """Add what was seen in another piece."""
        lacking = set(found) ^ set(more) if found else set()
        for name, seen in more.items():
            found.setdefault(name, set()).update(seen)
        for name in lacking:
            found[name].add(self.absent)
