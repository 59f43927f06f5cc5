"""A glance at the bytes of a log, which spares reading the many files that never name somebody."""

from __future__ import annotations

import codecs
import re
from pathlib import Path

from recopersona.events.files.finding import opened
from recopersona.operations.needles import Needles

_BLOCK = 1 << 22
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_.:@-]*|[A-Za-z0-9_.:@-]*[A-Za-z]")
_WIDE = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_MOST_TEXTS = 200  # beyond them, reading is quicker than looking for each
_ODD_QUOTE = re.compile(rb'[^,\r\n]"[^,\r\n]')


def surely_names_nobody(file: Path, needles: Needles) -> bool:
    r"""Tell that a text file holds none of some identifiers, however its rows are read.

    Only identifiers of plain letters, digits and signs can be told so: others may be written in
    several ways. A file in which plain letters might be escaped (``\u0075``, or a quote within a
    cell of CSV) is to be read.
    """
    plain = all(_PLAIN.fullmatch(text) for text in needles.texts)
    if not plain or len(needles.texts) > _MOST_TEXTS:
        return False
    texts = [text.encode() for text in needles.texts]
    overlap = max(map(len, texts)) + 8
    is_csv = ".csv" in file.name.lower()
    with opened(file) as handle:
        held = handle.read(_BLOCK)
        if held.startswith(_WIDE):
            return False
        while held:
            if _is_odd(held, is_csv) or any(text in held for text in texts):
                return False
            block = handle.read(_BLOCK)
            held = held[-overlap:] + block if block else b""
    return True


def _is_odd(block: bytes, is_csv: bool) -> bool:
    if not is_csv:
        return b"\\u00" in block
    return b'"' in block and _ODD_QUOTE.search(block.replace(b'""', b"")) is not None
