"""What all models reached on all splits: every user's values, to be averaged and compared."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextvars import copy_context
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from recopersona.base.parameters import Bound, check, one_of, whole
from recopersona.base.progress import progress as with_bar
from recopersona.base.recommender import Recommender
from recopersona.data.ids import IdMap
from recopersona.data.types import Array, Id, Values
from recopersona.errors import DataError, ParameterError
from recopersona.evaluation.metrics import Asked, Known, asked_metrics
from recopersona.evaluation.relevance import relevant_items
from recopersona.evaluation.segments import segments_of
from recopersona.evaluation.splits import Split
from recopersona.evaluation.trial import Failure, Job, Trial, try_model
from recopersona.kernels.blocks import one_blas_thread, thread_count

MANY = Bound(
    "an integer of at least 1, or -1 for one per core",
    lambda value: value == -1 or whole(at_least=1).holds(value),
)


@dataclass(frozen=True, eq=False)
class Results:
    """Values of every model for every user, models in their order, and what they cost.

    models    names; those that failed are not among them
    asked     the metrics, at their cut-offs
    values    label -> float64 (n_models, n_rows), a row per user and split; NaN where undefined
    overall   label -> float64 (n_models,), means over splits
    users     int (n_rows,), the same number for the same user
    costs     a row per model: fit_s, ms_per_answer, peak_mb
    segments  text (n_rows,), or None where nobody asked for any
    failed    name -> what was raised
    counts    who was evaluated and who was not, and what is odd about models' answers
    splits    their names
    """

    models: tuple[str, ...]
    asked: tuple[Asked, ...]
    values: Mapping[str, Values]
    overall: Mapping[str, Values]
    users: Array
    costs: pd.DataFrame
    segments: Array | None
    failed: Mapping[str, str]
    counts: Mapping[str, Any]
    splits: tuple[str, ...]

    @property
    def labels(self) -> list[str]:
        """Metrics with a value per user."""
        return [one.label for one in self.asked if one.per_user]

    @property
    def n_users(self) -> int:
        """Different users evaluated."""
        return int(self.users.max()) + 1


def results_of(
    owner: str,
    models: Any,
    split: Any,
    *,
    k: Any,
    metrics: Any,
    seen: Any,
    by: Any,
    errors: Any,
    n_jobs: Any,
    progress: bool,
) -> Results:
    """Check the arguments of a public function, and try all models on all splits."""
    named = named_models(models, owner)
    jobs = jobs_of(owner, as_splits(split, owner), k, metrics, seen)
    segments = None
    if by is not None:
        segments = np.concatenate([segments_of(by, job.split, job.task.user_ids) for job in jobs])
    trials = run_trials(owner, named, jobs, n_jobs, errors, progress)
    return _gathered(trials, jobs, segments)


def jobs_of(owner: str, splits: Sequence[Split], k: Any, metrics: Any, seen: Any) -> list[Job]:
    """Check what is to be measured, and find out what there is to find on every split."""
    asked = asked_of(owner, k, metrics)
    if not isinstance(seen, str) and isinstance(seen, Iterable):
        seen = tuple(seen)
    return [Job(one, relevant_items(one, seen), Known(one.train), asked, seen) for one in splits]


def asked_of(owner: str, k: Any, metrics: Any) -> tuple[Asked, ...]:
    """Check cut-offs and metrics."""
    cut_offs = list(k) if _is_many(k) else [k]
    for cut_off in cut_offs:
        check(cut_off, whole(at_least=1), owner, "k")
    return asked_metrics(metrics, cut_offs)


def run_trials(
    owner: str,
    named: Mapping[str, Recommender],
    jobs: Sequence[Job],
    n_jobs: Any,
    errors: Any,
    progress: bool,
) -> dict[str, list[Trial | Failure]]:
    """Try every model on every split, ``n_jobs`` of them at once; return models in their order.

    Threads, not processes: kernels and BLAS let go of the interpreter, the training data are there
    once for all, and a model of a notebook need not be sent anywhere. A trial keeps values and
    drops the model, so no more than ``n_jobs`` fitted models are alive. BLAS works with one thread
    throughout: with more, a model that begins or ends would change how another's sums are rounded.
    """
    check(errors, one_of("raise", "record"), owner, "errors")
    check(n_jobs, MANY, owner, "n_jobs")
    n_jobs = thread_count() if n_jobs == -1 else n_jobs
    pairs = [(name, job) for name in named for job in range(len(jobs))]
    watch: Callable[..., Any] = with_bar if progress else lambda steps, *_: steps
    alone = n_jobs == 1 or len(pairs) == 1

    def attempt(name: str, place: int) -> Trial | Failure:
        inner = watch if alone else lambda steps, *_: steps
        try:
            return try_model(name, named[name], jobs[place], alone=alone, watch=inner)
        except Exception as problem:
            if errors == "raise":
                raise
            return Failure(f"{type(problem).__name__}: {problem}")

    with one_blas_thread():
        done = _one_by_one(attempt, pairs) if alone else _at_once(attempt, pairs, n_jobs)
        found = dict(watch(done, "evaluating", len(pairs)))
    return {name: [found[name, job] for job in range(len(jobs))] for name in named}


Attempt = Callable[[str, int], "Trial | Failure"]
Done = Iterator[tuple[tuple[str, int], "Trial | Failure"]]


def _one_by_one(attempt: Attempt, pairs: Sequence[tuple[str, int]]) -> Done:
    for pair in pairs:
        yield pair, attempt(*pair)


def _at_once(attempt: Attempt, pairs: Sequence[tuple[str, int]], n_jobs: int) -> Done:
    """Yield trials as they end; the first error cancels those not yet begun."""
    with ThreadPoolExecutor(n_jobs, "recopersona-trial") as pool:
        running: dict[Future[Any], tuple[str, int]] = {
            # A limit on threads holds for the trials of whoever set it.
            pool.submit(copy_context().run, partial(attempt, *pair)): pair
            for pair in pairs
        }
        try:
            for future in as_completed(running):
                yield running[future], future.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def named_models(models: Any, owner: str) -> dict[str, Recommender]:
    """Return models by name: a mapping's or pair's own, else the class's, numbered if repeated."""
    if isinstance(models, Mapping):
        given = [(str(name), model) for name, model in models.items()]
    else:
        given = [_pair(model) for model in (list(models) if _is_many(models) else [models])]
    named: dict[str, Recommender] = {}
    for name, model in given:
        if not isinstance(model, Recommender):
            fix = f"; write {model.__name__}()" if isinstance(model, type) else ""
            raise ParameterError(f"{owner} needs recommenders, got {model!r}{fix}.")
        if name in named:
            raise ParameterError(f"{owner}: two models are called '{name}'; give each its name.")
        named[name or _free_name(type(model).__name__, named)] = model
    if not named:
        raise ParameterError(f"{owner} needs at least one model, got none.")
    return named


def _pair(model: Any) -> tuple[str, Any]:
    """Read a (name, model) pair; a model alone has no name yet."""
    is_pair = isinstance(model, tuple) and len(model) == 2 and isinstance(model[0], str)
    return model if is_pair else ("", model)


def _free_name(kind: str, taken: Iterable[str]) -> str:
    name, number = kind, 1
    while name in taken:
        number += 1
        name = f"{kind} {number}"
    return name


def as_splits(split: Any, owner: str) -> list[Split]:
    """Return one or several splits as a list."""
    splits = [split] if isinstance(split, Split) else list(split) if _is_many(split) else []
    if not splits or not all(isinstance(one, Split) for one in splits):
        wrong = next((one for one in splits if not isinstance(one, Split)), None)
        got = type(split).__name__ + ("" if wrong is None else f" with {type(wrong).__name__}")
        raise ParameterError(
            f"{owner} needs a Split or a list of them, got {got}; "
            "make one with split_by_time(dataset)."
        )
    return splits


def _is_many(value: Any) -> bool:
    return isinstance(value, Iterable) and not isinstance(value, (str, pd.DataFrame))


def _gathered(
    trials: Mapping[str, Sequence[Trial | Failure]], jobs: Sequence[Job], segments: Array | None
) -> Results:
    """Put the trials of all splits behind one another; leave models that failed out."""
    failed = {
        name: next(run.words for run in runs if isinstance(run, Failure))
        for name, runs in trials.items()
        if any(isinstance(run, Failure) for run in runs)
    }
    kept = {
        name: [run for run in runs if isinstance(run, Trial)]
        for name, runs in trials.items()
        if name not in failed
    }
    if not kept:
        told = "; ".join(f"{name}: {words}" for name, words in failed.items())
        raise DataError(f"no model could be evaluated ({told}).")
    asked = jobs[0].asked
    users = _numbered([job.task.user_ids for job in jobs])
    values = {
        one.label: np.stack(
            [np.concatenate([run.measured.per_user[one.label] for run in runs])
             for runs in kept.values()]
        )
        for one in asked
        if one.per_user
    }  # fmt: skip
    overall = {
        one.label: np.array(
            [np.mean([run.measured.overall[one.label] for run in runs]) for runs in kept.values()]
        )
        for one in asked
        if not one.per_user
    }
    costs = pd.DataFrame(
        {
            "fit_s": [np.mean([run.fit_s for run in runs]) for runs in kept.values()],
            "ms_per_answer": [
                1_000 * sum(run.answer_s for run in runs) / len(users) for runs in kept.values()
            ],
            "peak_mb": [max(run.peak_mb for run in runs) for runs in kept.values()],
        },
        index=pd.Index(kept, name="model"),
    )
    counts = {**_summed_counts(jobs), **_oddities(kept)}
    names = tuple(job.split.name for job in jobs)
    return Results(
        tuple(kept), asked, values, overall, users, costs, segments, failed, counts, names
    )


def _summed_counts(jobs: Sequence[Job]) -> dict[str, int]:
    return {what: sum(job.task.counts[what] for job in jobs) for what in jobs[0].task.counts}


def _oddities(trials: Mapping[str, Sequence[Trial]]) -> dict[str, Any]:
    """Count, per model, what is odd about its answers; only where there is anything."""
    found: dict[str, Any] = {
        "short_lists": {
            name: sum(run.short_lists for run in runs) for name, runs in trials.items()
        },
        "answers_of_equal_scores": {
            name: sum(run.equal_scores for run in runs) for name, runs in trials.items()
        },
        "splits_of_equal_users": {
            name: sum(run.impersonal for run in runs) for name, runs in trials.items()
        },
        "users_without_a_value": {
            name: {
                label: sum(run.measured.undefined.get(label, 0) for run in runs)
                for label in runs[0].measured.per_user
                if any(label in run.measured.undefined for run in runs)
            }
            for name, runs in trials.items()
        },
        "noticed_by_metrics": {
            name: dict(sum((Counter(run.measured.counts) for run in runs), Counter()))
            for name, runs in trials.items()
        },
    }
    told = {
        what: {name: count for name, count in counts.items() if count}
        for what, counts in found.items()
    }
    return {what: counts for what, counts in told.items() if counts}


def _numbered(user_ids: list[list[Id]]) -> Array:
    """Number the users of all splits together, the same user alike."""
    if len(user_ids) == 1:
        return np.arange(len(user_ids[0]))
    return IdMap().extend([user for ids in user_ids for user in ids])
