"""From scores to probabilities: what share of those with such a score were taken."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import expit
from sklearn.isotonic import IsotonicRegression

from recopersona.base.parameters import one_of, param
from recopersona.base.part import Part
from recopersona.base.recommender import require_array
from recopersona.data.types import Values
from recopersona.errors import DataError

_STEPS = 50
_RIDGE = 1e-3
_OF_PLATT = 0.01  # so much of the smooth curve keeps the stairs of the isotonic one in order
_STEEPEST = 50.0


class Calibration(Part):
    r"""A rising curve from logits to probabilities.

    .. math:: p(z) = \frac{1}{1 + e^{-(a z + b)}}

    with :math:`a \ge 0.05` (Platt); or the rising stairs that fit best (isotonic), joined by
    straight lines and mixed with a hundredth of that curve, so that two different logits keep
    different probabilities. Without rows the curve is that of :math:`a = 1, b = 0`.

    Parameters
    ----------
    kind : {"platt", "isotonic"}

    Attributes
    ----------
    slope_, shift_ : float
    knots_, levels_ : float64 (n_knots,)

    References
    ----------
    Platt (1999), "Probabilistic outputs for support vector machines"; Zadrozny & Elkan (2002),
    "Transforming classifier scores into accurate multiclass probability estimates", section 3.

    Examples
    --------
    >>> logits = np.linspace(-4, 4, 200)
    >>> Calibration().fit(logits, (logits > 0).astype(float), np.ones(200)).of(np.zeros(1)).round(1)
    array([0.5])
    """

    kind: str = param(one_of("platt", "isotonic"), default="platt")

    def fit(self, logits: Values, labels: Values, weights: Any) -> Calibration:
        """Find the curve; labels lie between 0 and 1."""
        self.slope_, self.shift_ = _platt(logits, labels, np.asarray(weights, np.float64))
        self.knots_, self.levels_ = np.empty(0), np.empty(0)
        if self.kind == "isotonic" and len(logits):
            stairs = IsotonicRegression(y_min=0.0, y_max=1.0, out_of_bounds="clip")
            stairs.fit(logits, labels, sample_weight=weights)
            self.knots_ = np.asarray(stairs.X_thresholds_, np.float64)
            self.levels_ = np.asarray(stairs.y_thresholds_, np.float64)
        return self

    def of(self, logits: Values) -> Values:
        """Return probabilities, float64 (n,)."""
        smooth: Values = expit(self.slope_ * logits + self.shift_)
        if not len(self.knots_):
            return smooth
        stairs = np.interp(logits, self.knots_, self.levels_)
        return (1 - _OF_PLATT) * stairs + _OF_PLATT * smooth

    def _check_learned(self) -> None:
        held: Any = vars(self)
        require_array(held.get("knots_"), np.float64, (None,), "knots_")
        require_array(held.get("levels_"), np.float64, (len(self.knots_),), "levels_")
        rises = all(
            np.isfinite(one).all() and (np.diff(one) >= 0).all()
            for one in (self.knots_, self.levels_)
        )
        if not rises or not ((self.levels_ >= 0) & (self.levels_ <= 1)).all():
            raise DataError("a calibration must rise from 0 at least to 1 at most.")
        numbers = np.array([held.get("slope_"), held.get("shift_")], dtype=object)
        if not all(isinstance(one, float) and np.isfinite(one) for one in numbers):
            raise DataError("a calibration holds a slope and a shift, both finite.")
        if not self.slope_ > 0:
            raise DataError("the slope of a calibration must be above 0.")


def _platt(logits: Values, labels: Values, weights: Values) -> tuple[float, float]:
    """Return slope and shift by Newton's method, drawn a little towards 1 and 0."""
    if not len(logits):
        return 1.0, 0.0
    columns = np.stack([logits, np.ones(len(logits))], axis=1)
    weights = weights / weights.mean()
    start = np.array([1.0, 0.0])
    line = start.copy()
    for _ in range(_STEPS):
        p = expit(columns @ line)
        slope = columns.T @ (weights * (p - labels)) + _RIDGE * (line - start)
        curve = (columns * (weights * p * (1 - p))[:, None]).T @ columns + _RIDGE * np.eye(2)
        step = np.linalg.solve(curve, slope)
        size = float(np.abs(step).max())
        line = line - step * min(1.0, 2.0 / max(size, 1e-300))
        if size < 1e-10:
            break
    return float(np.clip(line[0], 0.05, _STEEPEST)), float(line[1])
