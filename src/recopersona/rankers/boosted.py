"""Rank by many small trees, each grown on what those before it got wrong."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from recopersona.base.parameters import check, generator, one_of, optional, param, real, whole
from recopersona.base.progress import progress
from recopersona.base.searching import choice, real_range, whole_range
from recopersona.base.watching import require_passes
from recopersona.data.types import Array, Floats
from recopersona.errors import DataError
from recopersona.kernels.trees import MOST_LEAVES
from recopersona.rankers.boosting import Grown, Recipe, Taught, grow
from recopersona.rankers.calibration import Calibration
from recopersona.rankers.lessons import Rows
from recopersona.rankers.ranker import Ranker
from recopersona.rankers.trees import Forest

_PARTS = 5  # of the lessons, each held out once
_ENOUGH = 40_000  # rows held out say how many trees are best
_UNJUDGED = 20  # trees, where nothing can be held out
_WANTED_PER_LEAF = 50
_FEWEST_LEAVES, _USUAL_LEAVES = 4, 15


class BoostedRanker(Ranker):
    r"""Judge each candidate by the sum of many small decision trees.

    .. math:: z(x) = z_0 + \sum_{t=1}^{T} f_t(x), \qquad p(x) = \frac{1}{1 + e^{-(a z(x) + b)}}

    ``"pointwise"`` grows them for the log loss of what was taken, ``"lambdarank"`` for the NDCG of
    each request (LambdaMART). The curve from sums to probabilities, and with ``patience`` how many
    trees there are, is found on requests that were held out: the lessons are cut into five runs in
    order of time, and trees are grown without each of them, the one in the middle first, until
    40,000 rows have been judged: with few lessons all are, with many only the middle. The trees
    that stay are grown on all lessons.

    Parameters
    ----------
    objective : "pointwise" or "lambdarank"
        The latter needs an extra, ``pip install "recopersona[lightgbm]"``; it pushes apart what was
        and what was not taken in the same request, each request by the weight of what was taken.
    trees : int, at least 1
        All are grown, unless ``patience`` ends it.
    leaves : int, 2 to 32, optional
        Of a tree; by default one for every 50 candidates that were taken, from 4 to 15.
    learning_rate : float, above 0, at most 1
        How much of each tree counts.
    min_rows : int, at least 1
        Lessons that fall into each leaf; a column known in fewer is left out.
    reg : float, at least 0
        Regularization weight on the squares of what leaves say.
    column_share : float, above 0, at most 1
        The share of the columns, drawn anew, that each fork chooses from.
    patience : int, at least 1, optional
        Trees without a better value on what was held out, before no more are grown; the best
        number of them stays. By default none is: later visitors take more or less than earlier
        ones, which spoils the log loss long before more trees spoil the order.
    max_rows : int, at least 1
        Of more lessons whole requests are drawn.
    features, monotone, calibration, target, seen, share, requests, negatives, random_state
        See `Ranker`. A column that is not known (NaN) at a fork goes the way that was better for
        such lessons; ``monotone`` speaks of what is known.

    Attributes
    ----------
    forest_ : Forest
        The trees, as arrays.
    n_trees_ : int
        How many stayed.
    history_ : list of dict
        For each ``iteration``, that is tree, what the held-out requests said, on average over
        those held out: their ``loss``, or for "lambdarank" their ``ndcg`` at 10. Empty where
        nothing could be held out; at most 20 trees are then grown.
    n_left_out_ : int
        Requests that ``max_rows`` left out.

    Notes
    -----
    Trees are grown by scikit-learn's ``HistGradientBoostingClassifier`` or by LightGBM, read off
    as arrays, and asked by a kernel of our own that agrees with the library to the last bit; a
    fitted ranker and its file hold neither. Explanations are exact Shapley values of the logit,
    where what is not known is averaged over the lessons.

    Memory while fitting: some ``20 * n_rows * n_columns`` bytes. Trees grow on one thread, and one
    ranker's at a time. Time of a request: one comparison for each candidate and fork, eight or more
    of them at once.

    References
    ----------
    Friedman (2001), "Greedy function approximation: a gradient boosting machine", section 4; Burges
    (2010), "From RankNet to LambdaRank to LambdaMART"; Lundberg, Erion & Lee (2018), "Consistent
    individualized feature attribution for tree ensembles", section 3.

    Examples
    --------
    >>> from recopersona import ALS, Pipeline, Popularity, synthetic_shop
    >>> shop = synthetic_shop(300, 60, random_state=7)
    >>> pipeline = Pipeline(
    ...     candidates=[ALS(factors=8), Popularity()], ranker=BoostedRanker(trees=20, requests=100)
    ... )
    >>> ranker = pipeline.fit(shop).ranker_
    >>> len(ranker.history_) <= 20, float(ranker.gains.sum().round(6))
    (True, 1.0)
    """

    objective: str = param(one_of("pointwise", "lambdarank"), default="pointwise")
    trees: int = param(whole(at_least=1), default=150, search=whole_range(50, 400, log=True))
    leaves: int | None = param(
        optional(whole(at_least=2, at_most=MOST_LEAVES)),
        default=None,
        search=choice(None, 4, 8, 16, 31),
    )
    learning_rate: float = param(
        real(above=0, at_most=1), default=0.05, search=real_range(0.02, 0.3, log=True)
    )
    min_rows: int = param(whole(at_least=1), default=20, search=whole_range(5, 200, log=True))
    reg: float = param(real(at_least=0), default=1.0, search=real_range(0.1, 100, log=True))
    column_share: float = param(real(above=0, at_most=1), default=0.5, search=real_range(0.2, 1))
    patience: int | None = param(optional(whole(at_least=1)), default=None)
    max_rows: int = param(whole(at_least=1), default=2_000_000)

    # -- learning ----------------------------------------------------------------------------

    def _calibrated(self, rows: Rows) -> Calibration:
        """Find on held-out requests how many trees are best, and how sure one may be of them."""
        self.seed_ = int(generator(self.random_state).integers(2**31))
        taught = self._chosen(rows.evened())
        held = self._held_out(self._recipe(rows, taught), taught, self._chosen(rows))
        curve = _mean_curve([one.grown.curve for one in held])
        self.n_trees_ = self.trees if len(curve) else min(_UNJUDGED, self.trees)
        if len(curve) and self.patience is not None:
            self.n_trees_ = int(curve.argmax()) + 1
        name, sign = ("loss", -1) if self.objective == "pointwise" else ("ndcg", 1)
        self.history_ = [
            {"iteration": iteration, name: sign * value}
            for iteration, value in enumerate(curve.tolist(), 1)
        ]
        judges = [one.judges for one in held]
        return Calibration(kind=self.calibration if held else "platt").fit(
            _joined([one.logits(self.n_trees_) for one in held]),
            _joined([one.labels for one in judges]),
            _joined([one.weights for one in held]),
        )

    def _learn(self, rows: Rows) -> None:
        taught = self._chosen(rows)
        grown = grow(self.objective, self._recipe(rows, taught), taught, self.n_trees_)
        self.forest_ = grown.forest.weighed(taught.matrix, taught.weights)
        self.base_ = self.forest_.base

    def _held_out(self, recipe: Recipe, taught: Taught, weighed: Taught) -> list[_Held]:
        """Grow trees without each part of the requests, from the middle on, until enough judged.

        weighed  the same rows with their own weights, which only the calibration needs
        """
        held = []
        for start, end in progress(_parts(taught.sizes), type(self).__name__):
            chosen = np.ones(len(taught.sizes), np.bool_)
            chosen[start:end] = False
            rest, judges = taught.requests(chosen), taught.requests(~chosen)
            if rest.is_of_both_kinds and judges.is_of_both_kinds:
                grown = grow(self.objective, recipe, rest, self.trees, judges)
                held.append(_Held(grown, judges, weighed.requests(~chosen).weights))
        return held

    def _chosen(self, rows: Rows) -> Taught:
        """Return the lessons, or a draw of them if they are too many."""
        sizes = np.diff(rows.bounds)
        taught = Taught(rows.matrix, rows.labels, rows.weights, sizes)
        chosen = np.ones(len(sizes), np.bool_)
        if len(rows.labels) > self.max_rows:
            order = np.random.default_rng(self.seed_).permutation(len(sizes))
            fits = np.cumsum(sizes[order]) <= self.max_rows
            fits[:2] = True
            chosen[order[~fits]] = False
        self.n_left_out_ = int((~chosen).sum())
        return taught.requests(chosen) if self.n_left_out_ else taught

    def _recipe(self, rows: Rows, taught: Taught) -> Recipe:
        leaves = self.leaves
        if leaves is None:
            wanted = int((taught.labels > 0).sum())
            leaves = min(max(wanted // _WANTED_PER_LEAF, _FEWEST_LEAVES), _USUAL_LEAVES)
        return Recipe(
            self.learning_rate, leaves, self.min_rows, self.reg, self.column_share,
            self.trees if self.patience is None else self.patience,
            self._directions(rows.names), self.seed_,
        )  # fmt: skip

    @property
    def gains(self) -> pd.Series:
        """The share of all progress in growing the trees that each column made, largest first."""
        self._require_taught()
        gains = pd.Series(self.forest_.gains(), list(self.columns_.names_), name="gain")
        return gains.sort_values(ascending=False, kind="stable")

    # -- judging -----------------------------------------------------------------------------

    def _logits(self, matrix: Floats) -> NDArray[np.float64]:
        return self.forest_.logits(matrix)

    def _shares(self, matrix: Floats) -> NDArray[np.float64]:
        return self.forest_.shares(matrix)

    def _check_learned(self) -> None:
        super()._check_learned()
        if self.untaught_:
            return
        forest = vars(self).get("forest_")
        if not isinstance(forest, Forest) or forest.n_columns_ != len(self.columns_.names_):
            raise DataError("a BoostedRanker holds a forest over its columns.")
        for name in ("n_trees_", "n_left_out_"):
            check(vars(self).get(name), whole(at_least=0), "BoostedRanker", name)
        require_passes(vars(self).get("history_"), "BoostedRanker")


class _Held(NamedTuple):
    """Trees, and the requests that they were grown without."""

    grown: Grown
    judges: Taught
    weights: Floats

    def logits(self, n_trees: int) -> Array:
        return self.grown.forest.first(n_trees).logits(self.judges.matrix)


def _parts(sizes: Array) -> list[tuple[int, int]]:
    """Cut requests into a few runs; return those from the middle on that hold enough rows.

    Less is taken from the latest moments on, as the log ends soon, and more from the first on.
    """
    edges = np.unique(np.linspace(0, len(sizes), _PARTS + 1).round().astype(np.int64))
    runs = list(zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True))
    runs.sort(key=lambda run: abs(run[0] + run[1] - len(sizes)))
    held = np.cumsum([sizes[start:end].sum() for start, end in runs])
    return runs[: int(np.searchsorted(held, _ENOUGH)) + 1]


def _mean_curve(curves: list[Array]) -> Array:
    """Return the mean of curves; one that ended early stays where it ended."""
    length = max(map(len, curves), default=0)
    padded = [np.pad(curve, (0, length - len(curve)), mode="edge") for curve in curves]
    return np.mean(padded, axis=0) if padded else np.empty(0)


def _joined(arrays: list[Array]) -> Array:
    return np.concatenate([np.empty(0), *arrays])
