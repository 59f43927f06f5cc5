"""Boosted trees taken out of whoever grew them: arrays that we ask, explain and keep ourselves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np

from recopersona.base.parameters import check, real, whole
from recopersona.base.part import Part
from recopersona.base.recommender import require_array
from recopersona.data.types import Array, Floats
from recopersona.errors import DataError
from recopersona.kernels.blocks import cut, run_blocks
from recopersona.kernels.trees import MOST_LEAVES, add_trees, share_trees, weigh_leaves

_ROWS_PER_BLOCK = 16_384
_ALL_LEAVES = np.uint32(0xFFFFFFFF)


@dataclass(frozen=True)
class Leaf:
    """The end of a path, and what it says."""

    value: float


@dataclass(frozen=True)
class Fork:
    """What is at most the threshold goes left, and NaN where it is told to."""

    column: int
    threshold: float
    missing_left: bool
    gain: float
    left: Fork | Leaf
    right: Fork | Leaf


class Forest(Part):
    """Trees whose answers are summed, as flat arrays: the forks of each one together.

    Attributes
    ----------
    n_columns_ : int
        Columns of the matrix that it reads.
    start_ : float
        What every row begins with, before the first tree.
    bounds_ : int64 (n_trees + 1,)
        Where each tree's forks start. A tree has one leaf more than forks, so that leaves of tree t
        start at ``bounds_[t] + t``.
    columns_ : int32 (n_forks,)
    thresholds_ : float32 (n_forks,)
        Rounded down: for float32 values that decides as the learner's own float64 does.
    missing_left_ : bool (n_forks,)
    spans_ : int32 (n_forks, 3)
        The first leaf below a fork, the first on its right, and the first behind.
    gains_ : float32 (n_forks,)
        How much the learner's loss fell by each.
    values_ : float64 (n_forks + n_trees,)
        What each leaf adds, from the left.
    covers_ : float64 (n_forks + n_trees,)
        The weight of the rows learned from that fell into each leaf.
    """

    def logits(self, matrix: Floats) -> Array:
        """Return what all trees say together: float64 (n_rows,).

        matrix  float32 (n_rows, n_columns), NaN where nothing is known
        """
        rows = self._readable(matrix)
        told = np.full(len(rows), self.start_)
        forks = self.bounds_, self.columns_, self.thresholds_, self.missing_left_, self._masks

        def block(start: int, end: int) -> None:
            add_trees(told[start:end], rows[start:end], *forks, self.values_)

        if len(rows) <= _ROWS_PER_BLOCK:  # a request asks for no threads
            block(0, len(rows))
        else:
            run_blocks(block, cut(len(rows), _ROWS_PER_BLOCK))
        return told

    def shares(self, matrix: Floats) -> Array:
        """Return what each column adds to the logit: float64 (n_rows, n_columns).

        Exact Shapley values; with `base` they add up to `logits`.
        """
        rows = self._readable(matrix)
        shares = np.zeros(rows.shape)
        share_trees(
            shares, rows, self.spans_, self._left_shares, self.values_, self.bounds_,
            self.columns_, self.thresholds_, self.missing_left_,
        )  # fmt: skip
        return shares

    @property
    def base(self) -> float:
        """The weighted mean of the logit over the rows learned from."""
        return float(self.start_ + np.dot(self._leaf_shares, self.values_))

    def gains(self) -> Array:
        """Return each column's part of all gains: float64 (n_columns,), together 1, or 0."""
        summed = np.bincount(self.columns_, self.gains_.clip(min=0), self.n_columns_)
        total = float(summed.sum())
        return summed / total if total else summed

    def first(self, n_trees: int) -> Forest:
        """Return the same with only the first trees, or with all if there are fewer."""
        n_trees = min(n_trees, len(self.bounds_) - 1)
        end = int(self.bounds_[n_trees])
        return _forest(
            self.n_columns_, self.start_, self.bounds_[: n_trees + 1], self.columns_[:end],
            self.thresholds_[:end], self.missing_left_[:end], self.spans_[:end], self.gains_[:end],
            self.values_[: end + n_trees], self.covers_[: end + n_trees],
        )  # fmt: skip

    def weighed(self, matrix: Floats, weights: Array) -> Self:
        """Note the weight of the rows that fall into each leaf; what is explained rests on them."""
        rows = self._readable(matrix)
        forks = self.bounds_, self.columns_, self.thresholds_, self.missing_left_, self._masks

        def block(start: int, end: int) -> Array:
            covers = np.zeros(len(self.values_))
            weigh_leaves(covers, rows[start:end], weights[start:end].astype(np.float64), *forks)
            return covers

        blocks = cut(len(rows), _ROWS_PER_BLOCK)
        self.covers_ = sum(run_blocks(block, blocks), np.zeros(len(self.values_)))
        self._prepare()
        return self

    def _readable(self, matrix: Floats) -> Floats:
        if matrix.ndim != 2 or matrix.shape[1] != self.n_columns_:
            raise DataError(
                f"the trees read a matrix of {self.n_columns_} columns, got shape {matrix.shape}."
            )
        return np.ascontiguousarray(matrix, np.float32)

    def _prepare(self) -> None:
        first, middle, _ = self.spans_.T
        bits = np.left_shift(np.uint64(1), middle.astype(np.uint64)) - np.left_shift(
            np.uint64(1), first.astype(np.uint64)
        )
        self._masks = _ALL_LEAVES & ~bits.astype(np.uint32)
        sums = self._sums_of_covers()
        tree = np.repeat(np.arange(len(self.bounds_) - 1), np.diff(self.bounds_))
        below = (self.bounds_[tree] + tree)[:, None] + self.spans_
        left, behind = (sums[below[:, place]] - sums[below[:, 0]] for place in (1, 2))
        self._left_shares = np.divide(
            left, behind, out=np.full(len(left), 0.5), where=behind > 0
        ).clip(0, 1)
        self._leaf_shares = self._shares_of_leaves(tree)

    def _sums_of_covers(self) -> Array:
        return np.concatenate([[0.0], np.cumsum(self.covers_)])

    def _shares_of_leaves(self, tree: Array) -> Array:
        """Return which part of the weight ends in each leaf, as the forks' shares have it."""
        shares = np.ones(len(self.values_))
        first_leaf = self.bounds_[tree] + tree
        for fork, (start, left) in enumerate(zip(first_leaf, self._left_shares, strict=True)):
            first, middle, end = self.spans_[fork] + start
            shares[first:middle] *= left
            shares[middle:end] *= 1 - left
        return shares

    def _check_learned(self) -> None:
        """Check what came from a file: else forks beyond their tree would misread memory."""
        check(self.n_columns_, whole(at_least=0), "Forest", "n_columns_")
        check(self.start_, real(), "Forest", "start_")
        require_array(self.bounds_, np.int64, (None,), "bounds_")
        sizes = np.diff(self.bounds_)
        n_forks, n_leaves = len(self.columns_), len(self.columns_) + len(sizes)
        sound = (
            len(self.bounds_)
            and self.bounds_[0] == 0
            and self.bounds_[-1] == n_forks
            and ((sizes >= 0) & (sizes < MOST_LEAVES)).all()
        )
        for name, dtype, shape in (
            ("columns_", np.int32, (n_forks,)), ("thresholds_", np.float32, (n_forks,)),
            ("missing_left_", np.bool_, (n_forks,)), ("spans_", np.int32, (n_forks, 3)),
            ("gains_", np.float32, (n_forks,)), ("values_", np.float64, (n_leaves,)),
            ("covers_", np.float64, (n_leaves,)),
        ):  # fmt: skip
            require_array(getattr(self, name), dtype, shape, name)
        first, middle, end = self.spans_.T
        leaves = np.repeat(sizes + 1, sizes) if sound else 0
        sound = sound and ((first >= 0) & (first < middle) & (middle < end) & (end <= leaves)).all()
        if not sound or not ((self.columns_ >= 0) & (self.columns_ < self.n_columns_)).all():
            raise DataError("the arrays of a forest must describe trees over its columns.")
        finite = np.isfinite(self.values_) & np.isfinite(self.covers_) & (self.covers_ >= 0)
        if not finite.all():
            raise DataError("leaves of a forest must say finite numbers, and weigh 0 or more.")


def forest_of(trees: list[Fork | Leaf], chosen: Array, n_columns: int, start: float) -> Forest:
    """Return trees over the columns chosen of a matrix as flat arrays."""
    bounds = [0]
    forks: list[_Spanned] = []
    values: list[float] = []
    for tree in trees:
        first = len(values)
        forks += _flattened(tree, values, first)
        bounds.append(len(forks))
    columns = np.array([fork.column for fork, *_ in forks], np.int64)
    thresholds = np.array([fork.threshold for fork, *_ in forks], np.float64)
    return _forest(
        n_columns, float(start), np.array(bounds, np.int64),
        chosen[columns].astype(np.int32), rounded_down(thresholds),
        np.array([fork.missing_left for fork, *_ in forks], np.bool_),
        np.array([span for _, *span in forks], np.int32).reshape(-1, 3),
        np.array([fork.gain for fork, *_ in forks], np.float32), np.array(values, np.float64),
        np.zeros(len(values)),
    )  # fmt: skip


class _Spanned(NamedTuple):
    """A fork, and the leaves below it, counted within its tree."""

    fork: Fork
    first: int
    middle: int
    end: int


def _flattened(tree: Fork | Leaf, values: list[float], start: int) -> Iterator[_Spanned]:
    """Yield the forks of a tree, children before parents; add its leaves' values from the left."""
    if isinstance(tree, Leaf):
        values.append(tree.value)
        return
    first = len(values) - start
    yield from _flattened(tree.left, values, start)
    middle = len(values) - start
    yield from _flattened(tree.right, values, start)
    yield _Spanned(tree, first, middle, len(values) - start)


def _forest(n_columns: int, start: float, *arrays: Array) -> Forest:
    forest = Forest()
    forest.n_columns_, forest.start_ = n_columns, start
    (
        forest.bounds_, forest.columns_, forest.thresholds_, forest.missing_left_, forest.spans_,
        forest.gains_, forest.values_, forest.covers_,
    ) = arrays  # fmt: skip
    forest._prepare()
    return forest


def rounded_down(thresholds: Array) -> Floats:
    """Return the largest float32 that is not above each float64.

    Examples
    --------
    >>> float(rounded_down(np.array([0.1]))[0]) <= 0.1
    True
    """
    with np.errstate(over="ignore"):
        rounded = thresholds.astype(np.float32)
        above = rounded.astype(np.float64) > thresholds
        return np.where(above, np.nextafter(rounded, np.float32(-np.inf)), rounded)
