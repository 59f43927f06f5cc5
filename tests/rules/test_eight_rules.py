"""Eight everyday rules on the synthetic shop: one meaning in three forms, kept on every page."""

import numpy as np
import pandas as pd
import pytest

import recopersona as rp
from recopersona.rules import RuleSet
from tests.rules.eight import JSON, PYTHON, TEXT

NOW = pd.Timestamp("2026-07-02", tz="UTC")
N = 10


@pytest.fixture(scope="module")
def shop():
    return rp.synthetic_shop(300, 120, 60, random_state=7)


@pytest.fixture(scope="module")
def home(shop):
    return rp.Pipeline(candidates=[rp.ItemKNN(), rp.Popularity()], rules=TEXT).fit(shop)


@pytest.fixture(scope="module")
def pages(shop, home):
    """What everybody is shown, with the catalogue's columns and the customer's."""
    asked = [rp.Query(user, now=NOW) for user in shop.users.ids.tolist()]
    goods = shop.catalogue.set_index("item_id")
    people = shop.customers.set_index("user_id")
    return [
        (people.loc[query.user_id], goods.loc[ranking.item_ids], ranking)
        for query in asked
        for ranking in [home.recommend(query, N, seen="keep")]
    ]


def test_text_json_and_python_are_one_set_of_rules():
    rules = RuleSet(TEXT)
    assert len(rules) == 8
    assert rules == PYTHON == RuleSet.from_json(JSON)
    assert RuleSet(str(rules)) == rules
    assert RuleSet.from_json(rules.to_json()) == rules


def test_no_page_is_short_and_nothing_forbidden_is_shown(shop, pages):
    bought = shop.events[shop.events["event"] == "purchase"]
    bought = bought[bought["timestamp"] > NOW - pd.Timedelta(days=90)]
    bought = bought.groupby("user_id")["item_id"].agg(set).to_dict()
    for who, shown, _ in pages:
        assert len(shown) == N
        assert (shown["stock"] > 0).all()
        assert not set(shown.index) & bought.get(who.name, set())
        if np.isnan(who["age"]):
            assert not (shown["adult"] == True).any()  # noqa: E712  (unknown is not true)
        if not np.isnan(who["price_lo"]):
            assert shown["price"].between(who["price_lo"], who["price_hi"]).all()


def test_adults_are_shown_what_is_for_adults_and_children_are_not(shop, home):
    adult = shop.catalogue.loc[shop.catalogue["adult"] == True, "item_id"]  # noqa: E712
    grown_up = [set(ranking.item_ids) for who, _, ranking in asked_at_ages(home, 30)]
    children = [set(ranking.item_ids) for who, _, ranking in asked_at_ages(home, 12)]
    assert any(shown & set(adult) for shown in grown_up)
    assert not any(shown & set(adult) for shown in children)


def asked_at_ages(home, age):
    for user in home.users_.ids[:60].tolist():
        query = rp.Query(user, now=NOW, context={"age": age})
        yield user, age, home.recommend(query, N, seen="keep")


def test_places_are_kept_or_told_of(pages):
    for _, shown, ranking in pages:
        unmet = {effect.split(":")[0] for effect in ranking.effects if "wanted" in effect}
        if "sponsor" not in unmet:
            assert shown["sponsored"].iloc[2]
        if "brand_cap" not in unmet:
            assert shown["brand"].value_counts().max() <= 2
        if "fresh_share" not in unmet:
            assert (shown["created_at"] >= NOW - pd.Timedelta(days=30)).sum() >= 2
    kept = [not any("wanted" in effect for effect in ranking.effects) for *_, ranking in pages]
    assert np.mean(kept) > 0.9


def test_the_sale_begins_in_july_and_ends_with_it(shop, home):
    only = home.with_rules([rule for rule in home.rules_ if rule.name == "summer_sale"])
    discount = shop.catalogue.set_index("item_id")["discount"]

    def discounted(now):
        pages = [only.recommend(rp.Query(user, now=now), N) for user in shop.users.ids[:80]]
        return sum(int((discount[page.item_ids] > 0).sum()) for page in pages)

    before, during = discounted("2026-06-30T23:59Z"), discounted("2026-07-01T00:00Z")
    last, after = discounted("2026-07-31T23:59Z"), discounted("2026-08-01T00:00Z")
    assert during > 1.1 * before
    assert (last, after) == (during, before)


def test_every_rule_that_did_something_is_told_of(home, pages):
    told = pd.concat([home.rules_.explain(ranking) for *_, ranking in pages])
    assert set(told["rule"]) >= {"summer_sale", "sponsor", "brand_cap", "fresh_share"}
    *_, ranking = pages[0]
    gone = home.items_.ids[home.item_features_["stock"].to_numpy() == 0][0]
    assert home.rules_.explain(ranking, gone)["rule"].tolist() == ["in_stock"]


def test_the_rules_live_in_the_pipelines_file(home, tmp_path):
    rp.save(home, tmp_path / "home.rp")
    again = rp.load(tmp_path / "home.rp")
    assert again.rules_ == PYTHON
    query = rp.Query("u-0001", now=NOW)
    assert again.recommend(query, N).item_ids == home.recommend(query, N).item_ids
