"""The slow, readable twin of whose each row is: one row and all merges at a time."""


def resolve_in_turn(rows, times, merges, shared_since, people):
    """Return (root or None or ("shared", identifier), person or None) of each row.

    rows          lists of identifiers, the highest priority first
    merges        (kept, absorbed, time)
    shared_since  mapping from identifier to time
    people        identifiers that are persons
    """
    answers = []
    for ids, now in zip(rows, times, strict=True):
        profiles = {}
        for kept, absorbed, moment in merges:
            if moment <= now:
                joint = [*profiles.get(kept, [kept]), *profiles.get(absorbed, [absorbed])]
                profiles |= dict.fromkeys(joint, joint)
        proof = [one for one in ids if now < shared_since.get(one, float("inf"))]
        if proof:
            members = profiles.get(proof[0], proof[:1])
            answers.append((members[0], next(filter(people.__contains__, members), None)))
        else:
            answers.append((("shared", ids[0]) if ids else None, None))
    return answers
