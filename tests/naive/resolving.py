"""The slow, readable twin of since when profiles hold a person: every profile as a set."""


def people_since(n, people, merges):
    """Return by each identifier since when the profile it names holds a person, or None.

    merges  (kept, absorbed, time) in order
    """
    members = {one: {one} for one in range(n)}
    since = {one: float("-inf") for one in people}
    for kept, absorbed, moment in merges:
        members[kept] |= members.pop(absorbed)
        if members[kept] & set(people):
            since.setdefault(kept, moment)
    return [since.get(one) for one in range(n)]
