"""How numbers, moments and other values are written for people."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from math import floor, isfinite, log10
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from recopersona.errors import DataError

MISSING = "–"
"""Stands where there is no value."""

Format: TypeAlias = str | Callable[[Any], object]
"""A format specification such as ``".1%"``, or a function from a value to its text."""

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def number_writer(values: Any, how: Format | None = None) -> Callable[[Any], str]:
    """Return a function that writes numbers which stand together, all with the same decimals.

    Whole numbers have none; below 1 there are three significant digits; thousands are separated.

    Parameters
    ----------
    values : array of numbers
        The numbers that will be written.
    how : str or callable, optional
        Replaces the choice made here.

    Examples
    --------
    >>> write = number_writer([0.18213, 0.0701])
    >>> write(0.18213), write(0.07), write(float("nan"))
    ('0.182', '0.070', '–')
    >>> number_writer([541909])(541909), number_writer([0.5], ".0%")(-0.5)
    ('541,909', '−50%')
    """
    if how is not None:
        return lambda value: MISSING if is_missing(value) else formatted(value, how)
    decimals = _decimals(np.asarray(values, dtype=np.float64))
    return lambda value: MISSING if is_missing(value) else _number(value, decimals)


def formatted(value: Any, how: Format) -> str:
    """Return a value written in the caller's way.

    Raises
    ------
    DataError
        If the format does not suit the value.

    Examples
    --------
    >>> formatted(0.25, ".1%"), formatted("tea", str.upper)
    ('25.0%', 'TEA')
    """
    if callable(how):
        return str(how(value))
    try:
        return _with_minus(format(value, how))
    except (ValueError, TypeError):
        raise DataError(
            f"the format {how!r} does not suit {value!r}; give one such as '.3f', '.1%' or ',', "
            "or a function."
        ) from None


def text_of(value: Any) -> str:
    """Return any single value as text: yes and no, a list with commas, a moment to the minute.

    Examples
    --------
    >>> text_of(True), text_of(["tea", 3]), text_of(None), text_of(1250.5)
    ('yes', 'tea, 3', '–', '1,250.5')
    >>> text_of(pd.Timestamp("2011-12-09")), text_of(pd.Timestamp("2011-12-09 12:50"))
    ('2011-12-09', '2011-12-09 12:50')
    """
    if isinstance(value, (list, tuple, set, frozenset, np.ndarray)):
        return ", ".join(map(text_of, sorted(value, key=str) if _unordered(value) else value))
    if is_missing(value):
        return MISSING
    if isinstance(value, (bool, np.bool_)):
        return "yes" if value else "no"
    if isinstance(value, (int, float, np.number)):
        return number_writer([value])(value)
    if isinstance(value, pd.Timestamp):
        return f"{value:%Y-%m-%d}" if value == value.normalize() else f"{value:%Y-%m-%d %H:%M}"
    return value.isoformat() if isinstance(value, date) else str(value)


def tick_writer(step: float) -> Callable[[float], str]:
    """Return a function that writes the round numbers along an axis; millions become ``M``.

    Examples
    --------
    >>> tick_writer(0.05)(0.1), tick_writer(2500)(7500), tick_writer(500_000)(1_500_000)
    ('0.10', '7,500', '1.5M')
    """
    decimals = next((d for d in range(12) if _is_whole(step * 10**d)), 12)

    def write(value: float) -> str:
        for size, letter in ((1e9, "B"), (1e6, "M")):
            if size <= abs(value) < 1e12:
                return _with_minus(f"{value / size:.10g}{letter}")
        return _number(value, decimals if step >= 1e-6 else -1)

    return write


def is_missing(value: Any) -> bool:
    """Tell whether a single value is None, NaN, NaT, infinite or otherwise no value.

    Examples
    --------
    >>> is_missing(None), is_missing(float("inf")), is_missing(0), is_missing("")
    (True, True, False, False)
    """
    if isinstance(value, (float, np.floating)):
        return not isfinite(value)
    missing = pd.isna(value)
    return missing if isinstance(missing, bool) else False


def _decimals(values: np.ndarray[Any, np.dtype[np.float64]]) -> int:
    """Return how many decimals suit all, or −1 where only powers of ten do."""
    sizes = np.abs(values[np.isfinite(values)])
    top = float(sizes.max(initial=0.0))
    if top >= 1e15 or 0 < top < 1e-4:
        return -1
    if (sizes == np.floor(sizes)).all():
        return 0
    if top < 1:
        return max(3, 2 - floor(log10(top)))
    return 2 if top < 1000 else 1 if top < 10_000 else 0


def _number(value: Any, decimals: int) -> str:
    if decimals >= 0:
        return _with_minus(f"{value:,.{decimals}f}")
    if value == 0:
        return "0"
    digits, power = f"{value:.2e}".split("e")
    digits = digits.rstrip("0").rstrip(".") if "." in digits else digits
    return _with_minus(f"{digits}×10{str(int(power)).translate(_SUPERSCRIPT)}")


def _with_minus(text: str) -> str:
    """Give a negative number its true minus sign, and a rounded zero none."""
    if not text.startswith("-"):
        return text
    return "−" + text[1:] if text.strip("-0.,%") else text[1:]


def _is_whole(value: float) -> bool:
    return abs(value - round(value)) < 1e-9 * max(1.0, abs(value))


def _unordered(value: object) -> bool:
    return isinstance(value, (set, frozenset))
