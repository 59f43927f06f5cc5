"""What another policy's lists would have earned, from a log of lists with propensities."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from recopersona.data.types import Values
from recopersona.errors import ParameterError
from recopersona.evaluation.bootstrap import Resampling
from recopersona.evaluation.offpolicy.estimators import (
    Contributions,
    dm,
    effective_sample_size,
)
from recopersona.evaluation.offpolicy.gate import (
    OffPolicyGate,
    Support,
    gate_of,
    refusals,
    refused_width,
)
from recopersona.evaluation.offpolicy.intervals import Interval, bootstrap, edges
from recopersona.evaluation.offpolicy.off_policy import asked_of, range_of
from recopersona.evaluation.offpolicy.result import OffPolicy
from recopersona.evaluation.offpolicy.slate_log import PlaceNames, SlateLog, read_slates
from recopersona.evaluation.offpolicy.slates import (
    cascade_dr,
    iips,
    prefixes_of,
    rips,
    sips,
    snrips,
)

LIST_ESTIMATORS = ("SIPS", "IIPS", "RIPS", "SNRIPS", "CascadeDR")
"""What is estimated unless other estimators are named."""

_FOLDS = 5


def off_policy_lists(
    log: Any,
    target: str,
    *,
    decision: str = "decision_id",
    position: str = "position",
    reward: str = "reward",
    propensity: str = "propensity",
    alone: tuple[str, str] | None = None,
    expected: tuple[str, str] | None = None,
    cluster: str | None = None,
    estimators: str | Iterable[str] = LIST_ESTIMATORS,
    confidence: float = 0.95,
    n_boot: int = 1_000,
    gate: bool | OffPolicyGate = True,
    reward_range: tuple[float, float] | None = None,
    random_state: Any = 0,
) -> OffPolicy:
    r"""Estimate what another policy's lists would have earned, from a log of this one's.

    A list is far less likely to be shown by both policies than an item is, so how much can be
    learned depends on what is assumed of the visitor. With :math:`w_k` the target's probability of
    place k over the logged one, both given the places above it, and :math:`W_k = \prod_{j \le k}
    w_j`:

    * ``SIPS`` :math:`W_K \sum_k r_k`: nothing is assumed; useless beyond a few places
    * ``RIPS`` :math:`\sum_k W_k r_k`: a place depends on what stands above it, not below (people
      read downwards, a cascade); ``SNRIPS`` divides by the weights' mean
    * ``CascadeDR`` :math:`\sum_k W_k (r_k - q_k) + W_{k-1} v_k`: the same assumption, and a model
      of what the list earns from a place on; less variance the better the model
    * ``IIPS`` :math:`\sum_k u_k r_k`: a place depends on its own item alone (a position-based
      model); :math:`u_k` is the ratio of the probabilities of the item at place k, whatever else
      is on the list

    A log that cannot answer gets a reason instead of a number (see `OffPolicyGate`).

    Parameters
    ----------
    log : dataframe
        A row per place of every list; `places_of` makes it of `Pipeline.decisions_frame`. A list
        with a place missing, repeated, or with a propensity or reward that cannot be used is
        dropped whole, and counted. Lists may be shorter than others where the policies have no say
        in that.
    target : str
        The column with the target's probability of the place's item, given the places above it.
    decision, position, reward, propensity : str
        Columns. Positions count up by one, from where the log's least starts.
    alone : (str, str), optional
        For ``IIPS``: the columns with the logged and the target's probability of the item at its
        place whatever else is there. Where places are drawn independently of each other, these are
        ``propensity`` and ``target`` again.
    expected : (str, str), optional
        For ``CascadeDR``: the columns with what a model expects of place k and all below it, given
        the items down to k; and given those above it, the target choosing that of k. The model must
        not have learned from these lists. By default both are the same for every list: what SNRIPS
        tells of that part of the list, from other folds.
    cluster : str, optional
        Lists that belong together, such as a user's, and are drawn again together.
    estimators : str or several
    confidence, n_boot, gate, reward_range, random_state
        As in `off_policy`.

    Returns
    -------
    OffPolicy
        Values are rewards per list.

    Raises
    ------
    ParameterError
        If an argument is out of its bounds.
    ColumnError
        If a column is missing.
    DataError
        If no list can be used.

    References
    ----------
    Kiyohara, Saito, Matsuhiro, Narita, Shimizu & Yamamoto (2022), "Doubly robust off-policy
    evaluation for ranking policies under the cascade behavior model"; those of the estimators.

    Examples
    --------
    Two places, filled from tea and oil at random; tea is clicked more. The target puts tea first.

    >>> rng = np.random.default_rng(0)
    >>> tea_first = rng.random(20_000) < 0.5
    >>> log = pd.DataFrame({
    ...     "decision_id": np.repeat(np.arange(20_000), 2), "position": np.tile([1, 2], 20_000),
    ...     "item_id": np.where(tea_first[:, None], ["tea", "oil"], ["oil", "tea"]).ravel(),
    ...     "propensity": np.tile([0.5, 1.0], 20_000)})
    >>> examined = np.tile([1.0, 0.4], 20_000)
    >>> liked = np.where(log["item_id"] == "tea", 0.2, 0.05)
    >>> log["reward"] = (rng.random(40_000) < examined * liked) * 1.0
    >>> log["tea first"] = np.where(tea_first[:, None], [0.9, 1.0], [0.1, 1.0]).ravel()
    >>> found = off_policy_lists(log, "tea first", estimators=["SIPS", "RIPS"])
    >>> found["RIPS"][["value", "low", "high"]].astype(float).round(3).tolist()
    [0.214, 0.206, 0.222]
    >>> truth = 0.9 * (0.2 + 0.4 * 0.05) + 0.1 * (0.05 + 0.4 * 0.2)
    >>> round(truth, 3)
    0.211
    """
    resampling = Resampling.checked("off_policy_lists", confidence, n_boot, random_state)
    asked = asked_of(estimators, LIST_ESTIMATORS, "off_policy_lists")
    limits = range_of(reward_range, "off_policy_lists")
    names = _names(decision, position, reward, propensity, target, alone, expected, cluster)
    estimating = _Estimating(read_slates(log, names, limits), resampling)
    return estimating.result(asked, gate_of(gate))


def _names(decision: Any, position: Any, reward: Any, propensity: Any, target: Any,
           alone: Any, expected: Any, cluster: Any) -> PlaceNames:  # fmt: skip
    single = {"decision": decision, "position": position, "reward": reward,
              "propensity": propensity, "target": target}  # fmt: skip
    for name, value in single.items():
        if not isinstance(value, str):
            raise ParameterError(
                f"off_policy_lists: {name} must be a column's name, got {value!r}."
            )
    if not isinstance(cluster, str | None):
        raise ParameterError(
            f"off_policy_lists: cluster must be a column's name or None, got {cluster!r}."
        )
    return PlaceNames(
        decision, position, reward, propensity, target,
        _pair(alone, "alone"), _pair(expected, "expected"), cluster,
    )  # fmt: skip


def _pair(names: Any, what: str) -> tuple[str, str] | None:
    if names is None:
        return None
    several = isinstance(names, (tuple, list)) and len(names) == 2
    if not several or not all(isinstance(name, str) for name in names):
        raise ParameterError(f"off_policy_lists: {what} must be two columns' names, got {names!r}.")
    return names[0], names[1]


class _Estimating:
    """A log of lists, and everything that estimators share."""

    def __init__(self, log: SlateLog, resampling: Resampling) -> None:
        self.log, self.resampling = log, resampling

    @cached_property
    def prefixes(self) -> Values:
        return prefixes_of(self.log.weights)

    def weights_of(self, name: str) -> Values:
        """Return what an estimator weighs each place by, float64 (n, n_weights)."""
        if name == "IIPS" and self.log.alone is not None:
            return self.log.alone
        return self.prefixes[:, -1:] if name == "SIPS" else self.prefixes

    def contributions(self, name: str) -> Contributions:
        """Return what every list adds to an estimator."""
        rewards, weights = self.log.rewards, self.log.weights
        if name == "IIPS":
            return iips(rewards, self.weights_of(name))
        if name == "CascadeDR":
            return cascade_dr(rewards, weights, *(self.log.expected or self._usual()))
        return {"SIPS": sips, "RIPS": rips, "SNRIPS": snrips}[name](rewards, weights)

    def _usual(self) -> tuple[Values, Values]:
        """Return what the target's lists earn from each place on, told by other folds."""
        n_lists = len(self.log)
        units = np.arange(n_lists) if self.log.clusters is None else self.log.clusters
        dealt = np.random.default_rng(0).permutation(int(units.max()) + 1)
        fold, usual = dealt[units] % _FOLDS, np.empty(self.prefixes.shape)
        for number in range(_FOLDS):
            others = fold != number
            weights = self.prefixes[others]
            total = weights.sum(axis=0)
            earned = (weights * self.log.rewards[others]).sum(axis=0)
            each = np.divide(earned, total, out=np.zeros(len(total)), where=total > 0)
            usual[~others] = each[::-1].cumsum()[::-1]
        return usual, usual

    def impossible(self, name: str) -> str:
        """Say why an estimator cannot be had at all; empty if it can."""
        if name == "IIPS" and self.log.alone is None:
            return (
                "it needs the probabilities of an item at its place whatever stands above it: name "
                "their columns with alone=(logged, target)"
            )
        return ""

    def support(self, name: str) -> Support:
        """Measure how well the log supports the target, with the weights that an estimator uses."""
        weights, rewards = self.weights_of(name), self.log.rewards
        if name == "SIPS":
            rewards = rewards.sum(axis=1, keepdims=True)
        mean, error, unlogged = self._least_supported(weights)
        earned = np.abs(weights * rewards)
        return Support(
            effective=_effective(weights, earned.sum(axis=0)),
            effective_rewarded=effective_sample_size(earned.sum(axis=1)),
            rewarded=int((self.log.rewards != 0).any(axis=1).sum()),
            unlogged=unlogged,
            mean_weight=mean,
            mean_weight_error=error,
            max_weight=float(weights.max()),
            dropped=1 - self.log.counts["used"] / self.log.counts["lists"],
        )

    def _least_supported(self, weights: Values) -> tuple[float, float, float]:
        """Return the mean weight, its error, and what it lacks, of the place most in doubt."""
        means = weights.mean(axis=0)
        pulled = weights - means
        if self.log.clusters is not None:
            pulled = np.stack([np.bincount(self.log.clusters, one) for one in pulled.T], axis=1)
        errors = np.linalg.norm(pulled, axis=0) / len(weights)
        off = np.abs(means - 1)
        doubt = np.divide(off, errors, out=np.where(off > 1e-9, np.inf, 0.0), where=errors > 0)
        place = int(np.argmax(doubt))
        mean, error = float(means[place]), float(errors[place])
        return mean, error, max(0.0, 1 - mean - 2 * error)

    def result(self, asked: list[str], gate: OffPolicyGate | None) -> OffPolicy:
        """Estimate, make intervals, and refuse what must be refused."""
        possible = {name: self.contributions(name) for name in asked if not self.impossible(name)}
        intervals, supports = self._intervals(possible), {}
        lines = []
        for name in asked:
            reason, found = self.impossible(name), intervals.get(name, Interval())
            if not reason:
                supports[name] = self.support(name)
            if not reason and gate is not None:
                shared = "; ".join(refusals(supports[name], gate))
                reason = shared or refused_width(*found, gate)
            lines.append((*(Interval() if reason else found), reason))
        table = pd.DataFrame(
            lines, index=pd.Index(asked, name="estimator"),
            columns=["value", "low", "high", "refused"],
        )  # fmt: skip
        logged = self._intervals({"logged": dm(self.log.rewards.sum(axis=1))})
        own = pd.DataFrame.from_dict(logged, orient="index", columns=["value", "low", "high"])
        kept = {name: one.influence + one.value for name, one in possible.items()}
        return OffPolicy(
            table, own, self._told(supports), self.resampling.confidence, kept, unit="list"
        )

    def _told(self, supports: dict[str, Support]) -> dict[str, Any]:
        if not supports:
            told = {"effective_sample_size": 0.0, "unlogged_mass": 0.0, "max_weight": 0.0}
        else:
            best = max(supports.values(), key=lambda one: one.effective)
            told = best.told(len(self.log))
        return {
            **told,
            "effective_sample_sizes": {name: one.effective for name, one in supports.items()},
            "places": self.log.rewards.shape[1],
            "short_lists": self.log.short,
            "rows_without_decision": self.log.strays,
            "counts": self.log.counts,
        }

    def _intervals(self, estimates: dict[str, Contributions]) -> dict[str, Interval]:
        if not estimates:
            return {}
        clusters = self.log.clusters
        drawn = bootstrap(estimates, self.resampling, clusters)
        return {
            name: Interval(
                one.value, *edges(one, drawn[name], self.resampling.confidence, clusters)
            )
            for name, one in estimates.items()
        }


def _effective(weights: Values, earned: Values) -> float:
    """Return the places' effective sample sizes, each counting for what it earns.

    The harmonic mean: a place that earns little may be known badly.
    """
    sizes = np.array([effective_sample_size(one) for one in weights.T])
    share = earned / earned.sum() if earned.sum() > 0 else np.full(len(earned), 1 / len(earned))
    there = share > 0
    if not sizes[there].all():
        return 0.0
    return float(1 / (share[there] / sizes[there]).sum())
