"""States of consent along timelines, for millions of rows at once."""

from __future__ import annotations

from recopersona.kernels.compiling import i8, i64, kernel, read, written

UNKNOWN, GRANTED, DENIED = 0, 1, 2
NO_TIME = -(2**63)


@kernel(written(i64), written(i64), read(i64), read(i64), read(i64))
def carry_states(granted, denied, starts, said_granted, said_denied):
    """Add to what each moment says what was said before and holds on.

    granted       (n,) int64, written: the purposes granted from this moment on, as bits
    denied        (n,) int64, written: and those denied
    starts        (n_identifiers + 1,) int64, where each identifier's moments start
    said_granted  (n,) int64, what each moment grants
    said_denied   (n,) int64, what it denies; what it grants and denies is both
    """
    for who in range(len(starts) - 1):
        held_granted, held_denied = 0, 0
        for place in range(starts[who], starts[who + 1]):
            held_granted = held_granted & ~said_denied[place] | said_granted[place]
            held_denied = held_denied & ~said_granted[place] | said_denied[place]
            granted[place], denied[place] = held_granted, held_denied


@kernel(
    written(i8), written(i8), read(i64), read(i64), read(i64), read(i64), read(i64), read(i64), i64
)
def fill_states(then, now, starts, times, granted, denied, who, at, bit):
    """Raise each row's states to those of its identifier, where they are more restrictive.

    then     (n_rows,) int8, written: 0 unknown, 1 granted, 2 denied, when the row happened
    now      (n_rows,) int8, written: the same after all that is known
    starts   (n_identifiers + 1,) int64, where each identifier's moments start
    times    (n,) int64 milliseconds, ascending within an identifier
    granted  (n,) int64, the purposes granted from a moment on, as bits
    denied   (n,) int64, and those denied, which holds where both are said
    who      (n_rows,) int64, the identifier of each row, others beyond them stand for none
    at       (n_rows,) int64 milliseconds, the lowest where a row has no time: now counts alone
    bit      int64, the purpose
    """
    n_identifiers = len(starts) - 1
    for row in range(len(who)):
        one = who[row]
        if one < 0 or one >= n_identifiers:
            continue
        start, end = starts[one], starts[one + 1]
        if start == end:
            continue
        state = GRANTED if granted[end - 1] & bit else UNKNOWN
        if denied[end - 1] & bit:
            state = DENIED
        now[row] = max(now[row], state)
        time = at[row]
        if time != NO_TIME and times[end - 1] > time:
            low, high = start, end - 1  # the last moment at or before the time lies below high
            while low < high:
                middle = (low + high) // 2
                if times[middle] <= time:
                    low = middle + 1
                else:
                    high = middle
            state = UNKNOWN
            if low > start:
                if denied[low - 1] & bit:
                    state = DENIED
                elif granted[low - 1] & bit:
                    state = GRANTED
        then[row] = max(then[row], state)
