"""Sessions over frames: any order, any ids, any kind of frame, and the caller's frame untouched."""

import uuid
from datetime import timedelta
from zoneinfo import ZoneInfo

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
    users, minutes = [user for user, _ in rows], [minute * 60_000 for _, minute in rows]
    expected = naive.sessionize(users, minutes, 30 * 60_000)
    assert sessions_of(log_of(rows)) == expected


@pytest.mark.parametrize("gap", ["90s", "1.5min", timedelta(seconds=90)])
def test_the_gap_is_a_duration(gap):
    assert sessions_of(log_of([("anna", 0), ("anna", 1.5), ("anna", 3.1)]), gap=gap) == [0, 0, 1]


@pytest.mark.parametrize("gap", [30, "30", "-5min", "0min", None, "30 parsecs"])
def test_a_gap_that_is_no_duration_is_refused(gap):
    with pytest.raises(ParameterError, match="gap"):
        sessionize(log_of([("anna", 0)]), gap=gap)


ANNA, BEN = uuid.UUID(int=1), uuid.UUID(int=2)


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
    assert sessions_of(log) == [0, 2, 1, 2, 0]


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
        assert sessions["session_id"].to_list() == [2, 1, 0]
        assert sessions.drop("session_id").equals(polars)
        assert sessions.schema["item_id"] == pl.Categorical
    arrow = sessionize(pa.Table.from_pandas(log))
    assert isinstance(arrow, pa.Table)
    assert arrow["session_id"].to_pylist() == [2, 1, 0]


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


# -- what else ends a session ------------------------------------------------------------------

MINUTE = 60_000
BERLIN = ZoneInfo("Europe/Berlin")


def test_sessions_that_start_together_are_numbered_by_their_visitor():
    log = log_of([("ben", 0), ("anna", 0), ("ben", 5), (10, 0), (9, 0)])
    log["user_id"] = log["user_id"].astype(object)
    assert sessions_of(log) == [3, 2, 3, 1, 0]


@given(
    st.lists(
        st.tuples(st.sampled_from("abc"), st.integers(0, 9), st.sampled_from([None, "x", "y"])),
        min_size=1,
        max_size=30,
    ),
    st.randoms(),
)
def test_the_order_of_rows_changes_no_session(rows, random):
    log = log_of([(user, 20 * step) for user, step, _ in rows])
    log["campaign"] = pd.Series([campaign for _, _, campaign in rows], dtype=object)
    shuffled = log.sample(frac=1, random_state=random.randrange(2**32))
    for options in ({}, {"campaign": "campaign"}):
        sessions = sessionize(log, **options)["session_id"]
        again = sessionize(shuffled, **options)["session_id"]
        assert again.sort_index().tolist() == sessions.tolist()


@given(
    st.lists(
        st.tuples(st.sampled_from("abc"), st.integers(0, 4_000), st.sampled_from([-1, -1, 0, 1])),
        min_size=1,
        max_size=40,
    ),
    st.sampled_from([None, 25, 90]),
    st.sampled_from([None, BERLIN]),
    st.booleans(),
)
def test_any_log_agrees_with_the_naive_twin_under_any_rules(rows, longest, zone, campaigns):
    start = int(pd.Timestamp("2026-10-24 20:00").value // 10**6)  # the clocks go back that night
    users, minutes, codes = (list(column) for column in zip(*rows, strict=True))
    times = [start + minute * MINUTE for minute in minutes]
    log = pd.DataFrame({"user_id": users, "timestamp": pd.to_datetime(times, unit="ms")})
    log["utm"] = pd.Series([None if code < 0 else "xy"[code] for code in codes], dtype=object)
    expected = naive.sessionize(
        users,
        times,
        30 * MINUTE,
        2**62 if longest is None else longest * MINUTE,
        zone,
        codes if campaigns else None,
    )
    assert expected == sessions_of(
        log,
        max_length=None if longest is None else timedelta(minutes=longest),
        midnight=zone,
        campaign="utm" if campaigns else None,
    )


def test_a_session_that_grows_too_long_is_cut():
    log = log_of([("anna", minute) for minute in (0, 20, 40, 60, 61, 80)])
    assert sessions_of(log, max_length="1h") == [0, 0, 0, 0, 1, 1]


def test_midnight_is_the_shops_own_and_keeps_summer_time():
    night = ["2026-03-28 22:59", "2026-03-28 23:00", "2026-03-29 21:59", "2026-03-29 22:00"]
    log = pd.DataFrame({"user_id": "anna", "timestamp": pd.to_datetime(night)})
    assert sessions_of(log, gap="2d", midnight="Europe/Berlin") == [0, 1, 1, 2]
    assert sessions_of(log, gap="2d", midnight="UTC") == [0, 0, 1, 1]
    assert sessions_of(log, gap="2d", midnight=BERLIN) == [0, 1, 1, 2]


def test_clocks_that_change_within_an_hour_keep_their_midnight():
    # Until 2011, Newfoundland's clocks went back at 00:01: there it was midnight twice.
    times = pd.to_datetime(["2010-11-07 02:29", "2010-11-07 02:30", "2010-11-07 02:31"])
    log = pd.DataFrame({"user_id": "anna", "timestamp": times})
    assert sessions_of(log, midnight="America/St_Johns") == [0, 1, 2]


def test_a_new_campaign_starts_a_session_and_none_ends_none():
    log = log_of([("anna", minute) for minute in range(7)])
    log["campaign"] = [None, None, "mail", None, "mail", "ads", None]
    assert sessions_of(log, campaign="campaign") == [0, 0, 1, 1, 1, 2, 2]


def test_a_campaign_may_stand_in_several_columns():
    log = log_of([("anna", minute) for minute in range(5)])
    log["source"] = [None, "g", "g", "g", None]
    log["medium"] = [None, "cpc", "cpc", "mail", None]
    assert sessions_of(log, campaign=["source", "medium"]) == [0, 1, 1, 2, 2]


def test_two_devices_are_two_sessions_where_that_is_asked_for():
    log = log_of([("anna", 0), ("anna", 1), ("anna", 2), ("anna", 3), ("anna", 4)])
    log["device"] = ["phone", "desk", "phone", None, None]
    assert sessions_of(log) == [0, 0, 0, 0, 0]
    assert sessions_of(log, per_device=True) == [0, 1, 0, 2, 2]
    log["browser"] = ["x", "x", "y", "x", "x"]
    assert sessions_of(log, per_device=["device", "browser"]) == [0, 1, 2, 3, 3]


@pytest.mark.parametrize("frame_of", [lambda log: log, pl.from_pandas, pa.Table.from_pandas])
def test_every_kind_of_frame_has_every_rule(frame_of):
    log = log_of([("anna", 0), ("anna", 1), ("anna", 2)])
    log["device"], log["campaign"] = ["a", "b", "b"], [None, None, "x"]
    log["timestamp"] = log["timestamp"].astype("datetime64[us]")
    sessions = sessionize(frame_of(log), campaign="campaign", per_device=True, midnight="UTC")
    assert list(sessions["session_id"].to_numpy()) == [0, 1, 2]


@pytest.mark.parametrize("names", [["é", "b", "é", ""], ["é", None, "é", "x"]])
def test_texts_of_other_frames_are_read_as_they_lie(names):
    log = pd.DataFrame({"user_id": names, "anonymous_id": "y", "timestamp": [START] * 4})
    frame = pl.DataFrame(
        {"user_id": names, "anonymous_id": ["y"] * 4, "timestamp": [START.to_pydatetime()] * 4}
    )
    expected = sessions_of(log)
    assert expected == ([2, 1, 2, 0] if names[3] == "" else [1, 2, 1, 0])
    assert sessions_of(frame) == sessions_of(frame.lazy().collect()) == expected
    assert sessions_of(frame[1:]) == sessions_of(log[1:])
    chunked = pl.concat([frame[:1], frame[1:]], rechunk=False)
    assert sessions_of(chunked) == expected


@pytest.mark.parametrize(
    ("ids", "first"),
    [
        (np.array([2**62, -(2**62), 2**62]), [1, 0, 1]),
        (np.array([2**63 + 5, 7, 2**63 + 5], dtype=np.uint64), [1, 0, 1]),
        (np.array([300, 200, 300], dtype=np.int16), [1, 0, 1]),
        (np.array([3, 2, 3], dtype=np.int32), [1, 0, 1]),
        (np.array([2.0, np.nan, 2.0]), [0, 1, 0]),
    ],
)
def test_integers_of_any_size_are_visitors(ids, first):
    log = pd.DataFrame({"user_id": ids, "anonymous_id": "k1", "timestamp": [START] * 3})
    assert sessions_of(log) == first


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"max_length": 30}, "max_length must be a duration"),
        ({"midnight": "Europe/Berlim"}, "midnight must be a time zone such as"),
        ({"midnight": 1}, "midnight must be a time zone such as"),
        ({"midnight": "../x"}, "midnight must be a time zone such as"),
        ({"campaign": 3}, "campaign must be a column or a list of columns, got 3"),
        ({"campaign": [3]}, "campaign must be a column or a list of columns"),
        ({"per_device": 7}, "per_device must be a column or a list of columns, got 7"),
    ],
)
def test_a_rule_that_is_none_is_refused(options, words):
    with pytest.raises(ParameterError, match=words):
        sessionize(log_of([("anna", 0)]), **options)


@pytest.mark.parametrize("options", [{"campaign": "campain"}, {"per_device": "devise"}])
def test_a_column_that_a_rule_needs_is_missed_by_name(options):
    log = log_of([("anna", 0)]).assign(campaign="x", device="y")
    with pytest.raises(ColumnError, match="did you mean"):
        sessionize(log, **options)


def test_a_year_without_a_calendar_has_no_midnight():
    times = np.array([2**53], dtype="datetime64[ms]")
    log = pd.DataFrame({"user_id": [1], "timestamp": times})
    with pytest.raises(DataError, match="lies in no year of a calendar"):
        sessionize(log, midnight="UTC")
