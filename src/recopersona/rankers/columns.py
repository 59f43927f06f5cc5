"""What a ranker looks at: of each candidate what its sources said, and what is known of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import clone

from recopersona.base.holdings import as_json, attributes_held
from recopersona.base.online import OnlineRecommender
from recopersona.base.parameters import Bound, optional, param
from recopersona.base.part import Part
from recopersona.base.recommender import require_array
from recopersona.data.crossing import Crossing
from recopersona.data.dataset import Dataset, events_of
from recopersona.data.event import EVENT_CODES, EVENT_TYPES, Event
from recopersona.data.feature_table import FeatureTable, FlagColumn, NumberColumn
from recopersona.data.ids import UNKNOWN
from recopersona.data.interactions import Interactions
from recopersona.data.query import Query
from recopersona.data.ranking import Ranking
from recopersona.data.times import MISSING_TIME, from_ms, integer_to_ms
from recopersona.data.types import Array, Floats, Id, Indices
from recopersona.errors import DataError
from recopersona.features.buying import RFM, CartAbandonment, Repurchase, SessionSignals
from recopersona.features.feature import Feature
from recopersona.features.features import Features
from recopersona.features.market import Conversion, ItemAge, ItemPopularity
from recopersona.features.taste import Affinity, PriceFit
from recopersona.features.touches import Touches
from recopersona.rankers.lessons import Lessons

FEATURES = optional(
    Bound(
        "Features, a list of features or (name, feature) pairs",
        lambda value: isinstance(value, (Features, list, tuple)),
    )
)
"""What the parameter ``features`` may be."""

FUSED, SOURCES = "fused", "sources"


class Columns(Part):
    """The numbers that a ranker knows of each candidate at the moment of a request.

    In this order: of every source ``NAME_score`` (standardized within its list) and ``NAME_rank``
    (1 / rank), NaN where it did not name the candidate; ``fused``, the merged score, and
    ``sources``, how many named it; the columns of `Features` as of the moment; number and flag
    columns of the catalogue and of the customers, those that no feature is called like, the latter
    as ``user_NAME``.

    Parameters
    ----------
    features : Features, or list of Feature or (name, feature) pairs, optional
        By default those that the log and the catalogue can tell something by; none for an empty
        list, and where events have no times.

    Attributes
    ----------
    names_ : list of str
    constant_ : list of str
        Columns that were the same in all lessons, and are left out.
    features_ : Features or None
        Holds the log; `take_in` keeps it up to date.
    counts_ : dict from str to int
        ``events_without_time`` that came in since, and were not counted.
    """

    features: Any = param(FEATURES, default=None)

    def fit(self, lessons: Lessons, dataset: Dataset) -> Floats:
        """Learn the columns from the lessons' sources and a whole log.

        Returns
        -------
        float32 (n_rows, n_columns), each row as of just before its request
        """
        self._unfit()
        self.source_names_ = list(_sources(lessons.rankings))
        self.item_features_ = dataset.item_features.copy(dataset.items.copy())
        self.user_features_ = dataset.user_features.copy(dataset.users.copy())
        self.counts_ = {"events_without_time": 0}
        features = self._wanted(dataset)
        rows = _asked(lessons.queries, lessons.rankings, features is not None)
        table = np.empty((lessons.n_rows, 0), np.float32)
        if features is not None:
            table = features.fit_transform(dataset, rows=rows).to_numpy(np.float32)
        self.features_ = features
        self._name()
        asked = [_user_of(self, query) for query in lessons.queries]
        users = np.repeat(np.array(asked, np.int32), np.diff(lessons.bounds))
        return self._without_constants(self._matrix(lessons.rankings, users, table))

    def of(self, query: Query, ranking: Ranking) -> Floats:
        """Return the columns of one request's candidates, float32 (n, n_columns)."""
        self._check_fitted()
        table = np.empty((len(ranking), 0), np.float32)
        if self.features_ is not None:
            known = self.features_.codes_.items_
            items = self._crossing("features").indices(ranking.items, ranking.ids, known)
            table = self.features_._for_rows(self._as_known(query), items)
        users = np.full(len(ranking), _user_of(self, query), np.int32)
        return self._matrix([ranking], users, table)[:, self.kept_]

    def _as_known(self, query: Query) -> Query:
        """Leave out what nobody knows of a visit: it must not make the visit a longer one."""
        items = self.features_.codes_.items_  # type: ignore[union-attr]
        if all(item in items for item in query.session):
            return query
        return replace(query, session=tuple(item for item in query.session if item in items))

    # -- what comes later --------------------------------------------------------------------

    def take_in(self, rows: Interactions, model: OnlineRecommender) -> None:
        """Take in events that passed the gate, numbered as the model numbers them."""
        if self.features_ is None:
            return
        timed = np.zeros(len(rows), np.bool_)
        if rows.timestamp is not None:
            timed = rows.timestamp != MISSING_TIME
        self.counts_["events_without_time"] += int((~timed).sum())
        known = rows if timed.all() else rows.take(timed)
        if not len(known):
            return
        one = _one_event(known, model) if len(known) == 1 else None
        if one is None:
            events = events_of(known, model.users_, model.items_, model.event_weights_)
            self.features_._take_in(events)
        else:
            self.features_._take_in(one)

    def update_items(self, frame: Any) -> None:
        """Take in new or changed rows of the catalogue; they count from the next request."""
        self.item_features_.update(frame, "item_id")
        if self.features_ is not None:
            self.features_.update_items(frame)

    def update_users(self, frame: Any) -> None:
        """Take in new or changed rows of the customers; they count from the next request."""
        self.user_features_.update(frame, "user_id")

    def held_of(self, user_ids: Sequence[Id]) -> dict[str, Any]:
        """Return what is held of some users, ready for JSON: attributes, and what features hold."""
        ids = self.user_features_.ids
        told: dict[str, Any] = {"attributes": [
            {"user_id": as_json(one), **known}
            for one in user_ids
            if ids.index(one) != UNKNOWN
            and (known := attributes_held(self.user_features_, ids.index(one)))
        ]}  # fmt: skip
        if self.features_ is not None:
            told |= {"features": self.features_.held_of(user_ids)}
        return {name: held for name, held in told.items() if held}

    def forget(self, user_ids: Sequence[Id]) -> None:
        """Drop everything known of some users."""
        rows = self.user_features_.ids.indices(list(user_ids))
        self.user_features_.forget(rows[rows != UNKNOWN].tolist())
        self.user_features_.ids.forget(user_ids)
        if self.features_ is not None:
            self.features_.forget(user_ids)

    def _check_learned(self) -> None:
        held: Any = vars(self)
        names, kept = held.get("all_names_"), held.get("kept_")
        lists = (
            "source_names_", "all_names_", "names_", "constant_", "item_columns_", "user_columns_",
        )  # fmt: skip
        good = (
            all(_are_words(held.get(name)) for name in lists)
            and isinstance(held.get("counts_"), dict)
            and isinstance(held["counts_"].get("events_without_time"), int)
            and isinstance(held.get("item_features_"), FeatureTable)
            and isinstance(held.get("user_features_"), FeatureTable)
            and isinstance(held.get("features_"), Features | None)
        )
        if not good:
            raise DataError("Columns: what was learned is not what it should be.")
        require_array(kept, np.int64, (len(self.names_),), "kept_")
        own = 0 if self.features_ is None else len(self.features_.get_feature_names_out())
        wide = 2 * len(self.source_names_) + 2 + own
        wide += len(self.item_columns_) + len(self.user_columns_)
        within = len(names) == wide and bool(((kept >= 0) & (kept < wide)).all())
        known = set(self.item_columns_) <= set(_numeric(self.item_features_))
        if not (within and known and set(self.user_columns_) <= set(_numeric(self.user_features_))):
            raise DataError("Columns: the columns do not fit together.")

    # -- inside ------------------------------------------------------------------------------

    def _wanted(self, dataset: Dataset) -> Features | None:
        """Return the features, unfitted; None where there is nothing to make them of."""
        given = self.features
        if dataset.log.timestamp is None or (isinstance(given, (list, tuple)) and not len(given)):
            return None
        if isinstance(given, Features):
            fresh: Features = clone(given)
            return fresh
        return Features(_usual_features(dataset) if given is None else given)

    def _name(self) -> None:
        """Give every column its name, and remember which attributes are among them."""
        names = [f"{name}_{what}" for name in self.source_names_ for what in ("score", "rank")]
        names += [FUSED, SOURCES]
        if self.features_ is not None:
            names += self.features_.get_feature_names_out().tolist()
        self.item_columns_ = [name for name in _numeric(self.item_features_) if name not in names]
        self.user_columns_ = _numeric(self.user_features_)
        names += [*self.item_columns_, *(f"user_{name}" for name in self.user_columns_)]
        if len(set(names)) < len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise DataError(f"two columns of the ranker are called {twice!r}; rename one of them.")
        self.all_names_ = names

    def _without_constants(self, matrix: Floats) -> Floats:
        """Leave out the columns that say the same of every row, or nothing."""
        first = matrix[:1]
        same = ((matrix == first) | (np.isnan(matrix) & np.isnan(first))).all(axis=0)
        self.kept_ = np.flatnonzero(~same)
        self.names_ = [self.all_names_[column] for column in self.kept_.tolist()]
        self.constant_ = [self.all_names_[column] for column in np.flatnonzero(same).tolist()]
        return np.ascontiguousarray(matrix[:, self.kept_])

    def _matrix(self, rankings: Sequence[Ranking], users: Indices, table: Floats) -> Floats:
        """Put all columns of some requests side by side."""
        n_sources, n = len(self.source_names_), len(users)
        matrix = np.empty((n, len(self.all_names_)), np.float32)
        start = 0
        for ranking in rankings:
            rows = slice(start, start + len(ranking))
            scores, ranks = self._said(ranking)
            matrix[rows, 0 : 2 * n_sources : 2] = scores
            matrix[rows, 1 : 2 * n_sources : 2] = 1.0 / ranks
            matrix[rows, 2 * n_sources] = ranking.scores
            matrix[rows, 2 * n_sources + 1] = (ranks == ranks).sum(axis=1)
            start += len(ranking)
        column = 2 * n_sources + 2
        matrix[:, column : column + table.shape[1]] = table
        column += table.shape[1]
        items = self._items_of(rankings)
        for name in self.item_columns_:
            matrix[:, column] = _values(self.item_features_, name, items)
            column += 1
        for name in self.user_columns_:
            matrix[:, column] = _values(self.user_features_, name, users)
            column += 1
        matrix[np.isinf(matrix)] = np.nan  # no learner takes it
        return matrix

    def _items_of(self, rankings: Sequence[Ranking]) -> Indices:
        """Return the catalogue's own numbers of candidates."""
        table = self.item_features_
        if not table.columns:
            return np.empty(0, np.int32)
        if len(rankings) == 1:
            one = rankings[0]
            return self._crossing("catalogue").indices(one.items, one.ids, table.ids)
        return table.ids.indices(np.concatenate([r.ids.ids[r.items] for r in rankings]))

    def _crossing(self, name: str) -> Crossing:
        """Return who knows what the ids of rankings are to one of our tables."""
        kept: dict[str, Crossing] = self.__dict__.setdefault("_crossings", {})
        return kept.setdefault(name, Crossing())

    def _said(self, ranking: Ranking) -> tuple[Floats, Floats]:
        """Return scores and ranks of the sources in the order they were learned in."""
        if ranking.source_scores is None or ranking.source_ranks is None:
            blank = np.full((len(ranking), len(self.source_names_)), np.nan, np.float32)
            return blank, blank
        n_said = ranking.source_scores.shape[1]
        if list(ranking.source_names[:n_said]) == self.source_names_:
            return ranking.source_scores, ranking.source_ranks
        place = {name: column for column, name in enumerate(ranking.source_names[:n_said])}
        missing = [name for name in self.source_names_ if name not in place]
        if missing:
            raise DataError(
                f"the ranker learned from a source {missing[0]!r}, which the ranking lacks."
            )
        order = [place[name] for name in self.source_names_]
        return ranking.source_scores[:, order], ranking.source_ranks[:, order]


def _are_words(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


_CODES = tuple(EVENT_CODES[kind] for kind in ("purchase", "cart", "view"))


def _one_event(rows: Interactions, model: OnlineRecommender) -> Event | None:
    """Return a single row as an `Event`, the quick way; None where that would not say it all."""
    kind, time = int(rows.event[0]), int(rows.timestamp[0])  # type: ignore[index]
    plain = rows.weight[0] == model.event_weights_[kind] and rows.quantity is None
    if not plain or integer_to_ms(time) != time:
        return None
    user, item = model.users_.ids[rows.users[0]], model.items_.ids[rows.items[0]]
    return Event(user, item, EVENT_TYPES[kind], time)


def _sources(rankings: Sequence[Ranking]) -> tuple[str, ...]:
    """Return the sources that lessons have in common."""
    told = {
        ranking.source_names[: ranking.source_scores.shape[1]]
        for ranking in rankings
        if ranking.source_scores is not None
    }
    if len(told) > 1:
        one, other = sorted(told)[:2]
        raise DataError(f"lessons must come from the same sources, got {one} and {other}.")
    return next(iter(told), ())


def _asked(queries: Sequence[Query], rankings: Sequence[Ranking], timed: bool) -> pd.DataFrame:
    """Return the rows that features are computed for."""
    sizes = [len(ranking) for ranking in rankings]
    frame = pd.DataFrame(
        {
            "user_id": pd.Series([query.user_id for query in queries], dtype=object)
            .repeat(sizes)
            .to_numpy(),
            "item_id": np.concatenate([r.ids.ids[r.items] for r in rankings]),
        }
    )
    if not timed:
        return frame
    if any(query.now is None for query in queries):
        raise DataError("lessons need to know when each was: Query(..., now=...).")
    now = np.array([query.now for query in queries], np.int64)
    frame["timestamp"] = from_ms(np.repeat(now, sizes))
    for name in {name for query in queries for name in query.context} - set(frame.columns):
        said = pd.Series([query.context.get(name) for query in queries], dtype=object)
        frame[str(name)] = said.repeat(sizes).to_numpy()
    return frame


def _user_of(columns: Columns, query: Query) -> int:
    return UNKNOWN if query.user_id is None else columns.user_features_.ids.index(query.user_id)


def _numeric(table: FeatureTable) -> list[str]:
    return [
        name
        for name, column in table.columns.items()
        if isinstance(column, (NumberColumn, FlagColumn))
    ]


def _values(table: FeatureTable, name: str, rows: Indices) -> Array:
    """Return numbers of some rows, NaN where unknown."""
    column: Any = table.column(name)
    if not len(column):
        return np.full(len(rows), np.nan)
    values: Array = column.values[np.maximum(rows, 0)].astype(np.float64)
    unknown = rows < 0
    if isinstance(column, FlagColumn):
        unknown = unknown | (values < 0)
    values[unknown] = np.nan
    return values


def _usual_features(dataset: Dataset) -> list[Feature]:
    """Return the features by which a log and a catalogue can tell something."""
    kinds = set(np.unique(dataset.log.event).tolist())
    features: list[Feature] = [
        Touches(), Affinity(), SessionSignals(), ItemPopularity(), ItemAge(),
    ]  # fmt: skip
    bought, carted, viewed = (code in kinds for code in _CODES)
    if bought:
        features += [RFM(), Repurchase()]
    if bought and viewed:
        features.append(Conversion())
    if carted:
        features.append(CartAbandonment())
    for name in ("category", "brand"):
        if name in dataset.item_features:
            features.append(Affinity(of=name))
    if "price" in dataset.item_features:
        features += [Affinity(of="price_band"), PriceFit()]
    return features
