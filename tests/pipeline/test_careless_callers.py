"""Questions and feedback that are none: refused in a sentence, and nobody else pays for them."""

import datetime
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

import recopersona as rp
from recopersona.errors import DataError, ParameterError

SHOP = rp.synthetic_shop(40, 30, 20, random_state=3)
NOW = SHOP.end


def home(log_size=1_000, **settings):
    stage = rp.BanditReranker(max_relevance_loss=1.0, **settings)
    made = rp.Pipeline(candidates=[rp.Popularity()], reranker=stage, decision_log=log_size)
    return made.fit(SHOP)


def ask(pipeline, name, user="u-0001", **query):
    return pipeline.recommend(rp.Query(user, decision_id=name, **query), n=5)


@pytest.mark.parametrize("name", [5, 1.5, ["d"], ("d",), b"d", True, float("nan")])
def test_a_decision_is_named_by_text(name):
    with pytest.raises(DataError, match="decision_id must be text"):
        rp.Query("u-0001", decision_id=name)


@pytest.mark.parametrize("item", [np.arange(2), ["a"], {}, None, True, float("nan"), "x" * 10**6])
def test_what_was_not_shown_is_refused_and_changes_nothing(item):
    pipeline = home()
    ask(pipeline, "d")
    with pytest.raises(DataError, match="did not show") as refused:
        pipeline.feedback("d", clicked=[item])
    assert len(str(refused.value)) < 300
    assert pipeline.reranker_.policy_.counts_["rewards"] == 0


def test_true_is_not_the_item_of_number_one():
    log = [rp.Event(user, item) for user in range(5) for item in range(4)]
    pipeline = rp.Pipeline(candidates=[rp.Popularity()]).fit(log)
    page = pipeline.recommend(rp.Query(99, decision_id="d"), n=4)
    assert 1 in page.item_ids
    with pytest.raises(DataError, match="did not show the item True"):
        pipeline.feedback("d", clicked=[True])
    assert pipeline.feedback("d", clicked=[np.int64(1)])


@pytest.mark.parametrize(
    "odd",
    [
        {"user": pd.NA},
        {"user": float("nan")},
        {"user": pd.Timestamp("2020")},
        {"user": Decimal(1)},
        {"user": b"anna"},
        {"context": {"page": len}},
        {"context": {"page": pd.DataFrame({"a": [1]})}},
        {"context": {"page": (lambda held: held.append(held) or held)([])}},
        {"context": {"page": np.arange(3)}},
    ],
    ids=str,
)
def test_no_odd_question_keeps_a_pipeline_from_being_saved(odd, tmp_path):
    pipeline = home()
    page = ask(pipeline, "d", **odd)
    pipeline.save(tmp_path / "home")
    assert rp.load(tmp_path / "home").feedback("d", clicked=page.item_ids[:1])


@pytest.mark.parametrize(
    "segment",
    [np.array([1, 2]), [], {}, b"x", datetime.date(2020, 1, 1), (Decimal(1),), (["a"],), ((1,),)],
    ids=str,
)
def test_a_segment_is_what_a_file_can_hold(segment):
    with pytest.raises(DataError, match="must give an id"):
        ask(home(segment="page"), "d", context={"page": segment})


@pytest.mark.parametrize("again", [True, False], ids=["asked again", "pushed out"])
def test_what_waits_is_no_more_than_what_is_remembered(again):
    pipeline = home(log_size=20)
    for number in range(200):
        ask(pipeline, "d" if again else f"d{number}", now=NOW + number)
    assert len(pipeline._due) <= 2 * 20 + 100
    for name in ("later", "later still"):
        ask(pipeline, name, now=NOW + 10 * 86_400_000)
    settled = pipeline.feedback_counts_["settled"]
    assert settled == (1 if again else 200)


@pytest.mark.parametrize(
    "settings",
    [
        {"objectives": {"diversity": rp.Freshness()}},
        {"objectives": {"relevance": rp.Freshness()}},
        {"objectives": [["freshness"]]},
        {"reward": {"click": 1e300}},
        {"vectors": np.array([["a"] * 3] * 30)},
        {"vectors": np.full((30, 3), 1j)},
    ],
    ids=str,
)
def test_settings_that_cannot_be_are_refused_at_once(settings):
    with pytest.raises((ParameterError, DataError)):
        home(**settings)


def test_only_ratios_of_weights_count():
    arms = {"both": {"relevance": 1e308, "freshness": 1e308}}
    assert home(arms=arms).reranker_.arms_ == {"both": {"relevance": 0.5, "freshness": 0.5}}


# -- logs of decisions -------------------------------------------------------------------------


def told(**columns):
    log = pd.DataFrame({"arm": ["plain", "fresh"] * 5, "reward": [1.0, 0.0] * 5, "propensity": 0.5})
    log["segment"], log["same"] = None, [[arm] for arm in log["arm"]]
    return log.assign(**columns)


@pytest.mark.parametrize(
    ("log", "words"),
    [
        (told(reward="x"), "reward"),
        (told(expected="x"), "expected"),
        (told(same="('plain',)"), "same"),
        (told(propensity="x"), "propensity"),
        *[(pd.concat([told(), told()[[name]]], axis=1), name) for name in ("reward", "segment")],
    ],
)
def test_a_log_of_decisions_that_is_none_is_refused(log, words):
    stage = home().reranker_
    with pytest.raises(DataError, match=words):
        stage.fit(log)
    assert stage.policy_.counts_["rewards"] == 0


@pytest.mark.parametrize(
    ("log", "count", "reason"),
    [
        (told(same=None), 10, "rewards"),
        (told(same=7), 10, "rewards"),
        (told(expected=[None] * 10), 10, "rewards"),
        (told(reward=np.inf), 10, "reward_out_of_range"),
        (told(propensity=[0, -1, 2, np.inf, None] * 2), 8, "propensity_out_of_range"),
        (told(arm="gone", same=[["gone"]] * 10), 10, "unknown_arm"),
    ],
)
def test_rows_of_decisions_that_cannot_be_used_are_counted(log, count, reason):
    assert home().reranker_.fit(log).policy_.counts_[reason] == count


@pytest.mark.parametrize("segment", [pd.Timestamp("2020"), ["a"], Decimal(1), b"x"], ids=str)
def test_segments_of_a_log_are_what_a_file_can_hold(segment, tmp_path):
    pipeline = home()
    pipeline.reranker_.fit(told(segment=[segment] * 10))
    assert pipeline.reranker_.segments_ == []
    pipeline.save(tmp_path / "home")
    assert rp.load(tmp_path / "home").reranker_.policy_.counts_["rewards"] == 10


# -- decisions that repeat ---------------------------------------------------------------------


def test_a_name_used_for_two_visitors_is_the_later_ones_until_feedback_comes():
    pipeline = home()
    ask(pipeline, "d")
    page = ask(pipeline, "d", user="u-0002")
    assert pipeline.feedback("d", clicked=page.item_ids[:1])
    ask(pipeline, "d", user="u-0003")
    assert [one.user_id for one in pipeline.decisions_.values()] == ["u-0002"]
    assert not pipeline.feedback("d", clicked=page.item_ids[:1])
    assert pipeline.feedback_counts_["repeated"] == 1


def test_clocks_may_go_backwards():
    pipeline = home()
    pages = {name: ask(pipeline, name, now=now) for name, now in [("d", NOW), ("e", NOW - 10**9)]}
    assert pipeline.feedback("d", clicked=pages["d"].item_ids[:1], now=0)
    assert not pipeline.feedback("e", clicked=pages["e"].item_ids[:1])
    assert pipeline.clock_ == NOW
    assert pipeline.feedback_counts_["expired"] == 1


def test_a_bandit_that_nobody_has_asked_yet_is_saved_and_taught(tmp_path):
    home().save(tmp_path / "home")
    loaded = rp.load(tmp_path / "home")
    assert loaded.reranker_.policy_.counts_["rewards"] == 0
    assert len(ask(loaded, "d")) == 5
