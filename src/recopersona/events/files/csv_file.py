"""CSV files: every cell as text, then numbers where a whole column is written like numbers."""

from __future__ import annotations

import codecs
import io
import logging
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from recopersona.errors import DataError
from recopersona.events.files.csv_records import csv_records
from recopersona.events.files.damage import DAMAGE
from recopersona.events.files.file_kind import FileKind, Traits
from recopersona.events.files.finding import is_compressed, opened
from recopersona.events.read_report import ReadReport

logger = logging.getLogger(__name__)

_BLOCK = 1 << 20
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_TEXT_PER_BYTE, _UNPACKED = 1.5, 4.0


@dataclass(frozen=True)
class Writing:
    """How the bytes of a file are to be read."""

    encoding: str
    n_broken: int
    has_nul: bool


class CsvFile(FileKind[pd.DataFrame]):
    """Comma-separated values, whose cells are text."""

    def __init__(self, strict: bool) -> None:
        super().__init__(strict)
        self._writing: dict[Path, Writing] = {}
        self._careful: set[Path] = set()
        self._tried: dict[Path, list[pd.DataFrame]] = {}

    def pieces(self, file: Path, n_rows: int | None, report: ReadReport) -> Iterator[pd.DataFrame]:
        writing = self._writing_of(file)
        report.replaced_bytes += writing.n_broken
        if writing.has_nul and self.strict:
            raise DataError(_first_nul(file))
        if n_rows is None and not self.strict:
            self._try(file, None)
        if file in self._careful:
            yield from _line_by_line(file, writing, n_rows, report)
            return
        for piece in self._tried.pop(file, None) or _by_pandas(file, writing, n_rows):
            report.rows_in += len(piece)
            yield piece

    def survey(self, files: Iterable[Path], n_rows: int) -> Traits:
        files = list(files)
        if not self.strict:
            for file in files:
                self._try(file, n_rows)
        return super().survey(files, n_rows)

    def _try(self, file: Path, n_rows: int | None) -> None:
        """Find out whether a file has to be read line by line, from its beginning."""
        try:
            if self._writing_of(file).has_nul:
                raise DataError(_first_nul(file))
            for piece in _by_pandas(file, self._writing_of(file), n_rows):
                if n_rows is None:
                    self._tried[file] = [piece]
        except DataError:
            self._careful.add(file)

    def traits(self, raw: pd.DataFrame) -> Traits:
        return {str(name): text_traits(raw[name]) for name in raw.columns}

    def frame(self, raws: list[pd.DataFrame], traits: Traits, ids: Collection[str]) -> pd.DataFrame:
        texts = raws[0] if len(raws) == 1 else pd.concat(raws, ignore_index=True)
        texts = texts.reindex(columns=list(traits))
        return pd.DataFrame(
            {name: typed_text(texts[name], traits[name], name in ids) for name in traits},
            index=texts.index,
        )

    def bytes_in_memory(self, file: Path) -> float:
        size = file.stat().st_size * _TEXT_PER_BYTE
        return size * _UNPACKED if is_compressed(file) else size

    def _writing_of(self, file: Path) -> Writing:
        if file not in self._writing:
            self._writing[file] = examined(file)
        return self._writing[file]


# Types --------------------------------------------------------------------------------------------

_INTEGER = r"0|-?[1-9]\d{0,17}"
_WHOLE_FLOAT = r"(?:0|-?[1-9]\d{0,14})\.0"  # what a gap makes of integers elsewhere
_DECIMAL = rf"(?:-?0|{_INTEGER})(?:\.\d+)?(?:[eE][+-]?\d+)?"
_FORMS = {"integer": _INTEGER, "whole float": _WHOLE_FLOAT, "decimal": _DECIMAL}


def as_numbers(frame: pd.DataFrame, ids: Iterable[str]) -> pd.DataFrame:
    """Turn text into numbers where every value of a column is written the way numbers are.

    Integers have no leading zeros: ``007`` is an id, and one such value keeps its column text. In
    columns of ids only integers are numbers, so that ``1.10`` and ``1.1`` stay two.

    Examples
    --------
    >>> frame = pd.DataFrame({"item_id": ["7", None], "sku": ["007", "8"], "price": ["1.50", "2"]})
    >>> as_numbers(frame, ids=["item_id"]).dtypes.astype(str).tolist()
    ['Int64', 'str', 'float64']
    """
    ids = set(ids)
    typed = {
        name: typed_text(frame[name], text_traits(frame[name]), name in ids)
        for name in frame.columns
    }
    return pd.DataFrame(typed, index=frame.index)


def text_traits(texts: pd.Series) -> set[str]:
    """Say how the values of a column are not written, whether some are missing, some present."""
    present = texts[texts.notna()]
    found = {"missing"} if len(present) < len(texts) else set()
    if not len(present):
        return found
    start = present.iloc[:1]  # mostly, the first value tells that a column is text
    for form, pattern in _FORMS.items():
        if not (start.str.fullmatch(pattern).all() and present.str.fullmatch(pattern).all()):
            found.add(f"not {form}")
        elif form == "integer":
            break
    return found | {"present"}


def typed_text(texts: pd.Series, traits: set[str], is_id: bool) -> pd.Series:
    """Return a column of text as the numbers that its traits say it holds, or as it is."""
    if "present" not in traits:
        return texts
    if "not integer" not in traits:
        return _integers(texts, "missing" in traits)
    if is_id and "not whole float" not in traits:
        return _integers(texts.str.removesuffix(".0"), "missing" in traits)
    if not is_id and "not decimal" not in traits:
        return pd.to_numeric(texts).astype(np.float64)
    return texts


def _integers(texts: pd.Series, has_gaps: bool) -> pd.Series:
    present = texts.notna().to_numpy(dtype=np.bool_)
    numbers = np.zeros(len(texts), dtype=np.int64)
    numbers[present] = texts[present].astype(np.int64)
    if has_gaps:
        return pd.Series(pd.arrays.IntegerArray(numbers, ~present), index=texts.index)
    return pd.Series(numbers, index=texts.index)


# Bytes --------------------------------------------------------------------------------------------


def examined(file: Path) -> Writing:
    """Tell UTF-8 from Windows-1252, also where a few bytes of UTF-8 are broken: by any UTF-8."""
    counted = _Counted()
    decode = codecs.getincrementaldecoder("utf-8")("replace").decode
    with opened(file) as handle:
        start = handle.read(_BLOCK)
        if start.startswith(_UTF16):
            return Writing("utf-16", 0, has_nul=False)
        block = start
        while block:
            counted.add(block, decode(block))
            block = handle.read(_BLOCK)
        counted.add(b"", decode(b"", final=True))
    if not counted.n_broken:
        return Writing("utf-8", 0, counted.has_nul)
    if counted.n_wide:
        logger.warning(
            "%s has %d bytes that are not UTF-8; they were replaced", file, counted.n_broken
        )
        return Writing("utf-8", counted.n_broken, counted.has_nul)
    logger.warning("%s is not in UTF-8; reading it as Windows-1252", file)
    return Writing("cp1252", 0, counted.has_nul)


@dataclass
class _Counted:
    n_broken: int = 0
    n_wide: int = 0
    has_nul: bool = False

    def add(self, block: bytes, text: str) -> None:
        self.has_nul = self.has_nul or b"\0" in block
        if block.isascii() and text.isascii():
            return
        broken = text.count("\ufffd")
        self.n_broken += broken
        self.n_wide += len(text.encode()) - len(text) - 2 * broken  # each \ufffd is 2 bytes more


def _first_nul(file: Path) -> str:
    with opened(file) as handle:
        number = next((n for n, line in enumerate(handle, start=1) if b"\0" in line), 1)
    return (
        f"line {number} of {file} holds a NUL byte, which no text does; "
        "read_events(..., report=True) sets such lines aside and counts them."
    )


# Rows ---------------------------------------------------------------------------------------------


def _by_pandas(file: Path, writing: Writing, n_rows: int | None) -> Iterator[pd.DataFrame]:
    """Read with the fast parser, which stops at the first line that it cannot read."""
    # The header is read as a row like any other: pandas would rename a name that comes twice, and
    # take the first cells of rows longer than the header for an index, moving all the others.
    options: Any = {
        "header": None, "dtype": str, "keep_default_na": False, "na_values": [""],
        "encoding": writing.encoding, "encoding_errors": "replace",
    }  # fmt: skip
    names: list[str] = []
    try:
        if n_rows is None:
            pieces: Iterable[pd.DataFrame] = [pd.read_csv(file, **options)]
        else:
            pieces = _chunks(file, n_rows, options)
        for cells in pieces:
            if names:
                yield cells.set_axis(names, axis=1).reset_index(drop=True)
            else:
                names = _header(file, ["" if n != n else str(n) for n in cells.iloc[0]])
                yield cells.iloc[1:].set_axis(names, axis=1).reset_index(drop=True)
    except (ValueError, *DAMAGE) as problem:
        if isinstance(problem, DataError):
            raise
        raise DataError(
            f"{file} must be comma-separated values, got: {problem}; "
            "read_events(..., report=True) sets broken lines aside and counts them."
        ) from None


def _chunks(file: Path, n_rows: int, options: Any) -> Iterator[pd.DataFrame]:
    with pd.read_csv(file, iterator=True, **options) as reader:
        yield reader.get_chunk(n_rows + 1)  # the header is one of them
        with suppress(StopIteration):
            while True:
                yield reader.get_chunk(n_rows)


def _header(file: Path, names: list[str]) -> list[str]:
    repeated = [name for name in names if names.count(name) > 1]
    if repeated:
        raise DataError(f"{file} has more than one column named {repeated[0]!r}; keep one.")
    return names


def _line_by_line(
    file: Path, writing: Writing, n_rows: int | None, report: ReadReport
) -> Iterator[pd.DataFrame]:
    """Read with the slow parser, setting aside every line that breaks the table."""
    with opened(file) as handle:
        lines = io.TextIOWrapper(handle, writing.encoding, errors="replace", newline="")
        table = _Table(file, report)
        records = table.records(lines)
        yield table.frame(list(islice(records, n_rows)))
        while rows := list(islice(records, n_rows)):
            yield table.frame(rows)


@dataclass
class _Table:
    """A table that is read line by line; its first line is the header."""

    file: Path
    report: ReadReport
    names: list[str] = field(default_factory=list)

    def records(self, lines: Iterator[str]) -> Iterator[list[str]]:
        number = 0
        for record, taken in csv_records(lines):
            first, text = number + 1, "".join(taken)
            number += len(taken)
            if record is None:
                self._set_aside("broken_quotes", text, first)
                continue
            if not record:
                continue
            if "\0" in text:
                self._set_aside("nul_byte", text, first)
            elif not self.names:
                self.names = _header(self.file, [name.removeprefix("\ufeff") for name in record])
            elif len(record) > len(self.names):
                self._set_aside("too_many_cells", text, first)
            else:
                self.report.rows_in += 1
                yield [*record, *[""] * (len(self.names) - len(record))]

    def _set_aside(self, reason: str, text: str, line: int) -> None:
        if not self.names:
            raise DataError(
                f"{self.file} must begin with the names of its columns, got {text[:80]!r}."
            )
        self.report.rows_in += 1
        self.report.set_aside(reason, text, line, self.file)

    def frame(self, rows: list[list[str]]) -> pd.DataFrame:
        if not self.names:
            raise DataError(f"{self.file} must be comma-separated values, got nothing.")
        columns: Any = zip(*rows, strict=True) if rows else [()] * len(self.names)
        return pd.DataFrame(
            {
                name: pd.Series([cell or None for cell in cells], dtype="str")
                for name, cells in zip(self.names, columns, strict=True)
            }
        )
