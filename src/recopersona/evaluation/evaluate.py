"""Models side by side on what was held out: metrics with intervals, seconds and memory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from recopersona.base.recommender import Recommender
from recopersona.errors import ParameterError
from recopersona.evaluation.bootstrap import Resampling
from recopersona.evaluation.results import results_of
from recopersona.evaluation.splits import Split
from recopersona.evaluation.tables import segment_table, table_of

METRICS = ("ndcg", "recall", "map", "mrr", "hit_rate", "coverage", "novelty")
"""What is measured unless other metrics are named."""


def evaluate(
    models: Recommender | Iterable[Any] | Mapping[str, Recommender],
    split: Split | Iterable[Split],
    *,
    k: int | Iterable[int] = 10,
    metrics: str | Iterable[str] = METRICS,
    seen: str | Iterable[str] = "drop",
    by: str | Mapping[Any, Any] | None = None,
    confidence: float = 0.95,
    n_boot: int = 1_000,
    n_jobs: int = 1,
    errors: str = "raise",
    random_state: Any = 0,
    progress: bool = True,
) -> pd.DataFrame:
    """Fit models on the training part and measure their lists on the held-out part.

    Relevant to a user are the distinct held-out items of positive weight that may be recommended:
    with ``seen="drop"`` not those that training saw the user with. Users left without any are not
    evaluated; users whom training does not know are, and get what the models fall back to.

    Parameters
    ----------
    models : Recommender, iterable of them or of (name, model) pairs, or mapping from name to model
        Clones are fitted; the models given stay as they are. Without names they are called like
        their classes, numbered where classes repeat. The first is the one compared with.
    split : Split or iterable of Split
        Of several (folds), values are pooled: a user has one per fold.
    k : int or list of int, at least 1
        Cut-offs; lists are as long as the largest. Places that a list lacks are misses.
    metrics : str or iterable of str
        Names of metrics, with a cut-off of their own (``"ndcg@20"``) or at every ``k``.
    seen : "drop", "keep" or a list of event types
        As in `Recommender.recommend`.
    by : str or mapping, optional
        Users in segments: a user column (numbers are cut into thirds), ``"activity"`` (thirds by
        the number of training events) or a mapping from user id to segment.
    confidence : float between 0 and 1
        Of the percentile bootstrap intervals.
    n_boot : int, at least 1
        Resamples; all models are measured on the same ones.
    n_jobs : int, at least 1, or -1 for one per core
        How many models are fitted at once, in threads; never more fitted models are alive.
    errors : "raise" or "record"
        What to do when a model fails: stop, or go on without it. Its row is then empty, and
        ``attrs["errors"]`` says why.
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
        a fit; ``ms_per_answer``, in batches; ``peak_mb``, by how many megabytes the process grew
        at most while the model was fitted and asked, as the operating system counts (on Linux, one
        model at a time; else unknown). With ``by``, one row per segment and model, without what
        belongs to all users together.

        ``attrs["counts"]`` says who was evaluated and who was not, and per model what is odd about
        its answers: ``short_lists``; ``answers_of_equal_scores``, whose order is only that of the
        catalogue; ``splits_of_equal_users``, in which no item's score depends on who asks;
        ``users_without_a_value``, for whom a metric is not defined. ``attrs["splits"]`` says on
        what; of several splits, a user or item counts in each.

    Raises
    ------
    ParameterError
        If an argument is out of its bounds or a metric is not known.
    DataError
        If a split leaves no user anything to find.

    Notes
    -----
    The first call on a fresh installation compiles; ``rp.warmup()`` beforehand keeps that out of
    the seconds. With ``n_jobs`` above 1 values are bit for bit the same, but models share the
    machine: their seconds say less, and their memory cannot be told apart.

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
    resampling = Resampling.checked("evaluate", confidence, n_boot, random_state)
    results = results_of(
        "evaluate",
        models,
        split,
        k=k,
        metrics=metrics,
        seen=seen,
        by=by,
        errors=errors,
        n_jobs=n_jobs,
        progress=progress,
    )
    if results.segments is None:
        return table_of(results, resampling)
    if not results.labels:
        raise ParameterError(
            "evaluate: by needs a metric that has a value per user, such as 'ndcg'."
        )
    return segment_table(results, results.segments, resampling, results.labels)
