"""What a saved model is made of: objects as a JSON tree beside plain arrays, and the way back.

Reading executes nothing that was not written by whoever reads: classes are looked up by name among
those defined here, functions among those given. Whatever a tree says is checked before it is used,
because what answers later, kernels above all, checks nothing again.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from datetime import date, timedelta
from functools import cached_property
from itertools import pairwise
from pathlib import Path, PurePath
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any
from uuid import UUID

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer, TfidfVectorizer
from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, RobustScaler, StandardScaler

from recopersona import names
from recopersona.base.forgetting import Stale, require_stale
from recopersona.base.parameters import check_parameters
from recopersona.base.part import Part, is_learned
from recopersona.base.recommender import Recommender, require_array
from recopersona.base.worded import Worded
from recopersona.data.decision import Decision
from recopersona.data.draw import Draw
from recopersona.data.event import EVENT_CODES
from recopersona.data.feature_table import (
    COLUMN_KINDS,
    CategoryColumn,
    FeatureTable,
    FlagColumn,
    NumberColumn,
    SetColumn,
    TextColumn,
    TimeColumn,
)
from recopersona.data.history import History
from recopersona.data.ids import IdMap
from recopersona.data.types import Array
from recopersona.errors import ArtifactError, DataError, hint, shown

Function = Callable[..., Any]
Tree = dict[str, Any]

_RECORDS: dict[str, type] = {
    kind.__name__: kind for kind in (*COLUMN_KINDS.values(), Draw, Decision, Stale)
}
_SCALERS: dict[str, type] = {
    kind.__name__: kind for kind in (MaxAbsScaler, MinMaxScaler, RobustScaler, StandardScaler)
}
_VECTORIZERS: dict[str, type] = {
    kind.__name__: kind for kind in (CountVectorizer, HashingVectorizer, TfidfVectorizer)
}
_PLAIN_ARRAYS = "biuf"  # numpy's letters for truth values and numbers
_PLAIN_KEYS = (bool, int, float, str, timedelta, UUID, type(None))
_AS_IT_IS = frozenset({type(None), bool, int, float, str})  # in JSON as well
_MERSENNE_TWISTER = "MT19937"
_MERSENNE_WORDS = 624
_MOST_REMEMBERED = 2**31 - 1


class Writer:
    """Turns a model into a JSON tree, and collects its arrays; shared objects are written once.

    Parts are encoded in the order in which `Reader` decodes them, so that an object stands in
    full before it is named again.
    """

    def __init__(self) -> None:
        self.arrays: list[Array] = []
        self._shared: dict[int, int] = {}
        self._alive: list[object] = []  # an id is only unique while its object lives
        self._functions: dict[str, tuple[Function, str]] = {}

    def encode(self, value: Any, where: str) -> Any:
        """Return a value as JSON has it; ``where`` says which it is, should it be refused."""
        if value is None or isinstance(value, (bool, int, float, str)):
            return value
        if isinstance(value, np.generic) and _is_plain(value):
            return value.item()
        if id(value) in self._shared:
            return {"$": "again", "of": self._shared[id(value)]}
        tree = self._encode_object(value, where)
        if not isinstance(value, (tuple, list, Mapping)):
            self._shared[id(value)] = tree["id"] = len(self._alive)
            self._alive.append(value)
        return tree

    def _encode_object(self, value: Any, where: str) -> Tree:
        for kind, encode in self._encoders.items():
            if isinstance(value, kind):
                return encode(self, value, where)
        if callable(value) and not isinstance(value, type):
            return self._function(value, where)
        raise ArtifactError(
            f"{where} is a {type(value).__name__}, which a saved model cannot hold."
        )

    def _part(self, part: Part, where: str) -> Tree:
        check_parameters(part)
        parameters = part.get_params(deep=False)
        learned = {name: value for name, value in vars(part).items() if name not in parameters}
        for name in learned:
            if not (is_learned(name) or name.startswith("_")):
                raise ArtifactError(
                    f"{where}.{name} is neither a parameter nor learned; "
                    "learned attributes end in '_', caches start with '_'."
                )
        # Parameters first, as they are read: what both share is written where it is read first.
        return {
            "$": "part",
            "class": type(part).__name__,
            "module": type(part).__module__,
            "parameters": self._attributes(parameters, where),
            "learned": self._attributes(
                {name: value for name, value in learned.items() if is_learned(name)}, where
            ),
        }

    def _attributes(self, values: Mapping[str, Any], where: str) -> Tree:
        return {
            name: value if type(value) in _AS_IT_IS else self.encode(value, f"{where}.{name}")
            for name, value in values.items()
        }

    def _array(self, array: Array, where: str) -> Tree:
        if isinstance(array, np.ma.MaskedArray):
            raise ArtifactError(f"{where} is an array with a mask, which is never saved.")
        if array.dtype == object and array.ndim == 1:
            return self._objects(array.tolist(), where)
        if array.dtype.kind not in _PLAIN_ARRAYS:
            raise ArtifactError(f"{where} is an array of {array.dtype}, which is never saved.")
        self.arrays.append(np.asarray(array, order="C"))
        return {"$": "array", "file": len(self.arrays) - 1}

    def _objects(self, values: list[Any], where: str) -> Tree:
        if not all(isinstance(value, str) for value in values):
            parts = [self.encode(value, f"{where}[{n}]") for n, value in enumerate(values)]
            return {"$": "objects", "parts": parts}
        texts = [value.encode("utf-8", "surrogatepass") for value in values]
        bounds = np.cumsum([0, *map(len, texts)], dtype=np.int64)
        data = np.frombuffer(b"".join(texts), dtype=np.uint8)
        return {
            "$": "texts",
            "data": self._array(data, where),
            "bounds": self._array(bounds, where),
        }

    def _sequence(self, values: list[Any] | tuple[Any, ...], where: str) -> Tree:
        kind = "tuple" if isinstance(values, tuple) else "list"
        parts = [
            part if type(part) in _AS_IT_IS else self.encode(part, f"{where}[{n}]")
            for n, part in enumerate(values)
        ]
        return {"$": kind, "parts": parts}

    def _dict(self, values: Mapping[Any, Any], where: str) -> Tree:
        pairs = [
            [
                key if type(key) is str else self._key(key, where),
                part if type(part) in _AS_IT_IS else self.encode(part, f"{where}[{key!r}]"),
            ]
            for key, part in values.items()
        ]
        return {"$": "dict", "pairs": pairs}

    def _key(self, key: Any, where: str) -> Any:
        if not _are_keys([key.item() if isinstance(key, np.generic) else key]):
            raise ArtifactError(f"{where} has a {type(key).__name__} for a key, which is not kept.")
        return self.encode(key, where)

    def _id_map(self, ids: IdMap, where: str) -> Tree:
        return {"$": "IdMap", "ids": self.encode(ids.ids, where)}

    def _history(self, history: History, where: str) -> Tree:
        return {
            "$": "History",
            "arrays": self.encode(history.arrays(), where),
            "limit": history.limit,
        }

    def _feature_table(self, table: FeatureTable, where: str) -> Tree:
        ids = self.encode(table.ids, where)
        columns = self.encode({name: table.column(name) for name in table.names}, where)
        return {"$": "FeatureTable", "ids": ids, "columns": columns}

    def _csr(self, matrix: sparse.csr_array, where: str) -> Tree:
        used = slice(0, matrix.nnz)
        parts = (matrix.data[used], matrix.indices[used], matrix.indptr, matrix.shape)
        return {"$": "csr", "parts": self.encode(parts, where)}

    def _random_state(self, random: np.random.RandomState, where: str) -> Tree:
        state: Any = random.get_state(legacy=False)
        if state["bit_generator"] != _MERSENNE_TWISTER:
            raise ArtifactError(
                f"{where} draws from {state['bit_generator']}, which a saved model cannot hold; "
                "pass an integer or numpy.random.RandomState(seed)."
            )
        inner = state["state"]
        parts = (inner["key"], inner["pos"], state["has_gauss"], state["gauss"])
        return {"$": "RandomState", "parts": self.encode(parts, where)}

    def _record(self, record: Any, where: str) -> Tree:
        held = {field.name: getattr(record, field.name) for field in fields(record)}
        if isinstance(record, Decision):
            held["user_id"] = _or_its_text(record.user_id)
            held["context"] = {name: _or_its_text(one) for name, one in record.context.items()}
        return {
            "$": "record",
            "class": type(record).__name__,
            "fields": self._attributes(held, where),
        }

    def _worded(self, said: Worded, _: str) -> Tree:
        kind = type(said)
        return {
            "$": "worded",
            "class": kind.__name__,
            "module": kind.__module__,
            "text": said._in_words(),
        }

    def _function(self, function: Function, where: str) -> Tree:
        name = _function_name(function, where)
        known, place = self._functions.setdefault(name, (function, where))
        if known is not function:
            raise ArtifactError(
                f"{where} and {place} are two functions of the one name {name!r}, and a file "
                "keeps only names; rename one."
            )
        return {"$": "function", "name": name}

    def _scaler(self, scaler: Any, where: str) -> Tree:
        learned = {name: value for name, value in vars(scaler).items() if is_learned(name)}
        return {
            "$": "scaler",
            "class": type(scaler).__name__,
            "parameters": self._attributes(scaler.get_params(), where),
            "learned": self._attributes(learned, where),
        }

    def _vectorizer(self, vectorizer: Any, where: str) -> Tree:
        """Write how a vectorizer was made; what it learned is kept by whoever uses it."""
        if type(vectorizer) not in _VECTORIZERS.values():
            raise ArtifactError(
                f"{where} is a {type(vectorizer).__name__}, which a saved model cannot hold."
            )
        parameters = {**vectorizer.get_params(), "dtype": np.dtype(vectorizer.dtype).name}
        return {
            "$": "vectorizer",
            "class": type(vectorizer).__name__,
            "parameters": self._attributes(parameters, where),
        }

    def _frame(self, frame: pd.DataFrame, where: str) -> Tree:
        """Write a frame of numbers by id, such as vectors that came from outside."""
        values = frame.to_numpy()
        if values.dtype.kind not in _PLAIN_ARRAYS or frame.index.nlevels > 1:
            raise ArtifactError(
                f"{where} is a dataframe of more than numbers by id, which is never saved."
            )
        parts = (values, frame.index.to_numpy(), list(frame.columns))
        return {"$": "frame", "parts": self.encode(parts, where)}

    _encoders: Mapping[Any, Callable[[Writer, Any, str], Tree]] = {
        np.ndarray: _array,
        (tuple, list): _sequence,
        Mapping: _dict,
        Part: _part,
        Worded: _worded,
        IdMap: _id_map,
        History: _history,
        FeatureTable: _feature_table,
        sparse.csr_array: _csr,
        tuple(_RECORDS.values()): _record,
        np.random.RandomState: _random_state,
        tuple(_SCALERS.values()): _scaler,
        tuple(_VECTORIZERS.values()): _vectorizer,
        pd.DataFrame: _frame,
        timedelta: lambda _, value, __: {"$": "timedelta", "seconds": value.total_seconds()},
        UUID: lambda _, value, __: {"$": "uuid", "hex": value.hex},
        PurePath: lambda _, value, __: {"$": "path", "path": str(value)},
    }


class Reader:
    """Turns the JSON tree back into a model.

    Parameters
    ----------
    array_of : function
        Returns the array of one number, never twice: a small tree must not make much of little.
    functions : iterable of functions
        Those that the tree may name.

    Raises
    ------
    ArtifactError, or whatever else Python raises on a tree that no `Writer` wrote.
    """

    def __init__(self, array_of: Callable[[Any], Array], functions: Iterable[Function]) -> None:
        self._array_of, self._functions = array_of, tuple(functions)
        self._shared: dict[int, Any] = {}

    def decode(self, tree: Any) -> Any:
        """Return what a tree stands for."""
        if tree is None or isinstance(tree, (bool, int, float, str)):
            return tree
        if tree["$"] == "again":
            return self._shared[tree["of"]]
        value = self._decoders[tree["$"]](self, tree)
        # Tuples of shared tuples would take for ever to hash.
        if "id" in tree and not isinstance(value, (tuple, list, dict)):
            self._shared[tree["id"]] = value
        return value

    def _part(self, tree: Tree) -> Part:
        kind = _part_class(tree["class"], tree["module"])
        known = kind._get_param_names()
        for name in tree["parameters"]:
            if name not in known:
                raise ArtifactError(
                    f"the saved {kind.__name__} has a parameter {name!r}, which the class here has "
                    f"not{hint(name, known)}"
                )
        part: Part = kind(**self._attributes(tree["parameters"]))
        check_parameters(part)
        for name in tree["learned"]:
            if not (name.isidentifier() and is_learned(name)):
                raise ArtifactError(f"a saved model cannot set {name!r}.")
        for name, value in self._attributes(tree["learned"]).items():
            setattr(part, name, value)
        if tree["learned"] and hasattr(part, "_check_learned"):
            part._check_learned()
        if tree["learned"] and hasattr(part, "_prepare"):
            part._prepare()
        return part

    def _attributes(self, trees: Tree) -> dict[str, Any]:
        return {
            name: tree if type(tree) in _AS_IT_IS else self.decode(tree)
            for name, tree in trees.items()
        }

    def _parts(self, tree: Tree) -> list[Any]:
        return [part if type(part) in _AS_IT_IS else self.decode(part) for part in tree["parts"]]

    def _texts(self, tree: Tree) -> Array:
        data, bounds = self.decode(tree["data"]), self.decode(tree["bounds"])
        require_array(data, np.uint8, (None,), "texts")
        _require_bounds(bounds, len(data), "bounds of texts")
        content = data.tobytes()
        spans = pairwise(bounds.tolist())
        return _object_array([content[a:b].decode("utf-8", "surrogatepass") for a, b in spans])

    def _dict(self, tree: Tree) -> dict[Any, Any]:
        pairs = [(self.decode(key), self.decode(part)) for key, part in tree["pairs"]]
        if not _are_keys([key for key, _ in pairs]):
            raise DataError("a dictionary's keys must be plain values.")
        return dict(pairs)

    def _id_map(self, tree: Tree) -> IdMap:
        ids = self.decode(tree["ids"])
        if not isinstance(ids, np.ndarray) or ids.dtype != np.int64:
            require_array(ids, np.object_, (None,), "ids")
        require_array(ids, ids.dtype.type, (None,), "ids")
        listed = [identifier for identifier in ids.tolist() if identifier is not None]
        if not _are_keys(listed) or len(set(listed)) < len(listed):
            raise DataError("ids must be distinct plain values.")
        return IdMap.restored(ids)

    def _history(self, tree: Tree) -> History:
        limit = tree["limit"]
        if type(limit) is not int or not 1 <= limit <= _MOST_REMEMBERED:
            raise DataError(f"a history's limit must be an integer of at least 1, got {limit!r}.")
        return History.from_arrays(self.decode(tree["arrays"]), limit)

    def _feature_table(self, tree: Tree) -> FeatureTable:
        ids, columns = self.decode(tree["ids"]), self.decode(tree["columns"])
        if not isinstance(ids, IdMap) or not isinstance(columns, dict):
            raise DataError("attributes need ids and columns.")
        kinds = tuple(COLUMN_KINDS.values())
        for name, column in columns.items():
            if not isinstance(name, str) or not isinstance(column, kinds) or len(column) > len(ids):
                raise DataError(f"{name!r} is no column of at most {len(ids)} rows.")
        return FeatureTable(ids, columns)

    def _csr(self, tree: Tree) -> sparse.csr_array:
        data, indices, indptr, shape = self.decode(tree["parts"])
        # SciPy looks at differences, which wrap around.
        _require_bounds(indptr.astype(np.int64), len(indices), "indptr of a csr_array")
        matrix = sparse.csr_array((data, indices, indptr), shape=tuple(shape))
        matrix.check_format(full_check=True)
        return matrix

    def _random_state(self, tree: Tree) -> np.random.RandomState:
        key, pos, has_gauss, gauss = self.decode(tree["parts"])
        require_array(key, np.uint32, (_MERSENNE_WORDS,), "RandomState")
        # NumPy checks none of these, and reads its key at this place.
        if not (0 <= pos <= _MERSENNE_WORDS and has_gauss in (0, 1) and np.isfinite(gauss)):
            raise DataError("the state of a RandomState is none.")
        random = np.random.RandomState()
        random.set_state((_MERSENNE_TWISTER, key, int(pos), has_gauss, gauss))
        return random

    def _scaler(self, tree: Tree) -> Any:
        scaler = _SCALERS[tree["class"]](**self._attributes(tree["parameters"]))
        for name, value in self._attributes(tree["learned"]).items():
            if not (name.isidentifier() and is_learned(name)):
                raise ArtifactError(f"a saved scaler cannot set {name!r}.")
            setattr(scaler, name, value)
        return scaler

    def _vectorizer(self, tree: Tree) -> Any:
        parameters = self._attributes(tree["parameters"])
        if parameters["input"] != "content":
            raise ArtifactError("a saved vectorizer must read the text given, and no file.")
        dtype = np.dtype(parameters.pop("dtype"))
        if dtype.kind not in _PLAIN_ARRAYS:
            raise ArtifactError(f"a saved vectorizer cannot count in {dtype}.")
        return _VECTORIZERS[tree["class"]](**parameters, dtype=dtype.type)

    def _frame(self, tree: Tree) -> pd.DataFrame:
        values, index, columns = self.decode(tree["parts"])
        return pd.DataFrame(values, index=index, columns=columns)

    def _worded(self, tree: Tree) -> Worded:
        kind, text = _class_named(tree["class"], tree["module"], Worded), tree["text"]
        if not isinstance(text, str):
            raise DataError(f"a {kind.__name__} must be kept as text.")
        said: Worded = kind._of_words(text)
        return said

    def _record(self, tree: Tree) -> Any:
        kind = _RECORDS[tree["class"]]
        record = kind(**self._attributes(tree["fields"]))
        _require_record(record)
        return record

    def _function(self, tree: Tree) -> Function:
        name = tree["name"]
        found = self._functions_by_name.get(name, [])
        if not found:
            raise ArtifactError(
                f"this model uses the function {name!r}, which a file cannot hold; "
                f"pass it: rp.load(path, functions=[{name}])."
            )
        if any(function is not found[0] for function in found):
            raise ArtifactError(f"functions must differ in name, got two of {name!r}; pass one.")
        return found[0]

    @cached_property
    def _functions_by_name(self) -> dict[str, list[Function]]:
        named: dict[str, list[Function]] = {}
        for function in self._functions:
            named.setdefault(_name_of(function), []).append(function)
        return named

    _decoders: Mapping[str, Callable[[Reader, Tree], Any]] = {
        "array": lambda self, tree: self._array_of(tree["file"]),
        "texts": _texts,
        "objects": lambda self, tree: _object_array(self._parts(tree)),
        "list": _parts,
        "tuple": lambda self, tree: tuple(self._parts(tree)),
        "dict": _dict,
        "timedelta": lambda _, tree: timedelta(seconds=tree["seconds"]),
        "uuid": lambda _, tree: UUID(hex=tree["hex"]),
        "path": lambda _, tree: Path(tree["path"]),
        "worded": _worded,
        "part": _part,
        "IdMap": _id_map,
        "History": _history,
        "FeatureTable": _feature_table,
        "csr": _csr,
        "RandomState": _random_state,
        "scaler": _scaler,
        "vectorizer": _vectorizer,
        "frame": _frame,
        "record": _record,
        "function": _function,
    }


def _is_plain(number: np.generic) -> bool:
    return number.dtype.kind in _PLAIN_ARRAYS and number.dtype.itemsize <= 8


def _are_keys(values: Iterable[Any]) -> bool:
    """Tell whether values are plain: hashed in no time, and equal to what they are read back as."""
    kinds: dict[type, list[Any]] = {}
    for value in values:
        kinds.setdefault(type(value), []).append(value)
    return all(
        all(map(_are_keys, held)) if kind is tuple else issubclass(kind, _PLAIN_KEYS)
        for kind, held in kinds.items()
    )


def _object_array(values: list[Any]) -> Array:
    return np.fromiter(values, dtype=object, count=len(values))


def _name_of(function: Function) -> str:
    return getattr(function, "__name__", type(function).__name__)


def _function_name(function: Function, where: str) -> str:
    of_module = isinstance(getattr(function, "__self__", None), (ModuleType, type(None)))
    if not isinstance(function, (FunctionType, BuiltinFunctionType)) or not of_module:
        raise ArtifactError(
            f"{where} is a {type(function).__name__}, which a file can neither hold nor name; "
            "define it with def, or derive its class from Part."
        )
    name = _name_of(function)
    if not name.isidentifier():
        raise ArtifactError(
            f"{where} is a lambda, which a file can neither hold nor name; define it with def."
        )
    return name


def _part_class(name: str, module: str) -> type[Part]:
    kind: type[Part] = _class_named(name, module, Part)
    if issubclass(kind, Recommender) and kind._fit is Recommender._fit:
        raise ArtifactError(f"{name!r} is no model, but what models are derived from.")
    return kind


def _class_named(name: str, module: str, base: Any) -> Any:
    """Find a class by name: the library's among its own, a user's among those defined so far."""
    if _is_library(module) and name in names.PUBLIC_NAMES:
        names.resolve(name)  # importing it defines it
    found = [
        kind
        for kind in _subclasses(base)
        if kind.__name__ == name and _is_library(kind.__module__) == _is_library(module)
    ]
    if not found:
        raise ArtifactError(
            f"the model's class {name!r} is not defined here; import it before loading "
            f"(it was saved from {module})."
        )
    return _nearest_class(found, module)


def _nearest_class(found: list[type], module: str) -> type:
    """Pick the class that the module names now; else its latest; else that of the only other."""
    name = found[0].__name__
    current = vars(sys.modules[module]).get(name) if module in sys.modules else None
    at_home = [kind for kind in found if kind.__module__ == module]
    homes = sorted({kind.__module__ for kind in found})
    if not at_home and len(homes) > 1:
        raise ArtifactError(
            f"the model's class {name!r} was saved from {module}, which is not imported; "
            f"got classes of that name from {' and '.join(homes)}; import only one."
        )
    return next((kind for kind in at_home if kind is current), (at_home or found)[0])


def _is_library(module: str) -> bool:
    return module.partition(".")[0] == "recopersona"


def _subclasses(kind: type) -> Iterable[type]:
    """Return what is derived from a class, the latest first."""
    children: list[type] = kind.__subclasses__()
    for child in reversed(children):
        yield child
        yield from _subclasses(child)


def _require_bounds(bounds: Any, end: int, name: str) -> None:
    """Check where runs start and end; differences would wrap around, comparisons do not."""
    require_array(bounds, np.int64, (None,), name)
    whole = len(bounds) and bounds[0] == 0 and bounds[-1] == end
    if not (whole and (bounds[1:] >= bounds[:-1]).all()):
        raise DataError(f"the {name} must rise from 0 to {end}.")


def _require_record(record: Any) -> None:
    if isinstance(record, Decision):
        good = _is_decision(record)
    elif isinstance(record, Draw):
        good = _is_draw(record)
    elif isinstance(record, Stale):
        require_stale(record, "a file")
        good = True
    elif isinstance(record, SetColumn):
        _require_bounds(record.starts, len(record.codes), "starts of a set column")
        good = _are_codes(record.codes, record.categories, lowest=0)
    elif isinstance(record, CategoryColumn):
        good = _are_codes(record.values, record.categories, lowest=-1)
    else:
        require_array(record.values, _VALUE_TYPES[type(record)], (None,), record.kind)
        good = _are_values(record)
    if not good:
        raise DataError(f"a {type(record).__name__} holds values that none has.")


_VALUE_TYPES: Mapping[type, type[np.generic]] = {
    NumberColumn: np.float64,
    TimeColumn: np.int64,
    FlagColumn: np.int8,
    TextColumn: np.object_,
}


def _or_its_text(value: Any) -> Any:
    """Return a value that a request came with; as text, where a file cannot hold it."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    try:
        Writer().encode(value, "")  # not by the one at work: what fails half-way leaves its parts
        if callable(value):  # it would have to be passed to whoever loads
            return shown(value)
    except (ArtifactError, RecursionError):
        return str(value) if isinstance(value, date) else shown(value)
    return value


def _are_values(column: Any) -> bool:
    if isinstance(column, FlagColumn):
        return bool(np.isin(column.values, (-1, 0, 1)).all())
    if isinstance(column, TextColumn):
        return all(value is None or isinstance(value, str) for value in column.values.tolist())
    return True


def _are_codes(codes: Any, categories: Any, lowest: int) -> bool:
    require_array(codes, np.int32, (None,), "codes")
    return isinstance(categories, IdMap) and bool(
        ((codes >= lowest) & (codes < len(categories))).all()
    )


def _is_decision(decision: Decision) -> bool:
    said: Any = decision
    return (
        isinstance(said.decision_id, str)
        and isinstance(said.shown, (tuple, list))
        and isinstance(said.sources, (tuple, list))
        and isinstance(said.context, dict)
        and (said.now is None or (type(said.now) is int and abs(said.now) < 2**62))
        and (said.outcome is None or _is_outcome(said.outcome))
        and isinstance(said.slot_propensities, (tuple, list))
        and all(one != one or _is_share(one) for one in said.slot_propensities)
        and (said.draw is None or isinstance(said.draw, Draw))
        and _are_keys((said.user_id, *said.shown))
    )


def _is_outcome(outcome: Any) -> bool:
    kinds = isinstance(outcome, dict) and all(isinstance(one, str) for one in outcome.values())
    return kinds and all(one in EVENT_CODES for one in outcome.values())


def _is_draw(draw: Draw) -> bool:
    said: Any = draw
    return (
        isinstance(said.probabilities, dict)
        and isinstance(said.refused, dict)
        and isinstance(said.same, (tuple, list))
        and isinstance(said.known, (tuple, list))
        and isinstance(said.without, (tuple, list))
        and _are_keys((said.arm, said.segment, *said.same, *said.without))
        and said.arm in said.probabilities
        and all(map(_is_share, (said.propensity, *said.probabilities.values())))
        and all(isinstance(why, str) for why in said.refused.values())
        and all(map(_is_number, (said.expected, *said.known)))
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and bool(np.isfinite(value))


def _is_share(value: Any) -> bool:
    return isinstance(value, (int, float)) and 0 <= value <= 1
