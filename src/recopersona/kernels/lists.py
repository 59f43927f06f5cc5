"""Make lists of rows that name a user, an item and a rank or score."""

from __future__ import annotations

from recopersona.kernels.compiling import f64, i32, i64, inner, kernel, read, written


@kernel(written(i64), written(i64), read(i32))
def group_rows(rows, heads, users):
    """Put the numbers of rows user by user, in their order.

    rows   (n_rows,) int64, written; as far as there are rows with a user
    heads  (n_users,) int64, written: where each user's rows start, and end when done
    users  (n_rows,) int32, -1 for rows to leave out
    """
    for row in range(len(users)):
        user = users[row]
        if user >= 0:
            rows[heads[user]] = row
            heads[user] += 1


@kernel(
    written(i32, 2), written(i64), written(i32), written(i64), read(i64), read(i32), read(f64),
    i64, i64,
)  # fmt: skip
def fill_lists(lists, repeats, seen, rows, bounds, items, keys, start, end):
    """Put each user's items in order, least key first, ties by item; an item counts once.

    lists    (n_users, k) int32, written; -1 beyond the end
    repeats  (n_users,) int64, written: rows that name an item again
    seen     (n_items,) int32, scratch: who had the item last; -1 when first given
    rows     (n_rows,) int64, written: the numbers of rows, user by user, put in order
    bounds   (n_users + 1,) int64, where each user's rows start
    items    (n_rows,) int32
    keys     (n_rows,) float64, no NaN
    start, end  which users
    """
    k = lists.shape[1]
    for user in range(start, end):
        mine = rows[bounds[user] : bounds[user + 1]]
        _sort(mine, items, keys)
        place, again = 0, 0
        for row in mine:
            item = items[row]
            if seen[item] == user:
                again += 1
                continue
            seen[item] = user
            if place < k:
                lists[user, place] = item
                place += 1
        repeats[user] = again
        for beyond in range(place, k):
            lists[user, beyond] = -1


@inner
def _after(row, other, items, keys):
    """Tell whether a row belongs behind another."""
    if keys[row] != keys[other]:
        return keys[row] > keys[other]
    return items[row] > items[other]


@inner
def _sort(rows, items, keys):
    """Sort by heap what is not in order already, as most lists are."""
    n = len(rows)
    in_order = True
    for place in range(1, n):
        if _after(rows[place - 1], rows[place], items, keys):
            in_order = False
            break
    if in_order:
        return
    for root in range(n // 2 - 1, -1, -1):
        _sift_down(rows, items, keys, root, n)
    for last in range(n - 1, 0, -1):
        rows[0], rows[last] = rows[last], rows[0]
        _sift_down(rows, items, keys, 0, last)


@inner
def _sift_down(rows, items, keys, root, size):
    """Restore the heap below ``root``: the last in order on top."""
    while True:
        top = root
        for child in (2 * root + 1, 2 * root + 2):
            if child < size and _after(rows[child], rows[top], items, keys):
                top = child
        if top == root:
            return
        rows[root], rows[top] = rows[top], rows[root]
        root = top
