"""The two-way map between a shop's own ids and the int32 rows of our arrays."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from recopersona.data.types import Array, Id, Indices
from recopersona.errors import DataError

UNKNOWN = -1
"""The index of an id that the map does not hold: a value, not an error."""


class IdMap:
    """External ids in index order, and the way back.

    The map only ever grows: an index, once given, keeps its meaning for the life of a fitted
    model. An id the map does not hold has the index ``-1``. Copies share what they were copied
    from, so that a copy costs what was appended since.

    Parameters
    ----------
    ids : iterable of hashable
        Distinct ids; the first gets index 0.

    Raises
    ------
    DataError
        If they are not many ids, or one repeats, is missing (None, NaN) or is not hashable.

    Examples
    --------
    >>> items = IdMap(["tea", "honey"])
    >>> items.index("honey"), items.index("gold")
    (1, -1)
    >>> items.append("salt"), len(items)
    (2, 3)
    >>> items.indices(["salt", "gold", "tea"])
    array([ 2, -1,  0], dtype=int32)
    >>> items.ids.tolist()
    ['tea', 'honey', 'salt']
    """

    __slots__ = ("_added", "_added_index", "_frozen", "_grown")

    def __init__(self, ids: Iterable[Id] = ()) -> None:
        codes, distinct = _factorize(list(_many(ids)))
        if (codes < 0).any():
            raise DataError("an id must not be missing (None, NaN).")
        if len(distinct) < len(codes):
            repeated = _plain(distinct)[np.argmax(np.bincount(codes) > 1)]
            raise DataError(f"ids must be distinct, got {repeated!r} more than once.")
        self._start(_Frozen(as_ids(distinct)))

    @classmethod
    def from_values(cls, values: Any) -> tuple[IdMap, Indices]:
        """Build the map of a column's distinct values in order of appearance, and its codes.

        Parameters
        ----------
        values : Series or array (n,)
            No value may be missing.

        Returns
        -------
        IdMap, int32 (n,)

        Examples
        --------
        >>> ids, codes = IdMap.from_values(["b", "a", "b"])
        >>> ids.ids.tolist(), codes.tolist()
        (['b', 'a'], [0, 1, 0])
        """
        codes, distinct = _factorize(values)
        fresh = cls.__new__(cls)
        fresh._start(_Frozen(as_ids(distinct)))
        return fresh, codes

    @classmethod
    def restored(cls, ids: Array) -> IdMap:
        """Rebuild a map from its ``ids``, blanked places included."""
        fresh = cls.__new__(cls)
        fresh._start(_Frozen(_read_only(ids)))
        return fresh

    def _start(self, frozen: _Frozen) -> None:
        self._frozen = frozen
        self._added: list[Id] = []
        self._added_index: dict[Id, int] = {}
        self._grown: _Grown | None = None

    @property
    def ids(self) -> Array:
        """The ids in index order: int64 where all are integers, else object."""
        if not self._added:
            return self._frozen.ids
        grown = self._grown
        if grown is None or len(grown.ids) != len(self):
            grown = self._grown = _Grown.of(self._frozen.ids, self._added, grown)
        return grown.ids

    @property
    def era(self) -> object:
        """The same object as long as the map only grows: when ids are blanked, another begins."""
        return self._frozen

    def __len__(self) -> int:
        return len(self._frozen.ids) + len(self._added)

    def __iter__(self) -> Iterator[Id]:
        return iter(self.ids.tolist())

    def __contains__(self, identifier: object) -> bool:
        return self.index(identifier) != UNKNOWN

    def __repr__(self) -> str:
        shown = ", ".join(repr(identifier) for identifier in self.ids[:3].tolist())
        return f"IdMap({len(self):,} ids: {shown}{', …' if len(self) > 3 else ''})"

    def index(self, identifier: Any) -> int:
        """Return the index of one id, or -1.

        Raises
        ------
        DataError
            If the id is not hashable (a list, an array, a frame).
        """
        try:
            found = self._frozen.index.get(identifier)
        except TypeError:
            kind = type(identifier).__name__
            raise DataError(f"an id must be a string or an integer, got a {kind}.") from None
        return self._added_index.get(identifier, UNKNOWN) if found is None else found

    def indices(self, values: Any) -> Indices:
        """Return the indices of many ids, -1 where unknown or missing.

        Parameters
        ----------
        values : Series, array or list (n,)

        Returns
        -------
        int32 (n,)
        """
        if len(values) < _FEW:
            return self._indices_of_few(values)
        codes, distinct = _factorize(values)
        known = np.fromiter(map(self.index, _plain(distinct)), np.int32, count=len(distinct))
        return np.append(known, np.int32(UNKNOWN))[codes]

    def _indices_of_few(self, values: Any) -> Indices:
        listed = values.tolist() if hasattr(values, "tolist") else values
        added = self._added_index.get
        try:
            found = list(map(self._frozen.index.get, listed)) if len(self._frozen.ids) else None
            if found is None:
                found = [added(identifier, UNKNOWN) for identifier in listed]
            elif None in found:
                found = [
                    added(identifier, UNKNOWN) if index is None else index
                    for identifier, index in zip(listed, found, strict=True)
                ]
        except TypeError:
            found = list(map(self.index, listed))  # it says which of them cannot be hashed
        return np.array(found, np.int32)

    def append(self, identifier: Id) -> int:
        """Return the index of an id, giving it the next one if it is new."""
        found = self.index(identifier)
        if found != UNKNOWN:
            return found
        require_id(identifier)
        return self._append_new(identifier)

    def extend(self, values: Any) -> Indices:
        """Return the indices of many ids, giving new ones the next in order of appearance.

        values  (n,) ids, none missing

        Returns int32 (n,).
        """
        codes, distinct = _factorize(values)
        if (codes < 0).any():
            raise DataError("an id must not be missing (None, NaN).")
        plain = _plain(distinct)
        found: list[int | None] = list(map(self._added_index.get, plain))
        if len(self._frozen.ids):
            frozen = self._frozen.index.get
            found = [
                frozen(identifier) if index is None else index
                for identifier, index in zip(plain, found, strict=True)
            ]
        fresh = [place for place, index in enumerate(found) if index is None]
        if fresh:
            new = [plain[place] for place in fresh]
            places = range(len(self), len(self) + len(new))
            self._added += new
            self._added_index.update(zip(new, places, strict=True))
            for place, index in zip(fresh, places, strict=True):
                found[place] = index
        return np.array(found, np.int32)[codes]

    def _append_new(self, identifier: Id) -> int:
        """Give the next index to an id that is neither missing nor held."""
        new = len(self._frozen.ids) + len(self._added)
        self._added.append(identifier)
        self._added_index[identifier] = new
        return new

    def copy(self) -> IdMap:
        """Return a map that can grow without changing this one."""
        twin = IdMap.__new__(IdMap)
        twin._start(self._frozen)
        twin._added = list(self._added)
        twin._added_index = dict(self._added_index)
        return twin

    def forget(self, identifiers: Iterable[Id]) -> int:
        """Blank ids, keeping every other index; return how many were held.

        A blanked place holds None and is never found again; the next ``fit`` builds a new map.
        """
        gone = {found for found in map(self.index, identifiers) if found != UNKNOWN}
        if gone:
            remaining = self.ids.astype(object)
            remaining[list(gone)] = None
            self._start(_Frozen(remaining))
        return len(gone)


class _Frozen:
    """The part of a map that copies share: ids, and their index built when first asked for."""

    def __init__(self, ids: Array) -> None:
        self.ids = ids

    @cached_property
    def index(self) -> dict[Id, int]:
        # Blanked places all hold None; a missing id is never "known".
        index = {identifier: place for place, identifier in enumerate(self.ids.tolist())}
        index.pop(None, None)
        return index


class _Grown(NamedTuple):
    """All ids of a map that grew, and the room behind them, where the next ones are written."""

    ids: Array
    room: Array

    @classmethod
    def of(cls, frozen: Array, added: list[Id], before: _Grown | None) -> _Grown:
        """Put ids behind frozen ones; those that were put there before stay where they are."""
        held = frozen if before is None else before.ids
        more = _objects(added[len(held) - len(frozen) :])
        size = len(held) + len(more)
        # Objects stay objects; integers stay integers as long as nothing else comes.
        if not len(held) or held.dtype != object:
            fresh = as_ids(more)
            if len(held) and fresh.dtype != held.dtype:
                return cls._with_room(_objects(held.tolist()), more)
            more = fresh
        if before is None or len(before.room) < size:
            return cls._with_room(held, more)
        before.room[len(held) : size] = more
        return cls(_read_only(before.room[:size]), before.room)

    @classmethod
    def _with_room(cls, held: Array, more: Array) -> _Grown:
        size = len(held) + len(more)
        room = np.empty(size + size // 8 + 8, more.dtype)
        room[: len(held)], room[len(held) : size] = held, more
        return cls(_read_only(room[:size]), room)


def _objects(values: list[Any]) -> Array:
    return np.fromiter(values, dtype=object, count=len(values))


_FEW = 2048  # below this many values a dictionary look-up each is quicker than factorizing them


def require_id(identifier: Any) -> None:
    """Refuse a missing id."""
    if is_missing(identifier):
        raise DataError("an id must not be missing (None, NaN).")


def is_missing(identifier: Any) -> bool:
    """Tell whether a value stands for no value: None, NaN, NA or NaT."""
    try:
        return bool(pd.api.types.is_scalar(identifier) and pd.isna(identifier))
    except ArithmeticError:  # a decimal's signalling NaN, which refuses every question
        return True


def as_ids(values: Any) -> Array:
    """Return ids as int64 where all are integers, else as an array of objects.

    Whole numbers that a frame turned into floats (because of gaps elsewhere) become integers again.
    """
    if isinstance(values, pd.Categorical):
        values = np.asarray(values)
    array = values if isinstance(values, np.ndarray) else pd.Index(list(values)).to_numpy()
    if array.dtype.kind == "f" and are_whole(array):
        array = array.astype(np.int64)
    if array.dtype == object and pd.api.types.infer_dtype(array, skipna=False) == "integer":
        array = _integers(array)
    if array.dtype.kind in "iu" and array.dtype != np.uint64:
        return _read_only(array.astype(np.int64))
    return _read_only(array.astype(object))


def are_whole(numbers: Array) -> bool:
    """Tell whether int64 can hold all of an array of floats."""
    return bool(((np.abs(numbers) < 2**63) & (numbers == np.floor(numbers))).all())


def _integers(array: Array) -> Array:
    """Python integers as int64, or as they came where one does not fit."""
    try:
        return array.astype(np.int64)
    except OverflowError:
        return array


def _factorize(values: Any) -> tuple[Indices, Any]:
    """Return int32 codes (-1 where missing) and the distinct values in order of appearance."""
    is_column = isinstance(values, (pd.Series, np.ndarray)) and not _is_scalar(values)
    column = values if is_column else _column(values)
    if column.dtype == object:  # an index would be made of a column, which takes no half character
        column = np.asarray(column)
    try:
        codes, distinct = pd.factorize(column)
    except TypeError:
        raise DataError(
            "ids must be strings or integers, got values that cannot be hashed."
        ) from None
    if isinstance(column, np.ndarray) and column.dtype.kind in "iu":
        return codes.astype(np.int32), distinct
    return codes.astype(np.int32), as_ids(distinct)


def _column(values: Any) -> pd.Series:
    listed = list(_many(values))
    try:
        return pd.Series(listed, dtype=None if listed else object)
    except UnicodeEncodeError:  # half a character, which Arrow does not hold
        return pd.Series(listed, dtype=object)


def _many(values: Any) -> Iterable[Any]:
    """Refuse what would be read as other ids than were meant: letters, a frame's columns."""
    if isinstance(values, (str, bytes)) or not isinstance(values, Iterable) or _is_scalar(values):
        raise DataError(f"expected a list of ids, got {values!r}; write [{values!r}].")
    if hasattr(values, "columns"):
        raise DataError(
            f"expected a list of ids, got a {type(values).__name__}; pass one column, such as "
            "frame['item_id']."
        )
    return values


def _is_scalar(values: Any) -> bool:
    return isinstance(values, np.ndarray) and values.ndim == 0


def _plain(distinct: Any) -> list[Id]:
    """Python's own integers and strings: they are what a dictionary finds fastest."""
    return list(distinct.tolist())


def _read_only(array: Array) -> Array:
    view = array.view()
    view.flags.writeable = False
    return view
