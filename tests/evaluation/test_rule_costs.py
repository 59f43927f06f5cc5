"""What rules do and cost, told from a log: against numbers that can be counted by hand."""

import numpy as np
import pandas as pd
import pytest

import recopersona as rp
from recopersona.errors import DataError, ParameterError
from recopersona.evaluation.rule_costs import simulate_rules
from recopersona.rules import RuleSet

DAY = 86_400_000
START = 1_780_000_000_000
TEA = ["tea", "honey", "salt", "oil", "rice", "jam"]


def items():
    return pd.DataFrame({
        "item_id": TEA,
        "price": [1.0, 2.0, 4.0, 8.0, 16.0, 32.0],
        "stock": [0, 1, 1, 1, 1, 1],
        "late": [False, False, False, False, True, True],
    })  # fmt: skip


def past():
    """The more to the left, the more popular; nobody of the log has a past."""
    rows = [(f"u{k}", name) for k, name in enumerate(TEA) for _ in range(1)]
    rows += [(f"v{k}-{n}", name) for k, name in enumerate(TEA) for n in range(6 - k)]
    frame = pd.DataFrame(rows, columns=["user_id", "item_id"])
    return frame.assign(timestamp=START - DAY, event="view")


def log(**columns):
    rows = [("ann", "tea"), ("ben", "honey"), ("cyd", "rice"), ("dee", "oil")]
    frame = pd.DataFrame(rows, columns=["user_id", "item_id"])
    moments = START + DAY * np.array([1, 2, 3, 9])
    return frame.assign(timestamp=moments, event="purchase", **columns)


CUSTOMERS = pd.DataFrame(
    {"user_id": ["ann", "ben", "cyd", "dee"], "club": [True, False, True, True]}
)
SHOP = rp.Dataset.from_frames(past(), items=items(), users=CUSTOMERS, now=START)


def home(rules):
    return rp.Pipeline(candidates=[rp.Popularity()], rules=rules).fit(SHOP)


RULES = """
RULE in_stock: REQUIRE item.stock > 0
RULE week:     PIN item.late AT 1 DURING 2026-05-28..2026-06-01 WHEN user.club
RULE idle:     EXCLUDE item.price > 100
"""


@pytest.fixture(scope="module")
def table():
    return simulate_rules(home(RULES), log(), n=2, progress=False)


def test_every_rule_has_its_row_and_all_of_them_one(table):
    assert table.index.tolist() == ["in_stock", "week", "idle", "all rules"]
    assert table.index.name == "rule"
    assert (table["requests"] == 4).all()


def test_a_rule_fires_where_it_changes_the_list(table):
    # Without it tea would be there for all four; the pin holds for ann and cyd (not for ben, and
    # dee came too late).
    assert table["fired"].tolist() == [4, 2, 0, 4]


def test_gains_are_those_counted_by_hand(table):
    # All rules: ann and cyd get rice, honey; ben and dee honey, salt. No rule: tea, honey.
    second = 1 / np.log2(3)
    with_all = [0, 1, 1, 0]
    without = {
        "in_stock": [second, second, 1, 0],  # rice, tea and tea, honey
        "week": [0, 1, 0, 0],  # honey, salt
        "idle": with_all,
        "all rules": [1, second, 0, 0],
    }
    for rule, ndcg in without.items():
        gain = np.mean(with_all) - np.mean(ndcg)
        assert table.loc[rule, "ndcg@2 gain"] == pytest.approx(gain), rule
        low, high = table.loc[rule, ["ndcg@2 gain low", "ndcg@2 gain high"]]
        assert low <= table.loc[rule, "ndcg@2 gain"] <= high
    assert table.attrs["ndcg"] == pytest.approx(0.5)


def test_revenue_is_what_was_paid_for_the_items_listed(table):
    assert table.attrs["revenue"] == pytest.approx(2 + 16)
    gains = {"in_stock": -1, "week": 16, "idle": 0, "all rules": 18 - (1 + 2)}
    assert table["revenue gain"].to_dict() == pytest.approx(gains)
    assert (table["revenue gain low"] <= table["revenue gain"]).all()


def test_the_price_of_the_purchase_goes_before_that_of_the_item():
    paid = log(price=[10.0, np.nan, 20.0, 30.0], quantity=[1, 3, 2, 1])
    table = simulate_rules(home(RULES), paid, n=2, progress=False)
    assert table.attrs["revenue"] == pytest.approx(3 * 2 + 2 * 20)


def test_without_prices_revenue_is_unknown():
    shop = rp.Dataset.from_frames(past(), items=items().drop(columns="price"), now=START)
    pipeline = rp.Pipeline(candidates=[rp.Popularity()], rules="REQUIRE item.stock > 0").fit(shop)
    table = simulate_rules(pipeline, log(), progress=False)
    assert table["revenue gain"].isna().all()


def test_what_cannot_be_met_is_counted_and_strict_does_not_raise():
    rules = "RULE many: ENSURE 3 WHERE item.late STRICT; RULE one: ENSURE 1 WHERE item.late"
    table = simulate_rules(home(rules), log(), n=4, progress=False)
    assert table["unmet"].to_dict() == {"many": 4, "one": 0, "all rules": 4}


def test_functions_have_rows_too():
    def cheap(items):
        return items["price"] < 5

    table = simulate_rules(home(["RULE in_stock: REQUIRE item.stock > 0", cheap]), log(), n=4)
    assert table.index.tolist() == ["in_stock", "cheap", "all rules"]
    assert table["fired"].tolist() == [4, 4, 4]


def test_a_dataset_is_a_log_and_what_was_seen_is_not_wanted():
    pipeline = home(RULES)
    known = pd.DataFrame({"user_id": ["v0-0", "u1"], "item_id": ["tea", "oil"]})
    later = rp.Dataset.from_frames(
        pd.concat([log(), known.assign(timestamp=START + DAY, event="view")])
    )
    assert simulate_rules(pipeline, later, n=2)["requests"].iloc[0] == 5
    assert simulate_rules(pipeline, later, n=2, seen="keep")["requests"].iloc[0] == 6
    with pytest.raises(DataError, match="leaves no user anything new to find"):
        simulate_rules(pipeline, known.head(1))


def test_every_question_may_say_more():
    pipeline = home("RULE cart: REQUIRE item.price < $most WHEN ctx.page = 'cart'")
    said = {"context": {"page": "cart"}, "params": {"most": 3}}
    assert simulate_rules(pipeline, log(), n=3)["fired"].tolist() == [0, 0]
    assert simulate_rules(pipeline, log(), n=3, **said)["fired"].tolist() == [4, 4]


def test_the_pipeline_stays_as_it_is():
    pipeline = home(RULES)
    simulate_rules(pipeline, log(), n=2)
    assert pipeline.rules == RULES
    assert pipeline.decisions_ == {}
    assert len(pipeline.rules_) == 3


def test_the_same_seed_draws_the_same_interval(table):
    again = simulate_rules(home(RuleSet(RULES)), log(), n=2, progress=False)
    pd.testing.assert_frame_equal(again, table)


BAD = {
    "a model": (lambda: (SHOP, log()), {}, "simulate_rules needs a fitted Pipeline, got Dataset"),
    "no rules": (lambda: (home(None), log()), {}, "needs a pipeline with rules, this one has none"),
    "no list": (lambda: (home(RULES), log()), {"n": 0}, "simulate_rules: n must be an integer"),
    "sure": (lambda: (home(RULES), log()), {"confidence": 1}, "confidence must be"),
}  # fmt: skip


@pytest.mark.parametrize(("given", "options", "words"), BAD.values(), ids=BAD)
def test_bad_arguments_are_refused(given, options, words):
    with pytest.raises(ParameterError, match=words):
        simulate_rules(*given(), **options)
