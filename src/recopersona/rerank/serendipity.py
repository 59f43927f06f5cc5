"""What she would not have come upon by herself."""

from __future__ import annotations

from typing import Any

import numpy as np

from recopersona.base.parameters import optional, param
from recopersona.data.dataset import Dataset
from recopersona.data.query import Query
from recopersona.data.ranking import Ranking
from recopersona.data.types import Indices, Values
from recopersona.errors import DataError
from recopersona.rerank.item_records import Recording
from recopersona.rerank.objective import Objective
from recopersona.rerank.vectors import VECTORS, ItemVectors


class Serendipity(Recording, Objective):
    r"""Prefer what few know and what is far from all that she has taken.

    .. math:: v_i = -\log_2 p_i \cdot \Big(1 - \cos\big(x_i, \textstyle\sum_{j} w_j x_j\big)\Big)

    with :math:`p_i` the item's share of all events (as if each item had one more), x the vectors of
    `ItemVectors`, and j the items that speak for the visitor, with their weights: her past, the
    visit and the page. Who has none of those, and what has no vector, is at distance 1 of
    everything; then only rarity tells. By itself it would fill a page with what nobody wants: it is
    relevance, the other part of the order, that makes a rare and distant thing a happy find.

    Parameters
    ----------
    weight : float, from 0 to 1
        How much of the order is serendipity; see `Objective`.
    vectors : list of columns, model, dataframe or array, optional
        What tells near from far, see `ItemVectors`.

    Attributes
    ----------
    records_ : ItemRecords
        How much items were interacted with.
    item_vectors_ : ItemVectors

    References
    ----------
    Kotkov, Wang & Veijalainen (2016), "A survey of serendipity in recommender systems"; Zhou et al.
    (2010), "Solving the apparent diversity-accuracy dilemma of recommender systems", for surprisal.

    Examples
    --------
    >>> import pandas as pd
    >>> import recopersona as rp
    >>> shelf = pd.DataFrame({"item_id": ["sencha", "matcha", "salt", "saffron"],
    ...                       "kind": ["tea", "tea", "spice", "spice"]})
    >>> log = pd.DataFrame({"user_id": ["anna", "ben", "cleo", "cleo", "dan", "dan"],
    ...                     "item_id": ["sencha", "matcha", "matcha", "salt", "salt", "saffron"]})
    >>> shop = rp.Dataset.from_frames(log, items=shelf)
    >>> ranking = rp.Popularity().fit(shop).recommend("anna", n=3)
    >>> ranking.item_ids
    ['matcha', 'salt', 'saffron']
    >>> Serendipity(weight=0.6).fit(shop)(Query("anna"), ranking).item_ids
    ['salt', 'saffron', 'matcha']
    """

    vectors: Any = param(optional(VECTORS), default=None)

    def _fit(self, dataset: Dataset) -> None:
        super()._fit(dataset)
        self.item_vectors_ = ItemVectors(vectors=self.vectors).fit(
            self.items_, self.item_features_, dataset.interactions
        )

    def _values(self, query: Query, ranking: Ranking) -> Values:
        surprise: Values = -np.log2(self.records_.share_of(ranking.items))
        return surprise * self.distances_of(query, ranking.items)

    def distances_of(self, query: Query, items: Indices) -> Values:
        """Return how far items are from what speaks for the visitor: 0 is like it, 1 unlike."""
        taken, weights = self.taste_of(query)
        centre = weights.astype(np.float64) @ self.item_vectors_.of(taken)
        length = np.sqrt(centre @ centre)
        if not length > 0:
            return np.ones(len(items))
        distances: Values = 1 - self.item_vectors_.of(items) @ (centre / length)
        return np.maximum(distances, 0)

    def _items_described(self, rows: Indices, names: set[str]) -> None:
        super()._items_described(rows, names)
        self.item_vectors_.describe(self.item_features_, rows, names)

    def _check_learned(self) -> None:
        super()._check_learned()
        held: Any = vars(self)
        if not isinstance(held.get("item_vectors_"), ItemVectors):
            raise DataError("Serendipity: item_vectors_ must be ItemVectors.")
