import itertools
from contextlib import suppress
from random import Random
from time import process_time

import pytest

from recopersona.errors import RuleError
from recopersona.rules import nodes
from recopersona.rules.limits import MOST_BYTES, MOST_DEPTH, MOST_OPERATIONS, MOST_RULES
from recopersona.rules.nodes import (
    And,
    Arithmetic,
    Compare,
    Did,
    Duration,
    During,
    Field,
    In,
    IsUnknown,
    Moment,
    Negative,
    Not,
    Number,
    Or,
    Param,
    Percent,
    Text,
    Window,
)
from recopersona.rules.text.parsing import parse_expression, parse_rules
from recopersona.rules.text.printing import print_rules
from tests.rules.eight import TEXT
from tests.rules.generated import random_rule_set

A, B, C = (Field("item", name) for name in "abc")
BACKSLASH = "\\"


def refusal(text, read=parse_rules):
    """Read what cannot be read; return the sentence and the part of the text it points at."""
    with pytest.raises(RuleError) as caught:
        read(text)
    error = caught.value
    if error.line is None:
        return error.problem, None
    line = text.split("\n")[error.line - 1]
    return error.problem, line[error.column - 1 :]


# -- what is read --------------------------------------------------------------------------------


def test_the_eight_rules_say_what_they_say():
    rules = {rule.name: rule for rule in parse_rules(TEXT).rules}
    assert rules == {
        "in_stock": nodes.Require(
            Compare(">", Field("item", "stock"), Number(0)), name="in_stock"
        ),
        "no_repeat": nodes.Exclude(
            Did("purchase", within=Duration(90, "d")), name="no_repeat"
        ),
        "summer_sale": nodes.Boost(
            Compare(">", Field("item", "discount"), Number(0)),
            Number(1.3),
            name="summer_sale",
            during=During(Moment("2026-07-01"), Moment("2026-07-31")),
        ),
        "sponsor": nodes.Pin(Field("item", "sponsored"), (3,), name="sponsor"),
        "brand_cap": nodes.Limit(
            2, per=Field("item", "brand"), window=Window("top", 10), name="brand_cap"
        ),
        "fresh_share": nodes.Ensure(
            Percent(20),
            Compare("<=", Field("item", "age"), Duration(30, "d")),
            name="fresh_share",
        ),
        "adult_guard": nodes.Exclude(
            Field("item", "adult"),
            name="adult_guard",
            when=Compare("<", Field("user", "age"), Number(18)),
            unknown="apply",
        ),
        "price_band": nodes.Require(
            nodes.Between(
                Field("item", "price"), Field("user", "price_lo"), Field("user", "price_hi")
            ),
            name="price_band",
            unknown="skip",
        ),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("item.a + item.b * item.c", Arithmetic("+", A, Arithmetic("*", B, C))),
        ("item.a - item.b - item.c", Arithmetic("-", Arithmetic("-", A, B), C)),
        ("item.a - (item.b - item.c)", Arithmetic("-", A, Arithmetic("-", B, C))),
        ("-item.a * item.b", Arithmetic("*", Negative(A), B)),
        ("item.a--3", Arithmetic("-", A, Number(-3))),
        ("-(3)", Number(-3)),
        ("-20%", Percent(-20)),
        ("-3d", Negative(Duration(3, "d"))),
        ("2026-07-01", Moment("2026-07-01")),
        ("2026 - 7", Arithmetic("-", Number(2026), Number(7))),
        ("2026-12", Arithmetic("-", Number(2026), Number(12))),
        ("2026-07-01T18:00+02:00 - 3d",
         Arithmetic("-", Moment("2026-07-01T18:00+02:00"), Duration(3, "d"))),
        ("1e-07", Number(1e-07)),
        ("1e-07mo", Duration(1e-07, "mo")),
        ("1234e-05", Number(1234e-05)),
        ("9007199254740993", Number(2**53 + 1)),
        ("item.a OR item.b AND NOT item.c = 1",
         Or((A, And((B, Not(Compare("=", C, Number(1)))))))),
        ("item.a AND (item.b AND item.c)", And((A, B, C))),
        ("NOT NOT item.a", Not(Not(A))),
        ("item.a NOT IN (1, -2)", Not(In(A, (Number(1), Number(-2))))),
        ("item.a in user.b", In(A, Field("user", "b"))),
        ("item.a in (user.b)", In(A, (Field("user", "b"),))),
        ("item.a is not unknown", Not(IsUnknown(A))),
        ("DID View at least 2 times", Did("view", 2)),
        ('item."product group" = $"odd name"',
         Compare("=", Field("item", "product group"), Param("odd name"))),
        (r'"say \"hi\"\n\u00e9\ud83c\udf75"', Text('say "hi"\né\U0001f375')),
        ("'it is \"so\"'", Text('it is "so"')),
    ],
)  # fmt: skip
def test_expressions_are_read_by_how_strongly_things_bind(text, expected):
    assert parse_expression(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "require item.a exclude item.b",
        "REQUIRE item.a;;; ; EXCLUDE item.b;",
        "# first\nREQUIRE item.a # RULE no: rule\n\n\tEXCLUDE item.b # last",
        ";\r\nrequire\u00a0item.a\r\nExClUdE item.b",
        "\ufeffREQUIRE item.a EXCLUDE item.b",
    ],
)
def test_rules_are_told_apart_however_they_are_laid_out(text):
    assert parse_rules(text).rules == (nodes.Require(A), nodes.Exclude(B))


def test_a_time_zone_is_that_of_the_set():
    rules = parse_rules('timezone "Europe/Berlin"; REQUIRE item.a DURING ..2026-07-31T18:00')
    assert rules.timezone == "Europe/Berlin"
    assert rules.rules[0].during == During(None, Moment("2026-07-31T18:00"))


def test_rules_and_their_parts_know_their_place():
    text = "REQUIRE item.a\n  LIMIT 2 PER item.brand IN ANY 5 CONSECUTIVE WHERE item.b > 1"
    limit = parse_rules(text).rules[1]
    places = (limit.place, limit.per.place, limit.window.place, limit.where.right.place)
    assert [text[place:].split()[0] for place in places] == ["LIMIT", "item.brand", "IN", "1"]
    assert parse_rules(text).text == text


# -- what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "at", "advice"),
    [
        # signs and words of other languages
        ("REQUIRE item.a == 0", "== 0", "write =."),
        ("BOOST item.a <> 0 BY 2", "<> 0", "write !=."),
        ("BOOST item.a && item.b BY 2", "&& item", "write AND."),
        ("REQUIRE item.a || item.b", "|| item", "write OR."),
        ("REQUIRE !item.a", "!item", "write NOT."),
        ("REQUIRE item.a = NULL", "NULL", "write item.x IS UNKNOWN."),
        ("REQUIRE item.a = [1]", "[1]", "write (."),
        ("REQUIRE 1 < item.a < 3", "< 3", "a < x AND x < b"),
        ("-- sale\nREQUIRE item.a", "-- sale", "comments start with #"),
        # letters that only look like ours, and invisible ones
        ("REQUIRE item.brand = “tea”", "“tea", "quotes are straight"),
        ("REQUIRE item.st\u043eck > 0", "\u043eck", "CYRILLIC SMALL LETTER O"),
        ("REQUIRE \u0456tem.stock > 0", "\u0456tem", "write item.stock,"),
        ("REQUIRE item.größe > 0", "öße", 'in quotes: item."größe"'),
        ("REQUIRE item.a ≤ 3", "≤ 3", "write <=."),
        ("REQUIRE item.a\u200b > 3", "\u200b", "ZERO WIDTH SPACE"),
        ("REQUIRE item.a\0 > 3", "\0", "U+0000"),
        ('REQUIRE item.a = "\0"', "\0", "U+0000"),
        ('REQUIRE item.a = "\ud800"', "\ud800", "half a character (U+D800)"),
        ("REQUIRE item.a > \uff13", "\uff13", "only looks like '3'"),
        # misspelt
        ("REQIRE item.a", "REQIRE", "'REQUIRE'?"),
        ("REQUIRE item.a WHNE user.b", "WHNE", "'WHEN'?"),
        ("BOOST item.a BYE 2", "BYE", "'BY'?"),
        ("REQUIRE itm.a", "itm.a", "'item.a'?"),
        ("REQUIRE ram(item.a, 1, 2) > 1", "ram(", "'ramp'?"),
        ("REQUIRE DID purchse", "purchse", "'purchase'?"),
        ("REQUIRE item.age < 30min", "30min", "30m?"),
        ("REQUIRE item.age < 30 d", "d", "write 30d."),
        ('TIMEZONE "Europe/Berlni"', '"Europe', "'Europe/Berlin'?"),
        ("REQUIRE stock > 0", "stock", "item.stock for a field"),
        ("REQUIRE item.brand = tea", "tea", 'write "tea" for a text'),
        ("item.stock > 0", "item", "as REQUIRE item.stock"),
        # brackets and quotes
        ("REQUIRE (item.a > 1\n", "(item", "never closed"),
        ("REQUIRE item.a > 1)", ")", "closes none"),
        ("REQUIRE item.a IN (1, 2", "(1", "never closed"),
        ("REQUIRE item.a IN ()", ")", "before )"),
        ("REQUIRE item.a IN 1", "1", "a list in round brackets"),
        ('REQUIRE item.a = "tea', '"tea', "no end"),
        ('REQUIRE item.a = "te\na"', '"te', "on the same line"),
        ('REQUIRE item.a = "tea' + BACKSLASH + '"', '"tea', "no end"),
        (r'REQUIRE item.a = "a\d"', r'\d"', "after a backslash"),
        (r'REQUIRE item.a = "\ud800"', r"\ud800", "half a character"),
        # numbers and days
        ("REQUIRE item.a > 1e999", "1e999", "beyond any number"),
        ("REQUIRE item.a > " + "9" * 400, "999", "beyond any number"),
        ("REQUIRE item.a > .5", ".5", "write 0.5."),
        ("REQUIRE item.a > 1,000", ",000", "write 1000."),
        ("REQUIRE item.a > 2026-02-30", "2026", "there is no 2026-02-30"),
        ("REQUIRE item.a > 2026-7-1", "2026", "write 2026-07-01"),
        ("REQUIRE item.a > 2026-07", "07", "no needless 0"),
        ("REQUIRE item.a > 2026-07-01 18:00", "18", "2026-07-01T18:00"),
        ("REQUIRE item.a > 2026-07-01T24:00", "2026", "there is no"),
        ("REQUIRE item.a > 2026-07-01T18:00+02:75", "2026", "no day or moment"),
        ("REQUIRE item.a < 1e300y", "1e300y", "longer than any time"),
        # parts of rules
        ("PIN item.a AT 0", "0", "from 1 to"),
        ("PIN item.a AT -1", "-1", "from 1 to"),
        ("PIN item.a AT 3, 3", "3", "twice"),
        ("LIMIT 2", "LIMIT", "needs PER, WHERE or both"),
        ("LIMIT 120% PER item.b", "120%", "from 0% to 100%"),
        ("LIMIT -5% PER item.b", "-5%", "a share such as 20%"),
        ("LIMIT 2 IN TOP 10 PER item.b", "PER", "before IN TOP"),
        ("LIMIT 2 WHERE item.a IN TOP 10", "TOP", "before WHERE"),
        ("LIMIT 2 PER item.b IN TOP 0", "0", "from 1 to"),
        ("ENSURE 20% item.a", "item.a", "expected WHERE"),
        ("REQUIRE ramp(1, 2)", "ramp", "ramp(x, low, high)"),
        ("REQUIRE DID view AT LEAST 0 TIMES", "0", "from 1 to"),
        ("REQUIRE DID view WITHIN 0d", "0d", "a duration such as 90d"),
        ("REQUIRE item.a STRICT STRICT", "STRICT", "twice"),
        ("REQUIRE item.a WHEN user.b WHEN user.c", "WHEN user.c", "twice"),
        ("REQUIRE item.a WHEN user.b = item.c", "item.c", "REQUIRE NOT user.b = item.c OR item.a"),
        ("REQUIRE item.a WHEN DID view", "DID", "REQUIRE NOT DID view OR item.a"),
        ("REQUIRE item.a DURING 2026-07-02..2026-07-01", "2026-07-02", "is before"),
        ("REQUIRE item.a DURING 2026-07-02", "", "2026-07-01..2026-07-31"),
        ("REQUIRE item.a DURING ..", "..", "on one side"),
        ("RULE a: REQUIRE item.a RULE a: EXCLUDE item.b", "a: EXCLUDE", "taken"),
        ("REQUIRE item.a TIMEZONE 'UTC'", "TIMEZONE", "before all rules"),
        ("TIMEZONE '../secret'", "'../secret'", "unknown time zone"),
        ("REQUIRE item.a PRIORITY 9999999999", "9999999999", "from 0 to"),
    ],
)  # fmt: skip
def test_a_mistake_is_pointed_at_with_what_to_write(text, at, advice):
    problem, found = refusal(text)
    assert advice in problem
    assert found.startswith(at)


def test_what_is_missing_at_the_end_is_missed_where_the_text_ends():
    with pytest.raises(RuleError) as caught:
        parse_rules("REQUIRE item.a >\n\n# to be continued\n")
    assert (caught.value.line, caught.value.column) == (1, len("REQUIRE item.a >") + 1)


@pytest.mark.parametrize("given", [None, 3, b"REQUIRE item.a", ["REQUIRE item.a"]])
def test_only_text_is_read(given):
    assert refusal(given) == (f"rules are written as text, got {given!r}.", None)


def test_an_end_may_be_the_day_of_the_start_or_of_another_offset():
    parse_rules("BOOST BY 2 DURING 2026-07-01T18:00..2026-07-01")
    parse_rules("BOOST BY 2 DURING 2026-07-01T18:00+02:00..2026-07-01T17:00Z")
    parse_rules('TIMEZONE "Asia/Tokyo" BOOST BY 2 DURING 0001-01-01..9999-12-31T23:59-12:00')
    with pytest.raises(RuleError, match="is before"):
        parse_rules("BOOST BY 2 DURING 2026-07-01T18:00-02:00..2026-07-01T19:00Z")
    with pytest.raises(RuleError, match="is before"):
        parse_rules('TIMEZONE "Asia/Tokyo" BOOST BY 2 DURING 2026-07-01T15:00Z..2026-07-01')


# -- limits --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "nest",
    [
        lambda depth: "(" * depth + "item.a" + ")" * depth,
        lambda depth: "NOT " * (depth - 1) + "item.a",
        lambda depth: "-" * (depth - 1) + "item.a",
        lambda depth: " + ".join(["item.a"] * depth),
        lambda depth: "item.a - (" * (depth - 1) + "item.a" + ")" * (depth - 1),
        lambda depth: "abs(" * (depth - 1) + "item.a" + ")" * (depth - 1),
        lambda depth: "item.a IN ((" * (depth - 1) + "item.a" + "))" * (depth - 1),
        lambda depth: "abs(" * (depth - 3) + "item.a + item.b + item.c" + ")" * (depth - 3),
        lambda depth: "(-" * 15 + "item.b" + ")" * 15 + " + item.a" * (depth - 16),
    ],
)
def test_nesting_ends_at_the_limit(nest):
    parse_expression(nest(MOST_DEPTH))
    for depth in (MOST_DEPTH + 1, 200, 1_000):
        assert f"nested {MOST_DEPTH} deep" in refusal(nest(depth), parse_expression)[0]
        assert f"nested {MOST_DEPTH} deep" in refusal(f"REQUIRE {nest(depth)}")[0]


def test_a_sum_is_pointed_at_where_it_gets_too_long():
    _, found = refusal("REQUIRE " + " + ".join(["item.a"] * 40))
    assert found.startswith("+ item.a")
    assert found.count("+") == 40 - MOST_DEPTH


def test_a_long_condition_is_not_a_deep_one():
    terms = [f"item.f{number}" for number in range(4_000)]
    assert len(parse_expression(" OR ".join(terms)).args) == len(terms)


def test_there_is_a_limit_to_everything():
    rule = "BOOST BY 2 "
    assert len(parse_rules(rule * MOST_RULES).rules) == MOST_RULES
    assert "at most 256 rules" in refusal(rule * (MOST_RULES + 1))[0]
    parse_rules("#" * MOST_BYTES)
    assert "65,536 bytes" in refusal("#" * (MOST_BYTES + 1))[0]
    assert "65,536 bytes" in refusal("#" + "é" * (MOST_BYTES // 2))[0]
    assert (
        "operations" in refusal(" OR ".join(["$a=1"] * (MOST_OPERATIONS + 1)), parse_expression)[0]
    )


def nasty_texts(size):
    """Texts of a size in which a careless reader would look at many places again and again."""
    yield from (unit * (size // len(unit)) for unit in (
        ";", " ", "\n", "#", "#\n", "x#\n", '"', '"\\', "'\\", '"\'', "\"'\n", "(", ")", "-", "@",
        ".", "$", "=", "1-", "1111-", "2026-07-01", "wher ", "\u0430", "\ufeff", "BOOST BY 2 ",
    ))  # fmt: skip
    heads = ("REQUIRE item.a IN (", "REQUIRE item.a = ", "PIN item.a AT ", "RULE ", "TIMEZONE ")
    units = ("1,", "item.a,", "-1,", "1+1,", "(1),", '"a",', '"', '"\\u0041', "1", "0", "e", '"W')
    for head, unit in itertools.product(heads, units):
        yield head + unit * ((size - len(head)) // len(unit))
    for term in ('""', "$a ", '""=""', "NOT ($a)", '"" IN(1)', "1<2 AND 2<3 "):
        yield "REQUIRE " + "OR ".join([term] * (size // (len(term) + 4)))
    slots = list(itertools.accumulate(map(str, range(1, size // 6)), lambda _, slot: slot))
    yield "PIN item.a AT " + ",".join(slots)


def test_no_text_takes_long():
    def seconds(text):
        def once():
            start = process_time()
            with suppress(RuleError):
                parse_rules(text)
            return process_time() - start

        return min(once() for _ in range(2))

    for short, long in zip(nasty_texts(8_000), nasty_texts(32_000), strict=True):
        # Four times the text in about four times the time; sixteen would be quadratic.
        assert seconds(long) < 9 * seconds(short) + 0.01, long[:60]


# -- anything at all -----------------------------------------------------------------------------

PIECES = (
    *("RULE ", " REQUIRE ", "LIMIT 2 ", " BY ", " AT ", "PER", "WHERE", " IN ", "TOP", " WHEN "),
    *(" DURING ", "IF UNKNOWN", "PRIORITY", " STRICT", "AND", " OR ", "NOT ", "HAS ANY", "DID "),
    *("WITHIN", "TRUE", "TIMEZONE", "item.a", "user.b", "$p", "(", ")", ",", ":", ";", "..", "."),
    *("+", "-", "/", "=", "!=", "==", "&&", "0", "1.5", "1e5", "e5", "20%", "120%", "90d", "min("),
    *("2026-07-01", "2026-02-30", "T18:00", "+02:00", "9999-12-31", "item", "#", '"', "'", "tea"),
    *('item."x y"', BACKSLASH, "\n", "é", "\u0430", "“", "\0", "\ufeff", "\U0001f375", "\u200b"),
)


def damaged(random, text):
    """Change a text in a few places."""
    for _ in range(random.randint(1, 4)):
        start = random.randrange(len(text) + 1)
        end = min(len(text), start + random.randrange(8))
        piece = random.choice((
            "", random.choice(PIECES), f" {random.choice(PIECES)} ",
            chr(random.randrange(0x110000)), text[start:end] * random.randrange(20),
        ))  # fmt: skip
        text = text[:start] + piece + text[random.choice((start, end)) :]
    return text


def test_damaged_rules_are_read_or_refused():
    random, read = Random(1), 0  # noqa: S311
    for _ in range(2_000):
        try:
            rules = parse_rules(damaged(random, print_rules(random_rule_set(random, 3))))
        except RuleError:
            continue
        read += 1
        assert parse_rules(print_rules(rules)) == rules
    assert 50 < read < 1_000


def test_every_value_of_a_function_is_an_operation():
    calls = " OR ".join(["max(1, 2, 3, 4, 5, 6, 7, 8) > 1"] * 500)
    with pytest.raises(RuleError, match="4,000 operations"):
        parse_rules(f"REQUIRE {calls}")
