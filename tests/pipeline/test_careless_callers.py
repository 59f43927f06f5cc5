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
