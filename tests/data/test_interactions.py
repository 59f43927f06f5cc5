import numpy as np
import pytest

from recopersona.data.interactions import Interactions
from recopersona.errors import DataError


def some_rows(**more):
    columns = {"users": [0, 1, 0], "items": [1, 1, 1], "event": [2, 2, 8], "weight": [1, 2, 4]}
    return Interactions(**{name: np.array(column) for name, column in {**columns, **more}.items()})


def test_columns_have_their_types_and_cannot_be_written_to():
    rows = some_rows(timestamp=[1, 2, 3])
    wanted = {"users": "int32", "items": "int32", "event": "int8", "weight": "float32",
              "timestamp": "int64"}  # fmt: skip
    assert {name: str(getattr(rows, name).dtype) for name in wanted} == wanted
    for name in wanted:
        with pytest.raises(ValueError, match="read-only"):
            getattr(rows, name)[0] = 0


def test_the_callers_arrays_stay_writable():
    users = np.array([0, 1, 0], dtype=np.int32)
    some_rows(users=users)
    users[0] = 1
    assert users[0] == 1


def test_columns_must_be_of_one_length():
    with pytest.raises(DataError, match=r"interactions.weight must have one value per row \(3\)"):
        some_rows(weight=[1, 2])


def test_repeats_of_a_pair_add_up_and_zeros_are_not_stored():
    matrix = some_rows(weight=[1, 0, 4]).to_csr((3, 2))
    assert matrix.toarray().tolist() == [[0, 5], [0, 0], [0, 0]]
    assert matrix.nnz == 1
    assert matrix.dtype == np.float32


def test_a_user_at_the_tail_is_still_a_row():
    assert some_rows().to_csr((5, 3)).shape == (5, 3)


def test_rows_are_taken_by_mask_or_by_number():
    rows = some_rows(quantity=[1, 2, 3])
    assert rows.take(np.array([True, False, True])).weight.tolist() == [1, 4]
    assert rows.take(np.array([2, 0])).quantity.tolist() == [3, 1]


def test_the_end_is_the_latest_time():
    assert some_rows(timestamp=[5, 9, 7]).end == 9
    assert some_rows().end is None


def test_weights_decay_up_to_now():
    rows = some_rows(timestamp=[0, 10, 20], weight=[8, 8, 8])
    assert rows.decayed_weight(10).tolist() == [2, 4, 8]
    assert rows.decayed_weight(10, now=30).tolist() == [1, 2, 4]
    assert rows.decayed_weight(None).tolist() == [8, 8, 8]


def test_without_times_nothing_can_decay():
    with pytest.raises(DataError, match="half_life needs a 'timestamp' column in the events"):
        some_rows().decayed_weight(10)


def test_a_single_row_by_the_short_way_is_a_row():
    row, same = Interactions.one(3, 4, 2, 1.5, 99), some_rows(
        users=[3], items=[4], event=[2], weight=[1.5], timestamp=[99]
    )  # fmt: skip
    for name in ("users", "items", "event", "weight", "timestamp"):
        assert getattr(row, name).dtype == getattr(same, name).dtype
        assert getattr(row, name).tolist() == getattr(same, name).tolist()
    assert (row.session, row.quantity) == (None, None)


def test_rows_say_what_they_hold():
    assert repr(some_rows()) == "Interactions(3 rows: users, items, event, weight)"
