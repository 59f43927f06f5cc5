"""What was bought in one go: the orders of a log."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from recopersona.data.dataset import Dataset
from recopersona.data.event import PURCHASE
from recopersona.models.visits import visit_numbers


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
    order = visit_numbers(rows, gap_ms)
    shape = (int(order.max(initial=-1)) + 1, len(dataset.items))
    ones = np.ones(len(rows), np.float32)
    matrix = sparse.coo_array((ones, (order, rows.items)), shape=shape).tocsr()
    matrix.sum_duplicates()
    matrix.data[:] = 1
    return matrix
