"""The kernel that follows visitors agrees with its naive twin, in one piece and in two."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from recopersona.kernels.trails import follow
from tests.naive import trails as naive

NO_TIME = np.iinfo(np.int64).min
NO_CLICK = 9
N_USERS = 3
row = st.tuples(
    st.integers(0, N_USERS - 1), st.integers(0, 2), st.sampled_from([2, 5, NO_CLICK]),
    st.sampled_from([0.0, 1.0, 1.0, 1.0]), st.one_of(st.none(), st.integers(0, 50)),
)  # fmt: skip


class State:
    def __init__(self, width):
        self.trails = np.zeros((N_USERS, width), np.int32)
        self.lengths = np.zeros(N_USERS, np.int32)
        self.lasts = np.full(N_USERS, NO_TIME)
        self.codes = np.full(N_USERS, -1, np.int8)

    def follow(self, rows, gap, sessions, with_times):
        n, width = len(rows), self.trails.shape[1]
        before, counts = np.full((n, width), -7, np.int32), np.full(n, -7, np.int32)
        users, items, events, weights, times = zip(*rows, strict=True) if rows else [()] * 5
        seen = np.full(N_USERS if sessions is not None else 0, -1, np.int32)
        moments = [NO_TIME if time is None else time for time in times] if with_times else []
        follow(
            before, counts, self.trails, self.lengths, self.lasts, self.codes, seen,
            np.array(users, np.int32), np.array(items, np.int32), np.array(events, np.int8),
            np.array(weights, np.float32), np.array(moments, np.int64),
            np.array(sessions or [], np.int32), gap, NO_CLICK,
        )  # fmt: skip
        return [
            None if count < 0 else line[:count].tolist()
            for line, count in zip(before, counts, strict=True)
        ]


@given(st.lists(row, max_size=25), st.integers(0, 20), st.integers(1, 4), st.integers(0, 25))
def test_the_kernel_agrees_with_its_twin(rows, gap, width, cut):
    state = State(width)
    got = state.follow(rows[:cut], gap, None, True) + state.follow(rows[cut:], gap, None, True)
    assert got == naive.follow([(*one, None) for one in rows], gap, NO_CLICK, width)


@given(st.lists(st.tuples(row, st.integers(0, 2)), max_size=25), st.integers(0, 20))
def test_a_change_of_session_ends_a_visit(rows, gap):
    plain, sessions = [one for one, _ in rows], [number for _, number in rows]
    got = State(3).follow(plain, gap, sessions, True)
    expected = [(*one, number) for one, number in rows]
    assert got == naive.follow(expected, gap, NO_CLICK, 3)


@given(st.lists(row, max_size=25))
def test_without_times_no_visit_ends(rows):
    timeless = [(*one[:4], None, None) for one in rows]
    assert State(3).follow(rows, 0, None, False) == naive.follow(timeless, 0, NO_CLICK, 3)
