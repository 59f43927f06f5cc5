"""Cut a stream of events into sessions wherever a visitor pauses."""

from __future__ import annotations

from recopersona.kernels.compiling import i32, i64, kernel, read, written


@kernel(written(i64), written(i64), written(i64), read(i32), read(i64), i64)
def number_sessions(session, last_time, last_session, visitors, times, gap):
    """Number the sessions of rows in time order; return how many there are.

    A new session starts where a visitor's pause is longer than the gap.

    session       (n,) int64, written: the number of each row's session, by first row
    last_time     (n_visitors,) int64, written: scratch
    last_session  (n_visitors,) int64, written: -1 at first
    visitors      (n,) int32
    times         (n,) int64, ascending
    gap           int64, in the unit of times
    """
    n_sessions = 0
    for row in range(len(visitors)):
        visitor = visitors[row]
        now = times[row]
        if last_session[visitor] < 0 or now - last_time[visitor] > gap:
            last_session[visitor] = n_sessions
            n_sessions += 1
        last_time[visitor] = now
        session[row] = last_session[visitor]
    return n_sessions
