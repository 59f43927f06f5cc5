"""Sessions the slow way: a dictionary of who was last seen when."""


def number_sessions(visitors, times, gap):
    """Return each row's session, rows in time order."""
    sessions = []
    last_seen = {}
    for visitor, now in zip(visitors, times, strict=True):
        before, session = last_seen.get(visitor, (None, None))
        if before is None or now - before > gap:
            session = len(set(sessions))
        last_seen[visitor] = now, session
        sessions.append(session)
    return sessions


def sessionize(visitors, times, gap):
    """Return each row's session, rows in any order."""
    order = sorted(range(len(times)), key=lambda row: times[row])
    numbered = number_sessions([visitors[r] for r in order], [times[r] for r in order], gap)
    return [session for _, session in sorted(zip(order, numbered, strict=True))]
