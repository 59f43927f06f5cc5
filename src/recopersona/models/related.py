"""What goes with an item, and what would do instead of it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import numpy as np
from scipy import sparse

from recopersona.base.lists import Excluded
from recopersona.base.parameters import check, duration, param, real, whole
from recopersona.base.recommender import NO_OPINION, require_array
from recopersona.base.searching import real_range, whole_range
from recopersona.data.dataset import Dataset
from recopersona.data.event import EVENT_CODES, PURCHASE
from recopersona.data.query import Query
from recopersona.data.ranking import Ranking
from recopersona.data.times import duration_ms
from recopersona.data.types import Array, Floats, Id, Indices
from recopersona.errors import DataError
from recopersona.models.attribute_vectors import AttributeVectors
from recopersona.models.likeness import capped
from recopersona.models.visits import visit_numbers

_LOOKED = [
    EVENT_CODES[name]
    for name in ("view", "click", "page_view", "wishlist", "cart", "checkout", "purchase")
]
_LOOKALIKES = 20  # items whose baskets one with few of its own may borrow from
_MOST_LIKED = 20  # items of a visitor's past whose complements are looked for
_NONE: Indices = np.empty(0, np.int32)


class RelatedItems(AttributeVectors):
    r"""Tell what is bought together with an item from what is looked at, and bought, instead.

    With :math:`b_{ij}` the visits in which both were bought, :math:`b_i` those in which i was, and
    B those with any purchase, j is a complement of i by the shrunk lift

    .. math:: lift_{ij} = \frac{b_{ij} + s}{b_i b_j / B + s}

    where s is ``shrink``: how often they were bought together against chance, drawn towards 1. An
    item with fewer than ``borrow`` baskets borrows what is missing from those most like it by
    attributes: of each look-alike's baskets a share in proportion to its likeness.

    With :math:`v_{ij}` the visits that looked at both without buying both, and once more those
    that looked at i and bought only j, :math:`v_i` those that looked at i and V all of them, j is a
    substitute of i by

    .. math:: \frac{v_{ij} + s (1 + likeness \cdot \cos(x_i, x_j))}{v_i v_j / V + s}
              \Big/ \max(1, lift_{ij})

    so that items without events go by their attributes, and what is bought together is none.

    As a recommender, its score is that of complements, for what the visitor has in mind: the items
    of the page and the visit, else her past:
    :math:`s_{uj} = \sum_{i \in u} w_{ui} \ln lift_{ij}`, over lifts above 1. ``similar_items``
    are substitutes.

    Parameters
    ----------
    encoder : AttributeEncoder, optional
        By default one with its own defaults. It stays unfitted.
    gap : duration
        A pause that ends a visit, where the events have no sessions.
    shrink : float, above 0
        Events that must speak against chance before they are believed.
    borrow : int, at least 0
        Baskets below which an item borrows from its look-alikes.
    likeness : float, at least 0
        How much more often two items alike in all attributes are taken to stand for each other,
        until events say otherwise.
    max_visit_items : int, at least 1
        Of longer visits so many items count: those bought, then a fixed choice.

    Attributes
    ----------
    together_ : float32 csr_array (n_fitted, n_fitted)
        :math:`b_{ij}`.
    instead_ : float32 csr_array (n_fitted, n_fitted)
        :math:`v_{ij}`.
    bought_, looked_ : float32 (n_fitted,)
        :math:`b_i` and :math:`v_i`.
    n_baskets_, n_visits_ : int
        B and V.
    n_left_out_ : int
        Places in visits that ``max_visit_items`` left out.

    Notes
    -----
    Events teach by the next ``fit``; new items count at once, by their attributes. Without times
    and sessions all that a user did is one visit. Purchases sent back are none.

    Memory: 8 bytes a pair of items that met. Time of ``fit``: one addition for each pair of items
    of each visit.

    References
    ----------
    McAuley, Pandey & Leskovec (2015), "Inferring networks of substitutable and complementary
    products", section 3; DuMouchel (1999), "Bayesian data mining in large frequency tables", for
    counts against chance, shrunk.

    Examples
    --------
    >>> import pandas as pd
    >>> visits = [["green", "black", "honey"], ["green", "black"]] * 10 + [["cup"]] * 20
    >>> bought = [{"green", "honey"}, {"black"}] * 10 + [{"cup"}] * 20
    >>> log = pd.DataFrame([
    ...     {"user_id": visit, "item_id": item, "event": event}
    ...     for visit, items in enumerate(visits) for item in items
    ...     for event in (["view", "purchase"] if item in bought[visit] else ["view"])
    ... ])
    >>> model = RelatedItems().fit(log)
    >>> model.complements("green", n=1).item_ids, model.substitutes("green", n=1).item_ids
    (['honey'], ['black'])
    """

    gap: str | timedelta = param(duration(), default="30min")
    shrink: float = param(real(above=0), default=5.0, search=real_range(1, 50, log=True))
    borrow: int = param(whole(at_least=0), default=10, search=whole_range(0, 50))
    likeness: float = param(real(at_least=0), default=1.0, search=real_range(0, 5))
    max_visit_items: int = param(whole(at_least=1), default=100)

    _taught_by_all = ("together_", "instead_", "bought_", "looked_")

    def _fit(self, dataset: Dataset) -> None:
        self._describe()
        looked, self.n_left_out_ = capped(
            _visits(dataset, duration_ms(self.gap)), self.max_visit_items
        )
        bought = _only(looked, looked.data > 1)
        looked.data = np.ones_like(looked.data)
        bought.data = np.ones_like(bought.data)
        not_bought = sparse.csr_array(looked - bought)
        not_bought.eliminate_zeros()
        self.together_ = _pairs(bought.T @ bought)
        self.instead_ = _pairs(looked.T @ looked - bought.T @ bought + not_bought.T @ bought)
        self.bought_ = np.asarray(bought.sum(axis=0), np.float32)
        self.looked_ = np.asarray(looked.sum(axis=0), np.float32)
        self.n_visits_ = int(looked.shape[0])
        self.n_baskets_ = int((np.diff(bought.indptr) > 0).sum())

    # -- questions ---------------------------------------------------------------------------

    def complements(self, item_id: Id, n: int = 10) -> Ranking:
        """Return the ``n`` items most bought together with one beyond chance, then popular ones.

        For an item nobody knows, popular ones.
        """
        return self._related(item_id, n, "complements")

    def substitutes(self, item_id: Id, n: int = 10) -> Ranking:
        """Return the ``n`` items that would best do instead of one; see `complements`."""
        return self._related(item_id, n, "substitutes")

    def _related(self, item_id: Id, n: int, relation: str) -> Ranking:
        self._check_fitted()
        check(n, whole(at_least=1), relation, "n")
        item = self.items_.index(item_id)
        known = item >= 0
        scores = np.full(len(self.items_), NO_OPINION)
        if known and relation == "complements":
            goes_with, lifts = self._lifts(item)
            scores[goes_with] = lifts
        elif known:
            scores = self._instead_of(item)
        return self._list_about(item_id, self._padded(scores), n)

    def score_items(self, query: Query, items: Indices | None = None) -> Floats:
        """Return how every item goes with what the visitor has in mind, float32 (n_items,)."""
        scores = np.zeros(len(self.items_), np.float32)
        for item, weight in zip(*self._in_mind(query), strict=True):
            goes_with, lifts = self._lifts(item)
            scores[goes_with] += np.float32(weight) * np.log(lifts)
        scores[scores <= 0] = NO_OPINION
        return scores

    def _similar(self, item: int) -> Floats:
        return self._instead_of(item)

    def _explain(self, query: Query, item: int) -> list[tuple[str, Id | None, float]]:
        rows: list[tuple[str, Id | None, float]] = []
        for other, weight in zip(*self._in_mind(query), strict=True):
            goes_with, lifts = self._lifts(other)
            rows += [
                ("bought together", self.items_.ids[other], weight * float(np.log(lift)))
                for lift in lifts[goes_with == item]
            ]
        return rows

    def _in_mind(self, query: Query) -> tuple[list[int], list[float]]:
        """Return the items of the page and the visit, else the heaviest of the past."""
        lately = self._known_items((*query.session, *query.page_items))
        if len(lately) and query.history is None:
            items, counts = np.unique(lately, return_counts=True)
            weights = counts.astype(np.float32)
        else:
            items, weights = self.taste_of(query)
        heaviest = np.sort(np.argsort(-weights, kind="stable")[:_MOST_LIKED])
        return items[heaviest].tolist(), weights[heaviest].tolist()

    # -- the formulas ------------------------------------------------------------------------

    def _lifts(self, item: int) -> tuple[Indices, Floats]:
        """Return what was bought with an item, or with its look-alikes, beyond chance: lifts."""
        met, together, baskets = self._baskets(item)
        chance = baskets * self.bought_[met] / max(self.n_baskets_, 1)
        lifts = ((together + self.shrink) / (chance + self.shrink)).astype(np.float32)
        beyond = (lifts > 1) & (met != item)
        return met[beyond], lifts[beyond]

    def _baskets(self, item: int) -> tuple[Indices, Array, float]:
        """Return what was bought with one and how often, and how often that was, borrowed too."""
        lists, baskets = [], 0.0
        if item < len(self.bought_):
            lists, baskets = [(item, 1.0)], float(self.bought_[item])
        missing = self.borrow - baskets
        if missing > 0 and self.n_baskets_:
            nearest, alike = self._look_alikes(item)
            theirs = float((alike * self.bought_[nearest]).sum())
            share = min(1.0, missing / theirs) if theirs else 0.0
            lists += zip(nearest.tolist(), (share * alike).tolist(), strict=True)
            baskets += share * theirs
        columns = [_columns(self.together_, other) for other, _ in lists]
        counts = [weight * _values(self.together_, other) for other, weight in lists]
        met, place = np.unique(np.concatenate([_NONE, *columns]), return_inverse=True)
        together = np.bincount(place, np.concatenate([_NONE, *counts]), minlength=len(met))
        return met.astype(np.int32), together, baskets

    def _look_alikes(self, item: int) -> tuple[Indices, Floats]:
        """Return the items most like one of those that anybody bought, and their likeness."""
        alike = self._padded(super()._similar(item))
        blocked = np.ones(len(alike), np.bool_)
        blocked[: len(self.bought_)] = self.bought_ == 0
        excluded = Excluded.of([np.array([item], np.int32)])
        best = self._top(alike[None, :], excluded, _LOOKALIKES, blocked)
        found = best.scores[0] > 0
        return best.items[0][found], best.scores[0][found]

    def _instead_of(self, item: int) -> Floats:
        """Return how well every item would do instead of one."""
        n, n_items = len(self.looked_), len(self.items_)
        alike = np.array(self._padded(super()._similar(item)))
        seen, looked = np.zeros(n_items, np.float32), np.zeros(n_items, np.float32)
        looked[:n] = self.looked_
        if item < n:
            seen[_columns(self.instead_, item)] = _values(self.instead_, item)
        known = (seen > 0) | (alike > 0)
        prior = self.shrink * (1 + self.likeness * np.where(alike > 0, alike, 0))
        chance = looked[item] * looked / max(self.n_visits_, 1)
        scores = (seen + prior) / (chance + self.shrink)
        goes_with, lifts = self._lifts(item)
        scores[goes_with] /= lifts
        scores[~known] = NO_OPINION
        scores[item] = NO_OPINION
        rounded: Floats = scores.astype(np.float32)
        return rounded

    def _check_learned(self) -> None:
        super()._check_learned()
        n, owner = self.n_fitted_items_, type(self).__name__
        require_array(self.bought_, np.float32, (n,), "bought_")
        require_array(self.looked_, np.float32, (n,), "looked_")
        for name in ("n_baskets_", "n_visits_", "n_left_out_"):
            check(getattr(self, name), whole(0), owner, name)
        for matrix in (self.together_, self.instead_):
            held: Any = matrix
            if not isinstance(held, sparse.csr_array) or held.shape != (n, n):
                raise DataError(f"{owner}: pairs of items must be a csr_array of {n} x {n}.")


def _visits(dataset: Dataset, gap: int) -> sparse.csr_array:
    """Return visits x items: 1 where an item was looked at, 2 where it was bought."""
    rows = dataset.interactions
    rows = rows.take(np.isin(rows.event, _LOOKED))
    visits = visit_numbers(rows, gap)
    weight = np.where(rows.event == PURCHASE, np.float32(2), np.float32(1))
    order = np.lexsort((-weight, rows.items, visits))
    pair = np.stack([visits[order], rows.items[order]])
    first = np.ones(len(order), np.bool_)
    first[1:] = (pair[:, 1:] != pair[:, :-1]).any(axis=0)
    kept = order[first]
    shape = (int(visits.max(initial=-1)) + 1, len(dataset.items))
    return sparse.csr_array((weight[kept], (visits[kept], rows.items[kept])), shape=shape)


def _only(matrix: sparse.csr_array, kept: Array) -> Any:
    """Return a matrix with some of its entries."""
    chosen = matrix.copy()
    chosen.data = np.where(kept, matrix.data, 0)
    chosen.eliminate_zeros()
    return chosen


def _pairs(matrix: Any) -> Any:
    """Return counts of pairs of two different items."""
    pairs = sparse.csr_array(matrix, dtype=np.float32)
    pairs.setdiag(0)
    pairs.eliminate_zeros()
    pairs.sort_indices()
    return pairs


def _columns(matrix: Any, row: int) -> Array:
    columns: Array = matrix.indices[matrix.indptr[row] : matrix.indptr[row + 1]]
    return columns


def _values(matrix: Any, row: int) -> Array:
    values: Array = matrix.data[matrix.indptr[row] : matrix.indptr[row + 1]]
    return values
