"""Clocks of devices that are off, told by when their events were received."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from recopersona.data.times import MISSING_TIME
from recopersona.data.types import Array, Mask
from recopersona.events.clocks import read_clock
from recopersona.events.identifiers import Hashed
from recopersona.kernels.hashing import number_hashes

ROUNDING_MS = 1_000
"""A receipt written in whole seconds may seem to come before its event."""

SKEW_MS = 5 * 60_000
"""A clock that is off by less is left alone: networks are slow, too."""

SPREAD_MS = 2 * 60_000
"""How far the delays of a device with one constant skew lie apart, at most."""

FEWEST = 10
"""A skew is a device's own only if so many of its events show it."""


def repaired_times(
    times: Array, received: Array, sent: Array | None, device: Hashed | None, usable: Mask
) -> Array:
    """Return times by the clock that received them, where a device's own clock was off.

    1. Where the time of sending is known, the skew is: received − sent (Segment's rule; the way
       through the network is neglected). It is added where it exceeds `SKEW_MS`.
    2. Where all of a device's events (`FEWEST` or more, over at least four times as long) come
       with about the same delay, and that delay exceeds `SKEW_MS`, its clock is off by it. Events
       that were kept and sent together come late by different delays, and are left alone.
    3. An event from after its receipt happened when it was received.

    times     int64 (n,) milliseconds, `MISSING_TIME` where there is none
    received  int64 (n,) likewise
    sent      int64 (n,) likewise, or None
    device    whose clock it is, or None
    usable    bool (n,), False where times cannot be trusted in any way
    """
    known = usable & (times != MISSING_TIME) & (received != MISSING_TIME)
    better = times.copy()
    if sent is not None:
        skewed = known & (sent != MISSING_TIME)
        skewed &= np.abs(np.where(skewed, received - sent, 0)) > SKEW_MS
        better[skewed] += (received - sent)[skewed]
    elif device is not None:
        rows = np.flatnonzero(known & (device.missing == 0))
        _set_clocks_right(better, received, rows, device.hashes[rows])
    late = known & (better - np.where(known, received, 0) > ROUNDING_MS)
    better[late] = received[late]
    return better


def _set_clocks_right(times: Array, received: Array, rows: Array, devices: Array) -> None:
    """Add to the times of each device what its clock is off by."""
    delay = received[rows] - times[rows]
    suspects = np.abs(delay) > SKEW_MS
    if np.count_nonzero(suspects) < FEWEST:
        return
    codes = _codes(devices)
    per_device = np.bincount(codes[suspects], minlength=int(codes.max()) + 1)
    chosen = (per_device >= FEWEST)[codes]
    rows, codes, delay = rows[chosen], codes[chosen], delay[chosen]
    if not len(rows):
        return
    delays = pd.Series(delay).groupby(codes)
    moments = pd.Series(times[rows]).groupby(codes)
    low, spread = delays.transform("min").to_numpy(), _range(delays)
    constant = (spread <= SPREAD_MS) & (np.abs(low) > SKEW_MS) & (_range(moments) >= 4 * spread)
    # A whole spread of nothing would be met by events of one moment, too.
    constant &= _range(moments) > SPREAD_MS
    times[rows[constant]] += low[constant]


def _range(groups: Any) -> Array:
    lengths: Array = (groups.transform("max") - groups.transform("min")).to_numpy()
    return lengths


def _codes(hashes: Array) -> Array:
    hashes = np.ascontiguousarray(hashes)
    codes, firsts = (np.empty(len(hashes), dtype=np.int32) for _ in range(2))
    number_hashes(codes, firsts, np.zeros(1 << len(hashes).bit_length(), np.int32), hashes)
    return codes


def moments(column: pd.Series) -> Array:
    """Return a column of receipts in milliseconds, `MISSING_TIME` where it cannot be read."""
    return read_clock(column).milliseconds
