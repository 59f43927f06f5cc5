"""An index of visits that learns click by click: who had an item lately, and what else she had.

Visits are numbered by recency: the one that ended last has the highest number. A visit that goes on
gets a new number, and its old one becomes stale: ``visit_at`` no longer leads from there to a
visit. So the postings of an item, the numbers of the visits that have it, are only ever added to at
their end, are always ascending, and whoever walks them from the end meets the latest visits first.
"""

from __future__ import annotations

import numpy as np

from recopersona.kernels.compiling import f64, i32, i64, inner, kernel, read, written

N_VISITS, N_NUMBERS, N_CLICKS, N_POSTINGS, N_LIVE = 0, 1, 2, 3, 4
"""The places in ``used``: how much of the tables is in use, and the visits that count."""

_FIRST_ROOM = 4  # clicks a new visit has room for; when they are full the room doubles


@kernel(
    *(written(i64), written(i32), written(i32), written(i32), written(i32), written(i64)),
    *(written(i32), written(i32), written(i32), written(i32)),
    *(written(i64), written(i32), written(i32), written(i32), written(i32)),
    *(written(i64, 2), written(i64, 2), written(i64), written(i64)),
    *(read(i32), read(i32), read(i64), read(i32), i64, i64, i64, i64),
)
def append_clicks(
    starts, sizes, rooms, distinct, numbers, ends,
    owners, clicks, visit_at, latest,
    item_starts, item_sizes, item_rooms, item_visits, postings,
    back, there, used, needed, users, items, times, counts, first, end, max_clicks, window,
):  # fmt: skip
    """Append clicks, each to its user's latest visit; return the first row that found no room.

    starts       (n,) int64, written: where each visit's clicks start
    sizes        (n,) int32, written: how many clicks it has
    rooms        (n,) int32, written: how many it could have there
    distinct     (n,) int32, written: how many different items
    numbers      (n,) int32, written: its number
    ends         (n,) int64, written: when its last click was
    owners       (n,) int32, written: whose it is
    clicks       (n,) int32, written: the items of all visits
    visit_at     (n,) int32, written: the visit of each number, -1 for a stale one
    latest       (n_users,) int32, written: each user's latest visit, -1 for none
    item_starts  (n_items,) int64, written: where each item's postings start
    item_sizes   (n_items,) int32, written: how many there are, stale ones too
    item_rooms   (n_items,) int32, written: how many there could be
    item_visits  (n_items,) int32, written: how many visits have the item
    postings     (n,) int32, written: ascending numbers
    back, there  (n_bins, n_times) int64, written: what came back, see `count_comebacks`
    used         (5,) int64, written: how much of the tables is in use
    needed       (4,) int64, written: how long the tables must be for the row that found no room
    users, items, times  (n_rows,) int32, int32 and int64
    counts       (n_rows,) int32: 0 where a visit begins, negative for what is no click
    first, end   int64, the rows to take
    max_clicks   int64, of a visit so many of the latest clicks are kept
    window       int64, so many of its clicks may come back

    A row finds room in every table, or changes none.
    """
    for row in range(first, end):
        if counts[row] < 0:
            continue
        user, item = users[row], items[row]
        visit = np.int64(latest[user])
        begins = counts[row] == 0 or visit < 0
        needed[N_VISITS] = used[N_VISITS] + begins
        needed[N_NUMBERS] = used[N_NUMBERS] + 1
        needed[N_CLICKS] = used[N_CLICKS]
        needed[N_POSTINGS] = used[N_POSTINGS] + _moved(item_sizes[item], item_rooms[item])
        if begins:
            needed[N_CLICKS] += _FIRST_ROOM
        else:
            if sizes[visit] == rooms[visit] and sizes[visit] < max_clicks:
                needed[N_CLICKS] += min(2 * rooms[visit], max_clicks)
            for place in range(starts[visit], starts[visit] + sizes[visit]):
                other = clicks[place]
                needed[N_POSTINGS] += _moved(item_sizes[other], item_rooms[other])
        if (
            needed[N_VISITS] > len(starts)
            or needed[N_NUMBERS] > len(visit_at)
            or needed[N_CLICKS] > len(clicks)
            or needed[N_POSTINGS] > len(postings)
        ):
            return row
        if begins:
            visit = used[N_VISITS]
            used[N_VISITS] += 1
            used[N_LIVE] += 1
            starts[visit], sizes[visit], rooms[visit] = used[N_CLICKS], 0, _FIRST_ROOM
            used[N_CLICKS] += _FIRST_ROOM
            distinct[visit], owners[visit], ends[visit] = 0, user, times[row]
            latest[user] = visit
        else:
            visit_at[numbers[visit]] = -1
            ends[visit] = max(ends[visit], times[row])
            start, size = starts[visit], np.int64(sizes[visit])
            _count(back, there, clicks[start + max(size - window, 0) : start + size], item)
            if sizes[visit] >= max_clicks:
                _drop_oldest(sizes, distinct, clicks, item_visits, starts, visit)
            elif sizes[visit] == rooms[visit]:
                _move(starts, rooms, clicks, used, sizes, visit, max_clicks)
        number = used[N_NUMBERS]
        used[N_NUMBERS] += 1
        numbers[visit], visit_at[number] = number, visit
        start, size = starts[visit], np.int64(sizes[visit])
        if not _among(clicks[start : start + size], item):
            distinct[visit] += 1
            item_visits[item] += 1
        clicks[start + size] = item
        sizes[visit] += 1
        for place in range(start, start + size + 1):
            _post(
                item_starts, item_sizes, item_rooms, postings, used, visit_at, clicks[place], number
            )
    return end


@inner
def _moved(size, room):
    """Return how much room a list needs elsewhere to take one more: none if it has any left."""
    return size + size // 2 + 2 if size >= room else 0


@inner
def _among(values, value):
    """Tell whether a value is one of a few."""
    found = False
    for place in range(len(values)):
        found |= values[place] == value
    return found


@inner
def _move(starts, rooms, clicks, used, sizes, visit, max_clicks):
    """Move a visit that has no room left to the end, with twice the room."""
    start, end = starts[visit], used[N_CLICKS]
    for place in range(sizes[visit]):
        clicks[end + place] = clicks[start + place]
        clicks[start + place] = 0  # whoever is forgotten leaves no copy behind
    starts[visit] = end
    rooms[visit] = min(2 * rooms[visit], max_clicks)
    used[N_CLICKS] += rooms[visit]


@inner
def _drop_oldest(sizes, distinct, clicks, item_visits, starts, visit):
    """Forget the oldest click of a visit that has all it may have."""
    start, end = starts[visit], starts[visit] + sizes[visit]
    oldest = clicks[start]
    for place in range(start + 1, end):
        clicks[place - 1] = clicks[place]
    sizes[visit] -= 1
    if not _among(clicks[start : end - 1], oldest):
        distinct[visit] -= 1
        item_visits[oldest] -= 1


@inner
def _post(item_starts, item_sizes, item_rooms, postings, used, visit_at, item, number):
    """Add the newest number to an item's postings, once; stale ones make way first."""
    start, size = item_starts[item], np.int64(item_sizes[item])
    while size and visit_at[postings[start + size - 1]] < 0:
        size -= 1
    if size and postings[start + size - 1] == number:
        return
    if size >= item_rooms[item]:
        live = _without_stale(postings[start : start + size], visit_at)
        room = np.int64(item_rooms[item])
        if 4 * live >= 3 * room:
            room = size + size // 2 + 2
            for place in range(live):
                postings[used[N_POSTINGS] + place] = postings[start + place]
            start = used[N_POSTINGS]
            used[N_POSTINGS] += room
        item_starts[item], item_rooms[item], size = start, room, live
    postings[start + size] = number
    item_sizes[item] = size + 1


@inner
def _without_stale(postings, visit_at):
    """Close the gaps that stale numbers leave; return how many are left."""
    live = 0
    for place in range(len(postings)):
        if visit_at[postings[place]] >= 0:
            postings[live] = postings[place]
            live += 1
    return live


@kernel(written(i64, 2), written(i64, 2), read(i64), read(i32), i64)
def count_comebacks(back, there, bounds, items, window):
    """Count, before every click of many visits, the items that were there, and if one came back.

    back, there  (n_bins, n_times) int64, written: what came back, and what was there, by how many
                 others were clicked since, in bins, and by how often it was clicked: once, twice,
                 …; the last place is for all beyond it
    bounds       (n_visits + 1,) int64: visit v's clicks are ``items[bounds[v]:bounds[v + 1]]``
    items        (n_clicks,) int32, oldest first
    window       int64, how many clicks before each are looked at
    """
    for visit in range(len(bounds) - 1):
        for click in range(bounds[visit] + 1, bounds[visit + 1]):
            _count(back, there, items[max(bounds[visit], click - window) : click], items[click])


@inner
def _count(back, there, before, clicked):
    """Count the items that were there before one click, and the one that came back."""
    others = 0
    for place in range(len(before) - 1, -1, -1):
        times = _times(before, place)
        if times:
            row, column = _bin(others, len(there)), min(times, there.shape[1]) - 1
            there[row, column] += 1
            back[row, column] += before[place] == clicked
            others += 1


@kernel(written(f64), read(i32), read(i64, 2), read(i64, 2), f64)
def comeback_rates(rates, clicks, back, there, shrink):
    """Estimate how likely each item of a visit is to be clicked next.

    rates        (m,) float64, written: for the different items, the latest first
    clicks       (n,) int32, the visit's clicks that may come back, oldest first
    back, there  (n_bins, n_times) int64, as counted
    shrink       float64: so many more are supposed in each place, with the rate of its whole bin
    """
    rates[:] = 0.0
    others = 0
    for place in range(len(clicks) - 1, -1, -1):
        times = _times(clicks, place)
        if times == 0 or others == len(rates):
            continue
        row, column = _bin(others, len(there)), min(times, there.shape[1]) - 1
        ever, all_there = 0.0, 1.0
        for each in range(there.shape[1]):
            ever += back[row, each]
            all_there += there[row, each]
        supposed = max(there[row, column] + shrink, 1.0)
        rates[others] = (back[row, column] + shrink * ever / all_there) / supposed
        others += 1


@inner
def _times(clicks, place):
    """Return how often an item was clicked, where it was last; 0 where it was before that."""
    times = 1
    for later in range(place + 1, len(clicks)):
        if clicks[later] == clicks[place]:
            return 0
    for earlier in range(place):
        times += clicks[earlier] == clicks[place]
    return times


@inner
def _bin(others, n_bins):
    """Return the bin of a number of others: 0 to 7 alone, then 8 to 11, 16, 24, 32, … wider."""
    row = others
    if others >= 8:
        half, start, row = 4, 8, 8
        while others >= start + half:
            start += half
            row += 1
            if start & (start - 1) == 0:
                half = start // 2
    return min(row, n_bins - 1)
