"""What a visitor was at lately, and has not got yet."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

import numpy as np

from recopersona.base.online import OnlineRecommender
from recopersona.base.parameters import duration, mapping, optional, param
from recopersona.base.recommender import NO_OPINION
from recopersona.base.searching import choice
from recopersona.data.dataset import Dataset
from recopersona.data.event import EVENT_CODES, VIEW, event_weight_table
from recopersona.data.ids import UNKNOWN
from recopersona.data.interactions import Interactions
from recopersona.data.query import Query
from recopersona.data.times import MISSING_TIME, duration_ms
from recopersona.data.types import Array, Floats, Id, Indices

INTEREST: Mapping[str, float] = {"click": 1.0, "view": 1.0, "wishlist": 3.0, "cart": 10.0}
"""How much an event says that she will come back to an item, where nothing else is said."""

_DONE = tuple(EVENT_CODES[kind] for kind in ("purchase", "remove"))
_OWN = "her own events"


class Revisit(OnlineRecommender):
    r"""Recommend the items that the visitor herself looked at or put in the cart lately.

    .. math:: s_{ui} = \sum_{e:\ user(e) = u,\ item(e) = i} w_{kind(e)}
        \cdot 2^{-(now - t_e) / half\_life}

    over the events since she last bought the item or took it out of the cart. Items of the current
    visit count as viewed just now. All others get no opinion, so this is a source of candidates
    beside others; ask with ``seen=["purchase"]``, or nothing is left of it.

    Parameters
    ----------
    half_life : duration
    event_weights : mapping from event type to weight, optional
        By default click and view 1, wishlist 3, cart 10, and nothing else.

    Notes
    -----
    It learns nothing of its own: the recent events that every model keeps are enough. Without
    timestamps nothing fades.

    Examples
    --------
    >>> from recopersona.data.event import Event
    >>> log = [Event("anna", "tea"), Event("anna", "salt", "cart"), Event("ben", "honey")]
    >>> Revisit().fit(log).recommend("anna", n=2, seen=["purchase"]).item_ids
    ['salt', 'tea']
    """

    repeats = True

    half_life: str | timedelta = param(
        duration(), default="3d", search=choice("6h", "1d", "3d", "7d", "30d")
    )
    event_weights: Mapping[str, float] | None = param(
        optional(mapping("from event type to weight")), default=None
    )

    _taught_by_all = ()

    def _fit(self, dataset: Dataset) -> None:
        given = INTEREST if self.event_weights is None else self.event_weights
        said = event_weight_table(given)
        named = np.isin(np.arange(len(said)), [EVENT_CODES[kind] for kind in given])
        self.interest_ = np.where(named, said, np.float32(0))

    def _learn(self, rows: Interactions) -> None:
        """Everything it needs is in the past."""

    def score_items(self, query: Query, items: Indices | None = None) -> Floats:
        """Return the faded weights of her own events, float32 (n_items,)."""
        scores = np.full(len(self.items_), NO_OPINION)
        own, weights = self._interest_of(query)
        scores[own] = weights
        return scores

    def _explain(self, query: Query, item: int) -> list[tuple[str, Id | None, float]]:
        own, weights = self._interest_of(query)
        found = weights[own == item]
        score = float(found[0]) if len(found) else float(NO_OPINION)
        return [(_OWN, self.items_.ids[[item]].tolist()[0], score)]

    def _interest_of(self, query: Query) -> tuple[Indices, Array]:
        """Return the items that she may come back to, each once, and how much speaks for them."""
        user = self.user_of(query)
        items, kinds, times = self.past_.recent(user) if user != UNKNOWN else _NOTHING
        if query.history is not None:
            told, _ = self._given_history(query.history)
            items, kinds = told, np.full(len(told), VIEW, np.int8)
            times = np.full(len(told), MISSING_TIME)
        visit = self.session_of(query)
        items = np.concatenate([items, visit]).astype(np.int32)
        kinds = np.concatenate([kinds, np.full(len(visit), VIEW, np.int8)])
        now = self.now_of(query)
        ages = np.zeros(len(items))
        if now is not None:
            known = times != MISSING_TIME
            ages[: len(times)][known] = np.maximum(0, now - times[known])
        weights = self.interest_[kinds] * np.exp2(-ages / duration_ms(self.half_life))
        return _still_wanted(items, np.isin(kinds, _DONE), weights)


_NOTHING = (np.empty(0, np.int32), np.empty(0, np.int8), np.empty(0, np.int64))


def _still_wanted(items: Indices, done: Array, weights: Array) -> tuple[Indices, Array]:
    """Add up the weights of each item since it was last done with; none of weight 0."""
    distinct, place = np.unique(items, return_inverse=True)
    last = np.full(len(distinct), -1)
    np.maximum.at(last, place[done], np.flatnonzero(done))
    counts = np.arange(len(items)) > last[place]
    summed = np.bincount(place[counts], weights[counts], minlength=len(distinct))
    return distinct[summed > 0], summed[summed > 0].astype(np.float32)
