import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import recopersona as rp
from recopersona.data.columns import as_pandas, like, numbers, require_columns
from recopersona.errors import ColumnError, DataError

TYPES = pd.DataFrame({
    "number": [1, 2],
    "share": [0.5, np.nan],
    "text": ["tea", None],
    "flag": [True, False],
    "moment": pd.to_datetime(["2026-01-01", "2026-01-02"]),
    "zoned": pd.to_datetime(["2026-01-01", "2026-01-02"]).tz_localize("Asia/Tokyo"),
})  # fmt: skip


def test_a_pandas_frame_comes_back_itself():
    assert as_pandas(TYPES) is TYPES


@pytest.mark.parametrize("kind", [pl.from_pandas, lambda frame: pa.Table.from_pandas(frame)])
def test_columns_keep_their_meaning_on_the_way_in(kind):
    frame = as_pandas(kind(TYPES))
    assert frame["number"].tolist() == [1, 2]
    assert frame["share"].isna().tolist() == [False, True]
    assert frame["text"].tolist()[0] == "tea"
    assert frame["text"].isna().tolist() == [False, True]
    assert frame["flag"].tolist() == [True, False]
    assert (frame["moment"] == TYPES["moment"]).all()
    assert (frame["zoned"] == TYPES["zoned"]).all()


@pytest.mark.parametrize("kind", [pl.from_pandas, lambda frame: pa.Table.from_pandas(frame)])
def test_a_result_goes_back_in_the_kind_of_frame_that_came(kind):
    original = kind(TYPES)
    back = like(TYPES, original)
    assert type(back) is type(original)
    again = as_pandas(back)
    assert (again["zoned"] == TYPES["zoned"]).all()
    assert again["text"].isna().tolist() == [False, True]
    assert again["number"].tolist() == [1, 2]


def test_lists_stay_lists():
    frame = as_pandas(pl.DataFrame({"tags": [["a", "b"], []]}))
    assert [list(tags) for tags in frame["tags"]] == [["a", "b"], []]


def test_a_column_of_another_frame_may_be_writable_or_not():
    column = as_pandas(pl.DataFrame({"n": [3, 1]}))["n"]
    assert column.sort_values().tolist() == [1, 3]


@pytest.mark.parametrize("thing", [7, "frame", {"user_id": [1]}, np.ones(3)])
def test_what_is_no_dataframe_is_refused(thing):
    with pytest.raises(
        DataError, match=r"events must be a dataframe \(pandas, polars, Arrow\), got"
    ):
        as_pandas(thing)


def test_a_split_in_place_of_a_frame_is_told_its_part():
    split = rp.split_last(rp.synthetic_shop(50, 20, random_state=7))
    with pytest.raises(DataError, match=r"got Split; write split\.train\.$"):
        rp.ALS().fit(split)


def test_required_columns_must_hold_something():
    frame = pd.DataFrame({"user_id": [None, None], "item_id": [1, 2]})
    require_columns(frame, ["item_id"])
    require_columns(frame.iloc[:0], ["user_id"])
    with pytest.raises(DataError, match="events: the column 'user_id' holds no value at all"):
        require_columns(frame, ["user_id"])
    with pytest.raises(
        ColumnError, match=r"visits need a column 'userid'; did you mean 'user_id'\?$"
    ):
        require_columns(frame, ["userid"], "visits")


@pytest.mark.parametrize(
    ("column", "wanted"),
    [([1, 2], [1.0, 2.0]), (["1.5", " 2 "], [1.5, 2.0]), ([1, None], [1.0, None]),
     ([True, False], [1.0, 0.0])],
)  # fmt: skip
def test_numbers_are_read_as_float64(column, wanted):
    values = numbers(pd.Series(column), "price")
    assert values.dtype == np.float64
    assert [None if np.isnan(value) else value for value in values] == wanted


def test_nullable_numbers_are_read():
    assert np.isnan(numbers(pd.Series([1, None], dtype="Int64"), "price")[1])


@pytest.mark.parametrize("bad", [["1", "dear"], [1.0, "dear"]])
def test_what_is_no_number_is_named_with_its_row(bad):
    with pytest.raises(DataError, match="price must be numbers, got 'dear' in row 1"):
        numbers(pd.Series(bad), "price")


@pytest.mark.parametrize(
    "bad",
    [pd.to_datetime(["2026-01-01"]), pd.to_datetime(["2026-01-01"]).tz_localize("UTC"),
     pd.to_timedelta([1], unit="s"), [1 + 2j]],
)  # fmt: skip
def test_moments_and_durations_are_no_numbers(bad):
    with pytest.raises(DataError, match="price must be numbers, got a column of"):
        numbers(pd.Series(bad), "price")
