"""Which files a path means, and what lies beside them."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

from recopersona.errors import DataError, did_you_mean
from recopersona.events.files.damage import DAMAGE

MAPPING_FILE = "columns.json"
"""The file beside a log that says what cannot be guessed: ``{ours: theirs}``, or more."""

_SAYS = ("schema", "columns", "time_zone")


@dataclass(frozen=True)
class Beside:
    """What the file beside a log says of it."""

    columns: Mapping[str, str] | None = None
    schema: str = "auto"
    time_zone: str | None = None


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
    try:
        if path.is_file():
            return [path]
        if path.is_dir():
            raise DataError(
                f"expected a file or a glob, got the folder {str(path)!r}; write '{path}/*.csv'."
            )
        root = Path(path.anchor or ".")
        matching = list(root.glob(str(path.relative_to(root))))
        found = [file for file in matching if file.is_file() and file.name != MAPPING_FILE]
    except (OSError, ValueError) as problem:
        if isinstance(problem, DataError):
            raise
        said = f"expected a file or a glob, got {str(source)[:200]!r}: {problem}"
        raise DataError(f"{said[:500]}.") from None
    if not found:
        here = path.parent.iterdir() if path.parent.is_dir() else iter(())
        hint = did_you_mean(path.name, (file.name for file in here)) or "; check the path."
        raise DataError(f"no file {str(source)!r}{hint}")
    return sorted(found)


def what_lies_beside(file: Path) -> Beside:
    """Return what ``columns.json`` beside a file says.

    Either our columns and theirs, ``{"item_id": "sku"}``, or an object of ``schema``, ``columns``
    and ``time_zone``, each of which may be left out.

    Raises
    ------
    DataError
        If it is neither.
    """
    path = file.parent / MAPPING_FILE
    if not path.is_file():
        return Beside()
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as problem:
        raise DataError(f"{path} must be JSON, got: {problem}.") from None
    if _maps_names(told) and not any(name in told for name in _SAYS):
        return Beside(columns=told)
    if (
        isinstance(told, dict)
        and set(told) <= set(_SAYS)
        and _maps_names(told.get("columns", {}))
        and all(isinstance(told.get(name, ""), str) for name in ("schema", "time_zone"))
    ):
        return Beside(**told)
    raise DataError(
        f'{path} must map our columns to yours, such as {{"item_id": "sku"}}, or hold '
        '{"schema": ..., "columns": {...}, "time_zone": ...}.'
    )


def _maps_names(told: Any) -> bool:
    return isinstance(told, dict) and all(isinstance(name, str) for name in told.values())


@contextmanager
def opened(file: Path) -> Iterator[IO[bytes]]:
    """Open a file, compressed or not; what its disk or its compression breaks is one sentence."""
    try:
        with _handle(file) as handle:
            yield handle
    except DAMAGE as problem:
        raise DataError(f"{file} must be readable, got: {problem}.") from None


def _handle(file: Path) -> IO[bytes]:
    return cast(IO[bytes], gzip.open(file)) if is_compressed(file) else file.open("rb")


def is_compressed(file: Path) -> bool:
    """Tell whether a file's name says that it is compressed."""
    return file.name.lower().endswith(".gz")
