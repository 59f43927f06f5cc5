"""Matrix factorization by stochastic gradient descent, in passes and event by event."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from threading import Event as Signal
from typing import Any, ClassVar

import numpy as np

from recopersona.base.parameters import (
    check,
    check_parameters,
    generator,
    one_of,
    optional,
    param,
    real,
    seed,
    whole,
)
from recopersona.base.quality import require_known_users
from recopersona.base.recommender import as_dataset, require_array
from recopersona.base.searching import real_range, whole_range
from recopersona.base.several import listed
from recopersona.base.watching import Validation, Watch
from recopersona.data.dataset import Dataset
from recopersona.data.event import RETURN
from recopersona.data.growing import with_room
from recopersona.data.ids import UNKNOWN, IdMap
from recopersona.data.intake import frame_of_events
from recopersona.data.interactions import Interactions
from recopersona.data.query import Query
from recopersona.data.times import duration_ms
from recopersona.data.types import Array, Floats, Id, Indices
from recopersona.errors import DataError, ParameterError
from recopersona.kernels.blocks import cut, run_blocks
from recopersona.kernels.factorization import (
    BPR,
    LOGISTIC,
    SQUARED,
    WARP,
    arrange,
    begin_items,
    descend,
    fold_in,
    learn,
)
from recopersona.models.inner_product import InnerProduct

LOSSES = {"bpr": BPR, "warp": WARP, "logistic": LOGISTIC, "squared": SQUARED}
_NEGATIVES = {"bpr": 1, "warp": 16, "logistic": 4, "squared": 0}
_CACHE = 1 << 19  # bytes of item factors in a block: half of a core's own cache today
_ENTRIES_PER_STRATUM = 512  # fewer are not worth handing out
_ITEMS_PER_BLOCK = 32  # fewer leave too little choice of negatives
_JOBS_PER_ROUND = 8  # so that as many threads have work
_RECENT = 16  # of each user's items, which are no negatives online
_DIVERGED = 10.0  # times the loss of knowing nothing
FOLD_IN_PASSES = 10
_NO_PREDICTIONS: Floats = np.empty(0, np.float32)
_HEAVIEST = 1_000.0  # events online: one must not outweigh all others


class Factorization(InnerProduct):
    r"""Score an item by the inner product of two vectors learned by stochastic gradient descent.

    .. math:: s_{ui} = b_i + \langle x_u, y_i \rangle

    The losses, with weights :math:`w_{ui}` of mean 1 and negatives j drawn from the items that
    the user has nothing to do with:

    - ``"bpr"``: :math:`-w_{ui} \ln \sigma(s_{ui} - s_{uj})`
    - ``"warp"``: :math:`w_{ui} \ln(1 + n / t) \max(0, 1 - s_{ui} + s_{uj})` for the first of the
      drawn j above the margin, the t-th of n items
    - ``"logistic"``: :math:`-w_{ui} (\ln \sigma(s_{ui}) + \sum_j \ln \sigma(-s_{uj}))`
    - ``"squared"``: :math:`(r_{ui} - \mu - b_u - b_i - \langle x_u, y_i \rangle)^2 / 2`, where
      the rating r is the event's weight

    each with :math:`reg / 2` times the squares of what it moves.

    Parameters
    ----------
    factors : int, at least 1
        Length of each vector; it may exceed the number of users or items.
    loss : "bpr", "warp", "logistic" or "squared"
    learning_rate : float, above 0
        Adagrad's first steps are at most this long; plain ones this times the gradient.
    reg : float, at least 0
        Regularization weight.
    negatives : int, at least 1, optional
        Drawn for each interaction, by "warp" at most; by default 1, 16 and 4 in the order above.
    epochs : int, at least 1
        Passes over the interactions, at most. ``fit(validation=)`` measures each by NDCG@10, for
        "squared" by the RMSE.
    optimizer : "adagrad" or "sgd"
        Adagrad divides the rate by the root of 1 and the squared gradients so far, summed for each
        row and each bias: new rows move far, well-known ones little. Plain steps need a tenth of
        the rate. Biases go half as far.
    random_state : int, RandomState or None
        Where item factors start, and which negatives are drawn.

    Attributes
    ----------
    user_factors_ : float32 (n_users, factors)
        0 for users without events.
    item_factors_ : float32 (n_items, factors)
        0 for items without events.
    user_biases_, item_biases_ : float32 (n_users,), (n_items,)
    mean_ : float64 (2,)
        The mean of the ratings so far, and how many; 0 for other losses.

    Notes
    -----
    Pairs that repeat are one pair of summed weight; for "squared", every event is a rating of its
    own, and a half-life changes nothing. What weighs 0 teaches nothing and is seen. Who has every
    item of a block has no negative there, and BPR and WARP leave her pair out: an item that
    everybody has, alone, is never learned.

    Users and items are dealt into B blocks anew each epoch. In round r, users' block k meets items'
    block (k + r) mod B: no two of these share a row, so they run in parallel, with the same answer
    for any number of threads. Negatives come from the block of items at hand, which the cache
    holds, by a generator keyed by seed, epoch and pair. For lists, ``score_items`` leaves out what
    is the same for all items of a user; `predict_then_learn` adds it.

    ``partial_fit`` takes one step per event, in order, with the same Adagrad sums: what is new
    learns fast. There a negative is none of the user's last 16 items. A stranger's history and a
    session are folded in at request time: she takes the steps that training would take for her,
    10 passes while items stay where they are, from where she is or from 0. For "squared" that is
    ridge regression on the items' factors, with a prior as wide as the fitted users; weights of a
    history are ratings, and a session tells nothing.

    Memory: ``4 * (factors + 4) * (n_users + n_items) + 64 * n_users`` bytes, twice that with
    ``patience``, and 28 bytes an interaction while fitting. Tables grow by half when they are full.

    References
    ----------
    Rendle et al. (2009), "BPR", section 4; Weston, Bengio & Usunier (2011), "WSABIE", section 3;
    Koren, Bell & Volinsky (2009), "Matrix factorization techniques for recommender systems";
    Gemulla et al. (2011), "Large-scale matrix factorization with distributed stochastic gradient
    descent", section 4; Ward, Wu & Bottou (2019), "AdaGrad stepsizes", algorithm 1.

    Examples
    --------
    >>> from recopersona.datasets.synthetic import synthetic_shop
    >>> shop = synthetic_shop(200, 50, random_state=7)
    >>> model = Factorization(factors=8, epochs=5).fit(shop)
    >>> model.recommend("u-0001").sources[0]
    'Factorization'
    >>> bool(model.history_["loss"].iloc[-1] < model.history_["loss"].iloc[0])
    True
    """

    factors: int = param(whole(at_least=1), default=64, search=whole_range(16, 256, log=True))
    loss: str = param(one_of(*LOSSES), default="bpr")
    learning_rate: float = param(real(above=0), default=0.5, search=real_range(0.05, 1, log=True))
    reg: float = param(real(at_least=0), default=0.01, search=real_range(1e-4, 0.1, log=True))
    negatives: int | None = param(optional(whole(at_least=1)), default=None)
    epochs: int = param(whole(at_least=1), default=20, search=whole_range(5, 60, log=True))
    optimizer: str = param(one_of("adagrad", "sgd"), default="adagrad")
    random_state: Any = param(seed(), default=0)

    _user_tables: ClassVar[tuple[str, ...]] = (
        "user_factors_", "user_biases_", "user_sums_", "recent_",
    )  # fmt: skip
    _item_tables: ClassVar[tuple[str, ...]] = (
        "item_factors_", "item_biases_", "item_sums_", "item_lengths_",
    )  # fmt: skip

    _taught_by_all = ("user_factors_", "item_factors_", "item_biases_", "mean_")

    # -- the verbs ---------------------------------------------------------------------------

    def predict_then_learn(self, events: Any) -> Floats:
        """Predict each event before it is learned from: progressive validation.

        Parameters
        ----------
        events : frame, `Event`, or iterable of `Event`
            Taken in their order, as `partial_fit` does. A model not yet fitted starts from nothing.

        Returns
        -------
        float32 (n,), for "squared" the predicted ratings, else scores.

        Examples
        --------
        >>> import pandas as pd
        >>> ratings = pd.DataFrame({"user_id": [1, 2], "item_id": [7, 7], "weight": [4.0, 4.0]})
        >>> Factorization(loss="squared").predict_then_learn(ratings).tolist()[0]
        0.0
        """
        if isinstance(events, Iterator):
            events = list(events)  # they are read twice
        if self.gated_:
            return self._predicted_behind_gate(events)
        if not self.__sklearn_is_fitted__():
            self._start_from_nothing(events)
        return self._learned(self._take_in(events), predict=True)

    def _predicted_behind_gate(self, events: Any) -> Floats:
        """Predict and learn from what the gate admits; the rest has no prediction: NaN."""
        frame = frame_of_events(events).reset_index(drop=True)
        kept = self._admitted(frame)
        predictions = np.full(len(frame), np.nan, np.float32)
        if len(kept):
            predictions[kept.index] = self._learned(self._take_in(kept), predict=True)
        return predictions

    def evict(self, *, idle_for: Any = None, keep_users: Iterable[Id] | None = None) -> int:
        """Let go of users, so that memory stays bounded; return of how many.

        Their vectors, biases, ids and past are gone, and the room they took: tables are copied
        without them. Whoever comes back is new: nothing is left out as seen, and she learns from
        the start. What they taught about items stays. ``users_`` and ``past_`` are new objects.

        Parameters
        ----------
        idle_for : duration, optional
            Such as ``"90d"``: who did nothing for so long before the last event goes; users
            without any event go, too.
        keep_users : iterable of user ids, optional
            All others go. One of the two must be given.

        Raises
        ------
        ParameterError
            If none or both are given.
        DataError
            If there are no times to be idle by, or the model is part of a pipeline, whose other
            parts number users alike.
        """
        self._check_fitted()
        if (idle_for is None) == (keep_users is None):
            raise ParameterError("evict needs idle_for='90d' or keep_users=[...], one of them.")
        if self.shares_ids_:
            raise DataError(
                f"{self._name}: users of a pipeline's model cannot be evicted, for its other "
                "parts number them alike; call forget on the pipeline."
            )
        kept = self._active(idle_for) if keep_users is None else self._named(keep_users)
        n_before = len(self.users_)
        self.past_ = self.past_.renumbered(kept)
        self.users_ = IdMap.restored(self.users_.ids[kept])
        for name in self._user_tables:
            table = with_room(getattr(self, name), n_before)
            setattr(self, name, np.ascontiguousarray(table[kept]))
        return n_before - len(kept)

    # -- learning in passes ------------------------------------------------------------------

    def _fit(self, dataset: Dataset) -> None:
        self._begin_tables(dataset.shape)
        entries = Entries.of(dataset, self.loss == "squared")
        self.weight_unit_ = entries.unit
        if self.loss == "squared" and len(entries.values):
            self.mean_[:] = entries.values.mean(dtype=np.float64), len(entries.values)
        begin_items(self.item_factors_, entries.active_items, self._spread(), self.seed_)
        self._remember_recent(dataset)
        n_epochs = self.epochs if len(entries.values) else 0
        for epoch in self._passes(n_epochs, lambda: self._publish(entries)):
            self._tell(loss=self._pass(entries, epoch))
            self._after_pass(entries, last=epoch == n_epochs - 1)

    def _publish(self, entries: Entries) -> None:
        self._keep_items(self.item_factors_)
        self._set_priors(entries)

    @property
    def _name(self) -> str:
        return type(self).__name__

    def _begin_tables(self, shape: tuple[int, int]) -> None:
        n_users, n_items = shape
        self.seed_ = int(generator(self.random_state).integers(2**31))
        self.user_factors_ = np.zeros((n_users, self.factors), np.float32)
        self.item_factors_: Floats = np.zeros((n_items, self.factors), np.float32)
        self.user_biases_ = np.zeros(n_users, np.float32)
        self.item_biases_ = np.zeros(n_items, np.float32)
        self.user_sums_ = np.zeros((n_users, 2), np.float32)
        self.item_sums_ = np.zeros((n_items, 2), np.float32)
        self.item_lengths_: Floats = np.zeros(n_items, np.float32)
        n_recent = 0 if self.loss == "squared" else _RECENT
        self.recent_ = np.zeros((n_users, n_recent), np.int32)
        self.mean_ = np.zeros(2)
        self.weight_unit_, self.n_taught_ = 1.0, 0
        self.priors_ = np.ones(3)
        self.shares_ids_ = False

    def _spread(self) -> float:
        return 0.5 / math.sqrt(self.factors)

    def _step_reg(self) -> float:
        """How strongly each step draws towards 0."""
        return self.reg

    def _after_pass(self, entries: Entries, last: bool) -> None:
        """What else an epoch does to the tables."""

    def _pass(self, entries: Entries, epoch: int) -> float:
        """Go once over all entries; return the mean loss."""
        random = np.random.default_rng([self.seed_, epoch])
        key = int(random.integers(2**32))
        n_blocks = entries.n_blocks(self.factors)
        strata = entries.dealt(random, n_blocks)
        losses = np.zeros(n_blocks * n_blocks)

        def take_steps(turn: int, start: int, end: int) -> None:
            descend(
                self.user_factors_, self.item_factors_, self.user_biases_, self.item_biases_,
                self.user_sums_, self.item_sums_, losses, *strata, LOSSES[self.loss],
                self._n_negatives(), self.learning_rate, self._step_reg(), self.mean_[0],
                self.optimizer == "adagrad", key, turn, start, end,
            )  # fmt: skip

        _run_rounds(take_steps, n_blocks)
        mean = float(losses.sum()) / len(entries.values)
        self._require_sense(mean, entries.ignorance(self.loss, self._n_negatives()), epoch)
        return mean

    def _n_negatives(self) -> int:
        return _NEGATIVES[self.loss] if self.negatives is None else self.negatives

    def _require_sense(self, mean: float, ignorance: float, epoch: int) -> None:
        """Refuse factors that are worse than none."""
        if not mean <= _DIVERGED * ignorance:
            raise ParameterError(
                f"{self._name}: the loss grew to {mean:.3g} in epoch {epoch + 1} where knowing "
                f"nothing costs {ignorance:.3g}; try learning_rate={self.learning_rate / 10:g}."
            )

    def _watch_on(self, validation: Validation, patience: int | None) -> Watch:
        if self.loss != "squared" or validation.told is not None:
            return super()._watch_on(validation, patience)
        require_known_users(self, validation.held_out)
        return Watch(
            lambda _: self._rmse(validation.held_out),
            metric="rmse", patience=patience, less_is_better=True,
        )  # fmt: skip

    def _rmse(self, dataset: Dataset) -> float:
        rows = dataset.interactions
        rated = rows.take(rows.weight > 0)
        if not len(rated):
            raise DataError("validation needs at least one event of a weight above 0, got none.")
        users = self.users_.indices(dataset.users.ids)[rated.users]
        items = self.items_.indices(dataset.items.ids)[rated.items]
        # One row of zeros behind the last stands for whoever and whatever is unknown.
        scoring = self.user_factors_, self.item_factors_, self.user_biases_, self.item_biases_
        tables = [np.concatenate([table, np.zeros_like(table[:1])]) for table in scoring]
        own, its, own_bias, its_bias = tables
        predicted = self.mean_[0] + own_bias[users] + its_bias[items]
        predicted += np.einsum("ij,ij->i", own[users], its[items])
        return float(np.sqrt(np.mean((predicted - rated.weight) ** 2)))

    def _remember_recent(self, dataset: Dataset) -> None:
        """Note each user's latest items: online they are no negatives."""
        rows = dataset.interactions
        by_time = () if rows.timestamp is None else (rows.timestamp,)
        order = np.lexsort((*by_time, rows.users))
        users, items = rows.users[order], rows.items[order]
        ends = np.cumsum(np.bincount(users, minlength=len(self.recent_)))
        place = np.arange(len(users)) - ends[users] + self.recent_.shape[1]
        late = place >= 0
        self.recent_[users[late], place[late]] = items[late] + 1

    def _set_priors(self, entries: Entries) -> None:
        """How far users lie from what is expected of them, and ratings from their predictions."""
        known = np.unique(entries.rows) if len(entries.rows) else np.zeros(0, np.int64)
        widths = [
            np.mean(table[known] ** 2, dtype=np.float64) if len(known) else 1.0
            for table in self._own_parts()
        ]
        noise = self.passes_[-1]["loss"] if self.passes_ else 1.0
        self.priors_ = np.maximum([*widths, noise], 1e-6)

    def _own_parts(self) -> tuple[Floats, Floats]:
        """Vectors and biases of users, as far as they are nobody else's."""
        return self.user_factors_, self.user_biases_

    # -- learning as events come -------------------------------------------------------------

    def _start_from_nothing(self, events: Any) -> None:
        check_parameters(self)
        shop = as_dataset(events)
        self._unfit()
        self._begin(shop.take(np.zeros(len(shop.log), dtype=np.bool_)))
        self._begin_tables(shop.shape)

    def _learn(self, rows: Interactions) -> None:
        self._learned(rows, predict=False)

    def _learned(self, rows: Interactions, predict: bool) -> Floats:
        weights = np.where(rows.event == RETURN, np.float32(0), rows.weight)
        if self.loss != "squared":
            weights = np.minimum(weights / np.float32(self.weight_unit_), np.float32(_HEAVIEST))
        predictions = np.empty(len(rows), np.float32) if predict else _NO_PREDICTIONS
        self._take_steps(predictions, rows.users, rows.items, weights)
        return predictions

    def _learn_one(self, user: int, item: int, code: int, weight: float, timestamp: int) -> None:
        force = 0.0 if code == RETURN else weight
        if self.loss != "squared":
            force = min(force / self.weight_unit_, _HEAVIEST)
        indices = np.array((user, item), np.int32)
        self._take_steps(_NO_PREDICTIONS, indices[:1], indices[1:], np.array((force,), np.float32))

    def _take_steps(
        self, predictions: Floats, users: Indices, items: Indices, weights: Floats
    ) -> None:
        n_known = len(self.item_factors_)
        self._make_room(len(self.users_), len(self.items_))
        self._step_by_step(predictions, users, items, weights, n_known)

    def _step_by_step(
        self, predictions: Floats, users: Indices, items: Indices, weights: Floats, n_known: int
    ) -> None:
        """Take a step for each event; there were ``n_known`` items before the first."""
        negatives = self._n_negatives()
        drawn = np.full(len(users) * negatives if self._is_indexed() else 0, -1, np.int32)
        lengths = learn(
            self.user_factors_, self.item_factors_, self.user_biases_, self.item_biases_,
            self.user_sums_, self.item_sums_, self.item_lengths_, self.recent_, self.mean_,
            predictions, drawn, users, items, weights, LOSSES[self.loss], negatives,
            self.learning_rate, self._step_reg(), self._spread(), self.optimizer == "adagrad",
            self.seed_, self.n_taught_, n_known,
        )  # fmt: skip
        self.n_taught_ += len(users)
        if self._is_indexed():
            items = np.unique(np.append(items, drawn[drawn >= 0]))
        self._items_changed(items)
        if not math.isfinite(lengths):
            raise ParameterError(
                f"{self._name}: factors grew beyond all bounds between events "
                f"{self.n_taught_ - len(users) + 1} and {self.n_taught_} since the fit; fit anew "
                f"with learning_rate={self.learning_rate / 10:g}."
            )

    def _make_room(self, n_users: int, n_items: int) -> None:
        """Give new users and items rows of zeros."""
        for n, table, names in (
            (n_users, self.user_factors_, self._user_tables),
            (n_items, self.item_factors_, self._item_tables),
        ):
            if n > len(table) or not table.flags.writeable:
                for name in names:
                    setattr(self, name, with_room(getattr(self, name), n))
        if not self.mean_.flags.writeable:
            self.mean_ = self.mean_.copy()

    # -- letting go --------------------------------------------------------------------------

    def _adopt(self, users: IdMap, items: IdMap, past: Any) -> None:
        super()._adopt(users, items, past)
        self.shares_ids_ = True

    def _active(self, idle_for: Any) -> Indices:
        """Users with an event not longer ago than that, before the last event of all."""
        span = duration_ms(idle_for, "evict: idle_for")
        if self.end_ is None:
            raise DataError("evict needs events with a 'timestamp' to tell who is idle.")
        latest = self.past_.last_times(len(self.users_))
        return np.flatnonzero(latest >= self.end_ - span).astype(np.int32)

    def _named(self, keep_users: Any) -> Indices:
        kept = self.users_.indices(listed(keep_users, "evict: keep_users"))
        return np.unique(kept[kept != UNKNOWN])

    # -- answers -----------------------------------------------------------------------------

    def _item_biases(self) -> Floats:
        return self.item_biases_

    def _user_vectors(self) -> Floats:
        return self.user_factors_

    def _vector(self, query: Query) -> Floats:
        return self._judgement(query)[0]

    def _judgement(self, query: Query) -> tuple[Floats, Indices]:
        """Return the visitor's vector, and the items that speak for it."""
        user = self.user_of(query)
        stored = 0 <= user < len(self.user_factors_)
        own = np.zeros(self.factors, np.float32)
        if stored and query.history is None:
            own = self.user_factors_[user]
        if own.any():
            told = self._known_items((*query.session, *query.page_items))
            items, weights = np.unique(told), np.ones(len(np.unique(told)), np.float32)
        else:
            items, weights = self.taste_of(query)
        if self.loss == "squared" and query.history is None:
            items, weights = items[:0], weights[:0]  # a visit tells no ratings
        known = items < len(self.item_factors_)
        known[known] &= self.item_lengths_[items[known]] > 0
        items, weights = items[known], weights[known]
        if not len(items):
            return own, items
        if self.loss == "squared":
            return self._most_likely_rater(items, weights, np.zeros(self.factors + 1)), items
        return self._folded_in(user, own, items, weights), items

    def _folded_in(self, user: int, own: Floats, items: Indices, weights: Floats) -> Floats:
        """Take the steps that training would take, from where she is or from nothing."""
        factors, sums = own[None, :].copy(), np.zeros((1, 2), np.float32)
        if user != UNKNOWN and own.any():
            sums[0] = self.user_sums_[user]
        force = np.minimum(weights / np.float32(self.weight_unit_), np.float32(_HEAVIEST))
        fold_in(
            factors, sums, self.item_factors_, self.item_biases_, self.item_lengths_, items,
            force, LOSSES[self.loss], self._n_negatives(), self.learning_rate, self._step_reg(),
            self.optimizer == "adagrad", self.seed_, FOLD_IN_PASSES,
        )  # fmt: skip
        folded: Floats = factors[0]
        return folded

    def _most_likely_rater(self, items: Indices, ratings: Floats, expected: Array) -> Floats:
        """Fold in: ridge regression of ratings on the items' factors and a bias of her own.

        It goes from what is expected of her vector and bias, float (factors + 1,).
        """
        rows = np.append(self.item_factors_[items], np.ones((len(items), 1)), axis=1)
        left = ratings - self.mean_[0] - self.item_biases_[items] - rows @ expected
        width, bias_width, noise = self.priors_
        system = rows.T @ rows + np.diag([noise / width] * self.factors + [noise / bias_width])
        rater = expected + np.linalg.solve(system, rows.T @ left)
        solution: Floats = rater[:-1].astype(np.float32)
        return solution

    def _explain(self, query: Query, item: int) -> list[tuple[str, Id | None, float]]:
        score = float(self._full_scores(query)[item])
        if not np.isfinite(score):
            return []
        vector, told = self._judgement(query)
        if query.history is None:
            told = np.union1d(told, self.past_.taste(self.user_of(query))[0])
        told = told[told < len(self.item_factors_)]
        rows = self.item_factors_[told].astype(np.float64)
        gram = rows.T @ rows
        gram[np.diag_indices_from(gram)] += 1e-3 * max(np.trace(gram) / self.factors, 1e-12)
        shares = (rows @ np.linalg.solve(gram, vector)) * (rows @ self.item_factors_[item])
        bias = float(self.item_biases_[item])
        evidence = [
            ("liked item", self.items_.ids[index], float(share))
            for index, share in zip(told, shares, strict=True)
        ]
        # A vector learned step by step is no sum of items: what they do not explain.
        rest = score - bias - float(shares.sum())
        return [("item bias", None, bias), *evidence, ("beyond these items", None, rest)]

    def _check_learned(self) -> None:
        super()._check_learned()
        n_users, n_items = len(self.user_factors_), len(self.item_factors_)
        squared = self.loss == "squared"
        for name, n, width in (
            ("user_factors_", n_users, self.factors), ("item_factors_", n_items, self.factors),
            ("user_sums_", n_users, 2), ("item_sums_", n_items, 2),
        ):  # fmt: skip
            require_array(getattr(self, name), np.float32, (n, width), name)
        for name, n in (
            ("user_biases_", n_users), ("item_biases_", n_items), ("item_lengths_", n_items),
        ):  # fmt: skip
            require_array(getattr(self, name), np.float32, (n,), name)
        require_array(self.recent_, np.int32, (n_users, 0 if squared else _RECENT), "recent_")
        require_array(self.mean_, np.float64, (2,), "mean_")
        require_array(self.priors_, np.float64, (3,), "priors_")
        if n_users > len(self.users_) or not self.n_fitted_items_ <= n_items <= len(self.items_):
            raise DataError(f"{self._name}: there are more factors than users or items.")
        if not (np.isfinite(self.priors_) & (self.priors_ > 0)).all():
            raise DataError(f"{self._name}: priors_ must be above 0.")
        check(self.weight_unit_, real(above=0), self._name, "weight_unit_")
        check(self.seed_, whole(0, 2**31), self._name, "seed_")
        check(self.n_taught_, whole(0, 2**62), self._name, "n_taught_")


def _run_rounds(do: Callable[[int, int, int], None], n_blocks: int) -> None:
    """Call ``do(turn, start, end)`` for all blocks of users in all rounds, as early as may be.

    A job waits for those of the round before that had its users or its items: the same blocks of
    users, and the next, whose items come around to it. Those were begun earlier, so nobody waits
    in vain; and no round waits for the whole one before.
    """
    groups = cut(n_blocks, -(-n_blocks // _JOBS_PER_ROUND))
    done = [[Signal() for _ in groups] for _ in range(n_blocks)]

    def job(place: int, _: int) -> None:
        turn, group = divmod(place, len(groups))
        try:
            if turn:
                done[turn - 1][group].wait()
                done[turn - 1][(group + 1) % len(groups)].wait()
            do(turn, *groups[group])
        finally:
            done[turn][group].set()

    run_blocks(job, cut(n_blocks * len(groups), 1))


class Entries:
    """What is learned from, one row per user: pairs of positive weight, or single ratings.

    bounds   (n_users + 1,) int64, where each user's entries begin
    columns  (n_entries,) int32, ascending for each user
    values   (n_entries,) float32
    unit     what the mean entry weighs before values are divided by it
    """

    def __init__(self, bounds: Array, columns: Indices, values: Floats, n_items: int) -> None:
        self.bounds, self.columns, self.values = bounds, columns, values
        self.active_items = np.flatnonzero(np.bincount(columns, minlength=n_items)).astype(np.int32)
        self.n_items, self.unit = n_items, 1.0

    @classmethod
    def of(cls, dataset: Dataset, ratings: bool) -> Entries:
        n_users, n_items = dataset.shape
        if ratings:
            log = dataset.interactions
            log = log.take(log.weight > 0)
            order = np.lexsort((log.items, log.users))
            sizes = np.bincount(log.users, minlength=n_users)
            bounds = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
            return cls(bounds, log.items[order], log.weight[order], n_items)
        matrix = dataset.matrix()
        bounds, columns = matrix.indptr.astype(np.int64), matrix.indices.astype(np.int32)
        entries = cls(bounds, columns, matrix.data, n_items)
        if len(matrix.data):
            entries.unit = float(matrix.data.mean(dtype=np.float64))
            entries.values = (matrix.data / entries.unit).astype(np.float32)
        return entries

    @property
    def rows(self) -> Array:
        """The user of each entry."""
        return np.repeat(np.arange(len(self.bounds) - 1), np.diff(self.bounds))

    @property
    def counts(self) -> tuple[Array, Array]:
        """How many entries each user and each item has."""
        return np.diff(self.bounds), np.bincount(self.columns, minlength=self.n_items)

    def ignorance(self, loss: str, negatives: int) -> float:
        """Return the mean loss of knowing nothing."""
        if loss == "squared":
            return float(np.mean(self.values.astype(np.float64) ** 2))
        if loss == "warp":
            return float(np.log1p(len(self.active_items)))
        return float(np.log(2)) * (1 + negatives if loss == "logistic" else negatives)

    def n_blocks(self, factors: int) -> int:
        """Return into how many blocks users and items are dealt: by the data's size alone."""
        cached = max(-(-4 * factors * len(self.active_items) // _CACHE), _JOBS_PER_ROUND)
        whole_jobs = -(-cached // _JOBS_PER_ROUND) * _JOBS_PER_ROUND
        most = min(
            int(np.sqrt(len(self.values) / _ENTRIES_PER_STRATUM)),
            len(self.active_items) // _ITEMS_PER_BLOCK,
        )
        return max(1, min(whole_jobs, most))

    def dealt(self, random: np.random.Generator, n_blocks: int) -> tuple[Array, ...]:
        """Deal users and items into blocks, and sort the entries by stratum; see `descend`."""
        n_users = len(self.bounds) - 1
        user_order = random.permutation(n_users).astype(np.int32)
        item_order = random.permutation(self.active_items)
        user_starts, item_starts = (
            np.linspace(0, n, n_blocks + 1).astype(np.int64) for n in (n_users, len(item_order))
        )
        block_of = np.zeros(self.n_items, np.int32)
        block_of[item_order] = np.repeat(np.arange(n_blocks, dtype=np.int32), np.diff(item_starts))
        before = np.concatenate([[0], np.cumsum(np.diff(self.bounds)[user_order])])
        bounds = np.full(n_blocks * n_blocks + 1, len(self.values), np.int64)
        bounds[:-1:n_blocks] = before[user_starts[:-1]]
        users, items = np.empty_like(self.columns), np.empty_like(self.columns)
        weights = np.empty_like(self.values)
        run_blocks(
            lambda start, end: arrange(
                bounds, users, items, weights, self.bounds, self.columns, self.values, user_order,
                user_starts, block_of, n_blocks, start, end,
            ),
            cut(n_blocks, -(-n_blocks // _JOBS_PER_ROUND)),
        )  # fmt: skip
        return item_order, item_starts, bounds, users, items, weights
