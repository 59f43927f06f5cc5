"""Users whom training never meets: a part of what they did is told, the rest is to be found."""

from __future__ import annotations

from typing import Any

import numpy as np

from recopersona.base.parameters import check, generator, one_of, optional, seed
from recopersona.data.dataset import Dataset
from recopersona.data.distinct import among, distinct, in_both
from recopersona.data.types import Array, Mask
from recopersona.errors import DataError
from recopersona.evaluation.splits.per_user import (
    last_share,
    n_held_out,
    prove_earlier,
    random_rows,
)
from recopersona.evaluation.splits.split import SHARE, Cut, Split, check_dataset, pairs_of, times_of

BY = optional(one_of("time", "chance"))


def split_users(
    dataset: Dataset,
    users: float = 0.2,
    test: float = 0.5,
    by: str | None = None,
    random_state: Any = 0,
) -> Split:
    """Hold out users altogether: ask about strangers whose past the query brings.

    Parameters
    ----------
    dataset : Dataset
    users : float, above 0 and below 1
        Share of the users who are held out, drawn at random from those with enough events.
    test : float, above 0 and below 1
        Share of each held-out user's events that is to be found; the others are told when she is
        asked about, as `Query.history`, and training has none of them.
    by : "time" or "chance", optional
        Whether her latest events are to be found, or (user, item) pairs drawn at random; by time
        where there is time.
    random_state : int, RandomState or None
        Which users, and which pairs.

    Returns
    -------
    Split
        With ``given``. Users of whom there is not one event to tell and one to find are learned
        from; ``counts`` says how many.

    Raises
    ------
    DataError
        If nobody can be held out, or everybody is.

    Notes
    -----
    What others did later than a held-out event is in training: who is asked about is new, not the
    time. ``counts`` says how many events that are; `cold_users` and `split_by_time` cut time.

    Examples
    --------
    >>> split = split_users(Dataset.from_matrix(np.ones((10, 6))), users=0.3)
    >>> len(split.train.log), len(split.given.log), len(split.test.log)
    (42, 9, 9)
    """
    check_dataset(dataset, "split_users")
    check(users, SHARE, "split_users", "users")
    check(test, SHARE, "split_users", "test")
    check(by, BY, "split_users", "by")
    check(random_state, seed(), "split_users", "random_state")
    draw, by = generator(random_state), chosen_by(dataset, by, "split_users")
    found = ask_of(dataset, test, by, draw)
    able = who_can_be_asked(dataset, found)
    n_users = len(distinct(dataset.log.users))
    if not len(able) or n_users < 2:
        raise DataError(
            "split_users needs two users, and one of them with two items: one to tell, one to find."
        )
    n = min(max(1, round(users * n_users)), len(able), n_users - 1)
    held_out = np.isin(dataset.log.users, draw.permutation(able)[:n])
    cut = Cut(
        ~held_out, held_out & found, f"{users:.0%} of the users", held_out & ~found,
        {"users_with_too_few_events": n_users - len(able)},
    )  # fmt: skip
    split = cut.split(dataset, "split_users: choose another share of users")
    prove_held_out_users(split, by)
    return split


def prove_held_out_users(split: Split, by: str) -> None:
    """Raise AssertionError if training has a held-out user, or what is told is to be found.

    By time, what is told of a user lies before what is to be found of her; by chance, it is about
    other items.
    """
    prove_unknown_users(split)
    if split.given is None:
        return
    if not np.isin(split.given.log.users, split.test.log.users).all():
        raise AssertionError(f"{split.name}: a user is told about who has nothing to find")
    if by == "time":
        prove_earlier(split, split.given)
    elif among(pairs_of(split.given), pairs_of(split.test)).any():
        raise AssertionError(f"{split.name}: an item is told about and to be found")


def prove_unknown_users(split: Split) -> None:
    """Raise AssertionError if training has a row of a user of the test part."""
    known = in_both(split.test.log.users, split.train.log.users)
    if len(known):
        user = split.test.users.ids[known[:1]].tolist()[0]
        raise AssertionError(f"{split.name}: training has a row of the held-out user {user!r}")


def chosen_by(dataset: Dataset, by: str | None, owner: str) -> str:
    """Return what decides: time where there is time, unless something else is asked for."""
    if by == "time":
        times_of(dataset, owner, "by='chance'")
    if by is not None:
        return by
    return "chance" if dataset.log.timestamp is None else "time"


def ask_of(dataset: Dataset, test: float, by: str, draw: np.random.Generator) -> Mask:
    """Mark what is to be found of each user if she is held out."""
    if by == "time":
        return last_share(dataset, test)
    return random_rows(dataset, n_held_out(dataset, test), draw)


def who_can_be_asked(dataset: Dataset, found: Mask) -> Array:
    """Return the users of whom something can be told and something is to be found."""
    users = dataset.log.users
    return in_both(users[found], users[~found])
