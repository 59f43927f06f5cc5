"""Several ids or queries, given as whatever can be walked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from recopersona.data.query import Query
from recopersona.errors import DataError


def listed(ids: Any, verb: str) -> list[Any]:
    """Return several ids or queries as a list.

    Raises
    ------
    DataError
        If it is one id, a frame, or nothing that can be walked.
    """
    if isinstance(ids, pd.DataFrame):
        raise DataError(f"{verb} needs a list of ids, got a frame; pass frame['user_id'].")
    one = isinstance(ids, (str, bytes, Query, Mapping)) or not isinstance(ids, Iterable)
    if one:
        raise DataError(f"{verb} needs a list of ids, got {ids!r}; write [{ids!r}].")
    return list(ids)
