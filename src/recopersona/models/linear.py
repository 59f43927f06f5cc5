"""Linear models: every item is predicted by weights from all others, or from a few."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse

from recopersona.base.memory import memory, require_memory
from recopersona.base.parameters import check, optional, param, real, switch, whole
from recopersona.base.progress import progress
from recopersona.base.recommender import NO_OPINION, require_array
from recopersona.base.searching import choice, real_range, whole_range
from recopersona.data.dataset import Dataset
from recopersona.data.types import Array, Floats, Indices
from recopersona.errors import DataError
from recopersona.kernels.blocks import cut, cut_evenly, run_blocks, thread_count
from recopersona.kernels.gram import (
    add_dense_rows,
    add_products,
    count_products,
    fill_products,
)
from recopersona.kernels.inversion import WIDTH, mirror_over_diagonal, negative_inverse
from recopersona.kernels.lanes import SparseRows, transposed
from recopersona.kernels.regression import descend_nets, solve_ridges
from recopersona.models.item_to_item import ItemToItem, SparseItemToItem
from recopersona.models.likeness import (
    Norms,
    capped,
    most_alike,
    starts,
    sums_of_squares,
)

_BLOCKS = 64
_PARTS = 16  # of the blocks, between which the progress bar moves
_RESIDUAL = 1e-5  # of a small system, relative to its right side
_CHANGE = 1e-4  # of a weight in the last pass, relative to the largest


class EASE(ItemToItem):
    r"""Predict every item linearly from all others, in closed form.

    .. math:: \min_B \|X - XB\|_F^2 + \|\Lambda^{1/2} B\|_F^2 \quad \text{with} \quad diag(B) = 0,
              \qquad B = I - P \, diag(P)^{-1}, \quad P = (X^T X + \Lambda)^{-1}

    where X holds the users' weights of items as the events give them, and
    :math:`\Lambda = reg \, I + \frac{d}{1 - d} diag(X^T X)` with d the ``dropout``.

    Parameters
    ----------
    reg : float, above 0
        Regularization weight; the heavier the events, the larger it should be.
    dropout : float, 0 to 0.99
        The share of a user's items that is hidden while the others predict them, on average over
        all ways to hide them; 0 is the model of Steck (2019). Keeps popular items from predicting
        too much.
    max_memory : bytes, text such as "8GB", or None
        A fit that needs more is refused before it begins; None means what the machine has left.

    Attributes
    ----------
    item_weights_ : float32 (n_items, n_items)
        B: row i holds what having item i says for every item.

    Notes
    -----
    Items that share no user with the visitor's, not even by a chain of others, have no score. New
    events count at once for the taste of who caused them; weights are learned anew by ``fit``.

    Memory: ``4 * n_items**2 + 12_288 * n_items`` bytes while fitting, and 40 bytes an interaction;
    ``4 * n_items**2`` afterwards. Time: ``n_items**3`` multiplications and additions, and one for
    each pair of items that share a user, per user.

    References
    ----------
    Steck (2019), "Embarrassingly shallow autoencoders for sparse data", section 3.1; Steck (2020),
    "Autoencoders that don't overfit towards the identity", for the dropout.

    Examples
    --------
    >>> import pandas as pd
    >>> events = pd.DataFrame(
    ...     {"user_id": [1, 1, 2, 2, 3], "item_id": ["tea", "honey", "tea", "honey", "tea"]}
    ... )
    >>> EASE(reg=1.0).fit(events).recommend(3, n=1).to_frame()
      item_id  rank  score source
    0   honey     1    0.5   EASE
    """

    reg: float = param(real(above=0), default=200.0, search=real_range(5, 5_000, log=True))
    dropout: float = param(real(at_least=0, at_most=0.99), default=0.0, search=real_range(0, 0.8))
    max_memory: Any = param(optional(memory()), default=None)

    def _fit(self, dataset: Dataset) -> None:
        by_user = dataset.matrix()
        n_items = by_user.shape[1]
        needed = 4 * n_items**2 + 12 * WIDTH * n_items + 40 * by_user.nnz
        require_memory(needed, self.max_memory, "EASE", f"{n_items:,} items", "use SparseEASE")
        gram = dense_gram(by_user)
        np.fill_diagonal(gram, np.diagonal(gram) / (1 - self.dropout) + self.reg)
        self.item_weights_ = _weights_without_self(gram)

    _taught_by_all = ("item_weights_",)

    def _add_rows(self, scores: Floats, bounds: Array, liked: Indices, weights: Floats) -> None:
        add_dense_rows(scores, bounds, liked, weights, self.item_weights_)

    def _weights_from(self, item: int) -> Floats:
        row = self.item_weights_[item]
        return np.where(row == 0, NO_OPINION, row)

    def _weights_to(self, liked: Indices, item: int) -> Floats:
        column: Floats = self.item_weights_[liked, item]
        return column

    def _check_learned(self) -> None:
        super()._check_learned()
        n_items = self.n_fitted_items_
        require_array(self.item_weights_, np.float32, (n_items, n_items), "item_weights_")


class Gram(NamedTuple):
    """The products of all pairs of items that share a user, each once.

    Attributes
    ----------
    bounds : int64 (n_items + 1,)
    others : int32 (n_products,)
        Of each item, itself and those that come later.
    products : float32 (n_products,)
    """

    bounds: Array
    others: Indices
    products: Floats


class NearItems(SparseItemToItem):
    """Predicts every item linearly from the few items that predict it best one by one.

    A subclass has the parameters ``k``, ``max_user_items`` and ``max_memory``, and writes two
    methods:

    ``_penalties(squares, n_users)``
        Return the penalty on the square of a weight from each item, given the items' sums of
        squares.
    ``_regress(weights, gram, bounds, chosen, penalties, n_users, start, end)``
        Write the weights to items start to end from those chosen.
    """

    k: int
    max_user_items: int
    max_memory: Any

    def _penalties(self, squares: Array, n_users: int) -> Array:
        raise NotImplementedError(f"{type(self).__name__} must write _penalties.")

    def _regress(
        self, weights: Floats, gram: Gram, bounds: Array, chosen: Indices, penalties: Floats,
        n_users: int, start: int, end: int,
    ) -> None:  # fmt: skip
        raise NotImplementedError(f"{type(self).__name__} must write _regress.")

    def _learn_from(self, dataset: Dataset) -> None:
        matrix, self.n_left_out_ = capped(dataset.matrix(), self.max_user_items)
        # Rare items first: what a popular item shares with rarer ones then stands in their rows,
        # and no row is long.
        order = np.argsort(np.bincount(matrix.indices, minlength=matrix.shape[1]), kind="stable")
        by_user = renumbered(matrix, order)
        by_item = transposed(by_user)
        gram = self._gram(by_item, by_user)
        n_users, squares = by_user.shape[0], sums_of_squares(by_item)
        penalties = self._penalties(squares, n_users)
        bounds, chosen = self._chosen(by_item, by_user, np.sqrt(squares + penalties))
        weights = np.zeros(len(chosen), np.float32)
        penalty = penalties.astype(np.float32)

        def block(start: int, end: int) -> None:
            self._regress(weights, gram, bounds, chosen, penalty, n_users, start, end)

        blocks = cut_evenly(bounds, _BLOCKS * _PARTS)
        for part in progress(cut(len(blocks), _BLOCKS), type(self).__name__):
            run_blocks(block, blocks[slice(*part)])
        self._keep(*by_source(bounds, chosen, weights, order))

    def _gram(self, by_item: sparse.csr_array, by_user: sparse.csr_array) -> Gram:
        n_items, n_pairs = by_item.shape[0], by_user.nnz
        return sparse_gram(
            by_item, by_user, lambda n_products: self._require_memory(n_items, n_products, n_pairs)
        )

    def _require_memory(self, n_items: int, n_products: int, n_pairs: int) -> None:
        k = min(self.k, n_items)
        needed = 8 * n_products + 48 * n_items * k + 8 * thread_count() * k**2 + 40 * n_pairs
        require_memory(
            needed, self.max_memory, type(self).__name__,
            f"{n_items:,} items and the {n_products:,} pairs of them that share a user",
            "lower k or max_user_items",
        )  # fmt: skip

    def _chosen(
        self, by_item: sparse.csr_array, by_user: sparse.csr_array, lengths: Array
    ) -> tuple[Array, Indices]:
        """Choose for each item those that alone, and regularized alike, explain most of it."""
        zeros, ones = np.zeros(len(lengths)), np.ones(len(lengths))
        norms = Norms(ones, lengths, zeros, zeros, 0.0)
        bounds, chosen, _ = most_alike(by_item, by_user, norms, self.k)
        return bounds, chosen

    def _check_learned(self) -> None:
        super()._check_learned()
        check(self.n_left_out_, whole(0), type(self).__name__, "n_left_out_")


class SparseEASE(NearItems):
    r"""Predict every item linearly from the ``k`` items that tell most about it.

    .. math:: \min_{b_j} \|x_j - X_{S_j} b_j\|^2 + \sum_{i \in S_j} \lambda_i b_{ij}^2,
              \qquad \lambda_i = reg + \frac{d}{1 - d} \|x_i\|^2

    for each item j, with d the ``dropout``: `EASE`'s regression, solved on :math:`S_j`, the ``k``
    items i of the largest :math:`\langle x_i, x_j \rangle / \sqrt{\|x_i\|^2 + \lambda_i}`. Each of
    them alone would explain more of item j than any item left out. Nothing of the size
    ``n_items**2`` is made, unless all items share users with all others.

    Parameters
    ----------
    k : int, at least 1
        Items that an item is predicted from; with all of them this is `EASE`.
    reg : float, above 0
        Regularization weight; the heavier the events, the larger it should be.
    dropout : float, 0 to 0.99
        The share of a user's items that is hidden while the others predict them; see `EASE`.
    max_user_items : int, at least 1
        Of who has more items than that, so many count: the heaviest, and among equals a fixed
        choice. Tastes stay whole.
    max_memory : bytes, text such as "8GB", or None
        A fit that needs more is refused before it takes it; None means what the machine has left.

    Attributes
    ----------
    bounds_ : int64 (n_items + 1,)
    neighbors_ : int32 (n_entries,)
        The items about which item i tells something, ascending, are entries ``bounds_[i]`` to
        ``bounds_[i + 1]``.
    weights_ : float32 (n_entries,)
    n_left_out_ : int
        Pairs of user and item that ``max_user_items`` left out.

    Notes
    -----
    The small systems are cut out of the products of all pairs of items that share a user, and
    solved by conjugate gradients until the residual is 1e-5 of the right side. New events count at
    once for the taste of who caused them; weights are learned anew by ``fit``.

    Memory: ``8 * n_pairs + 48 * n_items * k + 8 * threads * k**2`` bytes while fitting, with
    n_pairs the pairs of items that share a user, and 40 bytes an interaction; ``8 * n_items * k``
    afterwards. Time: one multiplication for each pair of items that share a user, per user, and
    some ``20 * k**2`` an item.

    References
    ----------
    Steck (2019), "Markov random fields for collaborative filtering", for the idea of
    small systems; Steck (2020), "Autoencoders that don't overfit towards the identity", for the
    dropout; Spišák et al. (2023), "Scalable approximate nonsymmetric autoencoder for collaborative
    filtering", for another way to a sparse EASE.

    Examples
    --------
    >>> import pandas as pd
    >>> events = pd.DataFrame(
    ...     {"user_id": [1, 1, 2, 2, 3], "item_id": ["tea", "honey", "tea", "honey", "tea"]}
    ... )
    >>> SparseEASE(reg=1.0).fit(events).recommend(3, n=1).to_frame()
      item_id  rank     score      source
    0   honey     1  0.285714  SparseEASE
    """

    k: int = param(whole(at_least=1), default=200, search=whole_range(50, 400, log=True))
    reg: float = param(real(above=0), default=50.0, search=real_range(1, 2_000, log=True))
    dropout: float = param(real(at_least=0, at_most=0.99), default=0.5, search=real_range(0, 0.8))
    max_user_items: int = param(whole(at_least=1), default=5_000)
    max_memory: Any = param(optional(memory()), default=None)

    def _fit(self, dataset: Dataset) -> None:
        self._learn_from(dataset)

    def _penalties(self, squares: Array, n_users: int) -> Array:
        return self.reg + self.dropout / (1 - self.dropout) * squares

    def _regress(
        self, weights: Floats, gram: Gram, bounds: Array, chosen: Indices, penalties: Floats,
        n_users: int, start: int, end: int,
    ) -> None:  # fmt: skip
        solve_ridges(weights, *gram, bounds, chosen, penalties, _RESIDUAL, start, end)


class SLIM(NearItems):
    r"""Predict every item by an elastic net on the ``k`` items that tell most about it.

    .. math:: \min_{b_j} \frac{1}{2 n_{users}} \|x_j - X_{S_j} b_j\|^2
              + \alpha \rho \|b_j\|_1 + \frac{\alpha (1 - \rho)}{2} \|b_j\|^2

    for each item j, with :math:`\rho` the ``l1_ratio`` and, if ``positive``, no weight below 0;
    :math:`S_j` holds the ``k`` items i of the largest
    :math:`\langle x_i, x_j \rangle / \sqrt{\|x_i\|^2 + \alpha (1 - \rho) n_{users}}`.

    Parameters
    ----------
    k : int, at least 1
        Items that an item is predicted from; with all of them this is SLIM without a choice.
    alpha : float, above 0
        Regularization weight, as in scikit-learn's ``ElasticNet``.
    l1_ratio : float, 0 to 1
        The share of it on absolute weights, which makes small ones vanish.
    positive : bool
        Whether weights must not be below 0.
    iterations : int, at least 1
        Passes over an item's weights, at most.
    max_user_items, max_memory : see `SparseEASE`

    Attributes
    ----------
    bounds_ : int64 (n_items + 1,)
    neighbors_ : int32 (n_entries,)
        The items about which item i tells something, ascending, are entries ``bounds_[i]`` to
        ``bounds_[i + 1]``.
    weights_ : float32 (n_entries,)
    n_left_out_ : int
        Pairs of user and item that ``max_user_items`` left out.

    Notes
    -----
    Coordinate descent on the products of pairs of items stops when a pass changes no weight of an
    item by more than a ten-thousandth of its largest. New events count at once for the taste of
    who caused them; weights are learned anew by ``fit``.

    Memory and time: see `SparseEASE`.

    References
    ----------
    Ning & Karypis (2011), "SLIM: sparse linear methods for top-n recommender systems", section 4;
    the choice of ``k`` items first is its section 4.3, fsSLIM.

    Examples
    --------
    >>> import pandas as pd
    >>> events = pd.DataFrame(
    ...     {"user_id": [1, 1, 2, 2, 3], "item_id": ["tea", "honey", "tea", "honey", "tea"]}
    ... )
    >>> SLIM().fit(events).recommend(3, n=1).item_ids
    ['honey']
    """

    k: int = param(whole(at_least=1), default=200, search=whole_range(50, 400, log=True))
    alpha: float = param(real(above=0), default=0.002, search=real_range(1e-4, 0.1, log=True))
    l1_ratio: float = param(
        real(at_least=0, at_most=1), default=0.0001, search=real_range(1e-5, 0.5, log=True)
    )
    positive: bool = param(switch(), default=True, search=choice(True, False))
    iterations: int = param(whole(at_least=1), default=100)
    max_user_items: int = param(whole(at_least=1), default=5_000)
    max_memory: Any = param(optional(memory()), default=None)

    def _fit(self, dataset: Dataset) -> None:
        self._learn_from(dataset)

    def _penalties(self, squares: Array, n_users: int) -> Array:
        return np.full(len(squares), self.alpha * (1 - self.l1_ratio) * n_users)

    def _regress(
        self, weights: Floats, gram: Gram, bounds: Array, chosen: Indices, penalties: Floats,
        n_users: int, start: int, end: int,
    ) -> None:  # fmt: skip
        l1, l2 = self.alpha * n_users * np.array([self.l1_ratio, 1 - self.l1_ratio])
        descend_nets(
            weights, *gram, bounds, chosen, l1, l2, self.positive, self.iterations, _CHANGE,
            start, end,
        )  # fmt: skip


def sparse_gram(
    by_item: sparse.csr_array, by_user: sparse.csr_array, admit: Callable[[int], None]
) -> Gram:
    """Return the products of all pairs of items that share a user.

    Parameters
    ----------
    by_item : csr_array (n_items, n_users)
    by_user : csr_array (n_users, n_items)
    admit : callable
        Is told how many products there are before they are made, and may refuse.
    """
    n_items = by_item.shape[0]
    rows, columns = SparseRows.of(by_item), SparseRows.of(by_user)
    blocks = cut_evenly(rows[0], _BLOCKS)
    counts = np.empty(n_items, np.int64)

    def count(start: int, end: int) -> None:
        last = np.full(n_items, -1)
        count_products(counts, last, *rows[:2], *columns[:2], start, end)

    run_blocks(count, blocks)
    bounds = starts(counts)
    admit(int(bounds[-1]))
    gram = Gram(bounds, np.empty(bounds[-1], np.int32), np.empty(bounds[-1], np.float32))

    def fill(start: int, end: int) -> None:
        sums, last = np.zeros(n_items, np.float32), np.full(n_items, -1)
        fill_products(*gram[1:], sums, last, bounds, *rows, *columns, start, end)

    run_blocks(fill, blocks)
    return gram


def dense_gram(by_user: sparse.csr_array) -> Floats:
    """Return the products of all pairs of items, from the diagonal to the right."""
    by_item = transposed(by_user)
    rows, columns = SparseRows.of(by_item), SparseRows.of(by_user)
    gram = np.zeros((by_item.shape[0],) * 2, np.float32)
    run_blocks(
        lambda start, end: add_products(gram, *rows, *columns, start, end),
        cut_evenly(rows[0], _BLOCKS),
    )
    return gram


def _weights_without_self(gram: Floats) -> Floats:
    """Turn a regularized Gram matrix into the weights that predict each item, in place."""
    try:
        steps = negative_inverse(gram)
        for _ in progress(steps, "EASE", total=-(-len(gram) // WIDTH)):
            pass
    except (np.linalg.LinAlgError, ValueError) as problem:  # SciPy refuses what is not finite
        raise DataError(
            "EASE: the weights are too large for this reg in single precision; raise reg."
        ) from problem
    mirror_over_diagonal(gram, -np.diagonal(gram))
    return gram


def renumbered(by_user: sparse.csr_array, order: Array) -> sparse.csr_array:
    """Return users x items with the items in another order."""
    place = np.empty(len(order), np.int32)
    place[order] = np.arange(len(order), dtype=np.int32)
    columns = (by_user.data, place[by_user.indices], by_user.indptr)
    renumbered = sparse.csr_array(columns, shape=by_user.shape)
    renumbered.sort_indices()
    return renumbered


def by_source(
    bounds: Array, sources: Indices, weights: Floats, order: Array
) -> tuple[Array, Indices, Floats]:
    """Turn each item's weights from others into each item's weights to others, in first order."""
    n_items = len(order)
    targets = np.repeat(order, np.diff(bounds))
    told = weights != 0
    pairs = (weights[told], (order[sources[told]], targets[told]))
    return SparseRows.of(sparse.csr_array(sparse.coo_array(pairs, shape=(n_items, n_items))))
