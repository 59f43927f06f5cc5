"""Sums of numbers whose signs are drawn, for as many draws as wanted."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from recopersona.kernels.compiling import f64, kernel, read, u8, written

USERS_PER_BYTE = 8


@kernel(written(f64, 2), read(f64, 2), read(u8, 2))
def add_signed(
    sums: NDArray[np.float64], differences: NDArray[np.float64], signs: NDArray[Any]
) -> None:
    """Add to every sum its differences, each with the sign that its bit says.

    sums         (n_pairs, n_draws) float64, added to
    differences  (n_pairs, n_users) float64
    signs        (n_groups, n_draws) uint8: bit j of row g says + or - for user 8 g + j

    Eight users have 256 combinations of signs. Their sums are written down once, by doubling, and
    looked up in every draw: an eighth of the additions, and a table that stays in the cache.
    """
    n_pairs, n_users = differences.shape
    table = np.empty(256, np.float64)
    for pair in range(n_pairs):
        for group in range((n_users + 7) // 8):
            table[0] = 0.0
            size = 1
            for user in range(8 * group, min(8 * group + 8, n_users)):
                difference = differences[pair, user]
                for place in range(size):
                    table[size + place] = table[place] + difference
                    table[place] -= difference
                size *= 2
            # Bits of users that there are not are drawn too, and must not say anything.
            for draw in range(signs.shape[1]):
                sums[pair, draw] += table[signs[group, draw] & (size - 1)]
