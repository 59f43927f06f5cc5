"""Products of all pairs of rows, dense and sparse, agree with numpy's."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from recopersona.kernels.gram import (
    add_dense_rows,
    add_products,
    count_products,
    fill_products,
)

matrices = st.integers(1, 6).flatmap(
    lambda width: st.lists(
        st.lists(st.integers(0, 3), min_size=width, max_size=width), min_size=1, max_size=6
    )
)


def parts(matrix):
    return matrix.indptr.astype(np.int64), matrix.indices.astype(np.int32), matrix.data


def both(rows):
    matrix = sparse.csr_array(np.array(rows, np.float32))
    columns = sparse.csr_array(matrix.T)
    columns.sort_indices()
    return [*parts(matrix), *parts(columns)]


@given(matrices, st.integers(0, 6))
def test_the_dense_gram_is_the_upper_triangle(rows, cut):
    n, cut = len(rows), min(cut, len(rows))
    gram, held = np.zeros((n, n), np.float32), both(rows)
    add_products(gram, *held, cut, n)
    assert not gram[:cut].any()
    add_products(gram, *held, 0, cut)
    assert np.array_equal(gram, np.triu(np.array(rows) @ np.array(rows).T))


def sparse_gram(rows, cut=0):
    n, held = len(rows), both(rows)
    counts = np.empty(n, np.int64)
    for start, end in ((cut, n), (0, cut)):
        count_products(counts, np.full(n, -1), *held[:2], *held[3:5], start, end)
    bounds = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    others, products = np.full(bounds[-1], 77, np.int32), np.full(bounds[-1], 77, np.float32)
    sums = np.zeros(n, np.float32)
    for start, end in ((cut, n), (0, cut)):
        fill_products(others, products, sums, np.full(n, -1), bounds, *held, start, end)
    assert not sums.any()
    return bounds, others, products


@given(matrices, st.integers(0, 6))
def test_the_sparse_gram_holds_each_pair_that_shares_a_column_once(rows, cut):
    n = len(rows)
    bounds, others, products = sparse_gram(rows, min(cut, n))
    dense = np.array(rows) @ np.array(rows).T
    for row in range(n):
        mine = slice(bounds[row], bounds[row + 1])
        expected = {j: dense[row, j] for j in range(row, n) if dense[row, j]}
        assert dict(zip(others[mine].tolist(), products[mine].tolist(), strict=True)) == expected


@given(matrices, st.integers(1, 9))
def test_dense_rows_add_up(rows, n_liked):
    random = np.random.default_rng(n_liked)
    n = len(rows)
    matrix = random.integers(-2, 3, (n, n)).astype(np.float32)
    liked = random.integers(0, n, n_liked).astype(np.int32)
    weights = random.integers(1, 4, n_liked).astype(np.float32)
    scores = np.full((2, n + 1), 77, np.float32)
    add_dense_rows(scores, np.array([0, 0, n_liked]), liked, weights, matrix)
    expected = weights @ matrix[liked]
    assert (scores[0] == -np.inf).all()
    assert scores[1].tolist() == [*np.where(expected == 0, -np.inf, expected).tolist(), -np.inf]


@pytest.mark.parametrize("kind", ["read-only", "mapped"])
def test_a_matrix_may_lie_in_memory_that_cannot_be_written(kind, tmp_path):
    matrix = np.arange(9, dtype=np.float32).reshape(3, 3)
    matrix.flags.writeable = False
    if kind == "mapped":
        np.save(tmp_path / "matrix.npy", matrix)
        matrix = np.load(tmp_path / "matrix.npy", mmap_mode="r")
    scores = np.empty((1, 3), np.float32)
    bounds, liked, weights = np.array([0, 1]), np.array([2], np.int32), np.ones(1, np.float32)
    add_dense_rows(scores, bounds, liked, weights, matrix)
    assert scores.tolist() == [[6, 7, 8]]
