"""Adding up neighbours agrees with the naive twin, whatever memory they lie in."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recopersona.kernels.neighbors import add_neighbors
from tests.naive import neighbors as naive

N_ITEMS = 6
halves = st.integers(0, 8).map(lambda number: number / 2)
pairs = st.lists(
    st.tuples(st.integers(0, N_ITEMS - 1), halves), max_size=N_ITEMS, unique_by=lambda pair: pair[0]
)


def as_arrays(neighbors, liked):
    bounds = np.concatenate([[0], np.cumsum([len(row) for row in neighbors])]).astype(np.int64)
    flat = [pair for row in neighbors for pair in row]
    columns = [
        np.array([pair[place] for pair in held], dtype=kind)
        for held in (flat, liked)
        for place, kind in ((0, np.int32), (1, np.float32))
    ]
    return bounds, *columns


def added(arrays):
    scores = np.full(N_ITEMS, 77, np.float32)
    add_neighbors(scores, *arrays)
    return scores.tolist()


@given(st.lists(pairs, min_size=N_ITEMS, max_size=N_ITEMS), pairs)
def test_the_kernel_agrees_with_its_twin(neighbors, liked):
    expected = naive.add_neighbors(N_ITEMS, neighbors, liked)
    assert added(as_arrays(neighbors, liked)) == expected


def test_without_anything_liked_no_item_has_a_score():
    assert added(as_arrays([[(1, 1.0)]] + [[]] * 5, [])) == [-np.inf] * N_ITEMS


@pytest.mark.parametrize("kind", ["read-only", "mapped"])
def test_memory_that_cannot_be_written_is_read(kind, tmp_path):
    case = [[(1, 1.0), (2, 0.5)], [(0, 1.0)], [], [], [], []], [(0, 2.0), (1, 1.0)]
    arrays = list(as_arrays(*case))
    for place, array in enumerate(arrays):
        array.flags.writeable = False
        np.save(tmp_path / f"{place}.npy", array)
        if kind == "mapped":
            arrays[place] = np.load(tmp_path / f"{place}.npy", mmap_mode="r")
    assert added(arrays) == naive.add_neighbors(N_ITEMS, *case)
