"""Luck is called luck as often as it should be, and a real difference is found as often as said.

The simulations plant noise: in each, every user has a chance of a hit of her own, and both models
draw their hits from it, independently. So they are equally good, and all differences are luck.
"""

import numpy as np
import pytest

from recopersona.evaluation import randomization
from recopersona.evaluation.power import Spread
from recopersona.evaluation.randomization import holm, randomization_p
from recopersona.kernels.blocks import limit_threads

N_SIMULATIONS, N_USERS = 2_000, 300


def planted(effect, seed, n_users=N_USERS):
    """Return differences (n_simulations, n_users) of reciprocal ranks, and the mean of the base.

    A model shows what the user wants at a place that is geometrically distributed; with the
    chance that makes it ``effect`` better on average, the better one shows it at the top instead.
    """
    rng = np.random.default_rng(seed)
    shape = N_SIMULATIONS, n_users
    taste = rng.beta(1, 4, size=shape)

    def values():
        place = rng.geometric(taste)
        return np.where(place <= 10, 1.0 / place, 0.0)

    base, other = values(), values()
    mean = base.mean()
    other = np.where(rng.random(shape) < effect * mean / (1 - mean), 1.0, other)
    return other - base, mean


@pytest.fixture(scope="module")
def noise():
    return planted(0.0, seed=1)[0]


def test_equals_are_called_different_in_no_more_than_seven_of_a_hundred(noise):
    called = (randomization_p(noise, 999, 0) <= 0.05).mean()
    assert 0.03 < called <= 0.07


def test_p_values_of_equals_are_uniform(noise):
    p = randomization_p(noise, 999, 0)
    shares = [(p <= level).mean() for level in (0.1, 0.25, 0.5, 0.75, 0.9)]
    np.testing.assert_allclose(shares, [0.1, 0.25, 0.5, 0.75, 0.9], atol=0.04)


@pytest.mark.parametrize(("effect", "n_users"), [(0.03, 900), (0.2, 300), (0.4, 300)])
def test_a_better_model_is_found_with_the_power_that_is_told(effect, n_users):
    differences, mean = planted(effect, seed=2, n_users=n_users)
    found = (randomization_p(differences, 999, 0) <= 0.05).mean()
    told = Spread.of(differences, np.ones_like(differences)).power(effect * mean, 0.05)
    assert found == pytest.approx(told.mean(), abs=0.03)
    assert told.std() < 0.05, "one comparison alone tells it about right"


def test_the_detectable_difference_is_found_with_the_power_it_promises(noise):
    spread = Spread.of(noise, np.ones_like(noise))
    level = np.array([0.05])
    detectable = spread.detectable(level, 0.8)
    np.testing.assert_allclose(spread.power(detectable, level), 0.8, atol=1e-3)
    shift = detectable.mean()
    found = (randomization_p(noise + shift, 999, 0) <= 0.05).mean()
    assert found == pytest.approx(0.8, abs=0.03)


def test_users_are_the_unit_whatever_the_number_of_folds():
    """What a user's folds have in common is no evidence; counting rows would find it is."""
    rng = np.random.default_rng(3)
    folds = 5
    luck_of_user = rng.normal(size=(N_SIMULATIONS, 60, 1))
    rows = luck_of_user + 0.1 * rng.normal(size=(N_SIMULATIONS, 60, folds))
    by_user = (randomization_p(rows.sum(axis=2), 499, 0) <= 0.05).mean()
    by_row = (randomization_p(rows.reshape(N_SIMULATIONS, -1), 499, 0) <= 0.05).mean()
    assert by_user <= 0.07
    assert by_row > 0.3
    counts = np.full(rows.shape[:2], float(folds))
    sigma = Spread.of(rows.sum(axis=2), counts).sigma.mean()
    assert sigma == pytest.approx(rows.mean(axis=(1, 2)).std(), rel=0.05)


def test_the_p_value_is_that_of_all_exchanges_where_they_can_be_listed():
    differences = np.array([0.5, 0.1, -0.2, 0.4, 0.3, 0.2, -0.1, 0.6])
    signs = 2 * (np.arange(256)[:, None] >> np.arange(8) & 1) - 1
    sums = np.abs(signs @ differences)
    exact = (sums >= abs(differences.sum()) - 1e-9).mean()
    assert randomization_p(differences[None], 50_000, 0)[0] == pytest.approx(exact, abs=0.005)


def test_two_of_a_kind_differ_by_nothing():
    assert randomization_p(np.zeros((1, 40)), 99, 0).tolist() == [1.0]
    assert np.isnan(Spread.of(np.zeros((1, 40)), np.ones((1, 40))).power(0.1, 0.05)).all()


def test_the_worse_is_as_different_as_the_better():
    differences = np.random.default_rng(4).normal(0.1, 1, size=(1, 200))
    assert randomization_p(differences, 500, 0) == randomization_p(-differences, 500, 0)


def test_sums_that_only_rounding_tells_apart_are_the_same():
    """Of three equal differences a quarter of all signs gives so large a sum: 1/10 is not exact."""
    tenths = np.full((1, 3), 0.1)
    assert randomization_p(tenths, 20_000, 0)[0] == pytest.approx(0.25, abs=0.01)


def test_the_number_of_threads_changes_nothing(monkeypatch):
    monkeypatch.setattr(randomization, "_DRAWS_PER_BLOCK", 64)
    monkeypatch.setattr(randomization, "_BYTES_AT_ONCE", 3)  # many parts of few users
    differences = np.random.default_rng(5).normal(size=(3, 100))
    found = []
    for threads in (1, 2):
        with limit_threads(threads):
            found.append(randomization_p(differences, 1_000, 9))
    np.testing.assert_array_equal(*found)


def test_parts_of_users_have_signs_of_their_own(monkeypatch):
    monkeypatch.setattr(randomization, "_BYTES_AT_ONCE", 1)
    opposite = np.concatenate([np.ones(8), -np.ones(8)])[None]
    # With the same signs for both parts every sum would be 0, as large as the one observed.
    uneven = opposite + np.eye(1, 16)
    assert randomization_p(uneven, 999, 0)[0] > 0.5
    assert randomization_p(np.abs(opposite), 999, 0)[0] < 0.01


def test_the_seed_decides():
    differences = np.random.default_rng(6).normal(size=(1, 80))
    p = [randomization_p(differences, 500, seed)[0] for seed in (1, 1, 2)]
    assert p[0] == p[1] != p[2]


def test_holm_keeps_the_chance_of_any_false_finding():
    rng = np.random.default_rng(7)
    p = np.stack([holm(row) for row in rng.random((2_000, 6))])
    assert 0.03 < (p.min(axis=1) <= 0.05).mean() <= 0.065


def test_holm_by_hand():
    adjusted = holm(np.array([0.01, np.nan, 0.02, 0.5, 0.025]))  # no p falls behind a smaller one
    np.testing.assert_allclose(adjusted, [0.04, np.nan, 0.06, 0.5, 0.06])


def test_a_comparison_of_few_users_cannot_show_anything():
    spread = Spread.of(np.array([[0.3, 0.1]]), np.ones((1, 2)))
    assert np.isinf(spread.detectable(0.05, 0.8)).all()
    assert np.isnan(Spread.of(np.array([[0.3]]), np.ones((1, 1))).sigma).all()
