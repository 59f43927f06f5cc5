"""Polars and Arrow frames are cleaned as pandas frames are, and come back as what they are."""

import contextlib

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from recopersona.data.columns import as_pandas, like
from recopersona.errors import DataError
from recopersona.events.cleaning import clean
from recopersona.events.hashing import event_hash
from recopersona.events.sessions import sessionize
from recopersona.events.stream_sessions import StreamSessionizer

LOG = {
    "user_id": [2**60 + 1, None, 7, 7],
    "item_id": ["tea", "tea", " salt", None],
    "event": ["purchase", "view", "Add to cart", "view"],
    "timestamp": [pd.Timestamp("2026-01-31 10:00", tz="UTC")] * 4,
    "quantity": [-2, None, 1, None],
    "price": [1.5, None, None, 2.0],
    "basket": [["a"], [], None, ["b"]],
}
NOW = "2026-02-01"


def polars_log():
    return pl.DataFrame(LOG).with_columns(pl.col("timestamp").dt.cast_time_unit("us"))


@pytest.mark.parametrize("kind", ["polars", "lazy", "arrow"])
def test_a_frame_comes_back_as_what_it_is(kind):
    log = polars_log()
    given = {"polars": log, "lazy": log.lazy(), "arrow": log.to_arrow()}[kind]
    events, report = clean(given, report=True, now=NOW)
    aside = report.quarantined_rows
    assert type(events) is type(aside) is (pa.Table if kind == "arrow" else pl.DataFrame)
    events, aside = pl.DataFrame(events), pl.DataFrame(aside)
    assert events["user_id"].to_list() == [2**60 + 1, 7]
    assert events["item_id"].to_list() == ["tea", "salt"]
    assert events["event"].to_list() == ["return", "cart"]
    assert events["quantity"].to_list() == [2, 1]
    assert events["price"].to_list() == [1.5, None]
    assert events["timestamp"].dtype == pl.Datetime("ms", "UTC")
    assert dict(report.quarantined) == {"missing_user": 1, "missing_item": 1}
    assert aside["reason"].to_list() == ["missing_user", "missing_item"]
    assert aside["user_id"].to_list() == [None, 7]


def test_the_callers_polars_frame_stays_as_it_was():
    log = polars_log()
    before = log.clone()
    clean(log, now=NOW)
    assert log.equals(before)


def test_crossing_the_border_and_back_keeps_gaps_zones_and_large_ids():
    log = polars_log().drop("basket")
    assert like(as_pandas(log), log).equals(log)
    assert like(as_pandas(log.drop("timestamp")), log).equals(log.drop("timestamp"))
    assert like(as_pandas(log.to_arrow()), log.to_arrow()).to_pydict() == log.to_arrow().to_pydict()


@pytest.mark.parametrize("kind", ["polars", "arrow"])
def test_numbered_users_and_strangers_become_text_where_one_column_cannot_hold_both(kind):
    log = pl.DataFrame({
        "user_id": [7, None], "anonymous_id": ["x", "y"], "item_id": ["tea", "salt"],
    })  # fmt: skip
    events = pl.DataFrame(clean(log if kind == "polars" else log.to_arrow()))
    assert events["user_id"].to_list() == ["7", "anonymous:y"]
    assert clean(log.to_pandas())["user_id"].tolist() == [7, "anonymous:y"]


def test_what_no_frame_of_arrow_can_hold_is_refused():
    with pytest.raises(DataError, match=r"no frame of pyarrow can: .*; give a pandas frame\."):
        like(pd.DataFrame({"a": pd.Series([2**64 - 1, None], dtype="UInt64")}), pa.table({"a": []}))


def test_columns_of_arrays_pass_through():
    vectors = pl.Series("vector", [[1, 2], [3, 4]], dtype=pl.Array(pl.Int64, 2))
    spans = pl.from_pandas(pd.Series(pd.interval_range(0, 2))).alias("span")
    log = pl.DataFrame({"user_id": [1, 2], "item_id": [1, 2]}).with_columns(vectors, spans)
    assert clean(log)["vector"].to_list() == [[1, 2], [3, 4]]


NESTED = [
    pd.Series([[1], [2]], dtype=pd.ArrowDtype(pa.list_(pa.int64()))),
    pd.Series([{"a": 1}, None], dtype=pd.ArrowDtype(pa.struct([("a", pa.int64())]))),
]


@pytest.mark.parametrize("nested", NESTED, ids=["list", "struct"])
@pytest.mark.parametrize("name", ["user_id", "event", "page"])
def test_lists_and_structs_of_arrow_are_refused_or_hashed_as_objects_are(nested, name):
    log = pd.DataFrame({
        "user_id": ["a", "b"], "item_id": ["x", "y"], "event": "view", "page": ["p", "q"],
        "timestamp": pd.Timestamp("2026-01-31", tz="UTC"),
    }).assign(**{name: nested})  # fmt: skip
    as_objects = log.assign(**{name: nested.astype(object)})
    assert event_hash(log).tolist() == event_hash(as_objects).tolist()
    for part in (log, log[:1], log[:0]):
        with (
            contextlib.suppress(DataError)
            if len(part) < 2
            else pytest.raises(DataError, match="hashed")
        ):
            StreamSessionizer().add(part)
    if name == "page":
        assert len(clean(log)) == 2
        with pytest.raises(DataError, match="page must hold strings or integers"):
            sessionize(log, campaign="page")
        return
    with pytest.raises(DataError, match=f"{name} must hold strings or integers"):
        clean(log)


def test_dates_of_arrow_hash_as_dates_do():
    log = pd.DataFrame({"item_id": ["x"], "user_id": ["a"], "page": [pd.Timestamp("2026-01-31")]})
    log["page"] = log["page"].dt.date
    in_arrow = log.assign(page=log["page"].astype(pd.ArrowDtype(pa.date32())))
    assert event_hash(in_arrow).tolist() == event_hash(log).tolist()
