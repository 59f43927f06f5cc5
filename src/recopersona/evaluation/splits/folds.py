"""Each part held out in turn: of the (user, item) pairs, or of the users."""

from __future__ import annotations

from typing import Any

import numpy as np

from recopersona.base.parameters import check, generator, seed, whole
from recopersona.data.dataset import Dataset
from recopersona.data.distinct import distinct
from recopersona.data.types import Array
from recopersona.errors import DataError
from recopersona.evaluation.splits.held_out_users import (
    BY,
    ask_of,
    chosen_by,
    prove_held_out_users,
    prove_unknown_users,
    who_can_be_asked,
)
from recopersona.evaluation.splits.per_user import prove_by_pair
from recopersona.evaluation.splits.split import SHARE, Cut, Split, check_dataset, pairs_of


def k_fold(dataset: Dataset, k: int = 5, random_state: Any = 0) -> list[Split]:
    """Hold out each of ``k`` equal parts of the (user, item) pairs in turn.

    Parameters
    ----------
    dataset : Dataset
    k : int, at least 2
        All events of a pair are in the same part.
    random_state : int, RandomState or None
        Which pairs go together.

    Returns
    -------
    list of Split

    Raises
    ------
    DataError
        If there are fewer pairs than folds, or a part has nothing to learn from or to find.

    Notes
    -----
    Training contains events later than the held-out ones. Where there is time, `split_by_time`
    is the stricter judge.

    Examples
    --------
    >>> folds = k_fold(Dataset.from_matrix(np.ones((4, 5))), k=5)
    >>> [len(fold.test.interactions) for fold in folds], folds[0].name
    ([4, 4, 4, 4, 4], 'fold 1 of 5')
    """
    check_dataset(dataset, "k_fold")
    check(k, whole(at_least=2), "k_fold", "k")
    check(random_state, seed(), "k_fold", "random_state")
    pairs, pair = np.unique(pairs_of(dataset), return_inverse=True)
    if len(pairs) < k:
        raise DataError(
            f"k_fold: {k} folds need at least {k} (user, item) pairs, got {len(pairs)}; "
            "choose a smaller k."
        )
    fold = (generator(random_state).permutation(len(pairs)) % k)[pair]
    fix = "k_fold: a fold has nothing to learn from or to find, choose a smaller k"
    splits = [
        Cut(fold != f, fold == f, f"fold {f + 1} of {k}").split(dataset, fix) for f in range(k)
    ]
    for split in splits:
        prove_by_pair(split)
    return splits


def k_fold_users(
    dataset: Dataset,
    k: int = 5,
    test: float = 0.5,
    by: str | None = None,
    random_state: Any = 0,
) -> list[Split]:
    """Hold out each of ``k`` equal groups of users in turn; see `split_users`.

    Parameters
    ----------
    dataset : Dataset
    k : int, at least 2
    test : float, above 0 and below 1
        Share of each held-out user's events that is to be found.
    by : "time" or "chance", optional
        Which of her events those are; by time where there is time.
    random_state : int, RandomState or None
        Which users go together, and which events are found by chance.

    Returns
    -------
    list of Split
        Users of whom less is known than one event to tell and one to find are in all trainings.

    Raises
    ------
    DataError
        If there are fewer such users than folds, or nobody is left to learn from.

    Examples
    --------
    >>> folds = k_fold_users(Dataset.from_matrix(np.ones((6, 4))), k=3)
    >>> [(len(fold.train.log), len(fold.given.log), len(fold.test.log)) for fold in folds]
    [(16, 4, 4), (16, 4, 4), (16, 4, 4)]
    """
    check_dataset(dataset, "k_fold_users")
    check(k, whole(at_least=2), "k_fold_users", "k")
    check(test, SHARE, "k_fold_users", "test")
    check(by, BY, "k_fold_users", "by")
    check(random_state, seed(), "k_fold_users", "random_state")
    draw, by = generator(random_state), chosen_by(dataset, by, "k_fold_users")
    found = ask_of(dataset, test, by, draw)
    able = who_can_be_asked(dataset, found)
    fold = _group_of_each_event(dataset, able, k, draw, "k_fold_users", " with two events")
    left_out = {"users_with_too_few_events": len(distinct(dataset.log.users)) - len(able)}
    fix = "k_fold_users: a fold has nothing to learn from or to find, choose another k"
    splits = []
    for f in range(k):
        held_out = fold == f
        cut = Cut(~held_out, held_out & found, f"users {f + 1} of {k}", held_out & ~found, left_out)
        splits.append(cut.split(dataset, fix))
        prove_held_out_users(splits[-1], by)
    return splits


def user_groups(dataset: Dataset, k: int, random_state: Any) -> list[Split]:
    """Hold out each of ``k`` equal groups of users in turn, of whom nothing is told."""
    check_dataset(dataset, "UserKFold")
    users = distinct(dataset.log.users)
    draw = generator(random_state)
    fold = _group_of_each_event(dataset, users, k, draw, "UserKFold", "")
    fix = "UserKFold: a fold has nothing to learn from or to find, choose a smaller n_splits"
    splits = []
    for f in range(k):
        cut = Cut(fold != f, fold == f, f"strangers {f + 1} of {k}")
        splits.append(cut.split(dataset, fix))
        prove_unknown_users(splits[-1])
    return splits


def _group_of_each_event(
    dataset: Dataset, users: Array, k: int, draw: np.random.Generator, owner: str, kind: str
) -> Array:
    """Put some users into k groups, and return the group of each event, -1 of the others."""
    if len(users) < k:
        raise DataError(
            f"{owner}: {k} folds need at least {k} users{kind}, got {len(users)}; "
            "choose fewer folds."
        )
    group = np.full(len(dataset.users), -1)
    group[draw.permutation(users)] = np.arange(len(users)) % k
    return group[dataset.log.users]
