"""Parquet by row groups: rows that stay are written with the types and the compression they had."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from recopersona.events.files.parquet_file import ParquetFile, opened_parquet
from recopersona.operations.logs.pieces import ROW, Piece, PieceFile, WritesPieces


class ParquetPieces(PieceFile):
    """A Parquet file, a row group at a time."""

    def names(self) -> list[str]:
        with opened_parquet(self.file) as parquet:
            return list(parquet.schema_arrow.names)

    def pieces(self) -> Iterator[Piece]:
        kind = ParquetFile(strict=True)
        with opened_parquet(self.file) as parquet:
            for group in range(parquet.num_row_groups):
                table = parquet.read_row_group(group)
                table.validate(full=True)  # a damaged file may hold text that is not UTF-8
                frame = kind.frame([table], kind.traits(table), ())
                yield Piece(frame, np.full(len(table), ROW, np.uint8), table)

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
