"""What a visitor did: the kinds of events, and one event as a record."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from numbers import Real
from typing import Any, NamedTuple

import numpy as np

from recopersona.data.types import Floats, Id
from recopersona.errors import DataError, ParameterError, hint

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

ALL_EVENTS = (1 << len(EVENT_TYPES)) - 1
"""The bit mask of every kind of event."""

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
        Integers since 1970 UTC, in seconds, milliseconds, microseconds or nanoseconds: their size
        tells which.
    quantity, price : float, optional
    event_id, session_id, anonymous_id, order_id : id, optional
    payment_method, category, device, page : str, optional
    dwell_ms : float, optional
        How long the visitor stayed, in milliseconds.
    scroll_pct : float, optional
        How far the page was read, in percent.
    received : datetime, str or int, optional
        When the event came in.

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
    anonymous_id: Id | None = None
    order_id: Id | None = None
    payment_method: str | None = None
    category: str | None = None
    device: str | None = None
    dwell_ms: float | None = None
    scroll_pct: float | None = None
    received: Any = None
    page: str | None = None


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
    recopersona.errors.DataError: unknown event 'purchse'; did you mean 'purchase'? \
rp.clean(events) translates other spellings (VIEW, add_to_cart).
    """
    try:
        return EVENT_CODES[name]  # type: ignore[index]
    except (KeyError, TypeError):
        raise DataError(
            f"unknown event {name!r}{hint(name, EVENT_TYPES, 'expected one of')} "
            "rp.clean(events) translates other spellings (VIEW, add_to_cart)."
        ) from None


def event_bits(kinds: Any) -> int:
    """Return a bit mask with bit ``c`` set for every kind of code ``c`` in a list of kinds."""
    if isinstance(kinds, str) or not isinstance(kinds, Iterable):
        listed = [kinds] if isinstance(kinds, str) else ["purchase"]
        raise ParameterError(f"expected a list of event types, got {kinds!r}; write {listed!r}.")
    return sum(1 << code for code in {event_code(kind) for kind in kinds})


def seen_bits(seen: Any) -> int:
    """Return the kinds of events that make an item a seen one, as a bit mask.

    Parameters
    ----------
    seen : "drop", "keep" or iterable of event types
        All kinds, none, or those named.

    Raises
    ------
    ParameterError, DataError
        If it is none of the three, or names an unknown kind.

    Examples
    --------
    >>> seen_bits("keep"), seen_bits("drop") == ALL_EVENTS, bin(seen_bits(["click", "view"]))
    (0, True, '0b110')
    """
    if isinstance(seen, str) and seen in _SEEN:
        return _SEEN[seen]
    if isinstance(seen, (str, bytes)) or not isinstance(seen, Iterable):
        raise ParameterError(f"seen must be 'drop', 'keep' or a list of event types, got {seen!r}.")
    return event_bits(seen)


_SEEN = {"drop": ALL_EVENTS, "keep": 0}


def event_weight_table(event_weights: Any) -> Floats:
    """Return the weight of every kind by code, 1 where nothing is said.

    Parameters
    ----------
    event_weights : mapping from event type to weight, optional
        Weights are at least 0; a kind of weight 0 is remembered as seen but teaches nothing.

    Returns
    -------
    float32 (n_event_types,)

    Raises
    ------
    ParameterError, DataError
        If it is no mapping, or a weight or a kind in it cannot be used.

    Examples
    --------
    >>> event_weight_table({"purchase": 10})[event_code("purchase")]
    np.float32(10.0)
    """
    table = np.ones(len(EVENT_TYPES), dtype=np.float32)
    if event_weights is None:
        return table
    if not isinstance(event_weights, Mapping):
        raise ParameterError(
            f"event_weights must be a mapping such as {{'purchase': 10}}, got {event_weights!r}."
        )
    for name, weight in event_weights.items():
        code = event_code(name)
        if not is_weight(weight):
            raise ParameterError(
                f"event_weights[{name!r}] must be a number of at least 0, got {weight!r}."
            )
        table[code] = weight
    if event_weights.get("return"):
        raise ParameterError(
            "event_weights: 'return' undoes a purchase and never counts; leave it out."
        )
    return table


def is_weight(value: object) -> bool:
    """Tell whether a value is a number of at least 0 that float32 can hold."""
    return isinstance(value, Real) and bool(0 <= value <= _LARGEST_WEIGHT)  # type: ignore[operator]


_LARGEST_WEIGHT = float(np.finfo(np.float32).max)
