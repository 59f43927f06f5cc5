"""What a model learns from: interactions, ids and attributes in one frozen object."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import cached_property
from typing import Any, Self

import numpy as np
import pandas as pd
from scipy import sparse

from recopersona.data.admission import admitted_table, through
from recopersona.data.columns import as_pandas, factorized
from recopersona.data.event import EVENT_TYPES, VIEW, event_weight_table
from recopersona.data.feature_table import FeatureTable
from recopersona.data.gate import EventGate
from recopersona.data.history import History
from recopersona.data.ids import IdMap
from recopersona.data.intake import EventColumns, frame_of_events, read_columns
from recopersona.data.interactions import Interactions
from recopersona.data.returns import kept_rows
from recopersona.data.times import duration_ms, from_ms, moment_ms
from recopersona.data.types import Array, Floats, Mask
from recopersona.errors import DataError


@dataclass(frozen=True, eq=False)
class Dataset:
    """Interactions with their ids and attributes.

    Built by `from_frames` or `from_matrix`; the constructor takes parts that fit already. Frozen
    but for its ids: maps may be appended to, never otherwise changed, so that whatever has an index
    keeps it; models copy the maps before they grow them.

    Parameters
    ----------
    log : Interactions
        Every event as it came, returns included, weighted by kind but not decayed.
    users, items : IdMap
    user_features, item_features : FeatureTable
    event_weights : float32 (n_event_types,)
        What one event of each kind weighs; online learners use it for events to come.
    half_life : int, optional
        Milliseconds after which a weight counts half.
    counts : mapping from str to int
        What was noticed while reading and may be asked for, such as items without attributes.
    gate : EventGate, optional
        What the events passed; whatever is fitted stands behind it, too.
    described : pair of int
        How many users and items were numbered by their attributes, before any event.
    cleared : bool
        Whether the gate was asked for the fit that is going on: nobody asks it again.

    Examples
    --------
    >>> events = pd.DataFrame({"user_id": ["anna", "ben", "anna"],
    ...                        "item_id": ["tea", "tea", "salt"],
    ...                        "event": ["view", "purchase", "cart"]})
    >>> shop = Dataset.from_frames(events, event_weights={"purchase": 10})
    >>> shop
    Dataset(3 interactions of 2 users with 2 items)
    >>> shop.matrix().toarray()
    array([[ 1.,  1.],
           [10.,  0.]], dtype=float32)
    """

    log: Interactions
    users: IdMap
    items: IdMap
    user_features: FeatureTable
    item_features: FeatureTable
    event_weights: Floats = field(default_factory=lambda: event_weight_table(None))
    half_life: int | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
    gate: EventGate | None = None
    described: tuple[int, int] = (0, 0)
    cleared: bool = False

    @classmethod
    def from_frames(
        cls,
        events: Any,
        *,
        items: Any = None,
        users: Any = None,
        event_weights: Mapping[str, float] | None = None,
        half_life: str | timedelta | None = None,
        now: Any = None,
        gate: EventGate | None = None,
    ) -> Dataset:
        r"""Read events, and optionally a catalogue and customers, from any kind of dataframe.

        An event of kind :math:`e` that happened :math:`a` before the last one weighs
        :math:`w_e \cdot 2^{-a / half\_life}` (times its own ``weight``, where the frame has such
        a column). Items and users are numbered in catalogue order, then by first appearance.

        Parameters
        ----------
        events : dataframe, or iterable of `Event`
            ``user_id`` and ``item_id`` required. Without ``event`` every row is a view; without
            ``timestamp`` whatever needs time refuses by name.
        items, users : dataframe or FeatureTable, optional
            One row per ``item_id`` or ``user_id``, with any attributes. A catalogue of which not
            one item occurs in the events is refused: its ids are written in another way.
        event_weights : mapping from event type to a number of at least 0, optional
            1 for kinds that are not named. Returns undo purchases and never count.
        half_life : duration, optional
            Such as ``"30d"``.
        now : moment, optional
            Events more than a day after it are refused; by default the machine's clock.
        gate : EventGate, optional
            Such as a `ConsentLedger`: events and customers that it refuses are as if they were not
            there, and ``counts`` says how many. Whatever is fitted asks it, too.

        Raises
        ------
        ColumnError, DataError, ParameterError
            For whatever cannot be used as it came, in one sentence.
        """
        refused: dict[str, int] = {}
        if gate is not None:
            events, users = _admitted(gate, events, users, refused)
        columns = read_columns(events, None if now is None else moment_ms(now))
        weights = event_weight_table(event_weights)
        decay = None if half_life is None else duration_ms(half_life, "half_life")
        if decay is not None and columns.timestamp is None:
            raise DataError(
                "half_life needs a 'timestamp' column in the events; add one or leave it out."
            )
        item_features = _feature_table(items, "item_id")
        user_features = _feature_table(users, "user_id")
        described = len(user_features.ids), len(item_features.ids)
        log = index_events(columns, user_features.ids, item_features.ids, weights)
        _require_common_items(log, item_features.ids, described[1])
        counts = {
            "items_without_attributes": len(item_features.ids) - described[1]
            if items is not None
            else 0,
            "users_without_attributes": len(user_features.ids) - described[0]
            if users is not None
            else 0,
            **refused,
        }
        return cls(
            log, user_features.ids, item_features.ids, user_features, item_features, weights, decay,
            {name: count for name, count in counts.items() if count}, gate, described,
        )  # fmt: skip

    @classmethod
    def from_matrix(
        cls, matrix: Any, *, user_ids: Any = None, item_ids: Any = None, items: Any = None
    ) -> Dataset:
        """Read a users x items matrix; ids are row and column numbers unless given.

        Parameters
        ----------
        matrix : scipy sparse array or matrix, or dense array (n_users, n_items)
            Finite, at least 0. Every positive value is one view of that weight.
        user_ids, item_ids : sequence of distinct ids, optional
        items : dataframe or FeatureTable, optional

        Raises
        ------
        DataError
            If it is not a matrix of numbers, a value is negative or not finite, or the number of
            ids does not match.

        Examples
        --------
        >>> Dataset.from_matrix(np.eye(2), user_ids=["anna", "ben"])
        Dataset(2 interactions of 2 users with 2 items)
        """
        coo = _as_coo(matrix)
        user_map = _ids_for(user_ids, coo.shape[0], "user_ids")
        item_map = _ids_for(item_ids, coo.shape[1], "item_ids")
        counts = coo.data > 0
        rows, columns = (places[counts] for places in coo.coords)
        events = np.full(len(rows), VIEW, np.int8)
        features = FeatureTable(item_map)
        if isinstance(items, FeatureTable):
            features.merge(items)
        elif items is not None:
            features.update(items, "item_id")
        return cls(
            Interactions(rows, columns, events, coo.data[counts]), user_map, item_map,
            FeatureTable(user_map), features, described=(len(user_map), len(item_map)),
        )  # fmt: skip

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}({len(self.interactions):,} interactions of "
            f"{len(self.users):,} users with {len(self.items):,} items)"
        )

    @cached_property
    def interactions(self) -> Interactions:
        """The log without returns and without the purchases they undo."""
        return self.log if self._kept is None else self.log.take(self._kept)

    @property
    def interaction_rows(self) -> Array:
        """Where in the log each interaction stands, int64 (n_interactions,)."""
        return np.arange(len(self.log)) if self._kept is None else np.flatnonzero(self._kept)

    @property
    def shape(self) -> tuple[int, int]:
        """Users and items."""
        return len(self.users), len(self.items)

    @property
    def end(self) -> int | None:
        """The latest timestamp in milliseconds, or None where there is no time."""
        return self.log.end

    def matrix(self, half_life: int | None = None) -> sparse.csr_array:
        """Return users x items of summed, decayed weights.

        Parameters
        ----------
        half_life : int, optional
            Milliseconds, in place of the dataset's own.

        Returns
        -------
        float32 csr_array, indices sorted, no stored zeros.
        """
        rows = self.interactions
        weight = rows.decayed_weight(self.half_life if half_life is None else half_life, self.end)
        return rows.to_csr(self.shape, weight)

    def history(self) -> History:
        """Return every user's past; what it holds is shared with other callers until updated."""
        return self._history.copy()

    def events_frame(self) -> pd.DataFrame:
        """Return the log as an events frame, returns included, in the order it came.

        ``user_id, item_id, event, weight``, and ``timestamp`` and ``quantity`` where they are
        known; what `from_frames` made of it once, it makes of it again.

        Examples
        --------
        >>> events = pd.DataFrame({"user_id": ["anna"], "item_id": ["tea"], "event": ["cart"]})
        >>> Dataset.from_frames(events, event_weights={"cart": 4}).events_frame()
          user_id item_id event  weight
        0    anna     tea  cart     1.0
        """
        return events_of(self.log, self.users, self.items, self.event_weights)

    def take(self, rows: Array) -> Self:
        """Return a dataset of some rows of the log, with the same ids and attributes.

        Returns are matched with purchases anew, so a part before a moment knows nothing of what
        was sent back after it.
        """
        return replace(self, log=self.log.take(rows))

    def behind(self, gate: EventGate) -> Dataset:
        """Return the dataset as if what a gate refuses, as of now, had never been read.

        Examples
        --------
        >>> from recopersona.data.gate import EventGate
        >>> class NotBen(EventGate):
        ...     def admitted(self, rows, purpose):
        ...         return (rows["user_id"] != "ben").to_numpy()
        ...     def admits(self, who, purpose, at=None):
        ...         return who.get("user_id") != "ben"
        >>> events = pd.DataFrame({"user_id": ["anna", "ben"], "item_id": ["tea", "salt"]})
        >>> Dataset.from_frames(events).behind(NotBen())
        Dataset(1 interactions of 1 users with 1 items)
        """
        return through(gate, self)

    @cached_property
    def _kept(self) -> Mask | None:
        return kept_rows(self.log)

    @cached_property
    def _history(self) -> History:
        weight = self.log.decayed_weight(self.half_life, self.end)
        if self._kept is not None:
            weight = np.where(self._kept, weight, np.float32(0))
        return History(self.log, weight)


def index_events(
    columns: EventColumns, users: IdMap, items: IdMap, event_weights: Floats
) -> Interactions:
    """Number checked columns by maps that grow with what is new."""
    session = None
    if columns.session_id is not None:
        session = factorized(columns.session_id, "session_id")[0].astype(np.int32)
    return Interactions(
        users=users.extend(columns.user_id),
        items=items.extend(columns.item_id),
        event=columns.event,
        weight=columns.weight * event_weights[columns.event],
        timestamp=columns.timestamp,
        session=session,
        quantity=columns.quantity,
    )


def events_of(
    rows: Interactions, users: IdMap, items: IdMap, event_weights: Floats
) -> pd.DataFrame:
    """Return numbered events as a frame: the way back from `index_events`."""
    kinds = event_weights[rows.event]
    columns: dict[str, Any] = {
        "user_id": users.ids[rows.users],
        "item_id": items.ids[rows.items],
        "event": np.array(EVENT_TYPES, object)[rows.event],
        # What weighs nothing by its kind has lost the weight it came with.
        "weight": np.divide(rows.weight, kinds, out=np.ones_like(kinds), where=kinds > 0),
    }
    if rows.timestamp is not None:
        columns["timestamp"] = from_ms(rows.timestamp)
    if rows.quantity is not None:
        columns["quantity"] = rows.quantity
    return pd.DataFrame(columns)


def _feature_table(frame: Any, id_column: str) -> FeatureTable:
    if frame is None:
        return FeatureTable(IdMap())
    if isinstance(frame, FeatureTable):
        return frame.copy()
    return FeatureTable.from_frame(frame, IdMap(), id_column)


def _admitted(gate: EventGate, events: Any, users: Any, refused: dict[str, int]) -> tuple[Any, Any]:
    """Return the events and customers that a gate admits, and count the others."""
    frame = frame_of_events(events)
    kept = gate.kept(frame)
    known = users
    if isinstance(users, FeatureTable):
        known = admitted_table(gate, users)
    elif users is not None:
        users = as_pandas(users, "the frame of users")
        known = gate.kept(users)
    refused["refused_events"] = len(frame) - len(kept)
    refused["refused_users"] = 0 if users is None else len(users) - len(known)
    return kept, known


def _require_common_items(log: Interactions, ids: IdMap, described: int) -> None:
    """Refuse a catalogue whose ids, the first ones of the map, no event has."""
    if described and len(log) and int(log.items.min()) >= described:
        ours, theirs = ids.ids[[0, int(log.items[0])]].tolist()
        raise DataError(
            f"not one item_id of the frame of items occurs in the events: it has {ours!r} "
            f"({type(ours).__name__}), they have {theirs!r} ({type(theirs).__name__}); "
            "write both in the same way."
        )


def _as_coo(matrix: Any) -> sparse.coo_array:
    """Read a matrix of finite numbers of at least 0."""
    try:
        coo = sparse.coo_array(matrix)
    except (TypeError, ValueError):
        raise DataError(
            f"expected a users x items matrix of numbers, got {type(matrix).__name__}."
        ) from None
    if coo.ndim != 2 or coo.data.dtype.kind not in "biuf":
        raise DataError(
            "expected a users x items matrix of numbers, "
            f"got {coo.ndim} dimensions of {coo.data.dtype}."
        )
    if not ((coo.data >= 0) & (coo.data <= np.finfo(np.float32).max)).all():
        raise DataError("the matrix must hold finite values of at least 0.")
    return coo


def _ids_for(ids: Any, n: int, name: str) -> IdMap:
    if ids is None:
        return IdMap(range(n))
    try:
        named = IdMap(ids)
    except DataError as problem:
        raise DataError(f"{name}: {problem}") from None
    if len(named) != n:
        raise DataError(
            f"{name} must name the {n} rows or columns of the matrix, got {len(named)}."
        )
    return named
