"""Learning as events come: the third method, and what every online learner remembers."""

from __future__ import annotations

from typing import Any, Self

import numpy as np

from recopersona.base.forgetting import Gone
from recopersona.base.recommender import Recommender
from recopersona.base.weighing import counted_weight as counted_weight
from recopersona.data.dataset import index_events
from recopersona.data.event import RETURN, Event
from recopersona.data.growing import with_room
from recopersona.data.history import History
from recopersona.data.intake import frame_of_events, read_columns, read_one
from recopersona.data.interactions import Interactions
from recopersona.data.times import MISSING_TIME
from recopersona.data.types import Array, Floats

_FEW_ROWS = 1_000  # up to here adding events one by one is cheaper than merging arrays


class OnlineRecommender(Recommender):
    """A recommender that also learns from events as they come.

    A subclass writes a third method, ``_learn(rows)``: the rows' user and item indices may lie
    beyond what was fitted, and the model grows. ``_learn_one`` may be written, too.

    Examples
    --------
    >>> class Latest(OnlineRecommender):
    ...     def _fit(self, dataset):
    ...         self._learn(dataset.interactions)
    ...     def _learn(self, rows):
    ...         self.last_ = int(rows.items[-1])
    ...     def score_items(self, query, items=None):
    ...         return np.where(np.arange(len(self.items_)) == self.last_, 1.0, -np.inf)
    >>> model = Latest().fit([Event("anna", "tea"), Event("anna", "salt")])
    >>> model.partial_fit(Event("ben", "gold")).recommend("anna", n=1).item_ids
    ['gold']
    """

    def _learn(self, rows: Interactions) -> None:
        raise NotImplementedError(f"{type(self).__name__} must write _learn(self, rows).")

    def _learn_one(self, user: int, item: int, code: int, weight: float, timestamp: int) -> None:
        """Learn from a single event: override where a row costs more than what it teaches."""
        self._learn(Interactions.one(user, item, code, weight, timestamp))

    def partial_fit(self, events: Any, y: None = None) -> Self:
        """Continue learning: new users and new items are welcome.

        Parameters
        ----------
        events : frame, `Event`, or iterable of `Event`
            Taken in their order. On a model not yet fitted this is ``fit``. A return teaches
            nothing here, and what it undoes counts until the next ``fit``. Of a model that was
            fitted behind a gate, events that it refuses teach nothing either.
        y : ignored
        """
        # Whatever the base has fitted has a past; to look for it is quicker than to look around.
        if "past_" not in vars(self) and not self.__sklearn_is_fitted__():
            return self.fit(events)
        if isinstance(events, Event):
            if not self.gated_ or self._admits_event(events):
                self._learn_one(*self._take_in_one(events))
            return self
        if self.gated_:
            events = self._admitted(frame_of_events(events))
            if not len(events):
                return self
        self._learn(self._take_in(events))
        return self

    def _sums_without(self, sums: Array, gone: Gone, half_life: int | None) -> Array | None:
        """Return items' summed weights without those of some users, whose past is gone.

        They are counted anew from the past where it weighs as they do; else what the users did is
        subtracted, if all of it is remembered. None if it is not.
        """
        items = gone.items[gone.items < len(sums)]
        fresh = sums.copy()
        if half_life is None or half_life == self.half_life_:
            fresh[items] = self.past_.totals(items)
            return fresh
        rows = self._events_of(gone)
        if rows is None:
            return None
        weights = counted_weight(rows, half_life, self.decayed_to_)
        theirs = np.bincount(rows.items, weights, minlength=len(sums))[items]
        left = np.maximum(sums[items].astype(np.float64) - theirs, 0)
        fresh[items] = np.where(self.past_.totals(items) > 0, left, 0)  # what rounding leaves is 0
        return fresh

    def _take_in(self, events: Any) -> Interactions:
        """Number events by the grown maps, and remember them in the past and the fallback."""
        if isinstance(events, Event):
            return Interactions.one(*self._take_in_one(events))
        rows = index_events(read_columns(events), self.users_, self.items_, self.event_weights_)
        self._remember(rows)
        return rows

    def _take_in_one(self, event: Event) -> tuple[int, int, int, float, int]:
        """Do for one event what `_take_in` does for many; return user, item, kind, weight, time."""
        user_id, item_id, code, time = read_one(event)
        user, item = self.users_.append(user_id), self.items_.append(item_id)
        weight = float(self.event_weights_[code])
        self._remember_one(user, item, code, weight, time)
        return user, item, code, weight, time

    def _remember_one(self, user: int, item: int, code: int, weight: float, time: int) -> None:
        """Do for one event what `_remember` does for many."""
        if self.half_life_ is None:
            counts = 0.0 if code == RETURN else weight
        else:
            row = Interactions.one(user, item, code, weight, time)
            counts = float(counted_weight(row, self.half_life_, self.decayed_to_)[0])
        if time != MISSING_TIME and (self.end_ is None or time > self.end_):
            self.end_ = time
        self.past_.add_code(user, item, code, counts, time)
        if item >= len(self.fallback_) or not self.fallback_.flags.writeable:
            self.fallback_ = with_room(self.fallback_, len(self.items_))
        self.fallback_[item] += counts

    def _remember(self, rows: Interactions) -> None:
        weight = counted_weight(rows, self.half_life_, self.decayed_to_)
        last = MISSING_TIME if rows.end is None else rows.end
        if last != MISSING_TIME and (self.end_ is None or last > self.end_):
            self.end_ = last
        remember(self.past_, rows, weight)
        self.fallback_ = with_room(self.fallback_, len(self.items_))
        if len(rows) > _FEW_ROWS:
            self.fallback_ += np.bincount(rows.items, weight, minlength=len(self.fallback_)).astype(
                np.float32
            )
        else:
            np.add.at(self.fallback_, rows.items, weight)


def remember(past: History, rows: Interactions, weight: Floats) -> None:
    """Add rows to a past: one by one while they are few, else all at once."""
    if len(rows) > _FEW_ROWS:
        past.extend(rows, weight)
        return
    times = np.full(len(rows), MISSING_TIME) if rows.timestamp is None else rows.timestamp
    columns = (rows.users, rows.items, rows.event, weight, times)
    for user, item, code, counts, time in zip(*(c.tolist() for c in columns), strict=True):
        past.add_code(user, item, code, counts, time)
