"""Values become comparable within a request, whatever comes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import recopersona as rp

INF, NAN = np.inf, np.nan


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([], []),
        ([3.0], [0.5]),
        ([2.0, 2.0], [0.5, 0.5]),
        ([1.0, 3.0, 2.0], [0.0, 1.0, 0.5]),
        ([NAN, 0.0, 1.0, 4.0], [0.25, 0.0, 0.25, 1.0]),
        ([NAN, NAN], [0.5, 0.5]),
        ([INF, 0.0, 1.0, -INF], [1.0, 0.0, 1.0, 0.0]),
        ([INF, -INF, NAN], [1.0, 0.0, 0.5]),
        ([1e308, -1e308, 0.0], [1.0, 0.0, 0.5]),
    ],
)
def test_whatever_comes_is_defined(values, expected):
    assert rp.scaled(values).tolist() == expected


@given(st.lists(st.floats(width=32), max_size=9), st.randoms())
def test_bounds_hold_and_the_order_does_not_matter(values, random):
    found = rp.scaled(values)
    assert ((found >= 0) & (found <= 1)).all()
    places = list(range(len(values)))
    random.shuffle(places)
    assert (rp.scaled(np.array(values)[places]) == found[places]).all()
