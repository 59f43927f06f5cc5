"""The layered pipeline: candidates, filter, rank, re-rank, and never a short list."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, Self
from weakref import WeakSet

import numpy as np
from sklearn.base import clone

from recopersona.base.composite import MODELS
from recopersona.base.forgetting import Gone
from recopersona.base.gated import Gated
from recopersona.base.lists import Barring
from recopersona.base.parameters import (
    Bound,
    check,
    check_parameters,
    mapping,
    optional,
    param,
    real,
    whole,
)
from recopersona.base.recommender import FALLBACK, NO_OPINION
from recopersona.base.stage import PageStage, Stage, fitted_stage
from recopersona.base.telling import tell_growth, tell_outcome, untell_outcome
from recopersona.data.dataset import Dataset
from recopersona.data.decision import Decision
from recopersona.data.event import ALL_EVENTS
from recopersona.data.gate import EventGate
from recopersona.data.history import History
from recopersona.data.ids import IdMap
from recopersona.data.interactions import Interactions
from recopersona.data.query import Query
from recopersona.data.ranking import Ranking
from recopersona.data.types import Floats, Id, Indices, Mask
from recopersona.errors import DataError, ParameterError, hint
from recopersona.pipeline.decisions import Deciding
from recopersona.pipeline.fusion import fuse, joined
from recopersona.pipeline.given_rules import GivenRules, require_predicates
from recopersona.pipeline.lessons import lessons_of
from recopersona.pipeline.page import AskedOnce, Outside, Page, Request, placed
from recopersona.pipeline.shop_rules import ShopRules, Standing
from recopersona.rankers.ranker import Ranker
from recopersona.rerank.assembly import refuse_strict
from recopersona.rerank.attribution import Windows
from recopersona.rerank.chain import STAGES, Chain
from recopersona.rerank.reranker import Reranker
from recopersona.rules.checks.checking import check_rules
from recopersona.rules.checks.schema import RuleSchema
from recopersona.rules.ruleset import RuleSet

KEEP_SEEN = 0
"""The kinds of events, as bits, for which an item counts as seen: none."""

_ROUNDS = 2  # so often are the models asked once more, where a rule finds too few candidates
_NOBODY = np.empty(0, np.int32)
_MASKS_PER_BLOCK = 1 << 26  # bytes, where everybody has a mask of his own
_MOST_AT_ONCE = 256

_STAGE = Bound(
    "a function (query, ranking) -> ranking, or an object such as BoostedRanker()",
    lambda value: callable(value) and not isinstance(value, type),
)
_LAST_STAGES = Bound(
    f"{_STAGE.words}; or a list of those",
    lambda value: _STAGE.holds(value) or STAGES.holds(value),
)
_WEIGHTS = mapping("from name to a number above 0")


class Pipeline(Deciding):
    """Several models' candidates, filtered by rules, merged, ranked and re-ranked.

    One answer goes this way: what rules allow is known **before** the candidates are picked, so
    filtering never shortens a list; the models' lists are merged by weighted reciprocal rank; the
    ranker judges them, boosts raise them, the re-ranker orders them; then pins, caps and quotas are
    met in the slots of the page. Where the candidates do not suffice for those, the models are
    asked once more for just what is wanted. What the models cannot fill is filled with popular
    items that the rules allow; every item says where it came from, ``ranking.effects`` what the
    rules did and what they could not; an `UnmetRuleError` is raised only where a rule says STRICT.

    Parameters
    ----------
    candidates : list of models, or of (name, model) pairs
        A model without a name is called like its class in lower case. Parameters of a part are
        reached as ``als__factors``. The models given stay unfitted; their clones are fitted.
    rules : text, RuleSet, rule, path, function, or a list of those, optional
        Text and files are of the rule language, see `RuleSet`; the rules of all of them hold
        together, and are checked against the shop by `fit`. A function says what the language
        cannot: it takes the catalogue as a frame (one row per item), or the query and the
        catalogue, and returns true or false per item; unknown counts as false.
    ranker, reranker : Stage, optional
        Functions or objects ``(query, ranking) -> ranking``, applied in this order; the
        ``reranker`` may be a list of them, see `Chain`. A `Ranker`
        learns from the log: its later part is lived through with candidate models of the earlier
        part, see there; ``ranker_.counts_`` says what came of it.
    weights : mapping from name to a number above 0, optional
        Weights of the fusion, 1 where nothing is said.
    pool : int, at least 1
        Candidates asked of each model, or ``n`` where that is more.
    decision_log : int, at least 0
        How many of the latest decisions are remembered for `feedback`.

    Attributes
    ----------
    candidates_ : dict from name to fitted model
    rules_ : RuleSet
        What holds of the language.
    functions_ : list of functions
        The rules that are functions.
    decisions_ : dict from decision id to Decision
        See `decisions_frame`.
    feedback_counts_ : dict
        How often feedback ``taught``, told more (``revised``), came ``repeated``, for an
        ``unknown`` decision, too late (``expired``) or of a visitor who may not be learned from
        (``refused``); decisions ``settled`` without any.

    Examples
    --------
    >>> from recopersona.datasets.synthetic import synthetic_shop
    >>> from recopersona.models.neighbors import ItemKNN
    >>> from recopersona.models.popularity import Popularity
    >>> shop = synthetic_shop(200, 50, random_state=7)
    >>> home = Pipeline(
    ...     candidates=[ItemKNN(k=20), Popularity(half_life="7d")],
    ...     rules="RULE in_stock: REQUIRE item.stock > 0; LIMIT 1 PER item.brand IN TOP 3",
    ... )
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
    reranker: Stage | Sequence[Stage] | None = param(optional(_LAST_STAGES), default=None)
    weights: Mapping[str, float] | None = param(optional(_WEIGHTS), default=None)
    pool: int = param(whole(at_least=1), default=200)
    decision_log: int = param(whole(at_least=0), default=10_000)

    def _fit(self, dataset: Dataset) -> None:
        self.weights_ = _fusion_weights(self.weights, tuple(dict(self._named())))
        self._take_rules(self.rules)
        taught = self._taught(self.ranker, dataset) if isinstance(self.ranker, Ranker) else None
        self._fit_models(dataset)
        self.ranker_ = fitted_stage(self.ranker, dataset) if taught is None else taught
        last: Any = self.reranker
        self.reranker_ = fitted_stage(Chain(stages=last) if STAGES.holds(last) else last, dataset)
        self._join_reranker()
        self._begin_log()

    def _taught(self, ranker: Ranker, dataset: Dataset) -> Ranker:
        """Return a ranker that lived through the later part of the log, with models of the rest."""
        fresh: Ranker = clone(ranker)
        check_parameters(fresh)
        twin = Pipeline(candidates=self.candidates, weights=self.weights, pool=self.pool)
        lessons, why, counts = lessons_of(dataset, lambda early: clone(twin).fit(early), fresh)
        if lessons is None:
            return fresh.leave_untaught(why, counts)
        return fresh.fit(lessons, dataset)

    def _adopt(self, users: IdMap, items: IdMap, past: History) -> None:
        super()._adopt(users, items, past)
        for kept in ("_rules_kept", "_sharing_kept"):  # they are of the tables before
            self.__dict__.pop(kept, None)
        self._join_reranker()

    def _join_reranker(self) -> None:
        """One set of ids, one past and one table of attributes for those that re-rank, too."""
        for stage in self._rerankers:
            stage._join(self.users_, self.items_, self.past_, self.item_features_)
            stage._know_users(self.user_features_)

    def _stand_behind(self, gate: EventGate | None) -> None:
        super()._stand_behind(gate)
        for stage in (vars(self).get(name) for name in ("ranker_", "reranker_")):
            if isinstance(stage, Gated):
                stage._stand_behind(gate)

    def behind(self, gate: EventGate) -> Self:
        """Put a gate before this pipeline, and those that share its tables under other rules."""
        for one in tuple(self._sharing):
            super(Pipeline, one).behind(gate)
        return self

    @property
    def _rerankers(self) -> list[Reranker]:
        """Those among the stages, as far as there are any yet, that know the shop."""
        stages = (vars(self).get(name) for name in ("ranker_", "reranker_"))
        return [stage for stage in stages if isinstance(stage, Reranker)]

    def _prepare(self) -> None:
        super()._prepare()
        self._shop_rules.evaluate()

    def _check_learned(self) -> None:
        super()._check_learned()
        if len(self.weights_) != len(self.candidates_):
            raise DataError("Pipeline: candidates and weights do not fit together.")
        rules: Any = self.rules_
        functions: Any = self.functions_
        if not isinstance(rules, RuleSet) or not isinstance(functions, list):
            raise DataError("Pipeline: the rules are none.")
        require_predicates(functions)
        for name, weight in zip(self.candidates_, self.weights_, strict=True):
            check(weight, real(above=0), "Pipeline", f"weight of {name}")
        for stage in (self.ranker_, self.reranker_):
            check(stage, optional(_STAGE), "Pipeline", "stage")
        self._join_reranker()  # whatever the file says theirs are

    def score_items(self, query: Query, items: Indices | None = None) -> Floats:
        """Return the merged scores, float32 (n_items,), for the items in any model's pool.

        Seen items are judged too; where they are left out, the others move up, and their scores
        with them.
        """
        scores = np.full(len(self.items_), NO_OPINION)
        ranking = self._candidates_for(query, KEEP_SEEN)
        scores[ranking.items] = ranking.scores
        return scores

    def _learn_outcome(self, decision: Decision) -> None:
        super()._learn_outcome(decision)
        tell_outcome((self.ranker_, self.reranker_), decision)

    def _unlearn_outcome(self, decision: Decision) -> list[str]:
        stages = {"ranker_": self.ranker_, "reranker_": self.reranker_}
        return [*super()._unlearn_outcome(decision), *untell_outcome(stages, decision)]

    def _taught_by_outcomes(self) -> list[str]:
        stages = {"ranker_": self.ranker_, "reranker_": self.reranker_}
        return [
            name
            for name, stage in stages.items()
            if hasattr(stage, "_learn_outcome")
            and not (isinstance(stage, Chain) and stage.windows is None)
        ]

    def _outcome_grew(self, before: Decision, after: Decision) -> None:
        super()._outcome_grew(before, after)
        tell_growth((self.ranker_, self.reranker_), before, after)

    def _windows(self) -> Windows | None:
        windows: Windows | None = getattr(self.reranker_, "windows", None)
        return windows

    def _reward_of(self, decision: Decision) -> float:
        reward_of = getattr(self.reranker_, "reward_of", None)
        return super()._reward_of(decision) if reward_of is None else reward_of(decision)

    def _learn(self, rows: Interactions) -> None:
        super()._learn(rows)
        for stage in (self.ranker_, self.reranker_):
            if isinstance(stage, Ranker):
                stage.take_in(rows, self)
            elif hasattr(stage, "_learn"):
                stage._learn(rows)

    def update_items(self, frame: Any) -> Self:
        """Take in new or changed rows of the catalogue; rules and the ranker see them at once."""
        super().update_items(frame)
        if isinstance(self.ranker_, Ranker):
            self.ranker_.update_items(frame)
        return self

    def update_users(self, frame: Any) -> Self:
        """Take in new or changed rows of the customers; the ranker sees them at once."""
        frame = self._admitted(frame)
        super().update_users(frame)
        if isinstance(self.ranker_, Ranker):
            self.ranker_.update_users(frame)
        return self

    def _items_described(self, rows: Indices, names: set[str]) -> None:
        for one in tuple(self._sharing):
            one._shop_rules.items_changed(rows, names)
        for stage in self._rerankers:
            stage._items_described(rows, names)

    def _forget_users(self, users: Indices) -> None:
        for stage in (self.ranker_, self.reranker_):
            if isinstance(stage, Reranker):
                stage._forget_users(users)
            elif hasattr(stage, "forget"):
                stage.forget(self.users_.ids[users].tolist())
        super()._forget_users(users)

    def _unlearn(self, gone: Gone) -> Iterable[str]:
        yield from super()._unlearn(gone)
        if isinstance(self.ranker_, Ranker) and not self.ranker_.untaught_:
            yield "ranker_"
        for name, stage in (("ranker_", self.ranker_), ("reranker_", self.reranker_)):
            if isinstance(stage, Reranker):
                yield from (f"{name}.{part}" for part in stage._take_back(gone))

    def _held_of(self, user: int) -> dict[str, Any]:
        held = super()._held_of(user)
        for name, stage in (("ranker_", self.ranker_), ("reranker_", self.reranker_)):
            if isinstance(stage, Reranker):
                theirs = stage._held_of(user)
            else:
                tell = getattr(stage, "held_of", None)
                theirs = {} if tell is None else tell(self.users_.ids[[user]].tolist())
            held |= {name: theirs} if theirs else {}
        return held

    def _take_back(self, gone: Gone) -> list[str]:
        left = super()._take_back(gone)
        for one in tuple(self._sharing):  # they share its models, so what is stale is theirs too
            one.stale_ = self.stale_
        return left

    def _forget_decisions(self, user_ids: set[Id]) -> None:
        for one in tuple(self._sharing):
            super(Pipeline, one)._forget_decisions(user_ids)

    def _allowed(self, query: Query) -> Mask | None:
        if not (self.rules_.rules or self.functions_):
            return None
        return self._shop_rules.standing(self, query).allowed

    def _candidates_for(self, query: Query, seen: int) -> Ranking:
        standing = self._shop_rules.standing(self, query)
        pool = self._pools([query], self.pool, seen, standing.allowed)[0]
        ranking = self._judged(query, pool, standing)
        return ranking if self.reranker_ is None else _applied(self.reranker_, query, ranking)

    def _explain(self, query: Query, item: int) -> list[tuple[str, Id | None, float]]:
        standing = self._shop_rules.standing(self, query)
        if not standing.allowed[item]:
            refused = standing.hid(Ranking.of([], [], self.items_, FALLBACK), item)
            return [(f"left out by {'a rule' if refused is None else refused[0]}", None, 0.0)]
        for seen in (ALL_EVENTS, KEEP_SEEN):  # as it was recommended; else as if it were not seen
            ranking = self._candidates_for(query, seen)
            place = np.flatnonzero(ranking.items == item)
            if not len(place):
                continue
            said = self._said_by_ranker(ranking, int(place[0]))
            if said is not None:
                return said
            if ranking.parts is not None:
                shares = zip(ranking.source_names, ranking.parts[place[0]], strict=True)
                return [(name, None, float(share)) for name, share in shares if share == share]
        return [(FALLBACK, None, 0.0)]

    @staticmethod
    def _said_by_ranker(ranking: Ranking, place: int) -> list[tuple[str, Id | None, float]] | None:
        """Return what the ranker's columns added to a score; None where it did not judge."""
        if ranking.judge is None or ranking.evidence is None:
            return None
        return [
            (name, None, share) for name, share in ranking.judge.reasons(ranking.evidence[place])
        ]

    @property
    def _ranker_effects(self) -> tuple[str, ...]:
        why = getattr(self.ranker_, "untaught_", "")
        return (f"the ranker had nothing to learn from: {why}",) if why else ()

    # -- rules -------------------------------------------------------------------------------

    def with_rules(self, rules: Any) -> Pipeline:
        """Return a fitted pipeline that answers under other rules, to see what would come of them.

        It shares the models and tables with this one, so nothing is fitted. What is taught goes to
        the pipeline that was fitted; the log of decisions is the new one's own.

        Parameters
        ----------
        rules : in any form that the parameter ``rules`` takes
            In place of those in force; None for none.

        Raises
        ------
        RuleError
            If they cannot be read, or do not fit the shop.

        Examples
        --------
        >>> from recopersona.datasets.synthetic import synthetic_shop
        >>> from recopersona.models.popularity import Popularity
        >>> home = Pipeline(candidates=[Popularity()]).fit(synthetic_shop(200, 50, random_state=7))
        >>> what_if = home.with_rules("RULE in_stock: REQUIRE item.stock > 0")
        >>> what_if.recommend("u-0001", n=3).effects
        ('in_stock left out 3 of 50 items',)
        """
        self._check_fitted()
        twin = copy.copy(self)
        twin.rules = rules
        twin._take_rules(rules)
        twin._begin_log()
        twin._sharing_kept = self._sharing
        twin._sharing.add(twin)
        return twin

    def _take_rules(self, rules: Any) -> None:
        """Read rules in any form, and see whether they fit the tables."""
        given = GivenRules.read(rules)
        if len(given.sets) > 1:
            schema = RuleSchema.of_tables(self.item_features_, self.user_features_)
            for one in given.sets:  # each by itself, so that errors point into its own text
                check_rules(one, schema)
        self.rules_, self.functions_ = given.together, given.functions
        self.__dict__.pop("_rules_kept", None)
        self._shop_rules.evaluate()

    @property
    def _shop_rules(self) -> ShopRules:
        kept: ShopRules | None = vars(self).get("_rules_kept")
        if kept is None:
            tables = self.item_features_, self.user_features_
            kept = self._rules_kept = ShopRules(self.rules_, self.functions_, *tables)
        return kept

    @property
    def _sharing(self) -> WeakSet[Pipeline]:
        """The pipelines that share this one's tables under other rules, and this one."""
        kept: WeakSet[Pipeline] | None = vars(self).get("_sharing_kept")
        if kept is None:
            kept = self._sharing_kept = WeakSet([self])
        return kept

    # -- one answer --------------------------------------------------------------------------

    def _rank(
        self,
        queries: Sequence[Query],
        n: int,
        seen: int,
        eligible: Mask | None = None,
        fill: bool = True,
    ) -> list[Ranking]:
        standing = [self._shop_rules.standing(self, query) for query in queries]
        rankings: list[Any] = [None] * len(queries)
        # The models are asked together for all who may be shown the same items.
        alike: dict[int, list[int]] = {}
        for row, one in enumerate(standing):
            alike.setdefault(id(one.choice.shared), []).append(row)
        for rows in alike.values():
            allowed = standing[rows[0]].choice.shared
            if eligible is not None:
                allowed = allowed & eligible
            asked = [Barring.around(queries[row], standing[row].choice.barred) for row in rows]
            pools = self._pools(asked, max(n, self.pool), seen, allowed)
            for row, pool in zip(rows, pools, strict=True):
                wanted = min(n, len(self.items_))
                request = Request(queries[row], standing[row], wanted, seen, allowed, fill)
                rankings[row] = self._answered(request, pool)
        return rankings

    def _block_size(self, n: int) -> int:
        """Return how many are answered at once: what all models like, and masks leave room for."""
        size = min(_MOST_AT_ONCE, _MASKS_PER_BLOCK // max(1, len(self.items_)))
        for model in self.candidates_.values():
            size = min(size, model._block_size(max(n, self.pool)))
        return max(1, size)

    def _pools(
        self, queries: Sequence[Query], size: int, seen: int, allowed: Mask, first: int = 1
    ) -> list[Ranking]:
        """Ask every model for so many, and merge what they say."""
        names = tuple(self.candidates_)
        lists = [
            model._rank(queries, size, seen, allowed, fill=False)
            for model in self.candidates_.values()
        ]
        return [
            fuse(chosen, names, self.weights_, self.items_, first)
            for chosen in zip(*lists, strict=True)
        ]

    def _judged(self, query: Query, pool: Ranking, standing: Standing) -> Ranking:
        """Rank and boost."""
        ranking = pool if self.ranker_ is None else _applied(self.ranker_, query, pool)
        return standing.boosted(ranking)

    def _reranked(self, request: Request, ranking: Ranking) -> tuple[Ranking, AskedOnce | None]:
        """Return the new order, and what is known of pages of these candidates."""
        stage = self.reranker_
        if stage is None:
            return ranking, None
        if not isinstance(stage, PageStage):
            return _applied(stage, request.query, ranking), None

        known = AskedOnce(request, self._filled_up(request, ranking).items)

        def page_of(order: Ranking) -> Ranking:
            return placed(request, self._filled_up(request, order), known).ranking

        return stage.for_page(request.query, ranking, page_of), known

    def _answered(self, request: Request, pool: Ranking) -> Ranking:
        page = self._page(request, pool)
        effects = (
            *self._unknowns(request.query),
            *request.standing.effects,
            *self._ranker_effects,
            *(one.said for one in page.unmet),
            *page.ranking.effects,
        )
        if request.fill and len(page.ranking) < request.n:
            effects += (f"only {len(page.ranking)} of {request.n} items may be shown",)
        account = request.standing.account([lack.rule for lack in page.lacking], page.stood)
        return page.ranking._with(effects=effects, account=account)

    def _page(self, request: Request, pool: Ranking) -> Page:
        """Fill the page; where a rule finds too few in the pool, look for more outside."""
        ranking, known = self._candidates(request, pool)
        page = placed(request, ranking, known)
        if page.lacking:
            page, ranking = self._searched(request, pool, ranking, page)
        refuse_strict(page.unmet)
        return page

    def _candidates(self, request: Request, pool: Ranking) -> tuple[Ranking, AskedOnce | None]:
        """All that may stand on the page: judged, and filled up with what is popular."""
        ranking = self._judged(request.query, pool, request.standing)
        ranking, known = self._reranked(request, ranking)
        return self._filled_up(request, ranking), known

    def _filled_up(self, request: Request, ranking: Ranking) -> Ranking:
        if not request.fill or len(ranking) >= request.n:
            return ranking
        excluded = self._out_of_reach(request)
        return self._filled(ranking, excluded, request.n, ~request.allowed)

    def _out_of_reach(self, request: Request) -> Indices:
        """Return what this visitor is not shown of what all may be shown, ascending."""
        excluded = self._left_out(request.query, request.seen)
        barred = request.standing.choice.barred
        return np.union1d(excluded, barred) if len(barred) else excluded

    def _searched(
        self, request: Request, pool: Ranking, ranking: Ranking, page: Page
    ) -> tuple[Page, Ranking]:
        """Ask the models for just those who would serve, and after them popularity."""
        outside = Outside(request, self._out_of_reach(request))
        behind = max(request.n, self.pool) + 1
        for _ in range(_ROUNDS):
            grown = pool
            for serving in outside.who_would_serve(page.lacking, ranking.items, pool.items):
                more = self._pools([request.query], request.n, request.seen, serving, behind)
                grown = joined(grown, more[0])
            if len(grown) == len(pool):
                break
            pool, (ranking, known) = grown, self._candidates(request, grown)
            page = placed(request, ranking, known)
            if not page.lacking:
                return page, ranking
        if request.fill:
            popular = self._padded(self.fallback_, np.float32(0))
            chosen = outside.of_every_kind(page.lacking, ranking.items, popular)
            if len(chosen):
                ranking = self._with_popular(ranking, chosen)
                page = placed(request, ranking)
        return page, ranking

    def _with_popular(self, ranking: Ranking, items: Indices) -> Ranking:
        """Put some items behind all others, the most popular first."""
        blocked = np.ones(len(self.items_), np.bool_)
        blocked[items] = False
        return self._filled(ranking, _NOBODY, len(ranking) + len(items), blocked)


def _fusion_weights(weights: Mapping[str, float] | None, names: tuple[str, ...]) -> list[float]:
    for name, weight in (weights or {}).items():
        if name not in names:
            raise ParameterError(
                f"Pipeline: weights name {name!r}, which is no candidate{hint(name, names)}"
            )
        check(weight, real(above=0), "Pipeline", f"weights[{name!r}]")
    return [float((weights or {}).get(name, 1.0)) for name in names]


def _applied(stage: Stage, query: Query, ranking: Ranking) -> Ranking:
    answer: Any = stage(query, ranking)
    if not isinstance(answer, Ranking):
        name = getattr(stage, "__name__", type(stage).__name__)
        raise DataError(
            f"stage {name} must return a Ranking, got {type(answer).__name__}; "
            "make one with ranking.rescored(scores) or ranking.take(places)."
        )
    return answer
