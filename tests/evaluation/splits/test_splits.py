"""Splits hold out what they say, and nothing of the future is left in training."""

from datetime import timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recopersona.data.dataset import Dataset
from recopersona.datasets.synthetic import synthetic_shop
from recopersona.errors import DataError, ParameterError
from recopersona.evaluation.splits import (
    Split,
    k_fold,
    prove_by_pair,
    prove_by_time,
    prove_by_user,
    split_by_time,
    split_last,
)


def shop_of(rows, columns=("user_id", "item_id", "timestamp", "event")):
    frame = pd.DataFrame(rows, columns=list(columns))
    if "timestamp" in frame:
        frame["timestamp"] = pd.to_datetime(frame["timestamp"])
    return Dataset.from_frames(frame)


def rows_of(dataset):
    """The interactions as the shop knows them: (user id, item id)."""
    rows = dataset.interactions
    return list(zip(dataset.users.ids[rows.users], dataset.items.ids[rows.items], strict=True))


@pytest.fixture(scope="module")
def shop():
    return synthetic_shop(150, 60, random_state=5)


@pytest.fixture
def three_days():
    return shop_of(
        [
            ("anna", "tea", "2026-01-01", "purchase"),
            ("ben", "salt", "2026-01-02", "view"),
            ("anna", "honey", "2026-01-03", "view"),
        ]
    )


SENT_BACK = [
    ("anna", "tea", "2026-01-01", "purchase"),
    ("anna", "salt", "2026-01-02", "purchase"),
    ("anna", "honey", "2026-01-09", "purchase"),
    ("anna", "tea", "2026-01-10", "return"),
]


def test_training_lies_before_the_cut_and_the_test_part_from_it_on(shop):
    cut = int(np.median(shop.log.timestamp))
    split = split_by_time(shop, cut)
    assert split.train.log.timestamp.max() < cut <= split.test.log.timestamp.min()
    assert len(split.train.log) + len(split.test.log) == len(shop.log)


def test_both_parts_keep_the_ids_and_attributes_of_the_whole(shop):
    for split in (split_by_time(shop, 0.2), split_last(shop), k_fold(shop, 2)[0]):
        for part in (split.train, split.test):
            assert part.users is shop.users
            assert part.items is shop.items
            assert part.item_features is shop.item_features


@pytest.mark.parametrize("length", ["1d", timedelta(days=1), "24h"])
def test_a_duration_reaches_back_from_the_last_event(three_days, length):
    split = split_by_time(three_days, length)
    assert rows_of(split.test) == [("anna", "honey")]
    assert split.name == "from 2026-01-03 00:00"


@pytest.mark.parametrize("moment", ["2026-01-02", pd.Timestamp("2026-01-02"), 1767312000000])
def test_a_moment_is_the_first_of_the_test_part(three_days, moment):
    assert rows_of(split_by_time(three_days, moment).train) == [("anna", "tea")]


def test_a_share_is_of_the_events(shop):
    split = split_by_time(shop, 0.25)
    assert len(split.test.log) == pytest.approx(len(shop.log) / 4, abs=2)


def test_a_share_never_separates_events_of_one_time():
    times = ["2026-01-01"] + ["2026-01-02"] * 3
    shop = shop_of([("anna", i, t, "view") for i, t in enumerate(times)])
    assert len(split_by_time(shop, 0.25).test.log) == 3


def test_a_purchase_sent_back_after_the_cut_still_counts_in_training():
    shop = shop_of(SENT_BACK)
    assert ("anna", "tea") not in rows_of(shop)
    split = split_by_time(shop, "2026-01-05")
    assert rows_of(split.train) == [("anna", "tea"), ("anna", "salt")]
    assert rows_of(split.test) == [("anna", "honey")]


def test_a_purchase_sent_back_after_the_held_out_event_still_counts_in_training():
    split = split_last(shop_of(SENT_BACK))
    assert rows_of(split.train) == [("anna", "tea"), ("anna", "salt")]
    assert rows_of(split.test) == [("anna", "honey")]


def test_the_decay_of_training_ends_with_training():
    times = pd.to_datetime(["2025-01-01", "2025-01-01", "2026-01-01"])
    frame = pd.DataFrame({"user_id": 1, "item_id": [1, 2, 3], "timestamp": times})
    split = split_by_time(Dataset.from_frames(frame, half_life="1d"), "10d")
    assert split.train.matrix().toarray().tolist() == [[1, 1, 0]]


def test_the_last_events_of_each_user_are_held_out_in_time_not_in_file_order():
    shop = shop_of(
        [
            ("anna", "tea", "2026-01-03", "view"),
            ("anna", "salt", "2026-01-01", "view"),
            ("ben", "salt", "2026-01-05", "view"),
            ("ben", "tea", "2026-01-04", "view"),
            ("cleo", "tea", "2026-01-09", "view"),
        ]
    )
    split = split_last(shop)
    assert rows_of(split.test) == [("anna", "tea"), ("ben", "salt")]
    assert ("cleo", "tea") in rows_of(split.train)


def test_without_time_the_last_events_are_the_last_rows():
    shop = shop_of([("anna", i) for i in range(4)] + [("ben", 9)], ("user_id", "item_id"))
    assert rows_of(split_last(shop, n=2).test) == [("anna", 2), ("anna", 3)]
    assert rows_of(split_last(shop, n=2).train) == [("anna", 0), ("anna", 1), ("ben", 9)]


def test_users_with_too_few_events_stay_in_training():
    shop = shop_of(
        [("anna", i) for i in range(3)] + [("ben", i) for i in range(2)], ("user_id", "item_id")
    )
    assert {user for user, _ in rows_of(split_last(shop, n=2).test)} == {"anna"}


@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.integers(0, 4), st.integers(0, 9)), min_size=1, max_size=30
    ),
    st.integers(1, 3),
)
def test_the_last_split_holds_out_n_rows_of_whoever_has_more(log, n):
    frame = pd.DataFrame(log, columns=["user_id", "item_id", "timestamp"])
    frame["timestamp"] = pd.to_datetime(frame["timestamp"], unit="D", origin="2026-01-01")
    shop = Dataset.from_frames(frame)
    expected = frame.sort_values("timestamp", kind="stable").groupby("user_id").tail(n)
    sizes = frame.groupby("user_id")["user_id"].transform("size")
    expected = expected[sizes[expected.index] > n].sort_index()
    if expected.empty:
        with pytest.raises(DataError, match="choose a smaller n"):
            split_last(shop, n)
    else:
        held_out = rows_of(split_last(shop, n).test)
        assert held_out == list(zip(expected["user_id"], expected["item_id"], strict=True))


def test_folds_hold_out_every_event_once(shop):
    folds = k_fold(shop, 4)
    assert sum(len(fold.test.log) for fold in folds) == len(shop.log)
    assert all(len(f.train.log) + len(f.test.log) == len(shop.log) for f in folds)
    assert [fold.name for fold in folds][:2] == ["fold 1 of 4", "fold 2 of 4"]


def test_folds_keep_pairs_whole_and_are_of_equal_size(shop):
    sizes = []
    for fold in k_fold(shop, 3):
        train, test = (
            {*zip(p.log.users, p.log.items, strict=True)} for p in (fold.train, fold.test)
        )
        assert not train & test
        sizes.append(len(test))
    assert max(sizes) - min(sizes) <= 1


def test_folds_depend_on_the_seed_alone(shop):
    first, again, other = (k_fold(shop, 3, random_state=s)[0].test.log for s in (1, 1, 2))
    np.testing.assert_array_equal(first.items, again.items)
    assert not np.array_equal(first.items, other.items)


def test_a_leak_planted_in_a_time_split_is_found(shop):
    cut = int(np.median(shop.log.timestamp))
    late = shop.log.timestamp >= cut
    prove_by_time(Split(shop.take(~late), shop.take(late)), cut)
    leaked = ~late
    leaked[np.argmax(late)] = True
    with pytest.raises(AssertionError, match="at or after the cut"):
        prove_by_time(Split(shop.take(leaked), shop.take(late)), cut)


def test_a_leak_planted_in_a_last_split_is_found():
    shop = shop_of([("anna", i, f"2026-01-0{i}", "view") for i in (1, 2, 3)])
    prove_by_user(Split(shop.take([0, 1]), shop.take([2])))
    with pytest.raises(AssertionError, match="'anna' has a training event after"):
        prove_by_user(Split(shop.take([0, 2]), shop.take([1])))


def test_a_leak_planted_in_a_fold_is_found(shop):
    fold = k_fold(shop, 3)[0]
    with pytest.raises(AssertionError, match="pair is in training and held out"):
        prove_by_pair(Split(shop, fold.test))


@pytest.mark.parametrize(
    ("test", "error", "words"),
    [
        ("2020-01-01", DataError, "nothing to learn from (split_by_time: the events run from 2026"),
        ("2030-01-01", DataError, "leaves nothing to find"),
        ("400d", DataError, "leaves nothing to learn from"),
        (1.5, ParameterError, "a share must lie between 0 and 1, got 1.5"),
        ("28 dogs", ParameterError, "a duration such as '28d', a share such as 0.2 or a moment"),
        (None, ParameterError, "a duration such as '28d'"),
    ],
)  # fmt: skip
def test_a_cut_that_cannot_be_is_refused(three_days, test, error, words):
    with pytest.raises(error) as caught:
        split_by_time(three_days, test)
    assert words in str(caught.value)


def test_a_split_by_time_refuses_events_without_time_by_name():
    shop = shop_of([("anna", 1), ("ben", 2)], ("user_id", "item_id"))
    with pytest.raises(DataError, match="split_by_time needs a 'timestamp' column"):
        split_by_time(shop)


def test_more_folds_than_pairs_are_refused(three_days):
    with pytest.raises(DataError, match=r"4 folds need at least 4 .* got 3; choose a smaller k"):
        k_fold(three_days, 4)
    with pytest.raises(ParameterError, match="k_fold: k must be an integer of at least 2, got 1"):
        k_fold(three_days, 1)


@pytest.mark.parametrize("split", [split_by_time, split_last, k_fold])
def test_only_a_dataset_with_interactions_is_split(split, three_days):
    with pytest.raises(DataError, match="needs a Dataset, got DataFrame; make one with"):
        split(pd.DataFrame())
    with pytest.raises(DataError, match="needs at least one interaction to split"):
        split(three_days.take([]))


def test_nobody_with_enough_events_is_an_error(three_days):
    with pytest.raises(DataError, match="no user has more than 2 events, choose a smaller n"):
        split_last(three_days, n=2)


@pytest.mark.parametrize("test", [28, 1_700_000_000, np.int64(7)])
def test_a_number_of_days_is_no_moment(test):
    with pytest.raises(ParameterError, match=r"in milliseconds from 1980 on, got .*write '28d'"):
        split_by_time(Dataset.from_frames(LOG_OF_DAYS), test)


def test_a_split_is_made_of_datasets():
    with pytest.raises(DataError, match="Split needs a Dataset, got str; make one with Dataset"):
        Split("train", "test")


LOG_OF_DAYS = pd.DataFrame(
    {"user_id": 1, "item_id": range(5), "timestamp": pd.date_range("2026-01-01", periods=5)}
)
