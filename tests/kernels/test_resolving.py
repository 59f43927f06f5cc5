"""The kernel that follows rows to their profiles agrees with its naive twin."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from recopersona.kernels.ordering import order_of
from recopersona.kernels.resolving import NOBODY, SHARED, resolve_in_turn
from tests.naive import resolving as naive

N = 8
moments = st.integers(0, 9)


@st.composite
def histories(draw):
    """Return merges of roots in order of time: who is absorbed never comes again."""
    roots, merges = list(range(N)), []
    for moment in sorted(draw(st.lists(moments, max_size=N - 1))):
        gone = draw(st.sampled_from(roots[1:]))
        kept = draw(st.sampled_from([one for one in roots if one != gone]))
        roots.remove(gone)
        merges.append((kept, gone, moment))
        if len(roots) < 2:
            break
    return merges


rows_of_ids = st.lists(
    st.tuples(st.lists(st.integers(0, N - 1), max_size=3, unique=True), moments), max_size=20
)


@given(histories(), rows_of_ids, st.dictionaries(st.integers(0, N - 1), moments))
def test_the_kernel_agrees_with_its_twin(merges, rows, shared_since):
    people = {0}
    expected = naive.resolve_in_turn(
        [ids for ids, _ in rows], [time for _, time in rows], merges, shared_since, people
    )
    root, person = resolved(merges, rows, shared_since, people)
    assert root == [
        NOBODY if one is None else SHARED - one[1] if isinstance(one, tuple) else one
        for one, _ in expected
    ]
    assert person == [-1 if one is None else one for _, one in expected]


def resolved(merges, rows, shared_since, people):
    n = len(rows)
    ids = np.full((3, n), -1, np.int32)
    for row, (held, _) in enumerate(rows):
        ids[: len(held), row] = held
    order, times = order_of(np.array([time for _, time in rows], np.int64))
    since = np.full(N, 99, np.int64)
    for one, moment in shared_since.items():
        since[one] = moment
    root, person = np.full(n, 77, np.int32), np.full(n, 77, np.int32)
    parent = np.arange(N, dtype=np.int32)
    person_of = np.array([one if one in people else -1 for one in range(N)], np.int32)
    kept, absorbed, merged_at = np.array(merges, np.int64).reshape(-1, 3).T
    resolve_in_turn(
        root, person, parent, person_of, ids, times, order, kept.astype(np.int32),
        absorbed.astype(np.int32), np.ascontiguousarray(merged_at), since,
    )  # fmt: skip
    return root.tolist(), person.tolist()


def test_a_row_without_identifiers_is_nobodys():
    assert resolved([], [([], 5)], {}, {0}) == ([NOBODY], [-1])


def test_a_merge_counts_for_rows_of_its_own_moment_and_not_for_earlier_ones():
    rows = [([3], 5), ([3], 4)]
    assert resolved([(1, 3, 5)], rows, {}, {1}) == ([1, 3], [1, -1])
