"""Decisions of a pipeline: which arms stood to be chosen, and how likely the drawn one was."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from recopersona.data.ids import is_missing
from recopersona.data.types import Array, Id, Mask
from recopersona.errors import DataError
from recopersona.evaluation.offpolicy.log import Log, Names

STANDING = "arms that stand"
"""The column, made here, that says which arms stood to be chosen."""

_ALL = "probabilities"


def standing(frame: pd.DataFrame, names: Names) -> tuple[pd.DataFrame, Names]:
    """Take rows of `decisions_frame` as draws of arms; other logs are returned as they are.

    There, ``propensity`` is that of the page, which several arms may have shown. An estimate by
    arms divides by the drawn arm's own. And arms that were refused a request could not be drawn:
    which ones stood to be chosen is part of the situation.

    Parameters
    ----------
    frame : dataframe
    names : Names

    Examples
    --------
    >>> log = pd.DataFrame({"arm": ["a"], "same": [("a", "b")], "propensity": [1.0],
    ...                     "probabilities": [{"a": 0.25, "b": 0.75}]})
    >>> log, names = standing(log, Names())
    >>> log["propensity"].tolist(), log[STANDING].tolist()
    ([0.25], ['["a", "b"]'])
    """
    by_place = "slot_propensities" in frame and names.action == "arm"
    if by_place and "arm" in frame and len(frame) and not frame["arm"].notna().any():
        raise DataError(
            "log: no arm was drawn here; what SlotExploration() drew place by place is judged by "
            "off_policy_lists(places_of(decisions), ...)."
        )
    asked = (names.action, names.propensity) == ("arm", "propensity")
    if not asked or not {_ALL, "same"} <= set(frame.columns):
        return frame, names
    told = [_told(value) for value in frame[_ALL]]
    own = [chances.get(arm, np.nan) for chances, arm in zip(told, frame["arm"], strict=True)]
    stood = [json.dumps(list(chances), default=str) for chances in told]
    frame = frame.assign(propensity=own, **{STANDING: stood})
    return frame, replace(names, context=(*names.context, STANDING))


def _told(value: Any) -> dict[Id, float]:
    """Return the probabilities of the arms that stood; parquet files name the others, too."""
    if isinstance(value, Mapping):
        said: dict[Id, Any] = dict(value)
        return {arm: chance for arm, chance in said.items() if not is_missing(chance)}
    if isinstance(value, str):
        raise DataError(
            "log: 'probabilities' must hold mappings from arms to numbers, got text, as CSV "
            "makes of them; keep decisions_frame() with to_parquet or to_json(orient='records')."
        )
    return {}


def arms_of(log: Log) -> list[list[Id]] | None:
    """Return the arms that stood in each situation; None where the log does not tell."""
    if STANDING not in log.situation:
        return None
    return [json.loads(arms) for arms in log.situation[STANDING]]


def stands(log: Log, actions: Array) -> Mask | None:
    """Tell which actions stood to be chosen in each situation, bool (S, n_actions), or None."""
    told = arms_of(log)
    if told is None:
        return None
    return np.array([pd.Index(actions).isin(arms) for arms in told])
