"""The logs we know: what their columns and events are called, and how to tell them apart."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import pandas as pd

from recopersona.errors import ParameterError, did_you_mean
from recopersona.events.distinct import Distinct

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

_NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True)
class Schema:
    """How one system writes its log.

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
        Their kinds of event to ours; others keep their names.
    time_zone : str
        Where the clock hangs whose times name no zone.
    time_format : str, optional
        How times are written, where it is not ISO 8601.
    derive : callable, optional
        From the log in our columns to further or better columns, by name.

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
    events: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
    time_zone: str = "UTC"
    time_format: str | None = None
    derive: Callable[[pd.DataFrame], Mapping[str, Any]] | None = None

    def lacks(self, names: Collection[str]) -> list[str]:
        """Return the needed columns that are not among some names."""
        return [column for column in self.needs if column not in names]

    def fits(self, names: Collection[str]) -> bool:
        """Tell whether a frame of these columns is such a log."""
        return not self.lacks(names) and not any(column in names for column in self.unless)


def schema_named(name: Any) -> Schema:
    """Return a schema by its name.

    Raises
    ------
    ParameterError
        If there is none of that name.

    Examples
    --------
    >>> schema_named("movielens").columns["item_id"]
    'movieId'
    >>> schema_named("movilens")
    Traceback (most recent call last):
    recopersona.errors.ParameterError: unknown schema 'movilens'; did you mean 'movielens'?
    """
    if isinstance(name, Schema):
        return name
    known = {schema.name: schema for schema in SCHEMAS}
    if isinstance(name, str) and name in known:
        return known[name]
    fix = did_you_mean(name, known) or f"; expected auto, {', '.join(known)} or a Schema."
    raise ParameterError(f"unknown schema {name!r}{fix}")


def fitting_schema(names: Collection[str]) -> Schema | None:
    """Return the schema that some columns fit, the most particular one if there are several.

    Examples
    --------
    >>> fitting_schema(["user_id", "item_id", "rating"]).name
    'ratings'
    """
    fitting = [schema for schema in SCHEMAS if schema.fits(names)]
    return max(fitting, key=lambda schema: len(schema.needs), default=None)


def nearest_schema(names: Collection[str]) -> Schema:
    """Return the first schema of which the greatest share of needed columns is among some names.

    Examples
    --------
    >>> nearest_schema(["InvoiceNo", "StockCode", "Amount"]).name
    'online-retail'
    """
    return max(SCHEMAS, key=lambda schema: 1 - len(schema.lacks(names)) / len(schema.needs))


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

SCHEMAS = (OURS, RATINGS, MOVIELENS, RETAILROCKET, ONLINE_RETAIL)
"""Every schema that ``schema="auto"`` knows; among several that fit, the one that needs most."""
