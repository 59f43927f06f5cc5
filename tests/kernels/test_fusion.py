"""Lists merged at once are what whole arrays make of them, bit for bit."""

import numpy as np
import pytest

from recopersona.kernels.fusion import merge_lists
from tests.naive import fusion as naive


def merged(lists, weights, smooth, first):
    listed = np.concatenate([items for items, _ in lists])
    says = np.concatenate([says for _, says in lists])
    bounds = np.cumsum([0, *(len(items) for items, _ in lists)])
    n, width = len(listed), len(lists)
    told = np.empty(n, np.int32), np.empty(n, np.float32), np.empty(n, np.int8)
    tables = np.empty((3, n, width), np.float32)
    size = merge_lists(
        *told, *tables, listed, says, bounds, np.asarray(weights, np.float32), smooth, first
    )
    return [column[:size] for column in (*told, *tables)]


@pytest.mark.parametrize("seed", range(60))
def test_lists_are_merged_as_the_slow_twin_merges_them(seed):
    rng = np.random.default_rng(seed)
    n_items = int(rng.choice([5, 300, 2**31 - 1]))
    lists = []
    for _ in range(rng.integers(1, 6)):
        size = int(rng.integers(0, min(n_items, 60)))
        items = rng.choice(min(n_items, 10**6), size, replace=False) + max(0, n_items - 10**6)
        lists.append((items.astype(np.int32), rng.normal(size=size).astype(np.float32)))
    weights = rng.choice([1.0, 1.0, 0.3], len(lists))
    first = int(rng.integers(1, 50))
    expected = naive.fuse(lists, weights, 60.0, first)
    for ours, theirs in zip(merged(lists, weights, 60.0, first), expected, strict=True):
        assert np.array_equal(ours, theirs, equal_nan=ours.dtype == np.float32)
