"""Results as tables: means with their intervals, of everybody or by segment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from recopersona.data.types import Array, Values
from recopersona.evaluation.bootstrap import Resampling
from recopersona.evaluation.results import Results
from recopersona.evaluation.segments import in_order


def table_of(results: Results, resampling: Resampling) -> pd.DataFrame:
    """Return a row per model: metrics with intervals, the gain over the first model, and costs."""
    columns = _with_intervals(results, _columns(results), resampling)
    for label, overall in results.overall.items():
        columns[label] = overall
    shown: dict[str, Any] = {}
    for one in results.asked:
        shown |= {name: columns[name] for name in _names(one.label) if name in columns}
    shown |= {name: values for name, values in columns.items() if " gain" in name}
    shown["users"] = results.n_users
    shown |= {str(name): costs.to_numpy() for name, costs in results.costs.items()}
    table = pd.DataFrame(shown, index=pd.Index(results.models, name="model"))
    table = table.reindex([*results.models, *results.failed])
    table["users"] = results.n_users
    return with_attributes(table, results)


def segment_table(
    results: Results,
    segments: Array,
    resampling: Resampling,
    labels: Sequence[str],
    against: int = 0,
) -> pd.DataFrame:
    """Return a row per segment and model: its users, metrics and gains over one of the models.

    Users of a segment are resampled among themselves. Of several splits, a user is in the segment
    that each split says, so the users of all segments may be more than there are users.
    """
    frames = {}
    for name in in_order(segments):
        rows = np.flatnonzero(segments == name)
        values = {label: results.values[label][:, rows] for label in labels}
        gains = _gains(values[labels[0]], against)
        columns = _with_intervals(
            results, {**values, f"{labels[0]} gain": gains}, resampling, results.users[rows]
        )
        users = {"users": len(np.unique(results.users[rows]))}
        frames[name] = pd.DataFrame(
            {**users, **columns}, index=pd.Index(results.models, name="model")
        )
    return with_attributes(pd.concat(frames, names=["segment"]), results)


def with_attributes(table: pd.DataFrame, results: Results) -> pd.DataFrame:
    """Say beside a table what was counted, on which splits, and which models failed."""
    table.attrs["counts"] = dict(results.counts)
    table.attrs["splits"] = list(results.splits)
    if results.failed:
        table.attrs["errors"] = dict(results.failed)
    return table


def _columns(results: Results) -> dict[str, Values]:
    columns = {label: results.values[label] for label in results.labels}
    if results.labels and len(results.models) > 1:
        first = results.labels[0]
        columns[f"{first} gain"] = _gains(results.values[first])
    return columns


def _gains(values: Values, against: int = 0) -> Values:
    gains: Values = values - values[against]
    return gains


def _names(label: str) -> tuple[str, str, str]:
    return label, f"{label} low", f"{label} high"


def _with_intervals(
    results: Results,
    columns: Mapping[str, Values],
    resampling: Resampling,
    users: Array | None = None,
) -> dict[str, Values]:
    """Return the mean, low and high of every column, each float64 (n_models,)."""
    if not columns:
        return {}
    every_row = np.concatenate(list(columns.values())).T
    found = resampling.of(every_row, results.users if users is None else users)
    shown = {}
    for place, label in enumerate(columns):
        part = slice(place * len(results.models), (place + 1) * len(results.models))
        for name, values in zip(_names(label), (found.mean, found.low, found.high), strict=True):
            shown[name] = values[part]
    return shown
