"""Identifiers as they come: columns and values of any kind, as texts that stand for them.

What cannot be an identifier is told apart by its reason; missing values are neither.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple
from uuid import UUID

import numpy as np
import pandas as pd

from recopersona.data.ids import is_missing
from recopersona.data.types import Array
from recopersona.errors import ParameterError
from recopersona.events.distinct import Distinct
from recopersona.events.identifiers import LARGEST_EXACT, LONGEST_ID, bare
from recopersona.events.identity.graph_key import GraphKey
from recopersona.events.identity.kinds import Kinds, name_of
from recopersona.events.identity.normalizers import PERSONAL_KINDS, Normalizer, normalizer_of
from recopersona.events.identity.placeholders import PLACEHOLDERS, placeholders_of

MISSING, BLOCKED, UNFIT = -1, 0, 1
REASONS = ("blocked value", "not an identifier")
"""Why a value is no identifier, by its code."""

_PLAIN = frozenset({"string", "integer", "empty"})


class Verdict(NamedTuple):
    """What a value is: an identifier by its name, or none and why.

    name    its kind and its canonical value, or None
    reason  `MISSING`, or the place in `REASONS`
    shown   what may be said of it, None if it is personal
    """

    name: str | None
    reason: int = MISSING
    shown: str | None = None


_NOTHING = Verdict(None)
Judge = Callable[[Any], Verdict]


def judge_of(kind: str, kinds: Kinds, key: GraphKey | None, region: str | None) -> Judge:
    """Return the function that judges values of a kind.

    key     by which personal kinds are hashed
    region  where phone numbers without a country are at home
    """
    if kind in PERSONAL_KINDS:
        return _judge_of_personal(kind, kinds, key, region)

    def judge(value: Any) -> Verdict:
        text = _text(value)
        if text is None:
            return _NOTHING if is_missing(value) else Verdict(None, UNFIT, _type_of(value))
        if kinds.blocks(kind, text):
            return Verdict(None, BLOCKED, text)
        return Verdict(name_of(kind, text))

    return judge


def _judge_of_personal(kind: str, kinds: Kinds, key: GraphKey | None, region: str | None) -> Judge:
    """Return a function that shows of no value more than its keyed hash."""
    known = placeholders_of(PLACEHOLDERS, kind)

    @cache  # of one: phones need a package, which whoever has none of them does without
    def normalizer() -> Normalizer:
        return normalizer_of(kind, region)

    def judge(value: Any) -> Verdict:
        text = _text(value)
        if text is None:
            return _NOTHING if is_missing(value) else Verdict(None, UNFIT)
        secret = _present(key, kind)
        if kinds.blocks(kind, text):
            return Verdict(None, BLOCKED)
        canonical = normalizer()(text)
        if not isinstance(canonical, str):
            return Verdict(None, UNFIT)
        if canonical in known or kinds.blocks(kind, canonical):
            return Verdict(None, BLOCKED)
        return Verdict(name_of(kind, secret.hash(canonical)))

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
    if column.dtype == object and pd.api.types.infer_dtype(column, skipna=True) not in _PLAIN:
        return _values_of_a_mixture(column)
    if isinstance(column.dtype, np.dtype) and column.dtype.kind == "b":
        return _values_of_a_mixture(column.astype(object))
    distinct = Distinct.of(column)
    return distinct.codes, distinct.values


def _values_of_a_mixture(column: pd.Series) -> tuple[Array, list[Any]]:
    """Take values one by one: True equals 1 in any table of values, and lists fit into none."""
    values: list[Any] = []
    places: dict[Any, int] = {}
    codes = np.full(len(column), -1, np.int64)
    for row, value in enumerate(column.tolist()):
        if is_missing(value):
            continue
        key = (type(value), value) if isinstance(value, (str, int, float)) else row
        codes[row] = places.setdefault(key, len(values))
        if codes[row] == len(values):
            values.append(value)
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
    text = bare(text)
    return text if len(text) <= LONGEST_ID else None


_MOST_DIGITS = 100


def _type_of(value: Any) -> str:
    return f"a value of type {type(value).__name__}"
