"""Cut a stream of events into sessions: at pauses, and at whatever else ends a visit."""

from __future__ import annotations

from recopersona.kernels.compiling import i32, i64, kernel, read, written
from recopersona.kernels.prefetch import fetch_ahead

_AHEAD = 24  # rows: a visitor's state comes from far memory in about the time that these take


@kernel(written(i64), written(i64), written(i64, 2), read(i32), read(i64), i64, i64)
def number_sessions(session, first_row, state, visitors, times, gap, unit):
    """Number the sessions of rows in time order; return how many there are.

    A new session starts where a visitor's pause is longer than the gap, both in whole units.

    session    (n,) int64, written: the number of each row's session, by first row
    first_row  (n,) int64, written: where each session starts; what lies behind them is left alone
    state      (n_visitors, 2) int64, written: last time and session, which is -1 at first
    visitors   (n,) int32
    times      (n,) int64, ascending
    gap        int64, in units
    unit       int64, at least 1: ticks of times
    """
    n, n_sessions = len(visitors), 0
    close, far = gap * unit, (gap + 1) * unit
    for row in range(n):
        if row + _AHEAD < n:
            fetch_ahead(state, visitors[row + _AHEAD])
        visitor = visitors[row]
        now, last, number = times[row], state[visitor, 0], state[visitor, 1]
        pause = now - last
        # Only a pause between the two needs a division to be told in whole units.
        if number < 0 or pause >= far or (pause > close and now // unit - last // unit > gap):
            number = n_sessions
            state[visitor, 1] = number
            first_row[n_sessions] = row
            n_sessions += 1
        state[visitor, 0] = now
        session[row] = number
    return n_sessions


@kernel(written(i64), read(i64), i64, i64)
def renumber(session, place, start, end):
    """Give rows of a stretch the new numbers of their sessions.

    session  (n,) int64, written
    place    (n_sessions,) int64, the new number of each
    start, end  int64, the stretch
    """
    for row in range(start, end):
        session[row] = place[session[row]]


@kernel(read(i64), i64, i64)
def is_ascending(times, start, end):
    """Tell whether no number of a stretch is below the one before it.

    times  (n,) int64
    start, end  int64, the stretch
    """
    for row in range(max(start, 1), end):  # noqa: SIM110  # numba compiles no generator here
        if times[row] < times[row - 1]:
            return False
    return True


@kernel(
    *(written(i64), written(i64), written(i64, 2)),
    *(read(i32), read(i64), read(i64), read(i32), i64, i64, i64),
)
def number_cut_sessions(
    session, first_row, state, visitors, times, days, campaigns, gap, max_length, first
):
    """Number sessions that more than a pause may end; return the next number.

    A new session starts where a visitor's pause is longer than the gap, where the session would
    grow longer than it may, on another day, and with a campaign that is not the session's.

    session    (n,) int64, written: the number of each row's session, by first row
    first_row  (n,) int64, written: where each new session starts, from place 0
    state      (n_visitors, 5) int64, written: last time, session (-1 at first), start, day and
               campaign (-1 for none) of who is there already, and afterwards of all
    visitors   (n,) int32
    times      (n,) int64, ascending
    days       (n,) int64, or (0,) where midnight ends nothing
    campaigns  (n,) int32, -1 for none, or (0,) where campaigns end nothing
    gap, max_length  int64, in the unit of times
    first      int64, the number of the first new session
    """
    next_session = first
    for row in range(len(visitors)):
        visitor = visitors[row]
        now = times[row]
        day = days[row] if len(days) else 0
        campaign = campaigns[row] if len(campaigns) else -1
        held = state[visitor, 4]
        if (
            state[visitor, 1] < 0
            or now - state[visitor, 0] > gap
            or now - state[visitor, 2] > max_length
            or state[visitor, 3] != day
            or (campaign >= 0 and campaign != held)
        ):
            state[visitor, 1] = next_session
            state[visitor, 2] = now
            state[visitor, 3] = day
            state[visitor, 4] = campaign
            first_row[next_session - first] = row
            next_session += 1
        state[visitor, 0] = now
        session[row] = state[visitor, 1]
    return next_session
