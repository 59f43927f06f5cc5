"""How early a list brings what was wanted."""

from __future__ import annotations

import numpy as np

from recopersona.data.types import Array, Mask
from recopersona.evaluation.metrics.values import Values
from recopersona.kernels.metrics import discounted_gain


def ndcg(hits: Mask, n_relevant: Array) -> Values:
    r"""Return the discounted gain over that of a perfect list (normalized discounted gain).

    .. math:: \sum_{r=1}^{k} \frac{rel_r}{\log_2(r + 1)} \Big/
              \sum_{r=1}^{\min(k, |test|)} \frac{1}{\log_2(r + 1)}

    Parameters
    ----------
    hits : bool (n_users, k)
    n_relevant : int64 (n_users,), at least 1

    Returns
    -------
    float64 (n_users,), 0 to 1

    References
    ----------
    Järvelin & Kekäläinen (2002), "Cumulated gain-based evaluation of IR techniques";
    with the discount of trec_eval, measure ``ndcg_cut``.

    Examples
    --------
    One relevant item, at the second place: 1 / log2(3).

    >>> ndcg(np.array([[False, True, False]]), np.array([1])).round(3)
    array([0.631])
    """
    return discounted_gain(hits, n_relevant)


def average_precision(hits: Mask, n_relevant: Array) -> Values:
    r"""Return the precision at each hit, summed, over the number of relevant items.

    .. math:: \frac{1}{|test|} \sum_{r=1}^{k} rel_r \cdot \frac{1}{r} \sum_{s=1}^{r} rel_s

    Parameters
    ----------
    hits : bool (n_users, k)
    n_relevant : int64 (n_users,), at least 1

    Returns
    -------
    float64 (n_users,), 0 to 1; the mean over users is MAP

    References
    ----------
    trec_eval, measure ``map_cut``.

    Examples
    --------
    Hits at places 1 and 3 of 4 relevant items: (1/1 + 2/3) / 4.

    >>> average_precision(np.array([[True, False, True]]), np.array([4])).round(3)
    array([0.417])
    """
    average: Values = _summed_precision(hits) / n_relevant
    return average


def average_precision_capped(hits: Mask, n_relevant: Array) -> Values:
    r"""Return the precision at each hit, summed, over the most hits that the list can have.

    .. math:: \frac{1}{\min(k, |test|)} \sum_{r=1}^{k} rel_r \cdot \frac{1}{r} \sum_{s=1}^{r} rel_s

    Parameters
    ----------
    hits : bool (n_users, k)
    n_relevant : int64 (n_users,), at least 1

    Returns
    -------
    float64 (n_users,), 0 to 1

    References
    ----------
    McFee et al. (2012), "The Million Song Dataset Challenge".

    Examples
    --------
    Hits at places 1 and 3 of 4 relevant items, of which 3 fit: (1/1 + 2/3) / 3.

    >>> average_precision_capped(np.array([[True, False, True]]), np.array([4])).round(3)
    array([0.556])
    """
    average: Values = _summed_precision(hits) / np.minimum(n_relevant, hits.shape[1])
    return average


def reciprocal_rank(hits: Mask, n_relevant: Array) -> Values:  # noqa: ARG001 - as above
    r"""Return one over the place of the first hit, 0 where there is none.

    .. math:: \max_{r \le k} \frac{rel_r}{r}

    Parameters
    ----------
    hits : bool (n_users, k)
    n_relevant : int64 (n_users,)
        Not used.

    Returns
    -------
    float64 (n_users,), 0 to 1; the mean over users is MRR

    References
    ----------
    Voorhees (1999), "The TREC-8 Question Answering Track Report"; trec_eval, measure
    ``recip_rank``.

    Examples
    --------
    >>> reciprocal_rank(np.array([[False, True, True], [False, False, False]]), np.array([2, 1]))
    array([0.5, 0. ])
    """
    first: Values = np.where(hits.any(axis=1), 1.0 / (hits.argmax(axis=1) + 1), 0.0)
    return first


def _summed_precision(hits: Mask) -> Values:
    places = np.arange(1, hits.shape[1] + 1)
    summed: Values = (np.cumsum(hits, axis=1) / places * hits).sum(axis=1)
    return summed
