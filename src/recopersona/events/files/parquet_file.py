"""Parquet files, read by batches of rows."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pandas as pd

from recopersona.errors import DataError, MissingExtraError
from recopersona.events.files.file_kind import FileKind, Traits
from recopersona.events.read_report import ReadReport

_AN_INDEX = re.compile(r"__index_level_\d+__")


class ParquetFile(FileKind[Any]):
    """Parquet, whose columns have types; integers with gaps stay integers."""

    def pieces(self, file: Path, n_rows: int | None, report: ReadReport) -> Iterator[Any]:
        with opened_parquet(file) as parquet:
            if n_rows is None:
                batches: Iterable[Any] = [parquet.read()] if parquet.num_row_groups else []
            else:
                batches = batches_of(parquet, batch_size=n_rows)
            empty = True
            for batch in batches:
                table = _as_table(batch)
                table.validate(full=True)  # a damaged file may hold text that is not UTF-8
                report.rows_in += len(table)
                empty = False
                yield table
            if empty:
                yield parquet.schema_arrow.empty_table()

    def survey(self, files: Iterable[Path], n_rows: int) -> Traits:
        """Look for gaps among integers, whose type depends on them.

        The file's statistics would say it sooner, but of a damaged file they end the process:
        pyarrow 26 aborts where it should raise.
        """
        found: Traits = {}
        for file in files:
            with opened_parquet(file) as parquet:
                gaps = _with_gaps(parquet, n_rows)
                names = parquet.schema_arrow.names
                self.merge(found, {name: {"missing"} if name in gaps else set() for name in names})
        return found

    def traits(self, raw: Any) -> Traits:
        return {
            name: {"missing"} if column.null_count else set()
            for name, column in zip(raw.column_names, raw.columns, strict=True)
        }

    def frame(self, raws: list[Any], traits: Traits, ids: Collection[str]) -> pd.DataFrame:
        frames = [self._frame(raw, traits) for raw in raws]
        return frames[0] if len(frames) == 1 else pd.concat(frames, ignore_index=True)

    def _frame(self, table: Any, traits: Traits) -> pd.DataFrame:
        names = [name for name in table.column_names if not _AN_INDEX.fullmatch(name)]
        repeated = [name for name in names if names.count(name) > 1]
        if repeated:
            raise DataError(f"the file has more than one column named {repeated[0]!r}; keep one.")
        with _refusing("the file"):
            columns = {
                name: _column(table.column(name), "missing" in traits.get(name, ()))
                for name in names
            }
            return pd.DataFrame(columns, index=range(len(table)))

    def bytes_in_memory(self, file: Path) -> float:
        with opened_parquet(file) as parquet:
            groups = range(parquet.metadata.num_row_groups)
            return float(sum(parquet.metadata.row_group(i).total_byte_size for i in groups))


def _as_table(batch: Any) -> Any:
    import pyarrow as pa

    return batch if isinstance(batch, pa.Table) else pa.Table.from_batches([batch])


def _column(column: Any, has_gaps: bool) -> pd.Series:
    """Return a column for pandas; integers with gaps do not become floats."""
    import pyarrow as pa

    if has_gaps and pa.types.is_integer(column.type):
        unsigned = "U" if pa.types.is_unsigned_integer(column.type) else ""
        dtype: Any = pd.api.types.pandas_dtype(f"{unsigned}Int{column.type.bit_width}")
        return pd.Series(column.to_pandas(types_mapper=lambda _: dtype))
    return pd.Series(column.to_pandas(maps_as_pydicts="lossy"))


def _with_gaps(parquet: Any, n_rows: int) -> set[str]:
    """Name the columns of integers in which values are missing."""
    from pyarrow import types

    integers = [field.name for field in parquet.schema_arrow if types.is_integer(field.type)]
    return {
        name
        for batch in batches_of(parquet, batch_size=n_rows, columns=integers)
        for name, column in zip(batch.schema.names, batch.columns, strict=True)
        if column.null_count
    }


def batches_of(parquet: Any, **options: Any) -> Iterable[Any]:
    """Walk through an open file; before 26, pyarrow cannot where there is not a single group."""
    batches: Iterable[Any] = parquet.iter_batches(**options) if parquet.num_row_groups else ()
    return batches


@contextmanager
def opened_parquet(file: Path) -> Iterator[Any]:
    """Open a Parquet file; what is none, or damaged, is one sentence."""
    if find_spec("pyarrow") is None:
        raise MissingExtraError("reading parquet", "arrow")
    from pyarrow import parquet

    with _refusing(str(file)), parquet.ParquetFile(file) as reader:
        yield reader


@contextmanager
def _refusing(what: str) -> Iterator[None]:
    from pyarrow import ArrowException

    try:
        yield
    except (OSError, ValueError, KeyError, TypeError, ArrowException) as problem:
        if isinstance(problem, DataError):
            raise
        raise DataError(f"{what} must be Parquet, got: {problem}.") from None
