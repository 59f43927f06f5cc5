"""The marks of many small sets, gathered set by set."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from recopersona.kernels.sets import mark_sets, mark_some_sets

sets = st.lists(st.lists(st.integers(0, 5), max_size=4), max_size=8)


@given(sets, st.lists(st.integers(0, 255), min_size=6, max_size=6), st.randoms())
def test_a_set_has_the_marks_of_all_its_members(members, marks_of, random):
    starts = np.cumsum([0, *map(len, members)]).astype(np.int64)
    codes = np.array([code for one in members for code in one], np.int32)
    table = np.array(marks_of, np.uint8)
    expected = [int(np.bitwise_or.reduce(table[np.array(one, int)])) for one in members]
    marks = np.full(len(members), 77, np.uint8)
    mark_sets(marks, starts, codes, table, len(members))
    assert marks.tolist() == expected
    rows = [random.randrange(len(members)) for _ in range(5)] if members else []
    some = np.full(len(rows), 77, np.uint8)
    mark_some_sets(some, np.array(rows, np.int32), starts, codes, table, len(rows))
    assert some.tolist() == [expected[row] for row in rows]
