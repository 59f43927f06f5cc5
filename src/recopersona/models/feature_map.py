"""From attributes to vectors: what rows have in common with all that share a feature."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import copy
from typing import Any, Self

import numpy as np
import pandas as pd
from scipy import sparse

from recopersona.base.parameters import param, real
from recopersona.base.part import Part
from recopersona.base.recommender import require_array
from recopersona.data.feature_table import COLUMN_KINDS, FeatureTable
from recopersona.data.growing import with_room
from recopersona.data.ids import IdMap
from recopersona.data.types import Array, Floats, Indices
from recopersona.errors import DataError, RecopersonaError
from recopersona.features.attribute_blocks import unit_rows
from recopersona.features.encoder import AttributeEncoder
from recopersona.kernels.blocks import cut_evenly, run_blocks
from recopersona.kernels.embeddings import sum_embeddings, teach_embeddings
from recopersona.kernels.lanes import SparseRows, transposed

_BLOCKS = 16
_EVERYBODY = 1e-3  # of reg for the constant feature: what all have in common is hardly shrunk
_MOST_KEPT = 4_096  # values of strangers' attributes, as they were read: most come again
_NOTHING: tuple[Indices, Floats] = (np.empty(0, np.int32), np.empty(0, np.float32))
_ENOUGH = 1e-5  # of the residual there was, where conjugate gradients stop


class FeatureMap(Part):
    r"""A vector for each row of attributes: the sum of its features' embeddings.

    .. math:: p_i = \sum_f a_{if} E_f, \qquad
              E = \arg\min \sum_i w_i \|y_i - p_i\|^2 + \sum_f \lambda_f \|E_f\|^2

    The first feature is everybody's, so that a row of which nothing is known has the mean vector.
    All others are those of an `AttributeEncoder`.

    Parameters
    ----------
    reg : float, above 0
        The lambda; a thousandth for everybody's feature.

    Attributes
    ----------
    encoder_ : AttributeEncoder
    shares_ : float32 csr_array (n_rows, n_features)
        The a. Rows beyond it have everybody's feature alone.
    embeddings_ : float32 (n_features, width)
    evidence_ : float32 (n_features,)
        The diagonal of the system solved, which grows online.
    """

    reg: float = param(real(above=0), default=1.0)

    def begin(self, encoder: AttributeEncoder | None, table: FeatureTable, width: int) -> Self:
        """Learn what features there are, and know nothing yet of what they mean."""
        own = AttributeEncoder() if encoder is None else encoder
        self._kept: dict[Any, tuple[Indices, Floats]] = {}
        self.encoder_ = AttributeEncoder(**own.get_params(deep=False)).fit(table)
        self.shares_ = self._encoded(table, None)
        self.embeddings_ = np.zeros((self.shares_.shape[1], width), np.float32)
        self.evidence_ = np.zeros(len(self.embeddings_), np.float32)
        return self

    def learn(self, targets: Floats, weights: Floats, steps: int) -> None:
        """Move the embeddings towards the minimum by some steps of conjugate gradients.

        They go on from where they stand. Each column of the targets is a problem of its own; the
        diagonal of the system, which is common to all, conditions them.

        targets  (n_rows, width) float32
        weights  (n_rows,) float32
        """
        n = len(targets)
        shares = self.shares_ if self.shares_.shape[0] == n else self._shares_of(np.arange(n))
        there, back = _Product(shares), _Product(transposed(shares))
        reg = self._reg_of(len(self.embeddings_))[:, None].astype(np.float64)
        force = weights[:, None].astype(np.float32)
        squares = shares.copy()
        squares.data = np.square(shares.data)
        self.evidence_ = np.asarray(squares.T @ weights, dtype=np.float32)
        diagonal = self.evidence_[:, None] + reg
        solution = self.embeddings_.astype(np.float64)
        residual = back(force * (targets - there(self.embeddings_))) - reg * solution
        scale = np.maximum(np.sqrt(_dots(residual, residual / diagonal)), 1e-30)
        prepared = residual / diagonal
        direction, error = prepared.copy(), _dots(residual, prepared)
        for _ in range(steps):
            if (np.sqrt(error) <= _ENOUGH * scale).all():
                break
            image = back(force * there(direction.astype(np.float32))) + reg * direction
            step = error / np.maximum(_dots(direction, image), 1e-300)
            solution += step * direction
            residual -= step * image
            prepared = residual / diagonal
            smaller = _dots(residual, prepared)
            direction = prepared + (smaller / np.maximum(error, 1e-300)) * direction
            error = smaller
        self.embeddings_ = solution.astype(np.float32)

    def vectors(self, rows: Array | None = None) -> Floats:
        """Return the vectors of all rows, or of some, float32 (n, width)."""
        return _Product(self.shares_ if rows is None else self._shares_of(rows))(self.embeddings_)

    def vector_of(self, row: int) -> Floats:
        """Return the vector of one row; of -1, what is expected of anybody."""
        expected: Floats = self.embeddings_[0] if row < 0 else self.vectors(np.array([row]))[0]
        return expected

    def vector(self, attributes: Mapping[str, Any]) -> Floats:
        """Return the vector of somebody of whom this is known, float32 (width,)."""
        vector: Floats = _Product(self.shares(attributes))(self.embeddings_)[0]
        return vector

    def expected(self, row: int, table: FeatureTable, told: Mapping[str, Any]) -> Floats:
        """Return what is expected of a row of the table, or of -1, of whom this is told besides."""
        if not any(name in told for name in self.encoder_.blocks_):
            return self.vector_of(row)
        known = {} if row < 0 else table.row(row)
        expected = self.vector({**known, **told})
        if row < 0:
            return expected
        # A row has vectors from outside, too; what is told moves it by what it changes of the rest.
        moved: Floats = self.vector_of(row) + (expected - self.vector(known))
        return moved

    def shares(self, attributes: Mapping[str, Any]) -> sparse.csr_array:
        """Return the features of somebody of whom this is known, one row.

        What cannot be read as the attribute it is called is unknown, as what is missing.
        """
        weights, places, values = [], [np.zeros(1, np.int32)], [np.ones(1, np.float32)]
        for name in self.encoder_.blocks_:
            features, shares = (
                self._told(name, attributes[name]) if name in attributes else _NOTHING
            )
            if len(features):
                weights.append(float((self.encoder_.weights or {}).get(name, 1.0)))
                places.append(features)
                values.append(np.float32(np.sqrt(weights[-1])) * shares)
        for known in values[1:]:
            known /= np.float32(np.sqrt(sum(weights)))
        columns, data = np.concatenate(places), np.concatenate(values)
        return sparse.csr_array((data, columns, [0, len(data)]), shape=(1, self._width))

    def _told(self, name: str, value: Any) -> tuple[Indices, Floats]:
        """Return what one attribute alone says: features, and shares of length 1."""
        kept = self._kept = getattr(self, "_kept", {})
        try:
            known = kept.get((name, value))
        except TypeError:  # lists and the like: read each time
            return self._read(name, value)
        if known is None:
            if len(kept) >= _MOST_KEPT:
                kept.clear()
            known = kept[name, value] = self._read(name, value)
        return known

    def _read(self, name: str, value: Any) -> tuple[Indices, Floats]:
        kind = COLUMN_KINDS.get(self.encoder_.blocks_[name].kind)
        if kind is None:
            return _NOTHING  # vectors from outside are of rows, and this is none
        try:
            column = kind.read(pd.Series([value], dtype=object).infer_objects(), name)
        except (RecopersonaError, TypeError, ValueError):
            return _NOTHING
        table = FeatureTable(IdMap(["somebody"]), {name: column})
        told = unit_rows(self.encoder_.blocks_[name].encode(table, np.arange(1))[0])
        told.sort_indices()
        first = 1 + self.encoder_.slices[name].start
        return (told.indices + first).astype(np.int32), told.data

    def describe(self, table: FeatureTable, rows: Array) -> None:
        """Read some rows of attributes anew."""
        rows = np.unique(rows)
        n = max(self.shares_.shape[0], int(rows.max(initial=-1)) + 1)
        fresh = self._encoded(table, rows)
        self.shares_ = _with_rows(self._shares_of(np.arange(n)), rows, fresh)

    def teach(self, rows: Array, targets: Floats, weights: Floats) -> None:
        """Let some rows pull the embeddings towards their targets, one after the other."""
        self.embeddings_ = with_room(self.embeddings_, len(self.embeddings_))
        self.evidence_ = with_room(self.evidence_, len(self.evidence_))
        shares = self._shares_of(rows)
        teach_embeddings(
            self.embeddings_, self.evidence_, *SparseRows.of(shares),
            np.arange(len(rows), dtype=np.int32), weights.astype(np.float32),
            np.ascontiguousarray(targets, np.float32), self._reg_of(len(self.embeddings_)),
        )  # fmt: skip

    def forget(self, rows: Array) -> None:
        """Leave some rows everybody's feature alone."""
        self._kept = {}
        rows = np.unique(rows[rows < self.shares_.shape[0]])
        if len(rows):
            self.shares_ = _with_rows(self.shares_, rows, _everybodys(len(rows), self._width))

    def held_of(self, row: int) -> dict[str, float]:
        """Return the features of one row by name, and their shares."""
        return {name or "everybody": share for name, _, share in self.named(self.shares_of(row))}

    def taken(self, rows: Array) -> FeatureMap:
        """Return the same map for some of the rows."""
        other = copy(self)
        other.shares_ = self._shares_of(rows)
        return other

    def without(self, block: slice) -> FeatureMap:
        """Return the same map, but that the features of a block mean nothing."""
        other = copy(self)
        other.embeddings_ = self.embeddings_.copy()
        other.embeddings_[1 + block.start : 1 + block.stop] = 0
        return other

    def named(self, shares: sparse.csr_array) -> Iterator[tuple[str, int, float]]:
        """Walk one row's features: what each is called, its number and its share."""
        names = self.encoder_.names
        for feature, share in zip(shares.indices.tolist(), shares.data.tolist(), strict=True):
            yield (names[feature - 1] if feature else ""), feature, share

    def shares_of(self, row: int) -> sparse.csr_array:
        """Return the features of one row."""
        return self._shares_of(np.array([row]))

    def require_fit(self, n_rows: int, width: int, owner: str) -> None:
        """Refuse what was read from a file and does not fit together: kernels check no bounds."""
        shares: Any = self.shares_
        encoder: Any = self.encoder_
        if not isinstance(shares, sparse.csr_array) or not isinstance(encoder, AttributeEncoder):
            raise DataError(f"{owner}: a feature map needs shares and their encoder.")
        shares.check_format(full_check=True)
        n_features = shares.shape[1]
        require_array(shares.data, np.float32, (None,), "shares_")
        require_array(self.embeddings_, np.float32, (n_features, width), "embeddings_")
        require_array(self.evidence_, np.float32, (n_features,), "evidence_")
        if shares.shape[0] > n_rows or n_features != 1 + encoder.n_features:
            raise DataError(f"{owner}: the features do not fit the rows or their names.")
        if not (np.isfinite(self.evidence_) & (self.evidence_ >= 0)).all():
            raise DataError(f"{owner}: evidence_ must be at least 0.")

    @property
    def _width(self) -> int:
        return int(self.shares_.shape[1])

    def _reg_of(self, n_features: int) -> Floats:
        reg = np.full(n_features, self.reg, np.float32)
        reg[0] *= _EVERYBODY
        return reg

    def _encoded(self, table: FeatureTable, rows: Array | None) -> sparse.csr_array:
        read = sparse.csr_array(self.encoder_.transform(table, rows).matrix)
        ones = sparse.csr_array(np.ones((read.shape[0], 1), np.float32))
        together = sparse.csr_array(sparse.hstack([ones, read], format="csr"))
        together.sort_indices()
        return together

    def _shares_of(self, rows: Array) -> sparse.csr_array:
        """Return the features of some rows; those nobody described have everybody's."""
        known = rows < self.shares_.shape[0]
        if known.all():
            return self.shares_[rows]
        together = sparse.vstack([_everybodys(1, self._width), self.shares_[rows[known]]], "csr")
        return sparse.csr_array(together)[np.cumsum(known) * known]


class _Product:
    """A sparse matrix that multiplies embeddings, in blocks of rows."""

    def __init__(self, matrix: sparse.csr_array) -> None:
        self.lists, self.n_rows = SparseRows.of(matrix), matrix.shape[0]
        self.blocks = cut_evenly(self.lists[0], _BLOCKS) if self.n_rows else []

    def __call__(self, embeddings: Floats) -> Floats:
        sums = np.empty((self.n_rows, embeddings.shape[1]), np.float32)
        fixed = np.ascontiguousarray(embeddings, np.float32)

        def block(start: int, end: int) -> None:
            sum_embeddings(sums, *self.lists, fixed, start, end)

        if len(self.lists[1]) < 1 << 14:  # handing out so little would take longer than to do it
            block(0, self.n_rows)
        else:
            run_blocks(block, self.blocks)
        return sums


def _dots(left: Array, right: Array) -> Array:
    """Return the columns' inner products; without BLAS, whose order of adding is its own."""
    sums: Array = np.einsum("ij,ij->j", left, right)
    return sums


def _everybodys(n_rows: int, n_features: int) -> sparse.csr_array:
    ones = np.ones(n_rows, np.float32)
    first = np.zeros(n_rows, np.int32)
    return sparse.csr_array((ones, first, np.arange(n_rows + 1)), shape=(n_rows, n_features))


def _with_rows(matrix: sparse.csr_array, rows: Array, fresh: sparse.csr_array) -> sparse.csr_array:
    """Return a matrix with some distinct rows exchanged."""
    order = np.arange(matrix.shape[0])
    order[rows] = matrix.shape[0] + np.arange(len(rows))
    return sparse.csr_array(sparse.vstack([matrix, fresh], format="csr"))[order]
