"""Values that come with a request: of the visitor, the context, the seed item and parameters.

Nothing that a request brings can raise: a value of the wrong type counts as unknown, and is noted.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence, Set
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd

from recopersona.data.ids import IdMap, is_missing
from recopersona.data.times import duration_ms, moment_ms
from recopersona.rules.conditions.asked import Asked, Tables
from recopersona.rules.nodes import CREATED, Field, Param

_MS = timedelta(milliseconds=1)
_NUMBERS = (int, float, np.integer, np.floating, Decimal, Fraction)
_NO_NUMBERS = (bool, np.timedelta64)  # though both are integers by their classes
_FLAGS = (bool, np.bool_)
_MOMENTS = (datetime, np.datetime64)
_LISTS = (Sequence, Set, np.ndarray, pd.Series, pd.Index)


class Given:
    """One value of a request, read as a kind: what it is, or None where it is unknown."""

    def __init__(self, node: Field | Param, kind: str, tables: Tables) -> None:
        self.name = f"${node.name}" if isinstance(node, Param) else f"{node.of}.{node.name}"
        self.kind = kind
        self._find = _finder(node, tables)
        self._read = READERS[kind]

    def value(self, asked: Asked) -> Any:
        """Return the value as its kind has it, None where unknown; worked out once a request."""
        if self in asked.kept:
            return asked.kept[self]
        found = asked.kept[self] = self._value(self._find(asked), asked)
        return found

    def _value(self, raw: Any, asked: Asked) -> Any:
        if raw is None:
            return None
        found = self._read(raw)
        if found is WRONG:
            expected = _EXPECTED[self.kind]
            if not is_no_value(raw):
                asked.note(f"{self.name} is {described(raw)}, {expected} was expected: unknown")
            return None
        return found


class _Wrong:
    """Stands for a value that cannot be read."""


WRONG = _Wrong()


def _finder(node: Field | Param, tables: Tables) -> Callable[[Asked], Any]:
    """Return how a value is found in a request, as it came."""
    name = node.name
    if isinstance(node, Param):
        return lambda asked: asked.params.get(name)
    if node.of == "ctx":
        return (lambda asked: asked.now) if name == "now" else lambda asked: asked.context.get(name)
    if node.of == "user":
        if name == "id":
            return lambda asked: _id_at(tables.users.ids, asked.user)
        return lambda asked: asked.who.get(name)
    if name == "id":
        return lambda asked: _id_at(tables.items.ids, asked.seed)
    if name == "age":
        return lambda asked: _age_of_seed(tables, asked)
    return lambda asked: _of_item(tables, name, asked.seed)


def _id_at(ids: IdMap, index: int) -> Any:
    return ids.ids[index] if 0 <= index < len(ids) else None


def _of_item(tables: Tables, name: str, item: int) -> Any:
    return tables.items.column(name).at(item) if 0 <= item < len(tables.items) else None


def _age_of_seed(tables: Tables, asked: Asked) -> Any:
    created = _of_item(tables, CREATED, asked.seed)
    if created is None or asked.now is None:
        return None
    return timedelta(milliseconds=asked.now - created)


# -- reading one kind each: the value, or WRONG ------------------------------------------------


def read_number(raw: Any) -> Any:
    """Read a number as a float; no number is WRONG, and so is NaN."""
    if not isinstance(raw, _NUMBERS) or isinstance(raw, _NO_NUMBERS):
        return WRONG
    try:
        number = float(raw)
    except (OverflowError, ValueError):  # of hundreds of digits, or a signalling NaN
        return WRONG
    return WRONG if math.isnan(number) else number


def read_flag(raw: Any) -> Any:
    """Read true or false."""
    return bool(raw) if isinstance(raw, _FLAGS) else WRONG


def read_text(raw: Any) -> Any:
    """Read text."""
    return str(raw) if isinstance(raw, str) else WRONG


def read_label(raw: Any) -> Any:
    """Read one value of a category, or an id: text, or a number."""
    if isinstance(raw, str):
        return str(raw)
    number = read_number(raw)
    # Not as a float: beyond 2**53 that would be another id.
    return int(raw) if isinstance(raw, (int, np.integer)) and number is not WRONG else number


def read_any(raw: Any) -> Any:
    """Read text, a number, or true or false."""
    return bool(raw) if isinstance(raw, _FLAGS) else read_label(raw)


def read_time(raw: Any) -> Any:
    """Read a moment in milliseconds; naive ones are UTC, integers are milliseconds already."""
    if isinstance(raw, str):
        # Not by pandas: it reads "now" by the clock on the wall, and much else by guessing.
        return _tried(lambda: moment_ms(datetime.fromisoformat(raw)))
    if isinstance(raw, date) and not isinstance(raw, datetime):
        return _tried(lambda: moment_ms(datetime(raw.year, raw.month, raw.day, tzinfo=UTC)))
    if isinstance(raw, (int, np.integer, *_MOMENTS)) and not isinstance(raw, _NO_NUMBERS):
        return _tried(lambda: moment_ms(raw))
    return WRONG


def read_duration(raw: Any) -> Any:
    """Read a duration in milliseconds: a timedelta, or text such as ``"30d"``."""
    if isinstance(raw, str):
        return _tried(lambda: duration_ms(raw))
    if isinstance(raw, np.timedelta64):
        raw = _tried(lambda: pd.Timedelta(raw))
    if not isinstance(raw, timedelta) or raw != raw:  # NaT is not equal to itself
        return WRONG
    return raw / _MS


def _tried(read: Callable[[], Any]) -> Any:
    try:
        return read()
    except (ValueError, ArithmeticError):  # our own errors about values are ValueErrors
        return WRONG


def read_list(raw: Any) -> Any:
    """Read a list as a tuple, its members as they came; a lone value is no list."""
    if isinstance(raw, np.ndarray):
        return tuple(raw.tolist()) if raw.ndim == 1 else WRONG
    return tuple(raw) if _is_list(raw) else WRONG


def _is_list(raw: Any) -> bool:
    return isinstance(raw, _LISTS) and not isinstance(raw, (str, bytes, bytearray, memoryview))


def read_raw(raw: Any) -> Any:
    """Read a value as it came."""
    return WRONG if is_no_value(raw) else raw


def is_no_value(raw: Any) -> bool:
    """Tell whether something stands for no value, whatever it is."""
    try:
        return is_missing(raw)
    except ArithmeticError:  # a decimal number that signals
        return True


READERS: Mapping[str, Callable[[Any], Any]] = {
    "number": read_number,
    "flag": read_flag,
    "text": read_text,
    "category": read_label,
    "id": read_label,
    "any": read_any,
    "time": read_time,
    "duration": read_duration,
    "set": read_list,
    "raw": read_raw,
}

_EXPECTED = {
    "number": "a number",
    "flag": "true or false",
    "text": "text",
    "category": "text or a number",
    "id": "an id",
    "any": "text, a number or true or false",
    "time": "a moment",
    "duration": "a duration such as '30d'",
    "set": "a list",
    "raw": "a value",
}


def described(value: Any) -> str:
    """Say in words what kind of thing a value is.

    Examples
    --------
    >>> described(3), described("tea"), described({}), described(None)
    ('a number', 'text', 'a dict', 'missing')
    """
    if isinstance(value, _FLAGS):
        return "true or false"
    if isinstance(value, str):
        return "text"
    if isinstance(value, (date, *_MOMENTS)):
        return "a moment"
    if isinstance(value, (timedelta, np.timedelta64)):
        return "a duration"
    if is_no_value(value):
        return "missing"
    if isinstance(value, _NUMBERS):
        return "a number" if read_number(value) is not WRONG else "a number beyond all bounds"
    return "a list" if _is_list(value) else f"a {type(value).__name__}"
