"""Sets of rules: how they come together, and what can be asked of them."""

from __future__ import annotations

import copy
import pickle
from datetime import timedelta

import numpy as np
import pytest

from recopersona.data.ids import IdMap
from recopersona.data.ranking import Ranking
from recopersona.errors import DataError, RuleError
from recopersona.rules import (
    Boost,
    Require,
    RuleSet,
    item,
    param,
)  # fmt: skip
from recopersona.rules.checks.schema import RuleSchema
from tests.rules.eight import PYTHON
from tests.rules.eight import TEXT as EIGHT

IN_PYTHON = list(PYTHON)


def test_text_python_and_json_are_one_set():
    rules = RuleSet(EIGHT)
    assert rules == RuleSet(IN_PYTHON) == RuleSet.from_json(RuleSet(IN_PYTHON).to_json())
    assert RuleSet(rules.to_text()) == rules == RuleSet.parse(EIGHT)
    assert hash(rules) == hash(RuleSet(IN_PYTHON))


def test_parts_may_be_of_any_form():
    mixed = RuleSet(["REQUIRE item.stock > 0", RuleSet(IN_PYTHON[1]), IN_PYTHON[2]])
    assert mixed == RuleSet("REQUIRE item.stock > 0") + IN_PYTHON[1] + [IN_PYTHON[2]]
    assert IN_PYTHON[:1] + RuleSet(IN_PYTHON[1:]) == RuleSet(IN_PYTHON)
    assert RuleSet(rule for rule in IN_PYTHON) == RuleSet(EIGHT)
    assert len(RuleSet()) == len(RuleSet("")) == 0


def test_a_set_is_a_sequence_with_names():
    rules = RuleSet("REQUIRE item.stock > 0") + RuleSet(EIGHT)["sponsor"]
    assert rules.labels == ("rule 1", "sponsor")
    assert rules[0] is rules["rule 1"]
    assert rules[-1] is rules["sponsor"] is list(rules)[1]
    assert rules[:1] == RuleSet("REQUIRE item.stock > 0")
    assert "sponsor" in rules
    assert rules[0] in rules
    assert "sponsors" not in rules
    with pytest.raises(RuleError, match="did you mean 'sponsor'"):
        rules["sponsors"]
    with pytest.raises(IndexError):
        rules[2]


def test_it_shows_itself():
    rules = RuleSet("REQUIRE item.brand = '<b>'") + RuleSet(EIGHT)
    assert repr(rules).startswith("RuleSet(9 rules: rule 1, in_stock")
    assert repr(RuleSet()) == "RuleSet(0 rules)"
    assert str(rules) == rules.to_text()
    html = rules._repr_html_()
    assert "&lt;b&gt;" in html
    assert "<b>" not in html
    assert html.count("<tr>") == 10


def test_it_can_be_copied_and_kept():
    rules = RuleSet(EIGHT)
    for other in (pickle.loads(pickle.dumps(rules)), copy.deepcopy(rules), copy.copy(rules)):  # noqa: S301
        assert other == rules
        assert other.text == rules.text
    with pytest.raises(AttributeError):
        rules.timezone = "Europe/Berlin"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (3, "expected rules as text"),
        (None, "expected rules as text"),
        (item.stock > 0, "write Require"),
        ([item.stock > 0], "expected rules as text"),
        ({"rules": []}, "RuleSet.from_json"),
        ([[Require(item.x)]], "expected rules as text"),
        (b"REQUIRE item.x", "expected rules as text"),
        ([Require(item.x, name="a"), Require(item.y, name="a")], "two rules are called 'a'"),
        ([Require(item.x)] * 257, "at most 256 rules"),
        ([Require(item.brand == "x" * 1_000)] * 70, "65,536 bytes"),
    ],
)
def test_what_is_no_set_is_refused(given, said):
    with pytest.raises(RuleError, match=said):
        RuleSet(given)


def test_two_rules_of_one_name_cannot_join():
    with pytest.raises(RuleError, match="two rules are called 'sponsor'"):
        RuleSet(EIGHT) + RuleSet(EIGHT)["sponsor"]


def test_a_text_without_blanks_is_kept_as_it_is_where_ours_would_be_too_long():
    terse = f"REQUIRE item.x IN (1{',1' * 32_000})"
    rules = RuleSet(terse)
    assert len(terse) < 65_536
    assert rules.to_text() == terse
    with pytest.raises(RuleError, match="65,536 bytes"):
        RuleSet.for_segment("vip", rules)


def test_a_set_that_is_too_much_for_a_text_is_none():
    many = RuleSet(Require(item.x.is_in(range(3_000))))
    with pytest.raises(RuleError, match="65,536 bytes"):
        RuleSet([*many] * 5)
    deep = item.x + item.y
    for _ in range(8):
        deep = deep + deep
    with pytest.raises(RuleError, match="4,000 operations"):
        RuleSet([Require(deep > 0)] * 12)


# -- time zones --------------------------------------------------------------------------------

DATED = "BOOST BY 2 DURING 2026-07-01..2026-07-31"
BERLIN = f'TIMEZONE "Europe/Berlin"\n{DATED}'


def test_a_set_has_one_time_zone():
    assert RuleSet(BERLIN).timezone == "Europe/Berlin"
    assert RuleSet(DATED, timezone="Europe/Berlin") == RuleSet(BERLIN)
    assert RuleSet(DATED).timezone == "UTC"
    assert (RuleSet(BERLIN) + "REQUIRE item.x").timezone == "Europe/Berlin"
    assert (RuleSet("REQUIRE item.x") + RuleSet(BERLIN)).timezone == "Europe/Berlin"
    assert RuleSet([BERLIN, Boost(by=2, during=("2026-07-01", None))]).timezone == "Europe/Berlin"
    assert RuleSet(BERLIN)[:].timezone == "Europe/Berlin"


def test_dates_of_two_time_zones_do_not_mix():
    with pytest.raises(RuleError, match="several time zones: Europe/Berlin, UTC"):
        RuleSet(BERLIN) + RuleSet(DATED)
    with pytest.raises(RuleError, match="several time zones"):
        RuleSet(BERLIN, timezone="Europe/Paris")
    with pytest.raises(RuleError, match="several time zones"):
        RuleSet(RuleSet(DATED), timezone="Europe/Paris")
    exact = "BOOST BY 2 DURING 2026-07-01T00:00Z..2026-07-31T00:00+02:00"
    assert (RuleSet(BERLIN) + exact).timezone == "Europe/Berlin"


@pytest.mark.parametrize("zone", ["Europe/Berln", "../../etc/passwd", "Europe", 3, "\x00"])
def test_a_time_zone_must_exist(zone):
    with pytest.raises(RuleError, match="time zone"):
        RuleSet("REQUIRE item.x", timezone=zone)


# -- files -------------------------------------------------------------------------------------


def test_files_are_read_by_their_name(tmp_path):
    rules = RuleSet(EIGHT)
    (tmp_path / "shop.rules").write_text("\ufeff" + EIGHT, encoding="utf-8")
    (tmp_path / "shop.JSON").write_text(rules.to_json(), encoding="utf-8")
    assert RuleSet.read(tmp_path / "shop.rules") == rules
    assert RuleSet.read(str(tmp_path / "shop.JSON")) == rules


def test_errors_name_the_file(tmp_path):
    bad = tmp_path / "shop.rules"
    bad.write_text("REQUIRE item.stock >")
    with pytest.raises(RuleError, match=r"shop.rules: line 1 col") as caught:
        RuleSet.read(bad)
    assert caught.value.line == 1
    bad.write_bytes(b"\xff\xff")
    with pytest.raises(RuleError, match=r"shop.rules: .*UTF-8"):
        RuleSet.read(bad)
    bad.write_text(" " * 70_000)
    with pytest.raises(RuleError, match=r"shop.rules: .*65,536"):
        RuleSet.read(bad)
    for path in (tmp_path / "none", tmp_path, "\x00"):
        with pytest.raises(RuleError, match="cannot be read"):
            RuleSet.read(path)
    with pytest.raises(RuleError, match="path"):
        RuleSet.read(3)


# -- parameters --------------------------------------------------------------------------------


def test_parameters_become_what_would_stand_there():
    rules = RuleSet(
        "REQUIRE item.margin >= $floor AND item.age < $old AND item.brand IN $brands "
        "AND item.brand != $floor2; BOOST BY $factor WHEN ctx.page = $page"
    )
    assert rules.params == ("floor", "old", "brands", "floor2", "factor", "page")
    part = rules.with_params(floor=0.2, brands=["a", "b"])
    assert part.params == ("old", "floor2", "factor", "page")
    whole = part.with_params(old="30d", floor2="30d", factor=2, page="cart")
    assert whole == RuleSet(
        "REQUIRE item.margin >= 0.2 AND item.age < 30d AND item.brand IN ('a', 'b') "
        "AND item.brand != '30d'; BOOST BY 2 WHEN ctx.page = 'cart'"
    )
    aged = RuleSet(Require(item.age == param("old")))
    assert aged.with_params(old=timedelta(days=30)) == RuleSet("REQUIRE item.age = 30d")
    assert RuleSet("REQUIRE item.x > -$a").with_params(a=3) == RuleSet("REQUIRE item.x > -3")
    assert RuleSet(Require(item.x.has_any(param("a")))).with_params(a=["x"]).params == ()


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"flor": 1}, r"\$flor.*did you mean 'floor'"),
        ({"floor": None}, r"\$floor: .*missing value"),
        ({"floor": float("nan")}, r"\$floor: .*missing value"),
        ({"floor": "tea"}, r"\$floor: text cannot be ordered"),
        ({"floor": [1]}, r"\$floor stands for one value"),
        ({"brands": "a"}, r"\$brands: expected a list"),
        ({"brands": []}, r"\$brands: .*at least one"),
    ],
)
def test_a_value_must_fit_its_place(values, said):
    rules = RuleSet(Require((item.x >= param("floor")) & item.brand.is_in(param("brands"))))
    with pytest.raises(RuleError, match=said):
        rules.with_params(**values)


# -- what rules did ------------------------------------------------------------------------------


class _Account:
    """Stands for the rules of one request."""

    def touched(self, ranking):
        return [(1, "sponsor", "pinned to slot 2"), (0, "sale", "boosted x1.3")]

    def hid(self, ranking, item):
        return ("in_stock", "left out") if item == 2 else None


def _ranking(account):
    from dataclasses import replace

    ids = IdMap(["tea", "honey", "salt", "oil", "jam"])
    return replace(Ranking.of([0, 1, 4], [3, 2, 1], ids, "Popularity"), account=account)


def test_explain_says_what_touched_the_items_shown():
    frame = RuleSet(EIGHT).explain(_ranking(_Account()))
    assert frame.to_dict("list") == {
        "item_id": ["tea", "honey"],
        "rank": [1, 2],
        "rule": ["sale", "sponsor"],
        "effect": ["boosted x1.3", "pinned to slot 2"],
    }


def test_explain_says_what_hid_an_item():
    rules, ranking = RuleSet(EIGHT), _ranking(_Account())
    assert rules.explain(ranking, "salt").loc[0, ["rule", "effect"]].tolist() == [
        "in_stock", "left out",
    ]  # fmt: skip
    assert rules.explain(ranking, "salt")["rank"].isna().all()
    assert "score was too low" in rules.explain(ranking, "oil").loc[0, "effect"]
    assert rules.explain(ranking, "honey")["rule"].tolist() == ["sponsor"]
    assert rules.explain(ranking, "jam").loc[0, "effect"] == "no rule touched it"
    with pytest.raises(DataError, match="does not hold 'gold'"):
        rules.explain(ranking, "gold")
    with pytest.raises(RuleError, match="not made under rules"):
        rules.explain(_ranking(None))
    assert rules.explain(_ranking(_Account()).take(np.array([], dtype=int)), "salt").shape == (1, 4)


# -- what they mean for a shop -------------------------------------------------------------------


def test_check_and_lint_ask_those_who_know_the_shop():
    schema = RuleSchema(item={"stock": "number"})
    RuleSet("REQUIRE item.stock > 0").check(schema)
    with pytest.raises(RuleError, match=r"line 1 col 9: .*did you mean item\.stock"):
        RuleSet("REQUIRE item.stok > 0").check(schema)
    with pytest.raises(RuleError, match="did you mean"):
        RuleSet(Require(item.stok > 0)).check(schema)
    assert RuleSet("REQUIRE item.stock > 0").lint(schema).empty
    past = RuleSet("BOOST item.stock > 0 BY 2 DURING ..2020-01-01").lint(schema, now="2026-01-01")
    assert past["rule"].tolist() == ["rule 1"]


def test_an_error_points_into_the_text_after_parameters_are_set_and_in_a_strategy():
    schema = RuleSchema(item={"stock": "number"}, user={"segment": "category"})
    rules = RuleSet("REQUIRE item.stock > 0;\nREQUIRE item.stok > $least")
    for one in (rules.with_params(least=3), RuleSet.for_segment("vip", rules), rules[1:]):
        with pytest.raises(RuleError, match="line 2 col 9"):
            one.check(schema)


def test_a_parameter_may_have_any_name():
    assert RuleSet("REQUIRE item.x > $self").with_params(self=3) == RuleSet("REQUIRE item.x > 3")


def test_no_name_is_what_reports_call_another_rule():
    with pytest.raises(RuleError, match="two rules are called 'rule 2'"):
        RuleSet('RULE "rule 2": REQUIRE item.x; REQUIRE item.y')


@pytest.mark.parametrize("part", ["itemope.", "a/", "item", "\0"])
def test_a_time_zone_of_many_parts_is_looked_up_nowhere(part):
    with pytest.raises(RuleError, match="unknown time zone"):
        RuleSet((), timezone="Europe/" + part * 2_000 + "a")
