"""Follow visitors click by click: what each did before, in the visit that goes on."""

from __future__ import annotations

from recopersona.kernels.compiling import f32, i8, i32, i64, kernel, read, written

_NO_TIME = -(2**63)


@kernel(
    *(written(i32, 2), written(i32), written(i32, 2), written(i32), written(i64), written(i8)),
    *(written(i32), read(i32), read(i32), read(i8), read(f32), read(i64), read(i32), i64, i64),
)
def follow(
    before, counts, trails, lengths, lasts, codes, sessions,
    users, items, events, weights, times, visits, gap, no_click,
):  # fmt: skip
    """Take rows one after another; note what came before each in its visit, latest first.

    before    (n, w) int32, written: the latest clicks of the visit before the row
    counts    (n,) int32, written: how many of them, 0 where a visit begins, -1 for what is no click
    trails    (n_users, w) int32, written: the latest clicks of each user's visit, latest first
    lengths   (n_users,) int32, written: how many clicks that visit has, 0 for none so far
    lasts     (n_users,) int64, written: when its last click was, the smallest number for unknown
    codes     (n_users,) int8, written: the kind of its last click
    sessions  (n_users,) int32, written, or (0,): its number in these rows, -1 at first
    users, items  (n,) int32
    events    (n,) int8
    weights   (n,) float32
    times     (n,) int64, or (0,) where there are none
    visits    (n,) int32, or (0,): each row's number of a visit
    gap       int64, milliseconds
    no_click  int64, the kind that never counts

    What weighs nothing is no click, and neither is another kind of event with the item that the
    visitor has just clicked: a view, a cart and a purchase in a row are one.
    """
    width = trails.shape[1]
    for row in range(len(counts)):
        user, item, code = users[row], items[row], events[row]
        counts[row] = -1
        if code == no_click or not weights[row] > 0:
            continue
        time = times[row] if len(times) else _NO_TIME
        last = lasts[user]
        length = lengths[user]
        if length and time != _NO_TIME and last != _NO_TIME and time - last > gap:
            length = 0
        if len(visits):
            if sessions[user] >= 0 and sessions[user] != visits[row]:
                length = 0
            sessions[user] = visits[row]
        again = length > 0 and trails[user, 0] == item and codes[user] != code
        codes[user] = code
        lasts[user] = max(last, time) if length else time
        if again:
            lengths[user] = length
            continue
        known = min(length, width)
        for place in range(known):
            before[row, place] = trails[user, place]
        counts[row] = known
        for place in range(min(length, width - 1), 0, -1):
            trails[user, place] = trails[user, place - 1]
        trails[user, 0] = item
        lengths[user] = length + 1
