"""Every row is accepted, repaired and counted, or set aside with its first reason."""

import contextlib
import logging
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recopersona.data.dataset import Dataset
from recopersona.data.event import EVENT_TYPES
from recopersona.errors import ColumnError, DataError, ParameterError, RecopersonaError
from recopersona.events.cleaning import clean
from recopersona.events.cleaning_report import REASONS, REPAIRS
from recopersona.events.reading import read_events

NOW = "2026-02-01"
AT = pd.Timestamp("2026-01-31 10:00", tz="UTC")
GOOD = {
    "user_id": "anna",
    "item_id": "tea",
    "event": "purchase",
    "timestamp": AT,
    "quantity": 2.0,
    "price": 3.5,
    "weight": 1.0,
}


def log_with(**changes):
    """A good row and, a minute later, one that differs from it in some columns."""
    other = GOOD | {"timestamp": AT + pd.Timedelta(minutes=1)} | changes
    return pd.DataFrame({name: [GOOD[name], other[name]] for name in GOOD})


def counts_of(log, **options):
    options = {"now": NOW} | options
    report = clean(log, report=True, **options)[1]
    return dict(report.quarantined), dict(report.repaired)


QUARANTINED = [
    ("missing_user", {"user_id": None}),
    ("missing_user", {"user_id": "  "}),
    ("missing_user", {"user_id": "null"}),
    ("missing_user", {"user_id": "undefined"}),
    ("missing_item", {"item_id": None}),
    ("missing_item", {"item_id": "NaN"}),
    ("missing_event", {"event": None}),
    ("missing_event", {"event": " "}),
    ("unknown_event", {"event": "wink"}),
    ("unknown_event", {"event": 7}),
    ("missing_timestamp", {"timestamp": None}),
    ("missing_timestamp", {"timestamp": " "}),
    ("unreadable_timestamp", {"timestamp": "yesterday"}),
    ("unreadable_timestamp", {"timestamp": "01/02/2026"}),
    ("unreadable_timestamp", {"timestamp": "10:30"}),
    ("timestamp_out_of_range", {"timestamp": "1970-01-01"}),
    ("timestamp_out_of_range", {"timestamp": "1979-12-31T23:59:59Z"}),
    ("timestamp_out_of_range", {"timestamp": 0}),
    ("timestamp_out_of_range", {"timestamp": 10**30}),
    ("future_timestamp", {"timestamp": "2026-02-02T00:00:01Z"}),
    ("future_timestamp", {"timestamp": "2106-02-07"}),
    ("future_timestamp", {"timestamp": 2**32}),
    ("unreadable_quantity", {"quantity": "two"}),
    ("unreadable_quantity", {"quantity": np.inf}),
    ("absurd_quantity", {"quantity": 1.1e9}),
    ("absurd_quantity", {"quantity": "123456789012345678901234567890"}),
    ("zero_quantity", {"quantity": 0}),
    ("zero_quantity", {"quantity": 0, "event": "cart"}),
    ("negative_quantity", {"quantity": -1, "event": "cart"}),
    ("negative_quantity", {"quantity": -1, "event": "view"}),
    ("unreadable_price", {"price": "3,50"}),
    ("unreadable_price", {"price": -np.inf}),
    ("absurd_price", {"price": 1e12}),
    ("negative_price", {"price": -0.01}),
    ("missing_weight", {"weight": np.nan}),
    ("unreadable_weight", {"weight": np.inf}),
    ("unreadable_weight", {"weight": "heavy"}),
    ("absurd_weight", {"weight": 1e13}),
    ("negative_weight", {"weight": -1}),
]


@pytest.mark.parametrize(("reason", "changes"), QUARANTINED)
def test_a_bad_row_is_set_aside_for_its_reason(reason, changes):
    log = log_with(**changes)
    events, report = clean(log, report=True, now=NOW)
    assert dict(report.quarantined) == {reason: 1}
    assert report.repaired == {}
    assert len(events) == 1
    assert events["user_id"].tolist() == ["anna"]
    assert report.quarantined_rows["reason"].tolist() == [reason]


@pytest.mark.parametrize(("reason", "changes"), QUARANTINED)
def test_what_is_set_aside_comes_back_as_it_came(reason, changes):
    log = log_with(**changes)
    aside = clean(log, report=True, now=NOW)[1].quarantined_rows
    pd.testing.assert_frame_equal(aside.drop(columns="reason"), log.iloc[[1]])


def test_every_reason_has_a_test():
    elsewhere = {"duplicate", "not_an_item"}
    assert {reason for reason, _ in QUARANTINED} | elsewhere == set(REASONS)


def test_a_good_log_passes_unchanged():
    log = log_with()
    events, report = clean(log, report=True, now=NOW)
    assert (report.rows_in, report.rows_out) == (2, 2)
    assert report.quarantined == report.repaired == {}
    assert (events["timestamp"] == log["timestamp"]).all()
    pd.testing.assert_frame_equal(events.drop(columns="timestamp"), log.drop(columns="timestamp"))


def test_a_row_counts_for_its_first_reason_only():
    assert counts_of(log_with(user_id=None, item_id=None, price=-1, event="wink")) == (
        {"missing_user": 1},
        {},
    )


def test_a_column_that_is_not_there_is_not_asked_for():
    log = pd.DataFrame({"user_id": ["anna", None], "item_id": ["tea", "tea"]})
    events, report = clean(log, report=True)
    assert dict(report.quarantined) == {"missing_user": 1}
    assert list(events.columns) == ["user_id", "item_id"]


@pytest.mark.parametrize("price", [0, None])
def test_a_price_may_be_nothing_or_unknown(price):
    assert counts_of(log_with(price=price)) == ({}, {})


ODD_COLUMNS = {
    "complex": [1j, 2],
    "timedelta": pd.to_timedelta(["1s", "2s"]),
    "decimal": [Decimal("1.5"), None],
    "period": pd.period_range("2020", periods=2, freq="D"),
    "bytes": [b"a", b"b"],
    "dict": [{}, {"a": 1}],
    "datetime": pd.to_datetime(["2020", "2021"]),
    "30 digits": [10**30, 1],
    "uint64": np.array([2**64 - 1, 1], dtype=np.uint64),
    "sparse": pd.arrays.SparseArray([0, 1]),
    "NUL and 10 kB": ["a\0b", "x" * 10_000],
    "arrow time": pd.array(pd.to_datetime(["2020", "2021"]), dtype="timestamp[ns][pyarrow]"),
    "arrow int": pd.array([1, 2], dtype="int64[pyarrow]"),
    "number categories": pd.Categorical([1, 2]),
}


@pytest.mark.parametrize("kind", ODD_COLUMNS)
@pytest.mark.parametrize("column", [*GOOD, "event_id", "category"])
def test_any_column_is_cleaned_or_refused_in_one_sentence(column, kind):
    log = pd.DataFrame({"user_id": [1, 2], "item_id": [1, 2], "timestamp": ["2020-01-01"] * 2})
    log[column] = ODD_COLUMNS[kind]
    for read in (clean, read_events):
        with contextlib.suppress(RecopersonaError):
            assert len(read(log)) <= 2


# Repairs ------------------------------------------------------------------------------------------


def test_a_negative_purchase_becomes_a_return_of_as_many():
    events, report = clean(log_with(quantity=-3), report=True, now=NOW)
    assert dict(report.repaired) == {"cancellation": 1}
    assert events["event"].tolist() == ["purchase", "return"]
    assert events["quantity"].tolist() == [2, 3]


def test_a_return_of_a_negative_quantity_becomes_one_of_a_positive():
    events, report = clean(log_with(quantity=-3, event="return"), report=True, now=NOW)
    assert dict(report.repaired) == {"cancellation": 1}
    assert events["quantity"].tolist() == [2, 3]


@pytest.mark.parametrize("dtype", ["int32", "int64", "Int64", "uint8"])
def test_quantities_in_whole_pieces_stay_integers(dtype):
    log = log_with().assign(quantity=pd.array([2, 3], dtype=dtype))
    if dtype != "uint8":
        log["quantity"] = log["quantity"] * -1
    assert clean(log, now=NOW)["quantity"].dtype == dtype


def test_a_purchase_without_a_quantity_counts_as_one():
    events, report = clean(log_with(quantity=np.nan), report=True, now=NOW)
    assert dict(report.repaired) == {"missing_quantity": 1}
    assert events["quantity"].tolist() == [2, 1]


def test_a_view_needs_no_quantity():
    events, report = clean(log_with(event="view", quantity=0), report=True, now=NOW)
    assert dict(report.repaired) == {"blank_quantity": 1}
    assert events["quantity"].isna().tolist() == [False, True]
    assert counts_of(log_with(event="view", quantity=np.nan)) == ({}, {})


@pytest.mark.parametrize(
    ("written", "ours"),
    [
        ("Purchase", "purchase"),
        (" view ", "view"),
        ("addtocart", "cart"),
        ("add_to_cart", "cart"),
        ("Add-To-Cart", "cart"),
        ("transaction", "purchase"),
        ("Product Viewed", "view"),
        ("Order Refunded", "return"),
        ("pageview", "page_view"),
    ],
)
def test_another_name_of_a_kind_of_event_is_understood(written, ours):
    events, report = clean(log_with(event=written), report=True, now=NOW)
    assert dict(report.repaired) == {"event_name": 1}
    assert events["event"].tolist() == ["purchase", ours]


def test_our_own_names_are_no_repair():
    log = pd.DataFrame({"user_id": "anna", "item_id": "tea", "event": EVENT_TYPES})
    assert counts_of(log) == ({}, {})


@pytest.mark.parametrize("column", ["user_id", "item_id"])
def test_spaces_around_ids_are_taken_off(column):
    events, report = clean(log_with(**{column: " x1\t"}), report=True, now=NOW)
    assert dict(report.repaired) == {"id_spaces": 1}
    assert events[column].tolist()[1] == "x1"


def test_spaces_around_several_ids_of_a_row_are_one_repaired_row():
    assert counts_of(log_with(user_id=" a", item_id="b ")) == ({}, {"id_spaces": 1})


def test_mixed_units_of_time_are_brought_to_one():
    seconds = int(AT.timestamp())
    written = [seconds, (seconds + 1) * 10**3, (seconds + 2) * 10**6, (seconds + 3) * 10**9]
    written.append(seconds + 4)
    log = pd.DataFrame({"user_id": "anna", "item_id": "tea", "timestamp": written})
    events, report = clean(log, report=True, now=NOW)
    assert dict(report.repaired) == {"time_unit": 3}
    assert events["timestamp"].tolist() == [AT + pd.Timedelta(seconds=n) for n in range(5)]


@pytest.mark.parametrize(
    "written",
    [
        "2026-01-31T10:00:00Z",
        "2026-01-31 10:00",
        "2026-01-31T12:00:00+02:00",
        "Sat, 31 Jan 2026 10:00:00 GMT",
        "2026/01/31 10:00",
        "20260131T100000Z",
        str(int(AT.timestamp())),
        AT.tz_convert("Asia/Tokyo"),
        AT.to_pydatetime().replace(tzinfo=None),
    ],
)
def test_times_come_out_in_utc_however_they_are_written(written):
    log = pd.DataFrame({"user_id": ["anna"], "item_id": ["tea"], "timestamp": [written]})
    events = clean(log, now=NOW)
    assert events["timestamp"].tolist() == [AT]
    assert str(events["timestamp"].dtype) == "datetime64[ms, UTC]"


def test_whole_ids_that_a_gap_made_floats_are_integers_again():
    log = pd.DataFrame({"user_id": [17850.0, np.nan], "item_id": ["tea", "tea"]})
    assert clean(log)["user_id"].tolist() == [17850]
    assert clean(log)["user_id"].dtype == np.int64


def test_every_repair_has_a_test():
    tested = {"id_spaces", "event_name", "time_unit", "cancellation"}
    assert tested | {"missing_quantity", "blank_quantity"} == set(REPAIRS)


# Repeats and items --------------------------------------------------------------------------------


def test_a_row_that_repeats_an_earlier_one_is_a_duplicate():
    log = pd.concat([log_with(), log_with()], ignore_index=True)
    events, report = clean(log, report=True, now=NOW)
    assert dict(report.quarantined) == {"duplicate": 2}
    assert report.quarantined_rows.index.tolist() == [2, 3]
    assert events.index.tolist() == [0, 1]


def test_rows_that_differ_in_one_event_column_are_two():
    assert counts_of(log_with(timestamp=AT, price=3.4)) == ({}, {})


def test_columns_that_are_not_of_the_event_do_not_make_it_another():
    log = log_with(timestamp=AT).assign(description=["tea", "TEA"], received=[1, 2])
    assert counts_of(log) == ({"duplicate": 1}, {})


def test_two_events_within_a_millisecond_are_two():
    assert counts_of(log_with(timestamp=AT + pd.Timedelta(microseconds=1))) == ({}, {})


def test_an_event_id_names_an_event_once():
    log = log_with().assign(event_id=["e1", " e1"])
    assert counts_of(log)[0] == {"duplicate": 1}


def test_different_event_ids_tell_equal_rows_apart():
    assert counts_of(log_with(timestamp=AT).assign(event_id=["e1", "e2"])) == ({}, {})


@pytest.mark.parametrize("gap", [None, "", "null"])
def test_rows_without_an_event_id_are_compared_by_their_columns(gap):
    log = pd.concat([log_with(), log_with()], ignore_index=True)
    assert counts_of(log.assign(event_id=gap))[0] == {"duplicate": 2}
    assert counts_of(log_with().assign(event_id=gap)) == ({}, {})


def test_a_bad_row_does_not_make_its_good_repetition_a_duplicate():
    log = log_with(timestamp=AT).assign(event_id="e1", price=[-1.0, 3.5])
    assert counts_of(log)[0] == {"negative_price": 1}


def test_without_times_and_event_ids_repeats_are_kept():
    log = pd.DataFrame({"user_id": ["anna"] * 3, "item_id": ["tea"] * 3})
    assert counts_of(log) == ({}, {})


def test_lists_in_an_event_column_can_be_compared():
    log = log_with(timestamp=AT).assign(category=[["a", "b"], ["a", "b"]])
    assert counts_of(log)[0] == {"duplicate": 1}


def test_an_item_that_does_not_match_the_pattern_is_set_aside():
    log = pd.DataFrame({"user_id": "anna", "item_id": ["22423", " 85123A ", "POST", "1234567X"]})
    counts, _ = counts_of(log, item_pattern=r"\d{5}[A-Z]?")
    assert counts == {"not_an_item": 2}


def test_integer_items_are_matched_as_written():
    log = pd.DataFrame({"user_id": "anna", "item_id": [22423, 7]})
    assert counts_of(log, item_pattern=r"\d{5}") == ({"not_an_item": 1}, {})


def test_a_pattern_that_is_none_is_refused():
    with pytest.raises(
        ParameterError, match=r"item_pattern must be a regular expression, got '\('"
    ):
        clean(log_with(), item_pattern="(")
    with pytest.raises(ParameterError, match="item_pattern must be a regular expression, got 5"):
        clean(log_with(), item_pattern=5)


# The whole ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("storage", ["python", "pyarrow"])
def test_both_string_storages_are_cleaned_alike(storage):
    with pd.option_context("mode.string_storage", storage):
        log = pd.DataFrame(
            {
                "user_id": ["anna", None, " ben", "null"],
                "item_id": ["tea"] * 4,
                "event": ["view", "view", "addtocart", "view"],
                "timestamp": ["2026-01-31T10:00:00"] * 4,
            }
        )
        assert log["user_id"].dtype == pd.StringDtype(storage, na_value=np.nan)
        events, report = clean(log, report=True, now=NOW)
    assert events["user_id"].tolist() == ["anna", "ben"]
    assert events["event"].tolist() == ["view", "cart"]
    assert dict(report.quarantined) == {"missing_user": 2}


def test_categories_are_cleaned():
    log = log_with(event="Add to cart", user_id=" ben").astype(
        {"user_id": "category", "item_id": "category", "event": "category"}
    )
    events = clean(log, now=NOW)
    assert events["user_id"].tolist() == ["anna", "ben"]
    assert events["event"].tolist() == ["purchase", "cart"]


@pytest.mark.parametrize(("reason", "changes"), QUARANTINED)
def test_the_callers_frame_stays_as_it_was(reason, changes):
    log = log_with(**changes).set_index(pd.Index([3, 3]))
    before = log.copy(deep=True)
    clean(log, now=NOW, report=True)
    pd.testing.assert_frame_equal(log, before)


def test_an_index_that_repeats_harms_nothing():
    log = log_with(quantity=-3).set_index(pd.Index([3, 3]))
    events = clean(log, now=NOW)
    assert events.index.tolist() == [3, 3]
    assert events["event"].tolist() == ["purchase", "return"]


def test_an_empty_log_stays_empty():
    events, report = clean(log_with()[:0], report=True)
    assert len(events) == report.rows_in == report.rows_out == 0
    assert list(events.columns) == list(GOOD)


def test_now_is_the_machines_clock_unless_said():
    tomorrow = pd.Timestamp.now("UTC") + pd.Timedelta(hours=23)
    log = pd.DataFrame({"user_id": "anna", "item_id": "tea", "timestamp": [tomorrow]})
    assert len(clean(log)) == 1
    assert len(clean(log, now=tomorrow - pd.Timedelta(days=2))) == 0


def test_without_a_report_the_counts_are_logged(caplog):
    caplog.set_level(logging.INFO, logger="recopersona.events.cleaning")
    events = clean(log_with(user_id=None), now=NOW)
    assert isinstance(events, pd.DataFrame)
    assert "missing_user" in caplog.text


anything = st.one_of(
    st.none(),
    st.text("ae1-. ", max_size=4),
    st.integers(-(10**20), 10**20),
    st.floats(),
    st.sampled_from(["purchase", "return", "view", "2026-01-31", 1_700_000_000, 1.7e12, -2, 0]),
)


@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "user_id": st.sampled_from(["anna", None, " b"]),
                "item_id": st.sampled_from([1, None]),
            }
            | dict.fromkeys(("event", "timestamp", "quantity", "price", "weight"), anything)
        ),
        max_size=8,
    )
)
def test_every_row_is_accounted_for_and_cleaning_twice_changes_nothing(rows):
    good = {"user_id": "zoe", "item_id": 2, "event": "view", "timestamp": "2026-01-30"}
    log = pd.DataFrame([*rows, good | {"quantity": 1, "price": 1, "weight": 1}])
    events, report = clean(log, report=True, now=NOW)
    assert report.rows_in == len(log) == len(events) + len(report.quarantined_rows)
    again, second = clean(events, report=True, now=NOW)
    assert second.quarantined == second.repaired == {}
    pd.testing.assert_frame_equal(again, events)
    assert len(Dataset.from_frames(events, now=NOW).log) == len(events)


@pytest.mark.parametrize("missing", ["user_id", "item_id"])
def test_a_missing_or_misspelt_column_is_named(missing):
    log = log_with().rename(columns={missing: missing.replace("_", "")})
    hint = missing.replace("_", "")
    with pytest.raises(ColumnError, match=f"need a column '{missing}'; did you mean '{hint}'"):
        clean(log)


@pytest.mark.parametrize("column", ["user_id", "item_id", "event", "timestamp"])
def test_a_column_without_any_value_is_refused(column):
    with pytest.raises(DataError, match=f"the column '{column}' holds no value at all"):
        clean(log_with().assign(**{column: None}))


def test_a_column_that_is_there_twice_is_refused():
    log = pd.concat([log_with(), log_with()[["price"]]], axis=1)
    with pytest.raises(ColumnError, match="2 columns named 'price'; keep one"):
        clean(log)


def test_ids_that_cannot_be_hashed_are_refused():
    log = pd.DataFrame({"user_id": [["anna"]], "item_id": ["tea"]})
    with pytest.raises(DataError, match="user_id must hold strings or integers"):
        clean(log)


@pytest.mark.parametrize("thing", [None, 3, "events", [1, 2]])
def test_what_is_no_frame_is_refused(thing):
    with pytest.raises(DataError, match="events must be a dataframe"):
        clean(thing)
