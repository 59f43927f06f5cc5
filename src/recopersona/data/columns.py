"""The border: any dataframe in, checked columns out, and the caller's frame never changed."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from numbers import Real
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd

from recopersona.data.types import Array
from recopersona.errors import ColumnError, DataError, hint, shown


def as_pandas(frame: Any, what: str = "events") -> pd.DataFrame:
    """Return a pandas view of a pandas, polars or Arrow frame (anything narwhals knows).

    A pandas frame comes back itself: whoever changes it copies it first.

    Raises
    ------
    DataError
        If it is not a dataframe.
    ColumnError
        If a column is there twice, in a frame other than a pandas one.

    Examples
    --------
    >>> import polars as pl
    >>> as_pandas(pl.DataFrame({"user_id": ["anna"], "item_id": ["tea"]}))
      user_id item_id
    0    anna     tea
    """
    if isinstance(frame, pd.DataFrame):
        return frame
    try:
        native = nw.from_native(frame)
        eager = native.collect() if isinstance(native, nw.LazyFrame) else native
        names = eager.columns
    except nw.exceptions.DuplicateError:
        raise ColumnError(f"{what}: a column is there twice; keep one.") from None
    except TypeError:
        raise DataError(
            f"{what} must be a dataframe (pandas, polars, Arrow), "
            f"got {type(frame).__name__}{_way_to_a_frame(frame, what)}."
        ) from None
    return pd.DataFrame({name: _as_pandas_column(eager[name]) for name in names})


def _way_to_a_frame(value: Any, what: str) -> str:
    """What to type where something was given that a frame can be made of."""
    if isinstance(value, (str, os.PathLike)):
        reader = "rp.read_events" if what == "events" else "pd.read_csv"
        return f"; read a file with {reader}(path)"
    if isinstance(value, Mapping):
        return "; make one with pd.DataFrame(...)"
    if isinstance(value, pd.Series):
        return "; pass the whole frame in place of one column"
    if hasattr(value, "train"):
        return "; write split.train"
    return ""


def like(result: pd.DataFrame, original: Any) -> Any:
    """Return a result in the kind of frame that the caller gave; times with a zone come in UTC.

    A column of numbers and text, which only pandas can hold, comes as text in any other.

    Raises
    ------
    DataError
        If a column holds what such a frame cannot.
    """
    if isinstance(original, pd.DataFrame):
        return result
    native = nw.from_native(original)
    columns = {name: _plain_values(result[name]) for name in result.columns}
    zoned = [name for name in result.columns if isinstance(result[name].dtype, pd.DatetimeTZDtype)]
    try:
        filled = nw.from_dict(columns, backend=native.implementation)
    except (TypeError, ValueError, OverflowError) as problem:
        raise DataError(
            f"a column holds what no frame of {native.implementation.value} can: {problem}; "
            "give a pandas frame."
        ) from None
    in_utc = [nw.col(name).dt.replace_time_zone("UTC") for name in zoned]
    return filled.with_columns(*in_utc).to_native()


def require_columns(frame: pd.DataFrame, names: Iterable[str], what: str = "events") -> None:
    """Check that columns are there and say which are near.

    Raises
    ------
    ColumnError
        If one is missing or there twice.
    DataError
        If a required column has rows but not one value.
    """
    present = [str(name) for name in frame.columns]
    need, have = ("needs", "has") if what == "the table" else ("need", "have")
    for name in names:
        if name not in present:
            raise ColumnError(
                f"{what} {need} a column {name!r}{hint(name, present, 'its columns are')}"
            )
        if present.count(name) > 1:
            raise ColumnError(
                f"{what} {have} {present.count(name)} columns named {name!r}; keep one."
            )
        if len(frame) and frame[name].isna().all():
            raise DataError(f"{what}: the column {name!r} holds no value at all.")


def numbers(column: pd.Series, what: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return a column as float64 with NaN where missing.

    Raises
    ------
    DataError
        If it holds something that is not a number; the first one is named.
    """
    if column.dtype.kind in "cmM":  # complex numbers, durations and moments are no amounts
        raise DataError(f"{what} must be numbers, got a column of {column.dtype}.")
    if pd.api.types.is_numeric_dtype(column.dtype):
        return column.to_numpy(dtype=np.float64, na_value=np.nan)
    parsed = parsed_numbers(column)
    bad = (parsed.isna() & column.notna()).to_numpy()
    if bad.any():
        row = int(np.argmax(bad))
        raise DataError(f"{what} must be numbers, got {shown(column.iloc[row])} in row {row}.")
    return parsed.to_numpy(dtype=np.float64, na_value=np.nan)


def parsed_numbers(column: pd.Series) -> pd.Series:
    """Return a column as numbers, NaN where a value is missing or no number."""
    try:
        return pd.to_numeric(column, errors="coerce")
    except TypeError:  # a tuple that holds a list
        return pd.to_numeric(column.where(column.map(pd.api.types.is_scalar)), errors="coerce")
    except OverflowError:  # an integer of hundreds of digits
        return pd.to_numeric(column.map(_within_floats), errors="coerce")


def _within_floats(value: Any) -> Any:
    return np.inf if isinstance(value, int) and abs(value) > 10**300 else value


def factorized(column: pd.Series, what: str) -> tuple[Array, Any]:
    """Return int64 codes, -1 where a value is missing, and the distinct values in their order.

    Raises
    ------
    DataError
        If a value cannot be hashed (a list, a dict).
    """
    try:
        return pd.factorize(column)
    except (TypeError, NotImplementedError):  # Arrow's lists are not implemented
        raise DataError(
            f"{what} must hold strings or integers, got values that cannot be hashed."
        ) from None


def _as_pandas_column(column: Any) -> pd.Series:
    if column.dtype == nw.Categorical or isinstance(column.dtype, nw.Enum):
        column = column.cast(nw.String)
    if isinstance(column.dtype, nw.Datetime):
        zoned = column.dtype.time_zone is not None
        if zoned:
            column = column.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
        series = pd.Series(column.to_numpy())
        return series.dt.tz_localize("UTC") if zoned else series
    if column.dtype.is_integer() and column.null_count():
        # Through floats, an id above 2**53 would become another one.
        whole = column.fill_null(0).to_numpy()
        return pd.Series(pd.arrays.IntegerArray(whole, column.is_null().to_numpy().copy()))
    if column.dtype.is_nested() or column.dtype in (nw.Int128, nw.UInt128, nw.Unknown):
        return pd.Series(column.to_list(), dtype=object)
    return pd.Series(column.to_numpy())


def _plain_values(column: pd.Series) -> Any:
    """Values that any dataframe library can take: numpy arrays, and lists with None for text."""
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        column = column.dt.tz_convert("UTC").dt.tz_localize(None)
    if isinstance(column.dtype, np.dtype) and column.dtype.kind in "iubM":
        return _ms_if_s(column).to_numpy()
    if isinstance(column.dtype, np.dtype) and column.dtype.kind == "f" and column.notna().all():
        return column.to_numpy()  # with gaps, a list: a missing number is no NaN elsewhere
    objects = column.astype(object)
    values = objects.where(objects.notna(), None).tolist()
    kinds = {type(value) for value in values if value is not None}
    if str in kinds and any(issubclass(kind, Real) for kind in kinds):
        return [None if value is None else str(value) for value in values]
    return values


def _ms_if_s(column: pd.Series) -> pd.Series:
    """Days come as datetimes in seconds, a unit that polars does not know."""
    return column.dt.as_unit("ms") if column.dtype == "datetime64[s]" else column
