"""CSV and JSON lines by pieces: rows that stay are written with the bytes that they had."""

from __future__ import annotations

import codecs
import gzip
import io
from abc import abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice, pairwise
from pathlib import Path
from typing import IO, Any, NamedTuple, cast

import numpy as np
import pandas as pd

from recopersona.data.types import Array
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
from recopersona.operations.logs.suspects import (
    Suspects,
    are_in,
    blocks_of,
    lines_of,
    suspects_in,
)
from recopersona.operations.needles import Needles


class _Part(NamedTuple):
    kind: int
    raw: bytes
    said: dict[str, Any] | None = None


class _TextPieces(PieceFile):
    """A file of lines."""

    def suspects(self, needles: Needles) -> Suspects | None:
        return suspects_in(self.file, needles)

    def has_any(self, suspects: Suspects) -> bool:
        return are_in(suspects, self.file)

    def pieces(self, suspects: Suspects | None = None) -> Iterator[Piece]:
        with opened(self.file) as handle:
            if suspects is None:
                parts = self._parts(handle)
                while some := list(islice(parts, ROWS_OF_A_PIECE)):
                    yield self._piece(some)
            else:
                yield from map(self._piece, self._passing_over(handle, suspects))

    def _passing_over(self, handle: IO[bytes], suspects: Suspects) -> Iterator[list[_Part]]:
        """Read the lines that are suspect, block by block; what lies between them is one part."""
        read = self._reader()
        for block in blocks_of(handle):
            bounds = lines_of(block)
            parts, done = [], 0
            for line in self._first_lines(block, bounds, read):
                parts.append(line)
                done += len(line.raw)
            for place in np.flatnonzero(suspects.among(block, bounds)).tolist():
                start, end = bounds[place : place + 2].tolist()
                if start >= done:
                    parts += [_Part(BESIDE, block[done:start])] * (start > done)
                    parts += [read(block[start:end])]
                    done = end
            yield [*parts, *[_Part(BESIDE, block[done:])] * (done < len(block))]

    def _piece(self, parts: list[_Part]) -> Piece:
        said = [part.said for part in parts if part.said is not None]
        kinds = np.array([part.kind for part in parts], np.uint8)
        return Piece(self._frame(said), kinds, [part.raw for part in parts], said)

    @contextmanager
    def writer(self, unfinished: Path) -> Iterator[WritesPieces]:
        with _created(unfinished, is_compressed(self.file)) as handle:

            def write(piece: Piece, kept: Any) -> None:
                handle.writelines(piece.raw[place] for place in np.flatnonzero(kept).tolist())

            yield write

    @abstractmethod
    def _parts(self, handle: IO[bytes]) -> Iterator[_Part]: ...

    @abstractmethod
    def _reader(self) -> Callable[[bytes], _Part]:
        """Return what reads a line that is a row of its own."""

    def _first_lines(
        self, block: bytes, bounds: Array, read: Callable[[bytes], _Part]
    ) -> Iterator[_Part]:
        """Read what must be read before any row."""
        return iter(())

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
        return map(_json_part, handle)

    def _reader(self) -> Callable[[bytes], _Part]:
        return _json_part

    def _frame(self, said: list[dict[str, Any]]) -> pd.DataFrame:
        kind = JsonLines(strict=False)
        return kind.frame([said], kind.traits(said), ())


def _json_part(line: bytes) -> _Part:
    if not line.strip():
        return _Part(BESIDE, line)
    try:
        value = json_of(line)
    except (ValueError, RecursionError):
        value = None
    return _Part(ROW, line, value) if isinstance(value, dict) else _Part(BROKEN, line)


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

    def _reader(self) -> Callable[[bytes], _Part]:
        self._names = []
        encoding = examined(self.file).encoding

        def read(raw: bytes) -> _Part:
            (record,) = csv_records(iter([raw.decode(encoding, "replace")]))
            return self._part(record, raw)

        return read

    def _first_lines(
        self, block: bytes, bounds: Array, read: Callable[[bytes], _Part]
    ) -> Iterator[_Part]:
        for start, end in pairwise(bounds.tolist()):
            if self._names:
                return
            yield read(block[start:end])

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
