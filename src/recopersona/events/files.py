"""Log files as frames, every value as it was written."""

from __future__ import annotations

import gzip
import json
import logging
import zlib
from collections.abc import Callable, Iterable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
import pandas as pd

from recopersona.errors import DataError, MissingExtraError, did_you_mean

logger = logging.getLogger(__name__)

MAPPING_FILE = "columns.json"
"""The file beside a log that says what its columns are: ``{ours: theirs}``."""

_INTEGER = r"0|-?[1-9]\d{0,17}"
_WHOLE_FLOAT = r"(?:0|-?[1-9]\d{0,14})\.0"  # what a gap makes of integers elsewhere
_DECIMAL = rf"(?:-?0|{_INTEGER})(?:\.\d+)?(?:[eE][+-]?\d+)?"


def find_files(source: str | Path) -> list[Path]:
    """Return the files that a path or a glob such as ``logs/*.csv`` names, by name.

    Raises
    ------
    DataError
        If there is none.
    """
    try:
        path = Path(source).expanduser()
    except RuntimeError:
        raise DataError(f"no home folder for {str(source)!r}; write the whole path.") from None
    if path.is_file():
        return [path]
    if path.is_dir():
        raise DataError(
            f"expected a file or a glob, got the folder {str(path)!r}; write '{path}/*.csv'."
        )
    root = Path(path.anchor or ".")
    pattern = str(path.relative_to(root))
    try:
        matching = list(root.glob(pattern))
    except ValueError as problem:
        raise DataError(f"expected a file or a glob, got {str(source)!r}: {problem}.") from None
    found = [file for file in matching if file.is_file() and file.name != MAPPING_FILE]
    if not found:
        here = path.parent.iterdir() if path.parent.is_dir() else iter(())
        hint = did_you_mean(path.name, (file.name for file in here)) or "; check the path."
        raise DataError(f"no file {str(source)!r}{hint}")
    return sorted(found)


def read_files(files: list[Path]) -> pd.DataFrame:
    """Read files one after the other into one frame; a column that one lacks is empty there.

    The cells of CSV files come as text, see `as_numbers`.

    Raises
    ------
    DataError
        If a file is of no known kind or broken, or they are of several kinds.
    MissingExtraError
        If it is Parquet and pyarrow is not installed.
    """
    kinds = {kind_of(file) for file in files}
    if len(kinds) > 1:
        raise DataError(
            f"expected files of one kind, got {' and '.join(sorted(kinds))}; read them apart."
        )
    read = _READERS[kinds.pop()]
    frames = [read(file) for file in files]
    return frames[0] if len(frames) == 1 else pd.concat(frames, ignore_index=True)


def columns_beside(file: Path) -> dict[str, str] | None:
    """Return the mapping that lies beside a file, if there is one.

    Raises
    ------
    DataError
        If it is not a JSON object of names.
    """
    path = file.parent / MAPPING_FILE
    if not path.is_file():
        return None
    try:
        mapping = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as problem:
        raise DataError(f"{path} must be JSON, got: {problem}.") from None
    if not isinstance(mapping, dict) or not all(isinstance(name, str) for name in mapping.values()):
        raise DataError(f'{path} must map our columns to yours, such as {{"item_id": "sku"}}.')
    return mapping


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
    numbers = {name: _as_number(frame[name], name in ids) for name in frame.columns}
    return pd.DataFrame(numbers, index=frame.index)


def _as_number(column: pd.Series, is_id: bool) -> pd.Series:
    present = column.notna().to_numpy()
    texts = column[present]
    if not present.any():
        return column
    if texts.str.fullmatch(_INTEGER).all():
        return _integers(texts, present)
    if is_id and texts.str.fullmatch(_WHOLE_FLOAT).all():
        return _integers(texts.str.removesuffix(".0"), present)
    if not is_id and texts.str.fullmatch(_DECIMAL).all():
        return pd.to_numeric(column)
    return column


def _integers(texts: pd.Series, present: np.ndarray[Any, Any]) -> pd.Series:
    numbers = np.zeros(len(present), dtype=np.int64)
    numbers[present] = texts.astype(np.int64)
    if present.all():
        return pd.Series(numbers)
    return pd.Series(pd.arrays.IntegerArray(numbers, ~present))


def kind_of(file: Path) -> str:
    """Return a file's kind, such as ``.csv``, compressed or not.

    Raises
    ------
    DataError
        If it is of no known kind.
    """
    kind = Path(file.name.lower().removesuffix(".gz")).suffix
    if kind not in _READERS:
        raise DataError(f"expected a file of {', '.join(_READERS)} (or .gz), got {file.name!r}.")
    return kind


_BROKEN = (OSError, EOFError, zlib.error)  # what a disk and a damaged .gz raise


def _read_csv(file: Path) -> pd.DataFrame:
    """Read every cell as text; an empty one is missing, and nothing else is."""
    try:
        try:
            return _csv_cells(file, encoding="utf-8")
        except UnicodeDecodeError:
            return _csv_cells(file, encoding=_other_encoding(file), encoding_errors="replace")
    except (pd.errors.EmptyDataError, pd.errors.ParserError, *_BROKEN) as problem:
        raise DataError(f"{file} must be comma-separated values, got: {problem}.") from None


def _csv_cells(file: Path, **encoding: Any) -> pd.DataFrame:
    # The header is read as a row like any other: pandas would rename a name that comes twice, and
    # take the first cells of rows longer than the header for an index, moving all the others.
    cells = pd.read_csv(
        file, header=None, dtype=str, keep_default_na=False, na_values=[""], **encoding
    )
    names = ["" if name != name else str(name) for name in cells.iloc[0]]
    repeated = [name for name in names if names.count(name) > 1]
    if repeated:
        raise DataError(f"{file} has more than one column named {repeated[0]!r}; keep one.")
    table: pd.DataFrame = cells.iloc[1:].set_axis(names, axis=1).reset_index(drop=True)
    return table


def _other_encoding(file: Path) -> str:
    """Tell Windows-1252 from UTF-8 with a few broken bytes, by whether any UTF-8 is in it."""
    with _opened(file) as lines:
        text = lines.read().decode("utf-8", errors="replace")
    broken = text.count("\ufffd")
    if sum(character > "\x7f" for character in text) > broken:
        logger.warning("%s has %d bytes that are not UTF-8; they were replaced", file, broken)
        return "utf-8"
    logger.warning("%s is not in UTF-8; reading it as Windows-1252", file)
    return "cp1252"


def _read_json_lines(file: Path) -> pd.DataFrame:
    rows = list(_json_objects(file))
    names = dict.fromkeys(name for row in rows for name in row)
    return pd.DataFrame({name: _json_column([row.get(name) for row in rows]) for name in names})


def _json_objects(file: Path) -> Iterator[dict[str, Any]]:
    with _opened(file) as lines:
        for number, line in enumerate(_whole_lines(lines, file), start=1):
            if line.strip():
                yield _json_object(line, f"line {number} of {file}")


def _opened(file: Path) -> IO[bytes]:
    return (
        cast(IO[bytes], gzip.open(file)) if file.name.lower().endswith(".gz") else file.open("rb")
    )


def _whole_lines(lines: Iterable[bytes], file: Path) -> Iterator[bytes]:
    try:
        yield from lines
    except _BROKEN as problem:
        raise DataError(f"{file} must be readable, got: {problem}.") from None


def _json_object(line: bytes, where: str) -> dict[str, Any]:
    try:
        value = json.loads(line)
        if b"\\u" in line:
            json.dumps(value, ensure_ascii=False).encode()  # half a character is no text
    except (ValueError, RecursionError) as problem:
        raise DataError(f"{where} must be a JSON object, got: {problem}.") from None
    if not isinstance(value, dict):
        raise DataError(f"{where} must be a JSON object, got {type(value).__name__}.")
    return value


def _json_column(values: list[Any]) -> pd.Series:
    try:
        if set(map(type, values)) == {int, type(None)}:
            # Through floats, an id above 2**53 would become another one.
            return pd.Series(values, dtype="Int64")
        return pd.Series(values)
    except OverflowError:  # integers of any length are JSON
        return pd.Series(values, dtype=object)


def _read_parquet(file: Path) -> pd.DataFrame:
    if find_spec("pyarrow") is None:
        raise MissingExtraError("reading parquet", "arrow")
    try:
        return pd.read_parquet(file, engine="pyarrow")
    except (OSError, ValueError) as problem:
        raise DataError(f"{file} must be Parquet, got: {problem}.") from None


_READERS: dict[str, Callable[[Path], pd.DataFrame]] = {
    ".csv": _read_csv,
    ".jsonl": _read_json_lines,
    ".ndjson": _read_json_lines,
    ".parquet": _read_parquet,
}
