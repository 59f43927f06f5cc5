"""What counts as relevant: held-out, weighty, distinct, and not seen in training."""

import pandas as pd
import pytest

from recopersona.data.dataset import Dataset
from recopersona.errors import DataError, ParameterError
from recopersona.evaluation.relevance import relevant_items
from recopersona.evaluation.splits import Split

TRAIN = [
    ("anna", "tea", "view"),
    ("anna", "salt", "impression"),
    ("ben", "tea", "purchase"),
    ("ben", "oil", "purchase"),
]
TEST = [
    ("anna", "tea", "view"),
    ("anna", "salt", "purchase"),
    ("anna", "oil", "purchase"),
    ("anna", "oil", "view"),
    ("anna", "jam", "impression"),
    ("ben", "tea", "view"),
    ("cleo", "mint", "view"),
    ("cleo", "tea", "view"),
]


def parts(apart):
    """The two parts cut from one dataset, or read apart, each with ids of its own."""
    weights = {"impression": 0}
    columns = ["user_id", "item_id", "event"]
    train, test = (pd.DataFrame(rows, columns=columns) for rows in (TRAIN, TEST))
    if apart:
        return (Dataset.from_frames(frame, event_weights=weights) for frame in (train, test))
    whole = Dataset.from_frames(pd.concat([train, test]), event_weights=weights)
    return whole.take(slice(0, len(TRAIN))), whole.take(slice(len(TRAIN), None))


def found(seen, apart=False):
    train, test = parts(apart)
    task = relevant_items(Split(train, test), seen)
    rows = [task.items[a:b] for a, b in zip(task.bounds[:-1], task.bounds[1:], strict=True)]
    names = [["?" if item < 0 else train.items.ids[item] for item in row] for row in rows]
    assert [len(row) for row in rows] == task.n_relevant.tolist()
    assert all(list(row) == sorted(row) for row in rows)
    return dict(zip(task.user_ids, map(sorted, names), strict=True)), task.counts


def test_what_training_saw_a_user_with_is_not_there_to_be_found():
    relevant, _ = found("drop")
    assert relevant == {"anna": ["oil"], "cleo": ["mint", "tea"]}


def test_everything_of_weight_is_there_where_seen_items_are_kept():
    relevant, _ = found("keep")
    assert relevant == {"anna": ["oil", "salt", "tea"], "ben": ["tea"], "cleo": ["mint", "tea"]}


def test_only_the_kinds_named_hide_an_item():
    relevant, _ = found(["impression", "purchase"])
    assert relevant == {"anna": ["oil", "tea"], "cleo": ["mint", "tea"]}


def test_whoever_is_left_out_or_unknown_is_counted():
    _, counts = found("drop")
    assert counts == {
        "users_evaluated": 2,
        "users_unknown_to_training": 1,
        "users_with_nothing_left_to_find": 1,
        "items_unknown_to_training": 1,
    }


def test_parts_that_were_read_apart_are_matched_by_their_ids():
    relevant, counts = found("drop", apart=True)
    assert relevant == {"anna": ["oil"], "cleo": ["?", "tea"]}
    assert counts == found("drop")[1]


def test_an_item_that_training_lacks_is_never_taken_for_one_that_was_seen():
    columns = ["user_id", "item_id"]
    train = pd.DataFrame([("anna", "tea"), ("ben", "tea")], columns=columns)
    test = pd.DataFrame([("ben", "new")], columns=columns)
    task = relevant_items(Split(Dataset.from_frames(train), Dataset.from_frames(test)), "drop")
    assert task.items.tolist() == [-1]


def test_a_test_part_with_nothing_new_is_an_error_that_says_what_to_do():
    train, _ = parts(apart=False)
    with pytest.raises(DataError, match=r"no user anything new to find; .* use seen='keep'"):
        relevant_items(Split(train, train), "drop")


def test_a_wrong_word_for_seen_is_refused():
    with pytest.raises(ParameterError, match="seen must be 'drop', 'keep' or a list"):
        found("dorp")
    with pytest.raises(DataError, match="unknown event 'purchse'; did you mean 'purchase'"):
        found(["purchse"])


def test_seen_is_never_none():
    shop = Dataset.from_frames(pd.DataFrame(TRAIN, columns=["user_id", "item_id", "event"]))
    message = "^seen must be 'drop', 'keep' or a list of event types, got None"
    with pytest.raises(ParameterError, match=message):
        relevant_items(Split(shop, shop), None)
