"""A fitted model as a directory: arrays in ``.npy``, everything else in ``manifest.json``.

::

    home.rp/
        manifest.json        what is in the model, and the size and hash of every array
        arrays-<token>/      0.npy, 1.npy, …

Loading executes nothing: classes are looked up by name among those already defined and the
library's own, arrays are read without pickle, sizes are compared before anything is allocated.
Writing is atomic: arrays go to a temporary directory, are flushed to disk and renamed; then the
manifest is replaced in one step. Whoever is killed on the way leaves the old model or the new one;
whoever reads meanwhile gets one of the two.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from os import PathLike
from pathlib import Path
from tokenize import TokenError
from typing import Any

import numpy as np

from recopersona.base.codec import Reader, Writer
from recopersona.base.folders import alone_in, flush_folder, locked
from recopersona.base.part import Part
from recopersona.data.gate import EventGate
from recopersona.data.types import Array
from recopersona.errors import ArtifactError, NotFittedError, RecopersonaError, with_article

FORMAT = 1
"""Raised when an older reader could misread what is written."""

_MANIFEST = "manifest.json"
_ARRAYS = re.compile(r"arrays-[0-9a-f]{32}")
_TEMPORARY = re.compile(r"\.tmp-\d+-arrays-\w+|\.manifest\.json\.[0-9a-f]{32}\.tmp")
_ABANDONED_AFTER_S = 3_600
_REPLACED_AFTER_S = 60
_ATTEMPTS = 5
_DAMAGE = (
    *(ArithmeticError, AttributeError, EOFError, LookupError, MemoryError, OSError, RuntimeError),
    *(SyntaxError, TokenError, TypeError, ValueError, Warning),  # a header of an array is parsed
    re.error,  # and so is a pattern of words
)
"""What Python raises on a file that was made to break it."""


def save(model: Part, path: str | PathLike[str]) -> None:
    """Write a fitted model into a directory, atomically.

    Parameters
    ----------
    model : Part
        A model, a pipeline, features, or any other part, fitted.
    path : path
        Made where there is none; a model that is there is replaced.

    Raises
    ------
    NotFittedError
        If there is nothing to keep.
    ParameterError
        If a parameter was set out of its bounds.
    ArtifactError
        If the model holds something that neither arrays nor JSON can express, or the path is in
        the way of something else or cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> from recopersona.models.popularity import Popularity
    >>> import pandas as pd
    >>> model = Popularity().fit(pd.DataFrame({"user_id": [1, 2], "item_id": ["tea", "salt"]}))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(model, f"{folder}/model.rp")
    ...     load(f"{folder}/model.rp").recommend(1).item_ids
    ['salt']
    """
    if not isinstance(model, Part):
        raise ArtifactError(
            f"save needs a recommender or another part, got {type(model).__name__}."
        )
    if not model.__sklearn_is_fitted__():
        raise NotFittedError(f"this {type(model).__name__} has learned nothing to save; call fit.")
    target = Path(path)
    try:
        _require_ours(target)
        arrays, text = _encoded(model)
        target.mkdir(parents=True, exist_ok=True)
        with alone_in(target):
            _write(target, type(model).__name__, arrays, text)
    except OSError as problem:
        raise ArtifactError(f"{target} cannot be written: {problem}.") from problem


def load(
    path: str | PathLike[str],
    *,
    functions: Callable[..., Any] | Iterable[Callable[..., Any]] = (),
    mmap: bool = False,
    verify: bool = False,
    gate: EventGate | None = None,
) -> Any:
    """Read a model that `save` wrote; nothing in the directory is executed.

    Parameters
    ----------
    path : path
    functions : function or iterable of functions
        The Python functions that the model used as rules or stages: a file cannot hold them, it
        names them.
    mmap : bool
        Map the arrays from disk instead of reading them: instant, and shared between processes.
    verify : bool
        Compare every array with its SHA-256.
    gate : EventGate, optional
        What the model asks before it learns from anybody, or answers by what it knows of them. A
        model that was fitted behind a gate does neither without one.

    Raises
    ------
    ArtifactError
        If the directory is not a saved model, was written by a newer library, or was damaged; if
        it needs a function or a class that was not given.

    Examples
    --------
    >>> load("nowhere.rp")
    Traceback (most recent call last):
    recopersona.errors.ArtifactError: nowhere.rp is not a saved model: it has no manifest.json.

    `save` shows the whole way.
    """
    folder = Path(path)
    given = (functions,) if callable(functions) else tuple(functions)
    manifest = _read_manifest(folder)
    for _ in range(_ATTEMPTS):
        try:
            model = _read(folder, manifest, given, mmap, verify)
            return model if gate is None else _behind(gate, model)
        except ArtifactError:
            before, manifest = manifest, _read_manifest(folder)
            if manifest["arrays"] == before["arrays"]:
                raise
    raise ArtifactError(f"{folder} was saved anew each time it was read; load it again.")


@contextmanager
def alone_with(path: str | PathLike[str]) -> Iterator[None]:
    """Keep others from saving into a folder, for who loads, changes and saves what is in it."""
    with alone_in(Path(path)):
        yield


def class_of(path: str | PathLike[str]) -> str:
    """Return the name of the class of a saved model, without reading the model.

    Raises
    ------
    ArtifactError
        If the directory is not a saved model.
    """
    return str(_read_manifest(Path(path)).get("class"))


def remove_leftovers(path: str | PathLike[str]) -> int:
    """Remove at once what is in a saved model's folder beside the model; return how many entries.

    These are the arrays of what was there before, and what killed savers left. Who is just reading
    some keeps them.
    """
    folder, n_removed = Path(path), 0
    with alone_in(folder):
        now = _named_arrays(folder)
        for entry in list(folder.iterdir()):
            if _is_part(entry.name) and entry.name != now:
                _remove(entry)
                n_removed += not entry.exists()
    return n_removed


def _behind(gate: EventGate, model: Any) -> Any:
    if not hasattr(model, "behind"):
        raise ArtifactError(
            f"{with_article(type(model).__name__)} learns from nobody, so it needs no gate."
        )
    return model.behind(gate)


def _encoded(model: Part) -> tuple[list[Array], str]:
    """Return a model's arrays, and all else as JSON."""
    name, writer = type(model).__name__, Writer()
    try:
        text = json.dumps(writer.encode(model, name))
    except RecursionError:
        raise ArtifactError(f"{name} holds itself, or is nested too deep for a file.") from None
    except ValueError as problem:
        if isinstance(problem, RecopersonaError):
            raise
        raise ArtifactError(f"{name} holds what JSON cannot express: {problem}.") from problem
    return writer.arrays, text


def _write(target: Path, name: str, arrays: list[Array], text: str) -> None:
    token, before = f"arrays-{uuid.uuid4().hex}", _named_arrays(target)
    try:
        head = {
            "format": FORMAT,
            "class": name,
            "created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "numpy": np.__version__,
            "arrays": token,
            "files": _write_arrays(arrays, target, token),
        }
        _replace_text(target / _MANIFEST, f'{json.dumps(head)[:-1]}, "model": {text}}}')
    except BaseException:
        if _named_arrays(target) != token:  # else the new model is in place already
            shutil.rmtree(target / token, ignore_errors=True)
        raise
    _sweep(target, before)


def _read(
    folder: Path,
    manifest: dict[str, Any],
    functions: Iterable[Callable[..., Any]],
    mmap: bool,
    verify: bool,
) -> Part:
    arrays = _ArrayFiles(folder / manifest["arrays"], manifest["files"], mmap, verify)
    try:
        with locked(folder / manifest["arrays"], shared=True):
            model = Reader(arrays.read, functions).decode(manifest["model"])
    except ArtifactError:
        raise
    except _DAMAGE as problem:
        said = problem if isinstance(problem, RecopersonaError) else f"{problem!r}."
        raise ArtifactError(f"{folder} is damaged: {said}") from problem
    if not isinstance(model, Part) or not model.__sklearn_is_fitted__():
        raise ArtifactError(
            f"{folder} holds no recommender, nor another part that has learned anything."
        )
    return model


class _ArrayFiles:
    """The arrays on disk, each checked against the manifest before it is read."""

    def __init__(self, folder: Path, files: list[dict[str, Any]], mmap: bool, verify: bool) -> None:
        self._folder, self._files, self._mmap, self._verify = folder, files, mmap, verify
        self._read: set[int] = set()

    def read(self, number: Any) -> Array:
        said = self._files[number]
        path = self._folder / f"{int(number)}.npy"
        if number in self._read:
            raise ArtifactError(f"{path} is in the model twice.")
        self._read.add(number)
        if path.is_symlink() or not path.is_file() or path.stat().st_size != said["bytes"]:
            raise ArtifactError(f"{path} is missing or not of the size the manifest says.")
        if self._verify and _sha256(path) != said["sha256"]:
            raise ArtifactError(f"{path} was changed after it was saved.")
        # A mapped array is checked against the file's size, so a lying header allocates nothing.
        mapped = np.lib.format.open_memmap(path, mode="r")
        if mapped.dtype.str != said["dtype"] or list(mapped.shape) != said["shape"]:
            raise ArtifactError(f"{path} does not hold the array the manifest says.")
        if mapped.dtype.kind not in "biuf" or not mapped.flags.c_contiguous:
            raise ArtifactError(f"{path} holds no array of numbers in row order.")
        return mapped.view(np.ndarray) if self._mmap else np.array(mapped)


def _write_arrays(arrays: list[Array], target: Path, token: str) -> list[dict[str, Any]]:
    temporary = target / f".tmp-{os.getpid()}-{token}"
    temporary.mkdir()
    try:
        files = [_write_array(temporary / f"{n}.npy", array) for n, array in enumerate(arrays)]
        flush_folder(temporary)
        temporary.rename(target / token)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    flush_folder(target)
    return files


def _write_array(path: Path, array: Array) -> dict[str, Any]:
    with path.open("wb") as file:
        np.save(file, array, allow_pickle=False)
        file.flush()
        os.fsync(file.fileno())
    return {
        "bytes": path.stat().st_size,
        "sha256": _sha256(path),
        "dtype": array.dtype.str,
        "shape": list(array.shape),
    }


def _replace_text(path: Path, text: str) -> None:
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        with temporary.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    flush_folder(path.parent)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _require_ours(target: Path) -> None:
    if target.exists() and not (target.is_dir() and _is_ours(target)):
        raise ArtifactError(f"{target} is there and is not a saved model; choose another path.")


def _is_ours(folder: Path) -> bool:
    """Tell a saved model, or what is left of one whose first save was cut short, from all else."""
    if (folder / _MANIFEST).exists():
        return _named_arrays(folder) is not None
    return all(_is_part(entry.name) for entry in folder.iterdir())


def _is_part(name: str) -> bool:
    return bool(_ARRAYS.fullmatch(name) or _TEMPORARY.fullmatch(name))


def _named_arrays(folder: Path) -> str | None:
    """Return which arrays the manifest names, or None where there is no manifest of ours."""
    try:
        arrays: str = _read_manifest(folder)["arrays"]
    except ArtifactError:
        return None
    return arrays


def _sweep(folder: Path, before: str | None) -> None:
    """Remove the model that was replaced, and what others left long ago.

    Who is just reading it keeps it until a later save; open memory maps stay valid without it.
    """
    now = _named_arrays(folder)
    for entry in folder.iterdir():
        if not _is_part(entry.name) or entry.name == now:
            continue
        with suppress(OSError):  # somebody else swept it, or nobody may
            if entry.name == before or _is_stale(entry):
                _remove(entry)


def _is_stale(entry: Path) -> bool:
    limit = _REPLACED_AFTER_S if _ARRAYS.fullmatch(entry.name) else _ABANDONED_AFTER_S
    return time.time() - entry.stat().st_mtime > limit


def _remove(entry: Path) -> None:
    if not entry.is_dir():
        entry.unlink()
        return
    with locked(entry, wait=False) as free:
        if free:
            shutil.rmtree(entry)


def _read_manifest(folder: Path) -> dict[str, Any]:
    path = folder / _MANIFEST
    try:
        if not path.is_file():
            raise ArtifactError(f"{folder} is not a saved model: it has no {_MANIFEST}.")
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except ArtifactError:
        raise
    except (ValueError, RecursionError, MemoryError, OSError) as problem:
        raise ArtifactError(f"{path} is not readable: {problem}.") from None
    if not isinstance(manifest, dict) or not _is_version(manifest.get("format")):
        raise ArtifactError(f"{path} is not the manifest of a saved model.")
    if manifest["format"] > FORMAT:
        raise ArtifactError(
            f"{folder} was saved in format {manifest['format']}, this reads up to {FORMAT}; "
            "upgrade recopersona."
        )
    well_formed = (
        isinstance(manifest.get("arrays"), str)
        and _ARRAYS.fullmatch(manifest["arrays"])
        and isinstance(manifest.get("files"), list)
    )
    if not well_formed or (folder / manifest["arrays"]).is_symlink():
        raise ArtifactError(f"{path} does not name its arrays as a saved model does.")
    return manifest


def _is_version(value: Any) -> bool:
    return type(value) is int and value >= 1
