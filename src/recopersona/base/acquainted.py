"""Who asks, what for and when: what a question means to whoever knows the shop."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from recopersona.base.forgetting import Gone
from recopersona.base.gated import Gated
from recopersona.base.weighing import counted_weight
from recopersona.data.dataset import Dataset
from recopersona.data.event import EVENT_TYPES, VIEW
from recopersona.data.history import History
from recopersona.data.ids import UNKNOWN, IdMap
from recopersona.data.interactions import Interactions
from recopersona.data.query import Query
from recopersona.data.times import MISSING_TIME, moment_ms
from recopersona.data.types import Floats, Id, Indices


class Acquainted(Gated):
    """A part that knows users, items and what everybody has done.

    Attributes
    ----------
    users_, items_ : IdMap
    past_ : History
    event_weights_ : float32 (n_event_types,)
    end_ : int or None
        The last event's time, in milliseconds.
    """

    def _acquaint(self, dataset: Dataset) -> None:
        """Get to know the users and items of a dataset, and their past; stand behind its gate."""
        self._stand_behind(dataset.gate)
        self.users_, self.items_ = dataset.users.copy(), dataset.items.copy()
        self.past_ = dataset.history()
        self.event_weights_ = dataset.event_weights
        self.end_ = dataset.end
        self.half_life_, self.decayed_to_ = dataset.half_life, dataset.end

    def _adopt(self, users: IdMap, items: IdMap, past: History) -> None:
        """Share ids and past with the pipeline this is part of: events are taken in once."""
        self.users_, self.items_, self.past_ = users, items, past

    def _events_of(self, gone: Gone) -> Interactions | None:
        """Return all that some users did, as it was weighted when it came.

        None where the past does not hold all of it: there were too many events of a kind, or some
        came with a weight of their own, or were undone. Then the events held do not add up to what
        is held of the pairs, which never forget.
        """
        held = gone.past.arrays()
        sizes, codes = np.diff(held["event_bounds"]), held["event_codes"]
        users = np.repeat(np.arange(len(sizes), dtype=np.int32), sizes)
        rows = Interactions(
            users, held["event_items"], codes, self.event_weights_[codes], held["event_times"]
        )
        if self.half_life_ is not None and (held["event_times"] == MISSING_TIME).any():
            return None
        weights = counted_weight(rows, self.half_life_, self.decayed_to_)
        counts = np.bincount(users.astype(np.int64) * len(EVENT_TYPES) + codes)
        if (counts >= gone.past.limit).any():
            return None
        width = len(self.items_)
        keys = users.astype(np.int64) * width + rows.items
        owners = np.repeat(np.arange(len(sizes)), np.diff(held["pair_bounds"]))
        pairs, place = np.unique(keys, return_inverse=True)
        sums = np.bincount(place, weights, minlength=len(pairs))
        whole = np.array_equal(pairs, owners * width + held["pair_items"])
        return rows if whole and np.allclose(sums, held["pair_weights"], rtol=1e-5) else None

    def user_of(self, query: Query) -> int:
        """Return the index of who asks, or -1."""
        return UNKNOWN if query.user_id is None else self.users_.index(query.user_id)

    def now_of(self, query: Query) -> int | None:
        """Return when the question is asked, else when the last event was, in milliseconds."""
        return self.end_ if query.now is None else moment_ms(query.now)

    def session_of(self, query: Query) -> Indices:
        """Return the known items of the current visit, oldest first."""
        return self._known_items(query.session)

    def taste_of(self, query: Query) -> tuple[Indices, Floats]:
        """Return what speaks for the visitor: distinct items, ascending, and their weights.

        The past that the query brings, else the one that is stored; and the current session and
        the seed items, with a view's weight each (1 where views weigh nothing). In time order they
        are only in `session_of`.
        """
        if query.history is not None:
            items, weights = self._given_history(query.history)
        else:
            items, weights = self.past_.taste(self.user_of(query))
        lately = self._known_items((*query.session, *query.page_items))
        if query.history is None and not len(lately):
            return items, weights
        view = self.event_weights_[VIEW] or np.float32(1)
        together = np.concatenate([items, lately])
        if not len(together):
            return items, weights
        order = together.argsort(kind="stable")
        ordered = together[order]
        each = np.concatenate([weights, np.full(len(lately), view)]).astype(np.float32)[order]
        starts = np.append(True, ordered[1:] != ordered[:-1]).nonzero()[0]
        return ordered[starts], np.add.reduceat(each, starts)

    def _given_history(self, history: Any) -> tuple[Indices, Floats]:
        weighted = history if isinstance(history, Mapping) else Counter(history)
        known = [(self.items_.index(item), weight) for item, weight in weighted.items()]
        counted = [(item, weight) for item, weight in known if item != UNKNOWN and weight > 0]
        items = np.array([item for item, _ in counted], dtype=np.int32)
        return items, np.array([weight for _, weight in counted], dtype=np.float32)

    def _known_items(self, ids: Iterable[Id]) -> Indices:
        known = [index for index in map(self.items_.index, ids) if index != UNKNOWN]
        return np.array(known, dtype=np.int32)
