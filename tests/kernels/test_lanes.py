"""Sparse products, many columns at a time, and singular vectors agree with dense algebra."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from recopersona.kernels.blocks import limit_threads
from recopersona.kernels.dense import gram, product
from recopersona.kernels.lanes import SparseRows, right_singular_vectors
from tests.naive import lanes as naive


def random_matrix(seed, shape, density=0.3):
    rng = np.random.default_rng(seed)
    dense = rng.normal(size=shape) * (rng.random(shape) < density)
    return dense.astype(np.float32)


@given(st.integers(0, 2**32 - 1), st.integers(0, 12), st.integers(0, 12), st.integers(1, 40))
def test_a_product_is_that_of_dense_matrices(seed, n_rows, n_columns, n_lanes):
    dense = random_matrix(seed, (n_rows, n_columns))
    rows = SparseRows.of(sparse.csr_array(dense))
    lanes = np.random.default_rng(seed).normal(size=(n_columns, n_lanes)).astype(np.float32)
    for result in (rows.times(lanes), rows.times_many(lanes)):
        assert np.allclose(result, dense @ lanes, atol=1e-4)


@pytest.mark.parametrize("shape", [(30, 20), (20, 30), (25, 25)])
def test_singular_vectors_span_what_those_of_the_twin_span(shape):
    dense = np.abs(random_matrix(3, shape))
    matrix = sparse.csr_array(dense)
    found = right_singular_vectors(
        SparseRows.of(matrix), SparseRows.of(sparse.csr_array(matrix.T)), 3,
        np.random.default_rng(0),
    )  # fmt: skip
    expected = naive.singular_vectors(dense, 3)
    assert found.shape == (shape[1], 3)
    assert np.allclose(found @ found.T, expected @ expected.T, atol=0.02)


def test_a_matrix_of_lower_rank_has_empty_vectors_beyond_it():
    dense = np.outer([1.0, 2, 3, 1], [1.0, 1, 0]).astype(np.float32)
    matrix = sparse.csr_array(dense)
    found = right_singular_vectors(
        SparseRows.of(matrix), SparseRows.of(sparse.csr_array(matrix.T)), 3,
        np.random.default_rng(0),
    )  # fmt: skip
    ones = np.array([1, 1, 0]) / np.sqrt(2)
    assert np.allclose(found @ found.T, np.outer(ones, ones), atol=1e-5)


def test_no_vectors_are_none():
    matrix = SparseRows.of(sparse.csr_array(np.eye(3, dtype=np.float32)))
    assert right_singular_vectors(matrix, matrix, 0, np.random.default_rng(0)).shape == (3, 0)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_products_of_tall_matrices(dtype):
    rng = np.random.default_rng(1)
    tall, basis = (rng.normal(size=shape).astype(np.float32) for shape in ((20_000, 3), (3, 5)))
    assert np.allclose(gram(tall, dtype), tall.T.astype(np.float64) @ tall, rtol=1e-4)
    assert np.allclose(product(tall, basis), tall @ basis, rtol=1e-5, atol=1e-6)
    with limit_threads(1):
        alone = gram(tall, dtype)
    assert (alone == gram(tall, dtype)).all()
