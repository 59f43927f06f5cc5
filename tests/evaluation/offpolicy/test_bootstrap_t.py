"""Intervals of estimates: what they are made of, and how often they hold the truth."""

import numpy as np
import pytest
from scipy.stats import norm, t

from recopersona.evaluation.bootstrap import Resampling
from recopersona.evaluation.offpolicy.estimators import ips, snips
from recopersona.evaluation.offpolicy.intervals import bootstrap, edges
from recopersona.kernels.blocks import limit_threads


def log(rng, n):
    """Two actions in a skewed log: the one that the target prefers is rare, and clicked more."""
    rare = rng.random(n) < 0.15
    weights = np.where(rare, 0.8 / 0.15, 0.2 / 0.85)
    return (rng.random(n) < np.where(rare, 0.05, 0.02)) * 1.0, weights


TRUTH = 0.8 * 0.05 + 0.2 * 0.02


def test_an_interval_equals_its_naive_twin():
    rewards, weights = log(np.random.default_rng(0), 400)
    estimate, resampling = snips(rewards, weights), Resampling(n_boot=300)
    drawn = bootstrap({"SNIPS": estimate}, resampling)["SNIPS"]
    value = (weights * rewards).sum() / weights.sum()
    pulled = [w * (r - value) / weights.mean() for r, w in zip(rewards, weights, strict=True)]
    error = sum(one**2 for one in pulled) ** 0.5 / 400
    freedom = 2 * sum(one**2 for one in pulled) ** 2 / sum(one**4 for one in pulled)
    error *= t.ppf(0.975, freedom) / norm.ppf(0.975)
    below, above = sorted(drawn)[7], sorted(drawn)[292]  # of 300, those at 2.5 and 97.5 %
    assert edges(estimate, drawn, 0.95) == pytest.approx(
        (value - above * error, value - below * error)
    )


def test_resamples_are_as_far_off_as_their_own_errors_say():
    rewards, weights = log(np.random.default_rng(1), 4_000)
    drawn = bootstrap({"IPS": ips(rewards, weights)}, Resampling(n_boot=2_000))["IPS"]
    assert drawn.std() == pytest.approx(1, abs=0.05)
    assert np.mean(drawn < -1.96) > np.mean(drawn > 1.96), "few clicks also look certain"


def test_the_number_of_threads_changes_nothing():
    rewards, weights = log(np.random.default_rng(2), 40_000)  # more than there are bags
    by_threads = []
    for threads in (1, 2):
        with limit_threads(threads):
            by_threads.append(bootstrap({"IPS": ips(rewards, weights)}, Resampling(n_boot=40)))
    np.testing.assert_array_equal(*[one["IPS"] for one in by_threads])


def test_rows_of_one_cluster_are_one_unit():
    rewards, weights = log(np.random.default_rng(3), 1_000)
    once = ips(rewards, weights)
    five = ips(np.repeat(rewards, 5), np.repeat(weights, 5))
    clusters = np.repeat(np.arange(1_000), 5)
    resampling = Resampling(n_boot=200)
    np.testing.assert_allclose(
        edges(five, bootstrap({"": five}, resampling, clusters)[""], 0.95, clusters),
        edges(once, bootstrap({"": once}, resampling)[""], 0.95),
    )


def test_the_truth_is_held_as_often_as_promised_though_clicks_are_few():
    rng = np.random.default_rng(4)
    held = {"IPS": [], "SNIPS": []}
    for start in range(0, 500, 50):
        logs = [log(rng, 3_000) for _ in range(50)]
        made = {"IPS": ips, "SNIPS": snips}
        estimates = {
            (name, place): of(*one) for name, of in made.items() for place, one in enumerate(logs)
        }
        drawn = bootstrap(estimates, Resampling(n_boot=300, random_state=start))
        for (name, place), one in estimates.items():
            low, high = edges(one, drawn[name, place], 0.95)
            held[name].append(low <= TRUTH <= high)
    for name, one in held.items():
        assert 0.93 <= np.mean(one) <= 0.985, name


def test_of_so_few_clicks_that_a_resample_may_have_none_there_is_no_upper_end():
    rewards = np.repeat([1.0, 0.0], [2, 998])
    estimate = ips(rewards, np.ones(1_000))
    low, high = edges(estimate, bootstrap({"": estimate}, Resampling())[""], 0.95)
    assert np.isfinite(low)
    assert high == np.inf


def test_rewards_that_are_all_alike_leave_no_doubt():
    estimate = snips(np.ones(50), np.linspace(0.5, 2, 50))
    assert edges(estimate, bootstrap({"": estimate}, Resampling())[""], 0.95) == (1.0, 1.0)
