"""What earning more costs in accuracy: one ranker at several exponents of the margin."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import clone

from recopersona.base.parameters import Bound, check, real, seed, whole
from recopersona.base.progress import progress as with_bar
from recopersona.base.recommender import Recommender
from recopersona.data.types import Indices
from recopersona.errors import DataError, ParameterError
from recopersona.evaluation.asking import queries_of
from recopersona.evaluation.bootstrap import bootstrap_means, edges_of
from recopersona.evaluation.metrics import Judged, Known, measure
from recopersona.evaluation.metrics.values import Values
from recopersona.evaluation.relevance import Relevant, relevant_items
from recopersona.evaluation.splits import Split
from recopersona.kernels.blocks import cut
from recopersona.rankers.expected_revenue import ExpectedRevenue

EXPONENTS = Bound(
    "a list of at least one number from 0 to 1",
    lambda value: len(value) > 0 and all(real(at_least=0, at_most=1).holds(one) for one in value),
)
_USERS_AT_ONCE = 1_024
_MONEY = {"revenue": "price", "margin": "margin"}


def value_tradeoff(
    model: Recommender,
    split: Split,
    *,
    exponents: Sequence[float] = (0.0, 0.25, 0.5, 0.75, 1.0),
    k: int = 10,
    seen: str | Sequence[str] = "drop",
    confidence: float = 0.95,
    n_boot: int = 1_000,
    random_state: Any = 0,
    progress: bool = True,
) -> pd.DataFrame:
    r"""Measure accuracy and earnings at several exponents of the margin.

    The pipeline is fitted once; its `ExpectedRevenue` then orders by
    :math:`P(click) P(buy \mid click) \, m^{e}` with one exponent e after another. At 0 the margin
    says nothing: what is earned beyond that is what the margin brings, and what is lost of NDCG is
    what it costs.

    Parameters
    ----------
    model : Pipeline
        Its ``ranker`` is an `ExpectedRevenue`. A clone is fitted.
    split : Split
    exponents : list of numbers from 0 to 1
        The first is the one compared with.
    k : int, at least 1
        Length of the lists.
    seen, confidence, n_boot, random_state, progress
        As in `evaluate`.

    Returns
    -------
    DataFrame
        A row per exponent. For ``ndcg@10`` and, where the catalogue has prices and margins, for
        ``revenue@10`` and ``margin@10``, the mean per user of what the list finds: its mean;
        ``ndcg@10 gain`` over the first exponent, with its paired interval ``ndcg@10 gain low`` and
        ``ndcg@10 gain high``. ``users`` evaluated; ``attrs["counts"]`` says who was not.

    Raises
    ------
    ParameterError
        If the model has no `ExpectedRevenue`, or an argument is out of its bounds.

    Examples
    --------
    >>> from recopersona.datasets.synthetic import synthetic_shop
    >>> from recopersona.evaluation.splits import split_by_time
    >>> from recopersona.models.neighbors import ItemKNN
    >>> from recopersona.pipeline.pipeline import Pipeline
    >>> stage = ExpectedRevenue(margin="price", requests=200)
    >>> home = Pipeline(candidates=[ItemKNN()], ranker=stage)
    >>> split = split_by_time(synthetic_shop(300, 60, random_state=7), 0.2)
    >>> table = value_tradeoff(home, split, exponents=[0, 1], n_boot=100)
    >>> table.index.tolist(), float(table.loc[0, "ndcg@10 gain"])
    ([0, 1], 0.0)
    """
    if not isinstance(getattr(model, "ranker", None), ExpectedRevenue):
        raise ParameterError(
            "value_tradeoff needs a pipeline with an ExpectedRevenue; write "
            "Pipeline(candidates=[...], ranker=ExpectedRevenue())."
        )
    check(exponents, EXPONENTS, "value_tradeoff", "exponents")
    check(k, whole(at_least=1), "value_tradeoff", "k")
    check(n_boot, whole(at_least=1), "value_tradeoff", "n_boot")
    check(random_state, seed(), "value_tradeoff", "random_state")
    check(confidence, real(above=0, at_most=0.999), "value_tradeoff", "confidence")
    task = relevant_items(split, seen)
    fitted = clone(model).fit(split.train)
    ranker: ExpectedRevenue = fitted.ranker_
    if ranker.untaught_:
        raise DataError(f"the ranker had nothing to learn from: {ranker.untaught_}")
    known, names = Known(split.train), ["ndcg", *_money_of(split)]
    values, counts = [], dict(task.counts)
    watch = with_bar if progress else lambda steps, *_: steps
    for exponent in watch(exponents, "value_tradeoff"):
        ranker.exponent = exponent
        judged = Judged.of(_lists(fitted, split, task, k, seen), split, task, known=known)
        measured = measure(judged, names, k)
        counts |= measured.counts
        values.append(np.stack([measured.per_user[label] for label in measured.labels], axis=1))
    table = _table(values, [f"{name}@{k}" for name in names], confidence, n_boot, random_state)
    table.index = pd.Index(list(exponents), name="exponent")
    table["users"] = len(task.user_ids)
    table.attrs["counts"] = counts
    return table


def _money_of(split: Split) -> list[str]:
    """Return the metrics of money that the catalogue has columns for."""
    return [name for name, column in _MONEY.items() if column in split.train.item_features]


def _lists(
    fitted: Recommender, split: Split, task: Relevant, k: int, seen: str | Sequence[str]
) -> Indices:
    """Return everybody's list, int32 (n_users, k); -1 beyond a list's end."""
    lists = np.full((len(task.user_ids), k), -1, dtype=np.int32)
    for start, end in cut(len(lists), _USERS_AT_ONCE):
        queries = queries_of(split, task.user_ids[start:end])
        for row, ranking in enumerate(fitted.rank_many(queries, k, seen=seen), start):
            lists[row, : len(ranking)] = ranking.items
    return lists


def _table(
    values: Sequence[Values], labels: Sequence[str], confidence: float, n_boot: int, seed: Any
) -> pd.DataFrame:
    """Return means, gains over the first, and their intervals.

    values  one (n_users, n_metrics) per exponent
    """
    every = np.stack(values)
    gains = every - every[0]
    n_exponents, n_users, n_metrics = every.shape
    flat = np.moveaxis(gains, 1, 0).reshape(n_users, -1)
    means = bootstrap_means(flat, np.ones(n_users), n_boot, seed)
    ends = edges_of(means, n_users, confidence).reshape(2, n_exponents, n_metrics)
    columns: dict[str, Any] = {}
    for place, label in enumerate(labels):
        columns[label] = every[:, :, place].mean(axis=1)
        columns[f"{label} gain"] = gains[:, :, place].mean(axis=1)
        columns[f"{label} gain low"] = ends[0, :, place]
        columns[f"{label} gain high"] = ends[1, :, place]
    return pd.DataFrame(columns)
