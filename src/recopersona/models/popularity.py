"""What most people want, lately."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

import numpy as np

from recopersona.base.forgetting import Gone
from recopersona.base.online import OnlineRecommender, counted_weight
from recopersona.base.parameters import duration, optional, param
from recopersona.base.recommender import require_array
from recopersona.base.searching import choice
from recopersona.data.dataset import Dataset
from recopersona.data.growing import with_room
from recopersona.data.interactions import Interactions
from recopersona.data.query import Query
from recopersona.data.times import duration_ms
from recopersona.data.types import Floats, Id, Indices
from recopersona.errors import DataError


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

    half_life: str | timedelta | None = param(
        optional(duration()), default=None, search=choice(None, "7d", "30d", "90d", "365d")
    )

    def _fit(self, dataset: Dataset) -> None:
        totals = dataset.matrix(self._half_life_ms()).sum(axis=0)
        self.popularity_ = np.asarray(totals, dtype=np.float32)

    def score_items(self, query: Query, items: Indices | None = None) -> Floats:
        """Return every item's popularity, float32 (n_items,)."""
        scores = self.popularity_.view()
        scores.flags.writeable = False
        return scores

    def _learn(self, rows: Interactions) -> None:
        self.popularity_ = with_room(self.popularity_, len(self.items_))
        half_life = self._half_life_ms() or self.half_life_
        np.add.at(self.popularity_, rows.items, counted_weight(rows, half_life, self.decayed_to_))

    def _unlearn(self, gone: Gone) -> Iterable[str]:
        fresh = self._sums_without(self.popularity_, gone, self._half_life_ms() or self.half_life_)
        if fresh is None:
            return ("popularity_",)
        self.popularity_ = fresh
        return ()

    def _check_learned(self) -> None:
        super()._check_learned()
        require_array(self.popularity_, np.float32, (None,), "popularity_")
        if not self.n_fitted_items_ <= len(self.popularity_) <= len(self.items_):
            raise DataError("Popularity: popularity_ does not fit the catalogue.")

    def _explain(self, query: Query, item: int) -> list[tuple[str, Id | None, float]]:
        return [("popularity", None, float(self._padded(self.popularity_)[item]))]

    def _half_life_ms(self) -> int | None:
        return None if self.half_life is None else duration_ms(self.half_life)
