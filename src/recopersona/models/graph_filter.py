"""Filters on the graph of who chose what: closed forms that smooth a taste, then sharpen it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import sparse

from recopersona.base.holdings import as_json
from recopersona.base.memory import memory, require_memory
from recopersona.base.online import OnlineRecommender
from recopersona.base.parameters import generator, optional, param, real, seed, whole
from recopersona.base.recommender import NO_OPINION, require_array
from recopersona.base.searching import real_range, whole_range
from recopersona.data.dataset import Dataset
from recopersona.data.interactions import Interactions
from recopersona.data.query import Query
from recopersona.data.types import Array, Floats, Id, Indices
from recopersona.errors import DataError
from recopersona.kernels.blocks import one_blas_thread
from recopersona.kernels.lanes import SparseRows, right_singular_vectors, transposed

_LANES = 32  # queries answered together
_ORDER = 4  # of the sharpening: one step of the classical Runge-Kutta method


class GraphFilter(OnlineRecommender):
    r"""Spread a taste over the graph of users and items, and sharpen what became blurred.

    .. math:: s_u = x_u \left(P + low\_pass \cdot D^{-1/2} V V^T D^{1/2}\right)
              \sum_{k=0}^{4} \frac{(-sharpening \cdot P)^k}{k!}

    where :math:`x_u` holds the user's weights, :math:`P = \tilde R^T \tilde R`,
    :math:`\tilde R = D_U^{-1/2} R D^{-1/2}` is the matrix of weights divided by the roots of its
    row and column sums, and V holds the leading ``factors`` right singular vectors of
    :math:`\tilde R`: an ideal low-pass filter.

    Parameters
    ----------
    factors : int, at least 0
        Singular vectors of the low-pass filter; all there are, where that is fewer.
    low_pass : float, at least 0
        Weight of the low-pass filter.
    sharpening : float, at least 0
        How long the blurred taste is sharpened; 0 not at all.
    max_memory : bytes, text such as "8GB", or None
        A fit that needs more is refused before it begins; None stands for what the machine has.
    random_state : int, RandomState or None
        Where the search for singular vectors starts.

    Attributes
    ----------
    graph_ : csr_array (n_users, n_items)
        The normalized matrix.
    item_scale_ : float32 (n_items,)
        The root of each item's summed weights.
    basis_ : float32 (n_items, factors)
        The singular vectors.

    Notes
    -----
    ``GraphFilter()`` is BSPM with its published settings; ``GraphFilter(factors=256, low_pass=0.3,
    sharpening=0)`` is GF-CF. There is nothing to train: new events count at once for the taste of
    who caused them, the graph is that of the last ``fit``.

    An answer passes 10 times over all interactions (twice without sharpening), whoever asks: some
    20 ms for a million of them, and a third of that in batches.

    Memory: 24 bytes an interaction and ``10 * factors * (n_users + n_items)`` bytes while fitting,
    16 bytes and ``4 * factors * n_items`` afterwards; a batch takes ``128 * n_users + 640 *
    n_items`` bytes a thread.

    References
    ----------
    Shen et al. (2021), "How Powerful is Graph Convolution for Recommendation?" (GF-CF), section 5;
    Choi et al. (2023), "Blurring-Sharpening Process Models for Collaborative Filtering", section 3.

    Examples
    --------
    >>> from recopersona.datasets.synthetic import synthetic_shop
    >>> shop = synthetic_shop(200, 50, random_state=7)
    >>> model = GraphFilter(factors=16).fit(shop)
    >>> ranking = model.recommend("u-0001", n=3)
    >>> len(ranking), ranking.sources[0]
    (3, 'GraphFilter')
    """

    factors: int = param(whole(at_least=0), default=448, search=whole_range(32, 1_024, log=True))
    low_pass: float = param(real(at_least=0), default=0.2, search=real_range(0, 1))
    sharpening: float = param(real(at_least=0), default=2.5, search=real_range(0, 5))
    max_memory: Any = param(optional(memory()), default=None)
    random_state: Any = param(seed(), default=0)

    def _fit(self, dataset: Dataset) -> None:
        n_users, n_items = dataset.shape
        needed = 24 * len(dataset.interactions) + 10 * self.factors * (n_users + n_items)
        require_memory(
            needed, self.max_memory, "GraphFilter", f"{n_users:,} users and {n_items:,} items",
            "use fewer factors, or ItemKNN",
        )  # fmt: skip
        matrix = dataset.matrix()
        by_user = np.sqrt(matrix.sum(axis=1, dtype=np.float64))
        by_item = np.sqrt(matrix.sum(axis=0, dtype=np.float64))
        left, right = sparse.diags_array(_inverse(by_user)), sparse.diags_array(_inverse(by_item))
        self.graph_ = sparse.csr_array(left @ matrix @ right).astype(np.float32)
        self.item_scale_ = by_item.astype(np.float32)
        k = min(self.factors, *matrix.shape) if self.low_pass else 0
        self.basis_ = right_singular_vectors(
            *_both_ways(self.graph_), k, generator(self.random_state)
        )

    _taught_by_all = ("graph_", "item_scale_", "basis_")

    def score_items(self, query: Query, items: Indices | None = None) -> Floats:
        """Return every item's filtered weight, float32 (n_items,)."""
        scores: Floats = self._score_queries([query])[0]
        return scores

    def _score_queries(self, queries: Sequence[Query]) -> Floats:
        scores = np.full((len(queries), len(self.items_)), NO_OPINION)
        known = self.item_scale_ > 0
        n_fitted = len(known)
        for start in range(0, len(queries), _LANES):
            tastes = [self._known_taste(query) for query in queries[start : start + _LANES]]
            filtered = self._sharpened(self._blurred(tastes))
            for lane, (liked, _) in enumerate(tastes):
                if len(liked):
                    np.copyto(scores[start + lane, :n_fitted], filtered[:, lane], where=known)
        return scores

    def _blurred(self, tastes: list[tuple[Indices, Floats]]) -> Floats:
        """Spread tastes over the graph and through the low-pass filter, a lane for each."""
        lanes = np.zeros((len(self.item_scale_), len(tastes)), np.float32)
        smooth = np.empty((self.basis_.shape[1], len(tastes)), np.float32)
        with one_blas_thread():
            for lane, (liked, weights) in enumerate(tastes):
                lanes[liked, lane] = weights
                share = weights * _inverse(self.item_scale_[liked])
                smooth[:, lane] = share @ self.basis_[liked]
            blurred = self._spread(lanes)
            if len(smooth):
                passed = self.basis_ @ smooth
                passed *= np.float32(self.low_pass) * self.item_scale_[:, None]
                blurred += passed
        return blurred

    def _sharpened(self, lanes: Floats) -> Floats:
        """Apply the polynomial from its innermost term outwards."""
        if not self.sharpening:
            return lanes
        sharp = lanes
        for order in range(_ORDER, 0, -1):
            spread = self._spread(sharp)
            spread *= np.float32(-self.sharpening / order)
            spread += lanes
            sharp = spread
        return sharp

    def _spread(self, lanes: Floats) -> Floats:
        """Multiply by P: from items to the users who chose them, and back."""
        return self._by_item.times(self._by_user.times(lanes))

    def _known_taste(self, query: Query) -> tuple[Indices, Floats]:
        """Leave out items that came after the fit."""
        liked, weights = self.taste_of(query)
        known = liked < len(self.item_scale_)
        return liked[known], weights[known]

    def _learn(self, rows: Interactions) -> None:
        """What is new is already in the past that tastes are read from."""

    def _explain(self, query: Query, item: int) -> list[tuple[str, Id | None, float]]:
        """Send the item back through the filter: what it gathers from each liked item."""
        if item >= len(self.item_scale_) or not self.item_scale_[item]:
            return []
        lanes = np.zeros((len(self.item_scale_), 1), np.float32)
        lanes[item] = 1
        sharp = self._sharpened(lanes)
        scale = self.item_scale_[:, None]
        smooth = self.basis_ @ (self.basis_.T @ (scale * sharp))
        column = self._spread(sharp) + np.float32(self.low_pass) * _inverse(scale) * smooth
        liked, weights = self._known_taste(query)
        return [
            ("liked item", self.items_.ids[index], float(share))
            for index, share in zip(liked, weights * column[liked, 0], strict=True)
        ]

    def _prepare(self) -> None:
        self._by_user, self._by_item = _both_ways(self.graph_)

    def _held_of(self, user: int) -> dict[str, Any]:
        if user >= self.graph_.shape[0]:
            return {}
        row = slice(self.graph_.indptr[user], self.graph_.indptr[user + 1])
        ids = map(as_json, self.items_.ids[self.graph_.indices[row]].tolist())
        shares = zip(ids, self.graph_.data[row].tolist(), strict=True)
        graph = [{"item_id": item, "weight": share} for item, share in shares]
        return {"graph": graph} if graph else {}

    def _forget_users(self, users: Indices) -> None:
        """Empty their rows of the graph: they are what these users have done."""
        sizes = np.diff(self.graph_.indptr)
        kept = ~np.isin(np.repeat(np.arange(len(sizes)), sizes), users)
        sizes[users[users < len(sizes)]] = 0
        bounds = np.concatenate([[0], np.cumsum(sizes)]).astype(self.graph_.indptr.dtype)
        self.graph_ = sparse.csr_array(
            (self.graph_.data[kept], self.graph_.indices[kept], bounds), shape=self.graph_.shape
        )
        self._prepare()

    def _check_learned(self) -> None:
        super()._check_learned()
        n_items = self.n_fitted_items_
        require_array(self.item_scale_, np.float32, (n_items,), "item_scale_")
        require_array(self.basis_, np.float32, (n_items, None), "basis_")
        graph: Any = self.graph_
        if not isinstance(graph, sparse.csr_array) or graph.shape[1] != n_items:
            raise DataError("GraphFilter: graph_ does not fit the catalogue.")


def _both_ways(graph: sparse.csr_array) -> tuple[SparseRows, SparseRows]:
    """Lay the graph out as the kernels read it: by user, and by item."""
    return SparseRows.of(graph), SparseRows.of(transposed(graph))


def _inverse(scale: Array) -> Array:
    """One over each number, 0 over 0."""
    return np.divide(1, scale, out=np.zeros_like(scale), where=scale > 0)
