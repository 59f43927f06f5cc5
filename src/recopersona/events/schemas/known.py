"""Every schema that ``schema="auto"`` knows, and which of them some columns fit."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from recopersona.errors import ParameterError, did_you_mean
from recopersona.events.schemas.google import GA4, UA
from recopersona.events.schemas.public_sets import (
    COMPLETE_JOURNEY,
    MOVIELENS,
    ONLINE_RETAIL,
    OURS,
    RATINGS,
    REES46,
    REES46_SESSIONS,
    RETAILROCKET,
    TRIVAGO,
)
from recopersona.events.schemas.schema import Schema
from recopersona.events.schemas.segment import SEGMENT, SEGMENT_TABLES
from recopersona.events.schemas.snowplow import SNOWPLOW

SCHEMAS = (
    OURS, RATINGS, MOVIELENS, RETAILROCKET, ONLINE_RETAIL, REES46, REES46_SESSIONS, TRIVAGO,
    COMPLETE_JOURNEY, GA4, UA, SEGMENT, SEGMENT_TABLES, SNOWPLOW,
)  # fmt: skip
"""A new schema is one more name here; among several that fit, the one that needs most is taken."""

_OTHER_NAMES = {"rudderstack": "segment", "rudderstack-tables": "segment-tables"}


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
    known |= {other: known[named] for other, named in _OTHER_NAMES.items()}
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
    return max(SCHEMAS, key=lambda schema: schema.share(names))
