"""What a user did with the very item: how often, how long ago, and in which way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from recopersona.base.parameters import param
from recopersona.data.types import Array
from recopersona.features.feature import WORDS, Feature, Seen
from recopersona.features.tally import Tally


class Touches(Feature):
    """How often, and how long ago, the user touched the candidate: looked at it, carted it ...

    Times are in days, NaN where it never happened.

    Parameters
    ----------
    kinds : sequence of event types
        A column for each: days since the user last did this with the candidate.

    Examples
    --------
    >>> list(Touches(kinds=["cart"]).columns())
    ['touches', 'touched', 'cart_since']
    """

    kinds: Sequence[str] = param(WORDS, default=("view", "cart", "purchase"))

    def tallies(self) -> Mapping[str, Tally]:
        latest = {"fact": "time", "keep": "largest"}
        return {
            "touches": Tally("user", "item"),
            "touched": Tally("user", "item", **latest),  # type: ignore[arg-type]
            **{kind: Tally("user", "item", kinds=[kind], **latest) for kind in self.kinds},  # type: ignore[arg-type]
        }

    def columns(self) -> Mapping[str, str]:
        return {
            "touches": "events of the user with the item",
            "touched": "days since the user's latest event with the item",
            **{f"{kind}_since": f"days since the user's latest {kind} of the item"
               for kind in self.kinds},
        }  # fmt: skip

    def compute(self, seen: Seen) -> Sequence[Array]:
        today = seen.today
        return [
            np.maximum(seen["touches"], 0.0), today - seen["touched"],
            *(today - seen[kind] for kind in self.kinds),
        ]  # fmt: skip
