"""What policies share that expect of each arm a reward linear in the context."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from recopersona.bandits.logs import RESERVED
from recopersona.bandits.policy import Policy
from recopersona.base.parameters import Bound, optional, param, real
from recopersona.base.recommender import require_array
from recopersona.data.columns import require_columns
from recopersona.data.types import Array, Indices, Mask, Values
from recopersona.errors import ColumnError, DataError
from recopersona.kernels.bandits import learn_ridge, score_ridge

COLUMNS = optional(
    Bound(
        "a list of columns",
        lambda value: not isinstance(value, str) and all(isinstance(name, str) for name in value),
    )
)


class LinearPolicy(Policy):
    r"""A ridge regression per arm, updated as rewards come; a subclass writes ``_chances``.

    .. math:: A_a = \lambda I + \sum w x x^\top, \quad
              \theta_a = A_a^{-1} \sum w r x, \quad
              m_a = x^\top \theta_a, \quad
              s_a = \sqrt{x^\top A_a^{-1} x}

    A cold arm has :math:`A^{-1} = I / \lambda`. Learning a reward costs :math:`O(d^2)`, whatever
    the number of arms (Sherman & Morrison, 1950); a choice :math:`O(d^2)` for each arm that is
    eligible. With ``half_life`` or ``window``, inverses are made afresh when they are next asked
    for, in :math:`O(d^3)` for each arm that changed; a half-life changes all.

    Contexts are vectors of one length, the first that comes; include a constant if rewards need
    one. Without contexts there is nothing but a constant.
    """

    ridge: float = param(real(above=0), default=1.0)
    features: Sequence[str] | None = param(COLUMNS, default=None)

    def _start(self, n_arms: int) -> None:
        self._shape(n_arms, self.inverses_.shape[1] if "inverses_" in vars(self) else 0)

    def _shape(self, n_arms: int, d: int) -> None:
        self.inverses_ = np.tile(np.eye(d) / self.ridge, (n_arms, 1, 1))
        self.responses_, self.coefficients_ = np.zeros((n_arms, d)), np.zeros((n_arms, d))
        forgets = self.half_life is not None or self.window is not None
        self.grams_ = np.zeros((n_arms, d, d)) if forgets else None
        self.stale_ = np.zeros(n_arms, bool)

    def _scores(self, places: Indices, cell: Values) -> tuple[Values, Values]:
        """Return the mean and its uncertainty for each arm."""
        self._refresh()
        means, widths = np.empty(len(places)), np.empty(len(places))
        inverses = self.inverses_.reshape(-1, len(cell))
        score_ridge(means, widths, inverses, self.coefficients_, places, cell)
        return means, widths

    def _means(self, places: Indices, cell: Values) -> Values:
        self._refresh()
        means: Values = self.coefficients_[places] @ cell
        return means

    # -- learning ----------------------------------------------------------------------------

    def _absorb(self, places: Indices, rewards: Values, weights: Values, cells: Values) -> None:
        if self.grams_ is None:
            inverses = self.inverses_.reshape(-1, cells.shape[1])
            state = inverses, self.responses_, self.coefficients_
            learn_ridge(*state, places, cells, rewards, weights)
            return
        if self._discount < 1:
            weights = weights * self._discount ** np.arange(len(places) - 1, -1, -1)
            faded = self._discount ** len(places)
            self.grams_ *= faded
            self.responses_ *= faded
            self.stale_[:] = True
        weighed = cells * weights[:, None]
        np.add.at(self.grams_, places, weighed[:, :, None] * cells[:, None, :])
        np.add.at(self.responses_, places, weighed * rewards[:, None])
        self.stale_[places] = True

    def _refresh(self) -> None:
        """Make what is stale afresh; only policies that forget have such."""
        if self.grams_ is None or not self.stale_.any():
            return
        stale = np.flatnonzero(self.stale_)
        prior = self.ridge * np.eye(self.grams_.shape[1])
        self.inverses_[stale] = np.linalg.inv(self.grams_[stale] + prior)
        self.coefficients_[stale] = np.einsum(
            "kij,kj->ki", self.inverses_[stale], self.responses_[stale]
        )
        self.stale_[:] = False

    def _correct(self, place: int, old: float, new: float, weight: float, cell: Values) -> None:
        self._refresh()
        change = weight * (new - old) * cell[0]
        self.responses_[place] += change
        self.coefficients_[place] += self.inverses_[place] @ change

    # -- contexts ----------------------------------------------------------------------------

    def _cell(self, context: Any) -> Values:
        cell: Values = self._cells([context], 1)[0]
        return cell

    def _cells(self, contexts: Any, n: int) -> Array:
        d = self.inverses_.shape[1]
        if all(context is None for context in contexts):
            contexts = np.ones((n, 1))
        elif isinstance(contexts, list):
            contexts = [self._in_order(context) for context in contexts]
        try:
            cells = np.ascontiguousarray(contexts, np.float64)
        except (TypeError, ValueError):
            raise DataError(
                "a context must be a vector of numbers, of one length for all."
            ) from None
        if cells.ndim != 2 or cells.shape[1] != (d or cells.shape[1]) or not cells.shape[1]:
            raise DataError(
                f"a context must be a vector of {d or 'at least 1'} numbers, got one of shape "
                f"{cells.shape[1:]}."
            )
        if not np.isfinite(cells).all():
            raise DataError("a context must hold finite numbers.")
        if not d:
            self._shape(len(self.arms_), cells.shape[1])
        return cells

    def _in_order(self, context: Any) -> Any:
        """Return a context that names its numbers as a vector in the order of ``features``."""
        by_name = isinstance(context, Mapping)
        if not by_name and not (isinstance(context, pd.Series) and self.features is not None):
            return context
        if self.features is None:
            name = type(self).__name__
            raise DataError(f"a context by name needs {name}(features={list(context)}).")
        lacking = [name for name in self.features if name not in context]
        if lacking:
            raise DataError(f"a context must hold {list(self.features)}; it lacks {lacking}.")
        return [context[name] for name in self.features]

    def _usable(self, contexts: Any, n: int) -> Mask:
        try:
            cells = np.asarray(contexts, np.float64)
            if cells.ndim == 2:
                return np.asarray(np.isfinite(cells).all(axis=1))
        except (TypeError, ValueError):
            pass
        return np.ones(n, bool)

    def _context_columns(self) -> Any:
        def columns(frame: pd.DataFrame) -> list[str]:
            if self.features is not None:
                require_columns(frame, list(self.features), "rows of a log")
                return list(self.features)
            told = [name for name in frame.columns if name not in RESERVED]
            text = [name for name in told if not pd.api.types.is_numeric_dtype(frame[name])]
            if text:
                raise ColumnError(
                    f"the column {text[0]!r} of a log must hold numbers; say which columns make "
                    f"the context with {type(self).__name__}(features=[...])."
                )
            return told

        return columns

    # -- arms and state ----------------------------------------------------------------------

    def _joined(self, n: int) -> None:
        d = self.inverses_.shape[1]
        self.inverses_ = np.concatenate(
            [self.inverses_, np.tile(np.eye(d) / self.ridge, (n, 1, 1))]
        )
        self.responses_ = np.concatenate([self.responses_, np.zeros((n, d))])
        self.coefficients_ = np.concatenate([self.coefficients_, np.zeros((n, d))])
        self.stale_ = np.concatenate([self.stale_, np.zeros(n, bool)])
        if self.grams_ is not None:
            self.grams_ = np.concatenate([self.grams_, np.zeros((n, d, d))])

    def _left(self, place: int) -> None:
        super()._left(place)
        for name in ("inverses_", "responses_", "coefficients_", "stale_", "grams_"):
            if getattr(self, name) is not None:
                setattr(self, name, np.delete(getattr(self, name), place, axis=0))

    def _check_learned(self) -> None:
        super()._check_learned()
        held: Any = vars(self)
        name, n = type(self).__name__, len(self.arms_)
        require_array(held.get("responses_"), np.float64, (n, None), "responses_")
        d = self.responses_.shape[1]
        require_array(held.get("coefficients_"), np.float64, (n, d), "coefficients_")
        require_array(held.get("inverses_"), np.float64, (n, d, d), "inverses_")
        require_array(held.get("stale_"), np.bool_, (n,), "stale_")
        forgets = self.half_life is not None or self.window is not None
        if forgets:
            require_array(held.get("grams_"), np.float64, (n, d, d), "grams_")
        elif held.get("grams_", 0) is not None:
            raise DataError(f"{name}: grams_ goes with a half_life or a window.")
        for array in (self.responses_, self.coefficients_, self.inverses_, self.grams_):
            if array is not None and not np.isfinite(array).all():
                raise DataError(f"{name}: what was learned must be finite.")
        if self.recent_ is not None and hasattr(self.recent_, "cells_"):
            require_array(self.recent_.cells_, np.float64, (None, d), "cells_")
