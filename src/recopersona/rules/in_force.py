"""Rules as they stand for one request: what may be shown, and what is asked of the slots."""

from __future__ import annotations

from recopersona.data.ranking import Ranking
from recopersona.data.types import Floats, Indices, Mask
from recopersona.rules.slots import SlotRules


class InForce:
    """The rules of one request; what `Ranking.account` holds.

    Attributes
    ----------
    allowed : bool (n_items,)
        What may be shown. Never write to it: requests with the same rules on share one object.
    """

    allowed: Mask

    @property
    def effects(self) -> tuple[str, ...]:
        """What the rules did so far, in words: who left out how many, what could not be decided."""
        raise NotImplementedError

    def shifts(self, items: Indices) -> Floats | None:
        """Return what boosts add to the log-odds of some items, clipped; None if none is on."""
        raise NotImplementedError

    def slot_rules(self, items: Indices, n: int) -> SlotRules:
        """Return what is asked of a page of ``n`` slots, over these candidates in this order."""
        raise NotImplementedError

    def needs(self, n: int) -> list[tuple[str, Mask, int]]:
        """Return, per PIN and ENSURE, which allowed items would serve and how many are wanted."""
        raise NotImplementedError

    def touched(self, ranking: Ranking) -> list[tuple[int, str, str]]:
        """Return (place from 0, rule, what it did) of the items shown."""
        raise NotImplementedError

    def hid(self, ranking: Ranking, item: int) -> tuple[str, str] | None:
        """Return the first rule that kept an item out, and how; None if none did."""
        raise NotImplementedError
