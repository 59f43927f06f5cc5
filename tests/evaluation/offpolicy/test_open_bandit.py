"""The men campaign of the Open Bandit Dataset: what is told, and what is refused."""

import os
from pathlib import Path

import pandas as pd
import pytest

import recopersona as rp
from recopersona.evaluation.offpolicy.estimating import ESTIMATORS

DATA = Path(os.environ.get("RECOPERSONA_DATA", "none")) / "obd" / "men.parquet"
pytestmark = pytest.mark.skipif(not DATA.exists(), reason="RECOPERSONA_DATA has no obd")


@pytest.fixture(scope="module")
def logs():
    frame = pd.read_parquet(DATA)
    return dict(iter(frame.groupby("policy")))


def asked(log, target, **more):
    return rp.off_policy(
        log, target, action="item_id", reward="click", propensity="propensity_score",
        position="position", reward_range=(0, 1), **more,
    )  # fmt: skip


def test_intervals_cover_what_thompson_sampling_earned(logs):
    found = asked(logs["random"], logs["bts"])
    truth = logs["bts"]["click"].mean()
    assert (found.table["refused"] == "").all()
    for name in ("SNIPS", "DR", "DRos"):
        assert found[name].low <= truth <= found[name].high
    assert found.table.index.tolist() == [*ESTIMATORS]


def test_the_way_back_is_refused_for_its_effective_sample_size(logs):
    found = asked(logs["bts"], logs["random"])
    assert found.refused
    assert "effective sample size of 624" in found["DR"].refused


def test_a_log_without_its_top_items_is_refused_for_unlogged_mass(logs):
    top = logs["bts"]["item_id"].value_counts().index[:8]
    found = asked(logs["random"][~logs["random"]["item_id"].isin(top)], logs["bts"])
    assert found.refused
    assert "never logged there" in found["DR"].refused
    assert found.diagnostics["unlogged_mass"] > 0.5
