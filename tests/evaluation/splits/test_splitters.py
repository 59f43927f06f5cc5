"""The cuts in scikit-learn's hands: searches and scores go through them."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_score

import recopersona as rp
from recopersona.data.dataset import Dataset
from recopersona.datasets.synthetic import synthetic_shop
from recopersona.errors import DataError, ParameterError

SPLITTERS = [
    (rp.TimeSplitter(n_splits=3, test="7d"), 3),
    (rp.LastSplitter(n=2), 1),
    (rp.LeaveOneOutSplitter(), 1),
    (rp.RandomSplitter(n_splits=2), 2),
    (rp.PairKFold(n_splits=3), 3),
    (rp.UserKFold(n_splits=3), 3),
    (rp.ColdItemSplitter(), 1),
    (rp.ColdUserSplitter(), 1),
]
ids = [type(splitter).__name__ for splitter, _ in SPLITTERS]


@pytest.fixture(scope="module")
def events():
    return synthetic_shop(150, 60, random_state=5).events


@pytest.mark.parametrize(("splitter", "n"), SPLITTERS, ids=ids)
def test_row_numbers_come_in_pairs_that_have_nothing_in_common(splitter, n, events):
    parts = list(splitter.split(events))
    assert len(parts) == splitter.get_n_splits(events) == n
    for train, test in parts:
        assert len(train)
        assert len(test)
        assert not np.intersect1d(train, test).size
        assert max(train.max(), test.max()) < len(events)


@pytest.mark.parametrize(("splitter", "n"), SPLITTERS, ids=ids)
def test_models_are_scored_through_every_cut(splitter, n, events):
    scores = cross_val_score(rp.ItemKNN(k=10), events, cv=splitter, error_score="raise")
    assert len(scores) == n
    assert np.isfinite(scores).all()


@pytest.mark.parametrize(("splitter", "n"), SPLITTERS, ids=ids)
def test_the_same_parts_come_again_and_from_a_copy(splitter, n, events):
    first = [part for pair in splitter.split(events) for part in pair]
    for again in (splitter, clone(splitter)):
        second = [part for pair in again.split(events) for part in pair]
        assert all(map(np.array_equal, first, second))


def test_a_grid_is_searched_by_time(events):
    search = GridSearchCV(
        rp.ALS(iterations=2), {"factors": [2, 8]}, cv=rp.TimeSplitter(n_splits=3, test="7d"),
        error_score="raise",
    )  # fmt: skip
    search.fit(events)
    assert search.n_splits_ == 3
    assert search.best_estimator_.factors in (2, 8)
    times = events["timestamp"].to_numpy()
    for train, test in search.cv.split(events):
        assert times[train].max() < times[test].min()


def test_the_parts_are_those_of_the_function(events):
    dataset = Dataset.from_frames(events)
    for split, (train, test) in zip(
        rp.rolling_splits(dataset, "7d", 3), rp.TimeSplitter().split(events), strict=True
    ):
        np.testing.assert_array_equal(train, np.flatnonzero(split.cut.train))
        np.testing.assert_array_equal(test, np.flatnonzero(split.cut.test))


def test_row_numbers_are_positions_whatever_the_index_says(events):
    odd = events.set_index(np.arange(len(events))[::-1])
    (_, test), (_, expected) = (
        next(rp.TimeSplitter(n_splits=1).split(frame)) for frame in (odd, events)
    )
    np.testing.assert_array_equal(test, expected)


def test_users_are_strangers_in_turn(events):
    asked = []
    for train, test in rp.UserKFold(n_splits=4).split(events):
        users = events["user_id"].to_numpy()
        assert not set(users[train]) & set(users[test])
        asked += np.unique(users[test]).tolist()
    assert sorted(asked) == sorted(events["user_id"].unique())


def test_random_shares_differ_from_each_other(events):
    (_, first), (_, second) = rp.RandomSplitter(n_splits=2).split(events)
    assert not np.array_equal(first, second)


def test_what_cannot_be_is_refused_by_name(events):
    with pytest.raises(ParameterError, match="TimeSplitter: n_splits must be an integer"):
        list(rp.TimeSplitter(n_splits=0).split(events))
    with pytest.raises(DataError, match="UserKFold: 3 folds need at least 3 users, got 1"):
        list(rp.UserKFold(n_splits=3).split(pd.DataFrame({"user_id": [1], "item_id": [1]})))
    with pytest.raises(DataError, match="rolling_splits needs a 'timestamp' column"):
        list(rp.TimeSplitter().split(events.drop(columns="timestamp")))
    assert repr(rp.TimeSplitter(test="3d")) == "TimeSplitter(test='3d')"
