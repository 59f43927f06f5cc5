"""What is no row is set aside with a reason and counted, or named in one sentence."""

import gzip

import pytest

from recopersona.errors import DataError
from recopersona.events.read_report import BROKEN
from recopersona.events.reading import read_events

HEADER = b"user_id,item_id,price\n"
GOOD = b'{"user_id": "anna", "item_id": "tea"}\n'

BROKEN_CSV = {
    "too_many_cells": [b"anna,tea,1,2,3\n", b'"a",b,,\n'],
    "nul_byte": [b"an\0na,tea,1\n", b"\0\n", b"anna,tea,1\0\n"],
    "broken_quotes": [b'"anna,tea,1\n', b'a,b,"\n'],
}
BROKEN_JSON = {
    "no_json": [b'{"user_id": "an\n', b"anna\n", b"[" * 5_000 + b"\n", b"{'user_id': 1}\n",
                b'{"user_id": "\\ud800"}\n', b'{"user_id": ' + b"9" * 5_000 + b"}\n"],
    "no_object": [b"[1]\n", b"3\n", b"null\n", b'"anna"\n'],
    "bad_encoding": [b'{"user_id": "\xe9"}\n', b'\xff\xfe{"a": 1}\n'],
    "nul_byte": [b'{"user_id": "a\0b"}\n', b"\0\0\n"],
}  # fmt: skip


def both(table):
    return [(reason, line) for reason, lines in table.items() for line in lines]


@pytest.mark.parametrize("n_rows", [None, 1, 2])
@pytest.mark.parametrize(("reason", "line"), both(BROKEN_CSV))
def test_a_broken_line_of_csv_is_set_aside(tmp_path, reason, line, n_rows):
    path = tmp_path / "log.csv"
    path.write_bytes(HEADER + b"ben,salt,2\n" + line + b"eve,tea,3\nzoe,tea,4\n")
    events, report = read_events(path, report=True, chunk_rows=n_rows)
    users = [
        user for piece in ([events] if n_rows is None else events) for user in piece["user_id"]
    ]
    assert users == ["ben", "eve", "zoe"]
    assert dict(report.broken) == {reason: 1}
    assert (report.rows_in, report.rows_out) == (4, 3)
    where = report.broken_lines().iloc[0]
    assert where["line"] == 3
    assert where["file"] == str(path)
    assert where["text"].encode() == line
    with pytest.raises(DataError, match="report=True"):
        read_events(path)


@pytest.mark.parametrize("n_rows", [None, 1, 2])
@pytest.mark.parametrize(("reason", "line"), both(BROKEN_JSON))
def test_a_broken_line_of_json_is_set_aside(tmp_path, reason, line, n_rows):
    path = tmp_path / "log.jsonl"
    path.write_bytes(GOOD + line + GOOD)
    events, report = read_events(path, report=True, chunk_rows=n_rows)
    pieces = [events] if n_rows is None else list(events)
    assert sum(map(len, pieces)) == 2
    assert dict(report.broken) == {reason: 1}
    assert report.rows_in == 3
    assert report.broken_lines()["line"].tolist() == [2]
    with pytest.raises(DataError, match=r"line 2 of .* must be a JSON object, got.*report=True"):
        read_events(path)


def test_every_reason_has_a_test():
    assert set(BROKEN_CSV) | set(BROKEN_JSON) | {"broken_cell"} == set(BROKEN)


def test_several_broken_lines_are_told_apart(tmp_path):
    path = tmp_path / "log.csv.gz"
    lines = [b'"anna,tea,1\n', b"ben,salt,2\n", b"a,b,c,d\n", b'"eve",tea,3\n', b"zoe,\0,4\n"]
    path.write_bytes(gzip.compress(HEADER + b"".join(lines)))
    events, report = read_events(path, report=True)
    assert events["user_id"].tolist() == ["ben", "eve"]
    assert dict(report.broken) == {"broken_quotes": 1, "too_many_cells": 1, "nul_byte": 1}
    assert report.broken_lines()["line"].tolist() == [2, 4, 6]


def test_a_quoted_line_break_is_no_broken_line(tmp_path):
    path = tmp_path / "log.csv"
    path.write_bytes(HEADER + b'"an\nna",tea,1\nx,y,1,2\nben,salt,2\n')
    events, report = read_events(path, report=True)
    assert events["user_id"].tolist() == ["an\nna", "ben"]
    assert report.broken_lines()["line"].tolist() == [4]


def test_both_parsers_read_the_same(tmp_path):
    rows = b'007,"a ""b"", c",1.50\n"an"na,x,3\n,,\n\n 8,NA,2\nshort\n"x","",\n'
    for name, more in (("good", b""), ("bad", b"a,b,c,d\n")):
        (tmp_path / f"{name}.csv").write_bytes(b"\xef\xbb\xbf" + HEADER + rows + more)
    good = read_events(tmp_path / "good.csv")
    bad, report = read_events(tmp_path / "bad.csv", report=True)
    assert report.broken.total() == 1
    assert good.equals(bad)
    assert good.dtypes.equals(bad.dtypes)


def test_what_comes_before_the_header_is_no_table(tmp_path):
    path = tmp_path / "log.csv"
    for content in (b"", b"user_id,\0\na,b\n", b'"user_id,item_id\n'):
        path.write_bytes(content)
        with pytest.raises(DataError):
            read_events(path, report=True)


def test_a_log_without_broken_lines_says_so(tmp_path):
    path = tmp_path / "log.csv"
    path.write_bytes(HEADER + b"ben,salt,2\n,,\n")
    events, report = read_events(path, report=True)
    assert len(events) == report.rows_in == report.rows_out == 2
    assert report.broken.total() == 0
    assert (report.without_user, report.without_item) == (1, 1)
    assert repr(report).startswith("ReadReport: 2 rows in, 2 rows of events out, 0 broken\n")


def test_mixed_encodings_are_counted(tmp_path):
    path = tmp_path / "log.csv"
    path.write_bytes(HEADER + "é,ß,1\n".encode() + b"x,\xe9,2\n")
    events, report = read_events(path, report=True)
    assert events["item_id"].tolist() == ["ß", "\ufffd"]
    assert report.replaced_bytes == 1
    assert "replaced_bytes  1  bytes in no known encoding" in repr(report)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig"])
def test_files_of_spreadsheets_are_read(tmp_path, encoding):
    path = tmp_path / "log.csv"
    path.write_bytes("user_id,item_id\nJosé,tea\n".encode(encoding))
    assert read_events(path)["user_id"].tolist() == ["José"]
    assert read_events(path, report=True)[0]["user_id"].tolist() == ["José"]


def test_only_the_first_broken_lines_are_kept_and_all_are_counted(tmp_path, monkeypatch):
    monkeypatch.setattr("recopersona.events.read_report.SHOWN_LINES", 3)
    path = tmp_path / "log.jsonl"
    path.write_bytes(b"x" * 5_000 + b"\n" + b"y\n" * 9 + GOOD)
    _, report = read_events(path, report=True)
    assert report.broken.total() == 10
    assert report.broken_lines()["text"].str.len().tolist() == [1_000, 1, 1]
