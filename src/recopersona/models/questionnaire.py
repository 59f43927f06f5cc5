"""What to ask a stranger first: items that many know, and whose answers tell about the others."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

from recopersona.base.parameters import check, whole
from recopersona.base.recommender import Recommender, as_dataset
from recopersona.data.ids import IdMap
from recopersona.data.types import Array

_RIDGE = 1e-9  # of the largest variance: below, nothing is left to tell


def questionnaire(data: Any, n: int = 10, *, candidates: int = 500) -> pd.DataFrame:
    r"""Choose items to ask a stranger about, best first.

    The answer to a question is whether she chose the item, 1 or 0. Each question is the one whose
    answer, beside those before, tells most about the answers to all others, in the eyes of a linear
    model:

    .. math:: i^* = \arg\max_i \sum_j \frac{C_{ij}^2}{C_{ii}}, \qquad
              C \leftarrow C - \frac{C_{\cdot i^*} C_{i^* \cdot}}{C_{i^* i^*}}

    with C the covariance of users' choices. An item hardly anybody knows varies little and tells
    little, an item everybody has does not vary at all, and a question like an earlier one has
    nothing left to say: popularity, entropy and novelty are all in it.

    The answers become a query: ``Query(history={"tea": 1, "salt": 0})`` says that she likes tea and
    not salt. Models fold it in, and neither item is offered.

    Parameters
    ----------
    data : Dataset, events frame, or fitted model
        Of a model, what its users have done.
    n : int, at least 1
        Questions; fewer come back where no further one would tell anything.
    candidates : int, at least 1
        Questions are among so many of the most popular items, and about these.

    Returns
    -------
    DataFrame with columns ``item_id``, ``rank``, ``share`` (of users who chose it) and ``told``
    (of the variance of all answers, what is known after this one).

    Notes
    -----
    Memory: ``8 * candidates ** 2`` bytes. Time: ``n * candidates ** 2``, and one product of the
    candidates' columns with each other.

    References
    ----------
    Rashid et al. (2002), "Getting to know you: learning new user preferences in recommender
    systems", section 3, for popularity and entropy; Golub & Van Loan (2013), "Matrix computations",
    section 4.2.8, for the elimination.

    Examples
    --------
    >>> from recopersona.data.query import Query
    >>> from recopersona.models.neighbors import ItemKNN
    >>> tastes = 9 * [["tea", "honey"], ["beer", "chips"], ["pasta", "oil"]]
    >>> lines = [(user, item) for user, taste in enumerate(tastes) for item in [*taste, "water"]]
    >>> events = pd.DataFrame([*lines, (0, "salt")], columns=["user_id", "item_id"])
    >>> questionnaire(events, n=2)["item_id"].tolist()
    ['tea', 'beer']
    >>> model = ItemKNN().fit(events)
    >>> model.recommend(Query(history={"beer": 1, "tea": 0}), n=1).item_ids
    ['chips']
    """
    check(n, whole(at_least=1), "questionnaire", "n")
    check(candidates, whole(at_least=1), "questionnaire", "candidates")
    matrix, ids = _choices(data)
    counts = np.asarray(matrix.sum(axis=0)).reshape(-1)
    chosen = np.lexsort((np.arange(len(counts)), -counts))[:candidates]
    chosen = np.sort(chosen[counts[chosen] > 0])
    n_users = max(int((np.diff(matrix.indptr) > 0).sum()), 1)
    share = counts[chosen] / n_users
    some = matrix[:, chosen]
    covariance = np.asarray((some.T @ some).todense(), np.float64) / n_users
    asked, told = _most_telling(covariance - np.outer(share, share), n)
    return pd.DataFrame({
        "item_id": ids.ids[chosen[asked]],
        "rank": np.arange(1, len(asked) + 1),
        "share": share[asked],
        "told": told,
    })  # fmt: skip


def _most_telling(covariance: Array, n: int) -> tuple[Array, Array]:
    """Eliminate one answer after the other; return which, and what share is told so far."""
    total = float(np.trace(covariance))
    least = _RIDGE * float(covariance.diagonal().max(initial=0))
    asked: list[int] = []
    told: list[float] = []
    while len(asked) < n:
        variance = covariance.diagonal()
        open_to = variance > max(least, 1e-15)
        open_to[asked] = False
        if not open_to.any():
            break
        gains = np.square(covariance).sum(axis=0) / np.where(open_to, variance, 1.0)
        best = int(np.argmax(np.where(open_to, gains, -1.0)))
        covariance = covariance - np.outer(covariance[best], covariance[best]) / variance[best]
        asked.append(best)
        told.append(1 - max(float(np.trace(covariance)), 0.0) / total)
    return np.array(asked, np.int64), np.array(told, np.float64)


def _choices(data: Any) -> tuple[sparse.csr_array, IdMap]:
    """Return users x items of ones, and the items' ids."""
    if isinstance(data, Recommender):
        data._check_fitted()
        arrays = data.past_.arrays()
        weights = (arrays["pair_weights"] > 0).astype(np.float32)
        bounds = arrays["pair_bounds"]
        shape = (len(bounds) - 1, len(data.items_))
        matrix = sparse.csr_array((weights, arrays["pair_items"], bounds), shape=shape)
        matrix.eliminate_zeros()
        return matrix, data.items_
    dataset = as_dataset(data)
    matrix = dataset.matrix()
    matrix.data[:] = 1
    return matrix, dataset.items
