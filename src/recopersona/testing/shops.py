"""Tiny shops for checks: one as real as can be, and one whose right answers are obvious."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
import pandas as pd

from recopersona.data.dataset import Dataset
from recopersona.data.types import Id
from recopersona.datasets.synthetic import EVENT_WEIGHTS, SyntheticShop, synthetic_shop
from recopersona.errors import ParameterError


class Checkerboard(NamedTuple):
    """A log in the pattern of a checkerboard, and the square that each user lacks.

    Parameters
    ----------
    events : DataFrame
        ``user_id, item_id``.
    answers : dict from user id to item id
        The one item of the user's colour that is not in her log.

    Examples
    --------
    >>> checkerboard(4).answers["u-0"]
    'i-0'
    """

    events: pd.DataFrame
    answers: dict[Id, Id]


def checkerboard(n: int = 20) -> Checkerboard:
    """Return n users who took every second item, without the diagonal: it is the answer.

    User u took the items i for which u + i is even, except i = u. Whoever sees the pattern
    recommends item u to user u.

    Parameters
    ----------
    n : int, at least 4
        Users, and items.

    Examples
    --------
    >>> from recopersona.models.neighbors import ItemKNN
    >>> events, answers = checkerboard(8)
    >>> model = ItemKNN().fit(events)
    >>> all(model.recommend(user, n=1).item_ids == [item] for user, item in answers.items())
    True
    """
    if n < 4:
        raise ParameterError(f"checkerboard: n must be at least 4, got {n}.")
    users, items = np.indices((n, n)).reshape(2, -1)
    taken = ((users + items) % 2 == 0) & (users != items)
    events = pd.DataFrame({
        "user_id": [f"u-{user}" for user in users[taken]],
        "item_id": [f"i-{item}" for item in items[taken]],
    })  # fmt: skip
    return Checkerboard(events, {f"u-{place}": f"i-{place}" for place in range(n)})


def small_events() -> pd.DataFrame:
    """Return a new frame of some 600 events of 60 users with 25 items, all in the past."""
    events = _shop().events.drop(columns="event_id")
    # No check may depend on what today is: the shop's last day could be tomorrow.
    return events.assign(timestamp=events["timestamp"] - pd.Timedelta(days=_DAYS_AGO))


def small_shop(without: Sequence[Id] = ()) -> Dataset:
    """Return a new dataset of `small_events`, with the catalogue and the customers.

    without  users of whom there is neither an event nor a row
    """
    shop, events = _shop(), small_events()
    created = shop.catalogue["created_at"] - pd.Timedelta(days=_DAYS_AGO)
    return Dataset.from_frames(
        events[~events["user_id"].isin(without)],
        items=shop.catalogue.assign(created_at=created),
        users=shop.customers[~shop.customers["user_id"].isin(without)],
        event_weights=EVENT_WEIGHTS,
    )


_DAYS_AGO = 1_000


@cache
def _shop() -> SyntheticShop:
    return synthetic_shop(n_users=60, n_items=25, days=30)
