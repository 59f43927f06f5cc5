"""A sparse matrix times a few columns at once, and the singular vectors that follow from it.

The columns are called lanes: a row of them is contiguous, so an entry of the sparse matrix is
read once and multiplies them all, a wide register at a time.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from scipy import sparse

from recopersona.kernels.blocks import cut, one_blas_thread, run_blocks
from recopersona.kernels.compiling import f32, i32, i64, kernel, read, written
from recopersona.kernels.dense import gram, product

_LANES = 32  # two cache lines a row; more lanes read no less memory, fewer read it more often
_POWER_STEPS = 4


@kernel(written(f32, 2), read(i64), read(i32), read(f32), read(f32, 2))
def multiply_lanes(result, bounds, columns, values, lanes):
    """Multiply a sparse matrix by a dense one.

    result   (n_rows, n_lanes) float32, written
    bounds   (n_rows + 1,) int64, where each row's entries start
    columns  (n_entries,) int32
    values   (n_entries,) float32
    lanes    (n_columns, n_lanes) float32
    """
    n_lanes = lanes.shape[1]
    for row in range(len(bounds) - 1):
        for lane in range(n_lanes):
            result[row, lane] = 0
        for entry in range(bounds[row], bounds[row + 1]):
            value, column = values[entry], columns[entry]
            for lane in range(n_lanes):
                result[row, lane] += value * lanes[column, lane]


def transposed(matrix: sparse.csr_array) -> sparse.csr_array:
    """Return the transpose with sorted rows."""
    other = sparse.csr_array(matrix.T)
    other.sort_indices()
    return other


class SparseRows(NamedTuple):
    """A sparse matrix as the kernels read it.

    bounds   (n_rows + 1,) int64
    columns  (n_entries,) int32
    values   (n_entries,) float32
    """

    bounds: np.ndarray[Any, Any]
    columns: np.ndarray[Any, Any]
    values: np.ndarray[Any, Any]

    @classmethod
    def of(cls, matrix: sparse.csr_array) -> SparseRows:
        return cls(
            matrix.indptr.astype(np.int64, copy=False), matrix.indices.astype(np.int32, copy=False),
            matrix.data.astype(np.float32, copy=False),
        )  # fmt: skip

    def times(self, lanes: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """Return the product with a few lanes, on the calling thread."""
        result = np.empty((len(self.bounds) - 1, lanes.shape[1]), np.float32)
        multiply_lanes(result, *self, lanes)
        return result

    def times_many(self, dense: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """Return the product with many columns, a block of lanes at a time."""
        result = np.empty((len(self.bounds) - 1, dense.shape[1]), np.float32)

        def block(start: int, end: int) -> None:
            result[:, start:end] = self.times(np.ascontiguousarray(dense[:, start:end]))

        run_blocks(block, cut(dense.shape[1], _LANES))
        return result


def right_singular_vectors(
    by_row: SparseRows, by_column: SparseRows, k: int, random: np.random.Generator
) -> np.ndarray[Any, Any]:
    """Return the k leading right singular vectors of a sparse matrix, float32 (n_columns, k).

    By subspace iteration from a random start, with a quarter more vectors than asked for: those
    well apart from the rest are accurate, those near the cut may be mixed with what lies beyond.

    by_row     the matrix, n_rows x n_columns
    by_column  its transpose
    k          at most min(n_rows, n_columns)

    Halko, Martinsson & Tropp (2011), "Finding structure with randomness", algorithm 4.4.
    """
    if not k:
        return np.empty((len(by_column.bounds) - 1, 0), np.float32)
    if len(by_row.bounds) < len(by_column.bounds):
        left = right_singular_vectors(by_column, by_row, k, random)
        return _orthonormal(by_column.times_many(left))
    width = min(k + k // 4 + 8, len(by_column.bounds) - 1)
    basis = random.standard_normal((len(by_column.bounds) - 1, width), dtype=np.float32)
    for _ in range(_POWER_STEPS):
        basis = _orthonormal(by_column.times_many(by_row.times_many(basis)))
    with one_blas_thread():
        _, turn = np.linalg.eigh(gram(by_row.times_many(basis), np.float64))
    return product(basis, turn[:, ::-1][:, :k].astype(np.float32))


def _orthonormal(vectors: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return an orthonormal basis of what vectors span; 0 where they depend on each other."""
    with one_blas_thread():
        values, turn = np.linalg.eigh(gram(vectors, np.float64))
    kept = values > 1e-10 * max(float(values[-1]), 1e-300)
    scale = np.divide(1, np.sqrt(np.abs(values)), out=np.zeros_like(values), where=kept)
    return product(vectors, (turn * scale).astype(np.float32))
