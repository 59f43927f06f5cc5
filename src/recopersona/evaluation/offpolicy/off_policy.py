"""One call from a log to what another policy would have earned, with an interval or a refusal."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from recopersona.base.parameters import check, one_of, optional, real
from recopersona.data.columns import as_pandas
from recopersona.data.types import Values
from recopersona.errors import ParameterError, hint
from recopersona.evaluation.bootstrap import Resampling
from recopersona.evaluation.offpolicy.estimators import (
    Contributions,
    clipped,
    dm,
    dr,
    ips,
    replay,
    sndr,
    snips,
)
from recopersona.evaluation.offpolicy.gate import (
    OffPolicyGate,
    gate_of,
    refusals,
    refused_width,
    support_of,
    uniform,
)
from recopersona.evaluation.offpolicy.intervals import Interval, bernstein, bootstrap, edges
from recopersona.evaluation.offpolicy.log import Log, names_of
from recopersona.evaluation.offpolicy.refits import refitted_error
from recopersona.evaluation.offpolicy.result import OffPolicy
from recopersona.evaluation.offpolicy.rewards import FOLDS, Cells, cross_fitted, models_for
from recopersona.evaluation.offpolicy.targets import Target, check_target, target_of
from recopersona.evaluation.offpolicy.tuning import Tuned, tuned_shrinkage, tuned_switch

ESTIMATORS = ("DM", "IPS", "SNIPS", "DR", "SNDR", "SwitchDR", "DRos")
"""What is estimated unless other estimators are named; there is ``Replay`` as well."""

_MODELLED = ("DM", "DR", "SNDR", "SwitchDR", "DRos")


def off_policy(
    log: Any,
    target: Any,
    *,
    action: str = "arm",
    reward: str = "reward",
    propensity: str = "propensity",
    context: str | Iterable[str] = (),
    position: str | None = None,
    cluster: str | None = None,
    estimators: str | Iterable[str] = ESTIMATORS,
    model: Any = None,
    clip: float | None = None,
    interval: str = "bootstrap",
    confidence: float = 0.95,
    n_boot: int = 1_000,
    gate: bool | OffPolicyGate = True,
    reward_range: tuple[float, float] | None = None,
    random_state: Any = 0,
) -> OffPolicy:
    r"""Estimate what another policy would have earned, from a log of what this one did.

    With logged propensities :math:`p_i`, weights :math:`w_i = \pi(a_i \mid x_i) / p_i`, and a model
    of rewards that expects :math:`q_i` of the logged action and :math:`v_i` of the target's:

    * ``IPS`` :math:`\frac1n \sum w_i r_i`; ``SNIPS`` :math:`\sum w_i r_i / \sum w_i`
    * ``DM`` :math:`\frac1n \sum v_i`; ``DR`` :math:`\frac1n \sum v_i + w_i (r_i - q_i)`
    * ``SNDR`` :math:`\frac1n \sum v_i + \sum w_i (r_i - q_i) / \sum w_i`
    * ``SwitchDR``: DR without corrections whose weight is above a threshold
    * ``DRos``: DR with weights :math:`\lambda w / (w^2 + \lambda)`
    * ``Replay``: the mean of rows that a draw of the target agrees with; for uniform logs

    A log that cannot answer gets a reason instead of a number (see `OffPolicyGate`).

    Parameters
    ----------
    log : dataframe
        A row per action. Rows with a propensity that is missing, 0, or above 1, or with a reward
        that is missing, infinite or outside ``reward_range`` are dropped and counted.
    target : str, dataframe, policy or callable
        * a column of the log with the target's probability of the logged action (then only IPS,
          SNIPS and Replay can be told);
        * a table: the action's column, ``probability``, and any of the position's and contexts';
        * the target's own log: how often it chose each action, by position. What it logged as
          propensities is not used, since that is high where an action was chosen;
        * a bandit with ``probabilities(arms, context)``; or a function from a frame of distinct
          positions and contexts to probabilities, a row each, a column per action (an array in the
          sorted order of the log's actions, or a frame).
    action, reward, propensity : str
        Columns of the log.
    context : str or several
        Columns that say for whom: for the model of rewards, and for a target that looks at them.
    position : str, optional
        Where on the page the action was; actions are then judged position by position.
    cluster : str, optional
        Rows that belong together, such as a user's or a decision's: drawn together, and never told
        by one another.
    estimators : str or several
    model : scikit-learn classifier or regressor, optional
        Learns rewards from one column per action, position and context; by default means that are
        shrunk as far as they are luck. It is cross-fitted: no row is told by itself.
    clip : float, above 0, optional
        Weights above it are set to it: less variance, some bias.
    interval : "bootstrap" or "bernstein"
        Of rounds or clusters drawn again (bootstrap-t), or an empirical
        Bernstein bound, which is wide and holds for any number of independent rows if no weight can
        be larger than the largest seen; for IPS, DM and DR, and only with a ``reward_range``.
    confidence : float, between 0 and 1
    n_boot : int, at least 1
    gate : bool or OffPolicyGate
        False gives numbers whatever the log is like.
    reward_range : (float, float), optional
        Least and greatest reward that is no mistake.
    random_state : int, RandomState or None
        Of the resampling, and of Replay's draws.

    Returns
    -------
    OffPolicy

    Raises
    ------
    ParameterError
        If an argument is out of its bounds.
    ColumnError
        If a column is missing.
    DataError
        If no row can be used, or the target's probabilities do not add up to 1.

    Notes
    -----
    Intervals of SwitchDR and DRos are stretched by the bias that is seen at their setting, as
    :math:`\sqrt{1 + b^2 / s^2}`; that of DM is from the model fitted again to 50 resamples, and
    there is none with a ``model`` of yours: it would say how sure the model is, not how right.

    A log of 10 million rows takes about a gigabyte beside the frame.

    References
    ----------
    Dudík, Erhan, Langford & Li (2014), "Doubly robust policy evaluation and optimization"; Saito,
    Aihara, Matsutani & Narita (2021), "Open Bandit Dataset and Pipeline"; and those of the
    estimators.

    Examples
    --------
    >>> log = pd.DataFrame({"arm": ["tea", "oil"] * 2_000, "propensity": 0.5,
    ...                     "reward": [1, 0, 0, 0] * 1_000})
    >>> mostly_tea = pd.DataFrame({"arm": ["tea", "oil"], "probability": [0.9, 0.1]})
    >>> found = off_policy(log, mostly_tea)
    >>> found.table.loc[["IPS", "DR"], ["value", "low", "high"]].round(2)
               value   low  high
    estimator
    IPS         0.45  0.43  0.47
    DR          0.45  0.43  0.47
    >>> off_policy(log[:100], mostly_tea)["SNIPS"].refused
    'the weights leave an effective sample size of 61 rows, fewer than 1,000: ...'
    """
    resampling = Resampling.checked("off_policy", confidence, n_boot, random_state)
    check(clip, optional(real(above=0)), "off_policy", "clip")
    check(interval, one_of("bootstrap", "bernstein"), "off_policy", "interval")
    check_target(target)
    asked = _asked(estimators)
    limits = _range(reward_range)
    if interval == "bernstein" and (limits is None or cluster is not None):
        raise ParameterError(
            "off_policy: interval='bernstein' needs a reward_range and independent rows, so no "
            "cluster; use interval='bootstrap'."
        )
    names = names_of(action, reward, propensity, context, position, cluster)
    rows, other = target_of(target, as_pandas(log, "log"), names, limits)
    estimating = _Estimating(rows, other, model, clip, resampling)
    return estimating.result(asked, gate_of(gate), interval)


def _asked(estimators: Any) -> list[str]:
    """Return the names of estimators, each once."""
    known = (*ESTIMATORS, "Replay")
    several = [estimators] if isinstance(estimators, str) else list(estimators)
    for name in several:
        if name not in known:
            raise ParameterError(f"off_policy: there is no estimator {name!r}{hint(name, known)}")
    if not several:
        raise ParameterError("off_policy needs at least one estimator, got none.")
    return list(dict.fromkeys(several))


def _range(limits: Any) -> tuple[float, float] | None:
    if limits is None:
        return None
    try:
        low, high = (float(limit) for limit in limits)
    except (TypeError, ValueError):
        low, high = 1.0, 0.0
    if not (np.isfinite([low, high]).all() and low < high):
        raise ParameterError(
            f"off_policy: reward_range must be a smaller and a greater number, got {limits!r}."
        )
    return low, high


class _Estimating:
    """A log, a target, and everything that estimators share, made when first needed."""

    def __init__(self, log: Log, target: Target, model: Any, clip: float | None,
                 resampling: Resampling) -> None:  # fmt: skip
        self.log, self.target, self.model, self.resampling = log, target, model, resampling
        self.raw_weights = target.of_logged(log) / log.propensities
        self.weights = clipped(self.raw_weights, clip)

    @cached_property
    def cells(self) -> Cells:
        return Cells.of(self.log, len(self.target.actions))

    @cached_property
    def expected(self) -> tuple[Values, Values]:
        """What the model expects of logged actions and of the target's."""
        n_actions = len(self.target.actions)
        models = models_for(self.model, self.log, self.cells, n_actions, FOLDS)
        return cross_fitted(self.log, self.target, models, self.cells)

    @cached_property
    def tuned(self) -> dict[str, Tuned]:
        rows = self.log.rewards, self.weights, *self.expected
        return {"SwitchDR": tuned_switch(*rows), "DRos": tuned_shrinkage(*rows)}

    def contributions(self, name: str) -> Contributions:
        """Return what every row adds to an estimator."""
        rewards, weights = self.log.rewards, self.weights
        if name == "Replay":
            return replay(rewards, self._agreed())
        if name in ("IPS", "SNIPS"):
            return (ips if name == "IPS" else snips)(rewards, weights)
        if name in ("SwitchDR", "DRos"):
            return self.tuned[name].estimate
        q_logged, v_target = self.expected
        if name == "DM":
            return dm(v_target)
        return (dr if name == "DR" else sndr)(rewards, weights, q_logged, v_target)

    def _agreed(self) -> Any:
        """Draw whether the target would have done the same, row by row."""
        random = np.random.default_rng([int(self.resampling.random_state), 1])
        return random.random(len(self.log)) < self.target.of_logged(self.log)

    def impossible(self, name: str) -> str:
        """Say why an estimator cannot be had at all; empty if it can."""
        if name in _MODELLED and self.target.table is None:
            return (
                "it needs the target's probabilities of every action, and a column tells only "
                "those of logged ones"
            )
        return ""

    def unfit(self, name: str) -> str:
        """Say why an estimator is wrong for this log, though it gives a number."""
        if name == "Replay" and not uniform(self.log):
            return "replay is right only for logs in which every action was equally likely"
        return ""

    def result(self, asked: list[str], gate: OffPolicyGate | None, how: str) -> OffPolicy:
        """Estimate, make intervals, and refuse what must be refused."""
        support = support_of(self.log, self.target, self.raw_weights)
        possible = {name: self.contributions(name) for name in asked if not self.impossible(name)}
        intervals = self._intervals(possible, how)
        shared = "" if gate is None else "; ".join(refusals(support, gate))
        lines = []
        for name in asked:
            reason, found = self.impossible(name), intervals.get(name, Interval())
            if not reason and gate is not None:
                own = (self.unfit(name), refused_width(*found, gate))
                reason = shared or next((word for word in own if word), "")
            lines.append((*(Interval() if reason else found), reason))
        table = pd.DataFrame(
            lines, index=pd.Index(asked, name="estimator"),
            columns=["value", "low", "high", "refused"],
        )  # fmt: skip
        told: dict[str, Any] = {
            "effective_sample_size": support.effective,
            "effective_share": support.effective / len(self.log),
            "unlogged_mass": support.unlogged,
            "max_weight": support.max_weight,
            "mean_weight": support.mean_weight,
            "rewarded_rows": support.rewarded,
            "effective_rewarded_rows": support.effective_rewarded,
        }
        if {"SwitchDR", "DRos"} & {*possible}:
            told["switch_threshold"] = self.tuned["SwitchDR"].setting
            told["shrinkage"] = self.tuned["DRos"].setting
            told["bias"] = {name: one.bias for name, one in self.tuned.items()}
        told["counts"] = self.log.counts
        if self.target.own is not None:
            told["target_counts"] = self.target.own.counts
        kept = {name: one.influence + one.value for name, one in possible.items()}
        return OffPolicy(table, self._own_means(), told, self.resampling.confidence, kept)

    def _intervals(self, estimates: dict[str, Contributions], how: str) -> dict[str, Interval]:
        if how == "bernstein":
            return {name: self._bounded(one) for name, one in estimates.items()}
        if not estimates:
            return {}
        log, confidence = self.log, self.resampling.confidence
        drawn = bootstrap(estimates, self.resampling, log.clusters)
        found = {
            name: Interval(one.value, *edges(one, drawn[name], confidence, log.clusters))
            for name, one in estimates.items()
        }
        for name in ("SwitchDR", "DRos"):
            if name in found:
                found[name] = found[name].stretched(self.tuned[name].bias, estimates[name].variance)
        if "DM" in found:
            error = np.nan
            if self.model is None:
                error = refitted_error(log, self.target, self.cells, self.resampling)
            found["DM"] = Interval.around(found["DM"].value, error, confidence)
        return found

    def _bounded(self, estimate: Contributions) -> Interval:
        """Return an empirical Bernstein interval of what is a mean of rows."""
        if not estimate.is_mean:
            return Interval(estimate.value)
        rows = estimate.terms[0][0]
        return Interval(
            estimate.value,
            *bernstein(rows, float(rows.min()), float(rows.max()), self.resampling.confidence),
        )

    def _own_means(self) -> pd.DataFrame:
        """Return what the log earned, and what the target earned in its own."""
        logs = {"logged": self.log}
        if self.target.own is not None:
            logs["target"] = self.target.own
        found = {}
        for name, log in logs.items():
            mean = dm(log.rewards)
            drawn = bootstrap({name: mean}, self.resampling, log.clusters)[name]
            ends = edges(mean, drawn, self.resampling.confidence, log.clusters)
            found[name] = (mean.value, *ends)
        return pd.DataFrame.from_dict(found, orient="index", columns=["value", "low", "high"])
