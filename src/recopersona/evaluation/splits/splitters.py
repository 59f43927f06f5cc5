"""The cuts as scikit-learn knows them: pairs of row numbers of an events frame."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import numpy as np

from recopersona.base.parameters import (
    check_parameters,
    duration,
    one_of,
    optional,
    param,
    seed,
    whole,
)
from recopersona.base.part import Part
from recopersona.data.dataset import Dataset
from recopersona.data.types import Array
from recopersona.evaluation.splits.by_time import rolling_splits
from recopersona.evaluation.splits.cold import cold_items, cold_users
from recopersona.evaluation.splits.folds import k_fold, user_groups
from recopersona.evaluation.splits.held_out_users import BY
from recopersona.evaluation.splits.per_user import leave_one_out, split_at_random, split_last
from recopersona.evaluation.splits.split import SHARE, Split


class Splitter(Part):
    """What scikit-learn's searches and scores take as ``cv``.

    A subclass writes ``_splits(dataset)``; X is an events frame, y and groups are ignored.
    """

    def split(self, X: Any, y: Any = None, groups: Any = None) -> Iterator[tuple[Array, Array]]:
        """Yield the row numbers to learn from and to be tested on, int64, for each part."""
        check_parameters(self)
        for one in self._splits(Dataset.from_frames(X)):
            if one.cut is not None:
                yield np.flatnonzero(one.cut.train), np.flatnonzero(one.cut.test)

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Return how many parts there are."""
        return int(getattr(self, "n_splits", 1))

    def _splits(self, dataset: Dataset) -> list[Split]:
        raise NotImplementedError(f"{type(self).__name__} must write _splits(self, dataset).")


class TimeSplitter(Splitter):
    """Windows of time one after the other, each learned from what came before: `rolling_splits`.

    Parameters
    ----------
    n_splits : int, at least 1
    test : duration
        Length of each window.
    gap, train : duration, optional
        What is left out just before a window; how far back is learned from.

    Examples
    --------
    >>> from sklearn.model_selection import GridSearchCV
    >>> from recopersona.datasets.synthetic import synthetic_shop
    >>> from recopersona.models.neighbors import ItemKNN
    >>> events = synthetic_shop(200, 50, random_state=7).events
    >>> search = GridSearchCV(ItemKNN(), {"k": [5, 20]}, cv=TimeSplitter(n_splits=2, test="14d"))
    >>> search.fit(events).best_estimator_.recommend("u-0001", n=3).item_ids is not None
    True
    """

    n_splits: int = param(whole(at_least=1), default=3)
    test: str | timedelta = param(duration(), default="7d")
    gap: str | timedelta | None = param(optional(duration()), default=None)
    train: str | timedelta | None = param(optional(duration()), default=None)

    def _splits(self, dataset: Dataset) -> list[Split]:
        return rolling_splits(dataset, self.test, self.n_splits, self.gap, self.train)


class LastSplitter(Splitter):
    """Every user's last ``n`` events, once: `split_last`.

    Parameters
    ----------
    n : int, at least 1

    Examples
    --------
    >>> import pandas as pd
    >>> events = pd.DataFrame({"user_id": [1, 1, 2, 2], "item_id": list("abab")})
    >>> [test.tolist() for _, test in LastSplitter().split(events)]
    [[1, 3]]
    """

    n: int = param(whole(at_least=1), default=1)

    def _splits(self, dataset: Dataset) -> list[Split]:
        return [split_last(dataset, self.n)]


class LeaveOneOutSplitter(Splitter):
    """The item each user came to last, once: `leave_one_out`.

    Examples
    --------
    >>> import pandas as pd
    >>> events = pd.DataFrame({"user_id": [1, 1, 1], "item_id": list("aba")})
    >>> [(train.tolist(), test.tolist()) for train, test in LeaveOneOutSplitter().split(events)]
    [([0], [1, 2])]
    """

    def _splits(self, dataset: Dataset) -> list[Split]:
        return [leave_one_out(dataset)]


class RandomSplitter(Splitter):
    """A random share of each user's (user, item) pairs, ``n_splits`` times: `split_at_random`.

    Parameters
    ----------
    n_splits : int, at least 1
    test : float, above 0 and below 1
    by : "user" or "all"
    random_state : int
        Of the first; each next one has the next number.

    Examples
    --------
    >>> import pandas as pd
    >>> events = pd.DataFrame({"user_id": 1, "item_id": range(8)})
    >>> [len(test) for _, test in RandomSplitter(n_splits=2).split(events)]
    [2, 2]
    """

    n_splits: int = param(whole(at_least=1), default=1)
    test: float = param(SHARE, default=0.25)
    by: str = param(one_of("user", "all"), default="user")
    random_state: int = param(whole(at_least=0), default=0)

    def _splits(self, dataset: Dataset) -> list[Split]:
        numbers = range(self.random_state, self.random_state + self.n_splits)
        return [split_at_random(dataset, self.test, self.by, number) for number in numbers]


class PairKFold(Splitter):
    """Each of equal parts of the (user, item) pairs in turn: `k_fold`.

    Parameters
    ----------
    n_splits : int, at least 2
    random_state : int, RandomState or None

    Examples
    --------
    >>> import pandas as pd
    >>> events = pd.DataFrame({"user_id": [1, 2, 1, 2], "item_id": list("aabb")})
    >>> sorted(row for _, test in PairKFold(n_splits=2).split(events) for row in test.tolist())
    [0, 1, 2, 3]
    """

    n_splits: int = param(whole(at_least=2), default=5)
    random_state: Any = param(seed(), default=0)

    def _splits(self, dataset: Dataset) -> list[Split]:
        return k_fold(dataset, self.n_splits, self.random_state)


class UserKFold(Splitter):
    """Each of equal groups of users in turn, of whom training has nothing.

    scikit-learn hands a model two parts only, so nothing can be told of the users who are held
    out: they are asked about as strangers, and only what is known of them as users can speak.
    `k_fold_users` tells a part of their events.

    Parameters
    ----------
    n_splits : int, at least 2
    random_state : int, RandomState or None

    Examples
    --------
    >>> import pandas as pd
    >>> events = pd.DataFrame({"user_id": [1, 2, 1, 2], "item_id": list("aabb")})
    >>> sorted(test.tolist() for _, test in UserKFold(n_splits=2).split(events))
    [[0, 2], [1, 3]]
    """

    n_splits: int = param(whole(at_least=2), default=5)
    random_state: Any = param(seed(), default=0)

    def _splits(self, dataset: Dataset) -> list[Split]:
        return user_groups(dataset, self.n_splits, self.random_state)


class ColdItemSplitter(Splitter):
    """Items of which training has no event, once: `cold_items`.

    Parameters
    ----------
    share : float, above 0 and below 1
    by : "time" or "chance", optional
    random_state : int, RandomState or None

    Examples
    --------
    >>> import pandas as pd
    >>> days = pd.date_range("2026-01-01", periods=4)
    >>> events = pd.DataFrame({"user_id": 1, "item_id": list("aabb"), "timestamp": days})
    >>> [test.tolist() for _, test in ColdItemSplitter(share=0.5).split(events)]
    [[2, 3]]
    """

    share: float = param(SHARE, default=0.2)
    by: str | None = param(BY, default=None)
    random_state: Any = param(seed(), default=0)

    def _splits(self, dataset: Dataset) -> list[Split]:
        return [cold_items(dataset, self.share, self.by, self.random_state)]


class ColdUserSplitter(Splitter):
    """Users of whom training has no event, once: `cold_users`.

    Parameters
    ----------
    share : float, above 0 and below 1
    by : "time" or "chance", optional
    random_state : int, RandomState or None

    Examples
    --------
    >>> import pandas as pd
    >>> days = pd.date_range("2026-01-01", periods=4)
    >>> events = pd.DataFrame({"user_id": [1, 1, 2, 2], "item_id": list("abab"), "timestamp": days})
    >>> [test.tolist() for _, test in ColdUserSplitter(share=0.5).split(events)]
    [[2, 3]]
    """

    share: float = param(SHARE, default=0.2)
    by: str | None = param(BY, default=None)
    random_state: Any = param(seed(), default=0)

    def _splits(self, dataset: Dataset) -> list[Split]:
        return [cold_users(dataset, self.share, self.by, self.random_state)]
