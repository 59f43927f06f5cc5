"""Reads rules from text."""

from __future__ import annotations

from typing import Any

from recopersona.errors import RuleError
from recopersona.rules.calendar import ends_before
from recopersona.rules.limits import MOST_RULES, TOO_MANY_RULES, excess_of
from recopersona.rules.nodes import (
    ACTIONS,
    Amount,
    During,
    Expression,
    Moment,
    Percent,
    Rule,
    Window,
)
from recopersona.rules.ruleset import UTC, RuleSet
from recopersona.rules.text.early import too_early
from recopersona.rules.text.expressions import OR, SUM, ExpressionReader
from recopersona.rules.text.literals import (
    check_timezone,
    is_moment,
    moment_from,
    number_from,
    text_from,
)
from recopersona.rules.text.mistakes import no_operator, no_rule, said


def parse_rules(text: str) -> RuleSet:
    r"""Read a set of rules from text.

    Rules follow one another, on lines of their own or with ``;`` between them. ``#`` starts a
    comment. Keywords may be written in any case; the names of fields, parameters and rules count
    as they are, and stand in quotes unless they are plain words (``item."product group"``)::

        rules     = [ "TIMEZONE" TEXT ] { rule { ";" } }
        rule      = [ "RULE" NAME ":" ] action { modifier }
        action    = ( "REQUIRE" | "EXCLUDE" ) condition
                  | ( "BOOST" | "BURY" ) [ condition ] "BY" sum
                  | "PIN" condition "AT" WHOLE { "," WHOLE }
                  | "LIMIT" amount [ "PER" field ] [ window ] [ "WHERE" condition ]
                  | "ENSURE" amount [ window ] "WHERE" condition
        amount    = WHOLE | PERCENT
        window    = "IN" ( "TOP" WHOLE | "ANY" WHOLE "CONSECUTIVE" )
        modifier  = "WHEN" condition
                  | "DURING" ( MOMENT ".." [ MOMENT ] | ".." MOMENT )
                  | "IF" "UNKNOWN" ( "APPLY" | "SKIP" )
                  | "PRIORITY" [ "-" ] WHOLE
                  | "STRICT"
        condition = both { "OR" both }
        both      = opposite { "AND" opposite }
        opposite  = "NOT" opposite | test
        test      = sum [ ( "=" | "!=" | "<" | "<=" | ">" | ">=" ) sum
                        | [ "NOT" ] "IN" list
                        | [ "NOT" ] "BETWEEN" sum "AND" sum
                        | "HAS" ( "ANY" | "ALL" | "NONE" ) list
                        | "STARTS" "WITH" TEXT
                        | "IS" [ "NOT" ] "UNKNOWN" ]
        sum       = product { ( "+" | "-" ) product }
        product   = signed { ( "*" | "/" ) signed }
        signed    = "-" signed | value
        value     = NUMBER | PERCENT | TEXT | MOMENT | DURATION | "TRUE" | "FALSE"
                  | field | PARAMETER | event | call | "(" condition ")"
        event     = "DID" NAME [ "AT" "LEAST" WHOLE "TIMES" ] [ "WITHIN" DURATION ]
        call      = ( "ramp" | "decay" | "min" | "max" | "abs" | "log1p" ) "(" sum { "," sum } ")"
        list      = "(" sum { "," sum } ")" | PARAMETER | field
        field     = ( "item" | "user" | "ctx" | "seed" ) "." NAME

        NUMBER    = 3 | 0.5 | 1e-07          PERCENT   = 20% (the number 0.2)
        TEXT      = "tea" | 'tea', with \" \' \\ \n \uXXXX for what cannot stand in it
        MOMENT    = 2026-07-01 | 2026-07-01T18:00 | ...T18:00:30.5 | ...T18:00Z | ...T18:00+02:00
        DURATION  = NUMBER directly before s, m, h, d, w, mo (30 days) or y (365 days)
        PARAMETER = $NAME

    ``WHEN`` reads no ``item.`` and no ``DID``: it is decided once per request. Days and moments
    without an offset are those of the time zone of the set, UTC unless another is named. What
    rules mean stands in the rule guide.

    Parameters
    ----------
    text : str
        At most 64 KiB, 256 rules and 4,000 operations; expressions nested at most 32 deep.

    Returns
    -------
    RuleSet
        With the text in it, so that later errors can point into it.

    Raises
    ------
    RuleError
        If the text cannot be read; the message points at the place and says what to write.

    Examples
    --------
    >>> rules = parse_rules("RULE in_stock: REQUIRE item.stock > 0; LIMIT 2 PER item.brand")
    >>> rules.rules[0].name, rules.rules[1].amount
    ('in_stock', 2)
    >>> parse_rules("REQUIRE item.stock == 0")
    Traceback (most recent call last):
    recopersona.errors.RuleError: line 1 col 20: '==' is no sign of the rule language; write =.
      REQUIRE item.stock == 0
                         ^
    """
    return _RuleReader(text).rule_set()


def parse_expression(text: str) -> Expression:
    """Read one condition or number from text, as it stands in a rule.

    Examples
    --------
    >>> parse_expression("item.stock > 0")
    Compare(op='>', left=Field(of='item', name='stock'), right=Number(value=0))
    """
    reader = ExpressionReader(text)
    found = reader.expression(OR)
    if reader.words[reader.at]:
        reader.fail(no_operator(reader.words, reader.at))
    if problem := excess_of(found):
        reader.fail(problem, 0)
    return found


class _RuleReader(ExpressionReader):
    """Reads rules one after another."""

    def __init__(self, text: object) -> None:
        super().__init__(text)
        self.timezone = UTC
        self.named: set[str] = set()

    def rule_set(self) -> RuleSet:
        """Read all there is."""
        self.between_rules()
        if self.skip("TIMEZONE"):
            self.timezone = self.zone()
            self.between_rules()
        rules: list[Rule] = []
        while self.words[self.at]:
            if len(rules) == MOST_RULES:
                self.fail(TOO_MANY_RULES)
            rules.append(self.rule(after_rule=bool(rules) and self.keys[self.at - 1][:1] != ";"))
            self.between_rules()
        return RuleSet(rules=tuple(rules), timezone=self.timezone, text=self.text)

    def between_rules(self) -> None:
        """Step over what separates rules; the tokens of it may hold several."""
        while self.words[self.at][:1] == ";":
            self.at += 1

    def zone(self) -> str:
        """Read the name of a time zone."""
        word, place = self.words[self.at], self.places[self.at]
        if word[:1] not in ('"', "'"):
            self.fail(f'expected a time zone in quotes, as "Europe/Berlin", got {said(word)}.')
        name = text_from(word, self.text, place)
        check_timezone(name, self.text, place)
        self.at += 1
        return name

    # -- one rule --------------------------------------------------------------------------

    def rule(self, after_rule: bool) -> Rule:
        """Read one rule with its name and modifiers."""
        place = self.places[self.at]
        name = self.rule_name() if self.skip("RULE") else None
        key = self.keys[self.at]
        reader = _ACTIONS.get(key)
        if reader is None:
            self.fail(no_rule(self.words, self.at, after_rule=after_rule and name is None))
        self.at += 1
        said_of_it = reader(self)
        while (modifier := _MODIFIERS.get(self.keys[self.at])) is not None:
            what, read = modifier
            if what in said_of_it:
                self.fail(f"{self.keys[self.at]} is said twice in this rule; write it once.")
            self.at += 1
            said_of_it[what] = read(self)
        found = ACTIONS[key.lower()](name=name, place=place, **said_of_it)
        if self.too_early is not None:
            raise RuleError(too_early(found, self.too_early), self.text, self.too_early.place)
        return found

    def rule_name(self) -> str:
        """Read ``name:``."""
        at, word = self.at, self.words[self.at]
        if not (word[:1].isalpha() or word[:1] in ("_", '"', "'")) or "." in word.partition('"')[0]:
            self.fail(f"expected a name after RULE, as RULE in_stock:, got {said(word)}.")
        name = self.name(word, at)
        if name in self.named:
            self.fail(f"the name {said(name)} is taken by an earlier rule; choose another.")
        self.named.add(name)
        self.at += 1
        self.expect(":", ": after the name of a rule")
        return name

    def require(self) -> dict[str, Any]:
        """Read what REQUIRE and EXCLUDE are about."""
        return {"where": self.expression(OR)}

    def boost(self) -> dict[str, Any]:
        """Read what BOOST and BURY are about."""
        where = None if self.keys[self.at] == "BY" else self.expression(OR)
        self.expect("BY", "BY and a factor")
        return {"where": where, "by": self.expression(SUM)}

    def pin(self) -> dict[str, Any]:
        """Read what is pinned, and the slots."""
        where = self.expression(OR)
        self.expect("AT", "AT and a slot")
        slots: dict[int, None] = {}
        while not slots or self.skip(","):
            slot = self.count("a slot, counted", least=1)
            if slot in slots:
                self.fail(f"slot {slot} is named twice; write it once.", self.at - 1)
            slots[slot] = None
        return {"where": where, "slots": tuple(slots)}

    def limit(self) -> dict[str, Any]:
        """Read how many, of each of what."""
        start = self.at - 1
        parts: dict[str, Any] = {"amount": self.amount()}
        if self.skip("PER"):
            parts["per"] = self.field()
        parts["window"] = self.window()
        if self.keys[self.at] == "PER":
            self.fail("PER stands before IN TOP or IN ANY; move it there.")
        if self.skip("WHERE"):
            parts["where"] = self.expression(OR)
        elif "per" not in parts:
            self.fail(_no_group(self.words[self.at]), start)
        return parts

    def ensure(self) -> dict[str, Any]:
        """Read how many of what."""
        parts = {"amount": self.amount(), "window": self.window()}
        self.expect("WHERE", "WHERE and a condition")
        return {**parts, "where": self.expression(OR)}

    # -- parts of rules --------------------------------------------------------------------

    def amount(self) -> Amount:
        """Read ``2`` or ``20%``."""
        word, place = self.words[self.at], self.places[self.at]
        if word[-1:] != "%" or not word[:1].isdigit():
            return self.count("a share such as 20%, or a number of items")
        share = number_from(word, self.text, place)
        if not isinstance(share, Percent) or share.value > 100:
            self.fail(f"expected a share from 0% to 100%, got {said(word)}.")
        self.at += 1
        return share

    def window(self) -> Window | None:
        """Read ``IN TOP 10`` or ``IN ANY 5 CONSECUTIVE``, if it is there."""
        if not self.skip("IN"):
            return None
        place = self.places[self.at - 1]
        if self.skip("TOP"):
            return Window("top", self.count("a number of slots", least=1), place=place)
        self.expect("ANY", "TOP or ANY after IN")
        size = self.count("a number of slots", least=1)
        self.expect("CONSECUTIVE", "CONSECUTIVE after the number of slots")
        return Window("any", size, place=place)

    def when(self) -> Expression:
        """Read what is decided once per request."""
        self.of_request = True
        found = self.expression(OR)
        self.of_request = False
        return found

    def during(self) -> During:
        """Read ``2026-07-01..2026-07-31``, of which one end may be open."""
        at = self.at
        start = self.moment()
        self.expect("..", "two days as 2026-07-01..2026-07-31, of which one may be left out")
        end = self.moment()
        if end is None and start is None:
            self.fail("expected a day on one side of .. at least; write 2026-07-01.. or so.", at)
        if start and end and ends_before(end, start, self.timezone):
            self.fail(f"{end.value} is before {start.value}; write the earlier one first.", at)
        return During(start, end, place=self.places[at])

    def moment(self) -> Moment | None:
        """Read a day or moment, if one is there."""
        word = self.words[self.at]
        if not word[:1].isdigit():
            return None
        if not is_moment(word):
            self.fail(f"expected a day such as 2026-07-01, got {said(word)}.")
        found = moment_from(word, self.text, self.places[self.at])
        self.at += 1
        return found

    def if_unknown(self) -> str:
        """Read ``UNKNOWN APPLY`` or ``UNKNOWN SKIP``."""
        self.expect("UNKNOWN", "UNKNOWN after IF, and conditions after WHEN")
        if self.skip("APPLY"):
            return "apply"
        self.expect("SKIP", "APPLY or SKIP after IF UNKNOWN")
        return "skip"

    def priority(self) -> int:
        """Read a whole number, which may be negative."""
        sign = -1 if self.skip("-") else 1
        return sign * self.count("a whole number, its size")

    def strict(self) -> bool:
        """Read nothing more."""
        return True


def _no_group(word: str) -> str:
    return f"LIMIT needs PER, WHERE or both, got {said(word)}; write LIMIT 2 PER item.brand."


_ACTIONS = {
    "REQUIRE": _RuleReader.require,
    "EXCLUDE": _RuleReader.require,
    "BOOST": _RuleReader.boost,
    "BURY": _RuleReader.boost,
    "PIN": _RuleReader.pin,
    "LIMIT": _RuleReader.limit,
    "ENSURE": _RuleReader.ensure,
}
_MODIFIERS: dict[str, tuple[str, Any]] = {
    "WHEN": ("when", _RuleReader.when),
    "DURING": ("during", _RuleReader.during),
    "IF": ("unknown", _RuleReader.if_unknown),
    "PRIORITY": ("priority", _RuleReader.priority),
    "STRICT": ("strict", _RuleReader.strict),
}
