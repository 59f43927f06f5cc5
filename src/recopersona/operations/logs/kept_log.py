"""The logs that a shop keeps on disk: one person's rows in them, and the files without them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from recopersona.data.times import MISSING_TIME
from recopersona.data.types import Mask
from recopersona.errors import ColumnError, DataError
from recopersona.events.files import find_files, what_lies_beside
from recopersona.events.files.replacing import (
    alone_in_replacing,
    appearing_when_complete,
    sweep_unfinished,
)
from recopersona.events.files.source import kind_of
from recopersona.events.schemas import Schema
from recopersona.operations.logs.parquet_pieces import ParquetPieces
from recopersona.operations.logs.pieces import BROKEN, ROW, Piece, PieceFile
from recopersona.operations.logs.suspects import Suspects
from recopersona.operations.logs.text_pieces import CsvPieces, JsonPieces
from recopersona.operations.logs.whose import LogWords, Said
from recopersona.operations.needles import Needles
from recopersona.operations.person import Person

_KINDS: dict[str, Callable[[Path], PieceFile]] = {
    ".csv": CsvPieces,
    ".jsonl": JsonPieces,
    ".ndjson": JsonPieces,
    ".parquet": ParquetPieces,
}


@dataclass(frozen=True)
class KeptLog:
    """Files of one log that a shop keeps: CSV, JSON lines or Parquet, ``.gz`` or not.

    Parameters
    ----------
    source : path or glob
    schema : str or Schema
        As in `read_events`. A table that fits no schema is searched by its columns alone.
    columns : mapping, optional
        What yours are called: our words, or kinds of identifiers, to your columns, such as
        ``{"email": "mail_hash"}``. Without it and without a schema, a file ``columns.json`` beside
        the log is taken, as in `read_events`.

    Examples
    --------
    >>> KeptLog("old/*.csv", columns={"user_id": "who"}).columns
    {'user_id': 'who'}
    """

    source: str | Path
    schema: str | Schema = "auto"
    columns: Mapping[str, str] = field(default_factory=dict)

    def files(self) -> list[LogFile]:
        """Return the files there are now, each once; a link is the file that it means.

        Raises
        ------
        DataError
            If there is none, or one is of no known kind.
        """
        found = dict.fromkeys(path.resolve() for path in find_files(self.source))
        return [self._file(path) for path in found]

    def _file(self, path: Path) -> LogFile:
        is_told = bool(self.columns) or self.schema != "auto"
        schema, columns = self.schema, self.columns
        if not is_told:
            beside = what_lies_beside(path)
            schema, columns = beside.schema, beside.columns or {}
        return LogFile(path, _KINDS[kind_of(path)](path), schema, columns)


@dataclass(frozen=True)
class Removed:
    """What was taken out of one file.

    rows      that were hers, or old
    broken    lines that cannot be read and name her
    shared    rows of somebody else that name her, too, and stay
    timeless  rows that say no time, and stay
    names     what of her those rows name
    """

    rows: int = 0
    broken: int = 0
    shared: int = 0
    timeless: int = 0
    names: frozenset[str] = field(default=frozenset(), repr=False)

    def __add__(self, other: Removed) -> Removed:
        return Removed(
            self.rows + other.rows,
            self.broken + other.broken,
            self.shared + other.shared,
            self.timeless + other.timeless,
            self.names | other.names,
        )


@dataclass(frozen=True)
class LogFile:
    """One file of a log."""

    path: Path
    kind: PieceFile
    schema: str | Schema
    columns: Mapping[str, str]

    def remove(self, person: Person) -> Removed:
        """Take one person's rows out; the file is written anew only if there are any.

        Raises
        ------
        ColumnError
            If no column says whose the rows are.
        DataError
            If the file cannot be read or written, or somebody wrote to it meanwhile.
        """
        needles = person.needles
        suspects = self.kind.suspects(needles)
        if suspects is not None:
            self._require_people()
            if not self.kind.has_any(suspects):
                sweep_unfinished(self.path)
                return Removed()

        def judge(piece: Piece, said: Said) -> tuple[Mask, Removed]:
            hers, shared = said.of(person)
            gone = piece.parts(hers)
            named = _named(piece, said, needles)
            n_shared = int(shared.sum())
            names = said.names_in(shared, person) if n_shared else frozenset()
            counts = Removed(int(hers.sum()), int((named & ~gone).sum()), n_shared, names=names)
            return gone | named, counts

        return self._rewrite(judge, needs_people=True, suspects=suspects)

    def remove_older(self, cutoff: int) -> Removed:
        """Take out the rows that happened before a moment, in milliseconds."""

        def judge(piece: Piece, said: Said) -> tuple[Mask, Removed]:
            times = said.times
            timeless = times == MISSING_TIME
            old = (times < cutoff) & ~timeless
            return piece.parts(old), Removed(int(old.sum()), timeless=int(timeless.sum()))

        return self._rewrite(judge, needs_people=False)

    def rows_of(self, person: Person) -> list[dict[str, Any]]:
        """Return one person's rows as they are written."""
        found: list[dict[str, Any]] = []
        suspects = self.kind.suspects(person.needles)
        if suspects is not None:
            self._require_people()
        for piece, said in self._read(needs_people=True, suspects=suspects):
            hers, _ = said.of(person)
            if hers.any():
                found += piece.records(hers)
        return found

    def latest(self) -> int | None:
        """Return the latest time that a row says, in milliseconds."""
        read = self._read(needs_people=False)
        latest = max((int(said.times.max(initial=MISSING_TIME)) for _, said in read), default=None)
        return None if latest == MISSING_TIME else latest

    def _require_people(self) -> None:
        """Refuse a log that names nobody, by its first rows."""
        next(self._read(needs_people=True), None)

    def _read(
        self, needs_people: bool, suspects: Suspects | None = None
    ) -> Iterator[tuple[Piece, Said]]:
        names = self.kind.names()
        words = LogWords.of(names, self.schema, self.columns)
        for piece in self.kind.pieces(suspects):
            said = words.read(piece.frame.reindex(columns=names), times=not needs_people)
            if needs_people and len(piece.frame) and not said.kinds:
                raise ColumnError(_names_nobody(self.path, names))
            yield piece, said

    def _rewrite(self, judge: Any, needs_people: bool, suspects: Suspects | None = None) -> Removed:
        with alone_in_replacing(self.path):
            return self._rewrite_alone(judge, needs_people, suspects)

    def _rewrite_alone(self, judge: Any, needs_people: bool, suspects: Suspects | None) -> Removed:
        """Write the file anew without what a judge lets go; nothing is written before a first."""
        sweep_unfinished(self.path)
        before, total = _state(self.path), Removed()
        for piece, said in self._read(needs_people, suspects):
            gone, counts = judge(piece, said)
            total += counts
            if gone.any():
                return self._written_anew(judge, needs_people, suspects, before)
        return total

    def _written_anew(
        self, judge: Any, needs_people: bool, suspects: Suspects | None, before: Any
    ) -> Removed:
        total = Removed()
        with (
            appearing_when_complete(self.path) as unfinished,
            self.kind.writer(unfinished) as write,
        ):
            for piece, said in self._read(needs_people, suspects):
                gone, counts = judge(piece, said)
                total += counts
                write(piece, ~gone)
            if _state(self.path) != before:
                raise DataError(
                    f"{self.path} was written to while rows were taken out; nothing was "
                    "changed, call again when nobody writes to it."
                )
        return total


def _names_nobody(path: Path, names: list[str]) -> str:
    example = f"KeptLog({path.name!r}, columns={{'user_id': {names[0]!r}}})"
    return f"{path} has no column that says whose its rows are; name it, such as {example}."


def _named(piece: Piece, said: Said, needles: Needles) -> Mask:
    """Tell the parts that cannot be read and name somebody."""
    told = np.zeros(len(piece.kinds), np.bool_)
    unread = np.flatnonzero(piece.kinds == BROKEN)
    if said.unread.any():
        rows = np.flatnonzero(piece.kinds == ROW)[said.unread]
        unread = np.concatenate([unread, rows])
    for place in unread.tolist():
        told[place] = bool(needles.in_bytes(piece.bytes_of(place)))
    return told


def _state(path: Path) -> tuple[int, int, int]:
    told = path.stat()
    return told.st_ino, told.st_size, told.st_mtime_ns
