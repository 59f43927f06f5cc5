"""Values as they are written: numbers, shares, durations, days and moments, texts, zones."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from math import isinf
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from recopersona.errors import RuleError, did_you_mean, shown
from recopersona.rules.nodes import UNITS, Duration, Moment, Number, Percent

LONGEST_DURATION = 2**62 // 1_000
"""In seconds: milliseconds are kept in 64 bits."""

_UNIT_OF = {
    "sec": "s", "second": "s", "min": "m", "minute": "m", "hr": "h", "hour": "h", "day": "d",
    "wk": "w", "week": "w", "month": "mo", "yr": "y", "year": "y",
}  # fmt: skip
_AMOUNT = re.compile(r"[0-9]++(?:\.[0-9]++)?+(?:[eE][+-]?+[0-9]++)?+")
_CLOCK = r"[0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,6})?)?"
_MOMENT = re.compile(
    rf"[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}(?:T{_CLOCK}(?:Z|[+-][0-9]{{2}}:[0-5][0-9])?)?"
)
_SHORT_DAY = re.compile(r"([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})")
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|(.))", re.DOTALL)
_ESCAPED = {'"': '"', "'": "'", "\\": "\\", "n": "\n"}
_SURE_INTEGER = 300  # so many digits are a float as well
_LONGEST_WORD = 40  # of those that one looks for a like of
_NOT_OF_ALL_MACHINES = ("localtime", "posixrules", "posix/", "right/", "Factory")


def near(word: str, choices: Iterable[str]) -> str:
    """Return ``"; did you mean 'WHEN'?"``, or nothing; a long word is like no other."""
    return did_you_mean(word, choices) if len(word) <= _LONGEST_WORD else ""


# -- numbers -----------------------------------------------------------------------------------


def number_from(word: str, text: str, place: int, sign: int = 1) -> Number | Percent | Duration:
    """Return what a word says that starts with a digit: ``3``, ``1e-07``, ``20%``, ``90d``.

    The sign is for numbers and shares; durations have none of their own.
    """
    if word.isdigit() and word.isascii() and word[0] != "0" and len(word) < _SURE_INTEGER:
        return Number(sign * int(word), place=place)
    amount = _AMOUNT.match(word)
    digits = "" if amount is None else amount[0]
    value, unit = _value_of(digits, text, place), word[len(digits) :]
    if not unit:
        return Number(sign * value, place=place)
    if unit == "%":
        return Percent(sign * value, place=place)
    if unit not in UNITS:
        raise RuleError(_unknown_unit(digits, unit), text, place)
    if value * UNITS[unit] >= LONGEST_DURATION:
        raise RuleError(f"{shown(word)} is longer than any time; write less.", text, place)
    return Duration(value, unit, place=place)


def _value_of(digits: str, text: str, place: int) -> float:
    if digits[0] == "0" and digits[1:2].isdigit():
        raise RuleError(
            f"a number starts with no needless 0, got {shown(digits)}; write "
            f"{shown(digits.lstrip('0') or '0')[1:-1]}, or a whole day as 2026-07-01.",
            text,
            place,
        )
    value = float(digits)
    if isinf(value):
        raise RuleError(f"{shown(digits)} is beyond any number; write less.", text, place)
    return int(digits) if digits.isdigit() else value


def unit_meant(word: str) -> str | None:
    """Return our unit for ``minutes``, ``Days`` or ``D``."""
    low = word.lower()
    return low if low in UNITS else _UNIT_OF.get(low) or _UNIT_OF.get(low.rstrip("s"))


def _unknown_unit(digits: str, unit: str) -> str:
    ours = unit_meant(unit)
    if ours is not None:
        return f"unknown unit {unit!r}; did you mean {shown(digits + ours)[1:-1]}?"
    known = ", ".join(UNITS)
    return f"unknown unit {shown(unit)}; durations are written 90d, with one of {known}."


# -- times -------------------------------------------------------------------------------------


def moment_from(word: str, text: str, place: int) -> Moment:
    """Return the day or moment that a word says, if there is such a one."""
    if _MOMENT.fullmatch(word) is None:
        likely = "write 2026-07-01 or 2026-07-01T18:00, or blanks around a minus"
        if short := _SHORT_DAY.fullmatch(word):
            year, month, day = short.groups()
            likely = f"write {year}-{month:0>2}-{day:0>2}, or blanks around a minus"
        raise RuleError(f"{shown(word)} is no day or moment; {likely}.", text, place)
    try:
        found = datetime.fromisoformat(word)
    except ValueError as problem:
        raise RuleError(
            f"there is no {word}: {problem}; write one that is in the calendar.", text, place
        ) from None
    if word[11:13] == "24" or found.year < 1:
        raise RuleError(f"there is no {word}; a day ends at 23:59.", text, place)
    return Moment(word, place=place)


def is_moment(word: str) -> bool:
    """Tell a word that was meant as a day or moment from other numbers."""
    return word[4:5] == "-" and word[:4].isdigit()


def check_timezone(name: str, text: str | None = None, place: int = -1) -> None:
    """Refuse a zone that is not in the IANA database, or only on some machines."""
    try:
        # What is spelt like no zone is not looked up: endless parts would each be looked up.
        if not _ZONE.fullmatch(name) or name.startswith(_NOT_OF_ALL_MACHINES):
            raise ZoneInfoNotFoundError(name)
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        known = (zone for zone in available_timezones() if zone not in _NOT_OF_ALL_MACHINES)
        likely = near(name, known) or "; write one such as 'Europe/Berlin'."
        raise RuleError(f"unknown time zone {shown(name)}{likely}", text, place) from None


_ZONE = re.compile(r"[A-Za-z0-9_+-]{1,32}(/[A-Za-z0-9_+-]{1,32}){0,2}")


# -- texts -------------------------------------------------------------------------------------


def text_from(word: str, text: str, place: int) -> str:
    r"""Return what stands between quotes, its ``\"``, ``\\``, ``\n`` and ``\uXXXX`` undone."""
    quote, closed = word[0], len(word) > 1 and word[-1] == word[0]
    if closed and "\\" in word:  # the last quote may itself be written with a backslash
        closed = (len(word) - 1 - len(word[:-1].rstrip("\\"))) % 2 == 0
    if not closed:
        raise RuleError(
            f"this text has no end; write {quote} where it ends, on the same line.", text, place
        )
    body = word[1:-1]
    if "\0" in body:
        at = place + 1 + body.index("\0")
        raise RuleError("the invisible character U+0000 stands here; delete it.", text, at)
    return _unescaped(body, text, place + 1) if "\\" in body else body


def _unescaped(body: str, text: str, place: int) -> str:
    def undone(escape: re.Match[str]) -> str:
        if escape[1] is not None:
            return chr(int(escape[1], 16))
        if (character := _ESCAPED.get(escape[2])) is not None:
            return character
        raise RuleError(
            f"no character is written \\{escape[2]}; after a backslash write one of "
            r"""\ " ' n uXXXX, so \\ for the backslash itself.""",
            text,
            place + escape.start(),
        )

    plain = _ESCAPE.sub(undone, body)
    try:  # two halves make one character, as in JSON
        return plain.encode("utf-16", "surrogatepass").decode("utf-16")
    except UnicodeDecodeError:
        raise RuleError(
            r"half a character is written \uXXXX here; write both halves, or the character itself.",
            text,
            place,
        ) from None
