import numpy as np
import pandas as pd
import pytest
from scipy import stats

import recopersona as rp
from recopersona.errors import DataError, ParameterError

START = pd.Timestamp("2026-01-01")
HOUR, DAY = 3_600_000, 86_400_000


def log(**counts):
    """A log of so many events of each item on each day, spread over the day."""
    rows = [
        (item, START + pd.Timedelta(days=day, seconds=86_400 * (event + 0.5) / many))
        for item, days in counts.items()
        for day, many in enumerate(days)
        for event in range(many)
    ]
    frame = pd.DataFrame(rows, columns=["item_id", "timestamp"])
    return frame.assign(user_id=range(len(frame))).sort_values("timestamp", ignore_index=True)


def scores(model, **question):
    own = model.score_items(rp.Query(**question)).tolist()
    return dict(zip(model.items_.ids.tolist(), own, strict=True))


BUSY = log(steady=[20] * 10, rising=[5] * 9 + [25], new=[0] * 9 + [3], gone=[9] * 8 + [0, 0])


def test_the_score_is_the_lower_end_of_the_factor():
    model = rp.Trending(baseline="9d", confidence=0.8, shrink=4.0).fit(BUSY)
    end = int(BUSY["timestamp"].max().timestamp() * 1000)
    edge = (end // HOUR + 1) * HOUR
    times = (BUSY["timestamp"] - pd.Timestamp(0)) // pd.Timedelta("1ms")
    lately, before = times > edge - DAY, (times > edge - 9 * DAY) & (times <= edge - DAY)
    for item in ("steady", "rising", "new"):
        its = BUSY["item_id"] == item
        expected = (its & before).sum() * lately.sum() / before.sum()
        factor = stats.gamma(4 + (its & lately).sum(), scale=1 / (4 + expected))
        assert scores(model)[item] == pytest.approx(np.log(factor.ppf(0.2)), rel=1e-5)
    assert scores(model)["gone"] == -np.inf


def test_three_views_after_none_do_not_beat_a_real_trend():
    model = rp.Trending().fit(BUSY)
    assert model.recommend(rp.Query(), n=1).item_ids == ["rising"]
    assert scores(model)["rising"] > 0 > scores(model)["new"]


def test_more_traffic_for_everybody_is_no_trend():
    twice = log(steady=[20] * 9 + [60], other=[10] * 9 + [30])
    assert max(scores(rp.Trending().fit(twice)).values()) < 0


def test_what_is_said_about_a_moment_knows_nothing_of_what_came_later():
    moment = START + pd.Timedelta(days=9)
    earlier = rp.Trending().fit(BUSY[BUSY["timestamp"] <= moment])
    replayed = scores(rp.Trending().fit(BUSY), now=moment)
    then = scores(earlier, now=moment)
    assert {item: replayed[item] for item in then} == pytest.approx(then)
    assert replayed["new"] == -np.inf


def test_as_time_goes_on_the_trend_is_over():
    model = rp.Trending().fit(BUSY)
    later = scores(model, now=START + pd.Timedelta(days=30))
    assert set(later.values()) == {-np.inf}
    assert len(model.recommend(rp.Query(now=START + pd.Timedelta(days=30)), n=3)) == 3


@pytest.mark.parametrize("asked_between", [True, False])
def test_events_count_at_once_as_if_they_had_been_fitted(asked_between):
    half = len(BUSY) // 2
    model = rp.Trending().fit(BUSY[:half])
    for start in range(half, len(BUSY), 7):
        if asked_between:
            scores(model)
        model.partial_fit(BUSY[start : start + 7])
    late = pd.DataFrame({"user_id": [1], "item_id": ["late"], "timestamp": [START]})
    model.partial_fit(late)  # a straggler belongs to the baseline
    fresh = rp.Trending().fit(pd.concat([BUSY, late]))
    assert scores(model) == pytest.approx(scores(fresh), rel=1e-6)


def test_scores_are_made_once_between_two_events():
    model = rp.Trending().fit(BUSY)
    first = model.score_items(rp.Query())
    assert model.score_items(rp.Query("somebody")) is first
    model.partial_fit(rp.Event("anna", "new", "view", BUSY["timestamp"].max()))
    assert scores(model)["new"] > first[model.items_.index("new")]
    model.update_items(pd.DataFrame({"item_id": ["newest"]}))
    assert scores(model)["newest"] == -np.inf


def test_old_events_are_dropped():
    model = rp.Trending(window="1h", baseline="1d").fit(BUSY)
    assert len(model.log_times_) < len(BUSY) / 2
    for day in range(11, 60):
        more = log(steady=[100])
        more["timestamp"] += pd.Timedelta(days=day)
        model.partial_fit(more)
    assert len(model.log_times_) < 2_000


def test_heavy_events_count_for_more_but_not_as_many():
    heavy = rp.Dataset.from_frames(BUSY.assign(event="purchase"), event_weights={"purchase": 10})
    assert scores(rp.Trending().fit(heavy)) == pytest.approx(
        scores(rp.Trending().fit(BUSY)), rel=1e-5
    )


def test_events_without_a_time_are_counted_and_left_out():
    model = rp.Trending().fit(BUSY)
    model.partial_fit(rp.Event("anna", "rising"))
    assert model.n_without_time_ == 1
    assert scores(model) == pytest.approx(scores(rp.Trending().fit(BUSY)))


def test_time_is_asked_for_by_name():
    with pytest.raises(DataError, match="Trending needs a 'timestamp' column"):
        rp.Trending().fit(BUSY.drop(columns="timestamp"))
    with pytest.raises(ParameterError, match="baseline must be longer than window"):
        rp.Trending(window="2w", baseline="1w").fit(BUSY)
