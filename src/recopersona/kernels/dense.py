"""Products of tall dense matrices, in fixed blocks of rows on our own threads."""

from __future__ import annotations

from typing import Any

import numpy as np

from recopersona.kernels.blocks import cut, run_blocks

_ROWS_PER_BLOCK = 8_192
_MOST_BLOCKS = 64


def gram(rows: np.ndarray[Any, Any], dtype: type[np.floating[Any]]) -> np.ndarray[Any, Any]:
    """Return ``rows.T @ rows``, float64 (f, f).

    rows   (n_rows, f) float32
    dtype  in which a few rows are multiplied; their products are added up in float64
    """

    def block(start: int, end: int) -> np.ndarray[Any, Any]:
        total = np.zeros((rows.shape[1], rows.shape[1]))
        for low, high in cut(end - start, _ROWS_PER_BLOCK):
            part = rows[start + low : start + high].astype(dtype, copy=False)
            total += part.T @ part
        return total

    # However many rows there are, no more than so many products are held at once.
    rows_per_block = max(_ROWS_PER_BLOCK, -(-len(rows) // _MOST_BLOCKS))
    parts = run_blocks(block, cut(len(rows), rows_per_block))
    return np.asarray(np.sum(parts, axis=0, dtype=np.float64))


def product(rows: np.ndarray[Any, Any], basis: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return ``rows @ basis``, float32 (n_rows, g).

    rows   (n_rows, f) float32
    basis  (f, g) float32
    """
    result = np.empty((len(rows), basis.shape[1]), np.float32)
    run_blocks(
        lambda start, end: np.matmul(rows[start:end], basis, out=result[start:end]),
        cut(len(rows), _ROWS_PER_BLOCK),
    )
    return result
