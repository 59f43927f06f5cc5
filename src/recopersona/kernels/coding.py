"""Give distinct integers and texts small codes, in the order in which they come: a hash table."""

from __future__ import annotations

from typing import Any

import numpy as np

from recopersona.kernels.blocks import cut, run_blocks
from recopersona.kernels.compiling import i32, i64, inner, kernel, read, u8, written
from recopersona.kernels.prefetch import fetch_ahead

_AHEAD = 12
_FEWEST = 1 << 12
_ROWS_PER_BLOCK = 1 << 18
_PRIME = 0x1000193
_HASH = (1 << 38) - 1
_ROW = (1 << 32) - 1


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


@kernel(written(i64), read(i64), read(u8), i64, i64)
def hash_texts(hashes, bounds, data, start, end):
    """Hash the bytes of some texts.

    hashes  (n,) int64, written: below 2**38
    bounds  (n + 1,) int64, where each text starts
    data    (n_bytes,) uint8
    start, end  int64, which texts
    """
    for row in range(start, end):
        spread = np.int64(0x11C9DC5)
        for place in range(bounds[row], bounds[row + 1]):
            spread = ((spread ^ np.int64(data[place])) * _PRIME) & _HASH
            spread ^= spread >> 17
        hashes[row] = spread


@kernel(written(i32), written(i64, 2), written(i64), read(i64), read(i64), read(u8))
def code_texts(codes, table, progress, hashes, bounds, data):
    """Code texts from where an earlier call stopped, until all are or the table is half full.

    codes     (n,) int32, written
    table     (2**k, 2) int64, written: a hash, and above 32 bits the code and in them the row of
              the text that came last; both are -1 in an empty place
    progress  (2,) int64, written: how many rows are coded, and how many codes there are
    hashes    (n,) int64
    bounds    (n + 1,) int64, where each text starts
    data      (n_bytes,) uint8
    """
    n, mask = len(bounds) - 1, len(table) - 1
    known = progress[1]
    for row in range(progress[0], n):
        if row + _AHEAD < n:
            fetch_ahead(table, _slot_of(hashes[row + _AHEAD], mask))
        hashed = hashes[row]
        slot = _slot_of(hashed, mask)
        # The text that came last is the nearest in memory of all that are equal.
        while table[slot, 1] >= 0 and not (
            table[slot, 0] == hashed and _same_text(bounds, data, table[slot, 1] & _ROW, row)
        ):
            slot = (slot + 1) & mask
        if table[slot, 1] >= 0:
            code = table[slot, 1] >> 32
        else:
            if 2 * known >= len(table):
                progress[0] = row
                progress[1] = known
                return
            table[slot, 0] = hashed
            code = known
            known += 1
        table[slot, 1] = (np.int64(code) << 32) | row
        codes[row] = code
    progress[0] = n
    progress[1] = known


@kernel(written(i64, 2), read(i64, 2), i64)
def spread_table(larger, table, n_places):
    """Put what a table holds into a larger one.

    larger  (2**m, 2) int64, written: -1 at first
    table   (2**k, 2) int64
    n_places  int64, 2**k
    """
    mask = len(larger) - 1
    for place in range(n_places):
        if table[place, 1] >= 0:
            slot = _slot_of(table[place, 0], mask)
            while larger[slot, 1] >= 0:
                slot = (slot + 1) & mask
            larger[slot, 0] = table[place, 0]
            larger[slot, 1] = table[place, 1]


@inner
def _same_text(bounds, data, one, other):
    length = bounds[one + 1] - bounds[one]
    if bounds[other + 1] - bounds[other] != length:
        return False
    for place in range(length):  # noqa: SIM110  # numba compiles no generator here
        if data[bounds[one] + place] != data[bounds[other] + place]:
            return False
    return True


def codes_of_texts(bounds: Any, data: Any) -> tuple[Any, int]:
    """Return int32 (n,) codes of texts in order of appearance, and how many there are.

    bounds  int64 (n + 1,), where each text starts; fewer than 2**31 texts
    data    uint8 (n_bytes,), the texts in UTF-8, one behind the other

    Takes 8 bytes per row and 32 to 128 per distinct text while it works.

    Examples
    --------
    >>> codes_of_texts(np.array([0, 1, 3, 4]), np.frombuffer(b"abca", np.uint8))
    (array([0, 1, 0], dtype=int32), 2)
    """
    n = len(bounds) - 1
    codes, hashes = np.empty(n, dtype=np.int32), np.empty(n, dtype=np.int64)
    blocks = cut(n, _ROWS_PER_BLOCK)
    run_blocks(lambda start, end: hash_texts(hashes, bounds, data, start, end), blocks)
    progress = np.zeros(2, dtype=np.int64)
    table = np.full((_FEWEST, 2), -1, dtype=np.int64)
    code_texts(codes, table, progress, hashes, bounds, data)
    while progress[0] < n:
        larger = np.full((4 * len(table), 2), -1, dtype=np.int64)
        spread_table(larger, table, len(table))
        table = larger
        code_texts(codes, table, progress, hashes, bounds, data)
    return codes, int(progress[1])
