"""New items get a chance: what they are speaks for them, and they are shown to learn more."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, ClassVar, Self

import numpy as np

from recopersona.base.composite import Composite
from recopersona.base.draws import key_of, normals
from recopersona.base.forgetting import Gone
from recopersona.base.parameters import Bound, check, duration, optional, param, real, whole
from recopersona.base.part import Part
from recopersona.base.recommender import Recommender, frame_ids, require_array
from recopersona.data.dataset import Dataset
from recopersona.data.event import RETURN
from recopersona.data.feature_table import TimeColumn
from recopersona.data.growing import with_room
from recopersona.data.interactions import Interactions
from recopersona.data.query import Query
from recopersona.data.ranking import Ranking
from recopersona.data.times import MISSING_TIME, duration_ms
from recopersona.data.types import Array, Floats, Id, Indices, Mask
from recopersona.errors import DataError
from recopersona.models.content import ContentKNN

NEW = "Explore: new item"
"""The source of items that are shown because they are new."""

_MODEL = Bound("a model", lambda value: isinstance(value, Recommender))


class Explore(Composite):
    r"""Give new items a chance: content speaks for them, and a draw for what is not yet known.

    The score of an item older than ``item_age_cutoff`` is the model's own, untouched. Of a newer
    one with :math:`n_j` events, content has a say that shrinks as events come, and what remains
    unknown is drawn, as in Thompson sampling:

    .. math:: s_{uj} = \frac{n_j \, m_{uj} + c_{uj}}{n_j + 1}
              + weight \cdot d_u \frac{z_j}{\sqrt{1 + n_j}}, \qquad z_j \sim N(0, 1)

    Here m is the model's score; c the score that the model gives to its own item at the place that
    j has in the content's list, so that scales need not be alike; :math:`d_u` the standard
    deviation of the model's scores, and the weight ``exploration_weight``. Where the model has no
    opinion, content alone counts; where content has none, the model's median stands for it. What
    the visitor has chosen already is left out of both lists.

    The draw is keyed by (``random_state``, decision id): a query with a ``decision_id`` explores,
    and the same one is answered in the same way; without one the expected score is taken, so that
    `recommend_many` and `evaluate` explore nothing. A `Pipeline` names every decision.

    Parameters
    ----------
    model : model
        Whose scores these are.
    content : model, optional
        What speaks for new items; by default `ContentKNN`.
    exploration_weight : float, at least 0
        How far a draw carries an item of which nothing is known, in standard deviations.
    item_age_cutoff : duration
        Up to what age an item is new: since its ``created_at``, else since its first event, else
        since it came by `update_items`.
    random_state : int
        Of the draws.

    Attributes
    ----------
    models_ : dict
        The fitted ``model`` and ``content``.
    first_seen_ : int64 (n_items,)
        Since when an item is there, in milliseconds; `MISSING_TIME` where nobody knows: not new.
    n_events_ : int64 (n_items,)
    latest_ : int
        The last event's time, None where there is none: now, where the query does not say.

    Notes
    -----
    Items shown because they are new have the source ``Explore: new item``. Time: that of both
    models, and two sorts of the catalogue where any item is new.

    References
    ----------
    Chapelle & Li (2011), "An empirical evaluation of Thompson sampling"; Li et al. (2010), "A
    contextual-bandit approach to personalized news article recommendation", for bonuses that
    shrink with evidence.

    Examples
    --------
    >>> import pandas as pd
    >>> from recopersona.models.popularity import Popularity
    >>> shelf = pd.DataFrame({
    ...     "item_id": ["matcha", "sencha", "salt", "pepper"],
    ...     "kind": ["tea", "tea", "spice", "spice"],
    ...     "created_at": ["2026-01-10", "2025-01-01", "2025-01-01", "2025-01-01"]})
    >>> events = pd.DataFrame({
    ...     "user_id": ["anna", "ben", "cleo", "cleo"],
    ...     "item_id": ["sencha", "salt", "salt", "pepper"],
    ...     "timestamp": ["2026-01-07", "2026-01-08", "2026-01-09", "2026-01-10"]})
    >>> model = Explore(model=Popularity()).fit(Dataset.from_frames(events, items=shelf))
    >>> model.recommend("anna").to_frame()
      item_id  rank  score             source
    0  matcha     1    2.0  Explore: new item
    1    salt     2    2.0            Explore
    2  pepper     3    1.0            Explore
    >>> visits = [Query("anna", decision_id=f"visit {number}") for number in range(100)]
    >>> sum(model.recommend(visit, n=1).item_ids == ["matcha"] for visit in visits)
    44
    """

    _parts_parameter: ClassVar[str] = "models"

    model: Any = param(_MODEL, default=None)
    content: Any = param(optional(_MODEL), default=None)
    exploration_weight: float = param(real(at_least=0), default=0.3)
    item_age_cutoff: str | timedelta = param(duration(), default="30d")
    random_state: int = param(whole(at_least=0, at_most=2**32 - 1), default=0)

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters; with ``deep``, also the models' as ``model__parameter``."""
        params: dict[str, Any] = super(Part, self).get_params(deep)
        return params

    def set_params(self, **params: Any) -> Self:
        """Set parameters, or a model's own as ``model__parameter``."""
        super(Part, self).set_params(**params)
        return self

    def _named(self) -> list[tuple[str, Any]]:
        content = ContentKNN() if self.content is None else self.content
        return [("model", self.model), ("content", content)]

    def _fit(self, dataset: Dataset) -> None:
        self._fit_models(dataset)
        n_items = len(self.items_)
        rows = dataset.interactions
        self.n_events_ = np.bincount(rows.items, minlength=n_items).astype(np.int64)
        first = np.full(n_items, np.iinfo(np.int64).max)
        if rows.timestamp is not None:
            known = rows.timestamp != MISSING_TIME
            np.minimum.at(first, rows.items[known], rows.timestamp[known])
        first[first == np.iinfo(np.int64).max] = MISSING_TIME
        created = _created(dataset.item_features)
        self.first_seen_ = np.where(created == MISSING_TIME, first, created)
        self.latest_ = dataset.end

    # -- scores ------------------------------------------------------------------------------

    def score_items(self, query: Query, items: Indices | None = None) -> Floats:
        """Return every item's score, drawn for a query with a decision id, float32 (n_items,)."""
        scores: Floats = self._score_queries([query])[0]
        return scores

    def _score_queries(self, queries: Sequence[Query]) -> Floats:
        own, content = self._models["model"], self._models["content"]
        scores = np.array(own._score_queries(queries), np.float32)
        scores = np.stack([self._padded(row) for row in scores])
        fresh = [self._new_items(query) for query in queries]
        asked = [row for row, new in enumerate(fresh) if len(new)]
        if asked:
            said = content._score_queries([queries[row] for row in asked])
            for row, line in zip(asked, said, strict=True):
                self._explore(scores[row], self._padded(line), fresh[row], queries[row])
        return scores

    def _explore(self, scores: Floats, content: Floats, new: Indices, query: Query) -> None:
        """Overwrite the scores of new items."""
        chosen = self.taste_of(query)[0]  # every model's highest, and not to be recommended
        ours, theirs = _sorted(scores, chosen), _sorted(content, chosen)
        said = np.isfinite(content[new])
        if not len(ours) and not said.any():
            return  # nobody knows anything: the fallback fills the list
        ladder = ours if len(ours) else theirs
        prior = np.full(len(new), ladder[(len(ladder) - 1) // 2])
        prior[said] = _same_place(ladder, theirs, content[new][said])
        events = self.n_events_[new]
        own = np.where(np.isfinite(scores[new]), scores[new], prior)
        expected = (events * own + prior) / (events + 1)
        if query.decision_id is not None and self.exploration_weight:
            draws = normals(key_of(self.random_state, query.decision_id), new)
            bonus = self.exploration_weight * float(np.std(ladder)) / np.sqrt(1 + events)
            expected = expected + bonus * draws
        scores[new] = expected

    def _new_items(self, query: Query) -> Indices:
        now = self.latest_ if query.now is None else self.now_of(query)
        if now is None:
            return np.empty(0, np.int32)
        oldest = now - duration_ms(self.item_age_cutoff)
        new = (self.first_seen_ != MISSING_TIME) & (self.first_seen_ >= oldest)
        return np.flatnonzero(new).astype(np.int32)

    def _rank(
        self,
        queries: Sequence[Query],
        n: int,
        seen: int,
        eligible: Mask | None = None,
        fill: bool = True,
    ) -> list[Ranking]:
        rankings = super()._rank(queries, n, seen, eligible, fill)
        return [
            _marked(ranking, self._new_items(query))
            for query, ranking in zip(queries, rankings, strict=True)
        ]

    def _similar(self, item: int) -> Floats:
        return self._models["model"]._similar(item)

    def _explain(self, query: Query, item: int) -> list[tuple[str, Id | None, float]]:
        own = float(self._padded(self._models["model"].score_items(query))[item])
        score = float(self.score_items(query)[item])
        if not np.isfinite(score):
            return []
        if item not in self._new_items(query):
            return self._models["model"]._explain(query, item)
        expected = float(self.score_items(replace(query, decision_id=None))[item])
        own = own if np.isfinite(own) else 0.0
        rows: list[tuple[str, Id | None, float]] = [
            ("model", None, own),
            ("content", None, expected - own),
            ("draw", None, score - expected),
        ]
        return [row for row in rows if row[2]]

    # -- what comes --------------------------------------------------------------------------

    def _learn(self, rows: Interactions) -> None:
        super()._learn(rows)
        self.n_events_ = with_room(self.n_events_, len(self.items_))
        np.add.at(self.n_events_, rows.items, 1)
        if rows.end is not None:
            self.latest_ = max(self.latest_ or rows.end, rows.end)
        self.first_seen_ = self._grown(self.first_seen_, MISSING_TIME)
        if rows.timestamp is not None:
            unseen = self.first_seen_[rows.items] == MISSING_TIME
            unseen &= rows.timestamp != MISSING_TIME
            if unseen.any():
                first, items = self.first_seen_.copy(), rows.items[unseen]
                first[items] = np.iinfo(np.int64).max
                np.minimum.at(first, items, rows.timestamp[unseen])
                self.first_seen_ = first

    def update_items(self, frame: Any) -> Self:
        """Take in new or changed rows of the catalogue; what is new is new from now on."""
        self._check_fitted()
        n_before = len(self.first_seen_)  # a pipeline may have numbered what is new already
        super().update_items(frame)
        rows = self.items_.indices(frame_ids(frame, "item_id"))
        first = self._grown(self.first_seen_, MISSING_TIME).copy()
        added = rows[(rows >= n_before) & (first[rows] == MISSING_TIME)]
        first[added] = MISSING_TIME if self.latest_ is None else self.latest_
        table = getattr(self._models["content"], "item_features_", None)
        if table is not None:
            created = _created(table)[rows]
            dated = created != MISSING_TIME
            first[rows[dated]] = created[dated]
        self.first_seen_ = first
        self.n_events_ = with_room(self.n_events_, len(self.items_))
        return self

    def _unlearn(self, gone: Gone) -> Iterable[str]:
        """Count her events no more; an item that nobody else was first with may be younger."""
        yield from super()._unlearn(gone)
        rows = self._events_of(gone)
        if rows is None or (rows.event == RETURN).any():  # which count online, and not in a fit
            yield from ("n_events_", "first_seen_")
            return
        theirs = np.bincount(rows.items, minlength=len(self.n_events_))
        self.n_events_ = np.maximum(self.n_events_ - theirs, 0)
        if rows.timestamp is not None and (self.first_seen_[rows.items] == rows.timestamp).any():
            yield "first_seen_"

    def _grown(self, values: Array, fill: int) -> Array:
        missing = len(self.items_) - len(values)
        return np.append(values, np.full(missing, fill, values.dtype)) if missing else values

    def _check_learned(self) -> None:
        super()._check_learned()
        if set(self._models) != {"model", "content"}:
            raise DataError("Explore: there must be a model and its content.")
        for name in ("first_seen_", "n_events_"):
            values = getattr(self, name)
            require_array(values, np.int64, (None,), name)
            if not self.n_fitted_items_ <= len(values) <= len(self.items_):
                raise DataError(f"Explore: {name} does not fit the catalogue.")
        check(self.latest_, optional(whole(-(2**62), 2**62)), "Explore", "latest_")
        if (self.n_events_ < 0).any():
            raise DataError("Explore: n_events_ must be at least 0.")


def _sorted(scores: Floats, chosen: Indices) -> Array:
    """Return the scores of what is not chosen yet, ascending."""
    rest = np.delete(scores, chosen)
    return np.sort(rest[np.isfinite(rest)])


def _same_place(ladder: Array, theirs: Array, values: Array) -> Array:
    """Return what stands in one ascending list at the places that values have in another."""
    if not len(theirs):
        return np.full(len(values), ladder[-1])
    higher = len(theirs) - np.searchsorted(theirs, values, "right")
    equal = len(theirs) - np.searchsorted(theirs, values, "left") - higher
    place = higher + np.maximum(equal - 1, 0) // 2
    found: Array = ladder[np.maximum(len(ladder) - 1 - place, 0)]
    return found


def _created(table: Any) -> Array:
    """Return when items were created, `MISSING_TIME` where nobody says."""
    if "created_at" in table and isinstance(table.column("created_at"), TimeColumn):
        created: Array = table.column("created_at").values
        return created
    return np.full(len(table), MISSING_TIME, np.int64)


def _marked(ranking: Ranking, new: Indices) -> Ranking:
    """Say of new items that this is why they are there."""
    is_new = np.isin(ranking.items, new) & (ranking.source == 0)
    if not is_new.any():
        return ranking
    names = (*ranking.source_names, NEW)
    source = np.where(is_new, np.int8(len(names) - 1), ranking.source).astype(np.int8)
    return replace(ranking, source_names=names, source=source)
