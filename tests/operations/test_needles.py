"""Identifiers are found among bytes in every usual writing, and only where they stand alone."""

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recopersona.operations import needles as needles_module
from recopersona.operations.needles import Needles, plain_text, stands_out


@pytest.mark.parametrize("written", [
    "u-17", '{"user_id": "u-17"}', "?user=u-17&x=1", "user_id:u-17", "[u-17]", "\tu-17\n",
])  # fmt: skip
def test_an_identifier_is_found_wherever_it_stands_alone(written):
    assert Needles(["u-17"]).in_text(written) == 0


@pytest.mark.parametrize("written", ["u-170", "au-17", "u-1", "u-17é", "", "U-17", "u-17x"])
def test_a_longer_word_is_another_identifier(written):
    assert Needles(["u-17"]).in_text(written) is None


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-16-be", "utf-32-le"])
def test_wide_letters_are_read(encoding):
    needles = Needles(["zoë@shop", "u-17"])
    assert [which for _, which in needles.in_bytes("an u-17 …".encode(encoding))] == [1]
    if encoding != "utf-32-le":
        assert not needles.in_bytes("an u-170 …".encode(encoding))
        assert not needles.in_bytes("anu-17 …".encode(encoding))


@pytest.mark.parametrize("write", [
    json.dumps, lambda text: json.dumps(text).upper().replace("\\U", "\\u").replace("ZO", "zo"),
    lambda text: json.dumps(text, ensure_ascii=False), lambda text: "zo%C3%AB%20%22x%22",
])  # fmt: skip
def test_escaped_letters_are_read(write):
    identifier = 'zoë "x"'
    told = write(identifier)
    needles = Needles([identifier])
    assert needles.in_text(told if "%" in told else told.replace(' \\"X\\"', ' \\"x\\"')) == 0


def test_what_is_short_is_known_as_a_value_and_not_among_bytes():
    needles = Needles([7, "ann", "12345", "123456", "null"])
    assert needles.is_one("7")
    assert needles.is_one(7.0)
    assert needles.in_bytes(b"7 ann 12345 null") == []
    assert needles.in_bytes(b"=123456;") == [(1, 3)]
    assert needles.in_bytes(b"1234567") == []
    assert needles.n_by_value_alone == 4
    assert "123456" not in repr(needles)


def test_nothing_to_look_for_is_nowhere():
    assert Needles([]).in_bytes(b"u-17") == []
    assert list(Needles([7]).in_stream(io.BytesIO(b"7"))) == []


@given(
    st.lists(
        st.sampled_from(["u-17", "user-two", "123456", " ", "x", "\n", "9", "é"]), max_size=30
    ),
    st.integers(1, 40),
)
def test_a_stream_finds_what_the_whole_does_however_it_is_cut(words, block):
    data = "".join(words).encode()
    needles = Needles(["u-17", "user-two", "123456"])
    handle = io.BytesIO(data)
    read = handle.read
    handle.read = lambda _=None: read(block)
    assert list(needles.in_stream(handle)) == needles.in_bytes(data)


def test_texts_without_gaps_are_searched_within_words():
    assert Needles(["u-17"]).inside_bytes(b"u-16u-17u-18") == [(4, 0)]


def test_numbers_and_their_digits_are_one_text():
    assert {plain_text(one) for one in (7, 7.0, "7", " 7")} == {"7"}
    assert stands_out("1234567")
    assert not stands_out("undefined")


PARTS = [part.encode() for part in ("u-17", "u-170", "-", "zoë1", ".", "x", "\\u00eb")]


@given(
    st.lists(
        st.sampled_from([*PARTS, "u-17".encode("utf-16-le"), b"zo", b"1", b"\0"]), max_size=12
    ),
    st.booleans(),
)
def test_many_are_found_as_few_are(parts, alone):
    texts = ["u-17", "u-170", "zoë1", "x-u-17"]
    few, many = Needles(texts), Needles([*texts, *(f"nobody-{n}" for n in range(40))])
    assert len(few._written) <= needles_module._MANY < len(many._written)
    data = b"".join(parts)
    found = [one.in_bytes(data) if alone else one.inside_bytes(data) for one in (few, many)]
    assert found[0] == found[1]
