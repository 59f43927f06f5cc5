"""The layered pipeline: candidates, filter, rank, re-rank, and never a short list."""

from __future__ import annotations

import copy
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
from sklearn.base import clone

from recopersona.base.composite import MODELS, Composite
from recopersona.base.described import Described
from recopersona.base.parameters import Bound, check, mapping, optional, param, real, whole
from recopersona.base.recommender import FALLBACK, NO_OPINION, listed
from recopersona.base.stage import Stage
from recopersona.data.dataset import Dataset
from recopersona.data.decision import Decision
from recopersona.data.event import ALL_EVENTS, event_code
from recopersona.data.history import History
from recopersona.data.ids import IdMap
from recopersona.data.interactions import Interactions
from recopersona.data.query import Query
from recopersona.data.ranking import Ranking
from recopersona.data.types import Floats, Id, Indices, Mask
from recopersona.errors import DataError, ParameterError, hint
from recopersona.pipeline.filters import Filters, as_predicates
from recopersona.pipeline.fusion import fuse

KEEP_SEEN = 0
"""The kinds of events, as bits, for which an item counts as seen: none."""

_STAGE = Bound("a function (query, ranking) -> ranking", callable)
_WEIGHTS = mapping("from name to a number above 0")


class Pipeline(Described, Composite):
    """Several models' candidates, filtered by rules, merged, ranked and re-ranked.

    Rules are asked **before** the candidates are picked, so filtering never shortens a list.
    Without a ranker the lists are merged by weighted reciprocal rank. What the models cannot fill
    is filled with popular items that the rules allow; every item says where it came from.

    Parameters
    ----------
    candidates : list of models, or of (name, model) pairs
        A model without a name is called like its class in lower case. Parameters of a part are
        reached as ``als__factors``. The models given stay unfitted; their clones are fitted.
    rules : function or list of functions, optional
        Each takes the catalogue as a frame (one row per item), or the query and the catalogue, and
        returns true or false per item. Unknown counts as false.
    ranker, reranker : Stage, optional
        Functions or objects ``(query, ranking) -> ranking``, applied in this order.
    weights : mapping from name to a number above 0, optional
        Weights of the fusion, 1 where nothing is said.
    pool : int, at least 1
        Candidates asked of each model, or ``n`` where that is more.
    decision_log : int, at least 0
        How many of the latest decisions are remembered for `feedback`.

    Attributes
    ----------
    candidates_ : dict from name to fitted model
    decisions_ : dict from decision id to Decision
    feedback_counts_ : dict
        How often feedback ``taught``, came ``repeated``, or was for an ``unknown`` decision.

    Examples
    --------
    >>> from recopersona.datasets.synthetic import synthetic_shop
    >>> from recopersona.models.neighbors import ItemKNN
    >>> from recopersona.models.popularity import Popularity
    >>> def in_stock(items):
    ...     return items["stock"] > 0
    >>> shop = synthetic_shop(200, 50, random_state=7)
    >>> home = Pipeline(candidates=[ItemKNN(k=20), Popularity(half_life="7d")], rules=in_stock)
    >>> ranking = home.fit(shop).recommend("u-0001", n=3)
    >>> len(ranking), ranking.effects
    (3, ('in_stock left out 3 of 50 items',))
    >>> home.feedback(ranking.decision_id, clicked=ranking.item_ids[:1])
    True
    >>> home.set_params(itemknn__k=5).get_params()["itemknn__k"]
    5
    """

    _parts_parameter: ClassVar[str] = "candidates"

    candidates: Sequence[Any] = param(MODELS, default=())
    rules: Any = param(default=None)
    ranker: Stage | None = param(optional(_STAGE), default=None)
    reranker: Stage | None = param(optional(_STAGE), default=None)
    weights: Mapping[str, float] | None = param(optional(_WEIGHTS), default=None)
    pool: int = param(whole(at_least=1), default=200)
    decision_log: int = param(whole(at_least=0), default=10_000)

    def _fit(self, dataset: Dataset) -> None:
        self.weights_ = _fusion_weights(self.weights, tuple(dict(self._named())))
        self.rules_ = as_predicates(self.rules)
        self._filters_kept: Filters | None = None
        self._filters.evaluate()
        self._fit_models(dataset)
        self.ranker_ = _fitted(self.ranker, dataset)
        self.reranker_ = _fitted(self.reranker, dataset)
        self.decisions_: dict[str, Decision] = {}
        self.feedback_counts_ = {"taught": 0, "repeated": 0, "unknown": 0}

    def _adopt(self, users: IdMap, items: IdMap, past: History) -> None:
        super()._adopt(users, items, past)
        self._filters_kept = None

    def _check_learned(self) -> None:
        super()._check_learned()
        if len(self.weights_) != len(self.candidates_):
            raise DataError("Pipeline: candidates and weights do not fit together.")
        as_predicates(self.rules_)
        for name, weight in zip(self.candidates_, self.weights_, strict=True):
            check(weight, real(above=0), "Pipeline", f"weight of {name}")
        for stage in (self.ranker_, self.reranker_):
            check(stage, optional(_STAGE), "Pipeline", "stage")
        decisions: Any = self.decisions_
        counts: Any = self.feedback_counts_
        logged = isinstance(decisions, dict) and isinstance(counts, dict)
        if not logged or not all(isinstance(one, Decision) for one in decisions.values()):
            raise DataError("Pipeline: the log of decisions is not one.")

    def recommend(self, asked: Any, n: int = 10, *, seen: str | Sequence[str] = "drop") -> Ranking:
        """Return the best ``n`` items for one visitor; the decision is remembered for `feedback`.

        See `Recommender.recommend`. The ranking carries the query's ``decision_id``, or a new one.
        """
        query = Query.of(asked)
        # Named before it is made: what explores draws by the decision's name.
        query = replace(query, decision_id=query.decision_id or uuid.uuid4().hex)
        ranking = super().recommend(query, n, seen=seen)
        ranking = replace(ranking, decision_id=query.decision_id)
        self._log(Decision.of(ranking, query.user_id, query.context, self.now_of(query)))
        return ranking

    def feedback(
        self,
        decision_id: Any,
        clicked: Iterable[Id] = (),
        *,
        purchased: Iterable[Id] = (),
        outcome: Any = None,
    ) -> bool:
        """Tell what came of a decision; every part that learns from outcomes is taught.

        What the visitor did comes in the event log too and belongs into `partial_fit`; feedback is
        for those parts that need to know which choice led to it.

        Parameters
        ----------
        decision_id : str
            From ``ranking.decision_id``.
        clicked, purchased : iterables of item ids
            Of the items shown.
        outcome : mapping from item id to event type, optional
            For any other kind of event.

        Returns
        -------
        True if this taught; False if the decision had its feedback already, or is not (any longer)
        known. Both are counted in ``feedback_counts_``.

        Raises
        ------
        DataError
            If an item was not shown, or a kind of event does not exist.
        """
        self._check_fitted()
        if not isinstance(decision_id, str):
            kind = type(decision_id).__name__
            raise DataError(f"feedback needs the ranking's decision_id, got a {kind}.")
        decision = self.decisions_.get(decision_id)
        if decision is None or decision.outcome is not None:
            self.feedback_counts_["unknown" if decision is None else "repeated"] += 1
            return False
        happened: dict[Id, str] = dict.fromkeys(listed(clicked, "feedback"), "click")
        happened.update(dict.fromkeys(listed(purchased, "feedback"), "purchase"))
        if outcome is not None and not isinstance(outcome, Mapping):
            raise DataError(f"outcome must map item ids to event types, got {outcome!r}.")
        happened.update(outcome or {})
        for item, event in happened.items():
            event_code(event)
            if item not in decision.shown:
                raise DataError(f"decision {decision_id!r} did not show the item {item!r}.")
        # Marked first: a part that fails must not make the others learn the same outcome twice.
        self.decisions_[decision_id] = decision.with_outcome(happened)
        self._learn_outcome(self.decisions_[decision_id])
        self.feedback_counts_["taught"] += 1
        return True

    def _learn_outcome(self, decision: Decision) -> None:
        super()._learn_outcome(decision)
        for part in (self.ranker_, self.reranker_):
            learn = getattr(part, "_learn_outcome", None)
            if learn is not None:
                learn(decision)

    def forget(self, user_ids: Iterable[Id]) -> int:
        """Drop what is held of single users, decisions included; see `Recommender.forget`."""
        self._check_fitted()
        wanted = listed(user_ids, "forget")
        self._forget_decisions(set(wanted))
        return super().forget(wanted)

    def score_items(self, query: Query, items: Indices | None = None) -> Floats:
        """Return the merged scores, float32 (n_items,), for the items in any model's pool.

        Seen items are judged too; where they are left out, the others move up, and their scores
        with them.
        """
        scores = np.full(len(self.items_), NO_OPINION)
        ranking = self._candidates_for(query, KEEP_SEEN)
        scores[ranking.items] = ranking.scores
        return scores

    def _learn(self, rows: Interactions) -> None:
        super()._learn(rows)
        for stage in (self.ranker_, self.reranker_):
            if hasattr(stage, "_learn"):
                stage._learn(rows)

    def _items_described(self, rows: Indices, names: set[str]) -> None:
        self._filters.catalogue_changed()

    def _forget_users(self, users: Indices) -> None:
        ids = self.users_.ids[users].tolist()
        self._forget_decisions(set(ids))
        for stage in (self.ranker_, self.reranker_):
            if hasattr(stage, "forget"):
                stage.forget(ids)
        super()._forget_users(users)

    def _forget_decisions(self, user_ids: set[Id]) -> None:
        kept = {key: one for key, one in self.decisions_.items() if one.user_id not in user_ids}
        self.decisions_ = kept

    def _candidates_for(self, query: Query, seen: int) -> Ranking:
        eligible, _ = self._filters.eligible(query)
        return self._staged([query], self.pool, seen, eligible)[0]

    def _explain(self, query: Query, item: int) -> list[tuple[str, Id | None, float]]:
        refused = self._filters.refused_by(query, item)
        if refused is not None:
            return [(f"left out by {refused}", None, 0.0)]
        for seen in (ALL_EVENTS, KEEP_SEEN):  # as it was recommended; else as if it were not seen
            ranking = self._candidates_for(query, seen)
            place = np.flatnonzero(ranking.items == item)
            if len(place) and ranking.parts is not None:
                shares = zip(ranking.source_names, ranking.parts[place[0]], strict=True)
                return [(name, None, float(share)) for name, share in shares if share == share]
        return [(FALLBACK, None, 0.0)]

    @property
    def _filters(self) -> Filters:
        kept: Filters | None = vars(self).get("_filters_kept")
        if kept is None:
            kept = self._filters_kept = Filters(self.rules_, self.item_features_)
        return kept

    def _rank(
        self,
        queries: Sequence[Query],
        n: int,
        seen: int,
        eligible: Mask | None = None,
        fill: bool = True,
    ) -> list[Ranking]:
        if not queries:
            return []
        if self._filters.depend_on_query and len(queries) > 1:
            return [self._rank([query], n, seen, eligible, fill)[0] for query in queries]
        allowed, effects = self._filters.eligible(queries[0])
        if eligible is not None:
            allowed = allowed & eligible
        rankings = self._staged(queries, n, seen, allowed)
        return [
            self._finished(query, ranking.top(n), n, seen, allowed, effects, fill)
            for query, ranking in zip(queries, rankings, strict=True)
        ]

    def _staged(self, queries: Sequence[Query], n: int, seen: int, allowed: Mask) -> list[Ranking]:
        """Candidates, merged, ranked and re-ranked: whatever the models have to say."""
        names = tuple(self.candidates_)
        pool = max(n, self.pool)
        lists = [
            model._rank(queries, pool, seen, allowed, fill=False)
            for model in self.candidates_.values()
        ]
        rankings = []
        for query, *chosen in zip(queries, *lists, strict=True):
            ranking = fuse(chosen, names, self.weights_, self.items_)
            for stage in (self.ranker_, self.reranker_):
                ranking = ranking if stage is None else _applied(stage, query, ranking)
            rankings.append(ranking)
        return rankings

    def _finished(
        self,
        query: Query,
        ranking: Ranking,
        n: int,
        seen: int,
        allowed: Mask,
        effects: tuple[str, ...],
        fill: bool,
    ) -> Ranking:
        wanted = min(n, len(self.items_))
        if fill and len(ranking) < wanted:
            ranking = self._filled(ranking, self._excluded(query, seen), wanted, ~allowed)
        if fill and len(ranking) < wanted:
            effects = (*effects, f"only {len(ranking)} of {wanted} items may be shown")
        return replace(ranking, effects=(*self._unknowns(query), *effects))

    def _log(self, decision: Decision) -> None:
        known = self.decisions_.get(decision.decision_id)
        if known is not None and known.outcome is not None:
            return  # asked again after its feedback: an outcome teaches once
        self.decisions_[decision.decision_id] = decision
        while len(self.decisions_) > self.decision_log:
            del self.decisions_[next(iter(self.decisions_))]


def _fusion_weights(weights: Mapping[str, float] | None, names: tuple[str, ...]) -> list[float]:
    for name, weight in (weights or {}).items():
        if name not in names:
            raise ParameterError(
                f"Pipeline: weights name {name!r}, which is no candidate{hint(name, names)}"
            )
        check(weight, real(above=0), "Pipeline", f"weights[{name!r}]")
    return [float((weights or {}).get(name, 1.0)) for name in names]


def _fitted(stage: Any, dataset: Dataset) -> Any:
    """A stage that can be fitted is cloned and fitted; a plain function is taken as it is."""
    if not hasattr(stage, "fit"):
        return stage
    fresh = clone(stage) if hasattr(stage, "get_params") else copy.deepcopy(stage)
    return fresh.fit(dataset)


def _applied(stage: Stage, query: Query, ranking: Ranking) -> Ranking:
    answer: Any = stage(query, ranking)
    if not isinstance(answer, Ranking):
        name = getattr(stage, "__name__", type(stage).__name__)
        raise DataError(
            f"stage {name} must return a Ranking, got {type(answer).__name__}; "
            "make one with ranking.rescored(scores) or ranking.take(places)."
        )
    return answer
