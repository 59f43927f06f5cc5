"""Words among bytes are found as one by one, and lines of CSV told apart as the csv module does."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recopersona.kernels.words import check_lines, mark_words, put_words
from tests.naive import words as naive

pytestmark = pytest.mark.filterwarnings("ignore:overflow encountered:RuntimeWarning")


@pytest.fixture(autouse=True, scope="module")
def _compiled_once():
    _ = put_words.compiled, mark_words.compiled, check_lines.compiled


def marked(data, words, whole):
    length, n_bits = len(words[0]), 6
    table = np.zeros(2**n_bits, np.uint64)
    put_words(table, np.frombuffer(b"".join(words), np.uint8), length, n_bits)
    marks = np.zeros(len(data), np.uint8)
    mark_words(marks, np.frombuffer(data, np.uint8), table, length, n_bits, whole)
    return set(np.flatnonzero(marks).tolist())


@given(st.integers(1, 4).flatmap(lambda n: st.tuples(
    st.lists(st.text("aZ1", min_size=n, max_size=n), min_size=1, max_size=6),
    st.text("abZ1-\0", max_size=30), st.integers(0, 2),
)))  # fmt: skip
def test_words_are_marked_where_they_begin(drawn):
    words, text, whole = drawn
    encoded = [word.encode() for word in words]
    assert marked(text.encode(), encoded, whole) == naive.starts_of(text.encode(), encoded, whole)


def test_a_word_of_bytes_that_count_nothing_is_no_shorter_one():
    assert marked(b"a\0\0\0", [b"\0\0"], 0) == {1, 2}


@given(st.text('",\n\rab', max_size=14))
def test_a_text_that_is_called_a_record_a_line_is_one(text):
    odd = np.zeros(1, np.uint8)
    check_lines(odd, np.frombuffer(text.encode(), np.uint8))
    if not odd[0]:
        assert naive.is_a_record_a_line(text)


@pytest.mark.parametrize(("text", "odd"), [
    ('a,"b",c\r\n"d, ""e""",f\n', 0), ("", 0), ('"",""\n\n', 0), ("a'b\rc", 0),
    ('a,"b\nc"\n', 1), ('a","b\n', 1), ('"a"b\n', 1), ('a"b\n', 1), ('"open', 1), ('""a","\n', 1),
])  # fmt: skip
def test_what_is_odd_about_a_line(text, odd):
    told = np.zeros(1, np.uint8)
    check_lines(told, np.frombuffer(text.encode(), np.uint8))
    assert told[0] == odd
