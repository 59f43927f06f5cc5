"""Since when a profile holds a person, merge by merge."""

from __future__ import annotations

from recopersona.kernels.compiling import i32, i64, kernel, read, written

NEVER = 2**63 - 1
"""A time after all others."""


@kernel(written(i64), read(i32), read(i32), read(i64))
def follow_people(since, kept, absorbed, merged_at):
    """Tell since when the profile that each identifier names holds a person.

    since      (n_ids,) int64, written: any time but `NEVER` for persons, `NEVER` for all others
    kept       (n_merges,) int32: the identifier that names a profile from then on
    absorbed   (n_merges,) int32: the one that names none any more
    merged_at  (n_merges,) int64, ascending
    """
    for merge in range(len(kept)):
        to = kept[merge]
        if since[to] == NEVER and since[absorbed[merge]] != NEVER:
            since[to] = merged_at[merge]
