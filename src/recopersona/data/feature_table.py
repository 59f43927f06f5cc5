"""Named attributes of items or users, in columns aligned to an `IdMap`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from numbers import Real
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd

from recopersona.data.columns import as_pandas, numbers
from recopersona.data.ids import UNKNOWN, IdMap, as_ids, is_missing
from recopersona.data.times import MISSING_TIME, from_ms, to_ms
from recopersona.data.types import Array, Indices
from recopersona.errors import ColumnError, DataError, ParameterError, hint

RESERVED_KINDS: Mapping[str, str] = {
    "stock": "number",
    "price": "number",
    "margin": "number",
    "brand": "category",
    "category": "category",
    "product_group": "category",
    "created_at": "time",
    "available_from": "time",
    "available_until": "time",
}
"""Item columns with a fixed meaning, and the kind each must have."""


class Column(ABC):
    """One attribute of every row; frozen, so that tables may share it."""

    kind: ClassVar[str]

    @classmethod
    @abstractmethod
    def read(cls, column: pd.Series, name: str) -> Self:
        """Read a frame's column."""

    @classmethod
    @abstractmethod
    def unknown(cls, n: int) -> Self:
        """Return a column of which nothing is known."""

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def at(self, row: int) -> Any:
        """Return one row's value as Python knows it, None where unknown."""

    @abstractmethod
    def put(self, rows: Array, other: Self) -> Self:
        """Return the column with some rows overwritten by those of another."""

    @abstractmethod
    def grown(self, n: int) -> Self:
        """Return the column with ``n`` unknown rows at its end."""

    @abstractmethod
    def series(self) -> pd.Series:
        """Return the column as pandas knows it."""


@dataclass(frozen=True, eq=False)
class _PlainColumn(Column):
    """One value per row in one array (n,)."""

    values: Array

    def __len__(self) -> int:
        return len(self.values)

    def put(self, rows: Array, other: Self) -> Self:
        values = self.values.copy()
        values[rows] = other.values
        return replace(self, values=values)

    def grown(self, n: int) -> Self:
        return replace(self, values=np.append(self.values, self.unknown(n).values))

    def series(self) -> pd.Series:
        return pd.Series(self.values)


@dataclass(frozen=True, eq=False)
class NumberColumn(_PlainColumn):
    """Numbers: float64 (n,), NaN where unknown."""

    kind: ClassVar[str] = "number"

    @classmethod
    def read(cls, column: pd.Series, name: str) -> Self:
        return cls(numbers(column, name))

    @classmethod
    def unknown(cls, n: int) -> Self:
        return cls(np.full(n, np.nan))

    def at(self, row: int) -> Any:
        value = float(self.values[row])
        return None if np.isnan(value) else value


@dataclass(frozen=True, eq=False)
class TimeColumn(_PlainColumn):
    """Moments: int64 (n,) milliseconds UTC, `MISSING_TIME` where unknown."""

    kind: ClassVar[str] = "time"

    @classmethod
    def read(cls, column: pd.Series, name: str) -> Self:
        return cls(to_ms(column, name=name))

    @classmethod
    def unknown(cls, n: int) -> Self:
        return cls(np.full(n, MISSING_TIME, dtype=np.int64))

    def at(self, row: int) -> Any:
        value = int(self.values[row])
        return None if value == MISSING_TIME else value

    def series(self) -> pd.Series:
        return pd.Series(from_ms(self.values))


@dataclass(frozen=True, eq=False)
class FlagColumn(_PlainColumn):
    """Yes or no: int8 (n,), 1, 0, or -1 where unknown."""

    kind: ClassVar[str] = "flag"

    @classmethod
    def read(cls, column: pd.Series, name: str) -> Self:
        objects = column.astype(object)
        known = objects.notna()
        wrong = [value for value in objects[known] if not _is_flag(value)]
        if wrong:
            raise DataError(f"{name} must hold true or false, got {wrong[0]!r}.")
        return cls(objects.where(known, UNKNOWN).astype(np.int8).to_numpy())

    @classmethod
    def unknown(cls, n: int) -> Self:
        return cls(np.full(n, UNKNOWN, dtype=np.int8))

    def at(self, row: int) -> Any:
        value = int(self.values[row])
        return None if value == UNKNOWN else value == 1

    def series(self) -> pd.Series:
        flags = pd.array(self.values == 1, dtype="boolean")
        flags[self.values == UNKNOWN] = pd.NA
        return pd.Series(flags)


@dataclass(frozen=True, eq=False)
class TextColumn(_PlainColumn):
    """Free text: an object array (n,) of str, None where unknown."""

    kind: ClassVar[str] = "text"

    @classmethod
    def read(cls, column: pd.Series, name: str) -> Self:
        values = [None if is_missing(value) else str(value) for value in column.astype(object)]
        return cls(np.fromiter(values, dtype=object, count=len(values)))

    @classmethod
    def unknown(cls, n: int) -> Self:
        return cls(np.full(n, None, dtype=object))

    def at(self, row: int) -> Any:
        return self.values[row]


@dataclass(frozen=True, eq=False)
class CategoryColumn(Column):
    """One value of a few: int32 codes (n,), -1 where unknown, and the values by code."""

    values: Indices
    categories: IdMap
    kind: ClassVar[str] = "category"

    @classmethod
    def read(cls, column: pd.Series, name: str) -> Self:
        categories, codes = _coded(column, name)
        return cls(codes, categories)

    @classmethod
    def unknown(cls, n: int) -> Self:
        return cls(np.full(n, UNKNOWN, dtype=np.int32), IdMap())

    def put(self, rows: Array, other: Self) -> Self:
        values, categories = self.values.copy(), self.categories.copy()
        values[rows] = np.append(categories.extend(other.categories.ids), UNKNOWN)[other.values]
        return replace(self, values=values, categories=categories)

    def __len__(self) -> int:
        return len(self.values)

    def at(self, row: int) -> Any:
        code = self.values[row]
        return None if code == UNKNOWN else self.categories.ids[[code]].tolist()[0]

    def grown(self, n: int) -> Self:
        return replace(self, values=np.append(self.values, np.full(n, UNKNOWN, np.int32)))

    def without_unused(self) -> Self:
        """Blank the values that no row has: an address may tell who was there."""
        categories = self.categories.copy()
        unused = ~np.isin(np.arange(len(categories)), self.values)
        categories.forget(categories.ids[unused].tolist())
        return replace(self, categories=categories)

    def series(self) -> pd.Series:
        kept = pd.notna(self.categories.ids)
        place = np.append(np.cumsum(kept) - 1, UNKNOWN)
        values: Any = as_ids(self.categories.ids[kept])
        return pd.Series(pd.Categorical.from_codes(place[self.values], values))


@dataclass(frozen=True, eq=False)
class SetColumn(Column):
    """Several values each: codes of row ``r`` are ``codes[starts[r]:starts[r + 1]]``."""

    starts: Array
    codes: Indices
    categories: IdMap
    kind: ClassVar[str] = "set"

    @classmethod
    def read(cls, column: pd.Series, name: str) -> Self:
        values = [_members(value) for value in column]
        starts = np.cumsum([0, *map(len, values)])
        categories, codes = _coded([member for value in values for member in value], name)
        known_before = np.cumsum([0, *(codes != UNKNOWN)])
        return cls(known_before[starts], codes[codes != UNKNOWN], categories)

    @classmethod
    def unknown(cls, n: int) -> Self:
        return cls(np.zeros(n + 1, np.int64), np.empty(0, np.int32), IdMap())

    def put(self, rows: Array, other: Self) -> Self:
        categories = self.categories.copy()
        theirs = categories.extend(other.categories.ids)[other.codes]
        # Each row's members are a run of the old codes, or of the new ones behind them.
        first, sizes = self.starts[:-1].copy(), np.diff(self.starts)
        first[rows], sizes[rows] = len(self.codes) + other.starts[:-1], np.diff(other.starts)
        starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        places = np.repeat(first - starts[:-1], sizes) + np.arange(starts[-1])
        codes = np.concatenate([self.codes, theirs])[places].astype(np.int32)
        return replace(self, starts=starts, codes=codes, categories=categories)

    def __len__(self) -> int:
        return len(self.starts) - 1

    def at(self, row: int) -> Any:
        codes = self.codes[self.starts[row] : self.starts[row + 1]]
        return tuple(self.categories.ids[codes].tolist()) or None

    def grown(self, n: int) -> Self:
        return replace(self, starts=np.append(self.starts, np.full(n, self.starts[-1])))

    def without_unused(self) -> Self:
        """Leave out the values that no row has: an address may tell who was there."""
        used, codes = np.unique(self.codes, return_inverse=True)
        categories, renumbered = IdMap.from_values(self.categories.ids[used])
        return replace(self, codes=renumbered[codes], categories=categories)

    def series(self) -> pd.Series:
        members = self.categories.ids[self.codes].tolist()
        bounds = zip(self.starts[:-1].tolist(), self.starts[1:].tolist(), strict=True)
        return pd.Series([tuple(members[start:end]) for start, end in bounds], dtype=object)


COLUMN_KINDS: Mapping[str, type[Column]] = {
    kind.kind: kind
    for kind in (NumberColumn, FlagColumn, TimeColumn, TextColumn, CategoryColumn, SetColumn)
}


class FeatureTable:
    """Attributes by name: number, flag, time, text, category or set; unknown is a value.

    Parameters
    ----------
    ids : IdMap
        Row ``r`` describes the id of index ``r``.
    columns : mapping from name to column

    Raises
    ------
    DataError
        If a column has more rows than there are ids.

    Examples
    --------
    >>> frame = pd.DataFrame(
    ...     {"item_id": ["tea", "salt"], "price": [4.5, None], "brand": ["Ito", None]}
    ... )
    >>> table = FeatureTable.from_frame(frame, IdMap(["salt", "tea", "honey"]), "item_id")
    >>> table
    FeatureTable(3 rows: price number, brand category)
    >>> table["price"].tolist()
    [nan, 4.5, nan]
    """

    def __init__(self, ids: IdMap, columns: Mapping[str, Column] | None = None) -> None:
        self.ids = ids
        self.columns: dict[str, Column] = dict(columns or {})
        for name, column in self.columns.items():
            if len(column) > len(ids):
                raise DataError(
                    f"the column {name!r} must have one row for each of the {len(ids)} ids, "
                    f"got {len(column)}."
                )
        self._frame: pd.DataFrame | None = None

    @classmethod
    def from_frame(
        cls, frame: Any, ids: IdMap, id_column: str, kinds: Mapping[str, str] | None = None
    ) -> FeatureTable:
        """Read a frame whose ``id_column`` names the row; ids that the map lacks are appended.

        Parameters
        ----------
        frame : dataframe
            One row per id.
        ids : IdMap
        id_column : str
        kinds : mapping from column to kind, optional
            Where the kind should not be told from the values: numbers, booleans and times speak
            for themselves; lists are sets; text with spaces in most rows and few repeats is text;
            any other text is a category.

        Raises
        ------
        DataError
            If an id is missing or there twice, or a column does not hold what its kind needs.
        ColumnError
            If the column of ids is missing, or a column is there twice.
        ParameterError
            If there is no such kind.
        """
        table = cls(ids)
        table._write(frame, id_column, {} if kinds is None else kinds)
        return table

    @property
    def names(self) -> list[str]:
        """The columns' names, in the order they came."""
        return list(self.columns)

    def __len__(self) -> int:
        return len(self.ids)

    def __contains__(self, name: object) -> bool:
        return name in self.columns

    def __repr__(self) -> str:
        kinds = ", ".join(f"{name} {column.kind}" for name, column in self.columns.items())
        return f"FeatureTable({len(self):,} rows: {kinds or 'no columns'})"

    def column(self, name: str) -> Column:
        """Return one column as it is stored, as long as the map.

        Raises
        ------
        ColumnError
            If there is none of this name.
        """
        if name not in self.names:  # a list of names is no name, and cannot be hashed
            raise ColumnError(f"no column {name!r}{hint(name, self.columns)}")
        column = self.columns[name]
        missing = len(self.ids) - len(column)
        if missing:
            column = self.columns[name] = column.grown(missing)
        return column

    def __getitem__(self, name: str) -> pd.Series:
        return self.column(name).series()

    def row(self, index: int) -> dict[str, Any]:
        """Return what is known of one row; times in milliseconds UTC, sets as tuples.

        Examples
        --------
        >>> frame = pd.DataFrame({"item_id": ["tea"], "price": [4.5], "brand": [None]})
        >>> FeatureTable.from_frame(frame, IdMap(), "item_id").row(0)
        {'price': 4.5}
        """
        values = {name: self.column(name).at(index) for name in self.columns}
        return {name: value for name, value in values.items() if value is not None}

    def to_frame(self) -> pd.DataFrame:
        """Return all columns as a pandas frame in index order (made once, kept until an update)."""
        if self._frame is None or len(self._frame) != len(self):
            columns = {name: self[name] for name in self.columns}
            self._frame = pd.DataFrame(columns, index=pd.RangeIndex(len(self)))
        return self._frame.copy(deep=False)

    def copy(self, ids: IdMap | None = None) -> FeatureTable:
        """Return a table that can be updated without changing this one."""
        return FeatureTable(self.ids.copy() if ids is None else ids, self.columns)

    def update(self, frame: Any, id_column: str) -> int:
        """Overwrite the rows and columns that a frame names; return how many ids are new."""
        before = len(self.ids)
        kinds = {name: column.kind for name, column in self.columns.items()}
        self._write(frame, id_column, kinds)
        return len(self.ids) - before

    def merge(self, other: FeatureTable) -> None:
        """Overwrite the rows and columns that another table has."""
        self._put(self.ids.extend(other.ids.ids), {n: other.column(n) for n in other.names})

    def forget(self, indices: Iterable[int]) -> None:
        """Make every attribute of some rows unknown."""
        rows = np.fromiter(indices, dtype=np.int64)
        for name in self.columns:
            column = self.column(name)
            blank = column.put(rows, column.unknown(len(rows)))
            if isinstance(blank, (CategoryColumn, SetColumn)):
                blank = blank.without_unused()
            self.columns[name] = blank
        self._frame = None

    def _write(self, given: Any, id_column: str, kinds: Mapping[str, str]) -> None:
        what = f"the frame of {_PLURALS.get(id_column, 'rows')}"
        frame = as_pandas(given, what)
        _require_columns(frame, id_column, what)
        _require_distinct(frame[id_column], id_column)
        if not isinstance(kinds, Mapping):
            raise ParameterError(
                f"kinds must be a mapping such as {{'name': 'text'}}, got {kinds!r}."
            )
        for name in kinds:
            if name not in frame.columns and name not in self.columns:
                raise ColumnError(f"{what} has no column {name!r}{hint(name, frame.columns)}")
        columns = {
            str(name): _read_column(frame[name], str(name), kinds)
            for name in frame.columns
            if name != id_column
        }
        self._put(self.ids.extend(frame[id_column]), columns)

    def _put(self, rows: Array, columns: Mapping[str, Column]) -> None:
        for name, fresh in columns.items():
            if name not in self.columns:
                self.columns[name] = fresh.unknown(len(self.ids))
            self.columns[name] = self.column(name).put(rows, fresh)
        self._frame = None


_PLURALS = {"item_id": "items", "user_id": "users"}


def _require_columns(frame: pd.DataFrame, id_column: str, what: str) -> None:
    names = [str(name) for name in frame.columns]
    if id_column not in names:
        at_the_side = id_column in frame.index.names
        fix = "; it is the index, call reset_index()." if at_the_side else ""
        raise ColumnError(
            f"{what} needs a column {id_column!r}{fix or hint(id_column, names, 'its columns are')}"
        )
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ColumnError(
            f"{what} has {names.count(twice)} columns named {twice!r}; keep one or rename them."
        )


def _require_distinct(ids: pd.Series, id_column: str) -> None:
    if ids.isna().any():
        raise DataError(f"{int(ids.isna().sum())} rows have no {id_column}; drop or name them.")
    repeated = ids[ids.duplicated()]
    if len(repeated):
        raise DataError(
            f"{id_column} must be distinct, got {repeated.tolist()[0]!r} more than once "
            f"({len(repeated)} rows too many); try frame.drop_duplicates({id_column!r})."
        )


def _read_column(column: pd.Series, name: str, kinds: Mapping[str, str]) -> Column:
    kind = kinds.get(name) or RESERVED_KINDS.get(name) or _kind_of(column)
    if kind not in list(COLUMN_KINDS):
        known = ", ".join(COLUMN_KINDS)
        raise ParameterError(f"kind of {name!r} must be one of {known}, got {kind!r}.")
    return COLUMN_KINDS[kind].read(column, name)


def _kind_of(column: pd.Series) -> str:
    if pd.api.types.is_bool_dtype(column.dtype):
        return "flag"
    if pd.api.types.is_numeric_dtype(column.dtype):
        return "number"
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        return "time"
    present = column.dropna()
    if len(present) and isinstance(present.iloc[0], bool):
        return "flag"
    if len(present) and isinstance(present.iloc[0], (list, tuple, set, frozenset, np.ndarray)):
        return "set"
    is_text = len(present) and isinstance(present.iloc[0], str)
    if is_text and not isinstance(column.dtype, pd.CategoricalDtype):
        texts = present.astype(str)
        words = texts.str.contains(" ", regex=False)
        if words.mean() > 0.5 and texts.nunique() > 0.5 * len(present):
            return "text"
    return "category"


def _is_flag(value: object) -> bool:
    return isinstance(value, (Real, np.bool_)) and value in (True, False)


def _members(value: Any) -> list[Any]:
    if isinstance(value, np.ndarray):
        return list(np.atleast_1d(value).tolist())
    if isinstance(value, (list, tuple)):
        return list(value)
    if isinstance(value, (set, frozenset)):
        return sorted(value, key=str)
    return [] if is_missing(value) else [value]


def _coded(values: Any, name: str) -> tuple[IdMap, Indices]:
    try:
        return IdMap.from_values(values)
    except DataError:
        raise DataError(
            f"{name} must hold text, numbers or lists of them, got values that cannot be hashed "
            "(dicts); give each part a column of its own."
        ) from None
