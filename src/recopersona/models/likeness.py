"""How alike two rows of a sparse matrix are: weightings, similarities and the nearest of each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import sparse

from recopersona.data.types import Array, Floats, Indices
from recopersona.kernels.blocks import cut_evenly, run_blocks
from recopersona.kernels.lanes import SparseRows
from recopersona.kernels.neighbors import select_most_alike

WEIGHTINGS = ("none", "binary", "tfidf", "bm25")
SIMILARITIES = ("cosine", "jaccard", "dice")

_BLOCKS = 64
_BM25_K1, _BM25_B = 1.2, 0.75  # Robertson & Zaragoza (2009), section 3


class Norms(NamedTuple):
    """The denominator of a likeness; see `select_most_alike`.

    Attributes
    ----------
    left, own : float64 (n,), of who asks
    right, theirs : float64 (n,), of who is found
    overlap : float
    """

    left: Array
    right: Array
    own: Array
    theirs: Array
    overlap: float


def weighted(matrix: sparse.csr_array, weighting: str) -> sparse.csr_array:
    """Reweight a matrix whose rows speak about its columns, as words speak about documents.

    Parameters
    ----------
    matrix : csr_array
        Users x items where items are compared, items x users where users are.
    weighting : one of `WEIGHTINGS`

    Returns
    -------
    float32 csr_array with the same entries.
    """
    rows = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    relative = column_lengths(matrix) / mean_length(matrix)
    values = reweighted(matrix.data, rarity(matrix)[rows], relative[matrix.indices], weighting)
    return sparse.csr_array((values, matrix.indices, matrix.indptr), shape=matrix.shape)


def reweighted(weights: Floats, rare: Array, relative: Array, weighting: str) -> Floats:
    """Return entries as a weighting sees them.

    Parameters
    ----------
    weights : float32 (n,)
    rare : (n,)
        The `rarity` of each entry's row.
    relative : (n,) or a number
        Each entry's column's length, in mean lengths.
    weighting : one of `WEIGHTINGS`
    """
    if weighting == "none":
        return weights
    if weighting == "binary":
        return np.ones(len(weights), np.float32)
    if weighting == "tfidf":
        values = np.sqrt(weights) * rare
    else:
        room = _BM25_K1 * (1 - _BM25_B + _BM25_B * relative)
        values = rare * weights * (_BM25_K1 + 1) / (weights + room)
    return values.astype(np.float32)


def rarity(matrix: sparse.csr_array) -> Array:
    """Return how much each row tells: who takes everything tells little, but never nothing."""
    return np.log1p(matrix.shape[1] / np.maximum(np.diff(matrix.indptr), 1))


def column_lengths(matrix: sparse.csr_array) -> Array:
    """Return each column's summed weight."""
    return np.bincount(matrix.indices, matrix.data, minlength=matrix.shape[1])


def mean_length(matrix: sparse.csr_array) -> float:
    """Return the columns' mean summed weight, above 0."""
    return float(max(column_lengths(matrix).mean(), np.finfo(np.float64).tiny))


def norms_of(squares: Array, similarity: str, asymmetry: float) -> Norms:
    r"""Return the denominators of a similarity from the rows' sums of squares.

    With a the ``asymmetry``, the likeness of i to j is

    ========= ============================================================================
    cosine    :math:`p / (\|i\|^{2a} \|j\|^{2(1-a)})`
    dice      :math:`p / (a \|i\|^2 + (1-a) \|j\|^2)`
    jaccard   :math:`p / (2a \|i\|^2 + 2(1-a) \|j\|^2 - p)`, at most 1
    ========= ============================================================================
    """
    zeros = np.zeros(len(squares))
    if similarity == "cosine":
        return Norms(squares**asymmetry, squares ** (1 - asymmetry), zeros, zeros, 0.0)
    scale = 2.0 if similarity == "jaccard" else 1.0
    own, theirs = scale * asymmetry * squares, scale * (1 - asymmetry) * squares
    return Norms(zeros, zeros, own, theirs, scale - 1)


def sums_of_squares(matrix: sparse.csr_array) -> Array:
    """Return each row's sum of squares in double precision: those of decayed weights are tiny."""
    rows = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    squares = np.square(matrix.data.astype(np.float64))
    return np.bincount(rows, squares, minlength=matrix.shape[0])


def most_alike(
    rows: sparse.csr_array,
    columns: sparse.csr_array,
    norms: Norms,
    k: int,
    shrink: float = 0.0,
) -> tuple[Array, Indices, Floats]:
    """Return the ``k`` other rows most like each row as bounds, neighbours and likeness.

    Parameters
    ----------
    rows : csr_array (n, m)
    columns : csr_array (m, n)
        The rows' transpose, or other values at the same places.
    norms : Norms
    k : int, at least 1
    shrink : float, at least 0

    Returns
    -------
    int64 (n + 1,), int32 (n_entries,), float32 (n_entries,); best first.
    """
    n = rows.shape[0]
    k = min(k, max(1, n - 1))
    bounds, entries, values = SparseRows.of(rows)
    itself = np.arange(n, dtype=np.int32)

    def block(start: int, end: int) -> tuple[Indices, Floats, Array]:
        found, likeness, counts = _room(end - start, k)
        select_most_alike(
            found, likeness, counts, *_scratch(n), bounds[start : end + 1], entries, values,
            norms.left[start:end], norms.own[start:end], itself[start:end], *SparseRows.of(columns),
            norms.right, norms.theirs, norms.overlap, shrink,
        )  # fmt: skip
        return found[found >= 0], likeness[found >= 0], counts

    blocks = run_blocks(block, cut_evenly(bounds, _BLOCKS))
    found, likeness, counts = (np.concatenate(part) for part in zip(*blocks, strict=True))
    return starts(counts), found, likeness


def nearest_to(
    tastes: tuple[Array, Indices, Floats],
    itself: Indices,
    columns: tuple[Array, Indices, Floats],
    norms: Norms,
    k: int,
    shrink: float = 0.0,
) -> tuple[Array, Indices, Floats]:
    """Return who is most like each of some tastes, as `most_alike` does.

    Parameters
    ----------
    tastes : int64 (n + 1,), int32 (n_liked,), float32 (n_liked,)
    itself : int32 (n,)
        Who asks and is no neighbour, or -1.
    columns : int64 (m + 1,), int32 (n_entries,), float32 (n_entries,)
        Who has each thing that can be liked, and by which weight.
    norms : Norms
        ``left`` and ``own`` of the tastes, ``right`` and ``theirs`` of who can be found.
    """
    n = len(norms.right)
    found, likeness, counts = _room(len(itself), max(1, min(k, n)))
    select_most_alike(
        found, likeness, counts, *_scratch(n), *tastes, norms.left, norms.own, itself, *columns,
        norms.right, norms.theirs, norms.overlap, shrink,
    )  # fmt: skip
    return starts(counts), found[found >= 0], likeness[found >= 0]


def capped(matrix: sparse.csr_array, most: int) -> tuple[sparse.csr_array, int]:
    """Keep at most so many entries a row; return how many were left out, too.

    The heaviest stay; of equal ones, a choice that looks random and is always the same.
    """
    sizes = np.diff(matrix.indptr)
    keep = np.ones(matrix.nnz, np.bool_)
    for row in np.flatnonzero(sizes > most).tolist():
        low, high = matrix.indptr[row], matrix.indptr[row + 1]
        dice = _scrambled(matrix.indices[low:high], row)
        order = np.lexsort((dice, -matrix.data[low:high]))
        keep[low + order[most:]] = False
    n_left_out = int(len(keep) - keep.sum())
    if not n_left_out:
        return matrix, 0
    bounds = starts(np.minimum(sizes, most)).astype(matrix.indptr.dtype)
    kept = sparse.csr_array((matrix.data[keep], matrix.indices[keep], bounds), shape=matrix.shape)
    return kept, n_left_out


def with_unit_rows(bounds: Array, values: Floats) -> Floats:
    """Divide the values of each row by their sum."""
    rows = np.repeat(np.arange(len(bounds) - 1), np.diff(bounds))
    sums = np.bincount(rows, values, minlength=len(bounds) - 1)
    return (values / sums[rows]).astype(np.float32)


def starts(counts: Sequence[int] | Array) -> Array:
    """Return where runs of some lengths start, and where the last ends, as int64."""
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)


def _room(n_rows: int, k: int) -> tuple[Indices, Floats, Array]:
    return (
        np.empty((n_rows, k), np.int32),
        np.empty((n_rows, k), np.float32),
        np.empty(n_rows, np.int64),
    )


def _scratch(n: int) -> tuple[Floats, Indices]:
    return np.zeros(n, np.float32), np.empty(n, np.int32)


def _scrambled(items: Indices, row: int) -> Array:
    """Return a number for each item that looks random (splitmix64)."""
    z = (items.astype(np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15) ^ np.uint64(row)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        z = (z ^ (z >> np.uint64(shift))) * np.uint64(factor)
    scrambled: Array = z ^ (z >> np.uint64(31))
    return scrambled
