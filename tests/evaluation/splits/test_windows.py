"""Windows that move on: nothing of the gap, of the future or of other windows gets in."""

import numpy as np
import pandas as pd
import pytest

from recopersona.data.dataset import Dataset
from recopersona.datasets.synthetic import synthetic_shop
from recopersona.errors import DataError, ParameterError
from recopersona.evaluation.splits import Split, prove_by_time, rolling_splits

DAY = 86_400_000


@pytest.fixture(scope="module")
def shop():
    return synthetic_shop(150, 60, random_state=5)


@pytest.fixture
def ten_days():
    days = pd.date_range("2026-01-01", periods=10)
    return Dataset.from_frames(
        pd.DataFrame({"user_id": 1, "item_id": range(10), "timestamp": days})
    )


def items_of(part):
    return part.items.ids[part.log.items].tolist()


def test_windows_follow_each_other_up_to_the_last_event(ten_days):
    splits = rolling_splits(ten_days, test="2d", n=3)
    assert [items_of(split.test) for split in splits] == [[4, 5], [6, 7], [8, 9]]
    assert [items_of(split.train) for split in splits] == [[*range(4)], [*range(6)], [*range(8)]]
    assert [split.name for split in splits][1] == "window 2 of 3, from 2026-01-07 00:00"


def test_what_lies_in_the_gap_is_in_neither_part_and_counted(ten_days):
    (split,) = rolling_splits(ten_days, test="2d", n=1, gap="3d")
    assert items_of(split.train) == [*range(5)]
    assert split.counts["events_in_the_gap"] == 3


def test_only_so_much_of_the_past_is_learned_from(ten_days):
    splits = rolling_splits(ten_days, test="2d", n=2, gap="1d", train="3d")
    assert [items_of(split.train) for split in splits] == [[2, 3, 4], [4, 5, 6]]
    assert [split.counts["events_too_old"] for split in splits] == [2, 4]
    assert splits[0].counts["events_after_the_window"] == 2


def test_no_training_row_is_of_the_future(shop):
    for split in rolling_splits(shop, test="5d", n=4, gap="1d"):
        assert split.train.log.timestamp.max() < split.test.log.timestamp.min() - DAY
        assert split.counts["training_events_after_the_first_held_out"] == 0


@pytest.mark.parametrize(
    ("planted", "words"),
    [("future", "at or after the cut"), ("gap", "in the gap"), ("later", "after the window")],
)
def test_a_leak_planted_in_a_window_is_found(shop, planted, words):
    times = shop.log.timestamp
    cut, until = (int(np.quantile(times, share)) for share in (0.5, 0.8))
    gap = cut - int(np.quantile(times, 0.4))
    train, test = times < cut - gap, (times >= cut) & (times < until)
    prove_by_time(Split(shop.take(train), shop.take(test)), cut, until, gap)
    if planted == "later":
        test[np.argmax(times)] = True
    else:
        leak = (times >= cut) if planted == "future" else (times >= cut - gap) & (times < cut)
        train[np.argmax(leak)] = True
    with pytest.raises(AssertionError, match=words):
        prove_by_time(Split(shop.take(train), shop.take(test)), cut, until, gap)


@pytest.mark.parametrize(
    ("wrong", "error", "words"),
    [
        ({"n": 5}, DataError, "window 1 of 5.*nothing to learn from .*choose fewer or longer"),
        ({"n": 0}, ParameterError, "rolling_splits: n must be an integer of at least 1, got 0"),
        ({"test": 0.2}, ParameterError, "rolling_splits: test must be a duration"),
        ({"gap": "soon"}, ParameterError, "gap must be a duration"),
    ],
)
def test_windows_that_cannot_be_are_refused(ten_days, wrong, error, words):
    with pytest.raises(error, match=words):
        rolling_splits(ten_days, **({"test": "2d"} | wrong))


def test_windows_need_time():
    with pytest.raises(DataError, match="rolling_splits needs a 'timestamp' column"):
        rolling_splits(Dataset.from_matrix(np.ones((2, 2))))
