"""Probabilities of being the best, and sums and regressions that grow reward by reward."""

import numpy as np
import pytest
from scipy import special, stats

from recopersona.kernels.bandits import (
    beta_chances,
    learn_ridge,
    normal_best,
    normal_chances,
    score_ridge,
    tally,
)
from tests.naive import bandits as naive

PRIOR = (1.0, 1.0)


def betas(trials, totals, row=0, n0=200.0, prior=PRIOR):
    places = np.arange(trials.shape[1], dtype=np.int32)
    chances, means = np.empty(len(places)), np.empty(len(places))
    beta_chances(chances, means, trials, totals, places, np.ones(len(trials)), row, *prior, n0)
    return chances, means


def integrated(distributions):
    """Integrate over the quantiles of each arm, with SciPy's distribution functions."""
    ends = 10.0 ** -np.arange(14, 3, -1)
    shares = np.concatenate([ends, np.linspace(1e-3, 1 - 1e-3, 300), 1 - ends[::-1]])
    nodes = np.unique(np.concatenate([one.ppf(shares) for one in distributions]))
    below = np.array([one.cdf(nodes) for one in distributions])
    steps, middle = np.diff(below, axis=1), (below[:, 1:] + below[:, :-1]) / 2
    found = [
        (steps[arm] * np.delete(middle, arm, 0).prod(axis=0)).sum()
        for arm in range(len(distributions))
    ]
    return np.array(found) / sum(found)


@pytest.mark.parametrize("prior", [(1.0, 1.0), (0.05, 0.95), (30.0, 70.0)])
@pytest.mark.parametrize("largest", [0, 10, 1_000, 1_000_000])
def test_the_integral_is_that_of_other_numerics(largest, prior):
    rng = np.random.default_rng(largest)
    trials = np.floor(largest * rng.random((1, 6)) ** 3)
    totals = np.floor(trials * rng.uniform(0.04, 0.06, (1, 6)))
    a, b = prior[0] + totals[0], prior[1] + trials[0] - totals[0]
    chances, means = betas(trials, totals, prior=prior)
    np.testing.assert_allclose(
        chances, integrated([stats.beta(*one) for one in zip(a, b, strict=True)]), atol=5e-4
    )
    np.testing.assert_allclose(means, a / (a + b))


def test_narrow_and_wide_posteriors_both_resolve():
    trials = np.array([[0.0, 1e7, 1e3, 0.0]])
    totals = np.array([[0.0, 5e6, 5e2, 0.0]])
    distributions = [
        stats.beta(1 + s, 1 + n - s) for n, s in zip(trials[0], totals[0], strict=True)
    ]
    np.testing.assert_allclose(betas(trials, totals)[0], integrated(distributions), atol=5e-4)


def test_two_arms_have_a_closed_form():
    means, widths = np.array([0.3, 0.1]), np.array([0.2, 0.01])
    chances = np.empty(2)
    normal_best(chances, widths.copy(), means)
    expected = stats.norm.cdf(0.2 / np.hypot(*widths))
    np.testing.assert_allclose(chances, [expected, 1 - expected], atol=1e-6)


@pytest.mark.parametrize("n", [1, 2, 3, 100, 2_000])
def test_equal_arms_share(n):
    zeros = np.zeros((1, n))
    np.testing.assert_allclose(betas(zeros, zeros)[0], 1 / n, rtol=1e-9)
    chances = np.empty(n)
    normal_best(chances, np.zeros(n), np.zeros(n))
    np.testing.assert_allclose(chances, 1 / n, rtol=1e-9)


def test_a_thousand_arms_are_integrated_as_well():
    rng = np.random.default_rng(3)
    means, widths = rng.normal(size=1_000), rng.uniform(0.05, 1.5, 1_000)
    chances = np.empty(1_000)
    normal_best(chances, widths.copy(), means)
    x = np.linspace(0, 8, 4_001)
    z = (x - means[:, None]) / widths[:, None]
    below = special.log_ndtr(z)
    dense = np.exp(-(z**2) / 2 + below.sum(axis=0) - below) / widths[:, None]
    np.testing.assert_allclose(chances, dense.sum(axis=1) / dense.sum(), atol=1e-4)


def test_many_samples_come_to_the_same():
    rng = np.random.default_rng(5)
    trials = rng.integers(1, 400, (3, 5)).astype(float)
    totals = np.floor(trials * 0.1)
    trials[0], totals[0] = trials[1:].sum(axis=0), totals[1:].sum(axis=0)
    for row in (0, 1, 2, -1):
        shapes = naive.pooled_beta(trials, totals, row, *PRIOR, 50.0)
        sampled = naive.sampled_best(lambda rng, arm, n: rng.beta(*shapes[arm], n), 5)  # noqa: B023
        chances, means = betas(trials, totals, row, 50.0)
        np.testing.assert_allclose(chances, sampled, atol=4e-3)
        np.testing.assert_allclose(means, shapes[:, 0] / shapes.sum(axis=1))


def test_unknown_variances_have_heavy_tails():
    """With few rewards the posterior is Student's, of two degrees of freedom without any."""
    trials = np.array([[0.0, 3.0, 40.0]])
    rewards = [np.empty(0), np.array([1.0, 2.0, 4.0]), np.linspace(1, 3, 40)]
    totals = np.array([[one.sum() for one in rewards]])
    squares = np.array([[(one**2).sum() for one in rewards]])
    chances, means = np.empty(3), np.empty(3)
    places = np.arange(3, dtype=np.int32)
    mean, variance, strength = 1.5, 4.0, 2.0
    normal_chances(
        chances, means, trials, totals, squares, places, 0, mean, variance, strength, np.inf
    )
    posteriors = []
    for one in rewards:
        n, worth = len(one), strength + len(one)
        centre = (strength * mean + one.sum()) / worth
        spread = strength * variance / 2 + strength * (mean - centre) ** 2 / 2
        spread += ((one - centre) ** 2).sum() / 2
        shape = (strength + n) / 2
        posteriors.append(stats.t(2 * shape, centre, np.sqrt(spread / shape / worth)))
    np.testing.assert_allclose(means, [one.mean() for one in posteriors])
    sampled = naive.sampled_best(lambda rng, arm, n: posteriors[arm].rvs(n, random_state=rng), 3)
    np.testing.assert_allclose(chances, sampled, atol=4e-3)


@pytest.mark.parametrize("discount", [1.0, 0.9])
def test_sums_are_those_by_hand(discount):
    rng = np.random.default_rng(1)
    n = 50
    told = rng.integers(0, 4, n), rng.integers(-1, 3, n), rng.normal(size=n), rng.random(n)
    sums = [np.zeros((3, 4)) for _ in range(3)]
    tally(*sums, told[0].astype(np.int32), told[1].astype(np.int32), *told[2:], discount)
    np.testing.assert_allclose(
        sums, naive.tallied(zip(*told, strict=True), 3, 4, discount), atol=1e-12
    )


def test_a_regression_grown_reward_by_reward_is_the_solved_one():
    rng = np.random.default_rng(2)
    n, n_arms, d, penalty = 400, 3, 6, 0.5
    arms = rng.integers(0, n_arms, n).astype(np.int32)
    contexts, rewards = rng.normal(size=(n, d)), rng.normal(size=n)
    contexts[rng.random((n, d)) < 0.3] = 0
    weights = rng.uniform(0.2, 3, n)
    inverses = np.tile(np.eye(d) / penalty, (n_arms, 1))
    responses, coefficients = np.zeros((n_arms, d)), np.zeros((n_arms, d))
    learn_ridge(inverses, responses, coefficients, arms, contexts, rewards, weights)
    means, widths = np.empty(n_arms), np.empty(n_arms)
    asked = rng.normal(size=d)
    places = np.arange(n_arms, dtype=np.int32)
    score_ridge(means, widths, inverses, coefficients, places, asked)
    for arm in range(n_arms):
        own = arms == arm
        inverse, theta = naive.ridge(contexts[own], rewards[own], weights[own], penalty)
        np.testing.assert_allclose(inverses[arm * d : arm * d + d], inverse, atol=1e-10)
        np.testing.assert_allclose(coefficients[arm], theta, atol=1e-10)
        np.testing.assert_allclose(means[arm], asked @ theta)
        np.testing.assert_allclose(widths[arm], np.sqrt(asked @ inverse @ asked))


def test_a_million_rewards_leave_the_regression_sound():
    rng = np.random.default_rng(4)
    d, n = 3, 1_000_000
    inverses, responses, coefficients = np.eye(d), np.zeros((1, d)), np.zeros((1, d))
    contexts, ones = rng.normal(size=(n, d)), np.ones(n)
    learn_ridge(inverses, responses, coefficients, np.zeros(n, np.int32), contexts, ones, ones)
    inverse, theta = naive.ridge(contexts, ones, ones, 1.0)
    np.testing.assert_allclose(inverses, inverse, rtol=1e-6, atol=1e-12)
    np.testing.assert_allclose(coefficients[0], theta, atol=1e-8)
