"""Policies that live through the same worlds are told apart, and none beats who knows the truth."""

import numpy as np
import pytest

from recopersona.errors import DataError, ParameterError
from recopersona.report.plots import plot
from recopersona.simulation.regret import regret
from recopersona.simulation.world import World


class Counting:
    """Shows what was clicked most in the present; remembers what it was told."""

    def __init__(self, world):
        self.world, self.clicks, self.told = world, {}, 0

    def answer(self, visit):
        """Return the page to show."""
        names = self.world.items_on_sale(visit)
        return sorted(names, key=lambda item: -self.clicks.get(item, 0))[:5]

    def learn(self, visit, reaction):
        """Take in what came of it."""
        self.told += 1
        for item in reaction.clicked:
            self.clicks[item] = self.clicks.get(item, 0) + 1


def by_chance(world):
    rng = np.random.default_rng(world.random_state)
    return lambda visit: rng.choice(world.items_on_sale(visit), 5, replace=False).tolist()


def without_variety(world):
    def answer(visit):
        names = world.items_on_sale(visit)
        return [names[place] for place in np.argsort(-world.attraction(visit))[:5]]

    return answer


@pytest.fixture(scope="module")
def world():
    return World(60, 50, requests_per_day=60, sameness=0.8, boredom=0.3)


@pytest.fixture(scope="module")
def found(world):
    policies = {"chance": by_chance, "counting": Counting, "alike": without_variety}
    return regret(policies, world, n_requests=200, n=5, seeds=4)


def test_none_beats_who_knows_the_truth(found):
    assert (found.table.regret.drop("oracle") > 0).all()
    assert found.table.loc["oracle", "share"] == 1
    assert found.table.share.idxmax() == "oracle"
    assert (found.table["value low"] <= found.table.value).all()


def test_a_table_says_what_was_earned(found):
    value = found.earned[1, :, 0].mean(axis=1)
    assert found.table.loc["chance", "value"] == pytest.approx(value.mean())
    reach = 3.182446 * value.std(ddof=1) / 2  # Student's, 3 degrees of freedom, 4 seeds
    assert found.table.loc["chance", "value high"] == pytest.approx(value.mean() + reach, rel=1e-6)


def test_a_curve_ends_at_the_sum(found):
    last = found.curve.groupby("policy").last()
    assert (last.request == 200).all()
    wanted = 200 * found.table.regret
    assert last.regret[wanted.index].to_numpy() == pytest.approx(wanted.to_numpy())


def test_a_difference_is_paired(found):
    told = found.difference("oracle", "chance")
    assert told["different"]
    assert told["gain"] == pytest.approx(found.table.loc["chance", "regret"])
    assert told["low"] == pytest.approx(found.table.loc["chance", "regret low"])
    assert not found.difference("chance", "chance", "revenue")["different"]


def test_a_policy_learns_from_its_own_life(world):
    made = []

    def make(life):
        made.append(Counting(life))
        return made[-1]

    regret({"counting": make}, world, n_requests=40, n=3, seeds=[5, 9])
    assert [policy.told for policy in made] == [40, 40]
    assert [policy.world.random_state for policy in made] == [5, 9]


def test_one_seed_has_no_interval(world):
    one = regret({"chance": by_chance}, world, n_requests=20, seeds=1)
    assert one.table["regret low"].isna().all()
    assert "1 seeds" in repr(one)


def test_it_can_be_drawn(found):
    drawing = plot(found)
    assert "Share of the oracle" in drawing
    assert "counting" in drawing


def test_what_cannot_be_compared_is_refused(world, found):
    with pytest.raises(ParameterError, match="no policy may be called 'oracle'"):
        regret({"oracle": by_chance}, world)
    with pytest.raises(ParameterError, match="must be a mapping from names"):
        regret([by_chance], world)
    with pytest.raises(ParameterError, match="seeds must name at least one"):
        regret({"chance": by_chance}, world, seeds=[])
    with pytest.raises(DataError, match="no policy 'chanse' lived here; did you mean 'chance'"):
        found.difference("chanse", "oracle")
    with pytest.raises(ParameterError, match="no measure 'margin'"):
        found.difference("chance", "oracle", "margin")


@pytest.mark.parametrize("wrong", [3, lambda world: 3])
def test_what_is_no_policy_is_told_what_one_is(wrong):
    with pytest.raises(ParameterError, match="lambda world: lambda visit"):
        regret({"wrong": wrong}, World(50, 20, requests_per_day=50), n_requests=5, seeds=1)
