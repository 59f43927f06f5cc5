"""The session kernel agrees with its naive twin, whatever memory its input lies in."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recopersona.kernels.sessions import (
    is_ascending,
    number_cut_sessions,
    number_sessions,
    renumber,
)
from tests.naive import sessions as naive

logs = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 60)), max_size=40)


def numbered(visitors, times, gap, n_visitors, unit=1):
    session = np.full(len(times), -7, dtype=np.int64)
    first_row = np.full(len(times), -7, dtype=np.int64)
    state = np.full((n_visitors, 2), -1, dtype=np.int64)
    count = number_sessions(session, first_row, state, visitors, times, gap, unit)
    assert first_row[:count].tolist() == np.unique(session, return_index=True)[1].tolist()
    return session, count


@given(logs, st.integers(1, 30), st.integers(1, 4))
def test_the_kernel_agrees_with_its_twin(log, gap, unit):
    log = sorted(log, key=lambda row: row[1])
    visitors = np.array([visitor for visitor, _ in log], dtype=np.int32)
    times = np.array([time for _, time in log], dtype=np.int64)
    session, count = numbered(visitors, times, gap, 5, unit)
    in_units = [time // unit for time in times.tolist()]
    assert session.tolist() == naive.number_sessions(visitors.tolist(), in_units, gap)
    assert count == len(set(session.tolist()))


cut_logs = st.lists(
    st.tuples(
        st.integers(0, 2), st.integers(0, 60), st.sampled_from([-1, -1, 0, 1]), st.booleans()
    ),
    max_size=40,
)


@given(cut_logs, st.integers(1, 30), st.integers(1, 40), st.integers(0, 40))
def test_the_kernel_that_cuts_agrees_with_its_twin_in_one_piece_and_in_two(
    log, gap, max_length, cut
):
    log = sorted(log, key=lambda row: row[1])
    visitors = np.array([row[0] for row in log], dtype=np.int32)
    times = np.array([row[1] for row in log], dtype=np.int64)
    campaigns = np.array([row[2] for row in log], dtype=np.int32)
    days = np.cumsum([row[3] for row in log], dtype=np.int64)
    expected = naive.number_cut_sessions(
        visitors.tolist(), times.tolist(), days.tolist(), campaigns.tolist(), gap, max_length
    )
    session, first_row = np.empty(len(log), np.int64), np.empty(len(log), np.int64)
    state, count = np.full((3, 5), -1, dtype=np.int64), 0
    for part in (slice(None, cut), slice(cut, None)):
        count = number_cut_sessions(
            session[part], first_row[count:], state, visitors[part], times[part], days[part],
            campaigns[part], gap, max_length, count,
        )  # fmt: skip
    assert session.tolist() == expected
    assert count == len(set(expected))


def test_what_is_not_asked_for_ends_nothing():
    session, first_row = np.empty(2, np.int64), np.empty(2, np.int64)
    state = np.full((1, 5), -1, dtype=np.int64)
    visitors, times = np.zeros(2, np.int32), np.array([0, 30], dtype=np.int64)
    nothing = np.empty(0, np.int64), np.empty(0, np.int32)
    assert number_cut_sessions(
        session, first_row, state, visitors, times, *nothing, 30, 2**62, 7
    ) == 8  # fmt: skip
    assert session.tolist() == [7, 7]


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


@given(st.lists(st.integers(0, 5), max_size=6))
def test_ascending_is_what_sorting_leaves_alone(values):
    times = np.array(values, dtype=np.int64)
    assert is_ascending(times, 0, len(values)) == (values == sorted(values))
    two = [
        is_ascending(times, 0, len(values) // 2),
        is_ascending(times, len(values) // 2, len(values)),
    ]
    assert all(two) == (values == sorted(values))


def test_only_a_stretch_is_renumbered():
    session, place = np.array([0, 1, 2, 1, 0]), np.array([2, 0, 1])
    renumber(session, place, 1, 4)
    assert session.tolist() == [0, 0, 1, 0, 0]
