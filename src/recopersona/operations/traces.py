"""Looking for identifiers in files: what is left of a person after an erasure."""

from __future__ import annotations

import gzip
import json
import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import IO, Any, cast

import numpy as np

from recopersona.errors import DataError, RecopersonaError
from recopersona.events.called import KINDS
from recopersona.events.files.parquet_file import batches_of, opened_parquet
from recopersona.events.files.replacing import unfinished_beside
from recopersona.operations.needles import Needles

_MANIFEST = "manifest.json"
_GLOB = re.compile(r"[*?\[]")
_DAMAGE = (
    *(OSError, EOFError, zlib.error, zipfile.BadZipFile, RuntimeError),  # such as a locked archive
    *(ValueError, TypeError, LookupError, AttributeError),  # a manifest that says nonsense
)


@dataclass(frozen=True)
class Trace:
    """One place where an identifier stands.

    Parameters
    ----------
    path : str
        The file.
    where : str
        The byte it begins at (of what was unpacked, where the file is packed), the column and row,
        or the attribute of a saved model.
    which : int
        The place of the identifier among those that were looked for.

    Examples
    --------
    >>> Trace("home.rp/manifest.json", "users_", 0).where
    'users_'
    """

    path: str
    where: str
    which: int


def find_traces(paths: Any, identifiers: Iterable[Any]) -> list[Trace]:
    """Find every place in some files where an identifier stands.

    Files are searched byte by byte for an identifier in any usual writing: UTF-8, escaped as in
    JSON, percent-encoded, UTF-16, and numpy's wide letters; it must stand alone, so ``u-17`` is not
    found in ``u-170``. What is packed is unpacked (gzip, zip and npz, pages of Parquet). Of saved
    models every text is looked at, and the ids of users also where they are numbers.

    An identifier of fewer than 4 characters, or of fewer than 6 digits, cannot be told among bytes:
    ``7`` is in every file. It is found where a column or an attribute says that it is one, in
    Parquet and in saved models. `PersonalData` looks for it in the columns of every log.

    Parameters
    ----------
    paths : path, or iterable of paths
        Files, folders with all that is in them, or globs.
    identifiers : iterable of ids
        Text or integers.

    Returns
    -------
    list of Trace
        By path, in order.

    Raises
    ------
    DataError
        If there is no such file, or one cannot be read; if identifiers are one text and no list.
    MissingExtraError
        If a file is Parquet and pyarrow is not installed.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Path(folder, "log.jsonl").write_text('{"user_id": "u-17"}')
    ...     [trace.where for trace in find_traces(folder, ["u-17"])]
    ['byte 13']
    """
    if isinstance(identifiers, (str, bytes)) or not isinstance(identifiers, Iterable):
        raise DataError(f"find_traces needs a list of identifiers, got a {_kind(identifiers)}.")
    needles = Needles(identifiers)
    found: dict[Trace, None] = {}
    for file in _files_of(paths):
        found.update(dict.fromkeys(_in_file(file, needles)))
    return list(found)


def _kind(value: Any) -> str:
    return "text" if isinstance(value, str) else type(value).__name__


def _files_of(paths: Any) -> list[Path]:
    given = [paths] if isinstance(paths, (str, Path)) else list(paths)
    return sorted({file for one in given for file in _files_at(Path(one).expanduser())})


def _files_at(path: Path) -> list[Path]:
    if path.is_file():
        return [path, *unfinished_beside(path)]
    if path.is_dir():
        return [entry for entry in path.rglob("*") if entry.is_file()]
    root = Path(path.anchor or ".")
    matching = list(root.glob(str(path.relative_to(root)))) if _GLOB.search(str(path)) else []
    if not matching:
        raise DataError(f"there is no file {str(path)!r} to look into; check the path.")
    return [file for one in matching for file in _files_at(one)]


def _in_file(file: Path, needles: Needles) -> Iterator[Trace]:
    try:
        yield from _by_kind(file, needles)
    except RecopersonaError:
        raise
    except _DAMAGE as problem:
        raise DataError(f"{file} must be readable to be looked into, got: {problem}.") from None


def _by_kind(file: Path, needles: Needles) -> Iterator[Trace]:
    name = file.name.lower()
    if name == _MANIFEST and (manifest := _manifest_of(file)) is not None:
        yield from _in_model(file, manifest, needles)
        return
    with file.open("rb") as handle:
        begins = handle.read(4)
        handle.seek(0)
        if name.endswith(".npy"):
            if not _is_read_by_its_manifest(file):
                yield from _in_bytes(file, handle, needles, alone=False)
            return
        yield from _in_bytes(file, handle, needles)
    if begins[:2] == b"\x1f\x8b":
        with gzip.open(file) as unpacked:
            yield from _in_bytes(file, cast(IO[bytes], unpacked), needles)
    elif begins == b"PK\x03\x04":
        yield from _in_archive(file, needles)
    elif begins == b"PAR1":
        yield from _in_parquet(file, needles)


def _in_bytes(
    file: Path, handle: IO[bytes], needles: Needles, *, alone: bool = True, inside: str = ""
) -> Iterator[Trace]:
    for place, which in needles.in_stream(handle, alone=alone):
        yield Trace(str(file), f"{inside}byte {place}", which)


def _in_archive(file: Path, needles: Needles) -> Iterator[Trace]:
    with zipfile.ZipFile(file) as archive:
        for name in archive.namelist():
            with archive.open(name) as member:
                inside = f"{name}, "
                is_array = name.endswith(".npy")
                yield from _in_bytes(file, member, needles, alone=not is_array, inside=inside)


# Parquet ------------------------------------------------------------------------------------------


def _in_parquet(file: Path, needles: Needles) -> Iterator[Trace]:
    with opened_parquet(file) as parquet:
        first = 0
        for batch in batches_of(parquet):
            for name, column in zip(batch.schema.names, batch.columns, strict=True):
                for row, which in _in_column(name, column, needles):
                    yield Trace(str(file), f"{name}, row {first + row}", which)
            first += len(batch)


def _in_column(name: str, column: Any, needles: Needles) -> Iterator[tuple[int, int]]:
    """Look at every value; of nested ones at all that is in them, of numbers only where ids are."""
    from pyarrow import types

    kind = column.type
    if types.is_nested(kind):
        for row, value in enumerate(column.to_pylist()):
            which = needles.in_text(json.dumps(value, default=str, ensure_ascii=False))
            if which is not None:
                yield row, which
        return
    if not (types.is_integer(kind) and _holds_ids(name)) and not is_text(kind):
        return
    encoded = column if types.is_dictionary(kind) else column.dictionary_encode()
    words = [_which(word, name, needles) for word in encoded.dictionary.to_pylist()]
    for row, code in enumerate(encoded.indices.to_pylist()):
        if code is not None and words[code] is not None:
            yield row, words[code]


def _which(word: Any, name: str, needles: Needles) -> Any:
    if word is None:
        return None
    if isinstance(word, bytes):
        word = word.decode("utf-8", "replace")
    if _holds_ids(name) and needles.is_one(word):
        return needles.which(word)
    return needles.in_text(word) if isinstance(word, str) else None


def is_text(kind: Any) -> bool:
    """Tell whether values of a type of Arrow's are texts or bytes."""
    from pyarrow import types

    value = kind.value_type if types.is_dictionary(kind) else kind
    checks = ("is_string", "is_large_string", "is_string_view", "is_binary", "is_large_binary")
    return any(getattr(types, check)(value) for check in checks)


def _holds_ids(name: str) -> bool:
    """Tell whether a column or an attribute holds ids of people, by its name."""
    return name == "users_" or name in KINDS


# Saved models -------------------------------------------------------------------------------------


def _manifest_of(file: Path) -> dict[str, Any] | None:
    """Return the manifest of a saved model, None of anything else."""
    try:
        told = json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, RecursionError):
        return None
    is_ours = isinstance(told, dict) and isinstance(told.get("arrays"), str) and "model" in told
    return told if is_ours else None


def _is_read_by_its_manifest(array: Path) -> bool:
    """Tell whether an array belongs to a model, whose manifest says what is in it."""
    manifest = array.parent.parent / _MANIFEST
    told = _manifest_of(manifest) if manifest.is_file() else None
    return told is not None and told["arrays"] == array.parent.name


def _in_model(file: Path, manifest: Mapping[str, Any], needles: Needles) -> Iterator[Trace]:
    with file.open("rb") as handle:
        yield from _in_bytes(file, handle, needles)
    folder = file.parent / manifest["arrays"]
    for where, value in _values(manifest["model"], "", folder):
        which = needles.in_text(value) if isinstance(value, str) else None
        if which is None and _holds_ids(where.rpartition(".")[2]) and not isinstance(value, bool):
            which = needles.which(value)
        if which is not None:
            yield Trace(str(file), where, which)


def _values(tree: Any, where: str, folder: Path) -> Iterator[tuple[str, Any]]:
    """Walk all texts and numbers of a model; of arrays those of texts, and the ids of maps."""
    if isinstance(tree, list):
        for part in tree:
            yield from _values(part, where, folder)
    elif not isinstance(tree, dict):
        yield where, tree
    elif tree.get("$") == "texts":
        for text in _texts(tree, folder):
            yield where, text
    elif tree.get("$") == "IdMap" and tree["ids"].get("$") == "array":
        for number in _integers(tree["ids"], folder):
            yield where, number
    elif tree.get("$") == "dict":
        for key, part in tree["pairs"]:
            yield where, key
            yield from _values(part, f"{where}.{key}" if isinstance(key, str) else where, folder)
    else:
        for name, part in tree.items():
            if "$" not in tree:  # attributes by name
                yield from _values(part, f"{where}.{name}" if where else name, folder)
            elif name not in _OF_THE_FORM:
                yield from _values(part, where, folder)


_OF_THE_FORM = ("$", "id", "of", "file", "class", "module")
"""What the form of the file says of an object, and not the object of anybody."""


def _texts(tree: Any, folder: Path) -> list[str]:
    data = np.load(folder / f"{tree['data']['file']}.npy", allow_pickle=False).tobytes()
    bounds = np.load(folder / f"{tree['bounds']['file']}.npy", allow_pickle=False).tolist()
    return [data[start:end].decode("utf-8", "replace") for start, end in pairwise(bounds)]


def _integers(tree: Any, folder: Path) -> list[int]:
    array = np.load(folder / f"{tree['file']}.npy", allow_pickle=False, mmap_mode="r")
    numbers: list[int] = np.unique(array).tolist() if array.dtype.kind in "iu" else []
    return numbers
