"""One logged choice: what was shown to whom, with what probability, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from recopersona.data.draw import Draw
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
    draw : Draw, optional
        What a bandit chose.
    slot_propensities : tuple of float
        Of each place, see `Ranking`; empty where nothing was drawn by place.
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
    draw: Draw | None = None
    slot_propensities: tuple[float, ...] = ()
    outcome: Mapping[Id, str] | None = None

    @classmethod
    def of(
        cls, ranking: Ranking, user_id: Id | None, context: Mapping[str, Any], now: int | None
    ) -> Decision:
        """Record a ranking that carries a decision id."""
        drawn = ranking.slot_propensities
        return cls(
            decision_id=ranking.decision_id or "",
            user_id=user_id,
            shown=tuple(ranking.item_ids),
            sources=tuple(ranking.sources),
            context=dict(context),
            now=now,
            draw=ranking.draw,
            slot_propensities=tuple(() if drawn is None else drawn.tolist()),
        )

    @property
    def arm(self) -> Id | None:
        """What a bandit chose."""
        return None if self.draw is None else self.draw.arm

    @property
    def propensity(self) -> float | None:
        """The probability with which this ranking was chosen; None where nothing was drawn."""
        return None if self.draw is None else self.draw.propensity

    def with_outcome(self, outcome: Mapping[Id, str]) -> Decision:
        """Return the decision together with what came of it."""
        return replace(self, outcome=dict(outcome))
