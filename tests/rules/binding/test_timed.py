"""Answers that depend on the moment: kept while nothing crosses, and never out of date."""

import numpy as np
import pandas as pd
import pytest

from recopersona.data.feature_table import FeatureTable
from recopersona.data.ids import IdMap
from recopersona.data.times import MISSING_TIME
from recopersona.rules.binding.bitmaps import Question, unpacked
from recopersona.rules.binding.crossings import crossings_of
from recopersona.rules.binding.timed import TimedBitmap
from recopersona.rules.nodes import (
    Arithmetic,
    Between,
    Compare,
    Duration,
    Field,
    IsUnknown,
    Moment,
    Negative,
    Not,
    Number,
    Or,
)

DAY = 86_400_000
NOW, AGE = Field("ctx", "now"), Field("item", "age")
CREATED, UNTIL = Field("item", "created_at"), Field("item", "available_until")
FRESH = Compare("<=", AGE, Duration(3, "d"))


def table_of(created, until=None):
    """Items with the days on which they were made; None where unknown."""
    frame = pd.DataFrame({"item_id": [f"i{row}" for row in range(len(created))]})
    for name, days in (("created_at", created), ("available_until", until or created)):
        times = [pd.NaT if day is None else pd.Timestamp(int(day * DAY), unit="ms") for day in days]
        frame[name] = pd.Series(times, dtype="datetime64[ms]")
    return FeatureTable.from_frame(frame, IdMap(), "item_id")


class Counting:
    """The question ``age <= 3 days``, and how many items it was asked of."""

    def __init__(self, items):
        self.items, self.asked_of = items, []

    def __call__(self, rows, asked):
        created = self.items.column("created_at").values[rows]
        self.asked_of.append(len(created))
        return (created != MISSING_TIME) & (asked.now - created <= 3 * DAY)


def timed_over(items, condition=FRESH):
    counting = Counting(items)
    question = Question(counting, frozenset(["created_at"]))
    return TimedBitmap(question, crossings_of(condition, items, "UTC"), items), counting


def young(timed, now, n_items):
    return np.flatnonzero(unpacked(timed.at(now).bits, n_items)).tolist()


def test_nothing_is_asked_again_until_an_item_crosses():
    items = table_of([0, 1, 5, None])
    timed, counting = timed_over(items)
    assert young(timed, 2 * DAY, 4) == [0, 1, 2]
    assert timed.at(3 * DAY - 10) is timed.at(2 * DAY)
    assert counting.asked_of == [4]


def test_the_very_millisecond_counts():
    for n_more in (0, 60):  # all are asked again, or only those that crossed
        items = table_of([0, 1] + [50] * n_more)
        timed, _ = timed_over(items)
        timed.at(2 * DAY)
        rest = list(range(2, 2 + n_more))
        for now, expected in ((3 * DAY, [0, 1]), (3 * DAY + 1, [1]), (4 * DAY + 1, [])):
            assert young(timed, now, 2 + n_more) == expected + rest
        for now, expected in ((4 * DAY, [1]), (3 * DAY + 1, [1]), (3 * DAY, [0, 1])):
            assert young(timed, now, 2 + n_more) == expected + rest


def test_only_those_that_crossed_are_asked_again():
    items = table_of(list(range(100)))
    timed, counting = timed_over(items)
    timed.at(50 * DAY + 5)
    timed.at(52 * DAY + 5)
    timed.at(51 * DAY + 5)
    assert counting.asked_of == [100, 2, 1]


@pytest.mark.parametrize("seed", range(10))
def test_changes_growth_and_jumps_in_time_leave_what_asking_anew_would(seed):
    rng = np.random.default_rng(seed)
    items = table_of([float(day) for day in rng.integers(0, 30, rng.integers(0, 80))])
    timed, counting = timed_over(items)
    now = 10 * DAY
    for _ in range(60):
        what = rng.random()
        if what < 0.3:
            ids = [f"n{rng.integers(200)}" for _ in range(rng.integers(1, 4))]
            days = rng.integers(0, 30, len(set(ids)))
            fresh = pd.DataFrame({"item_id": sorted(set(ids)), "created_at": days})
            fresh["created_at"] = pd.to_datetime(fresh["created_at"], unit="D")
            items.update(fresh, "item_id")
            timed.items_changed(items.ids.indices(fresh["item_id"]), {"created_at"})
        else:
            now = int(now + rng.integers(-4 * DAY, 4 * DAY) * (what < 0.8))
        still = timed.at(now)
        expected = counting(slice(None), type("Asked", (), {"now": now}))
        np.testing.assert_array_equal(unpacked(still.bits, len(items)), expected)
        assert still.count == expected.sum()


def test_many_changes_are_written_into_the_calendar():
    n_items = 8_000
    items = table_of([0] * n_items)
    timed, counting = timed_over(items)
    timed.at(2 * DAY)
    for row in range(600):
        fresh = pd.DataFrame({"item_id": [f"i{row}"], "created_at": [pd.Timestamp(DAY, unit="ms")]})
        items.update(fresh, "item_id")
        timed.items_changed(np.array([row], np.int32), {"created_at"})
        if row % 50 == 0:
            timed.at(2 * DAY)
    counting.asked_of.clear()
    assert young(timed, 2 * DAY + 1, n_items) == list(range(n_items))
    assert young(timed, 2 * DAY + 2, n_items) == list(range(n_items))
    assert sum(counting.asked_of) <= 600, "those that changed are not asked for ever"
    assert young(timed, 3 * DAY + 5, n_items) == list(range(600))
    assert young(timed, 4 * DAY + 5, n_items) == []


def test_changes_that_nobody_asks_about_are_not_remembered_for_ever():
    items = table_of([0, 1])
    timed, counting = timed_over(items)
    timed.at(2 * DAY)
    for _ in range(30_000):
        timed.items_changed(np.array([0], np.int32), {"created_at"})
    assert len(timed._book.changed) < 20_001
    assert young(timed, 2 * DAY, 2) == [0, 1]
    assert counting.asked_of == [2, 2]


def test_without_a_moment_all_are_asked_and_it_is_kept():
    items = table_of([0, 1])
    question = Question(lambda rows, asked: asked.now is None, frozenset(["created_at"]))
    timed = TimedBitmap(question, crossings_of(FRESH, items, "UTC"), items)
    assert young(timed, None, 2) == [0, 1]
    assert timed.at(None) is timed.at(None)
    assert young(timed, DAY, 2) == []


@pytest.mark.parametrize(
    ("condition", "moment"),
    [
        (Compare("<", NOW, UNTIL), 7 * DAY),
        (Compare(">=", Arithmetic("+", UNTIL, Duration(2, "d")), NOW), 9 * DAY),
        (Compare("<", Arithmetic("-", Negative(Duration(1, "d")), NOW), Negative(UNTIL)), 6 * DAY),
        (Compare("<", Arithmetic("-", NOW, UNTIL), Duration(1.5, "d")), 8.5 * DAY),
        (Between(UNTIL, NOW, Moment("2026-01-01")), 7 * DAY),
    ],
)
def test_crossings_are_read_from_sums_of_times(condition, moment):
    items = table_of([None], [7])
    (crossing,) = crossings_of(condition, items, "UTC")
    times, known = crossing.times(items, np.array([0], np.int32))
    assert (times.tolist(), known.tolist()) == ([moment], [True])


def test_where_time_is_bent_nothing_is_foretold():
    items = table_of([0])
    days = Compare("<", Arithmetic("/", AGE, Duration(1, "d")), Number(3))
    assert crossings_of(days, items, "UTC") is None
    assert crossings_of(Or((FRESH, days)), items, "UTC") is None
    assert crossings_of(Compare("<", NOW, Moment("2026-01-01")), items, "UTC") is None
    assert crossings_of(Not(IsUnknown(AGE)), items, "UTC") == ()
    timed, counting = timed_over(items, days)
    assert young(timed, DAY, 1) == [0]
    assert timed.at(DAY) is timed.at(DAY)
    assert young(timed, 9 * DAY, 1) == []
    assert counting.asked_of == [1, 1]
