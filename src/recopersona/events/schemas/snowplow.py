"""Snowplow's enriched events with its e-commerce entities."""

from __future__ import annotations

from typing import Any

import pandas as pd

from recopersona.events.schemas.records import (
    Lines,
    Record,
    amounts,
    first,
    has_value,
    inside,
    plain,
    text_of,
    texts,
)
from recopersona.events.schemas.schema import Schema

_SHOP = "com_snowplowanalytics_snowplow_ecommerce_"
_ACTION = f"unstruct_event_{_SHOP}snowplow_ecommerce_action_1*"
_SEARCH = "unstruct_event_com_snowplowanalytics_snowplow_site_search_1*"
_PRODUCTS = f"contexts_{_SHOP}product_1*"
_ORDERS = f"contexts_{_SHOP}transaction_1*"
_REFUNDS = f"contexts_{_SHOP}refund_1*"
_CHECKOUTS = f"contexts_{_SHOP}checkout_step_1*"
_TIMES = ("derived_tstamp", "dvce_created_tstamp", "collector_tstamp")


def _rows(log: pd.DataFrame) -> pd.DataFrame:
    """Lay out events: one row per product entity, one for an event without any."""
    actions = [own or {} for own in plain(log, _ACTION)]
    lines = Lines.of([own or [] for own in plain(log, _PRODUCTS)])
    orders = [
        _first_of(order) or _first_of(refund)
        for order, refund in zip(plain(log, _ORDERS), plain(log, _REFUNDS), strict=True)
    ]
    checkouts = list(map(_first_of, plain(log, _CHECKOUTS)))
    events = {
        "timestamp": _first_time(log),
        "event": texts(map(_kind, actions, plain(log, "event_name"))),
        "anonymous_id": texts(
            first({"domain": domain, "network": network}, "domain", "network")
            for domain, network in zip(
                plain(log, "domain_userid"), plain(log, "network_userid"), strict=True
            )
        ),
        "session_id": texts(plain(log, "domain_sessionid")),
        "order_id": texts(order.get("transaction_id") for order in orders),
        "payment_method": texts(
            order.get("payment_method") or step.get("payment_method")
            for order, step in zip(orders, checkouts, strict=True)
        ),
        "page": texts(plain(log, "page_url")),
        "device": texts(plain(log, "platform")),
        "user_agent": texts(plain(log, "useragent")),
        "query": texts(map(_searched, plain(log, _SEARCH))),
        "list_id": texts(action.get("name") for action in actions),
        "received": _times(log, "collector_tstamp"),
    }
    of_order = [text_of(order.get("currency")) for order in orders]
    currency = [
        text_of(item.get("currency")) or of_order[event]
        for event, item in zip(lines.events.tolist(), lines.items, strict=True)
    ]
    rows = {
        "user_id": lines.of_event(texts(plain(log, "user_id"))),
        "item_id": texts(lines.of_item("id")),
        **{name: lines.of_event(column) for name, column in events.items()},
        "event_id": lines.ids([text_of(name) for name in plain(log, "event_id")]),
        "quantity": amounts(lines.of_item("quantity")),
        "price": amounts(lines.of_item("price")),
        "currency": texts(currency),
        "category": texts(lines.of_item("category")),
        "position": amounts(lines.of_item("position")),
    }
    return pd.DataFrame(rows).set_axis(lines.events, axis=0)


def _first_of(entities: list[Record] | None) -> Record:
    return entities[0] if entities else {}


def _kind(action: Record, name: Any) -> Any:
    """Return the type of a shop's action, whose event name is the same for all."""
    return action["type"] if has_value(action.get("type")) else name


def _searched(search: Record | None) -> str | None:
    terms = inside(search, "terms")
    return " ".join(map(str, terms)) if isinstance(terms, list) else text_of(terms)


def _times(log: pd.DataFrame, name: str) -> pd.Series:
    """Return a column of times as it is: datetimes, or text that begins with the date."""
    if name in log.columns and pd.api.types.is_datetime64_any_dtype(log[name].dtype):
        return log[name].reset_index(drop=True)
    return texts(plain(log, name))


def _first_time(log: pd.DataFrame) -> pd.Series:
    """Return the best time that an event has."""
    told = [_times(log, name) for name in _TIMES if name in log.columns]
    times, *others = told or [texts([None] * len(log))]
    for other in others:
        if times.isna().any():
            times = times.astype(object).where(times.notna(), other.astype(object))
    return times


SNOWPLOW = Schema(
    "snowplow",
    {},
    needs=("event_id", "event_name", "collector_tstamp", "domain_userid"),
    nested={
        _ACTION: dict, _SEARCH: dict, _PRODUCTS: list, _ORDERS: list, _REFUNDS: list,
        _CHECKOUTS: list,
    },
    rows=_rows,
    events={
        "list_view": "impression",
        "list_click": "click",
        "product_view": "view",
        "page_view": "page_view",
        "screen_view": "page_view",
        "add_to_cart": "cart",
        "remove_from_cart": "remove",
        "checkout_step": "checkout",
        "transaction": "purchase",
        "refund": "return",
        "site_search": "search",
    },
)  # fmt: skip
"""Snowplow's enriched events, as its loaders and its analytics SDKs write them.

A transaction that failed (``trns_error``) keeps its name, so that `clean` sets it aside, as
promotions do. Entities of every minor version are read (``…_product_1``, ``…_product_1_0_0``).
"""
