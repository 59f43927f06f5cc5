"""The answer: items in order, with where each came from and why."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, Self

import numpy as np
import pandas as pd

from recopersona.data.draw import Draw
from recopersona.data.ids import IdMap
from recopersona.data.types import Array, Floats, Id, Indices, Values
from recopersona.errors import DataError


class Judge(Protocol):
    """Who can say why an item got its score: a ranker puts itself there."""

    def reasons(self, evidence: Floats) -> list[tuple[str, float]]:
        """Return (component, contribution) rows that add up to the score of one item.

        evidence  float32 (n_columns,), what was known of it
        """
        ...


class Account(Protocol):
    """Who can say what the rules did to a ranking: they put themselves there."""

    def touched(self, ranking: Ranking) -> list[tuple[int, str, str]]:
        """Return (place from 0, rule, what it did) of the items shown."""
        ...

    def hid(self, ranking: Ranking, item: int) -> tuple[str, str] | None:
        """Return the first rule that kept an item out, and how; None if none did."""
        ...


@dataclass(frozen=True, eq=False)
class Ranking:
    """Items best first; flows unchanged in kind from candidates to the answer.

    Parameters
    ----------
    items : int32 (n,)
        Indices into ``ids``.
    scores : float32 (n,)
    ids : IdMap
        The catalogue.
    source_names : tuple of str
        The models and fallbacks that may have contributed.
    source : int8 (n,)
        Per item, the place of its source in ``source_names``.
    parts : float32 (n, n_sources), optional
        What each source contributed to each score, NaN where it had nothing to say.
    source_scores, source_ranks : float32 (n, n_sources), optional
        The score that each source gave, standardized within its list (mean 0, deviation 1), and the
        item's rank there, from 1; NaN where it did not name the item.
    evidence : float32 (n, n_columns), optional
        What the ranker knew of each item; NaN for those it did not judge.
    effects : tuple of str
        What filters and rules did, in words.
    decision_id : str, optional
    draw : Draw, optional
        What a bandit chose to make this ranking of the candidates.
    slot_propensities : float64 (n,), optional
        The probability with which each place came to its item, given the places before it; NaN
        where nothing was drawn.
    account : Account, optional
        Who says which rules touched which items; see `RuleSet.explain`. It speaks of tables that
        stay where they are, so copies and pickled rankings go without.
    judge : Judge, optional
        The ranker that judged, for `explain`; pickled rankings go without.

    Examples
    --------
    >>> ids = IdMap(["tea", "honey", "salt"])
    >>> ranking = Ranking.of([2, 0], [0.9, 0.4], ids, "Popularity")
    >>> ranking.item_ids
    ['salt', 'tea']
    >>> ranking[0]
    'salt'
    >>> ranking.to_frame()
      item_id  rank  score      source
    0    salt     1    0.9  Popularity
    1     tea     2    0.4  Popularity
    """

    items: Indices
    scores: Floats
    ids: IdMap
    source_names: tuple[str, ...]
    source: Array
    parts: Floats | None = None
    effects: tuple[str, ...] = ()
    decision_id: str | None = None
    draw: Draw | None = None
    account: Account | None = None
    source_scores: Floats | None = None
    source_ranks: Floats | None = None
    evidence: Floats | None = None
    judge: Judge | None = None
    slot_propensities: Values | None = None

    @classmethod
    def of(cls, items: Any, scores: Any, ids: IdMap, source: str) -> Ranking:
        """Make a ranking whose items all come from one source."""
        rows = np.asarray(items, dtype=np.int32)
        return cls(
            rows, np.asarray(scores, np.float32), ids, (source,), np.zeros(len(rows), np.int8)
        )

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[Id]:
        return iter(self.item_ids)

    def __getitem__(self, place: int) -> Id:
        return self.item_ids[place]

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "account": None, "judge": None}

    def __repr__(self) -> str:
        shown = ", ".join(
            f"{item!r} {score:.3g}"
            for item, score in zip(self.item_ids[:3], self.scores[:3], strict=True)
        )
        return f"Ranking({len(self)} items: {shown}{', …' if len(self) > 3 else ''})"

    def _repr_html_(self) -> str:
        html: str = self.to_frame().to_html(index=False)
        return html

    @property
    def item_ids(self) -> list[Id]:
        """The shop's own ids, best first."""
        ids: list[Id] = self.ids.ids[self.items].tolist()
        return ids

    @property
    def sources(self) -> list[str]:
        """Where each item came from."""
        return [self.source_names[code] for code in self.source.tolist()]

    @property
    def propensity(self) -> float | None:
        """The probability with which this ranking was chosen; None where nothing was drawn."""
        return None if self.draw is None else self.draw.propensity

    def take(self, places: Any) -> Ranking:
        """Return some places in a new order: a boolean mask or place numbers."""
        return self._taken(places, self.scores)

    def _taken(self, places: Any, scores: Floats) -> Ranking:
        """Return some places, each with its score among others; `replace` asks every field."""
        return type(self)(
            self.items[places],
            scores[places],
            self.ids,
            self.source_names,
            self.source[places],
            _rows(self.parts, places),
            self.effects,
            self.decision_id,
            self.draw,
            self.account,
            _rows(self.source_scores, places),
            _rows(self.source_ranks, places),
            _rows(self.evidence, places),
            self.judge,
            _rows(self.slot_propensities, places),
        )

    def _with(self, **changes: Any) -> Self:
        """Return it with some fields changed, as `replace` does, in a fifth of the time."""
        twin = object.__new__(type(self))
        vars(twin).update(vars(self), **changes)
        return twin

    def top(self, n: int) -> Ranking:
        """Return the first ``n`` places."""
        return self if len(self) <= n else self.take(slice(n))

    def rescored(self, scores: Any) -> Ranking:
        """Return the same items with new scores, best first, ties by item index."""
        fresh = np.asarray(scores, dtype=np.float32)
        if fresh.shape != self.items.shape:
            raise DataError(
                f"a ranking of {len(self)} items needs {len(self)} scores, got shape {fresh.shape}."
            )
        lowest_first = -fresh
        order = np.argsort(lowest_first)
        ordered = lowest_first[order]
        if not (ordered[1:] > ordered[:-1]).all():  # ties, or what is no number
            order = np.lexsort((self.items, lowest_first))
        return self._taken(order, fresh)

    def followed_by(self, items: Indices, scores: Any, source: str) -> Ranking:
        """Return the ranking with more items at its end, all from one other source."""
        names = self.source_names if source in self.source_names else (*self.source_names, source)
        column = names.index(source)
        shape = len(self) + len(items), len(names)
        parts = _padded(self.parts, shape)
        if parts is not None:
            parts[len(self) :, column] = scores
        width = 0 if self.evidence is None else self.evidence.shape[1]
        return replace(
            self,
            items=np.concatenate([self.items, items]),
            scores=np.concatenate([self.scores, scores]).astype(np.float32),
            source_names=names,
            source=np.concatenate([self.source, np.full(len(items), column, np.int8)]),
            parts=parts,
            source_scores=_padded(self.source_scores, shape),
            source_ranks=_padded(self.source_ranks, shape),
            evidence=_padded(self.evidence, (shape[0], width)),
            slot_propensities=_lengthened(self.slot_propensities, shape[0]),
        )

    def to_frame(self) -> pd.DataFrame:
        """Return ``item_id, rank, score, source``, ranks from 1."""
        return pd.DataFrame(
            {
                "item_id": self.ids.ids[self.items],
                "rank": np.arange(1, len(self) + 1),
                "score": self.scores,
                "source": self.sources,
            }
        )

    def explain(self, item_id: Id) -> pd.DataFrame:
        """Return what contributed how much to one item's place, the most first.

        Where a ranker judged, its columns; else the sources.

        Raises
        ------
        DataError
            If the ranking does not hold the item.
        """
        index = self.ids.index(item_id)
        place = np.flatnonzero(self.items == index)
        if index < 0 or not len(place):
            raise DataError(f"the ranking does not hold {item_id!r}; see ranking.item_ids.")
        row = int(place[0])
        reasons = self._reasons(row)
        if reasons is not None:
            frame = pd.DataFrame(reasons, columns=["component", "contribution"])
            largest_first = -frame["contribution"].abs().to_numpy()
            return frame.take(np.argsort(largest_first, kind="stable")).reset_index(drop=True)
        parts = self.scores[row : row + 1] if self.parts is None else self.parts[row]
        names = (self.sources[row],) if self.parts is None else self.source_names
        frame = pd.DataFrame({"component": names, "contribution": parts})
        return frame.dropna().sort_values("contribution", ascending=False, ignore_index=True)

    def _reasons(self, row: int) -> list[tuple[str, float]] | None:
        """Return what the ranker says of one place; None where none judged it."""
        if self.judge is None or self.evidence is None or np.isnan(self.evidence[row]).all():
            return None
        return self.judge.reasons(self.evidence[row])


def _rows(values: Any, places: Any) -> Any:
    return None if values is None else values[places]


def _padded(values: Floats | None, shape: tuple[int, int]) -> Floats | None:
    """Lengthen a table by rows and columns of which nothing is known."""
    if values is None:
        return None
    padded = np.full(shape, np.nan, np.float32)
    padded[: values.shape[0], : values.shape[1]] = values
    return padded


def _lengthened(values: Values | None, size: int) -> Values | None:
    return None if values is None else np.append(values, np.full(size - len(values), np.nan))


def long_frame(
    user_ids: Sequence[Id | None], rankings: Sequence[Ranking], ids: IdMap
) -> pd.DataFrame:
    """Return many rankings as one frame: ``user_id, item_id, rank, score, source``.

    user_ids  one per ranking, in the order wanted; they come back in their own type
    """
    source_names = [name for ranking in rankings for name in ranking.sources]
    empty: list[Array] = [np.empty(0, np.int32)]
    return _long(
        user_ids,
        np.array([len(ranking) for ranking in rankings], np.int64),
        ids.ids[np.concatenate([r.items for r in rankings] or empty)],
        np.concatenate([r.scores for r in rankings] or empty),
        pd.Series(source_names, dtype=str),
    )


def frame_of_lists(
    user_ids: Sequence[Id | None],
    items: Indices,
    scores: Floats,
    source: Array,
    source_names: Sequence[str],
    ids: IdMap,
) -> pd.DataFrame:
    """Return many lists as the same frame, from arrays with a row per list.

    user_ids      one per list, in the order wanted
    items         (n_lists, n) int32, -1 beyond a list's end
    scores        (n_lists, n) float32
    source        (n_lists, n) int8, places in ``source_names``

    Examples
    --------
    >>> items, scores = np.array([[1, 0], [0, -1]], np.int32), np.ones((2, 2), np.float32)
    >>> source = np.zeros((2, 2), np.int8)
    >>> ids = IdMap(["tea", "salt"])
    >>> frame_of_lists(["anna", "ben"], items, scores, source, ["ALS"], ids)
      user_id item_id  rank  score source
    0    anna    salt     1    1.0    ALS
    1    anna     tea     2    1.0    ALS
    2     ben     tea     1    1.0    ALS
    """
    held = items >= 0
    names = pd.Series(list(source_names), dtype=str)
    return _long(
        user_ids,
        held.sum(axis=1),
        ids.ids[items[held]],
        scores[held],
        names.take(source[held]).reset_index(drop=True),
    )


def _long(
    user_ids: Sequence[Id | None], sizes: Array, item_ids: Array, scores: Floats, source: pd.Series
) -> pd.DataFrame:
    users = np.repeat(np.arange(len(user_ids)), sizes)
    who = pd.Series(list(user_ids), dtype=object)
    if who.notna().all():  # beside a visitor without an id, pandas would turn integers into floats
        who = who.infer_objects()
    starts = np.cumsum(sizes) - sizes
    return pd.DataFrame(
        {
            "user_id": who.take(users).reset_index(drop=True),
            "item_id": item_ids,
            "rank": np.arange(1, len(users) + 1) - starts[users],
            "score": scores.astype(np.float32, copy=False),
            "source": source,
        }
    )
