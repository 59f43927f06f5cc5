"""Matrix factorization for implicit feedback by alternating least squares."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

from recopersona.base.holdings import as_json
from recopersona.base.online import counted_weight
from recopersona.base.parameters import check, generator, param, real, seed, whole
from recopersona.base.recommender import require_array
from recopersona.base.searching import real_range, whole_range
from recopersona.data.dataset import Dataset
from recopersona.data.growing import with_room
from recopersona.data.interactions import Interactions
from recopersona.data.query import Query
from recopersona.data.types import Array, Floats, Id, Indices
from recopersona.errors import DataError
from recopersona.kernels.als import solve_rows
from recopersona.kernels.blocks import cut_evenly, one_blas_thread, run_blocks
from recopersona.kernels.dense import gram, product
from recopersona.kernels.lanes import transposed
from recopersona.models.inner_product import InnerProduct

_BLOCKS = 64
_STEPS = 2  # conjugate-gradient steps per row and pass; the next pass continues from here
_LAST_STEPS = 3  # no other pass will make up for what these leave
_USERS_GO, _ITEMS_GO = 1.4, 1.5  # rows go so far beyond their solution: fewer passes are needed
_LATEST = 64  # users of a new item from whom its factors are learned before the next fit
_FEW = 4  # fewer users are cheaper one by one than handed out in blocks


class ALS(InnerProduct):
    r"""Score an item by the inner product of a user's and an item's factors.

    The factors minimize

    .. math:: \sum_{(u, i) \in S} c_{ui} (1 - x_u^T y_i)^2
              + \alpha_0 \sum_{(u, i) \notin S} (x_u^T y_i)^2
              + \sum_u \lambda_u \|x_u\|^2 + \sum_i \lambda_i \|y_i\|^2

    with :math:`c_{ui} = alpha \cdot w_{ui}` for the observed pairs S,
    :math:`\alpha_0` the ``unobserved_weight`` and
    :math:`\lambda_u = reg \cdot (n_u + \alpha_0 n_{items})^{reg\_exponent}`, likewise for items.

    Parameters
    ----------
    factors : int, at least 1
        Length of each vector.
    reg : float, at least 0
        Regularization weight.
    alpha : float, above 0
        Confidence of an observed pair of weight 1.
    unobserved_weight : float, above 0
        Confidence that a pair not observed is not wanted.
    reg_exponent : float, 0 to 1
        0 regularizes all rows alike, 1 in proportion to their weight in the loss.
    iterations : int, at least 1
        Passes over users and items. The last is solved more exactly, so that what ``history_``
        says of an earlier one is not quite what a fit of so many passes reaches.
    random_state : int, RandomState or None
        Where the item factors start.

    Attributes
    ----------
    user_factors_ : float32 (n_users, factors)
    item_factors_ : float32 (n_items, factors)
    item_lengths_ : float32 (n_items,)
        Of the item factors; 0 for items without events.
    spectrum_ : float32 (factors,)
        ``unobserved_weight`` times the item factors' Gram matrix, which is diagonal: factors are
        kept in the basis where it is.
    user_spectrum_ : float32 (factors,)
    user_basis_ : float32 (factors, factors)
        The same of the users as the fit left them, and the basis where theirs is diagonal.
    late_users_, late_weights_ : int32, float32 (n_new_items, 64)
        Who had to do with items that came after the fit, latest last; of weight 0 where nobody.

    Notes
    -----
    An observed pair of confidence below ``unobserved_weight`` is still observed: it wants 1 with
    that little force. A visitor whom training did not see, or whose session has gone on, is solved
    for exactly at request time from what speaks for her. Users who get new events through
    ``partial_fit`` are solved for anew, until the residual is at the limit of float32, from the
    items that were fitted, which stay as they are until the next ``fit``. Then items that appeared
    through it are solved for, from their latest 64 users.

    Each pass rotates both sides into the basis where the Gram matrix of the fixed side is diagonal
    (scores do not change), scales every row's system by the root of its diagonal part, and takes
    two steps of conjugate gradients from where the row stands, three in the last pass. Users then
    go 1.4 and items 1.5 times the way to their solution: the loss of each row still falls, as it
    does for any factor below 2, and fewer passes are needed.

    Memory: ``8 * factors * (n_users + n_items)`` bytes and 20 bytes an interaction while fitting,
    half of the former afterwards; and 4,096 rows of factors a thread.

    References
    ----------
    Hu, Koren & Volinsky (2008), "Collaborative Filtering for Implicit Feedback Datasets",
    section 4; Rendle et al. (2022), "Revisiting the Performance of iALS on Item Recommendation
    Benchmarks", sections 3.2-3.3; Takács, Pilászy & Tikk (2011), "Applications of the conjugate
    gradient method for implicit feedback collaborative filtering".

    Examples
    --------
    >>> from recopersona.datasets.synthetic import synthetic_shop
    >>> shop = synthetic_shop(200, 50, random_state=7)
    >>> model = ALS(factors=8).fit(shop)
    >>> model.recommend("nobody we know").sources[0]
    'fallback: popularity'
    >>> taste = Query(history=model.recommend("nobody we know", n=3).item_ids)
    >>> model.recommend(taste).sources[0]
    'ALS'
    """

    factors: int = param(whole(at_least=1), default=64, search=whole_range(16, 256, log=True))
    reg: float = param(real(at_least=0), default=0.1, search=real_range(1e-3, 10, log=True))
    alpha: float = param(real(above=0), default=1.0)
    unobserved_weight: float = param(
        real(above=0), default=0.2, search=real_range(0.01, 1, log=True)
    )
    reg_exponent: float = param(real(at_least=0, at_most=1), default=0.5, search=real_range(0, 1))
    iterations: int = param(whole(at_least=1), default=10)
    random_state: Any = param(seed(), default=0)

    _user_tables = ("user_factors_",)
    _taught_by_all = ("user_factors_", "item_factors_")

    def _fit(self, dataset: Dataset) -> None:
        by_user = dataset.matrix()
        by_user.data *= np.float32(self.alpha)
        by_item = transposed(by_user)
        random = generator(self.random_state)
        start = random.standard_normal((by_user.shape[1], self.factors), dtype=np.float32)
        items = start * np.float32(0.1 / np.sqrt(self.factors))
        items[np.diff(by_item.indptr) == 0] = 0
        users = np.zeros((by_user.shape[0], self.factors), np.float32)

        def publish() -> None:
            theirs, fixed, self.spectrum_ = self._improved(users, items, by_user, 1.0, _LAST_STEPS)
            self._keep_users(theirs)
            self._keep_items(fixed)

        for iteration in self._passes(self.iterations, publish):
            steps = _STEPS if iteration < self.iterations - 1 else _LAST_STEPS
            # Users start from nothing: beyond their first solution there is only more of it.
            users_go = _USERS_GO if iteration else 1.0
            users, items, _ = self._improved(users, items, by_user, users_go, steps)
            items, users, _ = self._improved(items, users, by_item, _ITEMS_GO, steps)

    def _keep_users(self, factors: Floats) -> None:
        self.user_factors_, self.n_fitted_users_ = factors, len(factors)
        self.user_spectrum_, self.user_basis_ = self._spectrum(factors)
        self.late_users_ = np.empty((0, _LATEST), np.int32)
        self.late_weights_ = np.empty((0, _LATEST), np.float32)

    def _explain(self, query: Query, item: int) -> list[tuple[str, Id | None, float]]:
        score = float(self._full_scores(query)[item])
        if not np.isfinite(score):
            return []
        liked, weights = self._known(*self.taste_of(query))
        seen_from_item = np.linalg.solve(self._system(liked, weights), self.item_factors_[item])
        shares = self.alpha * weights * (self.item_factors_[liked] @ seen_from_item)
        rows: list[tuple[str, Id | None, float]] = [
            ("liked item", self.items_.ids[index], float(share))
            for index, share in zip(liked, shares, strict=True)
        ]
        # Fitted users are solved iteratively: what is left of the way to the exact solution.
        return [*rows, ("approximation", None, score - float(shares.sum()))]

    def _learn(self, rows: Interactions) -> None:
        self.user_factors_ = with_room(self.user_factors_, len(self.users_))
        users = np.unique(rows.users)
        self.user_factors_[users] = self._solved_together(users)
        late = rows.items >= self.n_fitted_items_
        if late.any():
            weight = counted_weight(rows, self.half_life_, self.decayed_to_)
            self._meet(rows.users[late], rows.items[late], weight[late])
        if len(self.late_users_):
            self._follow(users, np.unique(rows.items[late]))

    def _meet(self, users: Indices, items: Indices, weights: Floats) -> None:
        """Remember who had to do with items that came after the fit."""
        n_items = len(self.items_)
        n_late = n_items - self.n_fitted_items_
        # Room is filled with 0, and 0 is a user: whose weight is 0 there, so that nobody is.
        self.late_users_ = with_room(self.late_users_, n_late)
        self.late_weights_ = with_room(self.late_weights_, n_late)
        self.item_factors_ = with_room(self.item_factors_, n_items)
        self.item_lengths_ = with_room(self.item_lengths_, n_items)
        met = np.unique(items)
        order = np.argsort(items, kind="stable")
        starts = np.searchsorted(items[order], met)
        for item, rows in zip(met.tolist(), np.split(order, starts[1:]), strict=True):
            self._remember_late(item - self.n_fitted_items_, users[rows], weights[rows])

    def _follow(self, users: Indices, items: Indices) -> None:
        """Solve for new items that some users changed, so that the order of events is nothing."""
        theirs = np.isin(self.late_users_, users) & (self.late_weights_ > 0)
        moved = np.flatnonzero(theirs.any(axis=1)) + self.n_fitted_items_
        met = np.union1d(items, moved).astype(np.int32)
        if not len(met):
            return
        # What was mapped from a file cannot be written to.
        self.item_factors_ = with_room(self.item_factors_, len(self.item_factors_))
        self.item_lengths_ = with_room(self.item_lengths_, len(self.item_lengths_))
        self.item_factors_[met] = self._solved_items(met)
        self.item_lengths_[met] = np.linalg.norm(self.item_factors_[met], axis=1)
        self._items_changed(met)

    def _remember_late(self, place: int, users: Indices, weights: Floats) -> None:
        """Keep a new item's latest users, each once, with their summed weight."""
        summed: dict[int, float] = {}
        held = zip(
            self.late_users_[place].tolist(), self.late_weights_[place].tolist(), strict=True
        )
        for user, weight in (*held, *zip(users.tolist(), weights.tolist(), strict=True)):
            if weight > 0:
                summed[user] = summed.pop(user, 0.0) + weight
        latest = list(summed.items())[-_LATEST:]
        self.late_users_[place], self.late_weights_[place] = 0, 0
        self.late_users_[place, : len(latest)] = [user for user, _ in latest]
        self.late_weights_[place, : len(latest)] = [weight for _, weight in latest]

    def _solved_items(self, items: Indices) -> Floats:
        """Solve for new items in the basis where the users' Gram matrix is diagonal."""
        late = items - self.n_fitted_items_
        taken = self.late_weights_[late] > 0
        users, columns = np.unique(self.late_users_[late][taken], return_inverse=True)
        sizes = taken.sum(axis=1)
        solved = np.zeros((len(items), self.factors), np.float32)
        solve_rows(
            solved, product(self.user_factors_[users], self.user_basis_), self.user_spectrum_,
            np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64), columns.astype(np.int32),
            np.float32(self.alpha) * self.late_weights_[late][taken],
            self._row_reg(sizes, self.n_fitted_users_), self.unobserved_weight, 1.0,
            2 * self.factors, 0, len(items),
        )  # fmt: skip
        return product(solved, np.ascontiguousarray(self.user_basis_.T))

    def _check_learned(self) -> None:
        super()._check_learned()
        n_items = len(self.item_factors_)
        require_array(self.user_factors_, np.float32, (None, self.factors), "user_factors_")
        require_array(self.item_factors_, np.float32, (None, self.factors), "item_factors_")
        require_array(self.item_lengths_, np.float32, (n_items,), "item_lengths_")
        require_array(self.spectrum_, np.float32, (self.factors,), "spectrum_")
        require_array(self.user_spectrum_, np.float32, (self.factors,), "user_spectrum_")
        require_array(self.user_basis_, np.float32, (self.factors, self.factors), "user_basis_")
        n_late = n_items - self.n_fitted_items_
        require_array(self.late_users_, np.int32, (n_late, _LATEST), "late_users_")
        require_array(self.late_weights_, np.float32, (n_late, _LATEST), "late_weights_")
        n_users = len(self.user_factors_)
        check(self.n_fitted_users_, whole(0, n_users), "ALS", "n_fitted_users_")
        if n_users > len(self.users_) or not 0 <= n_late <= len(self.items_) - self.n_fitted_items_:
            raise DataError("ALS: there are more factors than users or items.")
        if n_late and not 0 <= self.late_users_.min() <= self.late_users_.max() < n_users:
            raise DataError("ALS: late_users_ must name users that have factors.")

    def _held_of(self, user: int) -> dict[str, Any]:
        theirs = (self.late_users_ == user) & (self.late_weights_ > 0)
        rows, places = np.nonzero(theirs)
        ids = map(as_json, self.items_.ids[rows + self.n_fitted_items_].tolist())
        weights = zip(ids, self.late_weights_[rows, places].tolist(), strict=True)
        late = [{"item_id": item, "weight": weight} for item, weight in weights]
        return {**super()._held_of(user), **({"late": late} if late else {})}

    def _forget_users(self, users: Indices) -> None:
        super()._forget_users(users)
        weights = self.late_weights_.copy()
        weights[np.isin(self.late_users_, users)] = 0
        self.late_weights_ = weights

    def _improved(
        self,
        solved: Floats,
        fixed: Floats,
        matrix: sparse.csr_array,
        relaxation: float,
        steps: int,
    ) -> tuple[Floats, Floats, Floats]:
        """Solve for one side; both come back in the basis where the fixed side's Gram is diagonal.

        Scores are inner products: they do not change when both sides are rotated alike.
        """
        spectrum, basis = self._spectrum(fixed)
        fixed, solved = product(fixed, basis), product(solved, basis)
        bounds = matrix.indptr.astype(np.int64)
        reg = self._row_reg(np.diff(bounds), len(fixed))

        def block(start: int, end: int) -> None:
            solve_rows(
                solved, fixed, spectrum, bounds, matrix.indices, matrix.data, reg,
                self.unobserved_weight, relaxation, steps, start, end,
            )  # fmt: skip

        run_blocks(block, cut_evenly(bounds, _BLOCKS))
        return solved, fixed, spectrum

    def _spectrum(self, factors: Floats) -> tuple[Floats, Floats]:
        """Return the eigenvalues of the Gram matrix, weighted and above 0, and its eigenvectors."""
        with one_blas_thread():  # threads of BLAS would go on spinning beside ours
            values, vectors = np.linalg.eigh(gram(factors, np.float32))
        # A trace keeps rows solvable where reg is 0 and there are more factors than items.
        floor = 1e-7 * max(float(values[-1]), 1e-12)
        weighted = self.unobserved_weight * np.maximum(values, floor)
        return weighted.astype(np.float32), vectors.astype(np.float32)

    def _row_reg(self, n_observed: Array, n_columns: int) -> Floats:
        weight = n_observed + self.unobserved_weight * n_columns
        return (self.reg * weight**self.reg_exponent).astype(np.float32)

    def _vector(self, query: Query) -> Floats:
        user = self.user_of(query)
        stored = 0 <= user < len(self.user_factors_)
        if stored and query.history is None and not (query.session or query.page_items):
            vector: Floats = self.user_factors_[user]
            return vector
        return self._solved(*self.taste_of(query))

    def _user_vectors(self) -> Floats:
        return self.user_factors_

    def _known(self, liked: Indices, weights: Floats) -> tuple[Indices, Floats]:
        """Leave out items that came after the fit: their factors follow from the users'."""
        known = liked < self.n_fitted_items_
        return liked[known], weights[known]

    def _solved_together(self, users: Indices) -> Floats:
        """Solve many users' systems by conjugate gradients, run to the end."""
        tastes = [self._known(*self.past_.taste(user)) for user in users.tolist()]
        sizes = np.array([len(liked) for liked, _ in tastes])
        bounds = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        liked = np.concatenate([liked for liked, _ in tastes]).astype(np.int32)
        confidence = np.float32(self.alpha) * np.concatenate([weights for _, weights in tastes])
        reg = self._row_reg(sizes, self.n_fitted_items_)
        solved = np.zeros((len(users), self.factors), np.float32)

        def block(start: int, end: int) -> None:
            solve_rows(
                solved, self.item_factors_, self.spectrum_, bounds, liked,
                confidence, reg, self.unobserved_weight, 1.0,
                2 * self.factors, start, end,
            )  # fmt: skip

        if len(users) < _FEW:
            block(0, len(users))  # handing out so little work would take longer than to do it
        else:
            run_blocks(block, cut_evenly(bounds, _BLOCKS))
        return solved

    def _solved(self, liked: Indices, weights: Floats) -> Floats:
        """Fold in: solve one user's system exactly."""
        liked, weights = self._known(liked, weights)
        if not len(liked):
            return np.zeros(self.factors, np.float32)
        wanted = self.alpha * weights @ self.item_factors_[liked]
        solution: Floats = np.linalg.solve(self._system(liked, weights), wanted)
        return solution.astype(np.float32)

    def _system(self, liked: Indices, weights: Floats) -> Array:
        rows = self.item_factors_[liked].astype(np.float64)
        extra = self.alpha * weights.astype(np.float64) - self.unobserved_weight
        reg = self._row_reg(np.array(len(liked)), self.n_fitted_items_)
        system: Array = np.diag(self.spectrum_ + float(reg)) + (rows.T * extra) @ rows
        return system
