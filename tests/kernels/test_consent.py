"""The states of consent along timelines agree with their naive twins."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recopersona.kernels.consent import NO_TIME, carry_states, fill_states
from tests.naive import consent as naive

moments = st.lists(
    st.tuples(st.integers(0, 9), st.integers(0, 7), st.integers(0, 7)),
    max_size=5,
    unique_by=lambda moment: moment[0],
)
people = st.lists(moments.map(sorted), max_size=4)
rows = st.lists(st.tuples(st.integers(-1, 5), st.sampled_from([None, *range(-1, 11)])), max_size=9)


@pytest.fixture(autouse=True, scope="module")
def _compiled_once():
    _ = carry_states.compiled, fill_states.compiled


def arrays_of(people):
    starts = np.cumsum([0, *map(len, people)])
    said = [moment for person in people for moment in person]
    times, granted, denied = np.array(said, np.int64).reshape(-1, 3).T.copy()
    return starts, times, granted, denied


def carried(people):
    starts, times, said_granted, said_denied = arrays_of(people)
    granted, denied = np.full((2, len(times)), -7, np.int64)
    carry_states(granted, denied, starts, said_granted, said_denied)
    return starts, times, granted, denied


@given(people)
def test_what_was_said_holds_on_as_the_twin_has_it(people):
    starts, _, said_granted, said_denied = arrays_of(people)
    _, _, granted, denied = carried(people)
    expected = naive.carried(starts.tolist(), said_granted.tolist(), said_denied.tolist())
    assert (granted.tolist(), denied.tolist()) == expected


@given(people, rows, st.integers(0, 2), st.integers(0, 2))
def test_rows_have_the_states_of_the_twin(people, rows, place, before):
    starts, times, granted, denied = carried(people)
    records = [
        (one, purpose, state, at)
        for one, person in enumerate(people)
        for at, said_granted, said_denied in person
        for purpose in range(3)
        for state, said in (("granted", said_granted & ~said_denied), ("denied", said_denied))
        if said >> purpose & 1
    ]
    who = np.array([one for one, _ in rows], np.int64)
    at = np.array([NO_TIME if time is None else time for _, time in rows], np.int64)
    then, now = np.full((2, len(rows)), before, np.int8)
    fill_states(then, now, starts, times, granted, denied, who, at, 1 << place)
    expected = [
        tuple(
            max(before, naive.ORDER.index(naive.state_at(records, one, place, moment)))
            for moment in (time, None)
        )
        for one, time in rows
    ]
    assert list(zip(then.tolist(), now.tolist(), strict=True)) == expected
