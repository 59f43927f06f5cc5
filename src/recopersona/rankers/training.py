"""Teach a network from lists, and stop when lists that were held out no longer gain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from recopersona.base.descent import Adam
from recopersona.base.progress import progress
from recopersona.data.runs import spread, starts_of
from recopersona.data.types import Array, Floats
from recopersona.kernels.blocks import one_blas_thread
from recopersona.rankers.network import Network

_ROWS_PER_STEP = 2_048
_FEWEST_STEPS = 20  # an epoch, where there are lists enough
_HELD_OUT = 0.15  # of the lists
_FEWEST = 20  # lists; of fewer nothing is held out


class Objective(Protocol):
    """What is to be small: a sum over lists, and its slopes."""

    @property
    def learned(self) -> Sequence[Floats]:
        """What is learned beside the network, in place."""
        ...

    def __call__(
        self, utilities: Floats, rows: Array, bounds: Array
    ) -> tuple[float, Floats, list[Floats]]:
        """Return the loss of some lists, its slope by each utility, and by the own weights.

        utilities  float32 (n,), of the rows named
        rows       int64 (n,), their places among all rows
        bounds     int64 (n_lists + 1,), within ``rows``
        """
        ...


@dataclass(frozen=True)
class Lists:
    """Inputs in lists.

    inputs  float32 (n_rows, f)
    bounds  int64 (n_lists + 1,)
    signs   int8 (f,): the direction asked of each input, or 0
    """

    inputs: Floats
    bounds: Array
    signs: Array

    def rows(self, lists: Array) -> tuple[Array, Array]:
        """Return the rows of some lists, and their bounds."""
        sizes = np.diff(self.bounds)[lists]
        return spread(self.bounds[lists], sizes), starts_of(sizes)


@dataclass
class Training:
    """Adam over lists in random order, its rate falling to nothing; the best epoch stays.

    Parameters
    ----------
    epochs, learning_rate, reg, dropout, patience
        As in `NeuralRanker`.
    random : Generator
        Draws what is held out, the order, and what is hidden.
    owner : str
        Whose bar of progress it is.

    Attributes
    ----------
    history : list of dict
        Per epoch ``iteration`` from 1, ``loss`` and ``held_out`` (None without held-out lists),
        both per list.
    """

    epochs: int
    learning_rate: float
    reg: float
    dropout: float
    patience: int | None
    random: np.random.Generator
    owner: str
    history: list[dict[str, float | None]] = field(default_factory=list)

    def run(self, network: Network, lists: Lists, objective: Objective) -> Network:
        """Teach the network and what the objective learns beside it."""
        random = self.random
        filled = random.permutation(np.flatnonzero(np.diff(lists.bounds)))
        n_held = int(len(filled) * _HELD_OUT) if len(filled) >= _FEWEST else 0
        held, taught = np.sort(filled[:n_held]), np.sort(filled[n_held:])
        learned = [*network.weights, *objective.learned]
        adam, best, waited = Adam(learned, self.reg), np.inf, 0
        network.keep_signs(lists.signs)
        kept = [weight.copy() for weight in learned]
        size = _lists_per_step(lists.bounds, len(taught))
        n_steps = self.epochs * -(-len(taught) // size)
        for epoch in progress(range(self.epochs if len(taught) else 0), self.owner):
            shuffled, loss = random.permutation(taught), 0.0
            for start in range(0, len(shuffled), size):
                rate = self.learning_rate * (1 - adam.n_taken / n_steps)
                some = np.sort(shuffled[start : start + size])
                loss += self._step(network, lists, some, objective, adam, rate, random)
            told = self._loss(network, lists, held, objective) / n_held if n_held else None
            self.history.append(
                {"iteration": epoch + 1, "loss": loss / len(taught), "held_out": told}
            )
            judged = loss / len(taught) if told is None else told
            waited = 0 if judged < best else waited + 1
            if judged < best:
                best, kept = judged, [weight.copy() for weight in learned]
            elif self.patience is not None and waited >= self.patience:
                break
        for weight, good in zip(learned, kept, strict=True):
            weight[:] = good
        return network

    def _step(
        self, network: Network, lists: Lists, some: Array, objective: Objective, adam: Adam,
        rate: float, random: np.random.Generator,
    ) -> float:  # fmt: skip
        rows, bounds = lists.rows(some)
        inputs = lists.inputs[rows]
        if self.dropout:
            kept = random.random(inputs.shape, np.float32) >= self.dropout
            inputs *= kept * np.float32(1 / (1 - self.dropout))
        with one_blas_thread():
            hidden = network.hidden(inputs)
            utilities = hidden @ network.outer_ + inputs @ network.linear_ + network.level_
            loss, by_utility, own = objective(utilities, rows, bounds)
            by_utility = (by_utility / np.float32(len(some))).astype(np.float32, copy=False)
            slopes = network.slopes(inputs, hidden, by_utility)
        adam.step([*slopes, *(slope / np.float32(len(some)) for slope in own)], rate)
        network.keep_signs(lists.signs)
        return loss

    @staticmethod
    def _loss(network: Network, lists: Lists, held: Array, objective: Objective) -> float:
        rows, bounds = lists.rows(held)
        return objective(network.utilities(lists.inputs[rows]), rows, bounds)[0]


def _lists_per_step(bounds: Array, n_taught: int) -> int:
    """Return how many lists make a step: about so many rows, but steps enough."""
    per_list = max(1.0, bounds[-1] / max(1, len(bounds) - 1))
    return int(np.clip(_ROWS_PER_STEP / per_list, 1, max(1, n_taught // _FEWEST_STEPS)))


def are_passes(value: Any) -> bool:
    """Tell whether what came from a file is a history."""
    return isinstance(value, list) and all(
        isinstance(row, dict)
        and all(one is None or isinstance(one, (int, float)) for one in row.values())
        and all(isinstance(name, str) for name in row)
        for row in value
    )
