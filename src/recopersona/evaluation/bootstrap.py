"""How far a mean may be off: the same users drawn again, many times, for all columns at once."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from recopersona.base.parameters import generator
from recopersona.kernels.blocks import cut, run_blocks

_DRAWS_PER_BLOCK = 1 << 20  # 8 MB of counts per thread, whatever the number of users


def bootstrap_means(
    sums: NDArray[np.float64], counts: NDArray[np.float64], n_boot: int, random_state: Any
) -> NDArray[np.float64]:
    r"""Return the columns' means over users drawn with replacement, once per resample.

    With :math:`c_{bu}` the times that resample :math:`b` draws user :math:`u`,

    .. math:: m_{bj} = \sum_u c_{bu} s_{uj} \Big/ \sum_u c_{bu} n_u

    All columns share the draws, so differences of columns are paired. Whoever has several values
    (one per fold) is drawn with all of them.

    Parameters
    ----------
    sums : float64 (n_users, n_columns)
        Each user's values, added up.
    counts : float64 (n_users,)
        How many values each user has, at least 1.
    n_boot : int
    random_state : int, RandomState or None
        The same seed draws the same users, whatever the number of threads.

    Returns
    -------
    float64 (n_boot, n_columns)

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
    n_users = len(sums)
    columns = np.column_stack([sums, counts])
    blocks = cut(n_boot, max(1, _DRAWS_PER_BLOCK // n_users))
    seeds = dict(zip(blocks, generator(random_state).spawn(len(blocks)), strict=True))

    def draw(start: int, end: int) -> NDArray[np.float64]:
        random = seeds[start, end]
        times = np.empty((end - start, n_users))
        for row in times:
            row[:] = np.bincount(random.integers(n_users, size=n_users), minlength=n_users)
        totals: NDArray[np.float64] = times @ columns
        return totals

    totals = np.concatenate(run_blocks(draw, blocks))
    means: NDArray[np.float64] = totals[:, :-1] / totals[:, -1:]
    return means
