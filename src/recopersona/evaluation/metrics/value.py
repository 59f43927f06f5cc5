"""What a hit is worth: graded relevance, revenue, margin."""

from __future__ import annotations

import numpy as np

from recopersona.data.types import Array, Values
from recopersona.errors import DataError
from recopersona.evaluation.metrics.judged import Judged

_LARGEST_EXPONENT = 500.0


def worth(gained: Array) -> Values:
    r"""Return what the hits of a list are worth together: revenue, or margin.

    .. math:: \sum_{r=1}^{k} rel_r \, g_r

    where :math:`g_r` is the price, or the margin, of the item at place :math:`r`: as if each item
    found is bought once.

    Parameters
    ----------
    gained : float (n_users, k)
        What each place is worth; 0 where it is no hit.

    Returns
    -------
    float64 (n_users,), at least 0, in the money of the column

    References
    ----------
    Jannach & Jugovac (2019), "Measuring the business value of recommender systems", section 2.

    Examples
    --------
    >>> worth(np.array([[4.5, 0.0, 20.0]]))
    array([24.5])
    """
    summed: Values = np.sum(gained, axis=1, dtype=np.float64)
    return summed


def worth_share(gained: Array, total: Array) -> Values:
    r"""Return the hits' worth over that of all that was wanted: recall, weighted by value.

    .. math:: \sum_{r=1}^{k} rel_r \, g_r \Big/ \sum_{i \in test} g_i

    Parameters
    ----------
    gained : float (n_users, k)
        What each place is worth; 0 where it is no hit.
    total : float (n_users,)
        What all of a user's relevant items are worth.

    Returns
    -------
    float64 (n_users,), 0 to 1; NaN where nothing wanted is worth anything

    Examples
    --------
    Of 25 to be earned, the list brings 20:

    >>> worth_share(np.array([[0.0, 20.0]]), np.array([25.0]))
    array([0.8])
    """
    share: Values = worth(gained) / np.where(total > 0, total, np.nan)
    return np.minimum(share, 1.0)


def ndcg_of_gains(gained: Array, best: Array) -> Values:
    r"""Return the discounted gain over that of the best list, with gains of any size.

    .. math:: \sum_{r=1}^{k} \frac{rel_r \, g_r}{\log_2(r + 1)} \Big/
              \sum_{r=1}^{\min(k, |test|)} \frac{g_{(r)}}{\log_2(r + 1)}

    where :math:`g_{(r)}` are the gains of the relevant items, the largest first. The gain is the
    weight :math:`w` (``ndcg_graded``), :math:`2^w - 1` (``ndcg_exponential``), the price
    (``revenue_ndcg``) or the margin (``margin_ndcg``).

    Parameters
    ----------
    gained : float (n_users, k)
        What each place is worth; 0 where it is no hit.
    best : float (n_users, k)
        The gains of a user's relevant items in descending order, 0 behind them.

    Returns
    -------
    float64 (n_users,), 0 to 1; NaN where nothing wanted is worth anything

    References
    ----------
    Järvelin & Kekäläinen (2002), "Cumulated gain-based evaluation of IR techniques" (linear gain;
    trec_eval, measure ``ndcg_cut``); Burges et al. (2005), "Learning to rank using gradient
    descent" (exponential gain).

    Examples
    --------
    Wanted are gains of 3 and 1; the list has the smaller first: (1 + 3 / 1.585) / (3 + 1 / 1.585).

    >>> ndcg_of_gains(np.array([[1.0, 3.0]]), np.array([[3.0, 1.0]])).round(3)
    array([0.797])
    """
    discounts = 1.0 / np.log2(np.arange(2, np.shape(gained)[1] + 2))
    ideal = (best * discounts).sum(axis=1)
    share: Values = (gained * discounts).sum(axis=1) / np.where(ideal > 0, ideal, np.nan)
    return share


def gains_of(judged: Judged, gain: str, column: str | None, counts: dict[str, int]) -> Values:
    """Return what finding each relevant item is worth, float64 (n_relevant,).

    ``weight`` (all 1 where there are none), ``exponential``, or the numbers of an item ``column``:
    what has none, or one below 0, gains nothing and is counted.
    """
    if gain != "column" or column is None:
        weights = judged.weights
        graded = np.ones(len(judged.relevant)) if weights is None else np.asarray(weights, float)
        return graded if gain == "weight" else _exponential(graded)
    metric = f"a metric of {column}"
    of_items = np.append(judged.known_for(metric).numbers(column, metric), np.nan)
    found = of_items[judged.relevant]
    for what, bad in ((f"without_{column}", np.isnan(found)), (f"of_{column}_below_0", found < 0)):
        if bad.any():
            counts[f"relevant_{what}"] = int(bad.sum())
    return np.where(found > 0, found, 0.0)


def _exponential(weights: Values) -> Values:
    if len(weights) and weights.max() > _LARGEST_EXPONENT:
        raise DataError(
            f"ndcg_exponential needs weights of at most {_LARGEST_EXPONENT:g}, got "
            f"{weights.max():g}; use ndcg_graded."
        )
    return np.exp2(weights) - 1.0
