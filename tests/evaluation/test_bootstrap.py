"""Bootstrap intervals cover what they promise, and the seed alone decides them."""

import numpy as np
import pytest

from recopersona.evaluation import bootstrap
from recopersona.evaluation.bootstrap import Resampling, bootstrap_means
from recopersona.kernels.blocks import limit_threads


def interval(values, seed, n_boot=300):
    means = bootstrap_means(values[:, None], np.ones(len(values)), n_boot, seed)
    return np.quantile(means, [0.025, 0.975])


def test_the_interval_covers_the_truth_about_as_often_as_it_says():
    rng = np.random.default_rng(0)
    covered = 0
    for trial in range(400):
        low, high = interval(rng.beta(0.5, 2.0, size=120), trial)
        covered += low <= 0.2 <= high
    assert 0.90 <= covered / 400 <= 0.985


@pytest.mark.parametrize("n_users", [8, 30])
def test_of_few_users_it_covers_the_truth_as_often(n_users):
    samples = np.random.default_rng(3).normal(size=(n_users, 2_000))
    found = Resampling(n_boot=500).of(samples, np.arange(n_users))
    covered = np.mean((found.low <= 0) & (found.high >= 0))
    assert 0.93 <= covered <= 0.97


def test_the_spread_is_the_standard_error_of_the_mean():
    values = np.random.default_rng(1).normal(size=400)
    means = bootstrap_means(values[:, None], np.ones(400), 4_000, 0)
    assert means.std() == pytest.approx(values.std() / 20, rel=0.05)
    assert means.mean() == pytest.approx(values.mean(), abs=0.005)


def test_columns_share_their_draws():
    values = np.random.default_rng(2).random(50)
    means = bootstrap_means(np.column_stack([values, 2 * values]), np.ones(50), 100, 0)
    np.testing.assert_allclose(means[:, 1], 2 * means[:, 0], rtol=1e-12)
    assert means[:, 0].std() > 0


def test_whoever_has_several_values_is_drawn_with_all_of_them():
    sums, counts = np.array([[3.0], [1.0]]), np.array([3.0, 1.0])
    assert (bootstrap_means(sums, counts, 50, 0) == 1.0).all()


def test_the_number_of_threads_changes_nothing(monkeypatch):
    monkeypatch.setattr(bootstrap, "_DRAWS_PER_BLOCK", 500)  # many blocks of few users
    values = np.random.default_rng(3).random((70, 3))
    by_threads = []
    for threads in (1, 2):
        with limit_threads(threads):
            by_threads.append(bootstrap_means(values, np.ones(70), 200, 9))
    np.testing.assert_array_equal(*by_threads)
    assert len(np.unique(by_threads[0][:, 0])) > 190, "every block draws users of its own"


def test_the_seed_decides():
    values = np.random.default_rng(4).random(60)
    np.testing.assert_array_equal(interval(values, 1), interval(values, 1))
    assert not np.array_equal(interval(values, 1), interval(values, 2))


def test_more_users_than_a_block_holds_are_drawn_one_resample_at_a_time(monkeypatch):
    monkeypatch.setattr(bootstrap, "_DRAWS_PER_BLOCK", 10)
    assert bootstrap_means(np.ones((20, 1)), np.ones(20), 3, 0).tolist() == [[1.0]] * 3
