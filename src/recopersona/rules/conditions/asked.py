"""What conditions are evaluated on: one request, and the shop's tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from recopersona.data.feature_table import FeatureTable
from recopersona.data.history import History
from recopersona.data.ids import UNKNOWN


@dataclass(slots=True, eq=False)
class Asked:
    """One request, as conditions see it; made anew for every request.

    now      when it is asked, milliseconds UTC; None in a shop without any times
    user     the visitor's index, -1 where unknown
    who      what is known of her: the values of ``user.*``
    context  the values of ``ctx.*``
    params   the values of ``$names``
    seed     the index of the item whose page it is, -1 where there is none
    past     what everybody did; None where nothing is known
    noted    what was odd about the values, in words, each once; conditions write it
    """

    now: int | None = None
    user: int = UNKNOWN
    who: Mapping[str, Any] = field(default_factory=dict)
    context: Mapping[str, Any] = field(default_factory=dict)
    params: Mapping[str, Any] = field(default_factory=dict)
    seed: int = UNKNOWN
    past: History | None = None
    noted: list[str] = field(default_factory=list)
    kept: dict[Any, Any] = field(default_factory=dict, repr=False)  # worked out once a request

    def note(self, line: str) -> None:
        """Say something about the request, unless it was said before."""
        if line not in self.noted:
            self.noted.append(line)


@dataclass(frozen=True, eq=False)
class Tables:
    """What is known of items and users, and the time zone in which dates are meant.

    The columns are looked up when a condition is evaluated: updates put new ones in their place.
    """

    items: FeatureTable
    users: FeatureTable
    timezone: str = "UTC"
