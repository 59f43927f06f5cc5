r"""How much to trust weights: the threshold and the shrinkage with the least error that shows.

With :math:`\delta_i = (w_i - w_{\lambda i})(r_i - q_i)` for what a setting takes away, its squared
error is guessed as

.. math:: \widehat{\mathrm{Var}}(\hat V_\lambda)
    + \bar\delta^2 + \widehat{\mathrm{Var}}(\bar\delta)

A bias is known no better than to its standard error, which is counted, so that no setting wins by
a lucky small difference.

For an interval that is too little: the model was told by the same rows, and what the estimate does
not vary by them, the model does. An interval takes both standard errors for one and the same luck,

.. math:: \big(\hat s(\hat V_\lambda) + \hat s(\bar\delta)\big)^2 + \bar\delta^2

which is never less than DR's variance.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from recopersona.data.types import Values
from recopersona.evaluation.offpolicy.estimators import Contributions, dr, shrunk, switched

_SETTINGS = 25


@dataclass(frozen=True, eq=False)
class Tuned:
    """A setting, its estimate, and what was guessed of it.

    Attributes
    ----------
    bias : float
        That was seen.
    error, doubt : float
        The squared error by which it was chosen, and what that is at most.
    """

    setting: float
    estimate: Contributions
    bias: float
    error: float
    doubt: float


def tuned(
    candidates: Values,
    weigh: Callable[[Values, float], Values],
    rewards: Values,
    weights: Values,
    q_logged: Values,
    v_target: Values,
) -> Tuned:
    """Return the candidate with the least guessed squared error; DR where none has less than DR.

    Parameters
    ----------
    candidates : float64
        From least to most bias.
    weigh : function from weights and a candidate to weights
    rewards, weights, q_logged, v_target : float64 (n,)

    References
    ----------
    Wang, Agarwal & Dudík (2017), section 4.3; Su, Dimakopoulou, Krishnamurthy & Dudík (2020),
    section 5, for choosing by an estimate of variance plus squared bias.
    """
    full = dr(rewards, weights, q_logged, v_target)
    found = Tuned(np.inf, full, 0.0, full.variance, full.variance)
    for setting in candidates.tolist():
        estimate = dr(rewards, weigh(weights, setting), q_logged, v_target)
        taken = Contributions(((estimate.terms[0][0] - full.terms[0][0], None),))
        error = estimate.variance + taken.value**2 + taken.variance
        if error < found.error:
            doubt = (estimate.variance**0.5 + taken.variance**0.5) ** 2 + taken.value**2
            found = Tuned(setting, estimate, taken.value, error, doubt)
    return found


def tuned_switch(rewards: Values, weights: Values, q_logged: Values, v_target: Values) -> Tuned:
    """Return Switch-DR with the best of thresholds among the weights; infinity is DR."""
    inner = np.quantile(weights, 1 - np.geomspace(1e-4, 0.9, _SETTINGS))
    candidates = np.unique(inner)[::-1]
    return tuned(candidates, switched, rewards, weights, q_logged, v_target)


def tuned_shrinkage(rewards: Values, weights: Values, q_logged: Values, v_target: Values) -> Tuned:
    """Return DRos with the best of shrinkages up to the largest weight squared; infinity is DR."""
    top = max(float(weights.max()) ** 2, 1e-12)
    candidates = np.geomspace(100 * top, 1e-6 * top, _SETTINGS)
    return tuned(candidates, shrunk, rewards, weights, q_logged, v_target)
