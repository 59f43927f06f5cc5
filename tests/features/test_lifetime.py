"""What customers are worth: on shops whose future is known."""

import numpy as np
import pandas as pd
import polars as pl
import pytest

import recopersona as rp
from recopersona.errors import (
    ArtifactError,
    ColumnError,
    DataError,
    NotFittedError,
    ParameterError,
)
from tests.naive.buying import shop_of

RATES, VALUES = (0.6, 20.0, 0.8, 3.0), (6.0, 4.0, 15.0)


@pytest.fixture(scope="module")
def shop():
    return shop_of(RATES, VALUES, 6_000, 540, np.random.default_rng(5))


@pytest.fixture(scope="module")
def model(shop):
    return rp.LifetimeValue().fit(shop)


def test_a_simulated_shop_gives_its_parameters_back(model):
    learned = (model.r_, model.alpha_days_, model.a_, model.b_)
    assert learned == pytest.approx(RATES, rel=0.25)
    assert (model.p_, model.q_, model.gamma_) == pytest.approx(VALUES, rel=0.25)
    assert model.customers_ == 6_000


def test_the_future_of_a_simulated_shop_is_foreseen(shop):
    report = rp.LifetimeValue().holdout(shop, "2025-10-01")
    ours, past, mean = (report.table.loc[name] for name in report.table.index)
    assert abs(ours["purchases_total"]) < 0.05
    assert abs(ours["value_total"]) < 0.08
    for other in (past, mean):
        for name in ("purchases_mae", "purchases_rmse", "value_mae", "value_rmse"):
            assert ours[name] < other[name], name
    often = report.by_frequency[report.by_frequency["customers"] > 200]
    assert often["LifetimeValue"].tolist() == pytest.approx(often["actual"].tolist(), rel=0.2)
    assert report.by_frequency["customers"].sum() == report.customers
    assert "past rate" in repr(report)


def test_the_held_out_part_is_what_it_says(shop):
    report = rp.LifetimeValue().holdout(shop, "2025-10-01", as_of="2025-12-01")
    assert report.days == 61
    later = shop[(shop["timestamp"] >= "2025-10-01") & (shop["timestamp"] < "2025-12-01")]
    earlier = shop.loc[shop["timestamp"] < "2025-10-01", "user_id"].unique()
    of_buyers = later[later["user_id"].isin(earlier)]
    days = of_buyers.assign(day=of_buyers["timestamp"].dt.floor("D"))
    purchases = days.groupby("user_id")["day"].nunique()
    foretold = report.by_frequency
    actual = (foretold["actual"] * foretold["customers"]).sum()
    assert actual == pytest.approx(purchases.sum())


def test_another_future_changes_what_is_actual_and_nothing_foretold(shop):
    later = shop["timestamp"] >= "2025-10-01"
    another = pd.concat([shop[~later], shop[later].iloc[::3]])
    reports = [
        rp.LifetimeValue().holdout(log, "2025-10-01", as_of="2026-06-01") for log in (shop, another)
    ]
    whole, thinned = (report.by_frequency for report in reports)
    pd.testing.assert_frame_equal(whole.drop(columns="actual"), thinned.drop(columns="actual"))
    assert (thinned["actual"] < whole["actual"]).all()


def test_holding_out_changes_nothing_and_sees_no_future(shop, model):
    before = dict(vars(model))
    model.holdout(shop, "2025-10-01")
    assert vars(model) == before
    fresh = rp.LifetimeValue().fit(shop, as_of="2025-10-01")
    of_past = rp.LifetimeValue().fit(shop[shop["timestamp"] < "2025-10-01"], as_of="2025-10-01")
    assert vars(fresh) == vars(of_past)


def test_events_and_what_rfm_makes_of_them_teach_the_same(shop, model):
    customers = rp.rfm(shop)
    again = rp.LifetimeValue().fit(customers)
    assert vars(again) == vars(model)
    pd.testing.assert_frame_equal(again.predict(customers), model.predict(shop))


def test_the_value_is_purchases_times_what_one_is_worth(shop, model):
    told = model.predict(shop, "180d")
    product = told["expected_purchases"] * told["expected_value_per_purchase"]
    assert told["lifetime_value"].tolist() == pytest.approx(product.tolist())
    assert told["p_alive"].between(0, 1).all()
    assert told["user_id"].tolist() == rp.rfm(shop)["user_id"].tolist()


def test_money_of_later_counts_less(shop, model):
    of_today = model.predict(shop, "365d")["lifetime_value"].sum()
    model_of_later = rp.LifetimeValue(discount_rate=0.2).fit(shop)
    later = model_of_later.predict(shop, "365d")["lifetime_value"].sum()
    assert of_today / 1.2 < later < of_today / 1.2**0.3
    soon = model_of_later.predict(shop, "1d")["lifetime_value"].sum()
    assert soon == pytest.approx(model.predict(shop, "1d")["lifetime_value"].sum(), rel=1e-3)


def test_who_never_bought_is_there_and_unknown(shop, model):
    looker = pd.DataFrame(
        {"user_id": [-1], "item_id": "tea", "event": "view", "price": 1.0,
         "timestamp": shop["timestamp"].max()}
    )  # fmt: skip
    told = model.predict(pd.concat([looker, shop.head(50)], ignore_index=True))
    assert told.iloc[0].isna().tolist() == [False, True, True, True, True]
    assert told.iloc[1:].notna().all().all()


def test_other_frames_come_back_as_their_kind(shop, model):
    told = model.predict(pl.from_pandas(shop.head(200)))
    assert isinstance(told, pl.DataFrame)
    assert told["lifetime_value"].to_list() == pytest.approx(
        model.predict(shop.head(200))["lifetime_value"].tolist()
    )


def test_a_customer_of_thousands_of_purchases_is_no_trouble(model):
    daily = pd.DataFrame(
        {"user_id": 1, "orders": [3000], "frequency": 2999, "recency_days": 0.0,
         "span_days": 3000.0, "tenure_days": 3000.0, "total_value": 30_000.0}
    )  # fmt: skip
    told = model.predict(daily, "90d").iloc[0]
    assert 80 < told["expected_purchases"] < 91
    assert told["expected_value_per_purchase"] == pytest.approx(10, rel=0.01)


def test_it_is_kept_in_a_file(shop, model, tmp_path):
    rp.save(model, tmp_path / "value.rp")
    again = rp.load(tmp_path / "value.rp")
    assert vars(again) == vars(model)
    pd.testing.assert_frame_equal(again.predict(shop), model.predict(shop))


def test_a_file_cannot_bring_parameters_that_none_has(model, tmp_path):
    rp.save(model, tmp_path / "value.rp")
    manifest = tmp_path / "value.rp" / "manifest.json"
    text = manifest.read_text()
    manifest.write_text(text.replace(f'"a_": {model.a_}', '"a_": -1.0'))
    with pytest.raises(ArtifactError, match="a_ must be a number above 0"):
        rp.load(tmp_path / "value.rp")


def test_what_cannot_be_used_is_said(shop, model):
    lifetime = rp.LifetimeValue()
    with pytest.raises(NotFittedError, match=r"call LifetimeValue\.fit first"):
        lifetime.predict(shop)
    with pytest.raises(ColumnError, match="got no prices; add a column 'price'"):
        lifetime.fit(shop.drop(columns="price"))
    with pytest.raises(DataError, match="10 customers whose purchases have a price above 0, got 0"):
        lifetime.fit(shop.assign(price=0.0))
    with pytest.raises(DataError, match="at least 10 customers who bought, got 3"):
        lifetime.fit(shop[shop["user_id"] < 3])
    with pytest.raises(DataError, match="but all 6000 bought in one period only"):
        lifetime.fit(shop.drop_duplicates("user_id"))
    with pytest.raises(ParameterError, match="leave as_of out, or pass the events"):
        lifetime.fit(rp.rfm(shop), as_of="2025-10-01")
    with pytest.raises(DataError, match="contradicts itself"):
        lifetime.fit(rp.rfm(shop).assign(span_days=1e6))
    with pytest.raises(ParameterError, match="discount_rate must be a finite number of at least 0"):
        rp.LifetimeValue(discount_rate=-1.0).fit(shop)
    with pytest.raises(ParameterError, match="horizon must be a duration"):
        model.predict(shop, 90)
    with pytest.raises(DataError, match="no event lies from calibration_end 2030-01-01 on"):
        lifetime.holdout(shop, "2030-01-01")
    with pytest.raises(DataError, match="at least 10 customers who bought, got 0"):
        lifetime.holdout(shop, "2020-01-01")


def test_a_shop_where_nobody_ever_stops_is_fitted_too():
    random = np.random.default_rng(1)
    log = shop_of((2.0, 20.0, 1e-6, 10.0), VALUES, 300, 300, random)
    told = rp.LifetimeValue().fit(log).predict(log)
    assert told["p_alive"].min() > 0.5
    assert np.isfinite(told["lifetime_value"]).all()
