"""Thompson sampling by segment, where segments learn from each other."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import numpy as np

from recopersona.bandits.thompson import Thompson
from recopersona.base.parameters import check, optional, param, real, whole
from recopersona.base.recommender import require_array
from recopersona.data.ids import is_missing
from recopersona.data.types import Array, Id, Indices, Mask, Values
from recopersona.errors import DataError
from recopersona.kernels.bandits import learn_pooling

_N0 = 200.0
_NOTHING = 1e-6  # rewards: what is left of none by rounding
_LEVEL = 50.0  # what the belief that a segment is as keen as all is worth, in rewards
_FIRST = 50  # rewards, before which nothing is said of segments
_STRENGTHS = np.array([50.0, 200.0, 800.0, 3_200.0, 12_800.0])


class PooledThompson(Thompson):
    r"""Thompson sampling by segment, where a segment starts from what is known of all.

    With the arm's global posterior :math:`\mathrm{Beta}(\alpha, \beta)`, of mean m, and the clicks
    and misses c, d of the segment itself,

    .. math:: \theta_{as} \sim \mathrm{Beta}(w m + c, \; w (1 - m) + d), \qquad
              \frac{1}{w + 1} = \frac{1}{\alpha + \beta + 1}
              + \Bigl(1 - \frac{1}{\alpha + \beta + 1}\Bigr) \frac{1}{n_0 + 1}

    w is the strength at which the prior of the segment has the variance of both together: that of
    the global mean, and that of segments around it. So an arm that is well known counts for
    :math:`n_0` rewards in a new segment, and a cold one for no more than its own prior. With
    Gaussian rewards w is :math:`\kappa n_0 / (\kappa + n_0)`, where the global mean is worth
    :math:`\kappa` rewards, and the variance of one reward is that of the arm everywhere.

    :math:`n_0` is learned from the rewards unless it is given: rates are a level of the segment
    times a rate of the arm, which differ by segment around that product as Betas of strength
    :math:`n_0` do, and what strengths from 50 to 12,800 are worth is the likelihood of all rewards
    under each. Rewards of other segments then count at the level of this one: that some segments
    click more, whatever they see, says nothing of arms. Both are learned anew each time that a
    tenth more rewards has come. For Gaussian rewards levels and arms add up, and the means of
    segments differ by a variance of :math:`\sigma^2 / n_0`; they are pooled at one level.

    A context is a segment's id; a segment of which nothing is known, and None, stand where all do.
    Arms are drawn by their exact probability of being the best, see `Thompson`.

    Parameters
    ----------
    n0 : float, above 0, optional
        What all that is known of an arm is worth in one segment, in rewards, at most. The more
        alike segments are, the more. By default it is learned.
    likelihood, prior_mean, prior_strength, width
        See `Thompson`.
    arms, epsilon, reward_range, half_life, window, random_state
        See `Policy`.

    Attributes
    ----------
    segments_ : list of ids
    trials_, totals_, squares_ : float64 (1 + n_segments, n_arms)
        How many rewards, their sum, and that of their squares; row 0 of all together.
    n0_ : float
        What was learned, or given.
    levels_ : float64 (1 + n_segments,)
        How keen each segment is, whatever the arm, in terms of all.
    due_ : int
        After how many rewards both are learned again.

    Notes
    -----
    A segment's own rewards are in the global mean as well. They are counted twice, then, but for no
    more than :math:`n_0` rewards. In `benchmarks/bandits.py` 0.7 of a hundred clicks more were lost
    with ``n0=200`` than with the strength learned; of Gaussian rewards, with six segments whose
    arms differ by 5 % and 9,000 pages of 0.3 clicks, 6.7 were lost instead of 5.5.

    References
    ----------
    Gelman & Hill (2007), "Data analysis using regression and multilevel/hierarchical models",
    chapter 12, for partial pooling.

    Examples
    --------
    >>> policy = PooledThompson(arms=["plain", "fresh"])
    >>> for visit in range(100):
    ...     _ = policy.update("fresh", visit % 10 == 0, "new")
    ...     _ = policy.update("plain", visit % 20 == 0, "new")
    >>> policy.probabilities(context="new").round(2), policy.probabilities(context="back").round(2)
    (array([0.04, 0.96]), array([0.12, 0.88]))
    """

    n0: float | None = param(optional(real(above=0)), default=None)

    def _start(self, n_arms: int) -> None:
        if "segments_" not in vars(self):
            self.segments_: list[Id] = []
            self.levels_, self.due_ = np.ones(1), _FIRST
            self.n0_ = float(_N0 if self.n0 is None else self.n0)
        rows = 1 + len(self.segments_)
        self.trials_, self.totals_, self.squares_ = (np.zeros((rows, n_arms)) for _ in range(3))

    def _chances(self, places: Indices, cell: Any) -> Values:
        return self._posterior(places, cell, self.n0_, self.levels_)[0]

    def _means(self, places: Indices, cell: Any) -> Values:
        return self._posterior(places, cell, self.n0_, self.levels_)[1]

    def _take(self, places: Indices, rewards: Values, weights: Values, cells: Array) -> None:
        """Learn rewards, and how segments differ each time that a tenth more has come."""
        if self.n0 is not None:
            super()._take(places, rewards, weights, cells)
            return
        start = 0
        while start < len(places):
            part = slice(start, start + max(self.due_ - self.counts_["rewards"], 1))
            super()._take(places[part], rewards[part], weights[part], cells[part])
            start = part.stop
            told = self.counts_["rewards"]
            if told >= self.due_:
                self.due_ = told + max(told // 10, 1)
                self._learn_pooling()

    @property
    def knows_pooling(self) -> bool:
        """Whether it has learned from all rewards how alike segments are."""
        return self.n0 is None and self.due_ > _FIRST

    def _learn_pooling(self) -> None:
        levels, likelihoods = np.ones(self._n_rows()), np.empty(len(_STRENGTHS))
        if self.likelihood == "beta":
            learn_pooling(levels, likelihoods, self.trials_, self.totals_, _STRENGTHS)
        else:
            likelihoods = self._gaussian_likelihoods()
        odds = np.exp(likelihoods - likelihoods.max())
        self.levels_, self.n0_ = levels, float(odds.sum() / (odds / _STRENGTHS).sum())

    def _gaussian_likelihoods(self) -> Values:
        """Return how likely Gaussian means of segments are at each strength, as logarithms."""
        known = self.trials_[1:] > _NOTHING
        trials, totals, squares = (
            np.where(known, sums[1:], 0.0) for sums in (self.trials_, self.totals_, self.squares_)
        )
        rates = totals.sum(axis=0) / np.maximum(trials.sum(axis=0), _NOTHING)
        left = totals - trials * rates
        level = left.sum(axis=1, keepdims=True) / (trials.sum(axis=1, keepdims=True) + _LEVEL)
        n = trials[known]
        off = left[known] / n - np.broadcast_to(level, known.shape)[known]
        within = squares[known].sum() - (totals[known] ** 2 / n).sum()
        noise = within / max(float(n.sum()) - len(n), 1.0)
        if not noise > 0:
            return np.zeros(len(_STRENGTHS))
        variances = noise * (1 / _STRENGTHS[:, None] + 1 / n)
        likelihoods: Values = -(np.log(variances) + off**2 / variances).sum(axis=1) / 2
        return likelihoods

    def _segment(self, context: Any) -> Id | None:
        segment: Id | None = context
        return segment

    def _cell(self, context: Any) -> int:
        try:
            return self._rows.get(context, -1)
        except TypeError:
            raise DataError(f"a segment must be an id, got {context!r}.") from None

    def _cells(self, contexts: Any, n: int) -> Array:
        rows = np.empty(n, np.int32)
        for number, segment in enumerate(contexts):
            row = self._cell(segment)
            if row < 0 and not is_missing(segment):
                row = self._new_row(segment)
            rows[number] = row
        return rows

    def _usable(self, contexts: Any, n: int) -> Mask:
        return np.array([isinstance(segment, Hashable) for segment in contexts], bool)

    def _new_row(self, segment: Id) -> int:
        self.segments_.append(segment)
        row = self._rows[segment] = len(self.segments_)
        self.levels_ = np.append(self.levels_, 1.0)
        for name in self._by_arm:
            held = getattr(self, name)
            setattr(self, name, np.concatenate([held, np.zeros((1, held.shape[1]))]))
        return row

    def _index(self) -> None:
        super()._index()
        self._rows = {segment: row for row, segment in enumerate(self.segments_, start=1)}

    def _context_columns(self) -> str:
        return "segment"

    def _n_rows(self) -> int:
        return 1 + len(self.segments_)

    def _check_learned(self) -> None:
        segments = vars(self).get("segments_")
        if not isinstance(segments, list) or any(map(is_missing, segments)):
            raise DataError("PooledThompson: segments_ must be a list of ids.")
        if len(set(segments)) < len(segments):
            raise DataError("PooledThompson: segments_ must be distinct.")
        super()._check_learned()
        held: Any = vars(self)
        require_array(held.get("levels_"), np.float64, (self._n_rows(),), "levels_")
        if not ((self.levels_ > 0) & np.isfinite(self.levels_)).all():
            raise DataError("PooledThompson: levels_ must be finite and above 0.")
        check(held.get("n0_"), real(above=0), "PooledThompson", "n0_")
        check(held.get("due_"), whole(at_least=0), "PooledThompson", "due_")
