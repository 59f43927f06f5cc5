"""Chance that can be had again: bits that follow from words alone, on every machine."""

from __future__ import annotations

from hashlib import blake2b
from math import ceil
from typing import Any

import numpy as np

from recopersona.data.types import Id
from recopersona.errors import DataError, shown

_BYTES_AT_ONCE = 64  # of one BLAKE2b digest


def told_apart(words: tuple[str, ...]) -> bytes:
    """Write words so that no other words are written alike: each after its length.

    Examples
    --------
    >>> told_apart(("ab", "c")) == told_apart(("a", "bc"))
    False
    """
    written = [word.encode("utf-8", "surrogatepass") for word in words]
    return b"".join(b"%d:%b" % (len(word), word) for word in written)


def keyed_bits(n: int, *words: str) -> list[bool]:
    """Return fair coins that follow from words: the first of more are the same.

    Examples
    --------
    >>> keyed_bits(4, "visit 1"), keyed_bits(4, "visit 2")
    ([False, False, False, True], [True, False, False, False])
    """
    key = told_apart(words)
    digests = [
        blake2b(key, digest_size=_BYTES_AT_ONCE, salt=block.to_bytes(16, "little")).digest()
        for block in range(ceil(n / (8 * _BYTES_AT_ONCE)))
    ]
    bits = np.unpackbits(np.frombuffer(b"".join(digests), np.uint8))[:n]
    coins: list[bool] = bits.astype(bool).tolist()
    return coins


def text_of_id(value: Id, what: str) -> str:
    """Write an id as text: 7, ``"7"`` and 7.0 (a 7 from a column with gaps) are one.

    Raises
    ------
    DataError
        If it is missing, or neither text nor a whole number.

    Examples
    --------
    >>> text_of_id(7.0, "a unit"), text_of_id("anna", "a unit")
    ('7', 'anna')
    """
    plain: Any = value.item() if isinstance(value, np.generic) else value
    if isinstance(plain, str):
        return plain
    if isinstance(plain, float) and plain.is_integer():
        plain = int(plain)
    if isinstance(plain, int) and not isinstance(plain, bool):
        return str(plain)
    raise DataError(f"{what} must be text or a whole number, got {shown(value)}.")
