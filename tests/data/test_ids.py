import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recopersona.data.ids import IdMap
from recopersona.errors import DataError

texts = st.text(max_size=5)
integers = st.integers(-(2**63), 2**63 - 1)
values = st.one_of(
    st.lists(texts), st.lists(integers), st.lists(st.one_of(texts, integers), max_size=80)
)
distinct = st.lists(st.one_of(texts, integers), unique_by=lambda one: (type(one), one))


@given(values)
def test_every_value_comes_back_from_its_code(column):
    ids, codes = IdMap.from_values(column)
    assert codes.dtype == np.int32
    assert [ids.ids.tolist()[code] for code in codes] == column
    assert ids.ids.tolist() == list(dict.fromkeys(column))


@given(values, st.one_of(texts, integers))
def test_the_index_of_an_id_is_its_place_or_unknown(column, asked):
    ids, _ = IdMap.from_values(column)
    known = list(dict.fromkeys(column))
    assert ids.index(asked) == (known.index(asked) if asked in known else -1)
    assert (asked in ids) == (asked in known)


@pytest.mark.parametrize("repeats", [1, 100])
@given(known=values, asked=values)
def test_many_ids_are_found_like_one(repeats, known, asked):
    ids, _ = IdMap.from_values(known)
    assert ids.indices(repeats * asked).tolist() == repeats * [ids.index(one) for one in asked]


@given(values, values)
def test_extending_keeps_every_index(first, second):
    ids, codes = IdMap.from_values(first)
    more = ids.extend(second)
    together = first + second
    assert [ids.ids.tolist()[code] for code in [*codes, *more]] == together
    assert len(ids) == len(set(together))


@given(distinct, distinct)
def test_appending_one_by_one_is_extending(first, second):
    at_once, singly = IdMap(first), IdMap(first)
    codes = at_once.extend(second)
    assert [singly.append(identifier) for identifier in second] == codes.tolist()
    assert singly.ids.tolist() == at_once.ids.tolist()


@pytest.mark.parametrize("first", [[], [1, 2], ["a", 2], ["a"], [2**70, 1]])
@pytest.mark.parametrize("later", [[[7], [8, 9]], [["x"], [7]], [[7], ["x"], [8]], [[2**70 + 1]]])
def test_ids_that_come_little_by_little_are_read_as_if_all_had_come_at_once(first, later):
    ids = IdMap(first)
    for more in later:
        for one in more:
            ids.append(one)
        whole = IdMap([*first, *ids.ids[len(first) :].tolist()]).ids
        assert (ids.ids.tolist(), ids.ids.dtype) == (whole.tolist(), whole.dtype)
        assert all(type(one) in (int, str) for one in ids.ids.tolist())


def test_one_more_id_does_not_copy_those_before():
    ids = IdMap(range(100))
    ids.append(100)
    before = ids.ids
    ids.append(101)
    assert np.shares_memory(before, ids.ids)
    assert (before.tolist(), ids.ids.tolist()) == (list(range(101)), list(range(102)))


@given(distinct, distinct)
def test_a_copy_grows_alone(first, second):
    ids = IdMap(first)
    ids.extend(["one more"])
    copy = ids.copy()
    copy.extend(second)
    assert ids.ids.tolist() == list(dict.fromkeys([*first, "one more"]))
    assert copy.ids.tolist() == list(dict.fromkeys([*first, "one more", *second]))


@given(distinct, st.data())
def test_forgetting_blanks_an_id_and_keeps_the_others(known, data):
    ids = IdMap(known)
    gone = data.draw(st.lists(st.sampled_from(known), unique=True)) if known else []
    assert ids.forget([*gone, "never there, surely"]) == len(gone)
    for place, identifier in enumerate(known):
        assert ids.index(identifier) == (-1 if identifier in gone else place)
    assert len(ids) == len(known)
    assert ids.index(None) == -1


def test_a_forgotten_id_may_come_back_at_a_new_place():
    ids = IdMap(["anna", "ben"])
    ids.forget(["anna"])
    assert ids.append("anna") == 2
    assert ids.ids.tolist() == [None, "ben", "anna"]


def test_integers_stay_integers_around_a_forgotten_one():
    ids = IdMap([10, 11])
    ids.forget([10])
    ids.append(12)
    assert [type(identifier) for identifier in ids] == [type(None), int, int]


def test_a_copy_does_not_forget_what_the_original_forgot():
    ids = IdMap(["anna", "ben"])
    copy = ids.copy()
    ids.forget(["anna"])
    assert copy.index("anna") == 0


def test_integers_stay_integers():
    ids, _ = IdMap.from_values(pd.Series([3, 1, 3]))
    assert ids.ids.dtype == np.int64
    ids.append(9)
    assert ids.ids.dtype == np.int64
    assert [type(identifier) for identifier in ids] == [int, int, int]


def test_whole_floats_become_integers_again():
    ids, _ = IdMap.from_values(pd.Series([3.0, 1.0]))
    assert ids.ids.tolist() == [3, 1]
    assert ids.index(3) == 0


@pytest.mark.parametrize("big", [2**53 + 1, 2**63 - 1, 2**63, 2**70, -(2**70)])
def test_large_integers_are_kept_to_the_last_digit(big):
    ids, codes = IdMap.from_values([big, 7, big])
    assert codes.tolist() == [0, 1, 0]
    assert ids.ids.tolist() == [big, 7]
    assert ids.index(big) == 0
    assert ids.index(big - 1) == -1


def test_numbers_of_numpy_are_found_like_pythons():
    ids = IdMap([5, 6])
    assert ids.index(np.int64(6)) == 1
    assert ids.indices(np.array([6, 5, 4], dtype=np.uint8)).tolist() == [1, 0, -1]


def test_text_and_number_are_different_ids():
    ids = IdMap([1, "1"])
    assert (ids.index(1), ids.index("1")) == (0, 1)


@pytest.mark.parametrize("storage", ["python", "pyarrow"])
def test_both_kinds_of_pandas_text_are_plain_text(storage):
    column = pd.Series(["tea", "salt", "tea"], dtype=pd.StringDtype(storage, na_value=np.nan))
    ids, codes = IdMap.from_values(column)
    assert ids.ids.tolist() == ["tea", "salt"]
    assert {type(identifier) for identifier in ids} == {str}
    assert codes.tolist() == [0, 1, 0]
    assert ids.indices(column).tolist() == [0, 1, 0]


def test_categories_are_read_as_what_they_stand_for():
    ids, codes = IdMap.from_values(pd.Series(["b", "a", "b"], dtype="category"))
    assert (ids.ids.tolist(), codes.tolist()) == (["b", "a"], [0, 1, 0])


@pytest.mark.parametrize("missing", [None, np.nan, pd.NA, pd.NaT])
def test_a_missing_id_is_unknown(missing):
    ids = IdMap(["tea"])
    assert ids.indices(["tea", missing]).tolist() == [0, -1]
    assert ids.indices(100 * ["tea", missing]).tolist() == 100 * [0, -1]


@pytest.mark.parametrize("missing", [None, float("nan")])
def test_a_missing_id_is_refused(missing):
    with pytest.raises(DataError, match="an id must not be missing"):
        IdMap(["tea", missing])
    with pytest.raises(DataError, match="an id must not be missing"):
        IdMap(["tea"]).append(missing)
    with pytest.raises(DataError, match="an id must not be missing"):
        IdMap(["tea"]).extend(["salt", missing])


def test_a_refused_column_leaves_the_map_as_it_was():
    ids = IdMap(["tea"])
    with pytest.raises(DataError):
        ids.extend(["salt", None])
    assert ids.ids.tolist() == ["tea"]


def test_a_repeated_id_is_named():
    with pytest.raises(DataError, match="ids must be distinct, got 'tea' more than once"):
        IdMap(["salt", "tea", "tea"])
    with pytest.raises(DataError, match="ids must be distinct, got 7 more than once"):
        IdMap([7, 7])


def test_what_cannot_be_hashed_is_no_id():
    ids = IdMap(["tea"])
    with pytest.raises(DataError, match="an id must be a string or an integer, got a list"):
        ids.index(["tea"])
    with pytest.raises(DataError, match="ids must be strings or integers"):
        IdMap.from_values([["tea"], ["salt"]])


def test_the_ids_cannot_be_written_to():
    ids, _ = IdMap.from_values(np.array([1, 2]))
    with pytest.raises(ValueError, match="read-only"):
        ids.ids[0] = 9


def test_the_callers_array_stays_writable():
    column = np.array([4, 5])
    IdMap.from_values(column)
    column[0] = 7
    assert column.tolist() == [7, 5]


def test_a_restored_map_keeps_its_blanks():
    ids = IdMap(["anna", "ben"])
    ids.forget(["anna"])
    again = IdMap.restored(ids.ids)
    assert again.ids.tolist() == [None, "ben"]
    assert (again.index("ben"), again.index("anna"), again.index(None)) == (1, -1, -1)


def test_a_map_says_what_it_holds():
    assert repr(IdMap(range(5))) == "IdMap(5 ids: 0, 1, 2, …)"


def test_half_a_character_is_an_id_in_a_list_too():
    ids = IdMap(["\ud800", "anna"])
    assert ids.extend(["ben", "\ud800"]).tolist() == [2, 0]
    assert ids.indices(["anna", "\udfff"] * 99).tolist() == [1, -1] * 99
