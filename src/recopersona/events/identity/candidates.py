"""Which pairs of records are worth a comparison: those that share something rare."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from recopersona.data.types import Array
from recopersona.events.identity.record_fields import Records

LARGEST_BLOCK = 1_000
"""Records: what more of them share says of none who he is."""

_STEP = np.uint64(0x9E3779B97F4A7C15)
_MIX = np.uint64(29)

_SINGLE = ("national_id", "email", "phone", "birth_date", "postcode", "street", "address_2")
_JOINT = (
    ("birth_date", "postcode"), ("birth_date", "city"), ("birth_date", "birth_place"),
    ("street", "house_number"),
    ("given", "surname:3"), ("surname", "given:1"), ("surname:3", "birth_date:4", "given:2"),
    ("email:6",),
)  # fmt: skip
_WITH_A_WORD = (
    ("birth_date",), ("birth_date:4",), ("postcode",), ("city",), ("birth_place",),
    ("occupation",), ("street",), ("email",),
)  # fmt: skip
_MOST_WORDS = 5


def candidate_pairs(
    records: Records, most_per_rule: int
) -> tuple[Array, Array, dict[str, tuple[int, int]]]:
    """Return pairs of records that share the value of a rule, each once, the smaller row first.

    Of each rule the pairs in the smallest blocks come first, up to ``most_per_rule``.

    Returns
    -------
    first, second : int64 (n_pairs,)
    counts : of each rule, how many pairs it gives, and how many it would
    """
    n = np.int64(len(records))
    found: list[Array] = [np.empty(0, np.int64)]
    counts = {}
    for rule, rows, keys in _keys(records):
        first, second, possible = _in_blocks(rows, keys, most_per_rule)
        counts[rule] = len(first), possible
        found.append(first * n + second)
    pairs = np.unique(np.concatenate(found))
    return pairs // n, pairs % n, counts


def _keys(records: Records) -> Iterator[tuple[str, Array, Array]]:
    """Yield of each rule the rows that have all it asks for, and their key."""
    table = records.table
    rules = [(name,) for name in _SINGLE] + list(_JOINT)
    rules += [(name,) for name in table.columns if str(name) not in _KNOWN]
    read: dict[str, tuple[Array, Array]] = {}

    def hashed(part: str) -> tuple[Array, Array]:
        if part not in read:
            name, _, length = part.partition(":")
            values = table[name].str.slice(0, int(length)) if length else table[name]
            read[part] = _hashes(values)
        return read[part]

    every = np.arange(len(table))
    for rule in rules:
        if all(part.partition(":")[0] in table for part in rule):
            yield " + ".join(rule), *_joint(every, [hashed(part) for part in rule])
    rows, words = records.words
    word = _hashes(pd.Series(words, dtype=object))
    for rule in _WITH_A_WORD:
        if all(part.partition(":")[0] in table for part in rule) and len(rows):
            parts = [(hashes[rows], there[rows]) for hashes, there in map(hashed, rule)]
            yield " + ".join(("word of the name", *rule)), *_joint(rows, [word, *parts])
    if len(rows):
        yield "two words of the name", *_two_words(rows, word[0])


_KNOWN = frozenset(
    {*_SINGLE, "given", "surname", "middle", "city", "birth_place", "house_number", "state"}
    | {"gender", "occupation"}
)


def _hashes(values: pd.Series) -> tuple[Array, Array]:
    """Return values as 64-bit hashes, and where there are any."""
    there = values.notna().to_numpy()
    return pd.util.hash_array(values.fillna("").to_numpy(dtype=object)), there


def _joint(rows: Array, parts: list[tuple[Array, Array]]) -> tuple[Array, Array]:
    """Return the rows that have all parts, and one key of them."""
    key, there = np.zeros(len(rows), np.uint64), np.ones(len(rows), np.bool_)
    for hashes, present in parts:
        key = key * _STEP + hashes
        key ^= key >> _MIX
        there &= present
    return rows[there], key[there]


def _two_words(rows: Array, words: Array) -> tuple[Array, Array]:
    """Return a key of every two different words of a name, whatever their order."""
    rows, words = _distinct(rows, words)
    starts = np.flatnonzero(np.r_[True, rows[1:] != rows[:-1]])
    place = np.arange(len(rows)) - np.repeat(starts, np.diff(np.r_[starts, len(rows)]))
    rows, words = rows[place < _MOST_WORDS], words[place < _MOST_WORDS]
    found_rows, found_keys = [rows[:0]], [words[:0]]
    for apart in range(1, _MOST_WORDS):
        one = rows[apart:] == rows[:-apart] if len(rows) > apart else np.zeros(0, np.bool_)
        if one.any():
            found_rows.append(rows[apart:][one])
            found_keys.append(words[:-apart][one] * _STEP + words[apart:][one])
    return np.concatenate(found_rows), np.concatenate(found_keys)


def _distinct(rows: Array, keys: Array) -> tuple[Array, Array]:
    """Sort by row and key, and keep each once."""
    order = np.lexsort((keys, rows))
    rows, keys = rows[order], keys[order]
    new = np.r_[True, (rows[1:] != rows[:-1]) | (keys[1:] != keys[:-1])][: len(rows)]
    return rows[new], keys[new]


def _in_blocks(rows: Array, keys: Array, most: int) -> tuple[Array, Array, int]:
    """Return the pairs of rows with one key, smallest blocks first, and how many there are."""
    keys, rows = _distinct(keys, rows)
    starts = np.flatnonzero(np.r_[True, keys[1:] != keys[:-1]][: len(keys)])
    sizes = np.diff(np.r_[starts, len(keys)])
    pairs = sizes * (sizes - 1) // 2
    order = np.argsort(sizes, kind="stable")
    kept = order[(np.cumsum(pairs[order]) <= most) & (sizes[order] <= LARGEST_BLOCK)]
    first, second = [rows[:0]], [rows[:0]]
    for size in np.unique(sizes[kept]):
        one, other = np.triu_indices(size, 1)
        block = starts[kept[sizes[kept] == size]][:, None]
        first.append(rows[block + one].ravel())
        second.append(rows[block + other].ravel())
    return np.concatenate(first), np.concatenate(second), int(pairs.sum())
