"""Small regressions cut out of one Gram matrix agree with those solved alone."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recopersona.kernels.regression import descend_nets, solve_ridges, solve_transitions
from tests.kernels.test_gram import sparse_gram
from tests.naive import linear as naive

counts = st.lists(
    st.lists(st.integers(0, 3), min_size=8, max_size=8), min_size=1, max_size=5
)  # items x users
picks = st.lists(st.sets(st.integers(0, 4), max_size=4), min_size=5, max_size=5)


def chosen_of(n, picked):
    rows = [sorted(other for other in picked[item] if other < n and other != item)[::-1]
            for item in range(n)]  # fmt: skip
    bounds = np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(np.int64)
    return rows, bounds, np.array([other for row in rows for other in row], np.int32)


@given(counts, picks, st.sampled_from([0.5, 10.0]), st.integers(0, 5))
def test_ridges_agree_with_the_twin(items, picked, reg, cut):
    x, n = np.array(items, np.float64).T, len(items)
    rows, bounds, chosen = chosen_of(n, picked)
    weights = np.full(len(chosen), 77, np.float32)
    gram, cut = sparse_gram(items), min(cut, n)
    for start, end in ((0, cut), (cut, n)):
        solve_ridges(weights, *gram, bounds, chosen, np.full(n, reg, np.float32), 1e-6, start, end)
    for item, others in enumerate(rows):
        expected = naive.ridge(x, others, item, reg)
        assert weights[bounds[item] : bounds[item + 1]] == pytest.approx(expected, abs=1e-4)


@given(counts, picks, st.sampled_from([0.01, 0.3]), st.sampled_from([0.0, 0.2, 1.0]), st.booleans())
def test_nets_agree_with_the_twin(items, picked, alpha, l1_ratio, positive):
    x, n = np.array(items, np.float64).T, len(items)
    rows, bounds, chosen = chosen_of(n, picked)
    weights = np.full(len(chosen), 77, np.float32)
    l1, l2 = alpha * l1_ratio * 8, alpha * (1 - l1_ratio) * 8
    gram = sparse_gram(items)
    descend_nets(weights, *gram, bounds, chosen, l1, l2, positive, 2_000, 1e-7, 0, n)
    for item, others in enumerate(rows):
        b = weights[bounds[item] : bounds[item + 1]]
        best = naive.elastic_net(x, others, item, alpha, l1_ratio, positive)
        losses = [naive.net_loss(x, others, item, w, alpha, l1_ratio) for w in (b, best)]
        assert losses[0] <= losses[1] * (1 + 1e-3) + 1e-5
        assert not positive or (b >= 0).all()


def test_a_loose_tolerance_stops_early():
    items = np.random.default_rng(2).integers(0, 3, (5, 8)).tolist()
    _, bounds, chosen = chosen_of(5, [{0, 1, 2, 3, 4}] * 5)
    results, penalties = [], np.full(5, 0.5, np.float32)
    for tolerance in (1e-6, 0.5):
        weights = np.empty(len(chosen), np.float32)
        solve_ridges(weights, *sparse_gram(items), bounds, chosen, penalties, tolerance, 0, 5)
        results.append(weights)
    assert not np.allclose(*results, atol=1e-4)


targets = st.lists(
    st.lists(st.integers(0, 3), min_size=8, max_size=8), min_size=5, max_size=5
)  # items x users


@given(counts, targets, picks, st.sampled_from([0.5, 10.0]), st.sampled_from([0.0, 0.2, 9.0]),
       st.integers(0, 5))  # fmt: skip
def test_transitions_agree_with_the_twin(items, targets, picked, reg, ceiling, cut):
    x, n = np.array(items, np.float64).T, len(items)
    y = np.array(targets[:n], np.float64).T
    rows = [sorted(other for other in picked[item] if other < n)[::-1] for item in range(n)]
    bounds = np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(np.int64)
    chosen = np.array([other for row in rows for other in row], np.int32)
    shared = x.T @ y
    wanted = [shared[other, item] for item, row in enumerate(rows) for other in row]
    weights, gram, cut = np.full(len(chosen), 77, np.float32), sparse_gram(items), min(cut, n)
    for block in ((cut, n), (0, cut)):
        solve_transitions(
            weights, *gram, bounds, chosen, np.array(wanted, np.float32), reg, ceiling, 1e-6,
            *block,
        )  # fmt: skip
    for item, others in enumerate(rows):
        columns = x[:, others]
        system = columns.T @ columns + reg * np.eye(len(others))
        expected = np.linalg.solve(system, columns.T @ y[:, item])
        if item in others and expected[others.index(item)] > ceiling:
            rest = [other for other in others if other != item]
            left = y[:, item] - ceiling * x[:, item]
            part = np.linalg.solve(
                x[:, rest].T @ x[:, rest] + reg * np.eye(len(rest)), x[:, rest].T @ left
            )
            expected = [ceiling if o == item else part[rest.index(o)] for o in others]
        assert weights[bounds[item] : bounds[item + 1]] == pytest.approx(expected, abs=1e-3)
