"""Cuts the text of rules into words, numbers, texts and signs, and knows where each stands.

One pattern does all the cutting, in which nothing can be matched in two ways: whatever the text,
every character is looked at a fixed number of times.
"""

from __future__ import annotations

import re
from itertools import accumulate
from operator import sub
from typing import NamedTuple

from recopersona.errors import RuleError, shown
from recopersona.rules.limits import MOST_BYTES
from recopersona.rules.text.foreign import refuse_foreign

_WORD = r"[^\W\d]\w*+"
# A text ends on its line. Without its last quote it is a token as well, or else a line of
# quotes behind backslashes would be tried anew from each of them.
_TEXT = r""" "[^"\\\n]*+(?:\\[^\n][^"\\\n]*+)*+"?+ | '[^'\\\n]*+(?:\\[^\n][^'\\\n]*+)*+'?+ """
_GAP = r"\s*+(?:\#[^\n]*+\s*+)*+"
_TOKEN = re.compile(
    rf"""
    {_GAP}
    (?: {_WORD} (?: \. (?:{_WORD}|{_TEXT}) )?+                                # WHEN item.stock
      | [(),:+*/-]
      | [<>=!&|]++
      | [0-9]{{4}}-[0-9]++-[0-9]++                                             # 2026-07-01
        (?: [Tt][0-9:]*+ (?:\.[0-9]++)?+ (?:[Zz]|[+-][0-9:]++)?+ )?+           # T18:00+02:00
      | [0-9]++ (?:\.[0-9]++)?+ (?:[eE][+-]?+[0-9]++)?+ (?:%|{_WORD})?+        # 3 0.5 20% 90d
      | {_TEXT}
      | \$ (?:{_WORD}|{_TEXT})?+
      | \.\.
      | ;[\s;]*+
      | .
      | \Z )
    """,
    re.VERBOSE | re.DOTALL,
)
_LEADING_GAP = re.compile(_GAP)


class Tokens(NamedTuple):
    """A text in pieces; empty ones at its end, so that one may look ahead.

    words   as they were written
    keys    the same in capitals: keywords may be written in any case
    places  where each starts, in characters
    """

    words: list[str]
    keys: list[str]
    places: list[int]


def tokens_of(text: object) -> Tokens:
    """Cut a text into tokens; blanks and comments are none.

    Raises
    ------
    RuleError
        If it is no text, is too long, or has letters or signs outside of quotes that only look
        like those of the language.
    """
    checked = _checked(text)
    pieces = _TOKEN.findall(checked)
    words = list(map(str.lstrip, pieces))
    if "#" in checked:
        words = [_after_comments(word) if word[:1] == "#" else word for word in words]
    places = list(map(sub, accumulate(map(len, pieces)), map(len, words)))
    if not checked.isascii():
        _refuse_foreign_words(checked, words, places)
    words += ["", ""]
    places += [len(checked)] * 2
    return Tokens(words, list(map(str.upper, words)), places)


def _after_comments(word: str) -> str:
    gap = _LEADING_GAP.match(word)
    return word if gap is None else word[gap.end() :]


def _checked(text: object) -> str:
    """Return a text that is short enough and whole."""
    if not isinstance(text, str):
        raise RuleError(f"rules are written as text, got {shown(text)}.")
    if len(text) > MOST_BYTES:
        size = len(text)
    else:
        try:
            size = len(text) if text.isascii() else len(text.encode())
        except UnicodeEncodeError as problem:
            raise RuleError(
                f"half a character (U+{ord(text[problem.start]):04X}) stands here; delete it.",
                text,
                problem.start,
            ) from None
    if size > MOST_BYTES:
        raise RuleError(
            f"rules may be {MOST_BYTES:,} bytes long, got {size:,}; split them into several sets."
        )
    # What some editors write first into a file stands for nothing.
    return " " + text[1:] if text[:1] == "\ufeff" else text


def _refuse_foreign_words(text: str, words: list[str], places: list[int]) -> None:
    """Letters of other scripts belong into quotes; half of them look like ours."""
    for word, place in zip(words, places, strict=True):
        if not word.isascii():
            plain = min(word.find(quote) % (len(word) + 1) for quote in "\"'")
            if not word[:plain].isascii():
                refuse_foreign(text, word, place)
