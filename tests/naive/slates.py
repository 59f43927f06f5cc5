"""The list estimators as their formulas are written, list by list and place by place."""


def value(lists, name):
    """lists: of (rewards, weights, alone, q, v), each one number per place."""
    total = 0.0
    for rewards, weights, alone, q, v in lists:
        product = 1.0
        for weight in weights:
            product *= weight
        so_far = 1.0
        for place in range(len(rewards)):
            before, so_far = so_far, so_far * weights[place]
            if name == "SIPS":
                total += product * rewards[place]
            elif name == "IIPS":
                total += alone[place] * rewards[place]
            elif name == "RIPS":
                total += so_far * rewards[place]
            elif name == "CascadeDR":
                total += so_far * (rewards[place] - q[place]) + before * v[place]
    return total / len(lists)


def snrips(lists):
    """The same for SNRIPS; a list that has ended keeps the weight of its last place."""
    longest = max(len(rewards) for rewards, *_ in lists)
    total = 0.0
    for place in range(longest):
        top = bottom = 0.0
        for rewards, weights, *_ in lists:
            product = 1.0
            for weight in weights[: place + 1]:
                product *= weight
            bottom += product
            if place < len(rewards):
                top += product * rewards[place]
        total += top / bottom
    return total
