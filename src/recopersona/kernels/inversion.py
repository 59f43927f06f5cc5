"""Invert a large symmetric matrix in place, on our threads, by matrix products."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve

from recopersona.kernels.blocks import cut, run_blocks

WIDTH = 1024
"""Columns of a panel: products of this size run at full speed, and one is inverted in no time."""

Matrix = NDArray[np.float32]
Panel = tuple[int, int]


def negative_inverse(matrix: Matrix, width: int = WIDTH) -> Iterator[None]:
    r"""Replace a positive definite matrix by minus its inverse, a panel of columns a step.

    Only the diagonal and what is above it is read and written; below, nothing changes.

    Sweeping a panel K is one step of block Gauss-Jordan elimination. With
    :math:`D = A_{KK}^{-1}`,

    .. math:: A_{ij} \leftarrow A_{ij} - A_{iK} D A_{Kj}, \quad
              A_{iK} \leftarrow A_{iK} D, \quad A_{KK} \leftarrow -D

    and when all panels are swept, A is minus its inverse. The tiles of a panel's update do not
    depend on each other, nor on which thread does them: the result is the same bit for bit.

    matrix  (n, n) float32, written
    width   columns of a panel

    Time: n**3 multiplications and additions, nearly all in products of ``width``. Memory: two
    panels beside the matrix.

    Raises numpy.linalg.LinAlgError where the matrix is not positive definite.
    """
    panels = cut(len(matrix), width)
    for own in panels:
        _sweep(matrix, own, [panel for panel in panels if panel != own])
        yield


def _sweep(matrix: Matrix, own: Panel, rest: list[Panel]) -> None:
    low, high = own
    inverse = _inverse(matrix[low:high, low:high])
    column = np.empty((len(matrix), high - low), np.float32)
    column[:low] = matrix[:low, low:high]
    column[high:] = matrix[low:high, high:].T
    scaled = np.empty_like(column)

    def scale(start: int, end: int) -> None:
        np.matmul(column[start:end], inverse, out=scaled[start:end])

    def update(row: int, other: int) -> None:
        (i, i_end), (j, j_end) = rest[row], rest[other]
        matrix[i:i_end, j:j_end] -= scaled[i:i_end] @ column[j:j_end].T

    run_blocks(scale, rest)
    run_blocks(update, [(i, j) for i in range(len(rest)) for j in range(i, len(rest))])
    matrix[:low, low:high] = scaled[:low]
    matrix[low:high, high:] = scaled[high:].T
    matrix[low:high, low:high] = -inverse


def mirror_over_diagonal(matrix: Matrix, divisors: NDArray[Any], width: int = WIDTH) -> None:
    """Copy what is above the diagonal below it, divide each column by its divisor, clear the rest.

    matrix    (n, n) float32, written; the diagonal becomes 0
    divisors  (n,) float32
    """
    panels = cut(len(matrix), width)

    def tile(row: int, other: int) -> None:
        (i, i_end), (j, j_end) = panels[row], panels[other]
        above = matrix[i:i_end, j:j_end].copy()
        if row == other:
            above = np.triu(above, 1)
            above += above.T
        matrix[j:j_end, i:i_end] = above.T / divisors[i:i_end]
        matrix[i:i_end, j:j_end] = above / divisors[j:j_end]

    run_blocks(tile, [(i, j) for i in range(len(panels)) for j in range(i, len(panels))])


def _inverse(corner: Matrix) -> Matrix:
    """Invert a small matrix, of which the part above the diagonal counts, in double precision."""
    factor = cho_factor(corner.astype(np.float64), lower=False, overwrite_a=True)
    inverse: Matrix = cho_solve(factor, np.eye(len(corner)), overwrite_b=True).astype(np.float32)
    return inverse
