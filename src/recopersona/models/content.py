"""Items by what they are: the way into the catalogue for strangers' clicks and for new items."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
from scipy import sparse

from recopersona.base.described import Described
from recopersona.base.parameters import Bound, duration, optional, param
from recopersona.base.recommender import NO_OPINION, require_array
from recopersona.data.dataset import Dataset
from recopersona.data.event import RETURN
from recopersona.data.interactions import Interactions
from recopersona.data.query import Query
from recopersona.data.times import MISSING_TIME, duration_ms
from recopersona.data.types import Array, Floats, Id, Indices
from recopersona.errors import DataError
from recopersona.features.encoder import AttributeEncoder
from recopersona.kernels.lanes import SparseRows, transposed
from recopersona.kernels.neighbors import add_neighbors

ENCODER = Bound("an AttributeEncoder", lambda value: isinstance(value, AttributeEncoder))

_CHANGED_SHARE = 16  # of the catalogue, one in so many rows may have changed before all are sorted


class ContentKNN(Described):
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
        Read from the latest 200 events of each user.

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

    Memory: 16 bytes an entry of ``vectors_``. Time, per request: one multiplication for each pair
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

    encoder: AttributeEncoder | None = param(optional(ENCODER), default=None)
    half_life: str | timedelta | None = param(optional(duration()), default=None)

    changed_: Indices
    changed_vectors_: Any

    def _fit(self, dataset: Dataset) -> None:
        if self.half_life is not None and dataset.interactions.timestamp is None:
            raise DataError(
                "ContentKNN: half_life needs a 'timestamp' column in the events; "
                "add one or leave half_life out."
            )
        given = self.encoder or AttributeEncoder()
        # No deep copy: vectors from outside may be large, and nothing writes into them.
        self.encoder_ = AttributeEncoder(**given.get_params(deep=False))
        encoded = self.encoder_.fit_transform(self.item_features_)
        self.vectors_, self.unknown_values_ = encoded.matrix, dict(encoded.unknown)
        self._forget_changes()

    def score_items(self, query: Query, items: Indices | None = None) -> Floats:
        """Return every item's cosine with the visitor's profile, float32 (n_items,)."""
        scores: Floats = self._score_queries([query])[0]
        return scores

    def _score_queries(self, queries: Sequence[Query]) -> Floats:
        return self._cosines([self._profile(query) for query in queries])

    def _cosines(self, profiles: Sequence[tuple[Indices, Floats]]) -> Floats:
        """Return a row of scores per profile: its attributes, ascending, and their weights."""
        scores = np.full((len(profiles), len(self.items_)), NO_OPINION)
        if not len(profiles):
            return scores
        bounds = np.zeros(len(profiles) + 1, np.int64)
        np.cumsum([len(features) for features, _ in profiles], out=bounds[1:])
        features = np.concatenate([features for features, _ in profiles])
        weights = np.concatenate([weights for _, weights in profiles])
        add_neighbors(scores, *self._items_with, bounds, features, weights)
        if len(self.changed_):
            for row, profile in enumerate(profiles):
                scores[row, self.changed_] = self._changed_cosines(*profile)
        return scores

    def _changed_cosines(self, features: Indices, weights: Floats) -> Floats:
        """Score the items whose attributes are not those that items are sorted by."""
        changed = self.changed_vectors_
        profile = np.zeros(changed.shape[1], np.float32)
        profile[features] = weights
        met = profile[changed.indices]
        owner = np.repeat(np.arange(len(self.changed_)), np.diff(changed.indptr))
        n = len(self.changed_)
        scores = np.bincount(owner, met * changed.data, minlength=n).astype(np.float32)
        in_common = np.bincount(owner, met != 0, minlength=n) > 0
        return np.where(in_common, scores, NO_OPINION)

    def _profile(self, query: Query) -> tuple[Indices, Floats]:
        """Return a visitor's attributes, ascending, and their weights: a vector of length 1."""
        liked, weights = self._taste(query)
        _, features, values = self._rows(liked, weights)
        summed = np.bincount(features, values, minlength=1)
        held = np.flatnonzero(summed)
        length = np.sqrt(np.square(summed[held]).sum())
        return held.astype(np.int32), (summed[held] / (length or 1)).astype(np.float32)

    def _rows(self, items: Indices, weights: Array) -> tuple[Array, Array, Array]:
        """Return the entries of some items' vectors: which of the items, attribute, value."""
        place = np.searchsorted(self.changed_, items)
        place[place == len(self.changed_)] = 0
        changed = self.changed_[place] == items if len(self.changed_) else np.zeros(len(items), "?")
        old = ~changed & (items < self.vectors_.shape[0])
        parts = [
            (self.vectors_, items[old], np.flatnonzero(old)),
            (self.changed_vectors_, place[changed], np.flatnonzero(changed)),
        ]
        found = [(*_entries(matrix, rows), owners) for matrix, rows, owners in parts]
        owner = np.concatenate([owners[which] for which, _, _, owners in found])
        features = np.concatenate([columns for _, columns, _, _ in found])
        values = np.concatenate([data for _, _, data, _ in found])
        return owner, features, values * np.asarray(weights, np.float64)[owner]

    def _taste(self, query: Query) -> tuple[Indices, Floats]:
        if self.half_life is None or query.history is not None:
            return self.taste_of(query)
        user = self.user_of(query)
        recent, (counting, _) = self.past_.recent(user), self.past_.taste(user)
        now, half_life = self.now_of(query), duration_ms(self.half_life)
        if now is None or not len(recent.items):
            return self.taste_of(query)
        age = np.where(recent.timestamps == MISSING_TIME, 0, now - recent.timestamps)
        weights = self.event_weights_[recent.events] * np.exp2(-np.maximum(age, 0) / half_life)
        counts = (recent.events != RETURN) & np.isin(recent.items, counting)
        ids = self.items_.ids[recent.items[counts]].tolist()
        history: dict[Id, float] = {}
        for item, weight in zip(ids, weights[counts].tolist(), strict=True):
            history[item] = history.get(item, 0.0) + weight
        return self.taste_of(replace(query, history=history))

    def _similar(self, item: int) -> Floats:
        _, features, values = self._rows(np.array([item], np.int32), np.ones(1))
        order = np.argsort(features)
        row = (features[order].astype(np.int32), values[order].astype(np.float32))
        scores: Floats = self._cosines([row])[0]
        return scores

    def _explain(self, query: Query, item: int) -> list[tuple[str, Id | None, float]]:
        """Say of each attribute in common how much it adds, and from which item most of it came."""
        features, weights = self._profile(query)
        _, of_item, values = self._rows(np.array([item], np.int32), np.ones(1))
        liked, liking = self._taste(query)
        owner, columns, parts = self._rows(liked, liking)
        names, rows = self.encoder_.names, []
        for feature, value in zip(of_item.tolist(), values.tolist(), strict=True):
            place = int(np.searchsorted(features, feature))
            if place < len(features) and features[place] == feature:
                sources = np.flatnonzero(columns == feature)
                source = owner[sources[np.argmax(np.abs(parts[sources]))]]
                evidence = self.items_.ids[liked[source]]
                rows.append((names[feature], evidence, float(weights[place]) * value))
        return rows

    # -- what changes ------------------------------------------------------------------------

    def _learn(self, rows: Interactions) -> None:
        """What is new is already in the past that tastes are read from."""

    def _items_described(self, rows: Indices) -> None:
        items = np.unique(rows)
        encoded = self.encoder_.transform(self.item_features_, items)
        for name, count in encoded.unknown.items():
            self.unknown_values_[name] = self.unknown_values_.get(name, 0) + count
        kept = ~np.isin(self.changed_, items)
        changed = np.concatenate([self.changed_[kept], items]).astype(np.int32)
        vectors: Any = sparse.vstack([self.changed_vectors_[kept], encoded.matrix], format="csr")
        order = np.argsort(changed)
        self.changed_, self.changed_vectors_ = changed[order], sparse.csr_array(vectors[order])
        if len(self.changed_) * _CHANGED_SHARE > max(len(self.items_), 1_000):
            self._sort_anew()

    def _sort_anew(self) -> None:
        """Put what has changed among the rest."""
        n_rows = max(self.vectors_.shape[0], int(self.changed_[-1]) + 1)
        items = np.arange(n_rows)
        owner, features, values = self._rows(items, np.ones(n_rows))
        shape = (n_rows, self.vectors_.shape[1])
        vectors = sparse.csr_array((values.astype(np.float32), (owner, features)), shape=shape)
        vectors.sort_indices()
        self.vectors_ = vectors
        self._forget_changes()
        self._prepare()

    def _forget_changes(self) -> None:
        self.changed_ = np.empty(0, np.int32)
        self.changed_vectors_ = sparse.csr_array((0, self.vectors_.shape[1]), dtype=np.float32)

    def _prepare(self) -> None:
        """Sort items by attribute, so that a request reads only those of the visitor's."""
        self._items_with = SparseRows.of(transposed(self.vectors_))

    def _check_learned(self) -> None:
        super()._check_learned()
        if not isinstance(self.encoder_, AttributeEncoder):
            raise DataError("ContentKNN: encoder_ must be an AttributeEncoder.")
        width, n_items = self.encoder_.n_features, len(self.items_)
        require_array(self.changed_, np.int32, (None,), "changed_")
        _require_vectors(self.vectors_, width, "vectors_")
        _require_vectors(self.changed_vectors_, width, "changed_vectors_")
        changed = self.changed_
        right = (
            self.vectors_.shape[0] <= n_items
            and self.changed_vectors_.shape[0] == len(changed)
            and (np.diff(changed) > 0).all()
            and (not len(changed) or 0 <= changed[0] <= changed[-1] < n_items)
            and isinstance(self.unknown_values_, dict)
        )
        if not right:
            raise DataError("ContentKNN: the vectors do not fit the catalogue.")


def _entries(matrix: Any, rows: Array) -> tuple[Array, Array, Array]:
    """Return the entries of some rows: which of the rows, column, value."""
    first, sizes = matrix.indptr[rows], np.diff(matrix.indptr)[rows]
    owner = np.repeat(np.arange(len(rows)), sizes)
    place = np.repeat(first - (np.cumsum(sizes) - sizes), sizes) + np.arange(len(owner))
    return owner, matrix.indices[place], matrix.data[place]


def _require_vectors(matrix: Any, width: int, name: str) -> None:
    fits = isinstance(matrix, sparse.csr_array) and matrix.dtype == np.float32
    if not fits or matrix.shape[1] != width:
        raise DataError(f"ContentKNN: {name} must be a float32 csr_array of {width} columns.")
