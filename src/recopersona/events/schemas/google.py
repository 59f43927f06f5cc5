"""Exports of Google Analytics to BigQuery: GA4, and Universal Analytics before it."""

from __future__ import annotations

import json
from itertools import chain
from typing import Any

import numpy as np
import pandas as pd

from recopersona.events.numbers import readable_numbers
from recopersona.events.schemas.records import (
    Lines,
    Record,
    amounts,
    digest,
    first,
    has_value,
    inside,
    moments,
    plain,
    records_in,
    text_of,
    texts,
)
from recopersona.events.schemas.schema import Schema

# GA4 ----------------------------------------------------------------------------------------------

_OF_THE_BATCH = ("batch_page_id", "batch_ordering_id", "batch_event_index")
_TYPES_OF_VALUE = ("string_value", "int_value", "double_value", "float_value")
_WANTED = frozenset(
    {"ga_session_id", "currency", "page_location", "payment_type", "transaction_id",
     "search_term", "item_list_id"}
)  # fmt: skip


def _ga4_rows(log: pd.DataFrame) -> pd.DataFrame:
    """Lay out events: one row per item of an event, one for an event without items."""
    items = plain(log, "items")
    params = [_params(own) for own in plain(log, "event_params")]
    lines = Lines.of([own or [] for own in items])
    visitors = [text_of(value) for value in plain(log, "user_pseudo_id")]
    events = {
        "timestamp": moments(plain(log, "event_timestamp"), "us"),
        "event": texts(plain(log, "event_name")),
        "user_id": texts(plain(log, "user_id")),
        "anonymous_id": texts(visitors),
        "session_id": texts(map(_session, visitors, (own.get("ga_session_id") for own in params))),
        "currency": texts(own.get("currency") for own in params),
        "order_id": texts(
            first({"of event": own.get("transaction_id"), "of order": of_order}, *_ORDER)
            for own, of_order in zip(
                params, _field(log, "ecommerce", "transaction_id"), strict=True
            )
        ),
        "payment_method": texts(own.get("payment_type") for own in params),
        "page": texts(own.get("page_location") for own in params),
        "device": texts(_field(log, "device", "category")),
        "query": texts(own.get("search_term") for own in params),
        "consent": texts(_field(log, "privacy_info", "analytics_storage")),
    }
    rows = {
        "user_id": lines.of_event(events.pop("user_id")),
        "item_id": texts(lines.of_item("item_id", "item_name")),
        **{name: lines.of_event(column) for name, column in events.items()},
        "event_id": lines.ids(_ga4_event_ids(log, items)),
        "quantity": amounts(lines.of_item("quantity")),
        "price": amounts(lines.of_item("price")),
        "category": texts(lines.of_item("item_category")),
        "position": amounts(lines.of_item("item_list_index", "index")),
        "list_id": texts(lines.of_item("item_list_id", "item_list_name")),
    }
    return pd.DataFrame(rows).set_axis(lines.events, axis=0)


_ORDER = ("of order", "of event")


def _field(log: pd.DataFrame, *path: str) -> list[Any]:
    return [inside(record, *path[1:]) for record in plain(log, path[0])]


def _params(params: list[Record] | None) -> Record:
    found: Record = {}
    for param in params or []:
        key, value = param.get("key"), param.get("value")
        if isinstance(key, str) and key in _WANTED:
            found[key] = first(value, *_TYPES_OF_VALUE) if isinstance(value, dict) else value
    return found


def _session(visitor: Any, number: Any) -> str | None:
    """Name a session; its number says nothing without the visitor's."""
    told = text_of(visitor) is not None and text_of(number) is not None
    return digest(visitor, number) if told else None


def _ga4_event_ids(log: pd.DataFrame, items: list[Any]) -> list[str | None]:
    """Name events, which have no ids: by what tells an event from all others.

    Events of one batch share their time. Exports from before its fields were there tell two
    events of one name in one batch by nothing but what they say.
    """
    names = ("user_pseudo_id", "event_timestamp", "event_name", "event_bundle_sequence_id")
    told = [plain(log, name) for name in (*names, *_OF_THE_BATCH)]
    said = list(zip(plain(log, "event_params"), items, strict=True))
    return [
        digest(*values, *(() if any(map(has_value, values[-3:])) else (_written(content),)))
        for values, content in zip(zip(*told, strict=True), said, strict=True)
    ]


def _written(content: Any) -> str:
    return json.dumps(content, sort_keys=True, default=str, skipkeys=True)


GA4 = Schema(
    "ga4",
    {},
    needs=("event_name", "event_timestamp", "user_pseudo_id"),
    nested={
        "event_params": list,
        "items": list,
        "ecommerce": dict,
        "device": dict,
        "privacy_info": dict,
    },
    rows=_ga4_rows,
    events={
        "view_item_list": "impression",
        "select_item": "click",
        "view_item": "view",
        "page_view": "page_view",
        "screen_view": "page_view",
        "add_to_wishlist": "wishlist",
        "add_to_cart": "cart",
        "remove_from_cart": "remove",
        "begin_checkout": "checkout",
        "add_shipping_info": "checkout",
        "add_payment_info": "checkout",
        "purchase": "purchase",
        "ecommerce_purchase": "purchase",
        "refund": "return",
        "search": "search",
        "view_search_results": "search",
    },
)
"""The export of Google Analytics 4 to BigQuery, as JSON lines or parquet.

``event_timestamp`` counts microseconds. A session's number is its visitor's own, so `session_id`
is made of both. Pings without cookies have neither user nor visitor: `clean` sets them aside. What
has no kind of ours (``session_start``, ``view_cart``, promotions) keeps its name.
"""

# Universal Analytics ------------------------------------------------------------------------------

_UA_ACTIONS = {
    "1": "click",
    "2": "view",
    "3": "cart",
    "4": "remove",
    "5": "checkout",
    "6": "purchase",
    "7": "return",
}
_MICROS = 1e-6


def _ua_rows(log: pd.DataFrame) -> pd.DataFrame:
    """Lay out sessions: one row per hit, or per product of a hit."""
    hits_of = plain(log, "hits")
    visits = np.repeat(np.arange(len(log)), [len(hits or []) for hits in hits_of])
    hits: list[Record] = list(chain.from_iterable(own or [] for own in hits_of))
    lines = Lines.of([records_in(hit.get("product")) for hit in hits])
    visit = {name: np.array([text_of(v) for v in plain(log, name)], dtype=object)[visits].tolist()
             for name in ("fullVisitorId", "clientId", "userId", "visitId")}  # fmt: skip
    visitors = [
        full or client
        for full, client in zip(visit["fullVisitorId"], visit["clientId"], strict=True)
    ]
    keys = list(zip(visitors, visit["visitId"], strict=True))
    device = np.array([text_of(v) for v in _field(log, "device", "deviceCategory")], dtype=object)
    names = [digest(*key, hit.get("hitNumber")) for key, hit in zip(keys, hits, strict=True)]
    events = {
        "timestamp": _ua_times(plain(log, "visitStartTime"), visits.tolist(), hits),
        "anonymous_id": texts(visitors),
        "session_id": texts(_session(*key) for key in keys),
        "currency": texts(inside(hit, "transaction", "currencyCode") for hit in hits),
        "order_id": texts(inside(hit, "transaction", "transactionId") for hit in hits),
        "payment_method": texts(map(_ua_payment, hits)),
        "page": texts(inside(hit, "page", "pagePath") for hit in hits),
        "device": texts(device[visits].tolist()),
        "query": texts(inside(hit, "page", "searchKeyword") for hit in hits),
    }
    kinds = [_ua_kind(hit) for hit in hits]
    of_line = zip(lines.events.tolist(), lines.items, strict=True)
    rows = {
        "user_id": lines.of_event(texts(visit["userId"])),
        "item_id": texts(lines.of_item("productSKU")),
        "event": texts(_ua_product_kind(product, kinds[hit]) for hit, product in of_line),
        **{name: lines.of_event(column) for name, column in events.items()},
        "event_id": lines.ids(list(names)),
        "quantity": amounts(lines.of_item("productQuantity")),
        "price": amounts(lines.of_item("productPrice"), scale=_MICROS),
        "category": texts(lines.of_item("v2ProductCategory")),
        "position": amounts(lines.of_item("productListPosition")),
        "list_id": texts(lines.of_item("productListName")),
    }
    return pd.DataFrame(rows).set_axis(visits[lines.events], axis=0)


def _ua_kind(hit: Record) -> str | None:
    action = text_of(inside(hit, "eCommerceAction", "action_type"))
    if action in _UA_ACTIONS:
        return _UA_ACTIONS[action]
    if text_of(inside(hit, "page", "searchKeyword")) is not None:
        return "search"
    kind = text_of(hit.get("type"))
    return "page_view" if kind in ("PAGE", "APPVIEW", "SCREENVIEW") else kind


def _ua_product_kind(product: Record, kind: str | None) -> str | None:
    """A product shown in a list, or clicked there, did not take part in what the hit says."""
    if _is_true(product.get("isClick")):
        return "click"
    return "impression" if _is_true(product.get("isImpression")) else kind


def _is_true(value: Any) -> bool:
    return value is True or (isinstance(value, str) and value.lower() == "true")


def _ua_payment(hit: Record) -> Any:
    """Return the option of a checkout, which is where shops wrote how one pays."""
    is_checkout = text_of(inside(hit, "eCommerceAction", "action_type")) == "5"
    return inside(hit, "eCommerceAction", "option") if is_checkout else None


def _ua_times(starts: list[Any], visits: list[int], hits: list[Record]) -> pd.Series:
    """The visit's start in seconds and the hit's distance from it in milliseconds."""
    began = readable_numbers(texts(starts))
    since = readable_numbers(texts(text_of(hit.get("time")) or "0" for hit in hits))
    summed = began[visits] * 1e3 + since
    told: list[Any] = summed.tolist()
    for hit in np.flatnonzero(~np.isfinite(summed)).tolist():
        start = starts[visits[hit]]
        told[hit] = start if start is None else f"{start} s + {hits[hit].get('time')} ms"
    return moments(told, "ms")


UA = Schema(
    "ua",
    {},
    needs=("fullVisitorId", "visitId", "visitStartTime", "hits"),
    nested={"hits": list, "device": dict},
    rows=_ua_rows,
)
"""The export of Universal Analytics with enhanced e-commerce to BigQuery: a row is a session.

Times are the visit's start in seconds and the hit's milliseconds since; prices are micros. A
product that a list showed is an ``impression``, whatever the hit was about.
"""
