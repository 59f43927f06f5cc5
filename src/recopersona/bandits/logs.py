"""From a frame of logged choices to rewards, weights and contexts."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from recopersona.data.columns import as_pandas, require_columns
from recopersona.data.ids import is_missing
from recopersona.data.types import Id, Values
from recopersona.errors import ColumnError

RESERVED = ("arm", "reward", "propensity", "segment", "weight", "user_id", "anonymous_id")
"""Columns that are no context."""


@dataclass(frozen=True)
class Told:
    """What a log tells: rows that may be learned from, and how many were left out, by reason."""

    arms: list[Id]
    rewards: Values
    weights: Values
    contexts: Any
    counts: dict[str, int]


def read_log(log: Any, context: Any) -> Told:
    """Read a log.

    Parameters
    ----------
    log : dataframe
    context : None, str or callable
        Which columns make the context: none, the one of segments where there is one, or those that
        a function of the frame names.
    """
    frame = as_pandas(log, "a log")
    require_columns(frame, ["arm", "reward"], "rows of a log")
    columns = context(frame) if callable(context) else []
    require_once(frame, ("propensity", context))
    counts: dict[str, int] = {}
    keep = np.ones(len(frame), bool)

    def drop(reason: str, bad: Any) -> None:
        lost = int((keep & bad).sum())
        if lost:
            counts[reason] = counts.get(reason, 0) + lost
        keep[np.asarray(bad, bool)] = False

    rewards = _numbers(frame["reward"])
    arm_ids = frame["arm"].tolist()
    drop("arm_missing", np.array([is_missing(arm) for arm in arm_ids], bool))
    drop("unknown_arm", np.array([not isinstance(arm, Hashable) for arm in arm_ids], bool))
    drop("reward_missing", np.isnan(rewards))
    weights = np.ones(len(frame))
    if "propensity" in frame.columns:
        propensities = _numbers(frame["propensity"])
        drop("propensity_missing", np.isnan(propensities))
        drop("propensity_out_of_range", ~((propensities > 0) & (propensities <= 1)))
        weights[keep] = 1 / propensities[keep]
    contexts: Any = None
    if columns:
        contexts = np.stack([_numbers(frame[name]) for name in columns], axis=1)
        drop("context", ~np.isfinite(contexts).all(axis=1))
        contexts = np.ascontiguousarray(contexts[keep])
    elif _is_in(frame, context):
        contexts = frame[context][keep].tolist()
    arms = frame["arm"][keep].tolist()
    if "propensity" in frame.columns:
        weights[keep] = _effective(arms, weights[keep])
    return Told(arms, rewards[keep], weights[keep], contexts, counts)


def require_once(frame: pd.DataFrame, names: Iterable[Any]) -> None:
    """Refuse a log in which one of these columns, which need not be there, is there twice."""
    present = list(frame.columns)
    for name in names:
        if isinstance(name, str) and present.count(name) > 1:
            raise ColumnError(f"a log has {present.count(name)} columns named {name!r}; keep one.")


def _is_in(frame: pd.DataFrame, name: Any) -> bool:
    return isinstance(name, str) and name in frame.columns


def _effective(arms: list[Id], weights: Values) -> Values:
    """Scale the weights of each arm so that they add up to their effective number."""
    codes, _ = pd.factorize(pd.Series(arms, dtype=object))
    if not len(codes):
        return weights
    total = np.bincount(codes, weights)
    squares = np.bincount(codes, weights * weights)
    scaled: Values = weights * (total / squares)[codes]
    return scaled


def _numbers(column: pd.Series) -> Values:
    try:
        values: Values = column.to_numpy(dtype=np.float64, na_value=np.nan)
    except (TypeError, ValueError):
        raise ColumnError(f"the column {column.name!r} of a log must hold numbers.") from None
    return values
