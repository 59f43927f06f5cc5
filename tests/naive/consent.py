"""Consent in plain lists: what was said last, and of several the most restrictive."""

from itertools import pairwise

UNKNOWN, GRANTED, DENIED = "unknown", "granted", "denied"
ORDER = (UNKNOWN, GRANTED, DENIED)


def state_at(records, name, purpose, at=None):
    """The state of one identifier; records are (name, purpose, state, at)."""
    said = [
        (moment, state)
        for one, about, state, moment in records
        if one == name and about == purpose and (at is None or moment <= at)
    ]
    if not said:
        return UNKNOWN
    last = max(moment for moment, _ in said)
    return DENIED if (last, DENIED) in said else GRANTED


def state_of_all(records, names, purpose, at=None):
    """The state of a person with several identifiers."""
    states = [state_at(records, name, purpose, at) for name in names]
    return max(states, key=ORDER.index, default=UNKNOWN)


def reason(records, erased, names, purpose, at, unknown):
    """Why an event of somebody may not be used; None where it may."""
    if erased & set(names):
        return "erased"
    then = state_of_all(records, names, purpose, at)
    now = state_of_all(records, names, purpose)
    if then == DENIED:
        return "denied"
    if then == UNKNOWN and unknown == DENIED:
        return "unknown" if names else "nobody"
    return "withdrawn since" if now == DENIED else None


def carried(starts, said_granted, said_denied):
    """The states that follow from what each moment says."""
    granted, denied = [], []
    for start, end in pairwise(starts):
        yes, no = set(), set()
        for place in range(start, end):
            new_yes, new_no = _bits(said_granted[place]), _bits(said_denied[place])
            yes, no = (yes - new_no) | new_yes, (no - new_yes) | new_no
            granted.append(sum(1 << bit for bit in yes))
            denied.append(sum(1 << bit for bit in no))
    return granted, denied


def _bits(number):
    return {bit for bit in range(64) if number >> bit & 1}
