"""The kernels that pick the best few agree with their naive twins."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recopersona.kernels.topn import select_listed, select_top
from tests.naive import topn as naive

# Few different values, so that ties are everywhere.
score = st.one_of(
    st.sampled_from([-math.inf, -1.0, 0.0, 0.5, 1.0, math.nan]),
    st.floats(-(2.0**90), 2.0**90, width=32),
)


@st.composite
def tables(draw):
    n_items = draw(st.integers(1, 12))
    n_rows = draw(st.integers(0, 4))
    rows = st.lists(score, min_size=n_items, max_size=n_items)
    scores = draw(st.lists(rows, min_size=n_rows, max_size=n_rows))
    some = st.lists(st.integers(0, n_items - 1), max_size=n_items)
    excluded = draw(st.lists(some, min_size=n_rows, max_size=n_rows))
    blocked = draw(st.lists(st.booleans(), min_size=n_items, max_size=n_items))
    return scores, excluded, blocked, draw(st.integers(1, n_items + 2))


def picked(scores, excluded, blocked, n):
    """Run the kernel on what looks like lists."""
    blocked = np.asarray(blocked, dtype=np.bool_)
    own = np.array(scores, dtype=np.float32).reshape(len(scores), len(blocked))
    bounds = np.concatenate([[0], np.cumsum([len(row) for row in excluded])]).astype(np.int64)
    flat = np.array([item for row in excluded for item in sorted(row)], dtype=np.int32)
    items = np.full((len(scores), n), 77, np.int32)
    best = np.full((len(scores), n), 77, np.float32)
    counts = np.full(len(scores), 77, np.int64)
    select_top(items, best, counts, own, bounds, flat, blocked)
    return items, best, counts


@given(tables())
def test_the_best_few_agree_with_the_twin(table):
    scores, excluded, blocked, n = table
    items, best, counts = picked(*table)
    expected = naive.select_top(np.array(scores, np.float32).tolist(), excluded, blocked, n)
    for row, pairs in enumerate(expected):
        size = len(pairs)
        assert counts[row] == size
        assert (
            list(zip(items[row, :size].tolist(), best[row, :size].tolist(), strict=True)) == pairs
        )
        assert (items[row, size:] == -1).all()
        assert (best[row, size:] == -np.inf).all()


@given(tables())
def test_the_best_of_some_items_agree_with_the_twin(table):
    scores, excluded, blocked, n = table
    for row, leave_out in zip(scores, excluded, strict=True):
        listed = [item for item in range(len(row)) if item % 3 != 1][::-1]
        chosen = np.array([row[item] for item in listed], np.float32)
        items, best = np.full(n, 77, np.int32), np.full(n, 77, np.float32)
        count = select_listed(
            items, best, np.array(listed, np.int32), chosen,
            np.array(sorted(leave_out), np.int32), np.array(blocked),
        )  # fmt: skip
        pairs = naive.select_listed(listed, chosen.tolist(), leave_out, blocked, n)
        got = zip(items[:count].tolist(), best[:count].tolist(), strict=True)
        assert list(got) == pairs
        assert (items[count:] == -1).all()
        assert (best[count:] == -np.inf).all()


def test_all_equal_scores_come_in_the_order_of_items():
    items, _, counts = picked([[1.0] * 9], [[]], [False] * 9, 4)
    assert (items.tolist(), counts.tolist()) == ([[0, 1, 2, 3]], [4])


def test_excluded_and_blocked_items_are_never_picked():
    items, _, counts = picked([[5.0, 4.0, 3.0, 2.0]], [[0, 0]], [False, True, False, False], 4)
    assert (items.tolist(), counts.tolist()) == ([[2, 3, -1, -1]], [2])


def test_a_long_row_is_sorted_like_numpy_sorts_it():
    scores = np.random.default_rng(3).normal(size=(2, 500)).astype(np.float32)
    items, best, _ = picked(scores, [[], []], [False] * 500, 40)
    order = np.argsort(-scores, axis=1, kind="stable")[:, :40]
    assert (items == order).all()
    assert (best == np.take_along_axis(scores, order, axis=1)).all()


@pytest.mark.parametrize("memory", ["read-only", "mapped"])
def test_exclusions_may_lie_in_memory_that_cannot_be_written(memory, tmp_path):
    held = {"bounds": np.array([0, 1]), "excluded": np.array([2], np.int32),
            "blocked": np.array([True, False, False])}  # fmt: skip
    for name, array in held.items():
        array.flags.writeable = False
        np.save(tmp_path / f"{name}.npy", array)
        if memory == "mapped":
            held[name] = np.load(tmp_path / f"{name}.npy", mmap_mode="r")
    items, best = np.empty((1, 2), np.int32), np.empty((1, 2), np.float32)
    scores, counts = np.ones((1, 3), np.float32), np.empty(1, np.int64)
    select_top(items, best, counts, scores, *held.values())
    assert (items.tolist(), counts.tolist()) == ([[1, -1]], [1])
