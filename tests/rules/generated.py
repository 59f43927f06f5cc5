"""Rule sets by chance: every kind of node, odd names and numbers, up to the limit of depth."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from recopersona.data.event import EVENT_TYPES
from recopersona.rules import nodes
from recopersona.rules.limits import MOST_DEPTH
from recopersona.rules.nodes import Expression, Field, Param, Rule
from recopersona.rules.ruleset import RuleSet

NAMES = (
    *("stock", "price", "brand", "adult", "age", "_x", "in", "TOP", "Not", "item", "d", "e5"),
    *("größe", "product group", "3d", "a.b", 'say "hi"', "it's", "back\\slash", "価格", "\u0441"),
    *("\n", " ", "#no comment", "naïve ✓", "\U0001f375 tea", "a" * 60),
)
TEXTS = (
    *("", "tea", "green tea", "it's", 'so "called"', "a\\b", "\\", "\\n", "line\nline", "\ttab"),
    *(
        "größe",
        "чай",
        "緑茶",
        "\U0001f375",
        "\u200b",
        "\u202eabc",
        "\x00",
        "\x7f",
        "\r\n",
        "\u2028",
    ),
    *(
        "# no comment",
        "; no end",
        "$x",
        "2026-07-01",
        "90d",
        "TRUE",
        "\ufeff",
        "\U000e0001",
        "'\"'",
    ),
)
NUMBERS = (
    *(0, 1, 3, 20, 100, 3.0, 0.5, 1.3, 0.1, 1e-07, 5e-324, 1.7976931348623157e308, 1e22, 1e16),
    *(123456789.123, 2**53, 2**53 + 1, 2**64, 10**25, 1 / 3, math.pi, 1e100, 2.5e-9, 9999999.0),
)
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Pacific/Kiritimati")
UNITS = ("s", "m", "h", "d", "w", "mo", "y")
SIGNS = ("+", "-", "*", "/")
COMPARISONS = ("=", "!=", "<", "<=", ">", ">=")


def random_rule_set(rng: Any, most: int = 6) -> RuleSet:
    """Return a rule set that every form can say; types of fields are not minded.

    rng   a `random.Random` or a NumPy generator
    most  rules
    """
    random = rng if isinstance(rng, Random) else Random(int(rng.integers(2**63)))  # noqa: S311
    count = random.randrange(most + 1)
    names: list[str | None] = [None] * count
    for place in range(count):
        if random.random() < 0.6:
            names[place] = f"{random.choice(NAMES)}{place}" if place else random.choice(NAMES)
    rules = tuple(random_rule(random, name) for name in names)
    return RuleSet(rules=rules, timezone=random.choice(ZONES))


def random_rule(random: Random, name: str | None = None) -> Rule:
    """Return a rule of any kind, with or without each of its parts."""
    maker = _Maker(random)
    common: dict[str, Any] = {
        "name": name,
        "when": maker.sometimes(maker.when),
        "during": maker.sometimes(maker.during),
        "unknown": random.choice((None, None, "apply", "skip")),
        "priority": random.choice((0, 0, 1, 5, -3, 2**31 - 1, 1 - 2**31)),
        "strict": random.random() < 0.3,
    }
    kind = random.choice(tuple(nodes.ACTIONS.values()))
    return kind(**getattr(maker, kind.__name__.lower())(), **common)


def random_expression(random: Random, depth: int | None = None) -> Expression:
    """Return a condition or number of at most some depth, and often of just that."""
    return _Maker(random).whole(depth)


class _Maker:
    def __init__(self, random: Random) -> None:
        self.random = random
        self.of_request = False

    def sometimes(self, make: Any) -> Any:
        return make() if self.random.random() < 0.4 else None

    # -- kinds of rules ----------------------------------------------------------------

    def require(self) -> dict[str, Any]:
        return {"where": self.whole()}

    exclude = require

    def boost(self) -> dict[str, Any]:
        return {"where": self.sometimes(self.whole), "by": self.whole()}

    bury = boost

    def pin(self) -> dict[str, Any]:
        slots = tuple(self.random.sample(range(1, 50), self.random.randint(1, 4)))
        return {"where": self.whole(), "slots": slots}

    def limit(self) -> dict[str, Any]:
        per, where = self.sometimes(self.field), self.sometimes(self.whole)
        if per is None and where is None:
            per = self.field()
        window = self.sometimes(self.window)
        return {"amount": self.amount(), "per": per, "where": where, "window": window}

    def ensure(self) -> dict[str, Any]:
        window = self.sometimes(self.window)
        return {"amount": self.amount(), "where": self.whole(), "window": window}

    def amount(self) -> nodes.Amount:
        if self.random.random() < 0.5:
            return self.random.choice((0, 1, 2, 10, 2**31 - 1))
        return nodes.Percent(self.random.choice((0, 20, 33.3, 100, 1e-07)))

    def window(self) -> nodes.Window:
        return nodes.Window(self.random.choice(("top", "any")), self.random.choice((1, 10, 999)))

    def when(self) -> Expression:
        self.of_request = True
        found = self.whole()
        self.of_request = False
        return found

    def during(self) -> nodes.During:
        start, end = sorted(self.random.sample(range(1, 3_000_000), 2))
        ends = [self.moment_of(day) for day in (start, end + 2)]  # zones lie within two days
        if (left_open := self.random.randrange(6)) < 2:
            ends[left_open] = None
        return nodes.During(*ends)

    # -- expressions -------------------------------------------------------------------

    def whole(self, depth: int | None = None) -> Expression:
        if depth is None:
            depth = self.random.choice((1, 2, 2, 2, 3, 3, 4, 6, 10, MOST_DEPTH))
        return self.expression(depth)

    def expression(self, depth: int) -> Expression:
        """Go straight down in one part, and not far in the others."""
        if depth <= 1:
            return self.leaf()
        makers = (
            *(self.compare, self.compare, self.arithmetic, self.arithmetic, self.joined),
            *(self.joined, self.opposite, self.between, self.is_in, self.has, self.starts),
            *(self.is_unknown, self.minus, self.call),
        )
        return self.random.choice(makers)(depth - 1)

    def parts(self, count: int, depth: int) -> list[Expression]:
        depths = [self.random.randint(1, min(depth, 2)) for _ in range(count)]
        depths[self.random.randrange(count)] = depth
        return [self.expression(part) for part in depths]

    def compare(self, depth: int) -> Expression:
        return nodes.Compare(self.random.choice(COMPARISONS), *self.parts(2, depth))

    def arithmetic(self, depth: int) -> Expression:
        return nodes.Arithmetic(self.random.choice(SIGNS), *self.parts(2, depth))

    def joined(self, depth: int) -> Expression:
        join = self.random.choice((nodes.all_of, nodes.any_of))
        return join(*self.parts(self.random.randint(2, 4), depth))

    def opposite(self, depth: int) -> Expression:
        return nodes.Not(self.expression(depth))

    def minus(self, depth: int) -> Expression:
        return nodes.negative(self.expression(depth))

    def between(self, depth: int) -> Expression:
        return nodes.Between(*self.parts(3, depth))

    def is_in(self, depth: int) -> Expression:
        return nodes.In(*self.value_and_members(depth))

    def has(self, depth: int) -> Expression:
        value, members = self.value_and_members(depth)
        return nodes.Has(value, self.random.choice(("any", "all", "none")), members)

    def value_and_members(self, depth: int) -> tuple[Expression, nodes.Members]:
        if (kind := self.random.randrange(6)) < 2:
            return self.expression(depth), self.param() if kind else self.field()
        value, *members = self.parts(self.random.randint(2, 5), depth)
        return value, tuple(members)

    def starts(self, depth: int) -> Expression:
        return nodes.StartsWith(self.expression(depth), self.random.choice(TEXTS))

    def is_unknown(self, depth: int) -> Expression:
        return nodes.IsUnknown(self.expression(depth))

    def call(self, depth: int) -> Expression:
        name = self.random.choice(tuple(nodes.FUNCTIONS))
        count = self.random.randint(*nodes.FUNCTIONS[name])
        return nodes.Call(name, tuple(self.parts(count, depth)))

    # -- leaves ------------------------------------------------------------------------

    def leaf(self) -> Expression:
        leaves = (
            *(self.field, self.field, self.field, self.number, self.percent, self.text),
            *(self.flag, self.moment, self.duration, self.param, self.did),
        )
        return self.random.choice(leaves)()

    def field(self) -> Field:
        spaces = nodes.NAMESPACES[1:] if self.of_request else nodes.NAMESPACES
        return Field(self.random.choice(spaces), self.random.choice(NAMES))

    def param(self) -> Param:
        return Param(self.random.choice(NAMES))

    def number(self) -> Expression:
        return nodes.Number(self.signed())

    def percent(self) -> Expression:
        return nodes.Percent(self.signed())

    def signed(self) -> float:
        value = self.random.choice((*NUMBERS, self.random.random(), self.random.gauss(0, 1e6)))
        return -value if self.random.random() < 0.3 else value

    def text(self) -> Expression:
        return nodes.Text(self.random.choice(TEXTS))

    def flag(self) -> Expression:
        return nodes.Flag(self.random.random() < 0.5)

    def duration(self) -> nodes.Duration:
        amount = self.random.choice((1, 2, 30, 90, 1.5, 0.25, 1e-07, 1e6, 12345.678))
        return nodes.Duration(amount, self.random.choice(UNITS))

    def did(self) -> Expression:
        if self.of_request:
            return self.flag()
        within = self.random.choice((None, nodes.Duration(90, "d"), nodes.Duration(1.5, "h")))
        times = self.random.choice((1, 1, 2, 10))
        return nodes.Did(self.random.choice(EVENT_TYPES), times, within)

    def moment(self) -> nodes.Moment:
        return self.moment_of(self.random.randrange(3_000_000))

    def moment_of(self, day: int) -> nodes.Moment:
        """Return the day, or a moment of it, so many days after the year 1."""
        when = datetime(1, 1, 1, tzinfo=UTC) + timedelta(days=day)
        written = when.date().isoformat()
        if self.random.random() < 0.5:
            return nodes.Moment(written)
        clock = self.random.choice(
            ("T18:00", "T00:00", "T23:59:59", "T06:30:00.5", "T12:00:00.123")
        )
        zone = self.random.choice(("", "", "Z", "+02:00", "-11:30"))
        return nodes.Moment(written + clock + zone)
