"""Files of one kind, read one after the other into one frame or many."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from recopersona.base.memory import require_memory
from recopersona.errors import DataError
from recopersona.events.files.csv_file import CsvFile
from recopersona.events.files.file_kind import FileKind, Traits
from recopersona.events.files.json_lines import JsonLines
from recopersona.events.files.parquet_file import ParquetFile
from recopersona.events.read_report import ReadReport

_KINDS: dict[str, Callable[[bool], FileKind[Any]]] = {
    ".csv": CsvFile,
    ".jsonl": JsonLines,
    ".ndjson": JsonLines,
    ".parquet": ParquetFile,
}


class LogFiles:
    """Some files of a log: what their columns are, and their rows.

    Parameters
    ----------
    files : list of paths
    n_rows : int, optional
        How many rows a piece holds at most; by default all files are one.
    report : ReadReport
        Counts the rows, and takes those that are broken.
    strict : bool
        Whether the first broken row raises instead.

    Raises
    ------
    DataError
        If a file is of no known kind or broken, they are of several kinds, or they would not fit
        into memory and are not to be read in pieces.
    MissingExtraError
        If it is Parquet and pyarrow is not installed.
    """

    def __init__(
        self, files: list[Path], n_rows: int | None, report: ReadReport, strict: bool
    ) -> None:
        kinds = {kind_of(file) for file in files}
        if len(kinds) > 1:
            raise DataError(
                f"expected files of one kind, got {' and '.join(sorted(kinds))}; read them apart."
            )
        self._kind = _KINDS[kinds.pop()](strict)
        self._files, self._n_rows, self._report = files, n_rows, report
        self._whole: list[Any] = []
        if n_rows is None:
            self._require_memory()
            self._whole = [raw for file in files for raw in self._kind.pieces(file, None, report)]
            self._traits: Traits = {}
            for raw in self._whole:
                self._kind.merge(self._traits, self._kind.traits(raw))
        else:
            self._traits = self._kind.survey(files, n_rows)

    @property
    def names(self) -> list[str]:
        """The columns of all files, in order of appearance."""
        return list(self._traits)

    def frames(self, ids: Collection[str]) -> Iterator[pd.DataFrame]:
        """Read the rows, as one frame or as pieces; columns named in `ids` hold ids."""
        if self._n_rows is None:
            whole, self._whole = self._whole, []
            yield self._kind.frame(whole, self._traits, ids)
            return
        for file in self._files:
            for raw in self._kind.pieces(file, self._n_rows, self._report):
                frame = self._kind.frame([raw], self._traits, ids)
                yield frame.reindex(columns=self.names)

    def _require_memory(self) -> None:
        """Refuse what would clearly not fit: rows take more than this."""
        needed = sum(map(self._kind.bytes_in_memory, self._files))
        what = str(self._files[0]) if len(self._files) == 1 else f"{len(self._files)} files"
        instead = "read piece by piece with chunk_rows=1_000_000"
        require_memory(needed, None, "read_events", what, instead)


def kind_of(file: Path) -> str:
    """Return a file's kind, such as ``.csv``, compressed or not.

    Raises
    ------
    DataError
        If it is of no known kind.
    """
    kind = Path(file.name.lower().removesuffix(".gz")).suffix
    if kind not in _KINDS:
        raise DataError(f"expected a file of {', '.join(_KINDS)} (or .gz), got {file.name!r}.")
    return kind
