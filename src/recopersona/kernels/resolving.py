"""Find out whose each row is, as far as was known when it happened."""

from __future__ import annotations

from recopersona.kernels.compiling import i32, i64, inner, kernel, read, written

NOBODY = -1
"""Stands for a row that nothing identifies."""

SHARED = -2
"""An identifier that proves nobody stands as this minus its number."""


@kernel(
    *(written(i32), written(i32), written(i32), written(i32), read(i32, 2), read(i64), read(i32)),
    *(read(i32), read(i32), read(i64), read(i64)),
)
def resolve_in_turn(
    root, person, parent, person_of, ids, times, order, kept, absorbed, merged_at, shared_since
):
    """Follow the first identifier of each row that proves anybody, while profiles merge.

    root          (n,) int32, written: the profile of each row, by the identifier that names it;
                  `SHARED` minus an identifier that proves nobody; `NOBODY` where there is none
    person        (n,) int32, written: the person in that profile, or -1
    parent        (n_ids,) int32, written: where each identifier's profile starts
    person_of     (n_ids,) int32, written: the person in each profile, by its name, or -1
    ids           (n_kinds, n) int32: each row's identifiers, the highest priority first, or -1
    times         (n,) int64, ascending: what happened up to then is known
    order         (n,) int32: the rows in order of their times
    kept          (n_merges,) int32: the profile that stays
    absorbed      (n_merges,) int32: the profile that is no more
    merged_at     (n_merges,) int64, ascending
    shared_since  (n_ids,) int64: when each identifier came to prove nobody
    """
    n_done = 0
    for turn in range(len(order)):
        row, now = order[turn], times[turn]
        while n_done < len(kept) and merged_at[n_done] <= now:
            to, gone = kept[n_done], absorbed[n_done]
            parent[gone] = to
            if person_of[to] < 0:
                person_of[to] = person_of[gone]
            n_done += 1
        root[row] = person[row] = NOBODY
        for kind in range(len(ids)):
            one = ids[kind, row]
            if one < 0:
                continue
            if shared_since[one] > now:
                root[row] = _name_of(parent, one)
                person[row] = person_of[root[row]]
                break
            if root[row] == NOBODY:
                root[row] = SHARED - one


@inner
def _name_of(parent, one):
    """Return the identifier that names a profile, and shorten the way to it."""
    while parent[one] != one:
        parent[one] = parent[parent[one]]
        one = parent[one]
    return one
