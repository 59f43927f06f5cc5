"""Public logs as published: what is known of them is what comes out."""

import os
from pathlib import Path

import pandas as pd
import pytest

from recopersona.data.dataset import Dataset
from recopersona.events.catalogue import read_catalogue
from recopersona.events.cleaning import clean
from recopersona.events.reading import read_events
from recopersona.events.sessions import sessionize
from recopersona.events.writing import write_events

FOLDER = os.environ.get("RECOPERSONA_DATA")
DATA = Path(FOLDER or ".")


def published(name):
    path = DATA / name
    if not FOLDER or not path.is_file():
        pytest.skip(f"set RECOPERSONA_DATA to a folder that holds {name}")
    pytest.importorskip("pyarrow")
    return path


def read(name):
    return read_events(published(name), report=True)


# Made up, in the published form -------------------------------------------------------------------


def test_rees46_is_read_as_published(tmp_path):
    (tmp_path / "2019-Oct.csv").write_text(
        "event_time,event_type,product_id,category_id,category_code,brand,price,user_id,"
        "user_session\n"
        "2019-10-01 00:00:00 UTC,view,44600062,2103807459595387724,,shiseido,35.79,541312140,"
        "72d76fde-8bb3-4e00-8c23-a032dfed738c\n"
        "2019-10-01 00:00:01 UTC,cart,3900821,2053013552326770905,appliances.water_heater,aqua,"
        "33.20,554748717,9333dfbd-b87a-4708-9857-6336556b0fcc\n"
        "2019-10-01 00:00:02 UTC,remove_from_cart,3900821,2053013552326770905,,aqua,33.20,"
        "554748717,9333dfbd-b87a-4708-9857-6336556b0fcc\n"
        "2019-10-01 00:00:03 UTC,purchase,3900821,2053013552326770905,,aqua,33.20,554748717,\n"
    )
    events = read_events(tmp_path / "2019-Oct.csv")
    assert events["event"].tolist() == ["view", "cart", "remove", "purchase"]
    assert events["item_id"].tolist()[0] == 44600062
    assert events["user_id"].tolist()[0] == 541312140
    assert events["timestamp"][1] == pd.Timestamp("2019-10-01 00:00:01", tz="UTC")
    assert events["session_id"][0].startswith("72d76fde")
    assert events["price"].tolist()[0] == 35.79
    assert events["category"].tolist()[1] == "appliances.water_heater"
    assert events["category_id"].tolist()[0] == "2103807459595387724"


def test_trivago_shows_a_list_before_a_click(tmp_path):
    log = pd.DataFrame(
        {
            "user_id": ["u"] * 4,
            "session_id": ["s"] * 4,
            "timestamp": [1541599523] * 4,
            "step": [1, 2, 3, 4],
            "action_type": ["search for poi", "interaction item image", "clickout item",
                            "search for item"],
            "reference": ["Dam", "7", "8", "unknown"],
            "platform": ["NL"] * 4,
            "impressions": [None, None, "9|8", None],
            "prices": [None, None, "70|80", None],
        }
    )  # fmt: skip
    events = read_events(log)
    assert events["event"].tolist() == [
        "search", "view", "impression", "impression", "click", "search",
    ]  # fmt: skip
    assert events["item_id"].fillna("").tolist() == ["", "7", "9", "8", "8", ""]
    assert events["position"].fillna(0).tolist() == [0, 0, 1, 2, 2, 0]
    assert events["price"].fillna(0).tolist() == [0, 0, 70, 80, 80, 0]
    assert events["query"].fillna("").tolist() == ["Dam", "", "", "", "", "unknown"]
    assert events["event_id"].tolist() == ["s/1", "s/2", "s/3/0", "s/3/1", "s/3/2", "s/4"]


def test_lines_of_complete_journey_have_a_price_by_the_piece():
    log = pd.DataFrame(
        {
            "household_id": ["1", "2"],
            "basket_id": ["b", "c"],
            "product_id": ["p", "q"],
            "quantity": [2.0, 0.0],
            "sales_value": [3.0, 0.0],
            "transaction_timestamp": pd.to_datetime(["2017-07-01 12:00"] * 2),
        }
    )
    events = read_events(log)
    assert events["price"].fillna(-1).tolist() == [1.5, -1]
    assert events["timestamp"][0] == pd.Timestamp("2017-07-01 16:00", tz="UTC")
    assert events["event"].tolist() == ["purchase"] * 2


# As published -------------------------------------------------------------------------------------


def test_trivago():
    events, report = read("trivago/actions.parquet")
    kinds = events["event"].value_counts().to_dict()
    assert (report.rows_in, report.rows_out) == (100_003, len(events))
    assert kinds["click"] == 13_597
    assert kinds["view"] == 68_538 + 1_829 + 1_445 + 1_159
    assert kinds["search"] == 3_060 + 1_080 + 1_044
    assert kinds["page_view"] == 5_303 + 2_948
    assert len(events) - kinds["impression"] == 100_003
    assert report.without_item == 12_395
    assert events["session_id"].nunique() == 7_612
    clicks = events[events["event"] == "click"]
    assert clicks["position"].isna().sum() == 1  # its reference is not in its list
    assert (clicks["position"] == 1).mean() == pytest.approx(0.31, abs=0.005)
    _, cleaned = clean(events, report=True)
    assert cleaned.quarantined["missing_item"] == 12_395


def test_rees46():
    events, report = read("rees46/events.parquet")
    assert report.rows_in == report.rows_out == 241_969
    assert events["session_id"].nunique() == 42_906
    assert events["event"].value_counts().to_dict() == {
        "view": 241_920, "event 4": 42, "event 3": 7,
    }  # fmt: skip
    assert "position" not in events
    _, cleaned = clean(events, report=True)
    assert cleaned.quarantined["unknown_event"] == 49


def test_retailrocket():
    events, report = read("retailrocket-multibehavior/events.parquet")
    assert report.rows_in == report.rows_out == 97_381
    kinds = events["event"].value_counts().to_dict()
    assert kinds == {"view": 75_374, "cart": 12_456, "purchase": 9_551}


def test_complete_journey():
    events, report = read("completejourney/transactions.parquet")
    assert report.rows_in == report.rows_out == 75_000
    assert events["order_id"].nunique() == 47_243
    assert (events["price"] * events["quantity"] - events["sales_value"]).abs().max() < 1e-6
    items = read_catalogue(
        published("completejourney/products.parquet"),
        columns={"item_id": "product_id", "category": "product_category"},
    )
    assert len(items) == 92_331
    shop = Dataset.from_frames(clean(events), items=items)
    lacking = ~events["item_id"].isin(items["item_id"])
    assert events["item_id"][lacking].nunique() == 5
    assert shop.shape[1] == 92_331 + 1  # four of them were only ever sold zero times


def test_ratings():
    for name, rows in (("ml-1m", 1_000_209), ("ml-100k", 100_000)):
        events, report = read(f"{name}/ratings.parquet")
        assert report.rows_out == rows
        assert "weight" in events


def test_a_published_log_passes_through_in_pieces(tmp_path):
    path = published("online-retail/events.parquet")
    whole = read_events(path)
    n_rows = write_events(read_events(path, chunk_rows=100_000), tmp_path / "log.parquet")
    assert n_rows == len(whole) == 541_909
    pd.testing.assert_frame_equal(read_events(tmp_path / "log.parquet"), whole)


def test_sessions_of_trivago_are_those_of_the_log():
    events = clean(read("trivago/actions.parquet")[0])
    ours = sessionize(events)["session_id"]
    theirs = events["session_id"]
    pairs = pd.DataFrame({"ours": ours, "theirs": theirs}).drop_duplicates()
    within = ~pairs["theirs"].duplicated(keep=False) & ~pairs["ours"].duplicated(keep=False)
    assert within.mean() > 0.8
