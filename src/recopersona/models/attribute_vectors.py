"""Items as vectors of their attributes, sorted by attribute, and kept up to date online."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import sparse

from recopersona.base.described import Described
from recopersona.base.parameters import param
from recopersona.base.recommender import NO_OPINION, require_array
from recopersona.data.interactions import Interactions
from recopersona.data.types import Array, Floats, Indices
from recopersona.errors import DataError
from recopersona.features.encoder import ENCODER, AttributeEncoder
from recopersona.kernels.lanes import SparseRows, transposed
from recopersona.kernels.neighbors import add_postings

_CHANGED_SHARE = 16  # of the catalogue, one in so many rows may have changed before all are sorted
_FEW_CHANGED = 64
_MOST_LINES = 16


class AttributeVectors(Described):
    """A model that compares items by their attributes.

    A subclass calls ``_describe()`` in its ``_fit`` and asks ``_cosines``.

    Parameters
    ----------
    encoder : AttributeEncoder, optional
        By default one with its own defaults. It stays unfitted.

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
    """

    encoder: AttributeEncoder | None = param(ENCODER, default=None)

    def _describe(self) -> None:
        """Learn how to encode the items, and encode them."""
        given = self.encoder or AttributeEncoder()
        # No deep copy: vectors from outside may be large, and nothing writes into them.
        self.encoder_ = AttributeEncoder(**given.get_params(deep=False))
        encoded = self.encoder_.fit_transform(self.item_features_)
        self.vectors_, self.unknown_values_ = encoded.matrix, dict(encoded.unknown)
        self._keep_changes(*self._no_changes())

    def _cosines(self, profiles: Sequence[tuple[Indices, Floats]]) -> Floats:
        """Return a row of scores per profile: its attributes, ascending, and their weights."""
        scores = np.full((len(profiles), len(self.items_)), NO_OPINION)
        if not len(profiles):
            return scores
        bounds = np.zeros(len(profiles) + 1, np.int64)
        np.cumsum([len(features) for features, _ in profiles], out=bounds[1:])
        features = np.concatenate([features for features, _ in profiles])
        weights = np.concatenate([weights for _, weights in profiles])
        add_postings(scores, *self._lines, *self._items_with, bounds, features, weights)
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

    def _vector(self, item: int) -> tuple[Indices, Floats]:
        """Return an item's attributes, ascending, and their weights."""
        _, features, values = self._rows(np.array([item], np.int32), np.ones(1))
        order = np.argsort(features)
        return features[order].astype(np.int32), values[order].astype(np.float32)

    def _similar(self, item: int) -> Floats:
        scores: Floats = self._cosines([self._vector(item)])[0]
        return scores

    def _learn(self, rows: Interactions) -> None:
        """What is new is already in the past that tastes are read from."""

    def _items_described(self, rows: Indices, names: set[str]) -> None:
        if not self.encoder_.reads(names):
            return  # a shop tells its stock all day
        items = np.unique(rows)
        encoded = self.encoder_.transform(self.item_features_, items)
        for name, count in encoded.unknown.items():
            self.unknown_values_[name] = self.unknown_values_.get(name, 0) + count
        kept = ~np.isin(self.changed_, items)
        changed = np.concatenate([self.changed_[kept], items]).astype(np.int32)
        vectors: Any = sparse.vstack([self.changed_vectors_[kept], encoded.matrix], format="csr")
        order = np.argsort(changed)
        self._keep_changes(changed[order], sparse.csr_array(vectors[order]))
        if len(self.changed_) * _CHANGED_SHARE > max(
            len(self.items_), _CHANGED_SHARE * _FEW_CHANGED
        ):
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
        self._keep_changes(*self._no_changes())
        self._prepare()

    def _no_changes(self) -> tuple[Indices, Any]:
        width = self.vectors_.shape[1]
        return np.empty(0, np.int32), sparse.csr_array((0, width), dtype=np.float32)

    def _keep_changes(self, changed: Indices, vectors: Any) -> None:
        self.changed_: Indices = changed
        self.changed_vectors_: Any = vectors

    def _prepare(self) -> None:
        """Sort items by attribute, so that a request reads only those of the visitor's."""
        rows = self._items_with = SparseRows.of(transposed(self.vectors_))
        self._lines = _lines_of(rows, self.vectors_.shape[0])

    def _check_learned(self) -> None:
        super()._check_learned()
        if not isinstance(self.encoder_, AttributeEncoder):
            raise DataError(f"{type(self).__name__}: encoder_ must be an AttributeEncoder.")
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
            raise DataError(f"{type(self).__name__}: the vectors do not fit the catalogue.")


def _entries(matrix: Any, rows: Array) -> tuple[Array, Array, Array]:
    """Return the entries of some rows: which of the rows, column, value."""
    first, sizes = matrix.indptr[rows], np.diff(matrix.indptr)[rows]
    owner = np.repeat(np.arange(len(rows)), sizes)
    place = np.repeat(first - (np.cumsum(sizes) - sizes), sizes) + np.arange(len(owner))
    return owner, matrix.indices[place], matrix.data[place]


def _require_vectors(matrix: Any, width: int, name: str) -> None:
    fits = isinstance(matrix, sparse.csr_array) and matrix.dtype == np.float32
    if not fits or matrix.shape[1] != width:
        raise DataError(f"{name} must be a float32 csr_array of {width} columns.")


def _lines_of(rows: SparseRows, n_items: int) -> tuple[Floats, Indices]:
    """Return the attributes that half of all items have as lines over all, and whose they are."""
    sizes = np.diff(rows.bounds)
    often = np.flatnonzero(2 * sizes > n_items)[:_MOST_LINES]
    lines = np.full((len(often), n_items), np.nan, np.float32)
    line_of = np.full(len(sizes), -1, np.int32)
    for line, attribute in enumerate(often.tolist()):
        held = slice(rows.bounds[attribute], rows.bounds[attribute + 1])
        lines[line, rows.columns[held]] = rows.values[held]
        line_of[attribute] = line
    return lines, line_of
