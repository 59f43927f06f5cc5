"""Kinds of identifiers: which there are, which proves more, and how many a person may have."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from recopersona.data.types import Array
from recopersona.errors import DataError, ParameterError, hint, shown
from recopersona.events.called import KINDS, may_name_a_profile

PERSON = "linked_person"
"""What a person found by records is called: known to every graph, the lowest, without a limit."""

HIGHEST = ("user_id", "email")
"""What proves most, unless `priority` says otherwise."""

BLOCKED = ("^[0-]*$", "-1", "null", "anonymous", "undefined", "none", "nan", "n/a", "unknown")
"""What programs write where they know nobody: never an identifier, in large letters or small."""

LARGEST_LIMIT = 32_767
_MOST_KINDS = 200
_USUAL_LIMIT = 5
_LIMITS: Mapping[str, int | None] = {"user_id": 1, PERSON: None}
_WORDS = frozenset(word for word in BLOCKED if not word.startswith("^"))
_DIGITS_OF_NOBODY = "0-"

LONGEST_WORD = max(map(len, _WORDS))
"""No longer text is blocked for every kind, but for zeros and dashes."""


@dataclass(frozen=True, eq=False)
class Kinds:
    """The kinds of a graph from the highest priority to the lowest: a kind's code is its place.

    names   tuple of str
    limits  int32 (n_kinds,), how many of it a profile may hold, 0 without a limit
    blocked mapping from kind to the patterns of what is no identifier
    """

    names: tuple[str, ...]
    limits: Array
    blocked: Mapping[str, tuple[re.Pattern[str], ...]]

    @classmethod
    def of(
        cls,
        limits: Mapping[str, int | None] | None,
        priority: Iterable[str] | None,
        kinds: Iterable[str] | None,
        blocked: Mapping[str, Iterable[Any]] | None,
        policy: str,
    ) -> Kinds:
        """Read the parameters of a graph.

        Raises
        ------
        ParameterError
            If one of them is none.
        """
        limits, blocked = _mapping(limits, "limits"), _mapping(blocked, "blocked")
        highest = HIGHEST if priority is None else _words(priority, "priority")
        known = KINDS if kinds is None else _words(kinds, "kinds")
        named = {*highest, *known, *limits, *blocked, PERSON}
        for name in named:
            _require_kind(name)
        if len(named) > _MOST_KINDS:
            raise ParameterError(f"kinds must be at most {_MOST_KINDS}, got {len(named)}.")
        lowest = {PERSON}.difference(highest)
        ordered = (*highest, *sorted(named.difference(highest, lowest)), *lowest)
        bounds = [_limit(limits, name) if policy == "limits" else 0 for name in ordered]
        patterns = {name: _patterns(name, values) for name, values in blocked.items()}
        return cls(ordered, np.array(bounds, np.int32), patterns)

    @cached_property
    def codes(self) -> dict[str, int]:
        """The code of every kind."""
        return {name: code for code, name in enumerate(self.names)}

    def code(self, name: Any) -> int:
        """Return the code of a kind.

        Raises
        ------
        DataError
            If the graph has no such kind.
        """
        found = self.codes.get(name) if isinstance(name, str) else None
        if found is None:
            raise DataError(
                f"no kind of identifier {shown(name)}{hint(name, self.names)} "
                "IdentityGraph(kinds=[...]) names others."
            )
        return found

    def blocks(self, kind: str, text: str) -> bool:
        """Tell whether a text of a kind is no identifier."""
        if is_nobody(text):
            return True
        own = self.blocked.get(kind)
        return own is not None and any(pattern.fullmatch(text) for pattern in own)


def is_nobody(text: str) -> bool:
    """Tell whether a text is what programs write where they know nobody, of whatever kind."""
    return not text.strip(_DIGITS_OF_NOBODY) or text.lower() in _WORDS


def written_out(blocked: Any) -> Any:
    """Return what is blocked with every compiled pattern as text, which a file can hold."""
    if not isinstance(blocked, Mapping):
        return blocked
    listed = [value for values in blocked.values() if _is_list(values) for value in values]
    if not any(isinstance(value, re.Pattern) for value in listed):
        return blocked
    return {
        kind: [_as_text(value) for value in values] if _is_list(values) else values
        for kind, values in blocked.items()
    }


def _as_text(value: Any) -> Any:
    if not isinstance(value, re.Pattern) or not isinstance(value.pattern, str):
        return value
    flags = "".join(
        letter for letter, one in _FLAGS.items() if value.flags & one and one != re.UNICODE
    )
    return f"^(?{flags}:{value.pattern})$" if flags else f"^(?:{value.pattern})$"


_FLAGS = {"i": re.IGNORECASE, "m": re.MULTILINE, "s": re.DOTALL, "x": re.VERBOSE}


def _mapping(given: Any, what: str) -> Mapping[str, Any]:
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise ParameterError(
            f"IdentityGraph: {what} must be a mapping from kinds, such as {_EXAMPLES[what]}, "
            f"got {shown(given)}."
        )
    return given


_EXAMPLES = {"limits": "{'user_id': 1}", "blocked": "{'email': ['qa@shop.example']}"}


def _words(given: Any, what: str) -> tuple[str, ...]:
    if not _is_list(given):
        raise ParameterError(f"IdentityGraph: {what} must be a list of kinds, got {shown(given)}.")
    words = tuple(given)
    twice = next((word for place, word in enumerate(words) if word in words[:place]), None)
    if twice is not None:
        raise ParameterError(f"IdentityGraph: {what} must be distinct, got {twice!r} twice.")
    return words


def _is_list(given: Any) -> bool:
    return isinstance(given, Iterable) and not isinstance(given, (str, bytes, Mapping))


def _require_kind(name: Any) -> None:
    if not isinstance(name, str) or not name or may_name_a_profile(name):
        raise ParameterError(
            f"IdentityGraph: a kind must be a word without a colon, got {shown(name)}."
        )


def _limit(limits: Mapping[str, Any], name: str) -> int:
    limit = limits.get(name, _LIMITS.get(name, _USUAL_LIMIT))
    if limit is None:
        return 0
    whole = isinstance(limit, (int, np.integer)) and not isinstance(limit, bool)
    if not whole or not 1 <= limit <= LARGEST_LIMIT:
        raise ParameterError(
            f"IdentityGraph: the limit of {name} must be an integer from 1 to {LARGEST_LIMIT}, "
            f"or None, got {shown(limit)}."
        )
    return int(limit)


def _patterns(kind: str, values: Any) -> tuple[re.Pattern[str], ...]:
    if not _is_list(values):
        raise ParameterError(
            f"IdentityGraph: blocked[{kind!r}] must be a list of values, got {shown(values)}."
        )
    return tuple(_pattern(kind, _as_text(value)) for value in values)


def _pattern(kind: str, value: Any) -> re.Pattern[str]:
    if isinstance(value, (int, np.integer)) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        raise ParameterError(
            f"IdentityGraph: blocked[{kind!r}] must hold texts, patterns such as '^test-.*$' or "
            f"integers, got {shown(value)}."
        )
    if not (value.startswith("^") and value.endswith("$")):
        return re.compile(re.escape(value))
    try:
        return re.compile(value)
    except re.error as problem:
        raise ParameterError(
            f"IdentityGraph: blocked[{kind!r}] holds {shown(value)}, which is no pattern: "
            f"{problem}."
        ) from None
