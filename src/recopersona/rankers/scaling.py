"""Columns of any scale made inputs of a network: centred, far values tamed, gaps told."""

from __future__ import annotations

from typing import Any, Self

import numpy as np

from recopersona.base.part import Part
from recopersona.base.recommender import require_array
from recopersona.data.types import Array, Floats
from recopersona.errors import DataError

_ROWS_AT_ONCE = 65_536
_FARTHEST = np.float32(1e30)
_ROWS_ENOUGH = 200_000  # for quantiles


class Scaling(Part):
    r"""Bring columns to one scale, whatever theirs.

    .. math:: x' = \frac{x - \mathrm{median}}{\mathrm{quartile\ distance}}, \qquad
              z = \frac{\mathrm{sign}(x') \ln(1 + |x'|) - \mu}{\sigma}

    A value that is missing (or infinite) becomes the mean, 0; a column with gaps gets a second
    input, which says where they are. Every step keeps the order of a column's values.

    Attributes
    ----------
    centers_, spreads_, means_, deviations_ : float32 (f,)
        A column without two different values has deviation 0: it becomes 0.
    gapped_ : int64 (n_gapped,)
        The columns with gaps.
    gap_means_, gap_deviations_ : float32 (n_gapped,)

    Examples
    --------
    >>> matrix = np.array([[1, 5], [10, 5], [1e6, 5], [np.nan, 5]], np.float32)
    >>> scaling = Scaling().fit(matrix)
    >>> scaling.inputs(matrix).astype(float).round(1).tolist()
    [[-0.7, 0.0, -0.6], [-0.7, 0.0, -0.6], [1.4, 0.0, -0.6], [0.0, 0.0, 1.7]]
    """

    def fit(self, matrix: Floats) -> Self:
        """Learn from a float32 matrix (n, f)."""
        n, f = matrix.shape
        finite = np.isfinite(matrix)
        n_known = finite.sum(axis=0)
        self.centers_, self.spreads_ = np.zeros(f, np.float32), np.ones(f, np.float32)
        step = max(1, n // _ROWS_ENOUGH)
        for column in np.flatnonzero(n_known):
            known = matrix[finite[:, column], column][:: max(1, min(step, n_known[column] // 1000))]
            low, self.centers_[column], high = np.quantile(known, [0.25, 0.5, 0.75])
            distance = high - low or np.abs(known - self.centers_[column]).mean(dtype=np.float64)
            self.spreads_[column] = distance if distance > 0 else 1
        self.means_, self.deviations_ = np.zeros(f, np.float32), np.ones(f, np.float32)
        self.gapped_ = np.empty(0, np.int64)
        self.gap_means_ = self.gap_deviations_ = np.empty(0, np.float32)
        tamed = self.inputs(matrix)
        n_known = np.maximum(n_known, 1)
        means = tamed.sum(axis=0, dtype=np.float64) / n_known
        squares = np.square(tamed, dtype=np.float64).sum(axis=0) / n_known - means**2
        alike = squares <= 1e-10 * np.maximum(means**2, 1)
        self.means_ = means.astype(np.float32)
        self.deviations_ = np.where(alike, 0, np.sqrt(np.maximum(squares, 0))).astype(np.float32)
        shares = 1 - finite.mean(axis=0) if n else np.zeros(f)
        self.gapped_ = np.flatnonzero((shares > 0) & (shares < 1))
        self.gap_means_ = shares[self.gapped_].astype(np.float32)
        self.gap_deviations_ = np.sqrt(self.gap_means_ * (1 - self.gap_means_))
        return self

    def inputs(self, matrix: Floats) -> Floats:
        """Return what the network is told, float32 (n, f + n_gapped)."""
        n, f = matrix.shape
        found = np.empty((n, f + len(self.gapped_)), np.float32)
        inverse = np.zeros_like(self.deviations_)
        np.divide(1, self.deviations_, out=inverse, where=self.deviations_ > 0)
        for start in range(0, n, _ROWS_AT_ONCE):
            rows = matrix[start : start + _ROWS_AT_ONCE]
            known = np.isfinite(rows)
            with np.errstate(over="ignore"):  # the farthest are as far as can be
                z = (rows - self.centers_) / self.spreads_
            z = np.copysign(np.log1p(np.minimum(np.abs(z), _FARTHEST)), z)
            z = np.where(known, (z - self.means_) * inverse, 0)
            found[start : start + len(rows), :f] = z
            gaps = (~known[:, self.gapped_] - self.gap_means_) / self.gap_deviations_
            found[start : start + len(rows), f:] = gaps
        return found

    @property
    def columns(self) -> Array:
        """Of which column each input tells, int64 (f + n_gapped,)."""
        return np.concatenate([np.arange(len(self.centers_)), self.gapped_])

    def _check_learned(self) -> None:
        held: Any = vars(self)
        require_array(held.get("centers_"), np.float32, (None,), "scaling_.centers_")
        require_array(held.get("gapped_"), np.int64, (None,), "scaling_.gapped_")
        f, n_gapped = len(self.centers_), len(self.gapped_)
        sizes = {"spreads_": f, "means_": f, "deviations_": f,
                 "gap_means_": n_gapped, "gap_deviations_": n_gapped}  # fmt: skip
        for name, size in sizes.items():
            require_array(held.get(name), np.float32, (size,), f"scaling_.{name}")
        if not all(np.isfinite(held[name]).all() for name in ("centers_", *sizes)):
            raise DataError("the scales of columns must be finite numbers.")
        if not (self.spreads_ > 0).all() or not (self.gap_deviations_ > 0).all():
            raise DataError("spreads of columns must be above 0.")
        if ((self.gapped_ < 0) | (self.gapped_ >= f)).any():
            raise DataError("the columns with gaps must be among the columns.")
