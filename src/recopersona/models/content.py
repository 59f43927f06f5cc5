"""Items by what they are: the way into the catalogue for strangers' clicks and for new items."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import numpy as np

from recopersona.base.parameters import duration, optional, param
from recopersona.base.searching import choice
from recopersona.data.dataset import Dataset
from recopersona.data.event import RETURN
from recopersona.data.query import Query
from recopersona.data.times import MISSING_TIME, duration_ms
from recopersona.data.types import Floats, Id, Indices
from recopersona.errors import DataError
from recopersona.models.attribute_vectors import AttributeVectors


class ContentKNN(AttributeVectors):
    r"""Score an item by how its attributes suit the attributes of what the visitor chose.

    Items are vectors :math:`x_i` of length 1 (`AttributeEncoder`); a visitor is the mix of what she
    touched, by the weights of events, and of length 1 as well:

    .. math:: p_u = \frac{\sum_{i \in u} w_{ui} x_i}{\|\sum_{i \in u} w_{ui} x_i\|}, \qquad
              s_{uj} = \langle p_u, x_j \rangle

    So a score is a cosine. Nothing is said of an item that has no attribute in common with the
    visitor, or none at all: such places are filled by popularity.

    Parameters
    ----------
    encoder : AttributeEncoder, optional
        By default one with its own defaults. It stays unfitted.
    half_life : duration, optional
        Such as ``"30d"``: how fast what was touched counts less, in place of the dataset's own.
        Read from the latest 200 events of each kind of each user.

    Attributes
    ----------
    encoder_ : AttributeEncoder
        As fitted.
    vectors_ : float32 csr_array (n_described, n_features)
        Items' vectors, as they were when all were last sorted by attribute.
    changed_ : int32 (n_changed,)
        Items whose attributes came or changed since, ascending.
    changed_vectors_ : float32 csr_array (n_changed, n_features)
        Their vectors now.
    unknown_values_ : dict from attribute to int
        Values that came by `update_items` but were not there in ``fit``: left out until the next.

    Notes
    -----
    New items, and new attributes of old ones, count from the next query, without a fit and without
    an event. New values, tags and words become columns by the next ``fit``.

    Memory: 16 bytes an entry of ``vectors_``, and 4 bytes an item for each attribute that most of
    them have. Time, per request: one multiplication for each pair
    of a visitor's attribute and an item that has it, at most one an entry.

    References
    ----------
    Lops, de Gemmis & Semeraro (2011), "Content-based recommender systems: state of the art and
    trends", section 3.3.1; Pazzani & Billsus (2007), "Content-based recommendation systems",
    section 10.3.3 (Rocchio's profile).

    Examples
    --------
    >>> import pandas as pd
    >>> shelf = pd.DataFrame({
    ...     "item_id": ["sencha", "matcha", "salt"],
    ...     "brand": ["Ito", "Ito", "Maldon"],
    ...     "kind": ["tea", "tea", "spice"],
    ... })
    >>> events = pd.DataFrame({"user_id": ["anna", "ben"], "item_id": ["sencha", "salt"]})
    >>> model = ContentKNN().fit(Dataset.from_frames(events, items=shelf))
    >>> model.recommend("anna", n=1).item_ids
    ['matcha']
    >>> model.explain("anna", "matcha").round(2)
       component evidence  contribution
    0  brand=Ito   sencha           0.5
    1   kind=tea   sencha           0.5
    >>> hojicha = pd.DataFrame({"item_id": ["hojicha"], "kind": ["tea"]})
    >>> model.update_items(hojicha).similar_items("matcha").item_ids
    ['sencha', 'hojicha', 'salt']
    """

    half_life: str | timedelta | None = param(
        optional(duration()), default=None, search=choice(None, "7d", "30d", "90d", "365d")
    )

    _taught_by_all = ()

    def _fit(self, dataset: Dataset) -> None:
        if self.half_life is not None and dataset.interactions.timestamp is None:
            raise DataError(
                "ContentKNN: half_life needs a 'timestamp' column in the events; "
                "add one or leave half_life out."
            )
        self._describe()

    def score_items(self, query: Query, items: Indices | None = None) -> Floats:
        """Return every item's cosine with the visitor's profile, float32 (n_items,)."""
        scores: Floats = self._score_queries([query])[0]
        return scores

    def _score_queries(self, queries: Sequence[Query]) -> Floats:
        return self._cosines([self._profile(query) for query in queries])

    def _profile(self, query: Query) -> tuple[Indices, Floats]:
        """Return a visitor's attributes, ascending, and their weights: a vector of length 1."""
        liked, weights = self._taste(query)
        _, features, values = self._rows(liked, weights)
        summed = np.bincount(features, values, minlength=1)
        held = np.flatnonzero(summed)
        length = np.sqrt(np.square(summed[held]).sum())
        return held.astype(np.int32), (summed[held] / (length or 1)).astype(np.float32)

    def _taste(self, query: Query) -> tuple[Indices, Floats]:
        if self.half_life is None or query.history is not None:
            return self.taste_of(query)
        user = self.user_of(query)
        recent, (counting, _) = self.past_.recent(user), self.past_.taste(user)
        now, half_life = self.now_of(query), duration_ms(self.half_life)
        if now is None or not len(recent.items):
            return self.taste_of(query)
        age = np.where(recent.timestamps == MISSING_TIME, 0, now - recent.timestamps)
        age = np.maximum(age, 0)
        if not (query.session or query.page_items):
            age -= age.min()  # of a past alone only ratios count, and 2 ** -2000 is nothing
        weights = self.event_weights_[recent.events] * np.exp2(-age / half_life)
        counts = (recent.events != RETURN) & np.isin(recent.items, counting)
        ids = self.items_.ids[recent.items[counts]].tolist()
        history: dict[Id, float] = {}
        for item, weight in zip(ids, weights[counts].tolist(), strict=True):
            history[item] = history.get(item, 0.0) + weight
        return self.taste_of(replace(query, history=history))

    def _explain(self, query: Query, item: int) -> list[tuple[str, Id | None, float]]:
        """Say of each attribute in common how much it adds, and from which item most of it came."""
        features, weights = self._profile(query)
        _, of_item, values = self._rows(np.array([item], np.int32), np.ones(1))
        liked, liking = self._taste(query)
        owner, columns, parts = self._rows(liked, liking)
        heaviest_first = np.lexsort((-np.abs(parts), columns))
        distinct, first = np.unique(columns[heaviest_first], return_index=True)
        ids = self.items_.ids[liked[owner[heaviest_first[first]]]].tolist()
        evidence = dict(zip(distinct.tolist(), ids, strict=True))
        weight = dict(zip(features.tolist(), weights.tolist(), strict=True))
        names = self.encoder_.names
        return [
            (names[feature], evidence[feature], weight[feature] * value)
            for feature, value in zip(of_item.tolist(), values.tolist(), strict=True)
            if feature in weight
        ]
