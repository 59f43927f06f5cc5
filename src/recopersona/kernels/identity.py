"""Who is who: profiles joined link by link, each within its limits, and asked on the way.

A profile is a tree of identifiers whose root is the oldest, so that its name survives merges. How
many identifiers of each limited kind it holds stands at its root, 16 bits a kind and four kinds in
a word, so that one subtraction compares four sums with their limits.

Identifiers are rows of one array, 16 bytes each where four kinds are limited: a link costs one line
of the cache for either end, which is asked for long before. `PARENT` and `AGE` are 32 bits each;
the words of counts follow, and are read as such through a second view of the same memory.

References
----------
Tarjan, van Leeuwen (1984), "Worst-case analysis of set union algorithms", path splitting.
"""

from __future__ import annotations

import numpy as np

from recopersona.kernels.compiling import (
    flag,
    i16,
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

PARENT, AGE, COUNTS = 0, 1, 1
"""The columns of nodes in 32 bits: the way to the root, -1 for one not met yet; the age, 0 as long
as there is none. And the first word of counts, in 64 bits."""

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
_AHEAD, _NEAR = 32, 16  # links from here: their identifiers, and what these point to


@inner
def _root_of(nodes, node):
    """Find the oldest of a profile, shortening the way for the next who asks."""
    root = np.int64(nodes[node, PARENT])
    while root != node:
        above = np.int64(nodes[root, PARENT])
        nodes[node, PARENT] = above
        node, root = root, above
    return root


@inner
def _rest_fits(counts, one, other, room):
    """Tell whether two profiles together stay within limits beyond those of the first word."""
    for word in range(1, len(room)):
        held = counts[one, COUNTS + word] + counts[other, COUNTS + word]
        if (room[word] - np.uint64(held)) & FULL != FULL:
            return False
    return True


@inner
def _add_rest(counts, root, top):
    for column in range(COUNTS + 1, counts.shape[1]):
        counts[root, column] += counts[top, column]


@inner
def _refusal(nodes, counts, one, other, lower, room, ones, lanes):
    """Say which limit two profiles break, and mark the lower identifier if a limit was 1."""
    reason = np.int64(0)
    for place in range(len(lanes)):
        lane = lanes[place]
        word, shift = lane // LANES, np.uint64(BITS * (lane % LANES))
        held = counts[one, COUNTS + word] + counts[other, COUNTS + word]
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
    written(u8), written(i32, 2), written(i32), written(u8), written(i32, 2), written(i64, 2),
    written(u8), read(i32), read(i32), read(i32), read(u64), read(u8), read(i32), flag,
    read(i32, 2), read(i64), i64,
)  # fmt: skip
def join_profiles(
    outcome, merged, whose, standing, nodes, counts, cut, higher, lower, row, room, ones, lanes,
    by_row, codes, known, met,
):  # fmt: skip
    """Take links in their order, and say on the way whose rows are.

    outcome   (n_links,) uint8, written: what came of each
    merged    (n_links or n_nodes, 3) int32, written: link, kept and absorbed root, as far as there
              are merges
    whose     (n_rows,) int32, written: the root of the profile, the ambiguous identifier, or -1
    standing  (n_rows,) uint8, written: `NOBODY`, `SOMEBODY`, `ANYBODY`
    nodes     (n_nodes, 2 + 2 * n_words) int32, written: the way to the root; the age, and below it
              the marks; and the counts
    counts    (n_nodes, 1 + n_words) int64, written: the same memory, for the words of counts: of a
              root how many of each limited kind it holds
    cut       (n_linked_rows,) uint8, written: 1 once a link of a row was refused
    higher    (n_links,) int32, the identifier of the higher priority
    lower     (n_links,) int32, the other; -1 for an identifier that came alone
    row       (n_links,) int32, the place of its row in cut
    room      (n_words,) uint64, every limit with the highest bit of its lane set
    ones      (n_lanes,) uint8, 1 for a limit whose break shows two people: a limit of 1
    lanes     (n_lanes,) int32, the lanes from the highest priority to the lowest
    by_row    bool, whether a refusal ends its row
    codes     (n_rows, n_kinds) int32, the identifiers of each row by priority, -1 for none
    known     (n_rows,) int64, ascending: by how many links each row is to be judged
    met       int64, how many ages were given: whoever is met first, and has none, gets the next

    Returns how many merged, and how many ages are given by now.
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
            fetch_ahead(nodes, max(nodes[higher[place + _NEAR], PARENT], 0))
            fetch_ahead(nodes, max(nodes[max(lower[place + _NEAR], 0), PARENT], 0))
        one, other = np.int64(higher[place]), np.int64(lower[place])
        if nodes[one, PARENT] < 0:
            nodes[one, PARENT] = one
            if nodes[one, AGE] == 0:
                met += 1
                nodes[one, AGE] = met << MARKS
        if other < 0:
            outcome[place] = KNOWN
            continue
        if nodes[other, PARENT] < 0:
            nodes[other, PARENT] = other
            if nodes[other, AGE] == 0:
                met += 1
                nodes[other, AGE] = met << MARKS
        if by_row and cut[row[place]] != 0:
            outcome[place] = CUT
            root, top = _root_of(nodes, one), _root_of(nodes, other)
            if root != top and nodes[one, AGE] & SHARED == 0:
                _refusal(nodes, counts, root, top, other, room, ones, lanes)  # of two people?
            continue
        if one == other:
            outcome[place] = SELF
            continue
        root, below = np.int64(nodes[one, PARENT]), one
        while root != below:
            above = np.int64(nodes[root, PARENT])
            nodes[below, PARENT] = above
            below, root = root, above
        top, below = np.int64(nodes[other, PARENT]), other
        while top != below:
            above = np.int64(nodes[top, PARENT])
            nodes[below, PARENT] = above
            below, top = top, above
        if root == top:
            outcome[place] = KNOWN
            continue
        came = MERGED
        left = room[0] - np.uint64(counts[root, COUNTS] + counts[top, COUNTS])
        if (nodes[one, AGE] | nodes[other, AGE]) & SHARED:
            came = AMBIGUOUS
        elif left & FULL != FULL or (len(room) > 1 and not _rest_fits(counts, root, top, room)):
            came = _refusal(nodes, counts, root, top, other, room, ones, lanes)
        outcome[place] = came
        if came != MERGED:
            if by_row:
                cut[row[place]] = 1
            continue
        if nodes[top, AGE] < nodes[root, AGE]:
            root, top = top, root
        nodes[top, PARENT] = root
        nodes[root, AGE] |= LENT
        counts[root, COUNTS] += counts[top, COUNTS]
        if len(room) > 1:
            _add_rest(counts, root, top)
        merged[n_merged, 0] = place
        merged[n_merged, 1] = root
        merged[n_merged, 2] = top
        n_merged += 1
    while question < len(known):
        _answer(whose, standing, nodes, codes, question)
        question += 1
    return n_merged, met


@kernel(written(i32, 2), written(i64, 2), read(i16), read(i32))
def seat_newcomers(nodes, counts, kinds, lane_of):
    """Write identifiers that were not met yet, each a profile that would hold itself.

    nodes    (n, 2 + 2 * n_words) int32, written: zeros before
    counts   (n, 1 + n_words) int64, written: the same memory
    kinds    (n,) int16
    lane_of  (n_kinds,) int32, the lane of each kind, -1 for one without a limit
    """
    for node in range(len(kinds)):
        nodes[node, PARENT] = -1
        lane = np.int64(lane_of[kinds[node]])
        if lane >= 0:
            counts[node, COUNTS + lane // LANES] = np.int64(1) << (BITS * (lane % LANES))


@kernel(written(i32, 2), read(i32), i64)
def give_ages(nodes, turn, met):
    """Give ages to identifiers that have none; return how many were given by now.

    nodes  (n_nodes, 2 + 2 * n_words) int32, written
    turn   (n,) int32, who is met, the first first; -1 for nobody
    met    int64, how many were given before
    """
    for place in range(len(turn)):
        node = np.int64(turn[place])
        if node >= 0 and nodes[node, AGE] == 0:
            met += 1
            nodes[node, AGE] = met << MARKS
    return met


@kernel(written(i32), read(i32, 2))
def find_roots(roots, nodes):
    """Write the root of every identifier, its own of one that was not met.

    roots  (n_nodes,) int32, written
    nodes  (n_nodes, 2 + 2 * n_words) int32
    """
    n = len(roots)
    for node in range(n):
        if node + _AHEAD < n:
            fetch_ahead(nodes, max(nodes[node + _AHEAD, PARENT], 0))
        roots[node] = node
        while nodes[roots[node], PARENT] >= 0 and nodes[roots[node], PARENT] != roots[node]:
            roots[node] = nodes[roots[node], PARENT]


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


@kernel(
    written(i32), written(i32), written(i64), written(i32), written(i32), written(i32, 2),
    written(i64, 2), read(i32), read(i32), read(i32), read(i64), read(i32), read(i32),
)  # fmt: skip
def take_links(
    to_higher, to_lower, to_time, to_event, to_row, packed, moments, rows, higher, lower, time,
    event, row,
):  # fmt: skip
    """Put links in another order: packed first, so that each is read in one place.

    to_higher, to_lower, to_time, to_event, to_row  (n,), written: the columns in the new order
    packed                                          (n_links, 6) int32, written: scratch
    moments                                         (n_links, 3) int64, written: the same memory
    rows                                            (n,) int32, the links in the new order
    higher, lower, time, event, row                 (n_links,), the columns
    """
    for link in range(len(higher)):
        moments[link, 0] = time[link]
        packed[link, 2], packed[link, 3] = higher[link], lower[link]
        packed[link, 4], packed[link, 5] = event[link], row[link]
    n = len(rows)
    for place in range(n):
        if place + _AHEAD < n:
            fetch_ahead(packed, rows[place + _AHEAD])
        taken = np.int64(rows[place])
        to_time[place] = moments[taken, 0]
        to_higher[place], to_lower[place] = packed[taken, 2], packed[taken, 3]
        to_event[place], to_row[place] = packed[taken, 4], packed[taken, 5]
