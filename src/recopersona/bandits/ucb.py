"""Upper confidence bounds: take the arm that may be best."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from recopersona.bandits.tallied import TalliedPolicy, shared_best
from recopersona.base.parameters import param, real
from recopersona.data.types import Indices, Values


class UCB1(TalliedPolicy):
    r"""Take the arm whose mean may be the highest.

    .. math:: m_a + \alpha \sqrt{2 \ln N / n_a}

    Rewards lie within ``reward_range``, by default from 0 to 1. Arms of equal bounds share; those
    without a reward come first. Until rewards come the same arm is taken again and again, and only
    ``epsilon`` gives the others a propensity: where rewards are late, or a log is to be evaluated,
    prefer `Thompson`.

    Parameters
    ----------
    alpha : float, at least 0
    arms, epsilon, reward_range, half_life, window, random_state
        See `Policy`.

    References
    ----------
    Auer, Cesa-Bianchi & Fischer (2002), "Finite-time analysis of the multiarmed bandit problem".

    Examples
    --------
    >>> policy = UCB1(arms=["plain", "fresh", "broad"]).update("plain", 1.0)
    >>> policy.probabilities()
    array([0. , 0.5, 0.5])
    """

    _needs_range: ClassVar[bool] = True

    alpha: float = param(real(at_least=0), default=1.0)

    def _chances(self, places: Indices, cell: Any) -> Values:
        n, total = self.trials_[0], self.totals_[0, places]
        own = n[places]
        known = own > 1e-12
        bounds = np.full(len(places), np.inf)
        reach = self.alpha * np.sqrt(2 * np.log(max(n.sum(), 1.0)) / own[known])
        bounds[known] = total[known] / own[known] + reach
        return shared_best(bounds)
