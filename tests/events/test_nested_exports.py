"""Exports that nest records come out as one row per event and item, whatever holds them."""

import json

import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recopersona.data.dataset import Dataset
from recopersona.errors import ColumnError, DataError
from recopersona.events.cleaning import clean
from recopersona.events.reading import read_events
from recopersona.events.schemas import SCHEMAS
from recopersona.events.sessions import sessionize
from tests.events.exports import (
    as_json_lines,
    ga4_event,
    ga4_log,
    ga4_purchase,
    segment_call,
    segment_order,
    snowplow_event,
    snowplow_transaction,
    ua_session,
    with_all_keys,
)

NOW = "2026-08-01"
TEN = pd.Timestamp("2026-07-01 10:00", tz="UTC")


def frame_of(*rows):
    return pd.DataFrame(list(rows))


def gaps(column):
    return column.astype(object).where(column.notna(), None).tolist()


# GA4 ----------------------------------------------------------------------------------------------


def test_a_ga4_event_is_a_row_per_item():
    events = read_events(frame_of(ga4_purchase()))
    assert events["item_id"].tolist() == ["tea", "salt"]
    assert events["event"].tolist() == ["purchase"] * 2
    assert events["user_id"].tolist() == ["anna"] * 2
    assert events["anonymous_id"].tolist() == ["1234.5678"] * 2
    assert events["price"].tolist() == [3.5, 5.0]
    assert events["quantity"].tolist() == [2, 1]
    assert events["order_id"].tolist() == ["T-1"] * 2
    assert events["currency"].tolist() == ["EUR"] * 2
    assert events["device"].tolist() == ["mobile"] * 2
    assert events["consent"].tolist() == ["Yes"] * 2
    assert gaps(events["position"]) == [4, None]
    assert events["page"][0] == "https://shop.example/tea"


def test_ga4_times_are_microseconds():
    assert read_events(frame_of(ga4_event()))["timestamp"].tolist() == [TEN]
    events = read_events(frame_of(ga4_event(event_timestamp=1782900000000001)))
    assert events["timestamp"][0].microsecond == 1


def test_ga4_names_become_ours_and_what_we_do_not_know_stays():
    events = read_events(frame_of(*ga4_log()))
    assert events["event"].tolist() == [
        "session_start", "impression", "impression", "view", "purchase", "purchase", "return",
        "view",
    ]  # fmt: skip
    assert gaps(events["list_id"])[1:4] == ["home", "home", None]
    assert gaps(events["position"])[1:4] == [1, 2, None]


def test_a_ga4_session_is_named_by_visitor_and_number():
    one, other = ga4_event(), ga4_event(user_pseudo_id="9.9")
    sessions = read_events(frame_of(one, one, other))["session_id"]
    assert sessions[0] == sessions[1] != sessions[2]
    assert "1234.5678" not in sessions[0]
    assert read_events(frame_of(one, ga4_event(event_params=[])))["session_id"].isna()[1]


def test_a_ga4_event_delivered_twice_has_the_same_ids():
    again = json.loads(json.dumps(ga4_purchase()))
    as_numbers = ga4_purchase() | {"event_timestamp": 1782900000000000, "batch_event_index": 3.0}
    events = read_events(frame_of(ga4_purchase(), again, as_numbers, ga4_event()))
    ids = events["event_id"].tolist()
    assert ids[0:2] == ids[2:4] == ids[4:6]
    assert len(set(ids)) == 3
    assert ids[0].endswith("/0")
    assert ids[1].endswith("/1")
    assert "/" not in ids[-1]
    _, report = clean(events.assign(user_id="anna"), report=True, now=NOW)
    assert report.quarantined["duplicate"] == 4


def test_events_of_an_old_batch_are_told_apart_by_what_they_say():
    old = {"batch_page_id": None, "batch_ordering_id": None, "batch_event_index": None}
    one, other = ga4_event(**old), ga4_event(**old, items=[{"item_id": "salt"}])
    ids = read_events(frame_of(one, other, one))["event_id"]
    assert ids[0] == ids[2] != ids[1]


def test_pings_without_cookies_are_nobody_and_anonymous_visitors_are_somebody():
    events, report = clean(read_events(frame_of(*ga4_log())), report=True, now=NOW)
    assert report.quarantined["missing_user"] == 1
    assert report.repaired["anonymous_user"] == 4
    assert events["user_id"].nunique() == 2
    shop = Dataset.from_frames(sessionize(events), now=pd.Timestamp(NOW, tz="UTC"))
    assert shop.shape == (2, 2)


def test_a_wholly_anonymous_ga4_log_becomes_a_dataset():
    log = [ga4_event(user_pseudo_id=str(n), items=[{"item_id": "tea"}]) for n in range(3)]
    events = clean(read_events(frame_of(*log)), now=NOW)
    assert Dataset.from_frames(events, now=pd.Timestamp(NOW, tz="UTC")).shape == (3, 1)


def test_an_item_without_an_id_is_known_by_its_name():
    log = frame_of(ga4_event(items=[{"item_id": "(not set)", "item_name": "Green tea"}, {}]))
    assert gaps(read_events(log)["item_id"]) == ["Green tea", None]


# Universal Analytics ------------------------------------------------------------------------------


def test_a_ua_session_is_a_row_per_hit_and_product():
    events = read_events(frame_of(ua_session()))
    assert events["event"].tolist() == [
        "impression", "impression", "view", "impression", "page_view", "purchase", "search",
    ]  # fmt: skip
    assert gaps(events["item_id"]) == ["GGOE1", "GGOE2", "GGOE1", "GGOE2", None, "GGOE1", None]
    assert events["price"].tolist()[:2] == [16.99, 0.99]
    assert gaps(events["quantity"])[5] == 3
    assert gaps(events["order_id"])[5] == "ORD1"
    assert gaps(events["currency"])[5] == "USD"
    assert gaps(events["query"])[6] == "socks"
    assert events["device"].tolist() == ["desktop"] * 7
    assert gaps(events["position"])[:2] == [1, None]


def test_ua_times_are_the_start_in_seconds_and_milliseconds_since():
    times = read_events(frame_of(ua_session()))["timestamp"]
    start = pd.Timestamp(1501583974, unit="s", tz="UTC")
    since = [0, 0, 1500, 1500, 9000, 61000, 70000]
    assert times.tolist() == [start + pd.Timedelta(milliseconds=ms) for ms in since]


def test_a_visit_number_says_nothing_without_its_visitor():
    other = ua_session(fullVisitorId="7")
    events = read_events(frame_of(ua_session(), other))
    assert events["session_id"].nunique() == 2
    assert events["event_id"].is_unique
    assert events["anonymous_id"].nunique() == 2


@pytest.mark.parametrize("written", [True, "true", "True"])
def test_flags_may_be_text(written):
    hit = {"product": [{"productSKU": "a", "isImpression": written}], "hitNumber": 1, "time": 0}
    assert read_events(frame_of(ua_session(hits=[hit])))["event"].tolist() == ["impression"]


def test_a_ua_time_that_cannot_be_read_is_left_for_cleaning():
    events = read_events(frame_of(ua_session(visitStartTime="soon")))
    _, report = clean(events.assign(user_id="u"), report=True, now=NOW)
    assert report.quarantined["unreadable_timestamp"] == 5


# Segment ------------------------------------------------------------------------------------------


def test_a_segment_order_is_a_row_per_product_with_its_own_price():
    events = read_events(frame_of(segment_order()))
    assert events["item_id"].tolist() == ["tea", "S1"]
    assert events["price"].tolist() == [3.5, 5.0]
    assert events["quantity"].tolist() == [2.0, 1.0]
    assert events["event"].tolist() == ["purchase"] * 2
    assert events["payment_method"].tolist() == ["visa"] * 2
    assert events["event_id"].tolist() == ["ajs-order-completed/0", "ajs-order-completed/1"]
    assert "total" not in events


def test_a_segment_product_event_describes_its_product():
    events = read_events(frame_of(segment_call()))
    row = events.iloc[0]
    assert row["item_id"] == "tea"
    assert row["event"] == "view"
    assert row["timestamp"] == TEN + pd.Timedelta(milliseconds=123)
    assert row["received"] == TEN + pd.Timedelta(seconds=1)
    assert row["position"] == 3
    assert row["device"] == "ios"
    assert row["event_id"] == "ajs-product-viewed"


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("Product List Viewed", "impression"),
        ("Product Clicked", "click"),
        ("Product Added", "cart"),
        ("product_added", "cart"),
        ("Product Removed", "remove"),
        ("Checkout Step Completed", "checkout"),
        ("Order Refunded", "return"),
        ("Order Cancelled", "return"),
        ("Products Searched", "search"),
        ("Order Updated", "Order Updated"),
        ("Cart Viewed", "Cart Viewed"),
    ],
)
def test_segment_names_become_ours(theirs, ours):
    assert read_events(frame_of(segment_call(theirs)))["event"].tolist() == [ours]


def test_other_segment_calls_have_no_item():
    page = segment_call(type="page", event=None, properties={"path": "/"})
    identify = segment_call(type="identify", event=None, properties=None)
    events = read_events(frame_of(page, identify))
    assert events["event"].tolist() == ["page_view", "identify"]
    assert events["item_id"].isna().all()


def test_a_session_of_rudderstack_is_named_with_its_device():
    other = segment_call(anonymousId="b", userId="c")
    events = read_events(frame_of(segment_call(), other), schema="rudderstack")
    assert events["session_id"].nunique() == 2


def test_segment_tables_are_read_from_a_warehouse():
    log = pd.DataFrame(
        {
            "id": ["m1", "m2"],
            "anonymous_id": ["k", "k"],
            "user_id": [None, "anna"],
            "event": ["product_viewed", "order_completed"],
            "received_at": pd.to_datetime(["2026-07-01 10:00:01"] * 2, utc=True),
            "timestamp": pd.to_datetime(["2026-07-01 10:00:00"] * 2, utc=True),
            "product_id": ["tea", None],
            "price": [3.5, None],
            "order_id": [None, "o1"],
            "products": [None, '[{"product_id": "tea", "price": 3.5}, {"product_id": "salt"}]'],
        }
    )
    events = read_events(log)
    assert events["item_id"].tolist() == ["tea", "tea", "salt"]
    assert events["event"].tolist() == ["view", "purchase", "purchase"]
    assert events["timestamp"].tolist() == [TEN] * 3
    assert gaps(events["price"]) == [3.5, 3.5, None]


# Snowplow -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["1", "1_0_0"])
def test_a_snowplow_transaction_is_a_row_per_product(version):
    events = read_events(frame_of(snowplow_transaction(version)))
    assert events["item_id"].tolist() == ["tea", "salt"]
    assert events["event"].tolist() == ["purchase"] * 2
    assert events["currency"].tolist() == ["EUR", "USD"]
    assert events["order_id"].tolist() == ["T-1"] * 2
    assert events["payment_method"].tolist() == ["card"] * 2
    assert events["timestamp"].tolist() == [TEN + pd.Timedelta(seconds=1)] * 2
    assert events["received"].tolist() == [TEN + pd.Timedelta(milliseconds=1500)] * 2
    assert events["session_id"].tolist() == ["2b15e5c8-d3b1"] * 2


def test_entities_of_two_versions_are_read_together():
    events = read_events(frame_of(snowplow_event(), snowplow_event("list_view", "1_0_1")))
    assert events["event"].tolist() == ["view", "impression"]
    assert events["item_id"].tolist() == ["tea", "tea"]


def test_a_failed_transaction_is_no_purchase():
    events = read_events(frame_of(snowplow_event("trns_error"), snowplow_event()))
    assert events["event"].tolist() == ["trns_error", "view"]
    signed_in = events.assign(user_id="anna")
    assert clean(signed_in, report=True, now=NOW)[1].quarantined == {"unknown_event": 1}


def test_the_best_snowplow_time_is_taken():
    events = read_events(frame_of(snowplow_event(derived_tstamp=None), snowplow_event()))
    seconds = (events["timestamp"] - TEN).dt.total_seconds().tolist()
    assert seconds == [0.9, 1.0]


# Kinds of files and frames ------------------------------------------------------------------------

LOGS = {
    "ga4": ga4_log,
    "ua": lambda: [ua_session(), ua_session(fullVisitorId="7")],
    "segment": lambda: [segment_call(), segment_order()],
    "snowplow": lambda: [snowplow_event(), snowplow_transaction()],
}


def comparable(events):
    table = pd.DataFrame(events).astype(object)
    return table.where(table.notna(), None)


@pytest.fixture(params=LOGS, ids=str)
def schema_name(request):
    return request.param


def test_every_kind_of_file_says_the_same(schema_name, tmp_path):
    rows = LOGS[schema_name]()
    expected = read_events(pd.DataFrame(rows))
    table = pa.Table.from_pylist(with_all_keys(rows))
    pq.write_table(table, tmp_path / "log.parquet")
    texts = pd.DataFrame(rows).map(
        lambda cell: json.dumps(cell) if isinstance(cell, dict | list) else cell
    )
    texts.to_csv(tmp_path / "log.csv", index=False)
    as_json_lines(tmp_path / "log.jsonl", rows)
    for kind in ("parquet", "csv", "jsonl"):
        events = read_events(tmp_path / f"log.{kind}")
        pd.testing.assert_frame_equal(comparable(events), comparable(expected), check_dtype=False)


def test_every_kind_of_frame_says_the_same(schema_name):
    rows = LOGS[schema_name]()
    expected = comparable(read_events(pd.DataFrame(rows)))
    table = pa.Table.from_pylist(with_all_keys(rows))
    arrow = read_events(table)
    assert isinstance(arrow, pa.Table)
    polars = read_events(pl.from_arrow(table))
    assert isinstance(polars, pl.DataFrame)
    for events in (arrow, polars):
        pd.testing.assert_frame_equal(
            comparable(pd.DataFrame(pl.DataFrame(events).to_dicts())), expected, check_dtype=False
        )


def test_ids_are_text_and_amounts_are_numbers(schema_name):
    events = read_events(pd.DataFrame(LOGS[schema_name]()))
    for name in ("user_id", "item_id", "event_id", "anonymous_id", "session_id", "order_id"):
        assert events[name].dtype == "str", name
    for name in ("price", "quantity", "position"):
        assert events[name].dtype == "float64", name
    assert str(events["timestamp"].dtype) == "datetime64[us, UTC]"


def test_the_callers_log_stays_as_it_was(schema_name):
    log = pd.DataFrame(LOGS[schema_name]())
    before = log.to_json()
    read_events(log)
    assert log.to_json() == before


def test_a_column_of_ones_own_goes_before_the_schemas(schema_name):
    log = pd.DataFrame(LOGS[schema_name]()).assign(member=lambda rows: range(len(rows)))
    events = read_events(log, schema=schema_name, columns={"user_id": "member"})
    assert events["user_id"].is_monotonic_increasing
    assert events["user_id"].nunique() == len(log)


def test_an_empty_nested_log_stays_empty(schema_name):
    log = pd.DataFrame(LOGS[schema_name]())[:0]
    events = read_events(log)
    assert len(events) == 0
    assert {"user_id", "item_id", "event", "timestamp"} <= set(events)


def test_a_log_of_the_needed_columns_alone_is_read(schema_name):
    needs = next(schema for schema in SCHEMAS if schema.name == schema_name).needs
    log = pd.DataFrame(LOGS[schema_name]())[list(needs)]
    events = read_events(log)
    assert events["event_id"].notna().all()


def test_a_nested_log_of_another_schema_is_told_so(schema_name):
    log = pd.DataFrame(LOGS[schema_name]())
    with pytest.raises(ColumnError, match=f"the log looks like '{schema_name}'"):
        read_events(log, schema="movielens")


# Broken records -----------------------------------------------------------------------------------


@pytest.mark.parametrize("cell", ['[{"item_id": "tea"', "[1, 2]", '{"a": 1}', "tea", 7, {"a": 1}])
def test_a_cell_that_is_no_list_of_records_is_set_aside(cell):
    log = frame_of(ga4_event(), ga4_event(items=cell))
    with pytest.raises(DataError, match=r"row 1 of the log must hold records, got items: .*report"):
        read_events(log)
    events, report = read_events(log, report=True)
    assert len(events) == 1
    assert report.broken == {"broken_cell": 1}
    assert report.rows_in == 2
    assert report.broken_lines()["line"].tolist() == [1]


@pytest.mark.parametrize("cell", [None, "", float("nan"), "null", [], "[]"])
def test_a_cell_without_records_is_an_event_without_items(cell):
    events = read_events(frame_of(ga4_event(items=cell)))
    assert gaps(events["item_id"]) == [None]


def test_an_amount_that_is_none_is_left_for_cleaning():
    log = frame_of(ga4_event(items=[{"item_id": "tea", "price": "free", "quantity": [1]}]))
    events = read_events(log)
    assert events["price"].tolist() == ["free"]
    _, report = clean(events.assign(user_id="anna"), report=True, now=NOW)
    assert sum(report.quarantined.values()) == 1
