"""Sets that are bought together beyond chance, priced, and within a buyer's band."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

from recopersona.base.described import Described
from recopersona.base.parameters import Bound, check, duration, param, real, whole
from recopersona.base.recommender import NO_OPINION, require_array
from recopersona.data.dataset import Dataset
from recopersona.data.feature_table import NumberColumn
from recopersona.data.interactions import Interactions
from recopersona.data.query import Query
from recopersona.data.times import duration_ms
from recopersona.data.types import Array, Floats, Id, Indices
from recopersona.errors import DataError, ParameterError
from recopersona.models.bundle_growth import Found, grown
from recopersona.models.item_to_item import require_places, require_runs
from recopersona.models.orders import orders_of

_FEW_PURCHASES = 3  # with fewer prices, a buyer has no band yet
_BAND = (0.1, 0.9)  # the share of her prices within it
_DISCOUNT = Bound("a number of at least 0 and below 1", lambda value: 0 <= value < 1)


class Bundles(Described):
    r"""Find sets of two to four items that are bought together beyond chance.

    A pair is one if its items meet in at least ``support`` orders, and more often than chance has
    it: by lift, with ``shrink`` orders' worth of chance so that thin pairs do not shout, and by
    Dunning's log-likelihood ratio. From the best pairs, larger sets are grown one item at a time,
    as long as every item of the set belongs to the rest of it:

    .. math:: lift(S) = \min_{c \in S} \frac{n_S + shrink}{n_{S - c} \, n_c / N + shrink}

    with :math:`n` the orders that hold a set, of N. Sets are ranked by :math:`n_S \ln lift(S)`.

    Of an order is what a user purchased in one session where events have a session, else within
    ``gap`` of each other; in a log without purchases every event counts. As a recommender, it
    scores what completes sets of which the visitor has a part: in her cart (``session`` and
    ``seed``), else in her past,
    :math:`s_i = \sum_{S \ni i} \ln lift(S) \cdot |S \cap cart| / (|S| - 1)`.

    Parameters
    ----------
    size : int, 2 to 4
        Items of the largest sets.
    support : int, at least 2
        Orders that hold a set.
    shrink : float, at least 0
    significance : float, at least 0
        The least log-likelihood ratio; 10.8 is a chance of one in a thousand for a single pair.
    gap : duration
        A pause that ends an order.
    max_items : int, at least 2
        Larger orders, of resellers and programs, are left out.
    most : int, at least 1
        Pairs that are kept, and grown.
    discount : float, at least 0 and below 1
        What a set costs less than its items.

    Attributes
    ----------
    bounds_ : int64 (n_bundles + 1,)
    bundles_ : int32 (n_entries,)
        Bundle b's items, best bundle first, are entries ``bounds_[b]`` to ``bounds_[b + 1]``.
    lift_ : float32 (n_bundles,)
    support_ : int64 (n_bundles,)
    n_orders_, n_left_out_ : int
        Orders counted, and those of more than ``max_items``.

    Notes
    -----
    New events count at once as carts and as what a buyer paid; bundles are learned anew by ``fit``.

    Memory: 12 bytes a pair of items that meet, while fitting; 4 bytes an item of a bundle after.
    Time: the squares of the orders' sizes, and ``most`` times some intersections of orders.

    References
    ----------
    Brin, Motwani & Silverstein (1997), "Beyond market baskets", section 2, for lift; Dunning
    (1993), "Accurate methods for the statistics of surprise and coincidence", section 4.

    Examples
    --------
    >>> lines = [(order, item) for order in range(40) for item in
    ...          (["tea", "cup"] if order % 2 else ["nail", "hammer"]) + ["bag"]]
    >>> events = pd.DataFrame(lines, columns=["user_id", "item_id"])
    >>> items = pd.DataFrame({"item_id": ["tea", "cup", "nail", "hammer", "bag"],
    ...                       "price": [4.0, 6.0, 1.0, 20.0, 0.1]})
    >>> model = Bundles(discount=0.1).fit(Dataset.from_frames(events, items=items))
    >>> found = model.recommend_bundles(Query(session=["tea"]), n=1)
    >>> found[["items", "adds", "price", "support"]]
            items    adds  price  support
    0  (tea, cup)  (cup,)    9.0       20
    >>> model.recommend_bundles("a stranger", budget=(15, 20))["items"].tolist()
    [('nail', 'hammer')]
    """

    size: int = param(whole(at_least=2, at_most=4), default=3)
    support: int = param(whole(at_least=2), default=5)
    shrink: float = param(real(at_least=0), default=5.0)
    significance: float = param(real(at_least=0), default=10.8)
    gap: str | timedelta = param(duration(), default="1h")
    max_items: int = param(whole(at_least=2), default=50)
    most: int = param(whole(at_least=1), default=5_000)
    discount: float = param(_DISCOUNT, default=0.0)

    def _fit(self, dataset: Dataset) -> None:
        orders = orders_of(dataset, duration_ms(self.gap))
        sizes = np.diff(orders.indptr)
        self.n_left_out_ = int((sizes > self.max_items).sum())
        self.n_orders_ = len(sizes) - self.n_left_out_
        found = grown(
            orders[np.flatnonzero(sizes <= self.max_items)], self.size, self.support, self.shrink,
            self.significance, self.most,
        )  # fmt: skip
        self._keep(found)

    _taught_by_all = ("bundles_", "lift_", "support_")

    def _keep(self, found: Sequence[Found]) -> None:
        best_first = sorted(found, key=lambda one: (-one.support * np.log(one.lift), one.items))
        sizes = [len(one.items) for one in best_first]
        self.bounds_ = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        self.bundles_ = np.array([item for one in best_first for item in one.items], np.int32)
        self.lift_ = np.array([one.lift for one in best_first], np.float32)
        self.support_ = np.array([one.support for one in best_first], np.int64)

    # -- bundles -----------------------------------------------------------------------------

    def recommend_bundles(
        self, asked: Any, n: int = 5, *, budget: tuple[float, float] | None = None
    ) -> pd.DataFrame:
        """Return the best bundles for a visitor: what completes her cart, else what suits her.

        Parameters
        ----------
        asked : user id or Query
            The cart is ``session`` and ``seed``.
        n : int, at least 1
        budget : (low, high), optional
            What a bundle may cost, ``(0, math.inf)`` for whatever has a price. By default its items
            cost on average what the buyer is used to: between the tenth and the ninetieth
            percentile of the prices of what is in her past, once there are three. A band that would
            leave nothing is dropped, and the ``reason`` says so.

        Returns
        -------
        DataFrame with columns ``items`` (a tuple), ``adds`` (those not in the cart), ``price``
        (less the discount, NaN where one is unknown), ``lift``, ``support`` and ``reason``.
        """
        self._check_fitted()
        check(n, whole(at_least=1), "recommend_bundles", "n")
        query = self._asked(asked)
        cart = self._cart(query)
        places, overlap = self._touched(cart)
        sizes = np.diff(self.bounds_)
        completes = overlap < sizes[places]
        places, overlap = places[completes], overlap[completes]
        if not len(places):
            places = np.arange(len(sizes))
            places = places[~np.isin(places, self._touched(cart)[0])]
            overlap = np.zeros(len(places), np.int64)
        prices = self._prices_of_bundles()
        fits, told = self._within(query, prices, sizes, budget)
        if budget is None and not fits[places].any():
            fits, told = np.ones(len(sizes), np.bool_), told and f"nothing {told}"
        kept = fits[places]
        places, overlap = places[kept], overlap[kept]
        worth = self.support_ * np.log(self.lift_)
        shown = np.lexsort((places, -worth[places], -overlap / sizes[places]))[:n]
        return self._frame(places[shown], cart, prices, told)

    def _frame(self, places: Array, cart: Indices, prices: Array, told: str) -> pd.DataFrame:
        rows = []
        for place in places.tolist():
            items = self.bundles_[self.bounds_[place] : self.bounds_[place + 1]]
            held = np.isin(items, cart)
            why = f"goes with {', '.join(map(str, self._ids(items[held])))}" if held.any() else (
                "often bought together"
            )  # fmt: skip
            rows.append({
                "items": self._ids(items),
                "adds": self._ids(items[~held]),
                "price": prices[place],
                "lift": float(self.lift_[place]),
                "support": int(self.support_[place]),
                "reason": f"{why}; {told}" if told else why,
            })  # fmt: skip
        columns = ["items", "adds", "price", "lift", "support", "reason"]
        return pd.DataFrame(rows, columns=columns)

    def _within(self, query: Query, prices: Array, sizes: Array, budget: Any) -> tuple[Array, str]:
        """Tell which bundles a visitor will pay for, and say by what."""
        if budget is not None:
            low, high = _as_band(budget)
            return (prices >= low) & (prices <= high), f"costs {low:g} to {high:g}"
        paid = self._prices_of(self.past_.taste(self.user_of(query))[0])
        paid = paid[np.isfinite(paid)]
        if len(paid) < _FEW_PURCHASES:
            return np.ones(len(prices), np.bool_), ""
        low, high = np.quantile(paid, _BAND)
        mean = prices / (1 - self.discount) / sizes
        return (mean >= low) & (mean <= high), f"within her {low:g} to {high:g} an item"

    def _prices_of(self, items: Indices) -> Array:
        """Return some items' prices, float64, NaN where unknown."""
        prices = np.full(len(items), np.nan)
        column = self.item_features_.columns.get("price")
        if isinstance(column, NumberColumn):
            known = items < len(column)
            prices[known] = column.values[items[known]]
        return prices

    def _prices_of_bundles(self) -> Array:
        if not len(self.lift_):
            return np.empty(0)
        summed = np.add.reduceat(self._prices_of(self.bundles_), self.bounds_[:-1])
        priced: Array = summed * (1 - self.discount)
        return priced

    def _ids(self, items: Indices) -> tuple[Id, ...]:
        return tuple(self.items_.ids[items].tolist())

    # -- as a recommender --------------------------------------------------------------------

    def score_items(self, query: Query, items: Indices | None = None) -> Floats:
        """Return how much every item completes, float32 (n_items,)."""
        cart = self._cart(query)
        if not len(cart):
            cart = self.taste_of(query)[0]
        places, overlap = self._touched(cart)
        sizes = np.diff(self.bounds_)[places]
        shares = np.log(self.lift_[places]) * overlap / (sizes - 1)
        ends = np.cumsum(sizes)
        entries = np.repeat(self.bounds_[places] - (ends - sizes), sizes) + np.arange(sizes.sum())
        named = self.bundles_[entries]
        rest = ~np.isin(named, cart)
        summed = np.bincount(
            named[rest], np.repeat(shares, sizes)[rest], minlength=len(self.items_)
        )
        return np.where(summed > 0, summed, NO_OPINION).astype(np.float32)

    def _completions(self, cart: Indices) -> Iterator[tuple[Indices, Indices, float]]:
        """Walk the bundles of which a part is there: that part, the rest, and what it is worth."""
        places, overlap = self._touched(cart)
        for place, held in zip(places.tolist(), overlap.tolist(), strict=True):
            items = self.bundles_[self.bounds_[place] : self.bounds_[place + 1]]
            there = np.isin(items, cart)
            share = float(np.log(self.lift_[place])) * held / (len(items) - 1)
            yield items[there], items[~there], share

    def _explain(self, query: Query, item: int) -> list[tuple[str, Id | None, float]]:
        cart = self._cart(query)
        if not len(cart):
            cart = self.taste_of(query)[0]
        return [
            ("completes a bundle", self._ids(there)[0], share)
            for there, rest, share in self._completions(cart)
            if item in rest
        ]

    def _cart(self, query: Query) -> Indices:
        return np.unique(self._known_items((*query.session, *query.page_items)))

    def _touched(self, cart: Indices) -> tuple[Array, Array]:
        """Return the bundles that hold something of a cart, ascending, and how much."""
        index = self._index
        known = cart[cart < index.shape[0]]
        held = [index.indices[index.indptr[item] : index.indptr[item + 1]] for item in known]
        found = np.concatenate(held) if held else np.empty(0, np.int64)
        return np.unique(found, return_counts=True)

    def _prepare(self) -> None:
        n_items = int(self.bundles_.max(initial=-1)) + 1
        owners = np.repeat(np.arange(len(self.lift_)), np.diff(self.bounds_))
        ones = np.ones(len(self.bundles_), np.float32)
        shape = (n_items, len(self.lift_))
        self._index = sparse.coo_array((ones, (self.bundles_, owners)), shape=shape).tocsr()

    def _learn(self, rows: Interactions) -> None:
        """What is new is already in the past that carts and prices are read from."""

    def _check_learned(self) -> None:
        super()._check_learned()
        n_bundles = len(self.bounds_) - 1
        require_runs(self.bounds_, n_bundles, "bounds_")
        require_places(self.bundles_, int(self.bounds_[-1]), len(self.items_), "bundles_")
        require_array(self.lift_, np.float32, (n_bundles,), "lift_")
        require_array(self.support_, np.int64, (n_bundles,), "support_")
        whole_sets = (np.diff(self.bounds_) >= 2).all()
        if not whole_sets or not (np.isfinite(self.lift_) & (self.lift_ > 1)).all():
            raise DataError("Bundles: there are bundles that are none.")
        if not (self.support_ >= 0).all():
            raise DataError("Bundles: support_ must be numbers of orders.")
        for name in ("n_orders_", "n_left_out_"):
            check(getattr(self, name), whole(0), "Bundles", name)


def _as_band(budget: Any) -> tuple[float, float]:
    pair = isinstance(budget, (tuple, list)) and len(budget) == 2
    endless = pair and budget[1] == math.inf
    ends = budget[:1] if endless else budget
    if not pair or not all(real().holds(value) for value in ends) or budget[0] > budget[1]:
        raise ParameterError(f"budget must be (low, high) in rising order, got {budget!r}.")
    return float(budget[0]), float(budget[1])
