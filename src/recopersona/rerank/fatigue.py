"""Let rest what a visitor has just been shown, looked at or bought."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

import numpy as np

from recopersona.base.parameters import duration, mapping, optional, param
from recopersona.base.recommender import require_array
from recopersona.data.dataset import Dataset
from recopersona.data.event import EVENT_CODES, EVENT_TYPES, event_weight_table
from recopersona.data.ids import UNKNOWN
from recopersona.data.query import Query
from recopersona.data.ranking import Ranking
from recopersona.data.times import MISSING_TIME, duration_ms
from recopersona.data.types import Floats, Indices, Values
from recopersona.rerank.reranker import Reranker

FATIGUE = "fatigue"
"""What `Ranking.explain` calls what was taken off."""

TIRING: Mapping[str, float] = {"impression": 0.1, "view": 1.5, "click": 1.5, "purchase": 3.0}


class Fatigue(Reranker):
    r"""Move down what the visitor was shown, looked at or bought lately; with time it comes back.

    .. math:: s'_i = s_{min} + (s_i - s_{min}) \cdot e^{-f_i}, \qquad
        f_i = \sum_{(u, i, t)} w_{kind} \cdot 2^{-(now - t) / half\_life}

    over the visitor's own recent events with the candidate; :math:`s_{min}` is the lowest score of
    the candidates. Who was shown an item time and again, and never took it, is shown others; and
    what she has seen need not be barred for good. So ask with ``seen="keep"``, or name the kinds
    of events that bar for ever: ``seen=["purchase"]``.

    Impressions are events like others: tell them to ``partial_fit``, and give them the weight 0 in
    ``event_weights``, so that they teach nothing but that they happened.

    Parameters
    ----------
    event_weights : mapping from event type to weight, optional
        How tired one event makes, by default impression 0.1, view and click 1.5, purchase 3; kinds
        that are not named make nobody tired. After an amount of 0.7 an item is worth half.
    half_life : duration
        After so long half is forgotten.

    Notes
    -----
    It reads the `History`: per user the last 200 events of each kind. Where the question has no
    time and the log has none, nothing is tiring. As the ``ranker`` or the ``reranker`` of a
    `Pipeline` it reads the pipeline's own past.

    References
    ----------
    Lee, Lakshmanan, Tiwari & Shah (2014), "Modeling impression discounting in large-scale
    recommender systems".

    Examples
    --------
    >>> from recopersona import Event, Popularity
    >>> log = [
    ...     Event("ben", "tea", "view", "2026-01-01"), Event("cleo", "tea", "view", "2026-01-01"),
    ...     Event("ben", "salt", "view", "2026-01-01"), Event("anna", "tea", "view", "2026-01-02"),
    ...     Event("ben", "rice", "view", "2026-01-01"), Event("cleo", "salt", "view", "2026-01-01"),
    ... ]
    >>> ranking = Popularity().fit(log).recommend("anna", seen="keep")
    >>> ranking.item_ids
    ['tea', 'salt', 'rice']
    >>> rested = Fatigue(half_life="10d").fit(log)
    >>> rested(Query("anna", now="2026-01-03"), ranking).item_ids
    ['salt', 'tea', 'rice']
    >>> rested(Query("anna", now="2026-03-01"), ranking).item_ids
    ['tea', 'salt', 'rice']
    """

    event_weights: Mapping[str, float] | None = param(
        optional(mapping("from event type to weight")), default=None
    )
    half_life: str | timedelta = param(duration(), default="10d")

    def _fit(self, dataset: Dataset) -> None:
        given = TIRING if self.event_weights is None else self.event_weights
        named = np.isin(np.arange(len(EVENT_TYPES)), [EVENT_CODES[kind] for kind in given])
        self.tiring_ = np.where(named, event_weight_table(given), np.float32(0))

    def _rerank(self, query: Query, ranking: Ranking) -> Ranking:
        tired = self.tiredness(query, ranking.items)
        if not tired.any():
            return ranking
        low = ranking.scores.min()
        taken_off = (ranking.scores - low) * np.expm1(-tired).astype(np.float32)
        return _with_part(ranking, taken_off).rescored(ranking.scores + taken_off)

    def tiredness(self, query: Query, items: Indices) -> Values:
        """Return how tired the visitor is of some items, float64 (n,).

        items  int32 (n,), indices
        """
        tired = np.zeros(len(items))
        user, now = self.user_of(query), self.now_of(query)
        if user == UNKNOWN or now is None:
            return tired
        recent = self.past_.recent(user)
        amounts = self.tiring_[recent.events]
        counts = (amounts > 0) & (recent.timestamps != MISSING_TIME)
        if not counts.any():
            return tired
        age = np.maximum(now - recent.timestamps[counts], 0)
        amounts = amounts[counts] * np.exp2(-age / duration_ms(self.half_life))
        known, place = np.unique(recent.items[counts], return_inverse=True)
        totals = np.bincount(place, amounts)
        where = np.minimum(np.searchsorted(known, items), len(known) - 1)
        return np.where(known[where] == items, totals[where], 0.0)

    def _check_learned(self) -> None:
        super()._check_learned()
        require_array(self.tiring_, np.float32, (len(EVENT_TYPES),), "tiring_")


def _with_part(ranking: Ranking, taken_off: Floats) -> Ranking:
    """Write down what was taken off each score, beside what the models said."""
    if ranking.parts is None:
        return ranking
    column = np.where(taken_off != 0, taken_off, np.float32(np.nan))[:, None]
    parts = np.concatenate([ranking.parts, column], axis=1)
    return replace(ranking, parts=parts, source_names=(*ranking.source_names, FATIGUE))
