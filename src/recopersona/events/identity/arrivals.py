"""Identifiers as they come: columns and values of any kind, as texts that stand for them.

What cannot be an identifier is told apart by its reason; missing values are neither.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from uuid import UUID

import numpy as np
import pandas as pd

from recopersona.data.ids import is_missing
from recopersona.data.types import Array
from recopersona.errors import ParameterError
from recopersona.events.distinct import Distinct
from recopersona.events.identifiers import LARGEST_EXACT, LONGEST_ID, bare
from recopersona.events.identity.kinds import PERSONAL, Kinds, name_of

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


def judge_of(kind: str, kinds: Kinds, secret: bytes | None) -> Judge:
    """Return the function that judges values of a kind."""
    personal = kind in PERSONAL

    def judge(value: Any) -> Verdict:
        text = _text(value)
        if text is None:
            missing = is_missing(value)
            return _NOTHING if missing else Verdict(None, UNFIT, _type_of(value))
        if kinds.blocks(kind, text):
            return Verdict(None, BLOCKED, None if personal else text)
        if not personal:
            return Verdict(name_of(kind, text))
        return Verdict(name_of(kind, _pseudonym(text, kind, secret)))

    return judge


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


def _pseudonym(text: str, kind: str, secret: bytes | None) -> str:
    if secret is None:
        raise ParameterError(
            f"IdentityGraph: {kind} is personal and enters as a keyed hash only; give "
            "IdentityGraph(key=...) a secret of at least 16 bytes, such as "
            "secrets.token_bytes(32)."
        )
    said = f"{kind}:{text.lower()}".encode("utf-8", "surrogatepass")
    return hmac.digest(secret, said, "sha256").hex()[:32]


def identifiers_in(who: Mapping[str, Any], kinds: Kinds, judges: Mapping[str, Judge]) -> Any:
    """Yield the verdicts of one mapping by priority."""
    for kind in kinds.names:
        if kind in who:
            yield kind, judges[kind](who[kind])
