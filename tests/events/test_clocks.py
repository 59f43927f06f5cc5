"""Times are read row by row: the readable, the unreadable and the impossible told apart."""

import datetime as dt

import numpy as np
import pandas as pd
import pytest

from recopersona.data.times import MISSING_TIME, moment_ms, to_ms
from recopersona.errors import DataError
from recopersona.events.clocks import parse_texts, read_clock, to_utc


def verdicts(column):
    clock = read_clock(column)
    named = {"missing": clock.missing, "unreadable": clock.unreadable, "odd": clock.impossible}
    return [
        next((name for name, rows in named.items() if rows[row]), "read")
        for row in range(len(column))
    ]


def test_every_row_has_one_verdict():
    column = pd.Series(["2026-01-31", "1700000000", "20260131", "7", "soon", "inf", " ", None])
    assert verdicts(column) == ["read"] * 3 + ["odd", "unreadable", "unreadable"] + ["missing"] * 2


def test_what_has_no_time_is_missing_in_milliseconds_too():
    clock = read_clock(pd.Series(["soon", None, "2026-01-31"]))
    assert (clock.milliseconds == MISSING_TIME).tolist() == [True, True, False]


def test_a_column_of_objects_may_hold_anything():
    column = pd.Series(
        [
            dt.datetime(2020, 1, 1, tzinfo=dt.UTC),
            dt.date(2020, 1, 1),
            pd.Timestamp("2020-01-01 09:00", tz="Asia/Tokyo"),
            1_577_836_800,
            "2020-01-01T00:00:00",
        ],
        dtype=object,
    )
    assert set(read_clock(column).milliseconds) == {moment_ms("2020-01-01")}
    assert verdicts(pd.Series([[1], None, True], dtype=object)) == ["unreadable", "missing", "odd"]


@pytest.mark.parametrize(
    "column",
    [
        pd.Series([1_700_000_000, None], dtype="Int64"),
        pd.Series([1.7e9, np.nan]),
        pd.Series([1.7e12, np.nan]),
        pd.Series(["2023-11-14T22:13:20", None], dtype="category"),
        pd.Series(["2023-11-14T22:13:20Z", None], dtype="string[pyarrow]"),
        pd.to_datetime(pd.Series(["2023-11-14T22:13:20", None])),
        pd.to_datetime(pd.Series(["2023-11-15T07:13:20", None])).dt.tz_localize("Asia/Tokyo"),
    ],
    ids=lambda column: str(column.dtype),
)
def test_every_kind_of_column_is_read(column):
    assert read_clock(column).milliseconds.tolist() == [1_700_000_000_000, MISSING_TIME]
    assert verdicts(column) == ["read", "missing"]


def test_most_numbers_say_what_the_unit_is():
    clock = read_clock(pd.Series([1_700_000_000_000, 1_700_000_000, 1_700_000_000_001, 5]))
    assert clock.other_unit.tolist() == [False, True, False, False]
    assert clock.impossible.tolist() == [False, False, False, True]


def test_microseconds_in_integers_are_exact():
    assert read_clock(pd.Series([1_700_000_000_123_999])).milliseconds[0] == 1_700_000_000_123


@pytest.mark.parametrize(
    "text", ["01/02/2026", "31.12.2026", "10:30", "5", "next May", "2026-13-01"]
)
def test_what_can_be_read_in_two_ways_or_none_is_not_guessed_at(text):
    assert parse_texts(pd.Series([text])).isna().all()


@pytest.mark.parametrize("text", ["01/02/2026", "31/12/2026", "10:30"])
def test_a_dataset_guesses_at_no_more_than_cleaning_does(text):
    column = pd.Series(["2026-01-31", text])
    assert verdicts(column) == ["read", "unreadable"]
    with pytest.raises(DataError, match=f"must hold times, got '{text}' in row 1"):
        to_ms(column)


@pytest.mark.parametrize("text", ["2011/12/09 12:50", "9 Dec 2011 12:50", "Dec 9, 2011 12:50"])
def test_a_dataset_reads_what_cleaning_reads(text):
    column = pd.Series([text, None], dtype=object)
    assert to_ms(column).tolist() == read_clock(column).milliseconds.tolist()
    assert to_ms(column)[0] == moment_ms("2011-12-09 12:50")


def test_a_form_can_be_said():
    times = parse_texts(pd.Series(["12/1/2010 8:26"]), time_format="%m/%d/%Y %H:%M")
    assert times[0] == pd.Timestamp("2010-12-01 08:26", tz="UTC")


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2010-07-01 12:00", "2010-07-01 11:00"),
        ("2010-07-01T12:00:00.5Z", "2010-07-01 12:00:00.5"),
        ("2010-07-01 12:00+00:00", "2010-07-01 12:00"),
        ("20100701T120000+0200", "2010-07-01 10:00"),
        ("1 July 2010 12:00 GMT", "2010-07-01 12:00"),
        ("2010-07-01", "2010-06-30 23:00"),
        ("2010-10-31 01:30", "2010-10-31 00:30"),  # twice: the first is meant
        ("2010-03-28 01:30", "2010-03-28 01:00"),  # never: the next that exists
    ],
)
def test_a_wall_clock_time_is_moved_and_one_with_a_zone_is_not(text, utc):
    assert parse_texts(pd.Series([text]), "Europe/London")[0] == pd.Timestamp(utc, tz="UTC")


def test_zoned_datetimes_ignore_the_wall_clock():
    times = pd.Series(pd.to_datetime(["2010-07-01 12:00"])).dt.tz_localize("Asia/Tokyo")
    assert to_utc(times, "Europe/London")[0] == pd.Timestamp("2010-07-01 03:00", tz="UTC")
