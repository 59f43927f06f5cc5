"""Strategies: rules that hold for some people only, meaning the same for these as before.

A rule gets ``WHEN user.segment = "vip"``, and two things must not change by that. Where a rule has
a ``WHEN``, ``IF UNKNOWN`` speaks of it alone; so a rule that had none gets its ``IF UNKNOWN``
written out into its condition. And where it does have one and says ``APPLY``, people whose segment
is unknown would be caught as well; so it asks first whether the segment is known.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from recopersona.errors import RuleError
from recopersona.rules.forms.building import compare, field, is_in
from recopersona.rules.forms.plain_values import listed
from recopersona.rules.forms.python import bare
from recopersona.rules.nodes import (
    Expression,
    Field,
    IsUnknown,
    Limit,
    Not,
    Require,
    Rule,
    all_of,
    any_of,
)


def rules_for(values: Any, rules: tuple[Rule, ...], by: Any, name: str | None) -> tuple[Rule, ...]:
    """Return rules that hold where ``by`` has one of some values, and nowhere else."""
    key, wanted = _key(by), _wanted(values)
    belongs: Expression = compare("=", key, wanted[0]) if len(wanted) == 1 else is_in(key, wanted)
    prefix = name or _prefix(key, wanted)
    return tuple(
        replace(held, name=f"{prefix}_{label}")
        for number, rule in enumerate(rules, start=1)
        for held, label in _held_back(rule, rule.name or str(number), key, belongs)
    )


def _key(by: Any) -> Field:
    by = bare(by)
    key = by if isinstance(by, Field) else field("user", by)
    if key.of == "item":
        raise RuleError("a strategy is for people, not for items; name a column of the users.")
    return key


def _wanted(values: Any) -> list[Any]:
    if isinstance(values, Iterable) and not isinstance(values, (str, bytes, dict)):
        return listed(values)
    return [values]


def _prefix(key: Field, wanted: list[Any]) -> str:
    """``vip``; ``vip_gold``; what cannot begin a name follows the name of the column."""
    words = "_".join(re.sub(r"[^A-Za-z0-9_]", "_", str(value)) for value in wanted)
    return (
        words
        if re.match("[A-Za-z_]", words)
        else f"{re.sub('[^A-Za-z0-9_]', '_', key.name)}_{words}"
    )


def _held_back(
    rule: Rule, label: str, key: Field, belongs: Expression
) -> Iterator[tuple[Rule, str]]:
    """Yield what a rule becomes: one rule, or two where one cannot say it."""
    if rule.when is not None:
        known = (Not(IsUnknown(key)),) if rule.unknown == "apply" else ()
        yield replace(rule, when=all_of(*known, belongs, rule.when)), label
        return
    plain = replace(rule, when=belongs, unknown=None)
    if isinstance(plain, Limit) and plain.per is not None and rule.unknown == "apply":
        yield from _limits(plain, plain.per, label)
    elif _counts_as_met(rule):
        yield replace(plain, where=_or_unknown(rule.where)), label  # type: ignore[attr-defined,call-arg]
    else:
        yield plain, label


def _counts_as_met(rule: Rule) -> bool:
    """Whether a rule asks for the opposite of what it does by itself where it cannot tell."""
    if getattr(rule, "where", None) is None:
        return False
    return rule.unknown == ("skip" if isinstance(rule, Require) else "apply")


def _or_unknown(condition: Expression) -> Expression:
    return any_of(condition, IsUnknown(condition))


def _limits(rule: Limit, per: Field, label: str) -> Iterator[tuple[Rule, str]]:
    """``LIMIT 2 PER item.brand IF UNKNOWN APPLY``: the unknown are one more group.

    Without ``IF UNKNOWN`` they are not counted, so a rule of their own counts them.
    """
    where = None if rule.where is None else _or_unknown(rule.where)
    unknown: Expression = IsUnknown(per)
    yield replace(rule, where=where), label
    yield (
        replace(rule, per=None, where=unknown if where is None else all_of(where, unknown)),
        f"{label}_unknown",
    )
