"""An event has one hash, in any frame, as a record, on any machine."""

import datetime as dt
import time
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import recopersona as rp
from recopersona.data.event import EVENT_COLUMNS
from recopersona.errors import ColumnError, DataError
from recopersona.events.identifiers import Hashed, bare, value_hash
from tests.naive import hashing as naive

ROW = {"user_id": "anna", "item_id": 7, "event": "purchase", "timestamp": 1_700_000_000_123}
AT = pd.Timestamp(1_700_000_000_123, unit="ms")

values = st.one_of(
    st.text(st.characters(codec="utf-8"), max_size=8),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False),
    st.integers(-99, 99).map(float),
)


def hash_of(**changes):
    return int(rp.event_hash(pd.DataFrame([ROW | changes]))[0])


def test_the_hash_of_a_row_is_that_of_its_twin():
    expected = naive.row_hash(ROW | {"timestamp": 1_700_000_000_123_000})
    assert hash_of() == expected
    assert rp.event_hash(rp.Event(**ROW)) == expected


def test_the_hash_never_changes():
    """A literal: streams that stored hashes find them again in every version."""
    assert hash_of() == 15771736046068100403
    assert hash_of(event_id="e1") == 2701173975311521048


@given(st.lists(values, min_size=1, max_size=6))
def test_a_column_and_a_value_hash_alike_as_do_their_twins(written):
    column = pd.Series(written, dtype=object)
    expected = [
        naive.text_hash(value) if isinstance(value, str) else naive.number_hash(value)
        for value in written
    ]
    assert Hashed.of(column).hashes.tolist() == expected
    assert [value_hash(value) for value in written] == expected


@pytest.mark.parametrize(
    "column",
    [
        pd.Series([7, None], dtype="Int64"),
        pd.Series([7.0, np.nan]),
        pd.Series([7, None], dtype="Float32"),
        pd.Series([Decimal(7), None]),
        pd.Series([7, None], dtype=object),
        pd.Series([np.int16(7), pd.NA], dtype=object),
        pd.Series(pd.Categorical([7, None])),
        pd.Series([7, None], dtype="int64[pyarrow]"),
        pd.Series(pd.arrays.SparseArray([7, np.nan])),
    ],
    ids=lambda column: str(column.dtype),
)
def test_a_number_is_one_whatever_its_type(column):
    found = Hashed.of(column)
    assert found.hashes[0] == naive.number_hash(7)
    assert found.missing.tolist() == [0, 1]


@pytest.mark.parametrize("dtype", ["python", "pyarrow", "category", "object", "string[pyarrow]"])
def test_a_text_is_one_however_it_is_stored(dtype):
    if dtype in ("python", "pyarrow"):
        dtype = pd.StringDtype(dtype, na_value=np.nan)
    column = pd.Series(["tea", None, "hé", ""], dtype=dtype)[1:]
    found = Hashed.of(column)
    assert found.hashes[1:].tolist() == [naive.text_hash("hé"), naive.text_hash("")]
    assert found.missing.tolist() == [1, 0, 0]
    assert found.nothing().tolist() == [True, False, True]


def test_what_is_written_differently_is_another_event():
    seen = {hash_of()}
    for changes in (
        {"user_id": "ben"}, {"item_id": "7"}, {"item_id": 8}, {"event": "view"},
        {"timestamp": 1_700_000_000_124}, {"price": 0}, {"quantity": 0}, {"page": "x"},
        {"session_id": "x"}, {"order_id": "x"}, {"user_id": None}, {"price": 7, "item_id": None},
    ):  # fmt: skip
        seen.add(hash_of(**changes))
    assert len(seen) == 13


@pytest.mark.parametrize(
    "timestamp",
    [
        1_700_000_000_123_000,
        1_700_000_000_123_000_000,
        "2023-11-14T22:13:20.123Z",
        "2023-11-14T23:13:20.123+01:00",
        AT,
        AT.tz_localize("UTC").tz_convert("Asia/Tokyo"),
        AT.to_pydatetime(),
        AT.to_datetime64(),
        dt.datetime(2023, 11, 14, 22, 13, 20, 123_000, tzinfo=dt.UTC),
        1_700_000_000.123,
    ],
    ids=str,
)
def test_a_time_is_one_however_it_is_written(timestamp):
    assert hash_of(timestamp=timestamp) == hash_of()
    assert rp.event_hash(rp.Event(**ROW | {"timestamp": timestamp})) == hash_of()


def test_microseconds_tell_events_apart():
    later = AT + pd.Timedelta(microseconds=1)
    assert hash_of(timestamp=later) != hash_of()
    assert hash_of(timestamp=later) == hash_of(timestamp=1_700_000_000_123_001)


def test_columns_may_come_in_any_order_and_gaps_are_nothing():
    log = pd.DataFrame([ROW])
    assert rp.event_hash(log[log.columns[::-1]])[0] == hash_of()
    assert hash_of(price=None, session_id=np.nan, page="") != hash_of()
    assert hash_of(price=None, session_id=np.nan, received=5, ours=None, colour="red") == hash_of()


def test_an_event_without_a_kind_is_a_view():
    log = pd.DataFrame([ROW]).drop(columns="event")
    expected = hash_of(event="view")
    assert rp.event_hash(log)[0] == expected == hash_of(event=None)
    assert rp.event_hash(rp.Event("anna", 7, timestamp=AT)) == expected


def test_an_event_id_names_the_event_alone():
    assert hash_of(event_id="e1") == hash_of(event_id="e1", price=3, item_id=8)
    assert hash_of(event_id="e1") != hash_of(event_id="e2")
    assert hash_of(event_id="e1") == rp.event_hash(rp.Event("x", "y", event_id="e1"))
    assert hash_of(event_id="null") == hash_of() == rp.event_hash(rp.Event(**ROW, event_id="null"))
    spaced = rp.event_hash(rp.Event(**ROW, event_id=" e1"))
    assert hash_of(event_id=" e1") == spaced != hash_of(event_id="e1")


EVERYTHING = {name: f"{name} of it" for name in rp.Event._fields} | {
    "timestamp": AT, "event": "cart", "quantity": 2.0, "price": 3.25, "dwell_ms": 1_500,
    "scroll_pct": 60.5, "received": AT, "event_id": None,
}  # fmt: skip


def test_a_record_of_everything_hashes_as_its_row():
    assert set(rp.Event._fields) <= set(EVENT_COLUMNS)
    assert rp.event_hash(rp.Event(**EVERYTHING)) == rp.event_hash(pd.DataFrame([EVERYTHING]))[0]


def test_frames_of_all_kinds_give_columns_of_their_kind():
    log = pd.DataFrame([ROW, ROW | {"user_id": None}])
    ours = rp.event_hash(log.set_index(pd.Index([5, 5])))
    assert ours.index.tolist() == [5, 5]
    assert ours.dtype == np.uint64
    theirs = rp.event_hash(pl.from_pandas(log))
    assert isinstance(theirs, pl.Series)
    assert theirs.dtype == pl.UInt64
    assert theirs.to_list() == ours.tolist()
    assert pl.Series(rp.event_hash(log.convert_dtypes())).to_list() == ours.tolist()
    both = rp.event_hash([rp.Event(**ROW), rp.Event(**ROW | {"user_id": None})])
    assert both.tolist() == ours.tolist()


def test_lists_and_dicts_hash_by_what_they_say():
    log = pd.DataFrame([ROW | {"category": ["a", "b"]}, ROW | {"category": ["a", "c"]}])
    assert rp.event_hash(log).nunique() == 2


def test_no_rows_have_no_hashes():
    assert len(rp.event_hash(pd.DataFrame([ROW])[:0])) == 0


def test_what_cannot_be_hashed_is_said():
    with pytest.raises(ColumnError, match="need a column 'item_id'"):
        rp.event_hash(pd.DataFrame({"user_id": [1]}))
    with pytest.raises(DataError, match="timestamp must hold times, got 'soon' in row 0"):
        hash_of(timestamp="soon")
    with pytest.raises(DataError, match="an event's timestamp must be a time, got 'soon'"):
        rp.event_hash(rp.Event("a", "b", timestamp="soon"))
    with pytest.raises(DataError, match=r"rp\.Event records, got int"):
        rp.event_hash([5])
    with pytest.raises(DataError, match="events must be a dataframe"):
        rp.event_hash("log.csv")


def test_spaces_of_every_script_come_off_the_ends_of_an_id():
    spaces = [chr(point) for point in range(0x10000) if chr(point).isspace()]
    around = [*spaces, "\0", "\x7f", "\ufeff"]
    assert {bare(f"{one}tea{one}") for one in around} == {"tea"}
    assert bare("a" + "".join(spaces) + "b") == "a" + "".join(spaces) + "b"


def test_a_long_gap_within_an_id_takes_no_time():
    gap = "a" + " " * 200_000 + "b"
    started = time.perf_counter()
    assert bare(f" {gap}") == gap
    assert time.perf_counter() - started < 1
