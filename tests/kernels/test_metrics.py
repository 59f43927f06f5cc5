"""The metrics kernel agrees with its naive twin, whatever memory its input lies in."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recopersona.kernels.metrics import areas_under_curves, discounted_gain, mark_hits
from tests.naive import metrics as naive

K, N_ITEMS = 5, 9


@st.composite
def judgements(draw):
    """Lists of distinct items, some short, and what was relevant, sometimes nothing or unknown."""
    lists, relevant = [], []
    for _ in range(draw(st.integers(0, 6))):
        row = draw(st.permutations(range(N_ITEMS)))[: draw(st.integers(0, K))]
        lists.append([*row, *[-1] * (K - len(row))])
        chosen = draw(st.sets(st.integers(0, N_ITEMS - 1)))
        relevant.append(sorted([*chosen, *[-1] * draw(st.integers(0, 2))]))
    return lists, relevant


def as_arrays(lists, relevant):
    bounds = np.concatenate([[0], np.cumsum([len(chosen) for chosen in relevant])]).astype(np.int64)
    flat = np.array([item for chosen in relevant for item in chosen], dtype=np.int32)
    return np.array(lists, dtype=np.int32).reshape(len(lists), K), bounds, flat


def marked(lists, bounds, relevant):
    hits = np.ones(lists.shape, dtype=np.bool_)
    mark_hits(hits, lists, bounds, relevant)
    return hits


@given(judgements())
def test_the_kernel_agrees_with_its_twin(case):
    assert marked(*as_arrays(*case)).tolist() == naive.mark_hits(*case)


def test_the_end_of_a_list_is_never_a_hit_even_if_an_unknown_item_was_wanted():
    lists, relevant = [[3, -1, -1, -1, -1]], [[-1, -1, 3]]
    assert marked(*as_arrays(lists, relevant)).tolist() == [[True, False, False, False, False]]


@pytest.mark.parametrize("memory", ["read-only", "mapped"])
def test_memory_that_cannot_be_written_is_read(memory, tmp_path):
    rng = np.random.default_rng(5)
    lists = np.stack([rng.permutation(N_ITEMS)[:K] for _ in range(50)]).astype(np.int32)
    relevant = np.concatenate([np.sort(rng.permutation(N_ITEMS)[:3]) for _ in range(50)])
    held = {
        "lists": lists, "bounds": np.arange(0, 151, 3), "relevant": relevant.astype(np.int32)
    }  # fmt: skip
    expected = marked(**held)
    for name, array in held.items():
        np.save(tmp_path / f"{name}.npy", array)
        array.flags.writeable = False
    if memory == "mapped":
        held = {name: np.load(tmp_path / f"{name}.npy", mmap_mode="r") for name in held}
    np.testing.assert_array_equal(marked(**held), expected)
    assert 0 < expected.sum() < expected.size


def test_a_perfect_list_has_a_discounted_gain_of_exactly_one():
    n_relevant = np.arange(1, 151)
    hits = np.arange(100) < n_relevant[:, None]
    assert (discounted_gain(hits, n_relevant) == 1.0).all()


@given(
    st.lists(st.integers(0, 4), min_size=1, max_size=12),
    st.sets(st.integers(-1, 11)),
    st.sets(st.integers(-1, 11)),
)
def test_the_area_under_a_curve_agrees_with_its_twin(scores, relevant, left_out):
    n = len(scores)
    chosen, unranked = ([item for item in part if item < n] for part in (relevant, left_out))
    values, marks = np.empty(1), np.zeros(n, np.int8)
    rows = [part for found in (chosen, unranked) for part in _rows(found)]
    areas_under_curves(values, marks, np.empty(n), np.array([scores], float), *rows, 0, 1)
    expected = naive.auc(scores, chosen, [item for item in unranked if item >= 0])
    np.testing.assert_allclose(values, [np.nan if expected is None else expected], rtol=1e-12)
    assert not marks.any()


def _rows(items):
    return np.array([0, len(items)]), np.array(items, np.int32)
