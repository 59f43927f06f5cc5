"""What came of a decision: read, told apart from what was known, and laid out as a frame."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from recopersona.base.several import listed
from recopersona.data.decision import Decision
from recopersona.data.event import EVENT_CODES, event_code
from recopersona.data.times import MISSING_TIME
from recopersona.data.types import Id
from recopersona.errors import DataError, shown


def told_of(
    decision: Decision, clicked: Iterable[Id], purchased: Iterable[Id], outcome: Any
) -> dict[Id, str]:
    """Return what a feedback says of each item: of two events on one item the stronger.

    The stronger is the later in `EVENT_TYPES`: a purchase says more than the click before it.

    Raises
    ------
    DataError
        If an item was not shown, or a kind of event does not exist.
    """
    if outcome is not None and not isinstance(outcome, Mapping):
        raise DataError(f"outcome must map item ids to event types, got {shown(outcome)}.")
    said: list[tuple[Id, str]] = [(item, "click") for item in listed(clicked, "feedback")]
    said += [(item, "purchase") for item in listed(purchased, "feedback")]
    said += list((outcome or {}).items())
    happened: dict[Id, str] = {}
    for item, event in said:
        event_code(event)
        if not _is_id(item) or item not in decision.shown:
            raise DataError(
                f"decision {shown(decision.decision_id)} did not show the item {shown(item)}."
            )
        if _is_stronger(event, happened.get(item)):
            happened[item] = event
    return happened


def _is_id(item: Any) -> bool:
    """Tell what may name an item: True is no number 1, and an array nothing at all."""
    return isinstance(item, Hashable) and not isinstance(item, (bool, np.bool_))


def news_in(told: Mapping[Id, str], known: Mapping[Id, str] | None) -> dict[Id, str]:
    """Return what is not known yet, or stronger than what is."""
    before = known or {}
    return {item: event for item, event in told.items() if _is_stronger(event, before.get(item))}


def _is_stronger(event: str, known: str | None) -> bool:
    return known is None or EVENT_CODES[event] > EVENT_CODES[known]


def frame_of_decisions(
    decisions: Iterable[Decision], reward_of: Callable[[Decision], float]
) -> pd.DataFrame:
    """Return one row per decision; see `Deciding.decisions_frame`."""
    rows = list(decisions)
    times = np.array([MISSING_TIME if one.now is None else one.now for one in rows], np.int64)
    draws = [one.draw for one in rows]
    return pd.DataFrame(
        {
            "decision_id": pd.Series([one.decision_id for one in rows], dtype=object),
            "timestamp": pd.to_datetime(_nat(times), utc=True),
            "user_id": pd.Series([one.user_id for one in rows], dtype=object),
            "segment": _objects(None if one is None else one.segment for one in draws),
            "arm": _objects(None if one is None else one.arm for one in draws),
            "propensity": [np.nan if one is None else one.propensity for one in draws],
            "probabilities": _objects({} if one is None else one.probabilities for one in draws),
            "same": _objects(() if one is None else one.same for one in draws),
            "expected": [np.nan if one is None else one.expected for one in draws],
            "items": _objects(one.shown for one in rows),
            "slot_propensities": _objects(one.slot_propensities for one in rows),
            "outcome": _objects(one.outcome for one in rows),
            "reward": [np.nan if one.outcome is None else reward_of(one) for one in rows],
        }
    )


def _objects(values: Iterable[Any]) -> pd.Series:
    """Keep tuples and mappings as they are: pandas would make tables of them."""
    held = list(values)
    return pd.Series(np.fromiter(held, dtype=object, count=len(held)), dtype=object)


def _nat(times: Any) -> Any:
    moments = times.astype("datetime64[ms]")
    moments[times == MISSING_TIME] = np.datetime64("NaT")
    return moments
