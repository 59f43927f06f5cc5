"""How steady a model is: its metrics on every fold."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from recopersona.base.parameters import check_parameters
from recopersona.base.recommender import Recommender, as_dataset
from recopersona.data.dataset import Dataset
from recopersona.errors import DataError, ParameterError
from recopersona.evaluation.evaluate import METRICS
from recopersona.evaluation.results import as_splits, jobs_of, run_trials
from recopersona.evaluation.splits import Split
from recopersona.evaluation.splits.splitters import Splitter
from recopersona.evaluation.trial import Failure, Job, Trial


def cross_validate(
    model: Any,
    splits: Any,
    *,
    data: Any = None,
    k: int | Iterable[int] = 10,
    metrics: str | Iterable[str] = METRICS,
    seen: str | Iterable[str] = "drop",
    n_jobs: int = 1,
    errors: str = "raise",
    progress: bool = True,
) -> pd.DataFrame:
    """Fit a model on every fold's training part and measure its lists on the held-out part.

    Parameters
    ----------
    model : Recommender
        Clones are fitted; the model given stays as it is.
    splits : iterable of Split, or splitter
        Such as `k_fold` returns; or whatever has scikit-learn's ``split(X, y, groups)``, such as
        ``KFold(5, shuffle=True, random_state=0)``, ``GroupKFold(5)`` (groups are users) or a
        splitter of this package.
    data : Dataset or events frame, optional
        What a splitter cuts; its rows are events.
    k, metrics, seen, n_jobs, errors, progress
        As in `evaluate`.

    Returns
    -------
    DataFrame
        One row per fold, by its name: every metric's mean over the fold's users, ``users``,
        ``fit_s``, ``ms_per_answer``, ``peak_mb``. With ``errors="record"``, a fold that failed is
        an empty row, and ``attrs["errors"]`` says why. ``attrs["counts"]`` says per fold who was
        evaluated and who was not.

    Raises
    ------
    ParameterError
        If an argument is out of its bounds, or a splitter has nothing to cut.
    DataError
        If a fold leaves nothing to learn from, or no user anything to find.

    Examples
    --------
    >>> from sklearn.model_selection import KFold
    >>> from recopersona.datasets.synthetic import synthetic_shop
    >>> from recopersona.evaluation.splits import k_fold
    >>> from recopersona.models.popularity import Popularity
    >>> shop = synthetic_shop(300, 80, random_state=7)
    >>> table = cross_validate(Popularity(), k_fold(shop, 3), metrics="ndcg")
    >>> table.index.tolist()
    ['fold 1 of 3', 'fold 2 of 3', 'fold 3 of 3']
    >>> folds = KFold(3, shuffle=True, random_state=0)
    >>> bool((cross_validate(Popularity(), folds, data=shop)["ndcg@10"] > 0).all())
    True
    """
    if not isinstance(model, Recommender):
        fix = f"; write {model.__name__}()" if isinstance(model, type) else ""
        raise ParameterError(f"cross_validate needs one recommender, got {model!r}{fix}.")
    folds = _folds(splits, data)
    jobs = jobs_of("cross_validate", folds, k, metrics, seen)
    named = {type(model).__name__: model}
    (trials,) = run_trials("cross_validate", named, jobs, n_jobs, errors, progress).values()
    rows = [_row(trial, job) for trial, job in zip(trials, jobs, strict=True)]
    names = [fold.name for fold in folds]
    table = pd.DataFrame(rows, index=pd.Index(names, name="fold"))
    table.attrs["counts"] = {job.split.name: dict(job.task.counts) for job in jobs}
    failed = {
        name: trial.words
        for name, trial in zip(names, trials, strict=True)
        if isinstance(trial, Failure)
    }
    if failed:
        table.attrs["errors"] = failed
    return table


def _row(trial: Trial | Failure, job: Job) -> dict[str, float]:
    if isinstance(trial, Failure):
        labels = [*(one.label for one in job.asked), "users", "fit_s", "ms_per_answer", "peak_mb"]
        return dict.fromkeys(labels, np.nan) | {"users": len(job.task.user_ids)}
    return {
        **trial.measured.means,
        "users": len(job.task.user_ids),
        "fit_s": trial.fit_s,
        "ms_per_answer": 1_000 * trial.answer_s / len(job.task.user_ids),
        "peak_mb": trial.peak_mb,
    }


def _folds(splits: Any, data: Any) -> list[Split]:
    """Return splits as they are, and those that a splitter makes of the data."""
    if isinstance(splits, Split) or not hasattr(splits, "split"):
        return as_splits(splits, "cross_validate")
    if data is None:
        name = type(splits).__name__
        raise ParameterError(
            f"cross_validate: {name} has nothing to cut; pass cross_validate(..., data=events)."
        )
    dataset = as_dataset(data)
    if isinstance(splits, Splitter):  # its parts have names, and know what is told of users
        check_parameters(splits)
        return splits._splits(dataset)
    frame = dataset.events_frame() if isinstance(data, Dataset) else data
    with warnings.catch_warnings():
        # Who does not cut by groups says so; who does cuts by users.
        warnings.filterwarnings("ignore", "The groups parameter is ignored")
        cuts = list(splits.split(frame, None, groups=dataset.log.users))
    parts = [
        Split(dataset.take(train), dataset.take(test), f"{type(splits).__name__} {number}")
        for number, (train, test) in enumerate(cuts, 1)
    ]
    for part in parts:
        if not len(part.train.interactions):
            raise DataError(f"the split '{part.name}' leaves nothing to learn from.")
    return parts
