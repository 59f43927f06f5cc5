"""A log and a target, and everything that estimators share, made when it is first needed."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from recopersona.data.types import Mask, Values
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
    refusals,
    refused_width,
    support_of,
    uniform,
)
from recopersona.evaluation.offpolicy.intervals import Interval, bernstein, bootstrap, edges
from recopersona.evaluation.offpolicy.log import Log
from recopersona.evaluation.offpolicy.refits import refitted_error
from recopersona.evaluation.offpolicy.result import OffPolicy
from recopersona.evaluation.offpolicy.rewards import FOLDS, Cells, cross_fitted, models_for
from recopersona.evaluation.offpolicy.targets import Target
from recopersona.evaluation.offpolicy.tuning import Binned, Tuned, tuned_shrinkage, tuned_switch

ESTIMATORS = ("DM", "IPS", "SNIPS", "DR", "SNDR", "SwitchDR", "DRos")
"""What is estimated unless other estimators are named; there is ``Replay`` as well."""

_MODELLED = ("DM", "DR", "SNDR", "SwitchDR", "DRos")


class Estimating:
    """What `off_policy` works on.

    Parameters
    ----------
    log : Log
    target : Target
    model : scikit-learn estimator, optional
    clip : float, optional
    limits : (float, float), optional
        Of rewards.
    resampling : Resampling
    """

    def __init__(
        self,
        log: Log,
        target: Target,
        model: Any,
        clip: float | None,
        limits: tuple[float, float] | None,
        resampling: Resampling,
    ) -> None:
        self.log, self.target, self.model, self.resampling = log, target, model, resampling
        self.limits = limits
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
        binned = Binned.of(*rows)
        return {"SwitchDR": tuned_switch(binned, *rows), "DRos": tuned_shrinkage(binned, *rows)}

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

    def _agreed(self) -> Mask:
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
            found = intervals.get(name, Interval())
            reason = self.impossible(name) or shared
            if gate is not None and not reason:
                reason = self.unfit(name) or refused_width(*found, gate)
            lines.append((*(Interval() if reason else found), reason))
        columns = ["value", "low", "high", "refused"]
        return OffPolicy(
            pd.DataFrame(lines, index=pd.Index(asked, name="estimator"), columns=columns),
            self._own_means(),
            {**support.told(len(self.log)), **self._settings(possible), **self._counts()},
            self.resampling.confidence,
            {name: one.rows for name, one in possible.items()},
        )

    def _settings(self, estimates: dict[str, Contributions]) -> dict[str, Any]:
        if not {"SwitchDR", "DRos"} & {*estimates}:
            return {}
        return {
            "switch_threshold": self.tuned["SwitchDR"].setting,
            "shrinkage": self.tuned["DRos"].setting,
            "bias": {name: one.bias for name, one in self.tuned.items()},
        }

    def _counts(self) -> dict[str, dict[str, int]]:
        own = self.target.own
        counts = {"counts": self.log.counts}
        return counts if own is None else {**counts, "target_counts": own.counts}

    def _intervals(self, estimates: dict[str, Contributions], how: str) -> dict[str, Interval]:
        if how == "bernstein":
            return {name: self._bounded(name, one) for name, one in estimates.items()}
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
                found[name] = _doubted(found[name], self.tuned[name], confidence)
        if "DM" in found:
            error = np.nan
            if self.model is None:
                error = refitted_error(log, self.target, self.cells, self.resampling)
            found["DM"] = Interval.around(found["DM"].value, error, confidence)
        return found

    def _bounded(self, name: str, estimate: Contributions) -> Interval:
        """Return an empirical Bernstein interval of what is an unbiased mean of rows."""
        if name not in ("IPS", "DR") or self.limits is None or len(self.log) < 2:
            return Interval(estimate.value)
        (low, high), most = self.limits, float(self.weights.max())
        if name == "IPS":
            ends = min(0.0, most * low), max(0.0, most * high)
        else:
            ends = low - most * (high - low), high + most * (high - low)
        rows = estimate.terms[0][0]
        return Interval(estimate.value, *bernstein(rows, *ends, self.resampling.confidence))

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


def _doubted(alone: Interval, tuned: Tuned, confidence: float) -> Interval:
    """Return the interval of a tuned estimate with what may be wrong with its model."""
    if alone.low < alone.high:
        return alone.stretched(float(np.sqrt(tuned.doubt / tuned.estimate.variance)))
    return Interval.around(alone.value, float(np.sqrt(tuned.doubt)), confidence)
