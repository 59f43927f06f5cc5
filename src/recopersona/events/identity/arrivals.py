"""Identifiers as they come: columns and values of any kind, as texts that stand for them.

What cannot be an identifier is told apart by its reason; missing values are neither.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any
from uuid import UUID

import numpy as np
import pandas as pd

from recopersona.data.ids import is_missing
from recopersona.data.types import Array
from recopersona.errors import ParameterError
from recopersona.events.called import PERSONAL_KINDS, called
from recopersona.events.distinct import Distinct
from recopersona.events.identifiers import LARGEST_EXACT, LONGEST_ID, bare
from recopersona.events.identity.graph_key import GraphKey
from recopersona.events.identity.kinds import LONGEST_WORD, Kinds
from recopersona.events.identity.normalizers import Normalizer, normalizer_of
from recopersona.events.identity.placeholders import PLACEHOLDERS, placeholders_of

MISSING, BLOCKED, UNFIT = -1, 0, 1
REASONS = ("blocked value", "not an identifier")
"""Why a value is no identifier, by its code."""

_PLAIN = frozenset({"string", "integer", "empty"})

# Most identifiers are longer than any word for nobody, and are kept as they come.
_PLAIN_TEXT = re.compile(rf"(?![0-]*\Z)[!-~]{{{LONGEST_WORD + 1},{LONGEST_ID}}}").fullmatch
_NO_TEXT = re.compile(r"(?!)").fullmatch


@dataclass(frozen=True)
class Verdict:
    """Why a value is no identifier.

    reason  `MISSING`, or the place in `REASONS`
    shown   what may be said of it, None if it is personal
    """

    reason: int
    shown: str | None = None


_NOTHING = Verdict(MISSING)
Judge = Callable[[Any], str | Verdict]
"""From a value to the name of an identifier, or why it is none."""


def judge_of(kind: str, kinds: Kinds, key: GraphKey | None, region: str | None) -> Judge:
    """Return the function that judges values of a kind.

    key     by which personal kinds are hashed
    region  where phone numbers without a country are at home
    """
    if kind in PERSONAL_KINDS:
        return _judge_of_personal(kind, kinds, key, region)

    start = called(kind, "")
    is_plain = _PLAIN_TEXT if kind not in kinds.blocked else _NO_TEXT

    def judge(value: Any) -> str | Verdict:
        if type(value) is str and is_plain(value):
            return start + value
        text = _text(value)
        if text is None:
            return _NOTHING if is_missing(value) else Verdict(UNFIT, _type_of(value))
        if kinds.blocks(kind, text):
            return Verdict(BLOCKED, text)
        return called(kind, text)

    return judge


def _judge_of_personal(kind: str, kinds: Kinds, key: GraphKey | None, region: str | None) -> Judge:
    """Return a function that shows of no value more than its keyed hash."""
    known = placeholders_of(PLACEHOLDERS, kind)

    @cache  # of one: phones need a package, which whoever has none of them does without
    def normalizer() -> Normalizer:
        return normalizer_of(kind, region)

    def judge(value: Any) -> str | Verdict:
        text = _text(value)
        if text is None:
            return _NOTHING if is_missing(value) else Verdict(UNFIT)
        secret = _present(key, kind)
        if kinds.blocks(kind, text):
            return Verdict(BLOCKED)
        canonical = normalizer()(text)
        if not isinstance(canonical, str):
            return Verdict(UNFIT)
        if canonical in known or kinds.blocks(kind, canonical):
            return Verdict(BLOCKED)
        return called(kind, secret.hash(canonical))

    return judge


def _present(key: GraphKey | None, kind: str) -> GraphKey:
    if key is None:
        raise ParameterError(
            f"IdentityGraph: {kind} is personal and enters as a keyed hash only; give "
            "IdentityGraph(key=...) a secret of at least 16 bytes, such as "
            "secrets.token_bytes(32)."
        )
    if key.is_lost:
        raise ParameterError(
            f"IdentityGraph: {kind} is personal, and no file keeps the key; give it again with "
            "graph.set_params(key=...)."
        )
    return key


def values_in(column: pd.Series) -> tuple[Array, list[Any]]:
    """Return the distinct values of a column, and int64 (n,) places in them, -1 where missing."""
    is_flag = isinstance(column.dtype, np.dtype) and column.dtype.kind == "b"
    mixture = column.dtype == object and pd.api.types.infer_dtype(column) not in _PLAIN
    if is_flag or mixture:
        return _taken_apart(column)
    distinct = Distinct.of(column)
    return distinct.codes, distinct.values


def _taken_apart(column: pd.Series) -> tuple[Array, list[Any]]:
    """Take a mixture apart: True equals 1 in any table of values, and lists fit into none."""
    values: list[Any] = []
    places: dict[Any, int] = {}
    codes = np.full(len(column), -1, np.int64)
    for row, value in enumerate(column.tolist()):
        if is_missing(value):
            continue
        key = (type(value), value) if isinstance(value, (str, int, float)) else None
        place = places.get(key, len(values)) if key is not None else len(values)
        if place == len(values):
            values.append(value)
            if key is not None:
                places[key] = place
        codes[row] = place
    return codes, values


def _text(value: Any) -> str | None:
    """Return the text of an identifier, None for what is none."""
    if type(value) is str:
        text = value
    elif isinstance(value, str):
        text = str(value)
    elif isinstance(value, (int, np.integer)) and not isinstance(value, bool):
        if abs(value) >= 10**_MOST_DIGITS:
            return None
        return str(int(value))
    elif isinstance(value, (float, np.floating)):
        number = float(value)
        exact = abs(number) < LARGEST_EXACT and number.is_integer()
        return str(int(number)) if exact else None
    elif isinstance(value, UUID):
        return str(value)
    else:
        return None
    if not text.isprintable() or text[:1] == " " or text[-1:] == " ":  # most have no such ends
        text = bare(text)
    return text if len(text) <= LONGEST_ID else None


_MOST_DIGITS = 100


def _type_of(value: Any) -> str:
    return f"a value of type {type(value).__name__}"
