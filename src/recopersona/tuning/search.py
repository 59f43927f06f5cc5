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
from recopersona.base.watching import Watch
from recopersona.errors import DataError
from recopersona.tuning.folds import Fold
from recopersona.tuning.pruning import place_of
from recopersona.tuning.sampling import OneTrial, Proposals, point_key
from recopersona.tuning.space import Space
from recopersona.tuning.study import TOLD, close_interrupted, finished, told

_LOOKS = 4  # at a trial while it is fitted
_PASSES = ("iterations", "epochs")
_HOPELESS = 10  # trials that fail, and none before that did not


class AllTrialsFailedError(DataError):
    """Nothing about a model could be measured."""


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
    label : str
        Of the metric.
    refit : bool
        Whether time for fitting the best on everything is set aside.
    """

    model: Recommender
    space: Space
    proposals: Proposals
    folds: Sequence[Fold]
    study: optuna.Study
    budget: Budget
    label: str
    maximize: bool
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
        said: dict[str, Any] = {"folds": [], "passes": [], "fit_s": []}
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
        model: Recommender = clone(self.model).set_params(**params)
        return model

    def _goes_on(self, trials: Sequence[FrozenTrial]) -> bool:
        self._refuse_hopeless(trials)
        if len(trials) >= self.proposals.n_points:
            return False
        if self.budget.trials is not None and len(trials) >= self.budget.trials:
            return False
        if self.budget.seconds is None or not trials:
            return True
        spent = self._spent_before + perf_counter() - self._started
        return bool(spent + _pace(trials) + self._refit_s(trials) <= self.budget.seconds)

    def _refit_s(self, trials: Sequence[FrozenTrial]) -> float:
        """Guess how long the best so far takes to be fitted on everything."""
        complete = [trial for trial in trials if trial.state == TrialState.COMPLETE]
        if not (self.refit and complete):
            return 0.0
        share = len(self.folds[-1].split.test.log) / len(self.folds[-1].split.train.log)
        return float(max(told(best_of(self.study, complete))["fit_s"]) * (1 + share))

    def _value(self, trial: Trial, said: dict[str, Any]) -> float:
        """Return the mean over folds; what is found on the way goes into ``said``."""
        model = self.fitted(self.space.values(trial.params))
        for place, fold in enumerate(self.folds):
            value, iteration = self._fold_value(model, fold, place, trial, said)
            said["folds"].append(value)
            said["passes"].append(iteration)
        return float(np.mean(said["folds"]))

    def _fold_value(
        self, model: Recommender, fold: Fold, place: int, trial: Trial, said: dict[str, Any]
    ) -> tuple[float, int]:
        """Fit on one fold and return how good the model is, and after which pass."""
        sign = 1 if self.maximize else -1
        passes, is_last = n_passes(model), place == len(self.folds) - 1
        best: list[tuple[float, int]] = []  # with patience the best so far, else the latest

        def told(iteration: int, value: float) -> None:
            if self.patience is None or not best or sign * value > sign * best[-1][0]:
                best.append((value, iteration))
            if self.prune:
                trial.report(
                    float(np.mean([*said["folds"], best[-1][0]])), place_of(place, iteration)
                )
                if not (is_last and iteration >= passes) and trial.should_prune():
                    raise optuna.TrialPruned

        watch = Watch(
            fold.value, metric=self.label, every=self._every(model), patience=self.patience,
            told=told, less_is_better=not self.maximize,
        )  # fmt: skip
        started = perf_counter()
        model.fit(fold.split.train, validation=watch)
        said["fit_s"].append(perf_counter() - started)
        return best[-1]

    def _every(self, model: Recommender) -> int:
        """Return after how many passes to measure: each where somebody is patient, else a few."""
        if self.patience is not None:
            return 1
        return -(-n_passes(model) // (_LOOKS if self.prune else 1))

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


def passes_of(model: Recommender) -> str | None:
    """Return the parameter that says how many passes a model makes, if it has one."""
    known = model.get_params(deep=False)
    return next((name for name in _PASSES if name in known), None)


def n_passes(model: Recommender) -> int:
    """Return how many passes a model makes over the data; 1 where it learns in one go."""
    name = passes_of(model)
    return 1 if name is None else int(getattr(model, name))


def refuse_all_failed(trials: Sequence[FrozenTrial]) -> None:
    """Raise for a search in which nothing could be measured."""
    failures = [told(trial)["failure"] for trial in trials if "failure" in told(trial)]
    raise AllTrialsFailedError(
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
    try:
        lines = str(problem).strip().splitlines()
    except Exception:  # noqa: BLE001 - who fails in a model may fail to say why
        lines = []
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
