"""Let clicks choose how much variety, freshness and surprise a page takes beside relevance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any, Self

import numpy as np
import pandas as pd
from sklearn.base import clone

from recopersona.bandits.policy import Policy
from recopersona.bandits.pooled import PooledThompson
from recopersona.base.parameters import (
    Bound,
    are_counts,
    check_parameters,
    optional,
    param,
    real,
    whole,
)
from recopersona.base.stage import fitted_stage
from recopersona.data.columns import as_pandas
from recopersona.data.dataset import Dataset
from recopersona.data.draw import Draw
from recopersona.data.feature_table import FeatureTable
from recopersona.data.gate import EventGate
from recopersona.data.ids import UNKNOWN
from recopersona.data.query import Query
from recopersona.data.ranking import Ranking
from recopersona.data.types import Id, Indices, Values
from recopersona.errors import DataError, ParameterError, hint
from recopersona.rerank.accounts import account_of, said_of
from recopersona.rerank.arms import (
    ARMS,
    DIVERSITY,
    RELEVANCE,
    weights_of,
)
from recopersona.rerank.attribution import ATTRIBUTION
from recopersona.rerank.crediting import Crediting
from recopersona.rerank.expectation import Expectation
from recopersona.rerank.mixtures import Mix, Mixtures, Order
from recopersona.rerank.objective import Objective
from recopersona.rerank.pages import PageOf, Pages
from recopersona.rerank.reranker import Reranker
from recopersona.rerank.rewards import OPTIONAL_LOOKS, OPTIONAL_VALUES
from recopersona.rerank.scaling import scaled
from recopersona.rerank.segments import MOST_SEGMENTS, SEGMENT, segment_of
from recopersona.rerank.vectors import VECTORS, ItemVectors
from recopersona.rerank.wanted import WANTED, fitted_objectives, fitted_vectors

_KNOWN = 3  # numbers that a request is told by, see `_known_of`
_PAGE = 20  # places looked at where nobody says how long a page is
_ROUNDING = 1e-9
_HEAD = 1.25  # of a page: so many places are chosen one by one, should rules pass over some


_POLICY = Bound("a policy such as PooledThompson()", lambda value: isinstance(value, Policy))


def _pooled() -> Policy:
    made: Any = PooledThompson
    policy: Policy = made(likelihood="gaussian", width=0.7)
    return policy


class BanditReranker(Crediting):
    r"""Choose, for every request, among mixtures of relevance, variety, freshness and surprise.

    An arm is a vector of weights :math:`w` over objectives. Its list is made one place at a time,
    of what is worth most next, all objectives scaled within the request (see `scaled`):

    .. math:: w_{rel} \hat r_i + w_{fresh} \hat f_i + w_{ser} \hat s_i
              + w_{div} \big(1 - \max_{j \in S} \cos^+(v_i, v_j)\big)

    and its page is filled under the rules. An arm whose page is too much less relevant than that of
    the first arm does not stand to be chosen: with the scaled relevance of what is in slot k,

    .. math:: \sum_k \frac{\hat r_{a(k)}}{\log_2(1 + k)}
              \ge (1 - \delta) \sum_k \frac{\hat r_{0(k)}}{\log_2(1 + k)}

    Among the others a policy draws, keyed by (``random_state``, decision id): the same decision is
    answered in the same way until something is learned. Arms with the same page share their
    probability, and all learn from it, each by its part of that. What a page brought is told by
    `Pipeline.feedback`, less what that request was expected to bring whatever is shown (see Notes).

    Parameters
    ----------
    objectives : list of names, or mapping from names to `Objective`, optional
        By default those that the shop's data allow. ``relevance`` is always there; ``diversity``
        goes by ``vectors``.
    arms : "default" or mapping from names to weights
        Such as ``{"plain": {"relevance": 1}, "new": {"relevance": 3, "freshness": 1}}``; the first
        is what the relevance of all others is measured by. By default seven, fewer where an
        objective is missing.
    segment : str, list of str, or function of the query, optional
        For whom choices are told apart: a key of the context or a column of users, several of
        those, or what a function returns. Ten are told apart, further ones go by what all share.
    policy : policy
        What chooses, and learns. Its arms, epsilon and random_state are set here.
    epsilon : float, 0 to 1
        The share of choices made evenly: no arm that stands to be chosen has a probability below
        ``epsilon / n_arms``.
    max_relevance_loss : float, 0 to 1
        The :math:`\delta`.
    attribution : duration, or mapping from kinds of events to durations, optional
        For how long what happens is put down to a page. By default a day, and a week for purchases.
        A page of which nothing is heard within the shortest counts as one that moved nobody.
    reward : mapping from kinds of events to numbers, optional
        What they are worth, unnamed ones nothing. By default whatever shows interest is worth 1.
    examination : list of float, optional
        How often each place is looked at (`ExaminationModel`): what happened there is divided by
        it. Then pages are judged by what is on them, and no longer by its order.
    exploration : stage, optional
        What gives new items a chance on the page that the arm has made, such as
        ``SlotExploration()``: it comes after the bound, and beside the bandit.
    vectors : list of columns, model, dataframe or array, optional
        What tells unlike items from alike ones, see `ItemVectors`.
    top : int, at least 1
        At most so many places are chosen one by one.
    random_state : int
        Of the draws.

    Attributes
    ----------
    policy_ : Policy
    arms_ : dict from name to weights by objective
    objectives_ : dict from name to fitted Objective
    item_vectors_ : ItemVectors or None
    expectation_ : Expectation
    segments_ : list of ids
        Those told apart.
    counts_ : dict from str to int
        ``pages`` looked at, ``refused`` arms among them, ``shared`` pages that several arms would
        have shown, ``segments_folded``, rewards that taught nothing by reason.

    Notes
    -----
    Rewards are pages' sums, so the default policy learns by Gaussian Thompson sampling, and draws
    by posteriors of 0.7 times their width (see `Thompson`): ``epsilon`` explores as well. What is
    taken off rewards is foretold from the mean score of the first arm's page, from how much the
    visitor has taken before and from whether she has been looking around: nothing that depends on
    the arm, so differences between arms stay, in the mean, and vary less. A policy whose rewards
    have a range gets them untouched, but for being brought into it.

    The time of a request is that of the objectives, of one kernel for all arms, and of one page for
    every different order.

    References
    ----------
    Chapelle & Li (2011), "An empirical evaluation of Thompson sampling"; Carbonell & Goldstein
    (1998) for marginal relevance; Teo et al. (2016), "Adaptive, personalized diversity for visual
    discovery"; Mehrotra, Xue & Lalmas (2020), "Bandit based optimization of multiple objectives on
    a music streaming platform".

    Examples
    --------
    >>> from recopersona import Pipeline, Popularity, Query, synthetic_shop
    >>> home = Pipeline(candidates=[Popularity()], reranker=BanditReranker(random_state=1))
    >>> home = home.fit(synthetic_shop(200, 50, random_state=7))
    >>> ranking = home.recommend(Query("u-0001", decision_id="visit 1"), n=3)
    >>> ranking.draw.arm in home.reranker_.arms_, 0 < ranking.propensity <= 1
    (True, True)
    >>> home.feedback("visit 1", clicked=ranking.item_ids[:1])
    True
    >>> home.reranker_.explain(ranking).columns.tolist()
    ['arm', 'drawn', 'probability', 'mean', 'rewards', 'refused']
    """

    objectives: Any = param(optional(WANTED), default=None)
    arms: Any = param(ARMS, default="default")
    segment: Any = param(optional(SEGMENT), default=None)
    policy: Policy = param(_POLICY, default=_pooled())
    epsilon: float = param(real(at_least=0, at_most=1), default=0.05)
    max_relevance_loss: float = param(real(at_least=0, at_most=1), default=0.1)
    attribution: str | timedelta | Mapping[str, str | timedelta] | None = param(
        optional(ATTRIBUTION), default=None
    )
    reward: Mapping[str, float] | None = param(OPTIONAL_VALUES, default=None)
    examination: Any = param(OPTIONAL_LOOKS, default=None)
    exploration: Any = param(optional(Bound("a stage", callable)), default=None)
    vectors: Any = param(optional(VECTORS), default=None)
    top: int = param(whole(at_least=1), default=50)
    random_state: int = param(whole(at_least=0, at_most=2**32 - 1), default=0)

    def __post_init__(self) -> None:
        if self.policy is type(self).policy:  # set_params(policy__n0=...) changes it
            self.policy = clone(self.policy)

    # -- learning the shop -------------------------------------------------------------------

    def fit(self, dataset: Any, y: None = None, *, gate: EventGate | None = None) -> Self:
        """Learn the shop, or start from what was decided before.

        Parameters
        ----------
        dataset : Dataset, events frame, or frame of decisions
            A shop is learned afresh. A frame with a column ``arm``, such as `decisions_frame` of
            this pipeline or another gives, teaches the policy on top of what it knows: each reward
            counts for 1 / propensity, for all arms that would have shown the same. Its arms are
            known by name.
        gate : EventGate, optional
            See `Reranker.fit`; decisions of visitors whom it refuses teach nothing, and are counted
            as ``no_consent``.
        """
        if hasattr(dataset, "columns") and "arm" in list(dataset.columns):
            return self._warm(self._decisions(as_pandas(dataset, "decisions"), gate))
        return super().fit(dataset, gate=gate)

    def _decisions(self, log: pd.DataFrame, gate: EventGate | None) -> pd.DataFrame:
        """Leave out what was decided for visitors who may not be learned from."""
        self._check_taught()
        if gate is not None:
            self.behind(gate)
        known: pd.DataFrame = self._admitted(log)
        self._count("no_consent", len(log) - len(known))
        return known

    def _fit(self, dataset: Dataset) -> None:
        self.user_features_ = dataset.user_features.copy(self.users_)
        weighed = None
        if not isinstance(self.arms, str):
            weighed = {name for weights in self.arms.values() for name in weights}
        asked = self.objectives
        self.objectives_ = fitted_objectives(asked, weighed, self.vectors, dataset)
        self.item_vectors_ = fitted_vectors(asked, self.objectives_, self.vectors, dataset)
        self.exploration_ = (
            None if self.exploration is None else fitted_stage(self.exploration, dataset)
        )
        self.arms_ = weights_of(self.arms, self._names)
        self.segments_: list[Id] = []
        self.expectation_ = Expectation().start(_KNOWN)
        self.counts_: dict[str, int] = {"pages": 0, "refused": 0, "shared": 0, "segments_folded": 0}
        settings = {"arms": list(self.arms_), "epsilon": self.epsilon,
                    "random_state": self.random_state}  # fmt: skip
        self.policy_: Policy = clone(self.policy).set_params(**settings)
        check_parameters(self.policy_)
        self.policy_._open()  # so that it can be saved before anything is drawn
        self._join(self.users_, self.items_, self.past_, self.item_features_)
        _ = self.windows, self._value  # what does not fit is said now

    @property
    def _names(self) -> list[str]:
        """The objectives, in the order of the weights."""
        varied = [] if self.item_vectors_ is None else [DIVERSITY]
        return [RELEVANCE, *varied, *self.objectives_]

    # -- as part of a pipeline ---------------------------------------------------------------

    @property
    def _parts(self) -> list[Reranker]:
        stage: Any = self.exploration_
        return [*self.objectives_.values(), *([stage] if isinstance(stage, Reranker) else [])]

    def _know_users(self, table: FeatureTable) -> None:
        super()._know_users(table)
        self.user_features_ = table

    def _items_described(self, rows: Indices, names: set[str]) -> None:
        held = self.item_vectors_
        for part in self._parts:
            part._items_described(rows, names)
            if getattr(part, "item_vectors_", None) is held:
                held = None
        if held is not None:
            held.describe(self.item_features_, rows, names)

    # -- one request ---------------------------------------------------------------------------

    def _rerank(self, query: Query, ranking: Ranking) -> Ranking:
        """Order by the arm that is expected to be best; nothing is drawn."""
        asked = replace(query, decision_id=None)
        return self.for_page(asked, ranking, lambda order: order.top(_PAGE))

    def for_page(self, query: Query, ranking: Ranking, page_of: PageOf) -> Ranking:
        """Return the ranking as an arm would have it: for a decision a drawn one, else the best."""
        self._check_fitted()
        if len(ranking) < 2:
            return ranking
        mix, worth = self._mix, scaled(ranking.scores)
        mixtures = self._mixtures(query, ranking, worth, mix)
        first = mixtures.orders([0], self.top)[0]
        pages = Pages(mixtures, worth, page_of, first)
        n_chosen = min(self.top, int(_HEAD * len(pages.first)) + 2)
        others = range(1, len(mix.names))
        if query.decision_id is None:
            return self._best(query, mix, mixtures, pages, n_chosen, first)
        orders = [first, *mixtures.orders(others, n_chosen)]
        draw, order = self._drawn(query, mix, pages, orders)
        said = said_of(draw, ranking.ids.ids[pages.items(order)].tolist())
        chosen = mixtures.full(order)._with(draw=draw, effects=(*ranking.effects, *said))
        return chosen if self.exploration_ is None else self.exploration_(query, chosen)

    def _drawn(
        self, query: Query, mix: Mix, pages: Pages, orders: list[Order]
    ) -> tuple[Draw, Order]:
        """Draw among the arms whose pages are relevant enough."""
        refused = self._refused(mix.names, [pages.relevance(order) for order in orders])
        eligible = [name for name in mix.names if name not in refused]
        segment, known = self._segment_of(query), self._known_of(query, pages.first)
        with self._lock:
            drawn = self.policy_.choose(eligible, self._context(segment), query.decision_id)
            expected = self.expectation_.of(known)
        order = orders[mix.names.index(drawn.arm)]
        alike = [mix.names[one] for one in pages.same(orders, pages.items(order))]
        same = tuple(name for name in alike if name not in refused)
        with self._lock:
            self._count("pages", 1)
            self._count("refused", len(refused))
            self._count("shared", int(len(same) > 1))
        draw = replace(
            drawn,
            propensity=min(sum(drawn.probabilities[name] for name in same), 1.0),
            segment=segment,
            same=same,
            refused=refused,
            expected=expected,
            known=known,
            without=tuple(pages.first.item_ids),
        )
        return draw, order

    def _best(
        self, query: Query, mix: Mix, mixtures: Mixtures, pages: Pages, n_chosen: int, first: Order
    ) -> Ranking:
        """Return the order of the best arm whose page is relevant enough."""
        with self._lock:
            expected = self.policy_.expected(mix.names, self._context(self._segment_of(query)))
        for arm in np.argsort(-expected, kind="stable").tolist():
            if arm == 0:
                break
            order = mixtures.orders([arm], n_chosen)[0]
            if not self._refused(mix.names[:2], [pages.relevance(first), pages.relevance(order)]):
                return mixtures.full(order)
        return mixtures.full(first)

    def _mixtures(self, query: Query, ranking: Ranking, worth: Values, mix: Mix) -> Mixtures:
        values = [worth, *(one.of(query, ranking) for one in self.objectives_.values())]
        vectors = np.zeros((len(ranking), 0), np.float32)
        if self.item_vectors_ is not None and mix.variety.any():
            vectors = np.ascontiguousarray(self.item_vectors_.of(ranking.items))
        return Mixtures(ranking, np.stack(values), vectors, mix)

    @property
    def _mix(self) -> Mix:
        kept: Mix | None = vars(self).get("_mix_kept")
        if kept is None:
            kept = self._mix_kept = Mix.of(self.arms_, self._names)
        return kept

    def _refused(self, names: list[Id], relevance: list[float]) -> dict[Id, str]:
        """Return the arms that do not stand to be chosen, and why."""
        least = (1 - self.max_relevance_loss) * relevance[0] - _ROUNDING
        return {
            name: f"its page is {100 * (1 - promise / relevance[0]):.1f} % less relevant than that "
            f"of {names[0]}, at most {100 * self.max_relevance_loss:g} % may be"
            for name, promise in zip(names, relevance, strict=True)
            if promise < least
        }

    def _segment_of(self, query: Query) -> Id | None:
        return segment_of(self.segment, query, self.user_features_, self.user_of(query))

    def _known_of(self, query: Query, first: Ranking) -> tuple[float, ...]:
        """Return what tells requests apart before anything is shown, see `Expectation`."""
        known = first.scores[np.isfinite(first.scores)]
        score = float(known.mean()) if len(known) else 0.0
        user = self.user_of(query)
        taken = 0 if user == UNKNOWN else len(self.past_.taste(user)[0])
        return score, float(np.log1p(taken)), float(len(query.session) > 0)

    # -- arms that come and go -----------------------------------------------------------------

    def add_arm(self, name: Id, weights: Mapping[str, float]) -> Self:
        """Let one more mixture stand to be chosen; nothing is known of it yet.

        Parameters
        ----------
        name : id
        weights : mapping from objective to number of at least 0
        """
        self._check_fitted()
        fresh = weights_of({name: weights}, self._names)
        with self._lock:
            self.policy_.add_arm(name)
            self._arms_are({**self.arms_, **fresh})
        return self

    def remove_arm(self, name: Id) -> Self:
        """Let a mixture go; what still comes of its pages is counted, and teaches nothing."""
        self._check_fitted()
        if name not in self.arms_:
            raise ParameterError(f"there is no arm {name!r}{hint(name, [*map(str, self.arms_)])}")
        if len(self.arms_) == 1:
            raise ParameterError(f"{name!r} is the only arm; add another one first.")
        with self._lock:
            self.policy_.remove_arm(name)
            self._arms_are({arm: one for arm, one in self.arms_.items() if arm != name})
        return self

    def _arms_are(self, arms: dict[Id, dict[str, float]]) -> None:
        self.arms_ = arms
        self.__dict__.pop("_mix_kept", None)

    # -- in words ------------------------------------------------------------------------------

    def explain(self, ranking: Ranking) -> pd.DataFrame:
        """Return what is known of every arm, and what a page would have been without the bandit.

        Parameters
        ----------
        ranking : Ranking
            As `Pipeline.recommend` gave it.

        Returns
        -------
        DataFrame with a row per arm: ``arm, drawn`` (it, or one with the same page),
        ``probability`` then, ``mean`` reward and number of ``rewards`` now, and why it was
        ``refused``. ``attrs["without"]`` are the items of the first arm's page,
        ``attrs["new"]`` those shown that are not on it, ``attrs["gone"]`` those not shown.

        Raises
        ------
        DataError
            If nothing was drawn for it.
        """
        self._check_fitted()
        with self._lock:
            return account_of(ranking, list(self.arms_), self.policy_, self._context)

    def _check_learned(self) -> None:
        super()._check_learned()
        held: Any = vars(self)
        parts = held.get("objectives_")
        if not isinstance(parts, dict) or not all(
            isinstance(name, str) and isinstance(one, Objective) for name, one in parts.items()
        ):
            raise DataError("BanditReranker: objectives_ must be objectives by name.")
        if not isinstance(held.get("item_vectors_"), ItemVectors | None):
            raise DataError("BanditReranker: item_vectors_ must be ItemVectors.")
        if not isinstance(held.get("expectation_"), Expectation):
            raise DataError("BanditReranker: expectation_ must be an Expectation.")
        if not isinstance(held.get("policy_"), Policy):
            raise DataError("BanditReranker: policy_ must be a policy.")
        segments = held.get("segments_")
        if not isinstance(segments, list) or len(segments) > MOST_SEGMENTS:
            raise DataError("BanditReranker: segments_ must be a list of those told apart.")
        if not are_counts(held.get("counts_")):
            raise DataError("BanditReranker: counts_ must count.")
        if not isinstance(held.get("user_features_"), FeatureTable):
            raise DataError("BanditReranker: user_features_ must be a table.")
        exploration = held.get("exploration_")
        if exploration is not None and not callable(exploration):
            raise DataError("BanditReranker: exploration_ must be a stage.")
        arms = held.get("arms_")
        if not isinstance(arms, dict) or list(arms) != self.policy_.arms_:
            raise DataError("BanditReranker: the arms are not those of the policy.")
        weights_of(arms, self._names)
