"""What identifiers and events are called, and by which number links know them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Self

import numpy as np
import pandas as pd

from recopersona.base.part import Part
from recopersona.base.recommender import require_array
from recopersona.data.growing import with_room
from recopersona.data.ids import UNKNOWN, IdMap, is_missing
from recopersona.data.types import Array, Indices
from recopersona.errors import ColumnError, DataError, hint
from recopersona.events.called import PERSONAL_KINDS, called
from recopersona.events.identity.arrivals import MISSING, Judge, Verdict, values_in
from recopersona.events.identity.order import event_ranks, ranks_of


class Found(NamedTuple):
    """The identifiers of rows, and what is none.

    codes  int32 (n_rows, n_kinds), by priority, -1 where there is none; from the number of known
           identifiers on, a place among the strangers
    names  the strangers' names, when none were to be registered
    unfit  per column: its kind, and the verdict of each row that holds no identifier
    """

    codes: Indices
    names: list[str]
    unfit: list[tuple[int, dict[int, Verdict]]]


class Register(Part):
    """Identifiers and events by number.

    kinds_   the kinds by priority: a kind's code is its place
    names_   IdMap of ``"kind:value"``
    kind_    int16 (n_nodes,), the code of each identifier's kind
    events_  IdMap of event ids
    texts_   IdMap of what may be said of values that are no identifiers
    """

    @classmethod
    def of(cls, kinds: tuple[str, ...]) -> Self:
        """Begin with nobody."""
        register = cls()
        register._begin(kinds)
        return register

    def _begin(self, kinds: tuple[str, ...]) -> None:
        self.kinds_: list[str] = list(kinds)
        self.names_, self.events_, self.texts_ = IdMap(), IdMap(), IdMap()
        self.kind_: Array = np.empty(0, np.int16)

    def __len__(self) -> int:
        return len(self.names_)

    def __repr__(self) -> str:
        return f"<Register: {len(self):,} identifiers>"

    def node(self, name: str, kind: int) -> int:
        """Return the number of an identifier, giving it the next one if it is new."""
        n = len(self.names_)
        node = self.names_.append(name)
        if node == n:
            self.kind_ = with_room(self.kind_, n + 1)
            self.kind_[n] = kind
        return node

    def event(self, event_id: Any) -> int:
        """Return the number of an event's id, -1 where it has none."""
        return (
            UNKNOWN if event_id is None or is_missing(event_id) else self.events_.append(event_id)
        )

    def text(self, text: str | None) -> int:
        """Return the number of what may be said of a value, -1 where nothing may."""
        return UNKNOWN if text is None else self.texts_.append(text)

    def events(self, frame: pd.DataFrame) -> Indices:
        """Return the numbers of the ids of events, int32 (n,), -1 where they have none."""
        codes = np.full(len(frame), UNKNOWN, np.int32)
        if "event_id" in frame.columns:
            column = one_column(frame, "event_id")
            present = column.notna().to_numpy(np.bool_)
            if present.any():
                codes[present] = self.events_.extend(column[present])
        return codes

    def find(self, frame: pd.DataFrame, judges: Mapping[str, Judge], register: bool) -> Found:
        """Find the identifiers in the columns of a frame.

        Parameters
        ----------
        frame : DataFrame
        judges : mapping from kind to function
        register : bool
            Whether who is new gets a number; else they are strangers.

        Raises
        ------
        ColumnError
            If no column is a kind.
        """
        kinds = [code for code, kind in enumerate(self.kinds_) if kind in frame.columns]
        if not kinds:
            raise ColumnError(
                "no column is an identifier; its columns are "
                f"{', '.join(map(str, frame.columns)) or 'none'}: name them with "
                "IdentityGraph(kinds=[...])."
            )
        codes = np.full((len(frame), len(kinds)), UNKNOWN, np.int32)
        strangers, unfit = IdMap(), []
        for place, kind in enumerate(kinds):
            word = self.kinds_[kind]
            rows, values = values_in(one_column(frame, word))
            judged = _Judged(values, self._at_sight(values, word), judges[word])
            nodes = self._numbers(judged, kind, None if register else strangers)
            codes[:, place] = np.append(nodes, np.int32(UNKNOWN))[rows]
            if register and judged.odd:
                is_odd = np.zeros(len(values) + 1, np.bool_)
                is_odd[list(judged.odd)] = True
                at = np.flatnonzero(is_odd[rows])
                unfit.append((kind, {int(row): judged.odd[int(rows[row])] for row in at}))
        return Found(codes, strangers.ids.tolist(), unfit)

    def _at_sight(self, values: list[Any], kind: str) -> Indices:
        """Return the numbers of texts that name somebody known, -1 for all others."""
        start = called(kind, "")
        # What is registered of a personal kind is a hash, and nobody's own value.
        known = len(self.names_) > 0 and kind not in PERSONAL_KINDS
        if not known or not all(type(value) is str for value in values):
            return np.full(len(values), UNKNOWN, np.int32)
        return self.names_.indices(np.array([start + value for value in values], dtype=object))

    def _numbers(self, judged: _Judged, kind: int, strangers: IdMap | None) -> Indices:
        """Return the numbers of distinct values, -1 for those that are no identifiers."""
        nodes, names = judged.nodes, np.array(judged.names, dtype=object)
        if not len(names):
            return nodes
        if strangers is None:
            nodes[judged.fit] = self.names_.extend(names)
            before = len(self.kind_)
            self.kind_ = with_room(self.kind_, len(self.names_))
            self.kind_[before:] = kind
            return nodes
        found = self.names_.indices(names)
        found[found < 0] = len(self.names_) + strangers.extend(names[found < 0])
        nodes[judged.fit] = found
        return nodes

    def node_ranks(self, nodes: Array) -> Array:
        """Return the ranks of identifiers by priority and value, -1 for none."""
        used, places = np.unique(nodes, return_inverse=True)
        names, kinds = self.names_.ids, self.kind_
        keys = [(kinds[node], names[node]) if node >= 0 else (-1, "") for node in used.tolist()]
        return ranks_of(keys)[places] - bool(len(used) and used[0] < 0)

    def event_ranks(self, events: Array) -> Array:
        """Return the ranks of events by their ids."""
        return event_ranks(self.events_.ids, events)

    def only(self, nodes: Array, events: Array, texts: Array) -> tuple[Array, Array, Array]:
        """Keep some identifiers, events and texts; return their new numbers, -1 for the others.

        nodes, events, texts  the numbers to keep
        """
        self.names_, new_nodes = _only(self.names_, nodes)
        self.kind_ = self.kind_[np.unique(nodes[nodes >= 0])]
        self.events_, new_events = _only(self.events_, events)
        self.texts_, new_texts = _only(self.texts_, texts)
        return new_nodes, new_events, new_texts

    def _check_learned(self) -> None:
        require_array(self.kind_, np.int16, (len(self.names_),), "kind")
        for ids in (self.names_, self.events_, self.texts_):
            if not isinstance(ids, IdMap):
                raise DataError("a register must hold maps of ids.")
        if len(self.kind_) and not 0 <= self.kind_.min() <= self.kind_.max() < len(self.kinds_):
            raise DataError("the kinds of identifiers must be among those of the graph.")
        for name, kind in zip(self.names_.ids.tolist(), self.kind_.tolist(), strict=True):
            if not isinstance(name, str) or not name.startswith(f"{self.kinds_[kind]}:"):
                raise DataError("an identifier must be called by its kind and its value.")


class _Judged:
    """Distinct values, judged as far as nobody knows them.

    nodes  int32 (n_values,), the numbers of those known, -1 for all others
    fit    the places of those that are identifiers, and unknown at sight
    names  what these are called
    odd    by place: the verdict on what is no identifier
    """

    def __init__(self, values: list[Any], nodes: Indices, judge: Judge) -> None:
        self.nodes = nodes
        self.fit: list[int] = []
        self.names: list[str] = []
        self.odd: dict[int, Verdict] = {}
        for place in np.flatnonzero(nodes < 0).tolist():
            verdict = judge(values[place])
            if isinstance(verdict, str):
                self.fit.append(place)
                self.names.append(verdict)
            elif verdict.reason != MISSING:
                self.odd[place] = verdict


def one_column(frame: pd.DataFrame, name: str) -> pd.Series:
    """Return a column of a frame.

    Raises
    ------
    ColumnError
        If it is missing or there twice.
    """
    if name not in frame.columns:
        raise ColumnError(f"no column {name!r}{hint(name, frame.columns)}")
    column = frame[name]
    if not isinstance(column, pd.Series):
        raise ColumnError(f"{column.shape[1]} columns are named {name!r}; keep one.")
    return column


def with_none(values: Array) -> Array:
    """Return values as objects with None behind them, which -1 reads."""
    found = np.empty(len(values) + 1, dtype=object)
    found[:-1] = values
    return found


def _only(ids: IdMap, numbers: Array) -> tuple[IdMap, Array]:
    """Return a map of some ids in the order they had, and the new number of each, -1 for none."""
    kept = np.unique(numbers[numbers >= 0])
    renumbered = np.full(len(ids) + 1, UNKNOWN, np.int32)  # what is none reads the last
    renumbered[kept] = np.arange(len(kept), dtype=np.int32)
    return IdMap(ids.ids[kept].tolist()), renumbered
