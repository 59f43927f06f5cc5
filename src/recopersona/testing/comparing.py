"""How answers are asked for and compared: to the bit, or but for rounding."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from recopersona.base.codec import Writer
from recopersona.base.recommender import Recommender
from recopersona.data.dataset import Dataset
from recopersona.data.feature_table import FeatureTable
from recopersona.data.ids import IdMap
from recopersona.data.query import Query
from recopersona.data.ranking import Ranking
from recopersona.data.types import Array
from recopersona.errors import DataError

STRANGER = "nobody we know"
TOLERANCE = 1e-5
"""Scores that are nearer to each other, relative to the largest, may change places."""


def expect(holds: bool, sentence: str) -> None:
    """Raise the sentence if something does not hold."""
    if not holds:
        raise AssertionError(sentence)


def fitted(model: Recommender, data: Any) -> bool:
    """Fit a model; tell whether it could learn from data that may be without times."""
    try:
        model.fit(data)
    except DataError as problem:
        if "timestamp" in str(problem):
            return False
        raise
    return True


def questions(users: Any, items: Any) -> list[Query]:
    """Return questions of every kind: by customers, by strangers, on every kind of page."""
    first, second, third = items[0], items[1], items[2]
    return [
        *(Query(user_id=user) for user in users),
        Query(),
        Query(user_id=STRANGER),
        Query(session=[first, second]),
        Query(user_id=users[0], session=[third]),
        Query(history=[second, third]),
        Query(user_id=users[1], history={first: 2.0, third: 0.5}),
        Query(seed=first),
        Query(user_id=users[2], seed=[second]),
    ]


def answers(model: Recommender, asked: Sequence[Query], n: int = 1_000) -> pd.DataFrame:
    """Return a model's answers to many questions, with seen items and all."""
    return model.recommend_many(asked, n, seen="keep")


def expect_equal(first: pd.DataFrame, second: pd.DataFrame, sentence: str) -> None:
    """Check that two frames of answers are the same, to the bit."""
    expect(first.equals(second), f"{sentence}{_first_difference(first, second)}")


def expect_close(first: Sequence[Ranking], second: Sequence[Ranking], sentence: str) -> None:
    """Check that rankings agree, but for items whose scores are as good as tied."""
    for one, other in zip(first, second, strict=True):
        expect(
            len(one) == len(other), f"{sentence}; the lists have {len(one)} and {len(other)} items."
        )
        near = TOLERANCE * max(1e-30, float(np.abs(one.scores).max(initial=0)))
        apart = np.abs(one.scores - other.scores) > near
        if apart.any():
            place = int(np.argmax(apart))
            pair = f"{one.scores[place]!r} and {other.scores[place]!r}"
            expect(False, f"{sentence}; the scores of rank {place + 1} are {pair}.")
        gaps = np.abs(np.diff(one.scores)) <= near
        tied = np.append(gaps, False) | np.append(False, gaps)
        moved = (one.items != other.items) & ~tied
        if moved.any():
            place = int(np.argmax(moved))
            pair = f"{one.item_ids[place]!r} and {other.item_ids[place]!r}"
            expect(False, f"{sentence}; the items of rank {place + 1} are {pair}.")


def contents(dataset: Dataset) -> dict[str, Array]:
    """Return copies of everything a dataset holds."""
    log = dataset.log
    columns = {name: column for name, column in vars(log).items() if column is not None}
    tables = {"user": dataset.user_features, "item": dataset.item_features}
    return {
        **{name: column.copy() for name, column in columns.items()},
        **{f"past {name}": column.copy() for name, column in dataset.history().arrays().items()},
        **{f"{name} attribute {column}": values
           for name, table in tables.items() for column, values in _attributes(table).items()},
        "user ids": _copied(dataset.users),
        "item ids": _copied(dataset.items),
        "event weights": dataset.event_weights.copy(),
    }  # fmt: skip


def expect_same_contents(before: dict[str, Array], after: dict[str, Array], sentence: str) -> None:
    """Check that nothing which a dataset holds has changed."""
    expect(before.keys() == after.keys(), f"{sentence}: columns came or went.")
    for name, column in before.items():
        same = len(column) == len(after[name]) and pd.Series(column).equals(pd.Series(after[name]))
        expect(same, f"{sentence}: its {name} changed.")


def _attributes(table: FeatureTable) -> dict[str, Array]:
    return {name: table[name].astype(object).to_numpy().copy() for name in table.names}


def _copied(ids: IdMap) -> Array:
    return ids.ids.copy()


def _first_difference(first: pd.DataFrame, second: pd.DataFrame) -> str:
    if len(first) != len(second):
        return f"; the answers have {len(first)} and {len(second)} rows."
    for name in first.columns:
        both_missing = first[name].isna() & second[name].isna()
        differs = ((first[name] != second[name]) & ~both_missing).to_numpy()
        if differs.any():
            row = int(np.argmax(differs))
            who = first["user_id"].iloc[row]
            pair = f"{first[name].iloc[row]!r} and {second[name].iloc[row]!r}"
            return f"; for {who!r} the {name} of rank {first['rank'].iloc[row]} is {pair}."
    return "; the columns differ in kind."


def contents_of(model: Recommender) -> tuple[str, list[bytes]]:
    """Return everything a model would save: as JSON, and the bytes of every array."""
    writer = Writer()
    tree = writer.encode(model, type(model).__name__)
    return json.dumps(tree), [array.tobytes() for array in writer.arrays]
