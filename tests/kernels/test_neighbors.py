"""Finding neighbours and adding them up agree with the naive twins, whatever memory they lie in."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from recopersona.kernels.neighbors import add_neighbors, add_postings, select_most_alike
from tests.naive import neighbors as naive

N_ITEMS = 6
halves = st.integers(0, 8).map(lambda number: number / 2)
pairs = st.lists(
    st.tuples(st.integers(0, N_ITEMS - 1), halves), max_size=N_ITEMS, unique_by=lambda pair: pair[0]
)


def as_arrays(rows):
    bounds = np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(np.int64)
    flat = [pair for row in rows for pair in row]
    items = np.array([item for item, _ in flat], np.int32)
    return bounds, items, np.array([weight for _, weight in flat], np.float32)


def added(arrays, n_rows, n_columns=N_ITEMS):
    scores = np.full((n_rows, n_columns), 77, np.float32)
    add_neighbors(scores, *arrays)
    return scores.tolist()


@given(st.lists(pairs, min_size=N_ITEMS, max_size=N_ITEMS), st.lists(pairs, max_size=3))
def test_the_sums_agree_with_the_twin(neighbors, tastes):
    expected = [naive.add_neighbors(N_ITEMS, neighbors, liked) for liked in tastes]
    assert added([*as_arrays(neighbors), *as_arrays(tastes)], len(tastes)) == expected


@given(
    st.lists(pairs, min_size=N_ITEMS, max_size=N_ITEMS),
    st.lists(pairs, max_size=3),
    st.lists(st.booleans(), min_size=N_ITEMS, max_size=N_ITEMS),
)
def test_a_list_as_a_line_says_the_same(neighbors, tastes, as_lines):
    arrays = [*as_arrays(neighbors), *as_arrays(tastes)]
    lines = np.full((N_ITEMS, N_ITEMS), np.nan, np.float32)
    for line, row in zip(lines, neighbors, strict=True):
        for item, weight in row:
            line[item] = weight
    line_of = np.where(as_lines, np.arange(N_ITEMS), -1).astype(np.int32)
    scores = np.full((len(tastes), N_ITEMS), 77, np.float32)
    add_postings(scores, lines, line_of, *arrays)
    assert scores.tolist() == added(arrays, len(tastes))


def test_without_anything_liked_no_item_has_a_score():
    arrays = [*as_arrays([[(1, 1.0)]] + [[]] * 5), *as_arrays([[]])]
    assert added(arrays, 1) == [[-np.inf] * N_ITEMS]


def test_items_beyond_the_neighbours_have_no_score():
    arrays = [*as_arrays([[(1, 1.0)], []]), *as_arrays([[(0, 2.0)]])]
    assert added(arrays, 1, 4) == [[-np.inf, 2.0, -np.inf, -np.inf]]


def moved(arrays, kind, folder):
    """Put arrays into memory that cannot be written."""
    for place, array in enumerate(arrays):
        array.flags.writeable = False
        if kind == "mapped":
            np.save(folder / f"{place}.npy", array)
            arrays[place] = np.load(folder / f"{place}.npy", mmap_mode="r")
    return arrays


@pytest.mark.parametrize("kind", ["read-only", "mapped"])
def test_memory_that_cannot_be_written_is_read(kind, tmp_path):
    neighbors, liked = [[(1, 1.0), (2, 0.5)], [(0, 1.0)], [], [], [], []], [(0, 2.0), (1, 1.0)]
    arrays = moved([*as_arrays(neighbors), *as_arrays([liked])], kind, tmp_path)
    assert added(arrays, 1) == [naive.add_neighbors(N_ITEMS, neighbors, liked)]


matrices = st.integers(1, 7).flatmap(
    lambda width: st.lists(
        st.lists(st.integers(0, 4), min_size=width, max_size=width), min_size=1, max_size=7
    )
)


def parts(matrix):
    return matrix.indptr.astype(np.int64), matrix.indices.astype(np.int32), matrix.data


def arguments(rows, others):
    """What the kernel reads to compare dense rows with dense others by the cosine."""
    rows, others = (sparse.csr_array(np.array(given, np.float32)) for given in (rows, others))
    squares = [side.astype(np.float64).power(2).sum(axis=1) for side in (rows, others)]
    zeros = [np.zeros(len(side)) for side in squares]
    itself = np.arange(rows.shape[0], dtype=np.int32)
    columns = sparse.csr_array(others.T)
    left, right = map(np.sqrt, squares)
    return [*parts(rows), left, zeros[0], itself, *parts(columns), right, zeros[1]]


def alike(held, k, overlap=0.0, shrink=0.0):
    n_rows, n_others = len(held[5]), len(held[9])
    found, values = np.full((n_rows, k), 77, np.int32), np.full((n_rows, k), 77, np.float32)
    counts = np.empty(n_rows, np.int64)
    sums, touched = np.zeros(n_others, np.float32), np.empty(n_others, np.int32)
    select_most_alike(found, values, counts, sums, touched, *held, overlap, shrink)
    assert not sums.any()
    assert (found[np.arange(k) >= counts[:, None]] == -1).all()
    return [
        list(zip(found[row, :count].tolist(), values[row, :count].tolist(), strict=True))
        for row, count in enumerate(counts)
    ]


def test_what_is_said_is_what_was_found():
    assert alike(arguments([[1, 0]], [[0, 1], [1, 1]]), 2) == [[(1, pytest.approx(0.7071068))]]


@given(matrices, st.integers(1, 8), st.sampled_from([0.0, 0.5, 3.0]))
def test_the_most_alike_agree_with_the_twin(rows, k, shrink):
    expected = naive.most_alike(rows, rows, range(len(rows)), k, "cosine", shrink=shrink)
    found = alike(arguments(rows, rows), k, shrink=shrink)
    assert [len(row) for row in found] == [len(row) for row in expected]
    for ours, theirs in zip(found, expected, strict=True):
        assert [value for _, value in ours] == pytest.approx([value for _, value in theirs])


def test_of_equals_the_first_is_kept():
    assert [item for item, _ in alike(arguments([[1]] * 9, [[1]] * 9), 3)[4]] == [0, 1, 2]


def test_a_long_row_is_sorted():
    random = np.random.default_rng(3)
    others = random.random((300, 4)).astype(np.float32)
    (row,) = alike(arguments(others[:1], others), 40)
    cosines = others @ others[0] / np.linalg.norm(others, axis=1) / np.linalg.norm(others[0])
    assert [item for item, _ in row] == np.argsort(-cosines)[1:41].tolist()


def test_weights_too_small_to_multiply_harm_nothing():
    tiny = [[1e-25] * 50, [1e-25] * 50, [1.0] * 50]
    found = alike(arguments(tiny, tiny), 3)
    assert [item for item, _ in found[0]] == [2]
    assert found[0][0][1] == pytest.approx(1.0, rel=1e-5)


def test_an_overlap_is_not_counted_twice_and_no_likeness_exceeds_one():
    held = arguments([[2, 1]], [[0, 0], [4, 1]])
    held[3], held[9] = np.zeros(1), np.zeros(2)
    held[4], held[10] = np.array([5.0]), np.array([0.0, 17.0])
    assert alike(held, 2, overlap=1.0) == [[(1, pytest.approx(9 / (5 + 17 - 9)))]]
    held[4], held[10] = np.array([5.0]), np.array([0.0, 1.0])
    assert alike(held, 2, overlap=1.0) == [[(1, 1.0)]]


@pytest.mark.parametrize("kind", ["read-only", "mapped"])
def test_a_matrix_may_lie_in_memory_that_cannot_be_written(kind, tmp_path):
    rows = np.random.default_rng(5).integers(0, 3, (6, 5))
    expected = alike(arguments(rows, rows), 3)
    assert alike(moved(arguments(rows, rows), kind, tmp_path), 3) == expected
