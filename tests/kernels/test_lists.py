"""Rows become lists: grouped by user, best first, each item once."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from recopersona.kernels.lists import fill_lists, group_rows
from tests.naive import metrics as naive

N_USERS, N_ITEMS, K = 3, 6, 4

ROWS = st.lists(
    st.tuples(st.integers(-1, N_USERS - 1), st.integers(0, N_ITEMS - 1), st.integers(0, 3)),
    max_size=40,
)


@given(ROWS)
def test_the_kernels_agree_with_their_twin(found):
    users, items, keys = (np.array([row[part] for row in found]) for part in range(3))
    users, items, keys = users.astype(np.int32), items.astype(np.int32), keys.astype(np.float64)
    bounds = np.append(0, np.cumsum(np.bincount(users[users >= 0], minlength=N_USERS)))
    rows = np.empty(len(found), np.int64)
    group_rows(rows, bounds[:-1].copy(), users)
    lists, repeats = np.empty((N_USERS, K), np.int32), np.empty(N_USERS, np.int64)
    seen = np.full(N_ITEMS, -1, np.int32)
    fill_lists(lists, repeats, seen, rows, bounds, items, keys, 0, N_USERS)
    expected, again = naive.lists_of_rows(found, N_USERS, K)
    assert lists.tolist() == expected
    assert repeats.tolist() == again
