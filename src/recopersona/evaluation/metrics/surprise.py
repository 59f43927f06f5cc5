"""How little what a list holds could be expected."""

from __future__ import annotations

import numpy as np

from recopersona.data.types import Array, Indices
from recopersona.evaluation.metrics.values import Values


def novelty(lists: Indices, holders: Array, n_users: int) -> Values:
    r"""Return how surprising a list's items are: their mean self-information, in bits.

    .. math:: \frac{1}{|L|} \sum_{i \in L} -\log_2 \frac{\max(h_i, 1)}{n_{users}}

    where :math:`h_i` training users have item :math:`i`. An item that nobody has counts like one
    that a single user has, which is the largest value there is; an empty list gets 0.

    Parameters
    ----------
    lists : int32 (n_lists, k)
        Item indices, -1 beyond a list's end.
    holders : int64 (n_items,)
        How many training users have each item.
    n_users : int, at least 1
        Training users.

    Returns
    -------
    float64 (n_lists,), 0 to log2(n_users)

    References
    ----------
    Zhou et al. (2010), "Solving the apparent diversity-accuracy dilemma of recommender systems"
    (surprisal); Vargas & Castells (2011), "Rank and relevance in novelty and diversity metrics for
    recommender systems" (inverse user frequency).

    Examples
    --------
    Of 4 users, all have the first item (0 bits), one has the second (2 bits), none the third:

    >>> novelty(np.array([[0, 1], [2, -1]], np.int32), np.array([4, 1, 0]), 4)
    array([1., 2.])
    """
    information = np.append(-np.log2(np.maximum(holders, 1) / n_users), 0.0)
    average: Values = information[lists].sum(axis=1) / np.maximum((lists >= 0).sum(axis=1), 1)
    return average + 0.0  # an item that everybody has is worth 0, not -0
