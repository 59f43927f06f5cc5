"""A glance passes over a file only if nobody could read the identifier out of it."""

import gzip
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recopersona.operations.logs import glance
from recopersona.operations.logs.glance import surely_names_nobody
from recopersona.operations.logs.kept_log import KeptLog
from recopersona.operations.needles import Needles
from recopersona.operations.person import Person

HERS = Needles(["u-17", "card:17@x"])


@pytest.mark.parametrize(("name", "content", "passed"), [
    ("a.csv", b"user_id,item_id\nu-18,tea\n", True),
    ("a.csv", b"user_id,item_id\nu-17,tea\n", False),
    ("a.csv", b"user_id,item_id\nu-18,au-170\n", False),
    ("a.csv", b'user_id,item_id\n"u-"17,tea\n', False),
    ("a.csv", b'user_id,item_id\nx,"say ""hi"", she said"\n"y",1\n', True),
    ("a.csv", "user_id,item_id\nu-17,tea\n".encode("utf-16"), False),
    ("a.jsonl", b'{"user_id": "\\u0075-17"}\n', False),
    ("a.jsonl", b'{"user_id": "u-18", "x": "\\u20ac"}\n', True),
    ("a.jsonl", b"", True),
])  # fmt: skip
def test_what_might_name_her_is_read(tmp_path, name, content, passed):
    (tmp_path / name).write_bytes(content)
    assert surely_names_nobody(tmp_path / name, HERS) is passed
    (tmp_path / f"{name}.gz").write_bytes(gzip.compress(content))
    assert surely_names_nobody(tmp_path / f"{name}.gz", HERS) is passed


@pytest.mark.parametrize("identifier", [7, "7", "zoë", "a/b", "a b", 'x"y', "-1"])
def test_what_may_be_written_in_several_ways_is_read(tmp_path, identifier):
    (tmp_path / "a.jsonl").write_bytes(b"")
    assert not surely_names_nobody(tmp_path / "a.jsonl", Needles([identifier]))


def test_an_identifier_across_two_blocks_is_seen(tmp_path, monkeypatch):
    monkeypatch.setattr(glance, "_BLOCK", 3)
    (tmp_path / "a.csv").write_bytes(b"xxxxxxu-17xxxx")
    assert not surely_names_nobody(tmp_path / "a.csv", Needles(["u-17"]))


@given(st.integers(0, 10**6), st.sampled_from([".csv", ".jsonl"]))
def test_a_file_that_is_passed_over_has_no_row_of_hers(tmp_path_factory, seed, suffix):
    draw = random.Random(seed)  # noqa: S311 - no secret
    words = [
        '"',
        '""',
        ",",
        "\n",
        "u-17",
        "u-",
        "17",
        "\\u0075",
        "-17",
        '"user_id":',
        "{",
        "}",
        " ",
    ]
    text = "".join(draw.choice(words) for _ in range(draw.randrange(12)))
    path = tmp_path_factory.mktemp("log") / f"a{suffix}"
    path.write_text(f"user_id,item_id\n{text}" if suffix == ".csv" else text)
    person = Person({"user_id": ["u-17"]})
    if surely_names_nobody(path, person.needles):
        (file,) = KeptLog(path).files()
        assert not any(said.of(person)[0].any() for _, said in file._read(needs_people=False))
