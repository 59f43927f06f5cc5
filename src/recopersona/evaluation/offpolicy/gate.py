"""When a log cannot answer, and the sentence that says so in place of a number."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from recopersona.base.parameters import check, real
from recopersona.data.types import Array, Values
from recopersona.errors import ParameterError
from recopersona.evaluation.offpolicy.estimators import effective_sample_size, ips
from recopersona.evaluation.offpolicy.log import Log
from recopersona.evaluation.offpolicy.standing import stands
from recopersona.evaluation.offpolicy.targets import Target

_MEAN_OFF = 0.01  # of the weights' mean: target probabilities are given to so many digits
_SURE = 4.0  # standard errors beyond which the weights' mean is no luck
_TELLING = 30  # effective rows below which a standard error says nothing of the mean


@dataclass(frozen=True)
class OffPolicyGate:
    r"""What a log must offer before `off_policy` gives a number.

    Parameters
    ----------
    max_unlogged : float, 0 to 1
        Probability that the target gives to actions that were never logged in that position.
    min_effective : float, at least 0
        Effective sample size of the weights, :math:`(\sum w)^2 / \sum w^2`.
    min_rewarded : float, at least 0
        The same of what rewarded rows contribute, :math:`(\sum |w r|)^2 / \sum (w r)^2`: an
        interval from fewer is a guess.
    max_width : float, above 0
        Width of an estimate's interval, as a multiple of the estimate.
    max_dropped : float, 0 to 1
        Share of rows that could not be used.

    Examples
    --------
    >>> OffPolicyGate(min_effective=500)
    OffPolicyGate(max_unlogged=0.01, min_effective=500, min_rewarded=10, max_width=2.0, ...)
    """

    max_unlogged: float = 0.01
    min_effective: float = 1_000
    min_rewarded: float = 10
    max_width: float = 2.0
    max_dropped: float = 0.05

    def __post_init__(self) -> None:
        for name in ("max_unlogged", "max_dropped"):
            check(getattr(self, name), real(at_least=0, at_most=1), "OffPolicyGate", name)
        for name in ("min_effective", "min_rewarded"):
            check(getattr(self, name), real(at_least=0), "OffPolicyGate", name)
        check(self.max_width, real(above=0), "OffPolicyGate", "max_width")


def gate_of(gate: Any) -> OffPolicyGate | None:
    """Return the gate: the usual one for True, none for False."""
    if isinstance(gate, OffPolicyGate):
        return gate
    if not isinstance(gate, bool):
        raise ParameterError(
            f"off_policy: gate must be True, False or an OffPolicyGate, got {gate!r}."
        )
    return OffPolicyGate() if gate else None


@dataclass(frozen=True)
class Support:
    """How well a log supports a target: what the gate looks at.

    Attributes
    ----------
    effective : float
        Effective sample size of the weights.
    effective_rewarded : float
        Of the rewarded rows' contributions.
    rewarded : int
        Rows with a reward other than 0.
    unlogged : float
        The target's probability of actions never logged there.
    mean_weight, mean_weight_error, max_weight : float
        The weights' mean, which should be 1 - unlogged, its standard error, and the largest.
    dropped : float
        Share of rows that could not be used.
    """

    effective: float
    effective_rewarded: float
    rewarded: int
    unlogged: float
    mean_weight: float
    mean_weight_error: float
    max_weight: float
    dropped: float

    def told(self, n_rows: int) -> dict[str, float]:
        """Return what `OffPolicy.diagnostics` tells of it."""
        return {
            "effective_sample_size": self.effective,
            "effective_share": self.effective / n_rows,
            "unlogged_mass": self.unlogged,
            "max_weight": self.max_weight,
            "mean_weight": self.mean_weight,
            "rewarded_rows": self.rewarded,
            "effective_rewarded_rows": self.effective_rewarded,
        }


def support_of(log: Log, target: Target, weights: Values) -> Support:
    """Measure how well a log supports a target."""
    mean, error = float(weights.mean()), _standard_error(weights, log.clusters)
    beyond_luck = max(0.0, 1 - mean - 2 * error)
    unlogged = beyond_luck if target.table is None else _unlogged(log, target)
    earned = np.abs(weights * log.rewards)
    return Support(
        effective=effective_sample_size(weights),
        effective_rewarded=effective_sample_size(earned),
        rewarded=int((log.rewards != 0).sum()),
        unlogged=unlogged,
        mean_weight=mean,
        mean_weight_error=error,
        max_weight=float(weights.max()),
        dropped=1 - log.counts["used"] / log.counts["rows"],
    )


def _unlogged(log: Log, target: Target) -> float:
    """Return the target's mean probability of actions that the log has not got in that position."""
    position = log.names.position
    places = np.zeros(len(log.situation), np.int64)
    if position is not None:
        places = np.unique(log.situation[position].to_numpy(), return_inverse=True)[1]
    n_actions = len(target.actions)
    logged = np.zeros((int(places.max()) + 1, n_actions), bool)
    logged[places[log.situations], log.actions] = True
    share = np.diff(log.bounds) / len(log)
    total, there = 0.0, stands(log, target.actions)
    for some, chances in target.blocks(len(log.situation)):
        known = logged[places[some]]
        if there is not None:
            known &= there[some]
        total += float(share[some] @ np.where(known, 0.0, chances).sum(axis=1))
    return total


def _standard_error(weights: Values, clusters: Array | None) -> float:
    pulled: Array = ips(np.ones(len(weights)), weights).influence
    if clusters is not None:
        pulled = np.bincount(clusters, pulled)
    return float(np.sqrt(np.sum(pulled**2))) / len(weights)


def refusals(support: Support, gate: OffPolicyGate) -> list[str]:
    """Say what a log lacks, whatever the estimator; empty if nothing."""
    reasons = []
    if support.unlogged > gate.max_unlogged:
        reasons.append(
            f"the target gives {support.unlogged:.1%} of its probability to actions that were "
            f"never logged there, more than {gate.max_unlogged:.0%}: nothing tells what they earn"
        )
    if support.effective < gate.min_effective:
        reasons.append(
            f"the weights leave an effective sample size of {support.effective:,.0f} rows, fewer "
            f"than {gate.min_effective:,.0f}: a few rows decide (the largest weighs "
            f"{support.max_weight:,.0f})"
        )
    if support.effective_rewarded < gate.min_rewarded:
        reasons.append(
            f"only {support.effective_rewarded:.1f} rewarded rows count once weighted, fewer than "
            f"{gate.min_rewarded:g}: how far off an estimate is cannot be told"
        )
    off = support.mean_weight - (1 - support.unlogged)
    luck = _SURE * support.mean_weight_error + _MEAN_OFF
    told = support.unlogged <= gate.max_unlogged and support.effective >= _TELLING
    if told and abs(off) > luck:
        reasons.append(
            f"the weights' mean is {support.mean_weight:.3f} instead of "
            f"{1 - support.unlogged:.3f}, beyond {_SURE:g} standard errors: the logged "
            "propensities are not those by which actions were chosen"
        )
    if support.dropped > gate.max_dropped:
        reasons.append(
            f"{support.dropped:.1%} of the rows could not be used, more than "
            f"{gate.max_dropped:.0%}: those that are left may be others than those that are lost"
        )
    return reasons


def refused_width(value: float, low: float, high: float, gate: OffPolicyGate) -> str:
    """Say if one estimate's interval is too wide, or if there is none; empty if it is fine."""
    if not np.isfinite([value, low, high]).all():
        return "it has no interval, so nobody knows how far off it is"
    if high - low > gate.max_width * abs(value):
        return (
            f"its interval, {low:.3g} to {high:.3g}, is wider than {gate.max_width:g} times the "
            f"estimate of {value:.3g}"
        )
    return ""


def uniform(log: Log) -> bool:
    """Whether every action was equally likely, which replay needs."""
    lowest, highest = float(log.propensities.min()), float(log.propensities.max())
    return highest <= lowest * (1 + 1e-6)
