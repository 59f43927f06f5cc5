"""Codes of integers: a dictionary's, however many there are and however they collide."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recopersona.kernels import coding
from recopersona.kernels.coding import codes_of, codes_of_texts

numbers = st.lists(
    st.one_of(st.integers(0, 9), st.integers(-(2**63), 2**63 - 1)), max_size=60
)  # fmt: skip


def naive_codes(values):
    known = {}
    return [known.setdefault(value, len(known)) for value in values], list(known)


@given(numbers, st.sampled_from([4, 1 << 12]))
def test_codes_count_values_in_the_order_they_come(values, fewest):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(coding, "_FEWEST", fewest)  # so that a few values fill the table
        codes, distinct = codes_of(np.array(values, dtype=np.int64))
    expected, known = naive_codes(values)
    assert codes.tolist() == expected
    assert distinct.tolist() == known


@pytest.mark.parametrize("step", [1, 2**12, 2**31, 2**53])
def test_values_at_even_steps_are_told_apart(step):
    values = np.arange(200, dtype=np.int64) * step
    codes, distinct = codes_of(np.concatenate([values, values[::-1]]))
    assert np.array_equal(codes[:200], np.arange(200))
    assert np.array_equal(codes[200:], np.arange(200)[::-1])
    assert np.array_equal(distinct, np.unique(values)[np.argsort(np.argsort(values))])


@given(st.lists(st.text(alphabet="aé", max_size=3), max_size=60), st.sampled_from([4, 1 << 12]))
def test_texts_are_told_apart_byte_by_byte(values, fewest):
    encoded = [value.encode() for value in values]
    bounds = np.cumsum([0, *map(len, encoded)], dtype=np.int64)
    data = np.frombuffer(b"".join(encoded), dtype=np.uint8)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(coding, "_FEWEST", fewest)
        codes, n_distinct = codes_of_texts(bounds, data)
    expected, known = naive_codes(values)
    assert codes.tolist() == expected
    assert n_distinct == len(known)


def test_texts_of_one_hash_are_two(monkeypatch):
    monkeypatch.setattr(coding, "hash_texts", lambda hashes, *_: hashes.fill(7))
    data = np.frombuffer(b"abbaab", dtype=np.uint8)
    codes, n_distinct = codes_of_texts(np.array([0, 2, 4, 6, 6]), data)
    assert codes.tolist() == [0, 1, 0, 2]
    assert n_distinct == 3
