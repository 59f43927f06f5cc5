"""Columns of ids and words as hashes, with what is odd about each value; and ids made tidy."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd

from recopersona.data.types import Array, Mask
from recopersona.events.distinct import Distinct
from recopersona.kernels.blocks import cut, run_blocks
from recopersona.kernels.hashing import (
    CONTROL,
    EDGE,
    LONG,
    NO_ID,
    hash_numbers,
    hash_whole_numbers,
    scan_texts,
)

NO_IDS = ("", "null", "NULL", "None", "nan", "NaN", "undefined", "<NA>")
"""What programs write where they have no id: one visitor of that name would be thousands."""

LONGEST_ID = 1024
"""An id of more bytes in UTF-8 is a page, a message or an attack, and no id."""

LARGEST_EXACT = 2.0**53
"""From here on a float cannot hold every whole number, so two ids may have become one."""

INEXACT = 16
"""Beside the flags of `recopersona.kernels.hashing`: a float too large for an id."""

_AROUND = "".join(map(chr, range(0x21))) + (  # a pattern would go over long gaps again and again
    "\x7f\x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000\ufeff"
)
_ROWS_PER_BLOCK = 1 << 18
_ALL = 2**64 - 1
_FACTORS = 0xBF58476D1CE4E5B9, 0x94D049BB133111EB
_WHOLE, _BROKEN = int.from_bytes(b"whole", "big"), int.from_bytes(b"broken", "big")


@dataclass(eq=False)
class Hashed:
    """A column as hashes, see `recopersona.kernels.hashing`.

    hashes   uint64 (n,)
    flags    uint8 (n,), what is odd about each value
    missing  uint8 (n,), 1 where there is none
    """

    hashes: Array
    flags: Array
    missing: Array

    @classmethod
    def of(cls, column: pd.Series) -> Hashed:
        """Hash every value: a text as UTF-8, a number by its value, whatever its type.

        Strings of Arrow are read where they lie; of other columns each distinct value is hashed
        once.

        Raises
        ------
        DataError
            If a value cannot be hashed (a list, a dict).

        Examples
        --------
        >>> a, b = Hashed.of(pd.Series([7, 8])), Hashed.of(pd.Series([7.0, None]))
        >>> bool(a.hashes[0] == b.hashes[0]), b.missing.tolist()
        (True, [0, 1])
        """
        dtype = column.dtype
        if pd.api.types.is_integer_dtype(dtype) and not _too_large(column):
            missing = column.isna().to_numpy(dtype=np.uint8)
            return cls(*_of_whole_numbers(column.to_numpy(dtype=np.int64, na_value=0)), missing)
        if pd.api.types.is_float_dtype(dtype):
            numbers = column.to_numpy(dtype=np.float64, na_value=np.nan)
            return cls(*_of_numbers(numbers), np.isnan(numbers).astype(np.uint8))
        if _is_text_in_arrow(dtype):
            missing = column.isna().to_numpy(dtype=np.uint8)
            return cls(*_of_texts(*_where_arrow_lies(column)), missing)
        distinct = Distinct.of(column)
        hashes, flags = _of_values(distinct.values)
        codes = distinct.codes  # -1 reads the last
        return cls(
            np.append(hashes, np.uint64(0))[codes],
            np.append(flags, np.uint8(0))[codes],
            (codes < 0).astype(np.uint8),
        )

    def have(self, flag: int) -> Mask:
        """Tell the rows with a flag."""
        found: Mask = (self.flags & flag) != 0
        return found

    def nothing(self) -> Mask:
        """Tell the rows without a value, or with a word that says so."""
        none: Mask = (self.missing != 0) | self.have(NO_ID)
        return none

    def put(self, rows: Array, others: Hashed) -> None:
        """Put other values in some rows."""
        self.hashes[rows], self.flags[rows] = others.hashes, others.flags
        self.missing[rows] = others.missing


def tidied(column: pd.Series, ids: Hashed) -> tuple[pd.Series, Mask]:
    r"""Take spaces and control characters off both ends of ids, here and in their hashes.

    Returns the column, and where it changed.

    Examples
    --------
    >>> column = pd.Series([" tea\0", "salt"])
    >>> better, changed = tidied(column, Hashed.of(column))
    >>> better.tolist(), changed.tolist()
    (['tea', 'salt'], [True, False])
    """
    changed = np.zeros(len(column), dtype=np.bool_)
    suspects = np.flatnonzero(ids.have(EDGE) & (ids.missing == 0))
    if not len(suspects):
        return column, changed
    written = Distinct.of(column.iloc[suspects])
    better = [bare(value) for value in written.values]
    differs = [
        type(new) is not type(old) or new != old
        for new, old in zip(better, written.values, strict=True)
    ]
    touched = np.array(differs, dtype=np.bool_)[written.codes]
    rows = suspects[touched]
    changed[rows] = True
    if not len(rows):
        return column, changed
    texts = pd.Series(better, dtype=object).take(written.codes[touched])
    ids.put(rows, Hashed.of(texts))
    return with_values(column, rows, texts.to_numpy(dtype=object)), changed


def with_values(column: pd.Series, rows: Array, values: Array) -> pd.Series:
    """Return a copy of a column with other values in some rows."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        column = column.astype(column.cat.categories.dtype)
    array = column.array.copy()
    array[rows] = values
    return pd.Series(array, index=column.index, name=column.name, dtype=column.dtype)


def bare(value: Any) -> Any:
    """Return a text without spaces and control characters at its ends; anything else as it is."""
    return value.strip(_AROUND) if isinstance(value, str) else value


def text_of(identifier: Any) -> str:
    """Return an id as text; a whole number as its digits."""
    if isinstance(identifier, float) and identifier.is_integer():
        identifier = int(identifier)
    if isinstance(identifier, int) and identifier.bit_length() > 4 * LONGEST_ID:
        return hex(identifier)  # Python refuses to write thousands of digits
    return str(identifier)


def words_of(value: Any) -> str:
    """Return anything as text that UTF-8 can hold."""
    try:
        words = value if isinstance(value, str) else repr(value)
    except ValueError:  # a list with a number of thousands of digits
        words = f"{type(value).__name__} beyond writing"
    return words.encode("utf-8", "backslashreplace").decode()


def is_no_id(value: Any) -> bool:
    """Tell whether a value is a word that stands for no id."""
    return isinstance(value, str) and bare(value) in NO_IDS


def value_hash(value: Any) -> int:
    """Hash one value, as `Hashed` hashes a column of it.

    Examples
    --------
    >>> value_hash("tea") == Hashed.of(pd.Series(["tea"])).hashes[0]
    np.True_
    """
    if type(value) is str:
        return _text_hash(value)
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, str):
        return _text_hash(value)
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        return mixed(_text_hash(text_of(value)) ^ _WHOLE)
    if isinstance(value, int):
        return mixed((value & _ALL) ^ _WHOLE)
    if isinstance(value, (Real, Decimal)):
        number = float(value)
        if number.is_integer() and abs(number) < 2**63:
            return mixed((int(number) & _ALL) ^ _WHOLE)
        return mixed(int(np.float64(number).view(np.uint64)) ^ _BROKEN)
    return _text_hash(words_of(value))


def column_salt(name: str) -> np.uint64:
    """Return what the hashes of a column are mixed with."""
    return np.uint64(_text_hash(name))


def _text_hash(text: str) -> int:
    value = 0xCBF29CE484222325
    for byte in text.encode("utf-8", "surrogatepass"):
        value = ((value ^ byte) * 0x100000001B3) & _ALL
    return mixed(value)


def mixed(value: int) -> int:
    """Spread the bits of a number over all of them, as the kernels do."""
    value = ((value ^ (value >> 30)) * _FACTORS[0]) & _ALL
    value = ((value ^ (value >> 27)) * _FACTORS[1]) & _ALL
    return value ^ (value >> 31)


_NO_ID_HASHES = np.array([_text_hash(word) for word in NO_IDS], dtype=np.uint64)


def _is_text_in_arrow(dtype: Any) -> bool:
    if isinstance(dtype, pd.ArrowDtype):
        return str(dtype.pyarrow_dtype) in ("string", "large_string")
    return isinstance(dtype, pd.StringDtype) and dtype.storage == "pyarrow"


def _too_large(column: pd.Series) -> bool:
    """Whether integers go beyond int64."""
    unsigned = column.dtype.kind == "u" and column.dtype.name.lower().startswith("uint64")
    return unsigned and bool((column > np.iinfo(np.int64).max).any())


def _of_whole_numbers(numbers: Array) -> tuple[Array, Array]:
    hashes = np.empty(len(numbers), dtype=np.uint64)
    hash_whole_numbers(hashes, np.ascontiguousarray(numbers))
    return hashes, np.zeros(len(numbers), dtype=np.uint8)


def _of_numbers(numbers: Array) -> tuple[Array, Array]:
    numbers = np.ascontiguousarray(numbers)
    hashes = np.empty(len(numbers), dtype=np.uint64)
    hash_numbers(hashes, numbers, numbers.view(np.uint64))
    return hashes, np.where(np.abs(numbers) >= LARGEST_EXACT, INEXACT, 0).astype(np.uint8)


def _of_values(values: list[Any]) -> tuple[Array, Array]:
    """Hash distinct values of any types."""
    if all(type(value) is str for value in values):
        encoded = [value.encode("utf-8", "surrogatepass") for value in values]
        bounds = np.zeros(len(values) + 1, dtype=np.int64)
        np.cumsum([len(text) for text in encoded], out=bounds[1:])
        hashes, flags = _of_texts(bounds, np.frombuffer(b"".join(encoded), dtype=np.uint8))
        flags[[place for place, value in enumerate(values) if _is_halved(value)]] |= CONTROL
        return hashes, flags
    hashes = np.fromiter(map(value_hash, values), dtype=np.uint64, count=len(values))
    flags = np.fromiter(map(_flags_of, values), dtype=np.uint8, count=len(values))
    return hashes, flags


def _is_halved(text: str) -> bool:
    """Tell whether a text has half a character, which no file in UTF-8 can hold."""
    try:
        text.encode()
        return False
    except UnicodeEncodeError:
        return True


def _flags_of(value: Any) -> int:
    if isinstance(value, str):
        return int(_of_values([value])[1][0])
    if isinstance(value, float):
        return INEXACT if abs(value) >= LARGEST_EXACT else 0
    if isinstance(value, int) and value.bit_length() > 4 * LONGEST_ID:
        return LONG
    return LONG if isinstance(value, (bytes, tuple)) and len(words_of(value)) > LONGEST_ID else 0


def _of_texts(bounds: Array, data: Array) -> tuple[Array, Array]:
    n = len(bounds) - 1
    hashes, flags = np.empty(n, dtype=np.uint64), np.empty(n, dtype=np.uint8)

    def block(start: int, end: int) -> None:
        scan_texts(
            hashes[start:end], flags[start:end], bounds[start : end + 1], data, _NO_ID_HASHES,
            LONGEST_ID,
        )  # fmt: skip

    run_blocks(block, cut(n, _ROWS_PER_BLOCK))
    return hashes, flags


def _where_arrow_lies(column: pd.Series) -> tuple[Array, Array]:
    """Return where the texts of an Arrow column begin, and their bytes, without a copy."""
    import pyarrow as pa

    array = pa.array(column.array)
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    array = array.cast(pa.large_string())
    _, bounds, data = array.buffers()
    if bounds is None:  # of no rows
        return np.zeros(1, dtype=np.int64), np.zeros(0, dtype=np.uint8)
    first = array.offset
    starts = np.frombuffer(bounds, dtype=np.int64)[first : first + len(array) + 1]
    held = np.zeros(0, dtype=np.uint8) if data is None else np.frombuffer(data, dtype=np.uint8)
    return starts, held
