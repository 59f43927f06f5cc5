"""Logs of one row per event: our own words, and public data sets as they are published."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from recopersona.events.distinct import Distinct
from recopersona.events.numbers import readable_numbers
from recopersona.events.schemas.records import Lines, Record, amounts, plain, texts
from recopersona.events.schemas.schema import Schema


def _invoice_lines(lines: pd.DataFrame) -> Mapping[str, Any]:
    """Read an invoice number's letter: none is a sale, C a cancellation, others are bookkeeping.

    Bookkeeping (A, bad debt) becomes an ``adjustment``, which is no kind of event: `clean` sets it
    aside and counts it, whether or not it names a customer.
    """
    invoices = Distinct.of(lines["order_id"])
    return {
        "order_id": invoices.map(lambda number: str(number).strip()),
        "item_id": Distinct.of(lines["item_id"]).map(lambda code: str(code).strip().upper()),
        "user_id": _whole(lines["user_id"]),
        "event": invoices.map(lambda number: _INVOICE_KINDS.get(_letter(number), "adjustment")),
        "currency": pd.Series("GBP", index=range(len(lines))),
    }


_INVOICE_KINDS = {"": "purchase", "C": "return"}


def _letter(invoice: object) -> str:
    first = str(invoice).strip()[:1].upper()
    return "" if first.isdigit() else first


def _whole(ids: pd.Series) -> pd.Series:
    """Customer numbers are whole; the gaps among them had made them floats."""
    return ids.astype("Int64") if pd.api.types.is_float_dtype(ids.dtype) else ids


OURS = Schema("recopersona", {}, needs=("user_id", "item_id"))
"""A log in our own words."""

RATINGS = Schema(
    "ratings",
    {"weight": "rating"},
    needs=("user_id", "item_id", "rating"),
    unless=("event", "weight"),
)
"""Our own words, but for a rating."""

MOVIELENS = Schema(
    "movielens",
    {"user_id": "userId", "item_id": "movieId", "weight": "rating"},
    needs=("userId", "movieId", "rating"),
)
"""MovieLens as published from 2014 on; times are seconds since 1970."""

RETAILROCKET = Schema(
    "retailrocket",
    {"user_id": "visitorid", "item_id": "itemid", "order_id": "transactionid"},
    needs=("visitorid", "event", "itemid"),
    events={"addtocart": "cart", "transaction": "purchase"},
)
"""RetailRocket as published, and logs made from it; times are milliseconds or seconds."""

ONLINE_RETAIL = Schema(
    "online-retail",
    {
        "order_id": "InvoiceNo",
        "item_id": "StockCode",
        "quantity": "Quantity",
        "timestamp": "InvoiceDate",
        "price": "UnitPrice",
        "user_id": "CustomerID",
    },
    needs=("InvoiceNo", "StockCode", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID"),
    time_zone="Europe/London",
    time_format="%m/%d/%Y %H:%M",
    derive=_invoice_lines,
)
"""Online Retail as published: invoice lines of a British wholesaler, cancellations as ``C…``.

Codes that differ only in case are one article. Quantities keep their sign; `clean` turns the
negative ones into returns. Postage, samples and bank charges have codes that do not begin with
five digits: ``clean(events, item_pattern=r"\\d{5}.*")`` sets them aside.
"""

REES46 = Schema(
    "rees46",
    {
        "user_id": "user_id",
        "item_id": "product_id",
        "timestamp": "event_time",
        "event": "event_type",
        "session_id": "user_session",
        "category": "category_code",
    },
    needs=("event_time", "event_type", "product_id", "user_id", "user_session"),
    events={"remove_from_cart": "remove"},
    time_format="%Y-%m-%d %H:%M:%S UTC",
)
"""Logs of REES46 as published: one line per event, times in UTC."""

REES46_SESSIONS = Schema(
    "rees46-sessions",
    {"event": "event_code", "category": "category_code", "step": "position"},
    needs=("user_id", "session_id", "item_id", "timestamp", "event_code"),
    unless=("event",),
    events={2: "view", 3: "event 3", 4: "event 4"},
)
"""REES46 as encoded for the session benchmarks of NVIDIA Merlin: kinds of event are numbers.

2 is a view. Which of 3 and 4 is a cart and which a purchase is not stated: they become ``event 3``
and ``event 4``, which `clean` sets aside. ``position`` is the step in the session: it becomes
``step``.
"""


def _trivago_rows(log: pd.DataFrame) -> pd.DataFrame:
    """Lay out actions: before a click comes a row for every hotel that the list showed."""
    kinds = plain(log, "action_type")
    shown = [_shown_hotels(*cells) for cells in _zipped(log, "impressions", "prices")]
    references = plain(log, "reference")
    names = [f"{session}/{step}" for session, step in _zipped(log, "session_id", "step")]
    lines = Lines.of([
        [*hotels, _reference(kind, reference, hotels)]
        for kind, reference, hotels in zip(kinds, references, shown, strict=True)
    ])  # fmt: skip
    was_shown = np.array(["shown" in item for item in lines.items], dtype=np.bool_)
    event = lines.of_event(texts(kinds)).mask(was_shown, "impression")
    kept = [name for name in ("timestamp", "session_id", "step", "device", "platform", "city",
                              "current_filters") if name in log.columns]  # fmt: skip
    rows = {
        "user_id": lines.of_event(log["user_id"].reset_index(drop=True)),
        "item_id": texts(lines.of_item("item_id")),
        "event": event,
        **{name: lines.of_event(log[name].reset_index(drop=True)) for name in kept},
        "event_id": lines.ids(list(names)),
        "price": amounts(lines.of_item("price")),
        "position": amounts(lines.of_item("position")),
        "query": texts(lines.of_item("query")),
    }
    return pd.DataFrame(rows).set_axis(lines.events, axis=0)


def _zipped(log: pd.DataFrame, *names: str) -> Any:
    return zip(*(plain(log, name) for name in names), strict=True)


def _shown_hotels(impressions: Any, prices: Any) -> list[Record]:
    if not isinstance(impressions, str) or not impressions:
        return []
    hotels = impressions.split("|")
    costs = prices.split("|") if isinstance(prices, str) else []
    return [
        {"item_id": hotel, "price": cost, "position": place, "shown": True}
        for place, (hotel, cost) in enumerate(
            zip(hotels, [*costs, *[None] * len(hotels)], strict=False), start=1
        )
    ]


def _reference(kind: Any, reference: Any, hotels: list[Record]) -> Record:
    """Say what an action is about: a hotel (and its place among those shown), or words."""
    is_of_a_hotel = isinstance(kind, str) and kind in _OF_A_HOTEL
    if not is_of_a_hotel or not str(reference).isdecimal():
        return {"query": reference}
    found = next((hotel for hotel in hotels if hotel["item_id"] == str(reference)), {})
    return {"item_id": reference, "price": found.get("price"), "position": found.get("position")}


_TRIVAGO_EVENTS = {
    "clickout item": "click",
    "interaction item image": "view",
    "interaction item info": "view",
    "interaction item rating": "view",
    "interaction item deals": "view",
    "search for item": "search",
    "search for destination": "search",
    "search for poi": "search",
    "filter selection": "page_view",
    "change of sort order": "page_view",
    "impression": "impression",
}
_OF_A_HOTEL = {kind for kind in _TRIVAGO_EVENTS if " item" in kind}

TRIVAGO = Schema(
    "trivago",
    {},
    needs=("user_id", "session_id", "timestamp", "step", "action_type", "reference"),
    rows=_trivago_rows,
    events=_TRIVAGO_EVENTS,
)
"""Hotel searches of the RecSys Challenge 2019: actions, and the lists that were clicked in.

A click out is a ``click``, looking at a hotel's image, info, rating or deals a ``view``; every
hotel of the list is an ``impression`` with its position (from 1) and price. Searches, filters and
sort orders are rows without an item, their words in ``query``: `clean` sets them aside and counts
them.
"""


def _basket_lines(lines: pd.DataFrame) -> Mapping[str, Any]:
    """What was paid for the line, by the piece; lines without a quantity have no price."""
    paid, pieces = (readable_numbers(lines[name]) for name in ("sales_value", "quantity"))
    with np.errstate(divide="ignore", invalid="ignore"):
        price = np.where(pieces > 0, paid / pieces, np.nan)
    bought = pd.Series("purchase", index=range(len(lines)))
    return {
        "price": pd.Series(price),
        "event": bought,
        "currency": bought.replace("purchase", "USD"),
    }


COMPLETE_JOURNEY = Schema(
    "completejourney",
    {
        "user_id": "household_id",
        "item_id": "product_id",
        "order_id": "basket_id",
        "timestamp": "transaction_timestamp",
    },
    needs=("household_id", "product_id", "basket_id", "quantity", "sales_value",
           "transaction_timestamp"),
    time_zone="America/New_York",
    derive=_basket_lines,
)  # fmt: skip
"""The Complete Journey's transactions as in its R package: lines of baskets, in store time."""
