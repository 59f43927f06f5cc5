"""The largest likelihood of positive parameters, searched in their logarithms."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from scipy.optimize import minimize

from recopersona.data.types import Array

LOG_BOUND = 10.0
"""Parameters stay between exp(-10) and exp(10) of their unit: beyond it no data tell them apart."""


def most_likely(
    log_likelihood: Callable[[Array], tuple[float, Array]], starts: Sequence[Sequence[float]]
) -> Array:
    """Return the positive parameters at which a mean log-likelihood is largest: float64 (k,).

    Parameters
    ----------
    log_likelihood : function
        Of the parameters; returns the value and its gradient by the parameters.
    starts : sequence of (k,)
        Logarithms at which to start; the best end counts, the first of equals.
    """

    def loss(theta: Array) -> tuple[float, Array]:
        parameters = np.exp(theta)
        value, gradient = log_likelihood(parameters)
        return -value, -gradient * parameters

    search: Any = minimize
    found = [
        search(
            loss,
            np.array(start),
            jac=True,
            method="L-BFGS-B",
            bounds=[(-LOG_BOUND, LOG_BOUND)] * len(start),
            options={"maxiter": 500, "ftol": 1e-13, "gtol": 1e-8},
        )
        for start in starts
    ]
    best: Array = min(found, key=lambda one: float(one.fun)).x
    return np.exp(best)
