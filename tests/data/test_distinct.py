"""The quick ways say what NumPy says."""

from __future__ import annotations

import numpy as np
import pytest

from recopersona.data.distinct import among, distinct, in_both


@pytest.mark.parametrize("n", [0, 1, 2, 500])
@pytest.mark.parametrize("dtype", [np.int32, np.int64])
def test_the_answers_are_those_of_numpy(n, dtype):
    random = np.random.default_rng(n)
    numbers, others = (random.integers(-50, 300, n).astype(dtype) for _ in range(2))
    np.testing.assert_array_equal(distinct(numbers), np.unique(numbers), strict=True)
    np.testing.assert_array_equal(among(numbers, others), np.isin(numbers, others), strict=True)
    both = in_both(numbers, others)
    np.testing.assert_array_equal(both, np.intersect1d(numbers, others), strict=True)


def test_large_pairs_are_told_apart():
    pairs = (np.arange(3, dtype=np.int64) << 32) | 7
    assert among(pairs, pairs[1:] + np.array([0, 1])).tolist() == [False, True, False]


def test_what_is_asked_stays_as_it_is():
    numbers = np.array([2, 1, 2])
    distinct(numbers), among(numbers, numbers)
    assert numbers.tolist() == [2, 1, 2]
