"""The pages that several orders of the same candidates would make, and how relevant each is."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from recopersona.data.ranking import Ranking
from recopersona.data.types import Indices, Values
from recopersona.rerank.mixtures import Mixtures, Order

PageOf = Callable[[Ranking], Ranking]


class Pages:
    r"""Pages beside the one of the first arm, looked at under the rules.

    What a page promises is the sum over its slots of how relevant the item there is,
    :math:`\sum_k \hat r_{(k)} / \log_2(1 + k)`; an item that is no candidate is not.

    Parameters
    ----------
    mixtures : Mixtures
    worth : float64 (n,)
        How relevant each candidate is, between 0 and 1.
    page_of : function
        Makes a page of an order.
    first : Order
        Of the first arm.
    """

    def __init__(self, mixtures: Mixtures, worth: Values, page_of: PageOf, first: Order) -> None:
        self._mixtures, self._page_of = mixtures, page_of
        items = mixtures.ranking.items
        order = items.argsort()
        self._items, self._worth = items[order], worth[order]
        self._looked: dict[int, tuple[Order, Indices, float]] = {}
        self.first = page_of(mixtures.light(first))
        self._discounts = 1 / np.log2(2 + np.arange(len(self.first)))
        self._note(first, self.first)

    def items(self, order: Order) -> Indices:
        """Return who stands on the page of an order, int32 (n_slots,)."""
        return self._look(order)[1]

    def relevance(self, order: Order) -> float:
        """Return what the page of an order promises."""
        return self._look(order)[2]

    def same(self, orders: Sequence[Order], items: Indices) -> list[int]:
        """Return which orders make just this page."""
        shown = items.tobytes()
        return [one for one, order in enumerate(orders) if self.items(order).tobytes() == shown]

    def _look(self, order: Order) -> tuple[Order, Indices, float]:
        known = self._looked.get(id(order))
        if known is None:
            known = self._note(order, self._page_of(self._mixtures.light(order)))
        return known

    def _note(self, order: Order, page: Ranking) -> tuple[Order, Indices, float]:
        at = np.minimum(self._items.searchsorted(page.items), len(self._items) - 1)
        worth = np.where(self._items[at] == page.items, self._worth[at], 0.0)
        if len(worth) != len(self._discounts):
            self._discounts = 1 / np.log2(2 + np.arange(len(worth)))
        promise = float(worth @ self._discounts)
        known = self._looked[id(order)] = order, page.items, promise  # held, so that its id stays
        return known
