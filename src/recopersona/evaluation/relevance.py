"""What there was to find: the held-out items of each user that a model could not know of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from recopersona.data.dataset import Dataset
from recopersona.data.distinct import among, distinct
from recopersona.data.event import VIEW, seen_bits
from recopersona.data.ids import IdMap
from recopersona.data.interactions import Interactions
from recopersona.data.types import Array, Id, Indices, Mask
from recopersona.errors import DataError
from recopersona.evaluation.splits import Split


@dataclass(frozen=True, eq=False)
class Relevant:
    """Who is asked about, and what each would have liked to be shown.

    user_ids  the n_users ids
    bounds    int64 (n_users + 1,), where each user's items start
    items     int32 (n_relevant,), training's indices, ascending within each user; -1 where
              training's catalogue lacks the item
    weights   float64 (n_relevant,), the summed weight of each pair's held-out events, above 0
    counts    how many users and items were left out or unknown
    """

    user_ids: list[Id]
    bounds: Array
    items: Indices
    weights: Array
    counts: Mapping[str, int]

    @property
    def n_relevant(self) -> Array:
        """How many items each user would have liked, int64 (n_users,), at least 1."""
        return np.diff(self.bounds)


def relevant_items(split: Split, seen: str | Iterable[str]) -> Relevant:
    """Return each user's distinct held-out items of positive weight that can be recommended.

    Items that training saw the user with, or that are told of her, cannot, unless seen items are
    kept; ``seen`` means what it means in `Recommender.recommend`.
    """
    train, test = split.train, split.test
    n_items = len(train.items)
    users_in_train = _translation(test.users, train.users)
    items_in_train = _translation(test.items, train.items)
    held_out, weights = _distinct_pairs(test.interactions)
    users, items = held_out >> 32, items_in_train[held_out & 0xFFFFFFFF]
    bits = seen_bits(seen)
    trained = train.log.take(_rows_of_kinds(train.log, bits))
    known = _keys(trained.users, trained.items, n_items)
    fresh = (items < 0) | ~among(_keys(users_in_train[users], items, n_items), known)
    if split.given is not None and bits >> VIEW & 1:  # as the base does with a query's history
        fresh &= (items < 0) | ~among(_keys(users, items, n_items), _told(split, split.given))
    users, items, weights = users[fresh], items[fresh], weights[fresh]
    order = np.lexsort((items, users))
    asked, sizes = np.unique(users, return_counts=True)
    new_users = ~np.isin(users_in_train[asked], train.log.users)
    found_items = distinct(held_out & 0xFFFFFFFF)
    counts = {
        "users_evaluated": len(asked),
        "users_unknown_to_training": int(new_users.sum()),
        "users_with_nothing_left_to_find": len(distinct(test.log.users)) - len(asked),
        "items_unknown_to_training": int(
            (~np.isin(items_in_train[found_items], train.log.items)).sum()
        ),
    }
    if not len(asked):
        raise DataError(
            f"the split '{split.name}' leaves no user anything new to find; hold out more, or use "
            "seen='keep' where people come back to the same items."
        )
    return Relevant(
        test.users.ids[asked].tolist(),
        np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
        items[order].astype(np.int32),
        weights[order],
        counts,
    )


def _told(split: Split, given: Dataset) -> Array:
    """Number the pairs that are told of users, by the test part's users: training lacks them."""
    users = _translation(given.users, split.test.users)[given.log.users]
    items = _translation(given.items, split.train.items)[given.log.items]
    known = items >= 0
    return _keys(users[known], items[known], len(split.train.items))


def _translation(source: IdMap, target: IdMap) -> Indices:
    """Return the index in one map of every id of another, -1 where it is not there."""
    if source is target:
        return np.arange(len(source), dtype=np.int32)
    return target.indices(source.ids)


def _distinct_pairs(rows: Interactions) -> tuple[Array, Array]:
    """Return the pairs of positive weight, ascending, and the summed weight of each."""
    weighty = rows.weight > 0
    pairs = rows.users.astype(np.int64) << 32 | rows.items
    distinct, pair = np.unique(pairs[weighty], return_inverse=True)
    return distinct, np.bincount(pair, rows.weight[weighty], minlength=len(distinct))


def _keys(users: Array, items: Array, n_items: int) -> Array:
    """Number (user, item) pairs; those of a user who is not known (-1) stay below 0."""
    return users.astype(np.int64) * n_items + items


def _rows_of_kinds(log: Interactions, bits: int) -> Mask:
    """Tell the events whose kind is in a bit mask."""
    return (bits >> log.event.astype(np.int64) & 1).astype(np.bool_)
