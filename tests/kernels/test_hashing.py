"""Hashes agree with their naive twins and with what was published of them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recopersona.kernels import hashing
from tests.naive import hashing as naive

texts = st.text(st.characters(codec="utf-8"), max_size=12)
whole = st.integers(-(2**63), 2**63 - 1)


@pytest.fixture(autouse=True, scope="module")
def _compiled_once():
    """Not within the time of an example."""
    for kernel in vars(hashing).values():
        getattr(kernel, "compiled", None)


@pytest.fixture(autouse=True)
def _hashes_wrap_around():
    with np.errstate(over="ignore"):  # with the JIT off numpy would warn
        yield


def scanned(values, no_ids=(), longest=8):
    data = "".join(values).encode()
    bounds = np.cumsum([0, *(len(value.encode()) for value in values)])
    hashes, flags = np.empty(len(values), np.uint64), np.empty(len(values), np.uint8)
    words = np.array([naive.text_hash(word) for word in no_ids], dtype=np.uint64)
    data = np.frombuffer(data, np.uint8)
    with np.errstate(over="ignore"):
        hashing.scan_texts(hashes, flags, bounds, data, words, longest)
    return hashes.tolist(), flags.tolist()


@given(st.lists(texts, max_size=6))
def test_texts_hash_as_their_twin_does(values):
    assert scanned(values)[0] == [naive.text_hash(value) for value in values]


def test_the_hashes_never_change():
    """Literals: whoever stored hashes finds them again in every version."""
    assert scanned(["", "anna"])[0] == [17665956581633026203, 10291331808081736964]
    out = np.empty(2, np.uint64)
    hashing.hash_whole_numbers(out, np.array([7, -1]))
    assert out.tolist() == [17112738678763322692, 6997302613453134882]


@pytest.mark.parametrize(
    ("text", "flags"),
    [
        ("anna", 0),
        (" anna", hashing.EDGE),
        ("anna\u3000", hashing.EDGE),
        ("a b", 0),
        ("a\0b", hashing.CONTROL),
        ("anna\0", hashing.CONTROL | hashing.EDGE),
        ("null", hashing.NO_ID),
        ("12345678", 0),
        ("123456789", hashing.LONG),
    ],
)
def test_odd_texts_are_told(text, flags):
    assert scanned([text, "x"], ["null"])[1] == [flags, 0]


@given(st.lists(whole, max_size=6))
def test_whole_numbers_hash_as_their_twin_does(values):
    out = np.empty(len(values), np.uint64)
    with np.errstate(over="ignore"):
        hashing.hash_whole_numbers(out, np.array(values, dtype=np.int64))
    assert out.tolist() == [naive.number_hash(value) for value in values]


@given(st.lists(st.floats(allow_nan=False) | st.integers(-99, 99).map(float), max_size=6))
def test_numbers_hash_as_their_twin_does_and_whole_ones_as_integers(values):
    numbers, out = np.array(values, dtype=np.float64), np.empty(len(values), np.uint64)
    with np.errstate(over="ignore"):
        hashing.hash_numbers(out, numbers, numbers.view(np.uint64))
    assert out.tolist() == [naive.number_hash(value) for value in values]
    assert naive.number_hash(2.0) == naive.number_hash(2)


def test_a_column_adds_its_values_and_no_gaps():
    totals = np.zeros(2, np.uint64)
    hashes = np.array([naive.text_hash("tea")] * 2, dtype=np.uint64)
    salt = np.uint64(naive.text_hash("item_id"))
    hashing.add_column(totals, hashes, np.array([0, 1], np.uint8), salt)
    assert totals.tolist() == [naive.row_hash({"item_id": "tea"}), 0]


def numbered(hashes):
    codes, firsts = np.empty(len(hashes), np.int32), np.empty(len(hashes), np.int32)
    slots = np.zeros(1 << len(hashes).bit_length(), np.int32)
    n = hashing.number_hashes(codes, firsts, slots, np.array(hashes, dtype=np.uint64))
    return codes.tolist(), firsts[:n].tolist()


@given(st.lists(st.integers(0, 12), max_size=30))
def test_hashes_are_numbered_by_first_appearance(values):
    codes, firsts = numbered(values)
    assert codes == naive.number_hashes(values)
    assert firsts == [values.index(value) for value in dict.fromkeys(values)]


@given(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 1)), max_size=30))
def test_what_was_remembered_is_found(rows):
    hashes, bodies = (np.array([row[c] for row in rows], dtype=np.uint64) for c in (0, 1))
    keys, contents = np.zeros(64, np.uint64), np.zeros(64, np.uint64)
    found = np.empty(len(rows), np.uint8)
    new = hashing.remember_hashes(found, keys, contents, hashes, bodies)
    known, expected = {}, []
    for value, body in rows:
        before = known.setdefault(max(value, 1), body)  # 0 marks an empty slot
        expected.append(None if len(known) > sum(e is None for e in expected) else before != body)
    assert found.tolist() == [0 if e is None else 1 + e for e in expected]
    assert new == len(known)
