"""What was chosen in each segment: sparse counts that grow by the event."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Any, Self

import numpy as np
from scipy import sparse

from recopersona.base.part import Part
from recopersona.base.recommender import require_array
from recopersona.data.growing import with_room
from recopersona.data.ids import UNKNOWN
from recopersona.data.types import Array, Floats, Indices
from recopersona.errors import DataError
from recopersona.models.item_levels import numbered
from recopersona.models.item_to_item import require_places, require_runs

_FEW = 1_000  # up to so many events are added one by one
_FOLD_AFTER = 20_000  # counts kept aside before they are sorted in, or a hundredth of all

Key = tuple[int, ...]


def segments_of(codes: Sequence[int]) -> Iterator[Key]:
    """Return every segment a user belongs to: all combinations of what is known of her.

    Examples
    --------
    >>> list(segments_of([4, -1, 7]))
    [(4, -1, -1), (-1, -1, 7), (4, -1, 7)]
    """
    known = [place for place, code in enumerate(codes) if code != UNKNOWN]
    for size in range(1, len(known) + 1):
        for chosen in combinations(known, size):
            yield tuple(code if place in chosen else UNKNOWN for place, code in enumerate(codes))


def chain_of(codes: Sequence[int]) -> list[Key]:
    """Return the segments that answer a question, coarse to fine: what is unknown is left out.

    Examples
    --------
    >>> chain_of([4, -1, 7])
    [(4, -1, -1), (4, -1, 7)]
    """
    known = [place for place, code in enumerate(codes) if code != UNKNOWN]
    return [
        tuple(code if place in known[:size] else UNKNOWN for place, code in enumerate(codes))
        for size in range(1, len(known) + 1)
    ]


class SegmentCounts(Part):
    """Segments x items of summed weights; a segment is named by its attributes' codes.

    Attributes
    ----------
    keys_ : int32 (n_segments, n_attributes)
        -1 where the segment does not ask for an attribute.
    bounds_ : int64 (n_sorted_segments + 1,)
    items_ : int32 (n_entries,)
    counts_ : float32 (n_entries,)
        Segment s's entries are ``bounds_[s]`` to ``bounds_[s + 1]``, ascending by item.
    later_ : dict from segment to dict from item to weight
        What came since those arrays were made.
    """

    @classmethod
    def of(cls, codes: Indices, matrix: sparse.csr_array) -> Self:
        """Count what the users of every segment chose.

        codes   (n_users, n_attributes) int32, -1 where unknown
        matrix  users x items
        """
        n_attributes = codes.shape[1]
        keys: list[Indices] = [np.empty((0, n_attributes), np.int32)]
        blocks = []
        for size in range(1, n_attributes + 1):
            for chosen in combinations(range(n_attributes), size):
                found, segment = segments(codes[:, chosen])
                key = np.full((len(found), n_attributes), UNKNOWN, np.int32)
                key[:, chosen] = found
                keys.append(key)
                blocks.append(summed(segment, len(found), matrix))
        counted = sparse.vstack(blocks, "csr") if blocks else sparse.csr_array((0, matrix.shape[1]))
        made = cls()
        made._start(np.concatenate(keys), counted)
        return made

    def _start(self, keys: Indices, counted: sparse.csr_array) -> None:
        self.keys_ = keys
        self._sort_in(counted)
        self._prepare()

    def _prepare(self) -> None:
        self._rows: dict[Key, int] = {
            tuple(key): row for row, key in enumerate(self.keys_.tolist())
        }
        self._count_later()

    def _count_later(self) -> None:
        self._n_later = sum(map(len, self.later_.values()))
        self._state = self.bounds_, self.items_, self.counts_, self.later_

    def row(self, key: Key) -> int:
        """Return a segment's row, or -1."""
        return self._rows.get(key, UNKNOWN)

    def entries(self, row: int) -> tuple[Indices, Floats]:
        """Return a segment's items and their summed weights; an item may come twice."""
        bounds, items, counts, kept_aside = self._state  # a writer may replace them meanwhile
        span = slice(bounds[row], bounds[row + 1]) if row < len(bounds) - 1 else slice(0, 0)
        later = dict(kept_aside.get(row, ()))
        if not later:
            return items[span], counts[span]
        return (
            np.concatenate([items[span], np.fromiter(later.keys(), np.int32)]),
            np.concatenate([counts[span], np.fromiter(later.values(), np.float32)]),
        )

    def add(self, codes: Sequence[int], item: int, weight: float) -> None:
        """Count one event in every segment of its user."""
        for key in segments_of(codes):
            row = self._row_for(key)
            later = self.later_.setdefault(row, {})
            self._n_later += item not in later
            later[item] = later.get(item, 0.0) + weight
        if self._n_later > max(_FOLD_AFTER, len(self.items_) // 100):
            self._fold()

    def extend(self, codes: Indices, items: Indices, weights: Floats) -> None:
        """Count many events: ``codes`` holds each one's user's, (n_events, n_attributes)."""
        if len(items) <= _FEW:
            for code, item, weight in zip(
                codes.tolist(), items.tolist(), weights.tolist(), strict=True
            ):
                self.add(code, item, weight)
            return
        people, who = distinct_rows(codes)
        rows, owners = [], []
        for person, code in enumerate(people.tolist()):
            for key in segments_of(code):
                rows.append(self._row_for(key))
                owners.append(person)
        shape = (len(people), max(self._n_items, int(items.max()) + 1))
        chosen = sparse.coo_array((weights, (who, items)), shape=shape).tocsr()
        ones = np.ones(len(rows), np.float32)
        belongs = sparse.coo_array((ones, (rows, owners)), shape=(len(self.keys_), len(people)))
        more = (belongs.tocsr() @ chosen).tocsr()
        self._fold(more)

    def _row_for(self, key: Key) -> int:
        row = self._rows.get(key)
        if row is None:
            row = len(self.keys_)
            self.keys_ = with_room(self.keys_, row + 1)
            self.keys_[row] = key
            self._rows[key] = row
        return row

    def _fold(self, more: sparse.csr_array | None = None) -> None:
        """Sort in what was kept aside, and whatever else there is."""
        n_segments = len(self.keys_)
        rows: list[Array] = [np.repeat(np.arange(len(self.bounds_) - 1), np.diff(self.bounds_))]
        items, counts = [self.items_], [self.counts_]
        for row, later in self.later_.items():
            rows.append(np.full(len(later), row))
            items.append(np.fromiter(later.keys(), np.int32))
            counts.append(np.fromiter(later.values(), np.float32))
        if more is not None:
            coo = more.tocoo()
            rows.append(coo.coords[0])
            items.append(coo.coords[1].astype(np.int32))
            counts.append(coo.data)
        together = np.concatenate(items)
        shape = (n_segments, int(together.max(initial=0)) + 1)
        places = (np.concatenate(rows), together)
        self._sort_in(sparse.coo_array((np.concatenate(counts), places), shape=shape).tocsr())

    def _sort_in(self, counted: sparse.csr_array) -> None:
        counted.sum_duplicates()
        self.bounds_ = counted.indptr.astype(np.int64)
        self.items_ = counted.indices.astype(np.int32)
        self.counts_ = counted.data.astype(np.float32)
        self.later_: dict[int, dict[int, float]] = {}
        self._count_later()

    @property
    def _n_items(self) -> int:
        return int(self.items_.max(initial=-1)) + 1

    def fits(self, n_items: int, sizes: Sequence[int]) -> bool:
        """Tell whether items and codes are within what there is."""
        later = [item for kept in self.later_.values() for item in kept]
        last = max(later, default=-1) if later else -1
        codes_fit = self.keys_.shape[1] == len(sizes) and all(
            self.keys_[:, place].max(initial=-1) < size for place, size in enumerate(sizes)
        )
        return codes_fit and max(self._n_items - 1, last) < n_items

    def _check_learned(self) -> None:
        require_array(self.keys_, np.int32, (None, None), "keys_")
        n_segments = len(self.keys_)
        require_array(self.bounds_, np.int64, (None,), "bounds_")
        require_runs(self.bounds_, len(self.bounds_) - 1, "bounds_")
        n_entries = int(self.bounds_[-1])
        require_places(self.items_, n_entries, 2**31 - 1, "items_")
        require_array(self.counts_, np.float32, (n_entries,), "counts_")
        good = len(self.bounds_) - 1 <= n_segments and self.keys_.min(initial=0) >= UNKNOWN
        good = good and (np.isfinite(self.counts_) & (self.counts_ >= 0)).all()
        if not good or not _is_kept_aside(self.later_, n_segments):
            raise DataError("SegmentCounts: the counts do not fit the segments.")


def segments(codes: Indices) -> tuple[Indices, Indices]:
    """Return the distinct rows of codes, and each user's segment, -1 where one is unknown.

    codes  (n_users, n_attributes) int32
    """
    known = (codes != UNKNOWN).all(axis=1)
    found, place = distinct_rows(codes[known])
    segment = np.full(len(codes), UNKNOWN, np.int32)
    segment[known] = place
    return found, segment


def distinct_rows(codes: Indices) -> tuple[Indices, Array]:
    """Return the distinct rows of codes in order, and the place of each row among them.

    codes  (n, n_attributes) int32, -1 where unknown

    Examples
    --------
    >>> rows, place = distinct_rows(np.array([[4, 0], [2, -1], [4, 0]]))
    >>> rows.tolist(), place.tolist()
    ([[2, -1], [4, 0]], [1, 0, 1])
    """
    found, place = np.empty((1, 0), np.int32), np.zeros(len(codes), np.int64)
    for column in codes.T.astype(np.int64) + 1:
        width = int(column.max(initial=0)) + 1
        distinct, place = numbered(place * width + column)
        found = np.column_stack([found[distinct // width], distinct % width - 1]).astype(np.int32)
    return found, place


def summed(segment: Indices, n_segments: int, matrix: sparse.csr_array) -> sparse.csr_array:
    """Add up the rows of each segment's users."""
    users = np.flatnonzero(segment != UNKNOWN)
    ones = np.ones(len(users), np.float32)
    shape = (n_segments, len(segment))
    belongs = sparse.coo_array((ones, (segment[users], users)), shape=shape).tocsr()
    counted: sparse.csr_array = (belongs @ matrix).tocsr()
    counted.sort_indices()
    return counted


def _is_kept_aside(later: Any, n_segments: int) -> bool:
    return isinstance(later, dict) and all(
        isinstance(row, int)
        and 0 <= row < n_segments
        and isinstance(kept, dict)
        and all(
            isinstance(item, int)
            and item >= 0
            and isinstance(weight, (int, float))
            and 0 <= weight < 1e38
            for item, weight in kept.items()
        )
        for row, kept in later.items()
    )
