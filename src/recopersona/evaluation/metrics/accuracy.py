"""How much of what was wanted a list holds: measures that do not ask at which place."""

from __future__ import annotations

import numpy as np

from recopersona.data.types import Array, Mask, Values


def recall(hits: Mask, n_relevant: Array) -> Values:
    r"""Return the share of a user's relevant items that the list holds.

    .. math:: \frac{1}{|test|} \sum_{r=1}^{k} rel_r

    Parameters
    ----------
    hits : bool (n_users, k)
    n_relevant : int64 (n_users,), at least 1

    Returns
    -------
    float64 (n_users,), 0 to 1

    References
    ----------
    trec_eval, measure ``recall``.

    Examples
    --------
    Two of three relevant items are among the first two places:

    >>> recall(np.array([[True, True]]), np.array([3])).round(3)
    array([0.667])
    """
    share: Values = hits.sum(axis=1) / n_relevant
    return share


def recall_capped(hits: Mask, n_relevant: Array) -> Values:
    r"""Return the hits over the most that a list of this length can have.

    .. math:: \frac{1}{\min(k, |test|)} \sum_{r=1}^{k} rel_r

    Parameters
    ----------
    hits : bool (n_users, k)
    n_relevant : int64 (n_users,), at least 1

    Returns
    -------
    float64 (n_users,), 0 to 1

    References
    ----------
    Liang et al. (2018), "Variational Autoencoders for Collaborative Filtering", section 4.2.

    Examples
    --------
    Three items are relevant, two fit into the list, and it holds both:

    >>> recall_capped(np.array([[True, True]]), np.array([3]))
    array([1.])
    """
    share: Values = hits.sum(axis=1) / np.minimum(n_relevant, hits.shape[1])
    return share


def precision(hits: Mask, n_relevant: Array) -> Values:  # noqa: ARG001 - one signature for all
    r"""Return the share of the places asked for that hold a relevant item.

    .. math:: \frac{1}{k} \sum_{r=1}^{k} rel_r

    Parameters
    ----------
    hits : bool (n_users, k)
    n_relevant : int64 (n_users,)
        Not used: precision does not ask what was missed.

    Returns
    -------
    float64 (n_users,), 0 to 1

    References
    ----------
    trec_eval, measure ``P``.

    Examples
    --------
    >>> precision(np.array([[True, False, True, False]]), np.array([2]))
    array([0.5])
    """
    share: Values = hits.mean(axis=1)
    return share


def hit_rate(hits: Mask, n_relevant: Array) -> Values:  # noqa: ARG001 - as above
    r"""Return 1 where the list holds any relevant item, else 0.

    .. math:: \max_{r \le k} rel_r

    Parameters
    ----------
    hits : bool (n_users, k)
    n_relevant : int64 (n_users,)
        Not used.

    Returns
    -------
    float64 (n_users,), 0 or 1

    References
    ----------
    Deshpande & Karypis (2004), "Item-based top-N recommendation algorithms";
    trec_eval, measure ``success``.

    Examples
    --------
    >>> hit_rate(np.array([[False, True], [False, False]]), np.array([2, 1]))
    array([1., 0.])
    """
    found: Values = np.asarray(hits.any(axis=1), dtype=np.float64)
    return found
