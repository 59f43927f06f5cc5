"""JSON lines: one object per line, every value as it is."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar

import pandas as pd

from recopersona.errors import DataError
from recopersona.events.files.file_kind import FileKind, Traits
from recopersona.events.files.finding import is_compressed, opened
from recopersona.events.read_report import ReadReport
from recopersona.events.schemas.records import json_of

_OBJECTS_PER_BYTE, _UNPACKED = 2.0, 6.0

Rows = list[dict[str, Any]]


class JsonLines(FileKind[Rows]):
    """JSON lines, whose values are JSON's."""

    absent: ClassVar[str] = "NoneType"

    def pieces(self, file: Path, n_rows: int | None, report: ReadReport) -> Iterator[Rows]:
        objects = _objects(file, report, self.strict)
        if n_rows is None:
            yield list(objects)
            return
        while rows := list(islice(objects, n_rows)):
            yield rows

    def traits(self, raw: Rows) -> Traits:
        names = dict.fromkeys(name for row in raw for name in row)
        return {name: _types_of([row.get(name) for row in raw]) for name in names}

    def frame(self, raws: list[Rows], traits: Traits, ids: Collection[str]) -> pd.DataFrame:
        rows = [row for raw in raws for row in raw]
        columns = {name: _column([row.get(name) for row in rows], traits[name]) for name in traits}
        return pd.DataFrame(columns, index=range(len(rows)))

    def bytes_in_memory(self, file: Path) -> float:
        size = file.stat().st_size * _OBJECTS_PER_BYTE
        return size * _UNPACKED if is_compressed(file) else size


def _objects(file: Path, report: ReadReport, strict: bool) -> Iterator[dict[str, Any]]:
    with opened(file) as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            report.rows_in += 1
            try:
                value = json_of(line)
                reason, got = "no_object", type(value).__name__
            except (ValueError, RecursionError) as problem:
                value, reason, got = None, _why(line, problem), str(problem)
            if isinstance(value, dict):
                yield value
            elif not strict:
                report.set_aside(reason, line.rstrip(b"\r\n"), number, file)
            else:
                raise DataError(
                    f"line {number} of {file} must be a JSON object, got: {got}; "
                    "read_events(..., report=True) sets such lines aside and counts them."
                )


def _why(line: bytes, problem: Exception) -> str:
    if b"\0" in line:
        return "nul_byte"
    return "bad_encoding" if isinstance(problem, UnicodeDecodeError) else "no_json"


def _types_of(values: list[Any]) -> set[str]:
    types = {kind.__name__ for kind in set(map(type, values))}
    if "int" in types and not all(-_LONG <= v < _LONG for v in values if type(v) is int):
        types.add("long")
    return types


_LONG = 2**63

_TYPES: dict[frozenset[str], Any] = {
    frozenset({"int"}): "int64",
    # Through floats, an id above 2**53 would become another one.
    frozenset({"int", "NoneType"}): "Int64",
    frozenset({"float"}): "float64",
    frozenset({"float", "int"}): "float64",
    frozenset({"float", "NoneType"}): "float64",
    frozenset({"float", "int", "NoneType"}): "float64",
    frozenset({"str"}): "str",
    frozenset({"str", "NoneType"}): "str",
    frozenset({"bool"}): "bool",
}


def _column(values: list[Any], traits: set[str]) -> pd.Series:
    """Return values in the type that all values of the column have in common, or as they are."""
    column: pd.Series = pd.Series(values, dtype=_TYPES.get(frozenset(traits), object))
    return column
