"""Prices come out in one currency and one unit."""

import numpy as np
import pandas as pd
import polars as pl
import pytest

import recopersona as rp
from recopersona.errors import DataError, ParameterError


def log_of(prices, items="tea", **columns):
    n = len(prices)
    return pd.DataFrame({"user_id": range(n), "item_id": items, "price": prices} | columns)


def cleaned(log, **options):
    events, report = rp.clean(log, report=True, **options)
    assert report.quarantined == {}
    return events, dict(report.repaired)


# Currencies ---------------------------------------------------------------------------------------


def test_prices_are_brought_into_one_currency():
    log = log_of([10.0, 10, 10, None], currency=["EUR", "USD", " usd", "USD"])
    events, repaired = cleaned(log, currency="EUR", rates={"USD": 0.92})
    assert events["price"].tolist()[:3] == pytest.approx([10, 9.2, 9.2])
    assert events["currency"].tolist() == ["EUR"] * 4
    assert repaired == {"currency": 2}
    assert log["price"].tolist()[:3] == [10, 10, 10]


def test_a_price_in_an_unknown_currency_is_blanked_and_the_event_stays():
    events, repaired = cleaned(log_of([5.0, 7], currency=["XYZ", "EUR"]), currency="EUR")
    assert events["price"].isna().tolist() == [True, False]
    assert events["currency"].tolist() == ["XYZ", "EUR"]
    assert repaired == {"unknown_currency": 1}


def test_a_price_in_no_currency_is_in_the_one_asked_for():
    events, repaired = cleaned(log_of([5.0, 7], currency=[None, "EUR"]), currency="eur")
    assert events["price"].tolist() == [5, 7]
    assert events["currency"].tolist() == ["EUR"] * 2
    assert repaired == {"missing_currency": 1}
    assert cleaned(log_of([5.0]), currency="EUR")[1] == {}


def test_without_a_currency_asked_for_nothing_is_converted():
    events, repaired = cleaned(log_of([5.0, 7], currency=["USD", "EUR"]))
    assert events["currency"].tolist() == ["USD", "EUR"]
    assert repaired == {}


def test_a_function_says_what_prices_are():
    log = log_of(["5,50", "7,00"], net=[5.0, 7.0], quantity=[1, 2])
    seen = []

    def net(frame):
        seen.append(frame)
        return frame["net"] / frame["quantity"]

    events, repaired = cleaned(log, prices=net)
    assert events["price"].tolist() == [5, 3.5]
    assert repaired == {"price_hook": 2}
    assert isinstance(seen[0], pd.DataFrame)
    assert cleaned(log.drop(columns="price"), prices=net)[0]["price"].tolist() == [5, 3.5]
    assert rp.clean(pl.from_pandas(log), prices=net)["price"].to_list() == [5, 3.5]


def test_prices_of_a_function_are_checked_and_converted_like_any():
    log = log_of([1.0, 1.0, 1.0], currency="USD")
    events, report = rp.clean(
        log, report=True, prices=lambda frame: [2, np.inf, -3], currency="EUR", rates={"USD": 0.5}
    )
    assert events["price"].tolist() == [1]
    assert report.quarantined == {"unreadable_price": 1, "negative_price": 1}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"rates": {"USD": 1}}, r"rates need the currency to convert to; write currency='EUR'"),
        ({"currency": 5}, "currency must be a code such as 'EUR', got 5"),
        ({"currency": "EUR", "rates": [1]}, r"rates must be a mapping such as \{'USD': 0.92\}"),
        ({"currency": "EUR", "rates": {"USD": -1}}, r"rates\['USD'\] must be a number above 0"),
        ({"currency": "EUR", "rates": {"USD": "1"}}, r"rates\['USD'\] must be a number above 0"),
        ({"currency": "EUR", "rates": {"eur": 2}}, r"rates\['EUR'\] must be 1, got 2"),
        ({"prices": "price"}, "prices must be a function from a frame to its prices, got 'price'"),
    ],
)
def test_what_is_no_rate_is_refused(options, words):
    with pytest.raises(ParameterError, match=words):
        rp.clean(log_of([1.0]), **options)


def test_a_function_must_return_a_price_per_row():
    for made, got in (([1], "got 1"), (None, "got a NoneType"), ("ab", "got a str")):
        with pytest.raises(DataError, match=f"one price for each of 2 rows, {got}"):
            rp.clean(log_of([1.0, 2.0]), prices=lambda frame, made=made: made)


# Units --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("unit", [100, 1_000_000, 0.01, 1e-6])
def test_a_price_in_another_unit_is_brought_to_its_items_own(unit):
    prices = [12.5, 12.5, 12.0, 12.9 * unit, 12.5, 11.0, 12.5]
    events, repaired = cleaned(log_of(prices))
    assert events["price"].tolist() == pytest.approx([12.5, 12.5, 12, 12.9, 12.5, 11, 12.5])
    assert repaired == {"price_unit": 1}


def test_the_odd_price_may_come_first_and_other_items_do_not_matter():
    log = log_of([1250, *[12.5] * 5, *[1250] * 5, 1], items=["tea"] * 6 + ["ring"] * 6)
    events, repaired = cleaned(log)
    assert events["price"].tolist() == [*[12.5] * 6, *[1250] * 5, 1]
    assert repaired == {"price_unit": 1}


@pytest.mark.parametrize(
    "prices",
    [
        [12.5, 12.5, 12.5, 1250],  # too few to have a usual price
        [12.5] * 6 + [800.0],  # a rise, but not by a unit
        [12.5] * 6 + [1500.0],
        [12.5, 1250] * 6,  # which of the two is usual?
        [2, 10, 10, 10, 30, 40, 1_000],  # no usual price at all
        [12.5] * 6 + [0.0],
        [None, 12.5, None],
    ],
)
def test_what_may_be_a_price_is_left_alone(prices):
    events, repaired = cleaned(log_of(prices))
    pd.testing.assert_series_equal(events["price"], log_of(prices)["price"])
    assert repaired == {}


def test_currencies_are_units_of_their_own():
    log = log_of([10.0] * 6 + [1_000.0] * 2, currency=["USD"] * 6 + ["JPY"] * 2)
    assert cleaned(log)[1] == {}


def test_whole_prices_are_brought_to_their_unit_too():
    events, repaired = cleaned(log_of([12, 12, 12, 1200, 12, 12]))
    assert events["price"].tolist() == [12] * 6
    assert repaired == {"price_unit": 1}


def test_cleaning_prices_twice_changes_nothing():
    once = rp.clean(log_of([12.5] * 9 + [1250, 12.5e6, 0.125], currency="USD"), currency="USD")
    again, report = rp.clean(once, report=True, currency="USD")
    pd.testing.assert_frame_equal(again, once)
    assert report.repaired == {}
