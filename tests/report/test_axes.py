"""Axes end on round numbers, hold every value and mark a handful of places."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recopersona.report.axes import log_axis, number_axis, tight_axis, time_axis

numbers = st.floats(-1e200, 1e200, allow_subnormal=False).filter(
    lambda value: value == 0 or abs(value) > 1e-200
)


def moments(*texts):
    return pd.to_datetime(list(texts), format="ISO8601").as_unit("ms").asi8


@given(st.lists(numbers, min_size=1, max_size=5))
def test_every_value_stands_on_the_axis_between_a_few_ticks(values):
    axis = number_axis(np.array(values))
    assert 2 <= len(axis.ticks) <= 9
    assert all(-0.01 <= axis.place(value) <= 100.01 for value in values)
    marks = [mark for mark, _ in axis.ticks]
    assert marks == sorted(marks)


@pytest.mark.parametrize("value", [0.0, 5.0, -3.5, 1e9, 1e-9])
def test_values_that_are_all_the_same_stand_inside(value):
    axis = number_axis(np.full(4, value))
    assert 0 <= axis.place(value) < 100
    assert axis.low < axis.high


def test_gaps_and_nothing_at_all_have_an_axis_too():
    assert number_axis(np.array([np.nan, 2.0, 8.0])).high == 8
    assert (number_axis(np.empty(0)).low, number_axis(np.full(2, np.nan)).high) == (0, 1)


def test_zero_is_kept_when_it_is_near_or_asked_for_and_dropped_when_far():
    assert number_axis(np.array([1.0, 10.0])).low == 0
    assert number_axis(np.array([90.0, 100.0])).low == 90
    assert number_axis(np.array([90.0, 100.0]), from_zero=True).low == 0
    assert number_axis(np.array([-10.0, -1.0])).high == 0


def test_ticks_are_written_in_the_callers_way():
    assert number_axis(np.array([0, 0.2]), how=".0%").ticks[1] == (0.05, "5%")


def test_equal_ratios_are_equal_steps_on_a_log_axis():
    axis = log_axis(1, 1000)
    assert [axis.place(value) for value in (1, 10, 100, 1000)] == pytest.approx(
        [0, 100 / 3, 200 / 3, 100], abs=0.01
    )
    assert log_axis(1, 1).high == 2


@pytest.mark.parametrize(
    ("start", "end", "ticks"),
    [
        ("2026-01-01 10:03", "2026-01-01 10:31", "10:05|10:10|10:15|10:20|10:25|10:30"),
        ("2026-01-01 00:00", "2026-01-01 05:00", "1 Jan 2026|01:00|02:00|03:00|04:00|05:00"),
        ("2026-01-01", "2026-01-02 23:00", "1 Jan 2026|12:00|2 Jan|12:00"),
        ("2026-01-01", "2026-01-31", "5 Jan 2026|12 Jan|19 Jan|26 Jan"),
        ("2025-11-20", "2026-03-10", "Dec 2025|Jan 2026|Feb|Mar"),
        ("2009-12-01", "2011-12-09", "Jan 2010|Jul|Jan 2011|Jul"),
        ("1998-05-01", "2026-01-01", "2000|2005|2010|2015|2020|2025"),
    ],
)
def test_time_is_marked_where_the_calendar_turns(start, end, ticks):
    axis = time_axis(moments(start, end))
    assert [text for _, text in axis.ticks] == ticks.split("|")
    assert all(0 <= axis.place(moment) <= 100 for moment, _ in axis.ticks)


@given(st.integers(0, 4 * 10**12), st.integers(1_000, 10**13))
def test_any_stretch_of_time_has_a_handful_of_ticks_inside(start, length):
    axis = time_axis(np.array([start, start + length]))
    assert all(0 <= axis.place(moment) <= 100 for moment, _ in axis.ticks)
    assert 1 <= len(axis.ticks) <= 7 or length < 60_000


def test_one_moment_and_one_number_are_marked_themselves():
    assert [text for _, text in time_axis(moments("2026-01-05")).ticks] == ["2026-01-05"]
    one = tight_axis(np.array([7.0]))
    assert (one.place(7), [text for _, text in one.ticks]) == (50, ["7"])
