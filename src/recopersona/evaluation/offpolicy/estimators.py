r"""The estimators themselves: pure functions of arrays that say what every row contributes.

All of them are sums of ratios of sums over rows,

.. math:: \hat V = \sum_t \frac{\sum_i a_{ti}}{\sum_i b_{ti}}

so one bootstrap serves all: it needs sums of the columns a and b and no row twice. Rewards are
:math:`r_i`, weights :math:`w_i = \pi(a_i \mid x_i) / p_i` with the logged propensity
:math:`p_i`; :math:`q_i` is what a model of rewards expects of the logged action, :math:`v_i` what
it expects of the target policy's actions.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from recopersona.data.types import Mask, Values


@dataclass(frozen=True, eq=False)
class Contributions:
    """What every row adds to an estimate: terms of a numerator and a denominator.

    Parameters
    ----------
    terms : tuple of (float64 (n,), float64 (n,) or None)
        The estimate is the sum over terms of the numerators' sum over the denominators' sum; None
        counts every row as 1.

    Examples
    --------
    >>> half = Contributions(((np.array([1.0, 0.0]), None),))
    >>> half.value, half.influence.tolist()
    (0.5, [0.5, -0.5])
    """

    terms: tuple[tuple[Values, Values | None], ...]

    @cached_property
    def value(self) -> float:
        """The estimate; NaN where a denominator is 0."""
        return float(sum(_ratio(top, bottom) for top, bottom in self.terms))

    @cached_property
    def rows(self) -> Values:
        """What every row adds, float64 (n,), not to be written to; their mean is the estimate."""
        if self.is_mean:
            return self.terms[0][0]
        pulled = np.full(len(self.terms[0][0]), self.value)
        for top, bottom in self.terms:
            ratio = _ratio(top, bottom)
            if bottom is None:
                pulled += top
                pulled -= ratio
            else:
                pulled += (top - ratio * bottom) / bottom.mean()
        return pulled

    @property
    def influence(self) -> Values:
        """How far every row pulls the estimate, float64 (n,); their mean is 0.

        The estimate's variance is that of these numbers, divided by how many they are (the delta
        method for the terms that are ratios).
        """
        pulled: Values = self.rows - self.value
        return pulled

    @property
    def variance(self) -> float:
        """The estimate's variance, were rows independent."""
        pulled = self.influence
        return float(pulled @ pulled) / len(pulled) / max(1, len(pulled) - 1)

    @property
    def is_mean(self) -> bool:
        """Whether the estimate is the plain mean of one number per row."""
        return len(self.terms) == 1 and self.terms[0][1] is None

    def columns(self) -> Iterator[Values | None]:
        """Yield the numerator and denominator of every term; None is a column of ones."""
        for top, bottom in self.terms:
            yield top
            yield bottom


def replay(rewards: Values, matches: Mask) -> Contributions:
    r"""Return the mean reward of rows whose action a draw of the target policy agrees with.

    .. math:: \frac{\sum_i m_i r_i}{\sum_i m_i}

    Right for uniform logs, and for actions drawn from the target policy independently of the log.

    References
    ----------
    Li, Chu, Langford & Wang (2011), "Unbiased offline evaluation of contextual-bandit-based news
    article recommendation algorithms".
    """
    agreed = matches.astype(np.float64)
    return Contributions(((agreed * rewards, agreed),))


def ips(rewards: Values, weights: Values) -> Contributions:
    r"""Return inverse propensity scoring: :math:`\frac{1}{n} \sum_i w_i r_i`.

    References
    ----------
    Horvitz & Thompson (1952), "A generalization of sampling without replacement from a finite
    universe".
    """
    return Contributions(((weights * rewards, None),))


def snips(rewards: Values, weights: Values) -> Contributions:
    r"""Return self-normalized IPS: :math:`\sum_i w_i r_i / \sum_i w_i`.

    References
    ----------
    Swaminathan & Joachims (2015), "The self-normalized estimator for counterfactual learning".
    """
    return Contributions(((weights * rewards, weights),))


def dm(v_target: Values) -> Contributions:
    r"""Return the direct method, the model's word alone: :math:`\frac{1}{n} \sum_i v_i`."""
    return Contributions(((v_target, None),))


def dr(rewards: Values, weights: Values, q_logged: Values, v_target: Values) -> Contributions:
    r"""Return doubly robust: :math:`\frac{1}{n} \sum_i v_i + w_i (r_i - q_i)`.

    Right where either the propensities or the model are.

    References
    ----------
    Dudík, Erhan, Langford & Li (2014), "Doubly robust policy evaluation and optimization".
    """
    return Contributions(((v_target + weights * (rewards - q_logged), None),))


def sndr(rewards: Values, weights: Values, q_logged: Values, v_target: Values) -> Contributions:
    r"""Return self-normalized doubly robust.

    .. math:: \frac{1}{n} \sum_i v_i + \sum_i w_i (r_i - q_i) \Big/ \sum_i w_i

    References
    ----------
    Thomas & Brunskill (2016), "Data-efficient off-policy policy evaluation for reinforcement
    learning".
    """
    return Contributions(((v_target, None), (weights * (rewards - q_logged), weights)))


def switched(weights: Values, threshold: float) -> Values:
    """Return weights with 0 in place of those above a threshold: Switch-DR is `dr` with them.

    Where a weight is too large, the model alone is trusted.

    References
    ----------
    Wang, Agarwal & Dudík (2017), "Optimal and adaptive off-policy evaluation in contextual
    bandits".

    Examples
    --------
    >>> switched(np.array([0.5, 2.0, 9.0]), 2.0).tolist()
    [0.5, 2.0, 0.0]
    """
    return np.where(weights <= threshold, weights, 0.0)


def shrunk(weights: Values, shrinkage: float) -> Values:
    r"""Return weights :math:`\lambda w / (w^2 + \lambda)`, which are at most w and never infinite.

    DRos is `dr` with them: DR for an infinite :math:`\lambda`, the direct method for 0.

    References
    ----------
    Su, Dimakopoulou, Krishnamurthy & Dudík (2020), "Doubly robust off-policy evaluation with
    shrinkage".

    Examples
    --------
    >>> shrunk(np.array([0.0, 1.0, 9.0]), 9.0).round(3).tolist()
    [0.0, 0.9, 0.9]
    >>> shrunk(np.array([3.0]), np.inf).tolist(), shrunk(np.array([0.0, 3.0]), 0.0).tolist()
    ([3.0], [0.0, 0.0])
    """
    if shrinkage == 0:
        return np.zeros(len(weights))
    return weights / (weights * weights / shrinkage + 1.0)


def clipped(weights: Values, clip: float | None) -> Values:
    """Return weights of at most ``clip``: less variance, and a bias that nobody knows.

    Examples
    --------
    >>> clipped(np.array([0.5, 20.0]), 10.0).tolist()
    [0.5, 10.0]
    """
    return weights if clip is None else np.minimum(weights, clip)


def effective_sample_size(weights: Values) -> float:
    r"""Return :math:`(\sum_i w_i)^2 / \sum_i w_i^2`: how many rows of equal weight say as much.

    References
    ----------
    Kish (1965), "Survey Sampling".

    Examples
    --------
    >>> effective_sample_size(np.ones(5)), effective_sample_size(np.array([1.0, 0.0, 0.0]))
    (5.0, 1.0)
    """
    squares = float(weights @ weights)
    return float(weights.sum()) ** 2 / squares if squares > 0 else 0.0


def _ratio(top: Values, bottom: Values | None) -> float:
    below = float(len(top)) if bottom is None else float(bottom.sum())
    return float(top.sum()) / below if below else float("nan")
