"""Who is who: profiles joined link by link, each within its limits, and asked on the way.

A profile is a tree of identifiers whose root is the oldest, so that its name survives merges. How
many identifiers of each limited kind it holds stands at its root, 16 bits a kind and four kinds in
a word, so that one subtraction compares four sums with their limits.

Identifiers are rows of one array, each within a line of the cache: `PARENT`, `AGE`, `COUNTS` and
what follows. One whose parent is -1 was not met yet.

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
    inner,
    kernel,
    read,
    u8,
    u64,
    written,
)
from recopersona.kernels.prefetch import fetch_ahead

KNOWN, MERGED, SELF, AMBIGUOUS, CUT, LIMIT = 0, 1, 2, 3, 4, 8
"""What came of a link: nothing new; one profile of two; refused, as a link of an identifier to
itself, for an ambiguous one, behind a refusal in its row, or for the limit of a lane (`LIMIT` and
the lane's number)."""

PARENT, AGE, COUNTS = 0, 1, 2
"""The columns of nodes."""

SHARED, LENT, MARKS = 1, 2, 2
"""Marks of an identifier, in the lowest bits of its age: it proves nobody any more; a profile of
several was named after it; and how many bits there are."""

NOBODY, SOMEBODY, ANYBODY = 0, 1, 2
"""Whose row it is: of none that we could name, of one profile, of an ambiguous identifier."""

FULL = np.uint64(0x8000800080008000)
"""The highest bit of every lane: it stays set where a sum is within its limit."""

LANES = 4
BITS = 16
_NONE = np.uint64(0)
_AHEAD = 24


@inner
def _root_of(nodes, node):
    """Find the oldest of a profile, halving the way for the next who asks."""
    while nodes[node, PARENT] != node:
        nodes[node, PARENT] = nodes[nodes[node, PARENT], PARENT]
        node = nodes[node, PARENT]
    return node


@inner
def _rest_fits(nodes, one, other, room):
    """Tell whether two profiles together stay within limits beyond those of the first word."""
    for word in range(1, len(room)):
        held = nodes[one, COUNTS + word] + nodes[other, COUNTS + word]
        if (room[word] - np.uint64(held)) & FULL != FULL:
            return False
    return True


@inner
def _add_rest(nodes, root, top):
    for column in range(COUNTS + 1, nodes.shape[1]):
        nodes[root, column] += nodes[top, column]


@inner
def _refusal(nodes, one, other, lower, room, ones, lanes):
    """Say which limit two profiles break, and mark the lower identifier if a limit was 1."""
    reason = np.int64(0)
    for place in range(len(lanes)):
        lane = lanes[place]
        word, shift = lane // LANES, np.uint64(BITS * (lane % LANES))
        held = nodes[one, COUNTS + word] + nodes[other, COUNTS + word]
        left = room[word] - np.uint64(held)
        if ((left & FULL) >> shift) & np.uint64(0x8000) == _NONE:
            if reason == 0:
                reason = LIMIT + lane
            if ones[lane] != 0:
                nodes[lower, AGE] |= SHARED
    return reason


@inner
def _answer(whose, standing, nodes, codes, question):
    """Say whose a row is: the root, or the ambiguous identifier itself, and which of the two."""
    whose[question], standing[question] = -1, NOBODY
    for place in range(codes.shape[1]):
        node = np.int64(codes[question, place])
        if node < 0:
            continue
        if nodes[node, AGE] & SHARED == 0:
            whose[question] = _root_of(nodes, node) if nodes[node, PARENT] >= 0 else node
            standing[question] = SOMEBODY
            return
        if standing[question] == NOBODY:
            whose[question], standing[question] = node, ANYBODY


@kernel(
    written(u8), written(i32, 2), written(i32), written(u8), written(i64, 2), written(u8),
    read(i32), read(i32), read(i32), read(i64), read(i64), read(u64), read(u8), read(i32), flag,
    read(i32, 2), read(i64),
)  # fmt: skip
def join_profiles(
    outcome, merged, whose, standing, nodes, cut, higher, lower, row, seen_higher, seen_lower,
    room, ones, lanes, by_row, codes, known,
):  # fmt: skip
    """Take links in their order, and say on the way whose rows are; return how many merged.

    outcome      (n_links,) uint8, written: what came of each
    merged       (n_links or n_nodes, 3) int32, written: link, kept and absorbed root, as far as
                 there are merges
    whose        (n_rows,) int32, written: the root of the profile, the ambiguous identifier, or -1
    standing     (n_rows,) uint8, written: `NOBODY`, `SOMEBODY`, `ANYBODY`
    nodes        (n_nodes, 2 + n_words) int64, written: the way to the root, or -1; the age, and
                 below it the marks; and of a root how many of each limited kind it holds
    cut          (n_linked_rows,) uint8, written: 1 once a link of a row was refused
    higher       (n_links,) int32, the identifier of the higher priority
    lower        (n_links,) int32, the other; -1 for an identifier that came alone
    row          (n_links,) int32, the place of its row in cut
    seen_higher  (n_links,) int64, the age that higher gets if it is met here first
    seen_lower   (n_links,) int64
    room         (n_words,) uint64, every limit with the highest bit of its lane set
    ones         (n_lanes,) uint8, 1 for a limit whose break shows two people: a limit of 1
    lanes        (n_lanes,) int32, the lanes from the highest priority to the lowest
    by_row       bool, whether a refusal ends its row
    codes        (n_rows, n_kinds) int32, the identifiers of each row by priority, -1 for none
    known        (n_rows,) int64, ascending: by how many links each row is to be judged
    """
    # Profiles are looked up and joined here, not in functions of their own: counting the holders
    # of an array that is passed on would take twice the time of all the rest.
    n_merged = 0
    question = 0
    n = len(higher)
    for place in range(n):
        while question < len(known) and known[question] <= place:
            _answer(whose, standing, nodes, codes, question)
            question += 1
        if place + _AHEAD < n:
            fetch_ahead(nodes, higher[place + _AHEAD])
            fetch_ahead(nodes, max(lower[place + _AHEAD], 0))
        one, other = np.int64(higher[place]), np.int64(lower[place])
        if nodes[one, PARENT] < 0:
            nodes[one, PARENT] = one
            nodes[one, AGE] = seen_higher[place] << MARKS
        if other < 0:
            outcome[place] = KNOWN
            continue
        if nodes[other, PARENT] < 0:
            nodes[other, PARENT] = other
            nodes[other, AGE] = seen_lower[place] << MARKS
        if by_row and cut[row[place]] != 0:
            outcome[place] = CUT
            root, top = _root_of(nodes, one), _root_of(nodes, other)
            if root != top and nodes[one, AGE] & SHARED == 0:
                _refusal(nodes, root, top, other, room, ones, lanes)  # it may be of two people
            continue
        if one == other:
            outcome[place] = SELF
            continue
        root, top = one, other
        while nodes[root, PARENT] != root:
            nodes[root, PARENT] = nodes[nodes[root, PARENT], PARENT]
            root = nodes[root, PARENT]
        while nodes[top, PARENT] != top:
            nodes[top, PARENT] = nodes[nodes[top, PARENT], PARENT]
            top = nodes[top, PARENT]
        if root == top:
            outcome[place] = KNOWN
            continue
        came = MERGED
        left = room[0] - np.uint64(nodes[root, COUNTS] + nodes[top, COUNTS])
        if (nodes[one, AGE] | nodes[other, AGE]) & SHARED:
            came = AMBIGUOUS
        elif left & FULL != FULL or (len(room) > 1 and not _rest_fits(nodes, root, top, room)):
            came = _refusal(nodes, root, top, other, room, ones, lanes)
        outcome[place] = came
        if came != MERGED:
            if by_row:
                cut[row[place]] = 1
            continue
        if nodes[top, AGE] < nodes[root, AGE]:
            root, top = top, root
        nodes[top, PARENT] = root
        nodes[root, AGE] |= LENT
        nodes[root, COUNTS] += nodes[top, COUNTS]
        if len(room) > 1:
            _add_rest(nodes, root, top)
        merged[n_merged, 0] = place
        merged[n_merged, 1] = root
        merged[n_merged, 2] = top
        n_merged += 1
    while question < len(known):
        _answer(whose, standing, nodes, codes, question)
        question += 1
    return n_merged


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


@kernel(written(i64), written(i64), read(u8), read(i64), read(i64), i64)
def date_links(seen_higher, seen_lower, fresh, higher, lower, first):
    """Write the ages of identifiers that are first met in links; return how many moments are.

    seen_higher  (n,) int64, written: the moment, and below it the rank within it
    seen_lower   (n,) int64, written
    fresh        (n,) uint8, 1 where a link is of another moment than the one before
    higher       (n,) int64, ranks below 2**31; or none, where moments are of one row each
    lower        (n,) int64
    first        int64, the number of the first moment
    """
    moment = first - 1
    ranked = len(higher) > 0
    for place in range(len(fresh)):
        if fresh[place] != 0:
            moment += 1
        # In one row, identifiers come by priority.
        seen_higher[place] = (moment << 32) | (higher[place] if ranked else 0)
        seen_lower[place] = (moment << 32) | (lower[place] if ranked else place + 1)
    return moment + 1 - first
