"""What earning more costs in accuracy: one ranker at several exponents of the margin."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import clone

from recopersona.base.asking import answers, questions
from recopersona.base.parameters import Bound, check, real, whole
from recopersona.base.progress import progress as with_bar
from recopersona.base.recommender import Recommender
from recopersona.data.types import Values
from recopersona.errors import DataError, ParameterError
from recopersona.evaluation.bootstrap import Resampling
from recopersona.evaluation.metrics import Judged, Known, measure
from recopersona.evaluation.relevance import relevant_items
from recopersona.evaluation.splits import Split
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
    resampling = Resampling.checked("value_tradeoff", confidence, n_boot, random_state)
    task = relevant_items(split, seen)
    fitted = clone(model).fit(split.train)
    ranker: ExpectedRevenue = fitted.ranker_
    if ranker.untaught_:
        raise DataError(f"the ranker had nothing to learn from: {ranker.untaught_}")
    queries = questions(fitted, task.user_ids, split.told)
    known, names = Known(split.train), ["ndcg", *_money_of(split)]
    values, counts = [], dict(task.counts)
    watch = with_bar if progress else lambda steps, *_: steps
    for exponent in watch(exponents, "value_tradeoff"):
        ranker.exponent = exponent
        lists = answers(fitted, queries, k, seen).items
        judged = Judged.of(lists, split, task, known=known)
        measured = measure(judged, names, k)
        counts |= measured.counts
        values.append(np.stack([measured.per_user[label] for label in measured.labels], axis=1))
    table = _table(values, [f"{name}@{k}" for name in names], resampling)
    table.index = pd.Index(list(exponents), name="exponent")
    table["users"] = len(task.user_ids)
    table.attrs["counts"] = counts
    return table


def _money_of(split: Split) -> list[str]:
    """Return the metrics of money that the catalogue has columns for."""
    return [name for name, column in _MONEY.items() if column in split.train.item_features]


def _table(values: Sequence[Values], labels: Sequence[str], resampling: Resampling) -> pd.DataFrame:
    """Return means, gains over the first, and their intervals.

    values  one (n_users, n_metrics) per exponent
    """
    every = np.stack(values)
    n_exponents, n_users, n_metrics = every.shape
    gains = np.moveaxis(every - every[0], 1, 0).reshape(n_users, -1)
    found = resampling.of(gains, np.arange(n_users))
    mean, low, high = (
        ends.reshape(n_exponents, n_metrics) for ends in (found.mean, found.low, found.high)
    )
    columns: dict[str, Any] = {}
    for place, label in enumerate(labels):
        columns[label] = every[:, :, place].mean(axis=1)
        columns[f"{label} gain"] = mean[:, place]
        columns[f"{label} gain low"] = low[:, place]
        columns[f"{label} gain high"] = high[:, place]
    return pd.DataFrame(columns)
