"""Stays come out in milliseconds, reading depths in percent, and nonsense as nothing."""

import numpy as np
import pandas as pd
import pytest

import recopersona as rp


def cleaned(**columns):
    n = len(next(iter(columns.values())))
    log = pd.DataFrame({"user_id": range(n), "item_id": "tea"} | columns)
    events, report = rp.clean(log, report=True)
    assert report.quarantined == {}
    return events, dict(report.repaired)


SECONDS = np.arange(1, 61) * 2.5


def test_stays_in_seconds_become_milliseconds():
    events, repaired = cleaned(dwell_ms=[*SECONDS, 0, None])
    assert events["dwell_ms"].tolist()[:61] == [*(SECONDS * 1_000), 0]
    assert repaired == {"dwell_unit": 60}


@pytest.mark.parametrize(
    "dwell",
    [SECONDS * 1_000, SECONDS[:19], np.arange(40) / 50, [*SECONDS[:25], 86_500.0], [0] * 30],
)
def test_what_may_be_milliseconds_is_left_alone(dwell):
    events, repaired = cleaned(dwell_ms=dwell)
    assert events["dwell_ms"].tolist() == list(dwell)
    assert repaired == {}


def test_depths_as_shares_become_percent():
    events, repaired = cleaned(scroll_pct=[0.25] * 20 + [1, 0])
    assert events["scroll_pct"].tolist() == [25] * 20 + [100, 0]
    assert repaired == {"scroll_unit": 21}


@pytest.mark.parametrize("depth", [[0.25] * 30, [0, 1] * 20, [0.25, 1] * 9, [0.5] * 30 + [2]])
def test_what_may_be_percent_is_left_alone(depth):
    assert cleaned(scroll_pct=depth)[1] == {}


@pytest.mark.parametrize("value", [-1, 86_400_001, np.inf, "long", 1e300])
def test_a_stay_that_cannot_be_is_blanked_and_the_event_stays(value):
    events, repaired = cleaned(dwell_ms=pd.Series([1_500, value], dtype=object))
    assert events["dwell_ms"].tolist()[0] == 1_500
    assert events["dwell_ms"].isna().tolist() == [False, True]
    assert repaired == {"dwell_range": 1}


@pytest.mark.parametrize("value", [-1, 100.5, 250, np.inf, "all"])
def test_a_depth_that_cannot_be_is_blanked_and_the_event_stays(value):
    events, repaired = cleaned(scroll_pct=pd.Series([60, value], dtype=object))
    assert events["scroll_pct"].tolist()[0] == 60
    assert events["scroll_pct"].isna().tolist() == [False, True]
    assert repaired == {"scroll_range": 1}


def test_good_measures_stay_as_they_are():
    columns = {"dwell_ms": np.array([1_500, 20_000]), "scroll_pct": np.array([0, 100])}
    events, repaired = cleaned(**columns)
    assert events["dwell_ms"].dtype == events["scroll_pct"].dtype == np.int64
    assert repaired == {}


def test_cleaning_measures_twice_changes_nothing():
    log = pd.DataFrame({
        "user_id": range(60), "item_id": "tea", "dwell_ms": SECONDS,
        "scroll_pct": np.linspace(0, 1, 60),
    })  # fmt: skip
    once = rp.clean(log)
    again, report = rp.clean(once, report=True)
    pd.testing.assert_frame_equal(again, once)
    assert report.repaired == {}
