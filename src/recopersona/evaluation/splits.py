"""Cut a dataset into what a model may learn from and what it is asked to find."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from recopersona.base.parameters import check, generator, seed, whole
from recopersona.data.dataset import Dataset
from recopersona.data.event import RETURN
from recopersona.data.times import duration_ms, from_ms, moment_ms
from recopersona.data.types import Array, Mask
from recopersona.errors import DataError, ParameterError


@dataclass(frozen=True, eq=False)
class Split:
    """One part to learn from and one to be tested on.

    Parameters
    ----------
    train, test : Dataset
        Usually cut from one dataset, sharing its ids; parts that were published apart are matched
        by their ids.
    name : str

    Raises
    ------
    DataError
        If a part is no `Dataset`.

    Examples
    --------
    >>> import pandas as pd
    >>> events = pd.DataFrame({"user_id": [1, 2, 2], "item_id": ["tea", "tea", "salt"]})
    >>> Split(Dataset.from_frames(events[:2]), Dataset.from_frames(events[2:]), "by hand").name
    'by hand'
    """

    train: Dataset
    test: Dataset
    name: str = "split"

    def __post_init__(self) -> None:
        for part in (self.train, self.test):
            _check_type(part, "Split")


def split_by_time(dataset: Dataset, test: str | float | timedelta | datetime = "28d") -> Split:
    """Train on what came before a moment, test on what came from then on, for all users alike.

    Parameters
    ----------
    dataset : Dataset
        With timestamps.
    test : duration, number between 0 and 1, or moment
        The length of the test part up to and including the last event, such as ``"28d"``; its
        share of the events, such as ``0.2``; or the moment it starts, such as ``"2011-11-11"``
        (an integer is milliseconds UTC, from 1980 on). Events of one time are never separated, so a
        share may come out larger.

    Returns
    -------
    Split
        A purchase before the cut that was returned after it counts in training: at the cut nobody
        knew.

    Raises
    ------
    DataError
        If the events have no timestamps, or nothing lies on one side of the cut.
    ParameterError
        If ``test`` is none of the three.

    Examples
    --------
    >>> import pandas as pd
    >>> days = pd.date_range("2026-01-01", periods=10, freq="D")
    >>> events = pd.DataFrame({"user_id": 1, "item_id": range(10), "timestamp": days})
    >>> shop = Dataset.from_frames(events)
    >>> split = split_by_time(shop, "2d")
    >>> len(split.train.interactions), len(split.test.interactions), split.name
    (8, 2, 'from 2026-01-09 00:00')
    >>> len(split_by_time(shop, 0.3).test.interactions)
    3
    >>> len(split_by_time(shop, "2026-01-06").test.interactions)
    5
    """
    _check_dataset(dataset, "split_by_time")
    times = dataset.log.timestamp
    if times is None:
        raise DataError(
            "split_by_time needs a 'timestamp' column in the events; add one, "
            "or use split_last (file order) or k_fold."
        )
    cut = _first_at_or_after(_cut_moment(times, test), times)
    span = f"the events run from {_written(times.min())} to {_written(times.max())}"
    fix = f"split_by_time: {span}, choose another test"
    split = _cut_rows(dataset, times >= cut, f"from {_written(cut)}", fix)
    prove_by_time(split, cut)
    return split


def split_last(dataset: Dataset, n: int = 1) -> Split:
    """Train on all but each user's last ``n`` events, test on those.

    Parameters
    ----------
    dataset : Dataset
    n : int, at least 1
        Events held out per user. Returns and events of weight 0 are not counted; those that come
        after the first held-out event are held out with it.

    Returns
    -------
    Split
        Users with ``n`` such events or fewer stay in training only. Of equal times, the later row
        is the later event; without timestamps, so it is for all rows.

    Raises
    ------
    DataError
        If no user has enough events.

    Notes
    -----
    One user's training events may come after another user's held-out ones: the split shows what
    is going to be popular. Where there is time, `split_by_time` is the stricter judge.

    Examples
    --------
    >>> import pandas as pd
    >>> events = pd.DataFrame({"user_id": [1, 1, 1, 2], "item_id": ["tea", "salt", "honey", "tea"]})
    >>> test = split_last(Dataset.from_frames(events)).test
    >>> test.items.ids[test.interactions.items].tolist()
    ['honey']
    """
    _check_dataset(dataset, "split_last")
    check(n, whole(at_least=1), "split_last", "n")
    held_out = _last_rows(dataset, n)
    fix = f"split_last: no user has more than {n} events, choose a smaller n"
    split = _cut_rows(dataset, held_out, f"last {n} per user", fix)
    prove_by_user(split)
    return split


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
    _check_dataset(dataset, "k_fold")
    check(k, whole(at_least=2), "k_fold", "k")
    check(random_state, seed(), "k_fold", "random_state")
    pairs, pair = np.unique(_pairs(dataset), return_inverse=True)
    if len(pairs) < k:
        raise DataError(
            f"k_fold: {k} folds need at least {k} (user, item) pairs, got {len(pairs)}; "
            "choose a smaller k."
        )
    fold = (generator(random_state).permutation(len(pairs)) % k)[pair]
    fix = "k_fold: a fold has nothing to learn from or to find, choose a smaller k"
    splits = [_cut_rows(dataset, fold == f, f"fold {f + 1} of {k}", fix) for f in range(k)]
    for split in splits:
        prove_by_pair(split)
    return splits


def prove_by_time(split: Split, cut: int) -> None:
    """Raise AssertionError if a training row lies at or after the cut, or a test row before it."""
    train, test = split.train.log.timestamp, split.test.log.timestamp
    if train is None or test is None or train.max() >= cut or test.min() < cut:
        raise AssertionError(f"{split.name}: a training event lies at or after the cut")


def prove_by_user(split: Split) -> None:
    """Raise AssertionError if a user's training row is later than one held out of the same user."""
    train, test = split.train.log, split.test.log
    if train.timestamp is None or test.timestamp is None:
        return
    span = np.iinfo(np.int64)
    last = np.full(len(split.train.users), span.min)
    first = np.full(len(split.train.users), span.max)
    np.maximum.at(last, train.users, train.timestamp)
    np.minimum.at(first, test.users, test.timestamp)
    if (last > first).any():
        user = split.train.users.ids[np.argmax(last > first)]
        raise AssertionError(f"{split.name}: {user!r} has a training event after a held-out one")


def prove_by_pair(split: Split) -> None:
    """Raise AssertionError if a (user, item) pair is in both parts."""
    if np.isin(_pairs(split.train), _pairs(split.test)).any():
        raise AssertionError(f"{split.name}: a (user, item) pair is in training and held out")


def _check_type(dataset: Any, owner: str) -> None:
    if not isinstance(dataset, Dataset):
        raise DataError(
            f"{owner} needs a Dataset, got {type(dataset).__name__}; "
            "make one with Dataset.from_frames(events)."
        )


def _check_dataset(dataset: Any, owner: str) -> None:
    _check_type(dataset, owner)
    if not len(dataset.interactions):
        raise DataError(f"{owner} needs at least one interaction to split, got none.")


def _cut_moment(times: Array, test: Any) -> int:
    """Return the first millisecond of the test part."""
    if isinstance(test, (float, np.floating)):
        if not 0 < test < 1:
            raise ParameterError(f"split_by_time: a share must lie between 0 and 1, got {test!r}.")
        place = len(times) - max(1, round(len(times) * float(test)))
        return int(np.partition(times, place)[place])
    try:
        return int(times.max()) - duration_ms(test, "test") + 1
    except ParameterError:
        return _moment(test)


def _moment(test: Any) -> int:
    try:
        moment = moment_ms(test, "test")
    except DataError:
        raise ParameterError(
            "split_by_time: test must be a duration such as '28d', a share such as 0.2 or a "
            f"moment such as '2026-01-31', got {test!r}."
        ) from None
    if isinstance(test, (int, np.integer)) and moment < _FIRST_INTEGER_MS:
        raise ParameterError(
            "split_by_time: an integer is a moment in milliseconds from 1980 on, "
            f"got {test!r}; write '28d' for days."
        )
    return moment


_FIRST_INTEGER_MS = 315_532_800_000


def _first_at_or_after(cut: int, times: Array) -> int:
    """Move a cut to the first event it holds out: the same parts, and a telling name."""
    held_out = times[times >= cut]
    return int(held_out.min()) if len(held_out) else cut


def _last_rows(dataset: Dataset, n: int) -> Mask:
    log = dataset.log
    order = np.lexsort((log.users,) if log.timestamp is None else (log.timestamp, log.users))
    users = log.users[order]
    counts = ((log.event != RETURN) & (log.weight > 0))[order]
    total = np.bincount(users, counts, minlength=len(dataset.users)).astype(np.int64)
    later = np.cumsum(total)[users] - np.cumsum(counts)
    held_out = np.zeros(len(log), dtype=np.bool_)
    held_out[order] = (later < n) & (total[users] > n)
    return held_out


def _cut_rows(dataset: Dataset, held_out: Mask, name: str, fix: str) -> Split:
    split = Split(dataset.take(~held_out), dataset.take(held_out), name)
    for part, what in ((split.train, "nothing to learn from"), (split.test, "nothing to find")):
        if not len(part.interactions):
            raise DataError(f"the split '{name}' leaves {what} ({fix}).")
    return split


def _pairs(dataset: Dataset) -> Array:
    return dataset.log.users.astype(np.int64) << 32 | dataset.log.items


def _written(moment: int) -> str:
    return f"{from_ms(np.array([moment]))[0]:%Y-%m-%d %H:%M}"
