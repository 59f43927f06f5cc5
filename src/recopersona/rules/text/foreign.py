"""What to say of signs and letters that only look like those of the rule language."""

from __future__ import annotations

from typing import NoReturn
from unicodedata import category, name, normalize

from recopersona.errors import RuleError, shown

_QUOTES = "\u201c\u201d\u201e\u201f\u2018\u2019\u201a\u201b\u00ab\u00bb\u2039\u203a\u2032\u2033"
_SIGNS = {
    "\u2264": "<=", "\u2265": ">=", "\u2260": "!=", "\u2212": "-", "\u2013": "-", "\u2014": "-",
    "\u2010": "-", "\u2011": "-", "\u00d7": "*", "\u00f7": "/", "\u2026": "..", "\u00ac": "NOT",
    "\u2227": "AND", "\u2228": "OR", "\u2208": "IN", "\u2044": "/", "\u2215": "/", "\u22c5": "*",
}  # fmt: skip
# Cyrillic and Greek letters beside the Latin ones that they look like.
_LOOK_ALIKE = str.maketrans(
    "\u0430\u0435\u043e\u0440\u0441\u0443\u0445\u0456\u0458\u0455\u04bb\u0501\u051b\u051d\u0131"
    "\u0410\u0412\u0415\u041a\u041c\u041d\u041e\u0420\u0421\u0422\u0425\u0406\u0408\u0405\u0423"
    "\u03bf\u03b1\u03bd\u03c1\u03b9\u03ba\u0391\u0392\u0395\u0396\u0397\u0399\u039a\u039c\u039d"
    "\u039f\u03a1\u03a4\u03a5\u03a7",
    "aeopcyxijshdqwi"
    "ABEKMHOPCTXIJSY"
    "oavpikABEZHIKMN"
    "OPTYX",
)  # fmt: skip


def refuse_foreign(text: str, word: str, place: int) -> NoReturn:
    """Say which character of a word is none of the language's, and what to write instead."""
    before = next(index for index, character in enumerate(word) if not character.isascii())
    raise RuleError(_problem(word, word[before]), text, place + before)


def _problem(word: str, character: str) -> str:
    if character in _QUOTES:
        return f"quotes are straight, got {character}; write \"text\" or 'text'."
    if character in _SIGNS:
        return f"{_named(character)} is no sign of the rule language; write {_SIGNS[character]}."
    if category(character) in ("Cf", "Cc", "Co", "Cn"):
        return f"the invisible character {_named(character)} stands here; delete it."
    of, dot, rest = word.partition(".")
    plain = normalize("NFKC", word).translate(_LOOK_ALIKE)
    quoted = f'{of}."{rest}"' if dot and of.isascii() else f'"{word}"'
    if plain.isascii() and len(word) == 1:
        return f"{_named(character)} only looks like {plain!r}; write that."
    if plain.isascii():
        likely = f"write {shown(plain)[1:-1]}, or {shown(quoted)[1:-1]} if it is really called so"
        return f"{_named(character)} only looks like a letter of the language; {likely}."
    if character.isalnum():
        return f"{_named(character)} is no letter of the language; write it in quotes: {quoted}."
    return f"{_named(character)} is no sign of the rule language; delete it."


def _named(character: str) -> str:
    """Return ``'ö' (LATIN SMALL LETTER O WITH DIAERESIS)``; of the invisible, only the name."""
    called = name(character, f"U+{ord(character):04X}")
    return f"{character!r} ({called})" if character.isprintable() else called
