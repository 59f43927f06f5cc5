"""The verbs: a model writes ``_fit`` and ``score_items``; everything else comes from here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from os import PathLike
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd

from recopersona.base.forgetting import Gone, require_stale, without_rows
from recopersona.base.holdings import as_json
from recopersona.base.listing import FALLBACK as FALLBACK  # part of the words of a model
from recopersona.base.listing import NO_OPINION as NO_OPINION
from recopersona.base.listing import Lister
from recopersona.base.parameters import check, check_parameters, optional, switch, whole
from recopersona.base.part import is_learned
from recopersona.base.quality import HeldOut, held_out_ndcg, require_known_users
from recopersona.base.several import listed
from recopersona.base.watching import (
    Validation,
    Watch,
    Watching,
    asked_to_watch,
    require_passes,
)
from recopersona.data.columns import as_pandas, require_columns
from recopersona.data.dataset import Dataset
from recopersona.data.event import EVENT_TYPES, seen_bits
from recopersona.data.gate import EventGate, require_gate
from recopersona.data.history import History
from recopersona.data.ids import UNKNOWN
from recopersona.data.query import Query
from recopersona.data.ranking import Ranking, long_frame
from recopersona.data.types import Floats, Id, Indices, Mask
from recopersona.errors import DataError
from recopersona.kernels.blocks import cut, one_blas_thread, run_blocks


class Recommender(Lister):
    """What every model and every pipeline can do.

    A subclass declares its parameters with `param` and writes two methods:

    ``_fit(dataset)``
        Learn; what is learned goes into attributes that end in ``_``.
    ``score_items(query, items=None) -> float32 (n_items,)``
        Judge the whole catalogue for one query, higher is better and `NO_OPINION` is allowed.
        ``items`` (int32) names the only ones that will be looked at; it may be ignored.

    One that learns in passes walks them by ``for number in self._passes(n, publish)``, where
    ``publish()`` makes it answer by what it has learned so far; then it can be watched.

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

    # -- what a model writes -----------------------------------------------------------------

    def _fit(self, dataset: Dataset) -> None:
        raise NotImplementedError(f"{type(self).__name__} must write _fit(self, dataset).")

    # -- what a model may write; for speed see also `Lister` -----------------------------------

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

    _user_tables: ClassVar[tuple[str, ...]] = ()
    """Arrays with a row for every user: hers is blanked by `forget`, and told by `held_of`."""

    _taught_by_all: ClassVar[tuple[str, ...] | None] = None
    """What all users taught together, and nobody can be taken out of; None: all that is its own."""

    def _forget_users(self, users: Indices) -> None:
        for name in self._user_tables:
            setattr(self, name, without_rows(getattr(self, name), users))

    def _unlearn(self, gone: Gone) -> Iterable[str]:
        if self._taught_by_all is not None:
            return self._taught_by_all
        return [name for name in vars(self) if is_learned(name) and name not in _OF_THE_BASE]

    def _held_of(self, user: int) -> dict[str, Any]:
        tables = {name: getattr(self, name) for name in self._user_tables}
        return {name: as_json(rows[user]) for name, rows in tables.items() if user < len(rows)}

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
        check(self.gated_, switch(), owner, "gated_")
        require_passes(self.passes_, owner)
        require_stale(self.stale_, owner)
        past: Any = self.past_
        fits = isinstance(past, History) and past.fits(len(self.users_), n_items)
        if not fits or len(self.fallback_) > n_items:
            raise DataError(f"{owner}: the past does not fit the users and items.")

    def _watch_on(self, validation: Validation, patience: int | None) -> Watch:
        """Return how passes are measured on held-out interactions; ids and the past are there."""
        if validation.told is None:
            require_known_users(self, validation.held_out)
        wanted = HeldOut.of(self, *validation, purpose="validation")
        return Watch(wanted.ndcg, metric="ndcg@10", patience=patience)

    # -- the verbs ---------------------------------------------------------------------------

    def fit(
        self,
        dataset: Any,
        y: None = None,
        *,
        validation: Any = None,
        patience: int | None = None,
        gate: EventGate | None = None,
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
        gate : EventGate, optional
            Such as a `ConsentLedger`, in place of the dataset's own. What it refuses as of now is
            as if it were not there; it is asked by ``partial_fit`` and ``recommend``, too.

        Raises
        ------
        ParameterError
            If a parameter is out of its bounds, or ``patience`` has nothing to watch.
        DataError
            If there is no interaction to learn from, the events cannot be read, or ``validation``
            has no user whom training knows, with an item that it did not see her with.
        """
        check_parameters(self)
        name, shop = type(self).__name__, as_dataset(dataset, gate)
        asked = asked_to_watch(validation, patience, name)
        if not len(shop.interactions):
            raise DataError(
                f"{name}.fit needs at least one interaction, got none{_why_none(shop)}."
            )
        self._unfit()
        try:
            self._begin(shop)
            if isinstance(asked, Validation):
                if shop.gate is not None:
                    asked = asked._replace(held_out=asked.held_out.behind(shop.gate))
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
        return self._recommended(self._asked(asked), n, seen_bits(seen))

    def _recommended(self, query: Query, n: int, seen: int) -> Ranking:
        with one_blas_thread():  # as in a batch: the answer must not depend on the threads
            return self._rank([query], n, seen)[0]

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
        check(n, whole(at_least=1), "recommend", "n")
        bits = seen_bits(seen)
        if self._ranks_as_the_base() and _are_plain_ids(wanted) and self._may_know_all(wanted):
            return self._frame_for_users(wanted, n, bits)
        rankings = self._ranked([self._asked(one) for one in wanted], n, bits)
        return long_frame([Query.of(one).user_id for one in wanted], rankings, self.items_)

    def rank_many(
        self, asked: Iterable[Any], n: int = 10, *, seen: str | Sequence[str] = "drop"
    ) -> list[Ranking]:
        """Return one `Ranking` per visitor, in the order asked; see `recommend`."""
        self._check_fitted()
        check(n, whole(at_least=1), "recommend", "n")
        bits = seen_bits(seen)
        return self._ranked([self._asked(one) for one in listed(asked, "rank_many")], n, bits)

    def _ranked(self, queries: list[Query], n: int, bits: int) -> list[Ranking]:
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
        rows = self._explain(self._asked(asked), item)
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
        self.users_.extend(frame_ids(self._admitted(frame), "user_id"))
        return self

    def save(self, path: str | PathLike[str]) -> None:
        """Write the fitted model into a directory; see `recopersona.save`."""
        from recopersona.base.artifact import save

        save(self, path)

    # -- what a model's mathematics reads ----------------------------------------------------

    def _passes(self, n: int, publish: Callable[[], None]) -> Iterator[int]:
        """Walk the numbers of ``n`` passes over the data, from 0: the loop of an iterative model.

        ``publish()`` makes the model answer by what it has learned so far, and changes nothing of
        how it goes on: it is called at the end, and after each pass that somebody watches. The
        walk may end early, and then the model is as it was after its best pass.
        """
        return self._watching.passes(n, publish)

    def _take_back(self, gone: Gone) -> list[str]:
        items = gone.items[gone.items < len(self.fallback_)]
        totals = self.fallback_.copy()
        totals[items] = self.past_.totals(items)
        self.fallback_ = totals
        return super()._take_back(gone)

    def _tell(self, **values: float) -> None:
        """Tell what the present pass came to, such as ``loss=0.3``, for ``history_``."""
        self.passes_[-1].update(values)


def as_dataset(dataset: Any, gate: EventGate | None = None) -> Dataset:
    """Return a dataset, or an events frame as one: what its gate, or another, admits as of now."""
    if gate is not None:
        require_gate(gate)
    if not isinstance(dataset, Dataset):
        return _cleared(Dataset.from_frames(dataset, gate=gate))
    gate = dataset.gate if gate is None else gate
    if gate is None or (dataset.cleared and gate is dataset.gate):
        return dataset
    return _cleared(dataset.behind(gate))


def _why_none(dataset: Dataset) -> str:
    """Say that a gate refused all that there was, where one did."""
    n = dataset.counts.get("refused_events", 0)
    events = "1 event" if n == 1 else f"{n:,} events"
    return f": its gate refused {events}, and gate.counts says why" if n else ""


def _cleared(dataset: Dataset) -> Dataset:
    """Mark what passed its gate just now: parts fitted on it must not see another answer."""
    return dataset if dataset.gate is None else replace(dataset, cleared=True)


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


_OF_THE_BASE = frozenset({
    "users_", "items_", "past_", "event_weights_", "end_", "half_life_", "decayed_to_",
    "n_fitted_items_", "passes_", "stale_", "gated_", "fallback_", "item_features_",
    "user_features_",
})  # fmt: skip
_PLAIN_IDS = frozenset([int, str, np.int64, np.int32, np.str_])


def _are_plain_ids(asked: list[Any]) -> bool:
    """Tell integers and texts from queries, and from what has to be looked at one by one."""
    return _PLAIN_IDS.issuperset(map(type, asked))
