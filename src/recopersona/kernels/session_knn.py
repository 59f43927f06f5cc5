"""The visits most like one, and what they say: a request touches what it finds, and no more."""

from __future__ import annotations

import numpy as np

from recopersona.kernels.compiling import f64, i32, i64, inlined, inner, kernel, read, written
from recopersona.kernels.prefetch import fetch_place

DOT, COSINE, JACCARD = 0, 1, 2
"""The codes of the ways to compare two visits."""

_NO_TIME = -(2**63)
_AHEAD = 16  # so many visits ahead, memory is asked for what will be read
_GOLDEN = 2654435769  # 2**32 over the golden ratio: spreads numbers that are close together


@kernel(
    *(written(i32), written(f64), read(i32), read(f64)),
    *(read(i32), read(i32), read(i64), read(i64), read(i32), read(i32)),
    *(i64, i64, i64, i64, f64),
)
def nearest_visits(
    visits, likeness, items, weights,
    visit_at, distinct, ends, item_starts, item_sizes, postings,
    sample, k, similarity, now, recency,
):  # fmt: skip
    """Find the visits most like one among the latest that share an item; return how many.

    visits       (sample,) int32, written: the ``k`` most like it, the latest first
    likeness     (sample,) float64, written
    items        (m,) int32, the visit's different items
    weights      (m,) float64, what it counts to share each
    visit_at     (n_numbers,) int32, the visit of each number, -1 for a stale one
    distinct     (n_visits,) int32, how many different items each visit has
    ends         (n_visits,) int64, when its last click was
    item_starts, item_sizes  (n_items,) int64 and int32: where each item's postings are
    postings     (n,) int32, ascending numbers of visits
    sample       int64, how many of the latest visits are compared
    k            int64
    similarity   int64, one of the codes above
    now          int64, milliseconds, or the smallest number where nobody knows
    recency      float64, milliseconds after which a visit counts 1/e; 0 for no decay

    The postings of all items are merged from their ends, by a heap with the highest number on top:
    so the postings of one visit come out one after another, and the latest visits first.
    """
    m = len(items)
    heads, owners, places = np.empty(m, np.int64), np.empty(m, np.int64), np.empty(m, np.int64)
    own, squares, size = 0.0, 0.0, 0
    for owner in range(m):
        own += weights[owner]
        squares += weights[owner] * weights[owner]
        if items[owner] >= len(item_starts):
            continue
        first = item_starts[items[owner]]
        places[owner] = first + item_sizes[items[owner]]
        head = _next(places, owner, first, postings, visit_at)
        if head >= 0:
            heads[size], owners[size] = head, owner
            size += 1
    for root in range(size // 2 - 1, -1, -1):
        _sink(heads, owners, root, size)
    n = 0
    while size > 0 and n < sample:
        number, shared = heads[0], 0.0
        while size > 0 and heads[0] == number:
            owner = owners[0]
            shared += weights[owner]
            heads[0] = _next(places, owner, item_starts[items[owner]], postings, visit_at)
            if heads[0] < 0:
                size -= 1
                heads[0], owners[0] = heads[size], owners[size]
            _sink(heads, owners, 0, size)
        visits[n], likeness[n] = visit_at[number], shared
        n += 1
    for place in range(n):
        if place + _AHEAD < n:
            fetch_place(distinct, visits[place + _AHEAD])
            fetch_place(ends, visits[place + _AHEAD])
        visit = visits[place]
        if similarity == COSINE:
            norm = np.sqrt(squares) * np.sqrt(np.float64(max(distinct[visit], 1)))
            likeness[place] /= norm
        elif similarity == JACCARD:
            likeness[place] /= own + distinct[visit] - likeness[place]
        if recency > 0 and now != _NO_TIME and ends[visit] != _NO_TIME:
            likeness[place] *= np.exp(-max(now - ends[visit], 0) / recency)
    return _keep_best(visits, likeness, n, k)


@inlined
def _next(places, owner, first, postings, visit_at):
    """Step back to an item's next posting that is not stale; return its number, -1 at the end."""
    place = places[owner] - 1
    if place - _AHEAD >= first:
        fetch_place(visit_at, postings[place - _AHEAD])
    while place >= first and visit_at[postings[place]] < 0:
        place -= 1
    places[owner] = place
    return np.int64(postings[place]) if place >= first else np.int64(-1)


@inlined
def _sink(heads, owners, root, size):
    """Restore the heap below ``root``: the highest number on top, of equal ones the first owner."""
    while True:
        top = root
        for child in (2 * root + 1, 2 * root + 2):
            if child < size and (
                heads[child] > heads[top]
                or (heads[child] == heads[top] and owners[child] < owners[top])
            ):
                top = child
        if top == root:
            return
        heads[root], heads[top] = heads[top], heads[root]
        owners[root], owners[top] = owners[top], owners[root]
        root = top


@inner
def _keep_best(visits, likeness, n, k):
    """Keep the ``k`` most alike in their order, of equal ones the latest; return how many."""
    if n <= k:
        return n
    least = np.partition(likeness[:n], n - k)[n - k]
    ties = k
    for place in range(n):
        ties -= likeness[place] > least
    kept = 0
    for place in range(n):
        tied = likeness[place] == least
        if likeness[place] > least or (tied and ties > 0):
            ties -= tied
            visits[kept], likeness[kept] = visits[place], likeness[place]
            kept += 1
    return kept


@kernel(
    *(written(i32), written(f64), read(i32), read(f64), read(i32), read(f64)),
    *(read(i64), read(i32), read(i32), i64, f64, f64, i64),
)
def add_visits(
    found, scores, visits, likeness, items, voices,
    starts, sizes, clicks, n_visits, fading, echo, last_only,
):  # fmt: skip
    """Add up what visits say about their items; return how many items there are.

    found     (n,) int32, written: the items of the visit asked about, then all others once
    scores    (n,) float64, written: beside them, their scores
    visits, likeness  (n_visits,) int32 and float64
    items     (m,) int32, the different items of the visit asked about
    voices    (m,) float64, what a click counts that is one of them
    starts    (n,) int64, where each visit's clicks start
    sizes     (n,) int32, how many there are
    clicks    (n,) int32, the items of all visits
    n_visits  int64, how many visits are asked
    fading    float64, what a click counts beside a shared one, compared to it: 0 to 1
    echo      float64, what it counts for its own item, compared to what it says
    last_only int64: 0 if every shared click speaks; 1 if only a visit's last one does, but as
              loud as the loudest of all

    Items are looked up by their hash: a place in use leads to the next one.
    """
    m = len(items) if len(found) >= len(items) else 0
    longest, n_slots = 1, 2
    for place in range(n_visits):
        if place + _AHEAD < n_visits:
            fetch_place(starts, visits[place + _AHEAD])
            fetch_place(sizes, visits[place + _AHEAD])
        longest = max(longest, sizes[visits[place]])
    while n_slots < 2 * len(found):
        n_slots *= 2
    places = np.full(n_slots, -1, np.int32)
    spoken = np.full(len(found), -1, np.int32)
    theirs, own, heard = np.empty(longest, np.int64), np.empty(longest), np.empty(longest)
    n = 0
    for rank in range(m):
        _, n = _place(places, found, scores, items[rank], n)
    for visit in range(n_visits):
        if visit + _AHEAD < n_visits:
            fetch_place(clicks, starts[visits[visit + _AHEAD]])
        start, size = starts[visits[visit]], np.int64(sizes[visits[visit]])
        for step in range(size):
            theirs[step], n = _place(places, found, scores, clicks[start + step], n)
            own[step] = voices[theirs[step]] if theirs[step] < m else 0.0
        if last_only:
            _leave_the_last(own, size)
        _hear(heard, own, size, fading, echo)
        for step in range(size - 1, -1, -1):  # an item counts where it was last
            place = theirs[step]
            if spoken[place] != visit:
                spoken[place] = visit
                scores[place] += likeness[visit] * heard[step]
    return n


@inlined
def _place(places, found, scores, item, n):
    """Return an item's place among those found, and how many are found."""
    slot = ((np.int64(item) * _GOLDEN) >> 7) & (len(places) - 1)
    while places[slot] >= 0:
        if found[places[slot]] == item:
            return np.int64(places[slot]), n
        slot = (slot + 1) & (len(places) - 1)
    places[slot], found[n], scores[n] = n, item, 0.0
    return np.int64(n), n + 1


@inlined
def _leave_the_last(own, size):
    """Let a visit's last shared click speak for all of them, as loud as the loudest."""
    last, loudest = 0, 0.0
    for step in range(size):
        if own[step] > 0:
            last, loudest = step, max(loudest, own[step])
            own[step] = 0.0
    own[last] = loudest


@inlined
def _hear(heard, own, size, fading, echo):
    """Spread what is said at some clicks to those before and behind, fading with the distance."""
    near = 0.0
    for step in range(size):
        heard[step] = echo * own[step] + fading * near
        near = own[step] + fading * near
    near = 0.0
    for step in range(size - 1, -1, -1):
        heard[step] += fading * near
        near = own[step] + fading * near
