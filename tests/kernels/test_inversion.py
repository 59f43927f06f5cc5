"""The inverse by panels is numpy's, the same bit for bit on any number of threads."""

import numpy as np
import pytest

from recopersona.kernels.blocks import limit_threads
from recopersona.kernels.inversion import mirror_over_diagonal, negative_inverse


def definite(n):
    random = np.random.default_rng(n)
    rows = random.normal(size=(2 * n, n))
    return (rows.T @ rows + n * np.eye(n)).astype(np.float32)


def inverted(matrix, width):
    own = matrix.copy()
    steps = sum(1 for _ in negative_inverse(own, width))
    assert steps == -(-len(matrix) // width)
    return own


@pytest.mark.parametrize("n", [1, 2, 7, 40])
@pytest.mark.parametrize("width", [1, 3, 8, 64])
def test_the_upper_triangle_becomes_minus_the_inverse(n, width):
    matrix = definite(n)
    expected = -np.linalg.inv(matrix.astype(np.float64))
    ours = np.triu(inverted(np.triu(matrix), width))
    assert np.abs(ours - np.triu(expected)).max() < 1e-5 * np.abs(expected).max()


def test_what_is_below_the_diagonal_blocks_is_neither_read_nor_written():
    matrix = definite(9)
    matrix[6:, :3] = 77
    assert (inverted(matrix, 3)[6:, :3] == 77).all()


def test_the_number_of_threads_changes_nothing():
    matrix = definite(50)
    with limit_threads(1):
        alone = inverted(matrix, 8)
    with limit_threads(3):
        assert np.array_equal(inverted(matrix, 8), alone)


def test_blocks_that_share_nothing_stay_exactly_apart():
    matrix = np.zeros((6, 6), np.float32)
    matrix[:4, :4], matrix[4:, 4:] = definite(4), definite(2)
    assert not inverted(matrix, 2)[:4, 4:].any()


def test_a_matrix_that_is_not_positive_definite_is_refused():
    with pytest.raises(np.linalg.LinAlgError):
        inverted(np.array([[1, 2], [2, 1]], np.float32), 1)


@pytest.mark.parametrize("width", [2, 3, 10])
def test_the_upper_half_is_mirrored_and_columns_are_divided(width):
    upper = np.triu(np.random.default_rng(1).normal(size=(7, 7))).astype(np.float32)
    divisors = np.arange(1, 8, dtype=np.float32)
    expected = (np.triu(upper, 1) + np.triu(upper, 1).T) / divisors
    mirror_over_diagonal(upper, divisors, width)
    assert np.array_equal(upper, expected)
