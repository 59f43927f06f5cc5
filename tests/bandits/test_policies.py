"""What holds for every policy: arms, draws, propensities, rewards of all kinds, files."""

import itertools

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.base import clone

import recopersona as rp
from recopersona.errors import ColumnError, DataError, NotFittedError, ParameterError

ARMS = ["plain", "fresh", "broad", "odd"]
POLICIES = {
    "epsilon": rp.EpsilonGreedy,
    "softmax": rp.SoftmaxGreedy,
    "ucb": rp.UCB1,
    "thompson": rp.Thompson,
    "gaussian": lambda **more: rp.Thompson(likelihood="gaussian", **more),
    "pooled": lambda **more: rp.PooledThompson(n0=50, **more),
    "pooling learned": rp.PooledThompson,
    "pooled gaussian": lambda **more: rp.PooledThompson(likelihood="gaussian", n0=50, **more),
    "pooling learned, gaussian": lambda **more: rp.PooledThompson(likelihood="gaussian", **more),
    "linucb": rp.LinUCB,
    "lints": rp.LinTS,
    "squarecb": rp.SquareCB,
}
LINEAR = ("linucb", "lints", "squarecb")
every = pytest.mark.parametrize("name", POLICIES)


def contexts_of(name, n, seed=0):
    rng = np.random.default_rng(seed)
    if name in LINEAR:
        return np.column_stack([np.ones(n), rng.normal(size=n)])
    if name.startswith("pool"):
        return [f"s{row}" for row in rng.integers(0, 3, n)]
    return [None] * n


def told(name, n=60, **more):
    """Return a policy that has learned a little."""
    rng = np.random.default_rng(1)
    arms = rng.choice(ARMS, n).tolist()
    rewards = (rng.random(n) < [0.3 + 0.1 * ARMS.index(arm) for arm in arms]).astype(float)
    policy = POLICIES[name](arms=ARMS, **more)
    return policy.update(arms, rewards, contexts_of(name, n))


def context_of(name):
    return contexts_of(name, 1, seed=9)[0]


# -- choosing ------------------------------------------------------------------------------------


@every
@pytest.mark.parametrize("epsilon", [0.0, 0.2])
def test_draws_follow_the_logged_propensities_for_every_subset(name, epsilon):
    policy, context = told(name, epsilon=epsilon), context_of(name)
    for size in range(1, 5):
        for arms in itertools.combinations(ARMS, size):
            chances = policy.probabilities(arms, context)
            assert chances.sum() == pytest.approx(1)
            assert (chances >= epsilon / size - 1e-12).all()
            drawn = [policy.choose(arms, context, key=f"{arms} {n}") for n in range(400)]
            counts = np.array([sum(draw.arm == arm for draw in drawn) for arm in arms])
            assert all(draw.propensity == chances[arms.index(draw.arm)] for draw in drawn)
            assert not counts[chances == 0].any()
            likely = chances * 400 >= 1
            if likely.sum() > 1:
                seen, expected = counts[likely], chances[likely]
                p = stats.chisquare(seen, seen.sum() * expected / expected.sum()).pvalue
                assert p > 1e-4, (arms, seen, expected)


@every
def test_a_draw_tells_all_probabilities(name):
    policy, context = told(name), context_of(name)
    draw = policy.choose(["odd", "plain"], context, key="visit 1")
    assert list(draw.probabilities) == ["odd", "plain"]
    np.testing.assert_array_equal(
        list(draw.probabilities.values()), policy.probabilities(["odd", "plain"], context)
    )
    assert draw.segment == (context if name.startswith("pool") else None)
    assert draw == policy.choose(["odd", "plain"], context, key="visit 1")


@every
def test_without_a_key_the_expected_best_is_taken(name):
    policy, context = told(name), context_of(name)
    draw = policy.choose(context=context)
    assert draw.arm == ARMS[int(np.argmax(policy.expected(context=context)))]
    assert draw.propensity == 1
    assert sum(draw.probabilities.values()) == 1


@every
def test_cold_arms_share(name):
    policy = POLICIES[name](arms=ARMS)
    np.testing.assert_allclose(policy.probabilities(context=context_of(name)), 0.25)
    drawn = {policy.choose(key=n, context=context_of(name)).arm for n in range(60)}
    assert drawn == set(ARMS)  # no tie is broken to the first arm


@every
def test_what_has_been_handed_out_changes_nothing(name):
    policy, context = told(name), context_of(name)
    before = policy.probabilities(context=context)
    policy.choose(context=context, key=1).probabilities["plain"] = 9.0
    policy.probabilities(context=context)[:] = 9.0
    np.testing.assert_array_equal(policy.probabilities(context=context), before)


@every
def test_no_eligible_arm_an_unknown_one_and_one_twice_are_refused(name):
    policy, context = told(name), context_of(name)
    with pytest.raises(NotFittedError, match="has no arms; pass"):
        POLICIES[name]().choose(context=context, key=1)
    with pytest.raises(DataError, match="no arm is eligible"):
        policy.choose([], context, key=1)
    with pytest.raises(DataError, match="did you mean 'fresh'"):
        policy.choose(["frsh"], context, key=1)
    with pytest.raises(DataError, match=r"write \['fresh'\]"):
        policy.choose("fresh", context, key=1)
    with pytest.raises(DataError, match="distinct"):
        policy.choose(["fresh", "fresh"], context, key=1)


# -- learning ------------------------------------------------------------------------------------


@every
def test_one_by_one_and_all_at_once_are_the_same(name):
    rng = np.random.default_rng(2)
    arms, rewards = rng.choice(ARMS, 40).tolist(), rng.random(40)
    contexts = contexts_of(name, 40)
    for more in ({}, {"half_life": 15.0}, {"window": 12}):
        batch = POLICIES[name](arms=ARMS, **more).update(arms, rewards, contexts)
        single = POLICIES[name](arms=ARMS, **more)
        for row in range(40):
            single.update(arms[row], rewards[row], contexts[row])
        asked = {"context": context_of(name)}
        np.testing.assert_allclose(single.expected(**asked), batch.expected(**asked), atol=1e-9)
        np.testing.assert_allclose(
            single.probabilities(**asked), batch.probabilities(**asked), atol=1e-7
        )
        assert single.counts_ == batch.counts_ == {"rewards": 40, "revised": 0}


@every
def test_a_revised_reward_is_as_if_it_had_come_so(name):
    rng = np.random.default_rng(3)
    arms, rewards = rng.choice(ARMS, 40).tolist(), rng.random(40)
    contexts, asked = contexts_of(name, 40), {"context": context_of(name)}
    for more in ({}, {"window": 25}):
        right = POLICIES[name](arms=ARMS, **more).update(arms, rewards, contexts)
        wrong = POLICIES[name](arms=ARMS, **more)
        wrong.update(arms, np.where(np.arange(40) == 30, 0.125, rewards), contexts)
        wrong.revise(arms[30], 0.125, rewards[30], contexts[30])
        np.testing.assert_allclose(wrong.expected(**asked), right.expected(**asked), atol=1e-9)
        np.testing.assert_allclose(
            wrong.probabilities(**asked), right.probabilities(**asked), atol=1e-7
        )
        assert wrong.counts_["revised"] == 1


@every
def test_a_reward_outside_the_window_is_revised_no_more(name):
    policy = told(name, window=5)
    before = policy.expected(context=context_of(name))
    policy.revise("plain", 0.123, 1.0, context_of(name))
    np.testing.assert_array_equal(policy.expected(context=context_of(name)), before)
    assert policy.counts_["revised_outside_window"] == 1


@pytest.mark.parametrize("name", [name for name in POLICIES if "learned" not in name])
def test_a_window_is_what_would_have_been_learned_of_it_alone(name):
    rng = np.random.default_rng(4)
    arms, rewards = rng.choice(ARMS, 50).tolist(), rng.random(50)
    contexts, asked = contexts_of(name, 50), {"context": context_of(name)}
    windowed = POLICIES[name](arms=ARMS, window=20)
    for start in range(0, 50, 7):
        part = slice(start, start + 7)
        windowed.update(arms[part], rewards[part], contexts[part])
    alone = POLICIES[name](arms=ARMS).update(arms[30:], rewards[30:], contexts[30:])
    np.testing.assert_allclose(windowed.expected(**asked), alone.expected(**asked), atol=1e-9)


@every
def test_what_is_forgotten_leaves_the_prior(name):
    context = context_of(name)
    policy = told(name, half_life=1.0)
    cold = POLICIES[name](arms=ARMS).expected(["plain", "fresh"], context)
    zero = contexts_of(name, 1, seed=9)[0]
    for _ in range(80):  # of other arms, so that these two are forgotten
        policy.update("odd", 0.5, zero)
    found = policy.expected(["plain", "fresh"], context)
    if name in LINEAR or name == "thompson":
        np.testing.assert_allclose(found, cold, atol=1e-6)
    else:  # they stand where all rewards stand
        np.testing.assert_allclose(found, 0.5, atol=1e-6)


@every
def test_rewards_that_cannot_be_learned_from_are_refused_one_by_one(name):
    policy, context = told(name), context_of(name)
    before = policy.expected(context=context)
    for reward in (np.nan, np.inf, None, "much"):
        with pytest.raises(DataError, match="a reward must be"):
            policy.update("plain", reward, context)
    with pytest.raises(DataError, match="there is no arm 'plan'; did you mean 'plain'"):
        policy.update("plan", 1.0, context)
    with pytest.raises(DataError, match="there is no arm"):
        policy.update(["plain"], 1.0, context)
    for weight in (0, -1, np.nan):
        with pytest.raises(DataError, match="a weight must be"):
            policy.update("plain", 1.0, context, weight)
    narrow = POLICIES[name](arms=ARMS, reward_range=(0, 10))
    with pytest.raises(DataError, match="from 0 to 10, got 11"):
        narrow.update("plain", 11, context)
    np.testing.assert_array_equal(policy.expected(context=context), before)


@every
def test_among_many_they_are_left_out_and_counted(name):
    policy = POLICIES[name](arms=ARMS, reward_range=(0, 1)).remove_arm("odd")
    arms = ["plain", "fresh", "odd", "who", np.nan, ["a"], "plain", "broad", "broad", "plain"]
    rewards = [1.0, np.nan, 1.0, 1.0, 1.0, 1.0, 1.5, -np.inf, 0.5, 0.5]
    weights = [1, 1, 1, 1, 1, 1, 1, 1, 0, 2]
    policy.update(arms, rewards, contexts_of(name, 10), weights)
    assert policy.counts_ == {
        "rewards": 2,
        "revised": 0,
        "removed_arm": 1,
        "unknown_arm": 3,
        "reward_missing": 1,
        "reward_out_of_range": 2,
        "weight": 1,
    }
    with pytest.raises(DataError, match="one reward and one weight for each of 2 arms"):
        policy.update(["plain", "fresh"], [1.0])
    policy.update([], [])


# -- arms ----------------------------------------------------------------------------------------


@every
def test_arms_come_cold_and_go(name):
    policy, context = told(name), context_of(name)
    cold = POLICIES[name](arms=["new"])
    kept = policy.expected(["plain", "odd"], context)
    policy.add_arm("new", "newer").remove_arm("fresh")
    assert policy.arms_ == ["plain", "broad", "odd", "new", "newer"]
    # A removed arm's rewards leave the mean of all, which some priors are centred on.
    np.testing.assert_allclose(policy.expected(["plain", "odd"], context), kept, rtol=1e-3)
    assert policy.choose(["new", "newer"], context, key=1).propensity == pytest.approx(0.5)
    if name in LINEAR:
        assert policy.expected(["new"], context) == cold.expected(["new"], context)
    with pytest.raises(DataError, match="was removed; add it again"):
        policy.choose(["fresh"], context, key=1)
    with pytest.raises(DataError, match="there is an arm 'new' already"):
        policy.add_arm("new")


@every
def test_a_reward_of_a_removed_arm_is_counted_and_one_that_comes_back_starts_afresh(name):
    policy, context = told(name), context_of(name)
    policy.remove_arm("fresh")
    before = policy.expected(context=context)
    policy.update("fresh", 1.0, context).revise("fresh", 0.0, 1.0, context)
    np.testing.assert_array_equal(policy.expected(context=context), before)
    assert policy.counts_["removed_arm"] == 2
    policy.add_arm("fresh", "other")
    assert policy.removed_ == []
    both = policy.expected(["fresh", "other"], context)
    assert both[0] == both[1]


@every
def test_a_window_forgets_a_removed_arm(name):
    policy, context = told(name, window=40), context_of(name)
    policy.remove_arm("plain")
    for n in range(50):
        policy.update(ARMS[1 + n % 3], 0.5, contexts_of(name, 1, seed=n)[0])
    alone = POLICIES[name](arms=ARMS[1:])
    for n in range(10, 50):
        alone.update(ARMS[1 + n % 3], 0.5, contexts_of(name, 1, seed=n)[0])
    np.testing.assert_allclose(
        policy.expected(context=context), alone.expected(context=context), atol=1e-9
    )


# -- files and parameters ------------------------------------------------------------------------


@every
@pytest.mark.parametrize("more", [{}, {"half_life": 10.0}, {"window": 10}], ids=str)
def test_a_saved_policy_goes_on_as_if_nothing_had_been(name, more, tmp_path):
    policy, context = told(name, **more).remove_arm("broad"), context_of(name)
    rp.save(policy, tmp_path / "policy")
    again = rp.load(tmp_path / "policy")
    for one in (policy, again):
        one.update(["plain", "odd"], [1.0, 0.0], contexts_of(name, 2))
    np.testing.assert_array_equal(
        again.probabilities(context=context), policy.probabilities(context=context)
    )
    assert again.choose(context=context, key=5) == policy.choose(context=context, key=5)
    assert (again.arms_, again.counts_, again.removed_) == (
        policy.arms_,
        policy.counts_,
        policy.removed_,
    )


@every
def test_a_clone_knows_nothing_and_parameters_can_be_set(name):
    policy, context = told(name), context_of(name)
    cold = clone(policy)
    np.testing.assert_allclose(cold.probabilities(context=context), 0.25)
    before = policy.probabilities(context=context)
    policy.set_params(epsilon=1.0)
    np.testing.assert_allclose(policy.probabilities(context=context), 0.25)
    policy.set_params(epsilon=cold.epsilon)
    np.testing.assert_allclose(policy.probabilities(context=context), before)
    with pytest.raises(ParameterError, match="epsilon must be"):
        POLICIES[name](arms=ARMS, epsilon=2).choose(context=context)
    with pytest.raises(ParameterError, match="exclude each other"):
        POLICIES[name](arms=ARMS, half_life=3.0, window=3).choose(context=context)
    with pytest.raises(ParameterError, match="a list of distinct arms"):
        POLICIES[name](arms=["a", "a"]).choose(context=context)


# -- logs ----------------------------------------------------------------------------------------


def log_of(name, n=300):
    rng = np.random.default_rng(6)
    arms = rng.choice(ARMS, n, p=[0.4, 0.3, 0.2, 0.1])
    frame = pd.DataFrame({"arm": arms, "reward": rng.integers(0, 2, n).astype(float)})
    contexts = contexts_of(name, n)
    if name in LINEAR:
        frame["constant"], frame["price"] = contexts[:, 0], contexts[:, 1]
    elif name.startswith("pool"):
        frame["segment"] = contexts
    return frame, contexts


@every
def test_a_log_is_the_same_as_its_rows(name):
    frame, contexts = log_of(name)
    fitted = POLICIES[name]().fit(frame)
    assert fitted.arms_ == list(dict.fromkeys(frame["arm"]))
    by_hand = POLICIES[name](arms=fitted.arms_)
    by_hand.update(frame["arm"], frame["reward"], contexts)
    halves = POLICIES[name](arms=fitted.arms_).fit(frame[:100]).partial_fit(frame[100:])
    asked = {"context": context_of(name)}
    for other in (by_hand, halves):
        np.testing.assert_allclose(other.expected(**asked), fitted.expected(**asked))
    again = fitted.fit(frame)  # forgets first
    np.testing.assert_array_equal(again.expected(**asked), fitted.expected(**asked))
    assert again.counts_["rewards"] == 300


@every
def test_hostile_rows_are_left_out_by_reason(name):
    frame, _ = log_of(name, 12)
    frame["propensity"] = 0.5
    frame["arm"] = frame["arm"].astype(object)
    frame.loc[0, "reward"] = np.nan
    frame.loc[1, "arm"] = None
    frame.loc[2, "propensity"] = 0.0
    frame.loc[3, "propensity"] = np.nan
    frame.loc[4, "propensity"] = 1.2
    frame.loc[5, "reward"] = 7.0
    frame.loc[6, "arm"] = "who"
    if name in LINEAR:
        frame.loc[7, "price"] = np.inf
    policy = POLICIES[name](arms=ARMS, reward_range=(0, 1)).fit(frame)
    counts = {
        "reward_missing": 1,
        "arm_missing": 1,
        "propensity_out_of_range": 2,
        "propensity_missing": 1,
        "reward_out_of_range": 1,
        "unknown_arm": 1,
        **({"context": 1} if name in LINEAR else {}),
    }
    left = 12 - sum(counts.values())
    assert policy.counts_ == {"rewards": left, "revised": 0, **counts}
    with pytest.raises(ColumnError, match="reward"):
        policy.fit(frame[["arm"]])
    with pytest.raises(ColumnError, match="must hold numbers"):
        policy.fit(frame.assign(reward="much"))


def test_propensities_undo_who_was_shown_what():
    """An arm shown mostly to those who click anyway looks good; weighed, it is as good as any."""
    rng = np.random.default_rng(7)
    keen = rng.random(40_000) < 0.5
    share = np.where(keen, 0.9, 0.1)
    fresh = rng.random(40_000) < share
    frame = pd.DataFrame({
        "arm": np.where(fresh, "fresh", "plain"),
        "reward": (rng.random(40_000) < np.where(keen, 0.3, 0.1)).astype(float),
        "propensity": np.where(fresh, share, 1 - share),
    })  # fmt: skip
    naive = rp.Thompson(arms=["fresh", "plain"]).fit(frame.drop(columns="propensity"))
    weighed = rp.Thompson(arms=["fresh", "plain"]).fit(frame)
    assert naive.expected()[0] - naive.expected()[1] > 0.1
    np.testing.assert_allclose(weighed.expected(), 0.2, atol=0.02)
    n = (frame["arm"] == "fresh").sum()
    assert 0.2 * n < weighed.trials_[0, 0] < 0.5 * n  # the effective number, not 1 / p of them


def test_a_context_may_name_its_numbers():
    policy = rp.LinUCB(arms=["a", "b"], features=["age", "hour"])
    policy.update("a", 1.0, {"hour": 2, "age": 1}).update(
        ["b"], [1.0], [pd.Series({"hour": 3, "age": 1})]
    )
    assert (
        policy.expected(context={"age": 1, "hour": 2}).tolist()
        == policy.expected(context=[1, 2]).tolist()
    )
    assert np.allclose(policy.responses_, [[1, 2], [1, 3]])
    with pytest.raises(DataError, match=r"it lacks \['age'\]"):
        policy.choose(context={"hour": 2}, key="visit")
    with pytest.raises(DataError, match=r"LinTS\(features=\['age'\]\)"):
        rp.LinTS(arms=["a", "b"]).choose(context={"age": 2}, key="visit")


def test_columns_of_text_make_no_vector():
    log = pd.DataFrame(
        {"arm": ["a", "b"], "reward": [0, 1], "decision_id": ["x", "y"], "age": [1, 2]}
    )
    with pytest.raises(ColumnError, match=r"say which columns .* LinUCB\(features="):
        rp.LinUCB().fit(log)
    assert rp.LinUCB(features=["age"]).fit(log).arms_ == ["a", "b"]


def test_a_whole_draw_is_no_arm():
    policy = rp.Thompson(arms=["a", "b"])
    with pytest.raises(DataError, match=r"pass draw\.arm"):
        policy.update(policy.choose(key="visit"), 1.0)
