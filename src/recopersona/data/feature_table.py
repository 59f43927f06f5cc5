"""Named attributes of items or users, in columns aligned to an `IdMap`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from recopersona.data.columns import as_pandas, numbers, require_columns
from recopersona.data.ids import UNKNOWN, IdMap
from recopersona.data.times import MISSING_TIME, from_ms, to_ms
from recopersona.data.types import Array, Indices
from recopersona.errors import ColumnError, DataError, ParameterError, did_you_mean

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


@dataclass(frozen=True, eq=False)
class NumberColumn:
    """Numbers: float64 (n,), NaN where unknown."""

    values: Array
    kind: ClassVar[str] = "number"

    @classmethod
    def read(cls, column: pd.Series, name: str) -> NumberColumn:
        return cls(numbers(column, name))

    @classmethod
    def unknown(cls, n: int) -> NumberColumn:
        return cls(np.full(n, np.nan))

    def put(self, rows: Array, other: NumberColumn) -> NumberColumn:
        values = self.values.copy()
        values[rows] = other.values
        return replace(self, values=values)

    def grown(self, n: int) -> NumberColumn:
        return replace(self, values=np.append(self.values, type(self).unknown(n).values))

    def series(self) -> pd.Series:
        return pd.Series(self.values)


@dataclass(frozen=True, eq=False)
class TimeColumn(NumberColumn):
    """Moments: int64 (n,) milliseconds UTC, `MISSING_TIME` where unknown."""

    kind: ClassVar[str] = "time"

    @classmethod
    def read(cls, column: pd.Series, name: str) -> TimeColumn:
        return cls(to_ms(column, name=name))

    @classmethod
    def unknown(cls, n: int) -> TimeColumn:
        return cls(np.full(n, MISSING_TIME, dtype=np.int64))

    def series(self) -> pd.Series:
        return pd.Series(from_ms(self.values))


@dataclass(frozen=True, eq=False)
class FlagColumn(NumberColumn):
    """Yes or no: int8 (n,), 1, 0, or -1 where unknown."""

    kind: ClassVar[str] = "flag"

    @classmethod
    def read(cls, column: pd.Series, name: str) -> FlagColumn:
        objects = column.astype(object)
        known = objects.notna()
        if not objects[known].isin([True, False]).all():
            raise DataError(f"{name} must hold true or false, got {objects[known].iloc[0]!r}.")
        return cls(objects.where(known, UNKNOWN).astype(np.int8).to_numpy())

    @classmethod
    def unknown(cls, n: int) -> FlagColumn:
        return cls(np.full(n, UNKNOWN, dtype=np.int8))

    def series(self) -> pd.Series:
        flags = pd.array(self.values == 1, dtype="boolean")
        flags[self.values == UNKNOWN] = pd.NA
        return pd.Series(flags)


@dataclass(frozen=True, eq=False)
class TextColumn(NumberColumn):
    """Free text: an object array (n,) of str, None where unknown."""

    kind: ClassVar[str] = "text"

    @classmethod
    def read(cls, column: pd.Series, name: str) -> TextColumn:
        objects = column.astype(object)
        return cls(objects.map(str, na_action="ignore").where(objects.notna(), None).to_numpy())

    @classmethod
    def unknown(cls, n: int) -> TextColumn:
        return cls(np.full(n, None, dtype=object))


@dataclass(frozen=True, eq=False)
class CategoryColumn:
    """One value of a few: int32 codes (n,), -1 where unknown, and the values by code."""

    values: Indices
    categories: IdMap
    kind: ClassVar[str] = "category"

    @classmethod
    def read(cls, column: pd.Series, name: str) -> CategoryColumn:
        categories, codes = IdMap.from_values(column)
        return cls(codes, categories)

    @classmethod
    def unknown(cls, n: int) -> CategoryColumn:
        return cls(np.full(n, UNKNOWN, dtype=np.int32), IdMap())

    def put(self, rows: Array, other: CategoryColumn) -> CategoryColumn:
        values, categories = self.values.copy(), self.categories.copy()
        values[rows] = np.append(categories.extend(other.categories.ids), UNKNOWN)[other.values]
        return CategoryColumn(values, categories)

    def grown(self, n: int) -> CategoryColumn:
        return replace(self, values=np.append(self.values, np.full(n, UNKNOWN, np.int32)))

    def series(self) -> pd.Series:
        values: Any = self.categories.ids
        return pd.Series(pd.Categorical.from_codes(self.values, values))


@dataclass(frozen=True, eq=False)
class SetColumn:
    """Several values each: codes of row ``r`` are ``codes[starts[r]:starts[r + 1]]``."""

    starts: Array
    codes: Indices
    categories: IdMap
    kind: ClassVar[str] = "set"

    @classmethod
    def read(cls, column: pd.Series, name: str) -> SetColumn:
        values = [_members(value) for value in column]
        starts = np.concatenate([[0], np.cumsum([len(value) for value in values])])
        flat = [member for value in values for member in value]
        categories, codes = IdMap.from_values(flat)
        return cls(starts.astype(np.int64), codes, categories)

    @classmethod
    def unknown(cls, n: int) -> SetColumn:
        return cls(np.zeros(n + 1, np.int64), np.empty(0, np.int32), IdMap())

    def put(self, rows: Array, other: SetColumn) -> SetColumn:
        values = self.series().to_numpy().copy()
        values[rows] = other.series().to_numpy()
        return SetColumn.read(pd.Series(values, dtype=object), "")

    def grown(self, n: int) -> SetColumn:
        return replace(self, starts=np.append(self.starts, np.full(n, self.starts[-1])))

    def series(self) -> pd.Series:
        members = self.categories.ids[self.codes].tolist()
        bounds = zip(self.starts[:-1].tolist(), self.starts[1:].tolist(), strict=True)
        return pd.Series([tuple(members[start:end]) for start, end in bounds], dtype=object)


Column = NumberColumn | CategoryColumn | SetColumn
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
        """
        table = cls(ids)
        table._write(as_pandas(frame, f"rows with {id_column}"), id_column, kinds or {})
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
        if name not in self.columns:
            hint = (
                did_you_mean(name, self.columns)
                or f"; there are {', '.join(self.names) or 'none'}."
            )
            raise ColumnError(f"no column {name!r}{hint}")
        column = self.columns[name]
        missing = len(self.ids) - _length(column)
        if missing:
            column = self.columns[name] = column.grown(missing)
        return column

    def __getitem__(self, name: str) -> pd.Series:
        return self.column(name).series()

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
        self._write(as_pandas(frame, f"rows with {id_column}"), id_column, kinds)
        return len(self.ids) - before

    def forget(self, indices: Iterable[int]) -> None:
        """Make every attribute of some rows unknown."""
        rows = np.fromiter(indices, dtype=np.int64)
        for name in self.columns:
            column = self.column(name)
            self.columns[name] = column.put(rows, type(column).unknown(len(rows)))  # type: ignore[arg-type]
        self._frame = None

    def _write(self, frame: pd.DataFrame, id_column: str, kinds: Mapping[str, str]) -> None:
        require_columns(frame, [id_column], f"rows with {id_column}")
        _require_distinct(frame[id_column], id_column)
        for name in kinds:
            if name not in frame.columns and name not in self.columns:
                raise ColumnError(f"no column {name!r}{did_you_mean(name, frame.columns)}")
        columns = {
            str(name): _read_column(frame[name], str(name), kinds)
            for name in frame.columns
            if name != id_column
        }
        rows = self.ids.extend(frame[id_column])
        for name, fresh in columns.items():
            if name not in self.columns:
                self.columns[name] = type(fresh).unknown(len(self.ids))
            self.columns[name] = self.column(name).put(rows, fresh)  # type: ignore[arg-type]
        self._frame = None


def _length(column: Column) -> int:
    return len(column.starts) - 1 if isinstance(column, SetColumn) else len(column.values)


def _require_distinct(ids: pd.Series, id_column: str) -> None:
    if ids.isna().any():
        raise DataError(f"{int(ids.isna().sum())} rows have no {id_column}; drop or name them.")
    repeated = ids[ids.duplicated()]
    if len(repeated):
        raise DataError(
            f"{id_column} must be distinct, got {repeated.iloc[0]!r} more than once "
            f"({len(repeated)} rows too many); try frame.drop_duplicates({id_column!r})."
        )


def _read_column(column: pd.Series, name: str, kinds: Mapping[str, str]) -> Column:
    kind = kinds.get(name) or RESERVED_KINDS.get(name) or _kind_of(column)
    if kind not in COLUMN_KINDS:
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
    if len(present) and not isinstance(column.dtype, pd.CategoricalDtype):
        words = present.astype(str).str.contains(" ", regex=False)
        if words.mean() > 0.5 and present.nunique() > 0.5 * len(present):
            return "text"
    return "category"


def _members(value: Any) -> list[Any]:
    if isinstance(value, (list, tuple, np.ndarray)):
        return list(value)
    if isinstance(value, (set, frozenset)):
        return sorted(value, key=str)
    return [] if value is None or value != value else [value]
