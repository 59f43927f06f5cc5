"""What every set of rules must be, in whatever form it came: small enough, and of one mind."""

from __future__ import annotations

from typing import TYPE_CHECKING

from recopersona.errors import RuleError, shown
from recopersona.rules.calendar import ends_before
from recopersona.rules.limits import MOST_RULES, TOO_MANY_RULES, excess_of
from recopersona.rules.nodes import Moment
from recopersona.rules.parts import expressions_of
from recopersona.rules.text.literals import check_timezone

if TYPE_CHECKING:
    from recopersona.rules.ruleset import RuleSet


def check_set(rules: RuleSet) -> None:
    """Refuse what is no set, or too large a one."""
    if len(rules) > MOST_RULES:
        raise RuleError(TOO_MANY_RULES)
    if rules.timezone != "UTC":
        check_timezone(rules.timezone)
    _check_names(rules)
    _check_excess(rules)
    for rule, label in zip(rules.rules, rules.labels, strict=True):
        during = rule.during
        if during and during.start and during.end:
            _check_days(during.start, during.end, label, rules)
    if rules.text is None:
        check_written(rules)


def _check_excess(rules: RuleSet) -> None:
    problem = excess_of(*(part for rule in rules for part in expressions_of(rule)))
    if problem is None:
        return
    for rule, label in zip(rules.rules, rules.labels, strict=True):
        if found := excess_of(*expressions_of(rule)):
            raise RuleError(f"{label}: {found}", rules.text, rule.place)
    raise RuleError(problem)


def _check_names(rules: RuleSet) -> None:
    labels: set[str] = set()  # not only names: one may be "rule 2", as reports call the second
    for rule, label in zip(rules, rules.labels, strict=True):
        if label in labels:
            raise RuleError(f"two rules are called {shown(label)}.", rules.text, rule.place)
        labels.add(label)


def _check_days(start: Moment, end: Moment, label: str, rules: RuleSet) -> None:
    if ends_before(end, start, rules.timezone):
        raise RuleError(
            f"{label}: {end.value} is before {start.value}; give the earlier one first.",
            rules.text,
            start.place,
        )


def check_written(rules: RuleSet) -> None:
    """Refuse what fits no text: it could not be kept."""
    from recopersona.rules.text.printing import print_rules

    print_rules(rules)
