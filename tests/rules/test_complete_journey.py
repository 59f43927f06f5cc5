"""Eight rules of a grocer on real products, coupons and campaigns: examples/campaign_rules.py."""

import importlib.util
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import recopersona as rp
from recopersona.rules import RuleSet

FOLDER = Path(os.environ.get("RECOPERSONA_DATA", ".")) / "completejourney"
EXAMPLE = Path(__file__).parent.parent.parent / "examples" / "campaign_rules.py"

JSON = """
{"timezone": "America/New_York", "rules": [
  {"rule": "on_sale", "action": "require",
   "where": {"op": ">", "args": [{"field": "item.sold_lately"}, {"num": 0}]}},
  {"rule": "no_repeat", "action": "exclude", "where": {"did": "purchase", "within": "28d"}},
  {"rule": "campaign_18", "action": "boost",
   "where": {"op": "has any", "args": [{"field": "item.coupons"}, [{"text": "18"}]]},
   "by": {"num": 1.3}, "during": ["2017-10-30", "2017-12-24"]},
  {"rule": "own_coupon", "action": "pin",
   "where": {"op": "has any", "args": [{"field": "item.coupons"}, {"field": "user.campaigns"}]},
   "at": [3], "during": ["2017-10-30", "2017-12-24"]},
  {"rule": "maker_cap", "action": "limit", "n": 2, "per": "item.maker", "top": 10},
  {"rule": "fresh_share", "action": "ensure", "n": "20%",
   "where": {"op": "<=", "args": [{"field": "item.age"}, {"duration": "30d"}]}},
  {"rule": "adult_guard", "action": "exclude",
   "where": {"op": "or", "args": [
     {"field": "item.adult"}, {"op": "is unknown", "args": [{"field": "item.adult"}]}]},
   "when": {"op": "<", "args": [{"field": "user.age"}, {"num": 21}]}, "unknown": "apply"},
  {"rule": "price_band", "action": "require",
   "where": {"op": "between",
             "args": [{"field": "item.price"}, {"field": "user.price_lo"},
                      {"field": "user.price_hi"}]},
   "unknown": "skip"}
]}
"""
N = 10


@pytest.fixture(scope="module")
def example():
    if not EXAMPLE.is_file():
        pytest.skip("the examples are not beside the tests")
    spec = importlib.util.spec_from_file_location("campaign_rules", EXAMPLE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def shop(example):
    if not (FOLDER / "transactions.parquet").is_file():
        pytest.skip("set RECOPERSONA_DATA to a folder that holds completejourney")
    pytest.importorskip("pyarrow")
    return example.shop_of(FOLDER)


@pytest.fixture(scope="module")
def pages(example, shop):
    home = rp.Pipeline(
        candidates=[rp.ItemKNN(), rp.Popularity(half_life="30d")], rules=example.TEXT
    ).fit(shop)
    goods, people = shop.item_features.to_frame(), shop.user_features.to_frame()
    found = []
    for user in range(0, len(shop.users), 25):
        ranking = home.recommend(rp.Query(shop.users.ids[user], now=example.NOW), N, seen="keep")
        found.append((user, people.iloc[user], goods.iloc[ranking.items], ranking))
    return found


def test_text_json_and_python_are_one_set_of_rules(example):
    rules = RuleSet(example.TEXT)
    assert len(rules) == 8
    assert rules == example.PYTHON == RuleSet.from_json(JSON)
    assert RuleSet(str(rules)) == rules
    assert RuleSet.from_json(rules.to_json()) == rules


def test_the_rules_fit_the_shop_and_nothing_in_them_is_a_slip(example, shop):
    rules = RuleSet(example.TEXT)
    rules.check(shop)
    assert rules.lint(shop, n=N, now=example.NOW).empty
    late = rules.lint(shop, n=N, now="2018-02-01")
    assert late["rule"].tolist()[:2] == ["campaign_18", "own_coupon"]


def test_households_are_shown_full_pages_of_what_they_may_be_shown(example, shop, pages):
    log, now = shop.log, example.NOW.value // 1_000_000
    recent = log.timestamp >= now - 28 * 86_400_000
    for user, who, shown, ranking in pages:
        assert len(shown) == N
        assert (shown["sold_lately"] > 0).all()
        assert not np.isin(ranking.items, log.items[recent & (log.users == user)]).any()
        if pd.isna(who["age"]) or who["age"] < 21:
            assert (shown["adult"] == False).all()  # noqa: E712  (unknown is not false)
        if pd.notna(who["price_lo"]):
            assert shown["price"].between(who["price_lo"], who["price_hi"]).all()


def test_caps_quotas_and_coupons_are_kept_or_told_of(example, pages):
    n_coupons = 0
    for _, who, shown, ranking in pages:
        unmet = {effect.split(":")[0] for effect in ranking.effects if "wanted" in effect}
        if "maker_cap" not in unmet:
            assert shown["maker"].value_counts().max() <= 2
        if "fresh_share" not in unmet:
            assert (shown["created_at"] >= example.NOW - pd.Timedelta(days=30)).sum() >= 2
        if who["campaigns"] and "own_coupon" not in unmet:
            assert set(shown["coupons"].iloc[2]) & set(who["campaigns"])
            n_coupons += 1
    assert n_coupons > 20
