"""How users are asked about: by their id, and held-out ones with what is told of them."""

from __future__ import annotations

from collections.abc import Sequence

from recopersona.data.ids import UNKNOWN
from recopersona.data.query import Query
from recopersona.data.types import Id
from recopersona.evaluation.splits.split import Split


def queries_of(split: Split, user_ids: Sequence[Id]) -> list[Query]:
    """Return the question about each user of a split's test part.

    Held-out users of whom something is told (``split.given``) bring it as their history, item by
    item, the one they came to last at the end.

    Examples
    --------
    >>> import numpy as np
    >>> from recopersona.data.dataset import Dataset
    >>> from recopersona.evaluation.splits.held_out_users import split_users
    >>> split = split_users(Dataset.from_matrix(np.ones((3, 4))), users=0.5)
    >>> user = split.given.log.users[0]
    >>> len(queries_of(split, [int(user)])[0].history)
    2
    """
    if split.given is None or split.pasts is None:
        return [Query(user_id=user) for user in user_ids]
    bounds, items, weights = split.pasts
    ids = split.given.items.ids
    queries = []
    for user, row in zip(user_ids, split.given.users.indices(user_ids).tolist(), strict=True):
        start, end = (0, 0) if row == UNKNOWN else bounds[row : row + 2].tolist()
        told = zip(ids[items[start:end]].tolist(), weights[start:end].tolist(), strict=True)
        queries.append(Query(user_id=user, history=dict(told) if start < end else None))
    return queries
