"""Names of people: given name first, in small letters, without titles and accents."""

from __future__ import annotations

from recopersona.events.identity.plain_texts import (
    Unusable,
    as_apostrophes,
    plain_text,
    within,
    words_in,
)

LONGEST = 200
"""Characters; the longest names of passports have fewer."""

TITLES = frozenset(
    {"mr", "mrs", "ms", "miss", "mx", "sir", "madam", "dr", "prof", "professor", "doctor", "rev"}
    | {"herr", "frau", "fraulein", "mme", "mlle", "monsieur", "madame", "mademoiselle"}
    | {"sr", "sra", "srta", "sig", "dott", "mevr", "dhr"}
)
"""Words that stand before a name and are no part of it."""

DEGREES = frozenset({"phd", "md", "mba", "msc", "bsc", "esq", "llm", "llb", "dds", "dr", "prof"})
"""Words that stand after a name and are no part of it; ``jr`` and ``iii`` are: they tell a son
from his father. Nor are ``ma`` and ``ba`` among them, which are surnames."""

GENERATIONS = frozenset({"jr", "junior", "sr", "senior", "ii", "iii", "iv"})


def name_of(text: str) -> str | Unusable:
    """Return the canonical form of a person's name, or why there is none.

    Examples
    --------
    >>> name_of("Dr. Müller-Lüdenscheidt, Søren"), name_of("O’Brien, Mary, PhD")
    ('soren muller ludenscheidt', 'mary obrien')
    """
    if len(text) <= LONGEST:
        text = as_apostrophes(text)
    plain = plain_text(text, LONGEST)
    if isinstance(plain, Unusable):
        return plain
    if "@" in plain:  # an e-mail in the wrong column
        return Unusable.MALFORMED
    words = _without_titles(_in_order([words_in(part) for part in plain.split(",")]))
    named = any(letter.isalpha() for word in words for letter in word)
    return within(" ".join(words), LONGEST) if named else Unusable.MALFORMED


def _in_order(parts: list[list[str]]) -> list[str]:
    """Put the given name first where a comma says that it comes second."""
    first, *others = parts
    after = [part for part in others if part]
    if not first or not after or _is_attached(after[0]):
        return [word for part in parts for word in part]
    return [*after[0], *_without_titles(first), *(word for part in after[1:] for word in part)]


def _is_attached(words: list[str]) -> bool:
    """Tell whether what follows a comma belongs to the name before it: "King, Jr."."""
    return all(word in DEGREES or word in GENERATIONS or word in TITLES for word in words)


def _without_titles(words: list[str]) -> list[str]:
    start, end = 0, len(words)
    while start < end and words[start] in TITLES:
        start += 1
    while start < end and words[end - 1] in DEGREES:
        end -= 1
    return words[start:end]
