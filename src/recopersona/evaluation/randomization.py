"""Could the difference of two models be luck? Their values are exchanged, user by user."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from recopersona.base.parameters import generator
from recopersona.data.types import Values
from recopersona.kernels.blocks import cut, run_blocks
from recopersona.kernels.randomization import USERS_PER_BYTE, add_signed

_DRAWS_PER_BLOCK = 1_024
_BYTES_AT_ONCE = 1 << 12  # with the draws of a block 4 MB of signs per thread, for 32,768 users
_ROUNDING = 1e-12  # of the sum of all differences: sums that differ by less are the same


def randomization_p(differences: Values, n_draws: int, random_state: Any) -> Values:
    r"""Return how likely so large a difference is if each user's two values are swapped at random.

    If the models are equally good, then who of the two gave a user which value is chance: every
    difference :math:`d_u` could as well have had the other sign. With random signs
    :math:`s_{bu} = \pm 1` in :math:`B` draws,

    .. math:: p = \frac{1 + \#\{b : |\sum_u s_{bu} d_u| \ge |\sum_u d_u|\}}{1 + B}

    which is never 0, and at most :math:`\alpha` in a share :math:`\alpha` of all comparisons of
    equals, for any number of users. A user with several values (one per fold) comes with their sum
    and gets one sign: users are drawn independently, folds are not.

    Parameters
    ----------
    differences : float64 (n_pairs, n_users)
        All pairs share their signs. A user with nothing to compare has 0.
    n_draws : int, at least 1
    random_state : int, RandomState or None
        The same seed draws the same signs, whatever the number of threads.

    Returns
    -------
    float64 (n_pairs,), two-sided

    References
    ----------
    Fisher (1935), "The Design of Experiments", section 21; Smucker, Allan & Carterette (2007), "A
    comparison of statistical significance tests for information retrieval evaluation".

    Examples
    --------
    >>> better = np.full(20, 0.1)
    >>> uneven = np.array([0.1, -0.1] * 10)
    >>> randomization_p(np.stack([better, uneven]), 9_999, random_state=0).tolist()
    [0.0001, 1.0]
    """
    differences = np.ascontiguousarray(differences, dtype=np.float64)
    observed = np.abs(differences.sum(axis=1))
    bar = observed - _ROUNDING * np.abs(differences).sum(axis=1)
    blocks = cut(n_draws, _DRAWS_PER_BLOCK)
    seeds = dict(zip(blocks, generator(random_state).spawn(len(blocks)), strict=True))

    def exceeding(start: int, end: int) -> NDArray[np.int64]:
        sums = _signed_sums(differences, end - start, seeds[start, end])
        counts: NDArray[np.int64] = (np.abs(sums) >= bar[:, None]).sum(axis=1)
        return counts

    times = np.sum(run_blocks(exceeding, blocks), axis=0)
    p: Values = (1 + times) / (1 + n_draws)
    return p


def holm(p: Values) -> Values:
    r"""Return p-values that may be compared with one bound however many questions were asked.

    In ascending order, :math:`\tilde p_{(i)} = \max_{j \le i} \min(1, (m - j + 1) p_{(j)})`: the
    chance of calling any two equals different stays below the bound.

    Parameters
    ----------
    p : float64 (m,)
        NaN is no question, and stays.

    Returns
    -------
    float64 (m,)

    References
    ----------
    Holm (1979), "A simple sequentially rejective multiple test procedure".

    Examples
    --------
    >>> holm(np.array([0.01, 0.04, 0.03])).round(3).tolist()
    [0.03, 0.06, 0.06]
    """
    adjusted = np.full(len(p), np.nan)
    asked = np.flatnonzero(~np.isnan(p))
    order = asked[np.argsort(p[asked], kind="stable")]
    factors = np.arange(len(order), 0, -1)
    adjusted[order] = np.maximum.accumulate(np.minimum(factors * p[order], 1.0))
    return adjusted


def _signed_sums(differences: Values, n_draws: int, random: np.random.Generator) -> Values:
    """Return the sums of all differences with random signs, float64 (n_pairs, n_draws)."""
    n_pairs, n_users = differences.shape
    sums = np.zeros((n_pairs, n_draws))
    for start, end in cut(n_users, _BYTES_AT_ONCE * USERS_PER_BYTE):
        n_bytes = -(-(end - start) // USERS_PER_BYTE)
        signs = random.integers(256, size=(n_bytes, n_draws), dtype=np.uint8)
        add_signed(sums, np.ascontiguousarray(differences[:, start:end]), signs)
    return sums
