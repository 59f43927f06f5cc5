"""Segments: the rules as they read, and the way into a dataset, a pipeline and a file."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import recopersona as rp
from recopersona.errors import ArtifactError, DataError, NotFittedError, ParameterError
from recopersona.features.segments import SEGMENTS

NOW = "2026-07-01"


def log_of(**purchases):
    """Days before 2026-07-01 on which each user bought for 10; a user of none looked 200 ago."""
    rows = [
        (user, "purchase" if days else "view", day)
        for user, days in purchases.items()
        for day in days or [200]
    ]
    users, events, days = zip(*rows, strict=True)
    moments = pd.Timestamp(NOW) - pd.to_timedelta(np.array(days) - 0.5, unit="D")
    return pd.DataFrame(
        {"user_id": users, "item_id": "tea", "event": events, "price": 10.0, "timestamp": moments}
    )


SHOP = log_of(
    punctual=[90, 60, 30, 5], late=[120, 100, 80, 60], gone=[190, 185, 180], once=[50],
    long_ago=[180], fresh=[3], looker=[], rich=range(10, 130, 10),
)  # fmt: skip


def segments_of(frame):
    return dict(zip(frame["user_id"], frame["segment"], strict=True))


def test_each_rule_finds_its_customer():
    told = rp.Segments(high_value=0.9).fit_transform(SHOP, as_of=NOW)
    assert segments_of(told) == {
        "punctual": "returning", "late": "at_risk", "gone": "lapsed", "once": "one_time",
        "long_ago": "lapsed", "fresh": "new", "looker": "prospect", "rich": "high_value",
    }  # fmt: skip


def test_being_overdue_is_measured_by_the_own_rhythm():
    log = log_of(weekly=[58, 51, 44, 37, 30], monthly=[150, 120, 90, 60, 30], one=[1])
    told = rp.Segments(shrink=0.1).fit_transform(log, as_of=NOW).set_index("user_id")
    assert told.loc["weekly", "recency_days"] == told.loc["monthly", "recency_days"]
    assert told.loc["weekly", "overdue"] > 3 > 1.5 > told.loc["monthly", "overdue"]


def test_a_rhythm_of_few_purchases_is_drawn_to_everybodys():
    log = log_of(hasty=[51, 50], steady=[180, 150, 120, 90, 60, 30])
    gaps = [
        rp.Segments(shrink=shrink).fit_transform(log, as_of=NOW)["usual_gap_days"][0]
        for shrink in (0.01, 2.0, 100.0)
    ]
    assert 1 < gaps[0] < 2 < gaps[1] < gaps[2] < 26


def test_a_customer_of_high_value_at_risk_is_both():
    log = pd.concat([SHOP, log_of(whale=range(100, 200, 5)).assign(price=900.0)])
    told = rp.Segments(lapsed=100).fit_transform(log, as_of=NOW).set_index("user_id")
    assert told.loc["whale", ["segment", "is_high_value"]].tolist() == ["at_risk", True]


def test_what_was_learned_judges_other_customers_and_moments():
    segments = rp.Segments().fit(SHOP, as_of=NOW)
    assert segments.threshold_ == pytest.approx(72)
    told = segments.transform(log_of(newcomer=[20, 10]).assign(price=37.0), as_of=NOW)
    assert segments_of(told) == {"newcomer": "high_value"}
    earlier = segments.transform(SHOP, as_of="2026-04-20")
    assert "fresh" not in set(earlier["user_id"])
    assert segments_of(earlier)["late"] == "returning"


@given(st.integers(1, 200))
def test_the_future_has_no_say(days):
    moment = pd.Timestamp(NOW) - pd.Timedelta(days=days)
    segments = rp.Segments().fit(SHOP, as_of=NOW)
    past = SHOP[SHOP["timestamp"] < moment]
    pd.testing.assert_frame_equal(
        segments.transform(SHOP, as_of=moment), segments.transform(past, as_of=moment)
    )


def test_events_and_what_rfm_makes_of_them_say_the_same():
    customers = rp.rfm(SHOP, NOW)
    from_frame, from_events = rp.Segments().fit(customers), rp.Segments().fit(SHOP, as_of=NOW)
    assert vars(from_frame) == vars(from_events)
    pd.testing.assert_frame_equal(
        from_frame.transform(customers), from_events.transform(SHOP, as_of=NOW)
    )


def test_a_log_without_prices_has_nobody_of_high_value():
    segments = rp.Segments()
    told = segments.fit_transform(SHOP.drop(columns="price"), as_of=NOW)
    assert segments_of(told)["rich"] == "returning"
    assert "is_high_value" not in told.columns
    assert segments.threshold_ is None
    assert "nobody: the log has no prices" in segments.explain()["rule"].tolist()


def test_every_rule_says_its_numbers():
    rules = rp.Segments(new="2w", at_risk=1.5).fit(SHOP, as_of=NOW).explain()
    assert rules["segment"].tolist() == list(SEGMENTS)
    assert rules["users"].tolist() == [2, 1, 1, 1, 1, 1, 1]
    words = dict(zip(rules["segment"], rules["rule"], strict=True))
    assert "less than 14 days ago" in words["new"]
    assert "more than 1.5 of the usual gaps" in words["at_risk"]
    assert "more than 4 of the usual gaps" in words["lapsed"]
    assert "more than 72 in all" in words["high_value"]
    assert "0.9 quantile" in words["high_value"]


def test_other_frames_come_back_as_their_kind():
    told = rp.Segments().fit_transform(pl.from_pandas(SHOP), as_of=NOW)
    assert isinstance(told, pl.DataFrame)
    assert told["segment"].to_list()[0] == "returning"
    records = [rp.Event(**row) for row in SHOP.to_dict("records")]
    assert isinstance(rp.Segments().fit_transform(records, as_of=NOW), pd.DataFrame)


def test_a_rule_of_a_pipeline_reads_the_segment():
    told = rp.Segments().fit_transform(SHOP, as_of=NOW)
    log = pd.concat([SHOP, SHOP.head(1).assign(user_id="shop", item_id=["gift"], event="view")])
    shop = rp.Dataset.from_frames(log, users=told)
    assert shop.user_features["segment"].tolist()[:3] == ["returning", "at_risk", "lapsed"]
    assert shop.user_features.column("segment").kind == "category"
    assert shop.user_features.column("is_high_value").kind == "flag"
    assert shop.user_features.column("overdue").kind == "number"

    def gifts_for_whom_we_miss(query, items):
        segment = home.user_features_["segment"][home.users_.index(query.user_id)]
        return (items["item_id"] != "gift") | (segment in ("at_risk", "lapsed"))

    home = rp.Pipeline(candidates=[rp.Popularity()], rules=gifts_for_whom_we_miss).fit(shop)
    assert home.recommend("late", n=2, seen="keep").item_ids == ["tea", "gift"]
    assert home.recommend("punctual", n=2, seen="keep").item_ids == ["tea"]
    home.update_users(rp.Segments().fit(SHOP, as_of=NOW).transform(SHOP, as_of="2026-05-30"))
    assert home.recommend("late", n=2, seen="keep").item_ids == ["tea"]


def test_it_is_kept_in_a_file(tmp_path):
    segments = rp.Segments(new="2w").fit(SHOP, as_of=NOW)
    rp.save(segments, tmp_path / "segments.rp")
    again = rp.load(tmp_path / "segments.rp")
    assert vars(again) == vars(segments)
    pd.testing.assert_frame_equal(again.transform(SHOP, NOW), segments.transform(SHOP, NOW))
    manifest = tmp_path / "segments.rp" / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"gap_days_": ', '"gap_days_": -'))
    with pytest.raises(ArtifactError, match="gap_days_ must be a number above 0"):
        rp.load(tmp_path / "segments.rp")


def test_a_second_fit_forgets_the_first():
    twice = rp.Segments().fit(SHOP).fit(SHOP.drop(columns="price"), as_of=NOW)
    assert vars(twice) == vars(rp.Segments().fit(SHOP.drop(columns="price"), as_of=NOW))


def test_what_cannot_be_used_is_said():
    with pytest.raises(NotFittedError, match=r"call Segments\.fit first"):
        rp.Segments().transform(SHOP)
    with pytest.raises(DataError, match="Segments needs customers who bought at least twice"):
        rp.Segments().fit(log_of(one=[3], other=[5]))
    with pytest.raises(ParameterError, match=r"lapsed must be above at_risk \(2\), got 1"):
        rp.Segments(lapsed=1.0).fit(SHOP)
    with pytest.raises(ParameterError, match="new must be a duration"):
        rp.Segments(new=30).fit(SHOP)
    with pytest.raises(ParameterError, match="high_value must be a finite number"):
        rp.Segments(high_value=2.0).fit(SHOP)
    with pytest.raises(DataError, match="fitted on a log with prices, got one without"):
        rp.Segments().fit(SHOP).transform(SHOP.drop(columns="price"))
