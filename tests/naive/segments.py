"""Smoothed shares of segments, one pair at a time."""

import math


def share(item, chain, events, weights, prior, categories, n_items):
    """The share of an item in the last segment of a chain.

    item        the one asked about
    chain       sets of users, coarse to fine; the first is everybody
    events      (user, item) pairs
    weights     of the events
    prior       the weight of a parent, the same for categories and items
    categories  of every item, or None
    """
    everybody, *segments = chain

    def count(users, wanted):
        return sum(
            weight
            for (user, chosen), weight in zip(events, weights, strict=True)
            if user in users and wanted(chosen)
        )

    total = count(everybody, lambda chosen: True)
    customer = total / len({user for user, _ in events})

    def mass(items):
        """What everybody says, a customer's worth spread evenly over the items."""
        counted = count(everybody, lambda chosen: chosen in items)
        return (counted + customer * len(items) / n_items) / (total + customer)

    own = {
        one for one in range(n_items) if categories is None or categories[one] == categories[item]
    }
    of_category = mass(own)
    within = mass({item}) / of_category
    for users in segments:
        in_category = count(users, lambda chosen: chosen in own)
        if categories is not None:
            whole = count(users, lambda chosen: True)
            of_category = (in_category + prior * customer * of_category) / (
                whole + prior * customer
            )
        alone = count(users, lambda chosen: chosen == item)
        within = (alone + prior * customer * within) / (in_category + prior * customer)
    return of_category * within


def nats(chain_of, events, weights, prior, n_items):
    """How much likelier the chains' last segments make what users chose, each left out herself.

    chain_of  from user to her chain of sets of users
    """
    customer = sum(weights) / len({user for user, _ in events})
    mean = sum(weights) / len(weights)

    def left_out(user, item, users, before):
        others = [
            (chosen, weight)
            for (one, chosen), weight in zip(events, weights, strict=True)
            if one in users and one != user
        ]
        alone = sum(weight for chosen, weight in others if chosen == item)
        whole = sum(weight for _, weight in others)
        return (alone + before[1] * before[0]) / (whole + before[1])

    gained = 0.0
    for (user, item), weight in zip(events, weights, strict=True):
        everybody, *segments = chain_of[user]
        first = chance = left_out(user, item, everybody, (1 / n_items, customer))
        for users in segments:
            chance = left_out(user, item, users, (chance, prior * customer))
        gained += weight / mean * (math.log(chance) - math.log(first))
    return gained
