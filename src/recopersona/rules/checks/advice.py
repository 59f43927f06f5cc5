"""What to write instead: the second half of every sentence about a rule that does not fit."""

from __future__ import annotations

import re

from recopersona.rules.constants import constant
from recopersona.rules.nodes import (
    CREATED,
    MIRRORED,
    UNITS,
    Arithmetic,
    Compare,
    Duration,
    Expression,
    Field,
    Flag,
    Has,
    Moment,
    Not,
    Number,
    Percent,
    Text,
)
from recopersona.rules.text.printing import printed

LITERALS = (Number, Percent, Text, Flag, Moment, Duration)

_A_KIND = {
    "number": "a number",
    "flag": "a flag",
    "time": "a time",
    "text": "text",
    "category": "a category",
    "set": "a set",
    "id": "an id",
    "duration": "a duration",
    "amount": "a number, a duration or a time",
    "any": "given with the request",
}


def described(node: Expression, kind: str) -> str:
    """Say what an expression is: ``item.stock is a number``."""
    is_read = isinstance(node, (Field, *LITERALS))
    return (
        f"{printed(node)} is {'a condition' if kind == 'flag' and not is_read else _A_KIND[kind]}"
    )


def as_condition(node: Expression, kind: str) -> str:
    """Say how a value becomes a condition: ``write item.stock > 0``."""
    if isinstance(node, LITERALS) and not isinstance(node, Flag):
        return "write a comparison, such as item.stock > 0"
    return f"write {printed(node)}{_AS_CONDITION[kind]}"


_AS_CONDITION = {
    "number": " > 0",
    "amount": " > 0",
    "time": " >= 2026-01-31",
    "duration": " <= 30d",
    "category": ' = "..."',
    "id": ' = "..."',
    "text": ' STARTS WITH "..."',
    "set": ' HAS ANY ("...")',
    "flag": "",
    "any": "",
}


# -- comparisons -------------------------------------------------------------------------------


def advice_on_comparison(node: Compare, left: str, right: str, one_of_several: bool) -> str:
    """Say what to write in place of a comparison of two kinds that do not go together.

    one_of_several  whether it stands for one value of a list or one end of BETWEEN: then only that
                    value is written anew
    """
    if isinstance(node.left, Compare) or isinstance(node.right, Compare):
        return "comparisons make no chain; write BETWEEN, or join two of them by AND"
    op, value, other = node.op, node.left, node.right
    if isinstance(value, LITERALS) and not isinstance(other, LITERALS):
        op, value, other, left, right = MIRRORED[op], other, value, right, left
    if "set" in (left, right):
        return _about_sets(op, value, other, left)
    if left == "flag":
        return _about_flags(op, value, other)
    literal = _rewritten(other, left)
    if literal is not None:
        return f"write {literal}"
    return _about_values(op, value, other, left, right, one_of_several)


def _about_sets(op: str, value: Expression, other: Expression, left: str) -> str:
    if left == "set":
        return f"write {printed(Has(value, 'none' if op == '!=' else 'any', (other,)))}"
    negated = "NOT IN" if op == "!=" else "IN"
    return f"write {printed(value)} {negated} {printed(other)}"


def _about_flags(op: str, value: Expression, other: Expression) -> str:
    yes, no = printed(value), printed(Not(value))
    if isinstance(other, Text):
        wanted: float | None = _SPELT_FLAGS.get(other.value.strip().lower())
    else:
        wanted = float(other.value) if isinstance(other, (Number, Flag)) else None
    truth = {(flag, _holds(op, flag, wanted)) for flag in (False, True) if wanted is not None}
    if truth == {(True, True), (False, False)}:
        return f"write {yes}"
    if truth == {(True, False), (False, True)}:
        return f"write {no}"
    return f"write {yes} or {no}"


_SPELT_FLAGS = {"true": 1.0, "yes": 1.0, "1": 1.0, "false": 0.0, "no": 0.0, "0": 0.0}


def _holds(op: str, flag: bool, wanted: float) -> bool:
    return constant(Compare(op, Number(flag), Number(wanted))) is True


def _rewritten(literal: Expression, wanted: str) -> str | None:
    """Write a value of the wrong kind as one of the right kind; None where there is no way."""
    spelt = literal.value.strip() if isinstance(literal, Text) else None
    if wanted == "number":
        if spelt is not None and _NUMBER.fullmatch(spelt):
            return spelt
        if isinstance(literal, Duration):
            return printed(Number(literal.amount))
    elif wanted == "duration":
        if isinstance(literal, Number):
            return f"{printed(literal)}d"
        if spelt is not None and _DURATION.fullmatch(spelt):
            return spelt
    elif wanted == "time":
        if spelt is not None:
            return spelt if _DATE.fullmatch(spelt) else "a date, such as 2026-01-31"
        if isinstance(literal, Number):
            year = literal.value
            is_year = 1900 <= year <= 2100 and year == int(year)
            return f"{int(year)}-01-01" if is_year else "a date, such as 2026-01-31"
    elif wanted == "text" and isinstance(literal, Number):
        return f'"{printed(literal)}"'
    return None


_NUMBER = re.compile(r"-?\d+(\.\d+)?")
_DURATION = re.compile(rf"\d+(\.\d+)?({'|'.join(UNITS)})")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2})?(Z|[+-]\d{2}:\d{2})?)?")


def _about_values(
    op: str, value: Expression, other: Expression, left: str, right: str, one_of_several: bool
) -> str:
    if left == "time" and right == "duration" and not one_of_several:
        return f"write {printed(Compare(op, _age_of(value), other))}"
    if left == "duration" and right == "time" and not one_of_several and _is_age(value):
        assert isinstance(value, Field)  # noqa: S101
        return f"write {printed(Compare(op, Field(value.of, CREATED), other))}"
    if left == "duration" and right == "number":
        return f"write {printed(Arithmetic('*', other, Duration(1, 'd')))}"
    if left in ("category", "text", "id") and op not in ("=", "!="):
        return f"{'text' if left == 'text' else 'a category'} has no order; write {_NAMED[left]}"
    if left in ("category", "id"):
        return f'write text, such as {printed(value)} = "..."'
    if left == "number" and isinstance(other, Text):
        return "write a number without quotes"
    return "compare like with like"


_NAMED = {
    "category": '= "...", IN ("...", "...") or STARTS WITH "..."',
    "text": '= "..." or STARTS WITH "..."',
    "id": '= "..." or IN ("...", "...")',
}


def _is_age(value: Expression) -> bool:
    return isinstance(value, Field) and value.name == "age" and value.of in ("item", "seed")


def _age_of(value: Expression) -> Expression:
    if isinstance(value, Field) and value.name == CREATED and value.of in ("item", "seed"):
        return Field(value.of, "age")
    return Arithmetic("-", Field("ctx", "now"), value)


# -- arithmetic --------------------------------------------------------------------------------


def advice_on_arithmetic(node: Arithmetic, left: str, right: str) -> str:
    """Say what can be reckoned with, or what to write for a number that lacks its unit."""
    if node.op in "+-":
        for number, kind, other in ((node.right, right, left), (node.left, left, right)):
            if kind == "number" and other in ("time", "duration") and isinstance(number, Number):
                return f"write {printed(number)}d"
    return _CAN_BE[node.op]


_CAN_BE = {
    "+": "numbers can be added, durations too, and a duration to a time",
    "-": "numbers can be subtracted, durations and times too, and a duration from a time",
    "*": "numbers can be multiplied, and a duration by a number",
    "/": "numbers can be divided, durations too, and a duration by a number",
}
