"""A log comes in by any names and goes out in ours, and nothing is dropped on the way."""

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from recopersona.errors import ColumnError, DataError, ParameterError
from recopersona.events.cleaning import clean
from recopersona.events.reading import read_events
from recopersona.events.schemas import ONLINE_RETAIL, Schema

TEA = pd.DataFrame({"who": ["anna", "ben"], "sku": ["tea", "salt"], "colour": ["green", None]})
TEA_COLUMNS = {"user_id": "who", "item_id": "sku"}


def invoices(**changes):
    lines = {
        "InvoiceNo": ["536365", "C536379", "A563185", 536400],
        "StockCode": ["85123a ", "D", "B", "22423"],
        "Description": ["HEART", "Discount", "Adjust bad debt", None],
        "Quantity": [6, -1, 1, -3],
        "InvoiceDate": pd.to_datetime(["2010-12-01 08:26", "2011-07-01 09:41"] * 2),
        "UnitPrice": [2.55, 27.5, 11062.06, 0.0],
        "CustomerID": [17850.0, 14527.0, 12345.0, None],
        "Country": ["United Kingdom"] * 4,
    }
    return pd.DataFrame(lines | changes)


# Mappings -----------------------------------------------------------------------------------------


def test_a_mapping_names_our_columns_and_leaves_the_others():
    events = read_events(TEA, columns=TEA_COLUMNS)
    assert list(events.columns) == ["user_id", "item_id", "colour"]
    assert events["item_id"].tolist() == ["tea", "salt"]


def test_a_column_may_be_read_twice():
    events = read_events(TEA, columns=TEA_COLUMNS | {"anonymous_id": "who"})
    assert events["anonymous_id"].tolist() == events["user_id"].tolist()


def test_a_log_in_our_words_stays_as_it_is():
    log = pd.DataFrame({"user_id": [1], "item_id": ["007"], "event": ["wink"], "timestamp": [17e8]})
    pd.testing.assert_frame_equal(read_events(log), log)


def test_the_callers_frame_stays_as_it_was():
    lines = invoices()
    before = lines.copy(deep=True)
    read_events(lines)
    pd.testing.assert_frame_equal(lines, before)


def test_the_index_of_the_frame_stays():
    lines = invoices().set_index(pd.Index([5, 5, 6, 7]))
    assert read_events(lines).index.tolist() == [5, 5, 6, 7]


def test_a_mapping_of_what_is_not_there_is_refused():
    with pytest.raises(ColumnError, match=r"reads 'item_id' from 'skuu'.*did you mean 'sku'"):
        read_events(TEA, columns={"user_id": "who", "item_id": "skuu"})
    with pytest.raises(
        ColumnError, match="from 'x', which the log lacks; its columns are who, sku"
    ):
        read_events(TEA, columns={"user_id": "who", "item_id": "x"})


def test_a_mapping_the_wrong_way_round_is_refused():
    with pytest.raises(ParameterError, match="maps our names to yours, and 'sku' is not one of"):
        read_events(TEA, columns={"sku": "item_id"})
    with pytest.raises(ParameterError, match="'itemid' is not one of ours; did you mean 'item_id'"):
        read_events(TEA, columns={"itemid": "sku"})


def test_a_mapping_without_users_is_refused():
    with pytest.raises(ColumnError, match="'recopersona' needs a column 'user_id', which the log"):
        read_events(TEA, columns={"item_id": "sku"})


def test_a_name_that_would_be_there_twice_is_refused():
    log = TEA.assign(item_id=["x", "y"])
    with pytest.raises(ColumnError, match="'item_id' is read from 'sku', but there is a column"):
        read_events(log, columns=TEA_COLUMNS)


def test_swapped_columns_are_read_as_said():
    log = pd.DataFrame({"user_id": ["tea"], "item_id": ["anna"]})
    events = read_events(log, columns={"user_id": "item_id", "item_id": "user_id"})
    assert events["user_id"].tolist() == ["anna"]


# Schemas ------------------------------------------------------------------------------------------


def test_ratings_become_weights():
    movielens = {"userId": [1], "movieId": [2], "rating": [4.5], "timestamp": [978_300_760]}
    ours = {"user_id": [1], "item_id": [2], "rating": [4.5], "timestamp": [978_300_760]}
    for log in (movielens, ours):
        events = read_events(pd.DataFrame(log))
        assert list(events.columns) == ["user_id", "item_id", "weight", "timestamp"]
        assert events["weight"].tolist() == [4.5]


def test_ratings_need_no_times():
    log = pd.DataFrame({"userId": [1], "movieId": [2], "rating": [3]})
    assert list(read_events(log).columns) == ["user_id", "item_id", "weight"]


def test_retailrocket_calls_carts_and_purchases_otherwise():
    log = pd.DataFrame(
        {
            "timestamp": [1_433_221_332_117] * 4,
            "visitorid": [257597] * 4,
            "event": ["view", "addtocart", "transaction", "wink"],
            "itemid": [355908] * 4,
            "transactionid": [None, None, 7, None],
        }
    )
    events = read_events(log)
    assert events["event"].tolist() == ["view", "cart", "purchase", "wink"]
    assert list(events.columns) == ["timestamp", "user_id", "event", "item_id", "order_id"]


def test_online_retail_is_read_as_published():
    events = read_events(invoices())
    assert events["event"].tolist() == ["purchase", "return", "adjustment", "purchase"]
    assert events["item_id"].tolist() == ["85123A", "D", "B", "22423"]
    assert events["order_id"].tolist() == ["536365", "C536379", "A563185", "536400"]
    assert events["user_id"].tolist()[:3] == [17850, 14527, 12345]
    assert events["user_id"].isna().tolist() == [False, False, False, True]
    assert events["quantity"].tolist() == [6, -1, 1, -3]
    assert set(events["currency"]) == {"GBP"}
    assert {"Description", "Country"} <= set(events.columns)


def test_online_retail_times_hang_in_london():
    times = read_events(invoices())["timestamp"]
    assert times[0] == pd.Timestamp("2010-12-01 08:26", tz="UTC")
    assert times[1] == pd.Timestamp("2011-07-01 08:41", tz="UTC")


def test_online_retail_times_may_be_written_the_american_way():
    lines = invoices(InvoiceDate=["12/1/2010 8:26", "7/1/2011 9:41"] * 2)
    assert read_events(lines)["timestamp"].equals(read_events(invoices())["timestamp"])


def test_bookkeeping_is_set_aside_by_cleaning():
    _, report = clean(read_events(invoices()), report=True)
    assert dict(report.quarantined) == {"missing_user": 1, "unknown_event": 1}
    assert dict(report.repaired) == {"cancellation": 1}


def test_a_schema_can_be_asked_for_by_name_and_corrected():
    lines = invoices().rename(columns={"CustomerID": "Customer ID"})
    events = read_events(lines, schema="online-retail", columns={"user_id": "Customer ID"})
    assert events["event"].tolist() == ["purchase", "return", "adjustment", "purchase"]


def test_a_schema_of_ones_own_is_followed():
    own = Schema(
        "own", TEA_COLUMNS | {"event": "colour"}, needs=("who", "sku"), events={"green": "view"}
    )
    events = read_events(TEA, schema=own)
    assert events["event"].tolist()[0] == "view"
    assert events["event"].isna().tolist() == [False, True]


def test_a_log_that_fits_nothing_is_told_what_it_looks_like():
    lines = invoices().rename(columns={"StockCode": "Stockcode"})
    with pytest.raises(
        ColumnError,
        match="look most like 'online-retail', which needs 'StockCode'; did you mean 'Stockcode'; "
        r"name yours, such as schema='online-retail', columns=\{'item_id': 'Stockcode'\}",
    ):
        read_events(lines)


def test_a_log_of_another_schema_is_told_so():
    with pytest.raises(ColumnError, match=r"needs a column 'userId', .*looks like 'online-retail'"):
        read_events(invoices(), schema="movielens")
    lines = invoices().rename(columns={"UnitPrice": "Unitprice"})
    with pytest.raises(ColumnError, match=r"needs a column 'UnitPrice'.*did you mean 'Unitprice'"):
        read_events(lines, schema=ONLINE_RETAIL)


def test_an_unknown_schema_is_refused():
    with pytest.raises(
        ParameterError, match="unknown schema 'movielense'; did you mean 'movielens'"
    ):
        read_events(TEA, schema="movielense")


@pytest.mark.parametrize("frame", [pd.DataFrame(), pd.DataFrame({3: [1]})])
def test_a_frame_without_sensible_columns_is_refused(frame):
    with pytest.raises(ColumnError, match="no schema fits the columns"):
        read_events(frame)


def test_an_empty_log_stays_empty():
    events = read_events(invoices()[:0])
    assert len(events) == 0
    assert {"user_id", "item_id", "event", "currency"} <= set(events.columns)


def test_a_column_that_is_there_twice_is_refused():
    with pytest.raises(ColumnError, match="2 columns named 'who'"):
        read_events(pd.concat([TEA, TEA[["who"]]], axis=1), columns=TEA_COLUMNS)


# Times --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("written", [str, pd.Timestamp])
def test_wall_clock_times_are_read_in_their_zone(written):
    log = TEA.assign(timestamp=[written("2026-07-01 12:00"), written("2026-01-01 12:00")])
    events = read_events(log, columns=TEA_COLUMNS, time_zone="Europe/Berlin")
    assert [str(time) for time in events["timestamp"]] == [
        "2026-07-01 10:00:00+00:00",
        "2026-01-01 11:00:00+00:00",
    ]


def test_a_zone_given_wins_over_the_schemas():
    events = read_events(invoices(), time_zone="UTC")
    assert events["timestamp"][1] == pd.Timestamp("2011-07-01 09:41", tz="UTC")


def test_text_that_is_no_time_stays_for_cleaning_to_set_aside():
    log = TEA.assign(timestamp=["2026-07-01 12:00", "soon"])
    events = read_events(log, columns=TEA_COLUMNS, time_zone="Europe/Berlin")
    assert events["timestamp"].tolist() == ["2026-07-01T10:00:00.000000Z", "soon"]
    cleaned, report = clean(events, report=True, now="2026-08-01")
    assert cleaned["timestamp"].tolist() == [pd.Timestamp("2026-07-01 10:00", tz="UTC")]
    assert dict(report.quarantined) == {"unreadable_timestamp": 1}


@pytest.mark.parametrize("zone", ["Europe/Berlim", "", "../secret", 3])
def test_an_unknown_zone_is_refused(zone):
    with pytest.raises(ParameterError, match="time_zone must be a name such as 'Europe/Berlin'"):
        read_events(TEA, columns=TEA_COLUMNS, time_zone=zone)


# Frames -------------------------------------------------------------------------------------------


def test_polars_comes_back_as_polars():
    lines = invoices(InvoiceNo=["536365", "C536379", "A563185", "536400"])
    polars = pl.DataFrame(lines.astype({"Description": object}).to_dict("list"), strict=False)
    events = read_events(polars)
    assert isinstance(events, pl.DataFrame)
    assert events["event"].to_list() == ["purchase", "return", "adjustment", "purchase"]
    assert events["timestamp"].dtype == pl.Datetime("us", "UTC")
    assert read_events(polars.lazy()).equals(events)


def test_arrow_comes_back_as_arrow():
    lines = invoices(InvoiceNo=["536365", "C536379", "A563185", "536400"])
    events = read_events(pa.Table.from_pandas(lines))
    assert isinstance(events, pa.Table)
    assert events["item_id"].to_pylist() == ["85123A", "D", "B", "22423"]
    assert events["user_id"].to_pylist() == [17850, 14527, 12345, None]


@pytest.mark.parametrize("thing", [None, 3, [1, 2]])
def test_what_is_no_frame_is_refused(thing):
    with pytest.raises(DataError, match="events must be a dataframe"):
        read_events(thing)


INVOICES = {"InvoiceNo": ["536365"], "StockCode": ["85123A"], "Quantity": ["6"],
            "InvoiceDate": ["12/1/2010 8:26"], "Price": ["2.55"],
            "CustomerID": ["17850"]}  # fmt: skip


def test_what_a_refusal_says_to_type_works():
    log = pd.DataFrame(INVOICES)
    advice = r"name yours, such as schema='online-retail', columns=\{'price': 'Price'\}\.$"
    with pytest.raises(ColumnError, match=advice):
        read_events(log)
    events = read_events(log, schema="online-retail", columns={"price": "Price"})
    assert events["price"].tolist() == ["2.55"]


def test_a_nested_log_that_lacks_a_column_is_not_told_to_rename_it():
    log = pd.DataFrame({"event_name": ["view_item"], "event_timestamp": [1], "items": [None]})
    with pytest.raises(ColumnError, match=r"like 'ga4', which needs 'user_pseudo_id'; export it"):
        read_events(log)


def test_a_log_of_another_schema_that_lacks_a_column_is_told_apart():
    with pytest.raises(ColumnError, match=r"'userId', .*; the log looks most like 'online-retail'"):
        read_events(pd.DataFrame(INVOICES), schema="movielens")
