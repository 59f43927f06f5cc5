"""How good answers are on what was held out: the one number behind ``score``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from recopersona.data.dataset import Dataset
from recopersona.data.ids import UNKNOWN
from recopersona.data.query import Query
from recopersona.errors import DataError
from recopersona.kernels.metrics import discounted_gain, mark_hits

if TYPE_CHECKING:
    from recopersona.base.recommender import Recommender

_K = 10


def held_out_ndcg(model: Recommender, held_out: Dataset) -> float:
    """Return the mean NDCG@10 over users with a held-out item that training did not see them with.

    Ids are matched, so the two parts need not share their maps; an item that training does not
    know can be wanted but not found.
    """
    items = model.items_.indices(held_out.items.ids)
    matrix = held_out.matrix()
    queries, wanted = [], []
    for row, user_id in enumerate(held_out.users.ids.tolist()):
        chosen = items[matrix.indices[matrix.indptr[row] : matrix.indptr[row + 1]]]
        fresh = chosen[~np.isin(chosen, model.past_.seen(model.users_.index(user_id)))]
        if len(fresh):
            queries.append(Query(user_id=user_id))
            wanted.append(np.sort(fresh))
    if not queries:
        raise DataError("score needs a user with a held-out item that training did not have.")
    lists = np.full((len(queries), _K), UNKNOWN, dtype=np.int32)
    for place, ranking in enumerate(model.rank_many(queries, _K)):
        lists[place, : len(ranking)] = ranking.items
    hits = np.zeros(lists.shape, dtype=np.bool_)
    sizes = np.array([len(fresh) for fresh in wanted])
    mark_hits(hits, lists, np.concatenate([[0], np.cumsum(sizes)]), np.concatenate(wanted))
    return float(discounted_gain(hits, sizes).mean())
