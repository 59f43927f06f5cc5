"""A small neural network as the second stage."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from recopersona.base.parameters import generator, optional, param, real, whole
from recopersona.base.searching import real_range, whole_range
from recopersona.data.types import Floats
from recopersona.errors import DataError
from recopersona.rankers.lessons import Rows
from recopersona.rankers.network import Network
from recopersona.rankers.objectives import CrossEntropy
from recopersona.rankers.ranker import Ranker
from recopersona.rankers.scaling import Scaling
from recopersona.rankers.training import Lists, Training, are_passes


class NeuralRanker(Ranker):
    r"""Learn a small network that tells which candidates are wanted.

    .. math:: u(z) = d + z \cdot b + \tanh(z W + c) \cdot v, \qquad p = \sigma(u)

    where z are the columns on one scale (`Scaling`: far values tamed, gaps the mean and an input of
    their own). It makes small the cross-entropy of the rows, mixed by ``listwise`` with that of
    whole lists: the rows say how likely each is, the lists which comes first.

    Parameters
    ----------
    hidden : int, at least 1
        Width of W: how many ways columns may act together.
    epochs : int, at least 1
        At most so many passes; the best on held-out requests stays.
    learning_rate : float, above 0
        Of Adam; falls to nothing over the epochs.
    reg : float, at least 0
        Weight decay: the share of a weight that is lost per step, in units of the learning rate.
    dropout : float, at least 0 and at most 0.9
        Share of the inputs that is hidden in every step, so that no single one is leant on.
    listwise : float, at least 0 and at most 1
        What lists count beside rows. Lists order best; where a list has one row, as after a click,
        only rows teach anything: write 0 there.
    patience : int, at least 1, or None
        Stop after so many epochs without gain; None never stops.
    features, monotone, position_bias, calibration, target, seen, share, requests, negatives, \
    random_state
        See `Ranker`.

    Attributes
    ----------
    scaling_ : Scaling
    network_ : Network
    base_ : float
        u of a row that is the mean in every column.
    history_ : DataFrame
        Per epoch ``iteration``, ``loss`` and ``held_out``, the loss on requests held out.

    Notes
    -----
    Time: ``6 * f * hidden`` operations a row and epoch. Memory: the matrix, twice.

    Contributions are integrated gradients from the mean row; with one hidden layer their integral
    has a closed form, so they add up to the logit exactly: see `Network.shares`.

    Examples
    --------
    >>> from recopersona.datasets.synthetic import synthetic_shop
    >>> from recopersona.models.neighbors import ItemKNN
    >>> from recopersona.models.popularity import Popularity
    >>> from recopersona.pipeline.pipeline import Pipeline
    >>> home = Pipeline(candidates=[ItemKNN(), Popularity()], ranker=NeuralRanker(requests=200))
    >>> shop = synthetic_shop(300, 60, random_state=7)
    >>> ranking = home.fit(shop).recommend(shop.users.ids[0], n=3)
    >>> len(ranking), bool((ranking.scores > 0).all() and (ranking.scores < 1).all())
    (3, True)
    """

    hidden: int = param(whole(at_least=1), default=32, search=whole_range(8, 64, log=True))
    epochs: int = param(whole(at_least=1), default=30)
    learning_rate: float = param(
        real(above=0), default=5e-3, search=real_range(1e-3, 2e-2, log=True)
    )
    reg: float = param(real(at_least=0), default=0.05, search=real_range(1e-3, 1, log=True))
    dropout: float = param(real(at_least=0, at_most=0.9), default=0.05, search=real_range(0, 0.5))
    listwise: float = param(real(at_least=0, at_most=1), default=0.95)
    patience: int | None = param(optional(whole(at_least=1)), default=5)

    @property
    def history_(self) -> pd.DataFrame:
        """What every epoch came to."""
        self._check_fitted()
        return pd.DataFrame(self.passes_)

    def _learn(self, rows: Rows) -> None:
        self.scaling_ = Scaling().fit(rows.matrix)
        signs = np.zeros(len(self.scaling_.columns), np.int8)  # a gap may mean anything
        signs[: len(rows.names)] = self._directions(rows.names)
        lists = Lists(self.scaling_.inputs(rows.matrix), rows.bounds, signs)
        labels, weights = np.asarray(rows.labels, np.float32), _mean_one(rows.weights)
        random = generator(self.random_state)
        training = Training(
            self.epochs, self.learning_rate, self.reg, self.dropout, self.patience,
            random, type(self).__name__,
        )  # fmt: skip
        start = Network().start(lists.inputs.shape[1], self.hidden, _level(labels, weights), random)
        self.network_ = training.run(start, lists, CrossEntropy(labels, weights, self.listwise))
        self.base_ = self.network_.base
        self.passes_ = training.history

    def _logits(self, matrix: Floats) -> NDArray[np.float64]:
        return self.network_.utilities(self.scaling_.inputs(matrix)).astype(np.float64)

    def _shares(self, matrix: Floats) -> NDArray[np.float64]:
        of_inputs = self.network_.shares(self.scaling_.inputs(matrix))
        shares = of_inputs[:, : matrix.shape[1]].copy()
        shares[:, self.scaling_.gapped_] += of_inputs[:, matrix.shape[1] :]
        return shares

    def _check_learned(self) -> None:
        super()._check_learned()
        if self.untaught_:
            return
        held: Any = vars(self)
        scaling, network = held.get("scaling_"), held.get("network_")
        whole_parts = isinstance(scaling, Scaling) and isinstance(network, Network)
        if not whole_parts or not are_passes(held.get("passes_")):
            raise DataError("NeuralRanker: what was learned is not what it should be.")
        n_columns, n_inputs = len(scaling.centers_), len(scaling.columns)
        if n_columns != len(self.columns_.names_) or n_inputs != len(network.linear_):
            raise DataError("NeuralRanker: its columns and its network do not fit together.")


def _mean_one(weights: Floats) -> Floats:
    """Bring weights to a mean of 1, so that rows and lists keep their say."""
    total = float(weights.sum(dtype=np.float64))
    return (weights * (len(weights) / total if total > 0 else 1)).astype(np.float32)


def _level(labels: Floats, weights: Floats) -> float:
    """Return the logit of the mean label, drawn a little towards one half."""
    share = (float(weights @ labels) + 0.5) / (float(weights.sum(dtype=np.float64)) + 1)
    return float(np.log(share / (1 - share)))
