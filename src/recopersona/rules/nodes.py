"""What a rule is made of: frozen nodes that text, JSON and Python all turn into.

A node says what was written, not what it means: dates stay as they were spelt, durations keep their
unit. So two rules are the same exactly when they read the same, and printing one loses nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, Self, TypeAlias

from recopersona.base.worded import Worded
from recopersona.errors import RuleError

NOWHERE = -1
"""The place of a node that came from no text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """Any part of a rule.

    place : int
        Where it starts in the text it was read from, in characters; no part of what it says.
    """

    place: int = field(default=NOWHERE, compare=False, repr=False)


# -- values ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Number(Node):
    """A finite number: ``3``, ``-0.5``."""

    value: float


@dataclass(frozen=True, slots=True)
class Percent(Node):
    """A share in hundredths: ``20%`` is the number 0.2."""

    value: float


@dataclass(frozen=True, slots=True)
class Text(Node):
    """Text between quotes: ``"tea"``."""

    value: str


@dataclass(frozen=True, slots=True)
class Flag(Node):
    """``TRUE`` or ``FALSE``."""

    value: bool


@dataclass(frozen=True, slots=True)
class Moment(Node):
    """A day or a moment as it was written: ``2026-07-01``, ``2026-07-01T18:00``.

    Without a zone of its own it is read in that of the rule set; a day alone starts at midnight.
    """

    value: str


@dataclass(frozen=True, slots=True)
class Duration(Node):
    """A length of time: ``90d``; units are ``s m h d w mo y``."""

    amount: float
    unit: str


@dataclass(frozen=True, slots=True)
class Field(Node):
    """What is known of the ``item``, the ``user``, the request (``ctx``) or the ``seed`` item."""

    of: str
    name: str


@dataclass(frozen=True, slots=True)
class Param(Node):
    """``$name``: given with the request, or by `RuleSet.with_params`."""

    name: str


@dataclass(frozen=True, slots=True)
class Arithmetic(Node):
    """``left op right`` with one of ``+ - * /``."""

    op: str
    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True)
class Negative(Node):
    """Minus something that is no number yet."""

    value: Expression


@dataclass(frozen=True, slots=True)
class Call(Node):
    """A function of numbers: ``ramp decay min max abs log1p``."""

    name: str
    args: tuple[Expression, ...]


# -- conditions --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Compare(Node):
    """``left op right`` with one of ``= != < <= > >=``."""

    op: str
    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True)
class In(Node):
    """``value IN (a, b)``, ``value IN $allowed``, ``value IN user.favourites``."""

    value: Expression
    members: Members


@dataclass(frozen=True, slots=True)
class Between(Node):
    """``value BETWEEN low AND high``, both ends included."""

    value: Expression
    low: Expression
    high: Expression


@dataclass(frozen=True, slots=True)
class Has(Node):
    """``value HAS ANY (a, b)``: a set holds any, all or none of some values."""

    value: Expression
    how: str
    members: Members


@dataclass(frozen=True, slots=True)
class StartsWith(Node):
    """``value STARTS WITH "text"``, case and all."""

    value: Expression
    start: str


@dataclass(frozen=True, slots=True)
class IsUnknown(Node):
    """``value IS UNKNOWN``: never unknown itself."""

    value: Expression


@dataclass(frozen=True, slots=True)
class Did(Node):
    """``DID purchase AT LEAST 2 TIMES WITHIN 90d``: this user, with this item."""

    event: str
    times: int = 1
    within: Duration | None = None


@dataclass(frozen=True, slots=True)
class And(Node):
    """All of at least two conditions, none of which is itself an ``And``."""

    args: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Or(Node):
    """Any of at least two conditions, none of which is itself an ``Or``."""

    args: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Not(Node):
    """The opposite; unknown stays unknown."""

    value: Expression


Expression: TypeAlias = (
    Number | Percent | Text | Flag | Moment | Duration | Field | Param | Arithmetic | Negative
    | Call | Compare | In | Between | Has | StartsWith | IsUnknown | Did | And | Or | Not
)  # fmt: skip
Members: TypeAlias = "tuple[Expression, ...] | Param | Field"
"""What ``IN`` and ``HAS`` look in: values, or the name of a list."""


def negative(value: Expression, place: int = NOWHERE) -> Expression:
    """Return minus a value; minus a number is a number."""
    if isinstance(value, (Number, Percent)):
        return type(value)(-value.value, place=place)
    return Negative(value, place=place)


def all_of(*conditions: Expression) -> Expression:
    """Join conditions by AND; one alone stays as it is."""
    return _joined(And, conditions)


def any_of(*conditions: Expression) -> Expression:
    """Join conditions by OR; one alone stays as it is."""
    return _joined(Or, conditions)


def _joined(kind: type[And] | type[Or], conditions: tuple[Expression, ...]) -> Expression:
    parts: list[Expression] = []
    for condition in conditions:
        parts.extend(condition.args if isinstance(condition, kind) else (condition,))
    return parts[0] if len(parts) == 1 else kind(tuple(parts), place=parts[0].place)


# -- rules -------------------------------------------------------------------------------------

Unknown: TypeAlias = Literal["apply", "skip"]
Amount: TypeAlias = int | Percent
"""So many items, or a share of the window, rounded up."""


@dataclass(frozen=True, slots=True)
class During(Node):
    """From a moment to another; a last day is included, and either end may be open, not both."""

    start: Moment | None
    end: Moment | None


@dataclass(frozen=True, slots=True)
class Window(Node):
    """Where amounts are counted: in the first ``size`` slots, or in any ``size`` in a row."""

    kind: Literal["top", "any"]
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule(Node, Worded):
    """What all rules have in common.

    name : a word by which reports speak of the rule, or None
    when : decided once per request, from user, context, seed item and parameters
    unknown : what to do where ``when`` (or, without one, the condition) is unknown
    """

    name: str | None = None
    when: Expression | None = None
    during: During | None = None
    unknown: Unknown | None = None
    priority: int = 0
    strict: bool = False

    def _in_words(self) -> str:
        from recopersona.rules.text.printing import print_rule

        return print_rule(self)

    @classmethod
    def _of_words(cls, text: str) -> Self:
        from recopersona.rules.text.parsing import parse_rules

        rules = parse_rules(text).rules
        if len(rules) != 1 or not isinstance(rules[0], cls):
            raise RuleError(f"expected one {cls.__name__.upper()}, got {len(rules)} rules.", text)
        return rules[0]


@dataclass(frozen=True, slots=True)
class Require(Rule):
    """Show only what meets a condition."""

    where: Expression


@dataclass(frozen=True, slots=True)
class Exclude(Rule):
    """Show nothing that meets a condition."""

    where: Expression


@dataclass(frozen=True, slots=True)
class Boost(Rule):
    """Multiply the odds of what meets a condition; without one, of everything."""

    where: Expression | None
    by: Expression


@dataclass(frozen=True, slots=True)
class Bury(Rule):
    """Divide the odds of what meets a condition; without one, of everything."""

    where: Expression | None
    by: Expression


@dataclass(frozen=True, slots=True)
class Pin(Rule):
    """Put what meets a condition into some slots, counted from 1, best first."""

    where: Expression
    slots: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Limit(Rule):
    """Show at most so many, of each value of a field or of what meets a condition, or both."""

    amount: Amount
    per: Field | None = None
    window: Window | None = None
    where: Expression | None = None


@dataclass(frozen=True, slots=True)
class Ensure(Rule):
    """Show at least so many of what meets a condition."""

    amount: Amount
    where: Expression
    window: Window | None = None


ACTIONS: dict[str, type[Rule]] = {
    kind.__name__.lower(): kind for kind in (Require, Exclude, Boost, Bury, Pin, Limit, Ensure)
}
"""Every kind of rule by its keyword in lower case."""

NAMESPACES = ("item", "user", "ctx", "seed")
CREATED = "created_at"
"""The column behind ``item.age``, which is the time since then."""

ORDERS = ("<", "<=", ">", ">=")
COMPARISONS = ("=", "!=", *ORDERS)
MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "=": "=", "!=": "!="}
"""The same comparison with its sides exchanged."""

UNITS = {
    "s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800, "mo": 30 * 86_400, "y": 365 * 86_400,
}  # fmt: skip
"""The seconds in each unit of a duration; a month is 30 days, a year 365."""

FUNCTIONS: dict[str, tuple[int, int]] = {
    "ramp": (3, 3),
    "decay": (2, 2),
    "min": (2, 8),
    "max": (2, 8),
    "abs": (1, 1),
    "log1p": (1, 1),
}
"""Functions, and how many arguments each takes, at least and at most."""
