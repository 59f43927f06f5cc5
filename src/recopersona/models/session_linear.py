"""Linear models of visits in closed form: what goes together, what follows, and both."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse

from recopersona.base.memory import memory, require_memory
from recopersona.base.parameters import check, duration, one_of, optional, param, real, whole
from recopersona.base.progress import progress
from recopersona.base.searching import real_range, whole_range
from recopersona.data.dataset import Dataset
from recopersona.data.times import MISSING_TIME, duration_ms
from recopersona.data.types import Array, Floats, Indices
from recopersona.kernels.blocks import cut, cut_evenly, run_blocks, thread_count
from recopersona.kernels.dense import product
from recopersona.kernels.inversion import mirror_over_diagonal, negative_inverse
from recopersona.kernels.lanes import SparseRows, transposed
from recopersona.kernels.regression import solve_transitions
from recopersona.models.click_rows import ClickRows, heaviest
from recopersona.models.likeness import capped, starts, sums_of_squares
from recopersona.models.linear import by_source, dense_gram, renumbered, sparse_gram
from recopersona.models.visits import Clicks, Visits

_BLOCKS = 64
_PARTS = 16  # of the blocks, between which the progress bar moves
_RESIDUAL = 1e-5  # of a small system, relative to its right side
_FAINT = 1e-3  # a click that has faded to less says nothing
_FARTHEST = 50
_BYTES_A_FADE = 48  # while the rows are made
_MOST_ENTRIES = 1_000  # of a row: an item may be a neighbor of very many


class Regression(NamedTuple):
    """Rows to learn from: what predicts, and what is predicted.

    inputs, targets  csr_array (n_rows, n_items)
    """

    inputs: sparse.csr_array
    targets: sparse.csr_array


class SessionLinear(ClickRows):
    r"""Predict a visit's items linearly from its other items, and from those before.

    .. math:: \min_B \; \alpha \sum_v w_v \|x_v - x_v B\|^2
              + (1 - \alpha) \sum_v w_v \sum_t \|f_{vt} - p_{vt} B\|^2 + reg \, \|B\|_F^2
              \quad \text{with} \quad B_{jj} \le \xi

    where :math:`x_v` holds the items of visit v, :math:`p_{vt}` its first t clicks and
    :math:`f_{vt}` those after them, each click weighted by :math:`e^{-d / \delta_{pos}}`, d clicks
    away from the cut between past and future. All three are divided by their sum, and
    :math:`w_v = e^{-age / \delta_{time}}`. The first sum alone is SLIS, what goes together; the
    second alone is SLIT, what follows; both are SLIST. Unlike in `EASE`, an item may predict
    itself, because visits come back to what they saw.

    A visit's scores are its clicks' rows of B, each weighted by :math:`e^{-d / \delta_{inf}}`, d
    clicks before the last, and the reminder by the same; see `ClickRows`.

    Parameters
    ----------
    kind : "slist", "slis" or "slit"
    alpha : float, 0 to 1
        The share of SLIS in SLIST.
    reg : float, above 0
        Regularization weight.
    xi : float, at least 0
        What an item may say for itself at most; 0 is the constraint of `EASE`.
    delta_pos : float, at least 0.01
        In how many clicks the past and the future fade, up to 50 away.
    delta_inf : float, at least 0.01
        In how many clicks those of the visit in question fade.
    delta_time : duration or None
        In what time visits fade before the last one; None weighs all alike, as are those without a
        time.
    neighbors : int or None
        Each item is predicted from so many items, those that alone explain most of it; None means
        all of them, which is the exact solution and takes ``n_items**2`` memory.
    reminder : float, at least 0
        What a click says for its own item, beside its row.
    max_visit_items : int, at least 1
        Of a visit with more items so many count for SLIS, a fixed choice.
    max_memory : bytes, text such as "8GB", or None
        A fit that needs more is refused before it takes it; None means what the machine has left.
    gap, repeats, profile : see `SessionRecommender`

    Attributes
    ----------
    starts_ : int64 (n_items,)
    sizes_ : int32 (n_items,)
    others_ : int32 (n_entries,)
        Row i of B has the ``sizes_[i]`` entries from ``starts_[i]`` on.
    weights_ : float32 (n_entries,)
    n_left_out_ : int
        Pairs of visit and item that ``max_visit_items`` left out.

    Notes
    -----
    For each item j, with :math:`S_j` its ``neighbors``, a small system is cut out of the products
    of all pairs of items that share a row, and solved by conjugate gradients until the residual is
    1e-5 of the right side: :math:`(G_{SS} + reg \, I) \, b = c_S`, with G the inputs' products and
    c those of inputs and target. :math:`S_j` are the items i of the largest
    :math:`c_i / \sqrt{G_{ii} + reg}`, which may include j. Of the weights from an item that is a
    neighbor of very many, the 1,000 heaviest are kept. Visits of one click teach nothing.

    New events count at once for the visit of who caused them; weights are learned anew by ``fit``,
    because one click changes the systems of all items that share a visit with it.

    Memory: ``88 * n_pairs + 40 * n_items * neighbors + 8 * threads * neighbors**2`` bytes while
    fitting, with n_pairs the pairs of items that share a visit, and some 96 bytes for each click
    and each of the ``7 * delta_pos`` clicks of its visit before it; ``8 * n_items * neighbors``
    afterwards. With ``neighbors=None``, ``12 * n_items**2`` bytes while fitting and
    ``8 * n_items**2`` afterwards. Time: one multiplication for each pair of entries of a row, and
    some ``20 * neighbors**2`` an item; with None, ``2 * n_items**3``.

    References
    ----------
    Choi et al. (2021), "Session-aware linear item-item models for session-based recommendation",
    section 3; the sums are those of the authors' code. Small systems instead of one inverse are
    those of Steck (2019), "Markov random fields for collaborative filtering".

    Examples
    --------
    >>> import pandas as pd
    >>> from recopersona.data.query import Query
    >>> events = pd.DataFrame({
    ...     "user_id": [1, 1, 1, 2, 2], "item_id": ["tea", "cup", "honey", "tea", "cup"],
    ...     "session_id": [1, 1, 1, 2, 2]})
    >>> model = SessionLinear(reg=1.0, reminder=0, repeats=False).fit(events)
    >>> model.recommend(Query(session=["tea"])).item_ids
    ['cup', 'honey']
    """

    kind: str = param(one_of("slist", "slis", "slit"), default="slist")
    alpha: float = param(real(at_least=0, at_most=1), default=0.7, search=real_range(0, 1))
    reg: float = param(real(above=0), default=20.0, search=real_range(1, 500, log=True))
    xi: float = param(real(at_least=0), default=1.0)
    delta_pos: float = param(real(at_least=0.01), default=1.0, search=real_range(0.1, 10, log=True))
    delta_inf: float = param(real(at_least=0.01), default=3.0, search=real_range(0.5, 20, log=True))
    delta_time: str | timedelta | None = param(optional(duration()), default=None)
    neighbors: int | None = param(
        optional(whole(at_least=1)), default=100, search=whole_range(50, 400, log=True)
    )
    max_visit_items: int = param(whole(at_least=1), default=500)
    max_memory: Any = param(optional(memory()), default=None)

    def _fades(self, n: int) -> Floats:
        return np.exp(np.arange(n) / -self.delta_inf).astype(np.float32)

    def _fit_visits(self, visits: Visits, dataset: Dataset) -> None:
        visits = visits.take(np.flatnonzero(np.diff(visits.bounds) > 1))
        rows = self._regression(visits, len(self.items_))
        solve = self._solve_few if self.neighbors is not None else self._solve_all
        self._keep_rows(*solve(rows))

    _taught_by_all = ("others_", "weights_")

    def _learn_clicks(self, clicks: Clicks) -> None:
        """What is new is already in the past that visits are read from."""

    # -- the rows to learn from --------------------------------------------------------------

    def _regression(self, visits: Visits, n_items: int) -> Regression:
        share = {"slis": 1.0, "slit": 0.0}.get(self.kind, self.alpha)
        weight = self._recency(visits)
        parts, self.n_left_out_ = [], 0
        if share > 0:
            whole_visits, self.n_left_out_ = capped(items_of(visits, n_items), self.max_visit_items)
            rows = _scaled(whole_visits, share * weight)
            parts.append(Regression(rows, rows))
        if share < 1:
            self._admit_cuts(visits)
            visit, *halves = past_and_future(visits, n_items, self.delta_pos)
            parts.append(
                Regression(*(_scaled(half, (1 - share) * weight[visit]) for half in halves))
            )
        inputs, targets = zip(*parts, strict=True)
        return Regression(_stacked(inputs), _stacked(targets))

    def _recency(self, visits: Visits) -> Array:
        """Return what each visit weighs, by the time from its end to the last one's."""
        weight = np.ones(len(visits))
        known = visits.ends != MISSING_TIME
        if self.delta_time is not None and known.any():
            age = visits.ends.max() - visits.ends[known]
            weight[known] = np.exp(age / -duration_ms(self.delta_time, "delta_time"))
        return weight

    # -- the weights -------------------------------------------------------------------------

    def _solve_few(self, rows: Regression) -> tuple[Array, Indices, Floats]:
        """Predict each item from a few, by a system of its own."""
        # Rare items first: what a popular item shares with rarer ones then stands in their rows,
        # and no row is long.
        n_items = rows.inputs.shape[1]
        order = np.argsort(np.bincount(rows.inputs.indices, minlength=n_items), kind="stable")
        by_row = renumbered(rows.inputs, order)
        by_item = transposed(by_row)
        cross = sparse.csr_array(transposed(renumbered(rows.targets, order)) @ by_row)
        cross.sort_indices()
        gram = sparse_gram(by_item, by_row, lambda n: self._admit(n_items, n, cross.nnz))
        bounds, chosen, wanted = self._chosen(cross, sums_of_squares(by_item))
        weights = np.zeros(len(chosen), np.float32)

        def block(start: int, end: int) -> None:
            solve_transitions(
                weights, *gram, bounds, chosen, wanted, self.reg, self.xi, _RESIDUAL, start, end
            )

        blocks = cut_evenly(bounds, _BLOCKS * _PARTS)
        for part in progress(cut(len(blocks), _BLOCKS), type(self).__name__):
            run_blocks(block, blocks[slice(*part)])
        bounds, others, weights = by_source(bounds, chosen, weights, order)
        bounds, kept = heaviest(bounds, others, np.abs(weights), _MOST_ENTRIES)
        return bounds, others[kept], weights[kept]

    def _chosen(self, cross: sparse.csr_array, squares: Array) -> tuple[Array, Indices, Floats]:
        """Return for each item those that alone explain most of it, and what they share."""
        bounds, others, shared = SparseRows.of(cross)
        told = (shared / np.sqrt(squares[others] + self.reg)).astype(np.float32)
        bounds, kept = heaviest(bounds, others, told, self.neighbors or cross.shape[1])
        return bounds, others[kept], shared[kept]

    def _solve_all(self, rows: Regression) -> tuple[Array, Indices, Floats]:
        """Predict each item from all, by one inverse."""
        n_items = rows.inputs.shape[1]
        require_memory(
            12 * n_items**2, self.max_memory, type(self).__name__, f"{n_items:,} items",
            "give a number of neighbors",
        )  # fmt: skip
        inverse = dense_gram(rows.inputs)
        inverse[np.diag_indices(n_items)] += self.reg
        for _ in progress(negative_inverse(inverse), type(self).__name__):
            pass
        diagonal = -np.diagonal(inverse)
        mirror_over_diagonal(inverse, np.full(n_items, -1, np.float32))
        np.fill_diagonal(inverse, diagonal)
        cross = (transposed(rows.inputs) @ rows.targets).toarray().astype(np.float32, copy=False)
        weights = product(inverse, cross)
        excess = np.maximum(np.diagonal(weights) - self.xi, 0) / diagonal
        for item in np.flatnonzero(excess):
            weights[:, item] -= excess[item] * inverse[:, item]
        bounds = starts(np.count_nonzero(weights, axis=1))
        others = np.flatnonzero(weights) % n_items
        return bounds, others.astype(np.int32), weights[weights != 0]

    def _admit_cuts(self, visits: Visits) -> None:
        """Refuse more clicks around clicks than there is memory for: they come before the pairs."""
        after = np.diff(visits.bounds) - 1
        near = np.minimum(after, _reach(visits, self.delta_pos))
        pairs = int((near * (near + 1) // 2 + (after - near) * near).sum())
        require_memory(
            2 * _BYTES_A_FADE * pairs, self.max_memory, type(self).__name__,
            f"{len(visits.items):,} clicks and the {pairs:,} before them that have not faded",
            "lower delta_pos or give fewer visits",
        )  # fmt: skip

    def _admit(self, n_items: int, n_products: int, n_cross: int) -> None:
        k = min(self.neighbors or n_items, n_items)
        needed = 8 * n_products + 40 * n_cross + 40 * n_items * k + 8 * thread_count() * k**2
        require_memory(
            needed, self.max_memory, type(self).__name__,
            f"{n_items:,} items and the {n_products:,} pairs of them that share a visit",
            "lower neighbors, delta_pos or max_visit_items",
        )  # fmt: skip

    def _check_learned(self) -> None:
        super()._check_learned()
        check(self.n_left_out_, whole(0), type(self).__name__, "n_left_out_")


def items_of(visits: Visits, n_items: int) -> sparse.csr_array:
    """Return the distinct items of each visit as ones, csr_array (n_visits, n_items)."""
    ones = np.ones(len(visits.items), np.float32)
    matrix = sparse.csr_array(
        (ones, visits.items.copy(), visits.bounds.copy()), shape=(len(visits), n_items)
    )
    matrix.sum_duplicates()
    matrix.data[:] = 1
    return matrix


def past_and_future(
    visits: Visits, n_items: int, delta: float
) -> tuple[Array, sparse.csr_array, sparse.csr_array]:
    r"""Cut every visit after each click but the last.

    Returns
    -------
    visit : int64 (n_cuts,)
        Which visit is cut.
    past, future : csr_array (n_cuts, n_items)
        :math:`e^{-d / delta}` for every click d clicks before the last of the past, or after the
        first of the future; clicks of one item add up.

    Examples
    --------
    >>> visits = Visits(*map(np.array, ([0, 3], [0, 1, 2], [7], [0])))
    >>> visit, past, future = past_and_future(visits, 3, delta=1.0)
    >>> print(past.toarray().round(2))
    [[1.   0.   0.  ]
     [0.37 1.   0.  ]]
    >>> print(future.toarray().round(2))
    [[0.   1.   0.37]
     [0.   0.   1.  ]]
    """
    sizes = np.diff(visits.bounds)
    owner = np.repeat(np.arange(len(visits)), sizes)
    cuts = np.flatnonzero(np.arange(len(owner)) + 1 < visits.bounds[owner + 1])
    visit = owner[cuts]
    low, high = visits.bounds[visit], visits.bounds[visit + 1]
    reach = _reach(visits, delta)

    def faded(first: Array, step: int) -> sparse.csr_array:
        places = [first + step * distance for distance in range(reach)]
        there = [np.flatnonzero((place >= low) & (place < high)) for place in places]
        items = [visits.items[place[rows]] for place, rows in zip(places, there, strict=True)]
        fades = np.exp(np.arange(reach) / -delta).astype(np.float32)
        values = np.repeat(fades, [len(rows) for rows in there])
        entries = (values, (np.concatenate(there), np.concatenate(items)))
        return sparse.csr_array(sparse.coo_array(entries, shape=(len(cuts), n_items)))

    return visit, faded(cuts, -1), faded(cuts + 1, 1)


def _reach(visits: Visits, delta: float) -> int:
    """Return how many clicks away from a cut still say something."""
    longest = int(np.diff(visits.bounds).max(initial=1))
    return max(1, min(longest - 1, _FARTHEST, int(-np.log(_FAINT) * delta) + 1))


def _scaled(rows: sparse.csr_array, weights: Array) -> sparse.csr_array:
    """Divide rows by their sum, and weigh their squares."""
    sizes = np.diff(rows.indptr)
    owner = np.repeat(np.arange(len(sizes)), sizes)
    sums = np.bincount(owner, rows.data, minlength=len(sizes))
    factors = np.sqrt(weights) / np.where(sums > 0, sums, 1)
    values = (rows.data * factors[owner]).astype(np.float32)
    return sparse.csr_array((values, rows.indices, rows.indptr), shape=rows.shape)


def _stacked(parts: tuple[sparse.csr_array, ...]) -> sparse.csr_array:
    return sparse.csr_array(sparse.vstack(parts)) if len(parts) > 1 else parts[0]
