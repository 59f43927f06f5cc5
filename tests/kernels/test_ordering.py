"""Rows in order of their times: as numpy's stable sort has them, whatever the span."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recopersona.kernels.ordering import order_of

times = st.one_of(
    st.lists(st.integers(-3, 3), max_size=60),
    st.lists(st.integers(-(2**40), 2**40), max_size=60),
    st.lists(st.integers(-(2**63), 2**63 - 1), max_size=20),
)


@given(times)
def test_the_order_is_that_of_a_stable_sort(values):
    values = np.array(values, dtype=np.int64)
    order, in_order = order_of(values)
    assert order.tolist() == np.argsort(values, kind="stable").tolist()
    assert in_order.tolist() == sorted(values.tolist())
    assert order.dtype == np.int32


@pytest.mark.parametrize("span", [2_047, 2_048, 2**22 - 1, 2**22, 2**33])
def test_a_span_that_fills_its_digits_is_sorted_too(span):
    values = np.array([span, 0, span - 1, 1, span], dtype=np.int64)
    assert order_of(values)[0].tolist() == [1, 3, 2, 0, 4]


def test_the_times_given_are_left_alone():
    values = np.array([3, 1, 2], dtype=np.int64)
    values.flags.writeable = False
    assert order_of(values)[1].tolist() == [1, 2, 3]
    assert values.tolist() == [3, 1, 2]
