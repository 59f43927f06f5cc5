"""What parameters are judged by, and that it is all of the data in the end."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

import recopersona as rp
from recopersona.errors import ParameterError
from recopersona.tuning.folds import Fold, Measure, fingerprint, joined, validation_splits


@pytest.fixture(scope="module")
def shop():
    return rp.synthetic_shop(150, 60, random_state=3)


def timeless():
    return rp.Dataset.from_matrix(np.ones((10, 20)))


def test_the_last_fifth_is_held_out_where_there_is_time(shop):
    everything, (split,) = validation_splits(shop, None, 1)
    assert everything is shop
    assert len(split.test.log) == pytest.approx(0.2 * len(shop.log), rel=0.01)
    assert split.train.log.timestamp.max() < split.test.log.timestamp.min()


def test_each_fold_is_foreseen_from_what_came_before(shop):
    splits = validation_splits(shop, "7d", 3)[1]
    for earlier, later in pairwise(splits):
        assert len(earlier.train.log) + len(earlier.test.log) == len(later.train.log)
        assert earlier.test.log.timestamp.max() < later.test.log.timestamp.min()


def test_a_part_of_every_user_is_held_out_where_there_is_no_time():
    for split in validation_splits(timeless(), None, 2)[1]:
        assert np.bincount(split.test.log.users).tolist() == [4] * 10


def test_folds_without_time_are_different_ones():
    one, other = validation_splits(timeless(), None, 2)[1]
    assert fingerprint([one]) != fingerprint([other])


def test_what_is_told_of_held_out_users_is_part_of_the_data():
    one = rp.split_users(timeless(), random_state=0)
    other = replace(one, given=one.given.take(np.arange(len(one.given.log)) > 0))
    assert fingerprint([one]) != fingerprint([other])


def test_a_function_may_cut(shop):
    made = validation_splits(shop, lambda data: rp.k_fold(data, 4), 1)[1]
    assert [split.name for split in made] == [f"fold {n} of 4" for n in (1, 2, 3, 4)]


@pytest.mark.parametrize("asked", [{"split": 0.2, "folds": 1}, {"split": None, "folds": 2}])
def test_a_split_says_itself_what_is_held_out(shop, asked):
    with pytest.raises(ParameterError, match="a Split says itself"):
        validation_splits(rp.split_by_time(shop, 0.2), **asked)


def test_both_parts_make_the_whole_again(shop):
    split = rp.split_by_time(shop, 0.3)
    whole = joined(split.train, split.test)
    assert (whole.matrix() != shop.matrix()).nnz == 0
    assert whole.end == shop.end


def test_parts_published_apart_are_matched_by_their_ids():
    first = pd.DataFrame({"user_id": ["anna", "ben"], "item_id": ["tea", "salt"]})
    second = pd.DataFrame({"user_id": ["cleo", "anna"], "item_id": ["tea", "oil"]})
    shelves = [
        pd.DataFrame({"item_id": ids, "price": 1.0}) for ids in (["tea", "salt"], ["oil", "tea"])
    ]
    parts = [
        rp.Dataset.from_frames(events, items=shelf)
        for events, shelf in zip((first, second), shelves, strict=True)
    ]
    whole = joined(*parts)
    names = zip(whole.users.ids[whole.log.users], whole.items.ids[whole.log.items], strict=True)
    assert list(names) == [("anna", "tea"), ("ben", "salt"), ("cleo", "tea"), ("anna", "oil")]
    assert whole.item_features["price"].tolist() == [1.0, 1.0, 1.0]
    assert len(parts[0].users) == 2
    rp.ItemKNN().fit(whole)


def test_a_fold_measures_as_evaluate_does(shop):
    split = rp.split_by_time(shop, 0.2)
    for seen in ("drop", "keep"):
        fold = Fold(split, Measure.of("recall@5", 10, seen))
        table = rp.evaluate(rp.ItemKNN(), split, metrics="recall", k=5, seen=seen, progress=False)
        fitted = rp.ItemKNN().fit(split.train)
        assert fold.value(fitted) == pytest.approx(table["recall@5"].iloc[0])


def test_held_out_users_are_told_about():
    split = rp.split_users(rp.synthetic_shop(150, 60, random_state=3), random_state=0)
    everything = validation_splits(split, None, 1)[0]
    parts = (split.train, split.given, split.test)
    assert len(everything.log) == sum(len(part.log) for part in parts)
    found = rp.tune(rp.ItemKNN(), split, space={"k": [2, 50]}, progress=False)
    table = rp.evaluate(rp.ItemKNN(k=2), split, metrics="ndcg", progress=False)
    at_two = found.trials.set_index("k")["ndcg@10"][2]
    assert at_two == pytest.approx(table["ndcg@10"].iloc[0])
