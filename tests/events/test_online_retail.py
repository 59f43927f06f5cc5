"""The Online Retail log as published: what is known of it is what comes out."""

import os
import time
from pathlib import Path

import pandas as pd
import pytest

from recopersona.events.cleaning import clean
from recopersona.events.reading import read_events
from recopersona.events.sessions import sessionize

FOLDER = os.environ.get("RECOPERSONA_DATA")
PATH = Path(FOLDER or ".") / "online-retail" / "events.parquet"

pytestmark = pytest.mark.skipif(
    not FOLDER or not PATH.is_file(),
    reason="set RECOPERSONA_DATA to a folder that holds online-retail/events.parquet",
)


@pytest.fixture(scope="module")
def events():
    pytest.importorskip("pyarrow")
    return read_events(PATH)


def test_every_row_comes_in(events):
    assert len(events) == 541_909
    assert events["user_id"].isna().sum() == 135_080
    assert events["user_id"].nunique() == 4_372
    assert events["item_id"].nunique() == 3_958
    assert events["order_id"].nunique() == 25_900


def test_invoices_say_what_happened(events):
    assert events["event"].value_counts().to_dict() == {
        "purchase": 541_909 - 9_288 - 3,
        "return": 9_288,
        "adjustment": 3,
    }
    assert (events.loc[events["event"] == "purchase", "quantity"] < 0).sum() == 1_336


def test_clocks_in_london_go_an_hour_ahead_in_summer(events):
    wall_clock = pd.read_parquet(PATH, columns=["InvoiceDate"])["InvoiceDate"]
    ahead = wall_clock - events["timestamp"].dt.tz_localize(None)
    assert set(ahead[wall_clock.dt.month.isin([4, 7, 9])].dt.total_seconds()) == {3600}
    assert set(ahead[wall_clock.dt.month.isin([12, 1, 2])].dt.total_seconds()) == {0}


def test_everything_cleaning_does_is_counted(events):
    cleaned, report = clean(events, report=True)
    assert dict(report.quarantined) == {"missing_user": 135_080, "duplicate": 5_227}
    assert dict(report.repaired) == {"cancellation": 8_872}
    assert len(cleaned) == report.rows_out == 401_602
    assert (cleaned["quantity"] > 0).all()
    assert (cleaned["event"] == "return").sum() == 8_872
    assert len(report.quarantined_rows) == 140_307


def test_postage_and_bank_charges_are_no_items(events):
    items = events.assign(user_id=events["user_id"].fillna(0))
    _, report = clean(items, report=True, item_pattern=r"\d{5}.*")
    assert report.quarantined["not_an_item"] == 2_995


def test_cleaning_takes_less_than_three_seconds(events):
    start = time.perf_counter()
    clean(events, report=True)
    assert time.perf_counter() - start < 3


def test_sessions_are_short_visits_of_one_customer(events):
    sessions = sessionize(clean(events))
    assert (sessions.groupby("session_id")["user_id"].nunique() == 1).all()
    assert sessions["session_id"].nunique() == sessions["session_id"].max() + 1
