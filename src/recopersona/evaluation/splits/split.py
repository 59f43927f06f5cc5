"""Two parts of a dataset, what is told when held-out users ask, and who was left out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from recopersona.base.asking import Told
from recopersona.base.parameters import Bound
from recopersona.data.dataset import Dataset
from recopersona.data.distinct import distinct
from recopersona.data.times import from_ms
from recopersona.data.types import Array, Mask
from recopersona.errors import DataError

SHARE = Bound("a number above 0 and below 1", lambda value: 0 < value < 1)


@dataclass(frozen=True, eq=False)
class Split:
    """One part to learn from and one to be tested on.

    Parameters
    ----------
    train, test : Dataset
        Usually cut from one dataset, sharing its ids; parts that were published apart are matched
        by their ids.
    name : str
    given : Dataset, optional
        What is known of held-out users: not learned from, but told when they are asked about (as
        `Query.history`). Users who have no row in it are asked about by their id alone.
    cut : Cut, optional
        Which rows of the log the parts are, where they were cut from one.

    Raises
    ------
    DataError
        If a part is no `Dataset`.

    Examples
    --------
    >>> import pandas as pd
    >>> events = pd.DataFrame({"user_id": [1, 2, 2], "item_id": ["tea", "tea", "salt"]})
    >>> split = Split(Dataset.from_frames(events[:2]), Dataset.from_frames(events[2:]), "by hand")
    >>> split
    Split('by hand': 2 events to learn from, 1 to find)
    >>> split.counts["users_only_in_training"], split.counts["items_only_in_test"]
    (1, 1)
    """

    train: Dataset
    test: Dataset
    name: str = "split"
    given: Dataset | None = None
    cut: Cut | None = None

    def __post_init__(self) -> None:
        for part in (self.train, self.test, self.given):
            if part is not None:
                check_type(part, "Split")

    def __repr__(self) -> str:
        told = "" if self.given is None else f", {len(self.given.log):,} told when asked"
        return (
            f"{type(self).__name__}({self.name!r}: {len(self.train.log):,} events to learn from, "
            f"{len(self.test.log):,} to find{told})"
        )

    @cached_property
    def counts(self) -> dict[str, int]:
        """Who and what is in which part, and what is in none of them and why."""
        train, test = self.train, self.test
        users, items = (
            _numbers_in(one, other)
            for one, other in ((test.users, train.users), (test.items, train.items))
        )
        learned_users, asked = distinct(train.log.users), distinct(users[test.log.users])
        learned_items, wanted = distinct(train.log.items), distinct(items[test.log.items])
        counts = {
            "users_in_test": len(distinct(test.log.users)),
            "users_only_in_training": int((~np.isin(learned_users, asked)).sum()),
            "users_only_in_test": _n_outside(test.log.users, users, learned_users),
            "items_only_in_training": int((~np.isin(learned_items, wanted)).sum()),
            "items_only_in_test": _n_outside(test.log.items, items, learned_items),
        }
        if train.log.timestamp is not None and test.log.timestamp is not None and len(test.log):
            late = train.log.timestamp >= test.log.timestamp.min()
            counts["training_events_after_the_first_held_out"] = int(late.sum())
        return counts | ({} if self.cut is None else dict(self.cut.left_out))

    @cached_property
    def told(self) -> Told | None:
        """What is told of users when they are asked about, None where nothing is."""
        return None if self.given is None else _told_of(self.given)


@dataclass(frozen=True, eq=False)
class Cut:
    """Which rows of a log are learned from, which are to be found, which are told when asked.

    Parameters
    ----------
    train, test : bool (n_events,)
    name : str
    given : bool (n_events,), optional
    left_out : mapping from why to how many
        Of users or events that are not where one might look for them.
    """

    train: Mask
    test: Mask
    name: str
    given: Mask | None = None
    left_out: Mapping[str, int] = field(default_factory=dict)

    def split(self, dataset: Dataset, fix: str) -> Split:
        """Return the parts; ``fix`` tells what to do where one is empty."""
        given = None if self.given is None else dataset.take(self.given)
        parts = dataset.take(self.train), dataset.take(self.test)
        for part, what in zip(parts, ("nothing to learn from", "nothing to find"), strict=True):
            if not len(part.interactions):
                raise DataError(f"the split '{self.name}' leaves {what} ({fix}).")
        return Split(*parts, self.name, given, self)


def check_type(dataset: Any, owner: str) -> None:
    """Refuse what is no dataset."""
    if not isinstance(dataset, Dataset):
        raise DataError(
            f"{owner} needs a Dataset, got {type(dataset).__name__}; "
            "make one with Dataset.from_frames(events)."
        )


def check_dataset(dataset: Any, owner: str) -> None:
    """Refuse what is no dataset, or one without interactions."""
    check_type(dataset, owner)
    if not len(dataset.interactions):
        raise DataError(f"{owner} needs at least one interaction to split, got none.")


def times_of(dataset: Dataset, owner: str, instead: str) -> Array:
    """Return the times of the events; ``instead`` says what else to use where there are none."""
    times = dataset.log.timestamp
    if times is None:
        raise DataError(
            f"{owner} needs a 'timestamp' column in the events; add one, or use {instead}."
        )
    return times


def pairs_of(dataset: Dataset) -> Array:
    """Number every event's (user, item) pair."""
    return dataset.log.users.astype(np.int64) << 32 | dataset.log.items


def written(moment: int) -> str:
    """Write a moment in milliseconds for people."""
    return f"{from_ms(np.array([moment]))[0]:%Y-%m-%d %H:%M}"


def _told_of(given: Dataset) -> Told:
    """Add up what each user did with each item; what weighs nothing is told, too: it was seen."""
    log = given.log
    weight = np.zeros(len(log), np.float64)
    rows = given.interaction_rows
    weight[rows] = given.interactions.decayed_weight(given.half_life, given.end)
    order = (
        np.arange(len(log)) if log.timestamp is None else np.argsort(log.timestamp, kind="stable")
    )
    pairs, place = np.unique(pairs_of(given), return_inverse=True)
    latest = np.zeros(len(pairs), np.int64)
    np.maximum.at(latest, place[order], np.arange(len(order)))
    users = pairs >> 32
    by_time = np.lexsort((latest, users))
    sizes = np.bincount(users, minlength=len(given.users))
    return Told(
        given.users,
        given.items,
        np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
        (pairs & 0xFFFFFFFF).astype(np.int32)[by_time],
        np.bincount(place, weight)[by_time].astype(np.float32),
    )


def _numbers_in(source: Any, target: Any) -> Array:
    """Return the index in one map of every id of another, -1 where it is not there."""
    if source is target:
        return np.arange(len(source))
    found: Array = target.indices(source.ids)
    return found


def _n_outside(held_out: Array, numbers: Array, learned: Array) -> int:
    """Count the distinct ones of the test part that no training row has."""
    return int((~np.isin(numbers[distinct(held_out)], learned)).sum())
