"""Put rows in order of a number without comparing them: a radix sort, stable."""

from __future__ import annotations

from typing import Any

import numpy as np

from recopersona.kernels.compiling import i32, i64, kernel, read, written

_BITS = 11  # of a digit: its 2048 ends fit into the nearest cache


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
    start = 0
    for digit in range(len(ends)):
        start += ends[digit]
        ends[digit] = start - ends[digit]
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
    rows = np.arange(len(times), dtype=np.int32)
    low = int(times.min(initial=0))
    span = int(times.max(initial=0)) - low
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
