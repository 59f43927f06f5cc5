"""Rules and linear models on real visits, beside what was published."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import recopersona as rp

FOLDER = os.environ.get("RECOPERSONA_DATA")
VISITS = Path(FOLDER or ".") / "retailrocket-sessions"

pytestmark = pytest.mark.skipif(
    not FOLDER or not VISITS.exists(),
    reason="set RECOPERSONA_DATA to a folder that holds retailrocket-sessions",
)


@pytest.fixture(scope="module")
def shop():
    train = pd.read_parquet(VISITS / "train.parquet").explode("items")
    columns = {"user_id": train["session_id"], "item_id": train["items"].astype(np.int64)}
    return rp.Dataset.from_frames(pd.DataFrame(columns).reset_index(drop=True))


@pytest.fixture(scope="module")
def asked():
    test = pd.read_parquet(VISITS / "test.parquet")
    return [rp.Query(session=prefix) for prefix in test["prefix"]], test["target"].tolist()


def quality(model, asked):
    """The share of answers that hold the next item, and its mean reciprocal rank."""
    places = [
        next((n for n, item in enumerate(ranking.item_ids, 1) if item == target), np.inf)
        for ranking, target in zip(model.rank_many(asked[0], 20), asked[1], strict=True)
    ]
    return np.isfinite(places).mean(), (1 / np.array(places)).mean()


def test_the_rules_of_the_paper_are_as_good_as_published(shop, asked):
    rules = rp.SequentialRules(steps=7, decay=0, backward=0, reminder=0).fit(shop)
    assert quality(rules, asked) == pytest.approx((0.4040, 0.1948), abs=0.002)
    chain = rp.Markov(decay=0, reminder=0).fit(shop)
    assert quality(chain, asked) == pytest.approx((0.3485, 0.1819), abs=0.006)


@pytest.mark.parametrize(
    ("model", "hits", "rank"),
    [
        (rp.SequentialRules(), 0.570, 0.298),
        (rp.Markov(), 0.540, 0.290),
        (rp.SessionLinear(), 0.560, 0.295),
    ],
    ids=str,
)
def test_more_clicks_and_reminders_are_better_by_far(shop, asked, model, hits, rank):
    found = quality(model.fit(shop), asked)
    assert found[0] > hits
    assert found[1] > rank
