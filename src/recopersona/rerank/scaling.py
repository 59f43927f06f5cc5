"""How values of any kind become comparable within one request."""

from __future__ import annotations

from typing import Any

import numpy as np

from recopersona.data.types import Values


def scaled(values: Any) -> Values:
    r"""Return values between 0 and 1, so that a weight means the same in every request.

    .. math:: s_i = \frac{v_i - \min v}{\max v - \min v}

    Infinities count as the highest or lowest finite value, and NaN as the median of what is known.
    Where all are the same, and where there is only one, all are 0.5: nothing is said for or against
    anybody. The order of the values does not matter.

    Parameters
    ----------
    values : array (n,)
        Scores, or what an objective says of each candidate; higher is better.

    Returns
    -------
    float64 (n,)

    Examples
    --------
    >>> scaled([4.0, 2.0, 3.0]), scaled([7.0, np.nan]), scaled([np.inf, 2.0, 1.0, np.nan])
    (array([1. , 0. , 0.5]), array([0.5, 0.5]), array([1., 1., 0., 1.]))
    """
    given = np.asarray(values, np.float64)
    low, high = (given.min(), given.max()) if len(given) else (0.0, 0.0)
    if not (np.isfinite(low) and np.isfinite(high)):
        given = _finite(given)
        low, high = given.min(), given.max()
    if not low < high:
        return np.full(len(given), 0.5)
    # Halves first: the difference of two huge numbers may be none.
    return np.asarray((given / 2 - low / 2) / (high / 2 - low / 2), np.float64)


def _finite(given: Values) -> Values:
    """Replace what is no finite number."""
    known = given[np.isfinite(given)]
    ends = (float(known.min()), float(known.max())) if len(known) else (-1.0, 1.0)
    clipped = np.clip(given, *ends)  # NaN stays
    told = clipped[~np.isnan(clipped)]
    return np.where(np.isnan(clipped), np.median(told) if len(told) else 0.0, clipped)
