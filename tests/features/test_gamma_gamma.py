"""Gamma-gamma against integration by brute force and simulated customers."""

import numpy as np
import pytest
from scipy.optimize import approx_fprime

from recopersona.features.gamma_gamma import (
    GammaGamma,
    expected_value,
    fit_gamma_gamma,
    log_likelihood,
)
from tests.naive.buying import gamma_gamma_by_integration

CDNOW = GammaGamma(6.25, 3.74, 15.44)  # Fader & Hardie (2013), section 5


def customers(model, n_customers, random):
    p, q, gamma = model
    n = random.integers(1, 12, n_customers).astype(float)
    return n, random.gamma(p * n) / (random.gamma(q, 1 / gamma, n_customers) * n)


@pytest.mark.parametrize(("n", "mean"), [(1, 10.0), (2, 40.0), (12, 3.5)])
@pytest.mark.parametrize("model", [CDNOW, GammaGamma(1.2, 1.3, 200.0)])
def test_closed_forms_are_what_integration_gives(model, n, mean):
    likelihood, expected = gamma_gamma_by_integration(model, n, mean)
    one = np.array([float(n)]), np.array([mean])
    assert log_likelihood(model, *one)[0] == pytest.approx(np.log(likelihood))
    assert expected_value(model, *one)[0] == pytest.approx(expected, rel=1e-6)


def test_the_gradient_is_the_slope():
    n, mean = customers(CDNOW, 200, np.random.default_rng(0))
    at = np.array([5.0, 3.0, 9.0])

    def total(parameters):
        return log_likelihood(GammaGamma(*parameters), n, mean)[0]

    slope = log_likelihood(GammaGamma(*at), n, mean)[1]
    assert slope == pytest.approx(approx_fprime(at, total, 1e-7), rel=1e-3)


def test_simulated_customers_give_their_parameters_back():
    n, mean = customers(CDNOW, 100_000, np.random.default_rng(1))
    fitted, reached = fit_gamma_gamma(n, mean)
    assert fitted == pytest.approx(CDNOW, rel=0.06)
    assert reached >= log_likelihood(CDNOW, n, mean)[0]


def test_the_currency_changes_gamma_alone():
    n, mean = customers(CDNOW, 5_000, np.random.default_rng(2))
    pounds, _ = fit_gamma_gamma(n, mean)
    pence, _ = fit_gamma_gamma(n, 100 * mean)
    assert pence == pytest.approx((pounds.p, pounds.q, 100 * pounds.gamma), rel=1e-3)


def test_few_purchases_are_drawn_towards_everybody():
    n = np.array([1.0, 3.0, 50.0])
    told = expected_value(CDNOW, n, np.full(3, 200.0))
    everybody = CDNOW.p * CDNOW.gamma / (CDNOW.q - 1)
    assert everybody < told[0] < told[1] < told[2] < 200


def test_where_everybody_pays_the_same_that_is_expected():
    n = np.arange(1.0, 40.0)
    fitted, _ = fit_gamma_gamma(n, np.full(len(n), 25.0))
    assert expected_value(fitted, n, np.full(len(n), 25.0)) == pytest.approx(25.0, rel=1e-2)
