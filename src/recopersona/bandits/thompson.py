"""Thompson sampling: an arm is chosen as often as it is probable to be the best."""

from __future__ import annotations

from typing import Any

import numpy as np

from recopersona.bandits.tallied import TalliedPolicy
from recopersona.base.parameters import one_of, optional, param, real
from recopersona.data.types import Indices, Values
from recopersona.errors import ParameterError
from recopersona.kernels.bandits import beta_chances, normal_chances

_ALIKE = np.ones(1)


class Thompson(TalliedPolicy):
    r"""Thompson sampling.

    What is known of an arm's mean reward is a distribution, and an arm is chosen with the
    probability that its mean is the highest:

    .. math:: p_a = \int f_a(x) \prod_{b \ne a} F_b(x) \, dx

    This integral is computed, to about 1e-6, and the arm drawn by it: propensities are exact. With
    rewards between 0 and 1 such as clicks, the distribution is
    :math:`\mathrm{Beta}(\nu\mu + \sum r, \nu(1 - \mu) + \sum (1 - r))`, where :math:`\mu` is
    ``prior_mean`` and :math:`\nu` ``prior_strength``. For other rewards it is Student's, of a
    Normal-inverse-gamma prior worth :math:`\nu` rewards.

    Parameters
    ----------
    likelihood : {"beta", "gaussian"}
        Beta for rewards between 0 and 1, or within ``reward_range``.
    prior_mean : float, optional
        By default the middle of the range for Beta; the mean of all rewards for Gaussian.
    prior_strength : float, above 0
        What the prior is worth, in rewards. A Gaussian prior's variance is that of all rewards.
    width : float, above 0, at most 1
        Of the distributions that arms are drawn by, in terms of what is known: with 0.7 deviations
        are 0.7 times as wide, as if all were known from twice as many rewards. Fewer choices go to
        arms that are probably worse; leave an ``epsilon`` then, lest the best one be given up.
    arms, epsilon, reward_range, half_life, window, random_state
        See `Policy`.

    Attributes
    ----------
    trials_, totals_, squares_ : float64 (1, n_arms)
        How many rewards, their sum, and that of their squares.

    References
    ----------
    Chapelle & Li (2011), "An empirical evaluation of Thompson sampling", also for
    ``width``, their posterior reshaping; Agrawal & Goyal (2012),
    for rewards between 0 and 1.

    Examples
    --------
    >>> policy = Thompson(arms=["plain", "fresh"])
    >>> policy.probabilities()
    array([0.5, 0.5])
    >>> policy.update(["plain", "fresh"] * 20, [0, 1, 0, 1, 1] * 8).probabilities().round(3)
    array([0.5, 0.5])
    >>> policy.update("fresh", 1.0).choose(["fresh"], key="visit 1")
    Draw(arm='fresh', propensity=1.0, probabilities={'fresh': 1.0}, ...)
    """

    likelihood: str = param(one_of("beta", "gaussian"), default="beta")
    prior_mean: float | None = param(optional(real()), default=None)
    prior_strength: float = param(real(above=0), default=2.0)
    width: float = param(real(above=0, at_most=1), default=1.0)

    @property
    def _needs_range(self) -> bool:  # type: ignore[override]
        return self.likelihood == "beta"

    def _check_together(self) -> None:
        super()._check_together()
        if self.likelihood == "beta" and self.prior_mean is not None:
            low, high = self.reward_range or (0.0, 1.0)
            if not low < self.prior_mean < high:
                raise ParameterError(
                    f"{type(self).__name__}: prior_mean must lie between {low:g} and {high:g}, "
                    f"got {self.prior_mean!r}."
                )

    def _chances(self, places: Indices, cell: Any) -> Values:
        return self._posterior(places, cell)[0]

    def _means(self, places: Indices, cell: Any) -> Values:
        return self._posterior(places, cell)[1]

    def _posterior(
        self, places: Indices, row: int, n0: float = np.inf, levels: Values = _ALIKE
    ) -> tuple[Values, Values]:
        """Return the probability of being the best, and the mean, of each arm."""
        chances, means = np.empty(len(places)), np.empty(len(places))
        more = 1 / self.width**2  # that many times as much is as good as known
        strength, n0 = more * self.prior_strength, more * n0
        told = [self.trials_, self.totals_, self.squares_]
        if more > 1:
            told = [more * sums for sums in told]
        if self.likelihood == "beta":
            low, width = self._scale
            mean = 0.5 if self.prior_mean is None else (self.prior_mean - low) / width
            hits = strength * mean
            misses = strength - hits
            beta_chances(chances, means, *told[:2], places, levels, row, hits, misses, n0)
        else:
            mean, variance = self._grand()
            mean = mean if self.prior_mean is None else self.prior_mean
            prior = mean, variance, strength
            normal_chances(chances, means, *told, places, row, *prior, n0)
        return chances, means

    def _grand(self) -> tuple[float, float]:
        """Return mean and variance of all rewards; 0 and 1 where there are too few."""
        n, total, squares = (
            float(sums[0].sum()) for sums in (self.trials_, self.totals_, self.squares_)
        )
        if n <= 0:
            return 0.0, 1.0
        variance = squares / n - (total / n) ** 2
        return total / n, variance if n > 1 and variance > 0 else max((total / n) ** 2, 1e-12)
