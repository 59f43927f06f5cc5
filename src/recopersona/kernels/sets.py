"""What is in each of many small sets, which lie one behind the other."""

from __future__ import annotations

from recopersona.kernels.compiling import i32, i64, kernel, read, u8, written


@kernel(written(u8), read(i64), read(i32), read(u8), i64)
def mark_sets(marks, starts, codes, marks_of, n):
    """Gather the marks of every set's members.

    marks     (n,) uint8, written: the bits of all members together, 0 for an empty set
    starts    (n + 1,) int64: the members of set s are ``codes[starts[s]:starts[s + 1]]``
    codes     int32
    marks_of  (n_codes,) uint8: the bits of each member
    """
    for row in range(n):
        found = marks_of[0] & 0
        for place in range(starts[row], starts[row + 1]):
            found |= marks_of[codes[place]]
        marks[row] = found


@kernel(written(u8), read(i32), read(i64), read(i32), read(u8), i64)
def mark_some_sets(marks, rows, starts, codes, marks_of, n):
    """Gather the marks of some sets' members.

    marks     (n,) uint8, written: the bits of all members together, 0 for an empty set
    rows      (n,) int32: which sets
    starts    (n_sets + 1,) int64: the members of set s are ``codes[starts[s]:starts[s + 1]]``
    codes     int32
    marks_of  (n_codes,) uint8: the bits of each member
    """
    for place in range(n):
        found = marks_of[0] & 0
        for member in range(starts[rows[place]], starts[rows[place] + 1]):
            found |= marks_of[codes[member]]
        marks[place] = found
