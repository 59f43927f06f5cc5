"""Models side by side on what was held out: metrics with intervals, and seconds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from time import perf_counter
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import clone

from recopersona.base.parameters import Bound, check, seed, whole
from recopersona.base.progress import progress as with_bar
from recopersona.base.recommender import Recommender
from recopersona.data.ids import IdMap
from recopersona.data.types import Array, Id
from recopersona.errors import ParameterError
from recopersona.evaluation.asking import queries_of
from recopersona.evaluation.bootstrap import bootstrap_means
from recopersona.evaluation.metrics import OVERALL, PER_USER, Judged, measure, metric_names
from recopersona.evaluation.relevance import Relevant, relevant_items
from recopersona.evaluation.splits import Split
from recopersona.kernels.blocks import cut

METRICS = ("ndcg", "recall", "map", "mrr", "hit_rate", "coverage", "novelty")
"""What is measured unless other metrics are named."""

_USERS_AT_ONCE = 1_024


def evaluate(
    models: Recommender | Iterable[Recommender] | Mapping[str, Recommender],
    split: Split | Iterable[Split],
    *,
    k: int = 10,
    metrics: str | Iterable[str] = METRICS,
    seen: str | Iterable[str] = "drop",
    confidence: float = 0.95,
    n_boot: int = 1_000,
    random_state: Any = 0,
    progress: bool = True,
) -> pd.DataFrame:
    """Fit models on the training part and measure their lists on the held-out part.

    Relevant to a user are the distinct held-out items of positive weight that may be recommended:
    with ``seen="drop"`` not those that training saw the user with. Users left without any are not
    evaluated; users whom training does not know are, and get what the models fall back to.

    Parameters
    ----------
    models : Recommender, iterable of them, or mapping from name to Recommender
        Clones are fitted; the models given stay as they are. Without names they are called like
        their classes, numbered where classes repeat. The first is the one compared with.
    split : Split or iterable of Split
        Of several (folds), values are pooled: a user has one per fold.
    k : int, at least 1
        Length of the lists. Places that a list lacks are misses.
    metrics : str or iterable of str
        Names of `PER_USER` and `OVERALL` in `recopersona.evaluation.metrics`.
    seen : "drop", "keep" or a list of event types
        As in `Recommender.recommend`.
    confidence : float between 0 and 1
        Of the percentile bootstrap intervals.
    n_boot : int, at least 1
        Resamples; all models are measured on the same ones.
    random_state : int, RandomState or None
        Of the resampling.
    progress : bool
        Show bars on standard error, where that is a terminal, once a second has passed.

    Returns
    -------
    DataFrame
        One row per model. For each metric ``ndcg@10``, its mean over users, and ``ndcg@10 low``
        and ``ndcg@10 high``, its interval (none for coverage, which is of all lists together and
        of several splits the mean). With several models ``ndcg@10 gain``, ``ndcg@10 gain low``,
        ``ndcg@10 gain high``: how much the first per-user metric asked for is above that of the
        first model, with the paired interval. ``users`` evaluated; ``fit_s``, the mean seconds of
        a fit; ``ms_per_answer``, in batches. ``attrs["counts"]`` says who was evaluated and who
        was not, ``attrs["splits"]`` on what; of several splits, a user or item counts in each.

    Raises
    ------
    ParameterError
        If an argument is out of its bounds or a metric is not known.
    DataError
        If a split leaves no user anything to find.

    Notes
    -----
    The first call on a fresh installation compiles; ``rp.warmup()`` beforehand keeps that out of
    the seconds.

    Examples
    --------
    >>> from recopersona.datasets.synthetic import synthetic_shop
    >>> from recopersona.evaluation.splits import split_by_time
    >>> from recopersona.models.neighbors import ItemKNN
    >>> from recopersona.models.popularity import Popularity
    >>> split = split_by_time(synthetic_shop(300, 80, random_state=7), 0.2)
    >>> table = evaluate([Popularity(), ItemKNN(k=20)], split, metrics=["ndcg", "coverage"])
    >>> table.index.tolist()
    ['Popularity', 'ItemKNN']
    >>> bool(table.loc["ItemKNN", "coverage@10"] > table.loc["Popularity", "coverage@10"])
    True
    >>> table.loc["Popularity", "ndcg@10 gain"]
    np.float64(0.0)
    """
    named, splits, names = _named(models), _as_splits(split), metric_names(metrics)
    check(k, whole(at_least=1), "evaluate", "k")
    check(confidence, SHARE, "evaluate", "confidence")
    check(n_boot, whole(at_least=1), "evaluate", "n_boot")
    check(random_state, seed(), "evaluate", "random_state")
    if not isinstance(seen, str) and isinstance(seen, Iterable):
        seen = tuple(seen)
    tasks = [relevant_items(one, seen) for one in splits]
    watch = with_bar if progress else lambda steps, *_: steps
    trial = partial(_trial, k=k, metrics=names, seen=seen, watch=watch)
    trials = {
        name: [trial(name, model, *pair) for pair in zip(splits, tasks, strict=True)]
        for name, model in watch(named.items(), "evaluating", len(named))
    }
    resample = partial(_resampled, confidence=confidence, n_boot=n_boot, random_state=random_state)
    table = _table(trials, _numbered([task.user_ids for task in tasks]), k, names, resample)
    table.attrs["counts"] = {
        what: sum(task.counts[what] for task in tasks) for what in tasks[0].counts
    }
    table.attrs["splits"] = [one.name for one in splits]
    return table


@dataclass(frozen=True, eq=False)
class _Trial:
    """What one model did on one split."""

    fit_s: float
    answer_s: float
    per_user: dict[str, NDArray[np.float64]]
    overall: dict[str, float]


SHARE = Bound("a number between 0 and 1, both excluded", lambda value: 0 < value < 1)


def _named(models: Any) -> dict[str, Recommender]:
    if isinstance(models, Mapping):
        named = {str(name): model for name, model in models.items()}
    else:
        given = list(models) if _is_many(models) else [models]
        named = {}
        for model in given:
            kind, number = type(model).__name__, 1
            while (name := kind if number == 1 else f"{kind} {number}") in named:
                number += 1
            named[name] = model
    for model in named.values():
        if not isinstance(model, Recommender):
            fix = f"; write {model.__name__}()" if isinstance(model, type) else ""
            raise ParameterError(f"evaluate needs recommenders, got {model!r}{fix}.")
    if not named:
        raise ParameterError("evaluate needs at least one model, got none.")
    return named


def _as_splits(split: Any) -> list[Split]:
    splits = [split] if isinstance(split, Split) else list(split) if _is_many(split) else []
    if not splits or not all(isinstance(one, Split) for one in splits):
        raise ParameterError(
            f"evaluate needs a Split or a list of them, got {type(split).__name__}; "
            "make one with split_by_time(dataset)."
        )
    return splits


def _is_many(value: Any) -> bool:
    return isinstance(value, Iterable) and not isinstance(value, (str, pd.DataFrame))


def _trial(
    name: str,
    model: Recommender,
    split: Split,
    task: Relevant,
    *,
    k: int,
    metrics: Sequence[str],
    seen: str | Sequence[str],
    watch: Callable[..., Any],
) -> _Trial:
    started = perf_counter()
    fitted = clone(model).fit(split.train)
    asked = perf_counter()
    lists = np.full((len(task.user_ids), k), -1, dtype=np.int32)
    for start, end in watch(cut(len(lists), _USERS_AT_ONCE), f"asking {name}"):
        queries = queries_of(split, task.user_ids[start:end])
        for row, ranking in enumerate(fitted.rank_many(queries, k, seen=seen), start):
            lists[row, : len(ranking)] = ranking.items
    answered = perf_counter()
    found = measure(Judged.of(lists, split, task), metrics, k)
    return _Trial(
        asked - started,
        answered - asked,
        {label.partition("@")[0]: values for label, values in found.per_user.items()},
        {label.partition("@")[0]: value for label, value in found.overall.items()},
    )


def _numbered(user_ids: list[list[Id]]) -> Array:
    """Number the users of all splits together, the same user alike."""
    if len(user_ids) == 1:
        return np.arange(len(user_ids[0]))
    return IdMap().extend([user for ids in user_ids for user in ids])


def _table(
    trials: dict[str, list[_Trial]], users: Array, k: int, metrics: Sequence[str], resample: Any
) -> pd.DataFrame:
    names = [name for name in metrics if name in PER_USER]
    values = {
        (model, name): np.concatenate([trial.per_user[name] for trial in runs])
        for model, runs in trials.items()
        for name in names
    }
    if names and len(trials) > 1:
        first = values[next(iter(trials)), names[0]]
        values |= {(model, "gain"): values[model, names[0]] - first for model in trials}
    intervals = resample(values, users) if values else {}
    rows = []
    for model, runs in trials.items():
        row: dict[str, float] = {}
        for name in metrics:
            if name in OVERALL:
                row[f"{name}@{k}"] = float(np.mean([trial.overall[name] for trial in runs]))
            else:
                row |= _with_interval(f"{name}@{k}", values[model, name], intervals[model, name])
        if (model, "gain") in values:
            label = f"{names[0]}@{k} gain"
            row |= _with_interval(label, values[model, "gain"], intervals[model, "gain"])
        row["users"] = int(users.max()) + 1
        row["fit_s"] = float(np.mean([trial.fit_s for trial in runs]))
        row["ms_per_answer"] = 1_000 * sum(trial.answer_s for trial in runs) / len(users)
        rows.append(row)
    return pd.DataFrame(rows, index=pd.Index(trials, name="model"))


def _with_interval(
    label: str, values: NDArray[np.float64], interval: tuple[float, float]
) -> dict[str, float]:
    low, high = interval
    return {label: float(values.mean()), f"{label} low": low, f"{label} high": high}


def _resampled(
    values: dict[tuple[str, str], NDArray[np.float64]],
    users: Array,
    *,
    confidence: float,
    n_boot: int,
    random_state: Any,
) -> dict[tuple[str, str], tuple[float, float]]:
    """Return the interval of every column of values."""
    sums = np.stack([np.bincount(users, column) for column in values.values()], axis=1)
    counts = np.bincount(users).astype(np.float64)
    means = bootstrap_means(sums.astype(np.float64), counts, n_boot, random_state)
    tail = (1 - confidence) / 2
    low, high = np.quantile(means, [tail, 1 - tail], axis=0).tolist()
    return dict(zip(values, zip(low, high, strict=True), strict=True))
