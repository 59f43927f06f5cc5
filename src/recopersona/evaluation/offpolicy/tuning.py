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
_BITS = 42  # of a number's 64, those that say less than a thousandth of it


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


@dataclass(frozen=True, eq=False)
class Binned:
    """Rows of nearly the same weight as one, so that settings are compared without the rows.

    Attributes
    ----------
    weights : float64 (m,)
        The mean weight of each bin, ascending; they differ by a thousandth within one.
    most : float64 (m,)
        What no weight of the bin is above, and every one of the next bin is.
    rows, left, squares : float64 (m,)
        How many rows, and the sums of what the model leaves over of rewards, and of that squared.
    both : float64 (m,)
        Sums of what is left over, times what the model expects of the target beyond its mean.
    v_squares : float
        The sum of squares of what the model expects of the target beyond its mean.
    """

    weights: Values
    most: Values
    rows: Values
    left: Values
    squares: Values
    both: Values
    v_squares: float

    @classmethod
    def of(cls, rewards: Values, weights: Values, q_logged: Values, v_target: Values) -> Binned:
        """Add up rows by the leading bits of their weights, which ascend as weights do."""
        codes = (weights + 0.0).view(np.int64) >> _BITS
        lowest = int(codes.min())
        codes -= lowest
        rows = np.bincount(codes)
        some = np.flatnonzero(rows)
        left, beyond = rewards - q_logged, v_target - v_target.mean()

        def summed(values: Values) -> Values:
            return np.bincount(codes, values, len(rows))[some].astype(np.float64)

        return cls(
            summed(weights) / rows[some],
            ((some + lowest + 1 << _BITS) - 1).view(np.float64),
            rows[some].astype(np.float64),
            summed(left),
            summed(left * left),
            summed(left * beyond),
            float(beyond @ beyond),
        )

    def quantiles(self, shares: Values) -> Values:
        """Return thresholds that at least such shares of the rows do not exceed."""
        below = np.cumsum(self.rows)
        most: Values = self.most[np.searchsorted(below, shares * below[-1] * (1 - 1e-12))]
        return most

    def error(self, weights: Values) -> float:
        """Guess the squared error of doubly robust with other weights."""
        n, off = self.rows.sum(), weights - self.weights
        mean, taken = float(weights @ self.left) / n, float(off @ self.left) / n
        squares = self.v_squares + float(weights @ (2 * self.both + weights * self.squares))
        varying = squares - n * mean**2 + float(off**2 @ self.squares) - n * taken**2
        return float(varying / n / max(1.0, n - 1) + taken**2)


def tuned(
    candidates: Values,
    weigh: Callable[[Values, float], Values],
    binned: Binned,
    rewards: Values,
    weights: Values,
    q_logged: Values,
    v_target: Values,
) -> Tuned:
    """Return the candidate with the least guessed squared error; DR where none has less than DR.

    Candidates are compared on bins of rows, and the one that is taken is estimated from the rows.

    Parameters
    ----------
    candidates : float64
        From least to most bias.
    weigh : function from weights and a candidate to weights
    binned : Binned
        The rows.
    rewards, weights, q_logged, v_target : float64 (n,)

    References
    ----------
    Wang, Agarwal & Dudík (2017), section 4.3; Su, Dimakopoulou, Krishnamurthy & Dudík (2020),
    section 5, for choosing by an estimate of variance plus squared bias.
    """
    best, least = np.inf, binned.error(binned.weights)
    for setting in candidates.tolist():
        error = binned.error(weigh(binned.weights, setting))
        if error < least:
            best, least = setting, error
    full = dr(rewards, weights, q_logged, v_target)
    if np.isinf(best):
        return Tuned(np.inf, full, 0.0, full.variance, full.variance)
    estimate = dr(rewards, weigh(weights, best), q_logged, v_target)
    taken = Contributions(((estimate.rows - full.rows, None),))
    error = estimate.variance + taken.value**2 + taken.variance
    doubt = (estimate.variance**0.5 + taken.variance**0.5) ** 2 + taken.value**2
    return Tuned(best, estimate, taken.value, error, doubt)


def tuned_switch(
    binned: Binned, rewards: Values, weights: Values, q_logged: Values, v_target: Values
) -> Tuned:
    """Return Switch-DR with the best of thresholds among the weights; infinity is DR."""
    candidates = np.unique(binned.quantiles(1 - np.geomspace(1e-4, 0.9, _SETTINGS)))[::-1]
    return tuned(candidates, switched, binned, rewards, weights, q_logged, v_target)


def tuned_shrinkage(
    binned: Binned, rewards: Values, weights: Values, q_logged: Values, v_target: Values
) -> Tuned:
    """Return DRos with the best of shrinkages up to the largest weight squared; infinity is DR."""
    top = max(float(weights.max()) ** 2, 1e-12)
    candidates = np.geomspace(100 * top, 1e-6 * top, _SETTINGS)
    return tuned(candidates, shrunk, binned, rewards, weights, q_logged, v_target)
