r"""What a list is worth: formulas over the hits of every user's list, and over whole lists.

A *hit* is a place of a list that holds a relevant item. Throughout, :math:`k` is the length asked
for, :math:`|test|` the number of a user's relevant items (at least 1) and :math:`rel_r` is 1 where
place :math:`r` is a hit. A list that ends before place :math:`k` has misses from there on. Two
definitions of recall and of average precision are in use and both are here: divided by
:math:`|test|`, so that a user with more than :math:`k` relevant items can never reach 1, and
divided by :math:`\min(k, |test|)` ("capped"), so that everyone can.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recopersona.data.types import Array, Indices, Mask
from recopersona.errors import ParameterError, hint
from recopersona.kernels.metrics import discounted_gain

Values = NDArray[np.float64]


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


def coverage(lists: Indices, n_items: int) -> float:
    r"""Return the share of the catalogue that is shown to anybody.

    .. math:: \frac{1}{n_{items}} \Big| \bigcup_u L_u \Big|

    Parameters
    ----------
    lists : int32 (n_lists, k)
        Item indices, -1 beyond a list's end.
    n_items : int, at least 1
        Size of the catalogue.

    Returns
    -------
    float, 0 to 1

    References
    ----------
    Ge, Delgado-Battenfeld & Jannach (2010), "Beyond accuracy: evaluating recommender systems by
    coverage and serendipity" (catalogue coverage).

    Examples
    --------
    >>> coverage(np.array([[0, 1], [1, -1]], np.int32), 8)
    0.25
    """
    shown = np.zeros(n_items, dtype=np.bool_)
    shown[lists[lists >= 0]] = True
    return float(shown.mean())


@dataclass(frozen=True, eq=False)
class Judged:
    """Lists, and everything that metrics ask about them.

    lists       int32 (n_users, k), -1 beyond a list's end
    hits        bool (n_users, k)
    n_relevant  int64 (n_users,), at least 1
    holders     int64 (n_items,), how many training users have each item
    n_trained   training users
    """

    lists: Indices
    hits: Mask
    n_relevant: Array
    holders: Array
    n_trained: int


def _of_hits(metric: Callable[[Mask, Array], Values]) -> Callable[[Judged], Values]:
    return lambda judged: metric(judged.hits, judged.n_relevant)


PER_USER: Mapping[str, Callable[[Judged], Values]] = {
    "recall": _of_hits(recall),
    "recall_capped": _of_hits(recall_capped),
    "precision": _of_hits(precision),
    "ndcg": _of_hits(ndcg),
    "map": _of_hits(average_precision),
    "map_capped": _of_hits(average_precision_capped),
    "mrr": _of_hits(reciprocal_rank),
    "hit_rate": _of_hits(hit_rate),
    "novelty": lambda judged: novelty(judged.lists, judged.holders, judged.n_trained),
}
"""Metrics with one value per user, by name."""

OVERALL: Mapping[str, Callable[[Judged], float]] = {
    "coverage": lambda judged: coverage(judged.lists, len(judged.holders)),
}
"""Metrics with one value for all lists together, by name."""


def metric_names(asked: Any) -> tuple[str, ...]:
    """Return the distinct names asked for, in their order.

    Raises
    ------
    ParameterError
        If none is asked for, there is no such metric, or it is no name.

    Examples
    --------
    >>> metric_names("ndgc")
    Traceback (most recent call last):
    recopersona.errors.ParameterError: there is no metric 'ndgc'; did you mean 'ndcg'?
    """
    known = (*PER_USER, *OVERALL)
    if not isinstance(asked, Iterable):
        raise ParameterError(f"metrics must be names such as ['ndcg', 'recall'], got {asked!r}.")
    names = [asked] if isinstance(asked, str) else list(asked)
    if not names:
        raise ParameterError(f"name at least one metric of {', '.join(known)}.")
    for name in names:
        if name not in known:
            raise ParameterError(f"there is no metric {name!r}{hint(name, known)}")
    return tuple(dict.fromkeys(names))


def _summed_precision(hits: Mask) -> Values:
    places = np.arange(1, hits.shape[1] + 1)
    summed: Values = (np.cumsum(hits, axis=1) / places * hits).sum(axis=1)
    return summed
