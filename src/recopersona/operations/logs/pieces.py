"""A log file piece by piece: what its rows say, and the very bytes in which they are written."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pandas as pd

from recopersona.data.types import Array, Mask

BESIDE, ROW, BROKEN = 0, 1, 2
"""What a part of a file is: a header, a gap or rows passed over, a row that can be read, one that
cannot."""

if TYPE_CHECKING:
    from recopersona.operations.logs.suspects import Suspects
    from recopersona.operations.needles import Needles

ROWS_OF_A_PIECE = 20_000


@dataclass
class Piece:
    """Some rows of a log, in its own words, and where they stand.

    frame   the rows that can be read, 0, 1, … in order
    kinds   uint8 (n_parts,): `BESIDE`, `ROW` or `BROKEN`
    raw     what is written again: the bytes of every part, or a table of rows
    """

    frame: pd.DataFrame
    kinds: Array
    raw: Any
    said: list[dict[str, Any]] = field(default_factory=list)

    def parts(self, rows: Mask) -> Mask:
        """Tell the parts that some rows are."""
        told = np.zeros(len(self.kinds), np.bool_)
        told[self.kinds == ROW] = rows
        return told

    def records(self, rows: Mask) -> list[dict[str, Any]]:
        """Return some rows as they were written, by name."""
        if not self.said:
            picked: list[dict[str, Any]] = self.raw.filter(self.parts(rows)).to_pylist()
            return picked
        return [self.said[row] for row in np.flatnonzero(rows).tolist()]

    def bytes_of(self, place: int) -> bytes:
        """Return a part as it is written; a row of a table as JSON."""
        if isinstance(self.raw, list):
            written: bytes = self.raw[place]
            return written
        row = self.raw.slice(place, 1).to_pylist()[0]
        return json.dumps(row, default=str, ensure_ascii=False).encode("utf-8", "surrogatepass")


class WritesPieces(Protocol):
    """Takes pieces, and writes the parts of them that are to be kept."""

    def __call__(self, piece: Piece, kept: Mask, /) -> None: ...


class PieceFile(ABC):
    """One kind of log file, read and written by pieces; `kept` is a truth value per part."""

    def __init__(self, file: Path) -> None:
        self.file = file

    @abstractmethod
    def names(self) -> list[str]:
        """Return the columns of all rows."""

    @abstractmethod
    def suspects(self, needles: Needles) -> Suspects | None:
        """Return what tells the rows that may name somebody; None where every row is to be read."""

    @abstractmethod
    def has_any(self, suspects: Suspects) -> bool:
        """Tell whether any row is suspect."""

    @abstractmethod
    def pieces(self, suspects: Suspects | None = None) -> Iterator[Piece]:
        """Read all rows, or suspects alone and pass over the rest; memory is that of a piece."""

    @abstractmethod
    def writer(self, unfinished: Path) -> AbstractContextManager[WritesPieces]:
        """Open a file to write to, of the same kind."""
