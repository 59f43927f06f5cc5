"""Policies on linear expectations: bounds, samples, and inverse gaps."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from recopersona.bandits.linear import LinearPolicy
from recopersona.bandits.tallied import shared_best
from recopersona.base.parameters import param, real
from recopersona.data.types import Indices, Values
from recopersona.kernels.bandits import normal_best


class LinUCB(LinearPolicy):
    r"""Take the arm whose expected reward may be the highest, given the context.

    .. math:: m_a + \alpha s_a

    with a ridge regression per arm: :math:`A_a = \lambda I + \sum x x^\top`,
    :math:`m_a = x^\top A_a^{-1} \sum r x` and :math:`s_a = \sqrt{x^\top A_a^{-1} x}`. A reward
    is learned in :math:`O(d^2)`, whatever the number of arms. Arms of equal bounds share.

    Parameters
    ----------
    alpha : float, at least 0
    ridge : float, above 0
        :math:`\lambda`; a cold arm has :math:`A^{-1} = I / \lambda`.
    features : list of str, optional
        The columns of a log that make the context; by default all but ``arm``, ``reward``,
        ``segment``, ``weight`` and ``propensity``.
    arms, epsilon, reward_range, half_life, window, random_state
        See `Policy`.

    Attributes
    ----------
    inverses_ : float64 (n_arms, d, d)
    responses_, coefficients_ : float64 (n_arms, d)

    References
    ----------
    Li, Chu, Langford & Schapire (2010), "A contextual-bandit approach to personalized news article
    recommendation", algorithm 1.

    Examples
    --------
    >>> policy = LinUCB(arms=["plain", "fresh"], alpha=0.5)
    >>> for hour in range(20):
    ...     _ = policy.update(["plain", "fresh"], [1, hour % 2], [[1, hour % 2], [1, hour % 2]])
    >>> policy.expected(context=[1, 0]).round(1), policy.probabilities(context=[1, 0])
    (array([0.9, 0.1]), array([1., 0.]))
    """

    alpha: float = param(real(at_least=0), default=1.0)

    def _chances(self, places: Indices, cell: Values) -> Values:
        means, widths = self._scores(places, cell)
        return shared_best(means + self.alpha * widths)


class LinTS(LinearPolicy):
    r"""Take an arm as often as it is probable to be the best, given the context.

    What an arm brings is :math:`N(m_a, \alpha^2 s_a^2)`, see `LinUCB`; the probability that it is
    the highest is integrated, not sampled, so that propensities are exact.

    Parameters
    ----------
    alpha : float, above 0
        The standard deviation of one reward.
    ridge : float, above 0
    features : list of str, optional
        See `LinUCB`.
    arms, epsilon, reward_range, half_life, window, random_state
        See `Policy`.

    Attributes
    ----------
    inverses_ : float64 (n_arms, d, d)
    responses_, coefficients_ : float64 (n_arms, d)

    References
    ----------
    Agrawal & Goyal (2013), "Thompson sampling for contextual bandits with linear payoffs"; Russac,
    Vernade & Cappé (2019), "Weighted linear bandits for non-stationary environments", for
    ``half_life``.

    Examples
    --------
    >>> policy = LinTS(arms=["plain", "fresh"], alpha=0.5)
    >>> for hour in range(20):
    ...     _ = policy.update(["plain", "fresh"], [1, hour % 2], [[1, hour % 2], [1, hour % 2]])
    >>> policy.probabilities(context=[1, 1]).round(1)
    array([0.6, 0.4])
    """

    alpha: float = param(real(above=0), default=1.0)

    def _chances(self, places: Indices, cell: Values) -> Values:
        means, widths = self._scores(places, cell)
        chances = np.empty(len(places))
        normal_best(chances, self.alpha * widths, means)
        return chances


class SquareCB(LinearPolicy):
    r"""Take arms the less often the further they are expected to fall behind the best.

    .. math:: p_a = \frac{1}{A + \gamma_t (m_{best} - m_a)}, \qquad \gamma_t = \gamma \, t^\rho

    and the best has what remains; arms that are equally good share. Here m is that of a ridge
    regression per arm, see `LinUCB`, A the number of eligible arms and t how many rewards were
    learned from. Rewards lie within ``reward_range``, by default from 0 to 1, and gaps are shares
    of it.

    Parameters
    ----------
    gamma : float, at least 0
    rho : float, 0 to 1
    ridge : float, above 0
    features : list of str, optional
        See `LinUCB`.
    arms, epsilon, reward_range, half_life, window, random_state
        See `Policy`.

    Attributes
    ----------
    inverses_ : float64 (n_arms, d, d)
    responses_, coefficients_ : float64 (n_arms, d)

    References
    ----------
    Foster & Rakhlin (2020), "Beyond UCB: optimal and efficient contextual bandits with regression
    oracles"; Abe & Long (1999) for the probabilities.

    Examples
    --------
    >>> policy = SquareCB(arms=["plain", "fresh"])
    >>> policy.update(["plain", "fresh"] * 50, [0, 1] * 50).probabilities().round(3)
    array([0.01, 0.99])
    """

    _needs_range: ClassVar[bool] = True

    gamma: float = param(real(at_least=0), default=10.0)
    rho: float = param(real(at_least=0, at_most=1), default=0.5)

    def _chances(self, places: Indices, cell: Values) -> Values:
        means = self._means(places, cell)
        gaps = means.max() - means
        steep = self.gamma * max(self.counts_["rewards"], 1) ** self.rho
        chances: Values = 1 / (len(places) + steep * gaps)
        best = gaps == 0
        chances[best] = (1 - chances[~best].sum()) / best.sum()
        return chances
