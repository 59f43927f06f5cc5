"""What a file says is checked before a kernel reads it, which checks nothing again."""

import numpy as np
import pytest

import recopersona as rp
from recopersona.errors import DataError, ParameterError


def tallied():
    policy = rp.PooledThompson(arms=["a", "b"], window=5)
    return policy.update(["a", "b"], [1, 0], ["s", "t"])


def linear():
    return rp.LinTS(arms=["a", "b"], half_life=5.0).update(["a", "b"], [1, 0], [[1, 2], [1, 0]])


def cells(policy, values):
    policy.recent_.cells_ = values


CHANGES = {
    "arms are a list": (tallied, lambda one: setattr(one, "arms_", ("a", "b"))),
    "arms are distinct": (tallied, lambda one: setattr(one, "arms_", ["a", "a"])),
    "arms have names": (tallied, lambda one: setattr(one, "arms_", ["a", None])),
    "counts are counts": (tallied, lambda one: one.counts_.update(rewards=-1)),
    "counts are there": (tallied, lambda one: one.counts_.pop("revised")),
    "as many columns": (tallied, lambda one: one.arms_.append("c")),
    "as many rows": (tallied, lambda one: one.segments_.append("u")),
    "segments are distinct": (tallied, lambda one: setattr(one, "segments_", ["s", "s"])),
    "sums are finite": (tallied, lambda one: one.totals_.fill(np.nan)),
    "no negative trials": (tallied, lambda one: one.trials_.fill(-1.0)),
    "sums are doubles": (
        tallied,
        lambda one: setattr(one, "trials_", one.trials_.astype(np.float32)),
    ),
    "levels are above 0": (tallied, lambda one: one.levels_.fill(0.0)),
    "a level per row": (tallied, lambda one: setattr(one, "levels_", np.ones(2))),
    "a strength": (tallied, lambda one: setattr(one, "n0_", -1.0)),
    "a window": (tallied, lambda one: setattr(one, "recent_", None)),
    "a window of this size": (tallied, lambda one: one.recent_.set_params(size=4)),
    "a window of these arms": (tallied, lambda one: one.recent_.places_.fill(7)),
    "a window of numbers": (tallied, lambda one: one.recent_.rewards_.fill(np.inf)),
    "a window of these segments": (tallied, lambda one: one.recent_.cells_.fill(7)),
    "a window as long everywhere": (tallied, lambda one: cells(one, np.zeros(9, np.int32))),
    "square inverses": (linear, lambda one: setattr(one, "inverses_", one.inverses_[:, :1])),
    "an inverse per arm": (linear, lambda one: setattr(one, "inverses_", one.inverses_[:1])),
    "finite inverses": (linear, lambda one: one.inverses_.fill(np.inf)),
    "coefficients": (linear, lambda one: setattr(one, "coefficients_", np.zeros((2, 3)))),
    "grams": (linear, lambda one: setattr(one, "grams_", None)),
    "what is stale": (linear, lambda one: setattr(one, "stale_", np.zeros(3, bool))),
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_state_that_does_not_hold_together_is_refused(what):
    make, change = CHANGES[what]
    policy = make()
    policy._check_learned()
    change(policy)
    with pytest.raises((DataError, ParameterError)):
        policy._check_learned()
