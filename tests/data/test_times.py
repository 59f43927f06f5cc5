import time
from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recopersona.data.times import (
    MISSING_TIME,
    duration_ms,
    from_ms,
    moment_ms,
    scale_to_ms,
    to_ms,
    units_by_size,
)
from recopersona.errors import DataError, ParameterError

TICKS = {"s": 10**0, "ms": 10**3, "us": 10**6, "ns": 10**9}
NOON = 1_767_268_800_000  # 2026-01-01 12:00 UTC
seconds = st.integers(315_532_800, 7_258_118_400)  # 1980 to 2200


@pytest.mark.parametrize("unit", TICKS)
@given(moments=st.lists(seconds, min_size=1))
def test_the_size_of_numbers_tells_their_unit(unit, moments):
    column = np.array(moments, dtype=np.int64) * TICKS[unit]
    assert to_ms(column).tolist() == [1_000 * moment for moment in moments]
    assert to_ms(column, unit=unit).tolist() == [1_000 * moment for moment in moments]


@given(st.integers(315_532_800_000_000_000, 7_258_118_400_000_000_000))
def test_nanoseconds_are_cut_exactly(moment):
    assert to_ms(np.array([moment])).tolist() == [moment // 1_000_000]


@given(st.lists(seconds, min_size=1), st.sampled_from(list(TICKS)), st.sampled_from(list(TICKS)))
def test_mixed_units_are_refused_and_named(moments, first, second):
    column = np.array([*(m * TICKS[first] for m in moments), moments[0] * TICKS[second]])
    if first == second:
        assert len(to_ms(column)) == len(column)
        return
    with pytest.raises(
        DataError, match=r"timestamp mixes units \(.*\); rp\.clean\(events\)"
    ) as caught:
        to_ms(column)
    assert all(f" {unit}" in str(caught.value).replace("(", " ") for unit in (first, second))


@pytest.mark.parametrize("number", [0, 20_260_131, -5, 10**20])
def test_a_number_of_no_unit_is_refused(number):
    with pytest.raises(
        DataError, match="fits no unit between the years 1980 and 2200; give datetimes"
    ):
        to_ms(np.array([1_700_000_000, number]))


def test_numbers_in_a_column_of_objects_are_numbers():
    column = pd.Series([1_700_000_000, None], dtype=object)
    assert to_ms(column).tolist() == [1_700_000_000_000, MISSING_TIME]
    assert to_ms(pd.Series([1_700_000_000.5], dtype=object)).tolist() == [1_700_000_000_500]


def test_an_unknown_unit_is_refused():
    with pytest.raises(ParameterError, match="unit must be auto, s, ms, us or ns, got 'hours'"):
        to_ms(np.array([1_700_000_000]), unit="hours")


def test_naive_times_are_utc_and_zones_are_honoured():
    naive = pd.Series(pd.to_datetime(["2026-01-01 12:00"]))
    assert to_ms(naive).tolist() == [NOON]
    assert to_ms(naive.dt.tz_localize("UTC")).tolist() == [NOON]
    assert to_ms(naive.dt.tz_localize("Asia/Tokyo")).tolist() == [NOON - 9 * 3_600_000]


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_datetimes_of_any_resolution_are_read(unit):
    assert to_ms(pd.Series(pd.to_datetime(["2026-01-01 12:00"]).as_unit(unit))).tolist() == [NOON]


def test_zones_may_be_mixed():
    texts = pd.Series(["2026-01-01T12:00:00Z", "2026-01-01T13:00:00+01:00", "2026-01-01 12:00"])
    assert to_ms(texts).tolist() == [NOON] * 3
    zone = timezone(timedelta(hours=1))
    objects = pd.Series(
        [datetime(2026, 1, 1, 12, tzinfo=UTC), datetime(2026, 1, 1, 13, tzinfo=zone)]
    )
    assert to_ms(objects.astype(object)).tolist() == [NOON] * 2


@pytest.mark.parametrize("storage", ["python", "pyarrow"])
def test_both_kinds_of_pandas_text_are_read(storage):
    kind = pd.StringDtype(storage, na_value=np.nan)
    column = pd.Series(["2026-01-01T12:00:00", None], dtype=kind)
    assert to_ms(column).tolist() == [NOON, MISSING_TIME]


def test_text_with_one_reading_is_read_whatever_its_form():
    assert to_ms(pd.Series(["2026/01/01 12:00", "1 Jan 2026 12:00"])).tolist() == [NOON] * 2


@pytest.mark.parametrize("text", ["yesterday", "01/02/2026", "12:30"])
def test_text_that_is_no_one_time_is_named_with_its_row(text):
    with pytest.raises(
        DataError, match=rf"timestamp must hold times, got '{text}' in row 1; write"
    ):
        to_ms(pd.Series(["2026-01-01", text]))


def test_missing_times_stay_missing():
    assert to_ms(pd.Series([1_700_000_000.0, np.nan])).tolist() == [1_700_000_000_000, MISSING_TIME]
    assert to_ms(pd.Series([1_700_000_000, None], dtype="Int64"))[1] == MISSING_TIME
    assert to_ms(pd.Series([pd.NaT, pd.Timestamp("2026-01-01 12:00")])).tolist() == [
        MISSING_TIME,
        NOON,
    ]


def test_an_empty_column_is_read():
    assert to_ms(pd.Series([], dtype=float)).tolist() == []


def test_truth_is_no_time():
    with pytest.raises(DataError, match="timestamp must hold times, got a column of bool"):
        to_ms(pd.Series([True, False]))


@given(st.lists(st.one_of(st.just(MISSING_TIME), st.integers(0, 4 * 10**12))))
def test_milliseconds_survive_the_way_out_and_back(moments):
    index = from_ms(np.array(moments, dtype=np.int64))
    assert str(index.tz) == "UTC"
    assert to_ms(pd.Series(index)).tolist() == moments


def test_each_number_is_judged_by_its_own_size():
    numbers = np.array([1.7e9, 1.7e12, 1.7e15, 1.7e18, 5.0, np.nan])
    assert units_by_size(numbers).tolist() == [0, 1, 2, 3, -1, -1]


@given(st.integers(-(2**40), 2**40))
def test_scaling_integers_is_exact(number):
    assert scale_to_ms(np.array([number]), "s").tolist() == [number * 1_000]
    assert scale_to_ms(np.array([number]), "us").tolist() == [number // 1_000]


@pytest.mark.parametrize(
    ("said", "meant"),
    [("30min", 1_800_000), ("1.5h", 5_400_000), (" 7 D ", 604_800_000), ("250ms", 250),
     ("2w", 1_209_600_000), ("1mo", 2_592_000_000), ("1y", 31_536_000_000),
     (timedelta(seconds=2), 2_000), (pd.Timedelta(days=1), 86_400_000)],
)  # fmt: skip
def test_a_duration_is_a_number_of_milliseconds(said, meant):
    assert duration_ms(said) == meant


@pytest.mark.parametrize(
    ("said", "words"),
    [("7 fortnights", "half_life: unknown unit 'fortnights' in '7 fortnights'; use one of ms s"),
     ("-7d", "half_life must be a duration such as '30min'"),
     (7, "half_life must be a duration such as '30min'"),
     ("0d", "half_life must be longer than nothing, got '0d'"),
     (timedelta(days=-1), "half_life must be longer than nothing")],
)  # fmt: skip
def test_what_is_no_duration_is_refused(said, words):
    with pytest.raises(ParameterError, match=words):
        duration_ms(said, "half_life")


def test_a_moment_is_a_number_of_milliseconds():
    noon = datetime(2026, 1, 1, 12, tzinfo=UTC)
    for moment in (
        NOON,
        "2026-01-01T12:00Z",
        noon,
        np.datetime64("2026-01-01T12"),
        "2026-01-01 12",
    ):
        assert moment_ms(moment) == NOON


@pytest.mark.parametrize("moment", ["soon", True, 1.5, pd.NaT, None])
def test_what_is_no_moment_is_refused(moment):
    with pytest.raises(DataError, match="now must be a moment"):
        moment_ms(moment)


@pytest.mark.parametrize("text", ["1aaa" * 2_500, "1a" * 5_000, "x" * 10_000, "9 Dec " * 1_600])
def test_a_page_of_text_is_refused_at_once(text):
    started = time.perf_counter()
    with pytest.raises(DataError, match="must hold times"):
        to_ms(pd.Series([text, "2026/01/31"]))
    assert time.perf_counter() - started < 5, "the pattern went back and forth over the text"


@pytest.mark.parametrize("value", ["\ud800", "2026\ud800", [10**5_000], ("a",)])
def test_what_no_text_can_be_is_refused_as_a_time(value):
    with pytest.raises(DataError, match="must hold times"):
        to_ms(pd.Series([value, "2026/01/31"], dtype=object))


@pytest.mark.parametrize("text", ["1a" * 500_000, "a" * 10**6, " " * 10**6 + "2026-01-01"])
def test_a_long_text_is_no_moment_and_takes_no_time(text):
    start = time.perf_counter()
    with pytest.raises(DataError, match="must be a moment"):
        moment_ms(text)
    assert time.perf_counter() - start < 1
