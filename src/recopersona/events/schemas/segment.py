"""The v2 e-commerce events of Segment, whose names RudderStack shares."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from recopersona.events.schemas.records import (
    Lines,
    Record,
    amounts,
    digest,
    first,
    has_value,
    inside,
    plain,
    read_cells,
    records_in,
    text_of,
    texts,
)
from recopersona.events.schemas.schema import Schema

_EVENTS = {
    "Product List Viewed": "impression",
    "Product List Filtered": "impression",
    "Product Clicked": "click",
    "Product Viewed": "view",
    "page": "page_view",
    "screen": "page_view",
    "Product Added to Wishlist": "wishlist",
    "Product Added": "cart",
    "Wishlist Product Added to Cart": "cart",
    "Product Removed": "remove",
    "Checkout Started": "checkout",
    "Checkout Step Viewed": "checkout",
    "Checkout Step Completed": "checkout",
    "Payment Info Entered": "checkout",
    "Order Completed": "purchase",
    "Order Refunded": "return",
    "Order Cancelled": "return",
    "Products Searched": "search",
}
_ITEM = ("product_id", "sku")


def _rows(log: pd.DataFrame) -> pd.DataFrame:
    """Lay out calls as they are sent: ``{type, event, properties, context, …}``."""
    properties = [own or {} for own in plain(log, "properties")]
    context = [own or {} for own in plain(log, "context")]
    lines = Lines.of(list(map(_products, properties)))
    visitors = [text_of(value) for value in plain(log, "anonymousId")]
    sessions = [
        first({"first": inside(own, "sessionId"), "second": told}, "first", "second")
        for own, told in zip(context, plain(log, "sessionId"), strict=True)
    ]
    users = plain(log, "userId")
    events = {
        "timestamp": texts(_either(plain(log, "timestamp"), plain(log, "originalTimestamp"))),
        "event": texts(map(_kind, plain(log, "type"), plain(log, "event"))),
        "anonymous_id": texts(visitors),
        "session_id": texts(map(_session, visitors, users, sessions)),
        "device": texts(
            first(own, "type", "model") for own in (_inner(own, "device") for own in context)
        ),
        "page": texts(
            first(told, "url", "path") or inside(own, "page", "url")
            for told, own in zip(properties, context, strict=True)
        ),
        "user_agent": texts(inside(own, "userAgent") for own in context),
        "received": texts(plain(log, "receivedAt")),
        **_of_the_order(properties),
    }
    return _laid_out(lines, texts(users), plain(log, "messageId"), events)


def _table_rows(log: pd.DataFrame) -> pd.DataFrame:
    """Lay out calls as a warehouse holds them: properties are columns, lists are JSON text."""
    names = [str(name) for name in log.columns]
    properties: list[Record] = [
        dict(zip(names, values, strict=True))
        for values in zip(*(plain(log, name) for name in names), strict=True)
    ]
    lines = Lines.of(list(map(_products, properties)))
    visitors = [text_of(value) for value in plain(log, "anonymous_id")]
    users = plain(log, "user_id")
    events = {
        "timestamp": texts(_either(plain(log, "timestamp"), plain(log, "original_timestamp"))),
        "event": texts(_either(plain(log, "event"), plain(log, "event_text"))),
        "anonymous_id": texts(visitors),
        "session_id": texts(map(_session, visitors, users, plain(log, "context_session_id"))),
        "device": texts(plain(log, "context_device_type")),
        "page": texts(_either(plain(log, "context_page_url"), plain(log, "context_page_path"))),
        "user_agent": texts(plain(log, "context_user_agent")),
        "received": texts(plain(log, "received_at")),
        **_of_the_order(properties),
    }
    return _laid_out(lines, texts(users), plain(log, "id"), events)


def _laid_out(
    lines: Lines, users: pd.Series, names: list[Any], events: dict[str, pd.Series]
) -> pd.DataFrame:
    rows = {
        "user_id": lines.of_event(users),
        "item_id": texts(lines.of_item(*_ITEM)),
        **{name: lines.of_event(column) for name, column in events.items()},
        "event_id": lines.ids([text_of(name) for name in names]),
        "quantity": amounts(lines.of_item("quantity")),
        "price": amounts(lines.of_item("price")),
        "category": texts(lines.of_item("category")),
        "position": amounts(lines.of_item("position")),
    }
    return pd.DataFrame(rows).set_axis(lines.events, axis=0)


def _products(properties: Record) -> list[Record]:
    """Return the products of an event: a list of them, or the one that its properties describe."""
    told = properties.get("products")
    if isinstance(told, str):
        told = read_cells(pd.Series([told], dtype=object), list)[0][0]
    products = records_in(told)
    alone = not products and any(has_value(properties.get(name)) for name in _ITEM)
    return [properties] if alone else products


def _of_the_order(properties: list[Record]) -> dict[str, pd.Series]:
    """What is said once for all products; `price` times `quantity` is the truth of the amounts."""
    names = {
        "currency": ("currency",),
        "order_id": ("order_id",),
        "payment_method": ("payment_method",),
        "query": ("query",),
        "list_id": ("list_id", "category_id"),
    }
    return {ours: texts(first(own, *keys) for own in properties) for ours, keys in names.items()}


def _kind(call: Any, event: Any) -> Any:
    return event if has_value(event) and call in (None, "track") else call


def _session(visitor: Any, user: Any, number: Any) -> str | None:
    """Name a session; the number is the moment it began, which visitors share."""
    whose = text_of(visitor) or text_of(user)
    return digest(whose, number) if whose is not None and has_value(number) else None


def _either(values: Sequence[Any], others: Sequence[Any]) -> list[Any]:
    return [
        value if has_value(value) else other for value, other in zip(values, others, strict=True)
    ]


def _inner(record: Record, key: str) -> Record:
    value = record.get(key)
    return value if isinstance(value, dict) else {}


SEGMENT = Schema(
    "segment",
    {},
    needs=("type", "messageId", "anonymousId"),
    nested={"properties": dict, "context": dict},
    rows=_rows,
    events=_EVENTS,
)
"""Calls of Segment or RudderStack as they are sent, in JSON.

`timestamp` is the clock of their server, ``receivedAt`` becomes `received`. An order's totals mean
different things; a row has the price of one piece. ``Order Updated`` amends an order and is no
purchase of its own: it keeps its name, as carts viewed and promotions do.
"""

SEGMENT_TABLES = Schema(
    "segment-tables",
    {},
    needs=("id", "anonymous_id", "event", "received_at"),
    rows=_table_rows,
    events=_EVENTS,
)
"""The tables that Segment or RudderStack keeps in a warehouse: properties are columns."""
