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


def kept_quantity(log: Interactions) -> Array:
    """Tell how much of every event still counts: of a purchase, what was not sent back.

    By the rule of `kept_rows`, but a purchase returned in part keeps the rest of its quantity.

    Returns
    -------
    float64 (n,)
        0 for returns and for purchases wholly sent back; the quantity (1 where the log has none)
        of everything else.
    """
    quantity = np.ones(len(log)) if log.quantity is None else log.quantity.astype(np.float64)
    is_return = log.event == RETURN
    if not is_return.any():
        return quantity
    order = _trades_of_returned_pairs(log, is_return)
    bought, before, later_low = _stock(_runs(log, order), is_return[order], quantity[order])
    kept = np.clip(later_low - before, 0.0, bought)
    kept[kept <= _ROUNDING * bought] = 0.0
    quantity[order] = kept
    quantity[is_return] = 0.0
    return quantity


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

    A purchase is undone exactly if the stock later falls back to where it was before that purchase.
    """
    bought, before, later_low = _stock(run, is_return, quantity)
    undone: Mask = ~is_return & (later_low <= before + _ROUNDING * bought)
    return undone


def _stock(run: Array, is_return: Mask, quantity: Array) -> tuple[Array, Array, Array]:
    """Let the stock in hand rise with purchases and fall with returns, never below zero.

    Returns what each row brought, the stock before it, and the lowest stock from it on: (n,) each.
    """
    total = pd.Series(np.where(is_return, -quantity, quantity)).groupby(run).cumsum()
    stock = total - np.minimum(total.groupby(run).cummin(), 0.0)
    before = stock.groupby(run).shift(fill_value=0.0)
    later_low = stock[::-1].groupby(run[::-1]).cummin()[::-1]
    return np.where(is_return, 0.0, quantity), before.to_numpy(), later_low.to_numpy()


_ROUNDING = 1e-5  # thirds of a kilo may not add up to the last bit
