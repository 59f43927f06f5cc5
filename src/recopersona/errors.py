"""Everything this library raises on purpose, as one tree.

::

    RecopersonaError
    ├── DataError            (ValueError)    a frame, column, id or value that cannot be used
    │   └── ColumnError      (LookupError)   a column that is missing or misspelt
    ├── ParameterError       (ValueError)    a parameter outside its bounds
    ├── NotFittedError       (ValueError, AttributeError)  an answer asked of an unfitted model
    ├── ArtifactError        (ValueError)    a saved directory that cannot be written or trusted
    ├── RuleError            (ValueError)    a rule that cannot be read, or does not fit the shop
    │   └── UnmetRuleError   (ValueError)    a STRICT rule that this page cannot meet
    └── MissingExtraError    (ImportError)   an optional dependency that is not installed

Each subclasses the builtin a caller would naturally catch. Each message is one sentence: what was
expected, what came, what to type.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class RecopersonaError(Exception):
    """The common ancestor: ``except RecopersonaError`` catches all of them."""


class DataError(RecopersonaError, ValueError):
    """A frame, a column, an id or a value that cannot be used as it came."""


class ColumnError(DataError, LookupError):
    """A column that is missing, or named differently."""


class ParameterError(RecopersonaError, ValueError):
    """A parameter outside its declared bounds."""


class NotFittedError(RecopersonaError, ValueError, AttributeError):
    """An answer was asked of a model that has not been fitted."""


class ArtifactError(RecopersonaError, ValueError):
    """A saved model that cannot be written, read or trusted."""


class RuleError(RecopersonaError, ValueError):
    r"""A rule that cannot be read, or does not fit the shop.

    Parameters
    ----------
    problem : str
        One sentence, without its place.
    text : str, optional
        What was read; with it the message points at the place.
    place : int
        Where in the text, in characters from 0; -1 where there is no place.

    Attributes
    ----------
    problem : str
    line, column : int or None
        From 1, in characters.

    Examples
    --------
    >>> text = "LIMIT 2\nPER item.brnd"
    >>> print(RuleError("unknown field item.brnd; did you mean item.brand?", text, 12))
    line 2 col 5: unknown field item.brnd; did you mean item.brand?
      PER item.brnd
          ^
    """

    def __init__(self, problem: str, text: str | None = None, place: int = -1) -> None:
        self.problem = problem
        self.line: int | None = None
        self.column: int | None = None
        message = problem
        if text is not None and 0 <= place <= len(text):
            start = text.rfind("\n", 0, place) + 1
            self.line, self.column = text.count("\n", 0, start) + 1, place - start + 1
            shown_line, indent = _excerpt(text, start, place)
            message = f"line {self.line} col {self.column}: {problem}\n  {shown_line}\n  {indent}^"
        super().__init__(message)


class UnmetRuleError(RuleError):
    """A rule that says ``STRICT`` and cannot be met on this page."""


class MissingExtraError(RecopersonaError, ImportError):
    """An optional dependency that is not installed; the message says what to install."""

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(f'{what} needs an extra: pip install "recopersona[{extra}]"')


def _excerpt(text: str, start: int, place: int) -> tuple[str, str]:
    """Return the part of a line around a place, and as much blank as stands before it."""
    end = text.find("\n", place)
    end = len(text) if end < 0 else end
    first = max(start, place - _MOST_SHOWN // 2)
    part = text[first : min(end, first + _MOST_SHOWN)].rstrip("\r")
    before = "".join("\t" if character == "\t" else " " for character in text[first:place])
    return part, before


def shown(value: object) -> str:
    """Write a bad value for an error: at most a hundred characters of it.

    Examples
    --------
    >>> shown("tea"), len(shown("x" * 10_000)), shown([10**5_000])
    ("'tea'", 101, 'a list beyond writing')
    """
    try:
        written = repr(value)
    except (ValueError, RecursionError):  # thousands of digits, or of brackets
        return f"a {type(value).__name__} beyond writing"
    if "\n" in written:  # a table, which no sentence can hold
        return with_article(type(value).__name__)
    return written if len(written) <= _MOST_SHOWN else f"{written[:_MOST_SHOWN]}…"


_MOST_SHOWN = 100


def with_article(word: str) -> str:
    """Put "a" or "an" before the name of a type.

    Examples
    --------
    >>> with_article("DataFrame"), with_article("IdentityGraph")
    ('a DataFrame', 'an IdentityGraph')
    """
    return f"{'an' if word[:1] in 'AEIOaeio' else 'a'} {word}"


def nearest(word: object, choices: Iterable[object]) -> str | None:
    """Return the choice that is spelt most like a word, whatever the case of either, or None.

    Examples
    --------
    >>> nearest("PRISE", ["stock", "Price"])
    'Price'
    """
    spelt: dict[str, str] = {}
    for choice in choices:
        spelt.setdefault(str(choice).lower(), str(choice))
    near = get_close_matches(str(word).lower(), spelt, n=1)
    return spelt[near[0]] if near else None


def did_you_mean(word: object, choices: Iterable[object]) -> str:
    """Return ``"; did you mean 'price'?"``, or an empty string when nothing is near.

    Examples
    --------
    >>> did_you_mean("Prise", ["stock", "price"])
    "; did you mean 'price'?"
    >>> did_you_mean("weather", ["stock", "price"])
    ''
    """
    near = nearest(word, choices)
    return "" if near is None else f"; did you mean {near!r}?"


def hint(word: object, choices: Iterable[object], lead: str = "there are") -> str:
    """Return the end of a sentence about an unknown word: the nearest choice, or all of them.

    Examples
    --------
    >>> hint("prise", ["stock", "price"])
    "; did you mean 'price'?"
    >>> hint("weather", ["stock", "price"])
    '; there are stock, price.'
    >>> hint("weather", [], "its columns are")
    '; its columns are none.'
    """
    listed = [str(choice) for choice in choices]
    return did_you_mean(word, listed) or f"; {lead} {', '.join(listed) or 'none'}."
