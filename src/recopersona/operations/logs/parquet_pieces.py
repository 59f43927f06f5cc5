"""Parquet by row groups: rows that stay are written with the types and the compression they had."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from recopersona.data.types import Array, Mask
from recopersona.events.files.parquet_file import ParquetFile, batches_of, opened_parquet
from recopersona.operations.logs.pieces import BESIDE, ROW, Piece, PieceFile, WritesPieces
from recopersona.operations.logs.suspects import Suspects
from recopersona.operations.needles import Needles
from recopersona.operations.traces import is_text


class ParquetPieces(PieceFile):
    """A Parquet file, a row group at a time."""

    def names(self) -> list[str]:
        with opened_parquet(self.file) as parquet:
            return list(parquet.schema_arrow.names)

    def suspects(self, needles: Needles) -> Suspects | None:
        return Suspects.of(needles)

    def has_any(self, suspects: Suspects) -> bool:
        with opened_parquet(self.file) as parquet:
            return any(
                suspects_among(batch, suspects).any()
                for batch in batches_of(parquet, batch_size=_ROWS)
            )

    def pieces(self, suspects: Suspects | None = None) -> Iterator[Piece]:
        kind = ParquetFile(strict=True)
        with opened_parquet(self.file) as parquet:
            for group in range(parquet.num_row_groups):
                table = parquet.read_row_group(group)
                table.validate(full=True)  # a damaged file may hold text that is not UTF-8
                kinds = np.full(len(table), ROW, np.uint8)
                rows = table
                if suspects is not None:
                    told = suspects_among(table, suspects)
                    kinds[~told] = BESIDE
                    rows = table.filter(told)
                yield Piece(kind.frame([rows], kind.traits(rows), ()), kinds, table)

    @contextmanager
    def writer(self, unfinished: Path) -> Iterator[WritesPieces]:
        from pyarrow import parquet

        with opened_parquet(self.file) as before:
            schema, options = before.schema_arrow, _as_before(before)
        with parquet.ParquetWriter(unfinished, schema, **options) as target:

            def write(piece: Piece, kept: Any) -> None:
                table = _without_old_words(piece.raw.filter(kept))
                if len(table):
                    target.write_table(table, row_group_size=len(table))

            yield write


def suspects_among(table: Any, suspects: Suspects) -> Mask:
    """Tell the rows of a table, or of a batch of one, in which something suspect stands."""
    told = np.zeros(len(table), np.bool_)
    for column in table.columns:
        first = 0
        for chunk in getattr(column, "chunks", [column]):
            told[first : first + len(chunk)] |= _suspect(chunk, suspects)
            first += len(chunk)
    return told


def _suspect(column: Any, suspects: Suspects) -> Mask:
    import pyarrow as pa

    kind = column.type
    if pa.types.is_dictionary(kind):
        words = np.append(_suspect(column.dictionary, suspects), np.False_)
        rows: Mask = words[column.indices.fill_null(-1).to_numpy(zero_copy_only=False)]
        return rows
    if is_text(kind):
        data, bounds = _bytes_of(column)
        return suspects.among(data, bounds, lines=False)
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return suspects.among_numbers(column.to_numpy(zero_copy_only=False))
    return np.full(len(column), not _says_nothing(kind))  # nested: who knows


def _bytes_of(column: Any) -> tuple[bytes, Array]:
    """Return texts one behind the other, and where each begins."""
    import pyarrow as pa

    flat = column.cast(pa.large_binary())
    _, bounds, data = flat.buffers()
    starts = np.frombuffer(bounds, np.int64)[flat.offset : flat.offset + len(flat) + 1]
    if data is None or not len(flat):
        return b"", starts
    return data.slice(starts[0], starts[-1] - starts[0]).to_pybytes(), starts - starts[0]


def _says_nothing(kind: Any) -> bool:
    """Tell whether values of a type are never anybody's identifier."""
    from pyarrow import types

    checks = (types.is_timestamp, types.is_date, types.is_time, types.is_boolean, types.is_null)
    return any(check(kind) for check in checks)


_ROWS = 1 << 18


def _as_before(parquet: Any) -> dict[str, Any]:
    """Say how a file is compressed, column by column."""
    metadata = parquet.metadata
    if not metadata.num_row_groups:
        return {}
    group = metadata.row_group(0)
    columns = [group.column(place) for place in range(group.num_columns)]
    codecs = {column.path_in_schema: column.compression for column in columns}
    return {
        "compression": {
            path: "NONE" if codec == "UNCOMPRESSED" else codec for path, codec in codecs.items()
        },
        "version": metadata.format_version if metadata.format_version in _VERSIONS else "2.6",
    }


_VERSIONS = ("1.0", "2.4", "2.6")


def _without_old_words(table: Any) -> Any:
    """Build dictionaries anew: a filtered column keeps the words of rows that are gone."""
    import pyarrow as pa

    columns = []
    for field, column in zip(table.schema, table.columns, strict=True):
        if pa.types.is_dictionary(field.type):
            columns.append(column.cast(field.type.value_type).cast(field.type))
        else:
            columns.append(column)
    return pa.Table.from_arrays(columns, schema=table.schema)
