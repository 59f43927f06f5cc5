"""Lists from anywhere: two frames in, metrics per user out, and everything odd counted."""

import numpy as np
import pandas as pd
import polars as pl
import pytest

from recopersona.errors import ColumnError, DataError, ParameterError
from recopersona.evaluation.lists import score_lists
from tests.naive import metrics as naive

LISTS = pd.DataFrame(
    {"user_id": [1, 1, 1, 2, 2], "item_id": ["b", "a", "c", "a", "z"], "rank": [1, 2, 3, 1, 2]}
)
TRUTH = pd.DataFrame({"user_id": [1, 2, 2], "item_id": ["a", "z", "y"]})


def table_of(lists, truth=TRUTH, **asked):
    return score_lists(lists, truth, **{"metrics": ["mrr", "recall"], "k": 3} | asked)


@pytest.mark.parametrize("given", ["rank", "score", "order", "shuffled", "polars", "categories"])
def test_the_same_list_however_it_is_told(given):
    lists = LISTS
    if given == "score":
        lists = LISTS.assign(score=-LISTS["rank"] * 0.5).drop(columns="rank")
    elif given == "order":
        lists = LISTS.drop(columns="rank")
    elif given == "shuffled":
        lists = LISTS.iloc[[3, 1, 4, 2, 0]]
    elif given == "polars":
        lists = pl.from_pandas(LISTS)
    elif given == "categories":
        lists = LISTS.astype({"item_id": "category"})
    table = table_of(lists)
    assert table.index.tolist() == [1, 2]
    assert table["mrr@3"].tolist() == [0.5, 0.5]
    assert table["recall@3"].tolist() == [1.0, 0.5]


def test_random_rows_agree_with_the_twins():
    rng = np.random.default_rng(0)
    rows = [
        (int(user), int(item), int(key))
        for user, item, key in zip(
            rng.integers(0, 40, 900), rng.integers(0, 60, 900), rng.integers(0, 9, 900), strict=True
        )
    ]
    truth = pd.DataFrame({"user_id": np.repeat(np.arange(40), 5)})
    truth["item_id"] = rng.integers(0, 60, len(truth))
    lists = pd.DataFrame(rows, columns=["user_id", "item_id", "rank"])
    expected, repeats = naive.lists_of_rows(rows, 40, 10)
    table = score_lists(lists, truth, k=10)
    assert table.attrs["counts"]["repeated_items"] == sum(repeats) > 0
    for user, row in enumerate(expected):
        wanted = set(truth.loc[truth["user_id"] == user, "item_id"])
        hits = [item in wanted for item in row]
        assert table.loc[user, "ndcg@10"] == pytest.approx(naive.ndcg(hits, len(wanted)))
        value = naive.average_precision(hits, len(wanted))
        assert table.loc[user, "map@10"] == pytest.approx(value)


def test_equal_scores_go_by_item_id_and_not_by_the_order_of_rows():
    tied = pd.DataFrame({"user_id": 1, "item_id": [10, 9, 2], "score": 0.0})
    truth = pd.DataFrame({"user_id": [1], "item_id": [2]})
    for order in ([0, 1, 2], [2, 1, 0], [1, 2, 0]):
        assert table_of(tied.iloc[order], truth, k=1)["mrr@1"].tolist() == [1.0]


def test_what_is_odd_is_counted():
    lists = pd.concat([LISTS, LISTS.iloc[[0]].assign(rank=9), LISTS.iloc[[0]].assign(user_id=7)])
    truth = pd.concat([TRUTH.assign(weight=1.0), pd.DataFrame(
        {"user_id": [8, 1], "item_id": ["a", "c"], "weight": [1.0, 0.0]}
    )])  # fmt: skip
    table = table_of(lists, truth)
    assert table.loc[8].tolist() == [0.0, 0.0]
    assert table.loc[1, "recall@3"] == 1.0
    assert table.attrs["counts"] == {
        "users": 3,
        "users_without_list": 1,
        "users_without_truth": 1,
        "repeated_items": 1,
        "items_never_listed": 1,
        "truth_rows_without_weight": 1,
    }


def test_weights_of_a_repeated_pair_add_up():
    lists = pd.DataFrame({"user_id": 1, "item_id": ["a", "b"]})
    truth = pd.DataFrame({"user_id": 1, "item_id": ["b", "a", "b"], "weight": [1.0, 1.5, 1.0]})
    expected = naive.ndcg_of_gains([1.5, 2.0], [1.5, 2.0], 2)
    found = table_of(lists, truth, metrics=["ndcg_graded", "recall"], k=2)
    assert found["ndcg_graded@2"].tolist() == pytest.approx([expected])
    assert found["recall@2"].tolist() == [1.0]


def test_no_list_at_all_is_worth_nothing():
    table = table_of(LISTS.iloc[:0])
    assert (table == 0).all(axis=None)
    assert table.attrs["counts"]["users_without_list"] == 2


def test_the_frames_given_stay_as_they_are():
    lists, truth = LISTS.copy(), TRUTH.copy()
    table_of(lists, truth)
    pd.testing.assert_frame_equal(lists, LISTS)
    pd.testing.assert_frame_equal(truth, TRUTH)


@pytest.mark.parametrize(
    ("lists", "truth", "error", "words"),
    [
        (LISTS.drop(columns="item_id"), TRUTH, ColumnError, "lists need a column 'item_id'"),
        (LISTS, TRUTH.rename(columns={"user_id": "user"}), ColumnError, "truth need a column"),
        (LISTS.assign(rank=[1, None, 3, 1, 2]), TRUTH, DataError, "1 rows have no rank, the first"),
        (LISTS.assign(item_id=["a", None, "b", "c", "d"]), TRUTH, DataError, "have no item_id"),
        (LISTS.assign(user_id=[1, None, 1, 2, 2]), TRUTH, DataError, "have no user_id"),
        (LISTS, TRUTH.assign(weight=[1, 1, None]), DataError, "1 rows have no weight"),
        (LISTS, TRUTH.assign(weight=0), DataError, "no row of positive weight"),
        (LISTS, TRUTH.iloc[:0], DataError, "no row of positive weight"),
        (LISTS.astype({"user_id": str}), TRUTH, DataError, "user ids of lists are like '1', of"),
        (None, TRUTH, DataError, "lists must be a dataframe"),
        (LISTS.assign(rank="x"), TRUTH, DataError, "lists: rank must be numbers"),
    ],
)
def test_frames_that_cannot_be_used_are_refused_by_name(lists, truth, error, words):
    with pytest.raises(error) as caught:
        table_of(lists, truth)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"metrics": "novelty"}, "novelty needs the training data"),
        ({"metrics": "coverage"}, "coverage needs the training data"),
        ({"metrics": "ndgc"}, "did you mean 'ndcg'"),
        ({"k": 0}, "k must be an integer of at least 1"),
    ],
)
def test_metrics_that_lists_alone_cannot_tell_are_refused(asked, words):
    with pytest.raises(ParameterError) as caught:
        table_of(LISTS, **asked)
    assert words in str(caught.value)
