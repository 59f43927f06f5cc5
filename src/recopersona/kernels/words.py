"""Where words may stand among bytes, for many words at once; and which CSV is a record a line.

The hash of as many bytes as a word has rolls over all bytes (Karp and Rabin), so a byte costs the
same for one word and for a hundred thousand. A word is there if its hash is, and seldom if not.

References
----------
Karp, Rabin (1987), "Efficient randomized pattern-matching algorithms", IBM Journal 31(2).
"""

from __future__ import annotations

import numpy as np

from recopersona.kernels.compiling import i64, inner, kernel, read, u8, u64, written

FACTOR, SPREAD = np.uint64(0x100000001B3), np.uint64(0x9E3779B97F4A7C15)
_NONE, _ONE, _BITS = np.uint64(0), np.uint64(1), 64
QUOTE, COMMA, LINE_FEED, RETURN = 34, 44, 10, 13
ZERO, NINE, LETTER_A, LETTER_Z = 48, 57, 97, 122
SMALL = np.uint8(32)  # the bit of small letters


@inner
def slot_of(value, n_bits):
    """Return a hash's first place in a table of 2 ** n_bits."""
    return np.int64((value * SPREAD) >> np.uint64(_BITS - n_bits))


@kernel(written(u64), read(u8), i64, i64)
def put_words(table, data, length, n_bits):
    """Put the hashes of words of one length into a table, of which at least half stays empty.

    table   (2 ** n_bits,) uint64, written: hashes, 0 where there is none
    data    (n_words * length,) uint8, the words one after the other
    """
    if length < 1:
        return
    last = len(table) - 1
    for start in range(0, len(data) - length + 1, length):
        value = _NONE
        for place in range(start, start + length):
            value = value * FACTOR + np.uint64(data[place]) + _ONE
        value = max(value, _ONE)
        slot = slot_of(value, n_bits)
        while table[slot] != _NONE and table[slot] != value:
            slot = (slot + 1) & last
        table[slot] = value


@kernel(written(u8), read(u8), read(u64), i64, i64, i64)
def mark_words(marks, data, table, length, n_bits, whole):
    """Mark where a word of some length may begin.

    marks   (n_bytes,) uint8, written: 1 where one may begin, else left as it is
    data    (n_bytes,) uint8
    table   (2 ** n_bits,) uint64, see `put_words`
    length  int64, bytes of a word, from 1 on
    n_bits  int64
    whole   int64, 0 anywhere, 1 where no letter or digit is behind it, 2 and no digit before
    """
    if length < 1:
        return
    last = len(table) - 1
    highest = _ONE
    for _ in range(length - 1):
        highest = highest * FACTOR
    value = _NONE
    for end in range(len(data)):
        if end >= length:
            value = value - highest * (np.uint64(data[end - length]) + _ONE)
        value = value * FACTOR + np.uint64(data[end]) + _ONE
        start = end - length + 1
        if start < 0:
            continue
        sought = max(value, _ONE)
        slot = slot_of(sought, n_bits)
        while table[slot] != _NONE and table[slot] != sought:
            slot = (slot + 1) & last
        if table[slot] == _NONE:
            continue
        if whole == 2 and start > 0 and ZERO <= data[start - 1] <= NINE:
            continue
        if whole > 0 and end + 1 < len(data):
            behind = data[end + 1]
            if ZERO <= behind <= NINE or LETTER_A <= (behind | SMALL) <= LETTER_Z:
                continue
        marks[start] = 1


@kernel(written(u8), read(u8))
def check_lines(odd, data):
    r"""Tell whether every line of CSV is a record of its own, and its quotes are as they should be.

    odd   (1,) uint8, written: 1 if a cell in quotes goes beyond its line, or a quote stands
          elsewhere than around a cell or, doubled, within one
    data  (n_bytes,) uint8, whole lines, ended by \n, \r or both
    """
    begins, plain, quoted, closed = 0, 1, 2, 3
    state = begins
    for place in range(len(data)):
        byte = data[place]
        ends = byte in (LINE_FEED, RETURN)
        if state == quoted:
            if ends:
                odd[0] = 1
                return
            if byte == QUOTE:
                state = closed
        elif byte == COMMA or ends:
            state = begins
        elif byte == QUOTE and state != plain:
            state = quoted  # opened, or doubled within the cell
        elif byte == QUOTE or state == closed:
            odd[0] = 1
            return
        else:
            state = plain
    if state == quoted:
        odd[0] = 1
