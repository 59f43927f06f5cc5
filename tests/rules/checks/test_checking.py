from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from recopersona.data.dataset import Dataset
from recopersona.data.event import Event
from recopersona.errors import RuleError
from recopersona.rules.checks.checking import check_rules, kind_of
from recopersona.rules.checks.kinds_together import AMOUNT
from recopersona.rules.checks.schema import RuleSchema
from recopersona.rules.conditions.kinds import ANY
from recopersona.rules.nodes import Compare, Exclude, Field, Moment, Number, Require
from recopersona.rules.ruleset import RuleSet
from recopersona.rules.text.parsing import parse_expression, parse_rules
from tests.rules.eight import TEXT as EIGHT

SCHEMA = RuleSchema(
    item={
        "stock": "number",
        "price": "number",
        "discount": "number",
        "brand": "category",
        "tags": "set",
        "adult": "flag",
        "sponsored": "flag",
        "name": "text",
        "created_at": "time",
        "available_until": "time",
    },
    user={
        "age": "number",
        "price_lo": "number",
        "price_hi": "number",
        "favourite": "category",
        "refused": "set",
        "since": "time",
    },
)


def told(text, schema=SCHEMA):
    """Return what is said of a rule, without its place."""
    with pytest.raises(RuleError) as caught:
        check_rules(parse_rules(text), schema)
    return caught.value.problem


def test_the_eight_rules_fit():
    check_rules(parse_rules(EIGHT), SCHEMA)


@pytest.mark.parametrize(
    "rule",
    [
        "REQUIRE item.adult",
        "REQUIRE item.adult = TRUE AND NOT item.sponsored",
        "REQUIRE ctx.logged_in",
        "REQUIRE TRUE",
        'REQUIRE item.brand = "Ito" OR item.brand = 7 OR item.brand = user.favourite',
        'REQUIRE item.id = "sku-1" OR item.id IN (1, 2) OR item.id = seed.id',
        "REQUIRE item.brand = seed.brand AND item.price < seed.price * 2",
        'REQUIRE item.name = "green tea" OR item.name STARTS WITH "green"',
        "EXCLUDE item.brand IN user.refused OR item.brand IN $brands",
        'REQUIRE item.tags HAS ANY ("bio", 7) AND item.tags HAS NONE user.refused',
        "REQUIRE user.favourite IN item.tags",
        "REQUIRE ctx.now - item.available_until < 3d OR item.available_until > ctx.now + 1w",
        "REQUIRE item.age / 30d < 2 AND item.age * 2 < 90d",
        "REQUIRE item.created_at > 2026-01-01 AND item.created_at > user.since - $grace",
        "REQUIRE item.price < ctx.budget * 2 AND item.age < $youngest AND $low < ctx.high",
        "REQUIRE item.price IS UNKNOWN OR (item.price > 3) IS UNKNOWN",
        "REQUIRE item.discount > 20% AND $x IN (1, $y, 2)",
        "BOOST BY ramp(item.created_at, 2026-01-01, ctx.now)",
        "BOOST BY ctx.x * ctx.y WHEN abs(ctx.x) > 1 AND -$x BETWEEN $low AND 3 AND $x + $y IN (1)",
        "BOOST BY ramp(item.age, 30d, 0d) + decay(item.age, $half) * log1p(item.stock)",
        "BOOST item.adult BY max(1, min(item.price / seed.price, 3), abs(-item.discount))",
        "BURY item.adult BY $factor WHEN ctx.page IN ('home', 'cart')",
        "LIMIT 2 PER item.adult; LIMIT 2 PER item.stock; LIMIT 2 PER item.id",
        "PIN item.sponsored AT 1 WHEN user.age >= 18 AND seed.adult AND $campaign = 'tea'",
        "ENSURE 2 WHERE DID view AT LEAST 2 TIMES",
    ],
)
def test_rules_that_fit(rule):
    check_rules(parse_rules(rule), SCHEMA)


# -- fields ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "problem"),
    [
        ("REQUIRE item.stok > 0", "unknown field item.stok; did you mean item.stock?"),
        ("REQUIRE item.Stock > 0", "unknown field item.Stock; did you mean item.stock?"),
        ("REQUIRE user.stock > 0", "unknown field user.stock; did you mean item.stock?"),
        ("REQUIRE user.prise > 0", "unknown field user.prise; did you mean item.price?"),
        ("REQUIRE item.favourite = 3", "unknown field item.favourite; did you mean user.fav"),
        ("REQUIRE seed.brnd = item.brand", "unknown field seed.brnd; did you mean seed.brand?"),
        ("LIMIT 2 PER item.brnd", "unknown field item.brnd; did you mean item.brand?"),
        ("REQUIRE user.wealth > 0", "unknown field user.wealth; there are user.age, user.price_"),
        ("BOOST BY item.weight", "unknown field item.weight; there are item.stock, item.price"),
    ],
)
def test_an_unknown_field_is_told_with_the_one_that_was_meant(rule, problem):
    assert told(rule).startswith(problem)


def test_a_name_may_be_near_in_a_shop_without_users():
    alone = RuleSchema(item={"stock": "number"})
    assert told("REQUIRE user.stock > 0", alone).endswith("did you mean item.stock?")
    assert "no table of users" in told("REQUIRE user.stack > 0", alone)


def test_a_shop_without_users_says_so():
    alone = RuleSchema(item={"stock": "number"})
    said = told("REQUIRE item.stock > 0 WHEN user.age < 18", alone)
    assert "there is no table of users" in said
    assert "write ctx.age" in said
    check_rules(parse_rules("REQUIRE item.stock > 0 WHEN user.id = 'anna'"), alone)


def test_an_age_needs_a_column():
    said = told("REQUIRE item.age < 3d", RuleSchema(item={"stock": "number"}))
    assert said == (
        "item.age is ctx.now - item.created_at, and the items have no column 'created_at' of "
        "times; add one"
    )


# -- kinds -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("condition", "problem"),
    [
        ('item.stock > "3"', 'item.stock is a number, "3" is text; write 3'),
        ('item.stock = "many"', 'item.stock is a number, "many" is text; write a number without'),
        ('"3" < item.stock', '"3" is text, item.stock is a number; write 3'),
        ("item.stock > 3d", "item.stock is a number, 3d is a duration; write 3"),
        ("item.adult = 1", "item.adult is a flag, 1 is a number; write item.adult"),
        ("item.adult = 0", "item.adult is a flag, 0 is a number; write NOT item.adult"),
        ("item.adult > 0", "item.adult is a flag, 0 is a number; write item.adult"),
        ("item.adult < 1", "item.adult is a flag, 1 is a number; write NOT item.adult"),
        ('item.adult = "no"', 'item.adult is a flag, "no" is text; write NOT item.adult'),
        ("item.adult < 7", "item.adult is a flag, 7 is a number; write item.adult or NOT item"),
        ("item.adult > ctx.level", "item.adult is a flag; write item.adult or NOT item.adult"),
        ('item.tags = "bio"', 'item.tags is a set, "bio" is text; write item.tags HAS ANY ("bio")'),
        ('item.tags != "bio"', 'item.tags is a set, "bio" is text; write item.tags HAS NONE ("'),
        ("item.tags = ctx.tag", "item.tags is a set; write item.tags HAS ANY (ctx.tag)"),
        ("item.brand = user.refused", "item.brand is a category, user.refused is a set; write it"),
        ('item.brand < "M"', 'item.brand is a category, "M" is text; a category has no order'),
        ("item.brand < 7", "item.brand is a category, 7 is a number; a category has no order"),
        ("item.brand > ctx.x", "item.brand is a category; a category has no order; write ="),
        ("item.brand = TRUE", 'item.brand is a category, TRUE is a flag; write text, such as item'),
        ('item.name > "M"', 'item.name is text, "M" is text; text has no order; write ='),
        ("item.name = 7", 'item.name is text, 7 is a number; write "7"'),
        ("item.age < 30", "item.age is a duration, 30 is a number; write 30d"),
        ('item.age < "30d"', 'item.age is a duration, "30d" is text; write 30d'),
        ("item.age < item.stock", "item.age is a duration, item.stock is a number; write item.st"),
        ("item.created_at < 30d", "item.created_at is a time, 30d is a duration; write item.age"),
        ("item.available_until < 3d", "item.available_until is a time, 3d is a duration; write ct"),
        ("item.age > 2026-01-01", "item.age is a duration, 2026-01-01 is a time; write item.creat"),
        ("item.created_at > 2026", "item.created_at is a time, 2026 is a number; write 2026-01-01"),
        ('item.created_at > "2026-01-05"', 'item.created_at is a time, "2026-01-05" is text; wri'),
        ('item.created_at > "soon"', 'item.created_at is a time, "soon" is text; write a date'),
        ("item.stock = item.age", "item.stock is a number, item.age is a duration; compare like"),
        ("item.stock BETWEEN 1 AND '5'", 'item.stock is a number, "5" is text; write 5'),
        ("item.brand BETWEEN 1 AND 5", "item.brand is a category, 1 is a number; a category has"),
        ("ctx.x BETWEEN 1 AND 2026-01-01", "1 is a number, 2026-01-01 is a time; compare like"),
        ("item.age BETWEEN 1d AND 5", "item.age is a duration, 5 is a number; write 5d"),
        ("item.stock IN (1, '2')", 'item.stock is a number, "2" is text; write 2'),
        ("item.tags IN ('bio')", 'item.tags is a set; write item.tags HAS ANY ("bio")'),
        ("item.brand IN user.favourite", "user.favourite is a category, not a list; write item.br"),
        ("item.brand IN (user.refused)", "user.refused is a set already; write IN user.refused,"),
        ("item.age IN user.refused", "item.age is a duration, and user.refused holds text or num"),
        ("item.adult IN $flags", "item.adult is a flag, and $flags holds text or numbers"),
        ("$x * 2 IN $many", "$x * 2 is a number, a duration or a time, and nobody knows which"),
        ("$x IN ('tea', $y, TRUE)", '"tea" is text, TRUE is a flag; compare like with like'),
        ("$x IN (3, '4')", '3 is a number, "4" is text; write 4'),
        ("ctx.x * 2 = 'tea'", 'ctx.x * 2 is a number, a duration or a time, "tea" is text; compa'),
        ("-$x < item.brand", "-$x is a number, a duration or a time, item.brand is a category;"),
        ("(ctx.x + 1) STARTS WITH 'x'", "STARTS WITH looks at text, but ctx.x + 1 is a number"),
        ("abs($x) HAS ANY (1)", "HAS looks into a set, but abs($x) is a number, a duration or a"),
        ("item.brand HAS ANY ('Ito')", "HAS looks into a set, but item.brand is a category; wr"),
        ("item.tags HAS ANY (3d)", "a set holds text or numbers, but 3d is a duration"),
        ("item.tags HAS ALL user.favourite", "user.favourite is a category, not a list; write (us"),
        ("item.stock STARTS WITH 'x'", "STARTS WITH looks at text, but item.stock is a number"),
        ("item.tags STARTS WITH 'x'", "STARTS WITH looks at text, but item.tags is a set; write i"),
        ("item.brand * 2 > 3", "item.brand is a category, 2 is a number; numbers can be multipl"),
        ("item.created_at + 3 > ctx.now", "item.created_at is a time, 3 is a number; write 3d"),
        ("3 + item.age > 3d", "3 is a number, item.age is a duration; write 3d"),
        ("-item.brand = 3", "item.brand is a category and has no negative"),
        ("log1p(item.age) > 3", "log1p takes numbers, but item.age is a duration"),
        ("ramp(item.age, 0, 30) > 1", "ramp takes values of one kind, but item.age is a duration"),
        ("decay(item.brand, 3) > 1", "decay takes numbers or durations, but item.brand is a cat"),
        ("ramp(item.created_at, 1d, 3d) > 1", "ramp takes values of one kind, but item.created_at"),
        ("decay(item.created_at, 1d) > 1", "decay takes numbers or durations, but item.created_at"),
    ],
)  # fmt: skip
def test_values_of_different_kinds(condition, problem):
    assert told(f"REQUIRE {condition}").startswith(problem)


@pytest.mark.parametrize(
    ("rule", "instead"),
    [
        ("REQUIRE item.stock", "write item.stock > 0"),
        ("REQUIRE item.brand", 'write item.brand = "..."'),
        ("REQUIRE item.tags", 'write item.tags HAS ANY ("...")'),
        ("EXCLUDE item.created_at", "write item.created_at >= 2026-01-31"),
        ("EXCLUDE NOT item.age", "write item.age <= 30d"),
        ("PIN item.adult OR item.name AT 1", 'write item.name STARTS WITH "..."'),
        ("REQUIRE item.stock + 1", "write item.stock + 1 > 0"),
        ("REQUIRE $x * 2", "write $x * 2 > 0"),
        ("REQUIRE 3", "write a comparison, such as item.stock > 0"),
        ("REQUIRE item.adult WHEN user.age", "write user.age > 0"),
    ],
)
def test_a_value_is_no_condition(rule, instead):
    said = told(rule)
    assert "not a condition" in said
    assert said.endswith(instead)


def test_a_factor_is_a_number():
    assert told("BOOST item.adult BY item.brand").startswith(
        "BOOST ... BY needs a number, but item.brand is a category"
    )
    assert "30d is a duration" in told("BURY item.adult BY 30d")


@pytest.mark.parametrize(
    ("per", "reason"),
    [
        ("item.tags", "an item would be in several groups"),
        ("item.name", "hardly two items share one"),
        ("item.created_at", "hardly two items share one"),
        ("item.age", "hardly two items share one"),
        ("user.favourite", "is the same for all"),
        ("ctx.page", "is the same for all"),
    ],
)
def test_items_are_counted_by_what_makes_groups(per, reason):
    said = told(f"LIMIT 2 PER {per}")
    assert reason in said
    assert said.endswith("item.brand")


# -- WHEN --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "when", "instead"),
    [
        ("EXCLUDE item.adult", "item.stock > 3", "EXCLUDE item.adult AND item.stock > 3"),
        ("EXCLUDE item.adult", "ctx.vip AND item.stock > 3", "EXCLUDE item.adult AND item.stock"),
        ("REQUIRE item.adult", "item.stock > 3", "REQUIRE NOT item.stock > 3 OR item.adult"),
        ("BOOST BY 2", "DID view", "BOOST DID view"),
        ("LIMIT 2 PER item.brand", "DID view", "WHERE DID view"),
        ("PIN item.sponsored AT 1", "item.age IS UNKNOWN", "PIN item.sponsored AND item.age IS U"),
    ],
)
def test_when_cannot_read_the_item(rule, when, instead):
    asked_too_early = replace(parse_rules(rule).rules[0], when=parse_expression(when))
    with pytest.raises(RuleError) as caught:
        check_rules(RuleSet((asked_too_early,)), SCHEMA)
    said = caught.value.problem
    assert "WHEN is decided once per request, before any item is looked at, and cannot" in said
    assert f"move it into the condition: {instead}" in said


def test_conditions_may_read_the_user():
    check_rules(parse_rules("EXCLUDE item.adult AND user.age < 18"), SCHEMA)


# -- places ------------------------------------------------------------------------------------


def test_an_error_points_at_the_place():
    with pytest.raises(RuleError) as caught:
        check_rules(parse_rules('REQUIRE item.adult\nREQUIRE item.stock > "3"'), SCHEMA)
    assert str(caught.value) == (
        'line 2 col 22: item.stock is a number, "3" is text; write 3\n'
        '  REQUIRE item.stock > "3"\n'
        "                       ^"
    )


@pytest.mark.parametrize(
    ("rule", "column"),
    [
        ("REQUIRE item.adult AND item.stok > 0", 24),
        ("LIMIT 2 PER item.tags", 13),
        ("BOOST item.adult BY item.brand", 21),
        ("EXCLUDE item.adult WHEN user.aeg < 3", 25),
        ('REQUIRE "3" < item.stock', 9),
        ("REQUIRE item.stock", 9),
        ("REQUIRE item.stock IN (1, '2')", 27),
    ],
)
def test_every_error_has_its_place(rule, column):
    with pytest.raises(RuleError) as caught:
        check_rules(parse_rules(rule), SCHEMA)
    assert (caught.value.line, caught.value.column) == (1, column)


def test_without_a_text_the_rule_is_named_and_the_expression_shown():
    too_much = Compare(">", Field("item", "adult"), Number(0))
    for name, label in ((None, "rule 2"), ("guard", "guard")):
        rules = RuleSet((Require(where=Field("item", "adult")), Exclude(name=name, where=too_much)))
        with pytest.raises(RuleError) as caught:
            check_rules(rules, SCHEMA)
        assert str(caught.value) == (
            f"{label}, item.adult > 0: item.adult is a flag, 0 is a number; write item.adult"
        )


def test_a_date_that_does_not_exist_is_told():
    with pytest.raises(RuleError, match="there is no date 2026-02-30"):
        check_rules(
            RuleSet(
                (Require(where=Compare(">", Field("item", "created_at"), Moment("2026-02-30"))),)
            ),
            SCHEMA,
        )


def test_long_expressions_are_cut():
    many = " + ".join(["item.brand"] + ["item.stock"] * 30)
    assert len(told(f"REQUIRE {many} > 0")) < 400


# -- the rest ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expression", "kind"),
    [
        ("item.age / 30d", "number"),
        ("item.age / 30", "duration"),
        ("ctx.now - item.created_at", "duration"),
        ("ctx.now - item.age", "time"),
        ("ctx.x - item.created_at", "duration"),
        ("ctx.x * ctx.y", AMOUNT),
        ("2 * ctx.x", AMOUNT),
        ("-ctx.x", AMOUNT),
        ("-ctx.x * ctx.y - 3", "number"),
        ("abs($x)", AMOUNT),
        ("$x", ANY),
        ("item.age * ctx.x", "duration"),
        ("max(ctx.x, item.age)", "duration"),
        ("decay(item.age, 30d)", "number"),
        ("item.stock > 3", "flag"),
        ("item.id", "id"),
    ],
)
def test_the_kind_of_an_expression(expression, kind):
    assert kind_of(parse_expression(expression), SCHEMA) == kind


def test_the_first_of_several_mistakes_is_told():
    assert "item.stok" in told("REQUIRE item.stok > 0; REQUIRE item.prise > 0")


def test_checking_looks_at_no_value(monkeypatch):
    monkeypatch.setattr(RuleSchema, "facts", None)
    monkeypatch.setattr(np, "isnan", None)
    check_rules(parse_rules(EIGHT), SCHEMA)


def test_text_and_numbers_are_told_apart_where_the_values_are_known():
    shelf = pd.DataFrame({
        "item_id": ["tea"], "brand": ["Moss"], "size": ["36"], "tags": [["new", "hot"]],
        "maker": pd.Categorical([7]),
    })  # fmt: skip
    schema = RuleSchema.of(Dataset.from_frames([Event("anna", "tea")], items=shelf))
    assert told("REQUIRE item.brand = 3", schema) == (
        "item.brand holds text, such as 'Moss', and 3 is a number; write \"3\""
    )
    assert "3 is a number" in told('REQUIRE item.brand IN ("Moss", 3)', schema)
    assert "3 is a number" in told("REQUIRE item.tags HAS ANY (3)", schema)
    assert told('REQUIRE "seven" = item.maker', schema) == (
        'item.maker holds numbers, such as 7, and "seven" is text; write a number, such as 7'
    )
    for fitting in ('item.brand = "Iris"', "item.maker = 8", 'item.size = "37"'):
        check_rules(parse_rules(f"REQUIRE {fitting}"), schema)
