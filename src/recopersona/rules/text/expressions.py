"""Reads expressions: one loop over operators by how strongly they bind, one step per value.

Both the brackets that stand open and the nodes above a value are counted on the way down, so that
no text, however it is nested, comes near Python's own limit. How deep long sums are nested shows
only afterwards: `excess_of` looks at whole expressions, in a `RuleSet` those of all its rules.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NoReturn

from recopersona.data.event import EVENT_CODES
from recopersona.errors import RuleError
from recopersona.rules.limits import (
    MOST_COUNT,
    MOST_DEPTH,
    MOST_OPERATIONS,
    TOO_DEEP,
    TOO_MANY,
)
from recopersona.rules.nodes import (
    COMPARISONS,
    FUNCTIONS,
    NAMESPACES,
    UNITS,
    Arithmetic,
    Between,
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
    Members,
    Not,
    Param,
    StartsWith,
    Text,
    all_of,
    any_of,
    negative,
)
from recopersona.rules.text.literals import (
    is_moment,
    moment_from,
    number_from,
    text_from,
    unit_meant,
)
from recopersona.rules.text.mistakes import (
    no_chain,
    no_count,
    no_event,
    no_list,
    no_operator,
    no_value,
    not_there,
    said,
    wrong_arguments,
)
from recopersona.rules.text.tokens import tokens_of

OR, AND, NOT, TEST, SUM, PRODUCT, VALUE = range(1, 8)
"""How strongly things bind: a condition is read from OR on, a number from SUM on."""

STRENGTH = (
    {"OR": OR, "AND": AND, "+": SUM, "-": SUM, "*": PRODUCT, "/": PRODUCT}
    | dict.fromkeys(COMPARISONS, TEST)
    | dict.fromkeys(("IN", "NOT", "BETWEEN", "HAS", "STARTS", "IS"), TEST)
)


class ExpressionReader:
    """Goes through the tokens of a text, one by one, and makes nodes of them."""

    def __init__(self, text: object) -> None:
        self.words, self.keys, self.places = tokens_of(text)
        self.text = str(text)
        self.at = 0
        self.depth = 0  # nodes above
        self.brackets = 0  # that stand open
        self.groups = 0  # brackets in all
        self.operations = 0
        self.of_request = False  # inside of WHEN, where no item is known
        self.too_early: Field | Did | None = None  # what asks for one there

    # -- steps -----------------------------------------------------------------------------

    def fail(self, problem: str, at: int | None = None) -> NoReturn:
        """Raise an error that points at a token: the next one, or the one asked for."""
        at = self.at if at is None else at
        place = self.places[at]
        if not self.words[at] and at:  # the end is where the last word ends, not lines below
            while at and not self.words[at]:
                at -= 1
            place = self.places[at] + len(self.words[at])
        raise RuleError(problem, self.text, place)

    def skip(self, key: str) -> bool:
        """Step over a keyword or sign if it comes next."""
        if self.keys[self.at] != key:
            return False
        self.at += 1
        return True

    def expect(self, key: str, expected: str) -> None:
        """Step over a keyword or sign that must come next."""
        if self.keys[self.at] != key:
            self.fail(not_there(self.words, self.at, key, expected))
        self.at += 1

    def count(self, what: str, least: int = 0) -> int:
        """Read a whole number."""
        word = self.words[self.at]
        value = int(word) if word.isdigit() and len(word) <= len(str(MOST_COUNT)) else -1
        if not least <= value <= MOST_COUNT:
            self.fail(no_count(self.words, self.at, f"{what} from {least} to {MOST_COUNT:,}"))
        self.at += 1
        return value

    def name(self, word: str, at: int, start: int = 0) -> str:
        """Return a name that may stand in quotes, from a place within a token."""
        if word[:1] not in _QUOTES:
            return word
        found = text_from(word, self.text, self.places[at] + start)
        if not found:
            self.fail("a name has at least one letter, got none between the quotes.", at)
        return found

    # -- conditions and numbers ------------------------------------------------------------

    def expression(self, lowest: int) -> Expression:
        """Read values as long as the operators between them bind at least so strongly."""
        self.depth += 1
        if self.depth > MOST_DEPTH:
            self.fail(TOO_DEEP)
        found = self.value(lowest)
        if STRENGTH.get(self.keys[self.at], 0) >= lowest:
            found = self.more(found, lowest)
        self.depth -= 1
        return found

    def more(self, left: Expression, lowest: int) -> Expression:
        """Read on from a value."""
        keys, chained = self.keys, 0
        while (strength := STRENGTH.get(key := keys[self.at], 0)) >= lowest:
            if strength >= SUM:
                chained += 1
                if chained >= MOST_DEPTH:
                    self.fail(TOO_DEEP)
                self.operation()
                self.at += 1
                right = self.expression(strength + 1)
                left = Arithmetic(key, left, right, place=left.place)
            elif strength == TEST:
                left = self.test(left, key)
                if STRENGTH.get(keys[self.at], 0) >= TEST:
                    self.fail(no_chain(self.words, self.at))
            else:
                left = self.joined(left, strength)
        return left

    def operation(self) -> None:
        """Count what has to be worked out."""
        self.operations += 1
        if self.operations > MOST_OPERATIONS:
            self.fail(TOO_MANY)

    def joined(self, first: Expression, strength: int) -> Expression:
        """Read on while conditions are joined by the same word."""
        key, parts = self.keys[self.at], [first]
        while self.keys[self.at] == key:
            self.at += 1
            parts.append(self.expression(strength + 1))
        return all_of(*parts) if strength == AND else any_of(*parts)

    def test(self, left: Expression, key: str) -> Expression:
        """Read what is asked of a value."""
        at = self.at
        self.operation()
        self.at += 1
        if key not in _TESTS:
            return Compare(key, left, self.expression(SUM), place=left.place)
        if key != "NOT":
            return _TESTS[key](self, left)
        key = self.keys[self.at]
        if key not in ("IN", "BETWEEN"):
            self.fail("expected IN or BETWEEN after NOT; put NOT before the whole condition.", at)
        self.at += 1
        return Not(_TESTS[key](self, left), place=left.place)

    def is_in(self, left: Expression) -> Expression:
        """Read ``(a, b)``, ``$name`` or a field."""
        return In(left, self.members("IN"), place=left.place)

    def between(self, left: Expression) -> Expression:
        """Read ``low AND high``."""
        low = self.expression(SUM)
        self.expect("AND", "AND and the upper end of BETWEEN")
        return Between(left, low, self.expression(SUM), place=left.place)

    def has(self, left: Expression) -> Expression:
        """Read ``ANY (a, b)``."""
        how = self.keys[self.at]
        if how not in ("ANY", "ALL", "NONE"):
            self.fail(f"expected ANY, ALL or NONE after HAS, got {said(self.words[self.at])}.")
        self.at += 1
        return Has(left, how.lower(), self.members(f"HAS {how}"), place=left.place)

    def starts(self, left: Expression) -> Expression:
        """Read ``WITH "text"``."""
        self.expect("WITH", "WITH after STARTS")
        if self.words[self.at][:1] not in _QUOTES:
            word = self.words[self.at]
            instead = f'; write "{word}".' if word.isalnum() and len(word) <= 40 else "."
            self.fail(f"expected a text in quotes, got {said(word)}{instead}")
        start = text_from(self.words[self.at], self.text, self.places[self.at])
        self.at += 1
        return StartsWith(left, start, place=left.place)

    def is_unknown(self, left: Expression) -> Expression:
        """Read ``[NOT] UNKNOWN``."""
        negated = self.skip("NOT")
        self.expect("UNKNOWN", "UNKNOWN or NOT UNKNOWN after IS")
        found = IsUnknown(left, place=left.place)
        return Not(found, place=left.place) if negated else found

    # -- values ----------------------------------------------------------------------------

    def value(self, lowest: int) -> Expression:
        """Read one value, with what stands before it."""
        at = self.at
        word, key = self.words[at], self.keys[at]
        reader = _BY_SIGN.get(word[:1])
        if reader is not None:
            return reader(self)
        if "." in word and word.partition(".")[0] in NAMESPACES:
            return self.field()
        if key == "NOT":
            if lowest > NOT:
                self.fail("NOT stands before a whole condition; put it and that in brackets.")
            self.operation()
            self.at += 1
            return Not(self.expression(NOT), place=self.places[at])
        if key == "DID":
            return self.did()
        if key in ("TRUE", "FALSE"):
            self.at += 1
            return Flag(key == "TRUE", place=self.places[at])
        if word.lower() in FUNCTIONS and self.words[at + 1] == "(":
            return self.call()
        return self.fail(no_value(self.words, at))

    def field(self) -> Field:
        """Read ``item.stock``, ``item."product group"``."""
        at = self.at
        of, dot, name = self.words[at].partition(".")
        if not dot or of not in NAMESPACES:
            self.fail(no_value(self.words, at, "a field such as item.brand"))
        self.at += 1
        found = Field(of, self.name(name, at, len(of) + 1), place=self.places[at])
        if self.of_request and of == "item":
            self.too_early = self.too_early or found
        return found

    def number(self) -> Expression:
        """Read what starts with a digit."""
        at = self.at
        self.at += 1
        word = self.words[at]
        if word[4:5] == "-" and is_moment(word):
            return moment_from(word, self.text, self.places[at])
        return number_from(word, self.text, self.places[at])

    def quoted(self) -> Expression:
        """Read a text in quotes."""
        at = self.at
        self.at += 1
        return Text(text_from(self.words[at], self.text, self.places[at]), place=self.places[at])

    def param(self) -> Param:
        """Read ``$name``."""
        at = self.at
        name = self.words[at][1:]
        if not name:
            self.fail("expected a name directly after $, as in $allowed.")
        self.at += 1
        return Param(self.name(name, at, 1), place=self.places[at])

    def minus(self) -> Expression:
        """Read what a minus stands before; with a number it is one number."""
        at = self.at
        word, place = self.words[at + 1], self.places[at]
        if word[:1].isdigit() and word[-1:] not in _UNIT_ENDS and not is_moment(word):
            self.at += 2
            return number_from(word, self.text, place, sign=-1)
        self.at += 1
        self.operation()
        return negative(self.expression(VALUE), place=place)

    def group(self) -> Expression:
        """Read what stands in brackets."""
        opened = self.at
        self.brackets += 1
        self.groups += 1
        if self.brackets > MOST_DEPTH:
            self.fail(f"brackets may be nested {MOST_DEPTH} deep, got more; write fewer.")
        if self.groups > MOST_OPERATIONS:
            self.fail(f"a set may have {MOST_OPERATIONS:,} brackets, got more; write fewer.")
        self.at += 1
        self.depth -= 1  # brackets make no node
        found = self.expression(OR)
        self.depth += 1
        if self.keys[self.at] == ",":
            self.fail("a list stands after IN or HAS, and nowhere else.", opened)
        self.close(opened)
        self.brackets -= 1
        return found

    def close(self, opened: int) -> None:
        """Step over the bracket that ends what another began."""
        if self.keys[self.at] != ")":
            if not self.words[self.at]:
                self.fail("this bracket is never closed; write ) where it ends.", opened)
            self.fail(no_operator(self.words, self.at))
        self.at += 1

    def call(self) -> Call:
        """Read ``min(a, b)``."""
        at = self.at
        name = self.words[at].lower()
        least, most = FUNCTIONS[name]
        self.at += 2
        args: list[Expression] = []
        while not args or self.skip(","):
            if len(args) == most:
                self.fail(wrong_arguments(name), at)
            self.operation()  # max(a, b, c) works as much as a + b + c
            args.append(self.expression(SUM))
        if len(args) < least:
            self.fail(wrong_arguments(name), at)
        self.close(at + 1)
        return Call(name, tuple(args), place=self.places[at])

    def did(self) -> Did:
        """Read ``DID purchase AT LEAST 2 TIMES WITHIN 90d``."""
        at = self.at
        event = self.words[at + 1].lower()
        self.at += 1
        if event not in EVENT_CODES:
            self.fail(no_event(self.words[at + 1]))
        self.at += 1
        times, within = 1, None
        if self.keys[self.at] == "AT" and self.keys[self.at + 1] == "LEAST":
            self.at += 2
            times = self.count("how often,", least=1)
            self.expect("TIMES", "TIMES after the number")
        if self.skip("WITHIN"):
            within = self.duration()
        found = Did(event, times, within, place=self.places[at])
        if self.of_request:
            self.too_early = self.too_early or found
        return found

    def duration(self) -> Duration:
        """Read how long something may be ago."""
        at, word = self.at, self.words[self.at]
        found = self.number() if word[:1].isdigit() else None
        if not isinstance(found, Duration) or found.amount <= 0:
            unit = unit_meant(self.words[at + 1]) if word.isdigit() else None
            instead = f"; write {word}{unit or 'd'}." if word.isdigit() and len(word) < 9 else "."
            self.fail(
                f"expected a duration such as 90d after WITHIN, got {said(word)}{instead}", at
            )
        return found

    def members(self, after: str) -> Members:
        """Read a list, or the name of one."""
        word = self.words[self.at]
        if word[:1] == "$":
            return self.param()
        if word != "(":
            if word.partition(".")[0] in NAMESPACES:
                return self.field()
            self.fail(no_list(after, word, self.keys[self.at]))
        opened = self.at
        return self.listed(opened)

    def listed(self, opened: int) -> tuple[Expression, ...]:
        """Read values between commas; of numbers and texts written alike, only the first."""
        members: list[Expression] = []
        known: dict[str, Expression] = {}
        self.depth += 1
        while True:
            self.at += 1
            at, word = self.at, self.words[self.at]
            tokens = 1
            if word == "-":
                word, tokens = f"-{self.words[at + 1]}", 2
            found = known.get(word)
            if found is None:
                found = self.value(SUM)
                if self.at == at + tokens:
                    known[word] = found
            else:
                self.at += tokens
            after = self.words[self.at]
            if after != "," and after != ")":
                found = self.more(found, SUM)
                after = self.words[self.at]
            members.append(found)
            if after != ",":
                break
        self.depth -= 1
        self.close(opened)
        return tuple(members)


Reader = Callable[[ExpressionReader], Expression]
_UNIT_ENDS = frozenset(unit[-1] for unit in UNITS)
_QUOTES = ('"', "'")
_BY_SIGN: Mapping[str, Reader] = (
    dict.fromkeys("0123456789", ExpressionReader.number)
    | dict.fromkeys(_QUOTES, ExpressionReader.quoted)
    | {"$": ExpressionReader.param, "(": ExpressionReader.group, "-": ExpressionReader.minus}
)
_TESTS: dict[str, Callable[[ExpressionReader, Expression], Expression]] = {
    "IN": ExpressionReader.is_in,
    "NOT": ExpressionReader.is_in,
    "BETWEEN": ExpressionReader.between,
    "HAS": ExpressionReader.has,
    "STARTS": ExpressionReader.starts,
    "IS": ExpressionReader.is_unknown,
}
