"""Give distinct integers small codes, in the order in which they come: a hash table."""

from __future__ import annotations

from typing import Any

import numpy as np

from recopersona.kernels.compiling import i32, i64, inner, kernel, read, written
from recopersona.kernels.prefetch import fetch_ahead

_AHEAD = 12
_FEWEST = 1 << 12


@inner
def _slot_of(number, mask):
    """Spread integers over a table; every product stays below 2**63, which Python's own keep."""
    mixed = (number ^ (number >> 31) ^ (number >> 53)) & 0x7FFFFFFF
    return ((mixed * 0x9E3779B1) >> 20) & mask


@kernel(written(i32), written(i64, 2), written(i64), written(i64), read(i64))
def code_integers(codes, table, distinct, progress, numbers):
    """Code rows from where an earlier call stopped, until all are or the table is half full.

    codes     (n,) int32, written
    table     (2**k, 2) int64, written: a number and its code, which is -1 in an empty place
    distinct  (2**(k - 1),) int64, written: the number of each code
    progress  (2,) int64, written: how many rows are coded, and how many codes there are
    numbers   (n,) int64
    """
    n, mask = len(numbers), len(table) - 1
    known = progress[1]
    for row in range(progress[0], n):
        if row + _AHEAD < n:
            fetch_ahead(table, _slot_of(numbers[row + _AHEAD], mask))
        number = numbers[row]
        slot = _slot_of(number, mask)
        while table[slot, 1] >= 0 and table[slot, 0] != number:
            slot = (slot + 1) & mask
        if table[slot, 1] < 0:
            if known == len(distinct):
                progress[0] = row
                progress[1] = known
                return
            table[slot, 0] = number
            table[slot, 1] = known
            distinct[known] = number
            known += 1
        codes[row] = table[slot, 1]
    progress[0] = n
    progress[1] = known


def codes_of(numbers: Any) -> tuple[Any, Any]:
    """Return int32 (n,) codes in order of appearance, and int64 (n_distinct,) what they stand for.

    numbers  int64 (n,), fewer than 2**31

    Takes 24 to 72 bytes per distinct number while it works.

    Examples
    --------
    >>> [part.tolist() for part in codes_of(np.array([70, -9, 70]))]
    [[0, 1, 0], [70, -9]]
    """
    codes = np.empty(len(numbers), dtype=np.int32)
    progress = np.zeros(2, dtype=np.int64)
    distinct = np.empty(_FEWEST // 2, dtype=np.int64)
    table = np.full((_FEWEST, 2), -1, dtype=np.int64)
    code_integers(codes, table, distinct, progress, numbers)
    while progress[0] < len(numbers):
        known = distinct
        distinct = np.empty(4 * len(known), dtype=np.int64)
        table = np.full((2 * len(distinct), 2), -1, dtype=np.int64)
        again = np.zeros(2, dtype=np.int64)
        code_integers(np.empty(len(known), dtype=np.int32), table, distinct, again, known)
        progress[1] = again[1]
        code_integers(codes, table, distinct, progress, numbers)
    return codes, distinct[: progress[1]]
