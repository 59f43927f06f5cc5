"""Hashes of values and rows that are the same on every machine, and tables of them.

A text's hash is FNV-1a of its bytes, a whole number's is the number itself; both go through the
mixer of SplitMix64. The hash of a row adds up its values' hashes, each mixed with the name of its
column, so that columns may come in any order and a value that is missing counts for nothing.

References
----------
Fowler, Noll, Vo: "The FNV non-cryptographic hash algorithm", IETF draft, section 2.
Steele, Lea, Flood (2014), "Fast splittable pseudorandom number generators", figure 16.
"""

from __future__ import annotations

import numpy as np

from recopersona.kernels.compiling import f64, i32, i64, inner, kernel, read, u8, u64, written

FNV_BASIS, FNV_PRIME = np.uint64(0xCBF29CE484222325), np.uint64(0x100000001B3)
FIRST_FACTOR, SECOND_FACTOR = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
WHOLE, BROKEN = np.uint64(0x77686F6C65), np.uint64(0x62726F6B656E)  # "whole", "broken" in ASCII
_BY_30, _BY_27, _BY_31 = np.uint64(30), np.uint64(27), np.uint64(31)
_NONE, _ONE = np.uint64(0), np.uint64(1)

NO_ID, EDGE, CONTROL, LONG = 1, 2, 4, 8
"""What is odd about a text: it names nothing; it may begin or end with a space; it has control
characters; it is too long."""


@inner
def mixed(value):
    """Spread the bits of a number over all of them."""
    value = (value ^ (value >> _BY_30)) * FIRST_FACTOR
    value = (value ^ (value >> _BY_27)) * SECOND_FACTOR
    return value ^ (value >> _BY_31)


@kernel(written(u64), written(u8), read(i64), read(u8), read(u64), i64)
def scan_texts(hashes, flags, bounds, data, no_ids, longest):
    """Hash texts and tell what is odd about them.

    hashes   (n,) uint64, written
    flags    (n,) uint8, written: the sum of `NO_ID`, `EDGE`, `CONTROL`, `LONG`
    bounds   (n + 1,) int64, where each text begins in data
    data     (n_bytes,) uint8, the texts in UTF-8
    no_ids   (n_words,) uint64, the hashes of texts that name nothing
    longest  int64, a text of more bytes is too long
    """
    for row in range(len(bounds) - 1):
        start, end = bounds[row], bounds[row + 1]
        value = FNV_BASIS
        odd = 0
        for place in range(start, end):
            byte = data[place]
            if byte < 32 or byte == 127:
                odd |= CONTROL
            value = (value ^ np.uint64(byte)) * FNV_PRIME
        value = mixed(value)
        if end > start:
            first, last = data[start], data[end - 1]
            if first <= 32 or first >= 127 or last <= 32 or last >= 127:
                odd |= EDGE
        for word in range(len(no_ids)):
            if value == no_ids[word]:
                odd |= NO_ID
        if end - start > longest:
            odd |= LONG
        hashes[row] = value
        flags[row] = odd


@kernel(written(u64), read(i64))
def hash_whole_numbers(hashes, numbers):
    """Hash whole numbers.

    hashes   (n,) uint64, written
    numbers  (n,) int64
    """
    for row in range(len(hashes)):
        hashes[row] = mixed(np.uint64(numbers[row]) ^ WHOLE)


@kernel(written(u64), read(f64), read(u64))
def hash_numbers(hashes, numbers, bits):
    """Hash numbers; a whole one has the hash that it has as an integer.

    hashes   (n,) uint64, written
    numbers  (n,) float64
    bits     (n,) uint64, the same memory as numbers
    """
    for row in range(len(hashes)):
        number = numbers[row]
        if abs(number) < 2.0**63 and number == np.floor(number):
            hashes[row] = mixed(np.uint64(np.int64(number)) ^ WHOLE)
        else:
            hashes[row] = mixed(bits[row] ^ BROKEN)


@kernel(written(u64), read(u64), read(u8), u64)
def add_column(totals, hashes, missing, salt):
    """Add the hashes of a column to those of the rows.

    totals   (n,) uint64, written: the sum so far
    hashes   (n,) uint64, of the values
    missing  (n,) uint8, 1 where there is no value
    salt     uint64, the hash of the column's name
    """
    for row in range(len(totals)):
        if missing[row] == 0:
            totals[row] += mixed(hashes[row] ^ salt)


@kernel(written(i32), written(i32), written(i32), read(u64))
def number_hashes(codes, firsts, slots, hashes):
    """Number distinct hashes by first appearance; return how many there are.

    codes   (n,) int32, written: the number of each row's hash
    firsts  (n,) int32, written: the first row of each number, as far as there are numbers
    slots   (n_slots,) int32, written: a table of zeros; its length is a power of two above n
    hashes  (n,) uint64
    """
    n_distinct = 0
    last = len(slots) - 1
    for row in range(len(hashes)):
        place = np.int64(hashes[row] & np.uint64(last))
        while slots[place] != 0 and hashes[firsts[slots[place] - 1]] != hashes[row]:
            place = (place + 1) & last
        if slots[place] == 0:
            firsts[n_distinct] = row
            n_distinct += 1
            slots[place] = n_distinct
        codes[row] = slots[place] - 1
    return n_distinct


@kernel(written(u8), written(u64), written(u64), read(u64), read(u64))
def remember_hashes(found, keys, contents, hashes, bodies):
    """Put hashes into a table and tell which were there; return how many were not.

    found     (n,) uint8, written: 0 new, 1 there with the same body, 2 there with another
    keys      (n_slots,) uint64, written: the table, 0 where it is empty; more slots than hashes
    contents  (n_slots,) uint64, written: the body that each key came with
    hashes    (n,) uint64
    bodies    (n,) uint64
    """
    n_new = 0
    last = len(keys) - 1
    for row in range(len(hashes)):
        key = hashes[row]
        if key == _NONE:
            key = _ONE
        place = np.int64(key & np.uint64(last))
        while keys[place] != _NONE and keys[place] != key:
            place = (place + 1) & last
        if keys[place] == _NONE:
            keys[place], contents[place] = key, bodies[row]
            n_new += 1
            found[row] = 0
        elif contents[place] == bodies[row]:
            found[row] = 1
        else:
            found[row] = 2
    return n_new
