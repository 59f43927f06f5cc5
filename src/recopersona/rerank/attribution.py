"""For how long what a visitor does is put down to a page: a window for each kind of event."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from recopersona.base.parameters import Bound
from recopersona.data.event import EVENT_CODES, EVENT_TYPES
from recopersona.data.times import duration_ms


def _are_windows(value: Any) -> bool:
    if not isinstance(value, Mapping):
        return isinstance(value, (str, timedelta)) and duration_ms(value, "attribution") > 0
    known = all(kind in EVENT_CODES for kind in value)
    return bool(value) and known and all(_are_windows(one) for one in value.values())


ATTRIBUTION = Bound(
    "a duration such as '24h', or a mapping from kinds of events to durations", _are_windows
)
"""What a parameter of that meaning may be."""


@dataclass(frozen=True)
class Windows:
    """How long after a page each kind of event still counts as its outcome.

    Parameters
    ----------
    by_code : tuple of int
        Milliseconds per kind of event, in the order of `EVENT_TYPES`.

    Examples
    --------
    >>> windows = Windows.of({"click": "24h", "purchase": "7d"})
    >>> windows.holds("click", shown=0, now=90_000_000), windows.holds("purchase", 0, 90_000_000)
    (False, True)
    >>> windows.shortest
    86400000
    """

    by_code: tuple[int, ...]

    @classmethod
    def of(cls, attribution: Any) -> Windows:
        """Read the parameter.

        A kind that is not named has the window of the nearest named one before it in
        `EVENT_TYPES`, a cart that of a click; those before all named ones have the shortest.
        """
        if not isinstance(attribution, Mapping):
            return cls((duration_ms(attribution, "attribution"),) * len(EVENT_TYPES))
        named = {kind: duration_ms(one, "attribution") for kind, one in attribution.items()}
        window, windows = min(named.values()), []
        for kind in EVENT_TYPES:
            window = named.get(kind, window)
            windows.append(window)
        return cls(tuple(windows))

    @property
    def shortest(self) -> int:
        """After so long a page of which nothing was heard counts as one that moved nobody."""
        return min(self.by_code)

    def holds(self, kind: str, shown: int | None, now: int | None) -> bool:
        """Tell whether an event still counts; without a time it does."""
        return shown is None or now is None or now - shown <= self.by_code[EVENT_CODES[kind]]
