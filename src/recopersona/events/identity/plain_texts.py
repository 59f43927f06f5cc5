"""Text made plain: what two people type differently and mean alike, written in one way.

Whatever comes in is bounded first: what is longer than any e-mail, name or address is refused
before anything walks over it twice.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from decimal import Decimal
from enum import Enum
from numbers import Real
from typing import Any

from recopersona.data.ids import is_missing
from recopersona.events.identifiers import bare, is_no_id, text_of


class Unusable(Enum):
    """Why a value is no identifier, in words that never hold the value."""

    NOT_TEXT = "no text"
    TOO_LONG = "longer than any e-mail, name or address is"
    UNPRINTABLE = "a control character, half a character or a damaged one within"
    SEVERAL = "more than one e-mail in one cell"
    MALFORMED = "not what it should be"
    NO_COUNTRY = "a phone number without its country, and no region was given"
    PLACEHOLDER = "a well-known placeholder, which many people share"

    @property
    def code(self) -> str:
        """The reason as a word, such as ``too_long``."""
        return self.name.lower()


def text_in(value: Any, numbers: bool = False) -> str | Unusable | None:
    """Return the text of a cell, None where there is none; whole numbers only where asked for.

    Examples
    --------
    >>> text_in("tea"), text_in(None), text_in("null"), text_in([7]), text_in(7.0, numbers=True)
    ('tea', None, None, <Unusable.NOT_TEXT: 'no text'>, '7')
    """
    if isinstance(value, str):
        return None if is_no_id(value) else value
    if is_missing(value):
        return None
    whole = whole_number(value) if numbers else None
    return Unusable.NOT_TEXT if whole is None else text_of(whole)


def whole_number(value: Any) -> int | None:
    """Return a whole number of any type, None where it is none or beyond all phone numbers."""
    if isinstance(value, bool) or not isinstance(value, (Real, Decimal)):
        return None
    try:
        number: Any = value
        # A decimal of a billion digits is never written out.
        return int(number) if abs(number) < _BEYOND_PHONES and number == int(number) else None
    except (ArithmeticError, ValueError, TypeError):  # what only claims to be a number
        return None


def plain_text(text: str, longest: int) -> str | Unusable:
    r"""Return a text in Unicode's NFKC, blanks as single spaces, invisible characters left out.

    Examples
    --------
    >>> plain_text("  \uff21nna\t\u200bBerg ", 100)
    'Anna Berg'
    >>> plain_text("x" * 10_000_000, 100), plain_text("a\0b", 100)
    (<Unusable.TOO_LONG: '...'>, <Unusable.UNPRINTABLE: '...'>)
    """
    text = bare(text)
    if len(text) > longest:
        return Unusable.TOO_LONG
    if not text.isascii():
        text = _normal_form(text)
    text = " ".join(text.split())
    if not text.isprintable() or "\ufffd" in text:
        return Unusable.UNPRINTABLE
    return within(text, longest)


def within(text: str, longest: int) -> str | Unusable:
    """Return a text that is not too long; canonical forms may be longer than what came."""
    return text if len(text) <= longest else Unusable.TOO_LONG


def settled(change: Callable[[str], str], text: str) -> str:
    """Apply a change until nothing changes, so that another time would change nothing either."""
    for _ in range(_ROUNDS):
        changed = change(text)
        if changed == text:
            break
        text = changed
    return text


def words_in(text: str) -> list[str]:
    """Return a plain text as words in small letters, without accents and apostrophes.

    Letters that are no base letter with an accent are written as the passport office does: ``ß``
    as ss, ``ø`` as o, ``æ`` as ae, ``ł`` as l, ``þ`` as th. Other scripts keep their letters.

    Examples
    --------
    >>> words_in("Łucja O'Neill-Strauß")
    ['lucja', 'oneill', 'strauss']
    """
    if text.isascii():
        return text.lower().translate(_WITHOUT_APOSTROPHES).translate(_ASCII_BREAKS).split()
    return _BREAK.sub(_mark_or_break, settled(_folded, text)).split()


def as_apostrophes(text: str) -> str:
    """Write the accents and quotes that people type for an apostrophe as one."""
    return text.translate(_AS_APOSTROPHES)


_BEYOND_PHONES = 10**18
_ROUNDS = 8  # three are enough for every text of two characters
_APOSTROPHES = "'`´‘’ʹʻʼʽʾʿ′‛＇"  # noqa: RUF001
_AS_APOSTROPHES = str.maketrans(dict.fromkeys(_APOSTROPHES, "'"))
_WITHOUT_APOSTROPHES = str.maketrans(dict.fromkeys(_APOSTROPHES, ""))
_LETTERS = str.maketrans(
    {"ß": "ss", "ø": "o", "æ": "ae", "œ": "oe", "ł": "l", "đ": "d", "ð": "d", "þ": "th"}
    | {"ı": "i", "ħ": "h", "ŋ": "n", "ŧ": "t", "ĸ": "k"}  # noqa: RUF001
)
_ACCENTS = str.maketrans(dict.fromkeys(map(chr, range(0x300, 0x370)), ""))
_BREAK = re.compile(r"\W|_")
_ASCII_BREAKS = str.maketrans({chr(code): " " for code in range(128) if not chr(code).isalnum()})


def _normal_form(text: str) -> str:
    if not text.isprintable():
        text = "".join(map(_shown, text))
    return unicodedata.normalize("NFKC", text)


def _shown(character: str) -> str:
    kind = unicodedata.category(character)
    if kind == "Cf":  # zero-width spaces, soft hyphens, marks of direction
        return ""
    return " " if kind[0] == "Z" else character


def _folded(text: str) -> str:
    base = text.casefold().translate(_WITHOUT_APOSTROPHES).translate(_LETTERS)
    apart = unicodedata.normalize("NFKD", base)
    return unicodedata.normalize("NFKC", apart.translate(_ACCENTS)).casefold()


def _mark_or_break(found: re.Match[str]) -> str:
    # A vowel sign of Hindi or Thai is a mark, no letter, and part of its word.
    return found[0] if unicodedata.category(found[0])[0] == "M" else " "
