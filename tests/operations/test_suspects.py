"""A row is passed over only if nobody could read the identifier out of it."""

import gzip
import random
from itertools import pairwise

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recopersona.operations.logs import suspects
from recopersona.operations.logs.kept_log import KeptLog
from recopersona.operations.logs.parquet_pieces import suspects_among
from recopersona.operations.logs.suspects import Suspects, are_in, lines_of, suspects_in
from recopersona.operations.needles import Needles
from recopersona.operations.person import Person

HERS = Needles(["u-17", "card:17@x"])


def is_passed_over(file, needles):
    found = suspects_in(file, needles)
    return found is not None and not are_in(found, file)


@pytest.mark.parametrize(("name", "content", "passed"), [
    ("a.csv", b"user_id,item_id\nu-18,tea\n", True),
    ("a.csv", b"user_id,item_id\nu-17,tea\n", False),
    ("a.csv", b"user_id,item_id\nu-18,au-170\n", True),
    ("a.csv", b"user_id,item_id\nu-18,au-17\n", False),
    ("a.jsonl", b'{"user_id": "\\u3000u-17\\n"}\n', False),
    ("a.csv", b'user_id,item_id\n"u-"17,tea\n', False),
    ("a.csv", b'user_id,item_id\n"x\ny",1\n', False),
    ("a.csv", b'user_id,item_id\nx,"say ""hi"", she said"\n"y",1\n', True),
    ("a.csv", "user_id,item_id\nu-17,tea\n".encode("utf-16"), False),
    ("a.jsonl", b'{"user_id": "\\u0075-17"}\n', False),
    ("a.jsonl", b'{"user_id": "u-18", "x": "\\u20ac"}\n', True),
    ("a.jsonl", b'{"user_id": "card%3A17%40x"\n', False),
    ("a.jsonl", b"", True),
])  # fmt: skip
def test_what_might_name_her_is_read(tmp_path, name, content, passed):
    for path, written in ((tmp_path / name, content),
                          (tmp_path / f"{name}.gz", gzip.compress(content))):  # fmt: skip
        path.write_bytes(written)
        assert is_passed_over(path, HERS) is passed


@pytest.mark.parametrize(("line", "passed"), [
    ("7", False), ("7.0", False), ("0.7e1", False), ("70E-1", False), ('"\\u20037"', False),
    ("77", True), ("17.0", True), ('"3e5f"', True),
])  # fmt: skip
def test_a_number_is_read_however_it_is_written(tmp_path, line, passed):
    (tmp_path / "a.jsonl").write_text(f'{{"user_id": {line}}}\n')
    assert is_passed_over(tmp_path / "a.jsonl", Needles([7])) is passed


@pytest.mark.parametrize("identifier", ["zoë", "a/b", "a b", 'x"y', "-1", "1" * 16])
def test_of_what_may_be_written_in_several_ways_every_row_is_read(tmp_path, identifier):
    (tmp_path / "a.jsonl").write_bytes(b"")
    assert suspects_in(tmp_path / "a.jsonl", Needles([identifier])) is None


@pytest.mark.parametrize("content", [b"xx\nxxxxu-17,xxx", b"xxxxxxxxx\nx\nu-17\n"])
def test_an_identifier_across_two_blocks_is_seen(tmp_path, monkeypatch, content):
    monkeypatch.setattr(suspects, "_BLOCK", 3)
    (tmp_path / "a.csv").write_bytes(content)
    assert not is_passed_over(tmp_path / "a.csv", Needles(["u-17"]))


@given(st.text("a\r\n", max_size=9))
def test_lines_are_those_of_bytes(text):
    data = text.encode()
    bounds = lines_of(data)
    cut = [data[a:b] for a, b in pairwise(bounds)]
    assert [line for line in cut if line] == data.splitlines(keepends=True)


@pytest.mark.parametrize("make", [
    lambda column: pa.array(column), lambda column: pa.array(column).dictionary_encode(),
    lambda column: pa.array(["x", *column]).slice(1), lambda column: pa.array(column, pa.binary()),
])  # fmt: skip
def test_rows_of_a_table_are_told_one_by_one(make):
    table = pa.table({"n": [70, 71, 72, 73, 7, 74], "who": make(["7", "17", None, "", "u-1", "u"])})
    told = suspects_among(table, Suspects.of(Needles(["7", "u-1"])))
    assert told.tolist() == [True, True, False, False, True, False]


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
    (file,) = KeptLog(path).files()
    found = suspects_in(path, person.needles)
    rows = [sum(hers(file, person, who).values()) for who in (None, found)]
    assert rows[0] == rows[1]
    if found is not None and not are_in(found, path):
        assert not rows[0]


def hers(file, person, among):
    """Return how many of her rows the pieces of a file have."""
    read = enumerate(file._read(needs_people=False, suspects=among))
    return {place: int(said.of(person)[0].sum()) for place, (_, said) in read}
