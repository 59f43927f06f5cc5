"""What was shown under which name, and what came of it."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from recopersona.base.composite import Composite
from recopersona.base.described import Described
from recopersona.base.recommender import listed
from recopersona.data.decision import Decision
from recopersona.data.event import event_code
from recopersona.data.query import Query
from recopersona.data.ranking import Ranking
from recopersona.data.types import Id, Indices
from recopersona.errors import DataError


class Deciding(Described, Composite):
    """A recommender that remembers its latest decisions, and learns what came of them.

    A subclass declares the parameter ``decision_log``, how many it remembers.

    Attributes
    ----------
    decisions_ : dict from decision id to Decision
    feedback_counts_ : dict
        How often feedback ``taught``, came ``repeated``, or was for an ``unknown`` decision.
    """

    decision_log: int

    def _begin_log(self) -> None:
        self.decisions_: dict[str, Decision] = {}
        self.feedback_counts_ = {"taught": 0, "repeated": 0, "unknown": 0}

    def recommend(self, asked: Any, n: int = 10, *, seen: str | Sequence[str] = "drop") -> Ranking:
        """Return the best ``n`` items for one visitor; the decision is remembered for `feedback`.

        See `Recommender.recommend`. The ranking carries the query's ``decision_id``, or a new one.
        """
        query = Query.of(asked)
        # Named before it is made: what explores draws by the decision's name.
        query = replace(query, decision_id=query.decision_id or uuid.uuid4().hex)
        ranking = super().recommend(query, n, seen=seen)
        ranking = replace(ranking, decision_id=query.decision_id)
        self._log(Decision.of(ranking, query.user_id, query.context, self.now_of(query)))
        return ranking

    def feedback(
        self,
        decision_id: Any,
        clicked: Iterable[Id] = (),
        *,
        purchased: Iterable[Id] = (),
        outcome: Any = None,
    ) -> bool:
        """Tell what came of a decision; every part that learns from outcomes is taught.

        What the visitor did comes in the event log too and belongs into `partial_fit`; feedback is
        for those parts that need to know which choice led to it.

        Parameters
        ----------
        decision_id : str
            From ``ranking.decision_id``.
        clicked, purchased : iterables of item ids
            Of the items shown.
        outcome : mapping from item id to event type, optional
            For any other kind of event.

        Returns
        -------
        True if this taught; False if the decision had its feedback already, or is not (any longer)
        known. Both are counted in ``feedback_counts_``.

        Raises
        ------
        DataError
            If an item was not shown, or a kind of event does not exist.
        """
        self._check_fitted()
        if not isinstance(decision_id, str):
            kind = type(decision_id).__name__
            raise DataError(f"feedback needs the ranking's decision_id, got a {kind}.")
        decision = self.decisions_.get(decision_id)
        if decision is None or decision.outcome is not None:
            self.feedback_counts_["unknown" if decision is None else "repeated"] += 1
            return False
        happened: dict[Id, str] = dict.fromkeys(listed(clicked, "feedback"), "click")
        happened.update(dict.fromkeys(listed(purchased, "feedback"), "purchase"))
        if outcome is not None and not isinstance(outcome, Mapping):
            raise DataError(f"outcome must map item ids to event types, got {outcome!r}.")
        happened.update(outcome or {})
        for item, event in happened.items():
            event_code(event)
            if item not in decision.shown:
                raise DataError(f"decision {decision_id!r} did not show the item {item!r}.")
        # Marked first: a part that fails must not make the others learn the same outcome twice.
        self.decisions_[decision_id] = decision.with_outcome(happened)
        self._learn_outcome(self.decisions_[decision_id])
        self.feedback_counts_["taught"] += 1
        return True

    def forget(self, user_ids: Iterable[Id]) -> int:
        """Drop what is held of single users, decisions included; see `Recommender.forget`."""
        self._check_fitted()
        wanted = listed(user_ids, "forget")
        self._forget_decisions(set(wanted))
        return super().forget(wanted)

    def _forget_users(self, users: Indices) -> None:
        self._forget_decisions(set(self.users_.ids[users].tolist()))
        super()._forget_users(users)

    def _forget_decisions(self, user_ids: set[Id]) -> None:
        kept = {key: one for key, one in self.decisions_.items() if one.user_id not in user_ids}
        self.decisions_ = kept

    def _check_learned(self) -> None:
        super()._check_learned()
        decisions: Any = self.decisions_
        counts: Any = self.feedback_counts_
        logged = isinstance(decisions, dict) and isinstance(counts, dict)
        if not logged or not all(isinstance(one, Decision) for one in decisions.values()):
            raise DataError(f"{type(self).__name__}: the log of decisions is not one.")

    def _log(self, decision: Decision) -> None:
        known = self.decisions_.get(decision.decision_id)
        if known is not None and known.outcome is not None:
            return  # asked again after its feedback: an outcome teaches once
        self.decisions_[decision.decision_id] = decision
        while len(self.decisions_) > self.decision_log:
            del self.decisions_[next(iter(self.decisions_))]
