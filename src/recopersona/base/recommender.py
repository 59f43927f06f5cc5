"""The verbs: a model writes ``_fit`` and ``score_items``; everything else comes from here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from os import PathLike
from typing import Any, Self

import numpy as np
import pandas as pd

from recopersona.base.lists import Best, Excluded, UserQueries, with_barred
from recopersona.base.parameters import check, check_parameters, optional, whole
from recopersona.base.part import Part
from recopersona.base.quality import HeldOut, held_out_ndcg, require_known_users
from recopersona.base.watching import (
    Validation,
    Watch,
    Watching,
    asked_to_watch,
    require_passes,
)
from recopersona.data.columns import as_pandas, require_columns
from recopersona.data.dataset import Dataset
from recopersona.data.event import ALL_EVENTS, EVENT_TYPES, VIEW, seen_bits
from recopersona.data.history import History
from recopersona.data.ids import UNKNOWN, IdMap
from recopersona.data.query import Query
from recopersona.data.ranking import Ranking, frame_of_lists, long_frame
from recopersona.data.times import moment_ms
from recopersona.data.types import Array, Floats, Id, Indices, Mask
from recopersona.errors import DataError
from recopersona.kernels.blocks import cut, one_blas_thread, run_blocks
from recopersona.kernels.topn import select_top

NO_OPINION = np.float32(-np.inf)
"""The score of an item about which a model has nothing to say."""

FALLBACK = "fallback: popularity"
"""The source of items that fill a list which the model could not fill."""

_SCORES_PER_BLOCK = 1 << 22  # 16 MB of float32 per block, whatever the catalogue


class Recommender(Part):
    """What every model and every pipeline can do.

    A subclass declares its parameters with `param` and writes two methods:

    ``_fit(dataset)``
        Learn; what is learned goes into attributes that end in ``_``.
    ``score_items(query, items=None) -> float32 (n_items,)``
        Judge the whole catalogue for one query, higher is better and `NO_OPINION` is allowed.
        ``items`` (int32) names the only ones that will be looked at; it may be ignored.

    Ids, seen items, the best n, fallbacks, persistence and the fitted check are done here.

    Attributes
    ----------
    users_, items_ : IdMap
    past_ : History
        What every user has done; grows online.
    fallback_ : float32 (n_items,)
        Summed weights, for filling lists.
    passes_ : list of dict
        What ``history_`` shows as a frame.

    Examples
    --------
    >>> class Alphabet(Recommender):
    ...     def _fit(self, dataset):
    ...         self.ranks_ = np.argsort(np.argsort(dataset.items.ids)).astype(np.float32)
    ...     def score_items(self, query, items=None):
    ...         return -self.ranks_
    >>> events = pd.DataFrame({"user_id": ["anna", "ben"], "item_id": ["tea", "salt"]})
    >>> Alphabet().fit(events).recommend("anna").item_ids
    ['salt']
    """

    repeats: bool = False
    """Whether items of the current session may be recommended again."""

    # -- what a model writes -----------------------------------------------------------------

    def _fit(self, dataset: Dataset) -> None:
        raise NotImplementedError(f"{type(self).__name__} must write _fit(self, dataset).")

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

    def _prepare(self) -> None:
        """Make what speeds up answers and is in no file: called after ``fit`` and ``load``."""

    def _similar(self, item: int) -> Floats:
        """Return every item's likeness to one: by default, how it suits who touched just that."""
        identifier = self.items_.ids[item]
        return self.score_items(Query(history=[identifier]))

    def _explain(self, query: Query, item: int) -> list[tuple[str, Id | None, float]]:
        """Return (component, evidence item, contribution) rows that add up to the score."""
        return [(type(self).__name__, None, float(self._full_scores(query)[item]))]

    def _allowed(self, query: Query) -> Mask | None:
        """Return which items rules let be shown, bool (n_items,); None where there are none."""
        return None

    def _forget_users(self, users: Indices) -> None:
        """Blank what was learned about single users, beyond what the base keeps."""

    def _check_learned(self) -> None:
        """Refuse what was read from a file and does not fit together: kernels check no bounds."""
        n_items = len(self.items_)
        require_array(self.fallback_, np.float32, (None,), "fallback_")
        require_array(self.event_weights_, np.float32, (len(EVENT_TYPES),), "event_weights_")
        owner, moment = type(self).__name__, optional(whole(-(2**62), 2**62))
        check(self.half_life_, optional(whole(1, 2**62)), owner, "half_life_")
        check(self.decayed_to_, moment, owner, "decayed_to_")
        check(self.end_, moment, owner, "end_")
        check(self.n_fitted_items_, whole(0, n_items), owner, "n_fitted_items_")
        require_passes(self.passes_, owner)
        past: Any = self.past_
        fits = isinstance(past, History) and past.fits(len(self.users_), n_items)
        if not fits or len(self.fallback_) > n_items:
            raise DataError(f"{owner}: the past does not fit the users and items.")

    def _adopt(self, users: IdMap, items: IdMap, past: History) -> None:
        """Share ids and past with the pipeline this model is part of: events are taken in once."""
        self.users_, self.items_, self.past_ = users, items, past

    def _watch_on(self, validation: Validation, patience: int | None) -> Watch:
        """Return how passes are measured on held-out interactions; ids and the past are there."""
        if validation.told is None:
            require_known_users(self, validation.held_out)
        wanted = HeldOut.of(self, *validation, purpose="validation")
        return Watch(wanted.ndcg, metric="ndcg@10", patience=patience)

    # -- the verbs ---------------------------------------------------------------------------

    def fit(
        self, dataset: Any, y: None = None, *, validation: Any = None, patience: int | None = None
    ) -> Self:
        """Learn from a `Dataset`, or from an events frame, and forget what was learned before.

        Parameters
        ----------
        dataset : Dataset or events frame
            A frame is read by `Dataset.from_frames` with its defaults.
        y : ignored
            Present for scikit-learn.
        validation : Dataset, events frame, split or Watch, optional
            Held-out interactions; of a split its ``test``. After each pass over the data the model
            is measured on them, as by `score`, and ``history_`` tells of it. A model that learns in
            one go is measured once, at the end, and so is one made of others: no part of it is
            watched. What is learned stays the same. `Watch` measures in another way, or more
            seldom.
        patience : int, at least 1, optional
            So many measurements in a row without a better value end the fit, and the model goes
            back to its best pass.

        Raises
        ------
        ParameterError
            If a parameter is out of its bounds, or ``patience`` has nothing to watch.
        DataError
            If there is no interaction to learn from, the events cannot be read, or ``validation``
            has no user whom training knows, with an item that it did not see her with.
        """
        check_parameters(self)
        name, shop = type(self).__name__, as_dataset(dataset)
        asked = asked_to_watch(validation, patience, name)
        if not len(shop.interactions):
            raise DataError(f"{name}.fit needs at least one interaction, got none.")
        self._unfit()
        try:
            self._begin(shop)
            if isinstance(asked, Validation):
                asked = self._watch_on(asked, patience)
            self._watching = Watching(self, asked)
            self._fit(shop)
            self._prepare()
            self._watching.finish()
        except BaseException as problem:
            self._unfit()
            if isinstance(problem, KeyboardInterrupt):
                problem.add_note(f"{name}: fit was interrupted; the model is unfitted.")
            raise
        finally:
            self.__dict__.pop("_watching", None)
        return self

    @property
    def history_(self) -> pd.DataFrame:
        """What each pass of the last ``fit`` came to.

        Returns
        -------
        DataFrame with a column ``iteration``, from 1; ``loss`` where the model knows it; and, of
        a fit with ``validation``, what was measured after the pass, such as ``ndcg@10``. Without
        rows for a model that learns in one go and was not measured.

        Examples
        --------
        >>> from recopersona.datasets.synthetic import synthetic_shop
        >>> from recopersona.models.als import ALS
        >>> shop = synthetic_shop(200, 50, random_state=7)
        >>> late = np.arange(len(shop.log)) > 0.8 * len(shop.log)
        >>> model = ALS(factors=8, iterations=3)
        >>> model.fit(shop.take(~late), validation=shop.take(late)).history_.columns.tolist()
        ['iteration', 'ndcg@10']
        """
        self._check_fitted()
        return pd.DataFrame(self.passes_ or {"iteration": np.empty(0, np.int64)})

    def recommend(self, asked: Any, n: int = 10, *, seen: str | Sequence[str] = "drop") -> Ranking:
        """Return the best ``n`` items for one visitor; unknown visitors are answered too.

        Parameters
        ----------
        asked : user id or Query
        n : int, at least 1
            As many come back whenever the catalogue has them.
        seen : "drop", "keep" or a list of event types
            What to do with items the user already has events with: leave all out, none, or those
            with events of the kinds named.

        Returns
        -------
        Ranking
        """
        self._check_fitted()
        check(n, whole(at_least=1), "recommend", "n")
        with one_blas_thread():  # as in a batch: the answer must not depend on the threads
            return self._rank([Query.of(asked)], n, seen_bits(seen))[0]

    def recommend_many(
        self, asked: Iterable[Any], n: int = 10, *, seen: str | Sequence[str] = "drop"
    ) -> pd.DataFrame:
        """Return the best ``n`` items for many visitors, in the order asked.

        Parameters
        ----------
        asked : iterable of user ids or queries
        n, seen : see `recommend`

        Returns
        -------
        DataFrame with columns ``user_id, item_id, rank, score, source``.
        """
        self._check_fitted()
        wanted = listed(asked, "recommend_many")
        if self._ranks_as_the_base() and _are_plain_ids(wanted):
            check(n, whole(at_least=1), "recommend", "n")
            return self._frame_for_users(wanted, n, seen_bits(seen))
        queries = [Query.of(one) for one in wanted]
        rankings = self.rank_many(queries, n, seen=seen)
        return long_frame([query.user_id for query in queries], rankings, self.items_)

    def rank_many(
        self, asked: Iterable[Any], n: int = 10, *, seen: str | Sequence[str] = "drop"
    ) -> list[Ranking]:
        """Return one `Ranking` per visitor, in the order asked; see `recommend`."""
        self._check_fitted()
        check(n, whole(at_least=1), "recommend", "n")
        bits = seen_bits(seen)
        queries = [Query.of(one) for one in listed(asked, "rank_many")]
        blocks = cut(len(queries), self._block_size(n))
        parts = run_blocks(lambda a, b: self._rank(queries[a:b], n, bits), blocks)
        return [ranking for part in parts for ranking in part]

    def similar_items(self, item_id: Id, n: int = 10) -> Ranking:
        """Return the ``n`` items most like one; for an unknown item, popular ones.

        Examples
        --------
        >>> from recopersona.models.neighbors import ItemKNN
        >>> events = pd.DataFrame({"user_id": [1, 1, 2, 2, 3], "item_id": list("abab") + ["c"]})
        >>> ItemKNN().fit(events).similar_items("a", n=1).item_ids
        ['b']
        """
        self._check_fitted()
        check(n, whole(at_least=1), "similar_items", "n")
        item = self.items_.index(item_id)
        scores = np.full(len(self.items_), NO_OPINION) if item == UNKNOWN else self._similar(item)
        return self._list_about(item_id, self._padded(scores), n)

    def explain(self, asked: Any, item_id: Id) -> pd.DataFrame:
        """Return what contributed how much to an item's score.

        Parameters
        ----------
        asked : user id or Query
        item_id : id

        Returns
        -------
        DataFrame with columns ``component, evidence, contribution``, largest first; the
        contributions add up to the score. ``evidence`` is the item of the user's past that a row
        speaks of, or None.

        Raises
        ------
        DataError
            If the model does not know the item.
        """
        self._check_fitted()
        item = self.items_.index(item_id)
        if item == UNKNOWN:
            raise DataError(f"{type(self).__name__} does not know the item {item_id!r}.")
        rows = self._explain(Query.of(asked), item)
        frame = pd.DataFrame(rows, columns=["component", "evidence", "contribution"])
        largest_first = (
            frame["contribution"].abs().sort_values(ascending=False, kind="stable").index
        )
        return frame.loc[largest_first].reset_index(drop=True)

    def score(self, dataset: Any, y: None = None) -> float:
        r"""Return the mean NDCG@10 on held-out interactions, as scikit-learn's ``score`` does.

        Items the model saw a user with in training are neither recommended nor counted. Users
        without any other held-out item are left out.

        Parameters
        ----------
        dataset : Dataset or events frame
            Held-out interactions.
        y : ignored
        """
        self._check_fitted()
        return held_out_ndcg(self, as_dataset(dataset))

    def update_items(self, frame: Any) -> Self:
        """Take in new or changed rows of the catalogue; new items can be recommended at once."""
        self._check_fitted()
        self.items_.extend(frame_ids(frame, "item_id"))
        return self

    def update_users(self, frame: Any) -> Self:
        """Take in new or changed rows of the customers."""
        self._check_fitted()
        self.users_.extend(frame_ids(frame, "user_id"))
        return self

    def forget(self, user_ids: Iterable[Id]) -> int:
        """Drop what is held of single users at once; return how many were known.

        What they taught about items stays until the next ``fit`` without them.
        """
        self._check_fitted()
        wanted = listed(user_ids, "forget")
        known = self.users_.indices(wanted)
        gone = known[known != UNKNOWN]
        self._forget_users(gone)
        self.past_.forget(gone.tolist())
        return self.users_.forget(wanted)

    def save(self, path: str | PathLike[str]) -> None:
        """Write the fitted model into a directory; see `recopersona.save`."""
        from recopersona.base.artifact import save

        save(self, path)

    # -- what a model's mathematics reads ----------------------------------------------------

    def user_of(self, query: Query) -> int:
        """Return the index of who asks, or -1."""
        return UNKNOWN if query.user_id is None else self.users_.index(query.user_id)

    def session_of(self, query: Query) -> Indices:
        """Return the known items of the current visit, oldest first."""
        return self._known_items(query.session)

    def taste_of(self, query: Query) -> tuple[Indices, Floats]:
        """Return what speaks for the visitor: distinct items, ascending, and their weights.

        The past that the query brings, else the one that is stored; and the current session and
        the seed items, with a view's weight each (1 where views weigh nothing). In time order they
        are only in `session_of`.
        """
        if query.history is not None:
            items, weights = self._given_history(query.history)
        else:
            items, weights = self.past_.taste(self.user_of(query))
        lately = self._known_items((*query.session, *query.page_items))
        if query.history is None and not len(lately):
            return items, weights
        view = self.event_weights_[VIEW] or np.float32(1)
        together = np.concatenate([items, lately])
        distinct, place = np.unique(together, return_inverse=True)
        summed = np.zeros(len(distinct), dtype=np.float32)
        np.add.at(summed, place, np.concatenate([weights, np.full(len(lately), view)]))
        return distinct, summed

    def _passes(self, n: int, publish: Callable[[], None]) -> Iterator[int]:
        """Walk the numbers of ``n`` passes over the data, from 0: the loop of an iterative model.

        ``publish()`` makes the model answer by what it has learned so far, and changes nothing of
        how it goes on: it is called at the end, and after each pass that somebody watches. The
        walk may end early, and then the model is as it was after its best pass.
        """
        return self._watching.passes(n, publish)

    def _tell(self, **values: float) -> None:
        """Tell what the present pass came to, such as ``loss=0.3``, for ``history_``."""
        self.passes_[-1].update(values)

    def now_of(self, query: Query) -> int | None:
        """Return when the question is asked, else when the last event was, in milliseconds."""
        return self.end_ if query.now is None else moment_ms(query.now)

    # -- below this line the base talks to itself --------------------------------------------

    def _begin(self, dataset: Dataset) -> None:
        self.users_, self.items_ = dataset.users.copy(), dataset.items.copy()
        self.past_ = dataset.history()
        self.event_weights_ = dataset.event_weights
        self.half_life_, self.decayed_to_ = dataset.half_life, dataset.end
        self.end_ = dataset.end
        self.n_fitted_items_ = len(self.items_)
        self.passes_: list[dict[str, float]] = []
        rows = dataset.interactions
        weight = rows.decayed_weight(dataset.half_life, dataset.end)
        totals = np.bincount(rows.items, weight, minlength=len(self.items_))
        self.fallback_ = totals.astype(np.float32)

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
            replace(ranking, effects=self._unknowns(query))
            for query, ranking in zip(queries, best, strict=True)
        ]

    def _ranks_as_the_base(self) -> bool:
        """Tell whether lists can be made as arrays: a pipeline, say, ranks in its own way."""
        kind = type(self)
        return kind._rank is Recommender._rank and kind._excluded is Recommender._excluded

    def _frame_for_users(self, ids: list[Id], n: int, seen: int) -> pd.DataFrame:
        """Answer users who say nothing but who they are, without an object for each."""
        queries = UserQueries(ids, self.users_.indices(ids))
        best, sources = self._answers_to_users(queries, n, seen)
        names = (type(self).__name__, FALLBACK)
        return frame_of_lists(ids, best.items, best.scores, sources, names, self.items_)

    def _lists_of(self, queries: Sequence[Query], n: int) -> Indices:
        """Return the best items for many queries, int32 (n_queries, n), -1 where there are none."""
        if isinstance(queries, UserQueries) and self._ranks_as_the_base():
            return self._answers_to_users(queries, n, ALL_EVENTS)[0].items
        lists = np.full((len(queries), min(n, len(self.items_))), UNKNOWN, dtype=np.int32)
        for place, ranking in enumerate(self.rank_many(queries, n)):
            lists[place, : len(ranking)] = ranking.items
        return lists

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
        return replace(self._filled(best, excluded, n, blocked), effects=effects)

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

    def _known_items(self, ids: Iterable[Id]) -> Indices:
        known = [index for index in map(self.items_.index, ids) if index != UNKNOWN]
        return np.array(known, dtype=np.int32)

    def _given_history(self, history: Any) -> tuple[Indices, Floats]:
        weighted = history if isinstance(history, Mapping) else Counter(history)
        known = [(self.items_.index(item), weight) for item, weight in weighted.items()]
        counted = [(item, weight) for item, weight in known if item != UNKNOWN and weight > 0]
        items = np.array([item for item, _ in counted], dtype=np.int32)
        return items, np.array([weight for _, weight in counted], dtype=np.float32)

    def _unknowns(self, query: Query) -> tuple[str, ...]:
        """Say which ids of a question nobody knows: they are answered, but not silently."""
        unknown = [
            f"unknown item {item!r}"
            for item in (*query.session, *query.page_items, *(query.history or ()))
            if self.items_.index(item) == UNKNOWN
        ]
        if query.user_id is not None and self.user_of(query) == UNKNOWN:
            unknown.insert(0, f"unknown user {query.user_id!r}{_as_known(query, self.users_)}")
        return tuple(unknown)


def as_dataset(dataset: Any) -> Dataset:
    """Return a dataset as it is, and an events frame as a dataset."""
    return dataset if isinstance(dataset, Dataset) else Dataset.from_frames(dataset)


def frame_ids(frame: Any, id_column: str) -> pd.Series:
    """Return the ids of a frame of attributes."""
    rows = as_pandas(frame, f"rows with {id_column}")
    require_columns(rows, [id_column], f"rows with {id_column}")
    return rows[id_column]


def require_array(
    array: Any, dtype: type[np.generic], shape: tuple[int | None, ...], name: str
) -> None:
    """Check the type and the shape of an array that came from a file; None is any length.

    Raises
    ------
    DataError
        If it is something else.
    """
    fits = (
        isinstance(array, np.ndarray)
        and array.dtype == dtype
        and array.ndim == len(shape)
        and all(want is None or want == got for want, got in zip(shape, array.shape, strict=True))
    )
    if not fits:
        got = f"{array.dtype} {array.shape}" if isinstance(array, np.ndarray) else type(array)
        raise DataError(f"{name} must be {np.dtype(dtype)} {shape}, got {got}.")


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


_PLAIN_IDS = frozenset([int, str, np.int64, np.int32, np.str_])


def _are_plain_ids(asked: list[Any]) -> bool:
    """Tell integers and texts from queries, and from what has to be looked at one by one."""
    return _PLAIN_IDS.issuperset(map(type, asked))
