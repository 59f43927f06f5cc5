"""What is particular to one policy."""

import numpy as np
import pytest

import recopersona as rp
from recopersona.errors import DataError, ParameterError

# -- Thompson and its segments -------------------------------------------------------------------


def test_a_segment_of_which_nothing_is_known_stands_where_all_stand():
    policy = rp.PooledThompson(arms=["a", "b"], n0=50)
    policy.update(["a"] * 1_000 + ["b"] * 1_000, [1, 0] * 500 + [1, 0, 0, 0] * 250, ["s"] * 2_000)
    overall = rp.Thompson(arms=["a", "b"])
    overall.update(["a"] * 1_000 + ["b"] * 1_000, [1, 0] * 500 + [1, 0, 0, 0] * 250)
    np.testing.assert_allclose(policy.expected(context="new"), overall.expected())
    chances = policy.probabilities(context="new")
    assert chances[0] < overall.probabilities()[0]  # it may differ, so it is less sure
    assert chances[0] > 0.99
    np.testing.assert_array_equal(policy.probabilities(), chances)  # nobody said which
    assert policy.segments_ == ["s"]  # asking adds none


def test_a_segment_with_much_of_its_own_stands_for_itself():
    policy = rp.PooledThompson(arms=["a", "b"], n0=50)
    policy.update(["a"] * 10_000, [1, 0] * 5_000, ["s"] * 10_000)
    policy.update(["a"] * 10_000, [0] * 10_000, ["t"] * 10_000)
    assert policy.expected(["a"], "s")[0] == pytest.approx(0.5, abs=0.01)
    assert policy.expected(["a"], "t")[0] == pytest.approx(0.0, abs=0.01)


def test_a_cold_arm_has_the_priors_full_width_whatever_n0_is():
    """Centred on the prior with the strength of n0, it would look as if it had been tried."""
    wide = rp.Thompson(arms=["known", "cold"]).update(["known"] * 4_000, [1, 0, 0, 0] * 1_000)
    pooled = rp.PooledThompson(arms=["known", "cold"], n0=10_000)
    pooled.update(["known"] * 4_000, [1, 0, 0, 0] * 1_000, ["s"] * 4_000)
    for context in ("s", "new"):
        np.testing.assert_allclose(
            pooled.probabilities(context=context), wide.probabilities(), atol=2e-3
        )


def learned(rates, seed=0, n=40_000):
    """Return a policy told of clicks at rates (n_segments, n_arms)."""
    rng = np.random.default_rng(seed)
    segments, arms = (rng.integers(0, size, n) for size in rates.shape)
    clicks = (rng.random(n) < rates[segments, arms]).astype(float)
    return rp.PooledThompson(arms=list(range(rates.shape[1]))).update(arms, clicks, segments)


def test_how_far_segments_differ_is_learned_whatever_their_levels():
    levels = np.array([0.5, 0.8, 1.0, 1.7])[:, None]
    alike = levels * np.array([0.08, 0.1, 0.12])
    apart = alike * np.random.default_rng(1).uniform(0.4, 1.6, alike.shape)
    policy, other = learned(alike), learned(apart)
    assert policy.n0_ > 2_000
    assert other.n0_ < 300
    places = [policy.segments_.index(segment) + 1 for segment in range(4)]
    np.testing.assert_allclose(policy.levels_[places], levels[:, 0], rtol=0.1)
    assert policy.levels_[0] == 1
    np.testing.assert_allclose(policy.expected(context=3), alike[3], rtol=0.1)
    assert rp.PooledThompson(n0=70, arms=[1]).update(1, 1.0, "s").n0_ == 70


@pytest.mark.parametrize("unit", [0.01, 100.0])
def test_how_far_segments_differ_is_learned_of_gaussian_rewards_too(unit):
    rng = np.random.default_rng(0)
    segments, arms = rng.integers(0, 4, 20_000), rng.integers(0, 3, 20_000)
    alike = np.array([0.5, 0.8, 1.0, 1.7])[:, None] + np.array([0.0, 0.1, 0.2])
    found = []
    for means in (alike, alike + rng.normal(0, 0.2, alike.shape)):
        rewards = unit * (means[segments, arms] + rng.normal(0, 1, 20_000))
        policy = rp.PooledThompson(arms=[0, 1, 2], likelihood="gaussian")
        found.append(policy.update(arms, rewards, segments).n0_)
    assert found[0] > 2_000
    assert found[1] < 200


def test_an_arm_shown_to_the_keen_alone_is_not_thought_better():
    """Three in four of them click whatever they see, and one in four of the others."""
    rng = np.random.default_rng(2)
    keen = rng.random(8_000) < 0.5
    arms = np.where(rng.random(8_000) < np.where(keen, 0.9, 0.1), "fresh", "plain")
    clicks = (rng.random(8_000) < np.where(keen, 0.75, 0.25)).astype(float)
    segments = np.where(keen, "keen", "cool").tolist()
    told = [rp.PooledThompson(arms=["fresh", "plain"], n0=n0) for n0 in (None, 5_000.0)]
    gaps = [np.diff(one.update(arms, clicks, segments).expected(context="cool"))[0] for one in told]
    assert abs(gaps[0]) < 0.05
    assert gaps[1] < -0.1  # pooled at one level, as if segments were equally keen


def test_rewards_within_a_range_are_told_in_their_unit():
    policy = rp.Thompson(arms=["a"], reward_range=(-10, 30)).update(["a"] * 998, [10] * 998)
    assert policy.expected()[0] == pytest.approx(10)
    with pytest.raises(DataError, match="from -10 to 30, got 31"):
        policy.update("a", 31)
    assert rp.Thompson(arms=["a"], prior_mean=0.1).expected()[0] == pytest.approx(0.1)
    with pytest.raises(ParameterError, match="prior_mean must lie between 0 and 1"):
        rp.Thompson(arms=["a"], prior_mean=1.5).expected()


def test_gaussian_rewards_need_no_scale():
    """The same rewards in cents and in euros are the same choices."""
    rng = np.random.default_rng(0)
    arms, euros = rng.choice(["a", "b", "c"], 30).tolist(), rng.gamma(1.0, 30.0, 30)
    chances = [
        rp.Thompson(arms=["a", "b", "c"], likelihood="gaussian")
        .update(arms, euros * unit)
        .probabilities()
        for unit in (1, 100)
    ]
    np.testing.assert_allclose(*chances, atol=1e-6)


def test_a_segment_must_be_an_id():
    policy = rp.PooledThompson(arms=["a"])
    with pytest.raises(DataError, match="a segment must be an id"):
        policy.choose(context=["new"], key=1)
    policy.update(["a", "a", "a"], [1, 1, 1], [["new"], None, "new"])
    assert policy.counts_ == {"rewards": 2, "revised": 0, "context": 1}
    assert policy.trials_.tolist() == [[2.0], [1.0]]  # the one without a segment is known to all


# -- linear --------------------------------------------------------------------------------------


def test_a_cold_arm_is_as_wide_as_its_prior():
    """MABWiser 2.7.4 starts from A_inv = lambda * I, where the inverse of lambda * I is due."""
    context = np.array([3.0, 4.0])
    for ridge in (0.1, 1.0, 100.0):
        policy = rp.LinUCB(arms=["cold"], ridge=ridge)
        policy._open()
        _, widths = policy._scores(np.zeros(1, np.int32), policy._cell(context))
        assert widths[0] == pytest.approx(5 / np.sqrt(ridge))


def test_a_strong_ridge_explores_less():
    chances = []
    for ridge in (1.0, 1_000.0):
        policy = rp.LinTS(arms=["known", "cold"], ridge=ridge)
        policy.update(["known"] * 5_000, np.ones(5_000), np.ones((5_000, 1)))
        chances.append(policy.probabilities(context=[1.0])[1])
    assert chances[0] > 0.1 > 1e-6 > chances[1]


@pytest.mark.parametrize("more", [{}, {"half_life": 30.0}], ids=str)
def test_learning_touches_no_other_arm(more):
    policy = rp.LinUCB(arms=list(range(50)), **more).update([3, 4], [1, 0], [[1, 2], [1, 0]])
    before = policy.inverses_.copy()
    policy.update(7, 1.0, [1.0, 1.0])
    if not more:
        changed = (policy.inverses_ != before).any(axis=(1, 2))
        assert np.flatnonzero(changed).tolist() == [7]
    assert policy.expected([7], [1.0, 1.0])[0] > 0


def test_a_half_life_halves_what_is_known_and_not_the_prior():
    policy = rp.LinTS(arms=["a", "b"], half_life=1.0, ridge=2.0).update("a", 1.0, [1.0])
    assert policy.expected(["a"], [1.0])[0] == pytest.approx(1 / 3)
    policy.update("b", 1.0, [1.0])
    assert policy.expected(["a"], [1.0])[0] == pytest.approx(0.5 / 2.5)


def test_contexts_are_vectors_of_one_length():
    policy = rp.LinUCB(arms=["a", "b"]).update("a", 1.0, [1.0, 2.0])
    for context in ([1.0], [[1.0, 2.0]], 3.0, "new", None):
        with pytest.raises(DataError, match="a context must be"):
            policy.choose(context=context, key=1)
    with pytest.raises(DataError, match="finite"):
        policy.choose(context=[1.0, np.nan], key=1)
    policy.update(["a", "b"], [1.0, 1.0], [[1.0, 2.0], [1.0, np.inf]])
    assert policy.counts_ == {"rewards": 2, "revised": 0, "context": 1}
    with pytest.raises(DataError, match="one context for each of 2 arms, got 1"):
        policy.update(["a", "b"], [1.0, 1.0], [[1.0, 2.0]])


def test_a_zero_context_says_nothing():
    policy = rp.LinTS(arms=["a", "b", "c"]).update("a", 1.0, [1.0, 0.0])
    np.testing.assert_allclose(policy.probabilities(context=[0.0, 0.0]), 1 / 3)


def test_the_columns_of_a_log_can_be_named():
    import pandas as pd

    log = pd.DataFrame({"arm": ["a", "b"], "reward": [1, 0], "x": [1, 1], "note": ["p", "q"]})
    assert rp.LinUCB(features=["x"]).fit(log).expected(context=[1]).tolist() == [0.5, 0]
    with pytest.raises(DataError, match="'note' of a log must hold numbers"):
        rp.LinUCB().fit(log)


# -- gaps, temperatures, bounds ------------------------------------------------------------------


def test_inverse_gaps_are_those_of_the_formula():
    policy = rp.SquareCB(arms=["a", "b", "c"], gamma=8.0, rho=0.5)
    policy.update(["a", "b", "c"] * 12, [1.0, 0.5, 0.5] * 12)
    means = policy.expected()
    others = 1 / (3 + 8 * 6 * (means[0] - means[1:]))
    np.testing.assert_allclose(policy.probabilities(), [1 - others.sum(), *others])


def test_a_bound_is_that_of_the_formula():
    policy = rp.UCB1(arms=["a", "b"]).update(["a"] * 90 + ["b"] * 10, [0.6] * 90 + [0.4] * 10)
    # 0.6 + sqrt(2 ln 100 / 90) = 0.92 < 0.4 + sqrt(2 ln 100 / 10) = 1.36
    assert policy.probabilities().tolist() == [0.0, 1.0]
    assert rp.UCB1(**{**policy.get_params(), "alpha": 0.1}).update(
        ["a"] * 90 + ["b"] * 10, [0.6] * 90 + [0.4] * 10
    ).probabilities().tolist() == [1.0, 0.0]


@pytest.mark.parametrize("policy", [rp.EpsilonGreedy, rp.SoftmaxGreedy], ids=str)
def test_a_new_arm_stands_in_the_middle_until_its_first_reward(policy):
    known = policy(arms=["good", "poor"]).update(["good", "poor"] * 50, [0.8, 0.2] * 50)
    known.add_arm("new")
    assert known.expected(["new"])[0] == pytest.approx(0.5)
    assert known.choose().arm == "good"


@pytest.mark.parametrize("likelihood", ["beta", "gaussian"])
def test_a_narrower_posterior_is_that_of_more_rewards(likelihood):
    random = np.random.default_rng(3)
    names = ["plain", "fresh", "broad"]
    arms = random.choice(names, 600).tolist()
    rewards = (random.random(600) < 0.3).astype(float)
    narrow = rp.Thompson(arms=names, likelihood=likelihood, width=0.5, prior_strength=1.0)
    often = rp.Thompson(arms=names, likelihood=likelihood, prior_strength=4.0)
    narrow.update(arms, rewards)
    often.update(arms * 4, np.tile(rewards, 4))
    np.testing.assert_allclose(narrow.probabilities(), often.probabilities(), atol=1e-6)


@pytest.mark.parametrize("likelihood", ["beta", "gaussian"])
def test_pooled_posteriors_are_narrower_and_expect_the_same(likelihood):
    told = ["plain", "fresh"] * 8, [0.0, 1.0, 1.0, 1.0] * 4, ["new"] * 16
    usual, narrow = (
        rp.PooledThompson(
            arms=["plain", "fresh"], likelihood=likelihood, n0=50, width=width
        ).update(*told)
        for width in (1.0, 0.5)
    )
    assert narrow.expected(context="new") == pytest.approx(usual.expected(context="new"), abs=0.01)
    assert narrow.probabilities(context="new").max() > usual.probabilities(context="new").max()
