"""Each user's last new item, or a random share of what she has."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recopersona.data.dataset import Dataset
from recopersona.datasets.synthetic import synthetic_shop
from recopersona.errors import DataError, ParameterError
from recopersona.evaluation.relevance import relevant_items
from recopersona.evaluation.splits import (
    Split,
    leave_one_out,
    prove_by_pair,
    prove_known_users,
    prove_one_left_out,
    split_at_random,
    split_last,
)


@pytest.fixture(scope="module")
def shop():
    return synthetic_shop(150, 60, random_state=5)


def log_of(text, times=True, **columns):
    """A log from words such as ``anna:tea``, one a day."""
    rows = [word.split(":") for word in text.split()]
    frame = pd.DataFrame(rows, columns=["user_id", "item_id"]).assign(**columns)
    if times:
        frame["timestamp"] = pd.date_range("2026-01-01", periods=len(frame))
    return Dataset.from_frames(frame)


def words_of(part):
    users, items = part.users.ids[part.log.users], part.items.ids[part.log.items]
    return " ".join(f"{user}:{item}" for user, item in zip(users, items, strict=True))


@pytest.mark.parametrize("times", [True, False])
def test_the_item_a_user_came_to_last_is_left_out_with_all_that_follows(times):
    split = leave_one_out(log_of("anna:tea anna:salt ben:oil anna:tea ben:tea ben:jam", times))
    assert words_of(split.train) == "anna:tea ben:oil ben:tea"
    assert words_of(split.test) == "anna:salt anna:tea ben:jam"


def test_each_user_asked_has_one_new_item_to_find(shop):
    split = leave_one_out(shop)
    assert (relevant_items(split, "drop").n_relevant == 1).all()
    assert len(split.train.log) + len(split.test.log) == len(shop.log)


def test_who_has_one_item_stays_in_training_and_is_counted():
    split = leave_one_out(log_of("anna:tea anna:tea ben:oil ben:tea"))
    assert words_of(split.train) == "anna:tea anna:tea ben:oil"
    assert split.counts["users_with_too_few_events"] == 1
    assert split.counts["users_only_in_training"] == 1


def test_impressions_and_returns_bring_nobody_to_an_item():
    events = ["view", "purchase", "view", "impression", "return"]
    frame = pd.DataFrame(
        {"user_id": "anna", "item_id": ["tea", "oil", "salt", "jam", "oil"], "event": events}
    )
    shop = Dataset.from_frames(frame, event_weights={"impression": 0})
    assert words_of(leave_one_out(shop).test) == "anna:salt anna:jam anna:oil"


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 4)), min_size=1, max_size=30))
def test_leaving_one_out_agrees_with_doing_it_by_hand(log):
    frame = pd.DataFrame(log, columns=["user_id", "item_id"])
    expected = []
    for _, rows in frame.groupby("user_id"):
        first = rows.drop_duplicates("item_id")
        if len(first) > 1:
            expected += rows.loc[first.index[-1] :].index.tolist()
    shop = Dataset.from_frames(frame)
    if expected:
        assert np.flatnonzero(leave_one_out(shop).cut.test).tolist() == sorted(expected)
    else:
        with pytest.raises(DataError, match="no user has two items"):
            leave_one_out(shop)


def test_a_random_share_is_of_each_user():
    sizes = np.array([1, 2, 3, 4, 8, 10])
    matrix = np.arange(10)[None, :] < sizes[:, None]
    split = split_at_random(Dataset.from_matrix(matrix), test=0.25)
    assert np.bincount(split.train.log.users).tolist() == [1, 1, 2, 3, 6, 7]
    assert np.bincount(split.test.log.users).tolist() == [0, 1, 1, 1, 2, 3]
    assert split.counts["users_with_too_few_events"] == 1
    assert split.name == "25% at random per user"


def test_a_random_share_of_all_is_of_all(shop):
    split = split_at_random(shop, test=0.3, by="all")
    pairs = {*zip(shop.log.users.tolist(), shop.log.items.tolist(), strict=True)}
    held_out = {*zip(split.test.log.users.tolist(), split.test.log.items.tolist(), strict=True)}
    assert len(held_out) == pytest.approx(0.3 * len(pairs), abs=1)


@pytest.mark.parametrize("by", ["user", "all"])
def test_what_is_drawn_depends_on_the_seed_alone(shop, by):
    cuts = [split_at_random(shop, by=by, random_state=s).cut.test for s in (1, 1, 2)]
    np.testing.assert_array_equal(cuts[0], cuts[1])
    assert not np.array_equal(cuts[0], cuts[2])


def test_all_events_of_a_pair_stay_together_and_what_weighs_nothing_stays_in_training():
    frame = pd.DataFrame(
        {"user_id": 1, "item_id": [*"aabbccdd", "x", "y"], "event": ["view"] * 8 + ["click"] * 2}
    )
    shop = Dataset.from_frames(frame, event_weights={"click": 0})
    for seed in range(5):
        split = split_at_random(shop, test=0.5, random_state=seed)
        assert len(split.test.log) == 4
        assert not {"x", "y"} & {*words_of(split.test).replace("1:", "").split()}


def test_the_future_in_a_random_training_part_is_counted(shop):
    assert split_at_random(shop).counts["training_events_after_the_first_held_out"] > 0


def test_a_leak_planted_in_leaving_one_out_is_found():
    shop = log_of("anna:tea anna:salt anna:oil")
    prove_one_left_out(Split(shop.take([0, 1]), shop.take([2])))
    with pytest.raises(AssertionError, match="'anna' has a training event after"):
        prove_one_left_out(Split(shop.take([0, 2]), shop.take([1])))
    with pytest.raises(AssertionError, match="'anna' has not one new item held out"):
        prove_one_left_out(Split(shop.take([0]), shop.take([1, 2])))
    known = log_of("anna:tea anna:salt anna:tea")
    with pytest.raises(AssertionError, match="'anna' has not one new item held out"):
        prove_one_left_out(Split(known.take([0, 1]), known.take([2])))


def test_a_leak_planted_in_a_random_share_is_found(shop):
    cut = split_at_random(shop).cut
    leaked = cut.train.copy()
    leaked[np.argmax(cut.test)] = True
    with pytest.raises(AssertionError, match="pair is in training and held out"):
        prove_by_pair(Split(shop.take(leaked), shop.take(cut.test)))
    user = shop.log.users[np.argmax(cut.test)]
    gone = cut.train & (shop.log.users != user)
    with pytest.raises(AssertionError, match=r"nothing of .* is in training"):
        prove_known_users(Split(shop.take(gone), shop.take(cut.test)))


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"test": 1.0}, "split_at_random: test must be a number above 0 and below 1, got 1.0"),
        ({"test": "7d"}, "split_at_random: test must be a number above 0 and below 1"),
        ({"by": "item"}, "by must be one of 'user', 'all', got 'item'"),
        ({"random_state": -1}, "random_state must be None, an integer"),
    ],
)
def test_shares_that_cannot_be_are_refused(shop, wrong, words):
    with pytest.raises(ParameterError, match=words):
        split_at_random(shop, **wrong)


@pytest.mark.parametrize("by", ["user", "all"])
def test_one_pair_cannot_be_split(by):
    with pytest.raises(DataError, match="split_at_random"):
        split_at_random(log_of("anna:tea anna:tea"), by=by)


def test_the_counts_say_who_is_where():
    split = split_last(log_of("anna:tea anna:salt ben:tea cleo:oil cleo:jam"))
    assert split.counts == {
        "users_in_test": 2,
        "users_only_in_training": 1,
        "users_only_in_test": 0,
        "items_only_in_training": 2,
        "items_only_in_test": 2,
        "training_events_after_the_first_held_out": 2,
        "users_with_too_few_events": 1,
    }


def test_an_item_sent_back_before_the_log_knows_of_it_is_new_all_the_same():
    events = pd.DataFrame(
        {
            "user_id": 1,
            "item_id": ["salt", "tea", "tea"],
            "event": ["view", "return", "view"],
            "timestamp": pd.date_range("2026-01-01", periods=3),
        }
    )
    split = leave_one_out(Dataset.from_frames(events))
    assert split.test.items.ids[split.test.log.items].tolist() == ["tea"]
