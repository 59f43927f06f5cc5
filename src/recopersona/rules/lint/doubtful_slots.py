"""Pins, caps and quotas that ask of a page what it does not have, or what another rule forbids."""

from __future__ import annotations

from collections.abc import Iterator

from recopersona.rules.lint.findings import Finding, Inspected
from recopersona.rules.nodes import Ensure, Field, Limit, Pin, Window
from recopersona.rules.text.printing import printed

# -- pins --------------------------------------------------------------------------------------


def pins_off_the_page(inspected: Inspected) -> Iterator[Finding]:
    """Find slots that the page does not have."""
    for number, rule in inspected:
        slots = rule.slots if isinstance(rule, Pin) else ()
        beyond = [slot for slot in slots if slot > inspected.n]
        if beyond:
            yield Finding(
                number,
                f"a page of {inspected.n} has no slot {beyond[0]}",
                f"name a slot from 1 to {inspected.n}, or ask for longer pages",
                rule.place,
                unmet=True,
            )


def pins_on_one_slot(inspected: Inspected) -> Iterator[Finding]:
    """Find two pins that want one slot in the same requests, with nothing to choose by."""
    pins = [(number, rule) for number, rule in inspected if isinstance(rule, Pin)]
    for place, (number, rule) in enumerate(pins):
        for before, other in pins[:place]:
            shared = sorted(set(rule.slots) & set(other.slots))
            alike = rule.when == other.when and rule.priority == other.priority
            if shared and alike and inspected.overlap(rule, other):
                yield Finding(
                    number,
                    f"{inspected.label(before)} has slot {shared[0]} already",
                    "name another slot, or say by PRIORITY which of them goes first",
                    rule.place,
                    unmet=len(set(rule.slots) - set(other.slots)) == 0,
                )
                break


# -- caps --------------------------------------------------------------------------------------


def caps_without_effect(inspected: Inspected) -> Iterator[Finding]:
    """Find caps that allow as many as there is room for."""
    for number, rule in inspected:
        if not isinstance(rule, Limit):
            continue
        most, size = inspected.count(rule.amount, rule.window), inspected.size(rule.window)
        if most >= size:
            yield Finding(
                number,
                f"a limit of {most} in {size} slots limits nothing",
                f"write fewer than {size}" if size > 1 else "count in more slots than one",
                rule.place,
            )


def caps_without_groups(inspected: Inspected) -> Iterator[Finding]:
    """Find strict caps that cannot be kept: there are too few groups to fill the slots."""
    for number, rule in inspected:
        if not isinstance(rule, Limit) or rule.per is None or rule.where is not None:
            continue
        facts = inspected.facts(rule.per)
        if not rule.strict or facts is None or facts.values is None or facts.unknown:
            continue
        most, size = inspected.count(rule.amount, rule.window), inspected.size(rule.window)
        room = most * len(facts.values)
        if 0 < room < size:
            yield Finding(
                number,
                f"{most} of each {printed(rule.per)} fill {room} of {size} slots",
                f"allow {-(-size // len(facts.values))} of each",
                rule.place,
                unmet=True,
            )


# -- quotas ------------------------------------------------------------------------------------


def quotas_above_their_window(inspected: Inspected) -> Iterator[Finding]:
    """Find quotas for more items than there are slots."""
    for number, rule in inspected:
        if not isinstance(rule, Ensure):
            continue
        least, size = inspected.count(rule.amount, rule.window), inspected.size(rule.window)
        if least > size:
            yield Finding(
                number,
                f"{least} items do not go into {size} slots",
                f"ask for at most {size}",
                rule.place,
                unmet=True,
            )


def quotas_above_all(inspected: Inspected) -> Iterator[Finding]:
    """Find quotas that each fit and together do not."""
    before: list[tuple[int, Ensure]] = []
    for number, rule in inspected:
        if not isinstance(rule, Ensure):
            continue
        size = inspected.size(rule.window)
        if not 0 < _wanted(inspected, rule, size) <= size:
            continue  # that is told of the rule itself
        beside = [quota for quota in before if inspected.together(rule, quota[1])]
        finding = _too_many(inspected, [*beside, (number, rule)], number)
        if finding is None:
            before.append((number, rule))
        else:
            yield finding


def _too_many(
    inspected: Inspected, quotas: list[tuple[int, Ensure]], number: int
) -> Finding | None:
    """Say that the last of some quotas is too much for the first so many slots."""
    rule = quotas[-1][1]
    for slots in sorted({inspected.size(other.window) for _, other in quotas}):
        within = [quota for quota in quotas if inspected.size(quota[1].window) <= slots]
        apart = _apart(inspected, within)
        wanted = sum(_wanted(inspected, one, slots) for _, one in apart)
        if wanted > slots and any(one is rule for _, one in apart):
            names = ", ".join(inspected.label(one) for one, _ in apart if one != number)
            return Finding(
                number,
                f"together with {names} it wants {wanted} of {slots} slots",
                "ask for less; only items that meet several of them count for several",
                rule.place,
                unmet=True,
            )
    return None


def _wanted(inspected: Inspected, rule: Ensure, slots: int) -> int:
    """Return how many of the first slots a quota takes that counts in no more than these."""
    size, least = inspected.size(rule.window), inspected.count(rule.amount, rule.window)
    return least * (slots // size) if _is_sliding(rule.window) else least


def _apart(inspected: Inspected, quotas: list[tuple[int, Ensure]]) -> list[tuple[int, Ensure]]:
    """Leave out quotas that are met by what meets a larger one: new tea counts as tea."""
    kept: list[tuple[int, Ensure]] = []
    largest_first = sorted(quotas, key=lambda q: -inspected.count(q[1].amount, q[1].window))
    for number, rule in largest_first:
        if not any(_overlap(inspected, rule, other) for _, other in kept):
            kept.append((number, rule))
    return sorted(kept, key=lambda quota: quota[0])


def _overlap(inspected: Inspected, one: Ensure, other: Ensure) -> bool:
    logic = inspected.logic
    return logic.implies(one.where, other.where) or logic.implies(other.where, one.where)


def _is_sliding(window: Window | None) -> bool:
    return window is not None and window.kind == "any"


# -- caps against quotas -----------------------------------------------------------------------


def limits_against_quotas(inspected: Inspected) -> Iterator[Finding]:
    """Find quotas for more items than a cap allows of them."""
    for number, rule in inspected:
        if not isinstance(rule, Ensure):
            continue
        size, least = inspected.size(rule.window), inspected.count(rule.amount, rule.window)
        for other_number, limit in inspected:
            if not isinstance(limit, Limit) or not inspected.together(rule, limit):
                continue
            groups = _groups(inspected, rule, limit)
            most = None if groups is None else groups * _room(inspected, limit, size)
            if most is not None and most < least <= size:
                yield Finding(
                    number,
                    f"it wants {least} items of which {inspected.label(other_number)} allows "
                    f"{most}, and a limit goes before a quota",
                    f"ask for at most {most}, or raise the limit",
                    rule.place,
                    unmet=True,
                )
                break


def _groups(inspected: Inspected, rule: Ensure, limit: Limit) -> int | None:
    """Return in how many groups of a cap all items of a quota are; None where some are in none."""
    if limit.where is not None and not inspected.logic.implies(rule.where, limit.where):
        return None
    if limit.per is None:
        return 1
    return _values_of(inspected, rule, limit.per)


def _values_of(inspected: Inspected, rule: Ensure, field: Field) -> int | None:
    """Return how many values a field can have where a quota's condition holds."""
    boxes = inspected.logic.boxes(rule.where)
    found: set[object] = set()
    for box in boxes or [{}]:
        values = box.get(field)
        if values is None or values.others or values.unknown or values.members is None:
            return None
        found |= values.members
    return len(found)


def _room(inspected: Inspected, limit: Limit, slots: int) -> int:
    """Return how many items of one group a cap lets into the first slots."""
    size, most = inspected.size(limit.window), inspected.count(limit.amount, limit.window)
    if _is_sliding(limit.window):
        return most * (slots // size) + min(most, slots % size)
    return min(most, slots) + max(0, slots - size)
