"""Rules that read well and do not do what was meant: what is told before a customer sees it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import pandas as pd

from recopersona.base.parameters import check, whole
from recopersona.data.times import moment_ms
from recopersona.rules.checks.checking import check_rules
from recopersona.rules.checks.schema import RuleSchema
from recopersona.rules.lint.doubtful_conditions import (
    conditions_that_decide_nothing,
    factors_without_effect,
    guards_with_holes,
    requirements_that_leave_nothing,
    rules_said_twice,
    schedules_out_of_time,
    unknown_items_kept,
)
from recopersona.rules.lint.doubtful_data import conditions_beside_the_data, quotas_of_few
from recopersona.rules.lint.doubtful_slots import (
    caps_without_effect,
    caps_without_groups,
    limits_against_quotas,
    pins_off_the_page,
    pins_on_one_slot,
    quotas_above_all,
    quotas_above_their_window,
)
from recopersona.rules.lint.findings import Finding, Inspected
from recopersona.rules.ruleset import RuleSet

Check: TypeAlias = Callable[[Inspected], Iterator[Finding]]

CHECKS: tuple[Check, ...] = (
    conditions_that_decide_nothing,
    schedules_out_of_time,
    conditions_beside_the_data,
    requirements_that_leave_nothing,
    guards_with_holes,
    unknown_items_kept,
    factors_without_effect,
    pins_off_the_page,
    pins_on_one_slot,
    caps_without_effect,
    caps_without_groups,
    quotas_above_their_window,
    quotas_of_few,
    quotas_above_all,
    limits_against_quotas,
    rules_said_twice,
)
"""All that is looked for, in the order in which it is told of one rule."""


def lint_rules(rules: RuleSet, schema: Any, n: int = 10, now: Any = None) -> pd.DataFrame:
    """Tell what in a set of rules is likely not what was meant.

    Parameters
    ----------
    rules : RuleSet
    schema : RuleSchema, or anything `RuleSchema.of` takes
        With a dataset or a pipeline also the values are compared with what the rules ask for; with
        kinds alone only what the rules say themselves.
    n : int
        How many slots a page has.
    now : moment, optional
        By which schedules are judged; by default the end of the data, never the clock.

    Returns
    -------
    DataFrame with a row per finding: ``rule, problem, advice``, and ``line`` where the rules were
    read from a text. No row means that nothing was found.

    Raises
    ------
    RuleError
        If the rules do not fit the shop at all; see `check_rules`.
    ParameterError
        If ``n`` is not an integer of at least 1.

    Examples
    --------
    >>> from recopersona.rules.nodes import Compare, Field, Number, Require, all_of
    >>> stock = Field("item", "stock")
    >>> empty = all_of(Compare(">", stock, Number(5)), Compare("<", stock, Number(5)))
    >>> rules = RuleSet((Require(name="some_left", where=empty),))
    >>> lint_rules(rules, RuleSchema(item={"stock": "number"})).problem[0]
    'item.stock > 5 AND item.stock < 5 is never true, so nothing is shown'
    """
    check(n, whole(at_least=1), "lint", "n")
    known = RuleSchema.of(schema)
    check_rules(rules, known)
    moment = known.end if now is None else moment_ms(now)
    inspected = Inspected(rules, known, n, moment)
    found = [finding for look in CHECKS for finding in look(inspected)]
    found.extend(_strict_ones(inspected, found))
    return _as_frame(inspected, sorted(found, key=lambda finding: finding.number))


def _strict_ones(inspected: Inspected, found: list[Finding]) -> Iterator[Finding]:
    """Tell of rules that say STRICT and cannot be met: every page would raise."""
    unmet = {finding.number for finding in found if finding.unmet}
    for number, rule in inspected:
        if rule.strict and number in unmet:
            yield Finding(
                number,
                "it is STRICT and cannot be met, so no page is made where it is on",
                "leave out STRICT, or ask for what can be met",
                rule.place,
            )


def _as_frame(inspected: Inspected, found: list[Finding]) -> pd.DataFrame:
    columns: dict[str, list[Any]] = {
        "rule": [inspected.label(finding.number) for finding in found],
        "problem": [finding.problem for finding in found],
        "advice": [finding.advice for finding in found],
    }
    frame = pd.DataFrame(columns, dtype=str)
    text = inspected.rules.text
    if text is not None:
        frame["line"] = [text.count("\n", 0, max(finding.place, 0)) + 1 for finding in found]
    return frame
