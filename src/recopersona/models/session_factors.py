"""Vectors in which what comes next lies near the visit so far."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from recopersona.base.parameters import check, generator, param, real, seed, whole
from recopersona.base.recommender import require_array
from recopersona.base.searching import real_range, whole_range
from recopersona.data.dataset import Dataset
from recopersona.data.growing import with_room
from recopersona.data.types import Floats, Indices
from recopersona.errors import DataError
from recopersona.kernels.blocks import one_blas_thread
from recopersona.kernels.next_item import DISTANCES, N_KINDS, TIMES, offer_own
from recopersona.models.next_item import Adam, Rivals, Samples, Tables, move_own, take_step
from recopersona.models.session import Opinions
from recopersona.models.visit_vectors import VisitVectors
from recopersona.models.visits import Clicks, Visits

_STEPS_PER_EPOCH = 200  # or more: with few samples, steps of fewer samples each
_SAMPLES_PER_STEP = 512
_FEWEST_SAMPLES = 4
_POWER = 0.75  # of how often an item was clicked: its chance to be a rival
_WEIGHT_RATE, _BONUS_RATE = 0.01, 0.03  # of Adam
_LEAST_RATE = 0.02  # what is left of the rate at the end
_FADING, _FAR = 0.3, 6  # clicks count less and less at first, up to so far away
_RIVALS_ONLINE = 256
_ONLINE_RATE = 0.5  # of the rate: new items move far, well-known ones little
_NOWHERE = 1e-3  # a shorter sum of vectors has no direction


class SessionFactors(VisitVectors):
    r"""Score an item by the cosine of its vector with the weighted mean of the visit's vectors.

    .. math:: v = \sum_{i=1}^{L} \frac{e^{a_{k, L - i}}}{\sum_j e^{a_{k, L - j}}} \, y_{x_i},
              \qquad
              s_j = \exp\left(\frac{\cos(v, y_j) - 1}{temperature} + r_{k, d_j, c_j}\right)

    where the visit's clicks are :math:`x_1, \dots, x_L`, all :math:`y` have length 1, a click
    counts by its distance from the end, and an item of the visit has a bonus by how far from the
    end it was clicked last, and how often. Both depend on the visit's kind k: on how many clicks it
    has, and on whether it comes back to items, and how. Of every visit, every click but the first
    is foreseen from those before it, by a softmax over the catalogue:

    .. math:: -\ln \frac{s_{x_{t+1}}}{\sum_j s_j}

    Its sum is estimated from the visit's items and ``negatives`` others, drawn anew for each step
    by how often they are clicked to the power 0.75, each counted as many as it stands for. Vectors,
    weights and bonuses are learned together.

    Parameters
    ----------
    factors : int, at least 1
        Length of each vector.
    temperature : float, at least 0.03
        The lower, the more a small difference of angle tells; a high one learns what is general.
    window : int, at least 1
        So many of the latest clicks are looked at.
    dropout : float, at least 0 and at most 0.9
        The share of places of the visits' and the others' vectors that is blanked in learning.
    negatives : int, at least 1
    learning_rate : float, above 0
        Of Adagrad, with one sum an item; it falls to a fiftieth.
    epochs : int, at least 1
    random_state : int, RandomState or None
        Where vectors start, the order of samples, the negatives and what is dropped.

    Attributes
    ----------
    item_factors_ : float32 (n_items, factors)
        Of length 1; 0 for items that never came before or after another.
    weights_ : float32 (30, window)
        What clicks count, as logarithms, by the kind of visit and their distance from the end.
    repeats_ : float32 (30, 48)
        The bonus of items of the visit, by its kind, and by distance from the end and times.
    sums_ : float32 (n_items,)
        The squared lengths of gradients so far, for Adagrad.
    counts_ : int64 (n_items,)
        Clicks that were fitted, on items that have a vector.

    Notes
    -----
    ``partial_fit`` takes a step for each click that goes on with a visit, in which its items move
    and all else stays. A new item starts in the middle of its visit, and moves far at first.

    Memory: ``4 * (factors + 5) * n_items`` bytes, from 65,536 items on ``factors + 18`` more an
    item for the index; 28 bytes a click while fitting. Time: ``3 * negatives * factors``
    multiplications a click and epoch, as matrix products; ``factors * n_items`` an answer, or less.

    References
    ----------
    Hou, Hu, Zhang & Zhao (2022), "CORE: Simple and effective session-based recommendation within
    consistent representation space", section 3; Gupta, Garg, Malhotra, Vig & Shroff (2019),
    "NISER: Normalized item and session representations"; Liu, Zeng, Mokhosi & Zhang (2018),
    "STAMP", for the last click's part; Bengio & Senécal (2008), "Adaptive importance sampling to
    accelerate training of a neural probabilistic language model", section III; Ren et al. (2019),
    "RepeatNet", for repeats of their own.

    Examples
    --------
    >>> import pandas as pd
    >>> visits = [["tea", "honey", "milk"], ["salt", "rice", "oil"]] * 20
    >>> events = pd.DataFrame(
    ...     [(user, item) for user, visit in enumerate(visits) for item in visit],
    ...     columns=["user_id", "item_id"],
    ... )
    >>> model = SessionFactors(factors=8).fit(events)
    >>> from recopersona.data.query import Query
    >>> model.recommend(Query(session=["salt", "rice"]), n=1).item_ids
    ['oil']
    """

    factors: int = param(whole(at_least=1), default=128, search=whole_range(64, 256, log=True))
    temperature: float = param(
        real(at_least=0.03), default=0.11, search=real_range(0.06, 0.25, log=True)
    )
    window: int = param(whole(at_least=1), default=20)
    dropout: float = param(real(at_least=0, at_most=0.9), default=0.2, search=real_range(0, 0.6))
    negatives: int = param(whole(at_least=1), default=2048)
    learning_rate: float = param(real(above=0), default=1.0, search=real_range(0.3, 3, log=True))
    epochs: int = param(whole(at_least=1), default=4, search=whole_range(2, 10))
    random_state: Any = param(seed(), default=0)

    _n_kinds = N_KINDS

    # -- learning in passes ------------------------------------------------------------------

    _taught_by_all = ("item_factors_", "weights_", "repeats_", "counts_")

    def _fit_visits(self, visits: Visits, dataset: Dataset) -> None:
        n_items = len(self.items_)
        samples = Samples.of(visits, self.window)
        self.seed_ = int(generator(self.random_state).integers(2**31))
        self.n_taught_ = 0
        self.sums_ = np.zeros(n_items, np.float32)
        away = np.minimum(np.arange(self.window), _FAR)
        self._keep_weights(np.tile((-_FADING * away).astype(np.float32), (N_KINDS, 1)))
        self.repeats_ = np.zeros((N_KINDS, DISTANCES * TIMES), np.float32)
        self.item_factors_: Floats = self._start(visits, n_items)
        clicks = np.bincount(visits.items, minlength=n_items)
        self.counts_ = np.where(self.item_factors_.any(axis=1), clicks, 0).astype(np.int64)
        self._descend(samples)

    def _start(self, visits: Visits, n_items: int) -> Floats:
        """Draw a vector for every item that comes before or after another."""
        random = np.random.default_rng(self.seed_)
        factors = random.standard_normal((n_items, self.factors), np.float32)
        factors /= np.maximum(np.linalg.norm(factors, axis=1, keepdims=True), np.float32(1e-6))
        sizes = np.diff(visits.bounds)
        alone = np.ones(n_items, np.bool_)
        alone[visits.items[np.repeat(sizes > 1, sizes)]] = False
        factors[alone] = 0
        return factors

    def _descend(self, samples: Samples) -> None:
        """Go over all samples, each epoch in another order."""
        n = len(samples)
        size = int(np.clip(n // _STEPS_PER_EPOCH, _FEWEST_SAMPLES, _SAMPLES_PER_STEP))
        tables, rivals = self._tables(), self._rivals()
        movers = Adam(self.weights_), Adam(self.repeats_)
        n_steps = -(-n // size)
        with one_blas_thread():
            for epoch in self._passes(self.epochs if n else 0, self._publish):
                random = np.random.default_rng([self.seed_, epoch])
                order, loss = random.permutation(n), 0.0
                for step in range(n_steps):
                    left = max(1 - (epoch + step / n_steps) / self.epochs, _LEAST_RATE)
                    chosen = order[step * size : (step + 1) * size]
                    lesson = take_step(
                        tables, samples.take(chosen), rivals.draw(random, self.negatives),
                        left * self.learning_rate, 1 - self.dropout, int(random.integers(2**31)),
                    )  # fmt: skip
                    loss += lesson.loss
                    movers[0].step(lesson.shift / len(chosen), left * _WEIGHT_RATE)
                    movers[1].step(lesson.lift / len(chosen), left * _BONUS_RATE)
                self._tell(loss=loss / n)

    def _publish(self) -> None:
        self._keep_items(self.item_factors_)

    def _tables(self) -> Tables:
        columns = vars(self).get("_columns")
        if columns is None or len(columns) < len(self.item_factors_):
            n_items = len(self.item_factors_)
            columns = self._columns = np.full(n_items + n_items // 2, -1, np.int32)
        return Tables(
            self.item_factors_, self.sums_, self.weights_, self.repeats_, columns,
            1 / self.temperature,
        )  # fmt: skip

    def _rivals(self) -> Rivals:
        return Rivals(self.counts_, _POWER)

    # -- learning event by event -------------------------------------------------------------

    def _learn_clicks(self, clicks: Clicks) -> None:
        samples = Samples.after(clicks, self.weights_.shape[1])
        if not len(samples):
            return
        for name in ("item_factors_", "item_lengths_", "sums_"):
            setattr(self, name, with_room(getattr(self, name), len(self.items_)))
        for row in range(len(samples)):
            self._learn_sample(samples.take(slice(row, row + 1)))

    def _learn_sample(self, sample: Samples) -> None:
        together = np.append(sample.clicks[sample.starts[0] : sample.ends[0]], sample.targets)
        new = together[self.item_lengths_[together] == 0]
        if len(new):
            self._place(new, together)
        self.n_taught_ += 1
        random = np.random.default_rng([self.seed_, self.n_taught_])
        rivals = vars(self).get("_online_rivals")
        if rivals is None:
            rivals = self._online_rivals = self._rivals()
        drawn = rivals.draw(random, _RIVALS_ONLINE)
        move_own(self._tables(), sample, drawn, _ONLINE_RATE * self.learning_rate)
        self._items_changed(together)

    def _place(self, new: Indices, together: Indices) -> None:
        """Let items without a vector start in the middle of the visit they first come in."""
        middle = self.item_factors_[together].sum(axis=0)
        length = np.linalg.norm(middle)
        if length < _NOWHERE:  # nothing of the visit is known
            random = np.random.default_rng([self.seed_, int(new[0])])
            middle = random.standard_normal(len(middle), np.float32)
            length = np.linalg.norm(middle)
        self.item_factors_[new] = middle / length
        self.item_lengths_[new] = 1

    # -- answers -----------------------------------------------------------------------------

    def _judged(self, visit: Indices, vector: Floats, nearest: Opinions) -> Opinions:
        clicks = self._known(visit)
        own, bonus = np.empty(len(clicks) + 1, np.int32), np.empty(len(clicks), np.float32)
        found = np.zeros(1, np.int64)
        offer_own(own, bonus, found, self.repeats_, clicks, len(clicks))
        own, bonus = own[: found[0]], bonus[: found[0]]
        others = ~np.isin(nearest.items, own)
        items = np.concatenate([own, nearest.items[others]])
        cosines = np.concatenate([self.item_factors_[own] @ vector, nearest.scores[others]])
        logits = (cosines - np.float32(1)) / np.float32(self.temperature)
        logits[: len(own)] += bonus
        return Opinions(items, np.exp(np.minimum(logits, np.float32(80))))

    def _plain(self, product: float) -> float:
        return math.exp((product - 1) / self.temperature)

    def _prepare(self) -> None:
        super()._prepare()
        for name in ("_columns", "_online_rivals"):
            self.__dict__.pop(name, None)

    def _check_learned(self) -> None:
        super()._check_learned()
        owner, n_items = type(self).__name__, len(self.item_factors_)
        require_array(self.sums_, np.float32, (n_items,), "sums_")
        require_array(self.counts_, np.int64, (None,), "counts_")
        require_array(self.repeats_, np.float32, (N_KINDS, DISTANCES * TIMES), "repeats_")
        if not np.isfinite(self.sums_).all() or self.sums_.min(initial=0) < 0:
            raise DataError(f"{owner}: sums_ must be finite numbers of at least 0.")
        if not np.isfinite(self.repeats_).all():
            raise DataError(f"{owner}: repeats_ must be finite numbers.")
        if not 0 < len(self.counts_) <= n_items:
            raise DataError(f"{owner}: counts_ must be of items, and of no more than there are.")
        check(self.seed_, whole(0, 2**31), owner, "seed_")
        check(self.n_taught_, whole(0, 2**62), owner, "n_taught_")
