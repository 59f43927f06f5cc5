"""The last stage: order what was ranked anew, by more than how well each item suits alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Self

import numpy as np

from recopersona.base.forgetful import Forgetful
from recopersona.base.forgetting import Gone, require_stale
from recopersona.base.parameters import check, check_parameters, optional, switch, whole
from recopersona.base.recommender import as_dataset, require_array
from recopersona.data.dataset import Dataset
from recopersona.data.event import EVENT_TYPES
from recopersona.data.feature_table import FeatureTable
from recopersona.data.gate import EventGate
from recopersona.data.history import History
from recopersona.data.ids import IdMap
from recopersona.data.interactions import Interactions
from recopersona.data.query import Query
from recopersona.data.ranking import Ranking
from recopersona.data.types import Indices
from recopersona.errors import DataError
from recopersona.rerank.vectors import ItemVectors


class Reranker(Forgetful):
    """A stage that knows the shop, and orders a ranking anew.

    A subclass writes two methods:

    ``_fit(dataset)``
        Learn; users, items, their attributes and the past are there already.
    ``_rerank(query, ranking) -> Ranking``
        Return the candidates in a new order, best first, with scores that do not rise: a page is
        filled by scores. There are at least two candidates.

    It may also write ``_learn(rows)``, ``_items_described(rows, names)``,
    ``_learn_outcome(decision)`` and ``_forget_users(users)``, as models do. In a `Pipeline` all of
    its tables are the pipeline's own; alone, a reranker is a function of a query and a ranking.

    Attributes
    ----------
    users_, items_ : IdMap
    past_ : History
    item_features_ : FeatureTable

    Examples
    --------
    >>> class Backwards(Reranker):
    ...     def _fit(self, dataset):
    ...         pass
    ...     def _rerank(self, query, ranking):
    ...         return ranking.rescored(-ranking.scores)
    >>> from recopersona import Event, Popularity
    >>> log = [Event("anna", "tea"), Event("ben", "tea"), Event("ben", "salt")]
    >>> ranking = Popularity().fit(log).recommend("cleo")
    >>> Backwards().fit(log)(Query("cleo"), ranking).item_ids
    ['salt', 'tea']
    """

    _role = "reranker"

    # -- what a subclass writes --------------------------------------------------------------

    def _fit(self, dataset: Dataset) -> None:
        raise NotImplementedError(f"{type(self).__name__} must write _fit(self, dataset).")

    def _rerank(self, query: Query, ranking: Ranking) -> Ranking:
        raise NotImplementedError(
            f"{type(self).__name__} must write _rerank(self, query, ranking)."
        )

    @property
    def _parts(self) -> Sequence[Reranker]:
        """The rerankers that this one is made of: they hear whatever it hears."""
        return ()

    def _items_described(self, rows: Indices, names: set[str]) -> None:
        """Take note of items of which some attributes, those named, are new or have changed."""
        for part in self._parts:
            part._items_described(rows, names)

    def _forget_users(self, users: Indices) -> None:
        """Blank what was learned about single users; what is shared is blanked by the pipeline."""
        for part in self._parts:
            part._forget_users(users)

    # -- the verbs ---------------------------------------------------------------------------

    def fit(self, dataset: Any, y: None = None, *, gate: EventGate | None = None) -> Self:
        """Learn from a `Dataset`, or from an events frame, and forget what was learned before.

        Parameters
        ----------
        dataset : Dataset or events frame
        y : ignored
        gate : EventGate, optional
            Such as a `ConsentLedger`, in place of the dataset's own: what it refuses is as if it
            were not there, and whoever may not be known is a stranger.
        """
        check_parameters(self)
        shop = as_dataset(dataset, gate)
        self._unfit()
        try:
            self._acquaint(shop)
            self.item_features_ = shop.item_features.copy(self.items_)
            self._fit(shop)
        except BaseException:
            self._unfit()
            raise
        return self

    def __call__(self, query: Any, ranking: Ranking) -> Ranking:
        """Return the ranking in its new order, for a `Query` or a user id."""
        self._check_fitted()
        if not isinstance(ranking, Ranking):
            raise DataError(
                f"{type(self).__name__} orders a Ranking, such as model.recommend(query, n=100) "
                f"gives, got {type(ranking).__name__}."
            )
        query = self._asked(query)
        return self._rerank(query, ranking) if len(ranking) > 1 else ranking

    def _unlearn(self, gone: Gone) -> Iterable[str]:
        vectors = vars(self).get("item_vectors_")
        if isinstance(vectors, ItemVectors) and vectors.are_taught:
            yield "item_vectors_"
        for part in self._parts:
            name = type(part).__name__.lower()
            yield from (f"{name}.{left}" for left in part._take_back(gone))

    # -- as part of a pipeline ---------------------------------------------------------------

    def _stand_behind(self, gate: EventGate | None) -> None:
        super()._stand_behind(gate)
        if "item_features_" in vars(self):  # else its parts are yet to be fitted
            for part in self._parts:
                part._stand_behind(gate)

    def _join(self, users: IdMap, items: IdMap, past: History, item_features: FeatureTable) -> None:
        """Share the tables of the pipeline this is part of: they are kept up to date there."""
        self._adopt(users, items, past)
        self.item_features_ = item_features
        for part in self._parts:
            part._join(users, items, past, item_features)

    def _know_users(self, table: FeatureTable) -> None:
        """Share the pipeline's table of customers, where they are told apart."""
        for part in self._parts:
            part._know_users(table)

    def _learn(self, rows: Interactions) -> None:
        """Learn from new events; the past has taken them in already."""
        if rows.end is not None:
            self.end_ = rows.end if self.end_ is None else max(self.end_, rows.end)
        for part in self._parts:
            part._learn(rows)

    def _check_learned(self) -> None:
        """Refuse what was read from a file and does not fit together."""
        held, owner = vars(self), type(self).__name__
        for name, kind in _TABLES.items():
            if not isinstance(held.get(name), kind):
                raise DataError(f"{owner}: {name} must be of the kind {kind.__name__}.")
        if not self.past_.fits(len(self.users_), len(self.items_)):
            raise DataError(f"{owner}: the past does not fit the users and items.")
        require_array(held.get("event_weights_"), np.float32, (len(EVENT_TYPES),), "event_weights_")
        require_stale(held.get("stale_"), owner)
        check(held.get("half_life_"), optional(whole(1, 2**62)), owner, "half_life_")
        check(held.get("decayed_to_"), optional(whole(-(2**62), 2**62)), owner, "decayed_to_")
        check(held.get("end_"), optional(whole(-(2**62), 2**62)), owner, "end_")
        check(self.gated_, switch(), owner, "gated_")


_TABLES = {"users_": IdMap, "items_": IdMap, "past_": History, "item_features_": FeatureTable}
