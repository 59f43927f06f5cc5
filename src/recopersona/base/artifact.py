"""A fitted model as a directory: arrays in ``.npy``, everything else in ``manifest.json``.

::

    home.rp/
        manifest.json        what is in the model, and the size and hash of every array
        arrays-<token>/      0.npy, 1.npy, …

Loading executes nothing: classes are looked up by name among those already defined and the
library's own, arrays are read without pickle, sizes are compared before anything is allocated.
Writing is atomic: arrays go to a temporary directory, are flushed to disk and renamed; then the
manifest is replaced in one step. Whoever is killed on the way leaves the old model or the new one.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, is_dataclass
from datetime import timedelta
from itertools import pairwise
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse

from recopersona import names
from recopersona.base.recommender import Recommender
from recopersona.data.decision import Decision
from recopersona.data.feature_table import COLUMN_KINDS, FeatureTable
from recopersona.data.history import History
from recopersona.data.ids import IdMap
from recopersona.data.types import Array
from recopersona.errors import ArtifactError, NotFittedError

FORMAT = 1
"""Raised when an older reader could misread what is written."""

_MANIFEST = "manifest.json"
_ARRAYS = re.compile(r"arrays-[0-9a-f]{32}")
_STALE_AFTER_S = 3_600
_RECORDS: dict[str, type] = {kind.__name__: kind for kind in (*COLUMN_KINDS.values(), Decision)}


def save(model: Recommender, path: str | PathLike[str]) -> None:
    """Write a fitted model into a directory, atomically.

    Parameters
    ----------
    model : Recommender
        A model or a pipeline, fitted.
    path : path
        Made where there is none; a model that is there is replaced.

    Raises
    ------
    NotFittedError
        If there is nothing to keep.
    ArtifactError
        If the model holds something that neither arrays nor JSON can express, or the path is in
        the way of something else.

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
    if not isinstance(model, Recommender):
        raise ArtifactError(f"save needs a recommender, got {type(model).__name__}.")
    if not model.__sklearn_is_fitted__():
        raise NotFittedError(f"this {type(model).__name__} has learned nothing to save; call fit.")
    target = Path(path)
    if target.exists() and not (target.is_dir() and _is_ours(target)):
        raise ArtifactError(f"{target} is there and is not a saved model; choose another path.")
    writer = _Writer()
    tree = writer.encode(model, type(model).__name__)
    target.mkdir(parents=True, exist_ok=True)
    token, before = f"arrays-{uuid.uuid4().hex}", _named_arrays(target)
    try:
        files = _write_arrays(writer.arrays, target, token)
        manifest = {
            "format": FORMAT,
            "class": type(model).__name__,
            "created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "numpy": np.__version__,
            "arrays": token,
            "files": files,
            "model": tree,
        }
        _replace_text(target / _MANIFEST, json.dumps(manifest, allow_nan=True))
    except BaseException:
        if _named_arrays(target) != token:  # else the new model is in place already
            shutil.rmtree(target / token, ignore_errors=True)
        raise
    _sweep(target, before)


def load(
    path: str | PathLike[str],
    *,
    functions: Iterable[Callable[..., Any]] = (),
    mmap: bool = False,
    verify: bool = False,
) -> Any:
    """Read a model that `save` wrote; nothing in the directory is executed.

    Parameters
    ----------
    path : path
    functions : iterable of callables
        The Python functions that the model used as rules or stages: a file cannot hold them, it
        names them.
    mmap : bool
        Map the arrays from disk instead of reading them: instant, and shared between processes.
    verify : bool
        Compare every array with its SHA-256.

    Raises
    ------
    ArtifactError
        If the directory is not a saved model, was written by a newer library, or was damaged; if
        it needs a function or a class that was not given.
    """
    folder = Path(path)
    manifest = _read_manifest(folder)
    arrays = _ArrayFiles(folder / manifest["arrays"], manifest["files"], mmap, verify)
    reader = _Reader(arrays, {_name_of(function): function for function in functions})
    try:
        model = reader.decode(manifest["model"])
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, RecursionError) as problem:
        if isinstance(problem, ArtifactError):
            raise
        raise ArtifactError(f"{folder} is damaged: {problem!r}.") from problem
    if not isinstance(model, Recommender):
        raise ArtifactError(f"{folder} holds no recommender.")
    return model


class _Writer:
    """Turns a model into a JSON tree, and collects its arrays; shared objects are written once.

    Parts are encoded in the order in which `_Reader` decodes them, so that an object stands in
    full before it is named again.
    """

    def __init__(self) -> None:
        self.arrays: list[Array] = []
        self._shared: dict[int, int] = {}
        self._alive: list[object] = []  # an id is only unique while its object lives

    def encode(self, value: Any, where: str) -> Any:
        if value is None or isinstance(value, (bool, int, float, str)):
            return value
        if isinstance(value, np.generic):
            return self.encode(value.item(), where)
        if id(value) in self._shared:
            return {"$": "again", "of": self._shared[id(value)]}
        tree = self._encode_object(value, where)
        if not isinstance(value, (tuple, list, dict)):
            self._shared[id(value)] = tree["id"] = len(self._alive)
            self._alive.append(value)
        return tree

    def _encode_object(self, value: Any, where: str) -> dict[str, Any]:
        if isinstance(value, np.ndarray):
            return self._array(value, where)
        if isinstance(value, (tuple, list)):
            kind = "tuple" if isinstance(value, tuple) else "list"
            parts = [self.encode(part, f"{where}[{n}]") for n, part in enumerate(value)]
            return {"$": kind, "parts": parts}
        if isinstance(value, Mapping):
            pairs = [
                [self.encode(key, where), self.encode(part, f"{where}[{key!r}]")]
                for key, part in value.items()
            ]
            return {"$": "dict", "pairs": pairs}
        if isinstance(value, timedelta):
            return {"$": "timedelta", "seconds": value.total_seconds()}
        if isinstance(value, Recommender):
            return self._recommender(value, where)
        if isinstance(value, IdMap):
            return {"$": "IdMap", "ids": self.encode(value.ids, where)}
        if isinstance(value, History):
            arrays = self.encode(value.arrays(), where)
            return {"$": "History", "arrays": arrays, "limit": value.limit}
        if isinstance(value, FeatureTable):
            ids = self.encode(value.ids, where)
            columns = self.encode({name: value.column(name) for name in value.names}, where)
            return {"$": "FeatureTable", "ids": ids, "columns": columns}
        if isinstance(value, sparse.csr_array):
            parts = self.encode((value.data, value.indices, value.indptr, value.shape), where)
            return {"$": "csr", "parts": parts}
        if is_dataclass(value) and type(value).__name__ in _RECORDS:
            held = {
                field.name: self.encode(getattr(value, field.name), f"{where}.{field.name}")
                for field in fields(value)
            }
            return {"$": "record", "class": type(value).__name__, "fields": held}
        if callable(value) and not isinstance(value, type):
            return {"$": "function", "name": _function_name(value, where)}
        raise ArtifactError(
            f"{where} is a {type(value).__name__}, which a saved model cannot hold."
        )

    def _recommender(self, model: Recommender, where: str) -> dict[str, Any]:
        # Parameters first, as they are read: what both share is written where it is read first.
        parameters = {
            name: self.encode(value, f"{where}.{name}")
            for name, value in model.get_params(deep=False).items()
        }
        learned = {
            name: self.encode(value, f"{where}.{name}")
            for name, value in vars(model).items()
            if name.endswith("_")
        }
        return {
            "$": "recommender",
            "class": type(model).__name__,
            "parameters": parameters,
            "learned": learned,
        }

    def _array(self, array: Array, where: str) -> dict[str, Any]:
        if array.dtype == object:
            return self._objects(array.tolist(), where)
        if array.dtype.kind not in "biuf":
            raise ArtifactError(f"{where} is an array of {array.dtype}, which is never saved.")
        self.arrays.append(np.ascontiguousarray(array))
        return {"$": "array", "file": len(self.arrays) - 1}

    def _objects(self, values: list[Any], where: str) -> dict[str, Any]:
        if all(isinstance(value, str) for value in values):
            texts = [value.encode("utf-8", "surrogatepass") for value in values]
            bounds = np.concatenate([[0], np.cumsum([len(text) for text in texts])])
            data = np.frombuffer(b"".join(texts), dtype=np.uint8)
            return {
                "$": "texts",
                "data": self._array(data, where),
                "bounds": self._array(bounds.astype(np.int64), where),
            }
        return {"$": "objects", "parts": [self.encode(value, where) for value in values]}


class _Reader:
    """Turns the JSON tree back into a model."""

    def __init__(self, arrays: _ArrayFiles, functions: dict[str, Callable[..., Any]]) -> None:
        self._arrays, self._functions = arrays, functions
        self._shared: dict[int, Any] = {}

    def decode(self, tree: Any) -> Any:
        if not isinstance(tree, dict):
            return tree
        if tree["$"] == "again":
            return self._shared[tree["of"]]
        value = self._decoders[tree["$"]](self, tree)
        if "id" in tree:
            self._shared[tree["id"]] = value
        return value

    def _recommender(self, tree: dict[str, Any]) -> Recommender:
        kind = _recommender_class(tree["class"])
        known = set(kind._get_param_names())
        parameters = {name: self.decode(part) for name, part in tree["parameters"].items()}
        model: Recommender = kind(
            **{name: parameters[name] for name in parameters if name in known}
        )
        for name, part in tree["learned"].items():
            if not (name.isidentifier() and name.endswith("_") and not name.startswith("_")):
                raise ArtifactError(f"a saved model cannot set {name!r}.")
            setattr(model, name, self.decode(part))
        return model

    def _texts(self, tree: dict[str, Any]) -> Array:
        data, bounds = self.decode(tree["data"]).tobytes(), self.decode(tree["bounds"]).tolist()
        spans = pairwise(bounds)
        texts = [data[start:end].decode("utf-8", "surrogatepass") for start, end in spans]
        return _object_array(texts)

    def _id_map(self, tree: dict[str, Any]) -> IdMap:
        return IdMap.restored(self.decode(tree["ids"]))

    def _record(self, tree: dict[str, Any]) -> Any:
        kind = _RECORDS[tree["class"]]
        return kind(**{name: self.decode(part) for name, part in tree["fields"].items()})

    def _csr(self, tree: dict[str, Any]) -> sparse.csr_array:
        data, indices, indptr, shape = self.decode(tree["parts"])
        matrix = sparse.csr_array((data, indices, indptr), shape=tuple(shape))
        matrix.check_format(full_check=True)
        return matrix

    def _function(self, tree: dict[str, Any]) -> Callable[..., Any]:
        name = tree["name"]
        if name not in self._functions:
            raise ArtifactError(
                f"this model uses the function {name!r}, which a file cannot hold; "
                f"pass it: rp.load(path, functions=[{name}])."
            )
        return self._functions[name]

    _decoders: Mapping[str, Callable[[_Reader, dict[str, Any]], Any]] = {
        "array": lambda self, tree: self._arrays[tree["file"]],
        "texts": _texts,
        "objects": lambda self, tree: _object_array([self.decode(part) for part in tree["parts"]]),
        "list": lambda self, tree: [self.decode(part) for part in tree["parts"]],
        "tuple": lambda self, tree: tuple(self.decode(part) for part in tree["parts"]),
        "dict": lambda self, tree: {
            self.decode(key): self.decode(part) for key, part in tree["pairs"]
        },
        "timedelta": lambda _, tree: timedelta(seconds=tree["seconds"]),
        "recommender": _recommender,
        "IdMap": _id_map,
        "History": lambda self, tree: History.from_arrays(
            self.decode(tree["arrays"]), tree["limit"]
        ),
        "FeatureTable": lambda self, tree: FeatureTable(
            self.decode(tree["ids"]), self.decode(tree["columns"])
        ),
        "csr": _csr,
        "record": _record,
        "function": _function,
    }


class _ArrayFiles:
    """The arrays on disk, each checked against the manifest before it is read."""

    def __init__(self, folder: Path, files: list[dict[str, Any]], mmap: bool, verify: bool) -> None:
        self._folder, self._files, self._mmap, self._verify = folder, files, mmap, verify

    def __getitem__(self, number: int) -> Array:
        said = self._files[number]
        path = self._folder / f"{int(number)}.npy"
        if path.is_symlink() or not path.is_file() or path.stat().st_size != said["bytes"]:
            raise ArtifactError(f"{path} is missing or not of the size the manifest says.")
        if self._verify and _sha256(path) != said["sha256"]:
            raise ArtifactError(f"{path} was changed after it was saved.")
        # A mapped array is checked against the file's size, so a lying header allocates nothing.
        mapped = np.load(path, mmap_mode="r", allow_pickle=False)
        if mapped.dtype.str != said["dtype"] or list(mapped.shape) != said["shape"]:
            raise ArtifactError(f"{path} does not hold the array the manifest says.")
        return mapped.view(np.ndarray) if self._mmap else np.array(mapped)


def _recommender_class(name: str) -> type[Recommender]:
    """Find a class by name: among the library's public names, else among those defined so far."""
    if name in names.PUBLIC_NAMES:
        found = names.resolve(name)
        if isinstance(found, type) and issubclass(found, Recommender):
            return found
    for kind in _subclasses(Recommender):
        if kind.__name__ == name:
            return kind
    raise ArtifactError(
        f"the model's class {name!r} is not defined here; import it before loading."
    )


def _subclasses(kind: type[Recommender]) -> Iterable[type[Recommender]]:
    for child in reversed(kind.__subclasses__()):
        yield child
        yield from _subclasses(child)


def _name_of(function: Callable[..., Any]) -> str:
    return getattr(function, "__name__", type(function).__name__)


def _function_name(function: Callable[..., Any], where: str) -> str:
    name = _name_of(function)
    if not name.isidentifier():
        raise ArtifactError(
            f"{where} is a lambda, which a file can neither hold nor name; define it with def."
        )
    return name


def _object_array(values: list[Any]) -> Array:
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def _write_arrays(arrays: list[Array], target: Path, token: str) -> list[dict[str, Any]]:
    temporary = target / f".tmp-{os.getpid()}-{token}"
    temporary.mkdir()
    try:
        files = [_write_array(temporary / f"{n}.npy", array) for n, array in enumerate(arrays)]
        _flush_directory(temporary)
        temporary.rename(target / token)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    _flush_directory(target)
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
    _flush_directory(path.parent)


def _flush_directory(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _is_ours(folder: Path) -> bool:
    """Tell a saved model, or what is left of one whose first save was cut short, from all else."""
    if (folder / _MANIFEST).is_file():
        return _named_arrays(folder) is not None
    return all(_is_part(entry.name) for entry in folder.iterdir())


def _is_part(name: str) -> bool:
    return bool(_ARRAYS.fullmatch(name)) or name.startswith((".tmp-", f".{_MANIFEST}."))


def _named_arrays(folder: Path) -> str | None:
    """Return which arrays the manifest names, or None where there is no manifest of ours."""
    try:
        arrays: str = _read_manifest(folder)["arrays"]
    except ArtifactError:
        return None
    return arrays


def _sweep(folder: Path, before: str | None) -> None:
    """Remove the model that was replaced, and what others left long ago.

    Whoever saves at the same time keeps what is new; open memory maps of old arrays stay valid.
    """
    now = _named_arrays(folder)
    for entry in folder.iterdir():
        if not _is_part(entry.name) or entry.name == now:
            continue
        if entry.name == before or _is_stale(entry):
            _remove(entry)


def _is_stale(entry: Path) -> bool:
    try:
        return time.time() - entry.stat().st_mtime > _STALE_AFTER_S
    except FileNotFoundError:  # somebody else swept it
        return False


def _remove(entry: Path) -> None:
    if entry.is_dir():
        shutil.rmtree(entry, ignore_errors=True)
    else:
        entry.unlink(missing_ok=True)


def _read_manifest(folder: Path) -> dict[str, Any]:
    path = folder / _MANIFEST
    if not path.is_file():
        raise ArtifactError(f"{folder} is not a saved model: it has no {_MANIFEST}.")
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as problem:
        raise ArtifactError(f"{path} is not readable: {problem}.") from None
    if not isinstance(manifest, dict) or not isinstance(manifest.get("format"), int):
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
