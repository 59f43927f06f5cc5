"""Gamma-gamma: what a customer's purchases are worth, from the mean of those he made.

Each purchase of a customer is worth a gamma-distributed amount (p, v) about a mean of his own, and
1/v differs between customers as a gamma distribution (q, gamma) says. The mean of few purchases is
drawn towards everybody's. Arrays in, arrays out.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.special import digamma, gammaln

from recopersona.data.types import Array
from recopersona.features.likelihood import most_likely


class GammaGamma(NamedTuple):
    """The three parameters; ``gamma`` is in the unit of the values, ``q`` above 1."""

    p: float
    q: float
    gamma: float


def log_likelihood(model: GammaGamma, n: Array, mean: Array) -> tuple[float, Array]:
    """Return the sum over customers, and its gradient by (p, q, gamma).

    Parameters
    ----------
    n, mean : float64 (n_customers,)
        How many purchases, at least 1, and their mean value, above 0.

    References
    ----------
    Fader & Hardie (2013), "The gamma-gamma model of monetary value", equation 1a.
    """
    p, q, gamma = model
    counts, place = np.unique(n, return_inverse=True)
    per_count = np.bincount(place, minlength=len(counts)).astype(np.float64)
    log_rest, log_value = np.log(gamma + n * mean), np.log(mean) + np.log(n)
    of_count = gammaln(p * counts + q) - gammaln(p * counts) - gammaln(q) + q * np.log(gamma)
    total = per_count @ of_count + (p * n) @ log_value - np.log(mean).sum() - (p * n + q) @ log_rest
    together = digamma(p * counts + q)
    gradient = np.array(
        [
            per_count @ (counts * (together - digamma(p * counts))) + n @ (log_value - log_rest),
            per_count @ (together - digamma(q)) + len(n) * np.log(gamma) - log_rest.sum(),
            len(n) * q / gamma - ((p * n + q) / (gamma + n * mean)).sum(),
        ]
    )
    return float(total), gradient


def fit_gamma_gamma(n: Array, mean: Array) -> tuple[GammaGamma, float]:
    """Return the parameters of the largest likelihood, and its logarithm.

    ``q`` is kept above 1: below it the mean over all customers would be infinite.
    """
    unit = float(mean.mean())
    scaled, n_customers = mean / unit, len(n)

    def average(parameters: Array) -> tuple[float, Array]:
        p, above_1, gamma = parameters.tolist()
        total, gradient = log_likelihood(GammaGamma(p, 1 + above_1, gamma), n, scaled)
        return total / n_customers, gradient / n_customers

    p, above_1, gamma = most_likely(average, [(1.0, 1.0, 0.0)]).tolist()
    model = GammaGamma(p, 1 + above_1, gamma * unit)
    return model, log_likelihood(model, n, mean)[0]


def expected_value(model: GammaGamma, n: Array, mean: Array) -> Array:
    """Return what a customer's next purchase is worth on average: float64 (n_customers,).

    References
    ----------
    Fader & Hardie (2013), equation 5.
    """
    p, q, gamma = model
    return p * (gamma + n * mean) / (p * n + q - 1)
