"""Whom a pipeline forgets, its decisions and its bandit forget too."""

import json

import numpy as np
import pytest
from sklearn.base import clone

import recopersona as rp
from recopersona.testing.shops import small_shop

SHE = "u-0004"


def home(n=30, skip=(), **options):
    """A pipeline with a bandit, and as many visits, every third of which is clicked."""
    bandit = rp.BanditReranker(random_state=1, **options)
    made = rp.Pipeline(candidates=[rp.Popularity(half_life="7d")], reranker=bandit)
    made.fit(small_shop())
    for visit in range(n):
        user = f"u-{1 + visit % 10:04d}"
        if user not in skip:
            shown = made.recommend(rp.Query(user, decision_id=f"d-{visit}"), n=5).item_ids
            made.feedback(f"d-{visit}", clicked=shown[:1] if visit % 3 == 0 else [])
    return made


def taught_by(made, decisions):
    """Policy and expectation that learned from some decisions alone."""
    stage = clone(made.reranker).fit(small_shop())
    for decision in decisions:
        stage._learn_outcome(decision)
    return stage.policy_, stage.expectation_


def test_what_she_taught_a_bandit_is_taken_back():
    made = home()
    others = [one for one in made.decisions_.values() if one.user_id != SHE]
    made.forget([SHE])
    policy, expectation = taught_by(made, others)
    for name in ("trials_", "totals_", "squares_"):
        ours, theirs = getattr(made.reranker_.policy_, name), getattr(policy, name)
        np.testing.assert_allclose(ours, theirs, atol=1e-12)
    assert made.reranker_.policy_.counts_ == policy.counts_
    assert made.reranker_.expectation_.n_ == expectation.n_ == len(others)
    for name in ("means_", "products_"):
        ours, theirs = (getattr(one, name) for one in (made.reranker_.expectation_, expectation))
        np.testing.assert_allclose(ours, theirs, atol=1e-12)


def test_a_bandit_that_told_nobody_apart_yet_is_not_stale():
    made = home(n=9, policy=rp.PooledThompson(n0=200.0, likelihood="gaussian"))
    made.forget([SHE])
    assert made.stale_ is None


def test_a_bandit_that_learned_how_alike_segments_are_is_stale():
    made = home(n=60)
    made.forget([SHE])
    assert made.stale_.parts == ("reranker_.policy_",)


@pytest.mark.parametrize("fading", [{"half_life": 50.0}, {"window": 40}])
def test_what_has_faded_since_cannot_be_taken_back(fading):
    policy = rp.PooledThompson(n0=200.0, likelihood="gaussian", **fading)
    made = home(n=12, policy=policy)
    before = made.reranker_.policy_.trials_.copy()
    made.forget([SHE])
    assert made.stale_.parts == ("reranker_.policy_",)
    assert (made.reranker_.policy_.trials_ == before).all()


def test_pages_that_moved_nobody_are_taken_back_too():
    made = home(n=9, policy=rp.PooledThompson(n0=200.0, likelihood="gaussian"))
    n = made.reranker_.policy_.trials_[0].sum()
    made.recommend(rp.Query("stranger", decision_id="s"), n=5)
    made.feedback("s")
    assert made.reranker_.policy_.trials_[0].sum() == pytest.approx(n + 1)
    assert made.forget(["stranger"]) == 0
    assert made.reranker_.policy_.trials_[0].sum() == pytest.approx(n)
    assert made.stale_ is None


def test_of_decisions_that_are_gone_nobody_knows_whose_they_were():
    made = home(n=9, policy=rp.PooledThompson(n0=200.0, likelihood="gaussian"))
    made.decision_log = 3
    made.recommend("u-0001", n=3)
    assert made.let_go_ == 7
    made.forget([SHE])
    assert made.stale_.parts == ("reranker_",)


def test_strangers_leave_what_is_stale_too():
    made = home(n=60)
    made.recommend(rp.Query("stranger", decision_id="s"), n=5)
    made.feedback("s")
    assert made.forget(["stranger", "nobody"]) == 0
    assert made.stale_.parts == ("reranker_.policy_",)
    assert made.stale_.n_users == 1
    assert made.stale_.since == made.clock_


def test_decisions_are_told_and_forgotten():
    made = home(n=14)
    made.recommend(rp.Query("stranger", decision_id="s", context={"device": "phone"}), n=2)
    held = made.held_of([SHE, "stranger"])
    assert json.loads(json.dumps(held, allow_nan=False)) == held
    assert [one["decision_id"] for one in held["decisions"]] == ["d-3", "d-13", "s"]
    clicked = held["decisions"][0]
    assert clicked["outcome"] == {clicked["shown"][0]: "click"}
    assert clicked["now"].endswith("Z")
    assert 0 < clicked["draw"]["propensity"] <= 1
    assert held["decisions"][2]["context"] == {"device": "phone"}
    made.forget([SHE, "stranger"])
    assert made.held_of([SHE, "stranger"]) == {}


def test_a_stranger_without_a_decision_is_unheard_of():
    assert home(n=3).held_of(["stranger"]) == {}


def test_what_is_stale_is_so_under_other_rules():
    made = rp.Pipeline(candidates=[rp.ItemKNN()]).fit(small_shop())
    twin = made.with_rules("REQUIRE item.stock > 0")
    made.forget([SHE])
    assert twin.stale_ == made.stale_
    assert "itemknn.weights_" in twin.stale_.parts


def test_a_ranker_tells_what_it_holds_and_is_stale():
    made = rp.Pipeline(candidates=[rp.Popularity()], ranker=rp.BoostedRanker(requests=60))
    made.fit(small_shop())
    held = made.held_of([SHE])["users"][0]["ranker_"]
    assert held["attributes"][0]["user_id"] == SHE
    events = held["features"]["users"][0]["events"]
    assert len(events) == len(made.held_of([SHE])["users"][0]["recent"])
    assert made.ranker_.held_of(["nobody"]) == {}
    made.forget([SHE])
    assert made.stale_.parts == ("ranker_",)
    assert made.ranker_.held_of([SHE]) == {}


def test_records_of_items_are_those_of_the_others():
    shop = small_shop()
    others = shop.take(shop.log.users != shop.users.index(SHE))
    stage, never = rp.Freshness().fit(shop), rp.Freshness().fit(others)
    assert stage.held_of([SHE])["users"][0]["user_id"] == SHE
    assert stage.forget([SHE, "nobody"]) == 1
    assert stage.held_of([SHE]) == {}
    assert (stage.records_.weights_ == never.records_.weights_).all()
    assert stage.records_.total_ == never.records_.total_
    assert stage.stale_ is None
    assert SHE not in stage.users_


def test_who_saw_an_item_first_leaves_a_record():
    shop = small_shop()
    first = shop.log.users[int(np.argmin(shop.log.timestamp))]
    stage = rp.Freshness().fit(shop)
    stage.forget(shop.users.ids[[first]].tolist())
    assert stage.stale_.parts == ("records_",)


def test_vectors_that_the_log_taught_are_stale_and_those_of_attributes_are_not():
    shop, events = small_shop(), small_shop().events_frame()
    by_attributes, by_log = rp.MMR().fit(shop), rp.MMR().fit(events)
    for stage in (by_attributes, by_log):
        stage.forget([SHE])
    assert by_attributes.stale_ is None
    assert by_log.stale_.parts == ("item_vectors_",)
