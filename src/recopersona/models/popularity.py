"""What most people want, lately."""

from __future__ import annotations

from datetime import timedelta

import numpy as np

from recopersona.base.online import OnlineRecommender, counted_weight
from recopersona.base.parameters import duration, optional, param
from recopersona.data.dataset import Dataset
from recopersona.data.interactions import Interactions
from recopersona.data.query import Query
from recopersona.data.times import duration_ms
from recopersona.data.types import Floats, Id, Indices


class Popularity(OnlineRecommender):
    r"""Score an item by the summed weight of its events, the older the less.

    .. math:: s_i = \sum_{(u, i, t)} w_{ui} \cdot 2^{-(t_{end} - t) / half\_life}

    Parameters
    ----------
    half_life : duration, optional
        Such as ``"7d"``; in place of the dataset's own.

    Attributes
    ----------
    popularity_ : float32 (n_items,)

    Examples
    --------
    >>> import pandas as pd
    >>> events = pd.DataFrame({"user_id": [1, 2, 3, 3], "item_id": ["tea", "tea", "tea", "salt"]})
    >>> model = Popularity().fit(events)
    >>> model.recommend("a stranger", n=2).item_ids
    ['tea', 'salt']
    >>> model.recommend(1).item_ids
    ['salt']
    """

    half_life: str | timedelta | None = param(optional(duration()), default=None)

    def _fit(self, dataset: Dataset) -> None:
        totals = dataset.matrix(self._half_life_ms()).sum(axis=0)
        self.popularity_ = np.asarray(totals, dtype=np.float32)

    def score_items(self, query: Query, items: Indices | None = None) -> Floats:
        """Return every item's popularity, float32 (n_items,)."""
        return self.popularity_

    def _learn(self, rows: Interactions) -> None:
        missing = len(self.items_) - len(self.popularity_)
        if missing > 0 or not self.popularity_.flags.writeable:
            self.popularity_ = np.append(self.popularity_, np.zeros(missing, np.float32))
        half_life = self._half_life_ms() or self.half_life_
        np.add.at(self.popularity_, rows.items, counted_weight(rows, half_life, self.end_))

    def _explain(self, query: Query, item: int) -> list[tuple[str, Id | None, float]]:
        return [("popularity", None, float(self._padded(self.popularity_)[item]))]

    def _half_life_ms(self) -> int | None:
        return None if self.half_life is None else duration_ms(self.half_life)


_HALF_LIVES_AHEAD = 20  # a weight of a million: float32 holds it beside a weight of one
