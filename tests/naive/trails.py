"""The slow, readable twin of following visitors click by click."""

from __future__ import annotations


def follow(rows, gap, no_click, width):
    """Return the clicks of the visit before each row, latest first, or None for no click.

    rows  (user, item, event, weight, time or None, visit or None)
    """
    visits, answers = {}, []
    for user, item, event, weight, time, session in rows:
        if event == no_click or weight <= 0:
            answers.append(None)
            continue
        visit = visits.get(user)
        paused = visit and None not in (time, visit["last"]) and time - visit["last"] > gap
        other = visit and None not in (session, visit["session"]) and session != visit["session"]
        if not visit or paused or other:
            visit = {"clicks": [], "last": None, "event": None}
        clicks = visit["clicks"]
        times = [moment for moment in (visit["last"], time) if moment is not None]
        again = clicks and clicks[-1] == item and visit["event"] != event
        visits[user] = {
            "clicks": clicks if again else [*clicks, item],
            "last": max(times, default=None),
            "event": event,
            "session": session,
        }
        answers.append(None if again else clicks[::-1][:width])
    return answers
