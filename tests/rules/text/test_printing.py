from random import Random

import pytest

from recopersona.errors import RuleError
from recopersona.rules import nodes
from recopersona.rules.limits import MOST_DEPTH
from recopersona.rules.nodes import Arithmetic, Field, Not, Number, Text
from recopersona.rules.text.parsing import parse_expression, parse_rules
from recopersona.rules.text.printing import print_expression, print_rule, print_rules
from tests.rules.generated import random_expression, random_rule_set

A = Field("item", "a")


@pytest.mark.parametrize("seed", range(4))
def test_what_is_printed_reads_as_the_same_rules(seed):
    random = Random(seed)  # noqa: S311
    for _ in range(500):
        rules = random_rule_set(random)
        assert parse_rules(print_rules(rules)) == rules


def test_expressions_of_every_depth_up_to_the_limit_come_back():
    random = Random(5)  # noqa: S311
    for depth in range(1, MOST_DEPTH + 1):
        for _ in range(20):
            expression = random_expression(random, depth)
            assert parse_expression(print_expression(expression)) == expression


@pytest.mark.parametrize(
    "text",
    [
        "item.a - (item.b - item.c) - -3",
        "(item.a + item.b) * (item.c / -(item.d + 1))",
        "item.a = (item.b = TRUE)",
        "(item.a OR item.b) AND NOT (item.c OR item.d)",
        "item.a NOT IN (1, -0.5, 1e+300, 20%, 90d, \"tea\", (item.b AND item.c))",
        "item.a NOT BETWEEN 1 AND 2 AND item.b IS NOT UNKNOWN",
        "NOT item.tags HAS NONE $refused",
        'item.title STARTS WITH "say \\"hi\\"\\n\\u200b\\ud83c"'.replace("\\ud83c", "\U0001f375"),
        'DID purchase AT LEAST 2 TIMES WITHIN 1.5h OR item."product group" = $"größe"',
        "ramp(item.age, 0d, min(30d, ctx.now - 2026-07-01T18:00Z)) > 1e-07",
        "9007199254740993 + 1e+16 - 100 * 0.1 > -1",
    ],
)  # fmt: skip
def test_there_are_no_more_brackets_than_needed(text):
    assert print_expression(parse_expression(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        "RULE a: REQUIRE item.a WHEN user.b DURING 2026-07-01.. IF UNKNOWN SKIP PRIORITY -2 STRICT",
        'RULE "summer sale": BURY BY 2 * item.a DURING ..2026-07-01T18:00:30.5',
        "BOOST item.a BY ramp(item.b, 0, 1) + 1",
        "PIN item.a AT 3, 1, 2",
        "LIMIT 2 PER item.a IN TOP 10 WHERE item.b",
        "LIMIT 33.3% WHERE item.b",
        "ENSURE 20% IN ANY 5 CONSECUTIVE WHERE item.b",
    ],
)
def test_rules_are_printed_in_one_order(text):
    assert print_rules(parse_rules(text)) == text


def test_a_set_is_one_rule_a_line_after_its_time_zone():
    text = 'TIMEZONE "Europe/Berlin"\nREQUIRE item.a\nEXCLUDE item.b'
    assert print_rules(parse_rules(text.replace("\n", ";;"))) == text
    assert print_rules(parse_rules("")) == ""


@pytest.mark.parametrize(
    ("text", "printed"),
    [("\x00", r'"\u0000"'), ("\u202e", r'"\u202e"'), ("\U000e0001", r'"\udb40\udc01"')],
)
def test_what_cannot_be_seen_is_printed_as_a_number(text, printed):
    assert print_expression(Text(text)) == printed


def test_what_could_not_be_read_is_not_printed():
    deep = A
    for _ in range(100_000):
        deep = Not(deep)
    with pytest.raises(RuleError, match="nested 32 deep"):
        print_expression(deep)
    with pytest.raises(RuleError, match="nested 32 deep"):
        print_rule(nodes.Require(deep))
    shared = A
    for _ in range(MOST_DEPTH - 1):
        shared = Arithmetic("+", shared, shared)
    with pytest.raises(RuleError, match="operations"):
        print_expression(shared)
    with pytest.raises(RuleError, match="finite"):
        print_expression(Number(float("inf")))
    with pytest.raises(RuleError, match="got a Boosted"):
        print_rule(type("Boosted", (nodes.Rule,), {})())
    with pytest.raises(RuleError, match="got a str"):
        print_expression("item.a")
