"""CSV and JSON lines by pieces: rows that stay are written with the bytes that they had."""

from __future__ import annotations

import codecs
import gzip
import io
from abc import abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import IO, Any, NamedTuple, cast

import numpy as np
import pandas as pd

from recopersona.events.files.csv_file import examined
from recopersona.events.files.csv_records import CsvRecord, csv_records
from recopersona.events.files.finding import is_compressed, opened
from recopersona.events.files.json_lines import JsonLines
from recopersona.events.schemas.records import json_of
from recopersona.operations.logs.pieces import (
    BESIDE,
    BROKEN,
    ROW,
    ROWS_OF_A_PIECE,
    Piece,
    PieceFile,
    WritesPieces,
)


class _Part(NamedTuple):
    kind: int
    raw: bytes
    said: dict[str, Any] | None = None


class _TextPieces(PieceFile):
    """A file of lines."""

    def pieces(self) -> Iterator[Piece]:
        with opened(self.file) as handle:
            parts = self._parts(handle)
            while some := list(islice(parts, ROWS_OF_A_PIECE)):
                said = [part.said for part in some if part.said is not None]
                kinds = np.array([part.kind for part in some], np.uint8)
                yield Piece(self._frame(said), kinds, [part.raw for part in some], said)

    @contextmanager
    def writer(self, unfinished: Path) -> Iterator[WritesPieces]:
        with _created(unfinished, is_compressed(self.file)) as handle:

            def write(piece: Piece, kept: Any) -> None:
                handle.writelines(piece.raw[place] for place in np.flatnonzero(kept).tolist())

            yield write

    @abstractmethod
    def _parts(self, handle: IO[bytes]) -> Iterator[_Part]: ...

    @abstractmethod
    def _frame(self, said: list[dict[str, Any]]) -> pd.DataFrame: ...


@contextmanager
def _created(unfinished: Path, compressed: bool) -> Iterator[IO[bytes]]:
    with unfinished.open("wb") as plain:
        if not compressed:
            yield plain
            return
        with gzip.GzipFile(filename="", mode="wb", fileobj=plain, mtime=0) as packed:
            yield cast(IO[bytes], packed)


class JsonPieces(_TextPieces):
    """JSON lines."""

    def names(self) -> list[str]:
        with opened(self.file) as handle:
            said = (part.said for part in self._parts(handle) if part.said is not None)
            return list(dict.fromkeys(name for row in said for name in row))

    def _parts(self, handle: IO[bytes]) -> Iterator[_Part]:
        for line in handle:
            if not line.strip():
                yield _Part(BESIDE, line)
                continue
            try:
                value = json_of(line)
            except (ValueError, RecursionError):
                value = None
            yield _Part(ROW, line, value) if isinstance(value, dict) else _Part(BROKEN, line)

    def _frame(self, said: list[dict[str, Any]]) -> pd.DataFrame:
        kind = JsonLines(strict=False)
        return kind.frame([said], kind.traits(said), ())


class CsvPieces(_TextPieces):
    """Comma-separated values; a record whose quotes hold line ends is one row."""

    def __init__(self, file: Path) -> None:
        super().__init__(file)
        self._names: list[str] = []

    def names(self) -> list[str]:
        with opened(self.file) as handle:
            next((part for part in self._parts(handle) if self._names), None)
        return self._names

    def _parts(self, handle: IO[bytes]) -> Iterator[_Part]:
        self._names = []
        for record in csv_records(_lines(handle, examined(self.file).encoding)):
            raw = b"".join(cast(_Line, line).raw for line in record.lines)
            yield self._part(record, raw)

    def _part(self, record: CsvRecord, raw: bytes) -> _Part:
        cells = record.cells
        if cells is None or any("\0" in cell for cell in cells):
            return _Part(BROKEN, raw)
        if not cells:
            return _Part(BESIDE, raw)
        if not self._names:
            self._names = [name.removeprefix("\ufeff") for name in cells]
            return _Part(BESIDE, raw)
        if len(cells) > len(self._names):
            return _Part(BROKEN, raw)
        filled = [cell or None for cell in cells] + [None] * (len(self._names) - len(cells))
        return _Part(ROW, raw, dict(zip(self._names, filled, strict=True)))

    def _frame(self, said: list[dict[str, Any]]) -> pd.DataFrame:
        columns = {
            name: pd.Series([row[name] for row in said], dtype="str") for name in self._names
        }
        return pd.DataFrame(columns, index=range(len(said)))


class _Line(str):
    """A line of text that knows its bytes."""

    __slots__ = ("raw",)
    raw: bytes


def _lines(handle: IO[bytes], encoding: str) -> Iterator[_Line]:
    """Read lines as text, as they are read elsewhere, each with its bytes."""
    if encoding == "utf-16":
        yield from _wide_lines(handle)
        return
    for block in handle:
        for raw in block.splitlines(keepends=True):  # a bare \r ends lines, too
            yield _line(raw.decode(encoding, "replace"), raw)


def _wide_lines(handle: IO[bytes]) -> Iterator[_Line]:
    mark = handle.read(2)
    encoding = "utf-16-le" if mark == codecs.BOM_UTF16_LE else "utf-16-be"
    text = io.TextIOWrapper(handle, encoding, errors="surrogatepass", newline="")
    try:
        for line in text:
            yield _line(line, mark + line.encode(encoding, "surrogatepass"))
            mark = b""
    finally:
        text.detach()  # who opened the file closes it


def _line(text: str, raw: bytes) -> _Line:
    line = _Line(text)
    line.raw = raw
    return line
