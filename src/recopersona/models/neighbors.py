"""Who liked this also liked that: neighbourhoods of items and of users."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from recopersona.base.forgetting import Gone
from recopersona.base.holdings import as_json
from recopersona.base.online import OnlineRecommender
from recopersona.base.parameters import check, one_of, param, real, switch, whole
from recopersona.base.recommender import NO_OPINION, require_array
from recopersona.base.searching import choice, real_range, whole_range
from recopersona.data.dataset import Dataset
from recopersona.data.interactions import Interactions
from recopersona.data.query import Query
from recopersona.data.types import Array, Floats, Id, Indices
from recopersona.errors import DataError
from recopersona.kernels.lanes import SparseRows, transposed
from recopersona.kernels.neighbors import add_neighbors
from recopersona.models.item_to_item import SparseItemToItem, require_places, require_runs
from recopersona.models.likeness import (
    SIMILARITIES,
    WEIGHTINGS,
    Norms,
    capped,
    mean_length,
    most_alike,
    nearest_to,
    norms_of,
    rarity,
    reweighted,
    starts,
    sums_of_squares,
    weighted,
    with_unit_rows,
)


class ItemKNN(SparseItemToItem):
    r"""Score an item by its likeness to what the visitor chose.

    .. math:: s_{uj} = \sum_{i \in u} w_{ui} \, sim(i, j), \qquad
              sim(i, j) = \frac{\langle x_i, x_j \rangle}
                               {\|x_i\|^{2a} \|x_j\|^{2(1 - a)} + shrink}

    where :math:`x_i` holds the users of item i, weighted, a is the ``asymmetry``, and only the
    ``k`` items most like each are kept.

    Parameters
    ----------
    k : int, at least 1
        Neighbours kept per item.
    weighting : "none", "binary", "tfidf" or "bm25"
        How the entries of :math:`x_i` are weighted before items are compared: as they are; all
        alike; by the rarity of the user's attention; or by Okapi BM25, which also saturates
        repeats.
    similarity : "cosine", "jaccard" or "dice"
        ``jaccard`` divides by
        :math:`2a \|x_i\|^2 + 2(1-a) \|x_j\|^2 - \langle x_i, x_j \rangle` and ``dice`` by
        :math:`a \|x_i\|^2 + (1-a) \|x_j\|^2`; of entries all alike, these are the shares of users.
    asymmetry : float, 0 to 1
        0.5 is the cosine, Jaccard's or Dice's. At 1, the cosine becomes the conditional
        probability of j for who has i, and popular items gain; at 0 rare ones do. For ``jaccard``
        and ``dice`` this is Tversky's index.
    shrink : float, at least 0
        Draws the likeness of items with few users towards nothing.
    normalize : bool
        Whether each item's kept neighbours' likeness adds up to 1.
    max_user_items : int, at least 1
        Of who has more items than that, so many count for the likeness of items: the heaviest,
        and among equals a fixed choice. Tastes stay whole.

    Attributes
    ----------
    bounds_ : int64 (n_items + 1,)
    neighbors_ : int32 (n_entries,)
        Item i's neighbours, best first, are entries ``bounds_[i]`` to ``bounds_[i + 1]``.
    weights_ : float32 (n_entries,)
        Their likeness.
    n_left_out_ : int
        Pairs of user and item that ``max_user_items`` left out.

    Notes
    -----
    New events count at once for the taste of who caused them; likeness is learned anew by ``fit``.

    Memory: 8 bytes for each of at most ``n_items * k`` neighbours. Time: one multiplication for
    each pair of items that share a user, per user; at most ``max_user_items**2`` a user.

    References
    ----------
    Deshpande & Karypis (2004), "Item-based top-N recommendation algorithms", section 4; Aiolli
    (2013), "Efficient top-N recommendation for very large scale binary rated datasets", section 3.

    Examples
    --------
    >>> import pandas as pd
    >>> events = pd.DataFrame(
    ...     {"user_id": [1, 1, 2, 2, 3], "item_id": ["tea", "honey", "tea", "honey", "tea"]}
    ... )
    >>> model = ItemKNN(weighting="none", asymmetry=0.5, normalize=False).fit(events)
    >>> model.recommend(3, n=1).to_frame()
      item_id  rank     score   source
    0   honey     1  0.816497  ItemKNN
    """

    k: int = param(whole(at_least=1), default=50, search=whole_range(10, 500, log=True))
    weighting: str = param(one_of(*WEIGHTINGS), default="tfidf", search=choice(*WEIGHTINGS))
    similarity: str = param(one_of(*SIMILARITIES), default="cosine")
    asymmetry: float = param(real(at_least=0, at_most=1), default=0.55, search=real_range(0.2, 0.8))
    shrink: float = param(real(at_least=0), default=0.0, search=real_range(0, 100))
    normalize: bool = param(switch(), default=True)
    max_user_items: int = param(whole(at_least=1), default=5_000)

    def _fit(self, dataset: Dataset) -> None:
        matrix, self.n_left_out_ = capped(dataset.matrix(), self.max_user_items)
        by_user = weighted(matrix, self.weighting)
        by_item = transposed(by_user)
        norms = norms_of(sums_of_squares(by_item), self.similarity, self.asymmetry)
        bounds, found, likeness = most_alike(by_item, by_user, norms, self.k, self.shrink)
        if self.normalize:
            likeness = with_unit_rows(bounds, likeness)
        self._keep(bounds, found, likeness)

    def _check_learned(self) -> None:
        super()._check_learned()
        check(self.n_left_out_, whole(0), type(self).__name__, "n_left_out_")


class UserKNN(OnlineRecommender):
    r"""Score an item by the likeness of those who have it to the visitor.

    .. math:: s_{uj} = \sum_{v \in N_k(u)} sim(u, v) \, w_{vj}

    Neighbours are looked for when the question comes, so a stranger with a history, or a visit
    that goes on, has neighbours too.

    Parameters
    ----------
    k : int, at least 1
        Neighbours that have a say.
    weighting : "none", "binary", "tfidf" or "bm25"
        How a user's items are weighted before users are compared: as they are; all alike; by the
        item's rarity; or by Okapi BM25, which also saturates repeats.
    similarity : "cosine", "jaccard" or "dice"
        See `ItemKNN`, with users in place of items.
    asymmetry : float, 0 to 1
        At 0.5 as the similarity's name says; at 1 those who share most with the visitor count,
        however much else they have; at 0 those most of whose items she has.
    shrink : float, at least 0
        Draws the likeness of users with few items towards nothing.

    Attributes
    ----------
    user_bounds_, user_items_, user_weights_ : int64 (n_users + 1,), int32 and float32 (n_entries,)
        What each user has, by the weights of events.
    item_bounds_, item_users_, item_weights_ : int64 (n_items + 1,), int32 and float32 (n_entries,)
        Who has each item, reweighted.
    norms_ : float64 (n_users,)
        The users' part of the likeness's denominator.
    rarity_ : float64 (n_items,)
    mean_length_ : float
        What a user's weights add up to, on average.

    Notes
    -----
    New events count at once for who caused them; as neighbours, users are what they were at the
    last ``fit``.

    Memory: 16 bytes an interaction and 4 bytes a user and request. Time, per request: one
    multiplication for each user of each item of the visitor.

    References
    ----------
    Sarwar et al. (2000), "Analysis of recommendation algorithms for e-commerce", section 3; Aiolli
    (2013), "Efficient top-N recommendation for very large scale binary rated datasets", section 3.

    Examples
    --------
    >>> import pandas as pd
    >>> events = pd.DataFrame(
    ...     {"user_id": [1, 1, 2, 2, 3], "item_id": ["tea", "honey", "tea", "honey", "tea"]}
    ... )
    >>> UserKNN(k=5, weighting="none").fit(events).recommend(3, n=1).to_frame()
      item_id  rank     score   source
    0   honey     1  1.414214  UserKNN
    """

    k: int = param(whole(at_least=1), default=100, search=whole_range(20, 1_000, log=True))
    weighting: str = param(one_of(*WEIGHTINGS), default="tfidf", search=choice(*WEIGHTINGS))
    similarity: str = param(one_of(*SIMILARITIES), default="cosine")
    asymmetry: float = param(real(at_least=0, at_most=1), default=0.5, search=real_range(0.2, 0.8))
    shrink: float = param(real(at_least=0), default=0.0, search=real_range(0, 100))

    def _fit(self, dataset: Dataset) -> None:
        by_user = dataset.matrix()
        by_item = transposed(by_user)
        self.rarity_, self.mean_length_ = rarity(by_item), mean_length(by_item)
        reweighted_by_item = weighted(by_item, self.weighting)
        squares = sums_of_squares(transposed(reweighted_by_item))
        norms = norms_of(squares, self.similarity, self.asymmetry)
        self.norms_ = norms.right if self.similarity == "cosine" else norms.theirs
        self.user_bounds_, self.user_items_, self.user_weights_ = SparseRows.of(by_user)
        self.item_bounds_, self.item_users_, self.item_weights_ = SparseRows.of(reweighted_by_item)

    def score_items(self, query: Query, items: Indices | None = None) -> Floats:
        """Return what the visitor's neighbours have, float32 (n_items,)."""
        scores: Floats = self._score_queries([query])[0]
        return scores

    def _score_queries(self, queries: Sequence[Query]) -> Floats:
        scores = np.full((len(queries), len(self.items_)), NO_OPINION)
        if len(queries):
            add_neighbors(
                scores, self.user_bounds_, self.user_items_, self.user_weights_,
                *self._neighbors(queries),
            )  # fmt: skip
        return scores

    def _neighbors(self, queries: Sequence[Query]) -> tuple[Array, Indices, Floats]:
        tastes = [self._taste(query) for query in queries]
        squares = np.array([np.square(weights.astype(np.float64)).sum() for _, weights in tastes])
        asking = norms_of(squares, self.similarity, self.asymmetry)
        zeros = np.zeros(len(self.norms_))
        cosine = self.similarity == "cosine"
        right, theirs = (self.norms_, zeros) if cosine else (zeros, self.norms_)
        return nearest_to(
            (
                starts([len(liked) for liked, _ in tastes]),
                np.concatenate([liked for liked, _ in tastes]).astype(np.int32),
                np.concatenate([weights for _, weights in tastes]).astype(np.float32),
            ),
            np.array([self.user_of(query) for query in queries], np.int32),
            (self.item_bounds_, self.item_users_, self.item_weights_),
            Norms(asking.left, right, asking.own, theirs, asking.overlap),
            self.k,
            self.shrink,
        )

    def _taste(self, query: Query) -> tuple[Indices, Floats]:
        """Return what the visitor chose as users are compared: reweighted."""
        liked, weights = self.taste_of(query)
        known = liked < len(self.rarity_)
        liked, weights = liked[known], weights[known]
        relative = weights.sum(dtype=np.float64) / self.mean_length_
        return liked, reweighted(weights, self.rarity_[liked], relative, self.weighting)

    def _learn(self, rows: Interactions) -> None:
        """What is new is already in the past that tastes are read from."""

    def _explain(self, query: Query, item: int) -> list[tuple[str, Id | None, float]]:
        """Share each neighbour's word among the items that she and the visitor have in common."""
        if item >= len(self.rarity_):
            return []
        _, neighbors, likeness = self._neighbors([query])
        says = np.zeros(len(self.norms_))
        for user, alike in zip(neighbors.tolist(), likeness.tolist(), strict=True):
            row = slice(self.user_bounds_[user], self.user_bounds_[user + 1])
            says[user] = alike * self.user_weights_[row][self.user_items_[row] == item].sum()
        rows, in_common = [], np.zeros(len(says))
        liked, weights = self._taste(query)
        for index, weight in zip(liked.tolist(), weights.tolist(), strict=True):
            users, entries = self._users_of(index)
            in_common[users] += weight * entries
        for index, weight in zip(liked.tolist(), weights.tolist(), strict=True):
            users, entries = self._users_of(index)
            asked = says[users] > 0
            shares = weight * entries[asked] * says[users[asked]] / in_common[users[asked]]
            if len(shares):
                rows.append(("liked item", self.items_.ids[index], float(shares.sum())))
        return rows

    def _users_of(self, item: int) -> tuple[Indices, Floats]:
        row = slice(self.item_bounds_[item], self.item_bounds_[item + 1])
        return self.item_users_[row], self.item_weights_[row]

    def _forget_users(self, users: Indices) -> None:
        gone = np.zeros(len(self.norms_), np.bool_)
        gone[users[users < len(gone)]] = True
        sizes = np.diff(self.user_bounds_)
        kept = ~np.repeat(gone, sizes)
        self.user_bounds_ = starts(np.where(gone, 0, sizes))
        self.user_items_, self.user_weights_ = self.user_items_[kept], self.user_weights_[kept]
        kept = ~gone[self.item_users_]
        before = np.concatenate([[0], np.cumsum(kept)])  # how many of the entries so far stay
        self.item_bounds_ = before[self.item_bounds_].astype(np.int64)
        self.item_users_, self.item_weights_ = self.item_users_[kept], self.item_weights_[kept]
        self.norms_ = np.where(gone, 0.0, self.norms_)

    def _unlearn(self, gone: Gone) -> Iterable[str]:
        """Her rows are gone; what is rare, and how long a row is, was learned from them too."""
        by_rarity = ("rarity_", "mean_length_", "item_weights_", "norms_")
        return by_rarity if self.weighting in ("tfidf", "bm25") else ()

    def _held_of(self, user: int) -> dict[str, Any]:
        if user >= len(self.norms_):
            return {}
        row = slice(self.user_bounds_[user], self.user_bounds_[user + 1])
        ids = map(as_json, self.items_.ids[self.user_items_[row]].tolist())
        weights = zip(ids, self.user_weights_[row].tolist(), strict=True)
        neighbour = [{"item_id": item, "weight": weight} for item, weight in weights]
        return {"neighbour": neighbour} if neighbour else {}

    def _check_learned(self) -> None:
        super()._check_learned()
        n_items = self.n_fitted_items_
        require_array(self.norms_, np.float64, (None,), "norms_")
        require_array(self.rarity_, np.float64, (n_items,), "rarity_")
        n_users = len(self.norms_)
        if n_users > len(self.users_):
            raise DataError("UserKNN: norms_ are of more users than there are.")
        check(self.mean_length_, real(above=0), "UserKNN", "mean_length_")
        require_runs(self.user_bounds_, n_users, "user_bounds_")
        n_entries = int(self.user_bounds_[-1])
        require_places(self.user_items_, n_entries, n_items, "user_items_")
        require_array(self.user_weights_, np.float32, (n_entries,), "user_weights_")
        require_runs(self.item_bounds_, n_items, "item_bounds_")
        n_entries = int(self.item_bounds_[-1])
        require_places(self.item_users_, n_entries, n_users, "item_users_")
        require_array(self.item_weights_, np.float32, (n_entries,), "item_weights_")
