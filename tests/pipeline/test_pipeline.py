"""The layers together: candidates, rules, fusion, stages, fallbacks, feedback and keeping."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

import recopersona as rp
from recopersona.errors import ArtifactError, ColumnError, DataError, NotFittedError, ParameterError
from recopersona.pipeline.fusion import fuse
from recopersona.testing import checkerboard

SHOP = rp.synthetic_shop(80, 30, 30, random_state=3)
PARTS = [rp.ItemKNN(k=20), ("week", rp.Popularity(half_life="7d"))]


def in_stock(items):
    return items["stock"] > 0


def cheap(query, items):
    return items["price"] < query.context.get("budget", np.inf)


def backwards(query, ranking):
    return ranking.rescored(-ranking.scores)


def only_three(query, ranking):
    return ranking.top(3)


def home(**options):
    return rp.Pipeline(candidates=PARTS, **options).fit(SHOP)


@pytest.fixture(scope="module")
def plain():
    return home(rules=in_stock)


# -- parameters ------------------------------------------------------------------------------


def test_parameters_of_parts_are_reached_by_name():
    pipeline = rp.Pipeline(candidates=[rp.ItemKNN(k=20), ("week", rp.Popularity())])
    assert pipeline.get_params()["itemknn__k"] == 20
    assert pipeline.set_params(itemknn__k=5, week__half_life="1d", pool=50) is pipeline
    params = pipeline.get_params()
    assert (params["itemknn__k"], params["week__half_life"], params["pool"]) == (5, "1d", 50)
    pipeline.set_params(week=rp.ALS(factors=3))
    assert pipeline.get_params()["week__factors"] == 3


def test_a_clone_has_parts_of_its_own():
    pipeline = rp.Pipeline(candidates=PARTS, rules=[in_stock], reranker=backwards)
    twin = clone(pipeline).set_params(itemknn__k=3)
    assert pipeline.get_params()["itemknn__k"] == 20
    assert twin.get_params()["week"] is not pipeline.get_params()["week"]
    assert twin.rules == [in_stock]
    assert twin.reranker is backwards
    assert repr(clone(pipeline)) == repr(pipeline)


def test_the_models_given_stay_unfitted(plain):
    assert not PARTS[0].__sklearn_is_fitted__()
    assert plain.candidates_["itemknn"].__sklearn_is_fitted__()
    assert list(plain.candidates_) == ["itemknn", "week"]


def test_a_pipeline_shows_itself():
    assert "Pipeline" in rp.Pipeline(candidates=PARTS)._repr_html_()
    assert "week" in repr(rp.Pipeline(candidates=PARTS))


BAD = {
    "no candidates": ({"candidates": []}, "Pipeline: candidates must be a list of models or"),
    "a class": ({"candidates": [rp.ALS]}, "Pipeline: candidates must be a list of models or"),
    "a word": ({"candidates": ["als"]}, "Pipeline: candidates must be a list of models or"),
    "two of a name": (
        {"candidates": [("a", rp.ALS()), ("a", rp.ALS())]}, "'a' cannot name a part; use"),
    "a name with __": ({"candidates": [("a__b", rp.ALS())]}, "'a__b' cannot name a part"),
    "a rule of three": ({"rules": lambda a, b, c: a}, "rules must be text of the rule language"),
    "a ranker that is none": ({"ranker": 7}, "Pipeline: ranker must be a function"),
    "weights of nobody": ({"weights": {"als": 1.0}}, "weights name 'als', which is no candidate"),
    "a misspelt weight": ({"weights": {"itemkn": 1.0}}, "did you mean 'itemknn'"),
    "a negative weight": ({"weights": {"week": -1}}, "week.* must be .*above 0, got -1"),
    "no pool": ({"pool": 0}, "Pipeline: pool must be an integer of at least 1, got 0"),
}  # fmt: skip


@pytest.mark.parametrize(("options", "words"), BAD.values(), ids=BAD)
def test_bad_parameters_are_refused_by_fit(options, words):
    with pytest.raises(ParameterError, match=words):
        rp.Pipeline(**{"candidates": PARTS, **options}).fit(SHOP)


def test_an_unknown_parameter_is_refused_by_name():
    with pytest.raises(ParameterError, match="no parameter 'itemkn__k'; did you mean 'itemknn'"):
        rp.Pipeline(candidates=PARTS).set_params(itemkn__k=3)


# -- candidates and fusion -------------------------------------------------------------------


def test_lists_are_merged_by_reciprocal_rank():
    ids = rp.IdMap(["a", "b", "c", "d"])
    first = rp.Ranking.of([0, 1, 2], [9, 8, 7], ids, "first")
    second = rp.Ranking.of([3, 1], [0.2, 0.1], ids, "second")
    merged = fuse([first, second], ("first", "second"), [1.0, 2.0], ids)
    wanted = {"a": 1 / 61, "b": 1 / 62 + 2 / 62, "c": 1 / 63, "d": 2 / 61}
    assert merged.item_ids == sorted(wanted, key=lambda item: -wanted[item])
    assert merged.scores.tolist() == pytest.approx(sorted(wanted.values(), reverse=True))
    assert dict(zip(merged.item_ids, merged.sources, strict=True)) == {
        "a": "first", "b": "second", "c": "first", "d": "second",
    }  # fmt: skip


def test_empty_lists_merge_into_an_empty_one():
    ids = rp.IdMap(["a"])
    empty = rp.Ranking.of([], [], ids, "m")
    assert len(fuse([empty, empty], ("m", "n"), [1, 1], ids)) == 0


def test_every_item_says_where_it_came_from(plain):
    ranking = plain.recommend("u-0001", n=10)
    assert set(ranking.sources) <= {"itemknn", "week"}
    assert ranking.source_names[:2] == ("itemknn", "week")
    shares = ranking.explain(ranking.item_ids[0])
    assert shares["contribution"].sum() == pytest.approx(float(ranking.scores[0]), rel=1e-5)


def test_a_heavier_weight_draws_a_list_upwards():
    names = home(weights={"week": 1e6}).recommend("u-0001", n=8).item_ids
    assert names == rp.Popularity(half_life="7d").fit(SHOP).recommend("u-0001", n=8).item_ids


def test_a_pipeline_of_one_model_answers_like_the_model():
    events, answers = checkerboard(10)
    alone = rp.Pipeline(candidates=[rp.ItemKNN()]).fit(events)
    model = rp.ItemKNN().fit(events)
    for user, item in answers.items():
        assert alone.recommend(user, n=1).item_ids == [item]
        assert alone.recommend(user, n=4).item_ids == model.recommend(user, n=4).item_ids


def test_a_small_pool_is_filled_up_to_n():
    ranking = home(pool=2).recommend("a stranger", n=25)
    assert len(ranking) == 25


# -- rules -----------------------------------------------------------------------------------


def test_rules_are_asked_before_candidates_are_picked(plain):
    stock = dict(zip(SHOP.items.ids, SHOP.item_features["stock"], strict=True))
    gone = [item for item, left in stock.items() if left <= 0]
    assert gone
    ranking = plain.recommend("a stranger", n=len(stock))
    assert len(ranking) == len(stock) - len(gone)
    assert not set(gone) & set(ranking.item_ids)
    assert f"in_stock left out {len(gone)} of {len(stock)} items" in ranking.effects
    assert f"only {len(ranking)} of {len(stock)} items may be shown" in ranking.effects


def test_rules_may_ask_the_query():
    pipeline = home(rules=[in_stock, cheap])
    price = dict(zip(SHOP.items.ids, SHOP.item_features["price"], strict=True))
    for budget in (8.0, 20.0):
        ranking = pipeline.recommend(rp.Query("u-0001", context={"budget": budget}), n=30)
        assert all(price[item] < budget for item in ranking.item_ids)
    frame = pipeline.recommend_many(
        [rp.Query("u-0001", context={"budget": 8.0}), rp.Query("u-0002")], n=30
    )
    prices = frame["item_id"].map(price).groupby(frame["user_id"]).max()
    assert prices["u-0001"] < 8.0 < prices["u-0002"]


def test_unknown_counts_as_false():
    def not_dear(items):
        return items["price"].astype("Float64") < 1e9

    pipeline = rp.Pipeline(candidates=[rp.Popularity()], rules=not_dear).fit(SHOP)
    pipeline.partial_fit(rp.Event("u-0001", "never described"))
    assert "never described" not in pipeline.recommend("u-0002", n=100).item_ids


def test_a_rule_may_change_its_frame():
    def careless(items):
        items["stock"] = 0
        return items["price"] > 0

    pipeline = home(rules=[careless, in_stock])
    assert len(pipeline.recommend("a stranger", n=20)) == 20
    assert SHOP.item_features["stock"].sum() > 0


BAD_RULES = {
    "a misspelt column": (
        lambda items: items["stok"] > 0, ColumnError, "no item column 'stok'; did you mean"),
    "a single answer": (lambda items: True, DataError, "must return true or false for each"),
    "too few answers": (lambda items: [True], DataError, "must return true or false for each"),
    "words": (lambda items: ["yes"] * len(items), DataError, "must return true or false"),
}  # fmt: skip


@pytest.mark.parametrize(("rule", "kind", "words"), BAD_RULES.values(), ids=BAD_RULES)
def test_a_bad_rule_is_told_in_one_sentence(rule, kind, words):
    with pytest.raises(kind, match=words):
        home(rules=rule).recommend("u-0001")


def test_stock_and_prices_count_from_the_next_question():
    pipeline = home(rules=in_stock)
    first = pipeline.recommend("u-0001", n=1).item_ids[0]
    pipeline.update_items(pd.DataFrame({"item_id": [first], "stock": [0]}))
    assert first not in pipeline.recommend("u-0001", n=30).item_ids
    pipeline.update_items(pd.DataFrame({"item_id": [first, "brand new"], "stock": [5, 5]}))
    assert {first, "brand new"} <= set(pipeline.recommend("u-0001", n=50).item_ids)
    assert "brand new" not in SHOP.items


# -- stages ----------------------------------------------------------------------------------


def test_stages_are_applied_in_order():
    seen = []

    def note(name):
        def stage(query, ranking):
            seen.append(name)
            return ranking

        return stage

    home(ranker=note("ranker"), reranker=note("reranker")).recommend("u-0001")
    assert seen == ["ranker", "reranker"]


def test_a_reranker_has_the_last_word():
    forwards = home(pool=200).recommend("u-0001", n=30, seen="keep")
    turned = home(pool=200, reranker=backwards).recommend("u-0001", n=30, seen="keep")
    own = [item for item, source in zip(forwards.item_ids, forwards.sources, strict=True)
           if source in ("itemknn", "week")]  # fmt: skip
    assert turned.item_ids[0] == own[-1] or turned.scores[0] == -forwards.scores[len(own) - 1]


def test_what_a_stage_shortens_is_filled_up():
    ranking = home(reranker=only_three).recommend("u-0001", n=10)
    assert len(ranking) == 10
    assert all("popularity" in source for source in ranking.sources[3:])


def test_a_class_in_place_of_a_ranker_is_refused_in_words():
    home = rp.Pipeline(candidates=[rp.Popularity()], ranker=rp.BoostedRanker)
    with pytest.raises(ParameterError, match=r"ranker must be .* such as BoostedRanker\(\)"):
        home.fit(rp.synthetic_shop(50, 20, random_state=1))


def test_a_stage_that_learns_is_cloned_and_fitted():
    class Learner(rp.Popularity):
        def __call__(self, query, ranking):
            return ranking.rescored(self.score_items(query)[ranking.items])

    learner = Learner()
    pipeline = home(ranker=learner)
    assert not learner.__sklearn_is_fitted__()
    assert pipeline.ranker_.__sklearn_is_fitted__()
    names = pipeline.recommend("u-0001", n=5).item_ids
    assert names == rp.Popularity().fit(SHOP).recommend("u-0001", n=5).item_ids


# -- feedback --------------------------------------------------------------------------------


class Student:
    """A stage that remembers what it was taught."""

    taught = ()

    def __call__(self, query, ranking):
        return ranking

    def _learn_outcome(self, decision):
        self.taught = (*self.taught, decision)


def test_feedback_teaches_once_per_decision():
    pipeline = home(reranker=Student())
    ranking = pipeline.recommend("u-0001", n=3)
    first, second, third = ranking.item_ids
    assert pipeline.feedback(ranking.decision_id, clicked=[first], purchased=[second])
    assert not pipeline.feedback(ranking.decision_id, clicked=[first, second])
    assert not pipeline.feedback("never made", clicked=[first])
    assert len(pipeline.reranker_.taught) == 1
    assert pipeline.reranker_.taught[0].outcome == {first: "click", second: "purchase"}
    assert pipeline.reranker_.taught[0].shown == (first, second, third)
    counts = {name: count for name, count in pipeline.feedback_counts_.items() if count}
    assert counts == {"taught": 1, "repeated": 1, "unknown": 1}


def test_feedback_without_a_click_teaches_too():
    pipeline = home(reranker=Student())
    assert pipeline.feedback(pipeline.recommend("u-0001").decision_id)
    assert pipeline.reranker_.taught[0].outcome == {}


def test_feedback_on_what_was_not_shown_is_refused_and_teaches_nothing():
    pipeline = home(reranker=Student())
    ranking = pipeline.recommend("u-0001", n=2)
    with pytest.raises(DataError, match="did not show the item 'gold'"):
        pipeline.feedback(ranking.decision_id, clicked=["gold"])
    with pytest.raises(DataError, match="unknown event 'bought'"):
        pipeline.feedback(ranking.decision_id, outcome={ranking.item_ids[0]: "bought"})
    assert pipeline.reranker_.taught == ()
    assert pipeline.feedback(ranking.decision_id, clicked=ranking.item_ids[:1])


def test_a_decision_keeps_the_name_that_the_query_gave_it(plain):
    assert plain.recommend(rp.Query("u-0001", decision_id="page-7")).decision_id == "page-7"
    first, second = (plain.recommend("u-0001").decision_id for _ in range(2))
    assert first != second


def test_only_the_latest_decisions_are_remembered():
    pipeline = home(decision_log=2)
    made = [pipeline.recommend("u-0001").decision_id for _ in range(3)]
    assert [pipeline.feedback(decision) for decision in made] == [False, True, True]


def test_recommend_many_logs_nothing(plain):
    before = dict(plain.decisions_)
    plain.recommend_many(["u-0001", "u-0002"])
    assert dict(plain.decisions_) == before


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        (datetime(2026, 7, 1, tzinfo=UTC), "2026-07-01 00:00:00+00:00"),
        (timedelta(days=1), timedelta(days=1)),
        ({"tea"}, "{'tea'}"),
        (["tea", b"salt"], "['tea', b'salt']"),
        (["tea", 1], ["tea", 1]),
        (np.float32(0.5), 0.5),
    ],
)
def test_whatever_a_request_says_the_pipeline_can_be_saved(value, kept, tmp_path):
    home = rp.Pipeline(candidates=[rp.Popularity()]).fit(rp.synthetic_shop(20, 9, random_state=1))
    home.recommend(rp.Query(context={"said": value}, decision_id="d"), n=2)
    home.save(tmp_path / "home")
    loaded = rp.load(tmp_path / "home")
    assert loaded.decisions_["d"].context == {"said": kept}
    assert home.decisions_["d"].context == {"said": value}


def test_a_forgotten_users_decisions_are_forgotten():
    pipeline = home()
    ranking = pipeline.recommend("u-0001")
    pipeline.forget(["u-0001"])
    assert not pipeline.feedback(ranking.decision_id)
    assert all(decision.user_id != "u-0001" for decision in pipeline.decisions_.values())


def test_feedback_needs_a_fitted_pipeline():
    with pytest.raises(NotFittedError, match="this Pipeline has learned nothing yet"):
        rp.Pipeline(candidates=PARTS).feedback("d")


# -- learning and keeping --------------------------------------------------------------------


def test_events_reach_every_part_once():
    pipeline = rp.Pipeline(candidates=[rp.ALS(factors=4), rp.Popularity()]).fit(SHOP)
    best = pipeline.recommend("u-0001", n=1).item_ids[0]
    before = pipeline.candidates_["popularity"].score_items(rp.Query()).copy()
    pipeline.partial_fit(rp.Event("u-0001", best, "purchase", SHOP.end))
    after = pipeline.candidates_["popularity"].score_items(rp.Query())
    item = SHOP.items.index(best)
    assert after[item] - before[item] == 10
    assert (np.delete(after, item) == np.delete(before, item)).all()
    assert best not in pipeline.recommend("u-0001", n=30).item_ids
    assert pipeline.past_.seen(SHOP.users.index("u-0001"), ["purchase"]).tolist().count(item) == 1


def test_a_pipeline_with_functions_is_saved_and_loaded(tmp_path):
    pipeline = home(rules=[in_stock, cheap], reranker=backwards, weights={"week": 2.0})
    decision = pipeline.recommend("u-0001").decision_id
    pipeline.save(tmp_path / "home.rp")
    with pytest.raises(ArtifactError, match="which a file cannot hold; pass it"):
        rp.load(tmp_path / "home.rp")
    functions = [in_stock, cheap, backwards]
    loaded = rp.load(tmp_path / "home.rp", functions=functions, mmap=True)
    users = SHOP.users.ids[:20].tolist()
    assert loaded.recommend_many(users).equals(pipeline.recommend_many(users))
    assert loaded.rules == [in_stock, cheap]
    assert loaded.feedback(decision)
    assert loaded.candidates_["week"].past_ is loaded.past_
    loaded.partial_fit(rp.Event("somebody new", "something new"))
    assert "something new" in loaded.items_


def test_a_pipeline_with_a_lambda_is_not_saved(tmp_path):
    with pytest.raises(ArtifactError, match=r"Pipeline\.rules is a lambda.*; define it with def"):
        home(rules=lambda items: items["stock"] > 0).save(tmp_path / "home.rp")


def test_a_stranger_an_empty_session_and_a_new_item_never_raise(plain):
    for asked in ("a stranger", rp.Query(), rp.Query(session=["never seen"]), rp.Query(seed="odd")):
        assert len(plain.recommend(asked, n=10)) == 10


@pytest.mark.parametrize("weights", [[1, 2], "als", 3])
def test_weights_are_a_mapping(weights):
    events = pd.DataFrame({"user_id": [1, 2], "item_id": ["tea", "salt"]})
    with pytest.raises(ParameterError, match="Pipeline: weights must be a mapping from name"):
        rp.Pipeline(candidates=[rp.Popularity()], weights=weights).fit(events)
