"""What a visitor did: the kinds of events, and one event as a record."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from numbers import Real
from typing import Any, NamedTuple

import numpy as np

from recopersona.data.types import Floats, Id
from recopersona.errors import DataError, ParameterError, did_you_mean

EVENT_TYPES = (
    "impression",
    "click",
    "view",
    "page_view",
    "wishlist",
    "cart",
    "remove",
    "checkout",
    "purchase",
    "return",
    "search",
)
"""Every kind of event, in code order: the int8 code of a kind is its place here."""

EVENT_CODES: Mapping[str, int] = {name: code for code, name in enumerate(EVENT_TYPES)}
VIEW, PURCHASE, RETURN = (EVENT_CODES[name] for name in ("view", "purchase", "return"))

EVENT_COLUMNS = (
    "user_id",
    "item_id",
    "timestamp",
    "event",
    "event_id",
    "anonymous_id",
    "session_id",
    "quantity",
    "price",
    "currency",
    "order_id",
    "payment_method",
    "page",
    "category",
    "device",
    "dwell_ms",
    "scroll_pct",
    "position",
    "decision_id",
    "received",
    "weight",
)
"""The columns that an events frame may have; ``user_id`` and ``item_id`` are required."""


class Event(NamedTuple):
    """One event: the fast way into everything that learns online.

    Parameters
    ----------
    user_id, item_id : id
        As the shop knows them.
    event : str
        One of `EVENT_TYPES`.
    timestamp : datetime, str or int, optional
        Integers are milliseconds since 1970 UTC.
    quantity, price : float, optional
    event_id, session_id : id, optional

    Examples
    --------
    >>> Event("anna", "tea", "purchase").event
    'purchase'
    """

    user_id: Id
    item_id: Id
    event: str = "view"
    timestamp: Any = None
    quantity: float | None = None
    price: float | None = None
    event_id: Id | None = None
    session_id: Id | None = None


def event_code(name: object) -> int:
    """Return the code of one kind of event.

    Raises
    ------
    DataError
        If there is no such kind.

    Examples
    --------
    >>> EVENT_TYPES[event_code("cart")]
    'cart'
    >>> event_code("purchse")
    Traceback (most recent call last):
    recopersona.errors.DataError: unknown event 'purchse'; did you mean 'purchase'?
    """
    try:
        return EVENT_CODES[name]  # type: ignore[index]
    except (KeyError, TypeError):
        hint = did_you_mean(name, EVENT_TYPES) or f"; expected one of {', '.join(EVENT_TYPES)}."
        raise DataError(f"unknown event {name!r}{hint}") from None


def event_bits(kinds: Iterable[str]) -> int:
    """Return a bit mask with bit ``c`` set for every kind of code ``c``."""
    if isinstance(kinds, str):
        raise ParameterError(f"expected a list of event types, got {kinds!r}; write [{kinds!r}].")
    return sum(1 << code for code in {event_code(kind) for kind in kinds})


def event_weight_table(event_weights: Mapping[str, Any] | None) -> Floats:
    """Return the weight of every kind by code, 1 where nothing is said.

    Parameters
    ----------
    event_weights : mapping from event type to weight, optional
        Weights are at least 0; a kind of weight 0 is remembered as seen but teaches nothing.

    Returns
    -------
    float32 (n_event_types,)

    Examples
    --------
    >>> event_weight_table({"purchase": 10})[event_code("purchase")]
    np.float32(10.0)
    """
    table = np.ones(len(EVENT_TYPES), dtype=np.float32)
    for name, weight in (event_weights or {}).items():
        code = event_code(name)
        if not (isinstance(weight, Real) and 0 <= float(weight) < np.inf):
            raise ParameterError(
                f"event_weights[{name!r}] must be a number of at least 0, got {weight!r}."
            )
        table[code] = weight
    if event_weights and event_weights.get("return"):
        raise ParameterError(
            "event_weights: 'return' undoes a purchase and never counts; leave it out."
        )
    return table
