"""What people mistype: the error points at the place and says what to write."""

import pytest

from recopersona.datasets.synthetic import synthetic_shop
from recopersona.errors import RuleError
from recopersona.models.popularity import Popularity
from recopersona.pipeline.pipeline import Pipeline
from recopersona.rules import Exclude, RuleSet, item, user
from recopersona.rules.checks.checking import check_rules
from recopersona.rules.checks.schema import RuleSchema
from recopersona.rules.text.parsing import parse_rules

SHOP = synthetic_shop(30, 20)
SCHEMA = RuleSchema.of(SHOP)


def problem_of(text):
    with pytest.raises(RuleError) as caught:
        check_rules(parse_rules(text), SCHEMA)
    return caught.value


# Each text has one mistake, marked by ⟦ ⟧ : there the error must point, and give this advice.
MISTAKES = {
    # unknown fields
    "REQUIRE ⟦item.stok⟧ > 0": "unknown field item.stok; did you mean item.stock?",
    "RULE cap:\n  LIMIT 2 PER ⟦item.brnd⟧ IN TOP 10": "did you mean item.brand?",
    'EXCLUDE item.adult WHEN ⟦user.contry⟧ = "DE"': "did you mean user.country?",
    "BOOST BY 1 + ⟦item.pirce⟧": "did you mean item.price?",
    "REQUIRE ⟦itme.price⟧ > 3": "did you mean 'item.price'?",
    "REQUIRE ⟦stock⟧ > 0": "item.stock for a field",
    # type mismatches
    'REQUIRE item.stock > ⟦"ten"⟧': "write a number without quotes",
    "REQUIRE item.adult = ⟦1⟧": "item.adult is a flag, 1 is a number; write item.adult",
    "REQUIRE ⟦item.stock⟧": "not a condition; write item.stock > 0",
    "REQUIRE item.age < ⟦30⟧": "write 30d",
    "REQUIRE item.created_at > ⟦30d⟧": "write item.age > 30d",
    "REQUIRE item.brand > ⟦3⟧": "a category has no order",
    "LIMIT 2 PER ⟦user.country⟧": "write a field of the item, such as item.brand",
    # brackets
    "REQUIRE ⟦(⟧item.stock > 0": "this bracket is never closed; write ) where it ends",
    "REQUIRE item.stock > 0⟦)⟧": "this bracket closes none; delete it",
    "REQUIRE ⟦(⟧(item.stock > 0) AND (item.price < 3)": "never closed",
    'REQUIRE item.brand IN ⟦(⟧"Larch", "Moss"': "never closed",
    "REQUIRE " + "(" * 32 + "⟦(⟧" + "(" * 167 + "item.adult" + ")" * 200: (
        "brackets may be nested 32 deep, got more"
    ),
    # other languages
    "REQUIRE item.stock ⟦==⟧ 0": "write =.",
    "REQUIRE item.stock ⟦<>⟧ 0": "write !=.",
    "REQUIRE item.stock > 0 ⟦&&⟧ item.price < 3": "write AND.",
    "REQUIRE item.stock > 0 ⟦||⟧ item.price < 3": "write OR.",
    "REQUIRE ⟦!⟧item.adult": "write NOT.",
    "REQUIRE item.stock ⟦≥⟧ 3": "write >=.",
    "REQUIRE 1 < item.stock ⟦<⟧ 3": "write a < x AND x < b, or x BETWEEN a AND b",
    'REQUIRE item.brand ⟦LIKE⟧ "La%"': "write STARTS WITH",
    "REQUIRE item.stock > ⟦NULL⟧": "write item.x IS UNKNOWN",
    "REQUIRE item.price < 20⟦,⟧50": "decimals stand after a dot; write 20.50",
    "REQUIRE item.price > 3⟦,⟧ item.stock > 0": "conditions are joined by AND or OR",
    "REQUIRE item.brand IS ⟦NULL⟧": "write UNKNOWN.",
    "⟦SHOW⟧ item.stock > 0": "write REQUIRE.",
    "⟦in_stock⟧: REQUIRE item.stock > 0": "write RULE in_stock:",
    "RULE in ⟦stock⟧: REQUIRE item.stock > 0": 'stands in quotes, as RULE "in stock":',
    "EXCLUDE DID purchase WITHIN ⟦90⟧ days": "write 90d.",
    "EXCLUDE DID purchase ⟦twice⟧": "write AT LEAST 2 TIMES",
    "PIN item.sponsored AT ⟦slot⟧ 3": "write 3.",
    "LIMIT 2 PER ⟦brand⟧": "got 'brand'; write item.brand.",
    # quotes and letters
    "REQUIRE item.brand = ⟦“⟧Larch”": "quotes are straight, got “; write \"text\" or 'text'",
    "REQUIRE item.brand = ⟦‘⟧Larch’": "quotes are straight",  # noqa: RUF001
    'REQUIRE item.brand = ⟦"⟧Larch': "this text has no end",
    "REQUIRE item.brand = ⟦Larch⟧": 'write "Larch" for a text',
    "REQUIRE item.gr⟦ö⟧ße > 3": 'write it in quotes: item."größe"',
    "RULE gr⟦ö⟧ße: REQUIRE item.stock > 3": 'write it in quotes: "größe"',
    # dates
    "BOOST BY 2 DURING ⟦2026-02-30⟧..2026-03-31": "there is no 2026-02-30",
    "REQUIRE item.created_at > ⟦2026-13-01⟧": "there is no 2026-13-01",
    "BOOST BY 2 DURING ⟦2026-07-31⟧..2026-07-01": "write the earlier one first",
    'TIMEZONE ⟦"⟧Europe/Berln"\nREQUIRE item.stock > 0': "did you mean 'Europe/Berlin'?",
    # what WHEN cannot know
    "EXCLUDE item.adult WHEN ⟦item.stock⟧ > 3": "EXCLUDE item.adult AND item.stock > 3",
    "EXCLUDE item.adult WHEN ⟦DID⟧ purchase": "EXCLUDE item.adult AND DID purchase",
    # key words
    "⟦REQUIR⟧ item.stock > 0": "did you mean 'REQUIRE'?",
    "REQUIRE item.stock > 0 ⟦WEHN⟧ user.age < 30": "did you mean 'WHEN'?",
    "EXCLUDE DID ⟦bought⟧": "there are impression, click, view",
    "EXCLUDE DID purchase WITHIN ⟦90⟧": "expected a duration such as 90d",
    "PIN item.sponsored AT ⟦0⟧": "a slot, counted from 1",
    "⟦LIMIT⟧ 2": "LIMIT needs PER, WHERE or both",
}


@pytest.mark.parametrize("marked", MISTAKES)
def test_a_mistake_is_pointed_at_and_advice_given(marked):
    before, rest = marked.split("⟦")
    text = before + rest.replace("⟧", "", 1)
    problem = problem_of(text)
    assert MISTAKES[marked] in problem.problem
    line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
    assert (problem.line, problem.column) == (line, column)
    shown = str(problem).splitlines()
    assert shown[0] == f"line {line} col {column}: {problem.problem}"
    assert shown[2].strip() == "^"
    marker = shown[2].index("^")
    assert shown[1][marker] == text.splitlines()[line - 1][column - 1]


def test_a_mistake_far_right_is_shown_with_what_stands_around_it():
    problem = problem_of(
        "REQUIRE item.stock > 0" + " AND item.stock > 0" * 100 + " AND item.stok > 0"
    )
    line, marker = str(problem).splitlines()[1:]
    assert line[marker.index("^") :].startswith("item.stok > 0")
    assert len(line) < 200


@pytest.mark.parametrize("given", [None, 3, b"REQUIRE item.stock > 0", ["REQUIRE item.stock > 0"]])
def test_what_is_no_text_is_refused(given):
    with pytest.raises(RuleError, match=r"text"):
        parse_rules(given)


def test_too_much_text_and_too_many_rules_are_refused():
    rule = "REQUIRE item.stock > 0\n"
    with pytest.raises(RuleError, match=r"64 KiB|65,536"):
        parse_rules("#" * 65_537)
    with pytest.raises(RuleError, match=r"64 KiB|65,536"):
        parse_rules("#" + "ü" * 32_768)
    assert len(parse_rules(rule * 256).rules) == 256
    with pytest.raises(RuleError, match="at most 256 rules"):
        parse_rules(rule * 257)


def test_a_pipeline_points_into_the_text_it_was_given():
    home = Pipeline(
        candidates=[Popularity()], rules="REQUIRE item.stock > 0\nLIMIT 2 PER item.brnd"
    )
    with pytest.raises(RuleError, match=r"line 2 col 13: unknown field item.brnd; did you mean"):
        home.fit(SHOP)


def test_what_came_from_no_text_is_named_by_its_rule():
    given = {"rule": "cap", "action": "limit", "n": 2, "per": "item.brnd"}
    with pytest.raises(RuleError, match=r"cap: unknown field item.brnd; did you mean item.brand"):
        RuleSet.from_json(given).check(SCHEMA)
    with pytest.raises(RuleError, match=r"no item is known yet"):
        RuleSet(Exclude(item.adult, when=item.stock > 3, name="guard")).check(SCHEMA)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: (item.stock > 0) and (item.price < 3),
        lambda: 0 < item.stock < 3,
        lambda: not item.adult,
        lambda: item.brand in ["Larch", "Moss"],
    ],
    ids=["and", "a chain", "not", "in"],
)
def test_python_that_would_mean_something_else_is_refused(wrong):
    with pytest.raises(RuleError, match=r"write & \| ~|x\.between|x\.is_in"):
        wrong()


def test_a_rule_for_children_compares_numbers():
    with pytest.raises(RuleError, match="text cannot be ordered"):
        Exclude(item.adult, when=user.age < "eighteen")
