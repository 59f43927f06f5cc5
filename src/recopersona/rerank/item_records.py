"""How often and since when items have been there: what freshness and serendipity go by."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from recopersona.base.forgetting import Gone
from recopersona.base.part import Part
from recopersona.base.recommender import require_array
from recopersona.data.dataset import Dataset
from recopersona.data.feature_table import FeatureTable, TimeColumn
from recopersona.data.growing import with_room
from recopersona.data.interactions import Interactions
from recopersona.data.times import MISSING_TIME
from recopersona.data.types import Array, Indices, Values
from recopersona.errors import DataError
from recopersona.rerank.reranker import Reranker

_NEVER = np.iinfo(np.int64).max


class ItemRecords(Part):
    """Of every item, how much it was interacted with and since when it is there.

    Attributes
    ----------
    first_seen_ : int64 (n_items,)
        The first event's time in milliseconds, of an item that came later without one the time it
        came; `MISSING_TIME` where nobody knows.
    weights_ : float64 (n_items,)
        The summed weight of the item's events.
    total_ : float
        Of all items together.
    """

    def fit(self, dataset: Dataset) -> ItemRecords:
        """Read a log afresh."""
        n_items = len(dataset.items)
        self.first_seen_ = np.full(n_items, MISSING_TIME, np.int64)
        self.weights_, self.total_ = np.zeros(n_items), 0.0
        self.learn(dataset.interactions, n_items)
        return self

    def learn(self, rows: Interactions, n_items: int) -> None:
        """Take in events, of items that are new perhaps."""
        self._grow(n_items, MISSING_TIME)
        np.add.at(self.weights_, rows.items, rows.weight)
        self.total_ += float(rows.weight.sum(dtype=np.float64))
        if rows.timestamp is None:
            return
        unseen = (self.first_seen_[rows.items] == MISSING_TIME) & (rows.timestamp != MISSING_TIME)
        items = rows.items[unseen]
        self.first_seen_[items] = _NEVER
        np.minimum.at(self.first_seen_, items, rows.timestamp[unseen])

    def unlearn(self, rows: Interactions) -> bool:
        """Take back events; tell whether they were the first of no item."""
        gone = np.bincount(rows.items, rows.weight, minlength=len(self.weights_))
        self.weights_ = np.maximum(self.weights_ - gone, 0.0)
        self.total_ = max(self.total_ - float(rows.weight.sum(dtype=np.float64)), 0.0)
        times = rows.timestamp
        return (
            times is None
            or not ((times != MISSING_TIME) & (self.first_seen_[rows.items] == times)).any()
        )

    def described(self, n_items: int, now: int | None) -> None:
        """Take in items of which attributes came before any event: they are there from now on."""
        self._grow(n_items, MISSING_TIME if now is None else now)

    def since(self, items: Indices, table: FeatureTable) -> Array:
        """Return since when items are there: ``created_at``, else what is recorded; milliseconds.

        items  int32 (n,)
        """
        recorded = self._of(self.first_seen_, items, MISSING_TIME)
        column = table.column("created_at") if "created_at" in table else None
        if not isinstance(column, TimeColumn):
            return recorded
        created = column.values[items]
        since: Array = np.where(created == MISSING_TIME, recorded, created)
        return since

    def weight_of(self, items: Indices) -> Values:
        """Return how much items were interacted with."""
        return self._of(self.weights_, items, 0)

    def share_of(self, items: Indices) -> Values:
        """Return which share of all events went to each item, as if each had one more; above 0."""
        share: Values = (self.weight_of(items) + 1) / (self.total_ + max(len(self.weights_), 1))
        return share

    @staticmethod
    def _of(values: Array, items: Indices, missing: float) -> Array:
        """Return the values of items, some of which may have come since."""
        known = items < len(values)
        if known.all():
            return values[items]
        found: Array = np.full(len(items), missing, values.dtype)
        found[known] = values[items[known]]
        return found

    def _grow(self, n_items: int, since: int) -> None:
        before = len(self.first_seen_)
        self.first_seen_ = with_room(self.first_seen_, n_items)
        self.first_seen_[before:] = since
        self.weights_ = with_room(self.weights_, n_items)

    def _check_learned(self) -> None:
        require_array(self.first_seen_, np.int64, (None,), "first_seen_")
        require_array(self.weights_, np.float64, (len(self.first_seen_),), "weights_")
        total: Any = self.total_
        good = isinstance(total, float) and np.isfinite(total) and total >= 0
        if not good or not (np.isfinite(self.weights_) & (self.weights_ >= 0)).all():
            raise DataError("weights of items must be finite and at least 0.")


class Recording(Reranker):
    """A re-ranker that goes by how often and since when items have been there.

    Attributes
    ----------
    records_ : ItemRecords
    """

    def _fit(self, dataset: Dataset) -> None:
        self.records_ = ItemRecords().fit(dataset)

    def _learn(self, rows: Interactions) -> None:
        super()._learn(rows)
        self.records_.learn(rows, len(self.items_))

    def _unlearn(self, gone: Gone) -> Iterable[str]:
        yield from super()._unlearn(gone)
        rows = self._events_of(gone)
        if rows is None or not self.records_.unlearn(rows):
            yield "records_"

    def _items_described(self, rows: Indices, names: set[str]) -> None:
        super()._items_described(rows, names)
        self.records_.described(len(self.items_), self.end_)

    def _check_learned(self) -> None:
        super()._check_learned()
        records: Any = vars(self).get("records_")
        if not isinstance(records, ItemRecords):
            raise DataError(f"{type(self).__name__}: records_ must be ItemRecords.")
