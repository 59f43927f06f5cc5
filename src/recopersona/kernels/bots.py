"""Measures of how a visitor comes and goes, by which programs are told from people."""

from __future__ import annotations

import numpy as np

from recopersona.kernels.compiling import f64, i32, i64, inner, kernel, read, u64, written

HOUR, DAY = 3_600_000, 86_400_000


@inner
def _most_within(times, start, end, window):
    """Return how many of a visitor's events lie within a window, at most."""
    most, first = 0, start
    for row in range(start, end):
        while times[row] - times[first] >= window:
            first += 1
        most = max(most, row - first + 1)
    return most


@inner
def _regular_share(times, start, end, shortest, longest):
    """Return how many pauses count, and which share of them is like the usual one."""
    pauses = np.empty(end - start, np.int64)
    n = 0
    for row in range(start + 1, end):
        pause = times[row] - times[row - 1]
        if shortest <= pause <= longest:
            pauses[n] = pause
            n += 1
    if n == 0:
        return 0, 0.0
    kept = np.sort(pauses[:n])
    usual = kept[n // 2]
    alike = 0
    for pause in kept:
        if 10 * abs(pause - usual) <= usual:
            alike += 1
    return n, alike / n


@inner
def _busy_days(times, start, end, hours):
    """Return on how many days a visitor came in so many different hours."""
    days = 0
    day, seen, n = np.int64(-1), np.int64(0), 0
    for row in range(start, end):
        now = times[row] // DAY
        if row == start or now != day:
            if row > start and n >= hours:
                days += 1
            day, seen, n = now, np.int64(0), 0
        hour = np.int64(1) << ((times[row] - now * DAY) // HOUR)
        if seen & hour == 0:
            seen |= hour
            n += 1
    if end > start and n >= hours:
        days += 1
    return days


@inner
def _most_items_a_day(times, items, start, end):
    """Return how many different items a visitor saw within one day, at most."""
    most, first = 0, start
    for row in range(start, end):
        if row + 1 < end and times[row + 1] // DAY == times[row] // DAY:
            continue
        if row + 1 - first > most:
            seen = np.sort(items[first : row + 1])
            distinct = 1
            for place in range(1, len(seen)):
                if seen[place] != seen[place - 1]:
                    distinct += 1
            most = max(most, distinct)
        first = row + 1
    return most


@kernel(
    written(i64), written(i64), written(i64), written(f64), written(i64), written(i64),
    read(i64), read(i64), read(u64), i64, i64, i64, i64, i64,
)  # fmt: skip
def measure_visitors(
    in_short, in_long, pauses, regular, busy_days, items_a_day,
    bounds, times, items, short, long, shortest, longest, hours,
):  # fmt: skip
    """Measure each visitor.

    in_short     (n_visitors,) int64, written: most events within the short window
    in_long      (n_visitors,) int64, written: and within the long one
    pauses       (n_visitors,) int64, written: the pauses that count
    regular      (n_visitors,) float64, written: the share of them that is like the usual one
    busy_days    (n_visitors,) int64, written
    items_a_day  (n_visitors,) int64, written: most different items within one day
    bounds       (n_visitors + 1,) int64, where each visitor's events start
    times        (n,) int64 milliseconds, ascending within a visitor
    items        (n,) uint64
    short        int64, a window in milliseconds
    long         int64, another
    shortest     int64, a pause counts if it is at least so long
    longest      int64, and at most so
    hours        int64, a day is busy if a visitor came in so many of its hours
    """
    for visitor in range(len(bounds) - 1):
        start, end = bounds[visitor], bounds[visitor + 1]
        in_short[visitor] = _most_within(times, start, end, max(short, 1))
        in_long[visitor] = _most_within(times, start, end, max(long, 1))
        n, share = _regular_share(times, start, end, shortest, longest)
        pauses[visitor], regular[visitor] = n, share
        busy_days[visitor] = _busy_days(times, start, end, hours)
        items_a_day[visitor] = _most_items_a_day(times, items, start, end)


@kernel(written(i64), written(i64), read(i32))
def group_rows(order, ends, codes):
    """Bring the rows of one code together, in the order they have.

    order  (n,) int64, written: the rows, code by code
    ends   (n_codes,) int64, written: where each code's rows start at first, then where they end
    codes  (n,) int32
    """
    for row in range(len(codes)):
        code = codes[row]
        order[ends[code]] = row
        ends[code] += 1
