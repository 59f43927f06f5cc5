"""Polars and Arrow frames are cleaned as pandas frames are, and come back as what they are."""

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from recopersona.data.columns import as_pandas, like
from recopersona.events.cleaning import clean

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
