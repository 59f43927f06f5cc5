"""The session kernel agrees with its naive twin, whatever memory its input lies in."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recopersona.kernels.sessions import number_sessions
from tests.naive import sessions as naive

logs = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 60)), max_size=40)


def numbered(visitors, times, gap, n_visitors):
    session = np.full(len(times), -7, dtype=np.int64)
    last_time = np.empty(n_visitors, dtype=np.int64)
    last_session = np.full(n_visitors, -1, dtype=np.int64)
    count = number_sessions(session, last_time, last_session, visitors, times, gap)
    return session, count


@given(logs, st.integers(1, 30))
def test_the_kernel_agrees_with_its_twin(log, gap):
    log = sorted(log, key=lambda row: row[1])
    visitors = np.array([visitor for visitor, _ in log], dtype=np.int32)
    times = np.array([time for _, time in log], dtype=np.int64)
    session, count = numbered(visitors, times, gap, 5)
    assert session.tolist() == naive.number_sessions(visitors.tolist(), times.tolist(), gap)
    assert count == len(set(session.tolist()))


def test_a_pause_of_exactly_the_gap_ends_nothing():
    times = np.array([0, 30, 61], dtype=np.int64)
    session, count = numbered(np.zeros(3, dtype=np.int32), times, 30, 1)
    assert session.tolist() == [0, 0, 1]
    assert count == 2


def test_no_rows_make_no_session():
    session, count = numbered(np.zeros(0, dtype=np.int32), np.zeros(0, dtype=np.int64), 30, 0)
    assert len(session) == 0
    assert count == 0


def test_times_before_1970_are_times_too():
    times = np.array([-2_000, -1_000, 500], dtype=np.int64)
    assert numbered(np.zeros(3, dtype=np.int32), times, 1_200, 1)[0].tolist() == [0, 0, 1]


@pytest.mark.parametrize("memory", ["read-only", "mapped"])
def test_memory_that_cannot_be_written_is_read(memory, tmp_path):
    rng = np.random.default_rng(5)
    visitors = rng.integers(0, 9, 200).astype(np.int32)
    times = np.sort(rng.integers(0, 4_000, 200))
    expected = numbered(visitors, times, 60, 9)[0]
    held = {"visitors": visitors, "times": times}
    for name, array in held.items():
        np.save(tmp_path / f"{name}.npy", array)
        array.flags.writeable = False
    if memory == "mapped":
        held = {name: np.load(tmp_path / f"{name}.npy", mmap_mode="r") for name in held}
    assert np.array_equal(numbered(held["visitors"], held["times"], 60, 9)[0], expected)
