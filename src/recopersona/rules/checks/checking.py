"""Whether rules fit a shop: every field is there, and every value is of a kind that makes sense.

Nothing is turned into something else on the way: a flag is no number, text is no number, a number
of days is no duration. What the request brings (``ctx``, ``$params``) has no kind of its own and
takes that of what it stands beside.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from numbers import Real
from typing import Any, NoReturn

from recopersona.data.event import EVENT_CODES
from recopersona.errors import RuleError, hint, shown
from recopersona.rules.checks.advice import (
    LITERALS,
    advice_on_arithmetic,
    advice_on_comparison,
    as_condition,
    described,
)
from recopersona.rules.checks.kinds_together import (
    AMOUNT,
    LISTED,
    NO_GROUPS,
    RESULTS,
    TAKES,
    can_be_equal,
    can_be_ordered,
)
from recopersona.rules.checks.schema import RuleSchema
from recopersona.rules.checks.unknown_fields import unknown_field
from recopersona.rules.conditions.kinds import ANY
from recopersona.rules.nodes import (
    And,
    Arithmetic,
    Between,
    Boost,
    Bury,
    Call,
    Compare,
    Did,
    Duration,
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
    Node,
    Not,
    Number,
    Or,
    Param,
    Percent,
    Rule,
    StartsWith,
    Text,
)
from recopersona.rules.ruleset import RuleSet
from recopersona.rules.text.early import too_early
from recopersona.rules.text.printing import printed


def check_rules(rules: RuleSet, schema: Any) -> None:
    """Check that rules fit a shop.

    Parameters
    ----------
    rules : RuleSet
    schema : RuleSchema, or anything `RuleSchema.of` takes
        Its columns' values are not looked at.

    Raises
    ------
    RuleError
        At the first field that is not there, and the first value of a wrong kind; it says what to
        write instead.

    Examples
    --------
    >>> from recopersona.rules.nodes import Require
    >>> schema = RuleSchema(item={"stock": "number"})
    >>> in_stock = Require(name="in_stock", where=Compare(">", Field("item", "stok"), Number(0)))
    >>> check_rules(RuleSet((in_stock,)), schema)
    Traceback (most recent call last):
    ...
    recopersona.errors.RuleError: in_stock: unknown field item.stok; did you mean item.stock?
    """
    checker = _Checker(RuleSchema.of(schema))
    for number, rule in enumerate(rules.rules):
        try:
            checker.check(rule)
        except _Misfit as misfit:
            place = max(misfit.node.place, rule.place)  # a part begins no earlier than its rule
            if rules.text is not None and place >= 0:
                raise RuleError(misfit.problem, rules.text, place) from None
            where = "" if misfit.shown is None else f", {printed(misfit.shown)}"
            raise RuleError(f"{rules.labels[number]}{where}: {misfit.problem}") from None


def kind_of(expression: Expression, schema: RuleSchema) -> str:
    """Return the kind of an expression: that of a column, ``flag`` for conditions, or `ANY`."""
    return _Checker(schema).kind(expression)


class _Misfit(Exception):  # noqa: N818  (never seen outside)
    """What is wrong, at which node, and what to show of the rule where there is no text."""

    def __init__(self, problem: str, node: Node, shown: Expression | None = None) -> None:
        super().__init__(problem)
        self.problem, self.node, self.shown = problem, node, shown


class _Checker:
    """Walks rules once; every method returns the kind of what it was given."""

    def __init__(self, schema: RuleSchema) -> None:
        self.schema = schema
        self.rule_of_when: Rule | None = None

    # -- rules ---------------------------------------------------------------------------------

    def check(self, rule: Rule) -> None:
        where = getattr(rule, "where", None)
        if where is not None:
            self.condition(where)
        if isinstance(rule, (Boost, Bury)):
            self.factor(rule)
        elif isinstance(rule, Limit) and rule.per is not None:
            self.groups(rule.per)
        if rule.during is not None:
            for end in (rule.during.start, rule.during.end):
                if end is not None:
                    self.moment(end)
        if rule.when is not None:
            self.rule_of_when = rule
            try:
                self.condition(rule.when)
            finally:
                self.rule_of_when = None

    def condition(self, node: Expression) -> None:
        kind = self.kind(node)
        if kind not in (ANY, "flag"):
            raise _Misfit(
                f"{described(node, kind)}, not a condition; {as_condition(node, kind)}", node
            )

    def factor(self, rule: Boost | Bury) -> None:
        kind = self.kind(rule.by)
        if kind not in (ANY, AMOUNT, "number"):
            raise _Misfit(
                f"{type(rule).__name__.upper()} ... BY needs a number, but "
                f"{described(rule.by, kind)}; write a factor such as 1.3",
                rule.by,
            )

    def groups(self, per: Field) -> None:
        kind = self.kind(per)
        if per.of != "item":
            raise _Misfit(
                f"LIMIT ... PER counts items by a field of theirs, and {printed(per)} is the same "
                "for all; write a field of the item, such as item.brand",
                per,
            )
        reason = NO_GROUPS.get(kind)
        if reason is not None:
            groups = [n for n, k in self.schema.item.items() if k in ("category", "flag")]
            instead = f"item.{groups[0]}" if groups else "a category"
            raise _Misfit(f"{described(per, kind)}, and {reason}; LIMIT ... PER {instead}", per)

    # -- expressions ---------------------------------------------------------------------------

    def kind(self, node: Expression) -> str:
        return _KIND_OF[type(node)](self, node)

    def field(self, node: Field) -> str:
        if self.rule_of_when is not None and node.of == "item":
            self._refuse_in_when(node)
        kind = self.schema.kind(node.of, node.name)
        if kind is not None:
            return kind
        if node.of == "ctx":
            return ANY
        raise _Misfit(unknown_field(node, self.schema), node)

    def did(self, node: Did) -> str:
        if self.rule_of_when is not None:
            self._refuse_in_when(node)
        if node.event not in EVENT_CODES:
            known = hint(node.event, EVENT_CODES, "kinds are")
            raise _Misfit(f"unknown kind of event {node.event!r}{known}", node)
        return "flag"

    def moment(self, node: Moment) -> str:
        try:
            datetime.fromisoformat(node.value)
        except ValueError:
            raise _Misfit(f"there is no date {node.value}", node) from None
        return "time"

    def arithmetic(self, node: Arithmetic) -> str:
        left, right = self.kind(node.left), self.kind(node.right)
        result = RESULTS.get((node.op, left, right))
        if result is None:
            _clash(node, left, right, advice_on_arithmetic(node, left, right), node)
        return result

    def negative(self, node: Negative) -> str:
        kind = self.kind(node.value)
        if kind not in (ANY, AMOUNT, "number", "duration"):
            raise _Misfit(f"{described(node.value, kind)} and has no negative", node)
        return AMOUNT if kind == ANY else kind

    def call(self, node: Call) -> str:
        kinds = [self.kind(arg) for arg in node.args]
        wanted = TAKES[node.name]
        known: str | None = None
        for arg, kind in zip(node.args, kinds, strict=True):
            if kind in (ANY, AMOUNT):
                continue
            if kind not in wanted:
                raise _Misfit(
                    f"{node.name} takes {_plurals(wanted)}, but {described(arg, kind)}", arg
                )
            if known is not None and kind != known:
                first = node.args[kinds.index(known)]
                raise _Misfit(
                    f"{node.name} takes values of one kind, but {described(first, known)} and "
                    f"{described(arg, kind)}{_unit_for(arg, kind, known)}",
                    arg,
                )
            known = kind
        if node.name in ("min", "max", "abs"):
            return known or AMOUNT
        return "number"

    # -- tests ---------------------------------------------------------------------------------

    def compare(self, node: Compare) -> str:
        left, right = self.kind(node.left), self.kind(node.right)
        if node.op in ("=", "!="):
            if not can_be_equal(left, right):
                self._refuse(node, left, right, node)
            self._refuse_unlike(node.left, node.right)
            self._refuse_unlike(node.right, node.left)
        elif not can_be_ordered(left, right):
            self._refuse(node, left, right, node)
        return "flag"

    def between(self, node: Between) -> str:
        kind, low, high = self.kind(node.value), self.kind(node.low), self.kind(node.high)
        for op, bound, other in ((">=", node.low, low), ("<=", node.high, high)):
            if not can_be_ordered(kind, other):
                self._refuse(Compare(op, node.value, bound), kind, other, node)
        if not can_be_ordered(low, high):
            self._refuse(Compare("<=", node.low, node.high), low, high, node)
        return "flag"

    def is_in(self, node: In) -> str:
        kind = self.kind(node.value)
        if kind == "set":
            raise _Misfit(
                f"{described(node.value, kind)}; write {printed(node.value)} HAS ANY "
                f"{_list(node.members)}",
                node.value,
            )
        if not isinstance(node.members, tuple):
            self.list_of(node.members, kind, node)
            return "flag"
        value = node.value
        for member in node.members:
            other = self.kind(member)
            if other == "set":
                raise _Misfit(
                    f"{described(member, other)} already; write IN {printed(member)}, without "
                    "brackets",
                    member,
                )
            if not can_be_equal(kind, other):
                self._refuse(Compare("=", value, member), kind, other, node)
            self._refuse_unlike(node.value, member)
            if kind == ANY:  # what nobody knows yet takes the kind of the first that is known
                value, kind = member, other
        return "flag"

    def has(self, node: Has) -> str:
        kind = self.kind(node.value)
        if kind not in (ANY, "set"):
            how = "NOT IN" if node.how.upper() == "NONE" else "IN"
            raise _Misfit(
                f"HAS looks into a set, but {described(node.value, kind)}; write "
                f"{printed(node.value)} {how} {_list(node.members)}",
                node.value,
            )
        if not isinstance(node.members, tuple):
            self.list_of(node.members, ANY, node)
            return "flag"
        for member in node.members:
            other = self.kind(member)
            if other not in (ANY, AMOUNT, *LISTED):
                raise _Misfit(
                    f"a set holds text or numbers, but {described(member, other)}", member
                )
            self._refuse_unlike(node.value, member)
        return "flag"

    def list_of(self, members: Param | Field, kind: str, node: In | Has) -> None:
        """Check the name of a list."""
        other = self.kind(members)
        if other not in (ANY, "set"):
            as_one = Compare("=", node.value, members) if isinstance(node, In) else None
            instead = printed(as_one) if as_one else f"({printed(members)}), with brackets"
            raise _Misfit(f"{described(members, other)}, not a list; write {instead}", members)
        if kind == AMOUNT:
            raise _Misfit(
                f"{described(node.value, kind)}, and nobody knows which of them {printed(members)} "
                "holds; write the values in brackets",
                node.value,
            )
        if kind == "flag" or (other == "set" and kind not in (ANY, *LISTED)):
            raise _Misfit(
                f"{described(node.value, kind)}, and {printed(members)} holds text or numbers",
                node.value,
            )

    def starts_with(self, node: StartsWith) -> str:
        kind = self.kind(node.value)
        if kind not in (ANY, "category", "text", "id"):
            raise _Misfit(
                f"STARTS WITH looks at text, but {described(node.value, kind)}; "
                f"{as_condition(node.value, kind)}",
                node.value,
            )
        return "flag"

    def is_unknown(self, node: IsUnknown) -> str:
        self.kind(node.value)
        return "flag"

    def joined(self, node: And | Or) -> str:
        for part in node.args:
            self.condition(part)
        return "flag"

    def opposite(self, node: Not) -> str:
        self.condition(node.value)
        return "flag"

    # -- refusals ------------------------------------------------------------------------------

    def _refuse(self, node: Compare, left: str, right: str, whole: Expression) -> NoReturn:
        advice = advice_on_comparison(node, left, right, one_of_several=node is not whole)
        _clash(node, left, right, advice, whole)

    def _refuse_unlike(self, value: Expression, other: Expression) -> None:
        """Refuse a number where a column holds text, and text where it holds numbers."""
        if not (isinstance(value, Field) and isinstance(other, (Number, Text))):
            return
        held = self.schema.example(value.of, value.name, other.value)
        wanted_text = isinstance(other, Text)
        if not isinstance(held, Real if wanted_text else str):
            return
        what = "numbers" if wanted_text else "text"
        instead = shown(held) if wanted_text else printed(Text(printed(other)))
        raise _Misfit(
            f"{printed(value)} holds {what}, such as {shown(held)}, and "
            f"{printed(other)} is {'text' if wanted_text else 'a number'}; write "
            f"{'a number, such as ' if wanted_text else ''}{instead}",
            other,
        )

    def _refuse_in_when(self, node: Field | Did) -> NoReturn:
        rule = self.rule_of_when
        assert rule is not None  # noqa: S101
        raise _Misfit(too_early(rule, node), node)


def _clash(
    node: Compare | Arithmetic, left: str, right: str, advice: str, whole: Expression
) -> NoReturn:
    """Refuse two values that do not go together, in words of both; point at the written-out one."""
    sides = [(side, k) for side, k in ((node.left, left), (node.right, right)) if k != ANY]
    said = ", ".join(described(side, kind) for side, kind in sides)
    wrong = node.left if isinstance(node.left, LITERALS) else node.right
    raise _Misfit(f"{said}; {advice}", wrong, whole)


# -- tables ------------------------------------------------------------------------------------

_KIND_OF: dict[type, Callable[[_Checker, Any], str]] = {
    Number: lambda *_: "number",
    Percent: lambda *_: "number",
    Text: lambda *_: "text",
    Flag: lambda *_: "flag",
    Moment: _Checker.moment,
    Duration: lambda *_: "duration",
    Param: lambda *_: ANY,
    Field: _Checker.field,
    Arithmetic: _Checker.arithmetic,
    Negative: _Checker.negative,
    Call: _Checker.call,
    Compare: _Checker.compare,
    In: _Checker.is_in,
    Between: _Checker.between,
    Has: _Checker.has,
    StartsWith: _Checker.starts_with,
    IsUnknown: _Checker.is_unknown,
    Did: _Checker.did,
    And: _Checker.joined,
    Or: _Checker.joined,
    Not: _Checker.opposite,
}


def _plurals(kinds: tuple[str, ...]) -> str:
    return " or ".join(f"{kind}s" for kind in kinds)


def _unit_for(arg: Expression, kind: str, known: str) -> str:
    if known == "duration" and kind == "number":
        return f"; write {printed(arg)}d" if isinstance(arg, Number) else ""
    return ""


def _list(members: Members) -> str:
    if isinstance(members, tuple):
        return f"({', '.join(printed(member) for member in members)})"
    return printed(members)
