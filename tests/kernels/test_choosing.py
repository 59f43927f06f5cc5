"""Candidates are described and judged as their naive twins do."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from recopersona.kernels.choosing import (
    VISIT_FEATURES,
    describe_opinions,
    describe_visit,
    judge,
)
from tests.naive import choosing as naive

pools = st.lists(
    st.dictionaries(st.integers(0, 9), st.floats(-1, 5, width=32), max_size=5),
    min_size=1,
    max_size=3,
)


@given(pools)
def test_opinions_are_shares(pools):
    candidates = sorted({item for pool in pools for item in pool})
    items = np.zeros((len(pools), 5), np.int32)
    scores = np.full((len(pools), 5), -np.inf, np.float32)
    for row, pool in enumerate(pools):
        items[row, : len(pool)] = list(pool)
        scores[row, : len(pool)] = list(pool.values())
    features = np.full((len(candidates), len(pools) + 1), 7, np.float32)
    counts = np.array([len(pool) for pool in pools], np.int64)
    describe_opinions(
        features, np.array(candidates, np.int32), items, scores, counts, len(candidates)
    )
    expected = naive.describe_opinions(candidates, [list(pool.items()) for pool in pools])
    np.testing.assert_allclose(features[:, :-1].ravel(), np.ravel(expected), rtol=1e-5, atol=1e-6)
    assert (features[:, -1] == 7).all()


@given(
    st.sets(st.integers(0, 9), max_size=8),
    st.lists(st.integers(0, 12), min_size=1, max_size=12),
    st.integers(0, 10),
)
def test_visits_are_described(candidates, visit, n_known):
    candidates = sorted(candidates)
    popular = np.arange(n_known, dtype=np.float32)
    lately = popular[: n_known // 2] * 3
    features = np.full((len(candidates), 1 + len(VISIT_FEATURES)), 7, np.float32)
    describe_visit(
        features, np.array(candidates, np.int32), np.array(visit, np.int32), popular, lately, 2.0,
        1, len(candidates),
    )  # fmt: skip
    expected = naive.describe_visit(candidates, visit, popular.tolist(), lately.tolist(), 2.0)
    width = len(VISIT_FEATURES)
    np.testing.assert_allclose(
        features[:, 1:], np.reshape(expected, (-1, width)), rtol=1e-5, atol=1e-6
    )
    assert (features[:, 0] == 7).all()


@given(st.integers(0, 5), st.integers(1, 4), st.integers(1, 3), st.integers(0, 9))
def test_candidates_are_judged(n, f, h, seed):
    random = np.random.default_rng(seed)
    rows, inner = random.normal(size=(n, f)), random.normal(size=(f, h))
    mean, linear = random.normal(size=(2, f))
    scale = random.uniform(0.5, 2, f)
    biases, outer = random.normal(size=(2, h))
    given_as = [
        np.asarray(part, np.float32) for part in (rows, mean, scale, inner, biases, outer, linear)
    ]
    utilities = np.empty(n, np.float32)
    judge(utilities, *given_as, f, h)
    expected = naive.judge(*(part.tolist() for part in given_as))
    np.testing.assert_allclose(utilities, expected, rtol=1e-4, atol=1e-5)
