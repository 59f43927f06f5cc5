"""Every column is what its formula says, computed by hand on a log of a few rows."""

import math

import numpy as np
import pandas as pd
import pytest

import recopersona as rp

FOR_EVER = "1000000y"
LOG = pd.DataFrame({
    "user_id": ["anna", "anna", "anna", "anna", "ben", "ben"],
    "item_id": ["tea", "tea", "salt", "rice", "tea", "salt"],
    "event": ["view", "purchase", "view", "cart", "view", "view"],
    "category": ["drink", "drink", "food", "food", "drink", "food"],
    "price": [8.0, 8.0, 2.0, 4.0, 16.0, 2.0],
    "dwell_ms": [10_000, np.nan, 2_000, np.nan, 20_000, np.nan],
    "scroll_pct": [50, np.nan, 100, np.nan, 100, np.nan],
    "timestamp": pd.date_range("2026-01-01", periods=6, freq="D"),
})  # fmt: skip


def told(feature, user, item, **context):
    features = rp.Features([feature]).fit(LOG)
    values = features.for_query(rp.Query(user, now="2026-01-11", context=context), [item])
    return dict(zip(features.get_feature_names_out(), values[0].tolist(), strict=True))


def test_affinities():
    # anna: tea 1 + 10, salt 1, rice 4
    assert told(rp.Affinity(half_life=FOR_EVER), "anna", "tea") == {
        "affinity_item": pytest.approx(math.log(12), rel=1e-4)
    }
    share = told(rp.Affinity(of="category", half_life=FOR_EVER), "anna", "rice")
    assert share["affinity_category"] == pytest.approx(5 / 17, rel=1e-4)
    band = told(rp.Affinity(of="price_band", half_life=FOR_EVER), "anna", "salt")
    assert band["affinity_price_band"] == pytest.approx(1 / 17, rel=1e-4)
    faded = told(rp.Affinity(half_life="8d"), "anna", "salt")  # the view is 8 days old
    assert faded["affinity_item"] == pytest.approx(math.log(1.5), rel=1e-6)
    own = told(rp.Affinity(event_weights={"cart": 3}, half_life=FOR_EVER), "anna", "rice")
    assert own["affinity_item"] == pytest.approx(math.log(4), rel=1e-4)


def test_prices():
    said = told(rp.PriceFit(half_life=FOR_EVER), "ben", "tea")
    logs = np.log([16.0, 2.0])
    z = (math.log(16) - logs.mean()) / math.sqrt(logs.var() + 0.25**2)
    assert said["price"] == pytest.approx(math.log(17))
    assert said["price_vs_user"] == pytest.approx(z, rel=1e-4)
    drinks = (5 * math.log(8) + math.log(16)) / 6  # a purchase counts four times a view
    assert said["price_vs_category"] == pytest.approx(math.log(16) - drinks, rel=1e-3)


def test_dwell_and_scroll():
    said = told(rp.Engagement(prior=3, half_life=FOR_EVER), "anna", "tea")
    shop_dwell, shop_scroll = 32 / 3, 2.5 / 3
    assert said["dwell_item"] == pytest.approx((30 + 3 * shop_dwell) / 5, rel=1e-4)
    assert said["scroll_item"] == pytest.approx((1.5 + 3 * shop_scroll) / 5, rel=1e-4)


def test_popularity_and_velocity():
    said = told(rp.ItemPopularity(short="1d", long="10d"), "ben", "salt")
    ages = np.array([8.0, 5.0])
    short, long = (2**-ages).sum(), (2 ** (-ages / 10)).sum()
    assert said["popularity"] == pytest.approx(math.log1p(long), rel=1e-5)
    velocity = math.log((short / 1 + 1 / 10) / (long / 10 + 1 / 10))
    assert said["velocity"] == pytest.approx(velocity, rel=1e-4)


def test_conversion():
    said = told(rp.Conversion(prior=20, half_life=FOR_EVER), "ben", "tea")
    assert said["view_to_purchase_item"] == pytest.approx((1 + 20 * 1 / 4) / (2 + 20), rel=1e-4)


def test_ages():
    said = told(rp.ItemAge(), "ben", "rice")
    assert said == {"item_age": 7, "item_idle": 7}


def test_carts():
    said = told(rp.CartAbandonment(prior=3, half_life=FOR_EVER), "anna", "rice")
    assert said == {"cart_abandonment": pytest.approx(1.0, rel=1e-4), "in_cart": 1}
