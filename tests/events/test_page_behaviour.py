"""How long, how far down, and by which door: dwell, scroll depth and the table of sessions."""

from itertools import pairwise

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recopersona.errors import ColumnError, DataError, ParameterError
from recopersona.events.page_behaviour import dwell, scroll_depth, session_table
from recopersona.events.sessions import sessionize

START = 1_764_547_200


def log_of(rows, **columns):
    """A log from (session, seconds, item) triples."""
    frame = pd.DataFrame(rows, columns=["session_id", "timestamp", "item_id"]).assign(**columns)
    return frame.assign(timestamp=frame["timestamp"] + START)


VISIT = [("s", 0, "tea"), ("s", 60, "salt"), ("t", 10, "tea"), ("t", 5_000, "tea"), ("u", 0, "x")]


def test_a_stay_lasts_until_the_next_event_of_the_session():
    stay = dwell(log_of(VISIT), cap="1h")["dwell_ms"]
    assert stay.tolist()[:1] + stay.tolist()[2:3] == [60_000.0, 3_600_000.0]
    assert stay.isna().tolist() == [False, True, False, True, True]
    assert dwell(log_of(VISIT), cap=None)["dwell_ms"][2] == 4_990_000.0


def test_the_last_page_may_take_the_median_of_its_own():
    rows = [(n, 0, "tea") for n in range(3)] + [(n, 10 * (n + 1), "salt") for n in range(3)]
    stay = dwell(log_of([*rows, (3, 0, "tea"), (4, 0, "salt")]), last="median")["dwell_ms"]
    assert stay[:3].tolist() == [10_000, 20_000, 30_000]
    assert stay[6] == 20_000
    assert np.isnan(stay[7])  # nobody ever went on from there, so nobody knows


def test_what_was_measured_is_kept():
    stay = dwell(log_of(VISIT, dwell_ms=[None, 7.0, None, None, None]))["dwell_ms"]
    assert stay.tolist()[:2] == [60_000, 7]


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 50)), min_size=1, max_size=30))
def test_any_stay_agrees_with_the_naive_one(rows):
    log = log_of([(session, second, "tea") for session, second in rows])
    order = sorted(range(len(rows)), key=lambda row: rows[row])
    expected = [np.nan] * len(rows)
    for row, following in pairwise(order):
        if rows[row][0] == rows[following][0]:
            expected[row] = min(20, rows[following][1] - rows[row][1]) * 1_000.0
    stay = dwell(log, cap="20s")["dwell_ms"]
    np.testing.assert_array_equal(stay.to_numpy(), expected)


def test_scrolls_are_folded_into_the_view_they_belong_to():
    log = pd.DataFrame(
        [
            ("anna", "tea", "scroll", 0, 90),  # before any view
            ("anna", "tea", "view", 1, 5),
            ("anna", "tea", "scroll", 2, 40),
            ("ben", "tea", "scroll", 3, 99),  # someone else's
            ("anna", "salt", "view", 4, None),
            ("anna", "tea", "scroll", 5, 30),
            ("anna", "tea", "page_view", 6, None),
            ("anna", "tea", "scroll", 6, 10),
            ("anna", "tea", "purchase", 7, None),
            ("anna", "tea", "scroll", 8, None),
        ],
        columns=["user_id", "item_id", "event", "timestamp", "scroll_pct"],
    )
    log["timestamp"] += START
    before = log.copy(deep=True)
    for shuffled in (log, log.iloc[::-1]):
        folded = scroll_depth(shuffled).sort_index()
        assert folded.index.tolist() == [0, 1, 3, 4, 6, 8]
        assert folded["scroll_pct"].fillna(-1).tolist() == [90, 40, 99, -1, 10, -1]
    pd.testing.assert_frame_equal(log, before)


def test_a_scroll_stays_within_its_session():
    log = log_of([("s", 0, "tea"), ("t", 1, "tea")], user_id="anna", event=["view", "scroll"])
    log["scroll_pct"] = [None, 50.0]
    assert len(scroll_depth(log)) == 2
    assert len(scroll_depth(log.drop(columns="session_id"))) == 1


def test_a_session_is_one_row():
    log = log_of(
        [("s", 60, "salt"), ("t", 30, "tea"), ("s", 0, "tea"), ("s", 90, "tea"), ("u", 0, "x")],
        user_id=[None, "ben", None, "anna", None],
        anonymous_id=["k", "k2", "k", "k", "k3"],
        event=["purchase", "return", "view", "impression", "impression"],
        quantity=[2, 1, None, None, None],
        price=[1.5, 4.0, 9.0, None, None],
    )
    table = session_table(log)
    assert table["session_id"].tolist() == ["s", "u", "t"]
    assert table["user_id"].fillna("?").tolist() == ["anna", "?", "ben"]
    assert table["anonymous_id"].tolist() == ["k", "k3", "k2"]
    assert table["duration_ms"].tolist() == [90_000, 0, 0]
    assert table["n_events"].tolist() == [3, 1, 1]
    assert table["n_items"].tolist() == [2, 1, 1]
    assert table["entry"].tolist() == ["tea", "x", "tea"]
    assert table["exit"].tolist() == ["tea", "x", "tea"]
    assert table["bounce"].tolist() == [False, True, True]
    assert table["purchases"].tolist() == [1, 0, 0]
    assert table["value"].tolist() == [3.0, 0.0, -4.0]
    assert (table["end"] - table["start"]).dt.total_seconds().tolist() == [90.0, 0.0, 0.0]


def test_without_prices_the_value_is_missing_and_without_kinds_all_are_views():
    table = session_table(log_of(VISIT))
    assert table["value"].isna().all()
    assert table["purchases"].tolist() == [0, 0, 0]
    assert table["bounce"].tolist() == [False, True, False]


def test_a_page_may_be_another_column():
    log = log_of(VISIT, page=["a", "b", None, "c", "c"])
    table = session_table(log, page="page")
    assert table["n_items"].tolist() == [2, 1, 1]
    assert table["exit"].tolist() == ["b", "c", "c"]


def test_every_kind_of_frame_comes_back_as_it_is():
    log = pl.DataFrame(log_of(VISIT, user_id="anna").to_dict("list"))
    assert session_table(log).columns[:2] == ["session_id", "user_id"]
    assert dwell(log)["dwell_ms"].null_count() == 3


def test_a_sessionized_log_has_as_many_rows_as_sessions():
    random = np.random.default_rng(3)
    log = pd.DataFrame({"user_id": random.integers(20, size=500), "item_id": 1,
                        "timestamp": START + random.integers(10**5, size=500)})  # fmt: skip
    events = sessionize(log)
    table = session_table(events)
    assert table["session_id"].is_unique
    assert set(table["session_id"]) == set(range(events["session_id"].max() + 1))
    assert table["n_events"].sum() == 500
    assert table["start"].is_monotonic_increasing


@pytest.mark.parametrize("function", [dwell, session_table])
def test_without_sessions_the_way_to_them_is_told(function):
    log = log_of(VISIT)
    with pytest.raises(ColumnError, match=r"make it with rp\.sessionize"):
        function(log.drop(columns="session_id"))
    with pytest.raises(DataError, match="1 of 5 events have no session_id"):
        function(log.assign(session_id=["s", None, "t", "t", "u"]))
    with pytest.raises(DataError, match="1 of 5 events have no timestamp"):
        function(log.assign(timestamp=[None, 1, 2, 3, 4]).assign(
            timestamp=lambda f: f["timestamp"] + START))  # fmt: skip


@pytest.mark.parametrize(
    ("options", "words"),
    [({"cap": 3}, "cap must be a duration"), ({"last": "mean"}, "dwell: last must be one of")],
)
def test_a_parameter_out_of_its_bounds_is_refused(options, words):
    with pytest.raises(ParameterError, match=words):
        dwell(log_of(VISIT), **options)


def test_an_empty_log_has_no_sessions():
    assert len(session_table(log_of([]))) == 0
    assert len(dwell(log_of([]))) == 0
