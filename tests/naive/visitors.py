"""The slow, readable twins of what visitors see and do: one page, one item at a time."""

from __future__ import annotations

from math import exp


def attraction(item, eyes, half_life):
    """Return the chance of a click on one item alone; both are mappings of plain numbers."""
    first, second, share = item["topic"], item["second"], item["share"]
    worth = item["quality"] + (1 - share) * eyes["likes"][first] + share * eyes["likes"][second]
    worth += sum(axis * manner for axis, manner in zip(item["style"], eyes["manner"], strict=True))
    worth -= eyes["thrift"] * item["dearness"]
    worth += eyes["hunger"] * 0.5 ** (max(eyes["now"] - item["launched"], 0) / half_life)
    return exp(-eyes["bored"][first] - eyes["weary"]) / (1 + exp(-worth))


def kinship(first, other, family, of_family):
    """Return how alike two topics are."""
    if first == other:
        return 1.0
    return of_family if family[first] == family[other] else 0.0


def tired(attractions, topics, family, fatigue, of_family):
    """Return the chances of a page's items, each below those above it."""
    chances = []
    for place, topic in enumerate(topics):
        above = sum(kinship(topic, other, family, of_family) for other in topics[:place])
        chances.append(attractions[place] * exp(-fatigue * above))
    return chances


def expected_seen(chances, examination, satisfaction):
    """Return the chance that each place is looked at, by every way to get there."""
    reach, seen = 1.0, []
    for place, chance in enumerate(chances):
        goes_on = examination[place] / (examination[place - 1] if place else 1.0)
        reach *= goes_on
        seen.append(reach)
        reach *= chance * (1 - satisfaction) + (1 - chance)
    return seen


def walked(chances, looks, likings, endings, examination, satisfaction, in_turn):
    """Return what one visitor looks at and clicks."""
    seen, clicked = [], []
    for place, chance in enumerate(chances):
        look = examination[place]
        if in_turn and place:
            look /= examination[place - 1]
        stays = not in_turn or place == 0 or (
            seen[-1] and not (clicked[-1] and endings[place - 1] < satisfaction)
        )  # fmt: skip
        seen.append(stays and looks[place] < look)
        clicked.append(seen[-1] and likings[place] < chance)
    return seen, clicked


def greedy_page(n, attractions, topics, family, fatigue, of_family):
    """Return the page that takes the best item for every place in turn."""
    page = []
    for _ in range(n):
        rest = [item for item in range(len(attractions)) if item not in page]
        if not rest:
            return page
        at_the_end = [
            tired(
                [attractions[shown] for shown in [*page, item]],
                [topics[shown] for shown in [*page, item]], family, fatigue, of_family,
            )[-1]
            for item in rest
        ]  # fmt: skip
        page.append(rest[at_the_end.index(max(at_the_end))])
    return page


def remembered(mind, room, items, added):
    """Return a mapping from item to amount after some is added; the least makes room."""
    mind = dict(mind)
    for item, amount in zip(items, added, strict=True):
        if amount <= 0:
            continue
        if item in mind or len(mind) < room:
            mind[item] = mind.get(item, 0.0) + amount
            continue
        least = min(mind, key=mind.get)
        if amount > mind[least]:
            del mind[least]
            mind[item] = amount
    return mind
