"""Thompson sampling by segment, where segments learn from each other."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import numpy as np

from recopersona.bandits.thompson import Thompson
from recopersona.base.parameters import param, real
from recopersona.data.ids import is_missing
from recopersona.data.types import Array, Id, Indices, Mask, Values
from recopersona.errors import DataError


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

    A context is a segment's id; a segment of which nothing is known, and None, stand where all do.
    Arms are drawn by their exact probability of being the best, see `Thompson`.

    Parameters
    ----------
    n0 : float, above 0
        What all that is known of an arm is worth in one segment, in rewards, at most. The more
        alike segments are, the more.
    likelihood, prior_mean, prior_strength
        See `Thompson`.
    arms, epsilon, reward_range, half_life, window, random_state
        See `Policy`.

    Attributes
    ----------
    segments_ : list of ids
    trials_, totals_, squares_ : float64 (1 + n_segments, n_arms)
        How many rewards, their sum, and that of their squares; row 0 of all together.

    Notes
    -----
    A segment's own rewards are in the global mean as well. They are counted twice, then, but for no
    more than :math:`n_0` rewards; left out of the mean of their own prior, regret was the same or
    higher (`benchmarks/bandits.py`).

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
    (array([0.04, 0.96]), array([0.14, 0.86]))
    """

    n0: float = param(real(above=0), default=200.0)

    def _start(self, n_arms: int) -> None:
        if "segments_" not in vars(self):
            self.segments_: list[Id] = []
        rows = 1 + len(self.segments_)
        self.trials_, self.totals_, self.squares_ = (np.zeros((rows, n_arms)) for _ in range(3))

    def _chances(self, places: Indices, cell: Any) -> Values:
        return self._posterior(places, cell, self.n0)[0]

    def _means(self, places: Indices, cell: Any) -> Values:
        return self._posterior(places, cell, self.n0)[1]

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
