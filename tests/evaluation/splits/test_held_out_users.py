"""Held-out users: training has nothing of them, and a part of what they did is told."""

import numpy as np
import pandas as pd
import pytest

from recopersona.data.dataset import Dataset
from recopersona.datasets.synthetic import synthetic_shop
from recopersona.errors import DataError, ParameterError
from recopersona.evaluation.evaluate import evaluate
from recopersona.evaluation.relevance import relevant_items
from recopersona.evaluation.splits import (
    Split,
    k_fold_users,
    prove_held_out_users,
    prove_unknown_users,
    split_users,
)
from recopersona.models.als import ALS
from recopersona.models.neighbors import ItemKNN
from recopersona.models.popularity import Popularity

CUTS = [split_users, lambda dataset, **how: k_fold_users(dataset, 4, **how)[0]]


@pytest.fixture(scope="module")
def shop():
    return synthetic_shop(150, 60, random_state=5)


def users_in(part):
    return set(part.log.users.tolist())


@pytest.mark.parametrize("by", ["time", "chance"])
@pytest.mark.parametrize("cut", CUTS)
def test_training_has_nothing_of_the_users_who_are_asked_about(shop, cut, by):
    split = cut(shop, by=by)
    assert users_in(split.test) == users_in(split.given)
    assert not users_in(split.test) & users_in(split.train)
    assert len(split.train.log) + len(split.given.log) + len(split.test.log) == len(shop.log)


@pytest.mark.parametrize("cut", CUTS)
def test_where_there_is_time_what_is_told_comes_before_what_is_to_be_found(shop, cut):
    split = cut(shop)
    for user in users_in(split.test):
        told = split.given.log.timestamp[split.given.log.users == user]
        wanted = split.test.log.timestamp[split.test.log.users == user]
        assert told.max() <= wanted.min()


def test_without_time_pairs_are_drawn_and_each_is_told_or_found():
    split = split_users(Dataset.from_matrix(np.ones((10, 7))), users=0.3, test=0.5)
    assert np.unique(np.bincount(split.test.log.users)).tolist() == [0, 4]
    assert np.unique(np.bincount(split.given.log.users)).tolist() == [0, 3]
    assert len(users_in(split.test)) == 3


def test_every_user_is_held_out_once(shop):
    folds = k_fold_users(shop, 3)
    asked = [user for fold in folds for user in users_in(fold.test)]
    assert len(asked) == len(set(asked))
    n_users = len(users_in(shop))
    assert len(asked) + folds[0].counts["users_with_too_few_events"] == n_users
    assert [fold.name for fold in folds] == ["users 1 of 3", "users 2 of 3", "users 3 of 3"]


def test_users_of_one_event_are_learned_from_and_counted():
    frame = pd.DataFrame({"user_id": [1, 2, 2, 3, 3, 4], "item_id": list("aabbca")})
    split = split_users(Dataset.from_frames(frame), users=0.9)
    assert users_in(split.train) == {0, 3}
    assert split.counts["users_with_too_few_events"] == 2


@pytest.mark.parametrize("cut", CUTS)
def test_who_is_held_out_depends_on_the_seed_alone(shop, cut):
    first, again, other = (cut(shop, random_state=seed).cut.test for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_leak_planted_among_held_out_users_is_found(shop):
    cut = split_users(shop).cut

    def with_moved(source, target):
        """Give one row of a part to another, as well."""
        parts = {name: getattr(cut, name).copy() for name in ("train", "test", "given")}
        parts[target][np.argmax(parts[source])] = True
        train, test, given = (shop.take(rows) for rows in parts.values())
        return Split(train, test, given=given)

    prove_held_out_users(Split(*(shop.take(r) for r in (cut.train, cut.test)),
                               given=shop.take(cut.given)), "time")  # fmt: skip
    for source in ("test", "given"):
        with pytest.raises(AssertionError, match="training has a row of the held-out user"):
            prove_held_out_users(with_moved(source, "train"), "time")
    with pytest.raises(AssertionError, match="an item is told about and to be found"):
        prove_held_out_users(with_moved("test", "given"), "chance")
    with pytest.raises(AssertionError, match="user is told about who has nothing to find"):
        prove_held_out_users(with_moved("train", "given"), "time")


def test_a_row_told_that_comes_after_what_is_to_be_found_is_found():
    days = pd.date_range("2026-01-01", periods=4)
    frame = pd.DataFrame({"user_id": [1, 2, 2, 2], "item_id": list("abcd"), "timestamp": days})
    shop = Dataset.from_frames(frame)
    prove_held_out_users(Split(shop.take([0]), shop.take([2, 3]), given=shop.take([1])), "time")
    leaking = Split(shop.take([0]), shop.take([2]), given=shop.take([1, 3]))
    with pytest.raises(AssertionError, match="2 has a known event after a held-out one"):
        prove_held_out_users(leaking, "time")


def test_a_leak_planted_among_strangers_is_found(shop):
    with pytest.raises(AssertionError, match="training has a row of the held-out user"):
        prove_unknown_users(Split(shop, shop.take([3])))


# -- asking ----------------------------------------------------------------------------------


def told_shop():
    days = pd.to_datetime(["2026-01-01", "2026-01-04", "2026-01-02", "2026-01-03", "2026-01-05"])
    frame = pd.DataFrame({
        "user_id": ["ben", "anna", "anna", "anna", "anna"],
        "item_id": ["tea", "tea", "salt", "tea", "oil"],
        "event": ["view", "cart", "view", "view", "view"],
        "timestamp": days,
    })  # fmt: skip
    shop = Dataset.from_frames(frame, event_weights={"cart": 4})
    return Split(shop.take([0]), shop.take([4]), given=shop.take([1, 2, 3]))


def test_what_is_told_is_the_sum_of_weights_in_the_order_of_time():
    query = told_shop().told.query("anna")
    assert query.user_id == "anna"
    assert list(query.history.items()) == [("salt", 1.0), ("tea", 5.0)]


def test_users_of_whom_nothing_is_told_are_asked_about_by_their_id():
    split = told_shop()
    assert [split.told.query(user).history for user in ("ben", "nobody")] == [None, None]
    assert Split(split.train, split.test).told is None


def test_what_is_told_is_not_there_to_be_found():
    split = told_shop()
    again = Split(split.train, split.given, given=split.given)
    assert relevant_items(split, "drop").n_relevant.tolist() == [1]
    with pytest.raises(DataError, match="leaves no user anything new to find"):
        relevant_items(again, "drop")
    assert relevant_items(again, "keep").n_relevant.tolist() == [2]
    assert relevant_items(again, ["purchase"]).n_relevant.tolist() == [2]


def test_parts_that_were_published_apart_are_matched_by_their_ids():
    """Nobody's items are taken for another's, though training knows neither user."""
    train, test, given = (
        Dataset.from_frames(pd.DataFrame(rows, columns=["user_id", "item_id"]))
        for rows in (
            [("ben", "tea"), ("ben", "oil")],
            [("anna", "tea"), ("cleo", "oil"), ("cleo", "tea")],
            [("cleo", "tea"), ("cleo", "salt"), ("anna", "oil")],
        )
    )
    split = Split(train, test, given=given)
    task = relevant_items(split, "drop")
    assert task.user_ids == ["anna", "cleo"]
    assert train.items.ids[task.items].tolist() == ["tea", "oil"]
    histories = [split.told.query(user).history for user in task.user_ids]
    assert histories == [{"oil": 1.0}, {"tea": 1.0, "salt": 1.0}]


def test_models_answer_strangers_by_what_is_told(shop):
    split = split_users(shop, users=0.3)
    table = evaluate([Popularity(), ItemKNN(), ALS(factors=8)], split, progress=False)
    assert table.loc["ItemKNN", "ndcg@10"] > 1.2 * table.loc["Popularity", "ndcg@10"]
    assert table.loc["ALS", "ndcg@10"] > 1.2 * table.loc["Popularity", "ndcg@10"]
    untold = Split(split.train, split.test)
    without = evaluate([Popularity(), ItemKNN()], untold, progress=False)
    assert without.loc["ItemKNN", "ndcg@10"] == without.loc["Popularity", "ndcg@10"]


# -- what cannot be --------------------------------------------------------------------------


@pytest.mark.parametrize("cut", [split_users, k_fold_users])
def test_time_that_is_not_there_is_asked_for_by_name(cut):
    with pytest.raises(DataError, match=r"needs a 'timestamp' column .* or use by='chance'"):
        cut(Dataset.from_matrix(np.ones((3, 3))), by="time")


def test_nobody_of_whom_a_part_can_be_told_is_an_error():
    alone = Dataset.from_matrix(np.eye(4))
    with pytest.raises(DataError, match="one of them with two items: one to tell, one to find"):
        split_users(alone)
    with pytest.raises(DataError, match="2 folds need at least 2 users with two events, got 0"):
        k_fold_users(alone, 2)
    with pytest.raises(DataError, match="split_users needs two users"):
        split_users(Dataset.from_matrix(np.ones((1, 4))))


@pytest.mark.parametrize("wrong", [{"users": 0}, {"test": 1}, {"by": "luck"}, {"users": None}])
def test_shares_of_users_that_cannot_be_are_refused(shop, wrong):
    with pytest.raises(ParameterError, match=f"split_users: {next(iter(wrong))} must be"):
        split_users(shop, **wrong)
