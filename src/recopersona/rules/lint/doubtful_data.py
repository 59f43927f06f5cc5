"""Values that no item has and ranges that none is in: mostly a slip of the pen, or of the unit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from recopersona.errors import nearest
from recopersona.rules.checks.schema import Facts
from recopersona.rules.constants import constant
from recopersona.rules.lint.findings import Finding, Inspected, day, days, literal
from recopersona.rules.lint.ranges import Interval, between, within
from recopersona.rules.nodes import (
    MIRRORED,
    Between,
    Boost,
    Compare,
    Ensure,
    Expression,
    Field,
    Has,
    In,
    Not,
    Pin,
    Require,
    Rule,
)
from recopersona.rules.parts import parts_of
from recopersona.rules.text.printing import printed

_MOST_LISTED = 8


def _expressions(rule: Rule) -> Iterator[tuple[Expression, bool]]:
    """Yield the conditions of a rule, and whether each is there to be met.

    An exclusion or a cap may well wait for what is not there yet; so does a WHEN.
    """
    where = getattr(rule, "where", None)
    if where is not None:
        yield where, isinstance(rule, (Require, Boost, Pin, Ensure))
    if rule.when is not None:
        yield rule.when, False


def conditions_beside_the_data(inspected: Inspected) -> Iterator[Finding]:
    """Find values that are nowhere in the data, ranges outside of them, and what none meets."""
    for number, rule in inspected:
        for expression, to_be_met in _expressions(rule):
            found = list(_about(inspected, number, expression, to_be_met))
            unmet = isinstance(rule, (Pin, Ensure)) and to_be_met
            if to_be_met and not inspected.logic.decided(expression):
                met = inspected.count_of(expression)
                if not found and met == 0:
                    found = [_met_by_none(number, expression)]
                unmet = unmet and met == 0
            yield from (replace(finding, unmet=unmet) for finding in found[:_MOST_TOLD])
            if len(found) > _MOST_TOLD:
                yield _and_more(found)


_MOST_TOLD = 8


def _about(
    inspected: Inspected, number: int, expression: Expression, to_be_met: bool
) -> Iterator[Finding]:
    decided = inspected.logic.decided(expression)  # then that is told of it already
    waiting = [(expression, to_be_met)]
    while waiting:
        node, sought = waiting.pop()
        for of, member in _named_values(node):
            yield from _absent(inspected, number, of, member)
        if not decided:
            yield from _out_of_range(inspected, number, node, sought)
        # What must not be is waited for, as an exclusion waits.
        inner = sought and not isinstance(node, Not)
        waiting.extend((part, inner) for part in reversed(parts_of(node)))


def _and_more(found: list[Finding]) -> Finding:
    more = len(found) - _MOST_TOLD
    return replace(
        found[_MOST_TOLD],
        problem=f"{more} more values and ranges of this rule are not in the data",
        advice="look into the columns that it reads",
        unmet=False,
    )


def _met_by_none(number: int, expression: Expression) -> Finding:
    return Finding(
        number,
        f"{printed(expression)} is true of no item in the data",
        "widen the condition, or see to it that some items meet it",
        expression.place,
    )


def quotas_of_few(inspected: Inspected) -> Iterator[Finding]:
    """Find quotas for more items than there are in all the data."""
    for number, rule in inspected:
        if not isinstance(rule, Ensure):
            continue
        least, size = inspected.count(rule.amount, rule.window), inspected.size(rule.window)
        met = inspected.count_of(rule.where)
        if met is not None and 0 < met < least <= size:
            yield Finding(
                number,
                f"it wants {least} items, and only {met} in the data meet {printed(rule.where)}",
                f"ask for at most {met}, or widen the condition",
                rule.where.place,
                unmet=True,
            )


# -- values ------------------------------------------------------------------------------------


def _named_values(node: Expression) -> Iterator[tuple[Field, Expression]]:
    match node:
        case Compare(op="=" | "!=", left=Field() as field, right=value):
            yield field, value
        case Compare(op="=" | "!=", left=value, right=Field() as field):
            yield field, value
        case In(value=Field() as field, members=tuple() as members):
            for member in members:
                yield field, member
        case Has(value=Field() as field, members=tuple() as members):
            for member in members:
                yield field, member


def _absent(
    inspected: Inspected, number: int, field: Field, member: Expression
) -> Iterator[Finding]:
    kind = inspected.schema.kind(field.of, field.name)
    value = constant(member, inspected.rules.timezone)
    values = inspected.values_of(field) if kind in ("category", "set") else None
    if value is None or values is None or value in values:
        return
    who = "user" if field.of == "user" else "item"
    yield Finding(
        number,
        f"no {who} has {_with_name(field.name, member, kind)}",
        _instead(inspected, field, value),
        member.place,
    )


def _with_name(name: str, member: Expression, kind: str | None) -> str:
    return f"{printed(member)} in {name}" if kind == "set" else f"{name} {printed(member)}"


def _instead(inspected: Inspected, field: Field, value: Any) -> str:
    facts = inspected.facts(field)
    values = (facts.values if facts is not None else None) or ()
    near = nearest(value, values[:_MOST_COMPARED])
    if near is not None:
        meant = next(one for one in values if str(one) == near)
        return f"did you mean {printed(literal(meant))}?"
    if not values:
        return "the column is empty"
    listed = ", ".join(printed(literal(one)) for one in values[:_MOST_LISTED])
    return f"there are {listed}{', ...' if len(values) > _MOST_LISTED else ''}"


_MOST_COMPARED = 10_000  # of more, the nearest would take seconds to find


# -- ranges ------------------------------------------------------------------------------------


def _out_of_range(
    inspected: Inspected, number: int, node: Expression, to_be_met: bool
) -> Iterator[Finding]:
    asked = _range_of(inspected, node)
    if asked is None:
        return
    field, inside, outside = asked
    facts = inspected.facts(field)
    if facts is None or facts.low is None or facts.high is None:
        return
    off = min((_distance(interval, facts) for interval in inside), default=-1.0)
    beyond = min((_distance(interval, facts) for interval in outside), default=-1.0)
    # Where a rule waits for what may come, only what is far off is a slip.
    far = facts.high - facts.low
    wait = not to_be_met or field.of == "user"
    if off >= 0 and not (wait and off <= (far or off)):
        what = "never true"
    elif far and beyond > far:
        what = "always true"
    else:
        return
    low, high = _in_words(inspected, field, facts)
    held = f"{low} to {high}" if low != high else f"{low} throughout"
    yield Finding(
        number,
        f"{printed(node)} is {what}: {printed(field)} is {held} in the data",
        "compare it with a value that occurs; mind the unit",
        node.place,
    )


_Range = tuple[Field, tuple[Interval, ...], tuple[Interval, ...]]
_OPPOSITE = {"<": ">=", "<=": ">", ">": "<=", ">=": "<", "=": "!="}


def _range_of(inspected: Inspected, node: Expression) -> _Range | None:
    """Return a field, the range that a test asks of it, and what is outside of that."""
    zone = inspected.rules.timezone
    match node:
        case Compare(op=op, left=Field() as field, right=bound) if op != "!=":
            pass
        case Compare(op=op, left=bound, right=Field() as field) if op != "!=":
            op = MIRRORED[op]
        case Between(value=Field() as field, low=least, high=most):
            low, high = constant(least, zone), constant(most, zone)
            if isinstance(low, (int, float)) and isinstance(high, (int, float)):
                outside = (within("<", low).intervals or ()) + (within(">", high).intervals or ())
                return field, between(low, high).intervals or (), outside
            return None
        case _:
            return None
    kind = inspected.schema.kind(field.of, field.name)
    value = constant(bound, zone)
    if kind in ("number", "time", "duration") and isinstance(value, (int, float)):
        opposite = within(_OPPOSITE[op], value).intervals or ()
        return field, within(op, value).intervals or (), opposite
    return None


def _distance(interval: Interval, facts: Facts) -> float:
    """Return how far a range is from the data: below 0 where they touch."""
    assert facts.low is not None and facts.high is not None  # noqa: S101, PT018
    (low, after), (high, before) = interval
    if (low, after) > (facts.high, 0):
        return low - facts.high
    if (high, before) < (facts.low, 0):
        return facts.low - high
    return -1.0


def _in_words(inspected: Inspected, field: Field, facts: Facts) -> tuple[str, str]:
    assert facts.low is not None and facts.high is not None  # noqa: S101, PT018
    kind = inspected.schema.kind(field.of, field.name)
    write = {"time": day, "duration": days}.get(kind or "", lambda number: f"{number:,.6g}")
    return write(facts.low), write(facts.high)
