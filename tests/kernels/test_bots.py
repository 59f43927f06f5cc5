"""The measures of visitors agree with their naive twins."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recopersona.kernels.bots import group_rows, measure_visitors
from tests.naive import bots as naive

HOUR = naive.HOUR
visits = st.lists(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 4)), max_size=12))


@pytest.fixture(autouse=True, scope="module")
def _compiled_once():
    _ = measure_visitors.compiled, group_rows.compiled


def measured(visitors, *limits):
    bounds = np.cumsum([0, *map(len, visitors)])
    times = np.array([time for rows in visitors for time, _ in rows], dtype=np.int64)
    items = np.array([item for rows in visitors for _, item in rows], dtype=np.uint64)
    counts = np.full((5, len(visitors)), -7, dtype=np.int64)
    regular = np.full(len(visitors), -7.0)
    measure_visitors(*counts[:3], regular, *counts[3:], bounds, times, items, *limits)
    return counts.T.tolist(), regular.tolist()


@given(visits, st.integers(1, 5), st.integers(1, 3))
def test_visitors_are_measured_as_the_twin_does(visitors, step, hours):
    half = HOUR // 2
    visitors = [sorted((half * time, item) for time, item in rows) for rows in visitors]
    limits = (step * half, 3 * step * half, half, 4 * half, hours)
    expected = [
        naive.measures([t for t, _ in rows], [i for _, i in rows], *limits) for rows in visitors
    ]
    counts, regular = measured(visitors, *limits)
    assert counts == [count for count, _ in expected]
    assert regular == pytest.approx([share for _, share in expected])


def test_a_program_that_comes_every_minute_is_regular_around_the_clock():
    rows = [(minute * 60_000, minute % 7) for minute in range(2 * 24 * 60)]
    counts, regular = measured([rows, []], 5 * 60_000, HOUR, 5_000, HOUR, 24)
    assert counts == [[5, 60, 2 * 24 * 60 - 1, 2, 7], [0, 0, 0, 0, 0]]
    assert regular == [1.0, 0.0]


@given(st.lists(st.integers(0, 3), max_size=20))
def test_rows_of_one_code_come_together_in_their_order(codes):
    counts = np.bincount(codes, minlength=4) if codes else np.zeros(4, dtype=np.int64)
    ends = np.cumsum(counts) - counts
    order = np.empty(len(codes), dtype=np.int64)
    group_rows(order, ends, np.array(codes, dtype=np.int32))
    assert order.tolist() == naive.group_rows(codes)
    assert ends.tolist() == np.cumsum(counts).tolist()
