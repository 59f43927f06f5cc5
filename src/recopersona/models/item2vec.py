"""Items as words, visits as sentences: vectors by what is clicked around."""

from __future__ import annotations

from typing import Any

import numpy as np

from recopersona.base.parameters import check, generator, param, real, seed, whole
from recopersona.base.recommender import require_array
from recopersona.base.searching import real_range, whole_range
from recopersona.data.dataset import Dataset
from recopersona.data.growing import with_room
from recopersona.data.types import Array, Floats, Indices
from recopersona.errors import DataError
from recopersona.kernels.skip_gram import learn_click, learn_visits
from recopersona.models.visit_vectors import VisitVectors
from recopersona.models.visits import TRAIL, Clicks, Visits

_LEAST_RATE = 0.05  # what is left of the rate at the end
_ONLINE_RATE = 0.3  # of the rate
_WORD = 2**32


class Item2Vec(VisitVectors):
    r"""Score an item by the cosine of its vector with the fading sum of the visit's vectors.

    .. math:: s_j = \frac{\langle v, y_j \rangle}{\|v\|}, \qquad
              v = \sum_{i=1}^{L} fading^{L - i} \, y_{x_i}, \qquad y_j = \frac{u_j}{\|u_j\|}

    where the vectors u are learned by skip-gram with negative sampling: of two clicks x and z near
    each other in a visit, and items n drawn by how often they are clicked to a power,

    .. math:: -\ln \sigma(\langle u_z, o_x \rangle) - \sum_n \ln \sigma(-\langle u_z, o_n \rangle)

    Parameters
    ----------
    factors : int, at least 1
        Length of each vector.
    window : int, at least 1
        So many clicks before and after are near at most; how many is drawn for each click.
    negatives : int, at least 0
        Drawn for each pair.
    power : float, -2 to 2
        Of the clicks of an item, for its chance to be drawn: 0 draws all alike, 1 by their clicks,
        below 0 rare ones more often.
    sample : float, above 0
        Items whose share of all clicks is above it learn from some of their clicks only, from a
        share of about ``sqrt(sample / share)``.
    fading : float, at least 0 and at most 1
        What a click counts beside the one after it.
    learning_rate : float, above 0
        It falls to a twentieth.
    epochs : int, at least 1
    random_state : int, RandomState or None

    Attributes
    ----------
    item_factors_ : float32 (n_items, factors)
        y, of length 1; 0 for items that were never clicked.
    inputs_, outputs_ : float32 (n_items, factors)
        u and o.
    shares_, aliases_ : float32 and int32 (n_fitted_items,)
        From which negatives are drawn.

    Notes
    -----
    ``partial_fit`` learns from each click with the clicks before it in its visit, in both
    directions. A new item starts in the middle of its visit.

    Memory: ``(12 * factors + 12) * n_items`` bytes, from 65,536 items on ``factors + 18`` more an
    item for the index. Time of an epoch: ``3 * factors * (negatives + 1)`` multiplications a pair
    of near clicks, on one thread: the order of steps is part of the answer.

    References
    ----------
    Barkan & Koenigstein (2016), "Item2Vec: Neural item embedding for collaborative filtering";
    Mikolov et al. (2013), "Distributed representations of words and phrases and their
    compositionality", section 2; Caselles-Dupré, Lesaint & Royo-Letelier (2018), "Word2vec applied
    to recommendation: hyperparameters matter", for ``power`` and ``sample``; Walker (1977), "An
    efficient method for generating discrete random variables with general distributions".

    Examples
    --------
    >>> import pandas as pd
    >>> visits = [["tea", "honey", "milk"], ["salt", "rice", "oil"]] * 20
    >>> events = pd.DataFrame(
    ...     [(user, item) for user, visit in enumerate(visits) for item in visit],
    ...     columns=["user_id", "item_id"],
    ... )
    >>> model = Item2Vec(factors=8, sample=1.0).fit(events)
    >>> sorted(model.similar_items("tea", n=2).item_ids)
    ['honey', 'milk']
    """

    factors: int = param(whole(at_least=1), default=100)
    window: int = param(whole(at_least=1), default=5, search=whole_range(2, 10))
    negatives: int = param(whole(at_least=0), default=10)
    power: float = param(real(at_least=-2, at_most=2), default=0.0, search=real_range(-1, 1))
    sample: float = param(real(above=0), default=1e-2, search=real_range(1e-4, 0.1, log=True))
    fading: float = param(real(at_least=0, at_most=1), default=0.7, search=real_range(0.3, 1))
    learning_rate: float = param(real(above=0), default=0.3)
    epochs: int = param(whole(at_least=1), default=15, search=whole_range(5, 60, log=True))
    random_state: Any = param(seed(), default=0)

    # -- learning in passes ------------------------------------------------------------------

    _taught_by_all = ("item_factors_", "inputs_", "outputs_", "weights_", "shares_")

    def _fit_visits(self, visits: Visits, dataset: Dataset) -> None:
        n_items = len(self.items_)
        self.seed_ = int(generator(self.random_state).integers(2**31))
        self.n_taught_ = 0
        clicks = np.bincount(visits.items, minlength=n_items)
        self.shares_, self.aliases_ = _table_of(clicks, self.power)
        self.inputs_: Floats = _first_vectors(self.seed_, n_items, self.factors)
        self.inputs_[clicks == 0] = 0
        self.outputs_: Floats = np.zeros((n_items, self.factors), np.float32)
        with np.errstate(divide="ignore"):
            weights = np.log(self.fading ** np.arange(TRAIL))
        self._keep_weights(weights[None, :].astype(np.float32))
        self._descend(visits, _kept(clicks, self.sample))

    def _descend(self, visits: Visits, kept: Floats) -> None:
        rates = np.linspace(1, _LEAST_RATE, self.epochs + 1) * self.learning_rate
        for epoch in self._passes(self.epochs, self._publish):
            random = np.random.default_rng([self.seed_, epoch])
            key = int(random.integers(_WORD))
            learn_visits(
                self.inputs_, self.outputs_, visits.items, visits.bounds,
                random.permutation(len(visits)), kept, self.shares_, self.aliases_, self.window,
                self.negatives, rates[epoch], rates[epoch + 1], key, 0, len(visits),
            )  # fmt: skip

    def _publish(self) -> None:
        self._keep_items(_of_length_1(self.inputs_))

    # -- learning event by event -------------------------------------------------------------

    def _learn_clicks(self, clicks: Clicks) -> None:
        n_items = len(self.items_)
        if len(self.inputs_) < n_items:
            for name in ("inputs_", "outputs_", "item_factors_", "item_lengths_"):
                setattr(self, name, with_room(getattr(self, name), n_items))
        counts = np.minimum(clicks.counts, self.window).tolist()
        for row, (item, n_near) in enumerate(zip(clicks.items.tolist(), counts, strict=True)):
            if n_near > 0:
                self._learn_click(clicks.before[row], item, n_near)

    def _learn_click(self, before: Indices, item: int, n_near: int) -> None:
        together = [item, *before[:n_near].tolist()]
        new = [one for one in together if self.item_lengths_[one] == 0]
        if new:
            self._place(new, together)
        self.n_taught_ += 1
        key = (self.seed_ + self.n_taught_ * 0x9E3779B1) % _WORD
        for name in ("inputs_", "outputs_"):  # what was loaded from a file may be read-only
            setattr(self, name, with_room(getattr(self, name), len(self.inputs_)))
        learn_click(
            self.inputs_, self.outputs_, before, self.shares_, self.aliases_, self.negatives,
            _ONLINE_RATE * self.learning_rate, key, item, n_near,
        )  # fmt: skip
        self.item_factors_ = with_room(self.item_factors_, len(self.inputs_))
        self.item_factors_[together] = _of_length_1(self.inputs_[together])
        self._items_changed(together)

    def _place(self, new: list[int], together: list[int]) -> None:
        """Let items without a vector start in the middle of the visit they first come in."""
        self.item_lengths_ = with_room(self.item_lengths_, len(self.inputs_))
        known = [one for one in together if self.item_lengths_[one] > 0]
        if known:
            self.inputs_[new] = self.inputs_[known].mean(axis=0)
        else:
            self.inputs_[new] = _first_vectors(self.seed_ + new[0], 1, self.inputs_.shape[1])
        self.item_lengths_[new] = 1

    def _check_learned(self) -> None:
        super()._check_learned()
        shape, n_fitted = self.item_factors_.shape, len(self.shares_)
        require_array(self.inputs_, np.float32, shape, "inputs_")
        require_array(self.outputs_, np.float32, shape, "outputs_")
        require_array(self.shares_, np.float32, (None,), "shares_")
        require_array(self.aliases_, np.int32, (n_fitted,), "aliases_")
        if not (np.isfinite(self.inputs_).all() and np.isfinite(self.outputs_).all()):
            raise DataError("Item2Vec: inputs_ and outputs_ must be finite numbers.")
        within = self.aliases_.min(initial=0) >= 0 and self.aliases_.max(initial=0) < n_fitted
        if not 0 < n_fitted <= shape[0] or not within:
            raise DataError("Item2Vec: shares_ and aliases_ do not fit the items.")
        check(self.seed_, whole(0, 2**31), "Item2Vec", "seed_")
        check(self.n_taught_, whole(0, 2**62), "Item2Vec", "n_taught_")


def _first_vectors(key: int, n: int, factors: int) -> Floats:
    """Draw short vectors to start from."""
    random = np.random.default_rng(key)
    return (random.random((n, factors), np.float32) - np.float32(0.5)) / np.float32(factors)


def _of_length_1(vectors: Floats) -> Floats:
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    unit: Floats = vectors / np.maximum(lengths, np.float32(1e-30))
    return unit


def _kept(clicks: Array, sample: float) -> Floats:
    """Return the chance that a click on an item counts: word2vec's."""
    shares = clicks / max(clicks.sum(), 1)
    often = shares / sample
    with np.errstate(divide="ignore"):
        return np.where(often > 0, np.sqrt(1 / often) + 1 / often, 1).astype(np.float32)


def _table_of(clicks: Array, power: float) -> tuple[Floats, Indices]:
    """Make a table by which items are drawn in constant time, by their clicks to a power.

    A slot is drawn, all alike; its own item is taken with the slot's share, else its alias.
    """
    n = len(clicks)
    chances = np.where(clicks > 0, np.power(np.maximum(clicks, 1.0), power), 0.0)
    left = chances * n / max(chances.sum(), 1e-300)
    shares, aliases = np.ones(n), np.arange(n)
    poor = np.flatnonzero(left < 1).tolist()
    rich = np.flatnonzero(left >= 1).tolist()
    while poor and rich:
        taker, giver = poor.pop(), rich[-1]
        shares[taker], aliases[taker] = left[taker], giver
        left[giver] -= 1 - left[taker]
        if left[giver] < 1:
            poor.append(rich.pop())
    return shares.astype(np.float32), aliases.astype(np.int32)
