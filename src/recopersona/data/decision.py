"""One logged choice: what was shown to whom, with what probability, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from recopersona.data.ranking import Ranking
from recopersona.data.types import Id


@dataclass(frozen=True)
class Decision:
    """A ranking as it was shown, and its outcome once known.

    Propensities are part of the record from the start: they cannot be added later.

    Parameters
    ----------
    decision_id : str
    user_id : id, optional
    shown : tuple of item ids
        Best first.
    sources : tuple of str
        Where each item came from.
    context : mapping
    now : int, optional
        Milliseconds since 1970 UTC.
    arm : str, optional
        What a bandit chose.
    propensity : float, optional
    outcome : mapping from item id to event type, optional
        None until feedback has come.

    Examples
    --------
    >>> decision = Decision("d-1", "anna", ("tea", "salt"), ("ALS", "ALS"))
    >>> decision.with_outcome({"tea": "click"}).outcome
    {'tea': 'click'}
    """

    decision_id: str
    user_id: Id | None
    shown: tuple[Id, ...]
    sources: tuple[str, ...]
    context: Mapping[str, Any] = field(default_factory=dict)
    now: int | None = None
    arm: str | None = None
    propensity: float | None = None
    outcome: Mapping[Id, str] | None = None

    @classmethod
    def of(
        cls, ranking: Ranking, user_id: Id | None, context: Mapping[str, Any], now: int | None
    ) -> Decision:
        """Record a ranking that carries a decision id."""
        return cls(
            decision_id=ranking.decision_id or "",
            user_id=user_id,
            shown=tuple(ranking.item_ids),
            sources=tuple(ranking.sources),
            context=dict(context),
            now=now,
            propensity=ranking.propensity,
        )

    def with_outcome(self, outcome: Mapping[Id, str]) -> Decision:
        """Return the decision together with what came of it."""
        return replace(self, outcome=dict(outcome))
