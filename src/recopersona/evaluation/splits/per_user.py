"""Cuts through each user's events: the last ones held out, the last new item, a random share."""

from __future__ import annotations

from typing import Any

import numpy as np

from recopersona.base.parameters import check, generator, one_of, seed, whole
from recopersona.data.dataset import Dataset
from recopersona.data.distinct import among, distinct
from recopersona.data.event import RETURN
from recopersona.data.types import Array, Mask
from recopersona.errors import DataError
from recopersona.evaluation.splits.split import SHARE, Cut, Split, check_dataset, pairs_of


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
    >>> split = split_last(Dataset.from_frames(events))
    >>> split.test.items.ids[split.test.interactions.items].tolist()
    ['honey']
    >>> split.counts["users_with_too_few_events"]
    1
    """
    check_dataset(dataset, "split_last")
    check(n, whole(at_least=1), "split_last", "n")
    held_out = last_rows(dataset, np.full(len(dataset.users), n))
    fix = f"split_last: no user has more than {n} events, choose a smaller n"
    split = Cut(
        ~held_out, held_out, f"last {n} per user", left_out=_left_alone(dataset, held_out)
    ).split(dataset, fix)
    prove_by_user(split)
    return split


def leave_one_out(dataset: Dataset) -> Split:
    """Hold out the item that each user came to last, and whatever she did from then on.

    Parameters
    ----------
    dataset : Dataset

    Returns
    -------
    Split
        Each user has one item to find that training has not seen her with. Users of one item stay
        in training only. Of equal times, and without timestamps, the later row is the later event.

    Raises
    ------
    DataError
        If no user has two items.

    Notes
    -----
    Differs from ``split_last(dataset, 1)`` where people come back: if a user's last event is about
    an item that she had before, that one holds out nothing new. Returns and events of weight 0
    bring no user to an item. As there, other users' training events may be later.

    Examples
    --------
    >>> import pandas as pd
    >>> events = pd.DataFrame({"user_id": [1, 1, 1, 2], "item_id": ["tea", "salt", "tea", "tea"]})
    >>> split = leave_one_out(Dataset.from_frames(events))
    >>> split.test.items.ids[split.test.interactions.items].tolist()
    ['salt', 'tea']
    """
    check_dataset(dataset, "leave_one_out")
    held_out = _since_the_last_new_item(dataset)
    fix = "leave_one_out: no user has two items"
    split = Cut(
        ~held_out, held_out, "leave one out", left_out=_left_alone(dataset, held_out)
    ).split(dataset, fix)
    prove_one_left_out(split)
    return split


def split_at_random(
    dataset: Dataset, test: float = 0.25, by: str = "user", random_state: Any = 0
) -> Split:
    """Hold out a random share of the (user, item) pairs, of each user alike.

    Parameters
    ----------
    dataset : Dataset
    test : float, above 0 and below 1
        Share of the pairs. Each user keeps the whole part of her other share, and at least one.
    by : "user" or "all"
        Whether the share is of each user's pairs or of all together.
    random_state : int, RandomState or None
        Which pairs.

    Returns
    -------
    Split
        All events of a pair are in the same part. Pairs without an event of positive weight stay
        in training, and so do users of one pair.

    Raises
    ------
    DataError
        If nothing can be held out.

    Notes
    -----
    Training contains events later than the held-out ones; ``counts`` says how many. Where there is
    time, `split_by_time` is the stricter judge. With ``by="user"`` it is the split of the
    benchmarks of Microsoft's recommenders.

    Examples
    --------
    >>> split = split_at_random(Dataset.from_matrix(np.ones((3, 8))), test=0.25)
    >>> np.bincount(split.test.log.users)
    array([2, 2, 2])
    """
    check_dataset(dataset, "split_at_random")
    check(test, SHARE, "split_at_random", "test")
    check(by, one_of("user", "all"), "split_at_random", "by")
    check(random_state, seed(), "split_at_random", "random_state")
    draw = generator(random_state)
    name = f"{test:.0%} at random"
    if by == "user":
        held_out = random_rows(dataset, n_held_out(dataset, test), draw)
        name += " per user"
    else:
        held_out = _random_share(dataset, test, draw)
    cut = Cut(~held_out, held_out, name, left_out=_left_alone(dataset, held_out))
    split = cut.split(dataset, "split_at_random: no user has two items, choose another test")
    prove_by_pair(split)
    if by == "user":
        prove_known_users(split)
    return split


def prove_by_user(split: Split) -> None:
    """Raise AssertionError if a user's training row is later than one held out of the same user."""
    prove_earlier(split, split.train)


def prove_earlier(split: Split, known: Dataset) -> None:
    """Raise AssertionError if a known row of a user is later than one held out of the same user."""
    before, test = known.log, split.test.log
    if before.timestamp is None or test.timestamp is None:
        return
    span = np.iinfo(np.int64)
    last = np.full(len(known.users), span.min)
    first = np.full(len(known.users), span.max)
    np.maximum.at(last, before.users, before.timestamp)
    np.minimum.at(first, test.users, test.timestamp)
    if (last > first).any():
        user = known.users.ids[last > first].tolist()[0]
        where = "a training event" if known is split.train else "a known event"
        raise AssertionError(f"{split.name}: {user!r} has {where} after a held-out one")


def prove_by_pair(split: Split) -> None:
    """Raise AssertionError if a (user, item) pair is in both parts."""
    if among(pairs_of(split.train), pairs_of(split.test)).any():
        raise AssertionError(f"{split.name}: a (user, item) pair is in training and held out")


def prove_one_left_out(split: Split) -> None:
    """Raise AssertionError unless each held-out user has one new item, and no later training."""
    prove_by_user(split)
    test = split.test.log.take(counted(split.test))
    pairs = distinct(test.users.astype(np.int64) << 32 | test.items)
    known = pairs_of(split.train)[counted(split.train)]  # a return brings nobody to an item
    new = pairs[~among(pairs, known)]
    wrong = np.bincount(new >> 32, minlength=len(split.test.users)) != 1
    wrong &= np.isin(np.arange(len(wrong)), split.test.log.users)
    if wrong.any():
        user = split.test.users.ids[wrong].tolist()[0]
        raise AssertionError(f"{split.name}: {user!r} has not one new item held out")


def prove_known_users(split: Split) -> None:
    """Raise AssertionError if a held-out user has nothing in training."""
    asked = distinct(split.test.log.users)
    alone = asked[~np.isin(asked, split.train.log.users)]
    if len(alone):
        user = split.test.users.ids[alone[:1]].tolist()[0]
        raise AssertionError(f"{split.name}: nothing of {user!r} is in training")


def last_rows(dataset: Dataset, n: Array) -> Mask:
    """Mark each user's last n[user] events, where she has more; what does not count goes along."""
    order = time_order(dataset)
    users = dataset.log.users[order]
    counts = counted(dataset)[order]
    total = np.bincount(users, counts, minlength=len(dataset.users)).astype(np.int64)
    later = np.cumsum(total)[users] - np.cumsum(counts)
    held_out = np.zeros(len(order), dtype=np.bool_)
    held_out[order] = (later < n[users]) & (total > n)[users]
    return held_out


def random_rows(dataset: Dataset, n: Array, draw: np.random.Generator) -> Mask:
    """Mark all events of n[user] pairs of each user, drawn from those of positive weight."""
    pairs = weighty_pairs(dataset)
    users = pairs >> 32
    order = np.lexsort((draw.random(len(pairs)), users))
    place = np.arange(len(pairs)) - np.searchsorted(users, users)  # sorted already
    return among(pairs_of(dataset), pairs[order][place < n[users]])


def n_held_out(dataset: Dataset, share: float) -> Array:
    """Return how many pairs of each user are held out: the rest is a whole part, at least 1."""
    return _rest(np.bincount(weighty_pairs(dataset) >> 32, minlength=len(dataset.users)), share)


def last_share(dataset: Dataset, share: float) -> Mask:
    """Mark a share of each user's events, the last ones, as far as one stays before them."""
    users = dataset.log.users[counted(dataset)]
    return last_rows(dataset, _rest(np.bincount(users, minlength=len(dataset.users)), share))


def weighty_pairs(dataset: Dataset) -> Array:
    """Return the distinct (user, item) pairs of positive weight, ascending by user."""
    rows = dataset.interactions
    pairs = rows.users.astype(np.int64) << 32 | rows.items
    return distinct(pairs[rows.weight > 0])


def time_order(dataset: Dataset) -> Array:
    """Return the rows by user, and by time within each; of equal times the later row is later."""
    log = dataset.log
    return np.lexsort((log.users,) if log.timestamp is None else (log.timestamp, log.users))


def counted(dataset: Dataset) -> Mask:
    """Tell the events that bring a user to an item."""
    log = dataset.log
    weighty: Mask = (log.event != RETURN) & (log.weight > 0)
    return weighty


def _rest(sizes: Array, share: float) -> Array:
    kept = np.floor(sizes * (1 - share) + 1e-9).astype(np.int64)  # so that .7 * 10 is 7
    rest: Array = (sizes - kept.clip(1)).clip(0)
    return rest


def _since_the_last_new_item(dataset: Dataset) -> Mask:
    order = time_order(dataset)
    weighty = order[counted(dataset)[order]]
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    _, first = np.unique(pairs_of(dataset)[weighty], return_index=True)
    met = weighty[first]  # where each pair begins
    users = dataset.log.users
    start = np.full(len(dataset.users), -1)
    np.maximum.at(start, users[met], place[met])
    n_items = np.bincount(users[met], minlength=len(dataset.users))
    held_out: Mask = (place >= start[users]) & (n_items > 1)[users]
    return held_out


def _random_share(dataset: Dataset, share: float, draw: np.random.Generator) -> Mask:
    pairs = weighty_pairs(dataset)
    if len(pairs) < 2:
        raise DataError("split_at_random needs at least two (user, item) pairs, got one.")
    n = min(max(1, round(share * len(pairs))), len(pairs) - 1)
    return among(pairs_of(dataset), draw.permutation(pairs)[:n])


def _left_alone(dataset: Dataset, held_out: Mask) -> dict[str, int]:
    users = dataset.log.users
    alone = len(distinct(users)) - len(distinct(users[held_out]))
    return {"users_with_too_few_events": alone}
