"""What a linter looks at, what it finds, and how both are put in words."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from recopersona.data.feature_table import FeatureTable
from recopersona.data.ids import IdMap
from recopersona.data.times import from_ms
from recopersona.data.types import Mask
from recopersona.rules.binding.compiled import amount_of
from recopersona.rules.calendar import Schedule
from recopersona.rules.checks.schema import Facts, RuleSchema
from recopersona.rules.conditions.asked import Asked, Tables
from recopersona.rules.conditions.compiling import compile_condition
from recopersona.rules.constants import Constant
from recopersona.rules.lint.ranges import FALSE, UNKNOWN, Reading, Values, between
from recopersona.rules.nodes import (
    CREATED,
    NOWHERE,
    Amount,
    Expression,
    Field,
    Node,
    Number,
    Rule,
    Text,
    Window,
)
from recopersona.rules.ruleset import RuleSet


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to think about in one rule.

    number  the rule's number in its set, from 1
    place   where in the text, in characters
    unmet   whether it means that what the rule asks of the slots cannot be met
    """

    number: int
    problem: str
    advice: str
    place: int = NOWHERE
    unmet: bool = False


@dataclass(frozen=True, eq=False)
class Inspected:
    """A set of rules in a shop, on pages of ``n`` slots.

    now : int or None
        In milliseconds UTC; None where nobody knows.
    """

    rules: RuleSet
    schema: RuleSchema
    n: int
    now: int | None
    _values: dict[Field, frozenset[Any] | None] = field(default_factory=dict, repr=False)

    def __iter__(self) -> Iterator[tuple[int, Rule]]:
        """Yield every rule with its number."""
        return iter(enumerate(self.rules.rules, 1))

    def label(self, number: int) -> str:
        """Return how reports call a rule."""
        return self.rules.labels[number - 1]

    @cached_property
    def logic(self) -> Reading:
        """Conditions as they are, whatever the data hold."""
        return Reading(self.rules.timezone)

    @cached_property
    def data(self) -> Reading:
        """Conditions over the items there are."""
        return Reading(self.rules.timezone, self._held)

    def facts(self, of: Field) -> Facts | None:
        """Return what a field holds, for a duration in terms of now."""
        if of.of not in ("item", "seed") or of.name != "age":
            return self.schema.facts(of.of, of.name)
        created = self.schema.facts(of.of, CREATED)
        if created is None or self.now is None:
            return None
        if created.low is None or created.high is None:
            return created
        return created._replace(low=self.now - created.high, high=self.now - created.low)

    def values_of(self, of: Field) -> frozenset[Any] | None:
        """Return the values that a category or a set has in the data, None where nobody knows."""
        if of not in self._values:
            facts = self.facts(of)
            known = None if facts is None else facts.values
            self._values[of] = None if known is None else frozenset(known)
        return self._values[of]

    def _held(self, subject: Any) -> Values | None:
        """Return the values that the items have of a subject, None where it is none of theirs."""
        if isinstance(subject, tuple) and isinstance(subject[0], Field):
            of, value = subject
            values = None if of.of == "user" else self.values_of(of)
            if isinstance(value, Node) or values is None or value in values:
                return None
            return Values(members=FALSE.members, unknown=True)
        if not isinstance(subject, Field) or subject.of == "user":
            return None
        facts = self.facts(subject)
        if facts is None or self.schema.kind(subject.of, subject.name) in ("set", "text"):
            return None
        if facts.values is not None:
            known = Values(members=self.values_of(subject))
        elif facts.low is not None and facts.high is not None:
            known = between(facts.low, facts.high)
        else:
            known = UNKNOWN
        return replace(known, unknown=facts.unknown > 0 or subject.of == "seed")

    # -- which items ---------------------------------------------------------------------------

    def count_of(self, condition: Expression) -> int | None:
        """Return how many items a condition is true of; None where that depends on who asks."""
        if not self.data.possible(condition):
            return 0
        mask = self.mask(condition)
        return None if mask is None else int(np.count_nonzero(mask))

    def mask(
        self, condition: Expression, wanted: bool = True, or_unknown: bool = False
    ) -> Mask | None:
        """Return which items make a condition ``wanted`` (or unknown), bool (n_items,)."""
        tables = self._tables
        if tables is None:
            return None
        compiled = compile_condition(condition, tables)
        if compiled.needs.request or (compiled.uses_now and self.now is None):
            return None
        # Not to be the opposite is to be what is wanted, or unknown.
        answer = compiled.true if wanted != or_unknown else compiled.false
        mask = np.broadcast_to(answer(slice(None), Asked(now=self.now)), len(tables.items))
        return ~mask if or_unknown else mask

    @cached_property
    def _tables(self) -> Tables | None:
        items, users = self.schema.table("item"), self.schema.table("user")
        if items is None:
            return None
        return Tables(items, FeatureTable(IdMap()) if users is None else users, self.rules.timezone)

    # -- when ----------------------------------------------------------------------------------

    def schedule(self, rule: Rule) -> Schedule | None:
        """Return when a rule is on, None for always."""
        return None if rule.during is None else Schedule.of(rule.during, self.rules.timezone)

    def overlap(self, one: Rule, other: Rule) -> bool:
        """Tell whether two rules are ever on at the same moment."""
        first, second = self.schedule(one), self.schedule(other)
        if first is None or second is None:
            return True
        start = max((s for s in (first.start, second.start) if s is not None), default=-math.inf)
        end = min((e for e in (first.end, second.end) if e is not None), default=math.inf)
        return start < end

    def together(self, one: Rule, other: Rule) -> bool:
        """Tell whether two rules surely meet in one request: no WHEN keeps them apart."""
        alike = one.when is None or other.when is None or one.when == other.when
        return alike and self.overlap(one, other)

    # -- how many ------------------------------------------------------------------------------

    def size(self, window: Window | None) -> int:
        """Return how many slots a window has on this page."""
        return self.n if window is None else min(window.size, self.n)

    def count(self, amount: Amount, window: Window | None) -> int:
        """Return how many items an amount is: a share of the window is rounded up."""
        return amount_of(amount, self.size(window))


def day(milliseconds: float) -> str:
    """Write a moment as a day.

    Examples
    --------
    >>> day(86_400_000)
    '1970-01-02'
    """
    return str(from_ms(np.array([int(milliseconds)]))[0].date())


def days(milliseconds: float) -> str:
    """Write a length of time.

    Examples
    --------
    >>> days(86_400_000 * 3), days(3_600_000)
    ('3d', '1h')
    """
    unit, size = next(
        ((u, s) for u, s in (("d", 86_400_000), ("h", 3_600_000)) if abs(milliseconds) >= s),
        ("m", 60_000),
    )
    return f"{milliseconds / size:.4g}{unit}"


def literal(value: Constant | Any) -> Expression:
    """Return the node of a value of a category."""
    if isinstance(value, (int, float)):
        return Number(float(value))
    return Text(str(value))
