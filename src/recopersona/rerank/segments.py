"""For whom a bandit chooses: the segment of a request."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from recopersona.bandits.linear import LinearPolicy
from recopersona.bandits.policy import Policy
from recopersona.base.parameters import Bound
from recopersona.data.feature_table import FeatureTable
from recopersona.data.ids import UNKNOWN, is_missing
from recopersona.data.query import Query
from recopersona.data.types import Id
from recopersona.errors import DataError, shown

MOST_SEGMENTS = 10
"""So many are told apart."""


def _is_segment(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return bool(value) and all(isinstance(name, str) for name in value)
    return isinstance(value, str) or (callable(value) and not isinstance(value, type))


SEGMENT = Bound("a context key or user column, a list of those, or a function of the query",
                _is_segment)  # fmt: skip
"""What a parameter of that meaning may be."""


def segment_of(asked: Any, query: Query, users: FeatureTable | None, user: int) -> Id | None:
    """Return the segment of a request: None where nothing tells.

    asked  the parameter
    users  what is known of customers
    user   the row of who asks, or -1
    """
    if asked is None:
        return None
    if callable(asked):
        return _checked(asked(query), asked)
    if isinstance(asked, str):
        return _checked(_known(asked, query.context, users, user), asked)
    values = tuple(_known(name, query.context, users, user) for name in asked)
    if all(value is None for value in values):
        return None
    return " / ".join("?" if value is None else str(value) for value in values)


def context_of(policy: Policy, segment: Id | None, apart: Sequence[Id]) -> Any:
    """Return a segment as a policy takes it: a linear one, as a constant and one of ten flags.

    apart  the segments that are told apart
    """
    if not isinstance(policy, LinearPolicy):
        return segment
    vector = np.zeros(1 + MOST_SEGMENTS)
    vector[0] = 1.0
    if segment in apart:
        vector[1 + apart.index(segment)] = 1.0
    return vector


def _known(name: str, context: Mapping[str, Any], users: FeatureTable | None, user: int) -> Any:
    if name in context:
        return context[name]
    if users is None or user == UNKNOWN or name not in users:
        return None
    return users.column(name).at(user)


def _checked(value: Any, asked: Callable[[Query], Any] | str) -> Id | None:
    if getattr(value, "size", 0) == 1:
        value = value.item()
    if is_missing(value):
        return None
    if not is_plain(value):
        name = asked if isinstance(asked, str) else getattr(asked, "__name__", "the function")
        raise DataError(f"segment: {name} must give an id such as 'new', got {shown(value)}.")
    segment: Id = value
    return segment


def is_plain(value: Any) -> bool:
    """Tell whether a file can hold it as it is."""
    if isinstance(value, tuple):
        return all(isinstance(one, (str, int, float)) for one in value)
    return isinstance(value, (str, int, float))
