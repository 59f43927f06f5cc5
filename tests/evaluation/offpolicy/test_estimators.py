from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recopersona.evaluation.bootstrap import Resampling
from recopersona.evaluation.offpolicy import estimators as ours
from recopersona.evaluation.offpolicy.intervals import bernstein, bootstrap, edges
from recopersona.evaluation.offpolicy.tuning import Binned, tuned_shrinkage, tuned_switch
from tests.naive import offpolicy as naive

seeds = st.integers(0, 2**32 - 1)


def rows(seed, n=200):
    random = np.random.default_rng(seed)
    rewards = (random.random(n) < 0.3) * random.random(n)
    return rewards, random.lognormal(0, 1, n), random.random(n), random.random(n)


@given(seeds)
@settings(max_examples=20, deadline=None)
def test_estimators_equal_their_loops(seed):
    r, w, q, v = rows(seed)
    lists = [column.tolist() for column in (r, w, q, v)]
    assert ours.ips(r, w).value == pytest.approx(naive.ips(*lists[:2]))
    assert ours.snips(r, w).value == pytest.approx(naive.snips(*lists[:2]))
    assert ours.dm(v).value == pytest.approx(naive.dm(lists[3]))
    assert ours.dr(r, w, q, v).value == pytest.approx(naive.dr(*lists))
    assert ours.sndr(r, w, q, v).value == pytest.approx(naive.sndr(*lists))
    switch = ours.dr(r, ours.switched(w, 2.0), q, v).value
    assert switch == pytest.approx(naive.dr(r, naive.switched(w, 2.0), q, v))
    dros = ours.dr(r, ours.shrunk(w, 3.0), q, v).value
    assert dros == pytest.approx(naive.dr(r, naive.shrunk(w, 3.0), q, v))
    assert ours.effective_sample_size(w) == pytest.approx(naive.effective(lists[1]))


TASTE = np.array([[0.1, 0.7, 0.4], [0.8, 0.2, 0.5]])  # context, action
LOGGING = np.array([[0.5, 0.2, 0.3], [0.2, 0.6, 0.2]])
TARGET = np.array([[0.1, 0.1, 0.8], [0.3, 0.3, 0.4]])
TRUTH = float((TARGET * TASTE).sum(axis=1).mean())


def enumerated(estimate):
    """The mean of an estimate over all logs of two rows, each weighted by how likely it is."""
    total = 0.0
    one_row = list(product(range(2), range(3), range(2)))
    for first, second in product(one_row, one_row):
        x, a, r = np.array([first, second]).T
        chance = np.prod(0.5 * LOGGING[x, a] * np.where(r, TASTE[x, a], 1 - TASTE[x, a]))
        total += chance * estimate(x, a, r.astype(float), TARGET[x, a] / LOGGING[x, a])
    return total


def test_ips_is_unbiased_over_all_logs_that_can_be():
    assert enumerated(lambda x, a, r, w: ours.ips(r, w).value) == pytest.approx(TRUTH)


def test_dr_is_unbiased_when_the_propensities_are_right_and_the_model_is_wrong():
    wrong = np.array([[0.9, 0.3, 0.0], [2.0, -1.0, 0.5]])
    expected = (TARGET * wrong).sum(axis=1)
    value = enumerated(lambda x, a, r, w: ours.dr(r, w, wrong[x, a], expected[x]).value)
    assert value == pytest.approx(TRUTH)


def test_dr_is_unbiased_when_the_model_is_right_and_the_propensities_are_wrong():
    expected = (TARGET * TASTE).sum(axis=1)
    value = enumerated(lambda x, a, r, w: ours.dr(r, 3 * w + 1, TASTE[x, a], expected[x]).value)
    assert value == pytest.approx(TRUTH)


@given(seeds, st.floats(-100, 100))
@settings(max_examples=20, deadline=None)
def test_what_all_rewards_have_more_snips_and_sndr_have_more(seed, shift):
    r, w, q, v = rows(seed)
    assert ours.snips(r + shift, w).value == pytest.approx(ours.snips(r, w).value + shift)
    moved = ours.sndr(r + shift, w, q + shift, v + shift).value
    assert moved == pytest.approx(ours.sndr(r, w, q, v).value + shift)


def test_shrinkage_and_threshold_lead_from_the_direct_method_to_doubly_robust():
    r, w, q, v = rows(1)
    alone, full = ours.dm(v).value, ours.dr(r, w, q, v).value
    assert ours.dr(r, ours.shrunk(w, 0.0), q, v).value == pytest.approx(alone)
    assert ours.dr(r, ours.shrunk(w, np.inf), q, v).value == pytest.approx(full)
    assert ours.dr(r, ours.switched(w, 0.0), q, v).value == pytest.approx(alone)
    assert ours.dr(r, ours.switched(w, np.inf), q, v).value == pytest.approx(full)


def test_influence_tells_the_variance_of_a_ratio():
    random = np.random.default_rng(0)
    logs = [(random.random(400), random.lognormal(0, 1, 400)) for _ in range(2_000)]
    values = [ours.snips(r, w).value for r, w in logs]
    told = np.mean([ours.snips(r, w).variance for r, w in logs])
    assert told == pytest.approx(np.var(values), rel=0.1)


@pytest.mark.parametrize("seed", range(5))
def test_tuning_takes_the_least_guessed_error(seed):
    r, w, q, v = rows(seed, 300)
    shrinkages = np.geomspace(100 * w.max() ** 2, 1e-6 * w.max() ** 2, 25).tolist()
    found = tuned_shrinkage(Binned.of(r, w, q, v), r, w, q, v)
    assert found.estimate.value == pytest.approx(naive.tuned(r, w, q, v, shrinkages, naive.shrunk))
    thresholds = np.unique(np.quantile(w, 1 - np.geomspace(1e-4, 0.9, 25)))[::-1].tolist()
    found = tuned_switch(Binned.of(r, w, q, v), r, w, q, v)
    assert found.estimate.value == pytest.approx(
        naive.tuned(r, w, q, v, thresholds, naive.switched)
    )


def test_bins_tell_the_error_of_their_rows():
    r, w, q, v = rows(3, 20_000)
    binned, full = Binned.of(r, w, q, v), ours.dr(r, w, q, v)
    assert len(binned.rows) < 7_000
    for several, weigh in (
        ([0.5, 20.0], ours.shrunk),
        (binned.quantiles(np.array([0.5, 0.99])), ours.switched),
    ):
        for setting in several:
            estimate = ours.dr(r, weigh(w, setting), q, v)
            taken = ours.Contributions(((estimate.rows - full.rows, None),))
            error = estimate.variance + taken.value**2 + taken.variance
            assert binned.error(weigh(binned.weights, setting)) == pytest.approx(error, rel=3e-3)


def test_intervals_of_few_rewards_cover_the_truth():
    """Sixteen rewarded rows in the mean, and skewed weights."""
    random, held = np.random.default_rng(3), 0
    for number in range(300):
        weights = random.choice([0.3, 4.8], p=[0.8444, 0.1556], size=2_000)
        rewards = (random.random(2_000) < 0.02).astype(float)
        one = ours.snips(rewards, weights)
        drawn = bootstrap({"one": one}, Resampling(n_boot=300, random_state=number))["one"]
        low, high = edges(one, drawn, 0.95)
        held += low <= 0.02 <= high
    assert 0.93 <= held / 300 <= 0.995  # six heavy rows: rather too long than too short


def width(one, resampling, clusters=None):
    drawn = bootstrap({"one": one}, resampling, clusters)["one"]
    low, high = edges(one, drawn, 0.95, clusters)
    return high - low


def test_bags_of_rows_give_the_interval_of_rows(monkeypatch):
    from recopersona.evaluation.offpolicy import intervals

    r, w, _, _ = rows(0, 20_000)
    one, resampling = ours.ips(r, w), Resampling(n_boot=2_000)
    usual = width(one, resampling)
    monkeypatch.setattr(intervals, "MOST_UNITS", 2_000)
    assert width(one, resampling) == pytest.approx(usual, rel=0.1)


def test_rows_of_a_cluster_are_drawn_together():
    r = np.repeat(np.random.default_rng(0).random(500), 8)
    one, clusters = ours.dm(r), np.repeat(np.arange(500), 8)
    alone = width(one, Resampling())
    assert width(one, Resampling(), clusters) == pytest.approx(alone * np.sqrt(8), rel=0.15)


def test_bernstein_holds_where_nothing_was_seen():
    low, high = bernstein(np.zeros(100), 0.0, 1.0, 0.95)
    assert low == 0
    assert 0.03 < high < 0.2
