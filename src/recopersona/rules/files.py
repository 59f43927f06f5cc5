"""Rules from a file: text, or JSON where its name ends so."""

from __future__ import annotations

import os
from pathlib import Path

from recopersona.errors import RuleError, shown
from recopersona.rules.limits import MOST_BYTES, MOST_JSON_BYTES
from recopersona.rules.ruleset import RuleSet


def read_rules(path: str | os.PathLike[str]) -> RuleSet:
    """Read a file of rules; every error names it.

    Raises
    ------
    RuleError
        If it cannot be read, or what it holds cannot.
    """
    if not isinstance(path, (str, os.PathLike)):
        raise RuleError(f"expected the path of a file of rules, got {shown(path)}.")
    file = Path(path)
    is_json = file.suffix.lower() == ".json"
    text = _text_of(file, MOST_JSON_BYTES if is_json else MOST_BYTES)
    try:
        return RuleSet.from_json(text) if is_json else RuleSet.parse(text)
    except RuleError as problem:
        named = RuleError(f"{file}: {problem}")
        named.line, named.column = problem.line, problem.column
        raise named from None


def _text_of(file: Path, most: int) -> str:
    try:
        with file.open("rb") as opened:
            content = opened.read(most + 4)  # and the mark that some editors write first
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise RuleError(f"{file}: expected text in UTF-8.") from None
    except (OSError, ValueError) as problem:
        raise RuleError(
            f"{file}: cannot be read: {getattr(problem, 'strerror', None) or problem}."
        ) from None
    if len(text.encode()) > most:
        raise RuleError(f"{file}: a file of rules is at most {most:,} bytes long.")
    return text
