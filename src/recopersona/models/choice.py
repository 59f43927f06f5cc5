"""Why one of a list was chosen: a conditional logit whose utility is a small network."""

from __future__ import annotations

from typing import Any, NamedTuple, Self

import numpy as np
import pandas as pd

from recopersona.base.descent import Adam
from recopersona.base.parameters import generator, param, real, seed, whole
from recopersona.base.part import Part
from recopersona.base.progress import progress
from recopersona.base.recommender import require_array
from recopersona.base.searching import real_range, whole_range
from recopersona.data.runs import spread, starts_of
from recopersona.data.types import Array, Floats
from recopersona.errors import DataError
from recopersona.kernels.blocks import one_blas_thread
from recopersona.kernels.choosing import judge

_LISTS_PER_STEP = (8, 64)  # a hundredth of all, but within these
_HELD_OUT = 0.15  # of the lists, for choosing the number of epochs
_FEWEST = 20  # lists; of fewer nothing is held out


class ChoiceModel(Part):
    r"""Learn from lists in which one row was chosen what made it so.

    .. math:: P(i \mid C) = \frac{e^{u(x_i)}}{\sum_{j \in C} e^{u(x_j)}}, \qquad
              u(x) = z \cdot b + \max(0, z W + c) \cdot v

    where z are the features, standardized. It minimizes the mean :math:`-\ln P` of what was chosen,
    plus ``reg`` / 2 times the squares of all weights, by Adam; some lists are held out, and the
    epoch that does best on them stays.

    Parameters
    ----------
    hidden : int, at least 1
        Width of W: how many ways features may act together.
    epochs : int, at least 1
    learning_rate : float, above 0
        Falls to nothing over the epochs.
    reg : float, at least 0
    random_state : int, RandomState or None

    Attributes
    ----------
    mean_, scale_, linear_ : float32 (f,)
    inner_ : float32 (f, hidden)
    biases_, outer_ : float32 (hidden,)
    losses_ : list of float
        The mean loss after each epoch, on the lists held out where there are any, and the best
        epoch's weights are kept. ``history_`` shows it as a frame.

    Notes
    -----
    Time: ``6 * f * hidden`` operations a row and epoch. Memory: that of the features, twice.

    References
    ----------
    McFadden (1974), "Conditional logit analysis of qualitative choice behavior", section 2; Cao et
    al. (2007), "Learning to rank: from pairwise approach to listwise approach", section 4, for
    lists of one; Kingma & Ba (2015), "Adam".

    Examples
    --------
    >>> random = np.random.default_rng(0)
    >>> features = random.normal(size=(400, 2)).astype(np.float32)
    >>> bounds = np.arange(0, 401, 4)
    >>> dearest = features[:, 0].reshape(-1, 4).argmax(axis=1)
    >>> model = ChoiceModel(epochs=30, learning_rate=0.03).fit(features, bounds, dearest)
    >>> found = model.utilities(features).reshape(-1, 4).argmax(axis=1)
    >>> bool((found == dearest).mean() > 0.9)
    True
    """

    hidden: int = param(whole(at_least=1), default=24, search=whole_range(8, 64, log=True))
    epochs: int = param(whole(at_least=1), default=15)
    learning_rate: float = param(
        real(above=0), default=3e-3, search=real_range(1e-3, 0.01, log=True)
    )
    reg: float = param(real(at_least=0), default=1e-4, search=real_range(1e-6, 0.01, log=True))
    random_state: Any = param(seed(), default=0)

    def fit(self, features: Floats, bounds: Array, chosen: Array) -> Self:
        """Learn from lists.

        Parameters
        ----------
        features : float32 (n_rows, f)
        bounds : int64 (n_lists + 1,)
            List l is rows ``bounds[l]`` to ``bounds[l + 1]``; none is empty.
        chosen : int64 (n_lists,)
            The place within its list of the row that was chosen.
        """
        random = generator(self.random_state)
        self._start(features, random)
        lists = _Lists(np.ascontiguousarray((features - self.mean_) / self.scale_), bounds, chosen)
        n = len(chosen)
        order = random.permutation(n)
        n_held = int(n * _HELD_OUT) if n >= _FEWEST else 0
        held, taught = lists.take(np.sort(order[:n_held])), np.sort(order[n_held:])
        best, self.losses_ = np.inf, []
        adam = Adam(self._weights())
        size = int(np.clip(n // 100, *_LISTS_PER_STEP))
        n_steps = self.epochs * -(-len(taught) // size)
        for _ in progress(range(self.epochs if n else 0), "ChoiceModel"):
            shuffled, losses = random.permutation(taught), []
            for start in range(0, len(shuffled), size):
                some = lists.take(shuffled[start : start + size])
                rate = self.learning_rate * (1 - adam.n_taken / n_steps)
                slopes, loss = self._gradients(some)
                adam.step(slopes, rate)
                losses.append(loss / len(some.chosen))
            self.losses_.append(self._loss(held) if n_held else float(np.mean(losses)))
            if self.losses_[-1] < best:
                best, kept = self.losses_[-1], [weight.copy() for weight in self._weights()]
        if n:
            self.inner_, self.biases_, self.outer_, self.linear_ = kept
        return self

    @property
    def history_(self) -> pd.DataFrame:
        """The loss after each epoch: a DataFrame with columns ``iteration, loss``."""
        self._check_fitted()
        return pd.DataFrame(
            {"iteration": np.arange(1, len(self.losses_) + 1), "loss": self.losses_}
        )

    def utilities(self, features: Floats) -> Floats:
        """Return u of every row, float32 (n_rows,)."""
        found = np.empty(len(features), np.float32)
        judge(
            found, features, self.mean_, self.scale_, self.inner_, self.biases_, self.outer_,
            self.linear_, *self.inner_.shape,
        )  # fmt: skip
        return found

    def contributions(self, features: Floats) -> tuple[Floats, float]:
        """Return what each feature of one row adds to u, (f,), and what is there without any.

        The network is linear around a row: each feature counts its slope there.
        """
        z = (features - self.mean_) / self.scale_
        open_units = z @ self.inner_ + self.biases_ > 0
        slopes = self.linear_ + self.inner_[:, open_units] @ self.outer_[open_units]
        return slopes * z, float(self.biases_[open_units] @ self.outer_[open_units])

    def require(self, n_features: int) -> None:
        """Refuse weights from a file that do not fit so many features."""
        f, h = n_features, len(self.biases_)
        for name, shape in {"mean_": (f,), "scale_": (f,), "linear_": (f,), "inner_": (f, h),
                            "biases_": (h,), "outer_": (h,)}.items():  # fmt: skip
            require_array(getattr(self, name), np.float32, shape, f"choice_.{name}")
            if not np.isfinite(getattr(self, name)).all():
                raise DataError(f"choice_.{name} must be finite numbers.")
        if not (self.scale_ > 0).all():
            raise DataError("choice_.scale_ must be above 0.")

    def _start(self, features: Floats, random: np.random.Generator) -> None:
        f = features.shape[1]
        n = max(1, len(features))
        self.mean_ = (features.sum(axis=0, dtype=np.float64) / n).astype(np.float32)
        spread = np.sqrt(np.square(features - self.mean_).sum(axis=0, dtype=np.float64) / n)
        self.scale_ = np.where(spread > 1e-6, spread, 1).astype(np.float32)
        self.inner_ = random.normal(0, 0.5 / np.sqrt(f), (f, self.hidden)).astype(np.float32)
        self.biases_ = np.zeros(self.hidden, np.float32)
        self.outer_ = random.normal(0, 0.1, self.hidden).astype(np.float32)
        self.linear_ = np.zeros(f, np.float32)

    def _weights(self) -> list[Floats]:
        return [self.inner_, self.biases_, self.outer_, self.linear_]

    def _probabilities(self, lists: _Lists) -> tuple[Floats, Floats, float]:
        """Return the hidden units, what each row is chosen with, and the summed loss."""
        with one_blas_thread():
            inside = np.maximum(lists.rows @ self.inner_ + self.biases_, 0)
            utility = inside @ self.outer_ + lists.rows @ self.linear_
        starts, sizes = lists.bounds[:-1], np.diff(lists.bounds)
        utility -= np.repeat(np.maximum.reduceat(utility, starts), sizes)
        share = np.exp(utility)
        share /= np.repeat(np.add.reduceat(share, starts), sizes)
        loss = -np.log(np.maximum(share[starts + lists.chosen], 1e-30)).sum(dtype=np.float64)
        return inside, share, float(loss)

    def _gradients(self, lists: _Lists) -> tuple[list[Floats], float]:
        """Return the mean slopes of the loss by every weight, and the summed loss."""
        inside, slope, loss = self._probabilities(lists)
        slope[lists.bounds[:-1] + lists.chosen] -= 1
        slope /= np.float32(len(lists.chosen))
        with one_blas_thread():
            inner_slope = slope[:, None] * self.outer_ * (inside > 0)
            slopes = [
                lists.rows.T @ inner_slope,
                inner_slope.sum(axis=0),
                inside.T @ slope,
                lists.rows.T @ slope,
            ]
        reg = np.float32(self.reg)
        return [s + reg * w for s, w in zip(slopes, self._weights(), strict=True)], loss

    def _loss(self, lists: _Lists) -> float:
        return self._probabilities(lists)[2] / len(lists.chosen)


class _Lists(NamedTuple):
    """Standardized rows in lists, and the place of the chosen one in each."""

    rows: Floats
    bounds: Array
    chosen: Array

    def take(self, lists: Array) -> _Lists:
        sizes = np.diff(self.bounds)[lists]
        rows = spread(self.bounds[lists], sizes)
        return _Lists(self.rows[rows], starts_of(sizes), self.chosen[lists])
