"""Draws that depend on nothing but a seed, a key and a number: who asks again, gets the same.

A request's randomness is keyed by (``random_state``, decision id). It is the same on one thread or
two, after a restart, and whatever was asked before.
"""

from __future__ import annotations

from hashlib import blake2b

import numpy as np
from scipy.special import ndtri

from recopersona.data.types import Array, Values

_GOLDEN = 0x9E3779B97F4A7C15
_TO_SHARE = 2.0**-52


def key_of(random_state: int, *names: object) -> int:
    """Return 64 bits that stand for a seed and names.

    Examples
    --------
    >>> key_of(0, "visit 1") == key_of(0, "visit 1"), key_of(0, "visit 1") == key_of(1, "visit 1")
    (True, False)
    """
    key = ":".join(map(str, (random_state, *names))).encode("utf-8", "surrogatepass")
    return int.from_bytes(blake2b(key, digest_size=8).digest(), "little")


def uniform(key: int) -> float:
    """Return one number above 0 and below 1.

    Examples
    --------
    >>> 0 < uniform(key_of(0, "visit 1")) < 1
    True
    """
    return ((key >> 12) + 0.5) * _TO_SHARE


def uniforms(key: int, numbers: Array) -> Values:
    """Return a number above 0 and below 1 for each of some numbers, whatever the others are.

    SplitMix64 (Steele, Lea & Flood, 2014) of the key and the number.

    Examples
    --------
    >>> both = uniforms(key_of(0, "visit 1"), np.array([7, 9]))
    >>> bool(both[1] == uniforms(key_of(0, "visit 1"), np.array([9]))[0])
    True
    """
    z = np.uint64(key) + (numbers.astype(np.uint64) + np.uint64(1)) * np.uint64(_GOLDEN)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    share: Values = ((z ^ (z >> np.uint64(31))) >> np.uint64(12)).astype(np.float64) + 0.5
    return share * _TO_SHARE


def normals(key: int, numbers: Array) -> Values:
    """Return a draw of the standard normal for each of some numbers, whatever the others are."""
    drawn: Values = ndtri(uniforms(key, numbers))
    return drawn
