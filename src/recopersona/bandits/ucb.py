"""Upper confidence bounds: take the arm that may be best."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from recopersona.bandits.tallied import TalliedPolicy, shared_best
from recopersona.base.parameters import param, real
from recopersona.data.types import Indices, Values
from recopersona.kernels.bandits import tally_bounds


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
        bounds = np.empty(len(places))
        tally_bounds(bounds, self.trials_, self.totals_, places, self.alpha)
        return shared_best(bounds)
