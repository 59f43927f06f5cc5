"""The gate that every event passes on its way in or out, and everybody who is to be known.

It is a port, and stands below `Dataset`, which carries it from the reader to the model.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from recopersona.data.columns import as_pandas, like
from recopersona.data.event import Event
from recopersona.data.intake import frame_of_events, is_events
from recopersona.data.types import Id, Mask
from recopersona.errors import DataError, with_article

PURPOSES = ("storage", "analytics", "personalization", "ads", "sale_or_share")
"""What data of a person may be used for; who keeps a ledger may name more."""


class EventGate(ABC):
    """Whoever decides which events may be used, and who may be known: every entrance asks.

    A subclass writes `admitted` and `admits`. A `ConsentLedger` is one.

    Attributes
    ----------
    counts : Counter
        By purpose and answer, such as ``"personalization: admitted"``; what a subclass refuses it
        counts by its reason, too.

    Examples
    --------
    >>> class OnlyAnna(EventGate):
    ...     def admitted(self, rows, purpose):
    ...         return (rows["user_id"] == "anna").to_numpy()
    ...     def admits(self, who, purpose, at=None):
    ...         return who.get("user_id") == "anna"
    >>> gate = OnlyAnna()
    >>> gate.kept(pd.DataFrame({"user_id": ["anna", "ben"], "item_id": ["tea", "salt"]}))
      user_id item_id
    0    anna     tea
    >>> gate.counts["personalization: refused"]
    1
    """

    @property
    def counts(self) -> Counter[str]:
        """How many rows came by, by purpose and answer."""
        counted: Counter[str] = self.__dict__.setdefault("_counts", Counter())
        return counted

    @abstractmethod
    def admitted(self, rows: pd.DataFrame, purpose: str) -> Mask:
        """Tell the rows that may be used.

        Parameters
        ----------
        rows : DataFrame
            Events, or a table of customers: whose they are say columns such as ``user_id`` and
            ``anonymous_id``, when they happened says ``timestamp``, where it is there.
        purpose : str

        Returns
        -------
        bool (n,)
        """

    @abstractmethod
    def admits(self, who: Mapping[str, Id | None], purpose: str, at: int | None = None) -> bool:
        """Tell whether somebody may be known, or one event of theirs be used.

        Parameters
        ----------
        who : mapping from kind of identifier to value
            Such as ``{"user_id": "anna", "anonymous_id": None}``.
        purpose : str
        at : int, optional
            When it happened, in milliseconds UTC; None asks for the present alone.
        """

    def kept(self, rows: Any, purpose: str = "personalization") -> Any:
        """Return the rows that may be used: of a frame as such a frame, of records as a list.

        Parameters
        ----------
        rows : dataframe, `Event`, or iterable of `Event`
        purpose : str
            One of `PURPOSES`, or of the gate's own.
        """
        if isinstance(rows, Event) or is_events(rows):
            records = [rows] if isinstance(rows, Event) else list(rows)
            mask = self._counted(frame_of_events(records), purpose) if records else ()
            return [one for one, may in zip(records, mask, strict=True) if may]
        frame = as_pandas(rows)
        mask = self._counted(frame, purpose)
        return rows if mask.all() else like(frame[mask], rows)

    def lets(self, who: Mapping[str, Id | None], purpose: str, at: int | None = None) -> bool:
        """Ask `admits`, whose parameters these are, and count the answer.

        Raises
        ------
        DataError
            If the answer is no truth value.
        """
        may = self.admits(who, purpose, at)
        if not isinstance(may, (bool, np.bool_)):
            raise DataError(
                f"{type(self).__name__}.admits must answer True or False, got a "
                f"{type(may).__name__}."
            )
        self.counts[f"{purpose}: {'admitted' if may else 'refused'}"] += 1
        return bool(may)

    def _counted(self, frame: pd.DataFrame, purpose: str) -> Mask:
        mask = answer_of(self, frame, purpose)
        n_admitted = int(mask.sum())
        if n_admitted:
            self.counts[f"{purpose}: admitted"] += n_admitted
        if n_admitted < len(mask):
            self.counts[f"{purpose}: refused"] += len(mask) - n_admitted
        return mask


def answer_of(gate: EventGate, rows: pd.DataFrame, purpose: str) -> Mask:
    """Ask a gate which rows it admits.

    Raises
    ------
    DataError
        If the answer is no truth value for each row: a gate in error must let nobody in.
    """
    mask = np.asarray(gate.admitted(rows, purpose))
    if mask.shape != (len(rows),) or (len(rows) and mask.dtype != np.bool_):
        raise DataError(
            f"{type(gate).__name__}.admitted must answer True or False for each of "
            f"{len(rows)} rows, got {mask.dtype} of shape {mask.shape}."
        )
    return mask.astype(np.bool_, copy=False)


def require_gate(gate: Any) -> None:
    """Refuse what is no gate.

    Raises
    ------
    DataError
        If it is no `EventGate`.
    """
    if not isinstance(gate, EventGate):
        got = (
            f"the class {gate.__name__}"
            if isinstance(gate, type)
            else with_article(type(gate).__name__)
        )
        raise DataError(
            f"a gate must be an EventGate, such as rp.ConsentLedger(unknown='denied'), got {got}."
        )


def passed(gate: EventGate | None, rows: Any) -> Any:
    """Return the rows that a gate lets in to learn from; all of them where there is no gate."""
    if gate is None:
        return rows
    require_gate(gate)
    return gate.kept(rows)
