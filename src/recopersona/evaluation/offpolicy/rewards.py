"""What a model expects of actions, told by rows that are not the row it is told for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pandas as pd
from scipy import sparse

from recopersona.data.types import Array, Values
from recopersona.errors import DataError, ParameterError
from recopersona.evaluation.offpolicy.log import Log
from recopersona.evaluation.offpolicy.targets import Target

FOLDS = 5

_BINS = 10  # of a column of numbers with more distinct values than that
_DENSE = 512  # columns; more of them are given to a model as a sparse matrix


class Fitting(Protocol):
    """What answers for every action in a situation, learned from weighted cells."""

    def fit(self, weights: Values) -> None: ...
    def table(self, situations: Array) -> Values: ...


@dataclass(frozen=True, eq=False)
class Cells:
    """The distinct rows of a log: in what situation which action had which reward, and whose row.

    Models learn from cells with weights, so a log of ten million rows on a hundred items and few
    segments is learned from thousands of cells.
    """

    situations: Array
    actions: Array
    rewards: Values
    of_row: Array

    @classmethod
    def of(cls, log: Log, n_actions: int) -> Cells:
        """Find the cells of a log."""
        of_reward, kinds = pd.factorize(log.rewards)  # in the log's order, which is always the same
        keys = (log.situations * n_actions + log.actions) * len(kinds) + of_reward
        of_row, distinct = pd.factorize(keys)
        where, kind = np.divmod(distinct, len(kinds))
        situations, actions = np.divmod(where, n_actions)
        return cls(situations, actions, kinds[kind], of_row)

    def weights(self, rows: Array | slice) -> Values:
        """Return how many of some rows each cell has, float64 (n_cells,)."""
        return np.bincount(self.of_row[rows], minlength=len(self.rewards)).astype(np.float64)


def cross_fitted(log: Log, target: Target, models: Sequence[Fitting],
                 cells: Cells) -> tuple[Values, Values]:  # fmt: skip
    """Return what is expected of every row's own action, and of the target's actions.

    Rows are dealt into five folds, rewarded rows as evenly as others, rows of one cluster together;
    the model that answers for a fold has learned from the four others.

    Parameters
    ----------
    log : Log
    target : Target
        With a table.
    models : sequence of Fitting
        Unfitted, one for each of ``FOLDS``.
    cells : Cells

    Returns
    -------
    q_logged, v_target : float64 (n,)
    """
    folds, bounds = fold_of(log), log.bounds
    for fold, model in enumerate(models):
        model.fit(cells.weights(folds != fold))
    q_logged, v_target = np.empty(len(log)), np.empty(len(log))
    for some, chances in target.blocks(len(log.situation)):
        start, end = bounds[some[0]], bounds[some[-1] + 1]
        for fold, model in enumerate(models):
            rows = start + np.flatnonzero(folds[start:end] == fold)
            place = log.situations[rows] - some[0]
            there = np.flatnonzero(np.bincount(place, minlength=len(some)))
            q = model.table(some[there])
            worth, nth = np.einsum("sa,sa->s", q, chances[there]), np.empty(len(some), np.int64)
            nth[there] = np.arange(len(there))
            place = nth[place]
            q_logged[rows] = q[place, log.actions[rows]]
            v_target[rows] = worth[place]
    return q_logged, v_target


def expected_value(log: Log, target: Target, model: Fitting, situation_weights: Values) -> float:
    """Return what a fitted model expects of the target, situations weighted."""
    total = 0.0
    for some, chances in target.blocks(len(log.situation)):
        total += float(np.einsum("s,sa,sa->", situation_weights[some], model.table(some), chances))
    return total / float(situation_weights.sum())


def fold_of(log: Log) -> Array:
    """Deal rows into folds, the same whatever the order of the frame."""
    if log.clusters is not None:
        n_clusters = int(log.clusters.max()) + 1
        return np.random.default_rng(0).permutation(n_clusters)[log.clusters] % FOLDS
    folds = np.empty(len(log), np.int8)
    rewarded = log.rewards != 0
    for those in (rewarded, ~rewarded):
        folds[those] = np.arange(int(those.sum())) % FOLDS
    return folds


def _levels(log: Log) -> tuple[Array, list[int]]:
    """Return every situation as numbers of levels, int (n_columns, n_situations), and how many."""
    columns, sizes = [], []
    for name in log.names.situation:
        column = log.situation[name]
        codes, distinct = pd.factorize(column)
        if pd.api.types.is_float_dtype(column.dtype) and len(distinct) > _BINS:
            values = column.to_numpy(np.float64)
            known = values[log.situations]
            inner = np.nanquantile(known, np.linspace(0, 1, _BINS + 1)[1:-1])
            codes = np.where(
                np.isnan(values), -1, np.searchsorted(np.unique(inner), values, side="right")
            )
        codes = codes + 1  # missing is a level
        columns.append(codes)
        sizes.append(int(codes.max()) + 1)
    return np.array(columns, np.int64).reshape(len(columns), len(log.situation)), sizes


def models_for(model: Any, log: Log, cells: Cells, n_actions: int, n_models: int) -> list[Fitting]:
    """Return unfitted models of a log: of our own, or a scikit-learn estimator's copies."""
    levels, sizes = _levels(log)
    if model is None:
        in_pairs = [log.situation[name].dtype.kind != "f" for name in log.names.situation]
        return [ShrunkenMeans(cells, levels, sizes, in_pairs, n_actions) for _ in range(n_models)]
    features = Features(log, levels, sizes, n_actions)
    return [Learner(model, cells, features) for _ in range(n_models)]


class ShrunkenMeans:
    r"""Mean rewards by action and situation, each pulled towards what is known without it.

    .. math:: q(s, a) = \bar r + \alpha_a + \sum_c \beta_{c, s_c} + \sum_c \gamma_{c, s_c, a}

    Effects are learned one after another from what the earlier ones leave over. The mean left over
    :math:`\bar e_k` of a cell with :math:`n_k` rows becomes
    :math:`\bar e_k \, n_k \tau^2 / (n_k \tau^2 + \sigma^2)`: the variance within is
    :math:`\sigma^2`; the variance between, :math:`\tau^2`, is what cell means vary more than luck
    would have them, by moments, and 0 unless that is beyond luck by :math:`\sqrt{2 \ln T}`
    standard errors for :math:`T` kinds of effects, which is about what the luckiest of so many
    reaches (Donoho & Johnstone). Columns of numbers are cut into ten levels, and have no effects
    :math:`\gamma` together with actions. So columns that say nothing add nothing, however many
    they are.

    References
    ----------
    Efron & Morris (1975), "Data analysis using Stein's estimator and its
    generalizations"; DerSimonian & Laird (1986), "Meta-analysis in clinical trials", for
    the moments; Donoho & Johnstone (1994), "Ideal spatial adaptation by wavelet shrinkage".
    """

    def __init__(
        self, cells: Cells, levels: Array, sizes: list[int], in_pairs: list[bool], n_actions: int
    ) -> None:
        self.cells, self.levels, self.sizes = cells, levels, sizes
        self.in_pairs, self.n_actions = in_pairs, n_actions

    def fit(self, weights: Values) -> None:
        """Learn from cells, those of the same action and situation added up first."""
        some = weights > 0
        counts, rewards = weights[some], self.cells.rewards[some]
        actions, situations = self.cells.actions[some], self.cells.situations[some]
        levels, n_rows = self.levels[:, situations], counts.sum()
        self.mean = float(counts @ rewards) / n_rows if n_rows else np.nan  # of nothing, unknown
        left = rewards - self.mean
        noise, tails = _moments(left, counts)
        beyond = np.sqrt(2 * np.log(1 + 2 * len(self.sizes)))

        def learn(keys: Array, n_keys: int) -> Values:
            nonlocal left
            effects = _shrunken(keys, n_keys, counts, left, noise, tails, beyond)
            left = left - effects[keys]
            return effects

        self.alone = learn(actions, self.n_actions)
        self.of_level = [learn(codes, size) for codes, size in zip(levels, self.sizes, strict=True)]
        self.of_both = [
            learn(codes * self.n_actions + actions, size * self.n_actions).reshape(size, -1)
            if both and size * self.n_actions <= n_rows
            else None  # more cells than rows: nothing can be learned there
            for codes, size, both in zip(levels, self.sizes, self.in_pairs, strict=True)
        ]

    def table(self, situations: Array) -> Values:
        """Return what is expected of every action, float64 (b, n_actions)."""
        levels = self.levels[:, situations]
        found = np.tile(self.mean + self.alone, (levels.shape[1], 1))
        for codes, alone, both in zip(levels, self.of_level, self.of_both, strict=True):
            found += alone[codes][:, None]
            if both is not None and both.any():
                found += both[codes]
        return found


def _shrunken(keys: Array, n_keys: int, counts: Values, left: Values, noise: float,
              tails: float, beyond: float) -> Values:  # fmt: skip
    """Return the shrunken mean of every key, 0 where there is none or it may be luck."""
    rows = np.bincount(keys, counts, minlength=n_keys)
    sums = np.bincount(keys, counts * left, minlength=n_keys)
    there = rows > 0
    n, means = rows[there], sums[there] / rows[there]
    total = n.sum()
    means_of_luck = noise * (1 - n / total).sum()
    luck = beyond * noise * np.sqrt(np.sum(2 + np.maximum(tails, 0) / n))
    spread = float(np.sum(n * means**2)) - means_of_luck
    effects = np.zeros(n_keys)
    if len(n) < 2 or spread <= luck:
        return effects
    between = spread / (total - float(np.sum(n**2)) / total)
    effects[there] = means * n * between / (n * between + noise)
    return effects


def _moments(left: Values, counts: Values) -> tuple[float, float]:
    """Return the variance and the excess kurtosis of what is left around the mean."""
    squares = left * left
    noise = float(counts @ squares) / max(1.0, float(counts.sum()))
    if noise == 0:
        return 0.0, 0.0
    return noise, float(counts @ (squares * squares)) / float(counts.sum()) / noise**2 - 3


class Features:
    """Columns for scikit-learn: one per action and level, and one per column of numbers."""

    def __init__(self, log: Log, levels: Array, sizes: list[int], n_actions: int) -> None:
        self.levels, self.sizes, self.n_actions = levels, sizes, n_actions
        floats = [
            log.situation[name].to_numpy(np.float64)
            for name in log.names.situation
            if pd.api.types.is_float_dtype(log.situation[name].dtype)
        ]
        numbers = np.array(floats).reshape(len(floats), len(log.situation)).T
        centred = numbers - np.nanmean(numbers, axis=0) if floats else numbers
        spread = np.nanstd(numbers, axis=0) if floats else 1.0
        self.numbers = np.nan_to_num(centred / np.where(spread == 0, 1.0, spread))

    def of(self, situations: Array, actions: Array) -> Any:
        """Return a row per situation and action; dense unless it is wide."""
        codes = [actions, *self.levels[:, situations]]
        starts = np.cumsum([0, self.n_actions, *self.sizes])
        columns = np.stack([code + start for code, start in zip(codes, starts, strict=False)])
        rows = np.arange(len(actions) + 1) * len(codes)
        shape = len(actions), int(starts[-1])
        hot = sparse.csr_array((np.ones(columns.size), columns.T.ravel(), rows), shape)
        X = sparse.hstack([hot, sparse.csr_array(self.numbers[situations])], format="csr")
        return X.toarray() if X.shape[1] <= _DENSE else X


class Learner:
    """A copy of a scikit-learn classifier or regressor, on one-hot actions and contexts."""

    def __init__(self, model: Any, cells: Cells, features: Features) -> None:
        from sklearn.base import clone, is_classifier

        if not hasattr(model, "fit") or not hasattr(model, "predict"):
            raise ParameterError(
                f"off_policy: model must be a scikit-learn classifier or regressor, got {model!r}."
            )
        self.model, self.classifies = clone(model), is_classifier(model)
        self.cells, self.features = cells, features
        if self.classifies and not np.isin(cells.rewards, (0.0, 1.0)).all():
            raise DataError(
                "off_policy: a classifier needs rewards of 0 and 1; give a regressor for others."
            )

    def fit(self, weights: Values) -> None:
        """Learn from as many rows of every cell as its weight says."""
        cells = self.cells
        rows = np.repeat(np.arange(len(weights)), weights.astype(np.int64))
        rewards = cells.rewards[rows]
        self.constant = None
        if not len(rewards) or rewards.min() == rewards.max():
            self.constant = float(rewards[0]) if len(rewards) else np.nan
        if self.constant is None:
            X = self.features.of(cells.situations[rows], cells.actions[rows])
            self.model.fit(X, rewards.astype(np.int64) if self.classifies else rewards)

    def table(self, situations: Array) -> Values:
        """Return what is expected of every action, float64 (b, n_actions)."""
        n_actions = self.features.n_actions
        shape = len(situations), n_actions
        if self.constant is not None:
            return np.full(shape, self.constant)
        if not len(situations):
            return np.empty(shape)
        X = self.features.of(
            np.repeat(situations, n_actions), np.tile(np.arange(n_actions), len(situations))
        )
        found = self.model.predict_proba(X)[:, 1] if self.classifies else self.model.predict(X)
        return np.asarray(found, np.float64).reshape(shape)
