"""What items are compared by: one short dense vector each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.base import clone

from recopersona.base.parameters import Bound, check_parameters, optional, param, whole
from recopersona.base.part import Part
from recopersona.base.recommender import Recommender, require_array
from recopersona.data.dataset import Dataset
from recopersona.data.feature_table import FeatureTable
from recopersona.data.growing import with_room
from recopersona.data.ids import IdMap
from recopersona.data.interactions import Interactions
from recopersona.data.types import Array, Floats, Indices
from recopersona.errors import DataError
from recopersona.features.attribute_blocks import unit_rows
from recopersona.features.encoder import AttributeEncoder
from recopersona.kernels.blocks import one_blas_thread


def _is_names(value: Any) -> bool:
    named = isinstance(value, (list, tuple)) and len(value) > 0
    return named and all(isinstance(name, str) for name in value)


def _is_vectors(value: Any) -> bool:
    return (
        _is_names(value)
        or isinstance(value, (Recommender, pd.DataFrame))
        or (isinstance(value, np.ndarray) and value.ndim == 2)
    )


VECTORS = Bound(
    "a list of item columns, a model with item factors, an array (n_items, d) or a dataframe "
    "indexed by item id",
    _is_vectors,
)
"""What a parameter that says how items are compared must be."""

_ROUNDS = 12  # of the power iteration: labels of like counts are told apart slowly
_SPARE = 8


class ItemVectors(Part):
    r"""Vectors of length 1 whose inner products say how alike two items are.

    What comes from attributes or from the log is wide and sparse. Above ``dimensions`` columns it
    is made short by one matrix for all rows,

    .. math:: P = \big[\, B, \; (I - B B^\top) R \,\big]

    where the columns of :math:`B` are the half of the dimensions in which rows differ most, and
    :math:`R` has one random sign in each row, the rows taking the other half of the dimensions in
    turn: common attributes keep their cosines all but exactly, rare ones on average, since few of
    them share a dimension. Up to ``dimensions`` columns nothing is lost.

    Parameters
    ----------
    vectors : list of columns, model, dataframe or array, optional
        By default all attributes that say what an item is (see `AttributeEncoder`), and where there
        are none, who interacted with it. A list names attributes; of a model its item factors are
        taken, those of a clone fitted here where it is not fitted; a frame is indexed by item id;
        row r of an array is the item of index r.
    dimensions : int, at least 2
        The most that attributes, or the log, are made into.
    random_state : int
        Of the random signs.

    Attributes
    ----------
    vectors_ : float32 (n_items, d)
        Of length 1, or zeros where nothing is known.
    encoder_ : AttributeEncoder or None
        What new and changed items are read by, if by attributes.
    projection_ : float32 (n_features, d)
        The P; without rows where nothing was made short.

    Notes
    -----
    An item that comes by `update_items` has its attributes' vector at once. Vectors that were
    learned are as of the fit: a later item is like nothing until the next.

    References
    ----------
    Halko, Martinsson & Tropp (2011), "Finding structure with randomness", algorithm 4.4;
    Weinberger et al. (2009), "Feature hashing for large scale multitask learning", for signs.

    Examples
    --------
    >>> from recopersona import Dataset
    >>> shelf = pd.DataFrame({
    ...     "item_id": ["sencha", "matcha", "salt"], "kind": ["tea", "tea", "spice"],
    ...     "brand": ["Ito", "Uji", "Maldon"]})
    >>> log = pd.DataFrame({"user_id": ["anna"], "item_id": ["salt"]})
    >>> shop = Dataset.from_frames(log, items=shelf)
    >>> known = ItemVectors().fit(shop.items, shop.item_features, shop.interactions)
    >>> rows = known.of(np.array([0, 1, 2, 77]))
    >>> (rows @ rows.T).round(2)
    array([[1. , 0.5, 0. , 0. ],
           [0.5, 1. , 0. , 0. ],
           [0. , 0. , 1. , 0. ],
           [0. , 0. , 0. , 0. ]], dtype=float32)
    """

    vectors: Any = param(optional(VECTORS), default=None)
    dimensions: int = param(whole(at_least=2), default=64)
    random_state: int = param(whole(at_least=0, at_most=2**32 - 1), default=0)

    def fit(self, items: IdMap, table: FeatureTable, interactions: Interactions) -> Self:
        """Learn the vectors of a catalogue, and forget those of another.

        Parameters
        ----------
        items : IdMap
        table : FeatureTable
            Their attributes.
        interactions : Interactions
            Who interacted with what.

        Raises
        ------
        ParameterError, DataError
            If a column is no attribute, a model has no item factors, or vectors are none.
        """
        check_parameters(self)
        self._unfit()
        self.encoder_: AttributeEncoder | None = None
        self.projection_: Floats = np.zeros((0, 0), np.float32)
        given = self.vectors
        if isinstance(given, Recommender):
            found = _factors_of(given, items, table, interactions)
        elif isinstance(given, pd.DataFrame):
            found = _rows_of_frame(given, items)
        elif isinstance(given, np.ndarray):
            if given.dtype.kind not in "fiub":
                raise DataError("ItemVectors: the array of vectors must hold real numbers only.")
            found = np.zeros((len(items), given.shape[1]))
            found[: min(len(items), len(given))] = given[: len(items)]
        else:
            found = self._short(self._wide(given, table, len(items), interactions))
        self.vectors_: Floats = of_unit_length(found)
        return self

    @property
    def are_taught(self) -> bool:
        """Whether the log taught them, alone or through a model, and no attributes."""
        given = isinstance(self.vectors, (pd.DataFrame, np.ndarray))
        return self.encoder_ is None and not given

    def of(self, items: Indices) -> Floats:
        """Return some items' vectors, float32 (n, d): of length 1, or zeros."""
        held = self.vectors_
        if not len(items) or int(items.max()) < len(held):
            return held[items]
        rows, known = np.zeros((len(items), held.shape[1]), np.float32), items < len(held)
        rows[known] = held[items[known]]
        return rows

    def describe(self, table: FeatureTable, rows: Indices, names: set[str]) -> None:
        """Take note of items of which some attributes, those named, are new or have changed."""
        if self.encoder_ is None or not len(rows) or not self.encoder_.reads(names):
            return
        items = np.unique(rows)
        fresh = of_unit_length(self._shortened(self.encoder_.transform(table, items).matrix))
        self.vectors_ = with_room(self.vectors_, int(items[-1]) + 1)
        self.vectors_[items] = fresh

    def _wide(
        self,
        columns: Sequence[str] | None,
        table: FeatureTable,
        n_items: int,
        interactions: Interactions,
    ) -> Any:
        """Return items by what they are, else by who interacted with them, as sparse rows."""
        encoder = AttributeEncoder(columns=columns)
        matrix = encoder.fit_transform(table).matrix
        if columns is not None or matrix.nnz:
            self.encoder_ = encoder
            return matrix
        n_users = int(interactions.users.max(initial=-1)) + 1
        met = interactions.to_csr((n_users, n_items)).T.tocsr()
        return unit_rows(sparse.csr_array(met))

    def _short(self, matrix: Any) -> Array:
        if matrix.shape[1] > self.dimensions:
            rng = np.random.default_rng(self.random_state)
            self.projection_ = _projection(matrix, self.dimensions, rng)
        return self._shortened(matrix)

    def _shortened(self, matrix: Any) -> Array:
        if not len(self.projection_):
            dense: Array = matrix.toarray()
            return dense
        short: Array = matrix @ self.projection_
        return short

    def _check_learned(self) -> None:
        require_array(self.vectors_, np.float32, (None, None), "vectors_")
        if not np.isfinite(self.vectors_).all():
            raise DataError("ItemVectors: vectors_ must be finite.")
        require_array(self.projection_, np.float32, (None, None), "projection_")
        encoder: Any = self.encoder_
        if encoder is None:
            return
        if not isinstance(encoder, AttributeEncoder):
            raise DataError("ItemVectors: encoder_ must be an AttributeEncoder.")
        width = self.vectors_.shape[1]
        shape = (encoder.n_features, width) if len(self.projection_) else (0, 0)
        unmade = not len(self.projection_) and width != encoder.n_features
        if self.projection_.shape != shape or unmade:
            raise DataError("ItemVectors: projection_ does not fit the attributes.")


def of_unit_length(rows: Array) -> Floats:
    """Return rows of length 1, zeros where there is nothing or what is no number."""
    wide = np.array(rows, np.float64)
    wide[~np.isfinite(wide).all(axis=1)] = 0
    most = np.abs(wide).max(axis=1, initial=0)
    wide /= np.where(most > 0, most, 1)[:, None]  # squares of tiny and huge numbers are none
    lengths = np.sqrt(np.square(wide).sum(axis=1))
    return (wide / np.where(lengths > 0, lengths, 1)[:, None]).astype(np.float32)


def _projection(matrix: Any, width: int, rng: np.random.Generator) -> Floats:
    """Return what makes rows short: half by where they differ most, half by hashing the rest."""
    n_features, half = matrix.shape[1], width // 2
    with one_blas_thread():
        basis = np.linalg.qr(rng.standard_normal((n_features, half + _SPARE)))[0]
        for turn in range(_ROUNDS):
            basis = matrix.T @ (matrix @ basis)
            if turn % 3 == 2:  # powers of a few drift together, but not so far that any is lost
                basis = np.linalg.qr(basis)[0]
        seen = matrix @ basis
        _, turned = np.linalg.eigh(seen.T @ seen)
        basis = basis @ turned[:, ::-1][:, :half]
        # What is left of the columns, the heaviest first, goes around the other half in turn:
        # each shares a dimension with as few as may be, and is exactly unlike all others.
        weights = np.asarray(matrix.multiply(matrix).sum(axis=0)).ravel()
        left = weights * np.maximum(1 - np.square(basis).sum(axis=1), 0)
        order = np.argsort(-np.round(left, 9), kind="stable")
        signs = np.zeros((n_features, width - half))
        signs[order, np.arange(n_features) % (width - half)] = rng.choice([-1.0, 1.0], n_features)
        signs -= basis @ (basis.T @ signs)
    return np.concatenate([basis, signs], axis=1).astype(np.float32)


def _factors_of(
    model: Recommender, items: IdMap, table: FeatureTable, interactions: Interactions
) -> Array:
    """Return a model's item factors, in our order of items."""
    if not model.__sklearn_is_fitted__():
        users = IdMap(np.arange(int(interactions.users.max(initial=-1)) + 1))
        shop = Dataset(interactions, users, items, FeatureTable(users), table)
        model = clone(model).fit(shop)
    factors: Any = getattr(model, "item_factors_", None)
    if not (isinstance(factors, np.ndarray) and factors.ndim == 2):
        raise DataError(
            f"ItemVectors: {type(model).__name__} has no item factors to compare items by; "
            "pass a model such as ALS(), or names of item columns."
        )
    return _at(factors, model.items_.indices(items.ids.tolist()))


def _rows_of_frame(frame: pd.DataFrame, items: IdMap) -> Array:
    indexed = frame.set_index("item_id") if "item_id" in frame else frame
    if not indexed.index.is_unique:
        raise DataError("ItemVectors: the frame of vectors names an item twice.")
    try:
        values = indexed.to_numpy(np.float64)
    except (TypeError, ValueError):
        raise DataError("ItemVectors: the frame of vectors must hold numbers only.") from None
    return _at(values, IdMap(indexed.index.tolist()).indices(items.ids.tolist()))


def _at(rows: Array, places: Array) -> Array:
    """Return some rows, zeros where there is none."""
    found = np.zeros((len(places), rows.shape[1]))
    held = (places >= 0) & (places < len(rows))
    found[held] = rows[places[held]]
    return found
