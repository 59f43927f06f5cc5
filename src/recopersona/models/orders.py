"""What was bought in one go: the orders of a log."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from recopersona.data.dataset import Dataset
from recopersona.data.event import PURCHASE
from recopersona.data.interactions import Interactions
from recopersona.data.times import MISSING_TIME
from recopersona.data.types import Array


def orders_of(dataset: Dataset, gap_ms: int) -> sparse.csr_array:
    """Return orders x items of ones, a row for each order.

    Purchases make orders; in a log without any, every event does. A user's purchases of one
    session are one order where there is a ``session``; else those that follow each other within
    ``gap_ms``; where there is no time, all of a user's.

    Examples
    --------
    >>> import pandas as pd
    >>> days = pd.to_datetime(["2026-01-01", "2026-01-01", "2026-03-01"])
    >>> events = pd.DataFrame({"user_id": 1, "item_id": ["tea", "oil", "salt"], "timestamp": days})
    >>> orders_of(Dataset.from_frames(events), 86_400_000).toarray()
    array([[1., 1., 0.],
           [0., 0., 1.]], dtype=float32)
    """
    rows = dataset.interactions
    bought = rows.event == PURCHASE
    rows = rows.take(bought) if bought.any() else rows
    order = _order_of_each(rows, gap_ms)
    shape = (int(order.max(initial=-1)) + 1, len(dataset.items))
    ones = np.ones(len(rows), np.float32)
    matrix = sparse.coo_array((ones, (order, rows.items)), shape=shape).tocsr()
    matrix.sum_duplicates()
    matrix.data[:] = 1
    return matrix


def _order_of_each(rows: Interactions, gap_ms: int) -> Array:
    """Number the orders: the order of each row, int64 (n_rows,)."""
    users = rows.users.astype(np.int64)
    if rows.session is not None:
        visits = users * (int(rows.session.max(initial=0)) + 2) + rows.session + 1
        return np.unique(visits, return_inverse=True)[1].reshape(-1)
    if rows.timestamp is None:
        return np.unique(users, return_inverse=True)[1].reshape(-1)
    by_time = np.lexsort((rows.timestamp, users))
    who, when = users[by_time], rows.timestamp[by_time]
    missing = when == MISSING_TIME  # comes first; the distance to it is not one
    far = np.zeros(len(who), np.bool_)
    later = np.where(missing[:-1], 0, when[1:] - np.where(missing[:-1], 0, when[:-1]))
    far[1:] = (who[1:] != who[:-1]) | (later > gap_ms) | (missing[1:] != missing[:-1])
    order = np.empty(len(who), np.int64)
    order[by_time] = np.cumsum(far)
    return order
