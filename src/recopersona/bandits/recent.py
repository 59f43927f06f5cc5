"""The latest rewards, for policies that look at no more than those."""

from __future__ import annotations

from typing import Any

import numpy as np

from recopersona.base.parameters import param, whole
from recopersona.base.part import Part
from recopersona.base.recommender import require_array
from recopersona.data.types import Array, Indices, Values
from recopersona.errors import DataError

Rewards = tuple[Indices, Values, Values, Array]
"""Places of arms, rewards, weights, and what each choice depended on."""


class Recent(Part):
    """A sliding window over rewards.

    Parameters
    ----------
    size : int

    Attributes
    ----------
    places_, rewards_, weights_, cells_ : arrays, oldest first
    pushed_ : int
        How many have come since sums were last made afresh.
    """

    size: int = param(whole(at_least=1), default=1_000)

    def push(self, places: Indices, rewards: Values, weights: Values, cells: Array) -> Rewards:
        """Add rewards; return those that fall out, which may be among the new."""
        came = (places, rewards, weights, cells)
        if not hasattr(self, "places_"):
            self._hold(came)
            self.pushed_ = 0
        else:
            pairs: Any = zip(self.held(), came, strict=True)
            self._hold(tuple(np.concatenate(pair) for pair in pairs))
        self.pushed_ += len(places)
        over = max(len(self.places_) - self.size, 0)
        gone = tuple(array[:over] for array in self.held())
        self._hold(tuple(array[over:].copy() for array in self.held()))
        return gone  # type: ignore[return-value]

    def held(self) -> Rewards:
        """Return all that is in the window."""
        return self.places_, self.rewards_, self.weights_, self.cells_

    def _hold(self, arrays: Any) -> None:
        self.places_, self.rewards_, self.weights_, self.cells_ = arrays

    def is_due(self) -> bool:
        """Tell, once in a whole window, that sums are to be made afresh: rounding adds up."""
        due = self.pushed_ >= self.size
        if due:
            self.pushed_ = 0
        return due

    def revise(self, place: int, old: float, new: float, cell: Array) -> float | None:
        """Change the latest reward of this kind; return its weight, None where there is none."""
        if not hasattr(self, "places_"):
            return None
        same = (self.places_ == place) & (self.rewards_ == old)
        found = np.flatnonzero(same & (self.cells_ == cell).reshape(len(same), -1).all(axis=1))
        if not len(found):
            return None
        self.rewards_[found[-1]] = new
        return float(self.weights_[found[-1]])

    def forget(self, place: int) -> None:
        """Leave out an arm; those after it move up."""
        if hasattr(self, "places_"):
            kept = self.places_ != place
            self._hold(tuple(array[kept] for array in self.held()))
            self.places_ = (self.places_ - (self.places_ > place)).astype(np.int32)

    def check_arms(self, n_arms: int, size: int | None) -> None:
        """Check what came from a file."""
        held: Any = vars(self)
        if self.size != size:
            raise DataError("the window's size is not that of its policy.")
        if "places_" not in held:
            return
        n = len(self.places_)
        require_array(self.places_, np.int32, (None,), "places_")
        for name in ("rewards_", "weights_"):
            require_array(held.get(name), np.float64, (n,), name)
            if not np.isfinite(held[name]).all():
                raise DataError(f"{name} of a window must be finite.")
        if not isinstance(held.get("cells_"), np.ndarray) or len(self.cells_) != n:
            raise DataError("a window holds as many contexts as rewards.")
        if n > self.size or (n and not 0 <= self.places_.min() <= self.places_.max() < n_arms):
            raise DataError("a window holds no more rewards than its size, of arms that there are.")
        if not isinstance(held.get("pushed_"), int) or not 0 <= self.pushed_ < self.size:
            raise DataError("a window counts what came since it last turned.")
