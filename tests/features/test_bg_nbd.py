"""BG/NBD against integration by brute force, published figures and simulated customers."""

import numpy as np
import pytest
from scipy.optimize import approx_fprime

from recopersona.features.bg_nbd import (
    BGNBD,
    expected_purchases,
    fit_bg_nbd,
    log_likelihood,
    probability_alive,
)
from tests.naive.buying import bg_nbd_by_integration, expected_by_trapezoids, summary

CDNOW = BGNBD(0.243, 4.414, 0.793, 2.426)  # Fader, Hardie & Lee (2005), section 4, in weeks


def column(value):
    return np.array([float(value)])


@pytest.mark.parametrize(
    ("x", "t_x", "T"), [(0, 0, 38.86), (1, 5.0, 38.86), (2, 30.43, 38.86), (9, 12.0, 20.0)]
)
@pytest.mark.parametrize("model", [CDNOW, BGNBD(2.0, 10.0, 1.0, 1.5), BGNBD(0.7, 3.0, 1.6, 0.4)])
def test_closed_forms_are_what_integration_gives(model, x, t_x, T):
    likelihood, alive, expected = bg_nbd_by_integration(model, x, t_x, T, 39.0)
    customer = column(x), column(t_x), column(T)
    assert log_likelihood(model, *customer, np.ones(1))[0] == pytest.approx(np.log(likelihood))
    assert probability_alive(model, *customer)[0] == pytest.approx(alive, rel=1e-6)
    assert expected_purchases(model, *customer, 39.0)[0] == pytest.approx(expected, rel=1e-5)


def test_the_published_example_comes_out():
    customer = column(2), column(30.43), column(38.86)
    assert expected_purchases(CDNOW, *customer, 39.0)[0] == pytest.approx(1.226, abs=5e-4)


@pytest.mark.parametrize("a", [0.01, 0.793, 1.0, 30.0])
@pytest.mark.parametrize("b", [0.3, 50.0])
@pytest.mark.parametrize(("x", "T"), [(0, 0), (0, 300), (1, 2), (7, 40), (100, 120), (3000, 3650)])
def test_no_customer_is_too_much_for_the_quadrature(a, b, x, T):
    model = BGNBD(0.5, 5.0, a, b)
    customer = column(x), column(T if x else 0), column(T)
    alive = probability_alive(model, *customer)[0]
    for horizon in (1.0, 90.0, 1_000.0):
        told = expected_purchases(model, *customer, horizon)[0] / alive
        assert told == pytest.approx(expected_by_trapezoids(model, x, T, horizon), rel=1e-8)


def test_the_gradient_is_the_slope():
    random = np.random.default_rng(0)
    T = random.uniform(1, 40, 200)
    x, t_x = summary(CDNOW, T, random)
    weight = random.integers(1, 5, 200).astype(float)

    def total(parameters):
        return log_likelihood(BGNBD(*parameters), x, t_x, T, weight)[0]

    at = np.array([0.4, 6.0, 0.7, 2.0])
    slope = log_likelihood(BGNBD(*at), x, t_x, T, weight)[1]
    assert slope == pytest.approx(approx_fprime(at, total, 1e-7), rel=1e-3)


def test_simulated_customers_give_their_parameters_back():
    random = np.random.default_rng(1)
    T = random.uniform(27, 39, 100_000)
    x, t_x = summary(CDNOW, T, random)
    fitted, reached = fit_bg_nbd(x, t_x, T, np.ones(len(x)))
    assert fitted == pytest.approx(CDNOW, rel=0.06)
    assert reached >= log_likelihood(CDNOW, x, t_x, T, np.ones(len(x)))[0]


def test_the_unit_of_time_changes_alpha_alone():
    random = np.random.default_rng(2)
    T = random.uniform(27, 39, 5_000)
    x, t_x = summary(CDNOW, T, random)
    weeks, _ = fit_bg_nbd(x, t_x, T, np.ones(len(x)))
    days, _ = fit_bg_nbd(x, 7 * t_x, 7 * T, np.ones(len(x)))
    assert days == pytest.approx((weeks.r, 7 * weeks.alpha, weeks.a, weeks.b), rel=1e-3)


def test_equal_customers_may_stand_in_one_row():
    random = np.random.default_rng(3)
    T = random.integers(20, 40, 3_000).astype(float)
    x, t_x = summary(CDNOW, T, random)
    t_x = np.ceil(t_x)
    rows, counts = np.unique(np.stack([x, t_x, T]), axis=1, return_counts=True)
    alone, of_alone = fit_bg_nbd(x, t_x, T, np.ones(len(x)))
    together, of_together = fit_bg_nbd(*rows, counts.astype(float))
    assert together == pytest.approx(alone, rel=1e-3)
    assert of_together == pytest.approx(of_alone)


def test_more_time_brings_more_purchases_and_none_brings_none():
    random = np.random.default_rng(4)
    T = random.uniform(0, 39, 200)
    x, t_x = summary(CDNOW, T, random)
    told = [expected_purchases(CDNOW, x, t_x, T, horizon) for horizon in (1e-9, 1, 10, 100, 1e4)]
    assert (told[0] < 1e-6).all()
    assert (np.diff(told, axis=0) > 0).all()


def test_who_never_came_back_may_be_alive_and_who_is_overdue_hardly():
    x, t_x, T = np.array([0.0, 9, 9]), np.array([0.0, 10, 30]), np.full(3, 31.0)
    never, overdue, punctual = probability_alive(CDNOW, x, t_x, T)
    assert never == 1
    assert overdue < 0.1 < 0.9 < punctual
