"""Customers of the Online Retail log: what is known of it, and that forecasts are sane."""

import os
from pathlib import Path

import pandas as pd
import pytest

import recopersona as rp

FOLDER = os.environ.get("RECOPERSONA_DATA")
PATH = Path(FOLDER or ".") / "online-retail" / "events.parquet"

pytestmark = pytest.mark.skipif(
    not FOLDER or not PATH.is_file(),
    reason="set RECOPERSONA_DATA to a folder that holds online-retail/events.parquet",
)


@pytest.fixture(scope="module")
def events():
    pytest.importorskip("pyarrow")
    return rp.clean(rp.read_events(PATH))


def test_customers_are_those_of_the_log(events):
    customers = rp.rfm(events)
    assert len(customers) == 4_372
    gross = events[events["event"] == "purchase"]
    assert rp.rfm(gross)["orders"].gt(0).sum() == 4_338 + 1  # those with a positive quantity
    paid = (gross["price"] * gross["quantity"]).sum()
    assert 0.9 * paid < customers["total_value"].sum() < paid
    largest = customers.nlargest(1, "total_value")
    # The 80,995 paper craft sets, cancelled minutes later, make nobody the best customer.
    assert largest["user_id"].tolist() == [14646]


def test_forecasts_of_nine_months_beat_the_mean_on_the_rest(events):
    report = rp.LifetimeValue().holdout(events, "2011-09-01")
    assert (report.customers, report.days) == (3_311, 100)
    ours, past, mean = (report.table.loc[name] for name in report.table.index)
    for name in ("purchases_mae", "purchases_rmse", "value_mae", "value_rmse"):
        assert ours[name] < mean[name], name
    # Christmas lies in the held-out part and not in what was learned from: all fall short.
    assert -0.30 < ours["purchases_total"] < -0.15
    assert past["purchases_total"] < ours["purchases_total"]
    foretold = report.by_frequency["LifetimeValue"]
    assert foretold.is_monotonic_increasing


def test_segments_of_september_say_who_came_back_before_christmas(events):
    told = rp.Segments().fit_transform(events, as_of="2011-09-01").set_index("user_id")
    later = rp.rfm(events[events["timestamp"] >= pd.Timestamp("2011-09-01", tz="UTC")])
    back = later.set_index("user_id")["orders"].reindex(told.index).gt(0)
    share = back.groupby(told["segment"]).mean()
    assert share["high_value"] > 0.9
    assert share["high_value"] > share["returning"] > share["at_risk"] > share["lapsed"]
    assert share["lapsed"] < 0.4
