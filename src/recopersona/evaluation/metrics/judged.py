"""Lists, what was wanted, and what training knew: everything that metrics ask about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import sparse

from recopersona.data.dataset import Dataset
from recopersona.data.feature_table import CategoryColumn, Column, NumberColumn, SetColumn
from recopersona.data.types import Array, Id, Indices, Mask, Values
from recopersona.errors import ColumnError, DataError, ParameterError, hint
from recopersona.evaluation.metrics.catalogue import long_tail
from recopersona.evaluation.relevance import Relevant
from recopersona.evaluation.splits import Split
from recopersona.kernels.metrics import mark_hits


class Known:
    """What training knew of items and users, found out when first asked for and kept.

    One serves all models of a split.

    Parameters
    ----------
    train : Dataset
    """

    def __init__(self, train: Dataset) -> None:
        self.train = train

    @property
    def n_items(self) -> int:
        """Size of the catalogue."""
        return len(self.train.items)

    @cached_property
    def owned(self) -> sparse.csr_array:
        """Users x items of positive weight, csr with sorted indices."""
        return self.train.interactions.to_csr(self.train.shape)

    @cached_property
    def holders(self) -> Array:
        """How many training users have each item, int64 (n_items,)."""
        return np.bincount(self.owned.indices, minlength=self.n_items)

    @cached_property
    def tail(self) -> Mask:
        """Which items belong to the long tail, bool (n_items,)."""
        return long_tail(self.holders)

    @cached_property
    def n_users(self) -> int:
        """Users with anything in training."""
        return int((np.diff(self.owned.indptr) > 0).sum())

    @cached_property
    def popularity_ranks(self) -> Array:
        """Each item's place by holders, from 0, ties by item; int64 (n_items,)."""
        ranks = np.empty(self.n_items, np.int64)
        ranks[np.argsort(-self.holders, kind="stable")] = np.arange(self.n_items)
        return ranks

    def numbers(self, column: str, metric: str) -> Values:
        """Return an item column of numbers, float64 (n_items,), NaN where unknown."""
        found = self._column(column, metric)
        if not isinstance(found, NumberColumn):
            raise ColumnError(
                f"{metric} needs numbers in the item column {column!r}, got {found.kind} values."
            )
        return found.values

    def labels(self, column: str, metric: str) -> sparse.csr_array:
        """Return an item column of categories or sets as 0 and 1, items x values."""
        found = self._column(column, metric)
        if isinstance(found, CategoryColumn):
            rows = np.flatnonzero(found.values >= 0)
            codes, n_labels = found.values[rows], len(found.categories)
        elif isinstance(found, SetColumn):
            rows = np.repeat(np.arange(len(found)), np.diff(found.starts))
            codes, n_labels = found.codes, len(found.categories)
        else:
            raise ColumnError(
                f"{metric} needs categories or sets in the item column {column!r}, "
                f"got {found.kind} values."
            )
        ones = np.ones(len(rows))
        marks = sparse.coo_array((ones, (rows, codes)), (self.n_items, n_labels)).tocsr()
        marks.data[:] = 1.0  # a set that names a value twice has it once
        return marks

    def _column(self, column: str, metric: str) -> Column:
        table = self.train.item_features
        if column not in table:
            raise ColumnError(
                f"{metric} needs an item column {column!r}{hint(column, table.names)}"
            )
        return table.column(column)


@dataclass(frozen=True, eq=False)
class Judged:
    """Lists of some users, beside what each would have liked.

    Parameters
    ----------
    lists : int32 (n_users, width)
        Item indices, best first, each once; -1 beyond a list's end.
    bounds : int64 (n_users + 1,)
        Where each user's relevant items start; each has at least one.
    relevant : int32 (n_relevant,)
        Ascending within each user; -1 where no list can hold the item.
    weights : float64 (n_relevant,), optional
        How much each was wanted, above 0; without them all were alike.
    known : Known, optional
        What training knew, for metrics that ask more than hits.
    users : int32 (n_users,), optional
        Training's indices, -1 for who was not there.
    told : csr (n_users, n_items), optional
        What models were told of users when asked about them, beside what they had learned.

    Examples
    --------
    >>> judged = Judged(np.array([[2, 0, -1]], np.int32), np.array([0, 2]), np.array([0, 1]))
    >>> judged.hits
    array([[False,  True, False]])
    """

    lists: Indices
    bounds: Array
    relevant: Indices
    weights: Values | None = None
    known: Known | None = None
    users: Indices | None = None
    told: sparse.csr_array | None = None

    @classmethod
    def of(
        cls,
        lists: Indices,
        split: Split,
        task: Relevant,
        *,
        known: Known | None = None,
    ) -> Judged:
        """Put a model's lists beside what a split held out.

        Parameters
        ----------
        lists : int32 (n_users, width)
            Of ``task.user_ids``, in training's indices.
        split : Split
        task : Relevant
        known : Known, optional
            ``Known(split.train)``, where several models are measured on one split.
        """
        known = Known(split.train) if known is None else known
        users = _indices(split.train, task.user_ids)
        return cls(lists, task.bounds, task.items, task.weights, known, users, _told(split, task))

    def __post_init__(self) -> None:
        for name, dtype in (("lists", np.int32), ("bounds", np.int64), ("relevant", np.int32)):
            object.__setattr__(self, name, np.ascontiguousarray(getattr(self, name), dtype))
        if self.lists.ndim != 2 or len(self.lists) + 1 != len(self.bounds):
            raise DataError(
                f"there must be one list for each of {len(self.bounds) - 1} users, got lists of "
                f"shape {self.lists.shape}."
            )

    @property
    def n_relevant(self) -> Array:
        """How many items each user would have liked, int64 (n_users,)."""
        return np.diff(self.bounds)

    @cached_property
    def hits(self) -> Mask:
        """Which places hold a relevant item, bool (n_users, width)."""
        hits = np.empty(self.lists.shape, dtype=np.bool_)
        mark_hits(hits, self.lists, self.bounds, self.relevant)
        return hits

    @cached_property
    def n_items(self) -> int:
        """One more than the largest item index in sight."""
        found = [int(part.max()) for part in (self.lists, self.relevant) if part.size]
        return 1 + max([*found, -1 if self.known is None else self.known.n_items - 1])

    @cached_property
    def pasts(self) -> sparse.csr_array:
        """What each user had before, as training saw or was told it, users x items."""
        owned = self.known_for().owned
        if self.users is None:
            raise ParameterError("this metric needs to know who the users are; use evaluate.")
        present = (self.users >= 0).astype(np.float32)
        kept: sparse.csr_array = sparse.diags_array(present).tocsr() @ owned[self.users]
        kept = kept if self.told is None else (kept + self.told).tocsr()
        kept.eliminate_zeros()
        kept.sort_indices()
        return kept

    def known_for(self, metric: str = "this metric") -> Known:
        """Return what training knew, or say which metric lacks it."""
        if self.known is None:
            raise ParameterError(
                f"{metric} needs the training data, and there are only lists and what was wanted; "
                "use evaluate, or leave it out."
            )
        return self.known


def _indices(train: Dataset, user_ids: Sequence[Id]) -> Indices:
    return train.users.indices(list(user_ids))


def _told(split: Split, task: Relevant) -> sparse.csr_array | None:
    if split.given is None:
        return None
    given, n_items = split.given, len(split.train.items)
    place = split.train.items.indices(given.items.ids)
    rows = given.interactions.to_csr(given.shape).tocoo()
    known = place[rows.col] >= 0
    of_all = sparse.coo_array(
        (rows.data[known], (rows.row[known], place[rows.col[known]])), (given.shape[0], n_items)
    ).tocsr()
    users = _indices(given, task.user_ids)
    there = sparse.diags_array((users >= 0).astype(np.float32)).tocsr()
    told: sparse.csr_array = there @ of_all[users]
    return told
