"""The catalogue as a tree: categories, narrower ones within them, and the items."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Self

import numpy as np

from recopersona.data.feature_table import CategoryColumn, FeatureTable
from recopersona.data.types import Array, Indices


class ItemLevels(NamedTuple):
    """Each item's group on every level, coarse to fine; the last level is the items themselves.

    groups   of each level: (n_items,) int32
    parents  of each level: (n_groups,) int32, the group on the level before that holds it; 0 on
             the first
    """

    groups: list[Indices]
    parents: list[Indices]

    @classmethod
    def of(cls, columns: Sequence[Array], n_items: int) -> Self:
        """Nest columns of codes, coarse to fine: items alike in all columns so far are together.

        Examples
        --------
        >>> tree = ItemLevels.of([np.array([0, 0, 1]), np.array([5, 7, 5])], 3)
        >>> [group.tolist() for group in tree.groups]
        [[0, 0, 1], [0, 1, 2], [0, 1, 2]]
        >>> [parent.tolist() for parent in tree.parents]
        [[0, 0], [0, 0, 1], [0, 1, 2]]
        """
        groups: list[Indices] = []
        parents: list[Indices] = []
        above = np.zeros(n_items, np.int64)
        for column in columns:
            codes = np.zeros(n_items, np.int64)  # what came later is in no category
            codes[: len(column)] = np.asarray(column[:n_items], np.int64) + 1
            width = int(codes.max(initial=0)) + 1
            found, group = numbered(above * width + codes)
            parents.append((found // width).astype(np.int32))
            groups.append(group.astype(np.int32))
            above = group
        groups.append(np.arange(n_items, dtype=np.int32))
        parents.append(above.astype(np.int32))
        return cls(groups, parents)

    @classmethod
    def of_catalogue(cls, features: FeatureTable, names: Sequence[str], n_items: int) -> Self:
        """Read columns of categories; one that is none tells nothing."""
        held = [features.columns.get(name) for name in names]
        codes = [
            column.values if isinstance(column, CategoryColumn) else np.empty(0, np.int32)
            for column in held
        ]
        return cls.of(codes, n_items)


def numbered(values: Array) -> tuple[Array, Array]:
    """Return the distinct values, ascending, and the place of each value among them.

    values  (n,) int64, at least 0; they are sorted only where they are large

    Examples
    --------
    >>> [part.tolist() for part in numbered(np.array([5, 2, 5]))]
    [[2, 5], [1, 0, 1]]
    """
    size = int(values.max(initial=-1)) + 1
    if size > 4 * len(values):
        found, place = np.unique(values, return_inverse=True)
        return found, place.reshape(-1)
    there = np.zeros(size, np.bool_)
    there[values] = True
    return np.flatnonzero(there), (np.cumsum(there) - 1)[values]
