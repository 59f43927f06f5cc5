"""Who is who: users by an attribute, by how much they have done, or as the caller says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from recopersona.data.dataset import Dataset
from recopersona.data.ids import UNKNOWN
from recopersona.data.types import Array, Id
from recopersona.errors import ColumnError, DataError, ParameterError, hint
from recopersona.evaluation.splits import Split

ACTIVITY = "activity"
"""The name of segments by how many events are known of a user."""
NOBODY_KNOWS = "unknown"
"""The segment of users of whom the attribute is not known."""
MOST_SEGMENTS = 50
"""More would not be segments of a shop but its users one by one."""

_THIRDS = np.array(["low", "middle", "high"], dtype=object)


def segments_of(by: Any, split: Split, user_ids: Sequence[Id]) -> Array:
    """Return the segment of each user as text, object (n_users,).

    Parameters
    ----------
    by : str, or mapping from user id to segment
        A user column of the dataset (numbers and times are cut into thirds), ``"activity"`` (thirds
        by the number of events known of them; "new" is who has none), or who is in which segment: a
        dict or a series.

    Raises
    ------
    ColumnError
        If there is no such user column.
    DataError
        If not one of the users is in a segment, or there are too many segments.
    """
    if isinstance(by, (Mapping, pd.Series)):
        found = _mapped(by, user_ids)
    elif not isinstance(by, str):
        raise ParameterError(
            "by must be a user column, 'activity' or a mapping from user id to segment, "
            f"got {by!r}."
        )
    elif by == ACTIVITY:
        found = _by_activity(split, user_ids)
    else:
        found = _by_column(by, split, user_ids)
    n_segments = len(set(found.tolist()))
    if n_segments > MOST_SEGMENTS:
        raise DataError(
            f"by={_shown(by)} makes {n_segments:,} segments, at most {MOST_SEGMENTS} are compared; "
            "group its values and pass a mapping from user id to group."
        )
    if (found == NOBODY_KNOWS).all():
        raise DataError(
            f"by={_shown(by)} says nothing of the {len(found):,} users evaluated; "
            "its ids must be written like those of the events."
        )
    return found


def _shown(by: Any) -> str:
    return repr(by) if isinstance(by, str) else f"a {type(by).__name__}"


def _mapped(by: Any, user_ids: Sequence[Id]) -> Array:
    told = [by.get(user) for user in user_ids]
    return _texts([None if pd.isna(value) else value for value in told])


def _by_activity(split: Split, user_ids: Sequence[Id]) -> Array:
    events = _events(split.train, user_ids)
    if split.given is not None:
        events = events + _events(split.given, user_ids)
    segments = np.full(len(events), "new", dtype=object)
    segments[events > 0] = _thirds(events[events > 0])
    return segments


def _events(part: Dataset, user_ids: Sequence[Id]) -> Array:
    """Return how many events a part has of each user; of who is not in it (-1) none."""
    counts = np.append(np.bincount(part.log.users, minlength=len(part.users)), 0)
    events: Array = counts[part.users.indices(list(user_ids))]
    return events


def _by_column(name: str, split: Split, user_ids: Sequence[Id]) -> Array:
    """Read a user column: of the held-out part, which knows all users asked about, or training."""
    for part in (split.test, split.train):
        if name in part.user_features:
            column = part.user_features.column(name)
            break
    else:
        names = split.train.user_features.names
        raise ColumnError(f"by: there is no user column {name!r}{hint(name, [*names, ACTIVITY])}")
    rows = part.users.indices(list(user_ids))
    rows[rows >= len(column)] = UNKNOWN
    known = rows != UNKNOWN
    segments = np.full(len(rows), NOBODY_KNOWS, dtype=object)
    if column.kind in ("number", "time"):
        numbers = pd.to_numeric(column.series()).to_numpy(np.float64)[rows[known]]
        there = ~np.isnan(numbers)
        segments[np.flatnonzero(known)[there]] = _thirds(numbers[there])
    else:
        segments[known] = _texts([column.at(row) for row in rows[known].tolist()])
    return segments


def _thirds(numbers: Array) -> Array:
    """Cut users into thirds; who has the same number is in the same third."""
    if not len(numbers):
        return np.empty(0, dtype=object)
    edges = np.quantile(numbers, [1 / 3, 2 / 3], method="inverted_cdf")
    return _THIRDS[np.searchsorted(edges, numbers, side="left")]


def _texts(values: Sequence[Any]) -> Array:
    """Write values as text; several of one user as one text."""
    told = [
        NOBODY_KNOWS if value is None
        else ", ".join(map(str, value)) if isinstance(value, tuple)
        else str(value)
        for value in values
    ]  # fmt: skip
    return np.fromiter(told, dtype=object, count=len(told))


def in_order(segments: Array) -> list[str]:
    """Return the distinct segments: thirds from low to high, others by size, unknown last."""
    names, counts = np.unique(segments.astype(str), return_counts=True)
    fixed = {"new": 0, "low": 1, "middle": 2, "high": 3}
    if set(names.tolist()) <= {*fixed, NOBODY_KNOWS}:
        return sorted(names.tolist(), key=lambda name: fixed.get(name, 4))
    sizes = dict(zip(names.tolist(), counts.tolist(), strict=True))
    return sorted(sizes, key=lambda name: (name == NOBODY_KNOWS, -sizes[name], name))
