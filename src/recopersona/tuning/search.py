"""One search: trial after trial, until the budget is spent or every point was tried."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

import numpy as np
import optuna
from optuna.trial import FrozenTrial, Trial, TrialState
from sklearn.base import clone

from recopersona.base.recommender import Recommender
from recopersona.errors import DataError
from recopersona.tuning.folds import Fold
from recopersona.tuning.pruning import place_of
from recopersona.tuning.sampling import OneTrial, Proposals, point_key
from recopersona.tuning.space import Space
from recopersona.tuning.study import TOLD, close_interrupted, finished, told

_HOPELESS = 10  # trials that fail, and none before that did not


@dataclass(frozen=True, eq=False)
class Budget:
    """How long a search may go on, over all the times it is taken up.

    trials   how many, or None
    seconds  of search and refit together, or None
    """

    trials: int | None
    seconds: float | None


@dataclass(eq=False)
class Search:
    """A model, where to look for its parameters, and what they are judged by.

    Attributes
    ----------
    refit : bool
        Whether time for fitting the best on everything is set aside.
    """

    model: Recommender
    space: Space
    proposals: Proposals
    folds: Sequence[Fold]
    study: optuna.Study
    budget: Budget
    prune: bool
    patience: int | None
    refit: bool
    _started: float = field(default_factory=perf_counter)

    def begin(self) -> None:
        """Take up where an earlier process left off."""
        close_interrupted(self.study)
        self._spent_before = sum(told(trial).get("seconds", 0.0) for trial in finished(self.study))

    def numbers(self) -> Iterator[int]:
        """Number the trials that are left, until the budget is spent."""
        while self._goes_on(trials := finished(self.study)):
            yield len(trials)

    def run(self, number: int) -> None:
        """Try one point."""
        tried = {point_key(trial.params) for trial in finished(self.study)}
        self.study.sampler = OneTrial(self.proposals, self.space, number, tried)
        trial = self.study.ask(self.space.distributions)
        said: dict[str, Any] = {"folds": [], "fit_s": []}
        started, value = perf_counter(), None
        try:
            value, state = self._value(trial, said), TrialState.COMPLETE
        except optuna.TrialPruned:
            state = TrialState.PRUNED
        except Exception as problem:  # noqa: BLE001 - whatever fails in a model, the study survives
            said["failure"], state = failure_of(problem), TrialState.FAIL
        trial.set_user_attr(TOLD, {**said, "seconds": perf_counter() - started})
        self._tell(trial, value, state)

    def fitted(self, params: Mapping[str, Any]) -> Recommender:
        """Return a clone with other parameters."""
        return clone(self.model).set_params(**params)

    def _goes_on(self, trials: Sequence[FrozenTrial]) -> bool:
        self._refuse_hopeless(trials)
        if len(trials) >= self.proposals.n_points:
            return False
        if self.budget.trials is not None and len(trials) >= self.budget.trials:
            return False
        if self.budget.seconds is None or not trials:
            return True
        spent = self._spent_before + perf_counter() - self._started
        return spent + _pace(trials) + self._refit_s(trials) <= self.budget.seconds

    def _refit_s(self, trials: Sequence[FrozenTrial]) -> float:
        """Guess how long the best so far takes to be fitted on everything."""
        complete = [trial for trial in trials if trial.state == TrialState.COMPLETE]
        if not (self.refit and complete):
            return 0.0
        share = len(self.folds[-1].split.test.log) / len(self.folds[-1].split.train.log)
        return max(told(best_of(self.study, complete))["fit_s"]) * (1 + share)

    def _value(self, trial: Trial, said: dict[str, Any]) -> float:
        """Return the mean over folds; what is found on the way goes into ``said``."""
        model = self.fitted(self.space.values(trial.params))
        for place, fold in enumerate(self.folds):
            started = perf_counter()
            model.fit(fold.split.train)
            said["fit_s"].append(perf_counter() - started)
            value = fold.value(model)
            if not np.isfinite(value):
                raise DataError(f"the metric of fold {place + 1} is {value}")
            said["folds"].append(value)
            mean = float(np.mean(said["folds"]))
            if len(self.folds) > 1:
                self._report(trial, mean, place_of(place))
        return mean

    def _report(self, trial: Trial, value: float, place: int) -> None:
        trial.report(value, place)
        if self.prune and trial.should_prune():
            raise optuna.TrialPruned

    def _tell(self, trial: Trial, value: float | None, state: TrialState) -> None:
        try:
            self.study.tell(trial, value, state)
        except (ValueError, RuntimeError) as problem:
            raise DataError(
                f"tune: another process took up the study {self.study.study_name!r} at the same "
                "time; give each its own name or storage."
            ) from problem

    def _refuse_hopeless(self, trials: Sequence[FrozenTrial]) -> None:
        n_failed = sum(trial.state == TrialState.FAIL for trial in trials)
        if n_failed == len(trials) >= min(_HOPELESS, self.proposals.n_points):
            refuse_all_failed(trials)


def refuse_all_failed(trials: Sequence[FrozenTrial]) -> None:
    """Raise for a search in which nothing could be measured."""
    failures = [told(trial)["failure"] for trial in trials if "failure" in told(trial)]
    raise DataError(
        f"tune: all {len(trials)} trials failed, the first with {failures[0]}"
        if failures
        else "tune: no trial came to its end; give more trials or seconds."
    )


def best_of(study: optuna.Study, trials: Sequence[FrozenTrial]) -> FrozenTrial:
    """Return the best trial, the earliest of equal ones."""
    sign = -1 if study.direction == optuna.study.StudyDirection.MAXIMIZE else 1
    return min(trials, key=lambda trial: (sign * (trial.value or 0.0), trial.number))


def failure_of(problem: Exception) -> str:
    """Return what went wrong, in one line."""
    lines = str(problem).strip().splitlines()
    return f"{type(problem).__name__}: {lines[0]}" if lines else type(problem).__name__


def counted(study: optuna.Study) -> dict[str, int]:
    """Return how many trials there are of each kind."""
    trials = finished(study)
    states = Counter(trial.state.name.lower() for trial in trials)
    return {
        "trials": len(trials),
        "complete": states["complete"],
        "pruned": states["pruned"],
        "failed": states["fail"],
        "interrupted": len(study.get_trials(deepcopy=False)) - len(trials),
    }


def _pace(trials: Sequence[FrozenTrial]) -> float:
    """Guess how long the next trial takes: as long as those before on average."""
    return float(np.mean([told(trial).get("seconds", 0.0) for trial in trials]))
