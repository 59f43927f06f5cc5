"""Items and users that training never saw: those that came last, or some drawn at random."""

from __future__ import annotations

from typing import Any

import numpy as np

from recopersona.base.parameters import check, generator, seed
from recopersona.data.dataset import Dataset
from recopersona.data.distinct import distinct, in_both
from recopersona.data.types import Array
from recopersona.evaluation.splits.by_time import prove_by_time
from recopersona.evaluation.splits.held_out_users import BY, chosen_by, prove_unknown_users
from recopersona.evaluation.splits.split import SHARE, Cut, Split, check_dataset, times_of, written


def cold_items(
    dataset: Dataset, share: float = 0.2, by: str | None = None, random_state: Any = 0
) -> Split:
    """Test on items of which training has no event.

    Parameters
    ----------
    dataset : Dataset
    share : float, above 0 and below 1
        Of the items that have events.
    by : "time" or "chance", optional
        Which: those whose first event came last, as it is with new items; or some drawn at random.
        By time where there is time.
    random_state : int, RandomState or None
        Which are drawn.

    Returns
    -------
    Split
        By time, training ends where the first of them appears; what others did with known items
        from then on is in neither part, and counted. By chance, training is all that other items
        have, also later than what is held out.

    Raises
    ------
    DataError
        If nothing is left to learn from.

    Notes
    -----
    Known items may be recommended as well, and count as misses: that is what a page does.

    Examples
    --------
    >>> import pandas as pd
    >>> days = pd.to_datetime(["2026-01-01", "2026-01-02", "2026-01-03", "2026-01-04"])
    >>> events = pd.DataFrame({"user_id": [1, 2, 1, 2], "item_id": list("abcb"), "timestamp": days})
    >>> split = cold_items(Dataset.from_frames(events), share=0.3)
    >>> split.test.items.ids[split.test.log.items].tolist()
    ['c']
    >>> split.counts["events_of_known_items_after_the_cut"]
    1
    """
    check_dataset(dataset, "cold_items")
    split, since = _without(dataset, dataset.log.items, "items", share, by, random_state)
    prove_cold_items(split, since)
    return split


def cold_users(
    dataset: Dataset, share: float = 0.2, by: str | None = None, random_state: Any = 0
) -> Split:
    """Test on users of whom training has no event, and nothing is told.

    Parameters
    ----------
    dataset : Dataset
    share : float, above 0 and below 1
        Of the users who have events.
    by : "time" or "chance", optional
        Which: those who came last, or some drawn at random. By time where there is time.
    random_state : int, RandomState or None
        Which are drawn.

    Returns
    -------
    Split
        By time, training ends where the first of them appears; what known users did from then on
        is in neither part, and counted. What the dataset knows of them as users stays known.

    Raises
    ------
    DataError
        If nothing is left to learn from.

    Notes
    -----
    `split_users` tells a part of what each held-out user did; here only her attributes speak.

    Examples
    --------
    >>> split = cold_users(Dataset.from_matrix(np.ones((5, 3))), share=0.4)
    >>> len(split.train.log), len(split.test.log)
    (9, 6)
    """
    check_dataset(dataset, "cold_users")
    split, since = _without(dataset, dataset.log.users, "users", share, by, random_state)
    prove_cold_users(split, since)
    return split


def prove_cold_items(split: Split, since: int | None = None) -> None:
    """Raise AssertionError if training has an event of a held-out item, or one from the cut on."""
    known = in_both(split.test.log.items, split.train.log.items)
    if len(known):
        item = split.test.items.ids[known[:1]].tolist()[0]
        raise AssertionError(f"{split.name}: training has an event of the held-out item {item!r}")
    if since is not None:
        prove_by_time(split, since)


def prove_cold_users(split: Split, since: int | None = None) -> None:
    """Raise AssertionError if training has an event of a held-out user, or one from the cut on."""
    prove_unknown_users(split)
    if since is not None:
        prove_by_time(split, since)


def _without(
    dataset: Dataset, who: Array, what: str, share: float, by: str | None, random_state: Any
) -> tuple[Split, int | None]:
    """Cut off some items or users: ``who`` is the one that each event is of."""
    owner = f"cold_{what}"
    check(share, SHARE, owner, "share")
    check(by, BY, owner, "by")
    check(random_state, seed(), owner, "random_state")
    fix = f"{owner}: choose a smaller share"
    present = distinct(who)
    n = max(1, round(share * len(present)))
    name = f"{share:.0%} of the {what}"
    if chosen_by(dataset, by, owner) == "chance":
        cold = np.isin(who, generator(random_state).permutation(present)[:n])
        return Cut(~cold, cold, f"{name}, by chance").split(dataset, fix), None
    times = times_of(dataset, owner, "by='chance'")
    first = np.full(int(present[-1]) + 1, np.iinfo(np.int64).max)
    np.minimum.at(first, who, times)
    cut = np.sort(first[present])[-n]  # those of one time stay together
    late, cold = times >= cut, first[who] >= cut
    left_out = {f"events_of_known_{what}_after_the_cut": int((late & ~cold).sum())}
    fix += f"; the first of them appear at {written(int(cut))}"
    name += ", the last to come"
    return Cut(~late, cold, name, left_out=left_out).split(dataset, fix), int(cut)
