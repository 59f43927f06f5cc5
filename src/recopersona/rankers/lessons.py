"""What a ranker learns from: requests, what was on offer, and what was taken."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from recopersona.data.dataset import Dataset
from recopersona.data.query import Query
from recopersona.data.ranking import Ranking
from recopersona.data.types import Array, Floats, Mask
from recopersona.errors import DataError
from recopersona.rankers.impressions import LAST_PLACE, read_impressions


class Rows(NamedTuple):
    """Lessons in columns of numbers: what a learner reads.

    matrix     (n, n_columns) float32, NaN where something is not known
    names      of the columns
    labels     (n,) float32, 0 to 1
    weights    (n,) float32
    bounds     (n_requests + 1,) int64, each request's rows
    positions  (n,) int32, from 1, or None
    trust      (n,) float32, or None: the part of the weights that undoes the places
    """

    matrix: Floats
    names: tuple[str, ...]
    labels: Floats
    weights: Floats
    bounds: Array
    positions: Array | None
    trust: Floats | None = None

    def evened(self) -> Rows:
        """Return the same rows, of a weight like 1 / the root of the number taken in their request.

        Drawn candidates stand for themselves. A request in which much was taken tells little more
        of whom to put first than one in which little was, but has many more rows to tell it by.
        What undoes the places stays: it says what a click is worth, not what was drawn.
        """
        request = np.repeat(np.arange(len(self.bounds) - 1), np.diff(self.bounds))
        weights = 1 / np.sqrt(np.maximum(1, np.bincount(request, self.labels)))[request]
        if self.trust is not None:
            weights = weights * self.trust
        return self._replace(weights=(weights / weights.mean()).astype(np.float32))

    def of_requests(self, start: int, end: int) -> Rows:
        """Return some requests, one after another."""
        rows = slice(int(self.bounds[start]), int(self.bounds[end]))
        return Rows(
            self.matrix[rows], self.names, self.labels[rows], self.weights[rows],
            self.bounds[start : end + 1] - self.bounds[start],
            None if self.positions is None else self.positions[rows],
            None if self.trust is None else self.trust[rows],
        )  # fmt: skip

    def without_requests(self, start: int, end: int) -> Rows:
        """Return all other requests, one after another."""
        sizes = np.diff(self.bounds)
        kept = np.ones(len(sizes), np.bool_)
        kept[start:end] = False
        rows = np.repeat(kept, sizes)
        return Rows(
            self.matrix[rows], self.names, self.labels[rows], self.weights[rows],
            _bounds(sizes[kept]),
            None if self.positions is None else self.positions[rows],
            None if self.trust is None else self.trust[rows],
        )  # fmt: skip


@dataclass(frozen=True, eq=False)
class Lessons:
    """Requests in order of time, each with candidates, and what the visitor took of them.

    Parameters
    ----------
    queries : sequence of Query (n_requests,)
        Each with its ``now``, where there is time.
    rankings : sequence of Ranking (n_requests,)
        The candidates, with what each source said of them.
    bounds : int64 (n_requests + 1,)
        The rows of request r are ``bounds[r]`` to ``bounds[r + 1]``.
    labels : float32 (n_rows,)
        From 0 to 1, how much the visitor wanted it.
    weights : float32 (n_rows,)
        A candidate drawn at a rate stands for 1 / rate of them, so that probabilities are right.
    positions : int32 (n_rows,), optional
        Where it was shown, from 1: lessons from impressions have them.
    bought : float32 (n_rows,), optional
        Whether it was bought in the end, for learners of the second step.
    counts : mapping from str to int
        What was noticed while making them.

    Raises
    ------
    DataError
        If the parts do not fit together.

    Examples
    --------
    >>> from recopersona.data.ids import IdMap
    >>> offered = Ranking.of([1, 0], [0.9, 0.4], IdMap(["tea", "salt"]), "Popularity")
    >>> Lessons.of([Query("anna")], [offered], [[0, 1]])
    Lessons(1 requests, 2 rows, 1 taken)
    """

    queries: Sequence[Query]
    rankings: Sequence[Ranking]
    bounds: Array
    labels: Floats
    weights: Floats
    positions: Array | None = None
    bought: Floats | None = None
    counts: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, dtype in _DTYPES.items():
            values = getattr(self, name)
            if values is not None:
                object.__setattr__(self, name, np.ascontiguousarray(values, dtype))
        sizes = np.array([len(ranking) for ranking in self.rankings], np.int64)
        if len(self.queries) != len(sizes) or not np.array_equal(self.bounds, _bounds(sizes)):
            raise DataError(
                f"lessons need one ranking per query, and the bounds of their rows; got "
                f"{len(self.queries)} queries, {len(sizes)} rankings, {len(self.bounds)} bounds."
            )
        for name in ("labels", "weights", "positions", "bought"):
            values = getattr(self, name)
            if values is not None and values.shape != (self.n_rows,):
                raise DataError(
                    f"lessons.{name} must have one value for each of the {self.n_rows} rows, "
                    f"got shape {values.shape}."
                )
        if (
            self.positions is not None
            and not ((self.positions >= 1) & (self.positions <= LAST_PLACE)).all()
        ):
            raise DataError(f"lessons.positions must lie between 1 and {LAST_PLACE:,}.")
        if self.bought is not None and not ((self.bought >= 0) & (self.bought <= 1)).all():
            raise DataError("lessons.bought must lie between 0 and 1.")
        if not ((self.labels >= 0) & (self.labels <= 1)).all():
            raise DataError("lessons.labels must lie between 0 and 1.")
        if not ((self.weights > 0) & (self.weights < np.inf)).all():
            raise DataError("lessons.weights must be finite and above 0.")

    @classmethod
    def of(
        cls,
        queries: Sequence[Query],
        rankings: Sequence[Ranking],
        labels: Sequence[Sequence[float]],
        *,
        positions: Sequence[Sequence[int]] | None = None,
        bought: Sequence[Sequence[float]] | None = None,
    ) -> Lessons:
        """Make lessons of lists per request; every row weighs 1."""
        flat = _joined(labels)
        return cls(
            list(queries), list(rankings), _bounds(np.array([len(r) for r in rankings], np.int64)),
            flat, np.ones(len(flat), np.float32),
            None if positions is None else _joined(positions),
            None if bought is None else _joined(bought),
        )  # fmt: skip

    @classmethod
    def from_impressions(
        cls, frame: Any, dataset: Dataset, *, scores: Sequence[str] = (), request: str = "request"
    ) -> Lessons:
        """Make lessons of pages that were shown, and of what was clicked there.

        Parameters
        ----------
        frame : dataframe
            A row for every item that was shown: ``item_id``, ``position`` from 1, ``clicked`` 0 or
            1. If there are: ``bought``, 0 or 1; ``user_id``, empty for strangers; ``timestamp``;
            and the column that ``request`` names, which tells pages apart (else user and time do).
        dataset : Dataset
            Whose catalogue the items are of.
        scores : list of str
            Columns of numbers that were known of each row when it was shown, such as the scores of
            the models that made the page, or a price of that hour. They count like sources: the
            ranker gets each number (``NAME_score``), and what part of 1 its rank on the page is
            (``NAME_rank``, the largest first).
        request : str

        Notes
        -----
        Left out and counted: rows that the dataset's gate refuses (``refused``), rows of items that
        the dataset does not know (``unknown_items``), and of a page all but the first of rows of
        one item (``repeated``). ``pages_without_click`` are kept.

        Raises
        ------
        ColumnError
            If a column is missing.
        DataError
            If a value cannot be used, or none of the items is known.
        ParameterError
            If ``scores`` is no list of distinct columns.

        Examples
        --------
        >>> import pandas as pd
        >>> from recopersona.datasets.synthetic import synthetic_shop
        >>> shop = synthetic_shop(50, 20, random_state=7)
        >>> shown = pd.DataFrame({
        ...     "request": [1, 1, 2, 2], "item_id": [*shop.items.ids[:3], "of another shop"],
        ...     "position": [1, 2, 1, 2], "clicked": [0, 1, 1, 0],
        ... })
        >>> lessons = Lessons.from_impressions(shown, shop)
        >>> lessons, lessons.counts["unknown_items"]
        (Lessons(2 requests, 3 rows, 2 taken), 1)
        """
        pages = read_impressions(frame, dataset, scores, request)
        return cls(
            pages.queries, pages.rankings, pages.bounds, pages.clicked,
            np.ones(len(pages.clicked), np.float32), pages.positions, pages.bought, pages.counts,
        )  # fmt: skip

    def __len__(self) -> int:
        return len(self.queries)

    def __repr__(self) -> str:
        taken = int((self.labels > 0).sum())
        return f"Lessons({len(self):,} requests, {self.n_rows:,} rows, {taken:,} taken)"

    @property
    def n_rows(self) -> int:
        """How many candidates there are, of all requests together."""
        return int(self.bounds[-1])

    @cached_property
    def request_of(self) -> Array:
        """The request that each row belongs to, int64 (n_rows,)."""
        return np.repeat(np.arange(len(self)), np.diff(self.bounds))

    def of_requests(self, kept: Mask) -> Lessons:
        """Return the lessons of some requests.

        kept  bool (n_requests,)
        """
        rows, sizes = kept[self.request_of], np.diff(self.bounds)[kept]
        return replace(
            self,
            queries=[query for query, keep in zip(self.queries, kept, strict=True) if keep],
            rankings=[one for one, keep in zip(self.rankings, kept, strict=True) if keep],
            bounds=_bounds(sizes), labels=self.labels[rows], weights=self.weights[rows],
            positions=None if self.positions is None else self.positions[rows],
            bought=None if self.bought is None else self.bought[rows],
        )  # fmt: skip

    def after_click(self) -> Lessons:
        """Return the rows that were taken, labelled with what was bought: the second step.

        Raises
        ------
        DataError
            If nothing is known of what was bought.
        """
        if self.bought is None:
            raise DataError("these lessons do not say what was bought; give them bought=.")
        kept = self.labels > 0
        sizes = np.bincount(self.request_of[kept], minlength=len(self))
        rankings = [
            ranking.take(kept[start:end])
            for ranking, start, end in zip(
                self.rankings, self.bounds[:-1], self.bounds[1:], strict=True
            )
        ]
        return replace(
            self, rankings=rankings, bounds=_bounds(sizes), labels=self.bought[kept],
            weights=self.weights[kept], bought=None,
            positions=None if self.positions is None else self.positions[kept],
        )  # fmt: skip


_DTYPES = {
    "bounds": np.int64,
    "labels": np.float32,
    "weights": np.float32,
    "positions": np.int32,
    "bought": np.float32,
}


def _bounds(sizes: Array) -> Array:
    return np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)


def _joined(lists: Sequence[Sequence[float]]) -> Array:
    return np.concatenate([np.asarray(one, np.float64) for one in lists] or [np.empty(0)])
