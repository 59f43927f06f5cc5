"""Numbers, moments and the rest read as a person would write them."""

from datetime import date

import numpy as np
import pandas as pd
import pytest

from recopersona.errors import DataError
from recopersona.report.numerals import formatted, number_writer, text_of, tick_writer


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        ([0.18213, 0.0701], ["0.182", "0.070"]),
        ([0.01234], ["0.0123"]),
        ([12.5, -30.25], ["12.50", "−30.25"]),
        ([1, 2, 3.0], ["1", "2", "3"]),
        ([1234.56], ["1,234.6"]),
        ([54321.9], ["54,322"]),
        ([541909], ["541,909"]),
        ([0.0000123, 0], ["1.23×10⁻⁵", "0"]),
        ([2e18], ["2×10¹⁸"]),
        ([float("nan"), 0.5], ["–", "0.500"]),
        ([float("inf"), 1.0], ["–", "1"]),
        ([], []),
    ],
)
def test_numbers_that_stand_together_have_the_same_decimals(values, texts):
    write = number_writer(values)
    assert [write(value) for value in values] == texts


def test_a_negative_number_rounded_to_zero_has_no_sign():
    assert number_writer([-0.0001, 5.5])(-0.0001) == "0.00"
    assert formatted(-0.001, ".0%") == "0%"


def test_a_format_of_the_callers_own_is_taken_and_gaps_stay_gaps():
    write = number_writer([0.5], ".1%")
    assert (write(-0.5), write(None)) == ("−50.0%", "–")


def test_a_format_that_does_not_suit_is_named():
    with pytest.raises(DataError, match=r"the format '\.3f' does not suit 'tea'; give one such as"):
        formatted("tea", ".3f")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (pd.NA, "–"),
        (pd.NaT, "–"),
        (np.float32("nan"), "–"),
        (np.True_, "yes"),
        (False, "no"),
        ({"b", "a"}, "a, b"),
        (np.array([1, 2]), "1, 2"),
        ([], ""),
        (np.int64(1200), "1,200"),
        (date(2011, 12, 9), "2011-12-09"),
        (pd.Timestamp("2011-12-09 12:50", tz="UTC"), "2011-12-09 12:50"),
        ("", ""),
    ],
)
def test_any_value_has_a_text(value, text):
    assert text_of(value) == text


@pytest.mark.parametrize(
    ("step", "value", "text"),
    [
        (0.25, 0.5, "0.50"),
        (2.5, 5, "5.0"),
        (5e5, 5e5, "500,000"),
        (5e5, -1.5e6, "−1.5M"),
        (1e9, 3e9, "3B"),
        (2e-7, 4e-7, "4×10⁻⁷"),
        (0.1, 0.1 + 0.2, "0.3"),
    ],
)
def test_ticks_have_the_decimals_of_their_step(step, value, text):
    assert tick_writer(step)(value) == text
