"""Search a model's parameters in one call, and fit the best on everything."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf
from time import perf_counter
from typing import Any

import numpy as np
from optuna.trial import TrialState

from recopersona.base.nested import named
from recopersona.base.parameters import Bound, check, one_of, optional, real, seed, switch, whole
from recopersona.base.progress import progress as with_bar
from recopersona.base.recommender import Recommender
from recopersona.errors import ParameterError
from recopersona.tuning.folds import Fold, Measure, fingerprint, validation_splits
from recopersona.tuning.pruning import BehindHalf
from recopersona.tuning.sampling import SEARCHES
from recopersona.tuning.search import (
    AllTrialsFailedError,
    Budget,
    Search,
    best_of,
    counted,
    passes_of,
    refuse_all_failed,
)
from recopersona.tuning.space import read_space, written
from recopersona.tuning.study import finished, open_study, quiet, require_own, told
from recopersona.tuning.tuned import Tuned

_TRIALS = 50  # where no budget is given


def tune(
    model: Recommender | Iterable[Recommender] | Mapping[str, Recommender],
    data: Any,
    *,
    metric: Any = "ndcg",
    k: int = 10,
    trials: int | None = None,
    seconds: float | None = None,
    search: str = "tpe",
    space: Mapping[str, Any] | None = None,
    split: Any = None,
    folds: int = 1,
    prune: bool = True,
    patience: int | None = None,
    storage: Any = None,
    name: str | None = None,
    refit: bool = True,
    seen: Any = "drop",
    maximize: bool | None = None,
    random_state: Any = 0,
    progress: bool = True,
) -> Tuned:
    """Search for a model's best parameters, and fit it with them on all of the data.

    The first trial is the model as it is given (or the point of the space next to it), so the
    result is never worse than that on what it is judged by. What is tried follows from the seed and
    the trials before: a longer search begins with the trials of a shorter one.

    Parameters
    ----------
    model : Recommender, list of them, or mapping from name to Recommender
        It stays as it is; clones are fitted. Several share the budget evenly, and the best is
        returned, see `Tuned.others`.
    data : Dataset, events frame or Split
        Parameters are judged by what is held out of it: of a dataset, the last fifth of its events,
        or without times a fifth of the (user, item) pairs; of a split, its test part.
    metric : str, or function (fitted model, split) -> number
        Name of a metric, see `evaluate`.
    k : int, at least 1
        Length of the lists.
    trials : int, at least 1, optional
        So many in all, those of an earlier process included; 50 where ``seconds`` are not given
        either, of a grid all points.
    seconds : float, above 0, optional
        Of the search and of the last fit; no trial is begun that would likely end later.
    search : "tpe", "random" or "grid"
        Towards where good trials lie close, anywhere, or all combinations in a drawn order, of
        ranges three values each.
    space : mapping from a parameter's name to where to look, optional
        By default what the model declares, see `search_space`. What is given is searched and
        nothing else: ``{"factors": choice(16, 32), "als__reg": real_range(0.01, 1, log=True)}``.
        Tuples ``(low, high)`` and ``(low, high, "log")`` are ranges, lists are choices.
    split : Split, list of them, function (dataset) -> those, duration, share or moment, optional
        What to judge by instead; a duration, a share or a moment as in `split_by_time`.
    folds : int, at least 1
        So many parts are held out one after the other, each to be foreseen from what came before;
        the metric is their mean.
    prune : bool
        Give a trial up where it falls behind the median of those before it.
    patience : int, at least 1, optional
        Stop an iterative model that so many passes make no better, and go back to its best pass.
    storage : path, URL or Optuna storage, optional
        Where trials are kept, such as ``"study.db"`` (SQLite). The same call goes on where it was
        stopped or killed, with the trials it would have had.
    name : str, optional
        Of the study in the storage; by default the model's class.
    refit : bool
        Whether to fit the best on all data.
    seen : "drop", "keep" or a list of event types
        As in `Recommender.recommend`.
    maximize : bool, optional
        False where the metric is to be small; by default what is better by the metric's name, and
        True for a function.
    random_state : int, RandomState or None
        Of the search.
    progress : bool
        Show a bar on standard error, where that is a terminal.

    Returns
    -------
    Tuned

    Raises
    ------
    ParameterError
        If an argument is out of its bounds, or the storage holds another search of this name.
    DataError
        If nothing can be held out, the storage cannot be used, or all trials fail, of several
        models those of all; single failures are counted and named.

    References
    ----------
    Akiba et al. (2019), "Optuna: a next-generation hyperparameter optimization framework".

    Examples
    --------
    >>> from recopersona.base.searching import choice, whole_range
    >>> from recopersona.datasets.synthetic import synthetic_shop
    >>> from recopersona.models.neighbors import ItemKNN
    >>> shop = synthetic_shop(200, 50, random_state=7)
    >>> space = {"k": whole_range(2, 50, log=True), "similarity": choice("cosine", "jaccard")}
    >>> found = tune(ItemKNN(), shop, space=space, trials=8)
    >>> sorted(found.params), found.counts["trials"]
    (['k', 'similarity'], 8)
    >>> len(found.model.recommend("u-0001", n=3))
    3
    """
    models = _named(model)
    _check(k, trials, seconds, search, prune, patience, refit, maximize, progress, name)
    started = perf_counter()
    whole_data, splits = validation_splits(data, split, folds)
    measure = Measure.of(metric, k, _fixed(seen), maximize)
    plan = _Plan(
        [Fold(one, measure) for one in splits], fingerprint(splits), measure, search,
        prune, patience, storage, refit, _seed(random_state), progress,
    )  # fmt: skip
    found: dict[str, Tuned] = {}
    failed: dict[str, str] = {}
    with quiet():
        for place, (label, one) in enumerate(models.items()):
            n_left = len(models) - place
            budget = _share(trials, seconds, place, len(models), n_left, perf_counter() - started)
            called = label if name is None else name if len(models) == 1 else f"{name} {label}"
            try:
                found[label] = _searched(
                    one, _own_space(space, models, label), budget, called, plan
                )
            except AllTrialsFailedError as problem:
                if place == len(models) - 1 and not found:
                    raise
                failed[label] = str(problem)
    sign = 1 if measure.maximize else -1
    best = max(found.values(), key=lambda tuned: sign * tuned.score)
    if refit:
        # A search may take hours: whoever withdrew meanwhile is not learned from any more.
        best.model.fit(replace(whole_data, cleared=False))
    return replace(best, others=found, failed=failed) if len(models) > 1 else best


@dataclass(frozen=True, eq=False)
class _Plan:
    """What all models are searched by."""

    folds: Sequence[Fold]
    data: str
    measure: Measure
    search: str
    prune: bool
    patience: int | None
    storage: Any
    refit: bool
    seed: int
    progress: bool

    def asked(self, model: Recommender, space: Mapping[str, str]) -> dict[str, Any]:
        """Return what a study is of, as JSON holds it: another one is another search."""
        fixed = {
            name: written(value)
            for name, value in model.get_params().items()
            if name not in space and not hasattr(value, "get_params") and "__" not in name
        }
        return {
            "model": type(model).__name__, "parameters": fixed, "space": dict(space),
            "metric": self.measure.label, "maximize": self.measure.maximize,
            "seen": self.measure.seen, "splits": [fold.split.name for fold in self.folds],
            "data": self.data, "search": self.search, "prune": self.prune,
            "patience": self.patience, "random_state": self.seed,
        }  # fmt: skip


def _searched(model: Recommender, said: Any, budget: Budget, name: str, plan: _Plan) -> Tuned:
    """Search the parameters of one model; it comes back with the best, unfitted."""
    space = read_space(model, said)
    proposals = SEARCHES[plan.search](space, space.nearest(model.get_params()), plan.seed)
    if budget.trials is None and budget.seconds is None and plan.search != "grid":
        budget = replace(budget, trials=_TRIALS)
    study = open_study(
        plan.storage, name, plan.asked(model, space.written()), plan.measure.maximize
    )
    require_own(study, space.distributions, plan.storage)
    study.pruner = BehindHalf()
    run = Search(
        model, space, proposals, plan.folds, study, budget, plan.measure.label,
        plan.measure.maximize, plan.prune, plan.patience, plan.refit,
    )  # fmt: skip
    run.begin()
    total = min(proposals.n_points, inf if budget.trials is None else budget.trials)
    numbers = run.numbers()
    if plan.progress:
        numbers = with_bar(numbers, f"tuning {name}", None if total == inf else int(total))
    for number in numbers:
        run.run(number)
    complete = [trial for trial in finished(study) if trial.state == TrialState.COMPLETE]
    if not complete:
        refuse_all_failed(finished(study))
    best = best_of(study, complete)
    params = space.values(best.params)
    counts = counted(study) | _points(proposals.n_points, len(finished(study)))
    tuned = run.fitted(params)
    if plan.patience is not None and (passes := passes_of(tuned)) is not None:
        params[passes] = round(float(np.median(told(best)["passes"])))
        tuned.set_params(**{passes: params[passes]})
    return Tuned(tuned, params, float(best.value or 0.0), plan.measure.label, study, counts, space)


def _points(n_points: float, n_tried: int) -> dict[str, int]:
    """Say how much of a space with finitely many points was tried."""
    if n_points == inf:
        return {}
    return {"points": int(n_points), "points_not_tried": max(0, int(n_points) - n_tried)}


def _check(
    k: Any, trials: Any, seconds: Any, search: Any, prune: Any, patience: Any, refit: Any,
    maximize: Any, progress: Any, name: Any,
) -> None:  # fmt: skip
    text = optional(Bound("text", lambda value: isinstance(value, str) and bool(value)))
    for given, bound, what in (
        (k, whole(at_least=1), "k"),
        (trials, optional(whole(at_least=1)), "trials"),
        (seconds, optional(real(above=0)), "seconds"),
        (search, one_of(*SEARCHES), "search"),
        (prune, switch(), "prune"),
        (patience, optional(whole(at_least=1)), "patience"),
        (refit, switch(), "refit"),
        (maximize, optional(switch()), "maximize"),
        (progress, switch(), "progress"),
        (name, text, "name"),
    ):
        check(given, bound, "tune", what)


def _named(models: Any) -> dict[str, Recommender]:
    """Return models by name; those without one are called like their class."""
    given = models.values() if isinstance(models, Mapping) else models
    listed = list(given) if isinstance(given, Iterable) else [given]
    for one in listed:
        if not isinstance(one, Recommender):
            fix = f"; write {one.__name__}()" if isinstance(one, type) else ""
            raise ParameterError(f"tune needs a model, got {one!r}{fix}.")
    if not listed:
        raise ParameterError("tune needs at least one model, got none.")
    if isinstance(models, Mapping):
        return {str(name): model for name, model in models.items()}
    return dict(named(listed, "tune")) if len(listed) > 1 else {type(listed[0]).__name__: listed[0]}


def _own_space(space: Any, models: Mapping[str, Recommender], label: str) -> Any:
    """Return the part of a space that is of one model: of several, each by its name."""
    if space is None or len(models) == 1:
        return space
    if not isinstance(space, Mapping) or not set(space) <= set(models):
        raise ParameterError(
            "tune: for several models, space is a mapping from a model's name to its space; the "
            f"names are {', '.join(models)}, got {space!r}."
        )
    return space.get(label)


def _share(
    trials: int | None, seconds: float | None, place: int, n: int, n_left: int, spent: float
) -> Budget:
    """Give each model its part of the budget; what one leaves of the seconds goes to the next."""
    of_trials = None
    if trials is not None:
        of_trials = max(1, trials * (place + 1) // n - trials * place // n)
    return Budget(of_trials, None if seconds is None else max(seconds - spent, 0.0) / n_left)


def _fixed(seen: Any) -> Any:
    return seen if isinstance(seen, str) or not isinstance(seen, Iterable) else list(seen)


def _seed(random_state: Any) -> int:
    check(random_state, seed(), "tune", "random_state")
    if isinstance(random_state, np.random.RandomState):
        return int(random_state.randint(0, 2**31))
    if random_state is None:
        return int(np.random.SeedSequence().generate_state(1)[0])
    return int(random_state)
