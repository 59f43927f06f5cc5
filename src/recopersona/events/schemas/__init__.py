"""The logs we know: what their columns and events are called, and how to tell them apart."""

from recopersona.events.schemas.known import SCHEMAS, fitting_schema, nearest_schema, schema_named
from recopersona.events.schemas.public_sets import ONLINE_RETAIL, OURS
from recopersona.events.schemas.schema import ID_COLUMNS, Schema

__all__ = [
    "ID_COLUMNS",
    "ONLINE_RETAIL",
    "OURS",
    "SCHEMAS",
    "Schema",
    "fitting_schema",
    "nearest_schema",
    "schema_named",
]
