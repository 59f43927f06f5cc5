"""The bandit that mixes: arms and their pages, what it refuses, draws, credit and memory."""

import threading
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import recopersona as rp
from recopersona.errors import ArtifactError, DataError, NotFittedError, ParameterError
from recopersona.rerank.scaling import scaled

SHOP = rp.synthetic_shop(80, 60, 30, random_state=3)
HOUR = 3_600_000
NOW = SHOP.end


def home(shop=SHOP, rules=None, **settings):
    stage = rp.BanditReranker(**settings)
    return rp.Pipeline(candidates=[rp.Popularity()], reranker=stage, rules=rules).fit(shop)


def ask(pipeline, name, user="u-0001", n=5, **query):
    return pipeline.recommend(rp.Query(user, decision_id=name, **query), n=n)


def counts(pipeline):
    return {name: count for name, count in pipeline.feedback_counts_.items() if count}


def state(stage):
    policy, foretold = stage.policy_, stage.expectation_
    return [policy.trials_, policy.totals_, policy.squares_, foretold.means_, foretold.products_]


def same_state(before, after):
    return all(np.array_equal(one, other) for one, other in zip(before, after, strict=True))


def items_frame(n=12, **columns):
    return pd.DataFrame({"item_id": [f"i{row}" for row in range(n)], **columns})


def small_shop(n=12, **columns):
    """Item 0 the most popular, item n - 1 the least; nothing dated."""
    log = [rp.Event(f"v{fan}", f"i{row}") for row in range(n) for fan in range(2 * (n - row))]
    return rp.Dataset.from_frames(log, items=items_frame(n, **columns))


# -- arms ------------------------------------------------------------------------------------


def test_the_arms_are_those_that_the_data_allow():
    assert len(home().reranker_.arms_) == 7
    undated = small_shop(kind=["a", "b"] * 6)
    assert list(home(undated).reranker_.arms_) == [
        "plain", "varied", "surprising", "varied and surprising",
    ]  # fmt: skip


def test_arms_of_ones_own_are_weights_by_objective():
    arms = {"plain": {"relevance": 1}, "new": {"relevance": 1, "freshness": 3}}
    stage = home(arms=arms).reranker_
    assert stage.arms_["new"] == {"relevance": 0.25, "freshness": 0.75}
    assert list(stage.objectives_) == ["freshness"]  # what no arm weighs is not learned


def test_an_objective_of_ones_own_may_be_weighed():
    class Cheap(rp.Objective):
        def _fit(self, dataset):
            pass

        def _values(self, query, ranking):
            return -self.item_features_["price"].to_numpy()[ranking.items]

    arms = {"plain": {"relevance": 1}, "cheap": {"cheap": 1}}
    pipeline = home(objectives={"cheap": Cheap()}, arms=arms, max_relevance_loss=1, epsilon=1.0)
    prices = SHOP.catalogue.set_index("item_id")["price"]
    pages = [ask(pipeline, f"d{number}") for number in range(10)]
    cheap = next(page for page in pages if page.draw.arm == "cheap")
    assert prices[cheap.item_ids].is_monotonic_increasing


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"arms": {"a": {"freshnes": 1}}}, "did you mean 'freshness'"),
        ({"arms": {"a": {"relevance": -1}}}, "at least 0"),
        ({"arms": {"a": {"relevance": 0}}}, "weighs nothing"),
        ({"arms": {}}, "arms must be"),
        ({"arms": "default7"}, "arms must be"),
        ({"objectives": ["novelty"]}, "objectives must be"),
        ({"reward": {"clik": 1}}, "unknown event 'clik'"),
        ({"reward": {"click": np.nan}}, "finite"),
        ({"examination": [0.5, 0.0]}, "examination must be"),
        ({"policy": "thompson"}, "policy must be"),
        ({"segment": 3}, "segment must be"),
        ({"max_relevance_loss": 1.5}, "max_relevance_loss"),
        ({"attribution": {}}, "attribution"),
        ({"attribution": {"clik": "1d"}}, "attribution"),
        ({"attribution": "yesterday"}, "attribution"),
        ({"attribution": 24}, "attribution"),
    ],
)
def test_what_cannot_be_is_refused_at_once(settings, said):
    with pytest.raises((ParameterError, DataError), match=said):
        home(**settings)


# -- pages -----------------------------------------------------------------------------------


def test_the_same_decision_is_answered_in_the_same_way_until_something_is_learned():
    pipeline = home()
    first = ask(pipeline, "d")
    for number in range(5):
        ask(pipeline, f"other {number}")
    again = ask(pipeline, "d")
    assert again.item_ids == first.item_ids
    assert again.draw == first.draw
    arms = {ask(pipeline, f"d{number}").draw.arm for number in range(40)}
    assert len(arms) > 3


def test_draws_follow_their_logged_probabilities():
    pipeline = home(max_relevance_loss=1)
    draws = [ask(pipeline, f"d{number}", n=3).draw for number in range(600)]
    first = draws[0]
    assert abs(sum(first.probabilities.values()) - 1) < 1e-9
    share = np.mean([first.arm in draw.same for draw in draws])
    assert abs(share - first.propensity) < 4 * np.sqrt(share * (1 - share) / 600)


def test_arms_with_the_same_page_share_it():
    shop = small_shop(kind=["a"] * 12)
    arms = {"plain": {"relevance": 1}, "twin": {"relevance": 2}, "rare": {"serendipity": 1}}
    pipeline = home(shop, arms=arms, max_relevance_loss=1)
    page = next(
        page for page in (ask(pipeline, f"d{n}", "new") for n in range(50))
        if page.draw.arm != "rare"
    )  # fmt: skip
    assert page.draw.same == ("plain", "twin")
    assert np.isclose(page.propensity, 2 / 3, atol=0.02)
    pipeline.feedback(page.decision_id, clicked=page.item_ids[:1])
    assert np.allclose(pipeline.reranker_.policy_.trials_[0], [0.5, 0.5, 0], atol=0.02)


def test_an_arm_that_is_seldom_drawn_is_not_filled_with_pages_that_all_arms_would_show():
    """Both show the same to the keen; to the others "better" shows more of what they click."""
    arms = {"plain": {"relevance": 1}, "better": {"serendipity": 1}}
    pipeline, random = home(small_shop(), arms=arms), np.random.default_rng(0)
    ask(pipeline, "first")
    stage = pipeline.reranker_
    chances = {"plain": 0.1, "better": 0.9}
    for number in range(4_000):
        keen, arm = number % 2 == 0, "better" if random.random() < 0.9 else "plain"
        same, chance = (tuple(chances), 1.0) if keen else ((arm,), chances[arm])
        clicked = keen or random.random() < {"plain": 0.1, "better": 0.5}[arm]
        draw = rp.Draw(arm, chance, chances, same=same)
        seen = rp.Decision(f"d{number}", None, ("i0",), ("Popularity",), draw=draw)
        stage._learn_outcome(seen.with_outcome({"i0": "click"} if clicked else {}))
    plain, better = stage.policy_.expected(["plain", "better"])
    assert abs(plain - 0.55) < 0.06
    assert abs(better - 0.75) < 0.02


def test_a_page_too_much_less_relevant_does_not_stand_to_be_chosen():
    arms = {"plain": {"relevance": 1}, "rare": {"serendipity": 1}}
    pipeline = home(small_shop(), arms=arms)
    for number in range(20):
        draw = ask(pipeline, f"d{number}", "new").draw
        assert draw.arm == "plain"
        assert "less relevant than that of plain" in draw.refused["rare"]
        assert draw.probabilities == {"plain": 1.0}


def test_no_page_is_less_relevant_than_the_bound():
    shop = rp.synthetic_shop(80, 60, 30, random_state=5)
    rules = "RULE brand: LIMIT 2 PER item.brand IN TOP 5"
    pipeline = home(shop, rules=rules, max_relevance_loss=0.03, epsilon=1.0)
    plain = rp.Pipeline(candidates=[rp.Popularity()]).fit(shop)
    refused = 0
    for number in range(60):
        user = f"u-{1 + number:04d}"
        candidates = plain.recommend(user, n=60)
        scores = dict(zip(candidates.item_ids, scaled(candidates.scores), strict=True))

        def worth(items, scores=scores):
            return sum(scores[item] / np.log2(2 + place) for place, item in enumerate(items))

        page = ask(pipeline, f"d{number}", user)
        assert worth(page.item_ids) >= 0.97 * worth(page.draw.without) - 1e-6
        refused += len(page.draw.refused)
    assert refused > 10


def test_rules_hold_for_every_arm():
    rules = "RULE brand: LIMIT 1 PER item.brand IN TOP 5"
    pipeline = home(rules=rules, epsilon=1.0, max_relevance_loss=1)
    brands = SHOP.catalogue.set_index("item_id")["brand"]
    for number in range(30):
        page = ask(pipeline, f"d{number}")
        assert brands[page.item_ids].is_unique
        assert brands[list(page.draw.without)].is_unique


def test_scores_never_rise():
    pipeline = home(epsilon=1.0, max_relevance_loss=1)
    for number in range(20):
        assert (np.diff(ask(pipeline, f"d{number}", n=40).scores) <= 0).all()


def test_without_a_decision_the_arm_expected_to_be_best_answers():
    arms = {"plain": {"relevance": 1}, "rare": {"serendipity": 1}}
    pipeline = home(small_shop(), arms=arms, max_relevance_loss=1)
    pipeline.reranker_.policy_.update(["plain", "rare"] * 30, [0.1, 0.9, 0.0, 1.0] * 15)
    plain = pipeline.recommend_many(["new"], n=4)["item_id"].tolist()
    assert plain == ["i11", "i10", "i9", "i8"]
    assert pipeline.decisions_ == {}
    careful = home(small_shop(), arms=arms)
    careful.reranker_.policy_.update(["plain", "rare"] * 30, [0.1, 0.9, 0.0, 1.0] * 15)
    assert careful.recommend_many(["new"], n=4)["item_id"].tolist() == ["i0", "i1", "i2", "i3"]


@pytest.mark.parametrize("scores", [[1, 1, 1, 1], [np.nan] * 4, [np.inf, 1, np.nan, -np.inf]])
def test_odd_scores_are_mixed_too(scores):
    stage = rp.BanditReranker().fit(SHOP)
    ranking = rp.Ranking.of([3, 1, 2, 0], scores, SHOP.items, "odd")
    page = stage.for_page(rp.Query("u-0001", decision_id="d"), ranking, lambda order: order.top(3))
    assert sorted(page.items.tolist()) == [0, 1, 2, 3]
    assert 0 < page.propensity <= 1


def test_one_candidate_or_none_leaves_nothing_to_choose():
    stage = rp.BanditReranker().fit(SHOP)
    for n in range(2):
        ranking = rp.Ranking.of(list(range(n)), [1.0] * n, SHOP.items, "few")
        page = stage.for_page(rp.Query(decision_id="d"), ranking, lambda order: order)
        assert len(page) == n
        assert page.draw is None


@pytest.mark.parametrize("vectors", [np.ones((60, 4)), np.zeros((60, 4))])
def test_items_that_are_all_alike_are_mixed_too(vectors):
    pipeline = home(vectors=vectors, epsilon=1.0)
    for number in range(10):
        assert len(set(ask(pipeline, f"d{number}").item_ids)) == 5


# -- learning --------------------------------------------------------------------------------


def test_feedback_twice_changes_nothing():
    pipeline = home()
    page = ask(pipeline, "d")
    assert pipeline.feedback("d", clicked=page.item_ids[:2])
    before = [one.copy() for one in state(pipeline.reranker_)]
    assert not pipeline.feedback("d", clicked=page.item_ids[:2])
    assert not pipeline.feedback("d", clicked=page.item_ids[1:2])
    assert not pipeline.feedback("never made", clicked=page.item_ids[:1])
    assert not pipeline.feedback("d", clicked=page.item_ids[:3], now=NOW + 999 * HOUR)
    with pytest.raises(DataError, match="did not show"):
        pipeline.feedback("d", clicked=["gold"])
    assert same_state(before, state(pipeline.reranker_))


def test_a_click_that_became_a_purchase_ends_like_a_purchase():
    ends = []
    for steps in ([{"clicked": 1}, {"purchased": 1}], [{"purchased": 1}]):
        pipeline = home(reward={"click": 1, "purchase": 10})
        for number in range(150):  # so many that requests are told apart
            page = ask(pipeline, f"d{number}", user=f"u-{1 + number % 70:04d}")
            for step in steps:
                told = dict.fromkeys(step, page.item_ids[: number % 3])
                pipeline.feedback(f"d{number}", **told)
        ends.append(pipeline)
    one, other = (pipeline.decisions_frame()["reward"].to_numpy() for pipeline in ends)
    assert (one == other).all()
    first, second = (state(pipeline.reranker_)[0].sum() for pipeline in ends)
    assert first == second


def test_revising_ends_where_learning_at_once_would():
    foretold, again = (rp.BanditReranker().fit(SHOP).expectation_ for _ in range(2))
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(300, 3))
    for row in rows:
        reward = float(row[0] + rng.normal())
        foretold.learn(tuple(row), reward)
        again.learn(tuple(row), 0.0)
        again.revise(tuple(row), 0.0, reward)
    assert np.allclose(foretold.products_, again.products_)
    assert np.allclose(foretold.means_, again.means_)
    assert np.allclose(foretold.slopes_, [1, 0, 0], atol=0.2)


def test_what_is_expected_is_taken_off_and_depends_on_no_arm():
    pipeline = home()
    stage = pipeline.reranker_
    for number in range(200):
        page = ask(pipeline, f"d{number}", user=f"u-{1 + number % 70:04d}")
        busy = page.draw.known[1] > np.log1p(8)
        pipeline.feedback(f"d{number}", clicked=page.item_ids[: 4 * busy])
    page = ask(pipeline, "next")
    assert page.draw.expected == stage.expectation_.of(page.draw.known) != 0
    before = stage.policy_.totals_[0].copy()
    pipeline.feedback("next", clicked=page.item_ids[:1])
    gained = stage.policy_.totals_[0] - before
    assert np.allclose(gained[gained != 0], 1 - page.draw.expected)


def test_a_policy_with_a_range_gets_rewards_within_it():
    pipeline = home(policy=rp.PooledThompson())
    page = ask(pipeline, "d")
    pipeline.feedback("d", clicked=page.item_ids[:3])
    assert pipeline.reranker_.policy_.totals_.max() == 1
    assert pipeline.decisions_frame()["reward"][0] == 3


def test_clicks_are_weighed_by_how_often_their_place_is_looked_at():
    pipeline = home(examination=[1.0, 0.5, 0.01])
    page = ask(pipeline, "d", n=4)
    pipeline.feedback("d", clicked=page.item_ids[1:2])
    assert pipeline.decisions_frame()["reward"][0] == 2
    pipeline.feedback("d", clicked=page.item_ids[3:4])  # as the last place, and no more than 20
    assert pipeline.decisions_frame()["reward"][0] == 22


def test_an_arm_removed_while_its_reward_is_pending():
    pipeline = home()
    stage = pipeline.reranker_
    page = ask(pipeline, "d")
    for arm in page.draw.same:
        stage.remove_arm(arm)
    before = [one.copy() for one in state(stage)[:3]]
    assert pipeline.feedback("d", clicked=page.item_ids[:1])
    assert stage.counts_["arm_gone"] == len(page.draw.same)
    assert same_state(before, state(stage)[:3])
    assert not set(ask(pipeline, "e").draw.probabilities) & set(page.draw.same)


def test_arms_come_and_go():
    pipeline = home()
    stage = pipeline.reranker_
    stage.add_arm("bold", {"relevance": 1, "serendipity": 1})
    assert "bold" in {**ask(pipeline, "d").draw.probabilities, **ask(pipeline, "d").draw.refused}
    with pytest.raises(DataError, match="there is an arm 'bold' already"):
        stage.add_arm("bold", {"relevance": 1})
    with pytest.raises(ParameterError, match="no objective here"):
        stage.add_arm("odd", {"novelty": 1})
    with pytest.raises(ParameterError, match="there is no arm 'bald'; did you mean 'bold'"):
        stage.remove_arm("bald")
    for arm in list(stage.arms_)[1:]:
        stage.remove_arm(arm)
    with pytest.raises(ParameterError, match="the only arm"):
        stage.remove_arm("plain")
    assert ask(pipeline, "e").propensity == 1


def test_segments_are_told_apart_up_to_ten():
    pipeline = home(segment="page")
    for number in range(15):
        page = ask(pipeline, f"d{number}", context={"page": f"p{number}"})
        assert page.draw.segment == f"p{number}"
        pipeline.feedback(f"d{number}", clicked=page.item_ids[:1])
    stage = pipeline.reranker_
    assert len(stage.segments_) == 10
    assert stage.counts_["segments_folded"] == 5
    assert len(stage.policy_.trials_) == 11


@pytest.mark.parametrize(
    ("segment", "expected"),
    [
        (None, None),
        ("page", "cart"),
        (["page", "device"], "cart / ?"),
        (["device"], None),
        (lambda query: len(query.session), 0),
        ("club", "gold"),
    ],
)
def test_a_segment_is_of_the_context_the_user_or_a_function(segment, expected):
    customers = pd.DataFrame({"user_id": ["v0"], "club": ["gold"]})
    log = [rp.Event(f"v{row % 3}", f"i{row}") for row in range(9)]
    shop = rp.Dataset.from_frames(log, users=customers)
    page = ask(home(shop, segment=segment), "d", "v0", n=3, context={"page": "cart"})
    assert page.draw.segment == expected


@pytest.mark.parametrize(
    "policy",
    [
        rp.LinTS(),
        rp.LinUCB(),
        rp.SquareCB(),
        rp.UCB1(),
        rp.EpsilonGreedy(),
        rp.SoftmaxGreedy(),
        rp.Thompson(likelihood="gaussian"),
    ],
    ids=lambda policy: type(policy).__name__,
)
def test_any_policy_may_choose(policy):
    arms = {"plain": {"relevance": 1}, "fresh": {"relevance": 1, "freshness": 1}}
    pipeline = home(policy=policy, segment="page", arms=arms, max_relevance_loss=1)
    stage = pipeline.reranker_
    for number in range(60):
        page = ask(pipeline, f"d{number}", context={"page": "ab"[number % 2]})
        pipeline.feedback(f"d{number}", clicked=page.item_ids[: page.draw.arm == "fresh"])
        pipeline.feedback(f"d{number}", clicked=page.item_ids[: 3 * (page.draw.arm == "fresh")])
    means = stage.explain(page).set_index("arm")["mean"]
    assert means["fresh"] > means["plain"]
    again = home(policy=policy, segment="page", arms=arms, max_relevance_loss=1)
    again.reranker_.fit(pipeline.decisions_frame())
    assert again.reranker_.policy_.counts_["rewards"] > 0
    assert np.isfinite(again.reranker_.explain(page)["mean"]).all()


def test_a_segment_must_be_an_id():
    with pytest.raises(DataError, match="must give an id"):
        ask(home(segment=lambda query: ["a"]), "d")


def test_changed_customers_are_of_their_new_segment():
    log = [rp.Event(f"v{row % 3}", f"i{row}") for row in range(9)]
    customers = pd.DataFrame({"user_id": ["v0"], "club": ["gold"]})
    pipeline = home(rp.Dataset.from_frames(log, users=customers), segment="club")
    pipeline.update_users(pd.DataFrame({"user_id": ["v1"], "club": ["iron"]}))
    assert ask(pipeline, "d", "v1", n=3).draw.segment == "iron"


# -- starting from a log -----------------------------------------------------------------------


def test_a_log_of_decisions_teaches_another_bandit():
    old = home(epsilon=1.0, max_relevance_loss=1)
    for number in range(300):
        page = ask(old, f"d{number}", user=f"u-{1 + number % 70:04d}")
        old.feedback(f"d{number}", clicked=page.item_ids[: 2 * (page.draw.arm == "fresh")])
    ask(old, "pending")
    fresh = home()
    fresh.reranker_.fit(old.decisions_frame())
    policy = fresh.reranker_.policy_
    best = np.argmax(policy.expected())
    assert policy.arms_[best] == "fresh"
    with pytest.raises(DataError, match="needs a column 'reward'"):
        fresh.reranker_.fit(old.decisions_frame().drop(columns="reward"))
    with pytest.raises(NotFittedError):
        rp.BanditReranker().fit(old.decisions_frame())


# -- keeping and sharing -------------------------------------------------------------------------


def test_what_waits_and_what_was_learned_is_kept(tmp_path):
    pipeline = home(segment="page")
    for number in range(5):
        page = ask(pipeline, f"d{number}", now=NOW, context={"page": "home"})
        pipeline.feedback(f"d{number}", clicked=page.item_ids[:1])
    waiting = ask(pipeline, "waiting", now=NOW)
    rp.save(pipeline, tmp_path / "home.rp")
    loaded = rp.load(tmp_path / "home.rp")
    assert same_state(state(pipeline.reranker_), state(loaded.reranker_))
    assert ask(loaded, "next").draw == ask(pipeline, "next").draw
    ask(loaded, "later", now=NOW + 25 * HOUR)
    assert counts(loaded)["settled"] == 2  # "next", too
    bought = waiting.item_ids[:1]
    assert loaded.feedback("waiting", purchased=bought, now=NOW + 26 * HOUR)
    assert loaded.reranker_.objectives_["freshness"].items_ is loaded.items_


def test_a_files_arms_must_be_those_of_its_policy(tmp_path):
    pipeline = home()
    pipeline.reranker_.arms_ = {"plain": {"relevance": 1.0}}
    rp.save(pipeline, tmp_path / "home.rp")
    with pytest.raises(ArtifactError):
        rp.load(tmp_path / "home.rp")


def test_pipelines_under_other_rules_teach_one_bandit():
    pipeline = home()
    twin = pipeline.with_rules("RULE cheap: REQUIRE item.price < 1000")
    page = ask(twin, "d")
    assert twin.feedback("d", clicked=page.item_ids[:1])
    assert pipeline.reranker_.policy_.trials_.sum() == pytest.approx(1)


def test_whoever_is_forgotten_teaches_nothing_any_more():
    pipeline = home()
    ask(pipeline, "d", now=NOW)
    pipeline.forget(["u-0001"])
    ask(pipeline, "e", user="u-0002", now=NOW + 25 * HOUR)
    assert pipeline.reranker_.policy_.trials_.sum() == 0


def test_new_items_and_events_reach_the_objectives():
    pipeline = home(arms={"fresh": {"freshness": 1}}, objectives=["freshness"])
    late = pd.Timestamp(NOW, unit="ms", tz="UTC") + pd.Timedelta("30D")
    pipeline.update_items(pd.DataFrame({"item_id": ["brand new"], "created_at": [late]}))
    pipeline.partial_fit(rp.Event("u-0002", "brand new", timestamp=late))
    assert ask(pipeline, "d").item_ids[0] == "brand new"


def test_several_threads_ask_and_tell_at_once():
    pipeline = home()

    def visit(number):
        for turn in range(25):
            page = ask(pipeline, f"{number}-{turn}")
            pipeline.feedback(f"{number}-{turn}", clicked=page.item_ids[:1])

    threads = [threading.Thread(target=visit, args=[number]) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    frame = pipeline.decisions_frame()
    assert pipeline.reranker_.policy_.trials_[0].sum() == pytest.approx(len(frame))
    assert counts(pipeline) == {"taught": 100}


# -- in words ----------------------------------------------------------------------------------


def test_a_page_tells_what_it_would_have_been_without():
    pipeline = home(epsilon=1.0, max_relevance_loss=1)
    pages = [ask(pipeline, f"d{number}") for number in range(30)]
    page = next(page for page in pages if set(page.item_ids) != set(page.draw.without))
    told = pipeline.reranker_.explain(page)
    assert told.loc[told["drawn"], "arm"].tolist() == list(page.draw.same)
    assert np.isclose(told.loc[told["drawn"], "probability"].sum(), page.propensity)
    assert set(told.attrs["new"]) == set(page.item_ids) - set(page.draw.without)
    assert set(told.attrs["gone"]) == set(page.draw.without) - set(page.item_ids)
    assert any(f"the arm {page.draw.arm!r} shows" in said for said in page.effects)
    plain = pipeline.with_rules(None)
    plain.reranker_, plain.reranker = None, None
    assert list(page.draw.without) == plain.recommend("u-0001", n=5).item_ids


def test_only_what_was_drawn_can_be_explained():
    pipeline = home()
    ranking = replace(ask(pipeline, "d"), draw=None)
    with pytest.raises(DataError, match="nothing was drawn"):
        pipeline.reranker_.explain(ranking)


def test_pages_still_tell_who_contributed():
    pipeline = home(epsilon=1.0)
    page = ask(pipeline, "d")
    assert page.explain(page[0])["component"].tolist() == ["popularity"]
    assert pipeline.explain("u-0001", page[0])["component"].tolist() == ["popularity"]


def test_slots_are_explored_on_the_page_that_an_arm_has_made():
    pipeline = home(exploration=rp.SlotExploration(rate=0.5, item_age_cutoff="9000d"))
    pages = [ask(pipeline, f"d{number}") for number in range(10)]
    for page in pages:
        assert page.draw is not None
        assert np.isfinite(page.slot_propensities).all()
    assert any(set(page.item_ids) - set(page.draw.without) for page in pages)
    assert len(pipeline.decisions_["d0"].slot_propensities) == 5
    still = pipeline.recommend_many(["u-0001"], n=5)
    assert "SlotExploration" not in set(still["source"])


def test_each_has_a_policy_of_its_own():
    changed = rp.BanditReranker().set_params(policy__n0=30)
    assert changed.policy.n0 == 30
    assert rp.BanditReranker().policy.n0 is None
    assert "n0=30" in repr(changed)
    assert repr(rp.BanditReranker()) == "BanditReranker()"


def test_a_log_needs_a_shop_and_lists():
    log = pd.DataFrame({"arm": ["plain"], "reward": [1.0], "same": ["('plain',)"]})
    with pytest.raises(NotFittedError, match="first fit the pipeline"):
        rp.BanditReranker().fit(log)
    with pytest.raises(DataError, match="to_parquet"):
        home().reranker_.fit(log)
