"""How large a difference must be to be found: what a comparison could have seen, and what not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import norm

from recopersona.data.types import Values


@dataclass(frozen=True, eq=False)
class Spread:
    r"""How much the mean differences of pairs of models vary from sample to sample of users.

    A user :math:`u` has :math:`n_u` values (one per fold) whose differences add up to :math:`d_u`.
    With :math:`D = \sum_u d_u / N`, :math:`N = \sum_u n_u` and :math:`n` users,

    .. math:: \sigma^2 = \frac{n}{n - 1} \sum_u \frac{(d_u - n_u D)^2}{N^2}

    A randomization test at level :math:`\alpha` compares with what random signs give. If the true
    difference is :math:`\delta`, that varies a little more than D does, because every difference
    has :math:`\delta` in it:

    .. math:: c = z_{1 - \alpha / 2} \sqrt{\sigma^2 + \delta^2 \sum_u n_u^2 / N^2}

    and the difference is found with the power

    .. math:: \Phi\Big(\frac{\delta - c}{\sigma}\Big) + \Phi\Big(\frac{-\delta - c}{\sigma}\Big)

    Parameters
    ----------
    sigma : float64 (n_pairs,)
        NaN where nothing is known of it: fewer than two users, or not one difference.
    width : float64 (n_pairs,)
        The root of :math:`\sum_u n_u^2 / N^2`.

    References
    ----------
    Sakai (2018), "Laboratory Experiments in Information Retrieval", chapter 6; Kohavi, Tang & Xu
    (2020), "Trustworthy Online Controlled Experiments", chapter 17.

    Examples
    --------
    400 users whose differences vary by 0.2: the mean varies by 0.01, and 0.028 is found with 80 %.

    >>> noise = np.random.default_rng(0).normal(0, 0.2, (1, 400))
    >>> spread = Spread.of(noise, np.ones((1, 400)))
    >>> spread.detectable(np.array([0.05]), 0.8).round(3).tolist()
    [0.028]
    >>> spread.power(np.array([0.028]), np.array([0.05])).round(1).tolist()
    [0.8]
    """

    sigma: Values
    width: Values

    @classmethod
    def of(cls, differences: Values, counts: Values) -> Spread:
        """Measure the spread of users' summed differences, each float64 (n_pairs, n_users)."""
        total = counts.sum(axis=1)
        n_users = (counts > 0).sum(axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = differences.sum(axis=1) / total
            squares = ((differences - counts * mean[:, None]) ** 2).sum(axis=1)
            sigma = np.sqrt(squares * n_users / (n_users - 1)) / total
            width = np.sqrt((counts**2).sum(axis=1)) / total
        return cls(np.where(np.abs(differences).any(axis=1) & (n_users > 1), sigma, np.nan), width)

    def power(self, effect: Any, alpha: Any) -> Values:
        """Return how likely a true difference of this size is called one, float64 (n_pairs,)."""
        size = np.abs(effect)
        with np.errstate(invalid="ignore", divide="ignore"):
            bar = norm.isf(np.divide(alpha, 2)) * np.hypot(self.sigma, size * self.width)
            found = norm.cdf((size - bar) / self.sigma) + norm.cdf((-size - bar) / self.sigma)
        return np.asarray(np.where(np.isnan(self.sigma), np.nan, found), dtype=np.float64)

    def detectable(self, alpha: Any, power: float) -> Values:
        r"""Return the smallest true difference that is found with this power.

        The positive root of :math:`\delta - c(\delta) = z_{power} \sigma`; infinite where so few
        users cannot show any difference at this level.
        """
        z = norm.isf(np.divide(alpha, 2))
        ahead = norm.ppf(power) * self.sigma
        slope = 1 - (z * self.width) ** 2
        with np.errstate(invalid="ignore", divide="ignore"):
            root = np.sqrt(ahead**2 - slope * (ahead**2 - (z * self.sigma) ** 2))
            size = (ahead + root) / slope
        seen = np.where(slope > 0, size, np.inf)
        return np.asarray(np.where(np.isnan(self.sigma), np.nan, seen), dtype=np.float64)
