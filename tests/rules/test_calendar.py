"""What dates mean: in their time zone, to the end of the last day."""

from datetime import UTC, datetime

import pytest

from recopersona.rules.calendar import Schedule, duration_of, ends_before, moment_of
from recopersona.rules.nodes import Duration, During, Moment

HOUR = 3_600_000


def at(text):
    """Return a moment written in UTC, in milliseconds."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


@pytest.mark.parametrize(
    ("written", "timezone", "in_utc"),
    [
        ("2026-07-01", "UTC", "2026-07-01T00:00"),
        ("2026-07-01", "Europe/Berlin", "2026-06-30T22:00"),
        ("2026-01-01", "Europe/Berlin", "2025-12-31T23:00"),
        ("2026-07-01T18:00", "America/New_York", "2026-07-01T22:00"),
        ("2026-07-01T18:00Z", "Europe/Berlin", "2026-07-01T18:00"),
        ("2026-07-01T18:00+02:00", "UTC", "2026-07-01T16:00"),
        ("2026-07-01T18:00:30.5", "UTC", "2026-07-01T18:00:30.500"),
        # Clocks go forward at 2:00: 2:30 is read as if they had not.
        ("2026-03-29T02:30", "Europe/Berlin", "2026-03-29T01:30"),
        # Clocks go back at 3:00: of two 2:30 the first is meant.
        ("2026-10-25T02:30", "Europe/Berlin", "2026-10-25T00:30"),
        # Here clocks go forward at midnight: the day starts at 1:00.
        ("2024-04-26", "Africa/Cairo", "2024-04-25T22:00"),
        ("0001-01-01", "UTC", "0001-01-01T00:00"),
    ],
)
def test_a_moment_is_read_in_its_zone_or_that_of_the_rules(written, timezone, in_utc):
    assert moment_of(Moment(written), timezone) == at(in_utc)


@pytest.mark.parametrize(
    ("day", "hours"), [("2026-03-29", 23), ("2026-10-25", 25), ("2026-07-01", 24)]
)
def test_a_day_is_as_long_as_its_clocks_say(day, hours):
    schedule = Schedule.of(During(Moment(day), Moment(day)), "Europe/Berlin")
    assert schedule.end - schedule.start == hours * HOUR


def test_a_last_day_is_included():
    july = Schedule.of(During(Moment("2026-07-01"), Moment("2026-07-31")), "Europe/Berlin")
    said = {
        "2026-06-30T21:59:59.999": False,
        "2026-06-30T22:00": True,
        "2026-07-31T21:59:59.999": True,
        "2026-07-31T22:00": False,
    }
    assert {moment: july.on(at(moment)) for moment in said} == said


def test_an_end_with_a_time_is_where_the_next_campaign_may_start():
    noon = Moment("2026-07-31T12:00")
    first = Schedule.of(During(Moment("2026-07-01"), noon), "UTC")
    second = Schedule.of(During(noon, Moment("2026-08-31")), "UTC")
    for moment in ("2026-07-31T11:59:59.999", "2026-07-31T12:00", "2026-07-31T12:01"):
        assert first.on(at(moment)) != second.on(at(moment))


def test_either_end_may_be_open():
    since = Schedule.of(During(Moment("2026-07-01"), None), "UTC")
    until = Schedule.of(During(None, Moment("2026-06-30")), "UTC")
    for moment in ("1970-01-01", "2026-06-30T23:59", "2026-07-01", "2100-01-01"):
        assert since.on(at(moment)) != until.on(at(moment))


def test_without_any_time_no_schedule_is_on():
    assert not Schedule.of(During(Moment("2026-07-01"), None), "UTC").on(None)


def test_the_last_day_of_the_calendar_never_ends():
    forever = Schedule.of(During(Moment("2026-07-01"), Moment("9999-12-31")), "Europe/Berlin")
    assert forever.end is None


def test_a_day_of_25_hours_ends_with_its_last_one():
    last_day, at_night = Moment("2026-10-25"), Moment("2026-10-25T23:30")
    assert not ends_before(last_day, at_night, "Europe/Berlin")
    assert ends_before(last_day, Moment("2026-10-26T00:00"), "Europe/Berlin")


def test_durations_in_all_units():
    hours = {"s": 1 / 3600, "m": 1 / 60, "h": 1, "d": 24, "w": 168, "mo": 720, "y": 8760}
    for unit, length in hours.items():
        assert duration_of(Duration(2, unit)) == round(2 * length * HOUR)
    assert isinstance(duration_of(Duration(1.5, "s")), int)
    assert duration_of(Duration(0.0005, "s")) == 0.5
