"""How far a mean may be off: the same users drawn again, many times, for all columns at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import norm, t

from recopersona.base.parameters import Bound, check, generator, seed, whole
from recopersona.data.types import Array, Values
from recopersona.kernels.blocks import cut, run_blocks

SHARE = Bound("a number between 0 and 1, both excluded", lambda value: 0 < value < 1)

_DRAWS_PER_BLOCK = 1 << 20  # 8 MB of counts per thread, whatever the number of rows


def bootstrap_means(sums: Values, counts: Values, n_boot: int, random_state: Any) -> Values:
    r"""Return the columns' means over users drawn with replacement, once per resample.

    With :math:`c_{bu}` the times that resample :math:`b` draws user :math:`u`,

    .. math:: m_{bj} = \sum_u c_{bu} s_{uj} \Big/ \sum_u c_{bu} n_{uj}

    All columns share the draws, so differences of columns are paired. Whoever has several values
    (one per fold) is drawn with all of them.

    Parameters
    ----------
    sums : float64 (n_users, n_columns)
        Each user's values, added up.
    counts : float64 (n_users,) or (n_users, n_columns)
        How many values each user has: in all columns alike, or in each.
    n_boot : int
    random_state : int, RandomState or None
        The same seed draws the same users, whatever the number of threads.

    Returns
    -------
    float64 (n_boot, n_columns), NaN where nobody drawn has a value

    References
    ----------
    Efron & Tibshirani (1993), "An Introduction to the Bootstrap", chapters 6 and 13.

    Examples
    --------
    >>> values = np.arange(100.0)[:, None]
    >>> means = bootstrap_means(values, np.ones(100), 200, random_state=0)
    >>> means.shape, bool(abs(means.mean() - 49.5) < 1)
    ((200, 1), True)
    """
    n_columns = sums.shape[1]
    totals = resampled_totals(np.column_stack([sums, counts]), n_boot, random_state)
    with np.errstate(invalid="ignore"):
        means: Values = totals[:, :n_columns] / totals[:, n_columns:]
    return means


def resampled_totals(columns: Values, n_boot: int, random_state: Any) -> Values:
    """Return the columns' totals over rows drawn with replacement, float64 (n_boot, n_columns).

    columns  float64 (n_rows, n_columns); all share the draws
    """
    n_rows = len(columns)
    blocks = cut(n_boot, max(1, _DRAWS_PER_BLOCK // n_rows))
    seeds = dict(zip(blocks, generator(random_state).spawn(len(blocks)), strict=True))

    def draw(start: int, end: int) -> Values:
        random = seeds[start, end]
        times = np.empty((end - start, n_rows))
        for row in times:
            row[:] = np.bincount(random.integers(n_rows, size=n_rows), minlength=n_rows)
        totals: Values = times @ columns
        return totals

    return np.concatenate(run_blocks(draw, blocks))


def edges_of(means: Values, n_users: int, confidence: float) -> Array:
    r"""Return between what the means over ``n_users``, at least 2, lie, float64 (2, n_columns).

    Resamples of :math:`n` users vary less than samples do, by :math:`\sqrt{(n - 1) / n}`, and their
    spread is itself a guess; so the share left out on each side is no :math:`\alpha / 2`, but

    .. math:: \Phi\Big(-\sqrt{n / (n - 1)} \; t_{n - 1, \, 1 - \alpha / 2}\Big)

    which is .019 instead of .025 for 30 users, and .0248 for 1,000.

    References
    ----------
    Hesterberg (2015), "What teachers should know about the bootstrap", section 4.1 (the expanded
    percentile interval).

    Examples
    --------
    >>> means = bootstrap_means(np.arange(5.0)[:, None], np.ones(5), 1_000, random_state=0)
    >>> edges_of(means, 5, 0.95).ravel().round(2).tolist()
    [0.39, 3.8]
    """
    n = n_users
    tail = norm.cdf(-np.sqrt(n / (n - 1)) * t.isf((1 - confidence) / 2, n - 1))
    edges: Array = np.nanquantile(means, [tail, 1 - tail], axis=0)
    return edges


@dataclass(frozen=True, eq=False)
class Intervals:
    """Means of columns, and between what they lie; each float64 (n_columns,), NaN where unknown.

    A mean of less than two users has no interval. ``users`` is how many a mean is of.
    """

    mean: Values
    low: Values
    high: Values
    users: Array


@dataclass(frozen=True)
class Resampling:
    """How intervals are made: their confidence, from how many resamples, drawn by which seed."""

    confidence: float = 0.95
    n_boot: int = 1_000
    random_state: Any = 0

    @classmethod
    def checked(cls, owner: str, confidence: Any, n_boot: Any, random_state: Any) -> Resampling:
        """Check the arguments of a public function; a state or no seed becomes one seed for all."""
        check(confidence, SHARE, owner, "confidence")
        check(n_boot, whole(at_least=1), owner, "n_boot")
        check(random_state, seed(), owner, "random_state")
        if not isinstance(random_state, (int, np.integer)):
            random_state = int(generator(random_state).integers(2**32))
        return cls(confidence, n_boot, random_state)

    def of(self, values: Values, users: Array) -> Intervals:
        """Return the intervals of the means of columns.

        Parameters
        ----------
        values : float64 (n_rows, n_columns)
            NaN where a row has no value.
        users : int (n_rows,)
            Whose row each is; who has several is drawn with all.
        """
        units, unit = np.unique(users, return_inverse=True)
        absent = np.isnan(values)
        sums = _summed(np.where(absent, 0.0, values), unit, len(units))
        counts = _summed(~absent, unit, len(units))
        n_users = (counts > 0).sum(axis=0)
        low, high = np.full((2, values.shape[1]), np.nan)
        sizes = np.unique(n_users[n_users > 1]).tolist()
        if sizes:
            alike = counts[:, 0] if not absent.any() else counts
            means = bootstrap_means(sums, alike, self.n_boot, self.random_state)
        for n in sizes:
            those = n_users == n
            low[those], high[those] = edges_of(means[:, those], n, self.confidence)
        with np.errstate(invalid="ignore"):
            mean = sums.sum(axis=0) / counts.sum(axis=0)
        return Intervals(mean, low, high, n_users)


def _summed(values: Array, unit: Array, n_units: int) -> Values:
    """Add up the rows of each user, float64 (n_users, n_columns)."""
    columns = [np.bincount(unit, column, minlength=n_units) for column in values.T]
    return np.stack(columns, axis=1).astype(np.float64)
