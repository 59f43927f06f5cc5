"""Postal addresses in one line: words shortened alike, then the numbers, in their order.

Modest on purpose: an address is not taken apart into street, house and town. What two people
write differently most often is brought together (case, accents, punctuation, abbreviations, the
house number before or after the street, the gap in a British or Canadian postcode); what is left
is for comparing by likeness.
"""

from __future__ import annotations

import re

from recopersona.events.identity.plain_texts import (
    Unusable,
    as_apostrophes,
    plain_text,
    within,
    words_in,
)

LONGEST = 500
"""Characters."""

ABBREVIATIONS = {
    short: short_form
    for short_form, *others in (
        line.split()
        for line in (
            "st street str strasse saint",
            "ave avenue av aven",
            "rd road",
            "blvd boulevard boul",
            "ln lane",
            "dr drive drv",
            "ct court crt",
            "pl place platz plaza",
            "sq square",
            "ter terrace tce terr",
            "hwy highway",
            "pkwy parkway",
            "pde parade",
            "cres crescent cr",
            "cl close",
            "cct circuit",
            "apt apartment flat unit wohnung whg appartement",
            "ste suite",
            "fl floor",
            "bldg building",
            "n north",
            "s south",
            "e east",
            "w west",
            "ne northeast",
            "nw northwest",
            "se southeast",
            "sw southwest",
            "mt mount",
            "ft fort",
        )
    )
    for short in (short_form, *others)
}
"""Words of addresses and the one form that stands for all of their spellings."""

_DROPPED = frozenset({"no", "nr", "number", "numero", "num"})
_DIGIT = re.compile(r"\d")
_ENDINGS = "strasse", "str"
_SHORTEST_STEM = 3
_LONG_NAMES = {
    ("p", "o", "box"): "pobox",
    ("po", "box"): "pobox",
    ("post", "office", "box"): "pobox",
}
_POSTCODES = (  # British and Canadian, each in two halves
    (re.compile(r"[a-z]{1,2}[0-9][a-z0-9]?"), re.compile(r"[0-9][a-z]{2}")),
    (re.compile(r"[a-z][0-9][a-z]"), re.compile(r"[0-9][a-z][0-9]")),
)


def address_of(text: str) -> str | Unusable:
    """Return the canonical form of an address, or why there is none.

    Examples
    --------
    >>> address_of("Hauptstraße 5, 89073 Ulm") == address_of("5 Haupt Str. 89073 ULM")
    True
    >>> address_of("Flat 2, 10 High Street, London SW1A 1AA")
    'apt high st london 2 10 sw1a1aa'
    """
    if len(text) <= LONGEST:
        text = as_apostrophes(text)
    plain = plain_text(text, LONGEST)
    if isinstance(plain, Unusable):
        return plain
    if "@" in plain:
        return Unusable.MALFORMED
    parts = words_in(plain.replace("#", " apt "))
    words = _shortened([part for part in parts if not _DIGIT.search(part)])
    numbers = _joined([part for part in parts if _DIGIT.search(part)])
    if not words or len(words) + len(numbers) < 2:
        return Unusable.MALFORMED  # a town, a postcode or a number alone
    return within(" ".join(words + numbers), LONGEST)


def _shortened(words: list[str]) -> list[str]:
    apart = [piece for word in words for piece in _apart(word) if piece not in _DROPPED]
    short: list[str] = []
    place = 0
    while place < len(apart):
        name, length = _long_name(apart, place)
        short.append(name)
        place += length
    return short


def _apart(word: str) -> list[str]:
    """Split "hauptstrasse" and "hauptstr" into the name and the street."""
    streets: list[str] = []
    while ending := _ending(word):
        word = word.removesuffix(ending)
        streets.append("st")
    return [ABBREVIATIONS.get(word, word), *streets]


def _ending(word: str) -> str:
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) >= len(ending) + _SHORTEST_STEM:
            return ending
    return ""


def _long_name(words: list[str], place: int) -> tuple[str, int]:
    if words[place][0] == "p":
        for long, short in _LONG_NAMES.items():
            if tuple(words[place : place + len(long)]) == long:
                return short, len(long)
    return words[place], 1


def _joined(numbers: list[str]) -> list[str]:
    """Join the halves of a postcode."""
    joined: list[str] = []
    for number in numbers:
        if joined and any(a.fullmatch(joined[-1]) and b.fullmatch(number) for a, b in _POSTCODES):
            joined[-1] += number
        else:
            joined.append(number)
    return joined
