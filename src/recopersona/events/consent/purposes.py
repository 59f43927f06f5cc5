"""Purposes as words and as bits: what a record speaks of is one number."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from recopersona.data.gate import PURPOSES
from recopersona.errors import ParameterError, hint, shown

_MOST = 62  # bits of a number that stays positive


class Purposes:
    """The purposes of a ledger, in order.

    Parameters
    ----------
    own : iterable of str
        Those beside `PURPOSES`.

    Examples
    --------
    >>> purposes = Purposes(["third_party"])
    >>> purposes.bits_of(["storage", "third_party"]), purposes.words_of(33)
    (33, ['storage', 'third_party'])
    """

    def __init__(self, own: Iterable[str] = ()) -> None:
        self.names = (*PURPOSES, *own)
        self.bits = {name: 1 << place for place, name in enumerate(self.names)}

    def bit_of(self, purpose: Any) -> int:
        """Return the bit of one purpose.

        Raises
        ------
        ParameterError
            If there is none such.
        """
        try:
            return self.bits[purpose]
        except (KeyError, TypeError):
            raise ParameterError(
                f"there is no purpose {shown(purpose)}{hint(purpose, self.names)} "
                "ConsentLedger(purposes=[...]) names more."
            ) from None

    def bits_of(self, purposes: Any) -> int:
        """Return the bits of one purpose, of several, or of ``"all"``."""
        if isinstance(purposes, str):
            return sum(self.bits.values()) if purposes == "all" else self.bit_of(purposes)
        if not isinstance(purposes, Iterable):
            raise ParameterError(f"a purpose must be a word, or several, got {shown(purposes)}.")
        bits = 0
        for purpose in purposes:
            bits |= self.bit_of(purpose)
        if not bits:
            raise ParameterError("a record needs at least one purpose, got none.")
        return bits

    def words_of(self, bits: int) -> list[str]:
        """Return the purposes of some bits."""
        return [name for name, bit in self.bits.items() if bits & bit]


def own_purposes(purposes: Any) -> tuple[str, ...]:
    """Check purposes of a user's own, and return them."""
    if isinstance(purposes, str) or not isinstance(purposes, Iterable):
        raise ParameterError(
            "ConsentLedger: purposes must be words such as ('third_party',), "
            f"got {shown(purposes)}."
        )
    words = tuple(purposes)
    for word in words:
        if not (isinstance(word, str) and word.isidentifier()) or word in (*PURPOSES, "all"):
            raise ParameterError(
                "ConsentLedger: purposes must be new words such as 'third_party', "
                f"got {shown(word)}."
            )
    if len(set(words)) < len(words) or len(words) + len(PURPOSES) > _MOST:
        raise ParameterError(
            f"ConsentLedger: purposes must be distinct and at most {_MOST} with those that "
            f"everybody has, got {len(words)}."
        )
    return words
