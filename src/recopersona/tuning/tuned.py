"""What a search found: the model, how sure it is of its parameters, and every trial."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from html import escape
from typing import Any

import optuna
import pandas as pd
from optuna.importance import FanovaImportanceEvaluator
from optuna.trial import FrozenTrial, TrialState

from recopersona.base.recommender import Recommender
from recopersona.tuning.pruning import pass_at
from recopersona.tuning.space import Space
from recopersona.tuning.study import finished, told

_STATES = {TrialState.COMPLETE: "complete", TrialState.PRUNED: "pruned", TrialState.FAIL: "failed"}


@dataclass(frozen=True, eq=False, repr=False)
class Tuned:
    """The best model that a search found, and how it was found.

    Attributes
    ----------
    model : Recommender
        With the best parameters, fitted on all data unless ``refit=False``.
    params : dict
        The searched parameters, as ``set_params`` takes them.
    score : float
        Mean of the metric over the folds.
    metric : str
        Such as ``"ndcg@10"``.
    study : optuna.Study
        For everything else that Optuna offers.
    counts : dict
        Trials by how they ended, and what else was noticed.
    others : dict from name to Tuned
        Where several models were searched, what was found of each; of the others than the best,
        the models are unfitted.
    failed : dict from name to str
        Of those several models, which had no trial that did not fail, and why.

    Examples
    --------
    >>> from recopersona.datasets.synthetic import synthetic_shop
    >>> from recopersona.models.neighbors import ItemKNN
    >>> from recopersona.tuning.tune import tune
    >>> shop = synthetic_shop(200, 50, random_state=7)
    >>> found = tune(ItemKNN(), shop, trials=4, space={"k": [5, 20], "shrink": [0.0, 10.0]})
    >>> found.trials[["state", "k", "shrink"]].drop_duplicates().shape
    (4, 3)
    >>> found.importances.columns.tolist(), found.counts["complete"]
    (['importance'], 4)
    """

    model: Recommender
    params: Mapping[str, Any]
    score: float
    metric: str
    study: optuna.Study
    counts: Mapping[str, int]
    space: Space = field(repr=False)
    others: Mapping[str, Tuned] = field(default_factory=dict)
    failed: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def trials(self) -> pd.DataFrame:
        """One row per trial: how it ended, what it was worth, on each fold, and what was tried.

        ``passes`` says after how many passes over the data it was measured, ``seconds`` how long
        the whole trial took, ``failure`` why there is no value. A pruned trial has the value at
        which it was given up.
        """
        rows = []
        for number, trial in enumerate(finished(self.study)):
            known = told(trial)
            rows.append({
                "trial": number,
                "state": _STATES[trial.state],
                self.metric: trial.value,
                **self.space.values(trial.params),
                "passes": _passes(trial),
                **{f"fold {n}": value for n, value in enumerate(known.get("folds", ()), 1)},
                "seconds": known.get("seconds"),
                "failure": known.get("failure"),
            })  # fmt: skip
        return pd.DataFrame(rows).set_index("trial")

    @cached_property
    def importances(self) -> pd.DataFrame:
        """How much each parameter mattered: its share of the variance of the metric.

        Of the trials that were complete, by functional analysis of variance; NaN where they are
        too few or all alike.

        References
        ----------
        Hutter, Hoos & Leyton-Brown (2014), "An efficient approach for assessing hyperparameter
        importance", section 3.
        """
        shares = dict.fromkeys(self.space.searched, float("nan"))
        values = {t.value for t in finished(self.study) if t.state == TrialState.COMPLETE}
        if len(values) > 1 and self.space.n_points > 1:
            evaluator = FanovaImportanceEvaluator(seed=0)
            shares |= optuna.importance.get_param_importances(self.study, evaluator=evaluator)
        table = pd.DataFrame({"importance": pd.Series(shares, dtype=float)})
        table.index.name = "parameter"
        return table.sort_values("importance", ascending=False, kind="stable")

    def report(self) -> str:
        """Return what was found, in a few lines to print.

        Examples
        --------
        >>> from recopersona.datasets.synthetic import synthetic_shop
        >>> from recopersona.models.neighbors import ItemKNN
        >>> from recopersona.tuning.tune import tune
        >>> found = tune(ItemKNN(), synthetic_shop(200, 50, random_state=7), trials=4)
        >>> print(found.report())
        ItemKNN...
        """
        lines = [self._headline(), *self._found(), *self._noticed()]
        lines += [f"{name}: {other._headline()}" for name, other in self.others.items()]
        lines += [f"{name}: {why}" for name, why in self.failed.items()]
        return "\n".join(lines)

    def __repr__(self) -> str:
        n = self.counts["trials"]
        return f"Tuned({self.model!r}, {self.metric}={self.score:.4f}, trials={n})"

    def _repr_html_(self) -> str:
        noticed = "".join(f"<p>{escape(line)}</p>" for line in self._noticed())
        return f"<p>{escape(self._headline())}</p>{self._parameters().to_html()}{noticed}"

    def _headline(self) -> str:
        kind = type(self.model).__name__
        first = self.trials.iloc[0]
        before = "" if pd.isna(first[self.metric]) else f", {first[self.metric]:.4f} at first"
        return f"{kind}: {self.metric} {self.score:.4f}{before}"

    def _parameters(self) -> pd.DataFrame:
        shares = self.importances["importance"]
        first = self.trials.iloc[0]
        return pd.DataFrame(
            {
                "best": [self.params[name] for name in shares.index],
                "first": [first[name] for name in shares.index],
                "importance": shares.round(3),
            },
            index=shares.index,
            dtype=object,
        )

    def _found(self) -> list[str]:
        return self._parameters().to_string().splitlines() if self.params else []

    def _noticed(self) -> list[str]:
        said = ", ".join(
            f"{count:,} {what.replace('_', ' ')}" for what, count in self.counts.items() if count
        )
        failures = self.trials["failure"].dropna()
        lines = [said]
        if len(failures):
            lines.append(f"first failure: {failures.iloc[0]}")
        return lines


def _passes(trial: FrozenTrial) -> int | None:
    """Return after which pass the value was taken: the latest of any fold, or where it was cut."""
    if trial.state == TrialState.PRUNED and trial.last_step is not None:
        return pass_at(trial.last_step)
    return max(told(trial).get("passes", ()), default=None)
