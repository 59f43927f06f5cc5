"""Chance that is a function: the same question, the same answer, whoever asks and in any order."""

from __future__ import annotations

from hashlib import blake2b

import numpy as np

from recopersona.data.types import Array, Values


def chance_key(*parts: object) -> int:
    """Return a number of 64 bits that stands for all parts together.

    Examples
    --------
    >>> chance_key(7, "visit", 3) == chance_key(7, "visit", 3) != chance_key(7, "visit", 4)
    True
    """
    text = ":".join(map(str, parts)).encode("utf-8", "surrogatepass")
    return int.from_bytes(blake2b(text, digest_size=8).digest(), "little")


def chances_of(keys: Array | int, numbers: Array) -> Values:
    """Return a number from 0 to 1 per key and number, evenly spread: SplitMix64.

    Examples
    --------
    >>> drawn = chances_of(chance_key(0, "likes"), np.arange(100_000))
    >>> bool(drawn.min() > 0), bool(drawn.max() < 1), round(float(drawn.mean()), 2)
    (True, True, 0.5)
    """
    z = np.asarray(numbers).astype(np.uint64)
    z += _ONE
    z *= _STRIDE
    z = z + np.asarray(keys, np.uint64)
    z ^= z >> _BY_30
    z *= _FIRST
    z ^= z >> _BY_27
    z *= _SECOND
    z ^= z >> _BY_31
    z >>= _BY_12
    share: Values = z.astype(np.float64)
    share += 0.5
    share *= 2.0**-52
    return share


_ONE, _STRIDE = np.uint64(1), np.uint64(0x9E3779B97F4A7C15)
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_BY_12, _BY_27, _BY_30, _BY_31 = (np.uint64(bits) for bits in (12, 27, 30, 31))
