"""A small network that judges rows: its utility, its slopes, and exact shares of its inputs."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from recopersona.base.part import Part
from recopersona.base.recommender import require_array
from recopersona.data.types import Array, Floats
from recopersona.errors import DataError
from recopersona.kernels.blocks import one_blas_thread

_ROWS_AT_ONCE = 16_384
_SMALL = 1e-3


class Network(Part):
    r"""One hidden layer, and a straight way past it.

    .. math:: u(z) = d + z \cdot b + \tanh(z W + c) \cdot v

    Where a sign is asked of an input, its b and W keep that sign and v is not negative: u then
    never falls (or never rises) in it. That takes nothing from the other inputs, as
    :math:`v \tanh(a) = -v \tanh(-a)`.

    Attributes
    ----------
    linear_ : float32 (f,)
    inner_ : float32 (f, hidden)
    biases_, outer_ : float32 (hidden,)
    level_ : float32 (1,)
    """

    def start(self, n_inputs: int, hidden: int, level: float, random: np.random.Generator) -> Self:
        """Begin with small weights, and the same utility for all rows."""
        scale = 1 / np.sqrt(max(1, n_inputs))
        self.inner_ = random.normal(0, scale, (n_inputs, hidden)).astype(np.float32)
        self.outer_ = np.abs(random.normal(0, 0.1, hidden)).astype(np.float32)
        self.biases_ = np.zeros(hidden, np.float32)
        self.linear_ = np.zeros(n_inputs, np.float32)
        self.level_ = np.full(1, level, np.float32)
        return self

    @property
    def weights(self) -> list[Floats]:
        """All there is to learn."""
        return [self.linear_, self.inner_, self.biases_, self.outer_, self.level_]

    def put(self, weights: list[Floats]) -> None:
        """Take other weights, in the same order."""
        for own, other in zip(self.weights, weights, strict=True):
            own[:] = other

    def hidden(self, inputs: Floats) -> Floats:
        """Return the hidden units of rows."""
        units: Floats = np.tanh(inputs @ self.inner_ + self.biases_)
        return units

    def utilities(self, inputs: Floats) -> Floats:
        """Return u of every row, float32 (n,)."""
        found = np.empty(len(inputs), np.float32)
        with one_blas_thread():
            for start in range(0, len(inputs), _ROWS_AT_ONCE):
                rows = inputs[start : start + _ROWS_AT_ONCE]
                u = self.hidden(rows) @ self.outer_ + rows @ self.linear_ + self.level_
                found[start : start + len(rows)] = u
        return found

    def slopes(self, inputs: Floats, hidden: Floats, by_utility: Floats) -> list[Floats]:
        """Return the slopes of a loss by every weight, from those by the utilities (n,)."""
        inside = by_utility[:, None] * self.outer_ * (1 - hidden * hidden)
        return [
            by_utility @ inputs,
            inputs.T @ inside,
            inside.sum(axis=0),
            by_utility @ hidden,
            by_utility.sum(keepdims=True),
        ]

    def keep_signs(self, signs: Array) -> None:
        """Set weights on the wrong side of 0 to 0.

        signs  int8 (f,): 1, -1, or 0 for an input that may do as it likes
        """
        if not signs.any():
            return
        for sign in (1, -1):
            bound = signs == sign
            self.linear_[bound] = sign * np.maximum(sign * self.linear_[bound], 0)
            self.inner_[bound] = sign * np.maximum(sign * self.inner_[bound], 0)
        np.maximum(self.outer_, 0, out=self.outer_)

    def shares(self, inputs: Floats) -> NDArray[np.float64]:
        r"""Return what each input adds to u, beyond u of the mean row (all inputs 0).

        The slopes are summed along the straight way from the mean row to the row. With one hidden
        layer that integral has a closed form: unit h moves from :math:`c_h` by
        :math:`a_h = (z W)_h`, and input j has its part in that move,

        .. math:: s_j = z_j b_j +
            \sum_h v_h \frac{z_j W_{jh}}{a_h} \left( \tanh(c_h + a_h) - \tanh(c_h) \right)

        so that the shares add up exactly: float64 (n, f).

        References
        ----------
        Sundararajan, Taly & Yan (2017), "Axiomatic attribution for deep networks", section 3.
        """
        linear, inner, biases, outer = (
            weight.astype(np.float64)
            for weight in (self.linear_, self.inner_, self.biases_, self.outer_)
        )
        z = inputs.astype(np.float64)
        with one_blas_thread():
            move = z @ inner
            near = np.abs(move) < _SMALL  # there the slope in the middle is as good
            rise = np.tanh(biases + move) - np.tanh(biases)
            middle = 1 - np.tanh(biases + move / 2) ** 2
            slope = np.where(near, middle, rise / np.where(near, 1, move))
            shares: NDArray[np.float64] = z * (linear + (slope * outer) @ inner.T)
        return shares

    @property
    def base(self) -> float:
        """The utility of the mean row."""
        outer = self.outer_.astype(np.float64)
        return float(self.level_[0] + np.tanh(self.biases_.astype(np.float64)) @ outer)

    def _check_learned(self) -> None:
        held: Any = vars(self)
        require_array(held.get("inner_"), np.float32, (None, None), "network_.inner_")
        f, h = self.inner_.shape
        for name, shape in {
            "linear_": (f,),
            "biases_": (h,),
            "outer_": (h,),
            "level_": (1,),
        }.items():
            require_array(held.get(name), np.float32, shape, f"network_.{name}")
        if not all(np.isfinite(weight).all() for weight in self.weights):
            raise DataError("the weights of a network must be finite numbers.")
