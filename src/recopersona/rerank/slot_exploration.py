"""New items get a place now and then, and how likely that was is written down."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np

from recopersona.base.draws import key_of, uniforms
from recopersona.base.parameters import duration, param, real, whole
from recopersona.data.query import Query
from recopersona.data.ranking import Ranking
from recopersona.data.times import MISSING_TIME, duration_ms
from recopersona.data.types import Indices, Mask, Values
from recopersona.kernels.exploring import explore_places
from recopersona.rerank.item_records import Recording
from recopersona.rerank.scaling import scaled

EXPLORED = "SlotExploration"
"""The source of items that are at their place by chance."""


class SlotExploration(Recording):
    r"""Let every place toss its own coin for a new item.

    With probability ``rate`` a place goes to one of the new candidates that have no place yet, else
    to the best candidate that has none. Of the new ones, j is drawn with

    .. math:: P(j) = (1 - weight) \frac{\hat r_j}{\sum_l \hat r_l}
              + weight \frac{d_j}{\sum_l d_l}, \qquad d_j = \frac{1}{\sqrt{1 + n_j}}

    where :math:`\hat r` is the scaled relevance and :math:`n_j` the weight of the item's events:
    the less is known of it, the more there is to learn. All other items keep their order.

    ``ranking.slot_propensities`` says of each place how likely it came to its item, given the
    places before it, exactly; their product is the probability of the list. Scores stay with their
    places. What chance put before others has the source ``SlotExploration``.

    Draws are keyed by (``random_state``, decision id, place): the same decision, the same list, and
    what one place draws tells nothing of the next. A query without a decision id explores nothing.

    Parameters
    ----------
    weight : float, from 0 to 1
        Of how little is known, when it is drawn which item. At 0, a new candidate without any
        relevance is never drawn while others have some.
    rate : float, from 0 to 1
        How often a place explores.
    item_age_cutoff : duration
        Up to what age an item is new: since its ``created_at``, else since its first event, else
        since it came by `update_items`. An item without any of those is new while it has no event.
    top : int, at least 1
        How many places toss a coin.
    random_state : int
        Of the draws.

    Attributes
    ----------
    records_ : ItemRecords

    Notes
    -----
    Where rules then pin, cap or leave out items, the propensities are those of the order before
    them. A `Pipeline` remembers them with its decisions.

    Examples
    --------
    >>> import pandas as pd
    >>> import recopersona as rp
    >>> shelf = pd.DataFrame({"item_id": ["salt", "oil", "rice", "matcha", "sencha"],
    ...                       "created_at": ["2025-01-01"] * 3 + ["2026-01-10"] * 2})
    >>> log = pd.DataFrame({"user_id": ["anna", "ben"], "item_id": ["salt", "oil"],
    ...                     "timestamp": "2026-01-12"})
    >>> shop = rp.Dataset.from_frames(log, items=shelf)
    >>> ranking = rp.Ranking.of([0, 1, 2, 3, 4], [5, 4, 3, 2, 1], shop.items, "a model")
    >>> stage = SlotExploration(rate=0.25, weight=1.0).fit(shop)
    >>> page = stage(rp.Query("cleo", decision_id="visit 6"), ranking)
    >>> page.item_ids
    ['matcha', 'salt', 'oil', 'rice', 'sencha']
    >>> page.slot_propensities.tolist(), page.sources[:2]
    ([0.125, 0.75, 0.75, 0.75, 1.0], ['SlotExploration', 'a model'])
    """

    weight: float = param(real(at_least=0, at_most=1), default=0.3)
    rate: float = param(real(at_least=0, at_most=1), default=0.1)
    item_age_cutoff: str | timedelta = param(duration(), default="30d")
    top: int = param(whole(at_least=1), default=50)
    random_state: int = param(whole(at_least=0, at_most=2**32 - 1), default=0)

    def _rerank(self, query: Query, ranking: Ranking) -> Ranking:
        if query.decision_id is None:
            return ranking
        n = min(self.top, len(ranking))
        new = self.are_new(query, ranking.items)
        doubt = np.where(new, 1 / np.sqrt(1 + self.records_.weight_of(ranking.items)), 0.0)
        key = key_of(self.random_state, "slots", query.decision_id)
        coins, draws = uniforms(key, np.arange(2 * n)).reshape(2, n)
        chosen, propensities = np.empty(n, np.int32), np.empty(n)
        explored = np.empty(n, np.bool_)
        explore_places(
            chosen, propensities, explored, scaled(ranking.scores), doubt, coins, draws,
            float(self.rate), float(self.weight),
        )  # fmt: skip
        return _placed(ranking, chosen, propensities, explored)

    def are_new(self, query: Query, items: Indices) -> Mask:
        """Tell which items are new at a request."""
        since = self.records_.since(items, self.item_features_)
        undated = since == MISSING_TIME
        new: Mask = undated & (self.records_.weight_of(items) == 0)
        now = self.now_of(query)
        if now is not None:
            new |= ~undated & (since >= now - duration_ms(self.item_age_cutoff))
        return new


def _placed(ranking: Ranking, chosen: Indices, propensities: Values, explored: Mask) -> Ranking:
    """Return the ranking in its new order: places keep their scores, and tell their chances."""
    left = np.ones(len(ranking), np.bool_)
    left[chosen] = False
    order = np.concatenate([chosen, np.flatnonzero(left)])
    told = np.full(len(ranking), np.nan)
    told[: len(chosen)] = propensities
    if explored.any():
        none = np.empty(0, np.int32)
        ranking = ranking.followed_by(none, np.empty(0, np.float32), EXPLORED)
        source = ranking.source.copy()
        source[chosen[explored]] = ranking.source_names.index(EXPLORED)
        ranking = replace(ranking, source=source)
    return replace(ranking.take(order), scores=ranking.scores, slot_propensities=told)
