"""Who is who: profiles joined link by link, each within its limits, and asked on the way.

A profile is a tree of identifiers whose root is the oldest, so that its name survives merges. How
many identifiers of each limited kind it holds stands at its root, 16 bits a kind and four kinds in
a word, so that one subtraction compares four sums with their limits.

An identifier whose `parent` is -1 was not met yet.

References
----------
Tarjan, van Leeuwen (1984), "Worst-case analysis of set union algorithms", path halving.
"""

from __future__ import annotations

import numpy as np

from recopersona.kernels.compiling import (
    flag,
    i32,
    i64,
    inlined,
    inner,
    kernel,
    read,
    u8,
    u64,
    written,
)
from recopersona.kernels.prefetch import fetch_place

KNOWN, MERGED, SELF, AMBIGUOUS, CUT, LIMIT = 0, 1, 2, 3, 4, 8
"""What came of a link: nothing new; one profile of two; refused, as a link of an identifier to
itself, for an ambiguous one, behind a refusal in its row, or for the limit of a lane (`LIMIT` and
the lane's number)."""

SHARED, LENT = 1, 2
"""Marks of an identifier: it proves nobody any more; a profile of several was named after it."""

NOBODY, SOMEBODY, ANYBODY = 0, 1, 2
"""Whose row it is: of none that we could name, of one profile, of an ambiguous identifier."""

FULL = np.uint64(0x8000800080008000)
"""The highest bit of every lane: it stays set where a sum is within its limit."""

LANES = 4
BITS = 16
_NONE = np.uint64(0)
_AHEAD = 24


@inner
def _root_of(parent, node):
    """Find the oldest of a profile, halving the way for the next who asks."""
    while parent[node] != node:
        above = parent[parent[node]]
        parent[node] = above
        node = above
    return node


@inlined
def _meet(parent, age, node, seen):
    if parent[node] < 0:
        parent[node] = node
        age[node] = seen


@inner
def _refusal(marks, counts, one, other, lower, room, ones, lanes):
    """Say which limit two profiles break, and mark the lower identifier if a limit was 1."""
    reason = np.int64(0)
    for place in range(len(lanes)):
        lane = lanes[place]
        word, shift = lane // LANES, np.uint64(BITS * (lane % LANES))
        left = room[word] - (counts[one, word] + counts[other, word])
        if ((left & FULL) >> shift) & np.uint64(0x8000) == _NONE:
            if reason == 0:
                reason = LIMIT + lane
            if ones[lane] != 0:
                marks[lower] |= np.uint8(SHARED)
    return reason


@inlined
def _take(parent, counts, marks, age, one, other, room, ones, lanes):
    """Take one link of two identifiers; return what came of it, the kept and the absorbed root."""
    if one == other:
        return SELF, one, other
    root, top = _root_of(parent, one), _root_of(parent, other)
    if root == top:
        return KNOWN, root, top
    if (marks[one] | marks[other]) & SHARED:
        return AMBIGUOUS, root, top
    for word in range(len(room)):
        left = room[word] - (counts[root, word] + counts[top, word])
        if left & FULL != FULL:
            return _refusal(marks, counts, root, top, other, room, ones, lanes), root, top
    if age[top] < age[root]:
        root, top = top, root
    parent[top] = root
    marks[root] |= np.uint8(LENT)
    for word in range(len(room)):
        counts[root, word] += counts[top, word]
    return MERGED, root, top


@kernel(
    written(u8), written(i32, 2), written(i32), written(u64, 2), written(u8), written(i64),
    written(u8), read(i32), read(i32), read(i32), read(i64), read(i64), read(u64), read(u8),
    read(i32), flag,
)  # fmt: skip
def join_profiles(
    outcome, merged, parent, counts, marks, age, cut,
    higher, lower, row, seen_higher, seen_lower, room, ones, lanes, by_row,
):  # fmt: skip
    """Take links in their order; return how many merged two profiles.

    outcome      (n_links,) uint8, written: what came of each
    merged       (n_links or n_nodes, 3) int32, written: link, kept and absorbed root, as far as
                 there are merges
    parent       (n_nodes,) int32, written: the way to the root; -1 where never met
    counts       (n_nodes, n_words) uint64, written: how many of each limited kind a root holds
    marks        (n_nodes,) uint8, written: `SHARED`, `LENT`
    age          (n_nodes,) int64, written: the order in which identifiers were first met
    cut          (n_rows,) uint8, written: 1 once a link of a row was refused
    higher       (n_links,) int32, the identifier of the higher priority
    lower        (n_links,) int32, the other; -1 for an identifier that came alone
    row          (n_links,) int32, the place of its row in cut
    seen_higher  (n_links,) int64, the age that higher gets if it is met here first
    seen_lower   (n_links,) int64
    room         (n_words,) uint64, every limit with the highest bit of its lane set
    ones         (n_lanes,) uint8, 1 for a limit of 1
    lanes        (n_lanes,) int32, the lanes from the highest priority to the lowest
    by_row       bool, whether a refusal ends its row
    """
    n_merged = 0
    n = len(higher)
    for place in range(n):
        if place + _AHEAD < n:
            coming = higher[place + _AHEAD]
            fetch_place(parent, coming)
            coming = lower[place + _AHEAD]
            if coming >= 0:
                fetch_place(parent, coming)
        one, other = higher[place], lower[place]
        _meet(parent, age, one, seen_higher[place])
        if other < 0:
            outcome[place] = KNOWN
            continue
        _meet(parent, age, other, seen_lower[place])
        if by_row and cut[row[place]] != 0:
            outcome[place] = CUT
            continue
        came, kept, absorbed = _take(parent, counts, marks, age, one, other, room, ones, lanes)
        outcome[place] = came
        if came == MERGED:
            merged[n_merged, 0] = place
            merged[n_merged, 1] = kept
            merged[n_merged, 2] = absorbed
            n_merged += 1
        elif by_row and came != KNOWN and came != SELF:
            cut[row[place]] = 1
    return n_merged


@inner
def _answer(parent, marks, codes, question):
    """Say whose a row is: the root, or the ambiguous identifier itself, and which of the two."""
    shared = np.int64(-1)
    for place in range(codes.shape[1]):
        node = np.int64(codes[question, place])
        if node < 0:
            continue
        if marks[node] & SHARED == 0:
            return (_root_of(parent, node) if parent[node] >= 0 else node), SOMEBODY
        if shared < 0:
            shared = node
    return shared, (NOBODY if shared < 0 else ANYBODY)


@kernel(written(i32), written(u8), written(i32), read(u8), read(i32, 2))
def answer_now(whose, standing, parent, marks, codes):
    """Say whose rows are by all that is known.

    whose     (n,) int32, written: the root of the profile, the ambiguous identifier, or -1
    standing  (n,) uint8, written: `NOBODY`, `SOMEBODY`, `ANYBODY`
    parent    (n_nodes,) int32, written: ways are halved
    marks     (n_nodes,) uint8
    codes     (n, n_kinds) int32, the identifiers of each row by priority, -1 where there is none
    """
    for question in range(len(codes)):
        node, is_one = _answer(parent, marks, codes, question)
        whose[question] = node
        standing[question] = is_one


@kernel(
    written(i32), written(u8), written(i32), written(u64, 2), written(u8), written(i64),
    written(u8), read(i32), read(i32), read(i32), read(i64), read(i64), read(u64), read(u8),
    read(i32), flag, read(i32, 2), read(i64),
)  # fmt: skip
def answer_in_time(
    whose, standing, parent, counts, marks, age, cut,
    higher, lower, row, seen_higher, seen_lower, room, ones, lanes, by_row, codes, known,
):  # fmt: skip
    """Say whose rows are, each by the links that were known then: one sweep over both.

    whose     (n,) int32, written: as in `answer_now`
    standing  (n,) uint8, written
    parent to by_row, as in `join_profiles`: the state before the first link
    codes     (n, n_kinds) int32
    known     (n,) int64, ascending: how many links were known when each row came
    """
    place = 0
    for question in range(len(codes)):
        while place < known[question]:
            one, other = higher[place], lower[place]
            _meet(parent, age, one, seen_higher[place])
            if other >= 0:
                _meet(parent, age, other, seen_lower[place])
                if not (by_row and cut[row[place]] != 0):
                    came, _, _ = _take(parent, counts, marks, age, one, other, room, ones, lanes)
                    if by_row and came > SELF:
                        cut[row[place]] = 1
            place += 1
        node, is_one = _answer(parent, marks, codes, question)
        whose[question] = node
        standing[question] = is_one


@kernel(written(i32), written(i32), written(i32), read(i32, 2))
def link_rows(higher, lower, row, codes):
    """Write the links of rows: of the identifier of the highest priority to every other.

    higher, lower, row  (n,) int32, written: room for as many as there are identifiers
    codes               (n_rows, n_kinds) int32, by priority, -1 where there is none

    Returns how many there are; an identifier alone in its row is a link to -1.
    """
    n = 0
    for place in range(len(codes)):
        first = -1
        n_before = n
        for kind in range(codes.shape[1]):
            node = codes[place, kind]
            if node < 0:
                continue
            if first < 0:
                first = node
                continue
            higher[n], lower[n], row[n] = first, node, place
            n += 1
        if first >= 0 and n == n_before:
            higher[n], lower[n], row[n] = first, -1, place
            n += 1
    return n
