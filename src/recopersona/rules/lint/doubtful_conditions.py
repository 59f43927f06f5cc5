"""Conditions, schedules and factors that decide nothing, or less than was meant."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import reduce
from operator import and_

import numpy as np

from recopersona.data.types import Mask
from recopersona.rules.constants import constant
from recopersona.rules.lint.findings import Finding, Inspected, day
from recopersona.rules.lint.ranges import Box, all_of
from recopersona.rules.nodes import (
    Boost,
    Bury,
    Exclude,
    Expression,
    Field,
    IsUnknown,
    Not,
    Param,
    Require,
    Rule,
    any_of,
)
from recopersona.rules.parts import all_in
from recopersona.rules.text.printing import printed

# -- never and always --------------------------------------------------------------------------

_NEVER = {
    "Require": ("so nothing is shown", "write a condition that some items meet"),
    "Limit": ("so nothing is limited", "leave the rule out, or widen the condition"),
    "Exclude": ("so nothing is left out", "leave the rule out, or widen the condition"),
    "Ensure": ("so no item can serve", "write a condition that some items meet"),
}
_NEVER_ELSE = ("so the rule does nothing", "leave the rule out, or widen the condition")
_ALWAYS = {
    "Require": ("so nothing is left out", "leave the rule out, or narrow the condition"),
    "Exclude": ("so nothing is shown", "narrow the condition"),
}
_ALWAYS_ELSE = ("so it says nothing", "leave the condition out, or narrow it")


def conditions_that_decide_nothing(inspected: Inspected) -> Iterator[Finding]:
    """Find conditions that are never true, or true of all, whatever the data."""
    for number, rule in inspected:
        where = getattr(rule, "where", None)
        if where is not None:
            yield from _undecided(inspected, number, rule, where)
        if rule.when is not None:
            yield from _undecided_when(inspected, number, rule.when)


def _undecided(
    inspected: Inspected, number: int, rule: Rule, where: Expression
) -> Iterator[Finding]:
    kind, logic = type(rule).__name__, inspected.logic
    if not logic.possible(where):
        so, advice = _NEVER.get(kind, _NEVER_ELSE)
        problem = f"{printed(where)} is never true, {so}"
        yield Finding(number, problem, advice, where.place, unmet=kind in ("Pin", "Ensure"))
    elif not logic.possible(where, wanted=False):
        so, advice = _ALWAYS.get(kind, _ALWAYS_ELSE)
        if logic.possible(where, wanted=False, or_unknown=True):
            known = "true of every item of which it is known"
            if kind == "Require" and rule.unknown != "skip":
                so = "so only the unknown are left out"
                advice = f"write {_known(where)}"
        else:
            known = "always true"
        yield Finding(number, f"{printed(where)} is {known}, {so}", advice, where.place)


def _known(where: Expression) -> str:
    """Write that what a condition reads is known."""
    fields = dict.fromkeys(node for node in all_in(where) if isinstance(node, Field))
    return " AND ".join(printed(Not(IsUnknown(field))) for field in fields)


def _undecided_when(inspected: Inspected, number: int, when: Expression) -> Iterator[Finding]:
    logic = inspected.logic
    if not logic.possible(when):
        yield Finding(
            number,
            f"WHEN {printed(when)} is never true, so the rule is never on",
            "leave the rule out, or widen the condition",
            when.place,
        )
    elif not logic.possible(when, wanted=False):
        yield Finding(
            number,
            f"WHEN {printed(when)} is always true where it is known",
            "leave the WHEN out, or narrow it",
            when.place,
        )


# -- filters that together leave nothing -------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Left:
    """What one or several filters leave.

    boxes  of the values of fields; None where they are too many to tell
    mask   of the items, None where that depends on who asks
    """

    boxes: list[Box] | None
    mask: Mask | None

    @classmethod
    def by(cls, inspected: Inspected, rule: Require | Exclude) -> _Left:
        if isinstance(rule, Require):
            kept = rule.where, True, rule.unknown == "skip" and rule.when is None
        else:
            kept = rule.where, False, rule.unknown != "apply" or rule.when is not None
        boxes = inspected.data.boxes(*kept)
        return cls(boxes, None if boxes == [] else inspected.mask(*kept))

    def __and__(self, other: _Left) -> _Left:
        masks = [mask for mask in (self.mask, other.mask) if mask is not None]
        boxes = [part for part in (self.boxes, other.boxes) if part is not None]
        joint = all_of([*boxes])
        if joint is None and boxes:  # too many together: go on with what is known of one
            joint = boxes[0]
        return _Left(joint, np.logical_and.reduce(masks) if masks else None)

    def __bool__(self) -> bool:
        return self.boxes != [] and (self.mask is None or bool(self.mask.any()))


_ALL_LEFT = _Left([{}], None)


def requirements_that_leave_nothing(inspected: Inspected) -> Iterator[Finding]:
    """Find filters of which each leaves some items, and all together none."""
    left = {
        number: kept
        for number, rule in inspected
        if isinstance(rule, (Require, Exclude)) and (kept := _Left.by(inspected, rule))
    }
    cases = {number: (rule.when, rule.during) for number, rule in inspected if number in left}
    told: set[int] = set()
    for case in dict.fromkeys([(None, None), *cases.values()]):
        held, together = [], _ALL_LEFT
        for number, kept in left.items():
            if number in told or cases[number] not in ((None, None), case):
                continue
            joint = together & kept
            if joint:
                held.append(number)
                together = joint
                continue
            told.add(number)
            names = ", ".join(inspected.label(one) for one in _needed(left, held, number))
            yield Finding(
                number,
                f"together with {names} it leaves no item",
                "widen one of them, or say by WHEN which of them holds",
                inspected.rules.rules[number - 1].place,
            )


def _needed(left: dict[int, _Left], held: list[int], number: int) -> list[int]:
    """Return those of some filters without which one would leave something."""
    for one in held:
        if not left[one] & left[number]:
            return [one]
    needed = held
    for one in held if len(held) <= _MOST_TRIED else ():
        fewer = [other for other in needed if other != one]
        if not reduce(and_, (left[other] for other in fewer), left[number]):
            needed = fewer
    return needed


_MOST_TRIED = 32


# -- schedules ---------------------------------------------------------------------------------


def schedules_out_of_time(inspected: Inspected) -> Iterator[Finding]:
    """Find rules that are over, or were never on."""
    for number, rule in inspected:
        schedule = inspected.schedule(rule)
        if schedule is None or rule.during is None or schedule.end is None:
            continue
        if schedule.start is not None and schedule.start >= schedule.end:
            yield Finding(
                number,
                "DURING starts after it ends, so the rule is never on",
                "swap the two dates",
                rule.during.place,
            )
        elif inspected.now is not None and schedule.end <= inspected.now:
            last = day(schedule.end - 1)
            yield Finding(
                number,
                f"DURING ended on {last}, and it is {day(inspected.now)}",
                "leave the rule out, or give it new dates",
                rule.during.place,
            )


# -- unknowns ----------------------------------------------------------------------------------


def guards_with_holes(inspected: Inspected) -> Iterator[Finding]:
    """Find filters that stay silent for visitors of whom one thing is not known."""
    for number, rule in inspected:
        if not isinstance(rule, (Exclude, Require)) or rule.when is None or rule.unknown:
            continue
        asked_for = {n.value for n in all_in(rule.when) if isinstance(n, IsUnknown)}
        for node in dict.fromkeys(all_in(rule.when)):
            reason = None if node in asked_for else _may_be_unknown(inspected, node)
            if reason is not None:
                action = type(rule).__name__.upper()
                yield Finding(
                    number,
                    f"{reason}, and where {printed(node)} is unknown this {action} does not hold",
                    "write IF UNKNOWN APPLY to be on the safe side, or IF UNKNOWN SKIP",
                    rule.when.place,
                )
                break


def _may_be_unknown(inspected: Inspected, node: Expression) -> str | None:
    if isinstance(node, Param):
        return f"a request may come without ${node.name}"
    if not isinstance(node, Field) or node.name == "id":
        return None
    if node.of == "ctx" and node.name != "now":
        return f"a request may come without {node.name}"
    if node.of == "user":
        facts = inspected.schema.facts("user", node.name)
        if facts is None:
            return f"{printed(node)} may be unknown"
        if facts.unknown:
            return f"{facts.unknown:,} of {facts.rows:,} users have no {node.name}"
    return None


def unknown_items_kept(inspected: Inspected) -> Iterator[Finding]:
    """Find exclusions that let pass the items of which they cannot tell."""
    for number, rule in inspected:
        if not isinstance(rule, Exclude) or (rule.unknown is not None and rule.when is None):
            continue
        asked_for = {n.value for n in all_in(rule.where) if isinstance(n, IsUnknown)}
        for node in dict.fromkeys(all_in(rule.where)):
            unknown = 0 if node in asked_for else _unknown_items(inspected, node)
            if unknown:
                name = printed(node)
                instead = printed(any_of(rule.where, IsUnknown(node)))
                if rule.when is None:
                    instead = f"IF UNKNOWN APPLY, or EXCLUDE {instead}, to leave them out"
                else:
                    instead = f"EXCLUDE {instead} to leave them out"
                yield Finding(
                    number,
                    f"{unknown:,} {_items_are(unknown, name)} not left out",
                    f"write {instead}",
                    node.place,
                )
                break


def _items_are(count: int, name: str) -> str:
    return (
        f"item whose {name} is unknown is" if count == 1 else f"items whose {name} is unknown are"
    )


def _unknown_items(inspected: Inspected, node: Expression) -> int:
    """Return of how many items a column is unknown; a set without members is no riddle."""
    if not isinstance(node, Field) or node.of != "item":
        return 0
    facts = inspected.facts(node)
    is_set = inspected.schema.kind(node.of, node.name) == "set"
    return 0 if facts is None or is_set else facts.unknown


# -- factors and repetitions -------------------------------------------------------------------


def factors_without_effect(inspected: Inspected) -> Iterator[Finding]:
    """Find boosts by a number that changes nothing."""
    for number, rule in inspected:
        if not isinstance(rule, (Boost, Bury)):
            continue
        factor = constant(rule.by, inspected.rules.timezone)
        if not isinstance(factor, (int, float)) or isinstance(factor, bool):
            continue
        action = type(rule).__name__.upper()
        other = "BURY" if isinstance(rule, Boost) else "BOOST"
        if factor == 1:
            yield Finding(
                number,
                f"{action} ... BY 1 changes nothing",
                "write a factor above 1, such as 1.3",
                rule.by.place,
            )
        elif factor <= 0:
            yield Finding(
                number,
                f"{action} ... BY {printed(rule.by)} changes nothing: factors are above 0",
                f"write a factor above 0; the opposite is {other}, and EXCLUDE hides",
                rule.by.place,
            )


def rules_said_twice(inspected: Inspected) -> Iterator[Finding]:
    """Find rules that say what another one said before."""
    first: dict[Rule, int] = {}
    for number, rule in inspected:
        before = first.setdefault(replace(rule, name=None), number)
        if before == number:
            continue
        twice = isinstance(rule, (Boost, Bury))
        same = rule.name == inspected.rules.rules[before - 1].name
        yield Finding(
            number,
            f"it says the same as {inspected.label(before)}"
            f"{'' if same else ' under another name'}{', and counts twice' if twice else ''}",
            "leave one of them out",
            rule.place,
        )
