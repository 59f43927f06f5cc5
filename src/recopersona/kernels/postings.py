"""The postings of items, all at once: the visits that have each, made, renumbered and forgotten."""

from __future__ import annotations

from recopersona.kernels.compiling import flag, i32, i64, kernel, read, written


@kernel(written(i64), written(i32), written(i32), written(i32), read(i64), read(i32))
def count_postings(starts, sizes, distinct, latest, bounds, items):
    """Count the visits of every item, and the items of every visit.

    starts    (n_items + 1,) int64, written: where each item's postings will start
    sizes     (n_items,) int32, written: how many visits have it
    distinct  (n_visits,) int32, written: how many different items each visit has
    latest    (n_items,) int32, written: 1 more than the last visit that has the item; zeros before
    bounds    (n_visits + 1,) int64: visit v's clicks are ``items[bounds[v]:bounds[v + 1]]``
    items     (n_clicks,) int32
    """
    sizes[:] = 0
    for visit in range(len(bounds) - 1):
        distinct[visit] = 0
        for place in range(bounds[visit], bounds[visit + 1]):
            item = items[place]
            if latest[item] != visit + 1:
                latest[item] = visit + 1
                distinct[visit] += 1
                sizes[item] += 1
    starts[0] = 0
    for item in range(len(starts) - 1):
        starts[item + 1] = starts[item] + sizes[item]


@kernel(written(i32), written(i32), read(i64), read(i64), read(i32))
def fill_postings(postings, sizes, starts, bounds, items):
    """Write down the visits of every item; a visit's number is its place.

    postings  (n_postings,) int32, written: item i's are ascending from ``starts[i]``
    sizes     (n_items,) int32, written: how many each has; zeros before
    starts    (n_items + 1,) int64
    bounds    (n_visits + 1,) int64
    items     (n_clicks,) int32
    """
    for visit in range(len(bounds) - 1):
        for place in range(bounds[visit], bounds[visit + 1]):
            item = items[place]
            end = starts[item] + sizes[item]
            if sizes[item] == 0 or postings[end - 1] != visit:
                postings[end] = visit
                sizes[item] += 1


@kernel(
    *(written(i32), written(i32), written(i32), written(i32), written(i32), read(i64), i64, i64),
)
def renumber(
    numbers, visit_at, item_sizes, postings, fresh, item_starts, n_numbers, n_items
):  # fmt: skip
    """Number the visits anew without gaps, in the same order; return how many numbers there are.

    numbers      (n,) int32, written: the number of each visit
    visit_at     (n,) int32, written: the visit of each number
    item_sizes   (n_items,) int32, written: how many postings each item has
    postings     (n,) int32, written
    fresh        (n_numbers,) int32, written: the new number of each old one, -1 for a stale one
    item_starts  (n_items,) int64: where each item's postings start
    n_numbers, n_items  int64
    """
    live = 0
    for number in range(n_numbers):
        visit = visit_at[number]
        fresh[number] = live if visit >= 0 else -1
        if visit >= 0:
            numbers[visit] = live
            visit_at[live] = visit
            live += 1
    for item in range(n_items):
        kept = 0
        for place in range(item_starts[item], item_starts[item] + item_sizes[item]):
            number = fresh[postings[place]]
            if number >= 0:
                postings[item_starts[item] + kept] = number
                kept += 1
        item_sizes[item] = kept
    return live


@kernel(
    *(written(i32), written(i32), written(i32), written(i32), written(i32), written(i32)),
    *(written(i32), read(i64), read(flag), i64),
)
def forget_visits(
    sizes, distinct, owners, numbers, clicks, visit_at, item_visits, starts, gone, n_visits
):  # fmt: skip
    """Forget the visits of some users; return how many.

    Their numbers become stale, their clicks are blanked.

    sizes, distinct, owners, numbers  (n,) int32, written
    clicks       (n,) int32, written
    visit_at     (n,) int32, written
    item_visits  (n_items,) int32, written
    starts       (n,) int64
    gone         (n_users,) bool
    n_visits     int64
    """
    forgotten = 0
    for visit in range(n_visits):
        if owners[visit] < 0 or owners[visit] >= len(gone) or not gone[owners[visit]]:
            continue
        visit_at[numbers[visit]] = -1
        start, end = starts[visit], starts[visit] + sizes[visit]
        for place in range(start, end):
            again = False
            for later in range(place + 1, end):
                again |= clicks[later] == clicks[place]
            item_visits[clicks[place]] -= not again
        for place in range(start, end):
            clicks[place] = 0
        sizes[visit], distinct[visit], owners[visit], numbers[visit] = 0, 0, -1, 0
        forgotten += 1
    return forgotten
