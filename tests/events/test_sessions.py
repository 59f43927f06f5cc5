"""Sessions over frames: any order, any ids, any kind of frame, and the caller's frame untouched."""

import uuid
from datetime import timedelta

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recopersona.errors import ColumnError, DataError, ParameterError
from recopersona.events.sessions import sessionize
from tests.naive import sessions as naive

START = pd.Timestamp("2026-01-31 10:00")


def log_of(rows):
    """A log from (user, minutes after ten) pairs."""
    return pd.DataFrame(
        {
            "user_id": [user for user, _ in rows],
            "item_id": "tea",
            "timestamp": [START + pd.Timedelta(minutes=minutes) for _, minutes in rows],
        }
    )


def sessions_of(events, **options):
    return sessionize(events, **options)["session_id"].to_list()


def test_a_pause_longer_than_the_gap_starts_a_session():
    log = log_of([("anna", 0), ("anna", 30), ("anna", 60), ("anna", 90.01)])
    assert sessions_of(log) == [0, 0, 0, 1]


def test_visitors_do_not_share_a_session():
    assert sessions_of(log_of([("anna", 0), ("ben", 1), ("anna", 2)])) == [0, 1, 0]


def test_rows_keep_their_order_and_sessions_are_numbered_in_time():
    log = log_of([("anna", 90), ("ben", 50), ("anna", 0), ("ben", 55)])
    sessions = sessionize(log)
    assert sessions["session_id"].tolist() == [2, 1, 0, 1]
    pd.testing.assert_frame_equal(sessions.drop(columns="session_id"), log)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 200)), min_size=1, max_size=40))
def test_any_log_agrees_with_the_naive_twin(rows):
    expected = naive.sessionize([user for user, _ in rows], [minute for _, minute in rows], 30)
    assert sessions_of(log_of(rows)) == expected


@pytest.mark.parametrize("gap", ["90s", "1.5min", timedelta(seconds=90)])
def test_the_gap_is_a_duration(gap):
    assert sessions_of(log_of([("anna", 0), ("anna", 1.5), ("anna", 3.1)]), gap=gap) == [0, 0, 1]


@pytest.mark.parametrize("gap", [30, "30", "-5min", "0min", None, "30 parsecs"])
def test_a_gap_that_is_no_duration_is_refused(gap):
    with pytest.raises(ParameterError, match="gap"):
        sessionize(log_of([("anna", 0)]), gap=gap)


ANNA, BEN = uuid.uuid4(), uuid.uuid4()


@pytest.mark.parametrize(
    "ids",
    [
        [7, 8, 7],
        [7.0, 8.0, 7.0],
        [("anna", 1), ("ben", 2), ("anna", 1)],
        [ANNA, BEN, ANNA],
        [1, "1", 1],
        pd.Categorical(["anna", "ben", "anna"]),
        pd.array(["anna", "ben", "anna"], dtype="string[python]"),
        pd.array(["anna", "ben", "anna"], dtype="string[pyarrow]"),
        pd.array([7, 8, 7], dtype="Int64"),
        np.array([b"anna", b"ben", b"anna"], dtype=object),
    ],
    ids=lambda ids: type(ids[0]).__name__ + str(getattr(ids, "dtype", "")),
)
def test_ids_may_be_of_any_type(ids):
    log = pd.DataFrame({"user_id": ids, "timestamp": [START] * 3})
    assert sessions_of(log) == [0, 1, 0]


@pytest.mark.parametrize("dtype", ["str", "object"])
def test_a_visitor_without_user_id_is_known_by_the_anonymous_one(dtype):
    log = pd.DataFrame(
        {
            "user_id": pd.Series(["x", None, None, None, "x"], dtype=dtype),
            "anonymous_id": ["k1", "x", "k2", "x", None],
            "timestamp": [START] * 5,
        }
    )
    assert sessions_of(log) == [0, 1, 2, 1, 0]


def test_a_wholly_anonymous_log_has_sessions():
    log = pd.DataFrame(
        {"user_id": [None, None], "anonymous_id": ["k1", "k2"], "timestamp": [START] * 2}
    )
    assert sessions_of(log) == [0, 1]


def test_a_session_id_that_was_there_is_replaced_in_its_place():
    log = log_of([("anna", 0), ("anna", 45)])
    log.insert(0, "session_id", ["s1", "s1"])
    sessions = sessionize(log)
    assert sessions["session_id"].tolist() == [0, 1]
    assert list(sessions.columns) == list(log.columns)


def test_the_callers_frame_stays_as_it_was():
    log = log_of([("anna", 60), ("anna", 0)]).set_index(pd.Index([4, 4]))
    before = log.copy(deep=True)
    sessions = sessionize(log)
    pd.testing.assert_frame_equal(log, before)
    assert sessions.index.tolist() == [4, 4]
    assert sessions["session_id"].dtype == np.int64


def test_polars_and_arrow_come_back_as_they_are_with_one_more_column():
    log = log_of([("anna", 60), ("ben", 0), ("anna", 0)])
    polars = pl.DataFrame({name: log[name].tolist() for name in log}).with_columns(
        pl.col("item_id").cast(pl.Categorical), basket=pl.Series([["tea"], [], None])
    )
    for frame in (polars, polars.lazy()):
        sessions = sessionize(frame)
        assert sessions["session_id"].to_list() == [2, 0, 1]
        assert sessions.drop("session_id").equals(polars)
        assert sessions.schema["item_id"] == pl.Categorical
    arrow = sessionize(pa.Table.from_pandas(log))
    assert isinstance(arrow, pa.Table)
    assert arrow["session_id"].to_pylist() == [2, 0, 1]


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_times_may_be_numbers_in_any_unit(unit):
    ticks = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[unit]
    at = [(1_700_000_000 + seconds) * ticks for seconds in (0, 1_800, 3_601)]
    assert sessions_of(pd.DataFrame({"user_id": "anna", "timestamp": at})) == [0, 0, 1]


def test_an_empty_log_stays_empty():
    log = log_of([("anna", 0)])[:0]
    assert sessionize(log).columns.tolist() == ["user_id", "item_id", "timestamp", "session_id"]
    assert len(sessionize(log)) == 0


@pytest.mark.parametrize("missing", ["user_id", "timestamp"])
def test_a_missing_column_is_named(missing):
    log = log_of([("anna", 0)]).rename(columns={missing: missing[:-1]})
    with pytest.raises(ColumnError, match=f"need a column '{missing}'; did you mean"):
        sessionize(log)


def test_an_anonymous_id_does_not_stand_in_for_a_missing_column():
    with pytest.raises(ColumnError, match="need a column 'user_id'"):
        sessionize(pd.DataFrame({"anonymous_id": ["k1"], "timestamp": [START]}))


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("user_id", None, "1 of 2 events have no user_id to sessionize by; rp.clean"),
        ("timestamp", pd.NaT, "1 of 2 events have no timestamp to sessionize by; rp.clean"),
    ],
)
def test_a_gap_in_what_sessions_need_is_refused(column, value, words):
    log = log_of([("anna", 0), ("ben", 1)])
    log[column] = [value, log[column].iloc[1]]
    with pytest.raises(DataError, match=words):
        sessionize(log)


def test_mixed_units_are_refused_with_the_way_out():
    log = pd.DataFrame({"user_id": ["anna"] * 2, "timestamp": [1_700_000_000, 1_700_000_000_000]})
    with pytest.raises(DataError, match=r"mixes units.*rp\.clean"):
        sessionize(log)


def test_ids_that_cannot_be_hashed_are_refused():
    log = pd.DataFrame({"user_id": [["anna"]], "timestamp": [START]})
    with pytest.raises(DataError, match="user_id must hold strings or integers"):
        sessionize(log)


@pytest.mark.parametrize("thing", [None, 3, "events", [1, 2]])
def test_what_is_no_frame_is_refused(thing):
    with pytest.raises(DataError, match="events must be a dataframe"):
        sessionize(thing)
