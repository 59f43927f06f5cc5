"""Sessions the slow way: a dictionary of who was last seen when."""

from datetime import UTC, datetime


def number_sessions(visitors, times, gap):
    """Return each row's session, rows in time order."""
    return number_cut_sessions(visitors, times, [0] * len(times), [-1] * len(times), gap, 2**62)


def number_cut_sessions(visitors, times, days, campaigns, gap, max_length):
    """Return each row's session, rows in time order; campaign -1 is none."""
    sessions = []
    open_sessions = {}
    for visitor, now, day, campaign in zip(visitors, times, days, campaigns, strict=True):
        held = open_sessions.get(visitor)
        if held is not None:
            number, last, start, its_day, its_campaign = held
            goes_on = (
                now - last <= gap
                and now - start <= max_length
                and day == its_day
                and campaign in (-1, its_campaign)
            )
        if held is None or not goes_on:
            number, start, its_day, its_campaign = len(set(sessions)), now, day, campaign
        open_sessions[visitor] = number, now, start, its_day, its_campaign
        sessions.append(number)
    return sessions


def sessionize(visitors, times, gap, max_length=2**62, zone=None, campaigns=None):
    """Return each row's session, rows in any order; times in milliseconds, campaign -1 is none.

    Sessions are numbered by start and visitor.
    """
    campaigns = [-1] * len(times) if campaigns is None else campaigns
    order = sorted(range(len(times)), key=lambda row: (times[row], campaigns[row]))
    days = [0 if zone is None else local_day(times[row], zone) for row in order]
    numbered = number_cut_sessions(
        [visitors[row] for row in order],
        [times[row] for row in order],
        days,
        [campaigns[row] for row in order],
        gap,
        max_length,
    )
    starts = {}
    for row, number in zip(order, numbered, strict=True):
        starts.setdefault(number, (times[row], visitors[row], number))
    place = {number: n for n, (_, _, number) in enumerate(sorted(starts.values()))}
    session = dict(zip(order, numbered, strict=True))
    return [place[session[row]] for row in range(len(times))]


def local_day(time, zone):
    return datetime.fromtimestamp(time / 1_000, UTC).astimezone(zone).date().toordinal()
