"""Many lists at once, as arrays: what to leave out, and what was found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Any, NamedTuple, overload

import numpy as np

from recopersona.data.query import Query
from recopersona.data.types import Array, Floats, Id, Indices


class Excluded(NamedTuple):
    """The items each of many lists leaves out, ascending.

    bounds  (n_lists + 1,) int64: list l leaves out ``items[bounds[l]:bounds[l + 1]]``
    items   (n_excluded,) int32
    """

    bounds: Array
    items: Indices

    @classmethod
    def of(cls, rows: Sequence[Indices]) -> Excluded:
        """Put single lists into one array."""
        if len(rows) == 1:
            return cls(np.array([0, len(rows[0])]), rows[0].astype(np.int32, copy=False))
        bounds = np.zeros(len(rows) + 1, np.int64)
        np.cumsum([len(row) for row in rows], out=bounds[1:])
        flat = np.concatenate(rows) if rows else np.empty(0, np.int32)
        return cls(bounds, flat.astype(np.int32, copy=False))

    def row(self, number: int) -> Indices:
        """Return what one list leaves out."""
        return self.items[self.bounds[number] : self.bounds[number + 1]]


class Best(NamedTuple):
    """The best items of many lists, best first, ties by item.

    items   (n_lists, n) int32, -1 beyond what was found
    scores  (n_lists, n) float32, -inf there
    counts  (n_lists,) int64, how many were found
    """

    items: Indices
    scores: Floats
    counts: Array

    @classmethod
    def empty(cls, n_lists: int, n: int) -> Best:
        """Make lists in which nothing was found yet."""
        return cls(
            np.full((n_lists, n), -1, np.int32),
            np.full((n_lists, n), -np.inf, np.float32),
            np.zeros(n_lists, np.int64),
        )


@dataclass(frozen=True, eq=False)
class Barring(Query):
    """A query that also names what must not be shown to this one visitor: a few items.

    So that many who may be shown the same but for those can be answered together.

    barred  int32, ascending
    """

    barred: Indices = field(default_factory=lambda: np.empty(0, np.int32))

    @classmethod
    def around(cls, query: Query, barred: Indices) -> Query:
        """Return a query that bars some items, and what it barred before."""
        if not len(barred):
            return query
        said = {one.name: getattr(query, one.name) for one in fields(query)}
        said["barred"] = with_barred(barred, query)
        return cls(**said)


def with_barred(items: Indices, query: Query) -> Indices:
    """Return some items, ascending, and those that a query bars."""
    if not isinstance(query, Barring):
        return items
    return np.sort(np.concatenate([items, query.barred]))


class UserQueries(Sequence[Query]):
    """The questions of many users who say nothing but who they are.

    A `Query` is made when one is looked at; whoever can do without reads ``users``.

    ids    (n,) list of user ids
    users  (n,) int32, -1 where unknown
    """

    def __init__(self, ids: Sequence[Id], users: Indices) -> None:
        self.ids, self.users = ids, users

    def __len__(self) -> int:
        return len(self.ids)

    @overload
    def __getitem__(self, place: int) -> Query: ...
    @overload
    def __getitem__(self, place: slice) -> UserQueries: ...
    def __getitem__(self, place: Any) -> Query | UserQueries:
        if isinstance(place, slice):
            return UserQueries(self.ids[place], self.users[place])
        return Query(user_id=self.ids[place])
