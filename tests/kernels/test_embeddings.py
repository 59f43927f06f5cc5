"""Sums of embeddings, and what embeddings learn from rows, agree with the naive twins."""

import numpy as np
import pytest
from scipy import sparse

from recopersona.kernels.embeddings import sum_embeddings, teach_embeddings
from tests.naive import embeddings as naive

N_ROWS, N_FEATURES, FACTORS = 9, 6, 5


@pytest.fixture(params=range(4))
def rng(request):
    return np.random.default_rng(request.param)


@pytest.fixture
def shares(rng):
    dense = rng.normal(size=(N_ROWS, N_FEATURES)) * (rng.random((N_ROWS, N_FEATURES)) < 0.4)
    dense[3] = 0  # a row without a feature
    return dense.astype(np.float32)


def lists(dense):
    rows = sparse.csr_array(dense)
    return rows.indptr.astype(np.int64), rows.indices.astype(np.int32), rows.data


def test_rows_are_sums_of_embeddings(rng, shares):
    embeddings = rng.normal(size=(N_FEATURES, FACTORS)).astype(np.float32)
    sums = np.full((N_ROWS, FACTORS), np.nan, np.float32)
    sum_embeddings(sums, *lists(shares), embeddings, 0, 4)
    sum_embeddings(sums, *lists(shares), embeddings, 4, N_ROWS)
    np.testing.assert_allclose(sums, naive.sums(shares, embeddings), atol=1e-5)


def test_millions_of_small_shares_do_not_round_away():
    ones = np.ones(3_000_000, np.float32)
    sums = np.empty((1, 1), np.float32)
    features = np.zeros(len(ones), np.int32)
    sum_embeddings(
        sums, np.array([0, len(ones)]), features, ones, np.full((1, 1), 0.1, np.float32), 0, 1
    )
    assert sums[0, 0] == pytest.approx(300_000, rel=1e-6)


def test_embeddings_learn_from_rows_in_their_order(rng, shares):
    embeddings = rng.normal(size=(N_FEATURES, FACTORS)).astype(np.float32)
    evidence = rng.uniform(0, 1, N_FEATURES).astype(np.float32)
    rows = rng.integers(0, N_ROWS, 12).astype(np.int32)
    weights = (rng.uniform(0, 2, 12) * (rng.random(12) < 0.8)).astype(np.float32)
    targets = rng.normal(size=(12, FACTORS)).astype(np.float32)
    reg = rng.uniform(0.01, 1, N_FEATURES).astype(np.float32)
    wanted = naive.taught(embeddings, evidence, shares, rows, weights, targets, reg)
    teach_embeddings(embeddings, evidence, *lists(shares), rows, weights, targets, reg)
    np.testing.assert_allclose(embeddings, wanted[0], atol=1e-4)
    np.testing.assert_allclose(evidence, wanted[1], rtol=1e-5)


def test_a_lesson_never_goes_beyond_its_target(rng, shares):
    """However many features a row has, and however little is known of them."""
    embeddings, evidence = np.zeros((N_FEATURES, 1), np.float32), np.zeros(N_FEATURES, np.float32)
    row = int(np.argmax((shares != 0).sum(axis=1)))
    target, reg = np.ones((1, 1), np.float32), np.full(N_FEATURES, 1e-6, np.float32)
    teach_embeddings(
        embeddings, evidence, *lists(shares), np.array([row], np.int32),
        np.ones(1, np.float32), target, reg,
    )  # fmt: skip
    assert (shares[row] @ embeddings)[0] == pytest.approx(1, abs=1e-3)
