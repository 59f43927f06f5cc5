"""The kernel that follows people through merges agrees with its naive twin."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from recopersona.kernels.resolving import NEVER, follow_people
from tests.naive import resolving as naive

N = 8


@st.composite
def merges_of_roots(draw):
    """Return merges in order of time: who is absorbed never comes again."""
    roots, merges = list(range(N)), []
    for moment in sorted(draw(st.lists(st.integers(0, 9), max_size=N - 1))):
        gone = draw(st.sampled_from(roots))
        roots.remove(gone)
        merges.append((draw(st.sampled_from(roots)), gone, moment))
    return merges


def followed(people, merges):
    since = np.full(N, NEVER, np.int64)
    since[list(people)] = -1
    kept, absorbed, merged_at = np.array(merges, np.int64).reshape(-1, 3).T
    follow_people(
        since, kept.astype(np.int32), absorbed.astype(np.int32), np.ascontiguousarray(merged_at)
    )
    return [None if time == NEVER else time for time in since.tolist()]


@given(st.sets(st.integers(0, N - 1)), merges_of_roots())
def test_the_kernel_agrees_with_its_twin(people, merges):
    expected = naive.people_since(N, people, merges)
    assert followed(people, merges) == [-1 if time == float("-inf") else time for time in expected]


def test_the_first_merge_with_a_person_counts():
    assert followed({5, 6}, [(0, 1, 2), (0, 5, 3), (0, 6, 4)])[:2] == [3, None]
