"""A sieve for bytes: where any of many words may stand, at the same cost for one and for many."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from recopersona.data.types import Array
from recopersona.kernels.words import mark_words, put_words

_LONGEST = 24  # a word of more bytes is sought by its first


class Sieve:
    """Some words, to be marked where they may begin; a mark is seldom wrong, and none is left out.

    Parameters
    ----------
    words : iterable of bytes
        Of at least one byte.
    whole : bool
        Whether a word is looked for only where no letter or digit is behind it and, where it is of
        digits, no digit before it.

    Examples
    --------
    >>> Sieve([b"u-17", b"7"], whole=True).places(b"u-17, u-170, 17, 7")
    array([ 0, 17])
    """

    def __init__(self, words: Iterable[bytes], *, whole: bool = False) -> None:
        by_form: dict[tuple[int, int], set[bytes]] = {}
        for word in words:
            start = word[:_LONGEST]
            around = 0 if not whole or start != word else 2 if word.isdigit() else 1
            by_form.setdefault((len(start), around), set()).add(start)
        self._tables = {form: _table(starts, form[0]) for form, starts in by_form.items()}

    def places(self, data: bytes) -> Array:
        """Return the places where words may begin, ascending, int64."""
        read = np.frombuffer(data, np.uint8)
        marks = np.zeros(len(read), np.uint8)
        for (length, around), (table, n_bits) in self._tables.items():
            mark_words(marks, read, table, length, n_bits, around)
        places: Array = np.flatnonzero(marks)
        return places


def _table(words: set[bytes], length: int) -> tuple[Array, int]:
    """Return the table of words of one length, and how many bits a place in it has."""
    n_bits = max(8, (4 * len(words)).bit_length())
    table = np.zeros(1 << n_bits, np.uint64)
    put_words(table, np.frombuffer(b"".join(sorted(words)), np.uint8), length, n_bits)
    return table, n_bits
