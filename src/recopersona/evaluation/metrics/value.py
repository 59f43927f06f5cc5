"""What a hit is worth: graded relevance, revenue and margin."""

from __future__ import annotations

import numpy as np

from recopersona.errors import DataError
from recopersona.evaluation.metrics.judged import Judged
from recopersona.evaluation.metrics.values import Values

_LARGEST_EXPONENT = 500.0


def gains_of(judged: Judged, gain: str, counts: dict[str, int]) -> Values:
    """Return what finding each relevant item is worth, float64 (n_relevant,).

    ``weight`` (all 1 where there are none), ``exponential`` (:math:`2^w - 1`), or an item column of
    money: what has no value there, or one below 0, gains nothing and is counted.
    """
    if gain in ("weight", "exponential"):
        weights = judged.weights
        graded = np.ones(len(judged.relevant)) if weights is None else np.asarray(weights, float)
        return graded if gain == "weight" else _exponential(graded)
    worth = np.append(
        judged.trained(f"a metric of {gain}").numbers(gain, f"a metric of {gain}"), np.nan
    )
    found = worth[judged.relevant]
    for what, bad in (("without", np.isnan(found)), ("below_0_in", found < 0)):
        if bad.any():
            counts[f"relevant_{what}_{gain}"] = int(bad.sum())
    return np.where(found > 0, found, 0.0)


def _exponential(weights: Values) -> Values:
    if len(weights) and weights.max() > _LARGEST_EXPONENT:
        raise DataError(
            f"ndcg_exponential needs weights of at most {_LARGEST_EXPONENT:g}, got "
            f"{weights.max():g}; use ndcg_graded."
        )
    return np.exp2(weights) - 1.0
