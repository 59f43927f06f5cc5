"""What a ranker makes small: how surprising labels are, row by row and list by list."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from recopersona.data.types import Array, Floats


@dataclass(frozen=True)
class CrossEntropy:
    r"""How surprising the labels are, by rows and by lists.

    .. math:: L = \sum_{lists} \Big( -(1 - \lambda) \sum_i w_i \left( y_i \ln p_i +
              (1 - y_i) \ln (1 - p_i) \right)
              - \lambda \sum_i t_i \ln \frac{e^{u_i}}{\sum_j w_j e^{u_j}} \Big)

    with :math:`p = \sigma(u)` and t the list's weighted labels, divided by their sum; a list
    without any has no second term. A weight stands for rows that were left out when sampling, so
    it belongs into the sum below the fraction, too.

    Parameters
    ----------
    labels, weights : float32 (n_rows,)
    listwise : float
        Lambda.
    """

    labels: Floats
    weights: Floats
    listwise: float
    learned: ClassVar[tuple[Floats, ...]] = ()

    def __call__(
        self, utilities: Floats, rows: Array, bounds: Array
    ) -> tuple[float, Floats, list[Floats]]:
        """Return the loss, its slope by each utility, and nothing else: see `Objective`."""
        labels, weights = self.labels[rows], self.weights[rows]
        loss, slopes = 0.0, np.zeros_like(utilities)
        if self.listwise < 1:
            surprise = np.logaddexp(0, utilities) - labels * utilities
            loss += (1 - self.listwise) * float(weights @ surprise)
            slopes += np.float32(1 - self.listwise) * weights * (sigmoid(utilities) - labels)
        if self.listwise > 0:
            surprise, of_lists = _by_lists(utilities, labels, weights, bounds)
            loss += self.listwise * surprise
            slopes += np.float32(self.listwise) * of_lists
        return loss, slopes, []


def sigmoid(utilities: Floats) -> Floats:
    """Return the probability of a logit; no logit is too large."""
    found: Floats = 0.5 * (1 + np.tanh(0.5 * utilities))
    return found


def _by_lists(
    utilities: Floats, labels: Floats, weights: Floats, bounds: Array
) -> tuple[float, Floats]:
    starts, sizes = bounds[:-1], np.diff(bounds)
    target = labels * weights
    total = np.add.reduceat(target, starts)
    counts = total > 0
    target *= np.repeat(np.divide(1, total, where=counts, out=np.zeros_like(total)), sizes)
    shifted = utilities - np.repeat(np.maximum.reduceat(utilities, starts), sizes)
    share = weights * np.exp(shifted)
    below = np.maximum(np.add.reduceat(share, starts), np.float32(1e-30))
    share *= np.repeat(counts / below, sizes)
    surprise = np.log(below[counts]).sum(dtype=np.float64) - float(target @ shifted)
    return float(surprise), share - target
