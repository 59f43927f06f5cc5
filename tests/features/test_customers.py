"""What is known of customers at a moment: against loops, and never with the future in sight."""

import math

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import recopersona as rp
from recopersona.errors import ColumnError, DataError, ParameterError
from tests.naive.buying import DAY_MS, describe

START = 1_700_006_400_000  # some midnight
COLUMNS = (
    "user_id", "item_id", "event", "timestamp", "quantity", "price", "order_id", "session_id",
)  # fmt: skip

events = st.tuples(
    st.sampled_from(["anna", "ben", "cleo"]),
    st.sampled_from(["tea", "salt"]),
    st.sampled_from(["view", "purchase", "purchase", "purchase", "return"]),
    st.integers(0, 40).map(lambda quarter: START + quarter * DAY_MS // 4),
    st.integers(1, 4),
    st.sampled_from([1.0, 2.5, None]),
    st.sampled_from([None, 7, 8, 9]),
    st.sampled_from([None, "s", "t"]),
)
logs = st.lists(events, min_size=1, max_size=40)
moments = st.integers(1, 45).map(lambda quarter: START + quarter * DAY_MS // 4)


def frame_of(rows):
    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    return frame.assign(
        timestamp=frame["timestamp"].astype("datetime64[ms]").dt.tz_localize("UTC"),
        price=frame["price"].astype(float),
        order_id=frame["order_id"].astype("Int64"),
    )


def told(customers, name):
    return [None if pd.isna(value) else value for value in customers[name].tolist()]


@settings(deadline=None)
@given(logs, moments, st.sampled_from([("1d", DAY_MS), ("2d", 2 * DAY_MS), ("6h", DAY_MS // 4)]))
def test_the_fast_way_agrees_with_loops(rows, as_of, period):
    customers = rp.rfm(frame_of(rows), as_of, period[0])
    expected = describe(rows, as_of, period[1])
    assert len(customers) == len(expected)
    for name in expected[0] if expected else ():
        assert told(customers, name) == pytest.approx([one[name] for one in expected]), name


@given(logs, moments)
def test_cutting_the_log_at_the_moment_changes_nothing(rows, as_of):
    log = frame_of(rows)
    past = log[log["timestamp"] < pd.Timestamp(as_of, unit="ms", tz="UTC")]
    pd.testing.assert_frame_equal(rp.rfm(log, as_of), rp.rfm(past, as_of))


@given(logs)
def test_durations_add_up_and_first_comes_before_last(rows):
    customers = rp.rfm(frame_of(rows))
    bought = customers[customers["orders"] > 0]
    sums = bought["recency_days"] + bought["span_days"]
    assert sums.tolist() == bought["tenure_days"].tolist()
    assert (bought["span_days"] >= bought["frequency"]).all()
    assert ((bought["span_days"] > 0) == (bought["frequency"] > 0)).all()
    assert (customers["known_days"] >= customers["idle_days"]).all()
    assert (bought["first_seen"] <= bought["first_purchase"]).all()
    assert (bought["last_purchase"] <= bought["last_seen"]).all()


def log_of(*purchases, **more):
    """Purchases of tea as (user, day, quantity, price)."""
    user, day, quantity, price = zip(*purchases, strict=True)
    start = pd.Timestamp("2026-01-01 12:00")
    return pd.DataFrame(
        {
            "user_id": user, "item_id": "tea", "event": "purchase", "quantity": quantity,
            "price": price, "timestamp": [start + pd.Timedelta(days=one) for one in day],
        }
        | more
    )  # fmt: skip


def test_what_was_sent_back_was_never_bought_once_it_is_known():
    log = log_of(("anna", 0, 2, 5.0), ("anna", 9, 2, 5.0), event=["purchase", "return"])
    before, after = rp.rfm(log, "2026-01-10").iloc[0], rp.rfm(log).iloc[0]
    assert (before["orders"], before["total_value"]) == (1, 10)
    assert (after["orders"], after["total_value"]) == (0, 0)
    assert math.isnan(after["recency_days"])
    assert after["idle_days"] == 0


def test_of_what_was_sent_back_in_part_the_rest_counts():
    log = log_of(("anna", 0, 4, 5.0), ("anna", 9, 3, 5.0), event=["purchase", "return"])
    assert rp.rfm(log).iloc[0][["orders", "total_value"]].tolist() == [1, 5]


def test_an_order_is_one_however_many_lines_and_minutes_it_has():
    log = log_of(("anna", 0, 1, 5.0), ("anna", 0.01, 1, 3.0), ("anna", 0.02, 1, 2.0))
    assert rp.rfm(log)["orders"].tolist() == [3]
    assert rp.rfm(log.assign(order_id="first"))["orders"].tolist() == [1]
    assert rp.rfm(log.assign(order_id="first"))["monetary"].tolist() == [10]
    assert rp.rfm(log)["frequency"].tolist() == [0]


def test_a_log_without_prices_has_no_value():
    customers = rp.rfm(log_of(("anna", 0, 1, 5.0)).drop(columns="price"))
    assert not {"total_value", "monetary"} & set(customers.columns)


@pytest.mark.parametrize(
    "convert", [pl.from_pandas, lambda frame: pl.from_pandas(frame).to_arrow()]
)
def test_other_frames_come_back_as_their_kind(convert):
    log = log_of(("anna", 0, 1, 5.0), ("ben", 1, 1, 5.0)).assign(note="!")
    customers = rp.rfm(convert(log))
    assert type(customers) is type(convert(log))
    assert pl.DataFrame(customers)["recency_days"].to_list() == [1, 0]


def test_records_and_frames_say_the_same():
    log = log_of(("anna", 0, 1, 5.0), ("ben", 1, 2, 4.0))
    records = [rp.Event(**row) for row in log.to_dict("records")]
    pd.testing.assert_frame_equal(rp.rfm(records), rp.rfm(log))


def test_the_callers_frame_is_not_changed():
    log = log_of(("anna", 0, 1, 5.0), ("anna", 1, 1, 5.0))
    before = log.copy(deep=True)
    rp.rfm(log, "2026-01-02")
    pd.testing.assert_frame_equal(log, before)


def test_before_everything_there_is_nobody():
    customers = rp.rfm(log_of(("anna", 0, 1, 5.0)), "2025-01-01")
    assert len(customers) == 0
    assert "tenure_days" in customers.columns


def test_what_cannot_be_used_is_said():
    log = log_of(("anna", 0, 1, 5.0), ("ben", 1, 1, 4.0))
    with pytest.raises(ColumnError, match="events need a column 'timestamp'"):
        rp.rfm(log.drop(columns="timestamp"))
    with pytest.raises(DataError, match="rfm needs at least one event, got none"):
        rp.rfm(log.iloc[:0])
    with pytest.raises(DataError, match=r"got 2 currencies \(EUR, USD\); convert them to one"):
        rp.rfm(log.assign(currency=["EUR", "USD"]))
    with pytest.raises(DataError, match="price must be a finite number of at least 0, got -1"):
        rp.rfm(log.assign(price=[5.0, -1.0]))
    with pytest.raises(ParameterError, match="period must be a duration"):
        rp.rfm(log, period="often")
    with pytest.raises(DataError, match="as_of must be a moment"):
        rp.rfm(log, as_of="soon")


def test_a_currency_of_the_future_does_not_matter_yet():
    log = log_of(("anna", 0, 1, 5.0), ("ben", 5, 1, 4.0)).assign(currency=["EUR", "USD"])
    assert rp.rfm(log, "2026-01-03")["total_value"].tolist() == [5]


def test_moments_of_many_users_do_not_run_over():
    random = np.random.default_rng(0)
    n = 2_000
    times = pd.Timestamp("1990-01-01") + pd.to_timedelta(random.integers(0, 10**12, n), unit="ms")
    log = pd.DataFrame(
        {"user_id": random.integers(0, 500, n), "item_id": 1, "event": "purchase",
         "timestamp": times}
    )  # fmt: skip
    expected = log.groupby("user_id", sort=False)["timestamp"].nunique()
    assert rp.rfm(log)["orders"].tolist() == expected.tolist()


@pytest.mark.parametrize("name", ["price", "quantity", "currency", "order_id", "session_id"])
def test_a_column_that_is_there_twice_is_refused(name):
    log = pd.DataFrame({
        "user_id": ["anna"], "item_id": "tea", "event": "purchase", "price": 1.0, "quantity": 1,
        "currency": "EUR", "order_id": 1, "session_id": 1,
        "timestamp": pd.to_datetime(["2026-01-01"]),
    })  # fmt: skip
    with pytest.raises(ColumnError, match=f"events have 2 columns named '{name}'; keep one"):
        rp.rfm(pd.concat([log, log[[name]]], axis=1))
    with pytest.raises(DataError, match="currency must hold strings or integers"):
        rp.rfm(log.assign(currency=[["EUR"]]))
    with pytest.raises(DataError, match="add up to more than a number can hold"):
        rp.rfm(log.assign(price=1e308, quantity=1e30))
