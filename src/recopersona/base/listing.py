"""How lists are made: score, leave out what was seen, take the best, fill up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from recopersona.base.forgetful import Forgetful
from recopersona.base.lists import Best, Excluded, UserQueries, with_barred
from recopersona.data.dataset import Dataset
from recopersona.data.event import VIEW
from recopersona.data.ids import UNKNOWN, IdMap
from recopersona.data.query import Query
from recopersona.data.ranking import Ranking, frame_of_lists
from recopersona.data.types import Array, Floats, Id, Indices, Mask
from recopersona.errors import DataError
from recopersona.kernels.blocks import cut, run_blocks
from recopersona.kernels.topn import select_top

NO_OPINION = np.float32(-np.inf)
"""The score of an item about which a model has nothing to say."""

FALLBACK = "fallback: popularity"
"""The source of items that fill a list which the model could not fill."""

_SCORES_PER_BLOCK = 1 << 22  # 16 MB of float32 per block, whatever the catalogue


class Lister(Forgetful):
    """Makes lists of scores for the verbs of a `Recommender`, by users, items and the past."""

    repeats: bool = False
    """Whether items of the current session may be recommended again."""

    def score_items(self, query: Query, items: Indices | None = None) -> Floats:
        """Return every item's score for one query, float32 (n_items,)."""
        raise NotImplementedError(f"{type(self).__name__} must write score_items(self, query).")

    # -- what a model may write --------------------------------------------------------------

    def _score_queries(self, queries: Sequence[Query]) -> Floats:
        """Return a row of scores per query: override where a block is cheaper than its rows."""
        return np.stack([self._full_scores(query) for query in queries])

    def _best_of(self, queries: Sequence[Query], excluded: Excluded, n: int, blocked: Mask) -> Best:
        """Return each query's ``n`` best items: override where not all need to be scored."""
        return self._top(self._score_queries(queries), excluded, n, blocked)

    def _block_size(self, n: int) -> int:
        """Return how many queries for ``n`` items are answered at once, with all their scores."""
        return max(1, min(256, _SCORES_PER_BLOCK // max(1, len(self.items_))))

    # -- who, what and when ------------------------------------------------------------------

    def _begin(self, dataset: Dataset) -> None:
        self._acquaint(dataset)
        self.n_fitted_items_ = len(self.items_)
        self.passes_: list[dict[str, float]] = []
        rows = dataset.interactions
        weight = rows.decayed_weight(dataset.half_life, dataset.end)
        totals = np.bincount(rows.items, weight, minlength=len(self.items_))
        self.fallback_ = totals.astype(np.float32)

    # -- lists -------------------------------------------------------------------------------

    def _rank(
        self,
        queries: Sequence[Query],
        n: int,
        seen: int,
        eligible: Mask | None = None,
        fill: bool = True,
    ) -> list[Ranking]:
        """Score, leave out what was seen (by kinds of events, as bits), take the best, fill up."""
        excluded = self._excluded_of(queries, seen)
        blocked = np.zeros(len(self.items_), np.bool_) if eligible is None else ~eligible
        best = self._rankings(self._best_of(queries, excluded, n, blocked))
        if fill:
            best = [
                self._filled(ranking, excluded.row(row), n, blocked)
                for row, ranking in enumerate(best)
            ]
        return [
            ranking._with(effects=self._unknowns(query))
            for query, ranking in zip(queries, best, strict=True)
        ]

    def _ranks_as_the_base(self) -> bool:
        """Tell whether lists can be made as arrays: a pipeline, say, ranks in its own way."""
        kind = type(self)
        return kind._rank is Lister._rank and kind._excluded is Lister._excluded

    def _frame_for_users(self, ids: list[Id], n: int, seen: int) -> pd.DataFrame:
        """Answer users who say nothing but who they are, without an object for each."""
        queries = UserQueries(ids, self.users_.indices(ids))
        best, sources = self._answers_to_users(queries, n, seen)
        names = (type(self).__name__, FALLBACK)
        return frame_of_lists(ids, best.items, best.scores, sources, names, self.items_)

    def _answers_to_users(self, queries: UserQueries, n: int, seen: int) -> tuple[Best, Array]:
        """Return the best items of many users, filled up, and which places were filled."""
        blocked = np.zeros(len(self.items_), np.bool_)

        def block(start: int, end: int) -> tuple[Best, Array]:
            some = queries[start:end]
            excluded = self._excluded_of(some, seen)
            return self._filled_lists(
                self._best_of(some, excluded, n, blocked), excluded, n, blocked
            )

        parts = run_blocks(block, cut(len(queries), self._block_size(n)))
        width = min(n, len(self.items_))
        best = [part for part, _ in parts] or [Best.empty(0, width)]
        together = Best(*(np.concatenate(column) for column in zip(*best, strict=True)))
        sources = [source for _, source in parts] or [np.empty((0, width), np.int8)]
        return together, np.concatenate(sources)

    def _filled_lists(
        self, best: Best, excluded: Excluded, n: int, blocked: Mask
    ) -> tuple[Best, Array]:
        """Fill the short lists, and say which places were filled."""
        sources = np.zeros(best.items.shape, np.int8)
        for row in np.flatnonzero(best.counts < best.items.shape[1]).tolist():
            short = Ranking.of(*_found(best, row), self.items_, type(self).__name__)
            filled = self._filled(short, excluded.row(row), n, blocked)
            size = len(filled)
            best.items[row, :size], best.scores[row, :size] = filled.items, filled.scores
            sources[row, :size], best.counts[row] = filled.source, size
        return best, sources

    def _excluded_of(self, queries: Sequence[Query], seen: int) -> Excluded:
        """Return the items every query leaves out."""
        if isinstance(queries, UserQueries) and self._ranks_as_the_base():
            return Excluded(*self.past_.seen_by(queries.users, seen))
        return Excluded.of([self._left_out(query, seen) for query in queries])

    def _list_about(self, item_id: Id, scores: Floats, n: int) -> Ranking:
        """Return the best items by their relation to one, without that one, filled up."""
        item = self.items_.index(item_id)
        effects = (f"unknown item {item_id!r}",) if item == UNKNOWN else ()
        excluded = np.array([item] if item != UNKNOWN else [], dtype=np.int32)
        blocked = np.zeros(len(self.items_), dtype=np.bool_)
        found = self._top(scores[None, :], Excluded.of([excluded]), n, blocked)
        best = self._rankings(found)[0]
        return self._filled(best, excluded, n, blocked)._with(effects=effects)

    def _top(self, scores: Floats, excluded: Excluded, n: int, blocked: Mask) -> Best:
        """Return each row's best items, as many as have a score, up to ``n``."""
        n_rows, n_items = len(excluded.bounds) - 1, len(blocked)
        if scores.shape != (n_rows, n_items):
            name, due = type(self).__name__, (n_rows, n_items)
            raise DataError(f"{name} must return scores of shape {due}, got {scores.shape}.")
        best = Best.empty(n_rows, min(n, n_items))
        select_top(*best, np.ascontiguousarray(scores, np.float32), *excluded, blocked)
        return best

    def _rankings(self, best: Best) -> list[Ranking]:
        name = type(self).__name__
        return [Ranking.of(*_found(best, row), self.items_, name) for row in range(len(best.items))]

    def _filled(self, ranking: Ranking, excluded: Indices, n: int, blocked: Mask) -> Ranking:
        """Fill a short list with popular items, below what the model chose."""
        missing = min(n, len(self.items_)) - len(ranking)
        if missing <= 0:
            return ranking
        popular = self._padded(self.fallback_, np.float32(0))
        taken = np.sort(np.concatenate([excluded, ranking.items])).astype(np.int32)
        found = self._top(popular[None, :], Excluded.of([taken]), missing, blocked)
        more = self._rankings(found)[0]
        share = more.scores / max(popular.max(), np.float32(1e-30))
        if len(ranking):
            # Popularity is on a scale of its own: keep its order, below the model's last.
            low = ranking.scores.min()
            share = low - (2 - share) * max(np.float32(1), abs(low)) / 2
        return ranking.followed_by(more.items, share, FALLBACK)

    def _excluded(self, query: Query, seen: int) -> Indices:
        """Return what to leave out, ascending: seen items, and those of this visit and page."""
        past = self.past_.seen_with(self.user_of(query), seen)
        viewed: list[Id] = list(query.page_items)
        if seen >> VIEW & 1:
            viewed += [*(() if self.repeats else query.session), *(query.history or ())]
        return np.sort(np.concatenate([past, self._known_items(viewed)])) if viewed else past

    def _left_out(self, query: Query, seen: int) -> Indices:
        """Return all that is not to be shown, ascending: what is excluded, and what is barred."""
        return with_barred(self._excluded(query, seen), query)

    def _full_scores(self, query: Query) -> Floats:
        return self._padded(self.score_items(query))

    def _padded(self, scores: Floats, fill: np.float32 = NO_OPINION) -> Floats:
        """Lengthen scores to the catalogue: items that came after the model have no score yet."""
        values = np.asarray(scores, dtype=np.float32)
        missing = len(self.items_) - len(values)
        if values.ndim != 1 or missing < 0 or len(values) < self.n_fitted_items_:
            raise DataError(
                f"{type(self).__name__}.score_items must return ({len(self.items_)},) scores, "
                f"got shape {values.shape}."
            )
        return np.append(values, np.full(missing, fill)) if missing else values

    def _unknowns(self, query: Query) -> tuple[str, ...]:
        """Say which ids of a question nobody knows, and if the model should be another by now."""
        unknown = [f"{query.refused}: by page and context only"] if query.refused else []
        unknown += [
            f"unknown item {item!r}"
            for item in (*query.session, *query.page_items, *(query.history or ()))
            if self.items_.index(item) == UNKNOWN
        ]
        if query.user_id is not None and self.user_of(query) == UNKNOWN:
            unknown.insert(0, f"unknown user {query.user_id!r}{_as_known(query, self.users_)}")
        if self.stale_ is not None and self.stale_.is_due(self.now_of(query)):
            unknown.append(self.stale_.in_words())
        return tuple(unknown)


def _as_known(query: Query, users: IdMap) -> str:
    """Say so where an id is known as a text but was asked for as a number, or the other way."""
    asked = query.user_id
    # No integer id has more than 19 digits, and Python refuses to read very long ones.
    is_number = isinstance(asked, str) and asked.isdecimal() and len(asked) <= 19
    twin: Any = int(str(asked)) if is_number else str(asked)
    return f"; did you mean {twin!r}?" if users.index(twin) != UNKNOWN else ""


def _found(best: Best, row: int) -> tuple[Indices, Floats]:
    """Return one list, without the places that nothing was found for."""
    size = best.counts[row]
    return best.items[row, :size], best.scores[row, :size]
