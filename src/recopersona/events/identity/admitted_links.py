"""Links at the gate: it is asked by the hashes that a graph would keep, and never by an e-mail."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from recopersona.data.gate import EventGate, require_gate
from recopersona.data.times import MISSING_TIME
from recopersona.data.types import Array, Id
from recopersona.events.admission import admitted_places
from recopersona.events.called import PERSONAL_KINDS
from recopersona.events.identity.arrivals import Judge, values_in
from recopersona.events.identity.register import one_column, with_none

PAIR = ("kind_a", "value_a", "kind_b", "value_b")
"""The columns of a table of links whose kinds stand in it."""

_PURPOSE = "storage"
_TIME = "timestamp"


def admitted_links(frame: pd.DataFrame, judges: Mapping[str, Judge], gate: EventGate) -> Array:
    """Return which rows of links may come in, ascending.

    judges  by kind: from a value to the name of an identifier
    """
    require_gate(gate)
    if set(PAIR) <= set(frame.columns):
        return _of_pairs(frame, judges, gate)
    known = [kind for kind in judges if kind in frame.columns]
    asked = {kind: _kept_as(kind, one_column(frame, kind), judges) for kind in known}
    return admitted_places(_with_times(asked, frame), gate, _PURPOSE)


def admits_link(
    who: Mapping[str, Any], time: int, judges: Mapping[str, Judge], gate: EventGate
) -> bool:
    """Tell whether one row may come in."""
    require_gate(gate)
    asked: dict[str, Id | None] = {}
    for kind, judge in judges.items():
        value = who.get(kind)
        asked[kind] = _hashed(kind, value, judge) if kind in PERSONAL_KINDS else value
    return gate.lets(asked, _PURPOSE, None if time == MISSING_TIME else time)


def _of_pairs(frame: pd.DataFrame, judges: Mapping[str, Judge], gate: EventGate) -> Array:
    """Ask about links whose ends are of one kind once for each end, about all others once."""
    ends = [(one_column(frame, PAIR[n]), one_column(frame, PAIR[n + 1])) for n in (0, 2)]
    alike = (ends[0][0] == ends[1][0]).to_numpy(np.bool_)
    first = _by_kind(ends[:1], judges)
    both, nothing = _by_kind(ends, judges), np.full(len(frame), None, object)
    asked = {kind: np.where(alike, first.get(kind, nothing), both[kind]) for kind in both}
    places = admitted_places(_with_times(asked, frame), gate, _PURPOSE)
    twice = places[alike[places]]
    if not len(twice):
        return places
    others = {kind: values[twice] for kind, values in _by_kind(ends[1:], judges).items()}
    kept = admitted_places(_with_times(others, frame.iloc[twice]), gate, _PURPOSE)
    return np.setdiff1d(places, np.delete(twice, kept))


def _by_kind(
    ends: list[tuple[pd.Series, pd.Series]], judges: Mapping[str, Judge]
) -> dict[str, Array]:
    """Return values in a column for each kind."""
    found: dict[str, Array] = {}
    for words, values in ends:
        for kind in words.dropna().unique():
            column = found.setdefault(kind, np.full(len(words), None, object))
            rows = np.flatnonzero((words == kind).to_numpy(np.bool_))
            column[rows] = _kept_as(kind, values.iloc[rows], judges).to_numpy(object)
    return found


def _kept_as(kind: str, column: pd.Series, judges: Mapping[str, Judge]) -> pd.Series:
    """Return a column as a graph keeps it: what is personal as hashes."""
    if kind not in PERSONAL_KINDS or kind not in judges:
        return column.reset_index(drop=True)
    codes, values = values_in(column)
    names = np.array([_hashed(kind, value, judges[kind]) for value in values], object)
    return pd.Series(with_none(names)[codes], dtype=object)


def _hashed(kind: str, value: Any, judge: Judge) -> str | None:
    name = None if value is None else judge(value)
    return name[len(kind) + 1 :] if isinstance(name, str) else None


def _with_times(asked: Mapping[str, Any], frame: pd.DataFrame) -> pd.DataFrame:
    table = pd.DataFrame(dict(asked), index=range(len(frame)))
    if _TIME in frame.columns:
        table[_TIME] = one_column(frame, _TIME).array
    return table
