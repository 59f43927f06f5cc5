r"""The few rows of a log that may name somebody: all others need not be read to pass them over.

A row that names somebody has the identifier among its bytes, if it can be written in one way only:
plain letters, digits and signs, or up to 15 digits. What may be written otherwise makes a row
suspect, too: letters escaped (``\u0075``), numbers with an exponent (``1.7e1``).
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import numpy as np

from recopersona.data.types import Array, Mask
from recopersona.events.files.finding import opened
from recopersona.kernels.words import check_lines
from recopersona.operations.needles import Needles, as_written
from recopersona.operations.sieve import Sieve

_BLOCK = 1 << 22
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_.:@-]*|[A-Za-z0-9_.:@-]*[A-Za-z]")
_NUMBER = re.compile(r"0|[1-9][0-9]{0,14}")
_EXPONENT = re.compile(rb"[\s:,\[]-?[0-9][0-9.]*[eE]")
_WIDE = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class Suspects:
    """Tells which rows may name any of some identifiers.

    Examples
    --------
    >>> suspects = Suspects.of(Needles(["u-17", 7]))
    >>> suspects.places(b"u-18 u-17 71 7").tolist()
    [5, 13]
    >>> Suspects.of(Needles(["zoë"])) is None
    True
    """

    def __init__(self, texts: list[str]) -> None:
        known = set(texts)
        # The name of a profile, "kind:value", has the value in it, which is mostly sought itself.
        sought = [text for text in texts if text.partition(":")[2] not in known]
        self._numbers = np.array([int(text) for text in sought if _NUMBER.fullmatch(text)])
        words = {form for text in sought for form in as_written(text)}
        escape = b"\\u" if len(self._numbers) else b"\\u00"
        self._in_lines = Sieve(words, whole=True), Sieve([escape])
        self._in_texts = (Sieve([*words, escape]),)

    @classmethod
    def of(cls, needles: Needles) -> Suspects | None:
        """Return what tells suspects; None where an identifier may be written in other ways."""
        texts = needles.texts
        if all(_PLAIN.fullmatch(text) or _NUMBER.fullmatch(text) for text in texts):
            return cls(texts)
        return None

    def places(self, data: bytes, *, lines: bool = True) -> Array:
        """Return where something suspect begins, ascending; in lines a word ends where it ends.

        Texts one behind the other have nothing between them: the next may begin with any letter.
        """
        found = [one.places(data) for one in (self._in_lines if lines else self._in_texts)]
        if len(self._numbers):
            exponents = [match.end() - 1 for match in _EXPONENT.finditer(data)]
            found.append(np.array(exponents, np.int64))
        return np.unique(np.concatenate(found))

    def among_numbers(self, numbers: Array) -> Mask:
        """Tell the suspects among numbers."""
        told: Mask = np.isin(numbers, self._numbers)
        return told

    def among(self, data: bytes, bounds: Array, *, lines: bool = True) -> Mask:
        """Tell the suspects among lines, or texts that lie one behind the other.

        bounds  int64 (n + 1,), where each begins
        """
        told = np.zeros(len(bounds) - 1, np.bool_)
        if not data:
            return told
        told[np.searchsorted(bounds, self.places(data, lines=lines), side="right") - 1] = True
        return told


def lines_of(block: bytes) -> Array:
    r"""Return where the lines of a block begin, and its end; ``\n``, ``\r`` or both end one."""
    read = np.frombuffer(block, np.uint8)
    ends = read == _LINE_FEED
    if b"\r" in block:
        returns = np.flatnonzero(read == _RETURN)
        followed = np.append(read, 0)[returns + 1] == _LINE_FEED
        ends[returns[~followed]] = True
    starts = np.flatnonzero(ends) + 1
    last = [] if len(starts) and starts[-1] == len(block) else [len(block)]
    return np.concatenate([[0], starts, last]).astype(np.int64)


_LINE_FEED, _RETURN = b"\n\r"


def blocks_of(handle: IO[bytes]) -> Iterator[bytes]:
    r"""Read a file by blocks of whole lines, ended by ``\n``."""
    held = b""
    while block := handle.read(_BLOCK):
        cut = block.rfind(b"\n") + 1
        if cut:
            yield held + block[:cut]
            held = block[cut:]
        else:
            held += block
    if held:
        yield held


def suspects_in(file: Path, needles: Needles) -> Suspects | None:
    """Return what tells suspects in a file of lines; None where every row is to be read.

    That is so where identifiers may be written in other ways, letters are wide, or a record of CSV
    is not one line.
    """
    suspects = Suspects.of(needles)
    is_csv = ".csv" in file.name.lower()
    with opened(file) as handle:
        for place, block in enumerate(blocks_of(handle)):
            if not place and block.startswith(_WIDE):
                return None
            if is_csv and _is_odd(block.removeprefix(codecs.BOM_UTF8)):
                return None
    return suspects


def are_in(suspects: Suspects, file: Path) -> bool:
    """Tell whether there is any suspect in a file of lines."""
    with opened(file) as handle:
        return any(len(suspects.places(block)) for block in blocks_of(handle))


def _is_odd(block: bytes) -> bool:
    odd = np.zeros(1, np.uint8)
    if b'"' in block:
        check_lines(odd, np.frombuffer(block, np.uint8))
    return bool(odd[0])
