"""What is known of one log: its columns, its words for events, how its records become rows."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any

import pandas as pd

from recopersona.events.event_names import bare

ID_COLUMNS = (
    "user_id",
    "item_id",
    "event_id",
    "anonymous_id",
    "session_id",
    "order_id",
    "decision_id",
)
"""Our columns that hold ids: text or integers, never amounts."""

_NOTHING: Mapping[Any, Any] = MappingProxyType({})


@dataclass(frozen=True)
class Schema:
    """How one system writes its log.

    A log of one row per event and item needs its columns renamed, its kinds of event translated and
    perhaps something derived. A nested log (sessions that hold hits, events that hold items) says
    which of its columns are `nested`, and `rows` makes rows in our words of it; the same steps
    follow.

    Parameters
    ----------
    name : str
    columns : mapping
        Our column to theirs; theirs may be absent unless it is among `needs`.
    needs : tuple of str
        Their columns without which it is not this log.
    unless : tuple of str
        Columns that show that it is another log after all.
    events : mapping
        Their kinds of event to ours, however they are spelt; others keep their names.
    time_zone : str
        Where the clock hangs whose times name no zone.
    time_format : str, optional
        How times are written, where it is not ISO 8601.
    derive : callable, optional
        From the log in our columns to further or better columns, by name.
    nested : mapping from column to dict or list
        Which of their columns hold a record or a list of records, as objects or as JSON text. A
        name that ends in ``*`` stands for all columns that begin like it.
    rows : callable, optional
        From the log, its nested columns read, to rows in our words; their index says of which row
        of the log each was made.

    Examples
    --------
    >>> shop = Schema("shop", {"user_id": "who", "item_id": "sku"}, needs=("who", "sku"))
    >>> shop.fits(["who", "sku", "colour"]), shop.lacks(["who"])
    (True, ['sku'])
    """

    name: str
    columns: Mapping[str, str]
    needs: tuple[str, ...]
    unless: tuple[str, ...] = ()
    events: Mapping[Any, str] = field(default_factory=lambda: _NOTHING)
    time_zone: str = "UTC"
    time_format: str | None = None
    derive: Callable[[pd.DataFrame], Mapping[str, Any]] | None = None
    nested: Mapping[str, type] = field(default_factory=lambda: _NOTHING)
    rows: Callable[[pd.DataFrame], pd.DataFrame] | None = None

    def lacks(self, names: Collection[str]) -> list[str]:
        """Return the needed columns that are not among some names."""
        return [column for column in self.needs if column not in names]

    def share(self, names: Collection[str]) -> float:
        """Return the share of needed columns that are among some names."""
        return 1 - len(self.lacks(names)) / max(len(self.needs), 1)

    def fits(self, names: Collection[str]) -> bool:
        """Tell whether a frame of these columns is such a log."""
        return not self.lacks(names) and not any(column in names for column in self.unless)

    def kind_of(self, name: Any) -> Any:
        """Return our word for one of their kinds of event, or theirs where we have none.

        Examples
        --------
        >>> shop = Schema("shop", {}, needs=(), events={"Product Added": "cart", 2: "view"})
        >>> shop.kind_of("product_added"), shop.kind_of(2), shop.kind_of("wink")
        ('cart', 'view', 'wink')
        """
        if isinstance(name, str):
            return self._spelt.get(bare(name), name)
        return self.events.get(name, name)

    @cached_property
    def _spelt(self) -> Mapping[str, str]:
        return {bare(name): ours for name, ours in self.events.items() if isinstance(name, str)}
