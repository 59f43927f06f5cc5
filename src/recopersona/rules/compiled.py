"""Single rules made ready to be asked: when each is on, and whom its condition meets.

Each condition becomes one question of two answers: what a rule does with the unknown is settled
here (see `IF UNKNOWN` in the guide) and nowhere else.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from recopersona.data.types import Array, Indices
from recopersona.rules.acquainted import Few, may_be_false, may_be_true
from recopersona.rules.asked import Asked, Tables
from recopersona.rules.bitmaps import ALL, Answer, Question
from recopersona.rules.calendar import Schedule
from recopersona.rules.conditions import (
    Condition,
    Groups,
    Number as Numbers,
    compile_condition,
    compile_groups,
    compile_number,
)
from recopersona.rules.crossings import crossings_of
from recopersona.rules.nodes import (
    Amount,
    Boost,
    Bury,
    Ensure,
    Exclude,
    Expression,
    Limit,
    Number,
    Percent,
    Pin,
    Require,
    Rule,
)
from recopersona.rules.slots import Span
from recopersona.rules.timed import TimedBitmap

Gate: TypeAlias = Callable[[Asked, list[str]], bool]
"""Whether a rule is on in a request; what could not be decided is said in words."""


@dataclass(slots=True, kw_only=True, eq=False)
class Compiled:
    """A rule, and what is asked for it.

    number     its place among all rules, from 0
    label      what reports call it
    gate       whether it is on; None if it always is
    condition  as it was compiled; None for a rule without
    answer     whom it meets, the unknown settled (filters: who may be shown)
    waits      what of it may be unknown because of the request
    unknown    what becomes of the unknown: "applied" or "skipped"
    place      its number among the bitmaps, -1 if it is not kept there
    timed      its answers, where they depend on the moment alone
    """

    number: int
    rule: Rule
    label: str
    gate: Gate | None
    condition: Condition | None = None
    answer: Answer | None = None
    waits: tuple[Condition | Numbers, ...] = ()
    unknown: str = "skipped"
    place: int = -1
    timed: TimedBitmap | None = None

    @property
    def reads(self) -> frozenset[str]:
        """The columns that its condition reads."""
        return frozenset() if self.condition is None else self.condition.reads

    @property
    def question(self) -> Question:
        """What is asked of the catalogue."""
        assert self.answer is not None
        return Question(self.answer, self.reads)


@dataclass(slots=True, kw_only=True, eq=False)
class Filter(Compiled):
    """REQUIRE or EXCLUDE.

    few  the only items that it may leave out, where they are few
    """

    few: Few | None = None


@dataclass(slots=True, kw_only=True, eq=False)
class Shift(Compiled):
    """BOOST or BURY: what it adds to the log-odds of those it meets.

    log   that number, where it is the same for all; else None
    by    the factor, per item
    sign  1, or -1 to divide
    """

    log: float | None = None
    by: Numbers | None = None
    sign: float = 1.0


@dataclass(slots=True, kw_only=True, eq=False)
class Pins(Compiled):
    """PIN."""

    slots: tuple[int, ...] = ()


@dataclass(slots=True, kw_only=True, eq=False)
class Caps(Compiled):
    """LIMIT.

    groups     who belongs together; None if all that it meets do
    strangers  whether items of no known group belong together, too
    """

    groups: Groups | None = None
    strangers: bool = False


@dataclass(slots=True, kw_only=True, eq=False)
class Quotas(Compiled):
    """ENSURE."""


def compiled(number: int, rule: Rule, tables: Tables) -> Compiled:
    """Compile one rule that fits the tables."""
    label = label_of(number, rule)
    # With a WHEN, IF UNKNOWN speaks of that alone.
    unknown_counts = rule.when is None and rule.unknown == "apply"
    common: dict[str, Any] = {
        "number": number,
        "rule": rule,
        "label": label,
        "gate": _gate(rule, label, tables),
        "unknown": "applied" if unknown_counts else "skipped",
        "waits": (),
    }
    where: Expression | None = rule.where  # type: ignore[attr-defined] # every action has it
    if where is not None:
        condition = compile_condition(where, tables)
        common["condition"] = condition
        common["waits"] = (condition,) if condition.needs.given else ()
        if not isinstance(rule, (Require, Exclude)):
            common["answer"] = _not_false(condition) if unknown_counts else condition.true
    if isinstance(rule, (Require, Exclude)):
        return _filter(rule, common, where, condition, unknown_counts)
    if isinstance(rule, (Boost, Bury)):
        return _shift(rule, common, tables)
    if isinstance(rule, Pin):
        return Pins(slots=rule.slots, **common)
    if isinstance(rule, Limit):
        groups = None if rule.per is None else compile_groups(rule.per, tables)
        return Caps(groups=groups, strangers=unknown_counts, **common)
    assert isinstance(rule, Ensure)
    return Quotas(**common)


def label_of(number: int, rule: Rule) -> str:
    """Return what reports call a rule: its name, or its number in the set, from 1."""
    return f"rule {number + 1}" if rule.name is None else rule.name


def timed_question(one: Compiled, tables: Tables) -> TimedBitmap | None:
    """Return where the answers to a question of items and the moment are kept; None for others."""
    where, condition = one.rule.where, one.condition  # type: ignore[attr-defined] # all have one
    if condition is None or condition.of_request or condition.needs.request:
        return None
    return TimedBitmap(
        one.question, crossings_of(where, tables.items, tables.timezone), tables.items
    )


def _filter(
    rule: Rule, common: dict[str, Any], where: Any, condition: Condition, unknown_counts: bool
) -> Filter:
    """What may be shown: REQUIRE asks for the true, or all but the false; EXCLUDE turns it round."""
    if isinstance(rule, Require):
        lenient = rule.when is None and rule.unknown == "skip"
        answer = _not_false(condition) if lenient else condition.true
        few = may_be_false(where)
        common["unknown"] = "skipped" if lenient else "applied"
    else:
        answer = condition.false if unknown_counts else _not_true(condition)
        few = may_be_true(where)
    return Filter(answer=answer, few=few, **common)


def _shift(rule: Boost | Bury, common: dict[str, Any], tables: Tables) -> Shift:
    sign = 1.0 if isinstance(rule, Boost) else -1.0
    if isinstance(rule.by, (Number, Percent)):
        factor = rule.by.value / (100 if isinstance(rule.by, Percent) else 1)
        return Shift(log=sign * log_of(factor), sign=sign, **common)
    by = compile_number(rule.by, tables)
    common["waits"] += (by,) if by.needs.given else ()
    return Shift(by=by, sign=sign, **common)


def log_of(factor: float) -> float:
    """Return the logarithm of a factor; 0, for a factor of 1, where there is none."""
    return math.log(factor) if 0 < factor < math.inf else 0.0


def logs_of(factors: Array) -> Array:
    """Return the logarithms of factors, 0 where there is none."""
    good = (factors > 0) & (factors < np.inf)
    logs: Array = np.log(factors, out=np.zeros(len(factors)), where=good)
    return logs


def _not_false(condition: Condition) -> Answer:
    false = condition.false

    def answer(rows: Any, asked: Asked) -> Any:
        found = false(rows, asked)
        # A condition's mask is new, and ours.
        return np.logical_not(found, out=found) if isinstance(found, np.ndarray) else not found

    return answer


def _not_true(condition: Condition) -> Answer:
    true = condition.true

    def answer(rows: Any, asked: Asked) -> Any:
        found = true(rows, asked)
        # A condition's mask is new, and ours.
        return np.logical_not(found, out=found) if isinstance(found, np.ndarray) else not found

    return answer


def _gate(rule: Rule, label: str, tables: Tables) -> Gate | None:
    schedule = None if rule.during is None else Schedule.of(rule.during, tables.timezone)
    fires = None if rule.when is None else _fires(rule, label, tables)
    if schedule is None:
        return fires

    def on(asked: Asked, said: list[str]) -> bool:
        if asked.now is None:
            said.append(f"{label}: ctx.now is unknown, skipped")
        return schedule.on(asked.now) and (fires is None or fires(asked, said))

    return on


def _fires(rule: Rule, label: str, tables: Tables) -> Gate:
    assert rule.when is not None
    when = compile_condition(rule.when, tables)
    applies = rule.unknown == "apply"

    def fires(asked: Asked, said: list[str]) -> bool:
        if when.true(ALL, asked):
            return True
        if when.false(ALL, asked):
            return False
        what = unknown_values(when.missing(asked)) or "its WHEN is unknown"
        said.append(f"{label}: {what}, {'applied' if applies else 'skipped'}")
        return applies

    return fires


def unknown_values(names: tuple[str, ...]) -> str:
    """Say that some values are unknown; nothing if there are none.

    Examples
    --------
    >>> unknown_values(("user.age",)), unknown_values(("user.age", "$floor"))
    ('user.age is unknown', 'user.age and $floor are unknown')
    """
    if not names:
        return ""
    return f"{' and '.join(names)} {'is' if len(names) == 1 else 'are'} unknown"


def span_of(rule: Limit | Ensure, n: int) -> Span:
    """Return where a rule counts on a page of ``n``: a window longer than the page is the page."""
    if rule.window is None or rule.window.size >= n:
        return Span(n)
    return Span(rule.window.size, rule.window.kind == "any")


def amount_of(amount: Amount, size: int) -> int:
    """Return how many an amount is, of so many slots: a share is rounded up.

    Examples
    --------
    >>> amount_of(2, 10), amount_of(Percent(20), 10), amount_of(Percent(7), 100)
    (2, 2, 7)
    >>> amount_of(Percent(21), 10)
    3
    """
    if isinstance(amount, Percent):
        # 7 hundredths of 100 are 7, and not the 7.000000000000001 that make 8.
        return math.ceil(round(amount.value * size / 100, 9))
    return amount


def grouped(one: Caps, items: Indices, asked: Asked) -> Indices:
    """Return the groups in which a LIMIT counts some items: int32, -1 where it does not."""
    if one.groups is None:
        groups = np.zeros(len(items), np.int32)
    else:
        groups = one.groups.codes(items, asked)
        if one.strangers and len(groups):
            groups = np.where(groups < 0, groups.max() + 1, groups).astype(np.int32)
    if one.answer is not None:
        groups = np.where(one.answer(items, asked), groups, np.int32(-1))
    return groups
