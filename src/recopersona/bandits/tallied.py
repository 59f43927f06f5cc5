"""Policies that keep three sums per arm: how many rewards, their sum, and that of their squares."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from recopersona.bandits.policy import Policy
from recopersona.base.recommender import require_array
from recopersona.data.types import Array, Indices, Values
from recopersona.errors import DataError
from recopersona.kernels.bandits import share_best, tally, tally_means


class TalliedPolicy(Policy):
    """A policy whose state is sums; a subclass writes ``_chances``, and ``_means`` if it must.

    Attributes
    ----------
    trials_, totals_, squares_ : float64 (n_rows, n_arms)
        Of all rewards in row 0; further rows are of segments, where a policy tells them apart.
    """

    _by_arm: ClassVar[tuple[str, ...]] = ("trials_", "totals_", "squares_")

    def _start(self, n_arms: int) -> None:
        self.trials_, self.totals_, self.squares_ = (np.zeros((1, n_arms)) for _ in range(3))

    def _absorb(self, places: Indices, rewards: Values, weights: Values, cells: Any) -> None:
        sums = self.trials_, self.totals_, self.squares_
        tally(*sums, places, cells, rewards, weights, self._discount)

    def _correct(self, place: int, old: float, new: float, weight: float, cell: Any) -> None:
        for row in {0, max(int(cell[0]), 0)}:
            self.totals_[row, place] += weight * (new - old)
            self.squares_[row, place] += weight * (new**2 - old**2)

    def _means(self, places: Indices, cell: Any) -> Values:
        """Return the mean of each arm's rewards and one more, the mean of all: so cold arms."""
        means = np.empty(len(places))
        tally_means(means, self.trials_, self.totals_, places)
        return means

    def _check_learned(self) -> None:
        super()._check_learned()
        held: Any = vars(self)
        shape = (self._n_rows(), len(self.arms_))
        for name in self._by_arm:
            require_array(held.get(name), np.float64, shape, name)
            if not np.isfinite(held[name]).all():
                raise DataError(f"{type(self).__name__}: {name} must be finite.")
        if (self.trials_ < -1e-6).any():
            raise DataError(f"{type(self).__name__}: trials_ must be at least 0.")
        if self.recent_ is not None and hasattr(self.recent_, "cells_"):
            require_array(self.recent_.cells_, np.int32, (None,), "cells_")
            if (self.recent_.cells_ >= shape[0]).any():
                raise DataError(f"{type(self).__name__}: a window names a segment there is not.")

    def _n_rows(self) -> int:
        return 1


def shared_best(scores: Array) -> Values:
    """Return probabilities that the best share evenly: no tie is broken to the first arm.

    Examples
    --------
    >>> shared_best(np.array([0.2, 0.5, 0.5]))
    array([0. , 0.5, 0.5])
    """
    chances = np.empty(len(scores))
    share_best(chances, scores)
    return chances
