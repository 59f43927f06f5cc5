r"""Estimators for lists: pure functions of matrices that say what every logged list contributes.

A row is a logged list, a column a place: rewards :math:`r_{ik}`, and weights :math:`w_{ik}`, how
much likelier the target is than the log to put that item there, given the places before it. A
place that a list does not have has reward 0 and weight 1. The estimators differ in what they take
the reward of a place to depend on, and so in how many weights they multiply:

========= ============================ ==========================================
estimator the reward of a place        weight of place k
          depends on
========= ============================ ==========================================
SIPS      the whole list               :math:`\prod_{j} w_j`
RIPS      the item and those above it  :math:`W_k = \prod_{j \le k} w_j` (cascade)
IIPS      the item at its place alone  :math:`u_k`, whatever else is there
========= ============================ ==========================================

The fewer, the less variance; and a bias wherever people are not as assumed.

References
----------
Kiyohara, Saito, Matsuhiro, Narita, Shimizu & Yamamoto (2022), "Doubly robust off-policy evaluation
for ranking policies under the cascade behavior model".
"""

from __future__ import annotations

import numpy as np

from recopersona.data.types import Values
from recopersona.evaluation.offpolicy.estimators import Contributions


def sips(rewards: Values, weights: Values) -> Contributions:
    r"""Return standard IPS of whole lists: :math:`\frac1n \sum_i W_{iK} \sum_k r_{ik}`.

    Right however people read.

    Examples
    --------
    >>> sips(np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([[2.0, 0.5], [0.5, 1.0]])).value
    0.75
    """
    return Contributions(((weights.prod(axis=1) * rewards.sum(axis=1), None),))


def iips(rewards: Values, alone: Values) -> Contributions:
    r"""Return independent IPS: :math:`\frac1n \sum_i \sum_k u_{ik} r_{ik}`.

    Right where a place is clicked for its item alone, as in a position-based model; ``alone`` are
    weights of an item at its place whatever else the list holds.

    References
    ----------
    Li, Abbasi-Yadkori, Kveton, Muthukrishnan, Vinay & Wen (2018), "Offline evaluation of ranking
    policies with click models".
    """
    return Contributions((((alone * rewards).sum(axis=1), None),))


def rips(rewards: Values, weights: Values) -> Contributions:
    r"""Return reward interaction IPS: :math:`\frac1n \sum_i \sum_k W_{ik} r_{ik}`.

    Right where people read downwards and nothing below a place matters to it (a cascade).

    References
    ----------
    McInerney, Brost, Chandar, Mehrotra & Carterette (2020), "Counterfactual evaluation of slate
    recommendations with sequential reward interactions".
    """
    return Contributions((((prefixes_of(weights) * rewards).sum(axis=1), None),))


def snrips(rewards: Values, weights: Values) -> Contributions:
    r"""Return self-normalized RIPS: :math:`\sum_k \sum_i W_{ik} r_{ik} / \sum_i W_{ik}`.

    References
    ----------
    McInerney et al. (2020), section 4.2.
    """
    prefixes = prefixes_of(weights)
    return Contributions(tuple((w * r, w) for w, r in zip(prefixes.T, rewards.T, strict=True)))


def cascade_dr(
    rewards: Values, weights: Values, q_logged: Values, v_target: Values
) -> Contributions:
    r"""Return cascade doubly robust, with a model of what a list earns from a place on.

    .. math:: \frac1n \sum_i \sum_k W_{ik} (r_{ik} - q_{ik}) + W_{i,k-1} v_{ik}

    Right under a cascade whatever the model says, if :math:`v_k` is the mean of :math:`q_k` over
    what the target would put there; the better the model, the less variance. With q and v of 0 it
    is RIPS.

    Parameters
    ----------
    rewards, weights : float64 (n, n_places)
    q_logged : float64 (n, n_places)
        What is expected of place k and all below it, given the items down to k.
    v_target : float64 (n, n_places)
        The same before the item of k is known: the target chooses it.
    """
    prefixes = prefixes_of(weights)
    before = np.column_stack([np.ones(len(weights)), prefixes[:, :-1]])
    rows = (prefixes * (rewards - q_logged) + before * v_target).sum(axis=1)
    return Contributions(((rows, None),))


def prefixes_of(weights: Values) -> Values:
    """Return how much likelier the list down to each place is."""
    prefixes: Values = np.cumprod(weights, axis=1, dtype=np.float64)
    return prefixes
