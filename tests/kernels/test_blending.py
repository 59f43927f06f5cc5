"""Comparable scores and the gain of blended lists agree with their plain definitions."""

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from recopersona.kernels.blending import blended_gain, standardize_rows
from tests.naive import blending as naive


@given(st.integers(0, 2**32 - 1), st.integers(1, 4), st.integers(1, 9), st.floats(0, 1))
def test_standardized_scores_are_those_of_the_twin(seed, n_rows, n_items, gaps):
    rng = np.random.default_rng(seed)
    scores = (100 * rng.normal(size=(n_rows, n_items))).astype(np.float32)
    scores[rng.random(scores.shape) < gaps] = -np.inf
    expected = naive.standardized(scores)
    standardize_rows(scores)
    assert np.allclose(scores, expected, atol=1e-4)


def test_scores_without_differences_and_rows_without_opinion_say_nothing():
    scores = np.array([[2, 2, 2], [-np.inf] * 3, [7, -np.inf, 7]], np.float32)
    standardize_rows(scores)
    assert not scores.any()


@given(st.integers(0, 2**32 - 1), st.lists(st.integers(0, 8), min_size=1, max_size=5))
def test_the_gain_of_blended_lists_is_that_of_the_twin(seed, sizes):
    rng = np.random.default_rng(seed)
    bounds = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    parts = rng.integers(0, 4, (bounds[-1], 2)).astype(np.float32)  # ties are frequent
    relevant = rng.random(bounds[-1]) < 0.4
    found = [int(relevant[a:b].sum()) for a, b in pairwise(bounds)]
    wanted = np.array([max(1, hits + rng.integers(0, 3)) for hits in found], np.int64)
    weights = rng.random(2)
    gain = np.empty(len(sizes))
    blended_gain(gain, bounds, parts, relevant, weights, wanted, 3)
    assert np.allclose(gain, naive.gain(bounds, parts, relevant, weights, wanted, 3))
