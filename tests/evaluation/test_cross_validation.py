"""A row per fold, whoever cut the folds."""

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import GroupKFold, KFold

from recopersona.base.recommender import Recommender
from recopersona.datasets.synthetic import synthetic_shop
from recopersona.errors import DataError, ParameterError
from recopersona.evaluation.cross_validation import cross_validate
from recopersona.evaluation.evaluate import evaluate
from recopersona.evaluation.splits import k_fold, k_fold_users, rolling_splits
from recopersona.evaluation.splits.splitters import TimeSplitter, UserKFold
from recopersona.models.neighbors import ItemKNN
from recopersona.models.popularity import Popularity

COSTS = ["fit_s", "ms_per_answer", "peak_mb"]


@pytest.fixture(scope="module")
def shop():
    return synthetic_shop(200, 50, random_state=4)


def test_a_row_is_what_evaluate_says_of_the_fold(shop):
    folds = k_fold(shop, 3)
    table = cross_validate(ItemKNN(), folds, k=[5, 10], metrics=["ndcg", "coverage"])
    assert table.index.tolist() == [fold.name for fold in folds]
    metrics = ["ndcg@5", "ndcg@10", "coverage@5", "coverage@10", "users"]
    assert table.columns.tolist() == [*metrics, *COSTS]
    for fold in folds:
        alone = evaluate(ItemKNN(), fold, k=[5, 10], metrics=["ndcg", "coverage"], n_boot=5)
        assert table.loc[fold.name, metrics].tolist() == pytest.approx(alone[metrics].iloc[0])
        counts = table.attrs["counts"][fold.name]
        assert counts["users_evaluated"] == table.loc[fold.name, "users"]


def test_several_folds_at_once_are_the_same(shop):
    alone, beside = (
        cross_validate(ItemKNN(), k_fold(shop, 3), metrics="ndcg", n_jobs=n) for n in (1, 3)
    )
    exact = {"check_exact": True}
    pd.testing.assert_frame_equal(alone.drop(columns=COSTS), beside.drop(columns=COSTS), **exact)


def test_splitters_of_scikit_learn_cut_frames_and_datasets(shop):
    folds = KFold(3, shuffle=True, random_state=0)
    of_dataset = cross_validate(Popularity(), folds, data=shop, metrics="ndcg")
    of_frame = cross_validate(Popularity(), folds, data=shop.events, metrics="ndcg")
    assert of_dataset.index.tolist() == ["KFold 1", "KFold 2", "KFold 3"]
    assert (of_dataset["ndcg@10"] > 0).all()
    assert (of_frame["users"] == of_dataset["users"]).all()


def test_groups_are_users(shop):
    table = cross_validate(Popularity(), GroupKFold(4), data=shop, metrics="ndcg")
    for counts in table.attrs["counts"].values():
        assert counts["users_unknown_to_training"] == counts["users_evaluated"] > 0


def test_our_own_splitters_cut_as_the_functions_do(shop):
    by_splitter = cross_validate(
        ItemKNN(), TimeSplitter(n_splits=2, test="14d"), data=shop, metrics="ndcg"
    )
    by_function = cross_validate(ItemKNN(), rolling_splits(shop, "14d", 2), metrics="ndcg")
    pd.testing.assert_frame_equal(by_splitter.drop(columns=COSTS), by_function.drop(columns=COSTS))


def test_held_out_users_are_asked_with_what_is_told_of_them(shop):
    told = cross_validate(ItemKNN(), k_fold_users(shop, 3), metrics="ndcg")
    popular = cross_validate(Popularity(), k_fold_users(shop, 3), metrics="ndcg")
    assert (told["ndcg@10"] > popular["ndcg@10"]).all()
    strangers = cross_validate(ItemKNN(), UserKFold(n_splits=3), data=shop, metrics="ndcg")
    assert strangers.index.tolist() == ["strangers 1 of 3", "strangers 2 of 3", "strangers 3 of 3"]


def test_a_fold_that_fails_is_told_where_it_is_recorded(shop):
    folds = k_fold(shop, 2)

    class Picky(Recommender):
        """Fails on the first fold."""

        def _fit(self, dataset):
            if len(dataset.interactions) == len(folds[0].train.interactions):
                raise ValueError("not this one")
            self.size_ = len(dataset.items)

        def score_items(self, query, items=None):
            return np.zeros(self.size_, np.float32)

    if len(folds[0].train.interactions) == len(folds[1].train.interactions):
        folds[1] = k_fold(shop, 3)[0]
    with pytest.raises(ValueError, match="not this one"):
        cross_validate(Picky(), folds, metrics="ndcg")
    table = cross_validate(Picky(), folds, metrics="ndcg", errors="record")
    assert table.attrs["errors"] == {folds[0].name: "ValueError: not this one"}
    assert table["ndcg@10"].isna().tolist() == [True, False]


@pytest.mark.parametrize(
    ("model", "splits", "error", "words"),
    [
        ([Popularity()], KFold(2), ParameterError, "needs one recommender, got [Popularity()]"),
        (Popularity, KFold(2), ParameterError, "write Popularity()"),
        (Popularity(), KFold(2), ParameterError, "KFold has nothing to cut; pass cross_validate"),
        (Popularity(), [], ParameterError, "cross_validate needs a Split or a list of them"),
    ],
)
def test_a_wrong_argument_is_one_sentence(model, splits, error, words):
    with pytest.raises(error) as caught:
        cross_validate(model, splits)
    assert words in str(caught.value)


def test_a_fold_with_nothing_to_learn_from_is_refused(shop):
    class Empty:
        """A splitter that learns from nothing."""

        def split(self, X, y=None, groups=None):
            yield np.empty(0, np.int64), np.arange(len(X))

    with pytest.raises(DataError, match="the split 'Empty 1' leaves nothing to learn from"):
        cross_validate(Popularity(), Empty(), data=shop)
