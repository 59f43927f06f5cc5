"""New things first, as far as they are wanted."""

from __future__ import annotations

from datetime import timedelta

import numpy as np

from recopersona.base.parameters import duration, param
from recopersona.data.query import Query
from recopersona.data.ranking import Ranking
from recopersona.data.times import MISSING_TIME, duration_ms
from recopersona.data.types import Array, Indices, Values
from recopersona.rerank.item_records import Recording
from recopersona.rerank.objective import Objective


class Freshness(Recording, Objective):
    r"""Prefer what is new: an item's worth halves with every ``half_life`` of its age.

    .. math:: v_i = 2^{-\max(0, now - t_i) / half\_life}

    with :math:`t_i` the item's ``created_at``, else its first event, else the moment at which
    `update_items` brought it. Where none is known, or the request has no time, the item counts as
    the median of the others.

    Parameters
    ----------
    weight : float, from 0 to 1
        How much of the order is freshness; see `Objective`.
    half_life : duration
        The age at which half of an item's freshness is gone.

    Attributes
    ----------
    records_ : ItemRecords
        Since when items are there.

    Examples
    --------
    >>> import pandas as pd
    >>> import recopersona as rp
    >>> shelf = pd.DataFrame({"item_id": ["salt", "sencha", "matcha"],
    ...                       "created_at": ["2025-01-01", "2025-06-01", "2026-01-10"]})
    >>> log = pd.DataFrame({"user_id": ["anna", "ben", "ben"],
    ...                     "item_id": ["salt", "salt", "sencha"],
    ...                     "timestamp": "2026-01-12"})
    >>> shop = rp.Dataset.from_frames(log, items=shelf)
    >>> ranking = rp.Popularity().fit(shop).recommend("cleo", n=3)
    >>> ranking.item_ids
    ['salt', 'sencha', 'matcha']
    >>> Freshness(weight=0.6).fit(shop)(Query("cleo"), ranking).item_ids
    ['matcha', 'salt', 'sencha']
    """

    half_life: str | timedelta = param(duration(), default="30d")

    def _values(self, query: Query, ranking: Ranking) -> Values:
        ages = self.ages_of(query, ranking.items)
        fresh: Values = np.exp2(-np.maximum(ages, 0) / duration_ms(self.half_life))
        return fresh

    def ages_of(self, query: Query, items: Indices) -> Array:
        """Return how old items are at a request, in milliseconds, NaN where nobody knows."""
        now = self.now_of(query)
        since = self.records_.since(items, self.item_features_)
        if now is None:
            return np.full(len(items), np.nan)
        ages: Array = np.where(since == MISSING_TIME, np.nan, now - since.astype(np.float64))
        return ages
