"""Log files as frames, every value as it was written."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from recopersona.errors import DataError, MissingExtraError, did_you_mean

logger = logging.getLogger(__name__)

MAPPING_FILE = "columns.json"
"""The file beside a log that says what its columns are: ``{ours: theirs}``."""

_INTEGER = r"0|-?[1-9]\d{0,17}"
_DECIMAL = rf"(?:-?0|{_INTEGER})(?:\.\d+)?(?:[eE][+-]?\d+)?"


def find_files(source: str | Path) -> list[Path]:
    """Return the files that a path or a glob such as ``logs/*.csv`` names, by name.

    Raises
    ------
    DataError
        If there is none.
    """
    path = Path(source).expanduser()
    if path.is_file():
        return [path]
    if path.is_dir():
        raise DataError(f"expected a file or a glob, got the folder {str(path)!r}; write '{path}/*.csv'.")
    root = Path(path.anchor or ".")
    pattern = str(path.relative_to(root))
    found = [file for file in root.glob(pattern) if file.is_file() and file.name != MAPPING_FILE]
    if not found:
        here = path.parent.iterdir() if path.parent.is_dir() else iter(())
        hint = did_you_mean(path.name, (file.name for file in here)) or "; check the path."
        raise DataError(f"no file {str(source)!r}{hint}")
    return sorted(found)


def read_files(files: Iterable[Path]) -> pd.DataFrame:
    """Read files one after the other into one frame; a column that one lacks is empty there.

    Raises
    ------
    DataError
        If a file is of no known kind, or broken.
    MissingExtraError
        If it is Parquet and pyarrow is not installed.
    """
    frames = [_reader(file)(file) for file in files]
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
    except ValueError as problem:
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
    return frame.assign(**{name: _as_number(frame[name], name not in ids) for name in frame})


def _as_number(column: pd.Series, decimals: bool) -> pd.Series:
    present = column.notna().to_numpy()
    texts = column[present]
    if not present.any():
        return column
    if texts.str.fullmatch(_INTEGER).all():
        return _integers(texts, present)
    if decimals and texts.str.fullmatch(_DECIMAL).all():
        return pd.to_numeric(column)
    return column


def _integers(texts: pd.Series, present: np.ndarray[Any, Any]) -> pd.Series:
    numbers = np.zeros(len(present), dtype=np.int64)
    numbers[present] = texts.astype(np.int64)
    if present.all():
        return pd.Series(numbers)
    return pd.Series(pd.arrays.IntegerArray(numbers, ~present))


def _reader(file: Path) -> Callable[[Path], pd.DataFrame]:
    kind = Path(file.name.lower().removesuffix(".gz")).suffix
    if kind not in _READERS:
        raise DataError(f"expected a file of {', '.join(_READERS)} (or .gz), got {file.name!r}.")
    return _READERS[kind]


def _read_csv(file: Path) -> pd.DataFrame:
    """Read every cell as text; an empty one is missing, and nothing else is."""
    for encoding in ("utf-8", "cp1252", "latin-1"):
        try:
            frame = pd.read_csv(
                file, dtype=str, keep_default_na=False, na_values=[""], encoding=encoding
            )
        except UnicodeDecodeError:
            logger.warning("%s is not in %s; trying the next encoding", file, encoding)
        except (pd.errors.EmptyDataError, pd.errors.ParserError, OSError, EOFError) as problem:
            raise DataError(f"{file} must be comma-separated, got: {problem}.") from None
        else:
            return frame
    raise DataError(f"{file} must be text in UTF-8.")
