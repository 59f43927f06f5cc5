import numpy as np
import pandas as pd
import pytest

from recopersona.data.dataset import Dataset
from recopersona.data.event import Event
from recopersona.errors import ParameterError, RuleError
from recopersona.rules import RuleSet
from recopersona.rules.checks.schema import RuleSchema
from recopersona.rules.lint.linting import lint_rules
from recopersona.rules.nodes import Ensure, Flag, Percent, Require
from tests.rules.eight import TEXT as EIGHT

END = "2026-07-20"


def made_up_shop(**columns):
    """Return 60 items of which everything is known, but for what is given."""
    rng = np.random.default_rng(7)
    items = {
        "item_id": [f"sku-{row}" for row in range(60)],
        "stock": np.arange(60) % 5,
        "discount": np.arange(60) % 4 / 10,  # 0 to 0.3
        "price": 3 + np.arange(60.0),  # 3 to 62
        "brand": np.array(["Ito", "Kew", "Sol"])[np.arange(60) % 3],
        "size": np.arange(60) % 3 + 37,
        "tags": [["bio"] if row % 2 else ["bio", "vegan"] for row in range(60)],
        "adult": np.arange(60) % 7 == 0,
        "sponsored": np.arange(60) % 9 == 0,
        "created_at": pd.Timestamp("2026-01-01") + pd.to_timedelta(np.arange(60) * 3, "D"),
        "sure": rng.random(60),
    }
    users = {
        "user_id": ["anna", "ben", "cleo"],
        "age": [15, None, 40],
        "price_lo": [1, 2, 3],
        "price_hi": [10, 20, 30],
        "segment": ["vip", "new", "vip"],
    }
    frame = pd.DataFrame(items | columns)
    frame["size"] = frame["size"].astype("category")
    event = Event("anna", "sku-1", "view", timestamp=END)
    return Dataset.from_frames([event], items=frame, users=pd.DataFrame(users), now="2026-12-31")


SHOP = made_up_shop()
KINDS = RuleSchema(item=RuleSchema.of(SHOP).item, user=RuleSchema.of(SHOP).user)


def problems(text, shop=SHOP, **given):
    return lint_rules(RuleSet(text), shop, **given).problem.tolist()


def found(text, words, shop=SHOP, **given):
    """Return the only problem that has some words."""
    told = [problem for problem in problems(text, shop, **given) if words in problem]
    assert len(told) <= 1, told
    return bool(told)


# -- the frame ---------------------------------------------------------------------------------


def test_of_the_eight_rules_nothing_is_told():
    assert problems(EIGHT) == []
    assert problems(EIGHT, KINDS) == []


def test_of_the_eight_rules_what_time_has_overtaken_is_told():
    late = lint_rules(RuleSet(EIGHT), SHOP, now="2026-09-01")
    assert late.rule.tolist() == ["summer_sale", "fresh_share"]
    assert late.line.tolist() == [4, 7]
    assert late.problem.tolist() == [
        "DURING ended on 2026-07-31, and it is 2026-09-01",
        "item.age <= 30d is never true: item.age is 66d to 243d in the data",
    ]


def test_of_the_eight_rules_unknown_flags_are_told():
    unsure = made_up_shop(adult=[None, *[False] * 59])
    assert problems(EIGHT, unsure) == ["1 item whose item.adult is unknown is not left out"]


def test_rules_without_a_text_have_no_lines():
    frame = lint_rules(RuleSet([Require(where=Flag(False), name="none")]), SHOP)
    assert list(frame.columns) == ["rule", "problem", "advice"]
    assert frame.rule.tolist() == ["none"]
    assert list(lint_rules(RuleSet([]), SHOP).columns) == ["rule", "problem", "advice"]
    assert list(lint_rules(RuleSet(EIGHT), SHOP).columns) == ["rule", "problem", "advice", "line"]


def test_findings_stand_in_the_order_of_the_rules():
    frame = lint_rules(RuleSet("PIN item.adult AT 11; REQUIRE FALSE;\nBOOST BY 1"), SHOP)
    assert frame.rule.tolist() == ["rule 1", "rule 2", "rule 3"]
    assert frame.line.tolist() == [1, 1, 2]
    assert (frame.advice.str.len() > 0).all()


def test_rules_that_do_not_fit_are_refused():
    with pytest.raises(RuleError, match=r"did you mean item\.stock"):
        lint_rules(RuleSet("REQUIRE item.stok > 0"), SHOP)
    with pytest.raises(ParameterError, match="lint: n must be an integer of at least 1, got 0"):
        lint_rules(RuleSet(EIGHT), SHOP, n=0)


def test_a_rule_set_lints_and_checks_itself():
    rules = RuleSet("REQUIRE FALSE")
    rules.check(SHOP)
    pd.testing.assert_frame_equal(rules.lint(SHOP), lint_rules(rules, SHOP))


# -- never and always --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "condition",
    [
        "FALSE",
        "1 > 2",
        "NOT 3 IN (1, 2, 3)",
        "5 BETWEEN 20% * 10 AND 1",
        "item.price > 5 AND item.price < 3",
        "item.price > 5 AND item.price <= 5",
        "5 < item.price AND NOT item.price > 5",
        "item.price BETWEEN 5 AND 3",
        "item.price = 5 AND item.price != 5",
        "item.price IN (1, 2) AND item.price > 2",
        "item.stock > 3 AND (item.stock < 2 OR item.stock BETWEEN 0 AND 1)",
        'item.brand = "Ito" AND item.brand = "Kew"',
        'item.brand IN ("Ito", "Kew") AND item.brand NOT IN ("Kew", "Ito", "Sol")',
        "item.adult AND NOT item.adult",
        "item.adult AND item.adult = FALSE",
        'item.tags HAS ALL ("bio", "vegan") AND item.tags HAS NONE ("vegan")',
        'item.tags HAS ANY ("bio") AND NOT item.tags HAS ANY ("bio", "vegan")',
        "item.age < 3d AND item.age > 4w",
        "item.created_at > 2026-02-01 AND item.created_at < 2026-01-01",
        "item.stock > 0 AND item.stock IS UNKNOWN",
        "item.price * 2 > 10 AND item.price * 2 < 10",
        "item.price < user.price_lo AND item.price > user.price_lo",
        "DID view AND NOT DID view",
    ],
)
def test_never_true(condition):
    assert found(f"BOOST {condition} BY 2", "is never true, so the rule does nothing", KINDS)
    assert found(f"REQUIRE {condition}", "is never true, so nothing is shown", KINDS)
    assert found(f"EXCLUDE NOT ({condition})", "so nothing is shown", KINDS)


@pytest.mark.parametrize(
    "condition",
    [
        "item.price > 5 AND item.price < 7",
        "item.price >= 5 AND item.price <= 5",
        "item.price > 5 AND item.stock < 3",
        "item.price > 5 OR item.price < 3",
        "item.price BETWEEN 5 AND 5",
        'item.brand IN ("Ito", "Kew") AND item.brand != "Ito"',
        'item.tags HAS ANY ("bio", "vegan") AND item.tags HAS NONE ("vegan")',
        'item.tags HAS ALL ("bio", "vegan") AND NOT item.tags HAS ALL ("bio", "hot")',
        "item.stock > 0 OR item.stock IS UNKNOWN",
        "item.price * 2 > 10 AND item.price * 3 < 10",
        "DID view AND NOT DID view WITHIN 3d",
        "item.price < ctx.x AND item.price > ctx.y",
        "item.created_at > 2026-02-01T12:00+02:00 AND item.created_at < 2026-02-01T11:00Z",
    ],
)
def test_not_never_true(condition):
    assert problems(f"BOOST {condition} BY 2", KINDS) == []


@pytest.mark.parametrize(
    ("rule", "problem"),
    [
        ("REQUIRE TRUE", "TRUE is always true, so nothing is left out"),
        ("EXCLUDE 2 > 1", "2 > 1 is always true, so nothing is shown"),
        (
            "BOOST item.stock IS UNKNOWN OR item.stock IS NOT UNKNOWN BY 2",
            "item.stock IS UNKNOWN OR item.stock IS NOT UNKNOWN is always true, so it says nothing",
        ),
        (
            "REQUIRE item.stock > 3 OR item.stock <= 3",
            "item.stock > 3 OR item.stock <= 3 is true of every item of which it is known, so only "
            "the unknown are left out",
        ),
        (
            "REQUIRE item.stock > 3 OR item.stock < 4 IF UNKNOWN SKIP",
            "item.stock > 3 OR item.stock < 4 is true of every item of which it is known, so "
            "nothing is left out",
        ),
        (
            "EXCLUDE item.adult OR NOT item.adult",
            "item.adult OR NOT item.adult is true of every item of which it is known, so nothing "
            "is shown",
        ),
    ],
)
def test_always_true(rule, problem):
    assert problems(rule, KINDS) == [problem]


@pytest.mark.parametrize(
    "rule",
    ["REQUIRE item.stock > 3 OR item.stock < 3", "REQUIRE item.adult OR item.sponsored"],
)
def test_not_always_true(rule):
    assert problems(rule, KINDS) == []


def test_what_is_meant_by_always_true_is_written_out():
    frame = lint_rules(RuleSet("REQUIRE item.stock > 3 OR item.stock <= 3"), KINDS)
    assert frame.advice[0] == "write item.stock IS NOT UNKNOWN"


def test_when_is_never_or_always_true():
    never = "REQUIRE item.adult WHEN user.age < 3 AND user.age > 5 IF UNKNOWN SKIP"
    assert found(never, "WHEN user.age < 3 AND user.age > 5 is never true")
    always = "REQUIRE item.adult WHEN user.age < 5 OR user.age > 3 IF UNKNOWN SKIP"
    assert found(always, "WHEN user.age < 5 OR user.age > 3 is always true")
    assert problems("REQUIRE item.adult WHEN user.age < 3 OR user.age > 5 IF UNKNOWN SKIP") == []


# -- filters together --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "rules",
    [
        "REQUIRE item.price > 40; REQUIRE item.adult; REQUIRE item.price < 30",
        "REQUIRE item.stock > 2; REQUIRE item.adult; EXCLUDE item.stock > 1",
        "REQUIRE DID view; REQUIRE item.adult; EXCLUDE DID view",
        # with a WHEN, what is unknown governs the WHEN alone
        "REQUIRE item.stock < 3; REQUIRE item.adult; REQUIRE item.stock > 3 WHEN seed.adult IF "
        "UNKNOWN SKIP",
        "REQUIRE item.price < 30; REQUIRE item.price > 40; REQUIRE item.adult WHEN seed.adult IF "
        "UNKNOWN SKIP",
        'REQUIRE item.brand = "Ito"; REQUIRE item.adult; EXCLUDE item.brand = "Ito" WHEN seed.adult'
        " IF UNKNOWN SKIP",
    ],
)
def test_filters_that_leave_nothing(rules):
    frame = lint_rules(RuleSet(rules), SHOP)
    assert frame.problem.tolist() == ["together with rule 1 it leaves no item"]


@pytest.mark.parametrize(
    "rules",
    [
        "REQUIRE item.price > 30; REQUIRE item.adult; REQUIRE item.price < 40",
        # an exclusion keeps the unknown, and so does a requirement that says so
        "REQUIRE item.stock > 2 IF UNKNOWN SKIP; EXCLUDE item.stock > 1 IF UNKNOWN SKIP",
        # they never meet
        "REQUIRE item.price > 40 WHEN seed.adult; REQUIRE item.price < 30 WHEN NOT seed.adult",
        "REQUIRE item.price > 40 DURING 2026-08-01..2026-08-05; REQUIRE item.price < 30 DURING "
        "2026-08-07..2026-08-09",
    ],
)
def test_filters_that_leave_something(rules):
    assert found(rules, "leaves no item", KINDS) is False


def test_with_a_when_the_unknown_are_treated_as_ever():
    kept = "REQUIRE item.stock IS UNKNOWN; EXCLUDE item.stock > 1 WHEN seed.adult IF UNKNOWN APPLY"
    assert problems(kept, KINDS) == []
    dropped = (
        "REQUIRE item.stock IS UNKNOWN; REQUIRE item.stock > 1 WHEN seed.adult IF UNKNOWN SKIP"
    )
    assert found(dropped, "leaves no item", KINDS)
    without = "REQUIRE item.stock IS UNKNOWN; EXCLUDE item.stock > 1 IF UNKNOWN APPLY"
    assert found(without, "leaves no item", KINDS)


def test_all_filters_that_are_needed_to_leave_nothing_are_named():
    text = """
    RULE a: REQUIRE item.brand IN ("Ito", "Kew")
    RULE b: EXCLUDE item.adult
    RULE c: REQUIRE item.brand IN ("Ito", "Sol")
    RULE d: REQUIRE item.brand IN ("Kew", "Sol")
    RULE e: REQUIRE item.stock > 1
    """
    assert problems(text) == ["together with a, c it leaves no item"]


def test_filters_are_judged_by_what_the_data_hold():
    rules = "REQUIRE item.price > 50; REQUIRE item.price IS UNKNOWN OR item.price < 50"
    assert found(rules, "leaves no item")
    unsure = made_up_shop(price=[None, *range(59)])
    assert problems("REQUIRE item.price > 50 IF UNKNOWN SKIP; REQUIRE item.price < 50", unsure) == [
        "together with rule 1 it leaves no item"
    ]
    two = "REQUIRE item.price > 50 IF UNKNOWN SKIP; REQUIRE item.price < 50 IF UNKNOWN SKIP"
    assert problems(two, unsure) == []
    assert found(two, "leaves no item", SHOP)  # where every price is known


# -- schedules ---------------------------------------------------------------------------------


def test_expired():
    rule = "REQUIRE item.adult DURING 2026-06-01..2026-07-19"
    assert problems(rule) == ["DURING ended on 2026-07-19, and it is 2026-07-20"]
    assert problems(rule, now="2026-07-01") == []
    assert problems("REQUIRE item.adult DURING 2026-06-01..2026-07-20") == []
    assert problems("REQUIRE item.adult DURING 2026-08-01..") == []
    assert problems(rule, KINDS) == []  # nobody knows the time


def test_expired_in_the_time_zone_of_the_rules():
    rule = "REQUIRE item.adult DURING ..2026-07-19"
    for zone, is_over in (("Asia/Tokyo", True), ("America/New_York", False)):
        assert found(f'TIMEZONE "{zone}" {rule}', "DURING ended") is is_over


# -- the data ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("condition", "problem", "advice"),
    [
        ('item.brand = "Itoo"', 'no item has brand "Itoo"', 'did you mean "Ito"?'),
        ('"itO" != item.brand', 'no item has brand "itO"', 'did you mean "Ito"?'),
        ('item.brand IN ("Ito", "Kwe")', 'no item has brand "Kwe"', 'did you mean "Kew"?'),
        ('seed.brand = "x"', 'no item has brand "x"', 'there are "Ito", "Kew", "Sol"'),
        ('item.tags HAS NONE ("vegn")', 'no item has "vegn" in tags', 'did you mean "vegan"?'),
        ("item.size = 36", "no item has size 36", "there are 37, 38, 39"),
        ('user.segment = "vipp"', 'no user has segment "vipp"', 'did you mean "vip"?'),
    ],
)
def test_values_that_no_item_has(condition, problem, advice):
    frame = lint_rules(RuleSet(f"EXCLUDE {condition} AND item.adult"), SHOP)
    assert frame.problem.tolist() == [problem]
    assert frame.advice.tolist() == [advice]
    assert problems(f"EXCLUDE {condition} AND item.adult", KINDS) == []


@pytest.mark.parametrize(
    "condition",
    [
        'item.brand = "Ito"',
        "item.brand = user.segment",
        "item.brand IN $brands",
        'item.tags HAS ANY ("bio", "vegan")',
        "item.size = 37",
        'item.id = "sku-3"',
        'ctx.page = "cart"',
        'item.brand = "Ito" OR item.size IN (37, 38, 39)',
    ],
)
def test_values_that_some_item_has(condition):
    assert problems(f"EXCLUDE {condition}") == []


@pytest.mark.parametrize(
    ("condition", "held"),
    [
        ("item.discount > 20", "item.discount is 0 to 0.3"),
        ("20 <= item.discount", "item.discount is 0 to 0.3"),
        ("item.stock > 4", "item.stock is 0 to 4"),
        ("item.price BETWEEN 80 AND 90", "item.price is 3 to 62"),
        ("item.price = 2", "item.price is 3 to 62"),
        ("item.age < 1d", "item.age is 23d to 200d"),
        ("item.created_at > 2027-01-01", "item.created_at is 2026-01-01 to 2026-06-27"),
    ],
)
def test_ranges_that_no_item_is_in(condition, held):
    assert problems(f"BOOST {condition} BY 2") == [f"{condition} is never true: {held} in the data"]
    assert problems(f"BOOST {condition} BY 2", KINDS) == []


@pytest.mark.parametrize(
    "condition",
    [
        "item.stock >= 4",
        "item.price BETWEEN 0 AND 3",
        "item.price != 2",
        "item.price > user.price_hi",
        "item.age < 24d",
        "user.age < 5",  # strangers come
    ],
)
def test_ranges_that_some_item_is_in(condition):
    assert problems(f"BOOST {condition} BY 2") == []


def test_guards_wait_for_what_may_come_and_only_what_is_far_off_is_told():
    for rule in ("EXCLUDE {}", "LIMIT 2 WHERE {}", "BURY {} BY 2", "BOOST BY 2 WHEN {}"):
        seed = rule.replace("{}", "{}").format("item.price > 100")
        seed = seed.replace("item", "seed") if "WHEN" in rule else seed
        assert problems(seed) == []
        far = seed.replace("100", "1000")
        assert found(far, "> 1000 is never true")
    assert problems("EXCLUDE item.price > 1000", made_up_shop(price=[5.0] * 60)) == []
    assert problems("REQUIRE NOT item.price > 100") == []
    assert found("REQUIRE NOT item.price > 1000", "> 1000 is never true")
    assert found("REQUIRE NOT (item.adult AND item.price > 1000)", "> 1000 is never true")


@pytest.mark.parametrize(
    ("condition", "held"),
    [
        ("item.discount <= 20", "item.discount is 0 to 0.3"),
        ("item.discount BETWEEN -20 AND 20", "item.discount is 0 to 0.3"),
        ("item.price < 6200", "item.price is 3 to 62"),
    ],
)
def test_a_guard_in_another_unit_lets_everything_pass(condition, held):
    told = f"{condition} is always true: {held} in the data"
    assert problems(f"REQUIRE {condition}") == [told]
    assert problems(f"LIMIT 2 WHERE {condition}") == [told]
    assert (
        problems(f"REQUIRE {condition}", made_up_shop(discount=[0.1] * 60, price=[5.0] * 60)) == []
    )


@pytest.mark.parametrize(
    "condition",
    ["item.discount <= 0.5", "item.stock >= 0", "item.price <= 100", "item.price BETWEEN 0 AND 99"],
)
def test_a_guard_near_the_data_waits_for_what_may_come(condition):
    assert problems(f"REQUIRE {condition}") == []


def test_conditions_that_are_true_of_no_item():
    assert problems("PIN item.adult AT 1", made_up_shop(adult=[False] * 60)) == [
        "item.adult is true of no item in the data"
    ]
    assert problems("EXCLUDE item.adult", made_up_shop(adult=[False] * 60)) == []
    assert problems("PIN NOT item.adult AT 1", made_up_shop(adult=[False] * 60)) == []
    assert problems("REQUIRE item.price IS UNKNOWN") == [
        "item.price IS UNKNOWN is true of no item in the data"
    ]
    assert problems('ENSURE 1 WHERE item.brand STARTS WITH "it"') == [
        'item.brand STARTS WITH "it" is true of no item in the data'
    ]
    assert problems('ENSURE 1 WHERE item.brand STARTS WITH "It"') == []


def test_what_no_item_meets_is_seen_also_where_each_part_is_met():
    """Of no item of Kew's is the stock above 3, and its number even."""
    odd = "item.sponsored AND item.adult"
    assert problems(f"PIN {odd} AT 1") == []
    assert problems(f"PIN {odd} AND item.stock = 1 AT 1") == [
        f"{odd} AND item.stock = 1 is true of no item in the data"
    ]
    assert problems(f"PIN {odd} AND item.stock = 1 AT 1", KINDS) == []
    assert problems("REQUIRE item.sponsored; REQUIRE item.adult; REQUIRE item.stock = 1") == [
        "together with rule 1, rule 2 it leaves no item"
    ]
    assert problems("PIN item.adult AND item.price > user.price_lo AT 1") == []


# -- unknowns ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("when", "reason"),
    [
        ("user.age < 18", "1 of 3 users have no age"),
        ("ctx.kids", "a request may come without kids"),
        ("$kids = TRUE", "a request may come without $kids"),
        ('user.segment = "vip" AND ctx.x > 3', "a request may come without x"),
    ],
)
def test_guards_with_holes(when, reason):
    told = problems(f"EXCLUDE item.adult WHEN {when}")
    assert len(told) == 1
    assert told[0].startswith(reason)
    assert told[0].endswith("is unknown this EXCLUDE does not hold")
    assert found(f"REQUIRE item.adult WHEN {when}", "is unknown this REQUIRE does not hold")


@pytest.mark.parametrize(
    "rule",
    [
        "EXCLUDE item.adult WHEN user.age < 18 IF UNKNOWN APPLY",
        "EXCLUDE item.adult WHEN user.age < 18 IF UNKNOWN SKIP",
        "EXCLUDE item.adult WHEN user.age < 18 OR user.age IS UNKNOWN",
        'EXCLUDE item.adult WHEN user.segment = "vip"',
        "EXCLUDE item.adult WHEN ctx.now > 2026-01-01",
        'EXCLUDE item.adult WHEN user.id = "anna"',
        "BOOST item.adult BY 2 WHEN user.age > 18",
        "EXCLUDE item.adult AND user.age < 18",
    ],
)
def test_guards_without_holes(rule):
    assert problems(rule) == []


def test_a_user_of_whom_only_the_kind_is_known_may_be_a_hole():
    assert found('EXCLUDE item.adult WHEN user.segment = "vip"', "user.segment may be", KINDS)


def test_unknown_items_kept():
    unsure = made_up_shop(adult=[None, None, *[True] * 58])
    frame = lint_rules(RuleSet("EXCLUDE item.adult AND item.stock > 1"), unsure)
    assert frame.problem.tolist() == ["2 items whose item.adult is unknown are not left out"]
    assert frame.advice[0].startswith("write IF UNKNOWN APPLY, or EXCLUDE")
    guard = "EXCLUDE item.adult WHEN user.age < 18 IF UNKNOWN APPLY"
    assert lint_rules(RuleSet(guard), unsure).advice.tolist() == [
        "write EXCLUDE item.adult OR item.adult IS UNKNOWN to leave them out"
    ]


@pytest.mark.parametrize(
    "rule",
    [
        "EXCLUDE item.adult IF UNKNOWN APPLY",
        "EXCLUDE item.adult IF UNKNOWN SKIP",
        "EXCLUDE item.adult OR item.adult IS UNKNOWN",
        "EXCLUDE item.stock > 3",
        'EXCLUDE item.tags HAS ANY ("vegan")',
        "REQUIRE NOT item.adult",
        "BURY item.adult BY 2",
    ],
)
def test_unknown_items_not_kept_or_asked_for(rule):
    tags = [None if row % 2 else ["bio", "vegan"] for row in range(60)]
    unsure = made_up_shop(adult=[None, False, *[True] * 58], tags=tags)
    assert problems(rule, unsure) == []


# -- factors and repetitions -------------------------------------------------------------------


@pytest.mark.parametrize("factor", ["1", "0", "-2", "100%", "2 - 1", "0%"])
@pytest.mark.parametrize("action", ["BOOST", "BURY"])
def test_factors_without_effect(action, factor):
    assert found(f"{action} item.adult BY {factor}", f"{action} ... BY", KINDS)


@pytest.mark.parametrize("factor", ["1.3", "0.5", "20%", "item.sure", "$x", "3d / 1d"])
def test_factors_with_effect(factor):
    assert problems(f"BOOST item.adult BY {factor}") == []


def test_rules_said_twice():
    text = "RULE a: REQUIRE item.adult; RULE b: REQUIRE item.adult; REQUIRE NOT item.adult"
    assert problems(text, KINDS)[0] == "it says the same as a under another name"
    assert problems("BOOST BY 2; BOOST BY 2") == ["it says the same as rule 1, and counts twice"]
    assert (
        problems("BOOST BY 2; BOOST BY 2; BOOST BY 2")
        == ["it says the same as rule 1, and counts twice"] * 2
    )


@pytest.mark.parametrize(
    "rules",
    [
        "BOOST BY 2; BURY BY 2",
        "BOOST BY 2; BOOST BY 2 PRIORITY 1",
        "REQUIRE item.adult; REQUIRE item.adult IF UNKNOWN SKIP",
        "BOOST BY 2 DURING 2026-08-01..; BOOST BY 2 DURING 2026-08-02..",
    ],
)
def test_rules_that_differ(rules):
    assert problems(rules) == []


# -- pins --------------------------------------------------------------------------------------


def test_pins_off_the_page():
    assert problems("PIN item.adult AT 3, 11, 12") == ["a page of 10 has no slot 11"]
    assert problems("PIN item.adult AT 3, 10") == []
    assert problems("PIN item.adult AT 3, 11", n=11) == []


def test_pins_on_one_slot():
    assert problems("PIN item.adult AT 2, 3; RULE b: PIN item.sponsored AT 3, 1") == [
        "rule 1 has slot 3 already"
    ]
    when = "WHEN user.segment = 'vip'"
    assert found(f"PIN item.adult AT 3 {when}; PIN item.sponsored AT 3 {when}", "has slot 3")


@pytest.mark.parametrize(
    "rules",
    [
        "PIN item.adult AT 2; PIN item.sponsored AT 3",
        "PIN item.adult AT 3 PRIORITY 1; PIN item.sponsored AT 3",
        "PIN item.adult AT 3 WHEN user.segment = 'vip'; PIN item.sponsored AT 3",
        "PIN item.adult AT 3 DURING 2026-08-01..2026-08-03; PIN item.sponsored AT 3 DURING "
        "2026-08-04..2026-08-09",
    ],
)
def test_pins_that_go_together(rules):
    assert problems(rules) == []


# -- caps --------------------------------------------------------------------------------------


def test_caps_without_effect():
    assert problems("LIMIT 10 PER item.brand IN TOP 10") == [
        "a limit of 10 in 10 slots limits nothing"
    ]
    assert problems("LIMIT 100% WHERE item.adult") == ["a limit of 10 in 10 slots limits nothing"]
    assert problems("LIMIT 3 PER item.brand IN ANY 3 CONSECUTIVE") == [
        "a limit of 3 in 3 slots limits nothing"
    ]
    assert problems("LIMIT 5 PER item.brand IN TOP 20", n=5) == [
        "a limit of 5 in 5 slots limits nothing"
    ]
    assert problems("LIMIT 9 PER item.brand; LIMIT 90% WHERE item.adult") == []
    assert problems("LIMIT 10 PER item.brand", n=11) == []
    assert problems("LIMIT 0 WHERE item.adult") == []


# -- quotas ------------------------------------------------------------------------------------


def test_quotas_above_their_window():
    assert problems("ENSURE 6 IN TOP 5 WHERE item.adult", KINDS) == [
        "6 items do not go into 5 slots"
    ]
    assert problems("ENSURE 11 WHERE item.adult", KINDS) == ["11 items do not go into 10 slots"]
    assert problems("ENSURE 4 IN ANY 3 CONSECUTIVE WHERE item.adult", KINDS) == [
        "4 items do not go into 3 slots"
    ]
    assert problems("ENSURE 100% WHERE item.adult; ENSURE 5 IN TOP 5 WHERE item.adult", KINDS) == []


def test_quotas_of_few():
    assert problems("ENSURE 8 WHERE item.sponsored") == [
        "it wants 8 items, and only 7 in the data meet item.sponsored"
    ]
    assert problems("ENSURE 7 WHERE item.sponsored") == []
    assert problems("ENSURE 8 WHERE item.sponsored", KINDS) == []


@pytest.mark.parametrize(
    ("rules", "problem"),
    [
        (
            "ENSURE 60% WHERE item.adult; ENSURE 50% WHERE item.sponsored",
            "together with rule 1 it wants 11 of 10 slots",
        ),
        (
            'ENSURE 4 WHERE item.brand = "Ito"; ENSURE 4 WHERE item.brand = "Kew"; '
            'ENSURE 4 WHERE item.brand = "Sol"; ENSURE 1 WHERE item.adult',
            "together with rule 1, rule 2 it wants 12 of 10 slots",
        ),
        (
            "ENSURE 3 IN TOP 5 WHERE item.adult; ENSURE 8 WHERE item.sponsored",
            "together with rule 1 it wants 11 of 10 slots",
        ),
        (
            "ENSURE 1 WHERE item.stock > 3; ENSURE 3 IN TOP 5 WHERE item.adult; "
            "ENSURE 3 IN TOP 5 WHERE item.sponsored",
            "together with rule 2 it wants 6 of 5 slots",
        ),
        (
            "ENSURE 1 IN ANY 2 CONSECUTIVE WHERE item.adult; ENSURE 6 WHERE item.sponsored",
            "together with rule 1 it wants 11 of 10 slots",
        ),
    ],
)
def test_quotas_above_all(rules, problem):
    assert problems(rules, KINDS) == [problem]


@pytest.mark.parametrize(
    "rules",
    [
        "ENSURE 50% WHERE item.adult; ENSURE 50% WHERE item.sponsored",
        # whatever meets the second meets the first
        "ENSURE 60% WHERE item.stock > 1; ENSURE 60% WHERE item.stock > 2 AND item.adult",
        "ENSURE 60% WHERE item.adult; ENSURE 60% WHERE item.adult OR item.sponsored",
        "ENSURE 60% WHERE item.adult DURING 2026-08-01..2026-08-03; ENSURE 60% WHERE "
        "item.sponsored DURING 2026-08-04..2026-08-09",
        "ENSURE 60% WHERE item.adult WHEN seed.adult; ENSURE 60% WHERE item.sponsored WHEN NOT "
        "seed.adult",
        "ENSURE 3 IN TOP 5 WHERE item.adult; ENSURE 7 WHERE item.sponsored",
    ],
)
def test_quotas_that_go_together(rules):
    assert problems(rules, KINDS) == []


# -- caps against quotas -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rules", "most"),
    [
        ("LIMIT 1 WHERE item.adult; ENSURE 3 WHERE item.adult", 1),
        ("LIMIT 10% WHERE item.adult; ENSURE 20% WHERE item.adult", 1),
        ("LIMIT 1 WHERE item.stock > 1; ENSURE 3 WHERE item.stock > 2", 1),
        ("LIMIT 1 IN TOP 8 WHERE item.adult; ENSURE 4 WHERE item.adult", 3),
        ("LIMIT 1 IN ANY 4 CONSECUTIVE WHERE item.adult; ENSURE 4 WHERE item.adult", 3),
        ("LIMIT 1 WHERE item.adult WHEN seed.adult; ENSURE 3 WHERE item.adult", 1),
        ('LIMIT 2 PER item.brand; ENSURE 5 WHERE item.brand = "Ito"', 2),
        ('LIMIT 2 PER item.brand; ENSURE 5 WHERE item.brand IN ("Ito", "Kew")', 4),
        ("LIMIT 2 PER item.size WHERE item.adult; ENSURE 3 WHERE item.size = 37 AND item.adult", 2),
    ],
)  # fmt: skip
def test_limits_against_quotas(rules, most):
    told = problems(rules)
    assert len(told) == 1
    assert f"of which rule 1 allows {most}, and a limit goes before a quota" in told[0]


@pytest.mark.parametrize(
    "rules",
    [
        "LIMIT 3 WHERE item.adult; ENSURE 3 WHERE item.adult",
        "LIMIT 1 WHERE item.adult; ENSURE 3 WHERE item.sponsored",
        "LIMIT 1 WHERE item.stock > 2; ENSURE 3 WHERE item.stock > 1",
        "LIMIT 1 IN TOP 8 WHERE item.adult; ENSURE 3 WHERE item.adult",
        "LIMIT 1 IN ANY 4 CONSECUTIVE WHERE item.adult; ENSURE 3 WHERE item.adult",
        "LIMIT 2 PER item.brand; ENSURE 5 WHERE item.adult",
        'LIMIT 2 PER item.brand; ENSURE 4 WHERE item.brand IN ("Ito", "Kew")',
        'LIMIT 2 PER item.brand WHERE item.adult; ENSURE 5 WHERE item.brand = "Ito"',
        "LIMIT 1 WHERE item.adult WHEN seed.adult; ENSURE 3 WHERE item.adult WHEN NOT seed.adult",
    ],
)
def test_limits_beside_quotas(rules):
    assert problems(rules) == []


def test_a_sliding_limit_counts_what_is_left_at_the_end():
    rules = "LIMIT 3 IN ANY 4 CONSECUTIVE WHERE item.adult; ENSURE {} WHERE item.adult"
    assert found(rules.format(8), "rule 1 allows 7", n=9)
    assert problems(rules.format(7), n=9) == []


# -- STRICT ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "rules",
    [
        "PIN item.adult AT 11 STRICT",
        "PIN item.adult AND NOT item.adult AT 1 STRICT",
        "ENSURE 12 WHERE item.adult STRICT",
        "ENSURE 1 WHERE item.discount > 20 STRICT",
        'ENSURE 1 WHERE item.brand = "Itoo" STRICT',
        "ENSURE 8 WHERE item.sponsored STRICT",
        "LIMIT 1 WHERE item.adult; ENSURE 3 WHERE item.adult STRICT",
        "ENSURE 6 WHERE item.adult; ENSURE 6 WHERE item.sponsored STRICT",
        "PIN item.adult AT 3; PIN item.sponsored AT 3 STRICT",
        "LIMIT 2 PER item.brand STRICT",
    ],
)
def test_strict_and_never_met(rules):
    assert len(problems(rules)) == 2
    assert found(rules, "it is STRICT and cannot be met")
    assert found(rules.replace("STRICT", ""), "STRICT") is False


@pytest.mark.parametrize(
    "rules",
    [
        "PIN item.adult AT 10 STRICT",
        "ENSURE 3 WHERE item.adult STRICT",
        "LIMIT 4 PER item.brand STRICT",
        "LIMIT 2 PER item.brand IN TOP 6 STRICT",
        "LIMIT 2 PER item.brand WHERE item.adult STRICT",
        "PIN item.adult AT 3; PIN item.sponsored AT 3, 4 PRIORITY 1 STRICT",
    ],
)
def test_strict_and_met(rules):
    assert problems(rules) == []


def test_strict_and_met_in_spite_of_a_slip():
    rules = "ENSURE 1 WHERE item.discount > 20 OR item.adult STRICT"
    assert problems(rules) == [
        "item.discount > 20 is never true: item.discount is 0 to 0.3 in the data"
    ]


def test_a_cap_of_groups_may_let_pass_what_has_none():
    some = ["Ito", "Kew", None] * 20
    assert found("LIMIT 2 PER item.brand STRICT", "STRICT", made_up_shop(brand=some)) is False
    assert problems("LIMIT 2 PER item.brand") == []


def test_a_share_is_rounded_up_as_the_page_does():
    third = Ensure(amount=Percent(34), where=Flag(True))
    assert lint_rules(RuleSet([third]), SHOP, n=3).problem.str.contains("slots").sum() == 0
    assert found("ENSURE 34% WHERE item.adult; ENSURE 34% WHERE item.sponsored", "wants 4", n=3)
    assert found("LIMIT 7% WHERE item.adult; ENSURE 8 WHERE item.adult", "allows 7", n=100)
