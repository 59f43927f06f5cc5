"""Recommenders that read attributes: their own tables of items and users, changed online."""

from __future__ import annotations

from typing import Any, Self

from recopersona.base.holdings import attributes_held
from recopersona.base.online import OnlineRecommender
from recopersona.base.recommender import frame_ids
from recopersona.data.columns import as_pandas
from recopersona.data.dataset import Dataset
from recopersona.data.history import History
from recopersona.data.ids import UNKNOWN, IdMap
from recopersona.data.query import Query
from recopersona.data.types import Indices
from recopersona.errors import DataError


class Described(OnlineRecommender):
    """An online recommender that keeps what is known about items and users.

    Attributes
    ----------
    item_features_, user_features_ : FeatureTable
        As of now: `update_items` and `update_users` write into them.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from recopersona.data.event import Event
    >>> class Cheapest(Described):
    ...     def _fit(self, dataset):
    ...         pass
    ...     def _learn(self, rows):
    ...         pass
    ...     def score_items(self, query, items=None):
    ...         return -self.item_features_["price"].to_numpy(np.float32)
    >>> shelf = pd.DataFrame({"item_id": ["tea", "salt"], "price": [4.5, 1.0]})
    >>> model = Cheapest().fit(Dataset.from_frames([Event("anna", "tea")], items=shelf))
    >>> model.update_items(pd.DataFrame({"item_id": ["honey"], "price": [0.5]}))
    Cheapest()
    >>> model.recommend("anna").item_ids
    ['honey', 'salt']
    """

    def update_items(self, frame: Any) -> Self:
        """Take in new or changed rows of the catalogue; they count from the next query."""
        self._check_fitted()
        self.item_features_.update(frame, "item_id")  # first: what it refuses changes nothing
        super().update_items(frame)
        rows = self.items_.indices(frame_ids(frame, "item_id"))
        self._items_described(rows, _names_of(frame, "item_id"))
        return self

    def update_users(self, frame: Any) -> Self:
        """Take in new or changed rows of the customers; they count from the next query."""
        self._check_fitted()
        frame = self._admitted(frame)
        self.user_features_.update(frame, "user_id")
        super().update_users(frame)
        rows = self.users_.indices(frame_ids(frame, "user_id"))
        self._users_described(rows, _names_of(frame, "user_id"))
        return self

    def attributes_of(self, query: Query) -> dict[str, Any]:
        """Return what is known of who asks: her row of the customers, and the context over it.

        What is unknown is left out. Times are milliseconds UTC, sets are tuples.
        """
        user = self.user_of(query)
        known = {} if user == UNKNOWN else self.user_features_.row(user)
        return {**known, **query.context}

    def _items_described(self, rows: Indices, names: set[str]) -> None:
        """Take note of items of which some attributes, those named, are new or have changed."""

    def _users_described(self, rows: Indices, names: set[str]) -> None:
        """Take note of users of which some attributes, those named, are new or have changed."""

    def _begin(self, dataset: Dataset) -> None:
        super()._begin(dataset)
        self.item_features_ = dataset.item_features.copy(self.items_)
        self.user_features_ = dataset.user_features.copy(self.users_)

    def _adopt(self, users: IdMap, items: IdMap, past: History) -> None:
        super()._adopt(users, items, past)
        self.item_features_ = self.item_features_.copy(items)
        self.user_features_ = self.user_features_.copy(users)

    def _forget_users(self, users: Indices) -> None:
        self.user_features_.forget(users.tolist())
        super()._forget_users(users)

    def _held_of(self, user: int) -> dict[str, Any]:
        known = attributes_held(self.user_features_, user)
        return {**super()._held_of(user), **({"attributes": known} if known else {})}

    def _check_learned(self) -> None:
        super()._check_learned()
        of_items, of_users = (
            getattr(table, "ids", None) for table in (self.item_features_, self.user_features_)
        )
        if of_items is not self.items_ or of_users is not self.users_:
            name = type(self).__name__
            raise DataError(f"{name}: the attributes are not of its items and users.")


def _names_of(frame: Any, id_column: str) -> set[str]:
    columns = as_pandas(frame, f"rows with {id_column}").columns
    return {str(name) for name in columns if name != id_column}
