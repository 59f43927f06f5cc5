"""Factors of users and items that are sums of what their features mean."""

from __future__ import annotations

from collections.abc import Iterable
from copy import copy
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from recopersona.base.described import Described
from recopersona.base.forgetting import Gone
from recopersona.base.parameters import check, one_of, param, real, switch, whole
from recopersona.base.recommender import require_array
from recopersona.base.searching import real_range
from recopersona.data.feature_table import FeatureTable
from recopersona.data.ids import UNKNOWN
from recopersona.data.query import Query
from recopersona.data.types import Array, Floats, Id, Indices
from recopersona.errors import DataError
from recopersona.features.encoder import ENCODER, AttributeEncoder
from recopersona.models.ablation import block_ablation
from recopersona.models.factorization import FOLD_IN_PASSES, LOSSES, Entries, Factorization
from recopersona.models.feature_map import FeatureMap

_STEPS, _LAST_STEPS = 3, 30  # of conjugate gradients: after every epoch, and after the last
_LESSON = 64  # events, after which features learn what the events taught
_REFRESH = 256  # events at least, after which rows without events follow their features


class HybridFactorization(Described, Factorization):
    r"""Score by factors that are sums of embeddings of features, on both sides.

    .. math:: s_{ui} = b_i + \langle x_u, y_i \rangle, \qquad
              y_i = \sum_f a_{if} E_f + \delta_i, \qquad
              x_u = \sum_g a_{ug} E'_g + \delta_u

    with the biases of features added up in :math:`b_i` likewise. Every row has a constant feature,
    those that an `AttributeEncoder` reads, and (with ``identity``) one that is its own: the
    :math:`\delta`. The loss is one of `Factorization`'s, and what is regularized are the
    :math:`\delta`, not the factors: a row is drawn to what its features say, and away from there
    only by its own events. A new item or user is what the features say.

    Parameters
    ----------
    factors, learning_rate, reg, negatives, epochs, optimizer, random_state
        See `Factorization`; ``reg`` draws the :math:`\delta` towards 0.
    loss : "bpr", "warp", "logistic" or "squared"
    identity : bool
        Whether every user and every item has a feature of its own. Without, two items of the same
        attributes are the same.
    feature_reg : float, above 0
        How many rows it takes to believe half of what they say about a feature that they share.
    prior_events : float, above 0
        A row of so many events says half as much about its features as one of very many.
    item_encoder, user_encoder : AttributeEncoder, optional
        Which attributes are read, and how; by default all that tell of content.

    Attributes
    ----------
    user_factors_, item_factors_ : float32 (n_users, factors), (n_items, factors)
        The sums, for rows without events, too.
    user_biases_, item_biases_ : float32 (n_users,), (n_items,)
    item_map_, user_map_ : FeatureMap
        Their ``embeddings_`` are the E, float32 (n_features, factors + 1), the last column the
        bias; row 0 is the constant feature.
    user_counts_, item_counts_ : float32 (n_users,), (n_items,)
        How many events taught each.
    mean_
        See `Factorization`.

    Notes
    -----
    The sums are what steps move. Where :math:`y` is given, the loss no longer depends on E, and
    what is left of the objective is the regularization of :math:`y_i - \sum_f a_{if} E_f` and of
    E: ridge regression. So an epoch is one pass of `Factorization` over the sums, in its blocks
    that do not meet; before and after it each :math:`\delta` is drawn towards 0, half as far as
    the epoch's steps would have drawn it (proximal steps of what they minimize, split evenly);
    then the embeddings move towards the ridge solution by conjugate gradients. Shared features are
    never written by two threads, and every number of threads gives the same answer bit for bit.

    Online each event is a step of its user and item, as `Factorization` takes it; every 64 events
    their features take a step, too, and rows without any event follow their features at the latest
    after as many events as there are such rows. What is new starts from its features. A stranger
    is what ``query.context`` tells of her, and known users are so, too, as far as the context
    names their attributes; a history or a session is folded in from there.

    Memory: that of `Factorization`, ``4 * (factors + 1)`` bytes a feature and row while fitting,
    and 8 bytes for each feature that a row has. Time: that of `Factorization`, and
    ``12 * (factors + 1)`` operations an epoch for each feature that a row has.

    References
    ----------
    Kula (2015), "Metadata embeddings for user and item cold-start recommendations" (LightFM),
    section 3; Agarwal & Chen (2009), "Regression-based latent factor models", section 2, for the
    regression as prior of the factors; Parikh & Boyd (2014), "Proximal algorithms", section 4.2;
    Strang (1968), "On the construction and comparison of difference schemes", for the halves.

    Examples
    --------
    >>> from recopersona.datasets.synthetic import synthetic_shop
    >>> shop = synthetic_shop(200, 50, random_state=7)
    >>> model = HybridFactorization(factors=8, epochs=5).fit(shop)
    >>> new = pd.DataFrame({"item_id": ["new"], "brand": [shop.catalogue["brand"][0]]})
    >>> model.update_items(new).recommend("u-0001", n=50).sources[-1]
    'HybridFactorization'
    >>> stranger = Query(context={"country": "DE", "age_band": "25-34"})
    >>> model.recommend(stranger).sources[0]
    'HybridFactorization'
    """

    loss: str = param(one_of(*LOSSES), default="logistic")
    identity: bool = param(switch(), default=True)
    feature_reg: float = param(real(above=0), default=1.0)
    prior_events: float = param(real(above=0), default=20.0, search=real_range(2, 200, log=True))
    item_encoder: AttributeEncoder | None = param(ENCODER, default=None)
    user_encoder: AttributeEncoder | None = param(ENCODER, default=None)

    _user_tables: ClassVar[tuple[str, ...]] = (*Factorization._user_tables, "user_counts_")
    _item_tables: ClassVar[tuple[str, ...]] = (*Factorization._item_tables, "item_counts_")

    def feature_ablation(self, held_out: Any, train: Any = None) -> pd.DataFrame:
        """Return how much each block of features is worth: features that hurt are seen.

        Parameters
        ----------
        held_out : Dataset or events frame
            Interactions to judge by, as in `score`. Those of new items and users tell most of
            features; there, what known items have for themselves stands in the way.
        train : Dataset, optional
            What the model was fitted on: then each block is left out of a fit of its own. Without,
            it is left out of the answers: quick, but other blocks had no chance to make up for it.

        Returns
        -------
        DataFrame with columns ``side, block, ndcg10, without, gain``, the least gain first;
        ``gain`` below 0 is a block that hurts. ``identity`` is what rows have for themselves.

        Examples
        --------
        >>> from recopersona.datasets.synthetic import synthetic_shop
        >>> shop = synthetic_shop(200, 50, random_state=7)
        >>> late = np.arange(len(shop.log)) > 0.8 * len(shop.log)
        >>> model = HybridFactorization(factors=8, epochs=5).fit(shop.take(~late))
        >>> report = model.feature_ablation(shop.take(late))
        >>> {"brand", "category", "identity"} <= set(report["block"])
        True
        """
        self._check_fitted()
        return block_ablation(self, held_out, train)

    # -- learning in passes ------------------------------------------------------------------

    def _begin_tables(self, shape: tuple[int, int]) -> None:
        super()._begin_tables(shape)
        self.user_counts_, self.item_counts_ = (np.zeros(n, np.float32) for n in shape)
        self.lesson_ = np.full((_LESSON, 2), -1, np.int32)
        self.refreshed_at_ = 0
        width = self.factors + 1
        self.item_map_, self.user_map_ = (
            FeatureMap(reg=float(self.feature_reg)).begin(encoder, table, width)
            for encoder, table in (
                (self.item_encoder, self.item_features_),
                (self.user_encoder, self.user_features_),
            )
        )

    def _step_reg(self) -> float:
        return 0.0  # what steps draw, they draw towards 0; see _draw

    def _pass(self, entries: Entries, epoch: int) -> float:
        if epoch:  # where items begin is nothing to draw back from
            self._draw(entries)
        return super()._pass(entries, epoch)

    def _after_pass(self, entries: Entries, last: bool) -> None:
        self._draw(entries)
        self.user_counts_, self.item_counts_ = (
            counts.astype(np.float32) for counts in entries.counts
        )
        for side in self._sides():
            weights = side.counts / (side.counts + np.float32(self.prior_events))
            side.map.learn(side.table(), weights, _LAST_STEPS if last else _STEPS)
            rows = np.flatnonzero(side.counts == 0) if self.identity else slice(None)
            side.put(rows, side.map.vectors()[rows])

    def _draw(self, entries: Entries) -> None:
        """Draw rows to what their features say, half as far as an epoch's steps would have."""
        users, items = entries.counts
        share = len(entries.values) / max(len(entries.active_items), 1)
        negatives = (items > 0) * share * self._moved_negatives()
        visits = self._visits(users), self._visits(items) + negatives
        for side, times in zip(self._sides(), visits, strict=True):
            everybody = slice(None)
            side.put(
                everybody,
                self._drawn(side, everybody, side.table(), side.map.vectors(), times / 2),
            )

    def _moved_negatives(self) -> int:
        """How many negatives an entry moves."""
        return min(self._n_negatives(), 1) if self.loss == "warp" else self._n_negatives()

    def _visits(self, counts: Array) -> Array:
        """How often a row is moved by that many entries of its own."""
        if self.loss == "bpr":
            return counts * self._n_negatives()
        return counts * (1 + self._n_negatives()) if self.loss == "logistic" else counts

    def _drawn(self, side: _Side, rows: Any, sums: Floats, priors: Floats, visits: Array) -> Floats:
        """Draw rows to what their features say, as far as so many steps would have."""
        rates = np.array([self.learning_rate, self.learning_rate / 2], np.float32)
        if self.optimizer == "adagrad":
            rates = rates / np.sqrt(1 + side.squares[rows])
        force = self.reg * visits[:, None] * rates
        kept = (1 / (1 + force)).astype(np.float32)
        moved = sums - priors
        moved[:, :-1] *= kept[:, :1]
        moved[:, -1] *= kept[:, 1]
        drawn: Floats = priors + moved
        return drawn

    def _own_parts(self) -> tuple[Floats, Floats]:
        priors = self.user_map_.vectors(np.arange(len(self.user_factors_)))
        return self.user_factors_ - priors[:, :-1], self.user_biases_ - priors[:, -1]

    # -- learning as events come -------------------------------------------------------------

    def _take_steps(
        self, predictions: Floats, users: Indices, items: Indices, weights: Floats
    ) -> None:
        """Take steps up to the end of a lesson, wherever a batch begins and ends."""
        begin = 0
        while begin < len(users):
            place = self.n_taught_ % _LESSON
            part = slice(begin, min(begin + _LESSON - place, len(users)))
            some, theirs, n_known = users[part], items[part], len(self.item_factors_)
            self._make_room(int(some.max()) + 1, int(theirs.max()) + 1)
            self._step_by_step(predictions[part], some, theirs, weights[part], n_known)
            taught = weights[part] > 0
            rows = slice(place, place + len(some))
            if not self.lesson_.flags.writeable:
                self.lesson_ = self.lesson_.copy()
            self.lesson_[rows, 0] = np.where(taught, some, -1)
            self.lesson_[rows, 1] = np.where(taught, theirs, -1)
            begin = part.stop
            if self.n_taught_ % _LESSON == 0:
                self._teach_features()

    def _make_room(self, n_users: int, n_items: int) -> None:
        """Give new users and items what their features say."""
        known = len(self.user_factors_), len(self.item_factors_)
        super()._make_room(max(n_users, known[0]), max(n_items, known[1]))
        for side, before in zip(self._sides(), known, strict=True):
            rows = np.arange(before, len(side.factors), dtype=np.int32)
            if len(rows):
                side.put(rows, side.map.vectors(rows))
                self._moved(side, rows)

    def _teach_features(self) -> None:
        """Let the rows of the last events teach their features, and rows without events follow."""
        for column, side in enumerate(self._sides()):
            told = self.lesson_[:, column]
            rows, times = np.unique(told[told >= 0], return_counts=True)
            times = times.astype(np.float32)
            before = side.counts[rows]
            side.counts[rows] = before + times
            sums = side.table(rows)
            # What a row says counts n / (n + prior): news is by how much that has grown.
            half = np.float32(self.prior_events)
            news = (before + times) / (before + times + half) - before / (before + half)
            side.map.teach(rows, sums, news)
            priors = side.map.vectors(rows)
            drawn = self._drawn(side, rows, sums, priors, self._visits(times))
            side.put(rows, drawn if self.identity else priors)
            self._moved(side, rows)
        self.lesson_[:] = -1
        without = [np.flatnonzero(side.counts == 0).astype(np.int32) for side in self._sides()]
        if self.n_taught_ - self.refreshed_at_ >= max(_REFRESH, *map(len, without)):
            self.refreshed_at_ = self.n_taught_
            for side, rows in zip(self._sides(), without, strict=True):
                side.put(rows, side.map.vectors(rows))
                self._moved(side, rows)

    def _moved(self, side: _Side, rows: Indices) -> None:
        if side.is_items:
            self.item_lengths_[rows] = np.linalg.norm(self.item_factors_[rows], axis=1)
            self._items_changed(rows)

    # -- attributes that change --------------------------------------------------------------

    def _items_described(self, rows: Indices, names: set[str]) -> None:
        self._described(self._items_side, self.item_features_, rows, names)

    def _users_described(self, rows: Indices, names: set[str]) -> None:
        self._described(self._users_side, self.user_features_, rows, names)

    def _described(self, side_of: Any, table: FeatureTable, rows: Indices, names: set[str]) -> None:
        """Make room for new rows, and move others by as much as what is said of them changed."""
        if not len(rows):
            return
        rows, read = np.unique(rows), side_of().map.encoder_.reads(names)
        before = side_of().map.vectors(rows) if read else None
        if read:
            side_of().map.describe(table, rows)
        n_known, last = len(side_of().factors), int(rows.max()) + 1
        self._make_room(0 if side_of().is_items else last, last if side_of().is_items else 0)
        if before is not None:
            side, known = side_of(), rows < n_known
            moved = side.map.vectors(rows) - before
            side.put(rows[known], side.table(rows[known]) + moved[known])
            self._moved(side, rows)

    def _unlearn(self, gone: Gone) -> Iterable[str]:
        return (*super()._unlearn(gone), "user_map_", "item_map_", "item_counts_")

    def _held_of(self, user: int) -> dict[str, Any]:
        return {**super()._held_of(user), "user_map_": self.user_map_.held_of(user)}

    def _forget_users(self, users: Indices) -> None:
        super()._forget_users(users)
        self.user_map_.forget(users)
        lesson = self.lesson_.copy()
        lesson[np.isin(lesson[:, 0], users), 0] = -1
        self.lesson_ = lesson

    def evict(self, *, idle_for: Any = None, keep_users: Any = None) -> int:
        """Let go of users, and of what is known of them; see `Factorization.evict`."""
        before = self.users_
        gone = super().evict(idle_for=idle_for, keep_users=keep_users)
        kept = before.indices(self.users_.ids)
        self.user_map_ = self.user_map_.taken(kept)
        table, kinds = self.user_features_.to_frame().iloc[kept], {}
        for name in self.user_features_.names:
            kinds[name] = self.user_features_.column(name).kind
        frame = table.assign(user_id=self.users_.ids)
        self.user_features_ = FeatureTable.from_frame(frame, self.users_, "user_id", kinds)
        self.lesson_ = self.lesson_.copy()
        self.lesson_[:, 0] = -1
        return gone

    # -- answers -----------------------------------------------------------------------------

    def _judgement(self, query: Query) -> tuple[Floats, Indices]:
        """Return the visitor's vector, and the items that speak for it besides her events."""
        user = self.user_of(query)
        stored = 0 <= user < len(self.user_factors_)
        prior = self.user_map_.expected(user, self.user_features_, query.context)
        own, items, weights = prior[:-1], *self.taste_of(query)
        from_events = stored and query.history is None and self.user_counts_[user] > 0
        if from_events:
            own = self.user_factors_[user]
            if query.context:
                own = own + prior[:-1] - self.user_map_.vector_of(user)[:-1]
            told = self._known_items((*query.session, *query.page_items))
            items = np.unique(told).astype(np.int32)
            weights = np.ones(len(items), np.float32)
        if self.loss == "squared" and query.history is None:
            items, weights = items[:0], weights[:0]  # a visit tells no ratings
        known = items < len(self.item_factors_)
        known[known] &= self.item_lengths_[items[known]] > 0
        items, weights = items[known], weights[known]
        if not len(items):
            return own, items
        if self.loss == "squared":
            return self._most_likely_rater(items, weights, prior), items
        folded = self._folded_in(user if from_events else UNKNOWN, own, items, weights)
        steps = FOLD_IN_PASSES * self._visits(np.array([len(items)]))
        rate = self.learning_rate / np.sqrt(1 + float(weights.sum()))
        kept = np.float32(1 / (1 + self.reg * float(steps[0]) * rate))
        return own + kept * (folded - own), items

    def _explain(self, query: Query, item: int) -> list[tuple[str, Id | None, float]]:
        score = float(self._full_scores(query)[item])
        if not np.isfinite(score):
            return []
        seen = np.append(self._vector(query), np.float32(1)).astype(np.float64)
        meant = self.item_map_.embeddings_.astype(np.float64) @ seen
        rows: list[tuple[str, Id | None, float]] = [
            (name or "every item", None, share * float(meant[feature]))
            for name, feature, share in self.item_map_.named(self.item_map_.shares_of(item))
        ]
        return [*rows, ("the item itself", None, score - sum(part for *_, part in rows))]

    def _check_learned(self) -> None:
        super()._check_learned()
        n_users, n_items, width = len(self.user_factors_), len(self.item_factors_), self.factors + 1
        held: Any = (self.user_map_, self.item_map_)
        if not all(isinstance(one, FeatureMap) for one in held):
            raise DataError(f"{self._name}: user_map_ and item_map_ must be feature maps.")
        self.user_map_.require_fit(n_users, width, self._name)
        self.item_map_.require_fit(n_items, width, self._name)
        require_array(self.user_counts_, np.float32, (n_users,), "user_counts_")
        require_array(self.item_counts_, np.float32, (n_items,), "item_counts_")
        check(self.refreshed_at_, whole(0, 2**62), self._name, "refreshed_at_")
        require_array(self.lesson_, np.int32, (_LESSON, 2), "lesson_")
        if (self.lesson_ >= [n_users, n_items]).any() or (self.lesson_ < -1).any():
            raise DataError(f"{self._name}: lesson_ must name users and items.")

    def _users_side(self) -> _Side:
        return _Side(
            self.user_map_, self.user_factors_, self.user_biases_, self.user_sums_,
            self.user_counts_, is_items=False,
        )  # fmt: skip

    def _items_side(self) -> _Side:
        return _Side(
            self.item_map_, self.item_factors_, self.item_biases_, self.item_sums_,
            self.item_counts_, is_items=True,
        )  # fmt: skip

    def _sides(self) -> tuple[_Side, _Side]:
        return self._users_side(), self._items_side()

    def _without(self, side: str, block: str) -> HybridFactorization:
        """Return a model that answers as if a block of features, or ``identity``, meant nothing."""
        other = copy(self)
        map_ = self.item_map_ if side == "item" else self.user_map_
        factors, biases = getattr(self, f"{side}_factors_"), getattr(self, f"{side}_biases_")
        rows = np.arange(len(factors))
        before, sums = map_.vectors(rows), np.column_stack([factors, biases])
        if block == "identity":
            after = before
        else:
            changed = map_.without(map_.encoder_.slices[block])
            setattr(other, f"{side}_map_", changed)
            after = sums + changed.vectors(rows) - before
        setattr(other, f"{side}_factors_", np.ascontiguousarray(after[:, :-1]))
        setattr(other, f"{side}_biases_", np.ascontiguousarray(after[:, -1]))
        other._keep_items(other.item_factors_)
        other._prepare()
        return other


class _Side:
    """The tables of users or of items, by one name each."""

    def __init__(
        self,
        feature_map: FeatureMap,
        factors: Floats,
        biases: Floats,
        squares: Floats,
        counts: Floats,
        is_items: bool,
    ) -> None:
        self.map, self.factors, self.biases = feature_map, factors, biases
        self.squares, self.counts, self.is_items = squares, counts, is_items

    def table(self, rows: Any = slice(None)) -> Floats:
        """Return factors and bias of some rows, side by side."""
        return np.column_stack([self.factors[rows], self.biases[rows]])

    def put(self, rows: Any, sums: Floats) -> None:
        self.factors[rows], self.biases[rows] = sums[:, :-1], sums[:, -1]
