"""Hashes the slow way, in Python's own integers."""

import struct

ALL = 2**64 - 1


def mixed(value):
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & ALL
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & ALL
    return value ^ (value >> 31)


def text_hash(text):
    value = 0xCBF29CE484222325
    for byte in text.encode():
        value = ((value ^ byte) * 0x100000001B3) & ALL
    return mixed(value)


def number_hash(number):
    if isinstance(number, int) or (abs(number) < 2**63 and number.is_integer()):
        return mixed((int(number) & ALL) ^ int.from_bytes(b"whole"))
    return mixed(struct.unpack("<Q", struct.pack("<d", number))[0] ^ int.from_bytes(b"broken"))


def row_hash(row):
    """The hash of a row: a dict of column to text, number or None."""
    total = 0
    for name, value in row.items():
        if value is None:
            continue
        of_value = text_hash(value) if isinstance(value, str) else number_hash(value)
        total += mixed(of_value ^ text_hash(name))
    return total & ALL


def number_hashes(hashes):
    numbers = {}
    return [numbers.setdefault(value, len(numbers)) for value in hashes]
