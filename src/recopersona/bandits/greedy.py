"""Policies that mostly take what has been best so far."""

from __future__ import annotations

from typing import Any

import numpy as np

from recopersona.bandits.tallied import TalliedPolicy, shared_best
from recopersona.base.parameters import param, real
from recopersona.data.types import Indices, Values


class EpsilonGreedy(TalliedPolicy):
    r"""Take the arm of the best mean, and one at random in a share of choices.

    .. math:: p_a = (1 - \varepsilon) \frac{[a \in best]}{|best|} + \frac{\varepsilon}{A}

    Arms of equal means share. An arm's mean is that of its rewards and one more, the mean of all
    rewards: a new arm stands in the middle, and does not draw every visitor until its first reward
    comes.

    Parameters
    ----------
    epsilon : float, 0 to 1
    arms, reward_range, half_life, window, random_state
        See `Policy`.

    References
    ----------
    Sutton & Barto (2018), "Reinforcement learning", section 2.4.

    Examples
    --------
    >>> policy = EpsilonGreedy(arms=["plain", "fresh"], epsilon=0.5)
    >>> policy.update(["plain", "fresh"], [0, 1]).probabilities()
    array([0.25, 0.75])
    """

    epsilon: float = param(real(at_least=0, at_most=1), default=0.1)

    def _chances(self, places: Indices, cell: Any) -> Values:
        return shared_best(self._means(places, cell))


class SoftmaxGreedy(TalliedPolicy):
    r"""Take arms the more often the better their means are.

    .. math:: p_a \propto e^{m_a / \tau}

    An arm's mean is that of its rewards and one more, the mean of all.

    Parameters
    ----------
    temperature : float, above 0
        In the unit of rewards: what a difference must be to count.
    arms, epsilon, reward_range, half_life, window, random_state
        See `Policy`.

    References
    ----------
    Sutton & Barto (2018), "Reinforcement learning", section 2.8.

    Examples
    --------
    >>> policy = SoftmaxGreedy(arms=["plain", "fresh"], temperature=0.1)
    >>> policy.update(["plain", "fresh"] * 10, [0, 0.1] * 10).probabilities().round(2)
    array([0.29, 0.71])
    """

    temperature: float = param(real(above=0), default=0.1)

    def _chances(self, places: Indices, cell: Any) -> Values:
        means = self._means(places, cell)
        odds = np.exp((means - means.max()) / self.temperature)
        chances: Values = odds / odds.sum()
        return chances
