"""Identifiers as they may be written in bytes: plain, escaped, percent-encoded, in wide letters."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import IO, Any
from urllib.parse import quote

from recopersona.events.identifiers import bare, is_no_id, text_of
from recopersona.operations.sieve import Sieve

SHORTEST_TEXT, SHORTEST_NUMBER = 4, 6
"""Characters below which bytes prove nothing: ``7`` is in every file."""

_BLOCK = 1 << 20
_MANY, _LONG = 64, 1 << 12
_CONTEXT = 4  # bytes that a boundary may look back


def plain_text(identifier: Any) -> str:
    """Return an identifier as the text by which it is compared: ``7``, ``7.0`` and ``"7"`` alike.

    So are ``"7.0"`` and ``"7"``: gaps make such texts of integers when a frame is written.

    Examples
    --------
    >>> plain_text(7.0), plain_text(" u-17 "), plain_text("7.0"), plain_text("007")
    ('7', 'u-17', '7', '007')
    """
    text = str(bare(text_of(identifier)))
    return text.removesuffix(".0") if _WHOLE.fullmatch(text) else text


_WHOLE = re.compile(r"(?:0|-?[1-9][0-9]{0,14})\.0")


def stands_out(text: str) -> bool:
    """Tell whether a text is long and odd enough to be looked for among bytes.

    Examples
    --------
    >>> stands_out("u-17"), stands_out("anna"), stands_out("007"), stands_out("1002003")
    (True, True, False, True)
    """
    shortest = SHORTEST_NUMBER if text.isdecimal() else SHORTEST_TEXT
    return len(text) >= shortest and not is_no_id(text)


class Needles:
    """Some identifiers, to be found as values of columns and, where they stand out, among bytes.

    Among bytes an identifier counts where it stands alone: ``u-17`` is not in ``u-170``.

    Parameters
    ----------
    identifiers : iterable of ids

    Examples
    --------
    >>> needles = Needles(["u-17", 7])
    >>> needles.in_bytes(b"u-170 and u-17."), needles.is_one("7"), needles.in_bytes(b"7 teas")
    ([(10, 0)], True, [])
    """

    def __init__(self, identifiers: Iterable[Any]) -> None:
        self.texts = list(dict.fromkeys(map(plain_text, identifiers)))
        self._which = {text: which for which, text in enumerate(self.texts)}
        self._patterns: dict[int, re.Pattern[bytes] | None] = {}

    def __repr__(self) -> str:
        return f"Needles({len(self.texts)} identifiers)"

    @property
    def n_by_value_alone(self) -> int:
        """How many are too short or too common to be looked for among bytes."""
        return sum(not stands_out(text) for text in self.texts)

    def is_one(self, value: Any) -> bool:
        """Tell whether a value is one of them."""
        return plain_text(value) in self._which

    def which(self, value: Any) -> int | None:
        """Return which of them a value is."""
        return self._which.get(plain_text(value))

    def in_text(self, text: str) -> int | None:
        """Return which of them stands in a text; None if none does, or none stands out."""
        whole = self._which.get(text)
        if whole is not None and stands_out(text):
            return whole
        found = self.in_bytes(text.encode("utf-8", "surrogatepass"))
        return found[0][1] if found else None

    def in_bytes(self, data: bytes) -> list[tuple[int, int]]:
        """Return where which of them stands alone in some bytes."""
        return list(self._walked(data, 0, alone=True))

    def inside_bytes(self, data: bytes) -> list[tuple[int, int]]:
        """Return where which of them is, even within a longer word: for texts without gaps."""
        return list(self._walked(data, 0, alone=False))

    def in_stream(self, handle: IO[bytes], *, alone: bool = True) -> Iterator[tuple[int, int]]:
        """Walk through a file by blocks, and say where which of them stands."""
        if not self._written:
            return
        margin = max(map(len, self._written)) + _CONTEXT
        held, base, begin, block = b"", 0, 0, handle.read(_BLOCK)
        while True:
            held += block
            end = max(len(held) - margin, begin) if block else len(held)
            for start, which in self._walked(held, begin, alone=alone):
                if start < end:
                    yield base + start, which
            if not block:
                return
            cut = max(end - _CONTEXT, 0)
            held, base, begin = held[cut:], base + cut, end - cut
            block = handle.read(_BLOCK)

    def _walked(self, held: bytes, begin: int, *, alone: bool) -> Iterator[tuple[int, int]]:
        """Say where which of them stands; over many forms, or much, a pattern is slow."""
        few = len(self._written) <= _MANY
        if few and not any(form in held for form in self._written):
            return  # quicker than a pattern that looks behind itself
        if few and len(held) <= _LONG:
            pattern = self._alone if alone else self._within
            for match in pattern.finditer(held, begin) if pattern is not None else ():
                yield match.start(), self._written[match.group()]
        else:
            yield from self._one_by_one(held, begin, alone)

    def _one_by_one(self, held: bytes, begin: int, alone: bool) -> Iterator[tuple[int, int]]:
        """Look closely where the sieve says that some form may be; of several, at the longest."""
        for start in self._sieve.places(held).tolist():
            if start < begin:
                continue  # before what is asked about, or within the one before
            for length in self._lengths:
                form = held[start : start + length]
                if form in self._written and (not alone or self._stands_alone(form, held, start)):
                    yield start, self._written[form]
                    begin = start + length
                    break

    def _stands_alone(self, form: bytes, held: bytes, start: int) -> bool:
        which = self._written[form]
        if which not in self._patterns:
            self._patterns[which] = Needles([self.texts[which]])._alone
        pattern = self._patterns[which]
        match = pattern.match(held, start) if pattern is not None else None
        return match is not None and match.group() == form

    @cached_property
    def _sieve(self) -> Sieve:
        return Sieve(self._written)

    @cached_property
    def _lengths(self) -> list[int]:
        return sorted(set(map(len, self._written)), reverse=True)

    @cached_property
    def _written(self) -> dict[bytes, int]:
        """Every form of every identifier that stands out, and which it is."""
        return {
            form: which
            for text, which in self._which.items()
            if stands_out(text)
            for form in (*as_written(text), *_wide(text))
        }

    @cached_property
    def _alone(self) -> re.Pattern[bytes] | None:
        outstanding = [text for text in self.texts if stands_out(text)]
        if not outstanding:
            return None
        kinds = [rb"(?<![0-9A-Za-z\x80-\xff])(?:%b)(?![0-9A-Za-z\x80-\xff])" % _any(
            form for text in outstanding for form in as_written(text)
        )]  # fmt: skip
        for encoding, before, after in _WIDE_BOUNDS:
            forms = _any(text.encode(encoding, "surrogatepass") for text in outstanding)
            kinds.append(before + b"(?:%b)" % forms + after)
        return re.compile(b"|".join(kinds))

    @cached_property
    def _within(self) -> re.Pattern[bytes] | None:
        return re.compile(_any(self._written)) if self._written else None


_WIDE_BOUNDS = (
    ("utf-16-le", rb"(?<![0-9A-Za-z]\x00)", rb"(?![0-9A-Za-z]\x00)"),
    ("utf-16-be", rb"(?<!\x00[0-9A-Za-z])", rb"(?!\x00[0-9A-Za-z])"),
    ("utf-32-le", b"", b""),  # numpy's texts of one width, which have no gaps
)


def as_written(text: str) -> set[bytes]:
    """Write a text in UTF-8, escaped as JSON and as addresses do it."""
    escaped = json.dumps(text)[1:-1]
    upper = re.sub(r"\\u[0-9a-f]{4}", lambda found: "\\u" + found[0][2:].upper(), escaped)
    forms = {text, escaped, upper, json.dumps(text, ensure_ascii=False)[1:-1]}
    written = {form.encode("utf-8", "surrogatepass") for form in forms}
    return written | {quote(text.encode("utf-8", "surrogatepass"), safe="").encode()}


def _wide(text: str) -> set[bytes]:
    return {text.encode(encoding, "surrogatepass") for encoding, _, _ in _WIDE_BOUNDS}


def _any(forms: Iterable[bytes]) -> bytes:
    """Return a pattern for any of some forms, the longest first."""
    return b"|".join(map(re.escape, sorted(set(forms), key=lambda form: (-len(form), form))))
