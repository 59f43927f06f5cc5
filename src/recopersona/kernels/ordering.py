"""Put rows in order of a number without comparing them: a radix sort, stable."""

from __future__ import annotations

from typing import Any

import numpy as np

from recopersona.kernels.compiling import i32, i64, inner, kernel, read, u64, written

_BITS = 11  # of a digit: its 2048 ends fit into the nearest cache
_LOW = np.uint64(0xFFFFFFFF)


@kernel(written(u64), written(i64, 2), read(i64), i64)
def pack_times(packed, ends, times, low):
    """Write times and their rows into one number each, and count their digits.

    packed  (n,) uint64, written: the time since low, below 2**32, and below it the row
    ends    (n_digits, 2**bits) int64, written: zeros before
    times   (n,) int64
    low     int64, the least of times
    """
    mask = ends.shape[1] - 1
    for row in range(len(times)):
        time = times[row] - low
        packed[row] = (np.uint64(time) << np.uint64(32)) | np.uint64(row)
        for digit in range(len(ends)):
            ends[digit, (time >> (_BITS * digit)) & mask] += 1


@kernel(written(u64), written(i64), read(u64), i64)
def sort_packed(to_packed, ends, packed, shift):
    """Move numbers into the order of one digit, keeping equals in their order.

    to_packed  (n,) uint64, written
    ends       (2**bits,) int64, written: how many there are of each digit before
    packed     (n,) uint64
    shift      int64, where the digit starts
    """
    mask = np.uint64(len(ends) - 1)
    _begin_at(ends)
    for place in range(len(packed)):
        digit = np.int64((packed[place] >> np.uint64(shift)) & mask)
        to_packed[ends[digit]] = packed[place]
        ends[digit] += 1


@kernel(written(i64), written(i32), read(u64), i64)
def unpack_times(times, rows, packed, low):
    """Read times and rows from what `pack_times` wrote.

    times   (n,) int64, written
    rows    (n,) int32, written
    packed  (n,) uint64
    low     int64, the least of times
    """
    for place in range(len(packed)):
        times[place] = np.int64(packed[place] >> np.uint64(32)) + low
        rows[place] = np.int32(packed[place] & _LOW)


@inner
def _begin_at(ends):
    """Make of how many there are of each digit where those of each begin."""
    start = 0
    for digit in range(len(ends)):
        start += ends[digit]
        ends[digit] = start - ends[digit]


@kernel(written(i64), written(i32), written(i64), read(i64), read(i32), i64)
def sort_by_digit(to_keys, to_rows, ends, keys, rows, shift):
    """Move rows into the order of one digit of their keys, keeping equals in their order.

    to_keys  (n,) int64, written
    to_rows  (n,) int32, written
    ends     (2**bits,) int64, written: scratch
    keys     (n,) int64, at least 0
    rows     (n,) int32
    shift    int64, where the digit starts
    """
    mask = len(ends) - 1
    for digit in range(len(ends)):
        ends[digit] = 0
    for place in range(len(keys)):
        ends[(keys[place] >> shift) & mask] += 1
    _begin_at(ends)
    for place in range(len(keys)):
        digit = (keys[place] >> shift) & mask
        to = ends[digit]
        ends[digit] = to + 1
        to_keys[to] = keys[place]
        to_rows[to] = rows[place]


def order_of(times: Any) -> tuple[Any, Any]:
    """Return the rows in ascending order of their times, equal ones as they come, and the times.

    times  int64 (n,), fewer than 2**31

    Returns int32 (n,) and int64 (n,): the order, and the times in it. Takes as many passes as the
    span of the times has digits of 11 bits: three for a month in milliseconds.

    Examples
    --------
    >>> [part.tolist() for part in order_of(np.array([5, -1, 5, 0]))]
    [[1, 3, 0, 2], [-1, 0, 5, 5]]
    """
    low, high = (int(times.min()), int(times.max())) if len(times) else (0, 0)
    span = high - low
    if span < 2**32:
        return _order_of_near(times, low, span)
    rows = np.arange(len(times), dtype=np.int32)
    if span >= 2**63:  # years that no clock shows
        order = np.argsort(times, kind="stable").astype(np.int32)
        return order, times[order]
    keys = times - low
    to_keys, to_rows = np.empty_like(keys), np.empty_like(rows)
    ends = np.empty(1 << _BITS, dtype=np.int64)
    for shift in range(0, span.bit_length(), _BITS):
        sort_by_digit(to_keys, to_rows, ends, keys, rows, shift)
        keys, to_keys, rows, to_rows = to_keys, keys, to_rows, rows
    keys += low
    return rows, keys


def _order_of_near(times: Any, low: int, span: int) -> tuple[Any, Any]:
    """Order times that lie within 49 days of milliseconds: a number holds both time and row."""
    n_digits = -(-span.bit_length() // _BITS)
    ends = np.zeros((n_digits, 1 << _BITS), dtype=np.int64)
    packed, to_packed = np.empty((2, len(times)), dtype=np.uint64)
    pack_times(packed, ends, times, low)
    for digit in range(n_digits):
        sort_packed(to_packed, ends[digit], packed, 32 + _BITS * digit)
        packed, to_packed = to_packed, packed
    ordered, rows = np.empty_like(times), np.empty(len(times), dtype=np.int32)
    unpack_times(ordered, rows, packed, low)
    return rows, ordered
