"""Writes rules as text, so that reading it again gives the same rules."""

from __future__ import annotations

import re
from math import isfinite

from recopersona.errors import RuleError
from recopersona.rules.limits import MOST_BYTES, TOO_LONG, excess_of
from recopersona.rules.nodes import (
    Amount,
    And,
    Arithmetic,
    Between,
    Boost,
    Bury,
    Call,
    Compare,
    Did,
    Duration,
    During,
    Ensure,
    Exclude,
    Expression,
    Field,
    Flag,
    Has,
    In,
    IsUnknown,
    Limit,
    Members,
    Moment,
    Negative,
    Not,
    Number,
    Or,
    Param,
    Percent,
    Pin,
    Require,
    Rule,
    StartsWith,
    Text,
    Window,
)
from recopersona.rules.parts import expressions_of
from recopersona.rules.ruleset import UTC, RuleSet
from recopersona.rules.text.expressions import AND, NOT, OR, STRENGTH, SUM, TEST, VALUE

_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_EXACT = 2.0**53  # up to here every whole float is written without a point


def print_rules(rules: RuleSet) -> str:
    """Write a set of rules as text, one on each line; `parse_rules` reads the same rules from it.

    We write blanks between signs, so a long text without any may come out too long to be read;
    `RuleSet.to_text` then returns it as it came.

    Raises
    ------
    RuleError
        If the text would be too long, or a number is not finite.

    Examples
    --------
    >>> from recopersona.rules.text.parsing import parse_rules
    >>> print(print_rules(parse_rules("require item.stock>0 exclude did view within 2h")))
    REQUIRE item.stock > 0
    EXCLUDE DID view WITHIN 2h
    """
    lines = [_rule(rule) for rule in rules.rules]
    if rules.timezone != UTC:
        lines.insert(0, f"TIMEZONE {_quoted(rules.timezone)}")
    text = "\n".join(lines)
    if len(text.encode()) > MOST_BYTES:
        raise RuleError(TOO_LONG)
    return text


def print_rule(rule: Rule) -> str:
    """Write one rule on one line.

    Raises
    ------
    RuleError
        If it is nested too deep to be read again, or has a number that is not finite.

    Examples
    --------
    >>> from recopersona.rules.nodes import Field
    >>> print_rule(Limit(2, per=Field("item", "brand"), window=Window("top", 10), name="cap"))
    'RULE cap: LIMIT 2 PER item.brand IN TOP 10'
    """
    _refuse_excess(*expressions_of(rule))
    return _rule(rule)


def _rule(rule: Rule) -> str:
    parts = [] if rule.name is None else [f"RULE {_named(rule.name)}:"]
    parts.append(_action(rule))
    if rule.when is not None:
        parts.append(f"WHEN {_written(rule.when, OR)}")
    if rule.during is not None:
        parts.append(f"DURING {_days(rule.during)}")
    if rule.unknown is not None:
        parts.append(f"IF UNKNOWN {rule.unknown.upper()}")
    if rule.priority:
        parts.append(f"PRIORITY {rule.priority}")
    if rule.strict:
        parts.append("STRICT")
    return " ".join(parts)


def print_expression(expression: Expression) -> str:
    """Write a condition or number, with no more brackets than needed.

    Raises
    ------
    RuleError
        If it is nested too deep to be read again, or has a number that is not finite.

    Examples
    --------
    >>> from recopersona.rules.text.parsing import parse_expression
    >>> print_expression(parse_expression("not ((item.a) in (1,2)) or (item.b + 1) * 2 > 3"))
    'item.a NOT IN (1, 2) OR (item.b + 1) * 2 > 3'
    """
    _refuse_excess(expression)
    return _written(expression, OR)


def printed(node: Expression) -> str:
    """Write an expression as it would stand in a rule, cut where it is long."""
    written = print_expression(node)
    return written if len(written) <= _MOST_PRINTED else f"{written[:_MOST_PRINTED]}..."


_MOST_PRINTED = 80


def _refuse_excess(*expressions: Expression) -> None:
    problem = excess_of(*expressions)
    if problem is not None:
        raise RuleError(problem)


# -- rules -------------------------------------------------------------------------------------


def _action(rule: Rule) -> str:
    kind = type(rule).__name__.upper()
    match rule:
        case Require() | Exclude():
            return f"{kind} {_written(rule.where, OR)}"
        case Boost() | Bury():
            where = "" if rule.where is None else f"{_written(rule.where, OR)} "
            return f"{kind} {where}BY {_written(rule.by, SUM)}"
        case Pin():
            return f"{kind} {_written(rule.where, OR)} AT {', '.join(map(str, rule.slots))}"
        case Limit():
            per = "" if rule.per is None else f" PER {_field(rule.per)}"
            where = "" if rule.where is None else f" WHERE {_written(rule.where, OR)}"
            return f"{kind} {_amount(rule.amount)}{per}{_window(rule.window)}{where}"
        case Ensure():
            where = f" WHERE {_written(rule.where, OR)}"
            return f"{kind} {_amount(rule.amount)}{_window(rule.window)}{where}"
    raise RuleError(f"expected a rule, got a {type(rule).__name__}.")


def _amount(amount: Amount) -> str:
    return f"{_number(amount.value)}%" if isinstance(amount, Percent) else str(amount)


def _window(window: Window | None) -> str:
    if window is None:
        return ""
    return (
        f" IN TOP {window.size}" if window.kind == "top" else f" IN ANY {window.size} CONSECUTIVE"
    )


def _days(during: During) -> str:
    start = "" if during.start is None else during.start.value
    end = "" if during.end is None else during.end.value
    return f"{start}..{end}"


# -- expressions -------------------------------------------------------------------------------


def _written(expression: Expression, lowest: int) -> str:
    """Write an expression, in brackets where it binds less strongly than its place asks."""
    text, strength = _bare(expression)
    return f"({text})" if strength < lowest else text


def _bare(expression: Expression) -> tuple[str, int]:
    """Return an expression without brackets around it, and how strongly it binds."""
    match expression:
        case Or() | And():
            key, strength = ("OR", OR) if isinstance(expression, Or) else ("AND", AND)
            parts = (_written(part, strength + 1) for part in expression.args)
            return f" {key} ".join(parts), strength
        case Not():
            return _opposite(expression.value)
        case Compare():
            left, right = _written(expression.left, SUM), _written(expression.right, SUM)
            return f"{left} {expression.op} {right}", TEST
        case Arithmetic():
            strength = STRENGTH[expression.op]
            left = _written(expression.left, strength)
            return f"{left} {expression.op} {_written(expression.right, strength + 1)}", strength
        case Negative():
            return f"-{_written(expression.value, VALUE)}", VALUE
        case In() | Between() | IsUnknown():
            return _test(expression), TEST
        case Has():
            how = expression.how.upper()
            return (
                f"{_written(expression.value, SUM)} HAS {how} {_members(expression.members)}",
                TEST,
            )
        case StartsWith():
            return (
                f"{_written(expression.value, SUM)} STARTS WITH {_quoted(expression.start)}",
                TEST,
            )
        case Call():
            args = ", ".join(_written(arg, SUM) for arg in expression.args)
            return f"{expression.name}({args})", VALUE
    return _leaf(expression), VALUE


def _opposite(value: Expression) -> tuple[str, int]:
    if isinstance(value, (In, Between, IsUnknown)):
        return _test(value, "NOT "), TEST
    return f"NOT {_written(value, NOT)}", NOT


def _test(test: In | Between | IsUnknown, negation: str = "") -> str:
    value = _written(test.value, SUM)
    if isinstance(test, In):
        return f"{value} {negation}IN {_members(test.members)}"
    if isinstance(test, Between):
        low, high = _written(test.low, SUM), _written(test.high, SUM)
        return f"{value} {negation}BETWEEN {low} AND {high}"
    return f"{value} IS {negation}UNKNOWN"


def _members(members: Members) -> str:
    if isinstance(members, tuple):
        return f"({', '.join(_written(member, SUM) for member in members)})"
    return _leaf(members)


def _leaf(leaf: Expression) -> str:
    match leaf:
        case Field():
            return _field(leaf)
        case Number():
            return _number(leaf.value)
        case Percent():
            return f"{_number(leaf.value)}%"
        case Duration():
            return f"{_number(leaf.amount)}{leaf.unit}"
        case Text():
            return _quoted(leaf.value)
        case Flag():
            return "TRUE" if leaf.value else "FALSE"
        case Moment():
            return leaf.value
        case Param():
            return f"${_named(leaf.name)}"
        case Did():
            times = "" if leaf.times == 1 else f" AT LEAST {leaf.times} TIMES"
            within = "" if leaf.within is None else f" WITHIN {_leaf(leaf.within)}"
            return f"DID {leaf.event}{times}{within}"
    raise RuleError(f"expected an expression, got a {type(leaf).__name__}.")


def _field(field: Field) -> str:
    return f"{field.of}.{_named(field.name)}"


# -- words and numbers -------------------------------------------------------------------------


def _named(name: str) -> str:
    return name if _PLAIN_NAME.fullmatch(name) else _quoted(name)


def _number(value: float) -> str:
    """Write a number so that it comes back exactly, whatever kind of number it is."""
    if isinstance(value, int):
        return str(int(value))
    number = float(value)
    if not isfinite(number):
        raise RuleError(f"a number in a rule is finite, got {number}.")
    whole = number.is_integer() and abs(number) < _EXACT and str(number) != "-0.0"
    return str(int(number)) if whole else repr(number)


def _quoted(text: str) -> str:
    if text.isprintable() and '"' not in text and "\\" not in text:
        return f'"{text}"'
    return f'"{"".join(map(_escaped, text))}"'


def _escaped(character: str) -> str:
    """Return a character as it stands between quotes; one that cannot be seen as a number."""
    if character in '"\\':
        return f"\\{character}"
    if character == "\n":
        return "\\n"
    if character.isprintable():
        return character
    halves = character.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{halves[at : at + 4]}" for at in range(0, len(halves), 4))
