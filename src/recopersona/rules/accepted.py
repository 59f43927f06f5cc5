"""What every set of rules must be, in whatever form it came: small enough, and of one mind."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from recopersona.errors import RuleError, shown
from recopersona.rules.limits import MOST_BYTES, MOST_RULES, excess_of
from recopersona.rules.literals import check_timezone, ends_before
from recopersona.rules.nodes import Expression, Moment, Rule
from recopersona.rules.walking import parts_of

if TYPE_CHECKING:
    from recopersona.rules.ruleset import RuleSet


def check_set(rules: RuleSet) -> None:
    """Refuse what is no set, or too large a one."""
    if len(rules) > MOST_RULES:
        raise RuleError(f"a set has at most {MOST_RULES} rules, got {len(rules)}; make several.")
    if rules.timezone != "UTC":
        check_timezone(rules.timezone)
    _check_names(rules)
    for rule, label in zip(rules.rules, rules.labels, strict=True):
        for expression in expressions_of(rule):
            if problem := excess_of(expression):
                raise RuleError(f"{label}: {problem}", rules.text, rule.place)
        during = rule.during
        if during and during.start and during.end:
            _check_days(during.start, during.end, label, rules)
    if rules.text is None:
        check_size(rules)


def _check_names(rules: RuleSet) -> None:
    names: set[str] = set()
    for rule in rules:
        if rule.name in names:
            raise RuleError(f"two rules are called {shown(rule.name)}.", rules.text, rule.place)
        if rule.name is not None:
            names.add(rule.name)


def _check_days(start: Moment, end: Moment, label: str, rules: RuleSet) -> None:
    if ends_before(end, start, rules.timezone):
        raise RuleError(
            f"{label}: {end.value} is before {start.value}; give the earlier one first.",
            rules.text,
            start.place,
        )


def check_size(rules: RuleSet) -> None:
    """What came from no text has to fit one, or it could not be kept."""
    from recopersona.rules.printing import print_rules

    size = len(print_rules(rules).encode())
    if size > MOST_BYTES:
        raise RuleError(f"a set is at most {MOST_BYTES:,} bytes of text, got {size:,}.")


def expressions_of(rule: Rule) -> list[Expression]:
    """Return the expressions of a rule: its condition, factor, key and ``WHEN``."""
    found = (getattr(rule, name, None) for name in ("where", "by", "per", "when"))
    return [expression for expression in found if expression is not None]


def rule_parts(rule: Rule) -> Iterator[Expression]:
    """Yield all expressions of a rule and everything in them."""
    for expression in expressions_of(rule):
        yield from parts_of(expression)
