"""Clocks of devices are set right by the clock that received their events."""

import numpy as np
import pandas as pd
import pytest

import recopersona as rp

NOW = "2026-02-01"
NOON = pd.Timestamp("2026-01-20 12:00", tz="UTC")


def log_of(true, *, off=0, late=1, user="anna", **columns):
    """Events at true seconds after noon, on a clock that is off, received some seconds later."""
    true = np.asarray(true, dtype=np.float64)
    at = NOON + pd.to_timedelta(true, unit="s")
    received = at + pd.to_timedelta(np.broadcast_to(late, true.shape), unit="s")
    return pd.DataFrame({
        "user_id": user, "item_id": np.arange(len(true)),
        "timestamp": at + pd.to_timedelta(np.broadcast_to(off, true.shape), unit="s"),
        "received": received,
    }).assign(**columns)  # fmt: skip


def cleaned(log):
    events, report = rp.clean(log, report=True, now=NOW)
    seconds = (events["timestamp"] - NOON).dt.total_seconds().tolist()
    return seconds, dict(report.repaired), dict(report.quarantined)


HOUR = np.arange(0, 3_600, 200.0)


def test_an_event_from_after_its_receipt_happened_when_it_was_received():
    seconds, repaired, _ = cleaned(log_of([0, 60], off=[0, 500]))
    assert seconds == [0, 61]
    assert repaired == {"clock_skew": 1}


def test_a_receipt_in_whole_seconds_is_no_skew():
    assert cleaned(log_of([0, 0.9], late=[1, -0.9]))[1] == {}


@pytest.mark.parametrize("off", [-3 * 3_600, 2 * 3_600, 400, -400 * 86_400])
def test_a_device_whose_clock_is_off_by_a_constant_is_set_right(off):
    log = pd.concat([log_of(HOUR, off=off), log_of(HOUR, user="ben")], ignore_index=True)
    seconds, repaired, quarantined = cleaned(log)
    assert seconds == pytest.approx([*(HOUR + 1), *HOUR])  # to within the way through the network
    assert repaired == {"clock_skew": len(HOUR)}
    assert quarantined == {}


def test_events_kept_and_sent_together_come_late_and_are_right():
    assert cleaned(log_of(HOUR, late=20_000 - HOUR)) == (HOUR.tolist(), {}, {})
    assert cleaned(log_of(HOUR, late=86_400 * (1 + HOUR % 7))) == (HOUR.tolist(), {}, {})


def test_delays_that_differ_are_no_skew():
    day = np.arange(0, 36_000, 900.0)
    assert cleaned(log_of(day, late=600 + day % 700)) == (day.tolist(), {}, {})
    assert cleaned(log_of(day, late=600 + day % 90))[1] == {"clock_skew": len(day)}


def test_a_few_late_events_make_no_skew():
    assert cleaned(log_of(HOUR[:9], late=7_200))[1] == {}
    assert cleaned(log_of(HOUR, late=7_200))[1] == {"clock_skew": len(HOUR)}


def test_events_of_one_moment_make_no_skew():
    assert cleaned(log_of(np.zeros(20), late=7_200))[1] == {}


def test_a_device_is_an_anonymous_id_where_there_is_one():
    log = pd.concat([
        log_of(HOUR, off=-7_200, anonymous_id="phone"), log_of(HOUR + 7, anonymous_id="desk"),
    ])  # fmt: skip
    seconds, repaired, _ = cleaned(log)
    assert repaired == {"clock_skew": len(HOUR)}
    assert seconds == pytest.approx([*(HOUR + 1), *(HOUR + 7)])


def test_the_time_of_sending_tells_the_skew_of_every_event():
    log = log_of([0, 60, 120], off=[7_200, 0, -86_400], late=[30, 30, 4_000])
    log["sent"] = log["received"] + pd.to_timedelta([7_200, 0, -86_400], unit="s")
    seconds, repaired, _ = cleaned(log)
    assert seconds == [0, 60, 120]
    assert repaired == {"clock_skew": 2}


def test_a_clock_that_runs_years_ahead_is_no_future_event():
    _, repaired, quarantined = cleaned(log_of([0, 60], off=[80 * 365 * 86_400, 0]))
    assert (repaired, quarantined) == ({"clock_skew": 1}, {})
    _, repaired, quarantined = cleaned(
        log_of([0, 60], off=[80 * 365 * 86_400, 0]).drop(columns="received")
    )
    assert (repaired, quarantined) == ({}, {"future_timestamp": 1})


@pytest.mark.parametrize("received", [None, "soon", "1970-01-01", "2106-01-01", 0])
def test_a_receipt_that_cannot_be_believed_says_nothing(received):
    log = log_of([0, 60], off=[500, 0]).astype({"received": object})
    log.loc[0, "received"] = received
    assert cleaned(log) == ([500, 60], {}, {})


def test_a_time_that_is_missing_stays_missing():
    log = log_of([0, 60])
    log.loc[0, "timestamp"] = pd.NaT
    assert cleaned(log)[2] == {"missing_timestamp": 1}


def test_cleaning_skewed_clocks_twice_changes_nothing():
    log = pd.concat([log_of(HOUR, off=-7_200), log_of([0, 9], off=99, user="ben")])
    once = rp.clean(log, now=NOW)
    again, report = rp.clean(once, report=True, now=NOW)
    pd.testing.assert_frame_equal(again, once)
    assert report.repaired == {}


def test_a_retry_received_later_is_a_repeat_however_it_is_repaired():
    log = pd.concat([log_of([0], off=500), log_of([0], off=500, late=90)])
    assert cleaned(log)[2] == {"duplicate": 1}
