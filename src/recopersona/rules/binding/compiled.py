"""Single rules made ready to be asked: when each is on, and whom its condition meets.

Each condition becomes one question with two answers: what a rule does with the unknown is settled
here and nowhere else.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeGuard

import numpy as np

from recopersona.data.types import Array, Indices
from recopersona.rules.binding.bitmaps import ALL, Answer, Question
from recopersona.rules.binding.crossings import crossings_of
from recopersona.rules.binding.narrowing import Few, may_be_false, may_be_true
from recopersona.rules.binding.timed import TimedBitmap
from recopersona.rules.calendar import Schedule
from recopersona.rules.conditions.asked import Asked, Tables
from recopersona.rules.conditions.compiling import (
    Condition,
    Groups,
    Numeric,
    compile_condition,
    compile_groups,
    compile_number,
)
from recopersona.rules.nodes import (
    Amount,
    Boost,
    Bury,
    Did,
    Ensure,
    Exclude,
    Expression,
    Limit,
    Number,
    Percent,
    Pin,
    Require,
    Rule,
    Window,
)
from recopersona.rules.parts import all_in, expressions_of
from recopersona.rules.slots import Span

Gate: TypeAlias = Callable[[Asked, list[str]], bool]
"""Whether a rule is on in a request; what could not be decided is said in words."""


@dataclass(slots=True, kw_only=True, eq=False)
class Compiled:
    """A rule, and what is asked for it.

    number     its place among all rules, from 0
    label      what reports call it
    gate       whether it is on; None if it always is
    answer     whom it meets, the unknown settled (filters: who may be shown)
    condition  what that was made of; None for a rule without
    waits      what of it may be unknown because of the request
    unknown    what becomes of the unknown: "applied" or "skipped"
    deeds      every DID in it that may be unknown
    place      its number among the bitmaps, -1 if it is not kept there
    timed      its answers, where they depend on the moment alone
    """

    number: int
    label: str
    priority: int
    strict: bool
    gate: Gate | None
    answer: Answer
    condition: Condition | None
    waits: tuple[Condition | Numeric, ...]
    unknown: str
    deeds: tuple[Did, ...]
    place: int = -1
    timed: TimedBitmap | None = None

    @property
    def then(self) -> str:
        """What becomes of an item of which it is unknown whether the rule meets it."""
        return self.unknown


@dataclass(slots=True, kw_only=True, eq=False)
class Filter(Compiled):
    """REQUIRE or EXCLUDE.

    refuses  where the condition surely says no
    how      what to say of those
    few      the only items that it may leave out, where they are few
    """

    refuses: Answer
    how: str
    few: Few | None

    @property
    def then(self) -> str:
        return "left out" if self.unknown == "applied" else "kept"


@dataclass(slots=True, kw_only=True, eq=False)
class Shift(Compiled):
    """BOOST or BURY: what it adds to the log-odds of those it meets.

    log   that number, where it is the same for all
    by    the factor, where it is not; None where it is
    sign  1, or -1 to divide
    """

    log: float
    by: Numeric | None
    sign: float


@dataclass(slots=True, kw_only=True, eq=False)
class Pins(Compiled):
    """PIN."""

    slots: tuple[int, ...]


@dataclass(slots=True, kw_only=True, eq=False)
class Counted(Compiled):
    """A rule that counts: so many, in a window."""

    amount: Amount
    window: Window | None

    def on_page(self, n: int) -> tuple[Span, int]:
        """Return where it counts on a page of ``n``, and how many those are.

        A window longer than the page is the page.
        """
        window = self.window
        if window is None or window.size >= n:
            return Span(n), amount_of(self.amount, n)
        return Span(window.size, window.kind == "any"), amount_of(self.amount, window.size)


@dataclass(slots=True, kw_only=True, eq=False)
class Caps(Counted):
    """LIMIT.

    per        the column that tells who belongs together; None if all that it meets do
    groups     the same, compiled
    strangers  whether items of no known group belong together, too
    """

    per: str | None
    groups: Groups | None
    strangers: bool

    def grouped(self, items: Indices, asked: Asked) -> Indices:
        """Return the groups in which some items count: int32, -1 where they do not."""
        if self.groups is None:
            groups = np.zeros(len(items), np.int32)
        else:
            groups = self.groups.codes(items, asked)
            if self.strangers and len(groups):
                groups = np.where(groups < 0, groups.max() + 1, groups).astype(np.int32)
        met = self.answer(items, asked)
        return groups if met is True else np.where(met, groups, np.int32(-1))


@dataclass(slots=True, kw_only=True, eq=False)
class Quotas(Counted):
    """ENSURE."""


def compiled(number: int, label: str, rule: Rule, tables: Tables) -> Compiled:
    """Compile one rule that fits the tables."""
    where: Expression | None = rule.where  # type: ignore[attr-defined] # every action has one
    condition = None if where is None else compile_condition(where, tables)
    # With a WHEN, IF UNKNOWN speaks of that alone.
    counts = rule.unknown == "apply" and rule.when is None
    common: dict[str, Any] = {
        "number": number,
        "label": label,
        "priority": rule.priority,
        "strict": rule.strict,
        "gate": _gate(rule, label, tables),
        "answer": _met(condition, counts),
        "condition": condition,
        "waits": (condition,) if condition is not None and condition.needs.given else (),
        "unknown": "applied" if counts else "skipped",
        "deeds": tuple(dict.fromkeys(filter(_may_be_forgotten, all_in(*expressions_of(rule))))),
    }
    if isinstance(rule, (Require, Exclude)):
        return _filter(rule, common, counts)
    if isinstance(rule, (Boost, Bury)):
        return _shift(rule, common, tables)
    if isinstance(rule, Pin):
        return Pins(slots=rule.slots, **common)
    if isinstance(rule, Limit):
        per = None if rule.per is None else rule.per.name
        groups = None if rule.per is None else compile_groups(rule.per, tables)
        common |= {"per": per, "groups": groups, "strangers": counts}
        return Caps(amount=rule.amount, window=rule.window, **common)
    ensure: Ensure = rule  # type: ignore[assignment] # there is no other
    return Quotas(amount=ensure.amount, window=ensure.window, **common)


def amount_of(amount: Amount, size: int) -> int:
    """Return how many an amount is, of so many slots: a share is rounded up.

    Examples
    --------
    >>> amount_of(2, 10), amount_of(Percent(20), 10), amount_of(Percent(21), 10)
    (2, 2, 3)
    >>> amount_of(Percent(7), 100), amount_of(Percent(16.1), 1000)
    (7, 161)
    """
    if not isinstance(amount, Percent):
        return amount
    share = amount.value * size / 100
    whole = round(share)  # 16.1 * 1000 / 100 is a hair more than 161
    return whole if whole and abs(share - whole) < 1e-9 * whole else math.ceil(share)


def question_of(one: Compiled) -> Question:
    """Return what is asked of the catalogue for a rule."""
    return Question(one.answer, frozenset() if one.condition is None else one.condition.reads)


def timed_question(one: Compiled, rule: Rule, tables: Tables) -> TimedBitmap | None:
    """Return where the answers to a question of items and the moment are kept; None for others."""
    condition = one.condition
    if condition is None or condition.of_request or condition.needs.request:
        return None
    where: Expression = rule.where  # type: ignore[attr-defined] # it has a condition
    crossings = crossings_of(where, tables.items, tables.timezone)
    return TimedBitmap(question_of(one), crossings, tables.items)


# -- whom a condition meets ----------------------------------------------------------------------


def _met(condition: Condition | None, unknown_counts: bool) -> Answer:
    if condition is None:
        return _anyone
    return _opposite(condition.false) if unknown_counts else condition.true


def _anyone(_rows: Any, _asked: Asked) -> bool:
    return True


def _opposite(answer: Answer) -> Answer:
    def turned(rows: Any, asked: Asked) -> Any:
        found = answer(rows, asked)
        # A condition's mask is new, and ours.
        return np.logical_not(found, out=found) if isinstance(found, np.ndarray) else not found

    return turned


def _filter(rule: Require | Exclude, common: dict[str, Any], unknown_counts: bool) -> Filter:
    """What may be shown: for REQUIRE the true, or all but the false; for EXCLUDE the reverse."""
    condition: Condition = common["condition"]
    if isinstance(rule, Require):
        lenient = rule.unknown == "skip" and rule.when is None
        common["answer"] = _met(condition, lenient)
        common["unknown"] = "skipped" if lenient else "applied"
        few, how = may_be_false(rule.where), "its condition is not met"
        return Filter(few=few, refuses=condition.false, how=how, **common)
    common["answer"] = condition.false if unknown_counts else _opposite(condition.true)
    few, how = may_be_true(rule.where), "its condition is met"
    return Filter(few=few, refuses=condition.true, how=how, **common)


def _may_be_forgotten(part: Expression) -> TypeGuard[Did]:
    return isinstance(part, Did) and (part.within is not None or part.times > 1)


# -- factors -------------------------------------------------------------------------------------


def _shift(rule: Boost | Bury, common: dict[str, Any], tables: Tables) -> Shift:
    sign = 1.0 if isinstance(rule, Boost) else -1.0
    if isinstance(rule.by, (Number, Percent)):
        factor = rule.by.value / (100 if isinstance(rule.by, Percent) else 1)
        return Shift(log=sign * log_of(factor), by=None, sign=sign, **common)
    by = compile_number(rule.by, tables)
    common["waits"] += (by,) if by.needs.given else ()
    return Shift(log=0.0, by=by, sign=sign, **common)


def log_of(factor: float) -> float:
    """Return the logarithm of a factor; 0, for a factor of 1, where there is none."""
    return math.log(factor) if 0 < factor < math.inf else 0.0


def logs_of(factors: Array) -> Array:
    """Return the logarithms of factors, 0 where there is none."""
    good = (factors > 0) & (factors < np.inf)
    logs: Array = np.log(factors, out=np.zeros(len(factors)), where=good)
    return logs


# -- when a rule is on ---------------------------------------------------------------------------


def _gate(rule: Rule, label: str, tables: Tables) -> Gate | None:
    fires = None if rule.when is None else _fires(rule.when, rule.unknown == "apply", label, tables)
    if rule.during is None:
        return fires
    schedule = Schedule.of(rule.during, tables.timezone)

    def on(asked: Asked, said: list[str]) -> bool:
        if asked.now is None:
            said.append(f"{label}: ctx.now is unknown, skipped")
        return schedule.on(asked.now) and (fires is None or fires(asked, said))

    return on


def _fires(expression: Expression, applies: bool, label: str, tables: Tables) -> Gate:
    when = compile_condition(expression, tables)

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
