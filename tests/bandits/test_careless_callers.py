"""What no policy can learn from is refused in a sentence, or left out and counted."""

import numpy as np
import pandas as pd
import pytest

import recopersona as rp
from recopersona.errors import ColumnError, DataError

POLICIES = {
    "greedy": rp.EpsilonGreedy,
    "softmax": rp.SoftmaxGreedy,
    "ucb": rp.UCB1,
    "thompson": rp.Thompson,
    "gaussian": lambda **more: rp.Thompson(likelihood="gaussian", **more),
    "pooled": rp.PooledThompson,
    "pooled gaussian": lambda **more: rp.PooledThompson(likelihood="gaussian", **more),
    "linucb": rp.LinUCB,
    "lints": rp.LinTS,
    "squarecb": rp.SquareCB,
}
ALL = pytest.mark.parametrize("name", POLICIES)


def make(name, **more):
    return POLICIES[name](arms=["a", "b"], **more)


@ALL
@pytest.mark.parametrize(
    "call",
    [
        lambda one: one.update("a", 10**400),
        lambda one: one.update("a", 1e300),
        lambda one: one.update("a", 1.0, weights=1e300),
        lambda one: one.update(["a", "b"], [10**400, 0]),
        lambda one: one.update(["a", "b"], [[1], [0, 1]]),
        lambda one: one.update(5, [1, 0]),
        lambda one: one.update(None, [1, 0]),
        lambda one: one.choose(5),
        lambda one: one.add_arm(["c"]),
        lambda one: one.update("x" * 10**6, 1.0),
        lambda one: one.update("a", "x" * 10**6),
    ],
)
def test_a_sentence_says_what_was_wrong(name, call):
    policy = make(name)
    with pytest.raises(DataError) as refused:
        call(policy)
    assert len(str(refused.value)) < 500
    assert policy.counts_["rewards"] == 0


@ALL
@pytest.mark.parametrize("size", [1e-100, 1.0, 1e100])
def test_numbers_of_any_size_leave_probabilities(name, size):
    policy = make(name)
    size = min(size, policy.update([], [])._limits[1])
    policy.update(["a", "b"] * 3, [0, size] * 3, weights=[1e100, 1e-100, 1, 1e100, 1, 1])
    if isinstance(policy, rp.LinUCB | rp.LinTS | rp.SquareCB):
        policy = make(name).update(["a", "b"] * 3, [0, size] * 3, [[1e50, 1e-50]] * 6)
        chances = policy.probabilities(context=[1e50, 1.0])
    else:
        chances = policy.probabilities()
    assert chances.sum() == pytest.approx(1)
    assert (chances >= 0).all()


@ALL
def test_a_log_may_have_no_more_than_arms_and_rewards(name):
    log = pd.DataFrame({"arm": ["a", "b", "a"], "reward": [1, 0, 0]})
    assert make(name).fit(log).counts_["rewards"] == 3
    assert make(name).fit(log[:0]).counts_["rewards"] == 0


@ALL
def test_arms_that_are_no_ids_are_left_out_of_a_log(name):
    log = pd.DataFrame({"arm": [["a"], "b", None], "reward": 1, "propensity": 0.5})
    counts = POLICIES[name]().fit(log).counts_
    assert (counts["unknown_arm"], counts["arm_missing"], counts["rewards"]) == (1, 1, 1)


@pytest.mark.parametrize(
    ("name", "column"),
    [("greedy", "reward"), ("greedy", "arm"), ("greedy", "propensity"), ("pooled", "segment"),
     ("linucb", "spent")],
)  # fmt: skip
def test_columns_that_come_twice_are_refused(name, column):
    log = pd.DataFrame({"arm": ["a"], "reward": [1], "segment": ["s"], "spent": [1.0]})
    log["propensity"] = 1.0
    with pytest.raises(ColumnError, match=f"2 columns named '{column}'"):
        make(name).fit(pd.concat([log, log[[column]]], axis=1))


def test_answers_kept_for_subsets_are_no_more_than_a_few_thousand():
    arms = [f"a{number}" for number in range(14)]
    policy = rp.EpsilonGreedy(arms=arms)
    for subset in range(1, 6_000):
        policy.choose([arm for number, arm in enumerate(arms) if subset >> number & 1], key="d")
    assert len(policy._answers) < 5_000


def test_a_segment_or_a_context_beyond_all_measure():
    with pytest.raises(DataError, match="finite numbers of at most"):
        rp.LinUCB(arms=["a"]).update("a", 1.0, [1e200])
    counts = rp.LinUCB(arms=["a"]).update(["a", "a"], [1, 1], np.array([[1e200], [1.0]])).counts_
    assert (counts["context"], counts["rewards"]) == (1, 1)
