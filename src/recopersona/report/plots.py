"""One word for every picture: `plot` draws whatever measuring returns."""

from __future__ import annotations

import os
from collections.abc import Iterable
from functools import singledispatch
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from recopersona.base.recommender import Recommender
from recopersona.errors import DataError
from recopersona.evaluation.comparison import Comparison
from recopersona.evaluation.curves import Curve
from recopersona.evaluation.effects import Effects
from recopersona.evaluation.offpolicy.result import OffPolicy
from recopersona.report.charts import interval_chart, line_chart
from recopersona.report.html import Report
from recopersona.report.markup import Markup, together

ITERATION = "iteration"


class Plot(Markup):
    """One or several charts as SVG: a notebook shows it, a `Report` takes it, a file keeps it.

    Examples
    --------
    >>> frame = pd.DataFrame({"iteration": [1, 2, 3], "loss": [0.9, 0.5, 0.4]})
    >>> drawing = plot(frame)
    >>> drawing.startswith("<svg")
    True
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     drawing.save(f"{folder}/loss.html").name
    'loss.html'
    """

    __slots__ = ()

    def _repr_html_(self) -> str:
        return str(self)

    def save(self, path: str | os.PathLike[str], title: str = "") -> Path:
        """Write a page with the charts, which opens offline, and return its path."""
        return Report(title).chart(self).write(path)


@singledispatch
def plot(result: Any) -> Plot:
    """Draw what measuring returned.

    Parameters
    ----------
    result : Comparison, Curve, OffPolicy, Effects, Regret, Recommender or DataFrame
        Of a comparison: every model with its interval, every pair's gain, and the gains by segment
        where there are segments. Of a learning or validation curve: its lines, and the test
        metric with its intervals. Of off-policy estimates: each with its interval, beside what the
        target earned in its own log where that is known, else what was logged. Of an A/B test:
        every arm's mean and its gain over the first. Of simulated policies: their shares of the
        oracle, and their regret over time. Of a fitted model, or of its ``history_``: what was
        measured after every pass, and the loss. Of the table of `evaluate`: every metric with its
        interval.

    Returns
    -------
    Plot
        A string of SVG that shows itself in a notebook, fits into a `Report` and has ``save``.

    Raises
    ------
    DataError
        If it is none of these, or there is nothing to draw.

    Examples
    --------
    >>> from recopersona.datasets.synthetic import synthetic_shop
    >>> from recopersona.evaluation.comparison import compare
    >>> from recopersona.evaluation.splits import split_last
    >>> from recopersona.models.neighbors import ItemKNN
    >>> from recopersona.models.popularity import Popularity
    >>> split = split_last(synthetic_shop(200, 50, random_state=7))
    >>> drawing = plot(compare([Popularity(), ItemKNN()], split, metrics="ndcg"))
    >>> "ItemKNN over Popularity: " in drawing
    True
    """
    raise DataError(
        "plot draws a Comparison, a Curve, an OffPolicy, Effects, a Regret, a fitted model or the "
        f"table of evaluate, got {type(result).__name__}."
    )


@plot.register
def _(result: Comparison) -> Plot:
    metric, measured = result.metric, result.table.dropna(subset=[result.metric])
    base = result.against or result.models[0]
    share = f"{result.confidence:.0%} interval"
    differences = result.differences
    charts = [
        _intervals(measured, metric, measured.index, share, base),
        interval_chart(
            [f"{model} over {other}" for model, other in differences.index],
            *_columns(differences, "gain"),
            title=f"Gain in {metric}",
            unit=f"paired {share}; no luck: {differences['different'].sum()} of {len(differences)}",
            number_format="+.4f",
        ),
    ]
    if result.has_segments:
        segments = result.segments.drop(index=base, level="model")
        users = segments["users"].tolist()
        names = [
            f"{segment}: {model} ({n:,} users)"
            for (segment, model), n in zip(segments.index.tolist(), users, strict=True)
        ]
        charts.append(
            interval_chart(
                names,
                *_columns(segments, f"{metric} gain"),
                title=f"Gain in {metric} over {base}, by segment",
                unit=f"paired {share}",
                number_format="+.4f",
            )
        )
    return _plot(charts)


@plot.register
def _(result: Curve) -> Plot:
    table, metric = result.table, result.metric
    title = f"{metric} of {result.model} by {result.parameter}"
    charts = [_intervals(table, metric, table.index, f"on {result.split}, with its interval")]
    if len(table) > 1 and _are_numbers(table.index):
        lines = {"test": table[metric], "training": table[f"train {metric}"]}
        unit = f"on {result.split}, and on what was learned"
        charts.insert(0, line_chart(table.index.to_numpy(), lines, title=title, unit=unit))
    return _plot(charts)


@plot.register
def _(result: OffPolicy) -> Plot:
    base = result.logged.index[-1]
    rows = pd.concat([result.table[["value", "low", "high"]], result.logged])
    drawn = rows.to_numpy(np.float64).T
    unit = f"reward per row, {result.confidence:.0%} interval; refused ones have none"
    chart = interval_chart(rows.index, *drawn, title="Off-policy", unit=unit, baseline=base)
    return _plot([chart])


@plot.register
def _(result: Effects) -> Plot:
    arms, differences, base = result.arms, result.differences, result.arms.index[0]
    share = f"{result.confidence:.0%} interval"
    return _plot([
        interval_chart(
            arms.index, arms["mean"], arms["low"], arms["high"], title=result.value,
            unit=f"per row, {share}", baseline=base,
        ),
        interval_chart(
            [f"{arm} over {base}" for arm in differences.index],
            differences["gain"], differences["low"], differences["high"],
            title=f"Gain in {result.value}", unit=result.refused or share, number_format="+.4f",
        ),
    ])  # fmt: skip


@plot.register
def _(result: Recommender) -> Plot:
    return plot(result.history_)


@plot.register
def _(result: pd.DataFrame) -> Plot:
    if ITERATION in result.columns:
        return _history(result)
    metrics = [
        str(name) for name in result.columns if {f"{name} low", f"{name} high"} <= {*result.columns}
    ]
    if not metrics or not len(result):
        raise DataError(
            "plot draws the table of evaluate or the history_ of a model; this frame has neither "
            "columns such as 'ndcg@10 low' and 'ndcg@10 high' nor a column 'iteration'."
        )
    labels = [
        ": ".join(map(str, name)) if isinstance(name, tuple) else name for name in result.index
    ]
    return _plot(_intervals(result, metric, labels) for metric in metrics)


def _history(frame: pd.DataFrame) -> Plot:
    drawn = [str(name) for name in frame.columns if name != ITERATION]
    if not drawn or not len(frame):
        raise DataError(
            "there is nothing to draw: the model learns in one go or was not watched; "
            "fit it with validation=."
        )
    return _plot(
        line_chart(
            frame[ITERATION].to_numpy(),
            {name: frame[name].to_numpy(np.float64)},
            title=name,
            unit="by iteration",
        )
        for name in drawn
    )


def _intervals(
    frame: pd.DataFrame, metric: str, labels: Iterable[Any], unit: str = "", baseline: Any = None
) -> Markup:
    names = [str(label) for label in labels]
    base = None if baseline is None else str(baseline)
    columns = _columns(frame, metric)
    return interval_chart(names, *columns, title=metric, unit=unit, baseline=base)


def _columns(frame: pd.DataFrame, name: str) -> tuple[Any, Any, Any]:
    value, low, high = (
        frame[column].to_numpy(np.float64) for column in (name, f"{name} low", f"{name} high")
    )
    return value, low, high


def _are_numbers(index: pd.Index) -> bool:
    return pd.api.types.is_numeric_dtype(index) and not pd.api.types.is_bool_dtype(index)


def _plot(charts: Iterable[Markup]) -> Plot:
    return Plot(together(charts))
