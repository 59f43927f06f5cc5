"""What was bought and kept: returns undo purchases."""

from __future__ import annotations

import numpy as np
import pandas as pd

from recopersona.data.event import PURCHASE, RETURN
from recopersona.data.interactions import Interactions
from recopersona.data.types import Array, Mask


def kept_rows(log: Interactions) -> Mask | None:
    """Tell which events still count: not a return, and not a purchase that was sent back.

    A return undoes the latest earlier purchases of the same item by the same user until its
    quantity is used up (1 where the log has no quantity). A purchase returned in part stays; a
    return without an earlier purchase undoes nothing. Without any return the answer is None.
    """
    is_return = log.event == RETURN
    if not is_return.any():
        return None
    order = _trades_of_returned_pairs(log, is_return)
    quantity = np.ones(len(order)) if log.quantity is None else log.quantity[order]
    gone = np.zeros(len(log), dtype=np.bool_)
    gone[order] = _undone(_runs(log, order), is_return[order], quantity.astype(np.float64))
    kept: Mask = ~(gone | is_return)
    return kept


def _trades_of_returned_pairs(log: Interactions, is_return: Mask) -> Array:
    """Rows of purchases and returns of pairs with any return: by pair, then time, then row."""
    pair = log.users.astype(np.int64) << 32 | log.items
    trade = np.flatnonzero(is_return | (log.event == PURCHASE))
    trade = trade[np.isin(pair[trade], np.unique(pair[is_return]))]
    keys = (pair[trade],) if log.timestamp is None else (log.timestamp[trade], pair[trade])
    return trade[np.lexsort(keys)]


def _runs(log: Interactions, order: Array) -> Array:
    """Number the runs of equal (user, item) pairs."""
    users, items = log.users[order], log.items[order]
    changes = (users[1:] != users[:-1]) | (items[1:] != items[:-1])
    return np.concatenate([[0], np.cumsum(changes)])


def _undone(run: Array, is_return: Mask, quantity: Array) -> Mask:
    """Tell which purchases were wholly sent back, last bought first.

    Let the stock in hand rise with purchases and fall with returns, never below zero. A purchase
    is undone exactly if the stock later falls back to where it was before that purchase.
    """
    total = pd.Series(np.where(is_return, -quantity, quantity)).groupby(run).cumsum()
    stock = total - np.minimum(total.groupby(run).cummin(), 0.0)
    before = stock.groupby(run).shift(fill_value=0.0)
    later_low = stock[::-1].groupby(run[::-1]).cummin()[::-1]
    # Thirds of a kilo may not add up to the last bit.
    undone: Mask = ~is_return & (later_low <= before + 1e-5 * quantity).to_numpy()
    return undone
