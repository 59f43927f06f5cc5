"""Who may be known: what stands behind a gate learns from nobody, and knows nobody, it refuses."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Self

import numpy as np
import pandas as pd

from recopersona.base.part import Part
from recopersona.data.event import Event
from recopersona.data.gate import EventGate, answer_of, require_gate
from recopersona.data.intake import time_of
from recopersona.data.query import Query
from recopersona.data.times import MISSING_TIME
from recopersona.data.types import Array
from recopersona.errors import DataError

_PURPOSE = "personalization"
_REFUSED = "no consent to personalization"
_NO_GATE = "no gate to ask for consent"


class Gated(Part):
    """A part that asks a gate before it learns from anybody, or answers by what it knows of them.

    The gate comes with what is fitted, and is in no file: who loads a part that stood behind one
    gives it again.

    Attributes
    ----------
    gated_ : bool
        Whether it was fitted behind a gate.
    """

    gated_: bool = False
    _gate: EventGate | None = None

    @property
    def gate(self) -> EventGate | None:
        """The gate in force, or None."""
        return self._gate

    def behind(self, gate: EventGate) -> Self:
        """Put a gate, or another one, before all that is learned and asked from now on.

        Raises
        ------
        DataError
            If it is no `EventGate`.
        """
        self._check_fitted()
        require_gate(gate)
        self._stand_behind(gate)
        return self

    def _stand_behind(self, gate: EventGate | None) -> None:
        if gate is not None:
            self._gate, self.gated_ = gate, True

    def _unfit(self) -> None:
        super()._unfit()
        self.__dict__.pop("_gate", None)

    def _gate_for_learning(self) -> EventGate | None:
        """Return the gate, None where there is none; refuse to learn where it got lost."""
        if self._gate is None and self.gated_:
            name = type(self).__name__
            raise DataError(
                f"this {name} was fitted behind a gate; load it with rp.load(path, gate=ledger) or "
                "call behind(ledger) before it learns on."
            )
        return self._gate

    def _admitted(self, rows: Any) -> Any:
        """Return the events, or rows of customers, that may be learned from."""
        gate = self._gate_for_learning()
        return rows if gate is None else gate.kept(rows, _PURPOSE)

    def _admits_event(self, event: Event) -> bool:
        """Tell whether one event may be learned from."""
        gate = self._gate_for_learning()
        if gate is None:
            return True
        at = time_of(event)
        who = {"user_id": event.user_id, "anonymous_id": event.anonymous_id}
        return gate.lets(who, _PURPOSE, None if at == MISSING_TIME else at)

    def _asked(self, asked: Any) -> Query:
        """Return a query; of whoever may not be known, only what says nothing of a person."""
        query = Query.of(asked)
        if not (self.gated_ or query.refused) or not _is_personal(query):
            return query
        if query.refused:
            return impersonal(query, query.refused)
        if self._gate is None:
            return impersonal(query, _NO_GATE)
        who = {"user_id": query.user_id, "anonymous_id": query.context.get("anonymous_id")}
        return query if self._gate.lets(who, _PURPOSE) else impersonal(query, _REFUSED)

    def _places_of_known(self, rows: pd.DataFrame) -> Array:
        """Return which rows are of those who may be known, ascending."""
        if self._gate is None:
            return np.arange(0 if self.gated_ else len(rows))
        places: Array = self._gate.kept(rows.reset_index(drop=True), _PURPOSE).index.to_numpy()
        return places

    def _may_know_all(self, user_ids: list[Any]) -> bool:
        """Tell whether all of many users may be known."""
        if not self.gated_ or not user_ids:
            return True
        rows = pd.DataFrame({"user_id": user_ids})
        return self._gate is not None and bool(answer_of(self._gate, rows, _PURPOSE).all())


def impersonal(query: Query, why: str) -> Query:
    """Return a question without who asks, the visit and the past: page and context are left."""
    context = {name: value for name, value in query.context.items() if name != "anonymous_id"}
    return replace(query, user_id=None, session=(), history=None, context=context, refused=why)


def _is_personal(query: Query) -> bool:
    return (
        query.user_id is not None
        or bool(query.session)
        or query.history is not None
        or query.context.get("anonymous_id") is not None
    )
